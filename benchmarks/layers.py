"""Where the time of a network goes in LiteRT, part by part.

    python benchmarks/layers.py --model lightning [--threads 1] [--rounds 30] [--json FILE]

The graph is cut after each part and every cut is timed, in turn; a part's time is the difference.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from ai_edge_litert.interpreter import Interpreter

from movenet import weights
from movenet.engines.flatbuffer import File, Graph, Value
from movenet.export.litert_decode import one_person, several_people
from movenet.export.litert_network import RELU6, Layers
from movenet.model import STAGES, MoveNet
from movenet.silence import silence
from movenet.specs import SPECS

PARTS = ("input", "stem", *(f"stage {i}" for i in range(len(STAGES))), "last", "pyramid", "heads")
DENSE_HEADS = ("centre", "keypoint_heatmaps")
CALLS = 4  # timed calls a round, of which the fastest counts


def cut(model: MoveNet, shape: tuple[int, int], part: str) -> bytes:
    """The file of the network up to the end of a part."""
    layers = Layers(Graph(File()), model)
    x = layers.graph.input("images", (1, *shape, 3), "uint8")
    outputs = up_to(layers, x, part)
    layers.graph.finish("cut", {f"output_{i}": value for i, value in enumerate(outputs)})
    return layers.graph.file.packed()


def up_to(layers: Layers, images: Value, part: str) -> list[Value]:
    """What the network has at the end of a part."""
    if part == "decoding":
        decode = one_person if layers.model.spec.people == 1 else several_people
        return [decode(layers, layers.features(images))]
    if part in ("pyramid", "heads"):
        x = layers.features(images)
        return [x] if part == "pyramid" else [layers.head(name, x) for name in DENSE_HEADS]
    x = images.cast("float32") * layers.model.constants.input_scale - 1.0
    if part == "input":
        return [x]
    x = layers.convolution("backbone.stem", x, RELU6)
    for index, (_, _, blocks, _) in enumerate(STAGES[: PARTS.index(part) - 1]):
        for block in range(blocks):
            x = layers.block(f"backbone.stages.{index}.{block}", x)
    return [layers.convolution("backbone.last", x, RELU6)] if part == "last" else [x]


def multiply_adds(model: MoveNet, shape: tuple[int, int]) -> dict[str, int]:
    """Multiply-adds of the convolutions of each part, of those that run everywhere."""
    counted = dict.fromkeys((*PARTS, "decoding"), 0)

    def counter(part: str) -> Callable[[torch.nn.Conv2d, object, torch.Tensor], None]:
        def count(layer: torch.nn.Conv2d, _: object, output: torch.Tensor) -> None:
            counted[part] += output.numel() * layer.weight[0].numel()

        return count

    for name, layer in model.named_modules():
        part = part_of(name)
        if isinstance(layer, torch.nn.Conv2d) and part:
            layer.register_forward_hook(counter(part))
    with torch.no_grad():
        model(torch.zeros(1, 3, *shape))
    return counted


def part_of(name: str) -> str | None:
    """The part that a module belongs to; None for a head that is read at a few cells."""
    first, _, rest = name.partition(".")
    if first == "backbone":
        kind, _, number = rest.partition(".")
        return f"stage {number.split('.')[0]}" if kind == "stages" else kind
    return "pyramid" if first == "pyramid" else "heads" if first in DENSE_HEADS else None


def interpreter(file: bytes, threads: int) -> Interpreter:
    """Ready to run, on random pixels."""
    made = Interpreter(model_content=file, num_threads=threads)
    with silence(2):
        made.allocate_tensors()
    details = made.get_input_details()[0]
    pixels = np.random.default_rng(0).integers(0, 256, details["shape"]).astype(np.uint8)
    made.set_tensor(details["index"], pixels)
    made.invoke()
    return made


def medians_ms(runs: dict[str, Interpreter], rounds: int) -> dict[str, float]:
    """The median over the rounds of each one's fastest call."""
    best: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            times = []
            for _ in range(CALLS):
                start = time.perf_counter()
                run.invoke()
                times.append(time.perf_counter() - start)
            best[name].append(min(times) * 1e3)
    return {name: float(np.median(times)) for name, times in best.items()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--model", choices=SPECS, default="lightning")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--json", type=Path, help="add the rows to this file")
    args = parser.parse_args()
    model = weights.load(args.model)
    shape = (model.spec.side, model.spec.side)
    names = (*PARTS, "decoding")
    runs = {name: interpreter(cut(model, shape, name), args.threads) for name in names}
    totals, work = medians_ms(runs, args.rounds), multiply_adds(model, shape)
    print(f"{args.model} {shape[0]}x{shape[1]}, {args.threads} thread(s)")
    print(f"{'part':<10} {'ms':>7} {'share':>6} {'M multiply-adds':>16} {'G a second':>11}")
    before, rows = 0.0, []
    for name in names:
        spent = totals[name] - before
        rate = f"{work[name] / 1e6 / spent:>11.1f}" if work[name] and spent > 0 else ""
        share = spent / totals["decoding"]
        print(f"{name:<10} {spent:>7.3f} {share:>6.1%} {work[name] / 1e6:>16.1f} {rate}")
        before = totals[name]
        rows.append({"part": name, "ms": spent, "multiply_adds": work[name]})
    total = sum(work.values())
    print(
        f"{'all':<10} {before:>7.3f} {1:>6.0%} {total / 1e6:>16.1f} {total / 1e6 / before:>11.1f}"
    )
    if args.json:
        known = json.loads(args.json.read_text()) if args.json.is_file() else {}
        known[f"{args.model}, {args.threads} thread"] = rows
        args.json.write_text(json.dumps(known, indent=1) + "\n")


if __name__ == "__main__":
    main()
