import io
import os
import subprocess
import sys
import threading
import warnings
import zipfile
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from movenet import images
from movenet.errors import ImageError

RED, GREEN, BLUE, WHITE, BLACK = (
    (255, 0, 0),
    (0, 255, 0),
    (0, 0, 255),
    (255, 255, 255),
    (0, 0, 0),
)
CORNERS = np.array([[RED, GREEN, WHITE], [BLUE, BLACK, (255, 255, 0)]], np.uint8)  # (2, 3, 3)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def picture(pixels: np.ndarray = CORNERS, scale: int = 1) -> Image.Image:
    return Image.fromarray(pixels.repeat(scale, 0).repeat(scale, 1))


def message(call, *args: object, kind: type[Exception] = ImageError, **options: object) -> str:
    with pytest.raises(kind) as caught:
        call(*args, **options)
    text = str(caught.value)
    assert "\n" not in text
    return text


# ---------------------------------------------------------------- one picture, every way to give it


def test_every_way_to_give_a_picture_gives_the_same_pixels(tmp_path):
    import torch

    path = tmp_path / "a.png"
    picture().save(path)
    with path.open("rb") as file:
        sources = [str(path), path, path.read_bytes(), bytearray(path.read_bytes()), file]
        sources += [memoryview(path.read_bytes()), io.BytesIO(path.read_bytes()), picture()]
        sources += [CORNERS, torch.from_numpy(CORNERS.copy())]
        sources += [torch.from_numpy(np.moveaxis(CORNERS, -1, 0).copy())]
        for source in sources:
            pixels = images.read(source)
            assert pixels.dtype == np.uint8
            assert pixels.flags.c_contiguous
            np.testing.assert_array_equal(pixels, CORNERS, err_msg=str(type(source)))
        assert not file.closed


def test_an_rgb_array_is_not_copied_and_not_written():
    pixels = CORNERS.copy()
    pixels.flags.writeable = False
    assert images.read(pixels) is pixels


def test_an_array_that_is_not_contiguous_is_copied():
    mirrored = images.read(CORNERS[:, ::-1])
    assert mirrored.flags.c_contiguous
    np.testing.assert_array_equal(mirrored, CORNERS[:, ::-1])


def test_what_is_read_from_a_file_can_be_written():
    assert images.read(encoded(picture(), "PNG")).flags.writeable
    assert images.read(encoded(picture().convert("L"), "PNG")).flags.writeable


def test_a_file_object_is_read_from_its_start_even_after_writing():
    file = io.BytesIO()
    picture().save(file, "PNG")
    np.testing.assert_array_equal(images.read(file), CORNERS)


def test_a_pipe_that_cannot_seek_is_read():
    reading, writing = os.pipe()
    data = encoded(picture(), "PNG")
    with open(writing, "wb") as file:
        file.write(data)
    with open(reading, "rb") as file:
        np.testing.assert_array_equal(images.read(file), CORNERS)


def test_a_file_inside_an_archive_is_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("in.png", encoded(picture(), "PNG"))
    with zipfile.ZipFile(tmp_path / "a.zip") as archive, archive.open("in.png") as file:
        np.testing.assert_array_equal(images.read(file), CORNERS)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP", "PPM", "TGA", "JPEG2000", "QOI"])
def test_a_lossless_format_keeps_every_pixel(kind):
    options = {"lossless": True} if kind == "WEBP" else {}
    pixels = images.read(encoded(picture(scale=8), kind, **options))
    np.testing.assert_array_equal(pixels, CORNERS.repeat(8, 0).repeat(8, 1))


# ---------------------------------------------------------------- arrays and tensors


def test_grey_arrays_become_three_equal_channels():
    import torch

    grey = np.array([[0, 100, 255]], np.uint8)
    expected = grey[..., None].repeat(3, 2)
    for source in (grey, grey[..., None], torch.from_numpy(grey), torch.from_numpy(grey[None])):
        np.testing.assert_array_equal(images.read(source), expected)


def test_16_bit_arrays_keep_the_high_byte():
    import torch

    deep = np.array([[[0, 255, 256]], [[32768, 65279, 65535]]], np.uint16)
    expected = [[[0, 0, 1]], [[128, 254, 255]]]
    np.testing.assert_array_equal(images.read(deep), expected)
    np.testing.assert_array_equal(images.read(deep.astype(">u2")), expected)
    np.testing.assert_array_equal(images.read(torch.from_numpy(deep)), expected)


def test_true_is_white():
    np.testing.assert_array_equal(images.read(np.array([[True, False]])), [[WHITE, BLACK]])


def test_tensors_that_need_gradients_or_are_flipped_are_read():
    import torch

    flipped = torch.from_numpy(CORNERS.copy()).flip(1).permute(2, 0, 1)
    np.testing.assert_array_equal(images.read(flipped), CORNERS[:, ::-1])
    soft = torch.zeros(3, 2, 2, requires_grad=True)
    assert "got torch.float32;" in message(images.read, soft, kind=ValueError)


def test_a_tensor_whose_first_and_last_axis_are_3_long_has_its_channels_first():
    import torch

    tensor = torch.arange(27, dtype=torch.uint8).reshape(3, 3, 3)
    np.testing.assert_array_equal(images.read(tensor), tensor.permute(1, 2, 0).numpy())


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (
            np.zeros((2, 2, 3), np.float32),
            "<ndarray>: expected uint8 values 0..255, got float32;"
            " convert it (values 0..1 times 255 first)",
        ),
        (
            np.zeros((2, 2, 3), np.int64),
            "<ndarray>: expected uint8 values 0..255, got int64;"
            " convert it (values 0..1 times 255 first)",
        ),
        (
            np.zeros((3, 20, 30), np.uint8),
            "<ndarray>: expected one picture, (H, W), (H, W, 1), (H, W, 3) or (H, W, 4),"
            " got (3, 20, 30)",
        ),
        (
            np.zeros((2, 20, 30, 3), np.uint8),
            "<ndarray>: expected one picture, (H, W), (H, W, 1), (H, W, 3) or (H, W, 4),"
            " got (2, 20, 30, 3)",
        ),
        (np.zeros((0, 30, 3), np.uint8), "<ndarray>: (0, 30, 3) has no pixels"),
        (np.zeros((30, 0), np.uint8), "<ndarray>: (30, 0) has no pixels"),
        (
            ["a.jpg", "b.jpg"],
            "<list>: no picture; give one path, bytes, file, array, PIL image or tensor",
        ),
        (
            None,
            "<NoneType>: no picture; give one path, bytes, file, array, PIL image or tensor",
        ),
        (io.StringIO("x"), "<StringIO>: a file open as text; open it in binary mode ('rb')"),
    ],
)
def test_what_is_no_picture_is_refused_with_what_to_give(array, expected):
    assert message(images.read, array, kind=ValueError) == expected


def test_floats_of_any_kind_are_refused_even_those_numpy_does_not_have():
    import torch

    assert message(images.read, torch.zeros(3, 2, 2, dtype=torch.bfloat16), kind=ValueError) == (
        "<Tensor>: expected uint8 values 0..255, got torch.bfloat16;"
        " convert it (values 0..1 times 255 first)"
    )


# ---------------------------------------------------------------- orientation


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "JPEG"])
def test_every_exif_orientation_is_brought_upright(kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"PNG": {}, "WEBP": {"lossless": True}, "TIFF": {}, "JPEG": {"quality": 100}}[kind]
    data = encoded(picture(scale=16), kind, exif=exif, **options)
    with Image.open(io.BytesIO(data)) as stored:
        upright = np.asarray(ImageOps.exif_transpose(stored))
    np.testing.assert_array_equal(images.read(data), upright)
    with Image.open(io.BytesIO(data)) as stored:
        np.testing.assert_array_equal(images.read(stored), upright)


def test_a_phone_held_upright_gives_a_picture_that_is_taller_than_wide():
    exif = Image.Exif()
    exif[0x0112] = 6  # the stored rows run down the right side of what was seen
    seen = images.read(encoded(picture(), "PNG", exif=exif))
    np.testing.assert_array_equal(seen[0], [BLUE, RED])
    assert seen.shape == (3, 2, 3)


def test_damaged_exif_does_not_lose_the_picture():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's word on the damage
        data = encoded(picture(scale=16), "PNG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
        assert images.read(data).shape == (32, 48, 3)


# ---------------------------------------------------------------- colours


def test_channels_are_red_green_blue():
    data = cv2.imencode(".png", np.array([[[10, 20, 30]]], np.uint8))[1].tobytes()  # BGR
    np.testing.assert_array_equal(images.read(data), [[[30, 20, 10]]])


def test_a_colour_jpeg_equals_another_decoder_within_rounding():
    smooth = np.indices((64, 96)).sum(0)[..., None] * [1, 0.5, 0.2] + [10, 20, 30]
    data = encoded(Image.fromarray(smooth.astype(np.uint8)), "JPEG", quality=95)
    other = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert np.abs(images.read(data).astype(int) - other).max() <= 3


DEEP = np.arange(0, 65536, 257, np.uint16).reshape(16, 16)  # each value of a byte, twice over


@pytest.mark.parametrize("suffix", [".png", ".tif", ".pgm"])
def test_16_bit_grey_files_do_not_saturate(suffix):
    data = cv2.imencode(suffix, DEEP)[1].tobytes()
    np.testing.assert_array_equal(images.read(data)[..., 1], DEEP >> 8)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".ppm"])
def test_16_bit_rgb_files_do_not_saturate(suffix):
    rgb = np.stack([DEEP, DEEP[::-1], DEEP.T], -1)
    data = cv2.imencode(suffix, np.ascontiguousarray(rgb[..., ::-1]))[1].tobytes()
    np.testing.assert_array_equal(images.read(data), rgb >> 8)


def test_16_bit_pil_images_of_every_mode_keep_the_high_byte():
    for deep in (DEEP, DEEP.astype(np.int32), DEEP.astype(">u2")):
        image = Image.fromarray(deep)
        assert image.mode in ("I;16", "I", "I;16B")
        np.testing.assert_array_equal(images.read(image)[..., 0], DEEP >> 8)


@pytest.mark.parametrize("values", [[[-1, 5]], [[0, 65536]]])
def test_a_picture_of_more_than_16_bits_is_refused(values):
    data = encoded(Image.fromarray(np.array(values, np.int32)), "TIFF")
    assert message(images.read, data) == (
        "<bytes>: its pixels are not of 8 or 16 bits; save it with 8 bits"
    )


def test_a_picture_of_floats_is_refused():
    data = encoded(Image.fromarray(np.zeros((2, 2), np.float32)), "TIFF")
    assert message(images.read, data) == (
        "<bytes>: its pixels are not of 8 or 16 bits; save it with 8 bits"
    )


def test_transparency_is_laid_over_white():
    rgba = np.array([[(255, 0, 0, 255), (255, 0, 0, 0), (0, 0, 0, 128)]], np.uint8)
    expected = [[RED, WHITE, (127, 127, 127)]]
    np.testing.assert_array_equal(images.read(rgba), expected)
    np.testing.assert_array_equal(images.read(encoded(Image.fromarray(rgba), "PNG")), expected)
    np.testing.assert_array_equal(images.read(rgba.astype(np.uint16) * 257), expected)


def test_grey_with_transparency_is_laid_over_white():
    image = Image.new("LA", (2, 1), (0, 255))
    image.putpixel((1, 0), (0, 0))
    np.testing.assert_array_equal(images.read(encoded(image, "PNG")), [[BLACK, WHITE]])


@pytest.mark.parametrize("transparent", [1, b"\xff\x00\xff"])
def test_a_palette_is_looked_up_and_its_transparent_colour_is_white(transparent):
    image = Image.new("P", (3, 1))
    image.putpalette([*RED, *GREEN, *BLUE])
    image.putdata([0, 1, 2])
    opaque, clear = encoded(image, "PNG"), encoded(image, "PNG", transparency=transparent)
    np.testing.assert_array_equal(images.read(opaque), [[RED, GREEN, BLUE]])
    np.testing.assert_array_equal(images.read(clear), [[RED, WHITE, BLUE]])


def test_one_bit_and_grey_files_are_read():
    grey = Image.fromarray(np.array([[0, 255]], np.uint8))
    np.testing.assert_array_equal(images.read(encoded(grey, "PNG")), [[BLACK, WHITE]])
    np.testing.assert_array_equal(images.read(encoded(grey.convert("1"), "PNG")), [[BLACK, WHITE]])


@pytest.mark.parametrize("marked", [True, False])
def test_a_cmyk_jpeg_shows_its_colours_and_not_their_negative(marked):
    data = encoded(picture(scale=16).convert("CMYK"), "JPEG", quality=100, subsampling=0)
    start = data.index(b"\xff\xee\x00\x0eAdobe")  # says that the inks are stored upside down
    data = data if marked else data[:start] + data[start + 16 :]  # many writers leave it out
    pixels = images.read(data)[8::16, 8::16]
    assert np.abs(pixels.astype(int) - CORNERS).max() <= 8


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF", "MPO"])
def test_of_several_pictures_in_a_file_the_first_is_taken(kind):
    first, second = (Image.new("RGB", (16, 16), c) for c in (RED, BLUE))
    data = encoded(first, kind, save_all=True, append_images=[second])
    with Image.open(io.BytesIO(data)) as image:
        assert image.n_frames == 2
    assert np.abs(images.read(data).astype(int) - RED).max() <= 2


def test_a_large_jpeg_is_decoded_at_its_full_size():
    data = encoded(picture(scale=400), "JPEG")
    with Image.open(io.BytesIO(data)) as image:
        expected = np.asarray(image.convert("RGB"))
    np.testing.assert_array_equal(images.read(data), expected)


def test_a_pil_image_is_left_as_it_was():
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(io.BytesIO(encoded(picture(), "PNG", exif=exif))) as image:
        images.read(image)
        assert image.size == (3, 2)
        assert image.getexif()[0x0112] == 6


# ---------------------------------------------------------------- what cannot be read


def test_a_missing_file_is_named(tmp_path):
    text = "no such file; check the path (web addresses are not read)"
    assert message(images.read, tmp_path / "no.jpg") == f"{tmp_path / 'no.jpg'}: {text}"
    assert message(images.read, "https://a.org/b.jpg") == f"https://a.org/b.jpg: {text}"
    assert message(images.read, "") == f"'': {text}"


def test_a_folder_is_no_picture(tmp_path):
    assert message(images.read, tmp_path) == (
        f"{tmp_path}: a folder, not a picture; name a picture in it"
    )


def test_a_file_that_may_not_be_opened_is_named_with_the_reason(tmp_path, monkeypatch):
    def refuse(*args: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    path = tmp_path / "a.jpg"
    assert message(images.read, path) == (
        f"{path}: cannot be opened (Permission denied); check the file"
    )


def test_a_path_with_a_null_character_is_refused():
    assert message(images.read, "a\0b.jpg") == (
        "a\\x00b.jpg: cannot be opened (embedded null byte); check the file"
    )


def test_an_empty_file_says_so(tmp_path):
    (tmp_path / "a.jpg").touch()
    assert message(images.read, tmp_path / "a.jpg") == (
        f"{tmp_path / 'a.jpg'}: empty, 0 bytes; copy or download it again"
    )
    assert message(images.read, b"") == "<bytes>: empty, 0 bytes; copy or download it again"


def test_text_named_jpg_is_told_from_a_broken_picture(tmp_path):
    path = tmp_path / "notes.jpg"
    path.write_text("hello, these are notes")
    assert message(images.read, path) == (
        f"{path}: not a picture in a known format; give JPEG, PNG, WebP, TIFF, BMP or GIF"
    )


@pytest.mark.parametrize(
    ("kind", "keep", "why"),
    [
        ("JPEG", 0.6, "image file is truncated"),
        ("PNG", 0.6, "image file is truncated"),
        ("WEBP", 0.6, "could not create decoder object"),
        ("PNG", 0.001, "cannot identify|unpack|truncated|Truncated"),
    ],
)
def test_a_truncated_picture_is_broken(tmp_path, kind, keep, why):
    noise = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    data = encoded(Image.fromarray(noise), kind)
    path = tmp_path / "photo.jpg"
    path.write_bytes(data[: max(20, int(len(data) * keep))])
    text = message(images.read, path)
    assert text.startswith(f"{path}: a broken picture (")
    assert text.endswith("); copy or download it again")
    assert any(w in text for w in why.split("|")), text


@pytest.mark.parametrize("length", range(1, 17))
def test_a_file_of_a_few_bytes_is_not_a_picture(length):
    assert "<bytes>: not a picture in a known format" in message(images.read, b"?" * length)


def test_damaged_bytes_of_any_kind_raise_only_image_errors():
    rng = np.random.default_rng(0)
    whole = [
        encoded(picture(scale=8), kind)
        for kind in ("PNG", "JPEG", "GIF", "TIFF", "BMP", "WEBP", "PPM", "JPEG2000", "ICO", "TGA")
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for data in whole * 20:
            damaged = bytearray(data)
            for at in rng.integers(0, len(damaged), 5):
                damaged[at] = rng.integers(256)
            try:
                images.read(bytes(damaged))
            except ImageError as error:
                assert "\n" not in str(error)  # noqa: PT017, most of the damage goes unnoticed


def test_heic_and_video_are_named_for_what_they_are():
    heic = b"\0\0\0\x18ftypheic" + bytes(40)
    assert message(images.read, heic) == (
        "<bytes>: HEIC pictures cannot be read; save it as JPEG or PNG"
    )
    video = b"\0\0\0\x18ftypisom" + bytes(40)
    assert message(images.read, video) == ("<bytes>: a video, not a picture; use 'movenet track'")


def test_no_program_is_started_for_a_postscript_file(monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", None)
    monkeypatch.setattr(subprocess, "check_call", None)
    data = encoded(picture(scale=8), "EPS")
    assert "not a picture in a known format" in message(images.read, data)


# ---------------------------------------------------------------- pictures that are too large


def bomb(width: int, height: int) -> bytes:
    """A PNG whose header promises that size, without its pixels."""
    data = bytearray(encoded(Image.new("L", (1, 1)), "PNG"))
    header = b"IHDR" + width.to_bytes(4, "big") + height.to_bytes(4, "big") + data[24:29]
    data[12:33] = header + zlib.crc32(header).to_bytes(4, "big")
    return bytes(data)


@pytest.mark.parametrize("size", [(16001, 16000), (100_000, 100_000)])
def test_a_decompression_bomb_is_refused_before_it_is_decoded(size, monkeypatch):
    data = bomb(*size)
    monkeypatch.setattr(Image.core, "new", None)  # no memory for pixels is asked for
    text = message(images.read, data)
    assert text == (
        f"<bytes>: {size[0]} x {size[1]} is more than 256 megapixels;"
        " scale it down, or raise max_megapixels"
    )


def test_the_limit_is_an_argument_for_files_and_pil_images():
    data = encoded(Image.new("L", (100, 50)), "PNG")
    assert images.read(data, max_megapixels=0.005).shape == (50, 100, 3)
    for source in (data, Image.new("L", (100, 50))):
        assert "100 x 50 is more than 0.0049 megapixels" in message(
            images.read, source, max_megapixels=0.0049
        )


def test_pillows_own_limit_neither_counts_nor_changes(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)  # warns over 10, fails over 20
    for kind in ("PNG", "JPEG", "BMP", "GIF", "PPM", "JPEG2000"):
        assert images.read(encoded(picture(scale=8), kind)).shape == (16, 24, 3)
    assert Image.MAX_IMAGE_PIXELS == 10


@pytest.mark.parametrize(("kind", "limit"), [("WEBP", 10), ("TIFF", 10), ("TIFF", 200)])
def test_pillows_limit_inside_a_format_is_said_to_be_pillows(monkeypatch, kind, limit):
    data = encoded(picture(scale=8), kind)  # 384 pixels: an error from 10, a warning from 200
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert message(images.read, data) == (
            "<bytes>: more than Pillow's limit; scale it down, or raise Image.MAX_IMAGE_PIXELS"
        )


def test_many_threads_read_at_once():
    data, results = encoded(picture(scale=64), "JPEG", quality=95), []
    threads = [threading.Thread(target=lambda: results.append(images.read(data))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8
    assert all((pixels == results[0]).all() for pixels in results)


# ---------------------------------------------------------------- names


def test_a_name_is_short_and_on_one_line(tmp_path):
    path = tmp_path / "a.png"
    picture().save(path)
    assert images.name("in/a.jpg") == "in/a.jpg"
    assert images.name(Path("in", "a.jpg")) == str(Path("in", "a.jpg"))
    assert images.name("a\nb.jpg") == "a\\nb.jpg"
    assert images.name(os.fsdecode(b"\xe9t\xe9.jpg")).isprintable()
    assert images.name("été 中.jpg") == "été 中.jpg"
    assert images.name(b"12") == "<bytes>"
    assert images.name(io.BytesIO()) == "<BytesIO>"
    assert images.name(CORNERS) == "<ndarray>"
    assert images.name(picture()) == "<Image>"
    with path.open("rb") as file, Image.open(path) as image:
        assert images.name(file) == images.name(image) == str(path)


# ---------------------------------------------------------------- saving


def test_a_saved_png_reads_back_the_same(tmp_path):
    images.save(CORNERS, tmp_path / "a.PNG")
    np.testing.assert_array_equal(images.read(tmp_path / "a.PNG"), CORNERS)


def test_a_saved_jpeg_keeps_thin_coloured_lines(tmp_path):
    pixels = np.zeros((32, 32, 3), np.uint8)
    pixels[:, 15] = (230, 159, 0)
    images.save(pixels, str(tmp_path / "a.jpg"))
    saved = images.read(tmp_path / "a.jpg").astype(int)
    assert np.abs(saved - pixels).mean() < 1
    assert np.abs(saved[:, 15] - pixels[0, 15]).max() < 20


def test_saving_says_what_it_cannot_do(tmp_path):
    assert message(images.save, CORNERS, tmp_path / "a.webm") == (
        f"{tmp_path / 'a.webm'}: pictures are saved as .jpg, .jpeg, .png; choose one"
    )
    assert message(images.save, CORNERS, tmp_path / "no" / "a.png") == (
        f"{tmp_path / 'no' / 'a.png'}: cannot be saved (No such file or directory);"
        " try another folder"
    )
    assert "got float32" in message(
        images.save, np.zeros((2, 2, 3), np.float32), "a.png", kind=ValueError
    )


# ---------------------------------------------------------------- finding


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for file in (
        *("img10.jpg", "img2.JPG", "img1.png", "notes.txt", "._img1.png", ".hidden.png"),
        *("sub/b.webp", "sub/deep/a.tiff", ".thumbs/t.png", "x[1].png", "photo.heic"),
    ):
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        Path(file).touch()
    return tmp_path


def found(*sources: str | Path, **options: bool) -> list[str]:
    return [path.as_posix() for path in images.find(sources, **options)]


def test_a_folder_gives_its_pictures_in_natural_order(folder):
    expected = ["img1.png", "img2.JPG", "img10.jpg", "photo.heic", "x[1].png"]
    assert found(".") == expected
    assert found(folder) == [(folder / file).as_posix() for file in expected]


def test_recursive_looks_into_subfolders_but_not_into_hidden_ones(folder):
    assert found("sub", recursive=True) == ["sub/b.webp", "sub/deep/a.tiff"]
    assert len(found(".", recursive=True)) == 7


def test_sources_keep_their_order_and_no_file_comes_twice(folder):
    assert found("x[1].png", "img10.jpg", "./img10.jpg", folder / "img10.jpg", "sub") == [
        "x[1].png",
        "img10.jpg",
        "sub/b.webp",
    ]


def test_a_named_file_is_taken_whatever_its_suffix(folder):
    assert found("notes.txt") == ["notes.txt"]


def test_a_pattern_is_expanded_when_the_shell_has_not(folder):
    assert found("img*.[jp]*") == ["img1.png", "img10.jpg"]
    assert found("**/*.tiff") == ["sub/deep/a.tiff"]
    assert found("s*/*") == ["sub/b.webp"]


def test_nothing_found_says_so(folder):
    Path("empty").mkdir()
    assert message(images.find, ["empty"]) == (
        "empty: no pictures in this folder; are they in subfolders (see recursive)?"
    )
    assert message(images.find, ["*.bmp"]) == "*.bmp: no file matches this pattern"
    missing = "no such file; check the path (web addresses are not read)"
    assert message(images.find, ["cat.jpg"]) == f"cat.jpg: {missing}"
    assert message(images.find, [""]) == f"'': {missing}"
    assert images.find([]) == []


def test_a_folder_that_cannot_be_searched_says_why(folder, monkeypatch):
    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert message(images.find, ["sub"]) == "sub: cannot be searched (Permission denied)"


def test_importing_images_imports_no_torch():
    code = "import sys, movenet.images; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize(
    ("file", "shape"),
    [
        ("astronaut.png", (448, 350, 3)),
        ("camera.png", (480, 456, 3)),
        ("two_people.png", (336, 581, 3)),
    ],
)
def test_the_bundled_pictures_are_small_files_that_can_be_read(file, shape):
    path = Path(images.__file__).parent / "pictures" / file
    assert path.stat().st_size < 300_000
    assert images.read(path).shape == shape


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 5, 3), np.uint8),
        np.zeros((4, 5, 3), np.uint8)[:, ::-1],
        np.zeros((4, 5, 4), np.uint8),
        np.zeros((4, 5), np.uint8),
        np.zeros((4, 5, 3), np.uint16),
    ],
)
def test_a_plain_array_is_what_read_gives_back(array: np.ndarray) -> None:
    assert images.is_plain(array) == (images.read(array) is array)


def test_a_path_and_an_empty_array_are_not_plain() -> None:
    assert not images.is_plain("photo.jpg")
    assert not images.is_plain(np.zeros((0, 5, 3), np.uint8))
