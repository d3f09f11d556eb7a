"""Similarity of poses: COCO's own numbers, and which of two alike stays."""

import contextlib
import io
from typing import Any

import numpy as np
import pytest

from movenet.keypoints import SIGMAS
from movenet.oks import areas_of, distinct, oks

RANDOM = np.random.default_rng(0)
POSES = RANDOM.uniform(0, 200, (3, 17, 2))


def test_a_pose_is_like_itself() -> None:
    alike = oks(POSES, POSES, np.full(3, 900.0))
    np.testing.assert_allclose(np.diag(alike), 1)
    assert (alike[~np.eye(3, dtype=bool)] < 0.2).all()


def test_a_keypoint_that_is_two_spreads_away_counts_exp_of_minus_a_half() -> None:
    pose, area = np.zeros((1, 17, 2)), np.array([400.0])
    for index, sigma in enumerate(SIGMAS):
        moved = pose.copy()
        moved[0, index, 0] = 2 * sigma * 20  # the root of the area is 20
        assert oks(pose, moved, area)[0, 0] == pytest.approx((16 + np.exp(-0.5)) / 17)


def test_only_the_keypoints_that_count_are_compared() -> None:
    moved = POSES.copy()
    moved[:, 5:] += 50
    counts = np.zeros((3, 17), bool)
    counts[:2, :5] = True
    alike = oks(POSES, moved, np.full(3, 900.0), counts)
    np.testing.assert_allclose(np.diag(alike), [1, 1, 0])


def test_the_numbers_are_pycocotools() -> None:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    labelled = RANDOM.integers(0, 3, (2, 17))
    people = [
        {
            "id": row + 1, "image_id": 1, "category_id": 1, "iscrowd": 0, "area": 5000.0 + row,
            "bbox": [0, 0, 100, 100], "num_keypoints": int((labelled[row] > 0).sum()),
            "keypoints": np.column_stack([POSES[row], labelled[row]]).ravel().tolist(),
        }
        for row in range(2)
    ]  # fmt: skip
    found = POSES[:2] + RANDOM.normal(0, 6, (2, 17, 2))
    results = [
        {
            "image_id": 1, "category_id": 1, "score": 1.0 - row,
            "keypoints": np.column_stack([found[row], np.ones(17)]).ravel().tolist(),
        }
        for row in range(2)
    ]  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):
        truth: Any = COCO()
        truth.dataset = {
            "images": [{"id": 1}], "annotations": people, "categories": [{"id": 1}], "info": {},
        }  # fmt: skip
        truth.createIndex()
        judge: Any = COCOeval(truth, truth.loadRes(results), "keypoints")
        judge.evaluate()
    areas = np.array([person["area"] for person in people])
    ours = oks(POSES[:2], found, areas, labelled > 0)
    np.testing.assert_allclose(judge.ious[1, 1], ours.T, atol=1e-9)


def test_of_two_that_are_alike_the_better_stays() -> None:
    poses = np.concatenate([POSES, POSES[:1] + 0.5])
    scores, areas = np.array([0.5, 0.9, 0.1, 0.7]), np.full(4, 2000.0)
    assert distinct(poses, areas, scores, 0.7).tolist() == [1, 3, 2]
    assert distinct(poses, areas, scores, 1.0).tolist() == [1, 3, 0, 2]
    assert distinct(poses[:0], areas[:0], scores[:0], 0.7).tolist() == []


def test_a_box_s_area_is_as_coco_s_people_fill_theirs() -> None:
    boxes = np.array([[10, 10, 30, 60], [5, 5, 4, 9]])
    np.testing.assert_allclose(areas_of(boxes), [0.53 * 20 * 50, 0])
