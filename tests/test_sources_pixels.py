"""Decoded frames become upright RGB of the right colours."""

import av
import clips
import numpy as np
import pytest

from movenet.sources import open_source
from movenet.sources.pixels import converter, upright

# Kr and Kb of the luma equation: ITU-R BT.601, 709 and 2020, SMPTE 240M
LUMA = {"601": (0.299, 0.114), "709": (0.2126, 0.0722), "2020": (0.2627, 0.0593)}
LUMA["240"] = (0.212, 0.087)
# AVColorSpace of libavutil/pixfmt.h
TAGS = {1: "709", 5: "601", 6: "601", 7: "240", 9: "2020", 10: "2020"}
LIMITED, FULL = 1, 2  # AVColorRange
YCC = (120, 100, 180)  # far from grey: the matrices part by 10 levels


def rgb(matrix, color_range):
    """Y'CbCr -> R'G'B' in 0..255, by the definition of the standards."""
    kr, kb = LUMA[matrix]
    y, cb, cr = (np.array(YCC) - (0, 128, 128)) / 255
    if color_range == LIMITED:
        y, cb, cr = (np.array(YCC) - (16, 128, 128)) / (219, 224, 224)
    red, blue = y + 2 * (1 - kr) * cr, y + 2 * (1 - kb) * cb
    green = (y - kr * red - kb * blue) / (1 - kr - kb)
    return np.clip(np.array([red, green, blue]) * 255, 0, 255)


def frame_of(pixels, size, *, tag=2, color_range=0):
    """A frame of one colour, YCC, whose tags say how it is meant."""
    frame = av.VideoFrame(*size, pixels)
    for plane, component in zip(frame.planes, YCC, strict=True):
        wide = "10" in pixels
        values = np.full(plane.buffer_size // (1 + wide), component << 2 * wide, np.uint16)
        plane.update(values.astype(np.uint16 if wide else np.uint8).tobytes())
    frame.colorspace, frame.color_range = tag, color_range
    return frame


@pytest.mark.parametrize("pixels", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le"])
@pytest.mark.parametrize("color_range", [LIMITED, FULL])
@pytest.mark.parametrize("tag", TAGS)
def test_the_tagged_matrix_and_range_are_used(pixels, color_range, tag):
    frame = frame_of(pixels, (64, 48), tag=tag, color_range=color_range)
    image = converter()(frame)
    np.testing.assert_allclose(
        image, np.broadcast_to(rgb(TAGS[tag], color_range), image.shape), atol=4
    )


@pytest.mark.parametrize(
    ("size", "matrix"),
    [
        ((720, 576), "601"),
        ((1278, 576), "601"),
        ((1280, 534), "709"),
        ((720, 578), "709"),
        ((1280, 720), "709"),
    ],
)
@pytest.mark.parametrize("tag", [0, 2, 8, 14])  # RGB, none, YCgCo, ICtCp
def test_without_a_matrix_that_is_known_the_size_decides(size, matrix, tag):
    image = converter()(frame_of("yuv420p", size, tag=tag))
    np.testing.assert_allclose(image[5, 5], rgb(matrix, LIMITED), atol=3)


def test_full_range_formats_are_full_range():
    image = converter()(frame_of("yuvj420p", (64, 48)))
    np.testing.assert_allclose(image[5, 5], rgb("601", FULL), atol=3)


@pytest.mark.parametrize(
    ("codec", "pixels", "suffix"),
    [("libx264rgb", "rgb24", "mkv"), ("qtrle", "rgb24", "mov"), ("png", "rgb24", "mov")],
)
def test_rgb_is_kept_bit_for_bit(tmp_path, codec, pixels, suffix):
    picture = np.random.default_rng(0).integers(0, 256, (48, 70, 3), np.uint8)
    options = {"qp": "0"} if codec == "libx264rgb" else {}
    path = clips.write(
        tmp_path / f"a.{suffix}", [picture] * 2, codec=codec, pixels=pixels, options=options
    )
    with open_source(path) as source:
        for frame in source:
            np.testing.assert_array_equal(frame.image, picture)


def test_grey_is_grey():
    frame = av.VideoFrame.from_ndarray(np.full((48, 64), 90, np.uint8), "gray")
    np.testing.assert_array_equal(converter()(frame), 90)


# ---------------------------------------------------------------------------------------- upright

CORNERS = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_the_display_matrix_is_applied(tmp_path, degrees, mirrored):
    height, width = 48, 64
    picture = np.zeros((height, width, 3), np.uint8)
    picture[:24, :32], picture[:24, 32:], picture[24:, :32] = (250, 10, 10), (10, 250, 10), 120
    path = clips.write(
        tmp_path / "a.mov",
        [picture] * 2,
        codec="png",
        pixels="rgb24",
        turn=(degrees, mirrored),
    )
    # libavutil/display.h: x' = (a x + c y + tx) / w, y' = (b x + d y + ty) / w, in the file's words
    with av.open(str(path)) as file:
        first = next(file.decode(video=0))
        side = first.side_data.get("DISPLAYMATRIX")
        a, b, _, c, d = np.frombuffer(bytes(side), np.int32)[:5] >> 16 if side else (1, 0, 0, 0, 1)
    assert (abs(a) + abs(b), abs(c) + abs(d), a * d - b * c) == (1, 1, -1 if mirrored else 1)
    shown = {}
    for y, x in np.ndindex(height, width):
        shown[a * x + c * y, b * x + d * y] = picture[y, x]
    left, top = min(x for x, _ in shown), min(y for _, y in shown)
    with open_source(path) as source:
        frame = next(iter(source))
    assert frame.image.flags.c_contiguous
    assert frame.image.shape[:2] == ((height, width) if a else (width, height))
    for (x, y), colour in shown.items():
        assert (frame.image[y - top, x - left] == colour).all()


@pytest.mark.parametrize("degrees", [-30, 30, 60, 120, 200, 290])
def test_an_angle_between_is_the_nearest_quarter_turn(degrees):
    radians = np.radians(degrees)  # counterclockwise
    matrix = (np.cos(radians), -np.sin(radians), np.sin(radians), np.cos(radians))
    nearest = round(degrees / 90)
    np.testing.assert_array_equal(upright(CORNERS, matrix), np.rot90(CORNERS, nearest))
