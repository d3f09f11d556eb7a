"""TorchScript, for programs that load models with libtorch: any batch and size."""

from pathlib import Path

import torch

from movenet.export.certificate import Certificate
from movenet.export.job import Job
from movenet.export.network import Detector, example, runner, text

SUFFIX = ".pt"
PRECISIONS = ("float32",)
NEEDS: tuple[str, ...] = ()


def export(job: Job, path: Path) -> None:
    """Write the file."""
    with torch.no_grad():
        made = torch.jit.trace(
            Detector(job.model).eval(), (example(job.shapes[0]),), check_trace=False
        )
        torch.jit.save(made, path, _extra_files={"movenet": text(job.model)})


def verify(job: Job, path: Path, planted: Path) -> Certificate:
    """Run it with torch.jit."""
    made, sweep = (torch.jit.load(p) for p in (path, planted))
    runtime = f"TorchScript {torch.__version__}"
    threads = torch.get_num_threads()
    return job.certify(path, runtime, runner(made), runner(sweep), batches=True, threads=threads)
