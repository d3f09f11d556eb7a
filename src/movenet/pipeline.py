"""From a source to its people, frame by frame: the data path as one loop."""

import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from typing import Any, Literal, NamedTuple, Union

from movenet.errors import VideoError
from movenet.frame import Frame
from movenet.overlap import ahead
from movenet.pose_tracker import Memory, PoseTracker
from movenet.poses import Poses
from movenet.sources import Source, open_source
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
    target: str | None = None,
    start_s: float = 0.0,
    end_s: float | None = None,
    stride: int = 1,
    camera_size: tuple[int, int] = (1280, 720),
    **options: Any,
) -> Iterator[tuple[Frame, Poses]]:
    """The frames of a video, camera, stream or folder of pictures, with the people in them.

    `source`, `start_s`, `end_s`, `stride` and `camera_size` are as in `sources.open_source`;
    `options` and `target` are those of `PoseTracker` (`model`, `refine`, `crop` ...). `smooth`
    "offline" filters a whole file without lag, and target "longest" is the person whose box area
    times time is the largest in it: both read a file twice, and refuse a camera or a stream.

    Raises VideoError for a source that cannot be read (one that breaks off gives its good part
    first), ValueError, WeightsError and EngineError as `PoseTracker` does.
    """
    tracker = open_tracker(smooth=smooth, target=target, **options)
    opened = open_source(
        source, start_s=start_s, end_s=end_s, stride=stride, camera_size=camera_size
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


def open_tracker(*, smooth: Smooth, target: str | None, **options: Any) -> PoseTracker:
    """The tracker of a run that may read its source twice."""
    return PoseTracker(
        smooth="none" if smooth == "offline" else smooth,
        target=None if is_longest(target) else target,
        **options,
    )


def is_longest(target: str | None) -> bool:
    """Whether a target is only known at the end."""
    return target is not None and parse(target).kind == "longest"


def check_passes(
    source: Source, tracker: PoseTracker, *, smooth: Smooth, target: str | None
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
    target: str | None = None,
    watch: Watch = iter,
) -> Iterator[Step]:
    """Every frame of a source, as the tracker sees it, in as many passes as that needs.

    `watch` is handed the frames of each pass, and hands them on (a progress bar).
    """
    check_passes(source, tracker, smooth=smooth, target=target)
    if is_longest(target):
        tracker.target = Target("id", id=longest_id(one_pass(source, tracker, watch)))
    if smooth == "offline":
        yield from without_lag(source, tracker, watch)
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
                yield Step(frame, poses, memory.tracker.events, memory.raw)


def looks_of(
    frames: Iterable[Frame], tracker: PoseTracker, memory: Memory, *, live: bool
) -> Generator[tuple[Frame, Poses], None, None]:
    """Frames and who is in them; MultiPose looks at the next frame of a file meanwhile."""
    looks = ((frame, tracker.look([frame], [memory])[0]) for frame in frames)
    yield from ahead(looks, 1) if tracker.estimator.several and not live else looks


def frames_of(source: Source) -> Generator[Frame, None, None]:
    """Of a file, decoded ahead; of a camera or stream the newest, which waits for nobody."""
    yield from source if source.live else ahead(source, AHEAD)


def without_lag(source: Source, tracker: PoseTracker, watch: Watch) -> Iterator[Step]:
    """A file is read twice: for its people, who are then smoothed, and for its pictures."""
    from movenet.offline import smoothed  # scipy.signal takes half a second

    raw: list[Poses] = []
    events: list[list[Event]] = []
    for step in sound_part(one_pass(source, tracker, watch)):
        raw.append(step.poses)
        events.append(step.events)
    steady = smoothed(raw, keypoint_threshold=tracker.estimator.keypoint_threshold)
    for row, frame in enumerate(watch(frames_of(source))):
        yield Step(frame, steady[row], events[row], raw[row])


def sound_part(passed: Iterator[Step]) -> Iterator[Step]:
    """What comes before a source breaks off; its error comes with the second pass."""
    begun = False
    try:
        for step in passed:
            begun = True
            yield step
    except VideoError:
        if not begun:
            raise


def longest_id(passed: Iterator[Step]) -> int:
    """The id whose box area times time is the largest; 0 where nobody is."""
    areas: dict[int, float] = {}
    before_s: float | None = None
    for step in sound_part(passed):
        lasted = step.frame.timestamp_s - (step.frame.timestamp_s if before_s is None else before_s)
        before_s = step.frame.timestamp_s
        sides = step.poses.boxes[:, 2:] - step.poses.boxes[:, :2]
        assert step.poses.ids is not None
        for number, area in zip(step.poses.ids.tolist(), sides.prod(1).tolist(), strict=True):
            areas[number] = areas.get(number, 0.0) + area * lasted
    return max(areas, key=lambda number: areas[number], default=0)
