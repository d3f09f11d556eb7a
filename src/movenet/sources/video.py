"""Video files, animated pictures, and addresses that end."""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

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


@dataclass(slots=True)
class _Seen:
    """What a reading has given: index and time of its last frame, and where damage was hidden."""

    last: tuple[int, float] | None = None
    patched_s: list[float] = field(default_factory=list)


class Video(Source):
    """The frames of a file, with the times at which a player would show them.

    Time 0 is the file's first frame that can be decoded. A frame's index is its place in the file,
    also where the start lies in the middle (in a damaged file: among the frames that are whole).

    Damage does not end it: what can be decoded is given, and then a VideoError says what could
    not, and how many frames the decoder has patched up. It also says where a file breaks off, and
    where there is no frame at all. What comes behind the span's end is not judged.
    """

    live = False

    def __init__(
        self, opened: Callable[[], Opened], name: str, span: Span, *, is_remote: bool = False
    ) -> None:
        """`opened` opens the file; it is asked once here, and again for every reading.

        is_remote: whether it is on a server.
        """
        self.name, self._is_remote = name, is_remote
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
        decoding, seen = Decoding(self._opened, start_s=self._span.start_s), _Seen()
        for index, timestamp_s, frame in self._span.select(self._timed(decoding, seen)):
            if self._closed:
                return
            yield Frame(convert(frame), index, timestamp_s)
        if not self._closed:
            self._judge(decoding, seen)

    def _timed(self, decoding: Decoding, seen: _Seen) -> Iterator[tuple[int, float, av.VideoFrame]]:
        """The decoded frames with index and time, which are noted in `seen`."""
        clock: Clock | None = None
        for decoded, following in _with_next(decoding):
            if clock is None:
                clock = Clock(decoding.tick_s, self.rate, decoding.origin)
            time_s = clock.seconds(decoded.pts, following)
            seen.last = decoded.index, time_s
            if decoded.frame.is_corrupt:
                seen.patched_s.append(time_s)
            yield decoded.index, time_s, decoded.frame

    def _judge(self, decoding: Decoding, seen: _Seen) -> None:
        """VideoError for what is not well in what was asked for."""
        if seen.last is None:
            raise VideoError(f"{self.name}: {self._why_nothing(decoding)}")
        what = " and ".join(self._damage(decoding, seen.last, seen.patched_s))
        if what:
            raise VideoError(f"{self.name}: {what}; the rest is done, copy or download it again")
        last_s = seen.last[1]
        if last_s < self._span.start_s:
            problem = f"its last frame is at {last_s:.2f} s, before the start"
            raise VideoError(
                f"{self.name}: {problem} at {self._span.start_s:g} s; choose an earlier start"
            )

    def _why_nothing(self, decoding: Decoding) -> str:
        if decoding.damaged:
            return "no frame in it can be decoded; copy or download it again"
        if self._is_remote and decoding.failed:
            why = "as where the server cannot seek and the index is at the end"
            return f"no frame in it can be read, {why}; download it and name the file"
        return "no frames in it; copy or download it again"

    def _damage(
        self, decoding: Decoding, last: tuple[int, float], patched_s: list[float]
    ) -> Iterator[str]:
        """What is damaged before the span's end, kind by kind."""
        end_s = math.inf if self._span.end_s is None else self._span.end_s
        left_out = decoding.damaged_before(end_s)
        if left_out:
            were = "packet was" if left_out == 1 else "packets were"
            yield f"{left_out} damaged {were} left out"
        patched_s = [time_s for time_s in patched_s if time_s < end_s]
        if patched_s:
            at, several = f"at {patched_s[0]:.2f} s", f"{len(patched_s)} damaged frames were"
            yield (
                f"1 damaged frame was patched up ({at})"
                if len(patched_s) == 1
                else f"{several} patched up (the first {at})"
            )
        if decoding.broken_off and last[1] < end_s:  # a decoder reads on behind the end
            yield f"it breaks off after frame {last[0]} at {last[1]:.2f} s"

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
