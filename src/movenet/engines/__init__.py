"""What runs the networks. Every engine answers one protocol and knows no other engine."""

from typing import TYPE_CHECKING, Protocol, Union

import numpy as np
from numpy.typing import NDArray

from movenet.specs import ModelSpec

if TYPE_CHECKING:
    from movenet.model import MoveNet


class Engine(Protocol):
    """A network with its decoding, ready to run."""

    spec: ModelSpec

    def __call__(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, H, W, 3) uint8 RGB -> Google's tensor, (N, 1, 17, 3) or (N, 6, 56)."""
        ...


def open_engine(
    model: Union[str, "MoveNet"], *, device: str = "auto", threads: int | None = None
) -> Engine:
    """The engine of a model's name, or of a network of one's own.

    `device` is "auto" (CUDA, else MPS, else the CPU) or a name of PyTorch's. `threads` sets how
    many CPU threads PyTorch uses, in the whole process; None leaves it alone. Raises ValueError
    for an unknown name and EngineError for a device that is not there.
    """
    from movenet.engines.torch import TorchEngine

    return TorchEngine(model, device=device, threads=threads)
