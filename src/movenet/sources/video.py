"""Video files, animated pictures, and addresses that end."""

from collections.abc import Callable, Iterable, Iterator

import av
from av.container import InputContainer

from movenet.errors import VideoError
from movenet.frame import Frame
from movenet.sources.clock import Clock
from movenet.sources.container import Opened
from movenet.sources.decoding import Decoded, Decoding
from movenet.sources.pixels import converter
from movenet.sources.source import Source
from movenet.sources.span import Span


class Video(Source):
    """The frames of a file, with the times at which a player would show them.

    Time 0 is the file's first frame that can be decoded. A frame's index is its place in the file,
    also where the start lies in the middle (in a damaged file: among the frames that are whole).

    Damage does not end it: what can be decoded is given, and then a VideoError says what could
    not. It also says where a file breaks off, and where there is no frame at all.
    """

    live = False

    def __init__(self, opened: Callable[[], Opened], name: str, span: Span) -> None:
        """`opened` opens the file; it is asked once here, and again for every reading."""
        self.name = name
        self._opened, self._span = opened, span
        self._closed = False
        container, stream = opened()
        with container:
            rate = stream.average_rate or stream.guessed_rate
            self.rate: float | None = float(rate) if rate else None
            self.count: int | None = None
            if self.rate is not None:
                seconds = (container.duration or 0) / av.time_base
                frames = stream.frames or round(seconds * self.rate)
                self.count = span.count(frames, self.rate) if frames else None

    def __iter__(self) -> Iterator[Frame]:
        """Read the file from its start, or from the span's."""
        convert = converter()
        for index, timestamp_s, frame in self._span.select(self._timed()):
            if self._closed:
                return
            yield Frame(convert(frame), index, timestamp_s)

    def _timed(self) -> Iterator[tuple[int, float, av.VideoFrame]]:
        """The decoded frames with index and time; at their end VideoError for what is not well."""
        decoding = Decoding(self._opened, start_s=self._span.start_s)
        clock: Clock | None = None
        last = None
        for decoded, following in _with_next(decoding):
            if clock is None:
                clock = Clock(decoding.tick_s, self.rate, decoding.origin)
            last = decoded.index, clock.seconds(decoded.pts, following)
            yield (*last, decoded.frame)
        self._judge(decoding, last)

    def _judge(self, decoding: Decoding, last: tuple[int, float] | None) -> None:
        if last is None:
            problem = "no frame in it can be decoded" if decoding.damaged else "no frames in it"
            raise VideoError(f"{self.name}: {problem}; copy or download it again")
        problems = []
        if decoding.damaged:
            left_out = "packet was" if decoding.damaged == 1 else "packets were"
            problems.append(f"{decoding.damaged} damaged {left_out} left out")
        if decoding.broken_off:
            problems.append(f"it breaks off after frame {last[0]} at {last[1]:.2f} s")
        if problems:
            what = " and ".join(problems)
            raise VideoError(f"{self.name}: {what}; the rest is done, copy or download it again")
        if last[1] < self._span.start_s:
            problem = f"its last frame is at {last[1]:.2f} s, before the start"
            raise VideoError(
                f"{self.name}: {problem} at {self._span.start_s:g} s; choose an earlier start"
            )

    def reopen(self) -> InputContainer:
        """The file once more, for its sound; it is the caller's to close."""
        return self._opened()[0]

    def close(self) -> None:
        """End every reading of it at the next frame."""
        self._closed = True


def _with_next(frames: Iterable[Decoded]) -> Iterator[tuple[Decoded, int | None]]:
    """Each frame with the timestamp of the one after it; the last one with None."""
    held: Decoded | None = None
    for frame in frames:
        if held is not None:
            yield held, frame.pts
        held = frame
    if held is not None:
        yield held, None
