"""Poses as JSON Lines: whole to the last frame whatever happens, and read back exactly."""

import json
from collections.abc import Callable, Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any, TypeVar

from movenet.errors import MoveNetError
from movenet.keypoints import NAMES
from movenet.poses import Poses
from movenet.writers.growing import GrowingFile
from movenet.writers.writer import Writer

T = TypeVar("T")
_LONGEST_HEADER = 1 << 16  # bytes: a foreign file may be one line of gigabytes


class JsonLinesWriter(Writer):
    """JSON Lines: a header (version, model, keypoint names), then a line a picture or frame.

    Every line but the first is what `Poses.from_dict` reads, and is on the disk when `write`
    returns, so that a run that is cut off leaves whole lines.
    """

    def __init__(self, path: str | Path, *, model: str, version: str) -> None:
        """Try the place; the header comes with the first frame. Raises MoveNetError."""
        header = {"version": version, "model": model, "keypoints": NAMES}
        self._file = GrowingFile(path, head=json_line(header))

    def write(self, poses: Poses, **more: Any) -> None:
        """One line: further entries first (`source="photo.jpg"`), then the poses."""
        self._file.append(json_line(more | poses.to_dict()))

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def json_line(record: dict[str, Any]) -> bytes:
    """A line of the file. ValueError for NaN and infinity, which JSON does not have."""
    # ASCII, because a file name may hold bytes that are no text.
    return json.dumps(record, allow_nan=False).encode("ascii") + b"\n"


def read_json_lines(path: str | Path) -> tuple[dict[str, Any], Iterator[Poses]]:
    """The header of a JSON Lines file (version, model, keypoints), and its frames, read one by one.

    A last line that was cut off is passed over. Raises MoveNetError for a file that cannot be
    read or is something else, and, at that frame, for a broken line that others follow.
    """
    return read_records(path, "poses", {"keypoints": list(NAMES)}, Poses.from_dict)


def read_records(
    path: str | Path, what: str, signature: dict[str, Any], read: Callable[[dict[str, Any]], T]
) -> tuple[dict[str, Any], Iterator[T]]:
    """The header and the frames of JSON Lines whose header has the entries of `signature`.

    Each line is given to `read`, which raises ValueError for what it does not know.
    """
    path = Path(path)
    try:
        file = path.open("rb")
        header = _record(file.readline(_LONGEST_HEADER))
    except OSError as error:
        raise MoveNetError(f"{path}: cannot be read ({error.strerror})") from error
    if header is None or {**header, **signature} != header:
        file.close()
        raise MoveNetError(f"{path}: not {what} of movenet; name a file that --json wrote")
    return header, _frames(path, file, read)


def _frames(path: Path, file: BufferedReader, read: Callable[[dict[str, Any]], T]) -> Iterator[T]:
    with file:
        for number, line in enumerate(file, 2):
            record = _record(line)
            try:
                if record is None:
                    raise ValueError("not a JSON object")
                frame = read(record)
            except ValueError as error:
                if not line.endswith(b"\n"):
                    return  # cut off
                raise MoveNetError(f"{path}, line {number}: {error}; write it again") from error
            yield frame


def _record(line: bytes) -> dict[str, Any] | None:
    """The JSON object in a line; None where there is none."""
    try:
        record = json.loads(line)
    except ValueError:  # UnicodeDecodeError is one
        return None
    return record if isinstance(record, dict) else None
