"""Bone lengths: estimated over time, and bodies fitted to them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from movenet.lifting.bones import BONES, DEPTH, FOLLOW_S, KEPT, RunningBones, bone_lengths, fitted
from movenet.lifting.joints import INDEX, MIRROR, NAMES, PARENTS

SURE = np.full(21, 0.02)
# In body heights; about Winter's figure 4.1.
LENGTHS = np.array([0.06, 0.18, 0.08, 0.19, 0.12, 0.245, 0.246, 0.186, 0.146])
FIRST = {bone: index for index, bone in enumerate(BONES)}


def kind(joint: str) -> int:
    return FIRST[joint.split("_")[-1]]


def body(random: np.random.Generator, lengths: np.ndarray = LENGTHS) -> np.ndarray:
    """Bones of these lengths in any directions, but the hips opposite: (21, 3)."""
    joints = np.zeros((21, 3))
    for name in sorted(PARENTS, key=depth):
        place = INDEX[name]
        if place < 5:
            joints[place] = joints[INDEX["neck"]] + random.normal(0, 0.1, 3)
            continue
        way = random.normal(size=3)
        bone = lengths[kind(name)] * way / np.linalg.norm(way)
        joints[place] = joints[INDEX[PARENTS[name]]] + bone
        if name == "right_hip":
            joints[place] = -joints[INDEX["left_hip"]]
    return joints


def depth(name: str) -> int:
    return 0 if name not in PARENTS else 1 + depth(PARENTS[name])


def measured(joints: np.ndarray) -> dict[str, np.ndarray]:
    """The lengths of all that are no face, over leading axes."""
    return {
        name: np.linalg.norm(joints[..., INDEX[name], :] - joints[..., INDEX[parent], :], axis=-1)
        for name, parent in PARENTS.items()
        if INDEX[name] > 4
    }


def clip(seed: int, count: int = 60, noise: tuple[float, ...] = (0.0, 0.0, 0.0)) -> np.ndarray:
    """(T, 21, 3), the pelvis in the middle of the hips and at 0."""
    random = np.random.default_rng(seed)
    bodies = np.array([body(random) for _ in range(count)])
    bodies = bodies + random.normal(0, 1, bodies.shape) * noise
    hips = bodies[:, [INDEX["left_hip"], INDEX["right_hip"]]].mean(1, keepdims=True)
    bodies = bodies - hips
    bodies[:, INDEX["pelvis"]] = 0
    return np.asarray(bodies)


def sure(count: int) -> np.ndarray:
    return np.tile(SURE, (count, 1))


def error(bodies: np.ndarray, truth: np.ndarray) -> float:
    return float(np.linalg.norm(bodies - truth, axis=-1)[..., 5:].mean())


def test_every_joint_but_face_and_pelvis_has_a_bone() -> None:
    assert {name.split("_")[-1] for name in NAMES[5:]} - {"pelvis"} == set(BONES)


def test_lengths_without_noise_are_found_exactly() -> None:
    assert_allclose(bone_lengths(clip(0), sure(60)), LENGTHS, atol=1e-12)


def test_one_frame_gives_the_mean_of_left_and_right() -> None:
    joints = clip(1, 1)
    joints[0, INDEX["left_wrist"]] = joints[0, INDEX["left_elbow"]] + (0.1, 0, 0)
    joints[0, INDEX["right_wrist"]] = joints[0, INDEX["right_elbow"]] + (0, 0.2, 0)
    assert bone_lengths(joints, sure(1))[FIRST["wrist"]] == pytest.approx(0.15)


def test_a_third_of_wrong_frames_changes_nothing() -> None:
    joints = clip(2)
    joints[:20] *= 1.5
    assert_allclose(bone_lengths(joints, sure(60)), LENGTHS, atol=1e-12)


def test_certain_frames_outvote_more_uncertain_ones() -> None:
    joints, uncertainty = clip(3), sure(60)
    joints[:50] *= 1.5
    uncertainty[:50] *= 4
    assert_allclose(bone_lengths(joints, uncertainty), LENGTHS, atol=1e-12)


def test_frames_that_show_a_bone_from_the_side_outvote_those_along_it() -> None:
    joints = np.tile(clip(4, 1), (7, 1, 1))  # five that weigh a quarter, and two
    for side in ("left", "right"):
        elbow, wrist = INDEX[f"{side}_elbow"], INDEX[f"{side}_wrist"]
        joints[:5, wrist] = joints[:5, elbow] + (0, 0, 0.3)
        joints[5:, wrist] = joints[5:, elbow] + (0.146, 0, 0)
    assert bone_lengths(joints, sure(7))[FIRST["wrist"]] == pytest.approx(0.146)


def test_a_mirrored_clip_has_the_same_lengths() -> None:
    joints = clip(26, 6, (0.02, 0.02, 0.06))
    uncertainty = np.random.default_rng(26).uniform(0.01, 0.2, (6, 21))
    mirrored = bone_lengths((joints * (-1, 1, 1))[:, MIRROR], uncertainty[:, MIRROR])
    assert_allclose(mirrored, bone_lengths(joints, uncertainty), atol=1e-12)


def test_frames_without_anybody_do_not_count() -> None:
    joints, uncertainty = clip(5), sure(60)
    joints[::2], uncertainty[::2] = np.nan, np.inf
    assert_allclose(bone_lengths(joints, uncertainty), LENGTHS, atol=1e-12)
    assert np.isnan(bone_lengths(joints[::2], uncertainty[::2])).all()
    assert np.isnan(bone_lengths(joints[:0], uncertainty[:0])).all()


@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.02, 0.1]))
@settings(max_examples=25, deadline=None)
def test_a_fitted_body_has_the_lengths(seed: int, noise: float) -> None:
    joints = clip(seed, 3, (noise, noise, 3 * noise))
    uncertainty = np.random.default_rng(seed).uniform(0.001, 0.5, (3, 21))
    result = fitted(joints, LENGTHS, uncertainty)
    assert result.dtype == np.float32
    for name, lengths in measured(result).items():
        assert_allclose(lengths, LENGTHS[kind(name)], atol=1e-6)
    hips = result[:, [INDEX["left_hip"], INDEX["right_hip"]]]
    assert_allclose(hips.mean(1), 0, atol=1e-6)
    assert_array_equal(result[:, INDEX["pelvis"]], 0)


def test_a_body_that_fits_stays() -> None:
    joints = clip(6)
    assert_allclose(fitted(joints, LENGTHS, sure(60)), joints, atol=1e-6)


def test_what_is_given_stays_as_it_was() -> None:
    joints = clip(7, noise=(0.02, 0.02, 0.06))
    before, uncertainty = joints.copy(), sure(60)
    fitted(joints, LENGTHS, uncertainty)
    assert_array_equal(joints, before)
    assert_array_equal(uncertainty, sure(60))


def test_a_mirrored_body_is_fitted_to_the_mirror_image() -> None:
    joints = clip(8, noise=(0.02, 0.02, 0.06))
    flip = np.array([-1, 1, 1])
    mirrored = fitted((joints * flip)[:, MIRROR], LENGTHS, sure(60))
    assert_allclose(mirrored, (fitted(joints, LENGTHS, sure(60)) * flip)[:, MIRROR], atol=1e-6)


def test_the_unit_makes_no_difference() -> None:
    joints = clip(9, noise=(0.02, 0.02, 0.06))
    metres = fitted(1.78 * joints, 1.78 * LENGTHS, 1.78 * sure(60))
    assert_allclose(metres, 1.78 * fitted(joints, LENGTHS, sure(60)), atol=1e-6)
    assert_allclose(
        bone_lengths(1.78 * joints, 1.78 * sure(60)), 1.78 * bone_lengths(joints, sure(60))
    )


def test_a_wrist_that_is_wrong_comes_back_and_its_elbow_moves_less() -> None:
    """By hand: the end of a chain gives way more than what holds on both sides."""
    truth = clip(10, 1)
    joints, elbow, wrist = truth.copy(), INDEX["left_elbow"], INDEX["left_wrist"]
    joints[0, wrist] += (joints[0, wrist] - joints[0, elbow]) * 0.3
    moves = np.linalg.norm(fitted(joints, LENGTHS, sure(1)) - joints, axis=-1)[0]
    assert moves[wrist] > moves[elbow] > 0
    assert moves[INDEX["right_wrist"]] < moves[INDEX["neck"]] + 1e-3 < 0.3 * moves[wrist]


def test_moves_share_a_stretch_as_their_variances_do() -> None:
    """To first order: the head's bone is too long by d; neck and head move against each other."""
    joints, uncertainty = np.zeros((21, 3)), np.full(21, 1e-9)
    joints[:] = clip(11, 1)[0]
    neck, head = INDEX["neck"], INDEX["head"]
    joints[head] = joints[neck] + (0, -0.19 - 0.01, 0)
    uncertainty[head] = 0.1
    moved = fitted(joints, LENGTHS, uncertainty) - joints
    assert_allclose(moved[head], (0, 0.01, 0), atol=1e-4)  # the neck is certain, so the head goes
    assert_allclose(moved[neck], 0, atol=1e-4)


def test_depth_gives_way_before_the_picture_does() -> None:
    """A slanted bone, its upper end held: of the move, z has DEPTH squared times x's part."""
    joints, uncertainty = clip(12, 1)[0], np.full(21, 1e-9)
    neck, head = INDEX["neck"], INDEX["head"]
    joints[head] = joints[neck] + 0.195 * np.array([0.8**0.5, 0, 0.2**0.5])
    uncertainty[head] = 0.1
    x, _, z = (fitted(joints, LENGTHS, uncertainty) - joints)[head]
    assert z / x == pytest.approx(DEPTH**2 * 0.5, rel=0.1)


def test_a_fit_takes_away_a_quarter_of_the_error() -> None:
    noise = (0.01, 0.01, 0.03)
    truth, noisy = clip(13, 200), clip(13, 200, noise)
    lengths = bone_lengths(noisy, sure(200))
    assert error(fitted(noisy, lengths, sure(200)), truth) < 0.75 * error(noisy, truth)


def test_moves_are_the_least_there_are() -> None:
    """Against SciPy's optimiser, with the hips' middle as the pelvis."""
    optimize = pytest.importorskip("scipy.optimize")
    random = np.random.default_rng(0)
    joints = clip(25, 1, (0.01, 0.01, 0.02))[0]
    joints[[INDEX["left_hip"], INDEX["right_hip"]]] *= 1.5
    uncertainty = random.uniform(0.01, 0.04, 21)
    moving = [place for place in range(5, 21) if NAMES[place] != "pelvis"]
    errors = uncertainty[moving, None] * (1, 1, DEPTH)

    def whole(flat: np.ndarray) -> np.ndarray:
        result: np.ndarray = joints.copy()
        result[moving] += errors * flat.reshape(-1, 3)
        hips = result[[INDEX["left_hip"], INDEX["right_hip"]]]
        result[INDEX["pelvis"]] = hips.mean(0)
        return result

    def wrong(flat: np.ndarray) -> list[float]:
        lengths = measured(whole(flat)).items()
        return [float(at) - LENGTHS[kind(name)] for name, at in lengths if name != "right_hip"]

    constraint = {"type": "eq", "fun": wrong}
    best = optimize.minimize(lambda x: x @ x, np.zeros(45), constraints=constraint, tol=1e-10)
    assert best.success
    expected = whole(best.x) - whole(best.x)[INDEX["pelvis"]]
    moved = np.abs(expected - joints)[5:].max()
    assert_allclose(fitted(joints, LENGTHS, uncertainty)[5:], expected[5:], atol=0.03 * moved)


def test_the_face_goes_with_the_neck() -> None:
    joints = clip(14, noise=(0.02, 0.02, 0.06))
    moved = fitted(joints, LENGTHS, sure(60)) - joints
    neck = moved[:, [INDEX["neck"]]]
    assert_allclose(moved[:, :5], np.broadcast_to(neck, (60, 5, 3)), atol=1e-6)


def test_people_without_a_joint_or_a_length_are_left_alone() -> None:
    joints = clip(15, 4, (0.02, 0.02, 0.06))
    joints[0] = np.nan
    joints[1, INDEX["left_knee"]] = np.nan
    joints[3, :5] = np.nan
    lengths = np.tile(LENGTHS, (4, 1))
    lengths[2, 0] = np.nan
    result = fitted(joints, lengths, sure(4))
    assert_array_equal(result[:3], joints[:3].astype(np.float32))
    assert_array_equal(np.isnan(result[3]), np.isnan(joints[3]))
    assert_allclose(measured(result[3])["left_knee"], LENGTHS[FIRST["knee"]], atol=1e-6)
    assert fitted(joints[:0], lengths[:0], sure(0)).shape == (0, 21, 3)


@pytest.mark.parametrize("uncertainty", [0.0, np.inf, np.nan])
def test_any_uncertainty_is_borne(uncertainty: float) -> None:
    joints = clip(16, 5, (0.02, 0.02, 0.06))
    expected = fitted(joints, LENGTHS, sure(5))
    assert_allclose(fitted(joints, LENGTHS, np.full((5, 21), uncertainty)), expected, atol=1e-6)


def test_joints_in_one_place_give_numbers() -> None:
    assert np.isfinite(fitted(np.zeros((21, 3)), LENGTHS, SURE)).all()


def run(bodies: np.ndarray, rate: float, runner: RunningBones | None = None) -> np.ndarray:
    """(T, 21, 3) -> the lengths after each frame, (T, 9)."""
    runner = runner or RunningBones()
    return np.array([runner.update(joints, SURE, i / rate) for i, joints in enumerate(bodies)])


NOISE = (0.01, 0.01, 0.03)


def test_the_first_body_keeps_the_mean_lengths_of_its_own_sides() -> None:
    joints = clip(17, 1, NOISE)
    assert_allclose(run(joints, 30)[0], bone_lengths(joints, sure(1)))


def test_lengths_are_found_within_two_seconds_without_a_jump() -> None:
    lengths = run(clip(18, 90, NOISE), 30)
    start, end = (np.abs(lengths[row] / LENGTHS - 1).mean() for row in (0, 60))
    assert end < 0.05 < start
    steps = np.abs(np.diff(np.log(lengths), axis=0))
    assert steps.max() < 1 / 30 / FOLLOW_S
    assert steps[30:].max() < 0.03


def test_a_wrong_beginning_is_forgotten() -> None:
    joints = clip(19, 60)
    joints[:10] *= 1.4
    assert_allclose(run(joints, 30)[-1], LENGTHS, rtol=0.01)


def test_the_rate_of_frames_makes_no_difference() -> None:
    slow = np.repeat(clip(20, 60, NOISE), 4, axis=0)  # each body shown four times
    assert_allclose(run(slow, 120)[3::4][-1], run(slow[::4], 30)[-1], rtol=0.02)


@pytest.mark.parametrize(("before", "expected"), [(6_000, 1.0), (3_000, 1.2)])
def test_an_hour_keeps_few_frames_of_all_ages(before: int, expected: float) -> None:
    runner = RunningBones()
    first = clip(21, 1)[0]
    for index in range(10_000):
        runner.update(first if index < before else 1.2 * first, SURE, index / 30)
    assert len(runner._values) <= KEPT
    assert_allclose(runner.lengths, expected * LENGTHS, rtol=1e-6)  # the longer part of the time


def test_a_bone_counts_less_where_its_parent_is_uncertain() -> None:
    joints, uncertainty = clip(3), sure(60)
    for side in ("left", "right"):
        joints[:40, INDEX[f"{side}_wrist"]] += 0.5  # of two frames in three
        uncertainty[:40, INDEX[f"{side}_elbow"]] = 0.3
    found = bone_lengths(joints, uncertainty)
    assert found[FIRST["wrist"]] == pytest.approx(LENGTHS[FIRST["wrist"]], abs=1e-9)


def test_a_joint_without_an_uncertainty_is_the_most_uncertain() -> None:
    joints, nowhere, endless = clip(3, 5, (0.02, 0.02, 0.05)), sure(5), sure(5)
    nowhere[:, INDEX["left_wrist"]], endless[:, INDEX["left_wrist"]] = np.nan, np.inf
    assert_array_equal(fitted(joints, LENGTHS, nowhere), fitted(joints, LENGTHS, endless))


def test_nothing_is_known_before_somebody_is_there() -> None:
    runner = RunningBones()
    nobody, unsure = np.full((21, 3), np.nan), np.full(21, np.inf)
    assert np.isnan(runner.update(nobody, unsure, 0.0)).all()
    assert_allclose(runner.update(clip(22, 1)[0], SURE, 0.01), LENGTHS)
    assert_allclose(runner.update(nobody, unsure, 0.5), LENGTHS)


def test_a_seek_back_goes_on_with_what_is_known() -> None:
    runner = RunningBones()
    runner.update(1.5 * clip(23, 1)[0], SURE, 100.0)
    lengths = run(clip(24, 60), 30, runner)
    assert_allclose(lengths[0], 1.5 * LENGTHS)
    assert_allclose(lengths[-1], LENGTHS, rtol=0.01)
