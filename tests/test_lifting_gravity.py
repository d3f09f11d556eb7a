"""Which way is down: cameras that are tilted over people who walk, lie or are hardly there."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from movenet import Poses, lift
from movenet.keypoints import NAMES
from movenet.lifting.bodies import Bodies
from movenet.lifting.gravity import FEWEST, MOST_UNSURE, Gravity, down, gravity, upright
from movenet.lifting.joints import INDEX
from movenet.lifting.rotations import angle_between, turn

DOWN = np.array([0.0, 1.0, 0.0])
STANDING_PX = np.array(  # somebody who faces the camera, in a picture of 640 x 480
    [(320, 60), (330, 50), (310, 50), (345, 55), (295, 55), (370, 120), (270, 120), (390, 200),
     (250, 200), (395, 280), (245, 280), (350, 280), (290, 280), (350, 380), (290, 380),
     (350, 470), (290, 470)]
)  # fmt: skip
SURE = 0.02
# The thigh swings about this angle before the body, because the shank bends back; by hand: over a
# stride the shank is bent by 30 degrees / pi on average, and it is half of the leg.
FORWARD = 30 / np.pi / 2


def walking(count: int = 60, *, lean: float = 0.0, stride: float = 25.0) -> np.ndarray:
    """A person who walks to the right, upright but for `lean`, in degrees: (T, 21, 3), y down."""
    phase = np.linspace(0, 6 * np.pi, count, endpoint=False)
    joints = np.zeros((count, 21, 3))

    def put(name: str, parent: str, length: float, angle: np.ndarray | float, z: float = 0) -> None:
        way = np.stack(np.broadcast_arrays(np.sin(angle), -np.cos(angle), 0 * phase), -1)
        joints[:, INDEX[name]] = joints[:, INDEX[parent]] + length * way + (0, 0, z)

    put("spine", "pelvis", 0.18, np.radians(lean))
    put("neck", "spine", 0.08, np.radians(lean))
    for side, sign in (("left", 1), ("right", -1)):
        swinging = np.radians(stride * np.sin(phase) * sign + FORWARD)
        put(f"{side}_hip", "pelvis", 0.0, 0.0, z=0.05 * sign)
        put(f"{side}_knee", f"{side}_hip", -0.245, -swinging)
        bend = np.radians(30) * np.maximum(np.cos(phase) * sign, 0)
        put(f"{side}_ankle", f"{side}_knee", -0.246, -swinging + bend)
    return joints


def tilted(joints: np.ndarray, pitch: float, roll: float) -> tuple[np.ndarray, np.ndarray]:
    """As a camera sees them that looks down by `pitch` and is turned by `roll`; and its down."""
    about_x = turn(np.array([1.0, 0, 0]), np.radians(pitch))
    rotation = turn(np.array([0, 0, 1.0]), np.radians(roll)) @ about_x
    return joints @ rotation.T, rotation @ DOWN


def estimate(joints: np.ndarray, spread: float = SURE) -> Gravity | None:
    return down(joints, np.full(joints.shape[:2], spread))


def off(found: Gravity | None, truth: np.ndarray) -> float:
    assert found is not None
    return float(np.degrees(angle_between(found.down, truth)))


@given(st.floats(-35, 35), st.floats(-20, 20), st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_a_tilted_camera_over_a_person_who_walks_is_told(
    pitch: float, roll: float, seed: int
) -> None:
    seen, truth = tilted(walking(), pitch, roll)
    seen = seen + np.random.default_rng(seed).normal(0, 0.01, seen.shape)
    found = estimate(seen)
    assert off(found, truth) < 2.5
    assert found is not None
    assert found.spread_deg < 6
    assert np.linalg.norm(found.down) == pytest.approx(1)


def test_a_person_who_stands_still_gives_the_direction_exactly() -> None:
    seen, truth = tilted(walking(stride=0) * (1, 1, 0), 20, -10)
    straight = seen[:1].repeat(20, axis=0)
    knees = [INDEX[f"{side}_{joint}"] for side in ("left", "right") for joint in ("knee", "ankle")]
    straight[:, knees] = 0.245 * truth * np.array([1, 2, 1, 2])[:, None]
    found = estimate(straight)
    assert off(found, truth) < 1e-5
    assert found is not None
    assert found.spread_deg == pytest.approx(0, abs=1e-4)
    assert found.frames == 20


def test_a_third_of_frames_with_a_person_who_leans_changes_little() -> None:
    """Their mean would be off by 13 degrees."""
    joints = walking()
    joints[:20] = tilted(joints[:20], 0, 40)[0]
    assert off(estimate(joints), DOWN) < 3


def test_half_of_the_frames_lie_within_the_spread() -> None:
    joints = walking()
    for rows, roll in ((slice(0, 60, 3), 10), (slice(1, 60, 3), -10)):
        joints[rows] = tilted(walking(stride=0)[rows], 0, roll)[0]
    joints[2::3] = walking(stride=0)[2::3]
    found = estimate(joints)
    assert found is not None
    assert found.spread_deg == pytest.approx(10, abs=4)


def test_a_few_frames_far_off_do_not_widen_the_spread() -> None:
    joints = walking(stride=0)
    joints[:12] = tilted(joints[:12], 0, 30)[0]
    found = estimate(joints)
    assert found is not None
    assert found.spread_deg < 2


def test_certain_frames_outvote_more_uncertain_ones() -> None:
    joints, uncertainty = walking(lean=30), np.full((60, 21), 0.06)
    joints[:20], uncertainty[:20] = walking()[:20], 0.01
    assert off(down(joints, uncertainty), DOWN) < 4 < off(estimate(joints), DOWN)


def test_one_frame_of_joints_that_are_certain_is_one_frame() -> None:
    """Whoever leans does so however well it is seen: people sway."""
    joints, uncertainty = walking(), np.full((60, 21), SURE)
    joints[:1], uncertainty[:1] = walking(lean=30)[:1], 1e-5
    assert off(down(joints, uncertainty), DOWN) < 2.5


def test_ten_frames_of_joints_that_are_certain_do_not_outvote_fifty() -> None:
    joints, uncertainty = walking(), np.full((60, 21), 0.03)
    joints[:10], uncertainty[:10] = walking(lean=30)[:10], 1e-4
    assert off(down(joints, uncertainty), DOWN) < 4


def halves(neck: tuple[float, float], ankles: tuple[float, float]) -> float:
    """Off by how much, where half of the frames are upright and half lean by 30 degrees."""
    joints = np.concatenate([walking(40, stride=0), tilted(walking(40, stride=0), 0, 30)[0]])
    uncertainty = np.full((80, 21), SURE)
    uncertainty[:, INDEX["neck"]] = np.repeat(neck, 40)
    for side in ("left", "right"):
        uncertainty[:, INDEX[f"{side}_ankle"]] = np.repeat(ankles, 40)
    return off(down(joints, uncertainty), DOWN)


def test_the_neck_and_the_ankles_say_how_certain_a_frame_is() -> None:
    assert halves((0.01, 0.07), (0.02, 0.02)) < 6
    assert halves((0.07, 0.01), (0.02, 0.02)) > 20


def test_the_middle_of_two_ankles_is_more_certain_than_each() -> None:
    """Half the variance: 1.2 * 1.2 / 2 is less than 1."""
    assert halves((0.005, 0.06), (0.072, 0.005)) < 10
    assert halves((0.06, 0.005), (0.005, 0.072)) > 20


def test_the_unit_makes_no_difference() -> None:
    random = np.random.default_rng(0)
    joints = walking() + random.normal(0, 0.02, (60, 21, 3))
    uncertainty = random.uniform(0.005, 0.07, (60, 21))
    one, other = down(joints, uncertainty), down(1.78 * joints, 1.78 * uncertainty)
    assert one is not None
    assert other is not None
    assert_allclose(one.down, other.down, atol=1e-6)


@pytest.mark.parametrize(("tilt", "tells"), [(47, True), (53, False)])
@pytest.mark.parametrize("way", [(1, 0), (0, 1)])
def test_people_who_are_seen_more_than_50_degrees_off_tell_nothing(
    tilt: float, tells: bool, way: tuple[int, int]
) -> None:
    seen, _ = tilted(walking(stride=0), tilt * way[0], tilt * way[1])
    assert (estimate(seen) is not None) is tells


def test_frames_whose_neck_is_nowhere_do_not_count() -> None:
    uncertainty = np.full((60, 21), SURE)
    uncertainty[:, INDEX["neck"]] = np.nan
    assert down(walking(), uncertainty) is None


def test_people_who_lie_tell_nothing() -> None:
    assert estimate(tilted(walking(), 0, 90)[0]) is None
    assert estimate(tilted(walking(), 90, 0)[0]) is None


def test_people_who_sit_tell_nothing() -> None:
    joints = walking()
    for side in ("left", "right"):
        joints[:, INDEX[f"{side}_knee"]] = joints[:, INDEX[f"{side}_hip"]] + (0.245, 0, 0)
        joints[:, INDEX[f"{side}_ankle"]] = joints[:, INDEX[f"{side}_knee"]] + (0, 0.246, 0)
    assert estimate(joints) is None


@pytest.mark.parametrize(("bend", "stands"), [(20, True), (45, False)])
def test_people_who_squat_tell_nothing(bend: float, stands: bool) -> None:
    joints, angle = walking(stride=0), np.radians(bend)
    for side in ("left", "right"):
        hip = joints[:, INDEX[f"{side}_hip"]]
        joints[:, INDEX[f"{side}_knee"]] = hip + 0.245 * np.array([np.sin(angle), np.cos(angle), 0])
        joints[:, INDEX[f"{side}_ankle"]] = hip + 0.491 * np.cos(angle) * DOWN
    assert (estimate(joints) is not None) == stands


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize(("part", "tells"), [(0.95, True), (1.05, False)])
@pytest.mark.parametrize("size", [1.0, 1.78])
def test_people_whose_feet_are_guessed_tell_nothing(
    side: str, part: float, tells: bool, size: float
) -> None:
    joints = walking() * size
    uncertainty = np.full((60, 21), SURE * size)
    stature = 0.18 + 0.08 + 0.245 + 0.246  # of the bones from ankle to neck
    uncertainty[:, INDEX[f"{side}_ankle"]] = part * MOST_UNSURE * stature * size
    assert (down(joints, uncertainty) is not None) is tells


@pytest.mark.parametrize(("last", "tells"), [("ankle", True), ("shoulder", False)])
def test_a_clip_without_anybody_s_feet_tells_nothing(last: str, tells: bool) -> None:
    """Of a face and shoulders before a webcam the networks make somebody who stands."""
    scores = np.ones((1, 17))
    scores[:, NAMES.index(f"right_{last}") + 1 :] = 0
    body = [Poses.from_arrays(STANDING_PX[None], scores, image_size=(480, 640), timestamp_s=time)
            for time in np.arange(FEWEST) / 30]  # fmt: skip
    assert (gravity(lift(body)) is not None) is tells


def test_a_few_frames_tell_nothing() -> None:
    still = walking(stride=5)
    assert estimate(still[: FEWEST - 1]) is None
    assert estimate(still[:FEWEST]) is not None
    assert estimate(still[:0]) is None
    assert gravity([]) is None


def test_frames_without_anybody_do_not_count() -> None:
    joints, uncertainty = walking(), np.full((60, 21), SURE)
    joints[::2], uncertainty[::2] = np.nan, np.inf
    found, alone = down(joints, uncertainty), estimate(walking()[1::2])
    assert found is not None
    assert alone is not None
    assert_array_equal(found.down, alone.down)
    assert found.frames == alone.frames
    assert estimate(walking(), np.inf) is None


def test_people_who_move_more_spread_wider() -> None:
    random = np.random.default_rng(0)
    leans = random.normal(0, 15, 60)
    swaying = np.concatenate([walking(lean=float(lean))[:1] for lean in leans])
    still, wide = estimate(walking()), estimate(swaying)
    assert still is not None
    assert wide is not None
    assert wide.spread_deg > 2 * still.spread_deg


def test_everybody_in_the_clip_counts() -> None:
    seen, truth = tilted(walking(), 15, 5)
    people = seen.astype(np.float32).reshape(30, 2, 21, 3)
    clip = [Bodies(joints, np.full((2, 21), SURE, np.float32)) for joints in people]
    clip.append(Bodies(np.zeros((0, 21, 3), np.float32), np.zeros((0, 21), np.float32)))
    found = gravity(iter(clip))
    assert off(found, truth) < 2.5
    assert off(found, estimate(seen).down) < 0.1  # type: ignore[union-attr]


def bodies(joints: np.ndarray) -> Bodies:
    count = len(joints)
    spread = np.full((count, 21), SURE, np.float32)
    return Bodies(joints.astype(np.float32), spread, "m", np.arange(count), 3, 0.1)


def test_upright_undoes_the_tilt() -> None:
    seen, truth = tilted(walking(), 25, 0)
    turned = upright(bodies(seen), truth)
    assert_allclose(turned.joints, walking(), atol=1e-6)
    assert turned.joints.dtype == np.float32
    assert (turned.unit, turned.frame_index, turned.timestamp_s) == ("m", 3, 0.1)
    assert_array_equal(turned.ids, np.arange(60))


@given(st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda way: np.linalg.norm(way) > 0.01))
@settings(max_examples=25)
def test_upright_is_a_rotation_that_takes_the_direction_down(way: tuple[float, ...]) -> None:
    joints = np.random.default_rng(0).normal(size=(1, 21, 3))
    direction = np.array(way) / np.linalg.norm(way)
    joints[0, 0] = direction
    turned = upright(bodies(joints), np.array(way)).joints
    assert_allclose(turned[0, 0], DOWN, atol=1e-5)
    assert_allclose(turned[0] @ turned[0].T, joints[0] @ joints[0].T, atol=1e-4)
    assert np.linalg.det(turned[0, 1:4]) == pytest.approx(np.linalg.det(joints[0, 1:4]), abs=1e-4)


def test_what_is_level_stays_level() -> None:
    joints = np.zeros((1, 21, 3))
    joints[0, 0] = (1, 0, 0)
    assert_allclose(upright(bodies(joints), np.array([0, 1, 0.5])).joints, joints, atol=1e-6)


def test_a_camera_upside_down_is_turned_about_its_axis_to_the_right() -> None:
    turned = upright(bodies(walking()), np.array([0, -1.0, 0])).joints
    assert_allclose(turned, walking() * (1, -1, -1), atol=1e-6)


@pytest.mark.parametrize("direction", [np.zeros(3), np.full(3, np.nan), np.ones(2)])
def test_no_direction_is_an_error(direction: np.ndarray) -> None:
    with pytest.raises(ValueError, match="direction must be three numbers, not all 0"):
        upright(bodies(walking()), direction)
