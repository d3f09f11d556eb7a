"""The second look: each person again, on crops around what the first look found.

Where to look and what to make of all looks; `estimator.py` runs the networks.
Every value was chosen on COCO's training subset, docs/decisions/007-refinement.md.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from movenet import oks
from movenet.crop import CropRegion
from movenet.keypoints import MIRROR
from movenet.poses import SPANNING, Poses, extent

Floats = NDArray[np.float32]
Shape = tuple[int, int]
Part = tuple[float, float, float, float]  # x1, y1, x2, y2 of a picture

ALIKE = 0.5  # two people of one picture that are more alike than this are one
OVERLAP = 0.6  # IoU of the boxes of one person seen in two parts of a picture
FIRST_LOOK = 0.3  # what the first look counts beside a second one, of several people
NEAR = 0.1  # of a person's size: how far apart two looks agree on a keypoint
FULL = 0.06  # six instance scores over it: there may be more people than places
TILE = 0.7  # its sides, of those of what was full
EDGE = 0.02  # of a tile's sides: who reaches further is cut off
TILINGS = 2  # tiles of tiles
SMALLEST_TILE = 96  # px

LEAST = 1e-3  # weight of a keypoint that nobody sees


def crops(poses: Poses, shapes: Collection[Shape]) -> list[CropRegion]:
    """Where to look again: a region a person, seen at one of the input shapes (H, W)."""
    seen = poses.keypoint_scores > SPANNING
    seen |= ~seen.any(1, keepdims=True)
    return [
        CropRegion.around(points[spanning], shapes)
        for points, spanning in zip(poses.keypoints, seen, strict=True)
    ]


def sizes(poses: Poses) -> NDArray[np.float64]:
    """(P,) of people in pixels: the root of the area that their keypoints span, at least 1."""
    boxes = extent(poses.keypoints, poses.keypoint_scores, SPANNING).astype(np.float64)
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 1.0)
    return np.asarray(np.sqrt(sides[:, 0] * sides[:, 1]))


def mirrored(output: Floats) -> Floats:
    """Google's tensors (N, 1, 17, 3) of mirrored inputs, as of the inputs themselves."""
    turned = output[:, :, list(MIRROR)]
    turned[..., 1] = 1 - turned[..., 1]
    return turned


def agreed(
    keypoints: NDArray[np.floating],
    scores: NDArray[np.floating],
    weights: Sequence[float],
    sizes: NDArray[np.floating],
) -> tuple[Floats, Floats]:
    """What V looks at each of R people make together, a keypoint at a time.

    keypoints (R, V, 17, 2) px, scores (R, V, 17), weights (V,) of the looks, sizes (R,) of the
    people in px -> (R, 17, 2), (R, 17). A look supports another's place by its score times its
    weight, less with distance (a Gaussian of NEAR sizes). The best supported place is taken and
    drawn to its supporters, one step of the mean shift (Comaniciu and Meer 2002); its support,
    as a share of all looks, is the score. A look that sees somebody else's arm has no say.
    """
    weights_v = np.asarray(weights, np.float64)[:, None]
    places = np.asarray(keypoints, np.float64)
    said = (np.asarray(scores, np.float64) + LEAST) * weights_v  # (R, V, 17)
    apart = np.square(places[:, :, None] - places[:, None]).sum(4)  # (R, V, V, 17)
    near = np.exp(-apart / (2 * np.square(NEAR * np.asarray(sizes)))[:, None, None, None])
    best = (near * said[:, None]).sum(2).argmax(1)  # (R, 17)
    supports = np.take_along_axis(near, best[:, None, None], 1)[:, 0]  # (R, V, 17)
    pull = (supports * said)[..., None]
    taken = (places * pull).sum(1) / pull.sum(1)
    score = (supports * scores * weights_v).sum(1) / weights_v.sum()
    return taken.astype(np.float32), score.astype(np.float32)


def merged(looks: Sequence[tuple[Part | None, Poses]]) -> Poses:
    """The people of several looks at parts of one picture (None: all of it), each there once.

    Of two who are alike the better stays, and of two from different parts whose boxes overlap by
    over OVERLAP. Who stand close in one part are two: a network tells them apart itself.
    """
    first = looks[0][1]
    if len(looks) == 1:
        return first
    keypoints, keypoint_scores, boxes, scores = (
        np.concatenate([getattr(poses, name) for _, poses in looks])
        for name in ("keypoints", "keypoint_scores", "boxes", "scores")
    )
    numbers = {part: number for number, (part, _) in enumerate(looks)}
    parts = np.concatenate([np.full(len(poses), numbers[part]) for part, poses in looks])
    doubles = (oks.iou(boxes, boxes) > OVERLAP) & (parts[:, None] != parts)
    stays: list[int] = []
    for index in oks.distinct(keypoints, oks.areas_of(boxes), scores, ALIKE).tolist():
        if not doubles[index, stays].any():
            stays.append(index)
    return replace(
        first,
        keypoints=keypoints[stays],
        keypoint_scores=keypoint_scores[stays],
        boxes=boxes[stays],
        scores=scores[stays],
    )


def tiles(part: Part) -> list[Part]:
    """Four overlapping quarters of a part of a picture; none if they would be too small."""
    left, top, right, bottom = part
    width, height = right - left, bottom - top
    if TILE * min(width, height) < SMALLEST_TILE:
        return []
    across, down = (1 - TILE) * width, (1 - TILE) * height
    return [
        (left + x, top + y, right - across + x, bottom - down + y)
        for x in (0, across)
        for y in (0, down)
    ]


def inside(poses: Poses, tile: Part) -> Poses:
    """The people of a tile who are not cut off at an edge of it within the picture.

    The neighbouring tile, or the larger look, shows the others whole.
    """
    height, width = poses.image_size
    low, high = np.array(tile[:2]), np.array(tile[2:])
    margin = EDGE * (high - low)
    boxes = extent(poses.keypoints, poses.keypoint_scores, SPANNING)
    cut = ((boxes[:, :2] < low + margin) & (low > 1)).any(1)
    cut |= ((boxes[:, 2:] > high - margin) & (high < (width - 1, height - 1))).any(1)
    return poses[~cut]


def combined(looked: Poses, threshold: float, *, several: bool) -> Poses:
    """The first look's people, `looked`, whose keypoints and their scores all looks have made.

    Of several people the score is the instance score of the first look times the mean keypoint
    score, the box is the first look's, and of two that are alike the better stays. Of one person
    both come from the keypoints; `threshold` is that of the box.
    """
    keypoints, said = looked.keypoints, looked.keypoint_scores
    if not several:
        return replace(looked, boxes=extent(keypoints, said, threshold), scores=said.mean(1))
    scores = looked.scores * said.mean(1)
    stays = oks.distinct(keypoints, oks.areas_of(extent(keypoints, said, SPANNING)), scores, ALIKE)
    return replace(looked, scores=scores)[stays]
