"""The second look: each person again, on a crop around what the first look found.

Where to look and what to make of both looks; `estimator.py` runs the networks.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from movenet import oks
from movenet.crop import CropRegion
from movenet.keypoints import INDEX
from movenet.poses import Poses, extent

Floats = NDArray[np.float32]
Shape = tuple[int, int]

# Chosen on COCO's training subset, docs/decisions/007-refinement.md.
SPANNING = 0.1  # keypoints over it span the crop
TORSO = 0.2  # a hip and a shoulder over it, or the first look has found nothing to go by
ALIKE = 0.7  # two people of one picture that are more alike than this are one

ALIKE_IN_LOOKS = 0.6  # the same between two looks, which place keypoints less exactly

HIPS = [INDEX["left_hip"], INDEX["right_hip"]]
SHOULDERS = [INDEX["left_shoulder"], INDEX["right_shoulder"]]


def crops(poses: Poses, shapes: Collection[Shape], *, several: bool) -> list[CropRegion | None]:
    """Where to look again, a region a person; None: at the whole picture.

    `shapes` are the input shapes (H, W) that there are. Of several people nobody's crop is the
    whole picture: that would show somebody else.
    """
    scores = poses.keypoint_scores
    spanning = scores > SPANNING
    spanning |= ~spanning.any(1, keepdims=True)
    torso = (scores[:, HIPS].max(1) > TORSO) & (scores[:, SHOULDERS].max(1) > TORSO)
    return [
        CropRegion.around(points[seen], shapes) if found or several else None
        for points, seen, found in zip(poses.keypoints, spanning, torso, strict=True)
    ]


def merged(looks: Sequence[Poses]) -> Poses:
    """The people of several looks at one picture; of two that are alike the better stays."""
    first = looks[0]
    if len(looks) == 1:
        return first
    keypoints, keypoint_scores, boxes, scores = (
        np.concatenate([getattr(poses, name) for poses in looks])
        for name in ("keypoints", "keypoint_scores", "boxes", "scores")
    )
    stays = oks.distinct(keypoints, oks.areas_of(boxes), scores, ALIKE_IN_LOOKS)
    return replace(
        first,
        keypoints=keypoints[stays],
        keypoint_scores=keypoint_scores[stays],
        boxes=boxes[stays],
        scores=scores[stays],
    )


def combined(
    first: Poses, keypoints: Floats, keypoint_scores: Floats, threshold: float, *, several: bool
) -> Poses:
    """The first look's people with the keypoints (P, 17, 2) and scores (P, 17) of the second.

    Of several people the score is the instance score of the first look times the mean keypoint
    score of the second, the box is the first look's, and of two that are alike the better stays.
    Of one person both come from the second; `threshold` is that of the box.
    """
    means = keypoint_scores.mean(1)
    if not several:
        boxes = extent(keypoints, keypoint_scores, threshold)
        return replace(
            first,
            keypoints=keypoints,
            keypoint_scores=keypoint_scores,
            boxes=boxes,
            scores=means,
        )
    scores = first.scores * means
    areas = oks.areas_of(extent(keypoints, keypoint_scores, SPANNING))
    stays = oks.distinct(keypoints, areas, scores, ALIKE)
    return replace(
        first,
        keypoints=keypoints[stays],
        keypoint_scores=keypoint_scores[stays],
        boxes=first.boxes[stays],
        scores=scores[stays],
        ids=None if first.ids is None else first.ids[stays],
    )
