"""CropRegion: there and back, and what is sampled."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from movenet.crop import CropRegion
from movenet.specs import ROWS, SPECS, ModelSpec

sides = st.integers(1, 12).map(lambda n: 32 * n)
shapes = st.tuples(sides, sides)
places, steps = st.floats(-5000, 5000), st.floats(0.01, 60)
regions = st.builds(CropRegion, places, places, steps, steps, shapes)
sizes = st.tuples(st.integers(1, 6000), st.integers(1, 6000))
modes = st.sampled_from(["trim", "square"])
wholes = st.builds(CropRegion.whole, sizes, st.sampled_from([192, 256, 320]), modes)
points = arrays(np.float64, (5, 2), elements=st.floats(-2, 3))


def ramp(height: int, width: int) -> np.ndarray:
    """A picture that says where it is: red grows with x, green with y, blue is full."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x, y, np.full_like(x, 255)], 2).astype(np.uint8)


@given(points, st.one_of(regions, wholes))
def test_to_input_undoes_to_image(p: np.ndarray, region: CropRegion) -> None:
    np.testing.assert_allclose(region.to_input(region.to_image(p)), p, atol=1e-6)


@given(st.one_of(regions, wholes))
def test_corners_land_on_corners(region: CropRegion) -> None:
    h, w = region.shape
    right, bottom = region.left + w * region.step_x, region.top + h * region.step_y
    corners = [[region.left, region.top], [right, bottom]]
    np.testing.assert_allclose(region.to_image(np.array([[0, 0], [1, 1]])), corners)


@given(points, regions, places)
def test_a_region_moved_down_moves_its_points_down(
    p: np.ndarray, region: CropRegion, by: float
) -> None:
    moved = CropRegion(region.left, region.top + by, region.step_x, region.step_y, region.shape)
    np.testing.assert_allclose(moved.to_image(p), region.to_image(p) + np.array([0, by]), atol=1e-6)


@given(
    st.floats(-80, 200), st.floats(-80, 200), st.floats(0.2, 3), st.floats(0.2, 3),
    st.tuples(st.sampled_from([32, 64, 96]), st.sampled_from([32, 64, 128])),
)  # fmt: skip
def test_a_sampled_pixel_shows_the_place_it_maps_to(
    left: float, top: float, step_x: float, step_y: float, shape: tuple[int, int]
) -> None:
    height, width = 180, 230
    region = CropRegion(left, top, step_x, step_y, shape)
    seen = region.extract(ramp(height, width)).astype(float)
    h, w = shape
    rows, columns = np.mgrid[:h, :w]
    centres = np.stack([(columns + 0.5) / w, (rows + 0.5) / h], 2)
    at = region.to_image(centres)  # (h, w, 2) x, y
    # The ramp's value is the index of a pixel, whose centre lies half a pixel further.
    expected = np.clip(at - 0.5, 0, [width - 1, height - 1])
    inside = ((at >= 0) & (at <= [width, height])).all(2)
    edge = (np.minimum(np.abs(at), np.abs(at - [width, height])) < 1e-3).any(2)
    np.testing.assert_allclose(seen[inside & ~edge][:, :2], expected[inside & ~edge], atol=0.51)
    assert (seen[~inside & ~edge] == 0).all()
    assert (seen[inside & ~edge][:, 2] == 255).all()


@given(sizes, st.sampled_from([192, 256]))
def test_a_whole_picture_keeps_its_long_side_and_its_aspect(
    size: tuple[int, int], side: int
) -> None:
    region = CropRegion.whole(size, side)
    long = int(np.argmax(size))
    assert region.shape[long] == side
    steps = (region.step_y, region.step_x)
    assert steps[long] == pytest.approx(size[long] / side)
    # The short side is rounded down to whole input pixels.
    short = size[1 - long] / steps[1 - long]
    assert short == pytest.approx(round(short))
    assert short <= max(1, size[1 - long] * side / size[long]) + 1e-3


@given(sizes, st.sampled_from([192, 256]), modes)
def test_the_picture_lies_wholly_inside_and_in_the_middle(
    size: tuple[int, int], side: int, mode: str
) -> None:
    region = CropRegion.whole(size, side, mode)  # type: ignore[arg-type]
    height, width = size
    low, high = region.to_input(np.array([[0, 0], [width, height]])) * region.shape[::-1]
    assert (low >= -1e-6).all()
    assert (high <= np.array(region.shape[::-1]) + 1e-6).all()
    margins = low - (np.array(region.shape[::-1]) - high)
    assert (np.abs(margins) <= 2 + 1e-6).all()


@given(sizes, st.sampled_from([192, 256]))
def test_trimming_pads_to_the_next_multiple_of_32_only(size: tuple[int, int], side: int) -> None:
    trim, square = CropRegion.whole(size, side), CropRegion.whole(size, side, "square")
    assert square.shape == (side, side)
    assert (trim.step_x, trim.step_y) == (square.step_x, square.step_y)
    short = min(trim.shape)
    content = min(size[0] / trim.step_y, size[1] / trim.step_x)
    assert content <= short + 1e-6
    assert short - content < 32


@pytest.mark.parametrize(
    ("size", "side", "rows", "columns", "top", "left"),
    [  # rows, columns and padding as TensorFlow 2.21 resize_with_pad has them
        ((480, 640), 192, 144, 192, 24, 0),
        ((427, 640), 192, 128, 192, 31, 0),
        ((640, 427), 256, 256, 170, 0, 42),
        ((375, 500), 256, 192, 256, 32, 0),
        ((333, 500), 192, 127, 192, 32, 0),
        ((720, 1280), 256, 144, 256, 56, 0),
        ((100, 100), 192, 192, 192, 0, 0),
    ],
)
def test_the_square_rounds_as_tensorflow_does(
    size: tuple[int, int], side: int, rows: int, columns: int, top: int, left: int
) -> None:
    region = CropRegion.whole(size, side, "square")
    assert (size[0] / region.step_y, size[1] / region.step_x) == pytest.approx((rows, columns))
    assert (-region.top / region.step_y, -region.left / region.step_x) == pytest.approx((top, left))


def test_both_letterboxes_see_the_same_pixels() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (301, 500, 3), np.uint8)
    trim, square = (CropRegion.whole((301, 500), 192, mode) for mode in ("trim", "square"))  # type: ignore[arg-type]
    seen, padded = trim.extract(picture), square.extract(picture)
    rows = padded.any((1, 2)).nonzero()[0]
    content = seen[seen.any((1, 2))]
    assert content.shape == (115, 192, 3)
    difference = np.abs(content.astype(int) - padded[rows[0] : rows[-1] + 1])
    assert difference.max() <= 1  # of rounding
    assert (difference == 0).mean() > 0.999


some_shapes = st.lists(shapes, min_size=1, max_size=12)


@given(sizes, st.sampled_from([192, 256, 320]), some_shapes)
def test_of_given_shapes_the_smallest_that_holds_the_picture_is_taken(
    size: tuple[int, int], side: int, given_shapes: list[tuple[int, int]]
) -> None:
    square = CropRegion.whole(size, side, "square")
    rows, columns = round(size[0] / square.step_y), round(size[1] / square.step_x)
    holding = [(h, w) for h, w in given_shapes if h >= rows and w >= columns]
    if not holding:
        line = f"^none of the engine's input shapes holds {rows} x {columns}$"
        with pytest.raises(ValueError, match=line):
            CropRegion.whole(size, side, shapes=given_shapes)
        return
    region = CropRegion.whole(size, side, shapes=given_shapes)
    assert region.shape in holding
    assert region.shape[0] * region.shape[1] == min(h * w for h, w in holding)
    assert (region.step_x, region.step_y) == (square.step_x, square.step_y)


@given(sizes, st.sampled_from([192, 256, 320]))
def test_where_every_shape_is_given_it_is_the_one_that_trimming_takes(
    size: tuple[int, int], side: int
) -> None:
    every = {(32 * h, 32 * w) for h in range(1, 11) for w in range(1, 11)}
    assert CropRegion.whole(size, side, shapes=every) == CropRegion.whole(size, side)


@given(sizes, st.sampled_from([192, 256, 320]), some_shapes)
def test_the_square_does_not_look_at_shapes(
    size: tuple[int, int], side: int, given_shapes: list[tuple[int, int]]
) -> None:
    square = CropRegion.whole(size, side, "square")
    assert CropRegion.whole(size, side, "square", given_shapes) == square


@given(sizes, st.permutations([(192, 64), (64, 192), (96, 128), (128, 96), (192, 192)]))
def test_the_order_of_shapes_does_not_matter(
    size: tuple[int, int], given_shapes: list[tuple[int, int]]
) -> None:
    wanted = CropRegion.whole(size, 192, shapes=sorted(given_shapes))
    assert CropRegion.whole(size, 192, shapes=given_shapes) == wanted


@given(st.sampled_from(ROWS), sizes)
def test_a_shipped_file_has_a_shape_for_every_picture(
    spec: ModelSpec, size: tuple[int, int]
) -> None:
    region = CropRegion.whole(size, spec.side, shapes=spec.shapes)
    assert max(region.shape) == spec.side
    assert min(region.shape) == max(spec.side // 2, min(CropRegion.whole(size, spec.side).shape))


@pytest.mark.parametrize("size", [(301, 500), (500, 301), (40, 500), (192, 192)])
def test_the_same_pixels_are_seen_at_whatever_shape(size: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).integers(1, 256, (*size, 3), np.uint8)
    regions = [
        CropRegion.whole(size, 192, "square"),
        CropRegion.whole(size, 192),
        CropRegion.whole(size, 192, shapes=[(192, 192)]),
        CropRegion.whole(size, 192, shapes=[(224, 320)]),
        CropRegion.whole(size, 192, shapes=SPECS["lightning"].shapes),
    ]
    seen = []
    for region in regions:
        pixels = region.extract(picture)
        there = pixels.all(2)  # the picture has no black
        seen.append(pixels[there.any(1)][:, there.any(0)].astype(int))
    for other in seen[1:]:
        assert other.shape == seen[0].shape
        assert np.abs(other - seen[0]).max() <= 1  # of rounding


@pytest.mark.parametrize(
    ("given_shapes", "wanted"),
    [
        ([(192, 64), (64, 192)], (64, 192)),  # of one size: the lower
        ([(128, 192), (64, 320)], (64, 320)),  # the fewest pixels, not the shortest way around it
        ([(64, 64), (32, 352)], (64, 64)),
    ],
)
def test_the_smallest_has_the_fewest_pixels(
    given_shapes: list[tuple[int, int]], wanted: tuple[int, int]
) -> None:
    assert CropRegion.whole((50, 100), 64, shapes=given_shapes).shape == wanted


def test_no_shapes_hold_nothing() -> None:
    with pytest.raises(ValueError, match=r"^none of the engine's input shapes holds 144 x 192$"):
        CropRegion.whole((480, 640), 192, shapes=[])


def test_extract_fills_the_array_it_is_given_and_leaves_the_picture_alone() -> None:
    picture = ramp(50, 70)
    before = picture.copy()
    batch = np.full((2, 192, 192, 3), 7, np.uint8)
    region = CropRegion.whole((50, 70), 192, "square")
    region.extract(picture, out=batch[1])
    assert (batch[0] == 7).all()
    np.testing.assert_array_equal(batch[1], region.extract(picture))
    np.testing.assert_array_equal(picture, before)


def test_a_region_beside_the_picture_is_black() -> None:
    region = CropRegion(500, 500, 1, 1, (32, 32))
    assert not region.extract(ramp(40, 40)).any()


@pytest.mark.parametrize("shape", [(200, 192), (0, 32), (32, -32)])
def test_a_shape_that_32_does_not_divide_is_refused(shape: tuple[int, int]) -> None:
    h, w = shape
    with pytest.raises(
        ValueError, match=f"^an input's sides must be multiples of 32, not {h} x {w}$"
    ):
        CropRegion(0, 0, 1, 1, shape)


def test_a_step_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^steps must be over 0, not 0 and 1$"):
        CropRegion(0, 0, 0, 1, (32, 32))


def test_an_empty_picture_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^a picture has at least one pixel, not 0 x 5$"):
        CropRegion.whole((0, 5), 192)


# Google's square for the next frame. A person 100 px high in a picture of 400 x 300 px.
PERSON = np.array(
    [[200, 100], [198, 98], [202, 98], [196, 99], [204, 99], [190, 115], [210, 115], [186, 130],
     [214, 130], [184, 145], [216, 145], [193, 150], [207, 150], [192, 175], [208, 175],
     [191, 200], [209, 200]],
    float,
)  # fmt: skip
NAMED = {"nose": 0, "wrist": 9, "ankle": 16, "hips": (11, 12), "shoulders": (5, 6)}


def following(
    points: np.ndarray, scores: np.ndarray | None = None, size: tuple[int, int] = (300, 400)
) -> tuple[float, float, float] | None:
    """Left, top and side of Google's square."""
    scores = np.ones(17) if scores is None else scores
    region = CropRegion.following(points, scores, size, 192)
    if region is None:
        return None
    assert region.shape == (192, 192)
    assert region.step_x == region.step_y
    return region.left, region.top, 192 * region.step_x


def tutorials(
    points: np.ndarray, scores: np.ndarray, height: int, width: int
) -> tuple[float, float, float] | None:
    """The rule as the TF Hub tutorial words it, joint by joint, from (y, x) in 0..1."""
    joints = {i: (y / height, x / width, s) for i, ((x, y), s) in enumerate(zip(points, scores))}  # noqa: B905
    if not (joints[11][2] > 0.2 or joints[12][2] > 0.2):
        return None
    if not (joints[5][2] > 0.2 or joints[6][2] > 0.2):
        return None
    pixels = {i: (y * height, x * width) for i, (y, x, _) in joints.items()}
    cy = (pixels[11][0] + pixels[12][0]) / 2
    cx = (pixels[11][1] + pixels[12][1]) / 2
    torso_y = max(abs(cy - pixels[i][0]) for i in (5, 6, 11, 12))
    torso_x = max(abs(cx - pixels[i][1]) for i in (5, 6, 11, 12))
    seen = [i for i in joints if joints[i][2] >= 0.2]
    body_y = max(abs(cy - pixels[i][0]) for i in seen)
    body_x = max(abs(cx - pixels[i][1]) for i in seen)
    half = max(torso_x * 1.9, torso_y * 1.9, body_y * 1.2, body_x * 1.2)
    half = min(half, max(cx, width - cx, cy, height - cy))
    if half > max(width, height) / 2:
        return None
    return cx - half, cy - half, 2 * half


@given(
    arrays(np.float64, (17, 2), elements=st.floats(-100, 500)),
    arrays(np.float64, 17, elements=st.floats(0, 1)),
    st.tuples(st.integers(50, 500), st.integers(50, 500)),
)
def test_the_next_square_is_the_tutorials(
    points: np.ndarray, scores: np.ndarray, size: tuple[int, int]
) -> None:
    expected = tutorials(points, scores, *size)
    found = following(points, scores, size)
    if expected is None or expected[2] <= 0:
        assert found is None
    else:
        assert found == pytest.approx(expected)


def test_the_next_square_by_hand() -> None:
    # Hips' middle (200, 150); the shoulders are 35 px above, the farthest joint 52 px: an eye.
    half = max(1.9 * 35, 1.2 * 52)
    assert following(PERSON) == pytest.approx((200 - half, 150 - half, 2 * half))


def test_raised_arms_widen_the_next_square() -> None:
    """The Raspberry Pi sample reads one joint for all, and cuts raised arms off."""
    points = PERSON.copy()
    points[NAMED["wrist"]] = (150, 60)
    half = 1.2 * 90
    assert following(points) == pytest.approx((200 - half, 150 - half, 2 * half))


def test_joints_of_low_score_do_not_widen_it_and_those_of_high_score_do() -> None:
    """The iOS sample has that the other way round."""
    points, scores = PERSON.copy(), np.ones(17)
    points[NAMED["wrist"]] = (20, 20)
    scores[NAMED["wrist"]] = 0.19
    assert following(points, scores) == pytest.approx(following(PERSON))
    scores[NAMED["wrist"]] = 0.2
    assert following(points, scores) != pytest.approx(following(PERSON))


def test_the_torso_counts_whatever_its_other_half_scores() -> None:
    points, scores = PERSON.copy(), np.ones(17)
    points[NAMED["shoulders"][0]] = (120, 115)
    scores[[NAMED["shoulders"][0], NAMED["hips"][0]]] = 0.01
    half = 1.9 * 80
    assert following(points, scores) == pytest.approx((200 - half, 150 - half, 2 * half))


@pytest.mark.parametrize("half", ["hips", "shoulders"])
def test_without_a_torso_the_whole_picture_is_next(half: str) -> None:
    scores = np.ones(17)
    scores[list(NAMED[half])] = 0.2
    assert following(PERSON, scores) is None


def test_a_square_larger_than_the_picture_is_the_whole_picture() -> None:
    large = (PERSON - (200, 150)) * 3.5 + (200, 150)
    assert following(large) == pytest.approx((0, -50, 400))  # as far as the farthest edge
    assert following(large + np.array([90, 0])) is None


def test_places_between_pixels_are_kept() -> None:
    """Other ports round the square, and map keypoints back with another one than they cut."""
    left, top, side = following(PERSON + 0.37) or (0, 0, 0)
    assert (left, top, side) == pytest.approx(np.add(following(PERSON), [0.37, 0.37, 0]))
