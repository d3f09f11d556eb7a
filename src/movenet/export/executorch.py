"""ExecuTorch with XNNPACK (.pte): one size, one picture."""

from pathlib import Path

import numpy as np

from movenet.export.certificate import Certificate, Floats, Pixels, Run
from movenet.export.job import Job
from movenet.export.network import Detector, text, trace

SUFFIX = ".pte"
PRECISIONS = ("float32",)
NEEDS = ("executorch",)


def export(job: Job, path: Path) -> None:
    """Write the file; its metadata is a method of its own, called "movenet"."""
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    lowered = to_edge_transform_and_lower(
        trace(Detector(job.model), job.shapes[0]),
        partitioner=[XnnpackPartitioner()],
        constant_methods={"movenet": text(job.model)},
    )
    path.write_bytes(lowered.to_executorch().buffer)


def verify(job: Job, path: Path, planted: Path) -> Certificate:
    """Run it in ExecuTorch's own runtime."""
    from importlib.metadata import version

    runtime = f"ExecuTorch {version('executorch')}, XNNPACK"
    return job.certify(path, runtime, open_file(path), open_file(planted), batches=False)


def open_file(path: Path) -> Run:
    """A .pte as a function of pictures."""
    import torch
    from executorch.runtime import Runtime

    method = Runtime.get().load_program(path).load_method("forward")

    def run(batch: Pixels) -> Floats:
        outputs = [method.execute([torch.from_numpy(p[None].copy())])[0].numpy() for p in batch]
        return np.concatenate(outputs)

    return run
