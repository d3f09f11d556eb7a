"""Where one person is looked for next, and where when they are lost."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from movenet import Poses
from movenet.crop import CropRegion
from movenet.follower import AS_LARGE, MARGIN, SCALE, Follower, parts, steady
from movenet.specs import SPECS

SHAPES = SPECS["lightning"].shapes
SIDE = 192
STANDING = np.array([[100 + 10 * (i % 3), 100 + 10 * i] for i in range(17)], float)  # 20 x 160 px


def poses(
    points: np.ndarray | None, size: tuple[int, int] = (360, 640), score: float = 0.9
) -> Poses:
    """One person or nobody."""
    points = np.zeros((0, 17, 2)) if points is None else points[None]
    return Poses.from_arrays(points, np.full((len(points), 17), score), image_size=size)


def middle(region: CropRegion | None) -> list[float]:
    assert region is not None
    return [float(value) for value in region.to_image(np.array([0.5, 0.5]))]


def test_it_begins_with_the_whole_picture_and_goes_on_around_the_person() -> None:
    follower = Follower("person", SHAPES, SIDE)
    assert follower.region is None
    follower.update(poses(STANDING))
    assert middle(follower.region) == pytest.approx([110, 180])
    assert follower.region is not None
    assert follower.region.shape == (192, 96)  # a standing person takes half of the square
    assert follower.region.step_y == pytest.approx(MARGIN * 160 / 192)


def test_googles_square_is_a_choice() -> None:
    follower = Follower("google", SHAPES, SIDE)
    follower.update(poses(STANDING))
    expected = CropRegion.following(STANDING, np.ones(17), (360, 640), SIDE)
    assert follower.region == expected


def test_keypoints_that_hardly_count_do_not_widen_the_crop() -> None:
    wide = poses(STANDING)
    wide.keypoints[0, 9], wide.keypoint_scores[0, 9] = (600, 10), 0.1
    follower = Follower("person", SHAPES, SIDE)
    follower.update(wide)
    assert middle(follower.region) == pytest.approx([110, 180])


def test_without_a_torso_the_whole_picture_is_next() -> None:
    """Somebody close to a webcam: head and shoulders."""
    follower, close = Follower("person", SHAPES, SIDE), poses(STANDING)
    follower.update(close)
    close.keypoint_scores[0, 11:] = 0.1
    for _ in range(3):
        follower.update(close)
        assert follower.region is None


@pytest.mark.parametrize(
    ("size", "places"),
    [
        ((360, 640), [187, 453]),
        ((360, 840), [237, 603]),
        ((360, 1280), [1496 / 6, 1280 - 1496 / 6, 640]),
        ((360, 480), []),
    ],
)
def test_who_was_never_seen_is_looked_for_everywhere_by_turns(
    size: tuple[int, int], places: list[float]
) -> None:
    """The whole of a long picture is so small that somebody at its end is not found in it."""
    follower, seen = Follower("person", SHAPES, SIDE), []
    for _ in range(6):
        follower.update(poses(None, size))
        seen.append(follower.region and middle(follower.region)[0])
    assert [place is None for place in seen] == [
        place is None for place in ([*places, None] * 6)[:6]
    ]
    found = [place for place in seen if place is not None]
    assert found == pytest.approx((places * 6)[: len(found)])


def test_who_left_the_crop_is_looked_for_everywhere_and_where_they_were() -> None:
    follower, size = Follower("person", SHAPES, SIDE), (360, 840)
    follower.update(poses(STANDING, size))
    last = follower.region
    looked = []
    for _ in range(12):
        follower.update(poses(None, size))
        looked.append(follower.region)
    assert looked[::6] == [None] * 2
    assert looked[3::6] == [last] * 2
    for ends in (looked[1:3], looked[4:6], looked[7:9]):
        assert [middle(region)[0] for region in ends] == pytest.approx([237, 603])


def test_in_a_picture_that_is_not_long_the_whole_and_the_last_place_take_turns() -> None:
    follower = Follower("person", SHAPES, SIDE)
    follower.update(poses(STANDING, (360, 480)))
    last, looked = follower.region, []
    for _ in range(4):
        follower.update(poses(None, (360, 480)))
        looked.append(follower.region)
    assert looked == [None, last] * 2


def test_after_a_search_it_follows_again() -> None:
    follower = Follower("person", SHAPES, SIDE)
    for found in (STANDING, None, None, STANDING + 50):
        follower.update(poses(found))
    assert middle(follower.region) == pytest.approx([160, 230])


@given(st.integers(100, 2000), st.integers(100, 2000))
def test_the_parts_of_a_long_picture_cover_it_and_overlap(height: int, width: int) -> None:
    corners = np.array(parts((height, width)))
    short, long = min(height, width), max(height, width)
    assert (len(corners) > 0) == (long >= 1.5 * short)
    if len(corners):
        axis = int(height > width)  # 0: x is the long one
        starts, ends = np.sort(corners[:, :, axis], 0).T
        assert np.ptp(ends - starts) < 1e-6
        assert (ends - starts).max() <= 1.5 * short + 1e-6
        assert corners[:2, 0, axis] == pytest.approx([0, starts[-1]])  # both ends first
        assert ends[-1] == pytest.approx(long)
        assert ends[:-1] - starts[1:] == pytest.approx(0.3 * short)
        across = corners[:, :, 1 - axis]
        assert across == pytest.approx(np.tile([0, short], (len(corners), 1)))


@given(
    st.floats(5, 400), st.floats(5, 400), st.sampled_from(SHAPES),
    st.floats(-200, 200), st.floats(0.3, 3),
)  # fmt: skip
def test_a_crop_shows_the_person_whole_and_nearly_as_large_as_can_be(
    width: float, height: float, shape: tuple[int, int], left: float, step: float
) -> None:
    points = np.array([[50, 60], [50 + width, 60 + height]])
    before = CropRegion(left, 10, step, step, shape)
    region, best = steady(points, SHAPES, before), CropRegion.around(points, SHAPES, MARGIN)
    inside = region.to_input(points)
    assert inside.min() > 0
    assert inside.max() < 1
    assert region.step_x <= SCALE * AS_LARGE * best.step_x * (1 + 1e-9)
    assert region.shape in (shape, best.shape)


def test_a_crop_stays_while_the_person_hardly_moves() -> None:
    rng = np.random.default_rng(1)
    before = steady(STANDING, SHAPES, None)
    for _ in range(20):
        middle = (STANDING.min(0) + STANDING.max(0)) / 2
        moved = middle + (STANDING - middle) * rng.uniform(0.95, 1.05) + rng.uniform(-2, 2, 2)
        assert steady(moved, SHAPES, before) is before
    assert steady(STANDING + np.array([0, 12]), SHAPES, before) is not before
    for scale, stays in ((1.08, True), (1.12, False), (0.92, True), (0.89, False)):
        grown = middle + (STANDING - middle) * scale
        assert (steady(grown, SHAPES, before) is before) == stays


def test_a_shape_does_not_hop_when_somebody_moves_a_little() -> None:
    """A width that swings by 6 % around the edge between two shapes keeps the first one."""
    edge = 160 * 128 / 192  # as wide as 192 x 128 can show somebody 160 px high
    before: CropRegion | None = None
    shapes = []
    for turn in range(20):
        width = edge * (1.03 if turn % 2 else 0.97)
        before = steady(np.array([[0, 0], [width, 160.0]]), SHAPES, before)
        shapes.append(before.shape)
    assert len(set(shapes)) == 1
    wide = np.array([[0, 0], [edge * 1.03, 160.0]])
    assert CropRegion.around(wide, SHAPES, MARGIN).shape != shapes[0]


@pytest.mark.parametrize(("width", "shape"), [(75, (192, 128)), (120, (192, 160)), (30, (192, 96))])
def test_a_shape_follows_who_spreads_out_and_draws_in(width: float, shape: tuple[int, int]) -> None:
    before = steady(np.array([[0, 0], [100.0, 160.0]]), SHAPES, None)
    assert before.shape == (192, 128)
    assert steady(np.array([[0, 0], [width, 160.0]]), SHAPES, before).shape == shape


def test_a_shape_changes_when_it_must() -> None:
    lying = STANDING[:, ::-1]
    follower = Follower("person", SHAPES, SIDE)
    follower.update(poses(STANDING))
    follower.update(poses(lying))
    assert follower.region is not None
    assert follower.region.shape == (96, 192)


def test_another_crop_is_refused() -> None:
    with pytest.raises(ValueError, match="'person' or 'google', not 'square'"):
        Follower("square", SHAPES, SIDE)  # type: ignore[arg-type]


def test_where_somebody_was_is_remembered_while_no_torso_is_seen() -> None:
    size = (360, 480)
    follower, close = Follower("person", SHAPES, SIDE), poses(STANDING, size)
    follower.update(poses(STANDING, size))
    last = follower.region
    close.keypoint_scores[0, 11:] = 0.1
    follower.update(close)
    assert follower.region is None
    follower.update(poses(None, size))
    assert follower.region == last


def test_keypoints_that_count_a_little_widen_the_crop() -> None:
    wide = poses(STANDING)
    wide.keypoints[0, 9], wide.keypoint_scores[0, 9] = (300, 180), 0.15
    follower = Follower("person", SHAPES, SIDE)
    follower.update(wide)
    assert middle(follower.region) == pytest.approx([200, 180])


def test_it_knows_whether_somebody_was_seen_in_the_last_frame() -> None:
    follower, seen = Follower("person", SHAPES, SIDE), []
    for points in (None, STANDING, None):
        follower.update(poses(points))
        seen.append(follower.seen)
    follower.update(poses(STANDING))
    follower.reset()
    assert [*seen, follower.seen] == [False, True, False, False]
