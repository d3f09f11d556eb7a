"""The LiteRT export against what Google's own graphs gave, with the graphs' constants."""

from pathlib import Path

import pytest

from movenet import weights
from movenet.engines.litert import LiteRTEngine
from movenet.export import litert
from movenet.export.job import Job
from movenet.goldens import case_input, cases, read
from movenet.specs import GRAPH_CONSTANTS, ROWS, ModelSpec
from movenet.verify import split_error


@pytest.mark.parametrize("spec", ROWS, ids=lambda spec: spec.name)
def test_the_litert_export_gives_what_google_s_graph_gave(spec: ModelSpec, tmp_path: Path) -> None:
    model = weights.load(spec.name, constants=GRAPH_CONSTANTS)
    shapes = tuple(dict.fromkeys(case.size for case in cases(spec)))
    path = tmp_path / "made.tflite"
    litert.export(Job(model, "litert", "float16", shapes, fixed=True), path)
    engine, golden = LiteRTEngine(path, threads=1), read(spec)
    for case in cases(spec):
        output = engine(case_input(case)[None])
        places, scores = split_error(output, golden[f"{case.name}/output"])
        assert places < 5e-6, case.name
        assert scores < 5e-5, case.name
