"""From a source to its people, frame by frame: the data path as one loop."""

import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, NamedTuple, Union, get_args

from movenet.errors import VideoError
from movenet.frame import Frame
from movenet.overlap import ahead
from movenet.pose_tracker import Memory, PoseTracker
from movenet.poses import Poses
from movenet.sources import Source, check_address, open_source
from movenet.sources.clock import USUAL_RATE
from movenet.target import Target, parse
from movenet.tracker import Event

Address = Union[str, int, "os.PathLike[str]"]
Smooth = Literal["live", "google", "offline", "none"]
Watch = Callable[[Iterable[Frame]], Iterable[Frame]]

AHEAD = 4  # frames that are decoded before they are needed


class Step(NamedTuple):
    """A frame, the people in it, what happened to ids, and the people before smoothing."""

    frame: Frame
    poses: Poses
    events: list[Event]
    raw: Poses


def track(  # noqa: PLR0913 (the pinned interface)
    source: Address,
    *,
    smooth: Smooth = "live",
    target: str | Target | None = None,
    start_s: float = 0.0,
    end_s: float | None = None,
    stride: int = 1,
    camera_size: tuple[int, int] = (1280, 720),
    rate: float = USUAL_RATE,
    **options: Any,
) -> Iterator[tuple[Frame, Poses]]:
    """The frames of a video, camera, stream or folder of pictures, with the people in them.

    `source`, `start_s`, `end_s`, `stride`, `camera_size`, `rate` are as in `sources.open_source`;
    `options` and `target` are those of `PoseTracker` (`model`, `refine`, `crop` ...). `smooth`
    "offline" filters a whole file without lag, and target "longest" is the person whose box area
    times time is the largest in it: they read a file twice, and refuse a camera or a stream.

    Raises VideoError for a source that cannot be read (one that breaks off gives its good part
    first), ValueError, WeightsError and EngineError as `PoseTracker` does.
    """
    check_address(source)
    tracker = open_tracker(smooth=smooth, target=target, **options)
    opened = open_source(
        source, start_s=start_s, end_s=end_s, stride=stride, camera_size=camera_size, rate=rate
    )
    with opened:
        for step in steps(opened, tracker, smooth=smooth, target=target):
            yield step.frame, step.poses


def track_many(
    sources: Sequence[Address],
    *,
    camera_size: tuple[int, int] = (1280, 720),
    **options: Any,
) -> Iterator[tuple[tuple[Frame, Poses] | None, ...]]:
    """Several sources at once: a frame of each goes through the networks in one batch.

    `options` are those of `PoseTracker`; every source has its own ids, crops and filters. Each
    step gives a frame and its people for every source, None for one that has ended. Where sources
    break off, the others go on, and the first error is raised when all have ended.
    """
    if isinstance(sources, (str, bytes)) or not isinstance(sources, Sequence):
        raise ValueError(f"sources must be a list of sources, not {sources!r}")
    for source in sources:
        check_address(source)
    tracker = PoseTracker(**options)
    with ExitStack() as stack:
        opened = [
            stack.enter_context(open_source(source, camera_size=camera_size)) for source in sources
        ]
        streams = [stack.enter_context(closing(frames_of(source))) for source in opened]
        memories = [tracker.memory() for _ in sources]
        errors: list[VideoError] = []
        while True:
            frames = [next_of(stream, errors) for stream in streams]
            there = [row for row, frame in enumerate(frames) if frame is not None]
            if not there:
                break
            present = [frame for frame in frames if frame is not None]
            found = iter(tracker.together(present, [memories[row] for row in there]))
            yield tuple(None if frame is None else (frame, next(found)) for frame in frames)
        if errors:
            raise errors[0]


def next_of(stream: Iterator[Frame], errors: list[VideoError]) -> Frame | None:
    """The next frame of a stream; None at its end, its error being kept."""
    try:
        return next(stream, None)
    except VideoError as error:
        errors.append(error)
        return None


def open_tracker(*, smooth: Smooth, target: str | Target | None, **options: Any) -> PoseTracker:
    """The tracker of a run that may read its source twice."""
    if smooth not in get_args(Smooth):
        raise ValueError(f"smooth must be {', '.join(get_args(Smooth))}, not {smooth!r}")
    return PoseTracker(
        smooth="none" if smooth == "offline" else smooth,
        target=None if is_longest(target) else target,
        **options,
    )


def is_longest(target: str | Target | None) -> bool:
    """Whether a target is only known at the end."""
    return target is not None and parse(target).kind == "longest"


def check_passes(
    source: Source, tracker: PoseTracker, *, smooth: Smooth, target: str | Target | None
) -> None:
    """ValueError where a source would be read twice that cannot be, or for one person only."""
    if source.live and (is_longest(target) or smooth == "offline"):
        what = "target 'longest'" if is_longest(target) else "smooth 'offline'"
        raise ValueError(f"{source.name}: {what} reads a file twice; record the stream first")
    if is_longest(target) and not tracker.estimator.several:
        raise ValueError("target 'longest' chooses among several people; take multipose")


def steps(
    source: Source,
    tracker: PoseTracker,
    *,
    smooth: Smooth = "live",
    target: str | Target | None = None,
    watch: Watch = iter,
) -> Iterator[Step]:
    """Every frame of a source, as the tracker sees it, in as many passes as that needs.

    `watch` is handed the frames of each pass, and hands them on (a progress bar).
    """
    check_passes(source, tracker, smooth=smooth, target=target)
    if smooth == "offline" or is_longest(target):
        yield from two_passes(
            source, tracker, watch, offline=smooth == "offline", longest=is_longest(target)
        )
    else:
        yield from one_pass(source, tracker, watch)


def one_pass(source: Source, tracker: PoseTracker, watch: Watch) -> Iterator[Step]:
    """The stages of every frame, while the next ones are decoded and first looked at."""
    memory = tracker.memory()
    with closing(frames_of(source)) as frames:
        timed = tracker.stopwatch.timed("read", watch(frames))
        with closing(looks_of(timed, tracker, memory, live=source.live)) as looks:
            for frame, found in looks:
                (poses,) = tracker.follow([frame], [found], [memory])
                yield Step(frame, poses, memory.aim.events, memory.raw)


def looks_of(
    frames: Iterable[Frame], tracker: PoseTracker, memory: Memory, *, live: bool
) -> Generator[tuple[Frame, Poses], None, None]:
    """Frames and who is in them; MultiPose looks at the next frame of a file meanwhile."""
    looks = ((frame, tracker.look([frame], [memory])[0]) for frame in frames)
    yield from ahead(looks, 1) if tracker.estimator.several and not live else looks


def frames_of(source: Source) -> Generator[Frame, None, None]:
    """Of a file, decoded ahead; of a camera or stream the newest, which waits for nobody."""
    yield from source if source.live else ahead(source, AHEAD)


@dataclass(slots=True)
class Kept:
    """Of a frame, until its picture is read again."""

    time_s: float
    poses: Poses
    events: list[Event]
    raw: Poses


def two_passes(
    source: Source, tracker: PoseTracker, watch: Watch, *, offline: bool, longest: bool
) -> Iterator[Step]:
    """A file is read for its people, of all frames, and again for its pictures.

    What comes before a source breaks off is done; its error comes last.
    """
    kept: list[Kept] = []
    broken: VideoError | None = None
    try:
        for step in one_pass(source, tracker, watch):
            kept.append(Kept(step.frame.timestamp_s, step.poses, step.events, step.raw))
    except VideoError as error:
        broken = error
    if longest:
        keep_to(longest_id(kept), kept)
    if offline:
        from movenet.offline import smoothed  # scipy.signal takes half a second

        threshold = tracker.keypoint_threshold
        with tracker.stopwatch("smooth"):
            steady = smoothed([each.poses for each in kept], keypoint_threshold=threshold)
        for each, poses in zip(kept, steady, strict=True):
            each.poses = poses
    # A file may have grown meanwhile, or be shorter: the shorter one counts.
    with closing(frames_of(source)) as frames:
        for each, frame in zip(kept, watch(frames), strict=False):
            yield Step(frame, each.poses, each.events, each.raw)
    if broken is not None:
        raise broken


def keep_to(number: int, kept: Sequence[Kept]) -> None:
    """Leave one id."""
    for each in kept:
        each.poses, each.raw = (poses[poses.ids == number] for poses in (each.poses, each.raw))
        each.events = [event for event in each.events if event.id == number]


def longest_id(kept: Sequence[Kept]) -> int:
    """The id whose box area times time is the largest; 0 where nobody is.

    A frame lasts until the next, the last one as long as the one before it.
    """
    areas: dict[int, float] = {}
    times_s = [each.time_s for each in kept]
    steps = [after - before for before, after in pairwise(times_s)] or [1.0]
    for each, lasted in zip(kept, [*steps, steps[-1]], strict=False):
        sides = each.poses.boxes[:, 2:] - each.poses.boxes[:, :2]
        assert each.poses.ids is not None
        for number, area in zip(each.poses.ids.tolist(), sides.prod(1).tolist(), strict=True):
            areas[number] = areas.get(number, 0.0) + area * lasted
    return max(areas, key=lambda number: areas[number], default=0)
