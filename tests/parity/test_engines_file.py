"""The LiteRT files in the package are those that its exporter makes of its weights, to the byte."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from movenet import weights
from movenet.export import litert
from movenet.export.job import Job
from movenet.specs import ROWS, ModelSpec

SCRIPT = Path(__file__).parents[2] / "scripts" / "make_engines.py"
LISTED = json.loads((weights.FOLDER / "litert.json").read_text())


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("spec", ROWS, ids=lambda row: row.name)
def test_a_shipped_file_is_what_the_exporter_makes_of_the_weights(
    spec: ModelSpec, tmp_path: Path
) -> None:
    path = tmp_path / "made.tflite"
    model = weights.load(spec.name)
    litert.export(Job(model, "litert", "float16", spec.shapes, fixed=False), path)
    assert digest(path) == LISTED[f"{spec.name}.tflite"], "run 'make engines'"


@pytest.mark.parametrize("spec", ROWS, ids=lambda row: row.name)
def test_its_hash_is_in_the_list(spec: ModelSpec) -> None:
    name = f"{spec.name}.tflite"
    assert LISTED[name] == digest(weights.FOLDER / name)


def test_the_list_names_the_shipped_files_and_no_others() -> None:
    assert set(LISTED) == {path.name for path in weights.FOLDER.glob("*.tflite")}
    assert set(LISTED) == {f"{spec.name}.tflite" for spec in ROWS}


@pytest.mark.slow
def test_the_script_makes_the_shipped_files_and_their_list(tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPT), "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    made = {path.name: digest(path) for path in tmp_path.iterdir()}
    assert made == {name: digest(weights.FOLDER / name) for name in [*LISTED, "litert.json"]}
