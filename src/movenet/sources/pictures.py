"""Pictures as frames: one, a folder of them, or those that a pattern names."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from movenet import images
from movenet.errors import ImageError, VideoError
from movenet.frame import Frame
from movenet.sources.source import Source
from movenet.sources.span import Span


class Pictures(Source):
    """Picture files, one after the other; they have no clock, so `rate` frames make a second.

    One picture is a frame at time 0. Pictures that cannot be read are left out, and a VideoError
    names them when the others are done. Of animations the first picture is taken.
    """

    live = False

    def __init__(self, files: Sequence[Path], name: str, *, rate: float, span: Span) -> None:
        """`files` in order; rate: frames a second."""
        self.name = name
        self.rate: float | None = rate
        self.count: int | None = span.count(len(files), rate)
        self._files, self._step_s, self._span = files, 1 / rate, span
        self._closed = False

    def __iter__(self) -> Iterator[Frame]:
        """Read them, each when it is its turn."""
        last_s = (len(self._files) - 1) * self._step_s
        if last_s < self._span.start_s:
            problem = f"its last picture is at {last_s:.2f} s, before the start"
            raise VideoError(
                f"{self.name}: {problem} at {self._span.start_s:g} s; choose an earlier start"
            )
        failed: list[ImageError] = []
        timed = ((i, i * self._step_s, file) for i, file in enumerate(self._files))
        for index, timestamp_s, file in self._span.select(timed):
            if self._closed:
                return
            try:
                image = images.read(file)
            except ImageError as error:
                failed.append(error)
                continue
            yield Frame(image, index, timestamp_s)
        if len(failed) == 1:
            raise VideoError(str(failed[0])) from failed[0]
        if failed:
            problem = f"{len(failed)} of {len(self._files)} pictures cannot be read"
            raise VideoError(f"{self.name}: {problem}, the first is {failed[0]}") from failed[0]

    def close(self) -> None:
        """End every reading of it at the next picture."""
        self._closed = True
