"""What the results of `movenet track` and `movenet lift` have in common: files and a window."""

import argparse
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Protocol

import numpy as np
from numpy.typing import NDArray

from movenet.cli.places import is_folder
from movenet.cli.predict import counted
from movenet.cli.view import S, View
from movenet.errors import EngineError
from movenet.frame import Frame
from movenet.frame_folder import FrameFolder
from movenet.movie import SUFFIXES, Movie
from movenet.overlap import Behind
from movenet.sources.video import Video
from movenet.stopwatch import Stopwatch
from movenet.writers.writer import person_files

if TYPE_CHECKING:
    from movenet.sources import Source

Handed = Callable[[Iterable[Frame]], Iterator[Frame]]
BEHIND = 4  # frames that wait to be drawn and encoded


class Numbered(Protocol):
    """Where pictures go by the index of their frame."""

    def write(self, image: NDArray[np.uint8], index: int) -> object:
        """Save (H, W, 3) uint8 RGB; ImageError says why not."""


class PerPerson(Protocol):
    """A writer with a file for each person."""

    @property
    def paths(self) -> list[Path]:
        """What was written, when it is closed."""


class Results(ABC, Generic[S]):
    """Everything that a run writes and shows. Made: every place was tried. Use it in a `with`."""

    def __init__(
        self, args: argparse.Namespace, source: "Source", made: list[Path], *, twice: bool
    ) -> None:
        """Open what the options name. Raises MoveNetError for what cannot be.

        `made` are the places that they name. `twice`: whether the source is read once for its
        people and once for its pictures.
        """
        self.threshold = args.threshold
        self.frames, self.ids, self.times_lost = 0, set[Any](), 0
        self.looked = 0  # frames that the tracker was handed
        self.passes: list[tuple[str | None, Handed]] = [(None, self.counted)]
        if twice:
            self.passes = [("looking", self.counted), ("writing", self._read)]
        self.stopwatch = Stopwatch()  # of what goes on beside the tracking
        self.made = made
        self.per_person: dict[Path, PerPerson] = {}
        self.behind: Behind[S] | None = None
        self.view: View[S] | None = None
        with ExitStack() as stack:
            self._open(args, source, stack)
            self._stack = stack.pop_all()  # nothing failed: all stays open

    @abstractmethod
    def _open(self, args: argparse.Namespace, source: "Source", stack: ExitStack) -> None:
        """Open everything; the window first, so that it is closed last: a picture stays."""

    @abstractmethod
    def _write(self, step: S) -> None:
        """Into the files of numbers."""

    @abstractmethod
    def _drawn(self, step: S) -> NDArray[np.uint8]:
        """A frame as it is saved."""

    def _save_to(self, sink: Movie | Numbered, stack: ExitStack) -> None:
        """Let drawn frames go there."""
        self.sink = sink
        if isinstance(sink, Movie):
            stack.enter_context(sink)
        self.behind = stack.enter_context(Behind(self._save, BEHIND))

    def put(self, step: S) -> bool:
        """Write and show a frame -> whether to go on."""
        self.frames += 1
        self._count(step)
        with self.stopwatch("write"):
            self._write(step)
        if self.behind:
            self.behind.put(step)
        return self.view.put(step) if self.view else True

    def _count(self, step: S) -> None:
        assert step.poses.ids is not None
        self.ids.update(step.poses.ids.tolist())
        self.times_lost += sum(event.event == "lost" for event in step.events)

    def counted(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """On their way to the tracker."""
        for frame in frames:
            self.looked += 1
            yield frame

    def _read(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """For a second time, for their pictures."""
        return self.stopwatch.timed("read", frames)

    def _save(self, step: S) -> None:
        """Beside the tracking, in a thread: draw a frame and encode it."""
        with self.stopwatch("draw"):
            drawn = self._drawn(step)
        with self.stopwatch("encode"):
            if isinstance(self.sink, Movie):
                self.sink.write(drawn, step.frame.timestamp_s)
            else:
                self.sink.write(drawn, step.frame.index)

    def paths(self) -> list[Path]:
        """What a run makes; some writers have a file for each person."""
        paths = [path for path in self.made if path not in self.per_person]
        for each in self.per_person.values():
            paths += each.paths
        return paths + (self.view.snapshots if self.view else [])

    def __enter__(self) -> "Results[S]":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def summary(self, times_ms: dict[str, float]) -> str:
        """How much was done, where its time went, and what was made."""
        lines = [self._seen()]
        first, second = "ms a frame", "beside it"
        if len(self.passes) > 1:
            first, second = (f"ms a frame, {name}" for name, _ in self.passes)
        rows = (first, times_ms, self.looked), (second, self.stopwatch.times_ms, self.frames)
        for words, times, frames in rows:
            if frames and times:
                parts = (f"{name} {spent / frames:.1f}" for name, spent in times.items())
                lines.append(f"{words}: {', '.join(parts)}")
        return "\n".join(lines + self._files())

    def _files(self) -> list[str]:
        """What was made, what was not, and what is older; before the first frame nothing was."""
        made = [path for path in self.paths() if path.exists()]
        older = [path for each in self.per_person for path in person_files(each)]
        older = [path for path in older if path not in made]
        nobodys = [] if self.ids else list(self.per_person)
        lines = (
            ("made", made),
            ("not made, since there was nobody:", nobodys),
            ("left from an earlier run:", older),
        )
        return [
            f"{words} {', '.join(map(str, paths))}"
            for words, paths in lines
            if paths and self.frames
        ]

    def _seen(self) -> str:
        seen = f"{counted(self.frames, 'frame')}, {counted(len(self.ids), 'id')}"
        return f"{seen}, lost {counted(self.times_lost, 'time')}"


def sink(save: str, source: "Source", *, name: str, stride: int) -> Movie | FrameFolder:
    """A video, or a folder of pictures, each called `name`_index."""
    path = Path(save)
    if is_folder(save):
        return FrameFolder(path, name)
    if path.suffix.lower() not in SUFFIXES:
        raise EngineError(
            f"--save {save}: videos are saved as {', '.join(SUFFIXES)}, and pictures in a "
            "folder, a name without a suffix or with a / at its end"
        )
    return Movie(
        path,
        rate=source.rate / stride if source.rate else None,
        sound=source.reopen if isinstance(source, Video) else None,
    )
