"""People in the frames of a stream: found, followed, looked at again, and steadied."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Union, get_args

import numpy as np
from numpy.typing import NDArray

from movenet import images, refinement, specs
from movenet.crop import CropRegion, torso_seen
from movenet.estimator import PoseEstimator
from movenet.follower import Crop, Follower
from movenet.frame import Frame
from movenet.images import Picture
from movenet.poses import KEYPOINT_THRESHOLD, SPANNING, Poses, extent
from movenet.recovery import joined, recovered
from movenet.smoothing import Smoother
from movenet.stopwatch import Stopwatch
from movenet.target import Aim, Target, closest, nearest, parse
from movenet.tracker import Event, Similarity, Tracker

if TYPE_CHECKING:
    from movenet.model import MoveNet

Pixels = NDArray[np.uint8]
Smooth = Literal["live", "google", "none"]

# What a new id needs: MultiPose's instance score, or the mean keypoint score of one person; with
# a share of it an id goes on. docs/decisions/010-tracking.md
BORN = 0.2
GOES_ON = 0.5
SIDE = 256  # long side of MultiPose's input
BOX_MARGIN = 1.25  # of a box that a user draws around a person


@dataclass(slots=True)
class Memory:
    """What is kept of one stream."""

    tracker: Tracker
    aim: Aim
    follower: Follower | None  # of one person
    smoother: Smoother | None
    raw: Poses  # of the last frame, before smoothing
    box: NDArray[np.float32] | None = None  # (4,) of one person, when seen last
    time_s: float = -math.inf
    frames: int = 0


class PoseTracker:
    """Finds people in the frames of a stream and follows them; one object a stream.

    `model` is "multipose" (up to six people), or "lightning" or "thunder", which follow one person
    on a crop (`crop` "person" or Google's "google"), or a MoveNet of one's own. `finder`
    "multipose" finds that person, at first and when they are lost. `refine` looks at each person
    again, as in `PoseEstimator`; somebody whom MultiPose loses is then looked for where they
    should be. `size` is the long side of MultiPose's input, a multiple of 32 up to 640.
    `similarity` is that of `Tracker`, `smooth` "live", "google" (TensorFlow.js's filter) or
    "none". `target` keeps to one person: "center", "largest", "id:2" or "box:10,20,110,220"; the
    single networks take "center" and "box", and "largest" with a finder.
    `person_threshold` is the score that a new id needs (MultiPose's, or the mean keypoint score),
    None the measured one; with half of MultiPose's an id goes on. `engine`, `device`, `threads`
    and `keypoint_threshold` are as in `PoseEstimator`. `events` has what happened to ids in
    the last frame, `stopwatch` where the time went.
    """

    def __init__(  # noqa: PLR0913 (the pinned interface, and what a stream needs beside it)
        self,
        model: Union[str, "MoveNet"] = "multipose",
        *,
        refine: bool | str = False,
        finder: str | None = None,
        size: int | None = None,
        crop: Crop = "person",
        similarity: Similarity = "oks",
        smooth: Smooth = "live",
        target: str | Target | None = None,
        engine: str | Path = "auto",
        device: str = "auto",
        threads: int | None = None,
        keypoint_threshold: float = KEYPOINT_THRESHOLD,
        person_threshold: float | None = None,
    ) -> None:
        """Load the networks. Raises ValueError, WeightsError or EngineError."""
        if smooth not in get_args(Smooth):
            raise ValueError(f"smooth must be {', '.join(get_args(Smooth))}, not {smooth!r}")
        self.born = BORN if person_threshold is None else person_threshold
        if not 0 <= self.born <= 1:
            raise ValueError(f"person_threshold must be from 0 to 1, not {person_threshold}")
        self.crop, self.similarity, self.smooth = crop, similarity, smooth
        self.keypoint_threshold = keypoint_threshold
        self.target = None if target is None else parse(target)
        spec = specs.find(model) if isinstance(model, str) else model.spec
        if finder is not None and (spec.people > 1 or specs.find(finder).people == 1):
            raise ValueError(
                "a finder is multipose, and goes before lightning or thunder; multipose needs none"
            )
        how: dict[str, Any] = {"device": device, "threads": threads}
        self.estimator = PoseEstimator(
            model,
            refine=refine,
            engine=engine,
            letterbox="square" if crop == "google" else "trim",
            size=(size or SIDE) if spec.people > 1 else None if finder else size,
            keypoint_threshold=keypoint_threshold,
            **how,
        )
        if self.estimator.several:
            self.estimator.person_threshold = self.born * GOES_ON
            self.estimator.tilings = 0  # parts of a frame make ids (decision 10)
        else:
            self.estimator.confidence = None  # learnt from whole pictures, not from crops
            self.estimator.keypoint_threshold = SPANNING  # of boxes: ids do not hang on the other
        self.finder = None
        if finder is not None:
            self.finder = PoseEstimator(
                finder, refine=False, size=size or SIDE, person_threshold=self.born, **how
            )
        self._check()
        self.stopwatch = Stopwatch()
        self.reset()

    def _check(self) -> None:
        """ValueError for options that do not go together."""
        if self.target and self.target.kind == "longest":
            raise ValueError("target 'longest' reads a file twice: movenet.track(FILE, ...)")
        if self.target is None or self.estimator.several:
            return
        takes = ("center", "box", "largest") if self.finder else ("center", "box")
        if self.target.kind not in takes:
            raise ValueError(
                f"target {self.target.kind!r} chooses among several people; take multipose"
                + ("" if self.finder or self.target.kind != "largest" else ", or it as the finder")
            )

    @property
    def events(self) -> list[Event]:
        """What happened to ids in the last frame; with a target, to its."""
        return self._memory.aim.events

    def reset(self) -> None:
        """A new stream: nobody was seen, and ids begin at 1."""
        self._memory = self.memory()

    def memory(self) -> Memory:
        """Of a stream that begins."""
        estimator, smoother = self.estimator, None
        if self.smooth != "none":
            mode: Literal["body", "google"] = "google" if self.smooth == "google" else "body"
            smoother = Smoother(mode, keypoint_threshold=self.keypoint_threshold)
        tracker = Tracker(self.similarity, born=self.born, alone=not estimator.several)
        aim = Aim(self.target if estimator.several else None)
        return Memory(tracker, aim, self._follower(), smoother, nobody((1, 1)))

    def _follower(self) -> Follower | None:
        """Of one person who was not seen yet."""
        estimator = self.estimator
        if estimator.several:
            return None
        follower = Follower(self.crop, estimator.crop_shapes, estimator.engine.spec.side)
        if self.target and self.target.kind == "box":
            corners = np.array(self.target.box).reshape(2, 2)
            follower.reset(CropRegion.around(corners, estimator.crop_shapes, BOX_MARGIN))
        return follower

    def __call__(self, image: Picture, *, timestamp_s: float) -> Poses:
        """The next frame of the stream, taken at that time in seconds -> the people in it.

        An image is a picture as in `images.read`; video frames are arrays (H, W, 3) uint8 RGB.
        A time that is that of the frame before is no time at all; one before it means that the
        stream was wound back, and everybody is new.
        """
        if not math.isfinite(timestamp_s):
            raise ValueError(f"timestamp_s must be a time in seconds, not {timestamp_s}")
        frame = Frame(images.read(image), self._memory.frames, float(timestamp_s))
        self._memory.frames += 1
        return self.together([frame], [self._memory])[0]

    def together(self, frames: Sequence[Frame], memories: Sequence[Memory]) -> list[Poses]:
        """A frame of each of several streams, through the networks in one batch."""
        return self.follow(frames, self.look(frames, memories), memories)

    def look(self, frames: Sequence[Frame], memories: Sequence[Memory]) -> list[Poses]:
        """The first look alone: who is in each frame. MultiPose needs no memory for it."""
        pictures = [frame.image for frame in frames]
        for frame, memory in zip(frames, memories, strict=True):
            resized = frame.image.shape[:2] != memory.raw.image_size and memory.box is not None
            if frame.timestamp_s < memory.time_s or resized:
                memory.follower, memory.box = self._follower(), None
            memory.time_s = frame.timestamp_s
        if self.estimator.several:
            seen = self.estimator.find(pictures, None, self.stopwatch)
            if self.estimator.second is None:
                seen = [self.estimator.trusted(poses) for poses in seen]
        else:
            seen = self._followed(pictures, memories)
        return [
            replace(poses, frame_index=frame.index, timestamp_s=frame.timestamp_s)
            for poses, frame in zip(seen, frames, strict=True)
        ]

    def follow(
        self, frames: Sequence[Frame], found: Sequence[Poses], memories: Sequence[Memory]
    ) -> list[Poses]:
        """The rest: what was found in each frame, with ids, looked at again, and steadied."""
        with self.stopwatch("track"):
            known = [memory.tracker(poses) for poses, memory in zip(found, memories, strict=True)]
        if self.estimator.second is not None:
            with self.stopwatch("refine"):
                known = self._looked_again(frames, memories, known)
        # Last, so that a run with a target has the ids of one without.
        known = [
            memory.aim(poses, memory.tracker.events)
            for poses, memory in zip(known, memories, strict=True)
        ]
        for poses, memory in zip(known, memories, strict=True):
            self._go_on(poses, memory)
        with self.stopwatch("smooth"):
            return [
                memory.smoother(memory.raw) if memory.smoother else memory.raw
                for memory in memories
            ]

    def _go_on(self, poses: Poses, memory: Memory) -> None:
        """What is shown, and where one person is looked for next."""
        memory.raw = poses if self.estimator.several else self._boxed(poses)
        if len(poses):
            memory.box = poses.boxes[0]
        if memory.follower is None:
            return
        if self.finder and not len(poses):
            memory.follower.reset()  # the finder sees the whole picture
        else:
            memory.follower.update(poses)

    def _boxed(self, poses: Poses) -> Poses:
        """One person with the box that is shown."""
        boxes = extent(poses.keypoints, poses.keypoint_scores, self.keypoint_threshold)
        return replace(poses, boxes=boxes)

    def _followed(self, pictures: Sequence[Pixels], memories: Sequence[Memory]) -> list[Poses]:
        """One person a picture, where the follower says or the finder has found them."""
        places = [memory.follower.region for memory in memories if memory.follower]
        found = [nobody(picture.shape[:2]) for picture in pictures]
        rows = list(range(len(pictures)))
        if self.finder:
            lost = [row for row in rows if places[row] is None]
            crowds = self.finder.find([pictures[row] for row in lost], None, self.stopwatch)
            for row, crowd in zip(lost, crowds, strict=True):
                places[row] = self._place_of(crowd, memories[row])
            rows = [row for row in rows if places[row] is not None]
        chosen = [pictures[row] for row in rows]
        regions = [places[row] or self.estimator.whole(found[row].image_size) for row in rows]
        seen = self.estimator.find(chosen, regions, self.stopwatch)
        for row, poses in zip(rows, seen, strict=True):
            found[row] = poses
        self._look_closer(pictures, places, memories, found)
        return found

    def _look_closer(
        self,
        pictures: Sequence[Pixels],
        places: Sequence[CropRegion | None],
        memories: Sequence[Memory],
        found: list[Poses],
    ) -> None:
        """On a crop at once, where somebody was found who was not followed there.

        Else the first frame's keypoints would be worse than the next ones'. Who comes anew and is
        not seen on the crop is nobody: they would be gone in the next frame. Google's rule has no
        such look.
        """
        new = [bool(memory.follower and not memory.follower.seen) for memory in memories]
        rows = [
            row
            for row, poses in enumerate(found)
            if self.crop == "person"
            and (new[row] or places[row] is None)
            and torso_seen(poses.keypoint_scores).any()
        ]
        crops = [refinement.crops(found[row], self.estimator.crop_shapes)[0] for row in rows]
        closer = self.estimator.find([pictures[row] for row in rows], crops, self.stopwatch)
        for row, poses in zip(rows, closer, strict=True):
            found[row] = poses if new[row] or len(poses) else found[row]

    def _place_of(self, crowd: Poses, memory: Memory) -> CropRegion | None:
        """Where to look for the wanted one of the people whom the finder saw.

        While they are not gone that is the one nearest to where they were.
        """
        kind = self.target.kind if self.target else None
        if memory.box is not None and (memory.tracker.tracks or kind == "box"):
            row = closest(memory.box, crowd)
        else:
            row = nearest(self.target, crowd) if self.target else 0 if len(crowd) else None
        if row is None:
            return None
        return refinement.crops(crowd[row], self.estimator.crop_shapes)[0]

    def _looked_again(
        self, frames: Sequence[Frame], memories: Sequence[Memory], known: Sequence[Poses]
    ) -> list[Poses]:
        """The second look at everybody who is known, and at those who should be there."""
        pictures = [frame.image for frame in frames]
        if not self.estimator.several:
            places = [memory.follower.region for memory in memories if memory.follower]
            return self.estimator.look_again(pictures, known, places)
        asked = [
            joined(poses, memory.tracker.missing(poses))
            for memory, poses in zip(memories, known, strict=True)
        ]
        again = self.estimator.look_again(pictures, asked)
        return [
            recovered(self.estimator, memory.tracker, *row)
            for memory, *row in zip(memories, known, again, strict=True)
        ]


def nobody(image_size: tuple[int, int]) -> Poses:
    """Nobody, in a picture of (height, width)."""
    return Poses.from_arrays([], [], image_size=image_size)
