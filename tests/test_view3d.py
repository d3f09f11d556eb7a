import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from movenet import stage, view3d
from movenet.lifting.bodies import METRES, Bodies
from movenet.lifting.joints import EDGES, INDEX, MIRROR, NAMES
from movenet.stage import Camera
from movenet.view3d import View3D, beside

SQUARE = (360, 360)
FRONT = Camera(SQUARE, 0, 0, 1)
TARGET = np.array([0, -stage._TARGET, 0])
azimuths, elevations = st.floats(-360, 360), st.floats(-90, 90)


def walking(phase: float = 1.0, *, yaw_deg: float = 0, arms: float = 0.2) -> np.ndarray:
    """Joints (21, 3) of someone who walks, at yaw 0 towards the camera; arms: lifted sideways.

    Lengths after Drillis and Contini 1966, as in Winter's Biomechanics, figure 4.1.
    """
    yaw = math.radians(yaw_deg)
    ahead, up = np.array([math.sin(yaw), 0, -math.cos(yaw)]), np.array([0.0, -1, 0])
    left = np.array([math.cos(yaw), 0, math.sin(yaw)])  # at yaw 0 on the picture's right
    at = {"pelvis": 0 * up, "spine": 0.12 * up, "neck": 0.3 * up, "head": 0.47 * up}
    at["nose"] = 0.385 * up + 0.075 * ahead
    for name, out, start in (("left", left, phase), ("right", -left, phase + math.pi)):
        swing, bend = 0.42 * math.sin(start) + 0.08, 0.15 + 0.85 * max(0, math.cos(start)) ** 2
        hip, shoulder = 0.06 * out, 0.285 * up + 0.129 * out
        knee = hip + 0.245 * (math.sin(swing) * ahead - math.cos(swing) * up)
        shank = math.sin(swing - bend) * ahead - math.cos(swing - bend) * up
        arm = math.sin(arms) * out - math.cos(arms) * (up + 0.5 * math.sin(start) * ahead)
        arm /= np.linalg.norm(arm)
        rows = {"hip": hip, "knee": knee, "ankle": knee + 0.246 * shank, "shoulder": shoulder}
        rows |= {"elbow": shoulder + 0.186 * arm, "wrist": shoulder + 0.332 * arm}
        rows |= {"eye": 0.4 * up + 0.07 * ahead + 0.02 * out, "ear": 0.39 * up + 0.045 * out}
        at |= {f"{name}_{joint}": point for joint, point in rows.items()}
    return np.array([at[name] for name in NAMES])


def bodies(*people: np.ndarray, spread: float = 0, ids: list[int] | None = None) -> Bodies:
    joints = np.array(people, np.float32).reshape(-1, 21, 3)
    numbers = None if ids is None else np.array(ids)
    return Bodies(joints, np.full(joints.shape[:2], spread, np.float32), ids=numbers)


def only(**points: tuple[float, float, float]) -> np.ndarray:
    """Joints (21, 3) of someone of whom nothing else is known."""
    joints = np.full((21, 3), np.nan)
    for name, at in points.items():
        joints[INDEX[name]] = at
    return joints


def turned(joints: np.ndarray, angle_deg: float) -> np.ndarray:
    """Joints turned about y, so that what was farther away comes to the right."""
    cos, sin = math.cos(math.radians(angle_deg)), math.sin(math.radians(angle_deg))
    return joints @ np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]])


def drawn(*people: np.ndarray, size: tuple[int, int] = SQUARE, **view: float) -> np.ndarray:
    return View3D(size, **view).draw(bodies(*people))


def side(picture: np.ndarray) -> np.ndarray:
    """(H, W): -1 where it is orange, 1 where it is blue, 0 for greys."""
    blue = picture[..., 2].astype(int) - picture[..., 0]
    return np.where(np.abs(blue) > 40, np.sign(blue), 0)


def inked(picture: np.ndarray) -> np.ndarray:
    """(H, W): what belongs to a body, neither its shadow nor the floor."""
    return (side(picture) != 0) | (picture.min(-1) > 125)


EMPTY, EMPTY_30 = drawn(), drawn(elevation_deg=30)


# ---------------------------------------------------------------- the camera


@given(azimuths, elevations, st.floats(-1, 1))
def test_the_optical_axis_is_in_the_middle_and_nearer_is_larger(azimuth, elevation, nearer):
    camera = Camera((480, 640), azimuth, elevation, 1)
    a, e = math.radians(azimuth), math.radians(elevation)
    # Towards the camera: at azimuth 0 it stands at -z, at 90 at +x, and up is -y.
    axis = np.array([math.sin(a) * math.cos(e), -math.sin(e), -math.cos(a) * math.cos(e)])
    x, y, scale = camera.see(TARGET + nearer * axis)
    np.testing.assert_allclose((x, y), (320, 240), atol=1e-6)
    assert scale == pytest.approx(camera.focal_px / (camera.distance - nearer))


def test_azimuth_0_has_the_bodies_axes_and_90_shows_depth_from_left_to_right():
    def see(azimuth: float, *offset: float) -> np.ndarray:
        return Camera(SQUARE, azimuth, 0, 1).see(TARGET + 0.3 * np.array(offset))

    middle = see(0, 0, 0, 0)
    step = np.array([0.3 * middle[2], 0, 0])
    np.testing.assert_allclose(see(0, 1, 0, 0) - middle, step, atol=1e-9)
    np.testing.assert_allclose(see(0, 0, 1, 0) - middle, step[[1, 0, 2]], atol=1e-9)
    np.testing.assert_allclose(see(90, 0, 0, 1) - middle, step, atol=1e-9)
    assert see(0, 0, 0, 1)[2] < middle[2] < see(90, 1, 0, 0)[2]


def test_from_above_what_is_farther_away_is_higher_in_the_picture():
    near, far = Camera(SQUARE, 0, 30, 1).see(np.array([[0, 0, -0.4], [0, 0, 0.4]]))
    assert far[1] < near[1]
    assert far[2] < near[2]


@given(azimuths, st.integers(1, 7), st.sampled_from([(480, 480), (720, 960), (300, 1000)]))
def test_whoever_stands_in_a_row_is_seen_whole(azimuth, places, size):
    camera = Camera(size, azimuth, 15, places)
    reach = walking(arms=math.pi / 2)
    reach[:, 1] -= reach[:, 1].max()
    for place in (-(places - 1) / 2, (places - 1) / 2):
        xy = camera.see(reach, place)[:, :2]
        assert (xy > 0).all()
        assert (xy < size[::-1]).all()


def test_what_is_behind_the_camera_is_not_turned_upside_down():
    x, y, scale = Camera(SQUARE, 0, 0, 1).see(TARGET + np.array([0.1, -0.1, -9]))
    assert x > 180 > y
    assert scale > 0


def test_turning_adds_up_goes_round_and_stops_overhead():
    view = View3D(SQUARE, azimuth_deg=350, elevation_deg=20)
    before = view.draw(bodies(walking()))
    view.turn(30, 25)
    assert (view.azimuth_deg, view.elevation_deg) == (20, 45)
    after = view.draw(bodies(walking()))
    assert (before != after).any()
    np.testing.assert_array_equal(after, drawn(walking(), azimuth_deg=20, elevation_deg=45))
    view.turn(0, 100)
    assert view.elevation_deg == 90
    view.turn(0, -300)
    assert view.elevation_deg == -90


# ---------------------------------------------------------------- one body


@pytest.mark.parametrize("azimuth", [0, 35, 180])
def test_bones_are_where_the_camera_sees_them_in_the_colour_of_their_side(azimuth):
    joints = walking(arms=1.0)
    picture = side(drawn(joints, azimuth_deg=azimuth, elevation_deg=0))
    joints[:, 1] -= joints[INDEX["left_ankle"] : INDEX["right_ankle"] + 1, 1].max() + 0.019
    for name in ("left_wrist", "right_wrist"):
        elbow = joints[INDEX[name.replace("wrist", "elbow")]]
        camera = Camera(SQUARE, azimuth, 0, 1)
        x, y, _ = camera.see((joints[INDEX[name]] + elbow) / 2)
        assert picture[int(y), int(x)] == (-1 if name.startswith("left") else 1)


def test_left_and_right_change_places_at_azimuth_180_and_in_the_mirror():
    joints = walking(arms=1.0)

    def middles(picture: np.ndarray) -> tuple[float, float]:
        left, right = (np.argwhere(side(picture) == sign)[:, 1].mean() for sign in (-1, 1))
        return left, right

    left, right = middles(drawn(joints))
    assert right + 20 < 180 < left - 20  # facing the camera
    left, right = middles(drawn(joints, azimuth_deg=180))
    assert left + 20 < 180 < right - 20
    left, right = middles(drawn(joints[list(MIRROR)]))
    assert left + 20 < 180 < right - 20


@given(yaw=azimuths, phase=st.floats(0, 6))
@settings(max_examples=15, deadline=None)
def test_a_quarter_turn_of_the_camera_is_one_of_the_body(yaw, phase):
    joints = walking(phase, yaw_deg=yaw)
    moved = drawn(joints, azimuth_deg=90).astype(int)
    # Sixteenths of a pixel may be rounded otherwise, and equal depths be sorted otherwise.
    assert (np.abs(moved - drawn(turned(joints, 90))).max(-1) > 40).mean() < 1e-3


@pytest.mark.parametrize(("depth", "on_top"), [(-0.2, -1), (0.2, 1)])
def test_the_nearer_limb_covers_the_farther_one(depth, on_top):
    crossed = only(
        left_elbow=(-0.2, -0.2, depth),
        left_wrist=(0.2, 0.2, depth),
        right_elbow=(0.2, -0.2, -depth),
        right_wrist=(-0.2, 0.2, -depth),
        left_ankle=(0, 0.5, 0),
    )
    crossed[INDEX["left_ankle"], 1] = 0.56 - 0.019  # the crossing is on the optical axis
    for azimuth, expected in ((0, on_top), (180, -on_top)):
        picture = side(drawn(crossed, azimuth_deg=azimuth, elevation_deg=0))
        assert picture[180, 180] == expected


def test_what_is_nearer_is_thicker_and_brighter():
    def bar(depth: float) -> np.ndarray:
        ends = {"left_elbow": (-0.3, 0.0, depth), "left_wrist": (0.3, 0.0, depth)}
        return drawn(only(**ends), elevation_deg=0)[:, 180]

    near, far = bar(-0.4), bar(0.4)
    assert (side(near) != 0).sum() > (side(far) != 0).sum()
    assert near.max() > 1.2 * far.max()


def test_a_limb_is_as_thick_at_its_ends_as_the_body_is_there():
    thigh = only(left_hip=(-0.15, 0, 0), left_knee=(0.15, 0, 0))
    picture = side(drawn(thigh, size=(960, 960), elevation_deg=0)) != 0
    hip, knee = (Camera((960, 960), 0, 0, 1).see(np.array([x, 0, 0])) for x in (-0.15, 0.15))
    scale = hip[2]
    for (x, _, _), radius in ((hip, 0.034), (knee, 0.027)):
        assert picture[:, int(x)].sum() == pytest.approx(2 * radius * scale, abs=3)
    assert picture.any(0).sum() == pytest.approx((0.3 + 0.034 + 0.027) * scale, abs=3)


@given(st.lists(st.floats(-9, 9), min_size=4, max_size=4), st.tuples(*[st.floats(0.1, 5)] * 2))
def test_the_outline_of_a_limb_is_the_convex_hull_of_two_discs(ends, radii):
    centres = np.array(ends).reshape(2, 2)
    outline = view3d._capsules(centres, np.array(radii))
    angles = np.linspace(0, 2 * math.pi, 60)
    rays = np.stack([np.cos(angles), np.sin(angles)])
    reach = (centres @ rays + np.array(radii)[:, None]).max(0)  # the hull's, in every direction
    short = reach - (outline @ rays).max(0)
    step = math.pi / (view3d._ARC - 1)  # half of the widest between two points of an arc
    assert (short > -1e-6).all()
    assert (short < max(radii) * (1 - math.cos(step)) + 1e-6).all()
    away = np.linalg.norm(outline[:, None] - centres, axis=-1)  # from both centres
    assert (away > np.array(radii) - 1e-6).all()
    along = np.roll(outline, -1, 0) - outline
    onwards = np.roll(along, -1, 0)
    turn = along[:, 0] * onwards[:, 1] - along[:, 1] * onwards[:, 0]
    assert (turn > -1e-6).all()  # always to the same hand: convex


def test_a_shadow_lies_on_the_floor_right_below():
    lifted = only(left_elbow=(-0.3, -0.5, 0.2), left_wrist=(0.3, -0.5, 0.2), nose=(0, 0.5, 0))
    picture = drawn(lifted, elevation_deg=30).astype(int)
    xy = np.argwhere((picture - EMPTY_30 < -5).all(-1) & (picture.max(-1) < 30))[:, ::-1] + 0.5
    below = xy[xy[:, 1] > 180]
    x, y, scale = Camera(SQUARE, 0, 30, 1).see(np.array([0, 0, 0.2]))
    np.testing.assert_allclose(below.mean(0), (x, y), atol=3)  # the elbow is the thicker end
    assert np.ptp(below[:, 0]) == pytest.approx(0.64 * scale, abs=4)


@pytest.mark.parametrize("phase", [0, 1, 2.5])
@pytest.mark.parametrize("bent", [False, True])
def test_the_floor_is_right_under_the_lowest_foot(phase, bent):
    joints = walking(phase)
    if bent:
        joints[[INDEX[f"{name}_ankle"] for name in ("left", "right")], 1] -= 0.2
    rows = np.flatnonzero((side(drawn(joints, elevation_deg=0)) != 0).any(1))
    lowest = max(INDEX["left_ankle"], INDEX["right_ankle"], key=lambda joint: joints[joint, 1])
    _, y, _ = FRONT.see(joints[lowest] * (1, 0, 1))
    assert abs(rows.max() + 0.5 - y) < 3


def test_the_floor_stays_where_it_is_whatever_somebody_does():
    view = View3D(SQUARE)
    for phase in range(3):
        picture = view.draw(bodies(walking(phase)))
        for part in (np.s_[:, :90], np.s_[:, 270:], np.s_[340:]):
            np.testing.assert_array_equal(picture[part], EMPTY[part])


def test_the_head_is_a_ball_whose_face_is_seen_from_the_front_alone():
    joints = walking()
    joints[:, 1] -= joints[:, 1].max() + 0.019
    ball = joints[INDEX["head"]] + np.array([0, 0.062, 0])
    x, y, scale = FRONT.see(ball)
    front, back = (drawn(joints, azimuth_deg=a, elevation_deg=0) for a in (0, 180))
    for picture, faces in ((front, True), (back, False)):
        across = picture[int(y)].max(-1) > 125
        assert across.sum() == pytest.approx(2 * 0.062 * scale, abs=5)
        face = picture[int(y) : int(y + 0.04 * scale), int(x - 8) : int(x + 8)]
        assert (face.max(-1) < 60).any() == faces


def test_uncertain_joints_are_paler_and_thinner_and_still_there():
    pictures = [
        View3D(SQUARE).draw(bodies(walking(), spread=spread))
        for spread in (0, 0.05, 0.15, np.inf, np.nan)
    ]
    areas = [int(((p != EMPTY).any(-1) & (p.max(-1) > 50)).sum()) for p in pictures]
    lights = [int(p.max()) for p in pictures]
    assert areas[:4] == sorted(set(areas), reverse=True)
    assert lights[:4] == sorted(set(lights), reverse=True)
    assert areas[3] > 0.2 * areas[0]
    np.testing.assert_array_equal(pictures[3], pictures[4])  # nothing is known of either


def test_of_an_unknown_limb_two_fifths_of_the_thickness_are_left():
    forearm = only(left_elbow=(-0.2, 0, 0), left_wrist=(0.2, 0, 0))
    thick = []
    for spread in (0, 1e9):
        column = View3D((960, 960)).draw(bodies(forearm, spread=spread))[:, 480].astype(int)
        thick.append((column[:, 0] > column[:, 2] + 15).sum())  # orange, however pale
    assert thick[1] == pytest.approx(0.4 * thick[0], abs=2)


def test_one_uncertain_wrist_leaves_the_other_forearm_as_it_was():
    sure, unsure = bodies(walking(arms=1.2)), bodies(walking(arms=1.2))
    unsure.uncertainty[0, INDEX["left_wrist"]] = np.inf
    changed = (View3D(SQUARE).draw(sure) != View3D(SQUARE).draw(unsure)).any(-1)
    assert changed[:, 180:].any()
    assert not changed[:, :180].any()


def test_metres_are_shown_as_body_heights_of_1_70():
    joints = walking()
    metres = Bodies(np.float32(1.7 * joints[None]), np.full((1, 21), 0.17, np.float32), METRES)
    heights = bodies(joints, spread=0.1)
    difference = View3D(SQUARE).draw(metres).astype(int) - View3D(SQUARE).draw(heights)
    assert np.abs(difference).max() < 40


# ---------------------------------------------------------------- nobody, and half a body


def test_nobody_and_somebody_of_whom_nothing_is_known_give_the_empty_scene():
    for absent in (bodies(), bodies(only()), bodies(only(), only(), ids=[3, 4])):
        np.testing.assert_array_equal(View3D(SQUARE).draw(absent), EMPTY)
    assert EMPTY.min() < 60  # and it shows a floor
    assert EMPTY.max() > 80
    with_ghost = View3D(SQUARE).draw(bodies(only(), walking(), ids=[1, 2]))
    np.testing.assert_array_equal(with_ghost, View3D(SQUARE).draw(bodies(walking(), ids=[2])))


@pytest.mark.parametrize("nowhere", [np.nan, np.inf, -np.inf])
def test_a_joint_that_is_nowhere_takes_only_its_own_limbs_along(nowhere):
    whole = walking(arms=1.2)
    for name in NAMES:
        joints = whole.copy()
        joints[INDEX[name], 1] = nowhere
        assert inked(drawn(joints)).sum() > 0.6 * inked(drawn(whole)).sum(), name
    joints = whole.copy()
    joints[INDEX["left_wrist"]] = nowhere
    changed = (drawn(joints) != drawn(whole)).any(-1)
    assert changed[:, 180:].any()
    assert not changed[:, :180].any()


coordinates = st.one_of(st.floats(-2, 2), st.floats(width=32))


@given(st.lists(coordinates, min_size=63, max_size=63), azimuths, elevations)
@settings(max_examples=60, deadline=None)
def test_no_joint_is_too_far(values, azimuth, elevation):
    joints = np.array(values).reshape(21, 3).astype(np.float32)
    picture = drawn(joints, size=(90, 120), azimuth_deg=azimuth, elevation_deg=elevation)
    assert picture.shape == (90, 120, 3)


# ---------------------------------------------------------------- several people


@pytest.mark.parametrize("azimuth", [0, 60, 90, 200])
@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_people_stand_side_by_side_whatever_the_side_they_are_seen_from(count, azimuth):
    crowd = [walking(k, yaw_deg=70 * k, arms=1.5) for k in range(count)]
    picture = drawn(*crowd, size=(400, 1200), azimuth_deg=azimuth)
    between = np.diff(np.flatnonzero(inked(picture).any(0)))
    assert (between > 8).sum() == count - 1  # the rims between two limbs are narrower


def test_the_order_of_the_people_does_not_matter_once_they_have_their_places():
    view = View3D((240, 480))
    a, b = walking(0, arms=1.0), walking(2, yaw_deg=90)
    first = view.draw(bodies(a, b, ids=[5, 9]))
    np.testing.assert_array_equal(view.draw(bodies(b, a, ids=[9, 5])), first)


def test_a_place_is_kept_for_30_pictures_and_the_newest_stands_at_the_right():
    view, both = View3D((240, 480)), bodies(walking(), walking(), ids=[5, 9])

    def where(people: Bodies) -> list[bool]:
        """Whether there is somebody in the left, and in the right half."""
        picture = inked(view.draw(people))
        return [bool(picture[:, :200].any()), bool(picture[:, 280:].any())]

    assert where(both) == [True, True]
    for _ in range(30):
        assert where(both[1]) == [False, True]
    alone = view.draw(both[1])
    np.testing.assert_array_equal(alone, View3D((240, 480)).draw(both[1]))
    assert where(both[0]) == [False, True]  # came back: as a new one, beside 9
    view.draw(both)
    for _ in range(40):  # whoever is seen all the time stays
        assert where(both) == [True, True]


def test_ids_stand_over_the_heads_and_everybody_has_the_own_one():
    plain = View3D((400, 800)).draw(bodies(walking(), walking(1)))
    labelled = View3D((400, 800)).draw(bodies(walking(), walking(1), ids=[3, 14]))
    rows, columns = np.nonzero((plain != labelled).any(-1))
    assert rows.max() < np.flatnonzero(inked(plain).any(1)).min()
    assert (columns < 400).sum() < 0.8 * (columns >= 400).sum()  # two figures are wider than one
    for half, place in ((columns < 400, -0.5), (columns >= 400, 0.5)):
        x, _, _ = Camera((400, 800), 0, 0, 2).see(TARGET, place)
        assert abs((columns[half].min() + columns[half].max() + 1) / 2 - x) < 6


# ---------------------------------------------------------------- pictures


@pytest.mark.parametrize("size", [(480, 480), (720, 960), (97, 31), (2, 2)])
def test_a_picture_has_the_size_that_was_asked_for(size):
    picture = View3D(size).draw(bodies(walking(), ids=[1]))
    assert picture.shape == (*size, 3)
    assert picture.dtype == np.uint8
    assert picture.flags.c_contiguous


def test_a_body_covers_the_same_share_of_pictures_of_all_sizes():
    shares = [inked(drawn(walking(), size=(size, size))).mean() for size in (240, 480, 960)]
    assert max(shares) < 1.2 * min(shares)
    assert min(shares) > 0.05


def test_a_size_without_pixels_is_an_error():
    with pytest.raises(ValueError, match=r"size: expected .* 2 or more, got \(0, 480\)"):
        View3D((0, 480))


def test_every_picture_is_a_new_one_and_bodies_are_not_written():
    people, view = bodies(walking(), ids=[1]), View3D(SQUARE)
    for array in (people.joints, people.uncertainty):
        array.flags.writeable = False
    first = view.draw(people)
    expected = first.copy()
    first[:] = 0
    np.testing.assert_array_equal(view.draw(people), expected)


@pytest.mark.parametrize("view_size", [(480, 480), (481, 333), (720, 960), (2, 3)])
@pytest.mark.parametrize("picture_size", [(480, 640), (1080, 1921), (37, 91), (1, 1)])
def test_beside_has_one_height_and_even_sides(view_size, picture_size):
    picture, view = np.full((*picture_size, 3), 200, np.uint8), drawn(walking(), size=view_size)
    both = beside(picture, view)
    height, width = view_size[0] // 2 * 2, view_size[1] // 2 * 2
    assert both.shape[0] == height
    assert both.shape[1] % 2 == 0
    left = both.shape[1] - width
    np.testing.assert_array_equal(both[:, left:], view[:height, :width])
    assert (both[:, :left] == 200).all()
    assert abs(left - picture_size[1] * height / picture_size[0]) <= 1


def test_beside_a_view_of_its_own_height_a_picture_stays_as_it_is():
    picture = np.random.default_rng(0).integers(0, 256, (360, 200, 3), np.uint8)
    np.testing.assert_array_equal(beside(picture, EMPTY)[:, :200], picture)


def test_the_limbs_that_are_drawn_are_fifteen_and_none_of_the_face():
    assert len(EDGES) == 15
    assert not {joint for edge in EDGES for joint in edge} & set(range(5))


def test_a_limb_is_as_pale_as_its_more_uncertain_end():
    forearm = only(left_elbow=(-0.2, 0, 0), left_wrist=(0.2, 0, 0))

    def light(elbow: float, wrist: float) -> int:
        there = bodies(forearm)
        there.uncertainty[0, INDEX["left_elbow"]] = elbow
        there.uncertainty[0, INDEX["left_wrist"]] = wrist
        return int(View3D(SQUARE).draw(there)[:, SQUARE[0] // 2].max())

    assert light(0, 0.16) == light(0.16, 0.16) < light(0.08, 0.08)


def test_every_bone_is_drawn():
    joints = walking(arms=1.0)
    whole = inked(drawn(joints)).sum()
    for child, parent in EDGES:
        part = only(**{NAMES[joint]: tuple(joints[joint]) for joint in (child, parent)})
        assert 20 < inked(drawn(part)).sum() < whole
