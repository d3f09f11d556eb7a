"""Any kind of picture -> RGB uint8 (H, W, 3), and the files that a user's words name.

Everything that is not plain RGB is settled here, once:
- the EXIF orientation is applied, for files, bytes and PIL images alike; colour profiles are not;
- transparency is laid over white, as browsers and printers show it;
- 16 bits become 8 by keeping the high byte (what Pillow does for RGB), so 0..65535 is the range;
- of an animation, a multi-page TIFF or a stereo pair (MPO) the first picture is taken.
"""

import glob
import io
import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from movenet.errors import ImageError


class HasArray(Protocol):
    """What NumPy can take as an array: a torch.Tensor, for one."""

    def __array__(self, *args: Any, **kwargs: Any) -> NDArray[Any]: ...


Picture: TypeAlias = (
    str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes] | Image.Image | HasArray
)

MAX_MEGAPIXELS = 256  # 768 MB of RGB; the largest phone cameras make 200

# What a folder is searched for. HEIC cannot be read, but a picture that is passed over in silence
# would look as if nobody was on it; this way it is named as failed.
SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".avif", ".gif", ".bmp"),
    *(".dib", ".tif", ".tiff", ".jp2", ".ppm", ".pgm", ".pbm", ".pnm", ".tga", ".heic", ".heif"),
)

SAVED_AS = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG"}

_ORIENTATION = 0x0112  # EXIF 2.3, table 4: what brings the stored rows and columns upright
_T = Image.Transpose
_FLIPS = (_T.FLIP_LEFT_RIGHT, _T.ROTATE_180, _T.FLIP_TOP_BOTTOM)
_TURNS = (_T.TRANSPOSE, _T.ROTATE_270, _T.TRANSVERSE, _T.ROTATE_90)
_UPRIGHT = dict(enumerate(_FLIPS + _TURNS, start=2))
_RUNS_A_PROGRAM = {"EPS"}  # Pillow gives these to Ghostscript; not with a stranger's file
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_MISSING = "no such file; check the path (web addresses are not read)"
_KIND = "{}: expected uint8 values 0..255, got {}; convert it (values 0..1 times 255 first)"
_KINDS = ("uint8", "uint16", "bool")
_CHANNELS = (1, 3, 4)  # grey, RGB, RGBA


def read(source: Picture, *, max_megapixels: float = MAX_MEGAPIXELS) -> NDArray[np.uint8]:
    """Read one picture, of any kind.

    source: a path; the bytes of a file; a file object open in binary mode (read from its start,
    as Pillow does, and left open); a PIL image; an array (H, W, 3) or (H, W, 4) in RGB order,
    (H, W) or (H, W, 1) grey, of uint8, uint16 or bool; a torch tensor of such a shape or with its
    channels first, which it has when its first axis is 1, 3 or 4 long.

    -> (H, W, 3) uint8, RGB, contiguous: the array itself where it is that already, so do not
    write into the result.

    Raises ImageError for a file that cannot be read, or that would decode to more than
    `max_megapixels` (10^6 pixels; said before anything is decoded), and ValueError for an array
    of another shape or type. Floats are refused, since 0..1 and 0..255 cannot be told apart.
    """
    label = name(source)
    if isinstance(source, str | os.PathLike):
        with _open_path(source, label) as file:
            return _from_file(file, label, max_megapixels)
    if isinstance(source, bytes | bytearray | memoryview):
        return _from_file(io.BytesIO(source), label, max_megapixels)
    if isinstance(source, Image.Image):
        return _from_image(source, label, max_megapixels)
    if hasattr(source, "read"):
        return _from_file(source, label, max_megapixels)
    # Who has a tensor has imported torch; nobody else should wait. Another thread may be at it.
    tensor = getattr(sys.modules.get("torch"), "Tensor", None)
    if tensor is not None and isinstance(source, tensor):
        return _from_tensor(source, label)
    if hasattr(source, "__array__"):
        return _from_array(np.asarray(source), label)
    raise ValueError(f"{label}: no picture; give one path, bytes, file, array, PIL image or tensor")


def is_plain(source: object) -> bool:
    """Whether `read` would give the very array back, as it does for the frames of a video."""
    return (
        isinstance(source, np.ndarray)
        and source.dtype == np.uint8
        and source.ndim == 3
        and source.shape[2] == 3
        and source.size > 0
        and source.flags.c_contiguous
    )


def name(source: object) -> str:
    """A short name of a picture for messages, one line: its path, or its type as `<bytes>`."""
    if isinstance(source, str | os.PathLike):
        return _one_line(os.fspath(source)) or "''"
    # PIL images have a filename, open files a name
    path = getattr(source, "filename", None) or getattr(source, "name", None)
    return _one_line(path) if isinstance(path, str) else f"<{type(source).__name__}>"


def save(picture: NDArray[np.uint8], path: str | os.PathLike[str]) -> None:
    """Write (H, W, 3) uint8 RGB as .jpg, .jpeg (quality 95) or .png; ImageError says why not."""
    label, kind = name(path), SAVED_AS.get(Path(path).suffix.lower())
    if kind is None:
        raise ImageError(f"{label}: pictures are saved as {', '.join(SAVED_AS)}; choose one")
    image, encoded = Image.fromarray(_from_array(picture, label)), io.BytesIO()
    try:
        # 4:4:4, because Pillow's default (4:2:0) smears thin coloured lines; PNG ignores both
        image.save(encoded, kind, quality=95, subsampling=0)
        Path(path).write_bytes(encoded.getbuffer())  # only now: never half a picture
    except OSError as error:
        raise ImageError(f"{label}: cannot be saved ({_why(error)}); try another folder") from error


def find(sources: Sequence[str | os.PathLike[str]], *, recursive: bool = False) -> list[Path]:
    """The picture files that the sources name, each once.

    A file is taken whatever its suffix. A folder gives the files that have a suffix of SUFFIXES,
    with `recursive` those of its subfolders too; hidden ones and linked folders are passed over.
    What does not exist is tried as a glob pattern (`*.jpg`, `**/*.png`), for shells that leave
    patterns alone. The order is that of the sources, inside each natural (img2 before img10).

    Raises ImageError for a source that gives nothing.
    """
    found: dict[str, Path] = {}
    for source in sources:
        for file in sorted(_files(os.fspath(source), recursive=recursive), key=_natural):
            found.setdefault(os.path.normcase(os.path.abspath(file)), file)
    return list(found.values())


def _files(source: str, *, recursive: bool) -> list[Path]:
    """The files of one source, in any order."""
    files, problem = [Path(source)], ""
    if os.path.isdir(source):
        files = list(_in_folder(source, recursive=recursive))
        problem = "no pictures in this folder; are they in subfolders (see recursive)?"
    elif not os.path.exists(source):
        files = [Path(match) for match in glob.glob(source, recursive=True)]
        files = [file for file in files if file.is_file()]
        problem = "no file matches this pattern" if glob.has_magic(source) else _MISSING
    if not files:
        raise ImageError(f"{name(source)}: {problem}")
    return files


def _in_folder(folder: str, *, recursive: bool) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise ImageError(f"{name(folder)}: cannot be searched ({_why(error)})") from error

    for path, folders, files in os.walk(folder, onerror=refuse):
        # in place, which is how os.walk learns where not to go
        folders[:] = [f for f in folders if recursive and not f.startswith(".")]
        for file in files:
            # macOS leaves a hidden "._photo.jpg" beside a photo.jpg; it is no picture
            if not file.startswith(".") and os.path.splitext(file)[1].lower() in SUFFIXES:
                yield Path(path, file)


def _natural(path: Path) -> list[list[tuple[int, str]]]:
    """Sorts numbers inside names by value, folder by folder."""
    return [
        [(int(t), "") if t.isdecimal() else (-1, t) for t in re.split(r"(\d+)", part.casefold())]
        for part in path.parts
    ]


def _open_path(path: str | os.PathLike[str], label: str) -> IO[bytes]:
    if os.path.isdir(path):
        raise ImageError(f"{label}: a folder, not a picture; name a picture in it")
    try:
        return open(path, "rb")
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        missing = isinstance(error, FileNotFoundError)
        problem = _MISSING if missing else f"cannot be opened ({_why(error)}); check the file"
        raise ImageError(f"{label}: {problem}") from error


def _from_file(file: Any, label: str, max_megapixels: float) -> NDArray[np.uint8]:
    if isinstance(file, io.TextIOBase):
        raise ValueError(f"{label}: a file open as text; open it in binary mode ('rb')")
    if not (hasattr(file, "seekable") and file.seekable()):
        file = io.BytesIO(file.read())
    file.seek(0)
    head = file.read(16)  # as many bytes as Pillow gives its readers to tell the format by
    if not head:
        raise ImageError(f"{label}: empty, 0 bytes; copy or download it again")
    with _open_image(file, head.ljust(16, b"\0"), label) as image:  # readers fail on fewer
        return _from_image(image, label, max_megapixels)


def _open_image(file: IO[bytes], head: bytes, label: str) -> ImageFile.ImageFile:
    """Image.open without Pillow's own limit, which is process-wide and lower than ours.

    Changing PIL.Image.MAX_IMAGE_PIXELS, even for a moment, would change it for the other threads
    of the user's program too. WebP and TIFF still ask it inside. Nothing is decoded here.
    """
    broken: Exception | None = None
    tried = set(_RUNS_A_PROGRAM)
    for load_readers in (Image.preinit, Image.init):  # the common formats, then all of them
        load_readers()
        for kind in [k for k in Image.ID if k not in tried]:
            tried.add(kind)
            reader, accepts = Image.OPEN[kind]
            try:
                accepted = accepts is None or accepts(head)
                if accepted and not isinstance(accepted, str):  # a str says why it cannot be read
                    file.seek(0)
                    return reader(file, "")
            except Exception as error:  # damaged bytes raise a dozen kinds
                # a reader that accepts anything says nothing by failing
                broken = broken or (error if accepts else None)
    if broken:
        raise ImageError(_broken(label, broken)) from broken
    raise ImageError(f"{label}: {_not_a_picture(head)}")


def _not_a_picture(head: bytes) -> str:
    if head[4:8] == b"ftyp":  # ISO base media file: 4 bytes of size, "ftyp", the brand
        if head[8:12] in _HEIF_BRANDS:
            return "HEIC pictures cannot be read; save it as JPEG or PNG"
        return "a video, not a picture; use 'movenet track'"
    return "not a picture in a known format; give JPEG, PNG, WebP, TIFF, BMP or GIF"


def _from_image(image: Image.Image, label: str, max_megapixels: float) -> NDArray[np.uint8]:
    width, height = image.size
    if width * height > max_megapixels * 1e6:
        limit = f"{max_megapixels:g} megapixels; scale it down, or raise max_megapixels"
        raise ImageError(f"{label}: {width} x {height} is more than {limit}")
    try:
        image.load()  # before the orientation is asked for: TIFF applies its own here
    except Exception as error:  # damaged bytes raise a dozen kinds
        raise ImageError(_broken(label, error)) from error
    return _from_array(_pixels(_upright(image), label), label)


def _upright(image: Image.Image) -> Image.Image:
    try:
        orientation = image.getexif().get(_ORIENTATION)
    except Exception:  # EXIF that cannot be read says nothing; the picture itself is whole
        return image
    return image.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else image


def _pixels(image: Image.Image, label: str) -> NDArray[Any]:
    """What `_from_array` takes: grey of 16 bits, RGB or RGBA. Copied, so that it can be written."""
    if image.mode in ("I", "F"):  # PGM with 16 bits, TIFF with 16 or 32; Pillow would clip at 255
        wide = np.array(image)
        if image.mode == "F" or wide.min() < 0 or wide.max() > 65535:
            raise ImageError(f"{label}: its pixels are not of 8 or 16 bits; save it with 8 bits")
        return wide.astype(np.uint16)
    if image.mode.startswith("I;16"):
        return np.array(image)
    mode = "RGBA" if image.has_transparency_data else "RGB"
    return np.array(image if image.mode == mode else image.convert(mode))


def _from_tensor(tensor: Any, label: str) -> NDArray[np.uint8]:
    if tensor.is_floating_point():  # asked here, because NumPy has no bfloat16
        raise ValueError(_KIND.format(label, tensor.dtype))
    array: NDArray[Any] = tensor.detach().cpu().numpy()
    if array.ndim == 3 and array.shape[0] in _CHANNELS:
        array = np.moveaxis(array, 0, -1)
    return _from_array(array, label)


def _from_array(array: NDArray[Any], label: str) -> NDArray[np.uint8]:
    if array.dtype.name not in _KINDS:
        raise ValueError(_KIND.format(label, array.dtype))
    if array.ndim != 2 and (array.ndim != 3 or array.shape[2] not in _CHANNELS):
        shapes = "(H, W), (H, W, 1), (H, W, 3) or (H, W, 4)"
        raise ValueError(f"{label}: expected one picture, {shapes}, got {array.shape}")
    if array.size == 0:
        raise ValueError(f"{label}: {array.shape} has no pixels")
    if array.dtype != np.uint8:
        array = (array * 255 if array.dtype == bool else array >> 8).astype(np.uint8)
    array = array if array.ndim == 3 else array[..., None]  # (H, W, 1 or 3 or 4)
    if array.shape[2] == 4:
        image = Image.fromarray(np.ascontiguousarray(array))
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image)
        return np.array(white)
    return np.ascontiguousarray(array if array.shape[2] == 3 else array.take([0, 0, 0], 2))


def _broken(label: str, error: Exception) -> str:
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return f"{label}: more than Pillow's limit; scale it down, or raise Image.MAX_IMAGE_PIXELS"
    return f"{label}: a broken picture ({_why(error)}); copy or download it again"


def _why(error: Exception) -> str:
    return _one_line(getattr(error, "strerror", None) or str(error) or type(error).__name__)


def _one_line(text: str) -> str:
    """File names may hold line breaks, and bytes that are not text."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
