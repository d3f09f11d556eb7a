"""Tiny videos, made with PyAV where a test needs them, and what is read of them."""

import http.server
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from movenet.errors import VideoError
from movenet.sources import open_source

SHORT_GOPS = {"g": "10"}  # an encoder's option: a keyframe each 10 frames

GREY_STEP = 4  # between two frames, so that each one is told apart after compression


def greys(frames: int, size: tuple[int, int] = (64, 48)) -> list[np.ndarray]:
    """`frames` pictures (H, W, 3), each of one grey: 20, 24, 28 ..., as `place_of` reads them."""
    width, height = size
    return [np.full((height, width, 3), 20 + GREY_STEP * i, np.uint8) for i in range(frames)]


def place_of(image: np.ndarray) -> int:
    """Which of `greys` this is."""
    return round((float(image.mean()) - 20) / GREY_STEP)


def write(
    path: Path,
    pictures: Iterable[np.ndarray],
    *,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    rate: int = 25,
    times: Sequence[float] | None = None,
    turn: tuple[int, bool] | None = None,
    sound_s: float = 0.0,
    title: str = "",
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Write pictures (H, W, 3) uint8 RGB as a video; the path itself is given back.

    times: of each frame in seconds, else 1 / rate apart. turn: the display matrix, as degrees
    counterclockwise and whether mirrored. sound_s: length of a sound track of silence.
    title: in the metadata.
    """
    with av.open(str(path), "w", options=container_options or {}) as file:
        file.metadata["title"] = title
        video = file.add_stream(codec, rate=rate, options=options or {})
        video.pix_fmt = pixels
        video.codec_context.time_base = Fraction(1, 1000) if times else Fraction(1, rate)
        if turn:
            video.set_display_rotation(turn[0], hflip=turn[1])
        if sound_s:
            sound = file.add_stream("aac", rate=16000, layout="mono")
        for i, picture in enumerate(pictures):
            if i == 0:
                video.height, video.width = picture.shape[:2]
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = round(times[i] * 1000) if times else i
            frame.time_base = video.codec_context.time_base
            file.mux(video.encode(frame))
        file.mux(video.encode(None))
        for start in range(0, round(sound_s * 16000), 1024):
            samples = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            samples.sample_rate, samples.pts = 16000, start
            samples.time_base = Fraction(1, 16000)
            file.mux(sound.encode(samples))
        if sound_s:
            file.mux(sound.encode(None))
    return path


Seen = list[tuple[int, float, int]]  # of each frame: index, timestamp_s, which grey


def read(path: str | Path, **options: Any) -> Seen:
    """The frames of a source; `options` are those of `open_source`."""
    with open_source(path, **options) as source:
        return [(f.index, f.timestamp_s, place_of(f.image)) for f in source]


def failing(path: str | Path, **options: Any) -> tuple[Seen, str]:
    """The frames that came, and the one line of the error that then came."""
    frames: Seen = []
    with pytest.raises(VideoError) as caught, open_source(path, **options) as source:
        frames.extend((f.index, f.timestamp_s, place_of(f.image)) for f in source)
    assert "\n" not in str(caught.value)
    return frames, str(caught.value)


def expected(places: Iterable[int], rate: float = 25) -> list[tuple[int, Any, int]]:
    """What `read` gives where each grey is at its place, 1 / rate apart."""
    return [(i, pytest.approx(i / rate), i) for i in places]


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a folder, "http://127.0.0.1:8080/", on a server that is up meanwhile."""
    handler = partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()
