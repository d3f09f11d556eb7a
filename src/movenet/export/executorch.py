"""ExecuTorch with XNNPACK (.pte): one size, one picture, (H, W, 3).

ExecuTorch 1.5 takes a channels-last tensor for a contiguous one and answers wrongly. Three axes
have no channels-last layout, so there is nothing to mistake: what is not contiguous is refused.
"""

from pathlib import Path

import numpy as np
from torch import Tensor, nn

from movenet.export.certificate import Certificate, Floats, Pixels, Run
from movenet.export.job import Job
from movenet.export.network import Detector, example, text, trace
from movenet.model import MoveNet

SUFFIX = ".pte"
PRECISIONS = ("float32",)
NEEDS = ("executorch",)
INPUT_CONTRACT = "(H, W, 3) uint8, RGB 0..255, contiguous"


class OnePicture(nn.Module):
    """(H, W, 3) uint8 RGB -> Google's tensor, (1, 1, 17, 3) or (1, 6, 56)."""

    def __init__(self, model: MoveNet):
        super().__init__()
        self.detector = Detector(model)

    def forward(self, image: Tensor) -> Tensor:
        """As `Detector`, with a batch of one."""
        output: Tensor = self.detector(image[None])
        return output


def export(job: Job, path: Path) -> None:
    """Write the file; its metadata is a method of its own, called "movenet"."""
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    lowered = to_edge_transform_and_lower(
        trace(OnePicture(job.model), example(job.shapes[0])[0]),
        partitioner=[XnnpackPartitioner()],
        constant_methods={"movenet": text(job.model, input=INPUT_CONTRACT)},
    )
    path.write_bytes(lowered.to_executorch().buffer)


def verify(job: Job, path: Path, planted: Path) -> Certificate:
    """Run it in ExecuTorch's own runtime."""
    from importlib.metadata import version

    runtime = f"ExecuTorch {version('executorch')}, XNNPACK"
    return job.certify(
        path, runtime, open_file(path), open_file(planted), batches=False, threads=None
    )


def open_file(path: Path) -> Run:
    """A .pte as a function of pictures."""
    import torch
    from executorch.runtime import Runtime

    method = Runtime.get().load_program(path).load_method("forward")

    def run(batch: Pixels) -> Floats:
        outputs = [
            method.execute([torch.from_numpy(np.ascontiguousarray(p))])[0].numpy() for p in batch
        ]
        return np.concatenate(outputs)

    return run
