"""What a second look makes of the people in a frame, and of those who should be in it."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from movenet import oks, refinement
from movenet.crop import torso_seen
from movenet.estimator import PoseEstimator
from movenet.poses import SPANNING, Poses, extent
from movenet.tracker import DOUBTED, Tracker

RECOVERED = 0.3  # OKS with where somebody should be, to be them


def recovered(estimator: PoseEstimator, tracker: Tracker, known: Poses, again: Poses) -> Poses:
    """What a second look makes of a frame's people, `known`, and of those who are missing.

    Somebody missing is there again if they look like where they should be and a torso is seen;
    their box is the extent of their keypoints, and their score that of when the first look saw
    them. Somebody known who became the double of another keeps the first look's pose.
    """
    missing, ids = tracker.missing(again), ids_of(again)
    rows = {number: row for row, number in enumerate(ids_of(missing).tolist())}
    alike = oks.oks(again.keypoints, missing.keypoints, oks.areas_of(again.boxes))
    torsos = torso_seen(again.keypoint_scores)
    there = [
        number not in rows or bool(torsos[row] and alike[row, rows[number]] > RECOVERED)
        for row, number in enumerate(ids.tolist())
    ]
    seen = as_seen(again, np.isin(ids, list(rows)))[np.array(there, bool)]
    tracker.recover(seen[np.isin(ids_of(seen), ids_of(missing))])
    doubles = known[~np.isin(ids_of(known), ids)]
    alike = oks.oks(doubles.keypoints, seen.keypoints, oks.areas_of(doubles.boxes))
    distinct = np.asarray((alike <= refinement.ALIKE).all(1))
    return joined(seen, estimator.trusted(doubles[distinct]))


def as_seen(again: Poses, missing: NDArray[np.bool_]) -> Poses:
    """Those who were missing (P,) without what was expected of them: box and doubt."""
    spanned = extent(again.keypoints, again.keypoint_scores, SPANNING)
    boxes = np.where(missing[:, None], spanned, again.boxes)
    return replace(
        again, boxes=boxes, scores=np.where(missing, again.scores / DOUBTED, again.scores)
    )


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
