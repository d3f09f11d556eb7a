"""What every writer of poses does."""

import os
import re
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, TypeVar

from movenet.poses import Poses

W = TypeVar("W", bound="Output")


class Output(Protocol):
    """A file, or files. Made: the place was tried. Used in a `with`: it is finished.

    What was there before stays until the first frame, and where none comes for good. Everything
    raises MoveNetError, one line, where the place cannot be written, and `write` ValueError when
    it is closed.
    """

    def close(self) -> None:
        """Finish the file; again is no error."""
        ...

    def __enter__(self: W) -> W:
        """The writer itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finish the file, after an error and Ctrl-C too."""
        self.close()


class Writer(Output, Protocol):
    """An output of poses."""

    def write(self, poses: Poses, **more: Any) -> None:
        """Add a frame. Further entries (`source="a.jpg"`) go where a format has room for them."""
        ...


class Stamped(Protocol):
    """The people of a frame, and which frame: Poses, and what is made from them."""

    @property
    def ids(self) -> Any:
        """(P,) int64, or None."""

    @property
    def frame_index(self) -> int | None:
        """Of the frame."""

    @property
    def timestamp_s(self) -> float | None:
        """Of the frame."""

    def __len__(self) -> int:
        """The number of people, P."""


def frame_index(people: Stamped) -> int:
    """The index of the frame; ValueError where it has none."""
    if people.frame_index is None:
        raise ValueError(f"{_words(people)} must have a frame_index to be written in this format")
    return people.frame_index


def frame_time(people: Stamped) -> float:
    """The time of the frame in seconds; ValueError where it has none."""
    if people.timestamp_s is None:
        raise ValueError(f"{_words(people)} must have a timestamp_s to be written in this format")
    return float(people.timestamp_s)


def person_numbers(people: Stamped) -> list[int]:
    """The ids for a format with a file for each person; of one person without an id it is 0.

    ValueError for several people without ids.
    """
    if people.ids is not None:
        return [int(number) for number in people.ids]
    if len(people) > 1:
        raise ValueError(
            f"{_words(people)} of several people must have ids to be written in this format"
        )
    return [0] * len(people)


def person_path(path: Path, number: int) -> Path:
    """The file of one of several people: clip.trc -> clip_person07.trc (Sports2D's name)."""
    return path.with_name(f"{path.stem}_person{number:02d}{path.suffix}")


def person_files(path: Path) -> list[Path]:
    """The files that are there under that name, or under `person_path` of it."""
    name = re.compile(rf"{re.escape(path.stem)}(_person\d{{2,}})?{re.escape(path.suffix)}")
    names = os.listdir(path.parent) if path.parent.is_dir() else []
    return sorted(path.with_name(each) for each in names if name.fullmatch(each))


def _words(people: Stamped) -> str:
    return type(people).__name__.lower()
