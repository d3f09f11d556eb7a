"""An AOTInductor package (.pt2 with compiled code): one size, any batch; needs a C++ compiler."""

from pathlib import Path

import torch

from movenet.export.certificate import Certificate
from movenet.export.job import Job
from movenet.export.network import Detector, dynamic, example, runner, text, trace

SUFFIX = ".aoti.pt2"
PRECISIONS = ("float32",)
NEEDS: tuple[str, ...] = ()


def export(job: Job, path: Path) -> None:
    """Compile it for this machine's processor and write the file."""
    from torch._inductor import aoti_compile_and_package

    program = trace(
        Detector(job.model), example(job.shapes[0], 2), dynamic=dynamic(job, size=False)
    )
    options = {"aot_inductor.metadata": {"movenet": text(job.model)}}
    aoti_compile_and_package(program, package_path=str(path), inductor_configs=options)


def verify(job: Job, path: Path, planted: Path) -> Certificate:
    """Run the compiled code."""
    from torch._inductor import aoti_load_package

    made, sweep = (aoti_load_package(str(p)) for p in (path, planted))
    runtime = f"AOTInductor {torch.__version__}"
    threads = torch.get_num_threads()
    return job.certify(path, runtime, runner(made), runner(sweep), batches=True, threads=threads)
