"""Joint angles: closed forms on a figure of sticks, and what turning and mirroring do."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from movenet.lifting.angles import ANGLES, by_joint, joint_angles
from movenet.lifting.joints import INDEX, MIRROR, NAMES

# Camera axes: y down, z away. The figure looks at the camera, so that its left is at +x.
LEFT, DOWN, FORWARD = np.array([1.0, 0, 0]), np.array([0, 1.0, 0]), np.array([0, 0, -1.0])
OF_BODY = [name for name in ANGLES if not name.startswith("trunk")]


def figure(**moved: object) -> np.ndarray:
    """(21, 3): upright with hanging arms, but for the joints that are given, and what follows."""
    points = dict.fromkeys(NAMES[:5], -0.9 * DOWN)
    points |= {"pelvis": 0 * DOWN, "spine": -0.2 * DOWN, "neck": -0.6 * DOWN, "head": -DOWN}
    points |= {"left_ear": points["nose"] + 0.1 * LEFT, "right_ear": points["nose"] - 0.1 * LEFT}
    for side, out in (("left", LEFT), ("right", -LEFT)):
        chain = {"shoulder": -0.6 * DOWN + 0.2 * out, "elbow": 0.3 * DOWN, "wrist": 0.3 * DOWN}
        chain |= {"hip": 0.1 * out, "knee": 0.4 * DOWN, "ankle": 0.4 * DOWN}
        before = {"elbow": "shoulder", "wrist": "elbow", "knee": "hip", "ankle": "knee"}
        for joint, step in chain.items():
            start = points[f"{side}_{before[joint]}"] if joint in before else 0
            points[f"{side}_{joint}"] = start + moved.pop(f"{side}_{joint}", step)
    assert not moved
    return np.array([points[name] for name in NAMES])


def angles_of(points: np.ndarray) -> dict[str, float]:
    return dict(zip(ANGLES, joint_angles(points), strict=True))


def poses(seed: int) -> np.ndarray:
    """(20, 21, 3): bodies of any shape, the pelvis in the middle of the hips."""
    points = np.random.default_rng(seed).normal(size=(20, 21, 3))
    points[:, INDEX["pelvis"]] = 0
    points[:, INDEX["right_hip"]] = -points[:, INDEX["left_hip"]]
    return points


SEEDS = st.integers(0, 2**32 - 1)


def test_whoever_stands_with_hanging_arms_has_no_angles() -> None:
    np.testing.assert_allclose(joint_angles(figure()), 0, atol=1e-12)


@pytest.mark.parametrize(
    ("moved", "expected"),
    [
        ({"left_ankle": -FORWARD}, {"left_knee_flexion": 90}),
        ({"left_ankle": DOWN - FORWARD}, {"left_knee_flexion": 45}),
        ({"right_wrist": FORWARD}, {"right_elbow_flexion": 90}),
        ({"right_wrist": -DOWN}, {"right_elbow_flexion": 180}),
        ({"left_knee": FORWARD, "left_ankle": FORWARD}, {"left_hip_flexion": 90}),
        ({"left_knee": FORWARD}, {"left_hip_flexion": 90, "left_knee_flexion": 90}),  # sits
        ({"left_knee": DOWN - FORWARD, "left_ankle": DOWN - FORWARD}, {"left_hip_flexion": -45}),
        ({"right_knee": DOWN - LEFT, "right_ankle": DOWN - LEFT}, {"right_hip_abduction": 45}),
        ({"left_knee": DOWN - LEFT, "left_ankle": DOWN - LEFT}, {"left_hip_abduction": -45}),
        (
            dict.fromkeys(("left_knee", "left_ankle"), FORWARD + 3 ** (-0.5) * LEFT),
            {"left_hip_flexion": 90, "left_hip_abduction": 30},
        ),
        ({"left_elbow": FORWARD, "left_wrist": FORWARD}, {"left_shoulder_flexion": 90}),
        ({"left_elbow": LEFT, "left_wrist": LEFT}, {"left_shoulder_abduction": 90}),
        ({"right_elbow": -LEFT, "right_wrist": -LEFT}, {"right_shoulder_abduction": 90}),
        ({"left_elbow": LEFT - DOWN, "left_wrist": LEFT - DOWN}, {"left_shoulder_abduction": 135}),
        (
            {"right_elbow": FORWARD - DOWN, "right_wrist": FORWARD - DOWN},
            {"right_shoulder_flexion": 135},
        ),
        (
            {"left_elbow": DOWN - FORWARD, "left_wrist": DOWN - FORWARD},
            {"left_shoulder_flexion": -45},
        ),
        ({"left_elbow": -DOWN, "left_wrist": -DOWN}, {"left_shoulder_flexion": 180}),
    ],
)
def test_a_moved_limb_has_the_angle_that_it_was_moved_by(
    moved: dict[str, np.ndarray], expected: dict[str, float]
) -> None:
    assert angles_of(figure(**moved)) == pytest.approx(
        dict.fromkeys(ANGLES, 0) | expected, abs=1e-9
    )


@given(SEEDS)
def test_a_right_angle_at_the_knee_is_90_degrees_whichever_way_the_body_is_turned(
    seed: int,
) -> None:
    turned = figure(left_ankle=-FORWARD) @ Rotation.random(rng=seed).as_matrix()
    expected = dict.fromkeys(OF_BODY, 0) | {"left_knee_flexion": 90}
    found = angles_of(turned)
    assert {name: found[name] for name in OF_BODY} == pytest.approx(expected, abs=1e-5)


def test_a_thigh_straight_to_the_side_is_90_degrees_whatever_is_rounded() -> None:
    points = figure(left_knee=LEFT) @ Rotation.random(2000, rng=0).as_matrix()
    found = joint_angles(points)[:, ANGLES.index("left_hip_abduction")]
    np.testing.assert_allclose(found, 90, atol=1e-5)


def test_a_back_that_leans_to_the_side_on_level_hips_moves_no_thigh() -> None:
    points = figure()
    points[INDEX["spine"]] += 0.1 * LEFT
    found = angles_of(points)
    assert {found[name] for name in ANGLES if "hip" in name} == {0}


@given(SEEDS)
def test_turning_a_body_changes_no_angle_but_the_trunks(seed: int) -> None:
    points = poses(seed)
    count = len(OF_BODY)
    turned = joint_angles(points @ Rotation.random(rng=seed).as_matrix())
    np.testing.assert_allclose(turned[:, :count], joint_angles(points)[:, :count], atol=1e-6)


@given(SEEDS, st.floats(-180, 180), st.floats(0.01, 100))
def test_turning_about_the_vertical_and_size_change_nothing(
    seed: int, yaw: float, size: float
) -> None:
    points = poses(seed)
    turned = size * points @ Rotation.from_euler("y", yaw, degrees=True).as_matrix()
    np.testing.assert_allclose(joint_angles(turned), joint_angles(points), atol=1e-6)


@given(SEEDS)
def test_a_mirrored_body_has_its_left_and_right_exchanged(seed: int) -> None:
    points = poses(seed)
    there = joint_angles(points)
    back = joint_angles(points[:, list(MIRROR)] * [-1, 1, 1])
    for index, name in enumerate(ANGLES):
        side, _, rest = name.partition("_")
        other = {"left": f"right_{rest}", "right": f"left_{rest}"}.get(side, name)
        sign = -1 if name == "trunk_side" else 1
        np.testing.assert_allclose(back[:, ANGLES.index(other)], sign * there[:, index], atol=1e-6)


@pytest.mark.parametrize(
    ("axis", "towards", "name"),
    [(LEFT, FORWARD, "trunk_lean"), (-FORWARD, LEFT, "trunk_side")],
    ids=["lean", "side"],
)
@pytest.mark.parametrize("degrees", [-80, -30, 30, 80])
def test_the_trunk_leans_forward_and_to_the_own_left(
    axis: np.ndarray, towards: np.ndarray, name: str, degrees: float
) -> None:
    turn = Rotation.from_rotvec(np.radians(degrees) * axis)
    turned = turn.apply(figure())
    angle = np.radians(degrees)
    neck = 0.6 * (np.sin(angle) * towards - np.cos(angle) * DOWN)
    np.testing.assert_allclose(turned[INDEX["neck"]], neck, atol=1e-12)
    expected = {"trunk_lean": 0, "trunk_side": 0} | {name: degrees}
    found = angles_of(turned)
    assert {key: found[key] for key in expected} == pytest.approx(expected, abs=1e-9)


@given(SEEDS)
def test_a_shoulders_two_angles_make_the_arms_angle_from_hanging(seed: int) -> None:
    points = poses(seed)
    found = joint_angles(points)
    chest = points[:, INDEX["spine"]] - points[:, INDEX["neck"]]
    arm = points[:, INDEX["left_elbow"]] - points[:, INDEX["left_shoulder"]]
    cosine = (chest * arm).sum(1) / np.linalg.norm(chest, axis=1) / np.linalg.norm(arm, axis=1)
    both = [ANGLES.index(f"left_shoulder_{name}") for name in ("flexion", "abduction")]
    np.testing.assert_allclose(
        np.hypot(*found[:, both].T), np.degrees(np.arccos(cosine)), rtol=1e-6
    )


@pytest.mark.parametrize(
    ("joint", "lost"),
    [
        ("nose", set()),
        ("left_ankle", {"left_knee_flexion"}),
        ("right_wrist", {"right_elbow_flexion"}),
        ("left_knee", {"left_knee_flexion", "left_hip_flexion", "left_hip_abduction"}),
        ("neck", {name for name in ANGLES if "shoulder" in name or "trunk" in name}),
        (
            "right_hip",
            {name for name in ANGLES if "hip" in name or "trunk" in name} | {"right_knee_flexion"},
        ),
    ],
)
def test_an_unknown_joint_takes_its_own_angles_only(joint: str, lost: set[str]) -> None:
    points = figure()
    points[INDEX[joint]] = np.nan
    assert {name for name, value in angles_of(points).items() if np.isnan(value)} == lost


def test_a_back_that_is_bent_aside_leaves_the_hips_their_angles() -> None:
    flexed, abducted = np.radians((40, 30))
    ahead = np.sin(flexed) * FORWARD + np.cos(flexed) * DOWN
    way = np.cos(abducted) * ahead + np.sin(abducted) * LEFT
    points = figure(left_knee=way, left_ankle=way)
    points[INDEX["spine"]] += 0.1 * LEFT
    found = angles_of(points)
    assert found["left_hip_flexion"] == pytest.approx(40)
    assert found["left_hip_abduction"] == pytest.approx(30)


def test_a_trunk_that_is_level_is_90_degrees_aside_however_it_is_turned() -> None:
    points = figure()
    points[INDEX["neck"]] = points[INDEX["pelvis"]] + 0.3 * LEFT
    yaw = Rotation.from_euler("y", np.linspace(0, 360, 2000)[:, None], degrees=True).as_matrix()
    aside = joint_angles(points @ yaw)[:, ANGLES.index("trunk_side")]
    np.testing.assert_allclose(aside, 90, atol=1e-5)


def test_a_bone_without_length_has_no_angle() -> None:
    found = angles_of(figure(left_ankle=0 * DOWN))
    assert [name for name in ANGLES if np.isnan(found[name])] == ["left_knee_flexion"]


@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 5)])
def test_any_leading_shape_goes(shape: tuple[int, ...]) -> None:
    points = np.broadcast_to(figure(left_ankle=-FORWARD), (*shape, 21, 3)).astype(np.float32)
    found = joint_angles(points)
    assert found.shape == (*shape, len(ANGLES))
    np.testing.assert_allclose(found[..., ANGLES.index("left_knee_flexion")], 90, atol=1e-4)
    assert by_joint(found).shape == (*shape, 21, 2)


def test_another_shape_is_a_callers_mistake() -> None:
    with pytest.raises(ValueError, match=r"expected the shape \(\.\.\., 21, 3\), got \(17, 3\)"):
        joint_angles(np.zeros((17, 3)))


def test_each_angle_stands_once_at_its_joint() -> None:
    at = by_joint(np.arange(len(ANGLES), dtype=float))
    expected = np.full((21, 2), np.nan)
    for index, name in enumerate(ANGLES):
        joint, _, kind = name.rpartition("_")
        column = {"flexion": 0, "abduction": 1, "lean": 0, "side": 1}[kind]
        expected[INDEX["spine" if joint == "trunk" else joint], column] = index
    np.testing.assert_array_equal(at, expected)
