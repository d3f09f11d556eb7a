"""Where the frames of `movenet track` go: files, a video and a window."""

import argparse
import glob
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import numpy as np

from movenet import __version__
from movenet.cli.predict import counted, make_folder
from movenet.cli.view import View
from movenet.errors import EngineError, MoveNetError
from movenet.frame import Frame
from movenet.frame_folder import FrameFolder
from movenet.movie import SUFFIXES, Movie
from movenet.overlap import Behind
from movenet.pipeline import is_longest
from movenet.poses import Poses
from movenet.sources.video import Video
from movenet.stopwatch import Stopwatch
from movenet.writers import KINDS, OpenPoseWriter, Writer, open_writer
from movenet.writers.trc import TrcWriter

if TYPE_CHECKING:
    from movenet.pipeline import Step
    from movenet.plot import KeypointPlot
    from movenet.sources import Source

FOLDER = Path("poses")  # of a file's results, where nothing else is said
# Those that empty an old file come last, when everything else could be opened.
WRITERS = sorted(KINDS, key=lambda kind: kind in ("json", "csv"))
KEYPOINT = "right_wrist"  # of --plot
Handed = Callable[[Iterable[Frame]], Iterator[Frame]]
BEHIND = 4  # frames that wait to be drawn and encoded


class Outputs:
    """Everything that a run writes and shows. Made: every place was tried. Use it in a `with`."""

    def __init__(self, args: argparse.Namespace, source: "Source") -> None:
        """Open what the options name. Raises MoveNetError for what cannot be."""
        self.threshold = args.threshold
        self.frames, self.ids, self.times_lost = 0, set[int](), 0
        self.looked = 0  # frames that the tracker was handed
        self.passes: list[tuple[str | None, Handed]] = [(None, self._counted)]
        if args.smooth == "offline" or is_longest(args.target):
            self.passes = [("looking", self._counted), ("writing", self._read)]
        self.stopwatch = Stopwatch()  # of what goes on beside the tracking
        self.made: list[Path] = []
        self.writers: list[Writer] = []
        self.behind: Behind[Step] | None = None
        self.plot: KeypointPlot | None = None
        self.view: View | None = None
        choose(args, source)
        with ExitStack() as stack:
            self._open(args, source, stack)
            self._stack = stack.pop_all()  # nothing failed: all stays open

    def _open(self, args: argparse.Namespace, source: "Source", stack: ExitStack) -> None:
        self.made += places(args)
        self.trc: Path | None = args.trc
        if args.show:  # first, so that it is closed last: a picture by itself stays
            self.view = View(
                keypoint_threshold=self.threshold, mirrored=args.mirror, live=source.live
            )
            stack.enter_context(self.view)
        if args.plot:
            from movenet.plot import KeypointPlot

            self.plot = stack.enter_context(
                KeypointPlot(
                    args.plot, args.keypoint or KEYPOINT, keypoint_threshold=self.threshold
                )
            )
        if args.save:
            self.sink = sink(args, source)
            if isinstance(self.sink, Movie):
                stack.enter_context(self.sink)
            self.behind = stack.enter_context(Behind(self._save, BEHIND))
        for kind in WRITERS:
            if (path := getattr(args, kind)) is not None:
                self.writers.append(stack.enter_context(writer(kind, path, args)))

    def put(self, step: "Step") -> bool:
        """Write and show a frame -> whether to go on."""
        self.frames += 1
        assert step.poses.ids is not None
        self.ids.update(step.poses.ids.tolist())
        self.times_lost += sum(event.event == "lost" for event in step.events)
        with self.stopwatch("write"):
            events = [event._asdict() for event in step.events]
            for each in self.writers:
                poses = unfilled(step) if isinstance(each, OpenPoseWriter) else step.poses
                each.write(poses, events=events)
            if self.plot:
                self.plot.add(step.raw, step.poses)
        if self.behind:
            self.behind.put(step)
        return self.view.put(step) if self.view else True

    def _counted(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """On their way to the tracker."""
        for frame in frames:
            self.looked += 1
            yield frame

    def _read(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """For a second time, for their pictures."""
        return self.stopwatch.timed("read", frames)

    def _save(self, step: "Step") -> None:
        """Beside the tracking, in a thread: draw a frame and encode it."""
        with self.stopwatch("draw"):
            drawn = step.poses.draw(step.frame.image, keypoint_threshold=self.threshold)
        with self.stopwatch("encode"):
            if isinstance(self.sink, Movie):
                self.sink.write(drawn, step.frame.timestamp_s)
            else:
                self.sink.write(drawn, step.frame.index)

    def paths(self) -> list[Path]:
        """What a run makes; TRC has a file for each person."""
        paths = [path for path in self.made if path != self.trc]
        for each in self.writers:
            if isinstance(each, TrcWriter):
                paths += each.paths
        return paths + (self.view.snapshots if self.view else [])

    def __enter__(self) -> "Outputs":
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
        seen = f"{counted(self.frames, 'frame')}, {counted(len(self.ids), 'person')}"
        lines = [f"{seen}, lost {counted(self.times_lost, 'time')}"]
        first, second = "ms a frame", "beside it"
        if len(self.passes) > 1:
            first, second = (f"ms a frame, {name}" for name, _ in self.passes)
        rows = (first, times_ms, self.looked), (second, self.stopwatch.times_ms, self.frames)
        for words, times, frames in rows:
            if frames and times:
                parts = (f"{name} {spent / frames:.1f}" for name, spent in times.items())
                lines.append(f"{words}: {', '.join(parts)}")
        made = [path for path in self.paths() if path.exists()]
        if made:
            lines.append(f"made {', '.join(map(str, made))}")
        return "\n".join(lines)


def unfilled(step: "Step") -> Poses:
    """With the networks' own scores where smoothing has filled a gap.

    Pose2Sim fills gaps itself, in space, and would take a guess of ours for a sight.
    """
    poses, raw = step.poses, step.raw
    assert poses.ids is not None
    assert raw.ids is not None
    own = dict(zip(raw.ids.tolist(), raw.keypoint_scores, strict=True))
    scores = [own.get(number, np.zeros(17, np.float32)) for number in poses.ids.tolist()]
    least = np.minimum(poses.keypoint_scores, np.array(scores, np.float32).reshape(-1, 17))
    return replace(poses, keypoint_scores=least)


def choose(args: argparse.Namespace, source: "Source") -> None:
    """What to write where nothing is named: a video and a table of a file, a window of a camera."""
    named = args.show or args.plot or args.save or any(getattr(args, kind) for kind in KINDS)
    args.show = args.show or (source.live and not named)
    for option, needed in (("mirror", "show"), ("keypoint", "plot"), ("metres_per_pixel", "trc")):
        if getattr(args, option) and not getattr(args, needed):
            name = option.replace("_", "-")
            raise EngineError(f"--{name}: does nothing without --{needed}; add that")
    if named or args.show:
        return
    make_folder(FOLDER)
    stem = stem_of(args.source)
    args.save, args.csv = FOLDER / f"{stem}.mp4", FOLDER / f"{stem}.csv"


def writer(kind: str, path: Path, args: argparse.Namespace) -> Writer:
    """The writer of a kind of file."""
    if kind == "trc":
        return TrcWriter(
            path, metres_per_pixel=args.metres_per_pixel, keypoint_threshold=args.threshold
        )
    return open_writer(kind, path, model=args.model, version=__version__)


def sink(args: argparse.Namespace, source: "Source") -> Movie | FrameFolder:
    """A video, or for a name without a suffix a folder of pictures."""
    if not args.save.suffix:
        return FrameFolder(args.save, stem_of(args.source))
    if args.save.suffix.lower() not in SUFFIXES:
        raise MoveNetError(
            f"--save {args.save}: videos are saved as {', '.join(SUFFIXES)}, and pictures in a "
            "folder, a name without a suffix"
        )
    return Movie(
        args.save,
        rate=source.rate / args.stride if source.rate else None,
        sound=source.reopen if isinstance(source, Video) else None,
    )


def places(args: argparse.Namespace) -> list[Path]:
    """What will be written; MoveNetError where two are one, or one is what is read."""
    named = {kind: getattr(args, kind) for kind in (*KINDS, "plot", "save")}
    taken = {Path(args.source).resolve(): "what is read"}
    for option, path in named.items():
        if path is None:
            continue
        if (other := taken.get(path.resolve())) is not None:
            raise MoveNetError(f"--{option} {path}: is {other}; name another file")
        taken[path.resolve()] = f"--{option} too"
    return [path for path in named.values() if path]


def stem_of(source: str) -> str:
    """A name for the results of a source."""
    path = Path(urlsplit(source).path if "://" in source else source)
    named = path.parent if glob.has_magic(path.name) else path
    return named.stem or "track"
