"""From sources to bodies in three dimensions: of pictures, of whole files, and live."""

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from movenet.errors import VideoError
from movenet.frame import Frame
from movenet.lifting.bodies import HEIGHTS, METRES, Bodies, Floats
from movenet.lifting.engines import ENGINES
from movenet.lifting.gravity import FEWEST, gravity, upright
from movenet.lifting.lifter import Lifter, lift
from movenet.lifting.specs import MODELS
from movenet.pipeline import Step, Watch, frames_of, steps
from movenet.poses import Poses
from movenet.sources.clock import USUAL_RATE
from movenet.sources.pictures import Pictures
from movenet.sources.source import Source
from movenet.sources.span import Span
from movenet.tracker import Event

if TYPE_CHECKING:
    from movenet.pose_tracker import PoseTracker


NOT_TURNED = (
    "--upright: nothing was turned; gravity cannot be estimated without people who stand with "
    f"their feet in view, in {FEWEST} frames of a clip or more"
)


Earlier = Callable[[Floats, tuple[int, int]], Floats]  # the earlier port's network


class Lifted(NamedTuple):
    """A frame, the people in it, what happened to ids, and their bodies."""

    frame: Frame
    poses: Poses
    events: list[Event]
    bodies: Bodies


class Lifting:
    """The networks that the options ask for: ours, or the earlier port's of a file."""

    def __init__(self, args: argparse.Namespace) -> None:
        """WeightsError for a file that is none of the earlier port's."""
        self.upright: bool = args.upright
        # A file of MoveNet, or a runtime that lifts nothing, leaves the choice.
        engine = args.engine if args.engine in ENGINES else "auto"
        self._ours: dict[str, Any] = {"height_m": args.height, "engine": engine}
        self._earlier: Earlier | None = None
        if args.weights:
            from movenet.lifting import videopose  # which imports PyTorch

            self._earlier = partial(videopose.lift, videopose.load(args.weights))
        self._weights: Path | None = args.weights
        self.unit = METRES if args.weights or args.height else HEIGHTS

    def network(self, *, live: bool, pictures: bool) -> str:
        """What lifts such a source: a model's name, or that of the file of --weights."""
        if self._weights:
            return self._weights.name
        return MODELS["single" if pictures else "causal" if live else "centred"]

    def one(self, poses: Poses) -> Bodies:
        """Of a picture, which by itself says too little of gravity."""
        if self.upright:
            self.upright = False  # said once
            print(NOT_TURNED)
        return self._single(poses) if self._earlier else lift(poses, **self._ours)

    def clip(self, poses: Sequence[Poses]) -> list[Bodies]:
        """Of all the frames of a file; turned upright where that is wanted, and can be."""
        if self._earlier:
            bodies = [self._single(each) for each in poses]
        else:
            bodies = lift(poses, **self._ours)
        return levelled(bodies) if self.upright else bodies

    def live(self) -> Callable[[Poses], Bodies]:
        """Of frame after frame, by what has been."""
        return self._single if self._earlier else Lifter(**self._ours)

    def _single(self, poses: Poses) -> Bodies:
        """By the earlier port's network, which says nothing of what is uncertain: NaN."""
        assert self._earlier is not None
        joints = self._earlier(poses.keypoints, poses.image_size)
        return Bodies(
            joints,
            np.where(np.isnan(joints).any(-1), np.inf, np.nan).astype(np.float32),
            unit=METRES,
            ids=poses.ids,
            frame_index=poses.frame_index,
            timestamp_s=poses.timestamp_s,
        )


class Once(Source):
    """A source whose pictures are read once: the second time its frames come without them.

    So that what reads a file twice for its people leaves the pictures to who wants them.
    """

    live = False
    BLANK = np.zeros((1, 1, 3), np.uint8)

    def __init__(self, source: Source) -> None:
        """`source` is not live."""
        self.name, self.rate, self.count = source.name, source.rate, source.count
        self._source = source
        self._read: list[tuple[int, float]] | None = None

    def __iter__(self) -> Iterator[Frame]:
        """With pictures at first."""
        if self._read is not None:
            yield from (Frame(self.BLANK, index, time_s) for index, time_s in self._read)
            return
        self._read = []
        for frame in self._source:
            self._read.append((frame.index, frame.timestamp_s))
            yield frame

    def close(self) -> None:
        """Leave that to whoever opened the source."""


def causal(
    source: Source,
    tracker: "PoseTracker",
    lifting: Lifting,
    args: argparse.Namespace,
    watch: Watch = iter,
) -> Iterator[Lifted]:
    """Every frame as it comes."""
    lifter = lifting.live()
    for step in steps(source, tracker, smooth=args.smooth, target=args.target, watch=watch):
        with tracker.stopwatch("lift"):
            bodies = lifter(step.poses)
        yield Lifted(step.frame, step.poses, step.events, bodies)


def whole(
    source: Source,
    tracker: "PoseTracker",
    lifting: Lifting,
    args: argparse.Namespace,
    watch: Watch = iter,
) -> Iterator[Lifted]:
    """A file: first its people, of all frames, and then its pictures with them.

    What comes before a source breaks off is done; its error comes last.
    """
    kept: list[tuple[Poses, list[Event]]] = []
    broken: VideoError | None = None
    try:
        for step in looked_at(source, tracker, args, watch):
            kept.append((step.poses, step.events))
    except VideoError as error:
        broken = error
    with tracker.stopwatch("lift"):
        lifted = lifting.clip([poses for poses, _ in kept])
    with closing(frames_of(source)) as frames:  # the file may be shorter by now
        for (poses, events), bodies, frame in zip(kept, lifted, watch(frames), strict=False):
            yield Lifted(frame, poses, events, bodies)
    if broken is not None:
        raise broken


def looked_at(
    source: Source, tracker: "PoseTracker", args: argparse.Namespace, watch: Watch
) -> Iterator[Step]:
    """The people of a file, in one reading of it."""
    passes = iter((watch, iter))
    return steps(
        Once(source),
        tracker,
        smooth=args.smooth,
        target=args.target,
        watch=lambda frames: next(passes)(frames),
    )


def still(
    files: Iterable[Path],
    tracker: "PoseTracker",
    lifting: Lifting,
    args: argparse.Namespace,
    watch: Watch,
    fail: Callable[[VideoError], None],
) -> Iterator[Lifted]:
    """Pictures, each by itself; those that cannot be read go to `fail`.

    The index of a frame is its place among the files, and all have the time 0.
    """
    for index, file in enumerate(files):
        source = Pictures([file], str(file), rate=USUAL_RATE, span=Span(0.0, None, 1))
        try:
            (step,) = steps(source, tracker, target=args.target, watch=watch)
        except VideoError as error:
            fail(error)
            continue
        poses = replace(step.poses, frame_index=index)
        with tracker.stopwatch("lift"):
            bodies = lifting.one(poses)
        yield Lifted(replace(step.frame, index=index), poses, step.events, bodies)


def levelled(bodies: list[Bodies]) -> list[Bodies]:
    """Turned to gravity where people show it; a line says what was done."""
    found = gravity(told(each) for each in bodies)
    if found is None:
        print(NOT_TURNED)
        return bodies
    print(
        f"--upright: gravity as estimated from {found.frames} views of people who stand; half of "
        f"them lie within {found.spread_deg:.0f} degrees of it"
    )
    return [upright(each, found.down) for each in bodies]


def told(bodies: Bodies) -> Bodies:
    """For what weighs or draws by it, an uncertainty that a network does not tell is none."""
    return replace(bodies, uncertainty=np.nan_to_num(bodies.uncertainty, posinf=np.inf))
