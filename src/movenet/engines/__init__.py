"""What runs the networks. Every engine answers one protocol and knows no other engine."""

from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from movenet.errors import EngineError
from movenet.specs import MULTIPLE, ModelSpec

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


def check_batch(batch: NDArray[np.uint8]) -> None:
    """ValueError unless it is a batch of pictures."""
    if batch.dtype != np.uint8 or batch.ndim != 4 or batch.shape[3] != 3:
        raise ValueError(
            f"an engine takes uint8 (N, H, W, 3), RGB, not {batch.dtype} {batch.shape}"
        )


def check_shape(path: Path, shapes: frozenset[Shape] | None, batch: NDArray[np.uint8]) -> Shape:
    """The (H, W) of a batch; EngineError if the file does not take it, ValueError for no batch."""
    check_batch(batch)
    h, w = batch.shape[1:3]
    fits = (h, w) in shapes if shapes is not None else not (h % MULTIPLE or w % MULTIPLE)
    if not fits:
        taken = f"multiples of {MULTIPLE}" if shapes is None else shown(shapes)
        raise EngineError(f"{path}: takes {taken}, not {h}x{w}")
    return h, w


def shown(shapes: frozenset[Shape]) -> str:
    """Shapes as text: 192x192, 192x160, ..."""
    return ", ".join(f"{h}x{w}" for h, w in sorted(shapes, reverse=True))
