"""PyTorch: on every device, and for networks of one's own."""

from contextlib import AbstractContextManager

import numpy as np
import torch
from numpy.typing import NDArray

from movenet import weights
from movenet.engines import Shape, check_batch
from movenet.errors import EngineError
from movenet.model import MoveNet


class TorchEngine:
    """MoveNet in eager PyTorch, channels last, float32 or the type the network came in."""

    def __init__(self, model: str | MoveNet, *, device: str = "auto", threads: int | None = None):
        """Load the network. EngineError for a device that is not there.

        `threads` sets how many CPU threads PyTorch uses, in the whole process; None leaves it.
        """
        self.runtime = f"PyTorch {torch.__version__}"
        if threads is not None:
            torch.set_num_threads(threads)
        self.device = find_device(device)
        network = weights.load(model) if isinstance(model, str) else model
        # Channels last is what the pictures are, and what the CPU's kernels like best.
        network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.model = network
        self.spec = network.spec

    @property
    def shapes(self) -> frozenset[Shape] | None:
        """Any multiples of 32."""
        return None

    def __call__(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, H, W, 3) uint8 RGB -> (N, 1, 17, 3) or (N, 6, 56) float32."""
        check_batch(batch)
        images = torch.from_numpy(batch).to(self.device).permute(0, 3, 1, 2)
        with torch.inference_mode(), full_precision():
            output: NDArray[np.float32] = self.model.detect(images).cpu().numpy()
        return output


def full_precision() -> AbstractContextManager[None]:
    """Convolutions in float32 where the weights are: PyTorch's default on CUDA is TF32."""
    flags: AbstractContextManager[None] = torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
    return flags


def find_device(name: str) -> torch.device:
    """The device of that name; "auto" is CUDA, else MPS, else the CPU. Raises EngineError."""
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise EngineError(
            f"--device {name}: PyTorch cannot use it here; try --device cpu"
        ) from error
    return device
