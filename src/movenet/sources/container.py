"""Opening what PyAV reads: files and addresses, with errors in one line."""

import os
import struct
from typing import Any

from movenet import images
from movenet.errors import MoveNetError, VideoError

try:
    import av
    from av.container import InputContainer
    from av.stream import Disposition
    from av.video.stream import VideoStream
except ImportError as error:
    raise MoveNetError(
        'videos: PyAV is not installed; run pip install "movenet-pytorch[video]"'
    ) from error

Opened = tuple[InputContainer, VideoStream]

_AGAIN = "copy or download it again"
_METADATA_ERRORS = "replace"  # a title may be of any encoding
_TEXT = "tty"  # FFmpeg's demuxer that draws text files as a video


def open_file(path: str) -> Opened:
    """A video file and its video stream. VideoError says why not."""
    name = images.name(path)
    try:
        with open(path, "rb") as file:
            head = file.read(12)
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        why = getattr(error, "strerror", None) or error
        raise VideoError(f"{name}: cannot be opened ({why}); check the file") from error
    if not head:
        raise VideoError(f"{name}: empty, 0 bytes; {_AGAIN}")
    problem = "its index (moov) is missing or broken, as when a recording is cut off"
    has_index = head[4:8] == b"ftyp"  # ISO base media file: MP4, MOV, 3GP
    try:
        # "file:", or a name with a colon would be taken for an address
        container = av.open("file:" + path, metadata_errors=_METADATA_ERRORS)
    except av.FFmpegError as error:
        if not has_index:
            problem = f"not a video that can be read ({error.strerror})"
        raise VideoError(f"{name}: {problem}; {_AGAIN}") from error
    if has_index and not container.streams.get():
        container.close()
        problem = "no frames in it" if _is_empty(path) else problem
        raise VideoError(f"{name}: {problem}; {_AGAIN}")
    return container, video_of(container, name)


def _is_empty(path: str) -> bool:
    """Whether the index of an MP4 is whole and names no track. ISO/IEC 14496-12, 4.2 and 8.3."""
    with open(path, "rb") as file:
        size, position = file.seek(0, os.SEEK_END), 0
        while position + 8 <= size:
            file.seek(position)
            length, kind = struct.unpack(">I4s", file.read(8))
            if kind == b"moov":
                return position + length <= size and b"trak" not in file.read(length - 8)
            if length < 8:  # as long as the file, or over 4 GB: not an empty one
                break
            position += length
    return False


def open_address(address: str, name: str, *, timeout_s: float, options: dict[str, str]) -> Opened:
    """A stream at an address and its video stream. VideoError says why not.

    timeout_s: for opening, and then for each read.
    """
    try:
        container = av.open(
            address, options=options, timeout=timeout_s, metadata_errors=_METADATA_ERRORS
        )
    except (av.FFmpegError, ValueError) as error:
        why = getattr(error, "strerror", None) or "not an address"
        if isinstance(error, av.error.ExitError):
            why = f"no answer in {timeout_s:g} s"
        problem = f"cannot be opened ({why})"
        raise VideoError(f"{name}: {problem}; check the address, and that it is sent") from error
    return container, video_of(container, name)


def video_of(container: InputContainer, name: str) -> VideoStream:
    """The video stream that players show; the container is closed where there is none.

    A cover picture of a music file is no video.
    """
    stream: Any = container.streams.best("video")
    problem = ""
    if container.format.name == _TEXT:
        problem = "a text, not a video; check the file"
    elif stream is None or stream.disposition & Disposition.attached_pic:
        sound = "only sound" if container.streams.audio else "no video"
        problem = f"there is {sound} in it; check the file"
    elif stream.codec_context is None:
        problem = "its video codec is unknown here; convert it to H.264 (ffmpeg -i IN OUT.mp4)"
    if problem:
        container.close()
        raise VideoError(f"{name}: {problem}")
    opened: VideoStream = stream
    return opened
