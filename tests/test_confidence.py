"""Scores that mean something: what they depend on, where they are, and how they are learnt."""

import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from movenet import PoseEstimator, Poses, confidence, images, load, pictures
from movenet.confidence import Confidence, features, find, key, shipped
from movenet.evaluation.found import beside
from movenet.oks import VARIANCES, oks

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "training"))
import confidence as training  # noqa: E402

ASTRONAUT = images.read(pictures.path("astronaut"))
TWO = images.read(pictures.path("two_people"))


def first(count: int = 2) -> Poses:
    """People of a picture of 400 x 300, each on a line."""
    xy = np.stack([np.linspace((40 + 90 * p, 50), (100 + 90 * p, 130), 17) for p in range(count)])
    scores = np.random.default_rng(0).uniform(0.2, 0.9, (count, 17))
    return Poses.from_arrays(xy, scores, image_size=(300, 400))


# What it depends on


def test_the_features_are_what_they_are_said_to_be() -> None:
    poses = first()
    seen = features(poses, poses.keypoints, poses.keypoint_scores)
    assert seen.shape == (2, 23)
    assert_array_equal(seen[:, :17], np.sort(poses.keypoint_scores, 1))
    assert_allclose(seen[:, 17], np.sqrt(poses.scores))
    assert_allclose(seen[:, 18], poses.keypoint_scores.mean(1))
    assert_allclose(seen[:, 19], 1)
    assert_allclose(np.exp(seen[:, 20]), np.sqrt(60 * 80), rtol=1e-5)
    assert_allclose(np.exp(seen[:, 21]), np.sqrt(60 * 80) / 400, rtol=1e-5)
    assert_allclose(seen[poses.keypoints[:, 0, 0].argmin(), 22], 40 / 400, rtol=1e-5)


def test_looks_that_differ_are_less_alike_by_oks() -> None:
    poses = first()
    moved = poses.keypoints + np.float32(5)
    seen = features(poses, moved, poses.keypoint_scores)
    alike = oks(moved, poses.keypoints, np.full(2, 60 * 80.0)).diagonal()
    assert_allclose(seen[:, 19], alike, rtol=1e-5)
    assert (alike < 0.9).all()


def test_the_first_look_s_scores_are_features_of_their_own() -> None:
    poses = first()
    seen = features(poses, poses.keypoints + 1, poses.keypoint_scores / 2)
    assert_allclose(seen[:, 18], poses.keypoint_scores.mean(1), rtol=1e-6)
    assert_allclose(seen[:, :17], np.sort(poses.keypoint_scores / 2, 1), rtol=1e-6)


def test_a_second_look_asks_about_both_looks() -> None:
    estimator = PoseEstimator("lightning")
    estimator.confidence = recorder = training.Recorder()  # type: ignore[assignment]
    (once,) = estimator.find([ASTRONAUT])
    (found,) = estimator.estimate([ASTRONAUT])
    wanted = features(once, found.keypoints, found.keypoint_scores)
    assert_allclose(recorder.features, wanted, rtol=1e-4)
    assert wanted[0, 19] < 1
    assert_array_equal(found.keypoint_confidence, found.keypoint_scores)


def test_nobody_has_no_features() -> None:
    poses = Poses.from_arrays(np.zeros((0, 17, 2)), np.zeros((0, 17)), image_size=(9, 9))
    assert features(poses, poses.keypoints, poses.keypoint_scores).shape == (0, 23)


def test_a_perceptron_is_what_its_numbers_say() -> None:
    one = Confidence(
        hidden=np.array([[1.0], [2.0]], np.float32),
        hidden_bias=np.array([-1.0], np.float32),
        output=np.array([3.0], np.float32),
        output_bias=np.array([0.5], np.float32),
        knots=np.array([0.2, 0.6], np.float32),
        values=np.array([0.1, 0.9], np.float32),
    )
    inner = 0.5 + 2 * 0.75 - 1
    wanted = 1 / (1 + np.exp(-(3 * inner / (1 + np.exp(-inner)) + 0.5)))
    assert_allclose(one.people(np.array([[0.5, 0.75]], np.float32)), [wanted], rtol=1e-6)
    said = one.keypoints(np.array([[0.0, 0.2, 0.4, 0.6, 1.0]], np.float32))
    assert_allclose(said, [[0.1, 0.1, 0.5, 0.9, 0.9]], rtol=1e-6)


# What is shipped


def test_every_way_of_looking_has_its_numbers() -> None:
    keys = {training.key_of(training.estimator_of(way), way) for way in training.ways()}
    assert keys == set(shipped())
    assert len(keys) == 19


@pytest.mark.parametrize("name", sorted(shipped()))
def test_the_numbers_are_sound(name: str) -> None:
    table = find(name)
    assert table is not None
    assert table.hidden.shape == (23, training.HIDDEN)
    assert (np.diff(table.knots) >= 0).all()
    assert (np.diff(table.values) >= 0).all()
    assert table.values.min() >= 0
    assert table.values.max() <= 1
    # Nothing seen against everything seen, in the middle of a picture.
    sight = np.zeros((2, 23), np.float32)
    sight[1, :19] = 0.8
    sight[:, 19], sight[:, 20], sight[:, 21], sight[:, 22] = (
        (0.2, 0.98) if "alone" not in name else 1,
        5,
        -1,
        0.1,
    )
    nothing, everything = table.people(sight)
    assert nothing < 0.3
    assert everything > nothing + 0.3


def test_an_unknown_way_has_none() -> None:
    assert find(key("lightning", "multipose", "best", several=True)) is None


# Where it is


@pytest.mark.parametrize("options", [{"refine": False}, {}, {"quality": "best"}])
def test_whoever_is_found_has_a_confidence(options: dict) -> None:
    for model, picture, count in (("lightning", ASTRONAUT, 1), ("multipose", TWO, 2)):
        poses = PoseEstimator(model, **options)(picture)
        assert poses.confidence is not None
        assert poses.keypoint_confidence is not None
        assert poses.confidence.shape == (count,)
        assert poses.keypoint_confidence.shape == (count, 17)
        assert (poses.confidence > 0.4).all()
        assert (poses.confidence <= 1).all()
        face = poses.keypoint_confidence[0, :3]
        assert (face > 0.8).all()


def test_nobody_has_none_and_a_network_of_one_s_own_neither() -> None:
    poses = PoseEstimator("multipose")(np.zeros((64, 64, 3), np.uint8))
    assert poses.confidence is not None
    assert poses.confidence.shape == (0,)
    assert PoseEstimator(load("lightning"), refine=False)(ASTRONAUT).confidence is None


def test_it_goes_with_its_person() -> None:
    poses = PoseEstimator("multipose")(TWO)
    assert poses.confidence is not None
    (one,) = poses[1].confidence  # type: ignore[misc]
    assert one == poses.confidence[1]
    again = Poses.from_dict(poses.to_dict())
    assert_array_equal(again.confidence, poses.confidence)
    assert_array_equal(again.keypoint_confidence, poses.keypoint_confidence)
    assert "confidence" not in first().to_dict()["people"][0]
    assert Poses.from_dict(first().to_dict()).confidence is None


def test_it_is_in_the_table() -> None:
    pytest.importorskip("pandas")
    poses = PoseEstimator("multipose")(TWO)
    table = poses.to_dataframe()
    assert_allclose(table["confidence"][::17], poses.confidence)
    assert_allclose(table["keypoint_confidence"], poses.keypoint_confidence.ravel())  # type: ignore[union-attr]
    assert "confidence" not in first().to_dataframe()


def test_a_wrong_shape_is_named() -> None:
    with pytest.raises(ValueError, match=r"confidence must be \(2\), not \(3,\)"):
        Poses.from_arrays(
            np.zeros((2, 17, 2)), np.zeros((2, 17)), image_size=(9, 9), confidence=[1, 1, 1]
        )


# How it is learnt


def annotated(points: np.ndarray, **more: object) -> dict:
    flat = np.concatenate([points, np.full((17, 1), 2)], 1).ravel().tolist()
    return {
        "keypoints": flat, "num_keypoints": 17, "iscrowd": 0, "area": 4800.0,
        "bbox": [0, 0, 400, 300], **more,
    }  # fmt: skip


def test_who_is_found_is_compared_with_whom_they_are_most_like() -> None:
    poses = first(3)
    people = [annotated(poses.keypoints[1]), annotated(poses.keypoints[0] + 2)]
    found = beside(poses, people)
    assert found.oks[1] == pytest.approx(1)
    wanted = np.exp(-(2**2 + 2**2) / (2 * 4800 * VARIANCES)).mean()
    assert found.oks[0] == pytest.approx(wanted, rel=1e-4)
    assert found.oks[2] < 0.1
    assert found.counts.all()
    assert set(found.person.tolist()) == {0, 1}
    assert found.near.all()


def test_nobody_is_false_over_somebody_without_keypoints() -> None:
    poses = first(1)
    unlabelled = annotated(np.zeros((17, 2)), num_keypoints=0)
    assert not beside(poses, [unlabelled]).counts.any()
    assert not beside(poses, [annotated(np.zeros((17, 2)), iscrowd=1)]).counts.any()
    assert beside(poses, [unlabelled | {"bbox": [300, 200, 50, 50]}]).counts.all()
    assert beside(poses, []).counts.all()


def test_a_rule_is_learnt_and_chances_come_out_as_they_were() -> None:
    random = np.random.default_rng(0)
    inputs = random.normal(3, 2, (800, 23))
    expected = 1 / (1 + np.exp(-(inputs[:, 0] - inputs[:, 5])))
    scores = random.uniform(0, 1, 20000)
    near = random.uniform(0, 1, 20000) < scores**2
    fields = training.learnt(training.Seen(inputs, expected, scores, near))
    table = Confidence(**fields)
    fresh = random.normal(3, 2, (400, 23)).astype(np.float32)
    wanted = 1 / (1 + np.exp(-(fresh[:, 0] - fresh[:, 5])))
    assert np.corrcoef(table.people(fresh), wanted)[0, 1] > 0.97
    at = np.linspace(0.1, 0.9, 9, dtype=np.float32)
    assert_allclose(table.keypoints(at), at**2, atol=0.04)


def test_a_window_holds_one_person_and_keypoints_move_with_it() -> None:
    people = [
        annotated(np.linspace((150, 90), (180, 160), 17), bbox=[140, 80, 50, 90]),
        annotated(np.linspace((300, 90), (330, 160), 17), bbox=[290, 80, 50, 90]),
    ]
    picture = np.zeros((300, 400, 3), np.uint8)
    picture[90, 150] = 255  # where the nose is
    found = training.windows(picture, people[0], people, np.random.default_rng(0))
    assert len(found) == training.WINDOWS
    for example in found:
        assert example.picture.shape[1] <= 290
        x, y = np.argwhere(example.picture[:, :, 0])[0][::-1]
        points = np.array(example.people[0]["keypoints"]).reshape(17, 3)
        assert points[:, 0].min() >= 0
        assert points[:, 0].max() <= example.picture.shape[1]
        assert np.abs(points[0, :2] - (x, y)).max() <= 1


def test_the_file_is_small() -> None:
    assert confidence.FILE.stat().st_size < 32_000
