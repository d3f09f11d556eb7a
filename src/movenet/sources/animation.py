"""Animated WebP, which FFmpeg does not decode; Pillow does."""

from collections.abc import Iterator
from fractions import Fraction

from PIL import Image

from movenet import images
from movenet.errors import VideoError
from movenet.frame import Frame
from movenet.sources.clock import Clock
from movenet.sources.source import Source
from movenet.sources.span import Span

# RFC 9649, 2.5 and 2.7: "RIFF", the size, then this, the chunk's size, and a byte with this flag.
_KIND, _FLAGS, _ANIMATED = b"WEBPVP8X", 20, 0x02


def is_animation(path: str) -> bool:
    """Whether a file is an animated WebP; what cannot be read is none."""
    try:
        with open(path, "rb") as file:
            head = file.read(_FLAGS + 1)
    except (OSError, ValueError):  # ValueError: a null character in the path
        return False
    return head[8:16] == _KIND and len(head) > _FLAGS and bool(head[_FLAGS] & _ANIMATED)


class Animation(Source):
    """The frames of an animated WebP, with their own times.

    `rate` is what the first frame's duration says.
    """

    live = False

    def __init__(self, path: str, span: Span) -> None:
        """Look at its first frame; VideoError says why it cannot be read."""
        self.name = images.name(path)
        self._path, self._span = path, span
        self._closed = False
        try:
            with Image.open(path) as image:
                image.load()
                frames, duration_ms = image.n_frames, image.info["duration"]
        except Exception as error:  # damaged bytes raise a dozen kinds
            problem = "damaged or cut off, no frame in it can be decoded"
            raise VideoError(f"{self.name}: {problem}; copy or download it again") from error
        self._frames: int = frames
        self.rate: float | None = 1000 / duration_ms if duration_ms else None
        self.count: int | None = span.count(frames, self.rate) if self.rate else None

    def __iter__(self) -> Iterator[Frame]:
        """Decode it from its start, which the format asks for; what is not asked for is not given.

        VideoError says after which frame it cannot be decoded any more.
        """
        with Image.open(self._path) as image:
            for index, timestamp_s, _ in self._span.select(self._decoded(image)):
                if self._closed:
                    return
                yield Frame(images.read(image), index, timestamp_s)

    def _decoded(self, image: Image.Image) -> Iterator[tuple[int, float, None]]:
        """Go through the frames: index and time of the one that `image` then is."""
        clock = Clock(Fraction(1, 1000), self.rate, 0)
        for index in range(self._frames):
            try:
                image.seek(index)
                image.load()
            except Exception as error:  # damaged bytes raise a dozen kinds
                problem = f"it breaks off after frame {index - 1}; the rest is done"
                raise VideoError(f"{self.name}: {problem}, copy or download it again") from error
            yield index, clock.seconds(image.info["timestamp"]), None

    def close(self) -> None:
        """End every reading of it at the next frame."""
        self._closed = True
