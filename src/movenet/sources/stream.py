"""Streams from an address: RTSP, HTTP, RTMP, UDP and what else FFmpeg speaks."""

import logging
import re
import threading
import time
from collections.abc import Iterator

import av

from movenet.errors import VideoError
from movenet.frame import Frame
from movenet.sources.container import Opened, open_address
from movenet.sources.newest import Newest
from movenet.sources.pixels import converter
from movenet.sources.source import Source
from movenet.sources.span import Span

TIMEOUT_S = 10.0  # for an answer, and then for each packet
FIRST_WAIT_S = 0.5  # before the first attempt to reconnect; doubled for each further one
LONGEST_WAIT_S = 30.0
GIVE_UP_S = 60.0  # without a frame

_OPTIONS = {
    "rtsp_transport": "tcp",  # over UDP, routers and firewalls often let nothing through
    "analyzeduration": "1000000",  # microseconds; FFmpeg's own 5 s would be 5 s of waiting
}
Arrived = tuple[int, float, av.VideoFrame]

log = logging.getLogger("movenet")


def connect(address: str) -> Opened:
    """Open an address. VideoError says why it cannot be; it names no password."""
    return open_address(address, label(address), timeout_s=TIMEOUT_S, options=_OPTIONS)


def label(address: str) -> str:
    """The address for messages, without user and password."""
    return re.sub(r"(?<=://)[^/@]*@", "", address)


class Stream(Source):
    """A live stream, of which each newest frame is taken once, as of a camera.

    Times are those of this computer's monotonic clock when the frame came, from the first one on:
    they go on over a break. The index counts the frames that came.

    A stream that ends, breaks or is silent for TIMEOUT_S is opened again after 0.5, 1, 2, 4 ... 30
    seconds, and the log says so. After GIVE_UP_S without a frame VideoError is raised.
    """

    live = True
    count: int | None = None

    def __init__(self, address: str, opened: Opened, span: Span) -> None:
        """`opened` is the first connection; it is closed by the stream."""
        self.name = label(address)
        self._address, self._span = address, span
        self._opened: Opened | None = opened
        rate = opened[1].average_rate
        self.rate: float | None = float(rate) if rate else None
        self._newest: Newest[Arrived] | None = None
        self._closed = False

    def __iter__(self) -> Iterator[Frame]:
        """The frames from now on."""
        if self._closed:
            return
        convert = converter()
        newest = self._newest = Newest(self._receive, self.name)
        try:
            for index, timestamp_s, frame in self._span.select(newest):
                yield Frame(convert(frame), index, timestamp_s)
        finally:
            newest.close()

    def _receive(self, stopped: threading.Event) -> Iterator[Arrived]:
        """Every frame that comes, over all connections, with its number and time."""
        index, first_s = 0, None
        last_s, wait_s, lost = time.monotonic(), FIRST_WAIT_S, False
        while True:
            for frame in self._connection():
                now_s = time.monotonic()
                if lost:
                    log.warning("%s: the stream is back after %.1f s", self.name, now_s - last_s)
                first_s = now_s if first_s is None else first_s
                last_s, wait_s, lost = now_s, FIRST_WAIT_S, False
                yield index, now_s - first_s, frame
                index += 1
                if stopped.is_set():
                    return
            if stopped.is_set():
                return
            if time.monotonic() + wait_s - last_s > GIVE_UP_S:
                problem = f"no frame for {time.monotonic() - last_s:.0f} s, given up"
                raise VideoError(f"{self.name}: {problem}; check that the stream is sent")
            lost = True
            log.warning("%s: the stream is lost, trying again in %g s", self.name, wait_s)
            if stopped.wait(wait_s):
                return
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)

    def _connection(self) -> Iterator[av.VideoFrame]:
        """The frames of one connection, until it ends for whatever reason."""
        opened, self._opened = self._opened, None
        try:
            container, stream = opened or connect(self._address)
        except VideoError:
            return
        with container:
            # PyAV's own threads are for slices only: those for frames would keep frames back
            try:
                for packet in container.demux(stream):
                    try:
                        yield from packet.decode()
                    except av.error.InvalidDataError:
                        continue  # damaged on the way; the next ones are good again
            except av.FFmpegError:
                return

    def close(self) -> None:
        """End the connection."""
        self._closed = True
        if self._newest is not None:
            self._newest.close()
        if self._opened is not None:
            self._opened[0].close()
