"""Where to look for one person in the next frame: the memory of a crop."""

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

# A shape is kept while it shows the person nearly as large as the best one would, and a smaller
# one is taken only if it would do for a wider person too: docs/decisions/009-next-crop.md.
AS_LARGE, WIDER = 1.08, 1.15
LONG = 1.5  # of a picture's sides: from here its ends are looked at by themselves


class Follower:
    """Says where to look, frame by frame; one object a stream.

    "person" is the extent of the keypoints over 0.1, widened by 1.4, at the person's own aspect,
    as in a second look; "google" is Google's square. Where no torso is seen it is the whole
    picture. Where nobody is, it is by turns the whole picture, where somebody was last, and the
    ends of a long picture.
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
        self._last: CropRegion | None = None  # where somebody was
        self._search: Iterator[CropRegion | None] | None = None  # while nobody is there

    def update(self, poses: Poses) -> None:
        """Who was seen there, at most one person: where to look next."""
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
        before = self._last.shape if self._last else None
        return steady(keypoints[scores > SPANNING], self.shapes, before)

    def _places(self, image_size: tuple[int, int]) -> list[CropRegion]:
        """Parts of the picture where somebody may be."""
        squares = [
            CropRegion.around(corners, [(self.side, self.side)], 1.0)
            for corners in ends(image_size)
        ]
        return [self._last, *squares] if self._last else squares


def steady(points: Floats, shapes: Collection[Shape], before: Shape | None) -> CropRegion:
    """Around points (K, 2) as `CropRegion.around`, in the last frame's shape if that will do."""
    best = CropRegion.around(points, shapes)
    if before is None or before == best.shape or before not in shapes:
        return best
    kept = CropRegion.around(points, [before])
    if kept.step_x > AS_LARGE * best.step_x:
        return best
    if np.prod(best.shape) < np.prod(before):
        extent, middle = np.ptp(points, 0), (points.min(0) + points.max(0)) / 2
        narrow = np.where(extent == extent.min(), WIDER, 1.0)
        if CropRegion.around(middle + narrow * (points - middle), shapes).shape == best.shape:
            return best
    return kept


def ends(image_size: tuple[int, int]) -> list[NDArray[np.float64]]:
    """Squares at both ends of a long picture, each as corners (2, 2) x, y px; else none."""
    height, width = image_size
    short = min(height, width)
    if max(height, width) < LONG * short:
        return []
    starts = np.array([[0, 0], [width - short, height - short]], np.float64)
    return [np.stack([start, start + short]) for start in starts]
