"""Cameras, through OpenCV."""

import math
import os
import sys
import threading
import time
from collections.abc import Iterator
from glob import glob

import cv2
import numpy as np
from numpy.typing import NDArray

from movenet.errors import VideoError
from movenet.frame import Frame
from movenet.silence import silence
from movenet.sources.newest import Newest
from movenet.sources.source import Source
from movenet.sources.span import Span

_FAILURES = 5  # reads without a picture, one after the other, until a camera counts as gone
_PAUSE_S = 0.05  # between them
Grabbed = tuple[int, float, NDArray[np.uint8]]


class Camera(Source):
    """A camera, of which each newest picture is taken once: who is slow sees fewer, not older ones.

    Times are those of this computer's monotonic clock when the picture came, from the first one on.
    The index counts the pictures that came, so one that jumps says how many were passed over. The
    camera may give another size or rate than it is asked for.
    """

    live = True
    count: int | None = None

    def __init__(
        self, device: int | str, *, size: tuple[int, int], rate: float, span: Span
    ) -> None:
        """Open it. device: number or path; size: width, height; VideoError says why not."""
        self.name = f"camera {device}" if isinstance(device, int) else device
        self._span = span
        self._newest: Newest[Grabbed] | None = None
        self._closed = False
        with silence(2):  # OpenCV writes a line for each driver that it tries
            self._capture = cv2.VideoCapture(device, _driver())
        if not self._capture.isOpened():
            raise VideoError(f"{self.name}: {_why_not(device)}")
        # before the size: uncompressed, USB 2 carries 1280 x 720 at 10 frames a second only
        self._capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
        self._capture.set(cv2.CAP_PROP_FRAME_WIDTH, size[0])
        self._capture.set(cv2.CAP_PROP_FRAME_HEIGHT, size[1])
        self._capture.set(cv2.CAP_PROP_FPS, rate)
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        given = self._capture.get(cv2.CAP_PROP_FPS)  # 0, -1 or NaN where a driver knows none
        self.rate: float | None = given if 0 < given < math.inf else None

    def __iter__(self) -> Iterator[Frame]:
        """The pictures from now on. Raises VideoError when the camera gives no more."""
        if self._closed:
            return
        newest = self._newest = Newest(self._grab, self.name)
        try:
            for index, timestamp_s, bgr in self._span.select(newest):
                image: NDArray[np.uint8] = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)  # type: ignore[assignment]
                yield Frame(image, index, timestamp_s)
        finally:
            newest.close()

    def _grab(self, stopped: threading.Event) -> Iterator[Grabbed]:
        """Every picture of the camera, with its number and time."""
        index, failures, first_s = 0, 0, None
        while not stopped.is_set():
            good, bgr = self._capture.read()
            now_s = time.monotonic()
            if not good:
                failures += 1
                if failures == _FAILURES:
                    raise VideoError(f"{self.name}: gives no more pictures; plug it in again")
                stopped.wait(_PAUSE_S)
                continue
            failures = 0
            first_s = now_s if first_s is None else first_s
            yield index, now_s - first_s, bgr  # type: ignore[misc]
            index += 1

    def close(self) -> None:
        """Let the camera go."""
        self._closed = True
        if self._newest is None or self._newest.close():
            self._capture.release()


def _driver() -> int:
    # Media Foundation takes up to minutes to open a camera (opencv/opencv issue 17687)
    return int(cv2.CAP_DSHOW if sys.platform == "win32" else cv2.CAP_ANY)


def _why_not(device: int | str) -> str:
    """What is wrong with a camera that does not open, and what to do."""
    if sys.platform == "linux":
        path = f"/dev/video{device}" if isinstance(device, int) else device
        if not os.path.exists(path):
            there = ", ".join(sorted(glob("/dev/video*")))
            return "there is none; " + (f"there are {there}" if there else "plug one in")
        if not os.access(path, os.R_OK | os.W_OK):
            return "may not be read by you; join the group video, then log in again"
        return "cannot be opened; close the program that uses it, or name another"
    return (
        "cannot be opened; check its number, close the program that uses it, and allow cameras to"
        " this program in the system's privacy settings"
    )
