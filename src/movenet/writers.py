"""Poses into files."""

import contextlib
import json
from pathlib import Path
from types import TracebackType
from typing import Any

from movenet.errors import MoveNetError
from movenet.keypoints import NAMES
from movenet.poses import Poses


class JsonLinesWriter:
    """JSON Lines: a header (version, model, keypoint names), then a line a picture or frame.

    Every line but the first is what `Poses.from_dict` reads, and is on the disk when `write`
    returns, so that a run that is cut off leaves whole lines.
    """

    def __init__(self, path: str | Path, *, model: str, version: str) -> None:
        """Make the file and write its header. Raises MoveNetError where that cannot be done."""
        self._path = Path(path)
        try:
            self._file = self._path.open("w", encoding="utf-8")
        except OSError as error:
            raise self._unwritable(error) from error
        self._line({"version": version, "model": model, "keypoints": NAMES})

    def write(self, poses: Poses, **more: Any) -> None:
        """One line: further entries first (`source="photo.jpg"`), then the poses."""
        self._line(more | poses.to_dict())

    def _line(self, record: dict[str, Any]) -> None:
        # ASCII, because a file name may hold bytes that are no text.
        line = json.dumps(record, allow_nan=False) + "\n"
        try:
            self._file.write(line)
            self._file.flush()
        except OSError as error:
            with contextlib.suppress(OSError):  # closing tries to write once more
                self._file.close()
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> MoveNetError:
        return MoveNetError(
            f"{self._path}: cannot be written ({error.strerror}); name another file"
        )

    def __enter__(self) -> "JsonLinesWriter":
        """The writer itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        self._file.close()
