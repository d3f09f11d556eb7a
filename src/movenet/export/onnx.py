"""ONNX, with PyTorch's own exporter: any batch, any size unless one is asked for."""

from pathlib import Path

import onnxruntime
import torch

from movenet.decode import Heads, decode
from movenet.export.certificate import THREADS, Certificate, Floats, Pixels, Run
from movenet.export.job import Job
from movenet.export.network import (
    INPUT,
    OUTPUT,
    DenseHeads,
    Detector,
    dynamic,
    example,
    head_names,
    text,
    trace,
)

SUFFIX = ".onnx"
PRECISIONS = ("float32",)
NEEDS = ("onnx", "onnxscript", "onnxruntime")
OPSET = 18


def export(job: Job, path: Path) -> None:
    """Write the file."""
    module = (DenseHeads if job.heads else Detector)(job.model)
    program = trace(module, example(job.shapes[0], 2), dynamic=dynamic(job))
    made = torch.onnx.export(
        program,
        dynamo=True,
        opset_version=OPSET,
        input_names=[INPUT],
        output_names=head_names(job.model) if job.heads else [OUTPUT],
        verbose=False,
    )
    assert made is not None
    made.model.metadata_props["movenet"] = text(job.model, decoding=not job.heads)
    made.save(path)


def verify(job: Job, path: Path, planted: Path) -> Certificate:
    """Run it in ONNX Runtime; dense heads are decoded by PyTorch afterwards."""
    from movenet.engines.onnx import OnnxEngine

    if job.heads:
        runtime, runs = f"ONNX Runtime {onnxruntime.__version__}", (heads(path), heads(planted))
    else:
        engine, sweep = (OnnxEngine(p, threads=THREADS, spec=job.spec) for p in (path, planted))
        runtime, runs = engine.runtime, (engine, sweep)
    return job.certify(path, runtime, *runs, batches=True, threads=THREADS)


def heads(path: Path) -> Run:
    """A file of dense heads as a function of pictures, decoded here."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def run(batch: Pixels) -> Floats:
        outputs = session.run(None, {INPUT: batch})
        return decode(Heads(*(torch.from_numpy(output) for output in outputs))).numpy()

    return run
