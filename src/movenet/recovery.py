"""What a second look makes of the people in a frame, and of those who should be in it."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from movenet import oks, refinement
from movenet.crop import torso_seen
from movenet.estimator import PoseEstimator
from movenet.poses import Poses
from movenet.tracker import DOUBTED, Tracker

Floats = NDArray[np.floating]
RECOVERED = 0.3  # OKS with where somebody should be, to be them


def recovered(estimator: PoseEstimator, tracker: Tracker, known: Poses, again: Poses) -> Poses:
    """What a second look makes of a frame's people, `known`, and of those who are missing.

    Somebody missing is there again if they look like where they should be and a torso is seen.
    Somebody known who became the double of another keeps the first look's pose.
    """
    missing, ids = tracker.missing(again), ids_of(again)
    rows = {number: row for row, number in enumerate(ids_of(missing).tolist())}
    lost = np.isin(ids, list(rows))
    expected = missing[np.array([rows[number] for number in ids[lost].tolist()], np.intp)]
    back = found_again(again[lost], expected)
    tracker.recover(back)
    seen = joined(again[~lost], back)
    doubles = known[~np.isin(ids_of(known), ids)]
    alike = oks.oks(doubles.keypoints, seen.keypoints, oks.areas_of(doubles.boxes))
    distinct = np.asarray((alike <= refinement.ALIKE).all(1))
    return joined(seen, estimator.trusted(doubles[distinct]))


def found_again(back: Poses, expected: Poses) -> Poses:
    """Those of P people who are where they were `expected`, as they were seen.

    Their box goes with their keypoints, and their score is that of when the first look saw them,
    times the mean keypoint score.
    """
    alike = oks.oks(back.keypoints, expected.keypoints, oks.areas_of(expected.boxes)).diagonal()
    there = torso_seen(back.keypoint_scores) & (alike > RECOVERED)
    weights = back.keypoint_scores * expected.keypoint_scores
    boxes = carried(expected.boxes, expected.keypoints, back.keypoints, weights)
    return replace(back, boxes=boxes, scores=back.scores / np.float32(DOUBTED))[there]


def carried(boxes: Floats, before: Floats, after: Floats, weights: Floats) -> NDArray[np.float32]:
    """Boxes (P, 4), moved and scaled as the keypoints in them were, (P, 17, 2) each.

    The mean of the keypoints goes from the one to the other, and their spread, by weights (P, 17).
    """
    shares = (weights / np.maximum(weights.sum(1, keepdims=True), 1e-9))[..., None]
    old, new = ((shares * points).sum(1, keepdims=True) for points in (before, after))
    was, now = (
        np.sqrt((shares * np.square(points - middle)).sum((1, 2), keepdims=True))
        for points, middle in ((before, old), (after, new))
    )
    corners = new + now / np.maximum(was, 1e-9) * (boxes.reshape(-1, 2, 2) - old)
    return np.asarray(corners.reshape(-1, 4), np.float32)


def joined(poses: Poses, others: Poses) -> Poses:
    """The people of both, who are of one frame and have ids."""
    if not len(others):
        return poses
    both: dict[str, Any] = {"ids": np.concatenate([ids_of(poses), ids_of(others)])}
    for name in ("boxes", "scores", "confidence", "keypoint_confidence"):
        mine, theirs = getattr(poses, name), getattr(others, name)
        both[name] = None if mine is None or theirs is None else np.concatenate([mine, theirs])
    return Poses.from_arrays(
        np.concatenate([poses.keypoints, others.keypoints]),
        np.concatenate([poses.keypoint_scores, others.keypoint_scores]),
        image_size=poses.image_size,
        frame_index=poses.frame_index,
        timestamp_s=poses.timestamp_s,
        **both,
    )


def ids_of(poses: Poses) -> NDArray[np.int64]:
    """Of people who have ids."""
    assert poses.ids is not None
    return poses.ids
