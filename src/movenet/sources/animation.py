"""Animated WebP, which FFmpeg does not decode; Pillow does."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from os import PathLike

from PIL import Image

from movenet import images
from movenet.errors import ImageError, VideoError
from movenet.frame import Frame
from movenet.sources.clock import Clock
from movenet.sources.source import Source
from movenet.sources.span import Span

# WebP Container Specification (RFC 9649, 2.7): 12 bytes of "RIFF", size and "WEBP", then the chunks:
# 4 bytes of name, 4 of the size of what follows, which is padded to an even one.
_CHUNKS, _CHUNK_HEAD = 12, 8
_ANIMATED = 0x02  # of the first byte of VP8X (2.7.1)
_DURATION = slice(12, 15)  # of ANMF, in ms (2.7.1.1)
_MILLISECOND = Fraction(1, 1000)


class Animation(Source):
    """The frames of an animated WebP, with their own times."""

    live = False

    def __init__(self, path: str | PathLike[str], span: Span) -> None:
        """Look at it; VideoError says why it cannot be read."""
        self.name = images.name(path)
        self._path, self._span, self._closed = path, span, False
        durations = _durations(path)
        total_s = sum(durations) / 1000
        self.rate: float | None = len(durations) / total_s if total_s else None
        self._ticks = [sum(durations[:i]) for i in range(len(durations))]
        self.count: int | None = len(list(span.select(self._timed())))

    def __iter__(self) -> Iterator[Frame]:
        """Decode them, each when it is its turn; what cannot be decoded ends it."""
        try:
            with Image.open(self._path) as image:
                for index, timestamp_s, _ in self._span.select(self._timed()):
                    if self._closed:
                        return
                    image.seek(index)
                    yield Frame(images.read(image), index, timestamp_s)
        except (ImageError, OSError, EOFError) as error:
            pass

    def _timed(self) -> Iterator[tuple[int, float, None]]:
        clock = Clock(_MILLISECOND, self.rate, 0)
        for index, ticks in enumerate(self._ticks):
            yield index, clock.seconds(ticks), None

    def close(self) -> None:
        """End every reading of it at the next frame."""
        self._closed = True
