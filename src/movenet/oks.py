"""How alike two poses are: object keypoint similarity, the measure of COCO's keypoint task.

OKS = mean over keypoints of exp(-d^2 / (2 area (2 sigma)^2)), with sigma each keypoint's spread
between annotators (https://cocodataset.org/#keypoints-eval, section 1.3). 1: equal; 0: far apart.
"""

import numpy as np
from numpy.typing import NDArray

from movenet.keypoints import SIGMAS

Floats = NDArray[np.floating]

VARIANCES = (2 * np.array(SIGMAS)) ** 2  # (17,)
BOX_SHARE = 0.53  # of a box that a person's outline fills: COCO's mean, for areas from boxes


def oks(
    poses: Floats, others: Floats, areas: Floats, counts: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """(P, 17, 2), (Q, 17, 2), areas (P,) or (P, Q) in square pixels -> similarities (P, Q).

    `counts` (P, 17) or (P, Q, 17) are the keypoints that are compared, all where it is None; a
    pose with none is like nothing (0).
    """
    apart = np.square(np.asarray(poses, np.float64)[:, None] - others[None]).sum(3)  # (P, Q, 17)
    areas = areas if areas.ndim == 2 else areas[:, None]
    scale = 2 * np.maximum(areas, 1e-9)[..., None] * VARIANCES
    alike = np.exp(-apart / scale)
    if counts is None:
        return np.asarray(alike.mean(2))
    weights = (counts if counts.ndim == 3 else counts[:, None]).astype(np.float64)
    return np.asarray((alike * weights).sum(2) / np.maximum(weights.sum(2), 1))


def areas_of(boxes: Floats) -> NDArray[np.float64]:
    """Of people, (P,), as far as their boxes (P, 4) tell."""
    sides = np.maximum(np.asarray(boxes[:, 2:], np.float64) - boxes[:, :2], 0)
    return np.asarray(BOX_SHARE * sides[:, 0] * sides[:, 1])


def iou(boxes: Floats, others: Floats) -> NDArray[np.float64]:
    """Intersection over union of boxes (P, 4) and (Q, 4), x1, y1, x2, y2 -> (P, Q), 0..1."""
    mine, theirs = np.asarray(boxes, np.float64)[:, None], np.asarray(others, np.float64)[None]
    low, high = (
        np.maximum(mine[..., :2], theirs[..., :2]),
        np.minimum(mine[..., 2:], theirs[..., 2:]),
    )
    shared = np.maximum(high - low, 0).prod(2)
    both = (mine[..., 2:] - mine[..., :2]).prod(2) + (theirs[..., 2:] - theirs[..., :2]).prod(2)
    return np.asarray(shared / np.maximum(both - shared, 1e-9))


def distinct(keypoints: Floats, areas: Floats, scores: Floats, most: float) -> NDArray[np.intp]:
    """Which poses stay, best first, where one like a better one by over `most` goes.

    keypoints (P, 17, 2), areas (P,), scores (P,) -> indices.
    """
    order = np.argsort(-scores, kind="stable")
    alike = oks(keypoints, keypoints, areas)
    alike = np.maximum(alike, alike.T)  # in the larger one's scale
    stays: list[int] = []
    for index in order.tolist():
        if not stays or alike[index, stays].max() <= most:
            stays.append(index)
    return np.array(stays, np.intp)
