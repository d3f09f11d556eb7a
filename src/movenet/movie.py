"""Movies: H.264 in MP4, written as the frames come.

What is unusual here:
- The times of the frames are kept, in ticks of 1/90000 s, so a variable rate stays variable.
- Until it is closed, the file is a fragmented MP4, which plays as far as it was written: after a
  kill the last second or two are missing. Closing makes it a plain MP4 (`hybrid_fragmented` of
  FFmpeg's libavformat/movenc.c), the kind that every player and editor opens. For that its index
  is kept in memory: 36 MB for an hour at 30 frames/s with sound.
- Colours are BT.709 with levels 16..235, converted so and tagged so.
"""

import contextlib
import math
import os
import struct
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from movenet.errors import MoveNetError, VideoError
from movenet.images import read
from movenet.soundtrack import Soundtrack, open_sound

try:
    import av
    from av.codec.context import Flags
    from av.video.reformatter import VideoReformatter
except ImportError as error:
    raise MoveNetError(
        'movies: PyAV is not installed here; pip install "movenet-pytorch[video]"'
    ) from error

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.stream import VideoStream

    from movenet.soundtrack import Opened

    Sound = str | Path | Opened

Pixels = NDArray[np.uint8]

SUFFIXES = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov"}  # to FFmpeg's names of the formats
TICKS = 90_000  # a second, MPEG's clock: frames of 24, 25, 30, 50 and 60 a second are whole ticks
RATE = 30.0  # frames a second, where nothing says it
MAX_SIDE = 16_384  # pixels; libx264 takes no more
BT709 = 1  # primaries, transfer and matrix alike: ITU-T H.273, tables 2 to 4
LIMITED = 1  # 16..235, FFmpeg's AVCOL_RANGE_MPEG
# FFmpeg before 8.1 writes a wrong index with both: there the file stays fragmented.
_CLOSING = "hybrid_fragmented+" if av.library_versions["libavformat"] >= (62, 12) else ""
CONTAINER = {
    "movflags": _CLOSING + "delay_moov+default_base_moof",
    "frag_duration": "1000000",  # microseconds, as the next
    "max_interleave_delta": "1000000",  # how long frames wait for sound; a kill loses them
    "flush_packets": "1",
}
# Of a frame of 1280x720, in processor time: ultrafast 4 ms, superfast 7, veryfast 8, faster 13;
# in bytes 2.4 : 2 : 1 : 0.9. The offset is for thin coloured lines: a quarter less error of their
# colour for a tenth more bytes, where crf 18 takes a third more for less.
# No B-frames: FFmpeg takes a movie's end from its last fragment alone; where that holds B-frames
# only, the edit list cuts the last frame off. It costs 0 to 45 % more bytes, and no more time.
ENCODER = {"preset": "veryfast", "crf": "20", "bf": "0", "x264-params": "chroma-qp-offset=-4"}
THREADS = 2


class Movie:
    """An H.264 movie: .mp4, .m4v or .mov. Use it in a `with`, from one thread at a time.

    It begins at 0 with its first frame, whatever that frame's timestamp, and has its size: odd
    sides become even by repeating the last row or column, later frames of another size are
    scaled to fit between black bars. An existing file is written over when the first frame comes;
    without any frame, none is made and nothing is changed.
    """

    def __init__(
        self, path: str | Path, *, rate: float | None = None, sound: "Sound | None" = None
    ) -> None:
        """Look whether the place can be written.

        rate: frames a second, which says how long the last frame is shown (else as long as the
        one before). sound: the file that the frames are from, for its sound (see `soundtrack`), or
        what opens it, as `Video.reopen` of `movenet.sources` does.

        Raises VideoError where it cannot be written, or is the file `sound` itself, and
        ValueError for a rate that is not over 0.
        """
        if rate is not None and not 0 < rate < math.inf:
            raise ValueError(f"rate: expected frames a second, over 0, got {rate}")
        self._path, self._rate = Path(path), rate
        self._sound = partial(open_sound, sound) if isinstance(sound, str | Path) else sound
        if self._path.suffix.lower() not in SUFFIXES:
            raise VideoError(f"{path}: movies are saved as {', '.join(SUFFIXES)}; choose one")
        if "libx264" not in av.codecs_available:
            raise VideoError(
                f"{path}: this PyAV cannot write H.264; pip install --force-reinstall av"
            )
        self._is_new = not self._path.exists()
        if isinstance(sound, str | Path) and _same(path, sound):
            raise VideoError(f"{path}: is the video that is read; name another file")
        try:
            # What is there is not emptied: perhaps no frame will come.
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o666))
        except OSError as error:
            raise self._unwritable(error) from error
        self._writing: _Writing | None = None
        self._failed = self._closed = False

    def write(self, image: Pixels, timestamp_s: float) -> None:
        """Add a frame, (H, W, 3) uint8 RGB, which is copied.

        timestamp_s: seconds, more than the frame's before; in the file, frames are at least one
        tick apart. Raises VideoError where the file can no longer be written (what was written
        before stays), ValueError for another array or time.
        """
        if self._closed:
            raise ValueError("this movie is closed; nothing can be written any more")
        image = read(image)  # checks it
        try:
            if self._writing is None:
                self._writing = self._begun(image, timestamp_s)
            self._writing.add(image, timestamp_s)
        except (OSError, av.FFmpegError) as error:
            self._failed = True
            raise self._unwritable(error) from error

    def close(self) -> None:
        """End the movie; again is no error. Raises VideoError where the end cannot be written."""
        if self._closed:
            return
        self._closed = True
        try:
            if self._writing is not None:
                self._writing.end(failed=self._failed)
        except (OSError, av.FFmpegError) as error:
            if not self._failed:  # else `write` has said it
                self._failed = True
                raise self._unwritable(error) from error
        finally:
            with contextlib.suppress(OSError):  # somebody else may have taken it away
                if self._failed and self._writing is not None:
                    keep_whole_parts(self._path)
                if self._is_new and not self._path.stat().st_size:
                    self._path.unlink()

    def __enter__(self) -> "Movie":
        """The movie itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it: after an error, too, what was written can be played."""
        self.close()

    def _begun(self, image: Pixels, start_s: float) -> "_Writing":
        height, width = image.shape[:2]
        if max(height, width) > MAX_SIDE:
            raise VideoError(
                f"{self._path}: H.264 takes at most {MAX_SIDE} pixels a side, and the frames have "
                f"{width} x {height}; scale the source down"
            )
        form = SUFFIXES[self._path.suffix.lower()]
        file = f"file:{self._path}"  # or FFmpeg would take "a:b.mp4" for an address
        container = av.open(file, "w", format=form, container_options=CONTAINER)
        writing = _Writing(container, image, start_s, self._rate, self._sound)
        os.truncate(self._path, 0)
        return writing

    def _unwritable(self, error: OSError | av.FFmpegError) -> VideoError:
        why = error.strerror or str(error)
        return VideoError(f"{self._path}: cannot be written ({why}); name another file")


class _Writing:
    """A movie from its first frame on: its streams, and how far they are."""

    def __init__(
        self,
        container: "OutputContainer",
        first: Pixels,
        start_s: float,
        rate: float | None,
        sound: "Opened | None",
    ) -> None:
        self._size, self._start_s = first.shape[:2], start_s
        self._step = None if rate is None else _ticks(1 / rate)
        self._before_s = -math.inf  # the last frame's time
        self._tick = -1  # and its tick
        self._end = 0  # the tick at which it is taken away
        # It waits until its length is known, which FFmpeg goes by where a fragment ends.
        self._held: av.VideoFrame | None = None
        self._container = container
        self._stream = _stream(container, self._size, rate or RATE)
        self._colours = VideoReformatter()
        self._sound = Soundtrack(sound, container, start_s)

    def add(self, image: Pixels, timestamp_s: float) -> None:
        if not timestamp_s > self._before_s:  # so NaN, too
            raise ValueError(f"timestamp_s: expected more than the one before, got {timestamp_s}")
        # Two times may be nearer than a tick: a file's own ticks may be microseconds.
        tick = max(_ticks(timestamp_s - self._start_s), self._tick + 1)
        step = self._step or (tick - self._tick if tick else _ticks(1 / RATE))
        self._container.mux(list(self._sound.until(tick / TICKS)))  # both advance together
        self._release(tick)
        self._before_s, self._tick, self._end = timestamp_s, tick, tick + step
        frame = self._colours.reformat(
            av.VideoFrame.from_ndarray(even(fitted(image, self._size))),
            format="yuv420p",
            dst_colorspace=BT709,
            dst_color_range=LIMITED,
        )
        frame.pts, frame.time_base = tick, Fraction(1, TICKS)
        self._held = frame

    def _release(self, end: int) -> None:
        """Encode the frame that waits, which is shown up to the tick `end`."""
        if self._held is not None:
            self._held.duration = end - self._tick
            self._container.mux(self._stream.encode(self._held))
            self._held = None

    def end(self, *, failed: bool) -> None:
        """Write what is left. After a failure only the index: more would crash in FFmpeg."""
        try:
            if not failed:
                self._container.mux(list(self._sound.until(self._end / TICKS)))
                self._release(self._end)
                self._container.mux(self._stream.encode(None))
        finally:
            self._sound.close()
            self._container.close()


def _stream(container: "OutputContainer", size: tuple[int, int], rate: float) -> "VideoStream":
    fraction = max(Fraction(rate).limit_denominator(1001), Fraction(1, 1001))  # NTSC: 30000/1001
    stream = container.add_stream("libx264", rate=fraction, options=ENCODER)
    codec = stream.codec_context
    codec.height, codec.width = (side + side % 2 for side in size)
    codec.pix_fmt, codec.thread_count = "yuv420p", THREADS
    codec.time_base = stream.time_base = Fraction(1, TICKS)
    codec.colorspace = codec.color_primaries = codec.color_trc = BT709
    codec.color_range = LIMITED
    codec.flags |= Flags.frame_duration
    return stream


def fitted(image: Pixels, size: tuple[int, int]) -> Pixels:
    """(h, w, 3) -> (*size, 3), scaled to fit, in the middle between black bars."""
    height, width = image.shape[:2]
    if (height, width) == size:
        return image
    scale = min(size[0] / height, size[1] / width)
    h, w = max(1, round(height * scale)), max(1, round(width * scale))
    top, left = (size[0] - h) // 2, (size[1] - w) // 2
    made = np.zeros((*size, 3), np.uint8)
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    cv2.resize(image, (w, h), dst=made[top : top + h, left : left + w], interpolation=how)
    return made


def even(image: Pixels) -> Pixels:
    """The last row and column once more where there is an odd number of them."""
    height, width = image.shape[:2]
    if height % 2 == 0 and width % 2 == 0:
        return image
    return np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def _ticks(seconds: float) -> int:
    return round(seconds * TICKS)


def _same(path: str | Path, other: str | Path) -> bool:
    try:
        return os.path.samefile(path, other)
    except OSError:  # one of them is not there
        return False


def keep_whole_parts(path: Path) -> None:
    """Cut off what is behind the last whole fragment or index, or everything without a fragment.

    Players stumble over half a fragment.
    """
    with path.open("r+b") as file:
        end = position = 0
        size = file.seek(0, os.SEEK_END)
        while position + 8 <= size:
            file.seek(position)
            length, kind = struct.unpack(">I4s", file.read(8))  # ISO/IEC 14496-12, 4.2
            position += length
            if length < 8 or position > size:
                break
            if kind == b"mdat" or (kind == b"moov" and end):
                end = position
        file.truncate(end)
