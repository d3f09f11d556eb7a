"""OpenVINO's own format, an .xml with its .bin: any batch, any size unless one is asked for."""

from pathlib import Path

from movenet.export.certificate import Certificate
from movenet.export.job import Job
from movenet.export.network import INPUT, OUTPUT, Detector, dynamic, text, trace

SUFFIX = ".xml"
PRECISIONS = ("float32",)
NEEDS = ("openvino",)


def export(job: Job, path: Path) -> None:
    """Write the two files."""
    import openvino

    program = trace(Detector(job.model), job.shapes[0], dynamic=dynamic(job), count=2)
    model = openvino.convert_model(program)
    model.input(0).set_names({INPUT})
    model.output(0).set_names({OUTPUT})
    model.set_rt_info(text(job.model), "movenet")
    openvino.save_model(model, path, compress_to_fp16=False)


def verify(job: Job, path: Path, planted: Path) -> Certificate:
    """Run it in OpenVINO on the CPU."""
    from movenet.engines.openvino import OpenVinoEngine

    engine, sweep = (OpenVinoEngine(p, threads=2, spec=job.spec) for p in (path, planted))
    return job.certify(path, engine.runtime, engine, sweep, batches=True)
