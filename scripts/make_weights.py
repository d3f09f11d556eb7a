"""Make the shipped weights and their manifest from Google's TensorFlow.js files.

    python scripts/make_weights.py ../shared/data/models

The same files give the same bytes.
"""

import argparse
import dataclasses
import hashlib
import json
from pathlib import Path

import torch

from movenet import convert, weights
from movenet.model import MoveNet
from movenet.specs import ROWS, ModelSpec


def multiply_adds(spec: ModelSpec) -> int:
    """Multiply-adds of all convolutions at the model's own square, every head dense."""
    total = 0

    def count(layer: torch.nn.Conv2d, _: object, output: torch.Tensor) -> None:
        nonlocal total
        total += output.numel() * layer.weight[0].numel()

    with torch.device("meta"):
        model = MoveNet(spec)
        for layer in model.modules():
            if isinstance(layer, torch.nn.Conv2d):
                layer.register_forward_hook(count)
        model(torch.zeros(1, 3, spec.side, spec.side))
    return total


def make(spec: ModelSpec, folder: Path) -> weights.Entry:
    """Convert, save and describe one model."""
    converted = convert.read(folder / f"movenet-{spec.name}.json")
    file = weights.FOLDER / f"{spec.name}.safetensors"
    weights.save(file, spec, converted.tensors, spec.source)
    return weights.Entry(
        file=file.name,
        sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
        parameters=sum(value.size for value in converted.tensors.values()),
        multiply_adds=multiply_adds(spec),
        source=spec.source,
        source_sha256=converted.source_sha256,
        licence=spec.licence,
    )


def main() -> None:
    """Make all of them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=Path, help="where movenet-lightning.json and the others lie")
    folder = parser.parse_args().folder
    rows = {spec.name: dataclasses.asdict(make(spec, folder)) for spec in ROWS}
    (weights.FOLDER / "manifest.json").write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
