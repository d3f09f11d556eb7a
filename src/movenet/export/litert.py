"""LiteRT (TFLite) files, written operator by operator; needs no other exporter.

One file holds a graph for each input shape, over shared weights. float16 is the storage of the
weights; the arithmetic is float32 in both. int8 is in `litert_int8.py`.
"""

import json
from pathlib import Path

from movenet.engines.flatbuffer import File, Graph
from movenet.export import litert_int8
from movenet.export.certificate import THREADS, Certificate
from movenet.export.job import Job
from movenet.export.litert_decode import one_person, several_people
from movenet.export.litert_network import Layers
from movenet.export.network import INPUT, OUTPUT, metadata

SUFFIX = ".tflite"
PRECISIONS = ("float16", "float32", "int8")
NEEDS: tuple[str, ...] = ("ai_edge_litert",)


def export(job: Job, path: Path) -> None:
    """Write the file."""
    model, quantisation = job.model, None
    if job.precision == "int8":
        model, quantisation = litert_int8.quantise(job.model, job.calibration, job.shapes[0])
    file = File()
    decode = one_person if job.spec.people == 1 else several_people
    for h, w in job.shapes:
        layers = Layers(Graph(file), model, job.precision != "float32", quantisation)
        images = layers.graph.input(INPUT, (1, h, w, 3), "uint8")
        output = decode(layers, layers.features(images))
        layers.graph.finish(f"{h}x{w}", {OUTPUT: output})
    about = metadata(job.model, precision=job.precision)
    file.describe(f"MoveNet {job.spec.name}", {"movenet": json.dumps(about).encode()})
    path.write_bytes(file.packed())


def verify(job: Job, path: Path, planted: Path) -> Certificate:
    """Run it in LiteRT."""
    from movenet.engines.litert import LiteRTEngine

    engine, sweep = (LiteRTEngine(p, threads=THREADS, spec=job.spec) for p in (path, planted))
    return job.certify(path, engine.runtime, engine, sweep, batches=True, threads=THREADS)
