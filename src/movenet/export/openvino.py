"""OpenVINO's own format, an .xml with its .bin: any batch, any size unless one is asked for."""

import tempfile
from pathlib import Path

from movenet.export import onnx
from movenet.export.certificate import THREADS, Certificate
from movenet.export.job import Job
from movenet.export.network import text

SUFFIX = ".xml"
PRECISIONS = ("float32",)
NEEDS = ("openvino", "onnx", "onnxscript")


def export(job: Job, path: Path) -> None:
    """Write the two files."""
    import openvino

    # By way of ONNX: OpenVINO's own reader of PyTorch programs fails on this one (2026.4).
    with tempfile.TemporaryDirectory() as folder:
        middle = Path(folder) / "middle.onnx"
        onnx.export(job, middle)
        model = openvino.convert_model(middle)
    model.set_rt_info(text(job.model), "movenet")
    openvino.save_model(model, path, compress_to_fp16=False)


def verify(job: Job, path: Path, planted: Path) -> Certificate:
    """Run it in OpenVINO on the CPU."""
    from movenet.engines.openvino import OpenVinoEngine

    engine, sweep = (OpenVinoEngine(p, threads=THREADS, spec=job.spec) for p in (path, planted))
    return job.certify(path, engine.runtime, engine, sweep, batches=True, threads=THREADS)
