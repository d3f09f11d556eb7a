"""Poses as TRC, the marker trajectories that OpenSim reads, one file a person."""

import contextlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from movenet.keypoints import NAMES
from movenet.poses import KEYPOINT_THRESHOLD, Poses
from movenet.writers.growing import GrowingFile, closed
from movenet.writers.writer import (
    Stamped,
    Writer,
    frame_index,
    frame_time,
    person_numbers,
    person_path,
)

_FIELDS = (
    "DataRate",
    "CameraRate",
    "NumFrames",
    "NumMarkers",
    "Units",
    "OrigDataRate",
    "OrigDataStartFrame",
    "OrigNumFrames",
)
_ROOM = 128  # bytes for longer numbers, and a longer name, when the file is finished
_MISSING = "\t\t\t"  # OpenSim reads NaN from three empty fields, and fails on the text "nan"


@dataclass(slots=True)
class _Person:
    file: GrowingFile
    start: int  # index of the first frame
    header_bytes: int = 0
    frames: int = 0


class TrcWriter(Writer):
    """TRC: Frame#, Time in seconds, and X, Y, Z of 17 markers with MoveNet's names.

    X is right, Y up (the picture's y negated; its top edge is 0), Z 0. With `metres_per_pixel`
    the unit is the metre. Without, a pixel is written as a millimetre, the numbers being those of
    the picture, because OpenSim refuses a unit that it does not know; angles hold, lengths do not.

    A keypoint at or under the threshold is empty, as Sports2D makes it: TRC has no scores. A
    frame where the person is missing, or all of their keypoints, has no row. Nothing is filled in.
    Files: see `TrcFiles`.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        metres_per_pixel: float | None = None,
        keypoint_threshold: float = KEYPOINT_THRESHOLD,
    ) -> None:
        """Try the place. Raises MoveNetError where it cannot be written.

        ValueError for metres_per_pixel that are not finite and over 0.
        """
        if metres_per_pixel is not None and not 0 < metres_per_pixel < math.inf:
            raise ValueError(f"metres_per_pixel: expected a number over 0, got {metres_per_pixel}")
        self._scale = 1 if metres_per_pixel is None else metres_per_pixel
        self._threshold = keypoint_threshold
        self._files = TrcFiles(path, NAMES, "mm" if metres_per_pixel is None else "m")

    @property
    def paths(self) -> list[Path]:
        """What was written, when it is closed."""
        return self._files.paths

    def write(self, poses: Poses, **_: Any) -> None:
        """A row in the file of each person; further entries have no place here.

        ValueError without frame_index and timestamp_s, and for several people without ids.
        """
        seen = poses.keypoint_scores > self._threshold
        scaled = poses.keypoints.astype(float) * self._scale
        rows = [
            _markers(points, shown) if any(shown) else None
            for points, shown in zip(scaled.tolist(), seen.tolist(), strict=True)
        ]
        self._files.write(poses, rows)

    def close(self) -> None:
        """Write the numbers of the headers, and give the files their names."""
        self._files.close()


class TrcFiles:
    """One TRC file a person. A frame without the person has no row.

    That is because OpenSim's inverse kinematics fails on a row without markers. The only person's
    file is FILE; of several, each has FILE_personNN, NN being the id. Where nobody was seen there
    is no file, because OpenSim crashes on one without rows. All are .part until they are closed.
    (OpenSim: read in TRCFileAdapter.cpp and SimmIO.cpp, tried with 4.6. Sports2D: 0.8, process.py.)
    """

    def __init__(self, path: str | Path, markers: Sequence[str], unit: str) -> None:
        """Try the place. Raises MoveNetError where it cannot be written."""
        self._path = Path(path)
        self._markers, self._unit = markers, unit
        self._first = GrowingFile(path, part=True)  # the first person's; tries the place
        self._people: dict[int, _Person] = {}
        self._open: set[int] = set()  # who was in the last frame
        self._frames, self._closed = 0, False
        self._begin_s = self._end_s = 0.0
        self.paths: list[Path] = []  # what was written, when it is closed

    def write(self, people: Stamped, rows: Sequence[str | None]) -> None:
        """A row in the file of each person: X, Y, Z of the markers, a tab after each number.

        None for somebody without markers. ValueError without frame_index and timestamp_s, and for
        several people without ids.
        """
        if self._closed:
            raise closed()
        index, time_s, numbers = frame_index(people), frame_time(people), person_numbers(people)
        self._end_s = time_s
        self._begin_s = self._begin_s if self._frames else self._end_s
        self._frames += 1
        for number, row in zip(numbers, rows, strict=True):
            if row is not None:
                self._append(number, index, row)
        for number in self._open.difference(numbers):
            self._people[number].file.rest()
        self._open = self._people.keys() & numbers

    def close(self) -> None:
        """Write the numbers of the headers, and give the files their names."""
        self._closed = True
        people, self._people = self._people, {}
        with contextlib.ExitStack() as stack:  # each of them, whatever happens to another
            for number, person in reversed(people.items()):  # the stack turns them round
                several = len(people) > 1
                person.file.path = person_path(self._path, number) if several else self._path
                stack.callback(self._finish, person)
        self._first.drop()  # where nobody was seen

    def _append(self, number: int, index: int, row: str) -> None:
        person = self._people.get(number)
        if person is None:
            path = person_path(self._path, number)
            file = GrowingFile(path, part=True) if self._people else self._first
            person = self._people[number] = _Person(file, index)
            header = self._header(person)
            file.append(header)
            person.header_bytes = len(header)
        person.file.append(f"{index}\t{self._end_s!r}\t{row}\n".encode())
        person.frames += 1

    def _finish(self, person: _Person) -> None:
        if not person.frames:  # the disk was full
            person.file.drop()
            return
        person.file.overwrite(self._header(person))
        person.file.close()
        self.paths.append(person.file.path)

    def _header(self, person: _Person) -> bytes:
        """Five lines and an empty one, as long at the end as they were at the start."""
        span_s = self._end_s - self._begin_s
        rate = f"{(self._frames - 1) / span_s:.6g}" if span_s > 0 else "1"
        count = len(self._markers)
        values = (rate, rate, person.frames, count, self._unit, rate, person.start)
        first = f"PathFileType\t4\t(X/Y/Z)\t{person.file.path.name}".encode(errors="replace")
        rest = "\n".join(
            [
                "",
                "\t".join(_FIELDS),
                "\t".join(map(str, [*values, person.frames])),
                "Frame#\tTime\t" + "".join(f"{name}\t\t\t" for name in self._markers),
                "\t\t" + "".join(f"X{n}\tY{n}\tZ{n}\t" for n in range(1, count + 1)),
                "\n",
            ]
        ).encode()
        size = person.header_bytes or len(first) + len(rest) + _ROOM
        return first + b" " * (size - len(first) - len(rest)) + rest


def _markers(points: list[list[float]], shown: list[bool]) -> str:
    """x, y (down) -> X, Y (up), Z, a tab after each: OpenSim counts an empty last field by it."""
    return "".join(
        f"{x:.9g}\t{0 - y:.9g}\t0\t" if there else _MISSING
        for (x, y), there in zip(points, shown, strict=True)
    )
