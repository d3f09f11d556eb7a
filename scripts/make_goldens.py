"""Make src/movenet/goldens from Google's graphs: what `movenet verify` and the tests compare with.

Needs an environment with TensorFlow, and Google's files and their runner:

    python -m venv reference && reference/bin/pip install torch==2.13.0
    reference/bin/pip install -e . -r ../shared/reference/requirements.txt
    reference/bin/python scripts/make_goldens.py ../shared

The same versions give the same bytes. The values are float32 at full precision; positions are
where the signal is (every channel at the cells that the decoding read) and random ones.
"""

import argparse
import hashlib
import importlib.metadata
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from movenet import goldens
from movenet.goldens import Case
from movenet.specs import ROWS, ModelSpec

RANDOM_POSITIONS = 200  # of each inner tensor
SIGNAL_CELLS = 24  # of each head, at most
LETTERBOX_POSITIONS = 3000

TAPS = ("normalised_input", "backbone_s4", "backbone_s8", "backbone_s16", "backbone_s32")
TAPS += ("pyramid_s4",)
HEADS = ("centre_logits", "keypoint_regression", "keypoint_logits", "keypoint_offsets")
BOX_HEADS = ("box_scale", "box_offset")


def positions(shape: tuple[int, ...], cells: np.ndarray, seed: int) -> np.ndarray:
    """Flat indices into a tensor (1, h, w, C): all channels of some cells, and random ones."""
    size = int(np.prod(shape))
    chosen = goldens.noise(RANDOM_POSITIONS, seed) % np.uint32(size)
    signal = (cells[:, None] * shape[3] + np.arange(shape[3])).ravel()
    return np.unique(np.concatenate([chosen, signal])).astype(np.int32)


def case_arrays(runner: Any, graph: Any, case: Case, heads: tuple[str, ...]) -> dict[str, Any]:
    """The output of one case and its inner tensors at the chosen positions."""
    names = [*TAPS, *heads, "centre_index", "keypoint_index"]
    image = goldens.case_input(case)[None]
    values = runner(image, [graph.output_tensor, *(graph.taps[name] for name in names)])
    output, found = values[0], dict(zip(names, values[1:], strict=True))
    cells = np.concatenate([found["centre_index"].ravel(), found["keypoint_index"].ravel()])
    cells = np.unique(cells[:SIGNAL_CELLS]).astype(np.int64)
    arrays = {f"{case.name}/output": output}
    for seed, name in enumerate((*TAPS, *heads), start=100):
        index = positions(found[name].shape, cells if name in heads else cells[:0], seed)
        arrays[f"{case.name}/{name}/index"] = index
        arrays[f"{case.name}/{name}/value"] = found[name].ravel()[index]
    return arrays


def decode_arrays(runner: Any, graph: Any, spec: ModelSpec) -> dict[str, Any]:
    """What the graph decodes from made-up heads, fed in the place of its own."""
    arrays = {}
    for kind in goldens.FED_HEADS:
        feed = {f"{graph.input_node}:0": np.zeros((1, spec.side, spec.side, 3), np.int32)}
        for name, value in goldens.fed_heads(spec, kind).items():
            feed[f"{graph.taps[name]}:0"] = value
        arrays[f"decode/{kind}/output"] = runner._session.run(graph.output_tensor, feed)
    return arrays


def letterbox_arrays(spec: ModelSpec) -> dict[str, Any]:
    """TensorFlow's own letterbox of the bundled pictures, at random positions."""
    import tensorflow as tf

    arrays = {}
    for name in ("astronaut", "two_people"):
        sampled = tf.image.resize_with_pad(goldens.bundled(name)[None], spec.side, spec.side)
        flat = sampled.numpy().ravel()
        index = np.unique(goldens.noise(LETTERBOX_POSITIONS, 50) % np.uint32(flat.size))
        arrays[f"letterbox/{name}/index"] = index.astype(np.int32)
        arrays[f"letterbox/{name}/value"] = flat[index]
    return arrays


def make(shared: Path, spec: ModelSpec) -> None:
    """Write one model's golden file."""
    sys.path.insert(0, str(shared / "reference"))
    import google_graph

    source = shared / "data" / "models" / f"movenet-{spec.name}.json"
    graph = google_graph.load(source)
    heads = HEADS if spec.people == 1 else HEADS + BOX_HEADS
    arrays: dict[str, Any] = letterbox_arrays(spec)
    metadata = {"made_by": "scripts/make_goldens.py"}
    for file in (source, source.with_suffix(".bin")):
        metadata[f"sha256 of {file.name}"] = hashlib.sha256(file.read_bytes()).hexdigest()
    for tool in ("tensorflow-cpu", "numpy"):
        metadata[tool] = importlib.metadata.version(tool)
    for case in goldens.cases(spec):
        runner = google_graph.Runner(graph, case.size)
        arrays |= case_arrays(runner, graph, case, heads)
        metadata[f"sha256 of input {case.name}"] = goldens.fingerprint(goldens.case_input(case))
        if case.picture == "noise":
            arrays |= decode_arrays(runner, graph, spec)
    goldens.FOLDER.mkdir(exist_ok=True)
    save_file(
        arrays,
        goldens.FOLDER / f"{spec.name}.safetensors",
        {"movenet": json.dumps(metadata, indent=1)},
    )


def main() -> None:
    """Make the goldens of every model."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("shared", type=Path, help="the folder with reference/ and data/models/")
    shared = parser.parse_args().shared
    for spec in ROWS:
        make(shared, spec)
        print(
            f"{spec.name}: {(goldens.FOLDER / f'{spec.name}.safetensors').stat().st_size:,} bytes"
        )


if __name__ == "__main__":
    main()
