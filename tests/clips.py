"""Tiny videos, made with PyAV where a test needs them."""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

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
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Write pictures (H, W, 3) uint8 RGB as a video; the path itself is given back.

    times: of each frame in seconds, else 1 / rate apart. turn: the display matrix, as degrees
    counterclockwise and whether mirrored. sound_s: length of a sound track of silence.
    """
    with av.open(str(path), "w", options=container_options or {}) as file:
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
