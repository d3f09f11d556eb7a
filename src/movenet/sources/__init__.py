"""Where frames come from: files, pictures, cameras and streams, named by one argument."""

import glob
import math
import os
import re
from functools import partial
from numbers import Integral, Real
from pathlib import Path

from movenet import images
from movenet.errors import ImageError, VideoError
from movenet.sources.animation import Animation, is_animation
from movenet.sources.camera import Camera
from movenet.sources.clock import USUAL_RATE
from movenet.sources.container import open_file
from movenet.sources.pictures import Pictures
from movenet.sources.source import Source
from movenet.sources.span import Span
from movenet.sources.stream import Stream, connect, label
from movenet.sources.video import Video

__all__ = ["Source", "check_address", "open_source"]

_ANIMATED = {".gif", ".apng"}  # pictures by their suffix, read as the videos they are
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_PLAYLISTS = {"hls", "dash"}  # FFmpeg's names: how long these texts are says nothing
_CAMERA_PATHS = ("/dev/video", "/dev/v4l/")


def open_source(
    source: str | int | os.PathLike[str],
    *,
    camera_size: tuple[int, int] = (1280, 720),
    rate: float = USUAL_RATE,
    start_s: float = 0.0,
    end_s: float | None = None,
    stride: int = 1,
) -> Source:
    """Open what the word names.

    source: the number of a camera (0 or "0") or its path (/dev/video0); a video file or an
    animated GIF, PNG (.apng) or WebP; the address of a stream (rtsp://, http://, rtmp://, udp://
    ...) or of a video file on a server; a picture, a folder of pictures, or a pattern of them
    ("frames/*.png"), in natural order (frame2 before frame10). A path object is a file or folder
    whatever its name.

    camera_size: (width, height), what a camera is asked for. rate: frames a second, what a camera
    is asked for, and what pictures are taken to have; videos and streams have times of their own,
    and it says nothing about them. From start_s on, before end_s, in seconds of
    the source's own clock, of those every stride-th frame; index and time of a frame stay those
    that it has in the whole source.

    Raises VideoError for what cannot be opened, and ValueError for what names no source and for
    numbers that cannot be.
    """
    check_address(source)
    span = Span(start_s, end_s, stride)
    _check_size(camera_size)
    if not (isinstance(rate, Real) and 0 < rate < math.inf):
        raise ValueError(f"rate: expected frames a second over 0, got {rate!r}")
    device = _camera(source)
    if device is not None:
        return Camera(device, size=camera_size, rate=rate, span=span)
    path = os.fspath(source)
    if isinstance(source, str) and _ADDRESS.match(source):
        return _from_address(source, span)
    if is_animation(path):
        return Animation(path, span)
    is_picture = os.path.splitext(path)[1].lower() in set(images.SUFFIXES) - _ANIMATED
    if os.path.isdir(path) or is_picture or not os.path.exists(path):
        return Pictures(_pictures(path), images.name(path), rate=rate, span=span)
    return Video(partial(open_file, path), images.name(path), span)


def check_address(source: str | int | os.PathLike[str]) -> None:
    """ValueError for what names no source; True would be the second camera."""
    if isinstance(source, bool) or not isinstance(source, (str, Integral, os.PathLike)):
        raise ValueError(
            f"source must be a path, an address or the number of a camera, not {source!r}"
        )


def _check_size(size: object) -> None:
    sides = size if isinstance(size, (tuple, list)) else ()
    if len(sides) != 2 or not all(isinstance(side, Integral) and int(side) > 0 for side in sides):
        raise ValueError(f"camera_size: expected width and height from 1 on, got {size!r}")


def _camera(source: str | int | os.PathLike[str]) -> int | str | None:
    """The number or path of a camera; None for anything else."""
    if not isinstance(source, (str, os.PathLike)):
        number = int(source)  # NumPy's are no int
        if number < 0:
            raise ValueError(f"source: expected the number of a camera from 0 on, got {number}")
        return number
    if isinstance(source, str) and source.isascii() and source.isdigit():
        return int(source)
    path = os.fspath(source)
    return path if path.startswith(_CAMERA_PATHS) else None


def _from_address(address: str, span: Span) -> Source:
    """A video where its length is known, in time or bytes, as of a file on a server; or a stream.

    A file that were taken for a stream would be read again and again.
    """
    opened = connect(address)
    container = opened[0]
    is_file = container.size > 0 and container.format.name not in _PLAYLISTS
    if not (container.duration or is_file):
        return Stream(address, opened, span)
    container.close()
    return Video(partial(connect, address), label(address), span, is_remote=True)


def _pictures(path: str) -> list[Path]:
    """The pictures that a path, folder or pattern names."""
    name = images.name(path)
    if os.path.isdir(path):
        problem = "no pictures in this folder; name a folder of pictures, or a video"
    elif glob.has_magic(path):
        problem = "no picture matches this pattern; check it, and name videos one by one"
    else:
        problem = "no such file; check the path"
    try:
        files = images.find([path])
    except ImageError as error:
        denied = isinstance(error.__cause__, OSError)
        raise VideoError(str(error) if denied else f"{name}: {problem}") from error
    if not any(file.suffix.lower() in images.SUFFIXES for file in files):
        raise VideoError(f"{name}: {problem}")
    return files
