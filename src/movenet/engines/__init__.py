"""What runs the networks. Every engine answers one protocol and knows no other engine."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from movenet.specs import ModelSpec

Shape = tuple[int, int]  # height and width of an input


class Engine(Protocol):
    """A network with its decoding, ready to run. `runtime` says what runs it, with its version."""

    spec: ModelSpec
    runtime: str

    @property
    def shapes(self) -> frozenset[Shape] | None:
        """The input shapes (H, W) that it takes; None for any multiples of 32."""
        ...

    def __call__(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, H, W, 3) uint8 RGB -> Google's tensor, (N, 1, 17, 3) or (N, 6, 56)."""
        ...
