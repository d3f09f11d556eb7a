"""Where to look for one person in the next frame: the memory of a crop."""

import math
from collections.abc import Collection, Iterator
from itertools import cycle
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from movenet.crop import CropRegion, torso_seen
from movenet.poses import SPANNING, Poses

Crop = Literal["person", "google"]
Shape = tuple[int, int]
Floats = NDArray[np.floating]

# docs/decisions/009-next-crop.md has how these were chosen.
MARGIN = 1.25  # times the extent of the keypoints; tighter than a second look of a picture
# A crop that would do is kept, since each other one moves the keypoints a little: one whose scale
# and middle (in parts of its sides) are nearly right.
SCALE, MIDDLE = 1.1, 0.03
# And so is a shape, which the runtime has at hand: while it shows the person nearly as large as
# the best one would; a smaller one is taken only if it would do for a wider person too.
AS_LARGE, WIDER = 1.08, 1.15
# A picture as long as that, in its short sides, is also looked at in parts that are no longer; they
# overlap by so much, so that somebody between two of them is whole in one.
LONG, OVERLAP = 1.5, 0.3


class Follower:
    """Says where to look, frame by frame; one object a stream.

    "person" is the extent of the keypoints over 0.1, widened by 1.25, at the person's own aspect;
    a crop stays while the person stays in its middle. "google" is Google's square. Where no torso
    is seen it is the whole picture. Where nobody is, it is by turns the whole picture and where
    somebody was last, and after each the parts of a long picture.
    """

    def __init__(self, crop: Crop, shapes: Collection[Shape], side: int) -> None:
        """`shapes` (H, W) are the input shapes of crops, `side` that of squares, in pixels."""
        if crop not in get_args(Crop):
            raise ValueError(f"crop must be 'person' or 'google', not {crop!r}")
        self.crop, self.shapes, self.side = crop, tuple(shapes), side
        self.reset()

    def reset(self, region: CropRegion | None = None) -> None:
        """Nobody was seen yet; the first look goes to `region`, or to the whole picture."""
        self.region = region  # where to look next; None: the whole picture
        self.seen = False  # whether somebody was, in the last frame
        self._last: CropRegion | None = None  # where somebody was
        self._search: Iterator[CropRegion | None] | None = None  # while nobody is there

    def update(self, poses: Poses) -> None:
        """Who was seen there, at most one person: where to look next."""
        self.seen = bool(len(poses))
        if not len(poses):
            if self._search is None:
                self._search = cycle([None, *self._places(poses.image_size)])
                if self.region is None:
                    next(self._search)  # which has just been looked at
            self.region = next(self._search)
            return
        self._search = None
        self.region = self._next(poses) if torso_seen(poses.keypoint_scores)[0] else None
        self._last = self.region or self._last

    def _next(self, poses: Poses) -> CropRegion | None:
        keypoints, scores = poses.keypoints[0], poses.keypoint_scores[0]
        if self.crop == "google":
            return CropRegion.following(keypoints, scores, poses.image_size, self.side)
        return steady(keypoints[scores > SPANNING], self.shapes, self._last)

    def _places(self, image_size: tuple[int, int]) -> list[CropRegion]:
        """Parts of the picture where somebody may be, in turn; the whole comes before them."""
        places = [CropRegion.around(corners, self.shapes, 1.0) for corners in parts(image_size)]
        return [*places, self._last, *places] if self._last else places


def steady(points: Floats, shapes: Collection[Shape], before: CropRegion | None) -> CropRegion:
    """Around points (K, 2) x, y px: the last frame's crop if it will do, or else its shape."""
    best = CropRegion.around(points, shapes, MARGIN)
    if before is None or before.shape not in shapes:
        return best
    kept = CropRegion.around(points, [before.shape], MARGIN)
    if before.shape != best.shape and must_change(points, shapes, kept, best):
        return best
    scale = kept.step_x / before.step_x
    moved = np.abs(before.to_input(kept.to_image(np.array([0.5, 0.5]))) - 0.5).max()
    return before if 1 / SCALE < scale < SCALE and moved < MIDDLE else kept


def must_change(
    points: Floats, shapes: Collection[Shape], kept: CropRegion, best: CropRegion
) -> bool:
    """Whether the last frame's shape, of `kept`, will not do."""
    if kept.step_x > AS_LARGE * best.step_x:
        return True
    if np.prod(best.shape) >= np.prod(kept.shape):
        return False
    extent, middle = np.ptp(points, 0), (points.min(0) + points.max(0)) / 2
    narrow = np.where(extent == extent.min(), WIDER, 1.0)
    wider = CropRegion.around(middle + narrow * (points - middle), shapes, MARGIN)
    return wider.shape == best.shape


def parts(image_size: tuple[int, int]) -> list[NDArray[np.float64]]:
    """Parts that cover a long picture, both ends first, as corners (2, 2) x, y px; else none."""
    sides = np.array(image_size[::-1], np.float64)  # (2,) x, y
    short, long = sides.min(), sides.max()
    if long < LONG * short:
        return []
    overlap = OVERLAP * short
    count = max(2, math.ceil((long - overlap) / (LONG * short - overlap)))
    size = np.where(sides == long, (long + (count - 1) * overlap) / count, short)
    shares = np.linspace(0, 1, count).tolist()
    starts = np.outer([0.0, 1.0, *shares[1:-1]], sides - size)
    return [np.stack([start, start + size]) for start in starts]
