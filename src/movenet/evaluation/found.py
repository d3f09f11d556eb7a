"""People who were found, each beside the annotated person they are most like."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from movenet.evaluation import Record
from movenet.oks import VARIANCES, oks
from movenet.poses import Poses

NEAR = 0.5  # of a keypoint's own similarity, exp(-d^2 / (2 area (2 sigma)^2)): it lies near
UNKNOWN = 0.3  # who is less alike than this to anybody, over somebody unlabelled, does not count


class Found(NamedTuple):
    """oks (P,) of the people found, 0 for nobody's; counts (P,) who can be judged.

    Of the labelled keypoints of those who are somebody's: person (N,), keypoint (N,) and whether
    it lies near (N,).
    """

    oks: NDArray[np.float64]
    counts: NDArray[np.bool_]
    person: NDArray[np.intp]
    keypoint: NDArray[np.intp]
    near: NDArray[np.bool_]


def beside(poses: Poses, people: list[Record]) -> Found:
    """What was found in a picture beside its annotations."""
    judges = [one for one in people if one["num_keypoints"] and not one["iscrowd"]]
    others = [one for one in people if not (one["num_keypoints"] and not one["iscrowd"])]
    points = np.array([one["keypoints"] for one in judges], float).reshape(-1, 17, 3)
    areas, labelled = np.array([one["area"] for one in judges], float), points[:, :, 2] > 0
    best, match = np.zeros(len(poses)), np.zeros(len(poses), np.intp)
    if judges:
        alike = oks(points[:, :, :2], poses.keypoints, areas, labelled)
        best, match = alike.max(0), alike.argmax(0)
    somebody = np.flatnonzero(best >= UNKNOWN)
    who = match[somebody]
    apart = np.square(poses.keypoints[somebody] - points[who, :, :2]).sum(2)
    near = np.exp(-apart / (2 * areas[who, None] * VARIANCES)) >= NEAR
    rows, keypoint = np.nonzero(labelled[who])
    return Found(
        oks=best,
        counts=(best >= UNKNOWN) | ~over(poses, others),
        person=somebody[rows],
        keypoint=keypoint,
        near=near[rows, keypoint],
    )


def over(poses: Poses, people: list[Record]) -> NDArray[np.bool_]:
    """(P,) who lies for the most part in the box of one of these annotations."""
    there = np.zeros(len(poses), bool)
    for one in people:
        left, top, width, height = one["bbox"]
        within = (poses.keypoints > (left, top)) & (poses.keypoints < (left + width, top + height))
        there |= within.all(2).mean(1) > 0.5
    return there
