"""Which frames of a source are asked for."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from numbers import Integral, Real
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Span:
    """From `start_s` on, before `end_s`, of those every `stride`-th, the first included.

    Seconds of the source's own clock. ValueError for what cannot be: a start below 0, an end that
    is not after the start, a stride below 1.
    """

    start_s: float = 0.0
    end_s: float | None = None
    stride: int = 1

    def __post_init__(self) -> None:
        """Check the numbers; NaN is refused too."""
        if not (isinstance(self.start_s, Real) and 0 <= self.start_s < math.inf):
            raise ValueError(f"start_s: expected seconds from 0 on, got {self.start_s!r}")
        if self.end_s is not None and not (
            isinstance(self.end_s, Real) and self.end_s > self.start_s
        ):
            raise ValueError(
                f"end_s: expected more than start_s ({self.start_s}), got {self.end_s!r}"
            )
        if not (isinstance(self.stride, Integral) and self.stride >= 1):
            raise ValueError(f"stride: expected a whole number from 1 on, got {self.stride!r}")

    def select(self, frames: Iterable[tuple[int, float, T]]) -> Iterator[tuple[int, float, T]]:
        """Those of (index, timestamp_s, anything) that are asked for; times must rise.

        Nothing is drawn from `frames` after the first one that lies behind the end.
        """
        place = 0
        for frame in frames:
            if self.end_s is not None and frame[1] >= self.end_s:
                return
            if frame[1] >= self.start_s:
                if place % self.stride == 0:
                    yield frame
                place += 1

    def count(self, frames: int, rate: float) -> int:
        """How many of `frames` frames at `rate` a second are asked for."""
        first = math.ceil(self.start_s * rate)
        end = frames if self.end_s is None else min(frames, math.ceil(self.end_s * rate))
        return -(-max(end - first, 0) // self.stride)

    def __str__(self) -> str:
        """In words, for messages: "from 2 s on", "from 2 s to 3 s"."""
        return f"from {self.start_s:g} s " + (
            "on" if self.end_s is None else f"to {self.end_s:g} s"
        )
