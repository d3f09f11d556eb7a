"""PyTorch, where there is nothing else, and to compare others with."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from movenet.lifting import files
from movenet.lifting.engines import Floats, check_windows

Module = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


class TorchEngine:
    """A lifting network in PyTorch, on one CPU thread, whatever the process is set to."""

    def __init__(self, kind: str, network: Module) -> None:
        """`network` is a LiftingNetwork, or what was exported of one."""
        self.runtime = f"PyTorch {torch.__version__}"
        self._kind, self._network = kind, network

    def __call__(self, keypoints: Floats, scores: Floats) -> tuple[Floats, Floats]:
        """(N, T, 17, 2), (N, T, 17) -> joints (N, 21, 3), uncertainty (N, 21)."""
        check_windows(self._kind, keypoints, scores)
        with torch.inference_mode(), one_thread():
            found = self._network(torch.from_numpy(keypoints), torch.from_numpy(scores))
        joints, uncertainty = (values.numpy() for values in found)
        return joints, uncertainty


@contextmanager
def one_thread() -> Iterator[None]:
    """PyTorch on one thread: on several, each of the small layers waits for the slowest."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def open_engine(kind: str, path: Path | None = None) -> TorchEngine:
    """The shipped network; PyTorch has no files of its own here."""
    assert path is None
    return TorchEngine(kind, files.load(kind))
