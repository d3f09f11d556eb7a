"""Where the time of a picture goes."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


class Stopwatch:
    """Milliseconds by stage, summed until it is read."""

    def __init__(self) -> None:
        """Nothing measured yet."""
        self.times_ms: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Add what the block takes to its stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            spent = (time.perf_counter() - start) * 1e3
            self.times_ms[stage] = self.times_ms.get(stage, 0.0) + spent

    def timed(self, stage: str, items: Iterable[T]) -> Iterator[T]:
        """The items; waiting for them is what the stage takes."""
        waiting = iter(items)
        while True:
            with self(stage):
                try:
                    item = next(waiting)
                except StopIteration:
                    return
            yield item
