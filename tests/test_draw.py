import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from movenet import draw as module
from movenet.draw import LEFT, MIDDLE, RIGHT, draw, line_width
from movenet.keypoints import EDGES, INDEX, MIRROR

BLACK = np.zeros((480, 640, 3), np.uint8)
STANDING = 4 * np.array(  # seen from the front: the person's left is on the right
    [
        *((80, 20), (83, 17), (77, 17), (87, 18), (73, 18), (95, 40), (65, 40), (105, 60)),
        *((55, 60), (108, 80), (52, 80), (90, 80), (70, 80), (92, 98), (68, 98), (93, 115)),
        (67, 115),
    ],
    np.float32,
)


def person(**points: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints (1, 17, 2) and scores (1, 17) of someone of whom only these points are seen."""
    keypoints, scores = np.zeros((1, 17, 2)), np.zeros((1, 17), np.float32)
    for name, at in points.items():
        keypoints[0, INDEX[name]], scores[0, INDEX[name]] = at, 1
    return keypoints, scores


def middle(image: np.ndarray) -> tuple[float, float]:
    """Where the light is, x and y; a pixel's light is at its centre."""
    light = image.astype(float).sum(-1)
    y, x = np.indices(light.shape) + 0.5
    return (x * light).sum() / light.sum(), (y * light).sum() / light.sum()


def coloured(image: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """x and y of the pixels that have exactly that colour."""
    return np.argwhere((image == colour).all(-1))[:, ::-1] + 0.5


def test_the_picture_is_not_written_and_a_new_one_is_returned():
    image = BLACK.copy()
    image.flags.writeable = False
    drawn = draw(image, STANDING[None], np.ones((1, 17)), boxes=[[9, 9, 99, 99]], ids=[1])
    assert not image.any()
    assert drawn.any()
    assert drawn.flags.writeable
    assert drawn.flags.c_contiguous


def test_nobody_gives_an_equal_copy():
    image = np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8)
    drawn = draw(image, np.zeros((0, 17, 2)), np.zeros((0, 17)), boxes=np.zeros((0, 4)), ids=[])
    assert drawn is not image
    np.testing.assert_array_equal(drawn, image)


def test_every_edge_and_keypoint_of_a_certain_person_is_drawn():
    drawn = draw(BLACK, STANDING[None], np.ones((1, 17)))
    for x, y in [*STANDING, *(STANDING[list(edge)].mean(0) for edge in EDGES)]:
        assert drawn[int(y), int(x)].max() > 100, (x, y)


def test_the_left_is_orange_and_the_right_blue_and_what_joins_them_white():
    drawn = draw(BLACK, STANDING[None], np.ones((1, 17)))
    assert (coloured(drawn, LEFT)[:, 0] > 320).all()
    assert (coloured(drawn, RIGHT)[:, 0] < 320).all()
    assert len(coloured(drawn, LEFT)) > 100
    for y in (160, 320):  # between the shoulders, between the hips
        assert ((np.abs(coloured(drawn, MIDDLE) - (320, y)) < 2).all(1)).any()
    assert LEFT[0] > LEFT[2]  # the picture is RGB: orange has more red than blue
    assert RIGHT[2] > RIGHT[0]


def test_swapping_left_and_right_swaps_the_colours():
    drawn = draw(BLACK, STANDING[None], np.ones((1, 17)))
    other = draw(BLACK, STANDING[None, list(MIRROR)], np.ones((1, 17)))
    knee = tuple(STANDING[INDEX["left_knee"]].astype(int)[::-1])
    assert tuple(drawn[knee]) == LEFT
    assert tuple(other[knee]) == RIGHT


@pytest.mark.parametrize("size", [(64, 64), (480, 640)])
@given(x=st.floats(0.3, 0.7), y=st.floats(0.3, 0.7))
@settings(max_examples=20, deadline=None)
def test_a_keypoint_is_drawn_where_it_is_within_a_quarter_of_a_pixel(size, x, y):
    at = x * size[1], y * size[0]
    drawn = draw(np.zeros((*size, 3), np.uint8), *person(nose=at))
    np.testing.assert_allclose(middle(drawn), at, atol=0.25)  # OpenCV: 0.213 at worst


@pytest.mark.parametrize("offset", [0, 0.25, 0.5, 0.75])
def test_a_line_runs_between_its_ends_within_a_fifth_of_a_pixel(offset):
    ends = {"left_hip": (40 + offset, 30 + offset), "left_knee": (100 + offset, 70 + offset)}
    for image in (BLACK, np.zeros((1200, 1600, 3), np.uint8)):
        drawn = draw(image, *person(**ends))
        np.testing.assert_allclose(middle(drawn), (70 + offset, 50 + offset), atol=0.2)


def test_a_pose_moved_by_whole_pixels_gives_the_drawing_moved():
    drawn = draw(BLACK, STANDING[None], np.ones((1, 17)))
    moved = draw(BLACK, STANDING[None] + (3, -5), np.ones((1, 17)))
    np.testing.assert_array_equal(moved[10:400, 100:500], drawn[15:405, 97:497])


def test_only_what_is_over_the_threshold_is_drawn_and_an_edge_needs_both_ends():
    keypoints, scores = person(left_shoulder=(40, 60), left_elbow=(120, 60))
    scores[0, INDEX["left_elbow"]] = 0.3
    drawn = draw(BLACK, keypoints, scores)
    assert drawn[60, 40].any()
    assert not drawn[60, 80].any()
    assert not drawn[60, 120].any()
    drawn = draw(BLACK, keypoints, scores, keypoint_threshold=0.2)
    assert drawn[60, 80].any()
    assert drawn[60, 120].any()


@pytest.mark.parametrize("ground", [0, 128, 255, LEFT, RIGHT, MIDDLE])
def test_lines_stand_out_from_any_ground(ground):
    image = np.empty_like(BLACK)
    image[:] = ground
    drawn = draw(image, STANDING[None], np.ones((1, 17)))
    for x, y in STANDING[[INDEX["left_elbow"], INDEX["right_elbow"]]].astype(int):
        near = np.abs(drawn[y - 4 : y + 5, x - 4 : x + 5].astype(int) - image[0, 0])
        assert near.max() > 90


def test_a_white_keypoint_on_white_has_a_dark_rim():
    drawn = draw(BLACK + np.uint8(255), *person(nose=(80, 60)))
    assert drawn.min() < 60


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [(1, 1, 1), (64, 64, 1), (480, 640, 2), (1080, 1920, 6), (3000, 4000, 14), (8000, 8000, 33)],
)
def test_lines_are_wider_on_larger_pictures(height, width, expected):
    assert line_width(height, width) == expected


@pytest.mark.parametrize("size", [240, 1200, 4800])
def test_a_drawing_covers_the_same_share_of_pictures_of_all_sizes(size):
    drawn = draw(np.zeros((size, size, 3), np.uint8), STANDING[None] * size / 640, np.ones((1, 17)))
    assert 0.01 < (drawn.max(-1) > 99).mean() < 0.03


# ---------------------------------------------------------------- out of the picture

coordinates = st.one_of(
    st.floats(-300, 400),
    st.floats(width=32),  # with infinities and not a number
    st.sampled_from([1e9, -1e9, 3.4e38, -3.4e38, 134217728.0, -134217729.0]),
)


@given(
    st.lists(coordinates, min_size=34, max_size=34), st.lists(coordinates, min_size=4, max_size=4)
)
@settings(max_examples=100, deadline=None)
def test_no_coordinate_is_too_far(values, box):
    keypoints = np.array(values, np.float64).reshape(1, 17, 2).astype(np.float32)
    boxes = np.array([box], np.float64).astype(np.float32)
    drawn = draw(BLACK, keypoints, np.ones((1, 17)), boxes=boxes, ids=[7])
    assert drawn.shape == BLACK.shape


def test_far_coordinates_take_no_longer_than_near_ones():
    keypoints = np.full((1, 17, 2), -3e8, np.float32)
    keypoints[0, ::2] *= -1
    started = time.perf_counter()
    draw(BLACK, keypoints, np.ones((1, 17)))
    assert time.perf_counter() - started < 0.5


@pytest.mark.parametrize("reach", [950, 1e4, 1e6, 1e8])
def test_a_line_that_leaves_the_picture_keeps_its_direction(reach):
    start = np.array([40.0, 30.0])
    near, far = start + np.multiply(900, (1, 0.5)), start + np.multiply(reach, (1, 0.5))
    expected = draw(BLACK, *person(left_hip=tuple(start), left_knee=tuple(near)))
    drawn = draw(BLACK, *person(left_hip=tuple(start), left_knee=tuple(far)))
    assert np.abs(drawn.astype(int) - expected).max() <= 40  # from 1/16 pixel at the far end


@pytest.mark.parametrize("reach", [1e5, 1e9, 3e38])
def test_a_line_between_two_ends_outside_crosses_the_picture(reach):
    drawn = draw(BLACK, *person(left_hip=(-reach, 60.5), left_knee=(reach, 60.5)))
    assert (np.abs(drawn[60].astype(int) - LEFT) < 30).all()
    assert not draw(BLACK, *person(left_hip=(-reach, -9), left_knee=(reach, -9))).any()


@pytest.mark.parametrize("nowhere", [np.inf, -np.inf, np.nan])
def test_no_line_leads_to_a_keypoint_that_is_nowhere(nowhere):
    lone = draw(BLACK, *person(left_hip=(40, 30)))
    drawn = draw(BLACK, *person(left_hip=(40, 30), left_knee=(nowhere, 30)))
    np.testing.assert_array_equal(drawn, lone)


# ---------------------------------------------------------------- boxes and ids


def test_a_box_is_a_thin_rectangle_on_its_coordinates():
    drawn = draw(BLACK, *person(), boxes=np.array([[20.5, 30.5, 120.5, 90.5]]))
    for at in ((30, 60), (90, 60), (60, 20), (60, 120)):
        assert drawn[at].min() > 200
    np.testing.assert_allclose(middle(drawn), (70.5, 60.5), atol=0.1)
    assert not drawn[35:86, 25:116].any()


def test_a_box_that_is_not_finite_is_left_out():
    box = np.array([[20, np.nan, 120, 90]])
    assert not draw(BLACK, *person(), boxes=box, ids=[7]).any()
    assert abs(changed([7], box, nose=(80, 60))[:, 0].mean() - 80) < 2  # the id is over the head


def changed(ids: list[int], boxes: object = None, **points: tuple[float, float]) -> np.ndarray:
    """x and y of the pixels that an id changes."""
    without = draw(BLACK, *person(**points), boxes=boxes)
    return np.argwhere((draw(BLACK, *person(**points), boxes=boxes, ids=ids) != without).any(-1))[
        :, ::-1
    ]


def test_an_id_stands_over_the_head_or_the_box():
    over_head = changed([7], nose=(80, 60), left_hip=(80, 110))
    assert over_head[:, 1].max() < 60
    assert over_head[:, 1].min() > 60 - 30
    assert abs(over_head[:, 0].mean() - 80) < 2
    over_box = changed([7], [[20, 50, 60, 110]], nose=(80, 60))
    assert over_box[:, 1].max() < 50
    assert abs(over_box[:, 0].mean() - 40) < 2


@pytest.mark.parametrize("nose", [(0, 0), (639, 2), (80, 0), (2, 479), (-50, -50), (1e9, 60)])
def test_an_id_stays_whole_inside_the_picture(nose):
    sizes = [np.ptp(changed([1234], nose=at), axis=0) for at in ((80, 60), nose)]
    np.testing.assert_array_equal(*sizes)


@pytest.mark.parametrize("box", [None, [[40, 0, 120, 110]]])
@pytest.mark.parametrize("x", [80, 560, 630])
def test_at_the_top_an_id_stands_beside_the_keypoints_and_hides_none(x, box):
    points = {"nose": (x, 8), "left_eye": (x + 8, 3), "right_wrist": (x - 20, 12)}
    label = changed([7], box, **points, left_hip=(x, 110))
    assert label[:, 1].min() < 5
    for at in points.values():
        assert np.abs(label - at).max(1).min() > 3
    nearest_px = min(abs(label[:, 0] - (x + 8)).min(), abs(label[:, 0] - (x - 20)).min())
    assert nearest_px < 12


def test_an_id_can_be_read_though_somebody_stands_before_it():
    keypoints = np.concatenate(
        [person(left_shoulder=(60, 48), right_shoulder=(100, 48))[0], person(nose=(80, 60))[0]]
    )
    scores = np.concatenate(
        [person(left_shoulder=(0, 0), right_shoulder=(0, 0))[1], person(nose=(0, 0))[1]]
    )
    alone = draw(BLACK, *person(nose=(80, 60)), ids=[7])
    at = changed([7], nose=(80, 60))
    both = draw(BLACK, keypoints, scores, ids=[4, 7])
    np.testing.assert_array_equal(both[at[:, 1], at[:, 0]], alone[at[:, 1], at[:, 0]])


def test_who_shows_no_keypoint_and_has_no_box_has_no_label():
    assert not len(changed([7]))


def test_different_ids_give_different_labels():
    labels = {draw(BLACK, *person(nose=(80, 60)), ids=[i]).tobytes() for i in (0, 1, 17, 123456)}
    assert len(labels) == 4


# ---------------------------------------------------------------- several people, other inputs


def test_the_first_person_is_on_top():
    keypoints = np.concatenate([person(nose=(80, 60))[0], person(left_eye=(80, 60))[0]])
    scores = np.concatenate([person(nose=(0, 0))[1], person(left_eye=(0, 0))[1]])
    assert tuple(draw(BLACK, keypoints, scores)[60, 80]) == MIDDLE
    assert tuple(draw(BLACK, keypoints[::-1], scores[::-1])[60, 80]) == LEFT


def test_mirrored_views_and_other_floats_are_drawn_as_well():
    expected = draw(BLACK, STANDING[None], np.ones((1, 17)))
    view = np.zeros((480, 1280, 3), np.uint8)[:, ::-2]
    for kind in (np.float16, np.float64):
        drawn = draw(view, STANDING[None].astype(kind), np.ones((1, 17), kind))
        np.testing.assert_array_equal(drawn, expected)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"image": BLACK[..., 0]}, "image: expected (H, W, 3) uint8, got (480, 640) uint8"),
        (
            {"image": BLACK.astype(float)},
            "image: expected (H, W, 3) uint8, got (480, 640, 3) float64",
        ),
        ({"image": BLACK[:0]}, "image: expected (H, W, 3) uint8, got (0, 640, 3) uint8"),
        ({"keypoints": STANDING}, "keypoints: expected (17, 17, 2), got (17, 2)"),
        ({"keypoint_scores": np.ones(17)}, "keypoint_scores: expected (1, 17), got (17,)"),
        ({"boxes": np.ones((2, 4))}, "boxes: expected (1, 4), got (2, 4)"),
        ({"ids": np.ones(2)}, "ids: expected (1,), got (2,)"),
    ],
)
def test_a_wrong_shape_is_refused_with_both_shapes(change, expected):
    right = {"image": BLACK, "keypoints": STANDING[None], "keypoint_scores": np.ones((1, 17))}
    with pytest.raises(ValueError, match="expected") as caught:
        draw(**(right | change))
    assert str(caught.value) == expected


def test_importing_draw_imports_no_torch_and_no_poses():
    code = "import sys, movenet.draw; sys.exit(bool({'torch', 'movenet.poses'} & {*sys.modules}))"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_the_colours_are_of_the_same_number_as_the_edges():
    assert len(module._EDGE_COLOURS) == len(EDGES) == 18
