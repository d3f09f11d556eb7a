"""torch.export's own format (.pt2): any batch, any size unless one is asked for."""

from pathlib import Path

import torch

from movenet.export.certificate import Certificate
from movenet.export.job import Job
from movenet.export.network import Detector, dynamic, example, runner, text, trace

SUFFIX = ".pt2"
PRECISIONS = ("float32",)
NEEDS: tuple[str, ...] = ()


def export(job: Job, path: Path) -> None:
    """Write the file."""
    program = trace(Detector(job.model), example(job.shapes[0], 2), dynamic=dynamic(job))
    torch.export.save(program, path, extra_files={"movenet": text(job.model)})


def verify(job: Job, path: Path, planted: Path) -> Certificate:
    """Load it and run it in PyTorch."""
    made, sweep = (torch.export.load(p).module() for p in (path, planted))
    runtime = f"torch.export {torch.__version__}"
    threads = torch.get_num_threads()
    return job.certify(path, runtime, runner(made), runner(sweep), batches=True, threads=threads)
