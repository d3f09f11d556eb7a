"""The proof on the user's machine: the network against goldens made by Google's own graphs.

A golden file holds, for each case, what Google's graph gave in TensorFlow: its output, the values
of inner tensors at some positions (all heads at the cells that the decoding read, and random
ones), and the output for heads that were fed to it, which checks the decoding alone. The inputs
are made anew from the bundled pictures by slicing, without resampling, and from a hash, so that
they are the same to the bit everywhere; the letterboxing has a stage of its own.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from torch import Tensor

from movenet import images, pictures, weights
from movenet.crop import CropRegion
from movenet.decode import Heads, decode
from movenet.model import MoveNet
from movenet.specs import GRAPH_CONSTANTS, TRUE_CONSTANTS, ModelSpec, find

GOLDENS = Path(__file__).parent / "goldens"

Pixels = NDArray[np.uint8]
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Case:
    """One input: a bundled picture, sliced, or "noise"; `size` is the input's (H, W)."""

    picture: str
    size: tuple[int, int]

    @property
    def name(self) -> str:
        """As in the golden file."""
        return f"{self.picture}-{self.size[0]}x{self.size[1]}"


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What a type of arithmetic may differ by from Google's float32.

    `heads` is absolute plus relative; `coordinates` a part of the picture. Those of float32 are
    required; those of the others are what was measured on a CPU, with room for other kernels.
    """

    heads: tuple[float, float]
    coordinates: float
    scores: float


TOLERANCES = {
    torch.float32: Tolerance((2e-4, 1e-5), 5e-6, 5e-5),
    torch.float16: Tolerance((0.5, 0.02), 0.05, 0.02),
    torch.bfloat16: Tolerance((4.0, 0.2), 1.0, 0.5),
}
GREY_LEVELS = 1.0  # between our letterbox and TensorFlow's, everywhere

# How far the true constants may move a coordinate or a score on the goldens: 1/48 rounded to
# float16 shortens Lightning's by 0.024 %; the rest is the input's scale. See specs.Constants.
TRUE_CONSTANTS_TOLERANCE = {"lightning": 2.5e-4, "thunder": 2e-5, "multipose": 5e-5}


@dataclass(frozen=True, slots=True)
class Row:
    """The worst number of one stage: how far off it is, and how far it may be."""

    model: str
    stage: str
    error: float
    tolerance: float

    @property
    def passed(self) -> bool:
        """Not a number is a miss."""
        return self.error <= self.tolerance


def verify(
    name: str, *, device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32
) -> list[Row]:
    """Every stage of one shipped model against Google's graph."""
    model = weights.load(name, constants=GRAPH_CONSTANTS).to(device, dtype)
    with torch.inference_mode():
        return list(stages(model, read_golden(model.spec), TOLERANCES[dtype]))


def stages(model: MoveNet, golden: Arrays, tolerance: Tolerance) -> Iterator[Row]:
    """The stages in the order of the data path, each with its worst number over the cases."""
    spec = model.spec
    yield letterbox_row(spec, golden)
    taps: dict[str, list[tuple[float, float]]] = {}
    for case in cases(spec):
        compared = compare_taps(model, case_input(case), golden, case, tolerance)
        for stage, worst in compared.items():
            taps.setdefault(stage, []).append(worst)
    for stage, found in taps.items():
        yield Row(spec.name, stage, *max(found, key=lambda pair: pair[0] / pair[1]))
    yield decode_row(model, golden)
    yield from output_rows(model, golden, tolerance)


def cases(spec: ModelSpec) -> list[Case]:
    """The inputs of that model: three squares, and one that is not where the graph takes it."""
    square = (spec.side, spec.side)
    found = [Case(picture, square) for picture in ("astronaut", "two_people", "noise")]
    return found if spec.people == 1 else [*found, Case("two_people", (192, 320))]


def case_input(case: Case) -> Pixels:
    """The input of a case, (H, W, 3): every n-th pixel around the picture's middle."""
    h, w = case.size
    if case.picture == "noise":
        levels = noise(h * w * 3, seed=1) >> np.uint32(24)  # 0..255
        image: Pixels = levels.astype(np.uint8).reshape(h, w, 3)
        return image
    picture = bundled(case.picture)
    step = max(1, min(picture.shape[0] // h, picture.shape[1] // w))
    top, left = (
        (side - step * part) // 2 for side, part in zip(picture.shape, case.size, strict=False)
    )
    rows, columns = slice(top, top + step * h, step), slice(left, left + step * w, step)
    return np.ascontiguousarray(picture[rows, columns])


def bundled(name: str) -> Pixels:
    """A picture that comes with the package."""
    return images.read(pictures.path(name))


def noise(count: int, seed: int) -> NDArray[np.uint32]:
    """Hashed numbers 0, 1, ...: the same in every version of everything (Wellons' lowbias32)."""
    x: NDArray[np.uint32] = np.arange(count, dtype=np.uint32)
    x += np.uint32(seed * 0x9E3779B9 % 2**32)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        x ^= x >> np.uint32(shift)
        x *= np.uint32(factor)
    x ^= x >> np.uint32(16)
    return x


# Heads for the decoding alone: multiples of 1/8, so that they are exact in every type and tie
# everywhere. Name: (step of the logits, spread of the logits, spread of the rest in cells).
FED_HEADS = {
    "ties": (2.0, 8.0, 6.0),
    "plain": (0.125, 8.0, 12.0),
    "saturated": (32.0, 256.0, 40.0),
    "flat": (1.0, 0.0, 3.0),
}


def fed_heads(spec: ModelSpec, kind: str) -> dict[str, NDArray[np.float32]]:
    """Made-up heads by the names of `Heads`, (1, h, w, C) as in the graph."""
    step, spread, reach = FED_HEADS[kind]
    cells = spec.side // 4
    widths = {"centre_logits": 1, "keypoint_regression": 34, "keypoint_logits": 17}
    widths["keypoint_offsets"] = 34
    if spec.people > 1:
        widths |= {"box_scale": 2, "box_offset": 2}
    made = {}
    for seed, (name, width) in enumerate(widths.items(), start=2):
        unit = noise(cells * cells * width, seed).astype(np.float64) / 2**31 - 1  # -1..1
        grain, size = (step, spread) if name.endswith("logits") else (0.125, reach)
        values = np.round(unit * size / grain) * grain
        if name == "box_scale":
            values = values * 2
        made[name] = values.astype(np.float32).reshape(1, cells, cells, width)
    return made


def letterbox_row(spec: ModelSpec, golden: Arrays) -> Row:
    """Our sampling of the bundled pictures against TensorFlow's `resize_with_pad`."""
    worst = 0.0
    for name in ("astronaut", "two_people"):
        picture = bundled(name)
        ours = CropRegion.whole(picture.shape[:2], spec.side, "square").extract(picture)
        index, values = golden[f"letterbox/{name}/index"], golden[f"letterbox/{name}/value"]
        worst = max(worst, float(np.abs(ours.reshape(-1)[index] - values).max()))
    return Row(spec.name, "letterbox (grey levels)", worst, GREY_LEVELS)


def compare_taps(
    model: MoveNet, image: Pixels, golden: Arrays, case: Case, tolerance: Tolerance
) -> dict[str, tuple[float, float]]:
    """Error and tolerance of the worst golden value of each inner tensor."""
    weight = model.backbone.stem.weight
    x = to_tensor(image[None], weight.device)
    taps = inner_tensors(model, x)
    found = {}
    for name, tensor in taps.items():
        key = f"{case.name}/{name}"
        wanted = golden[f"{key}/value"]
        got = tensor.permute(0, 2, 3, 1).flatten()[torch.from_numpy(golden[f"{key}/index"])]
        absolute, relative = tolerance.heads
        found[name] = worst(got.float().cpu().numpy(), wanted, absolute, relative)
    return found


def inner_tensors(model: MoveNet, images: Tensor) -> dict[str, Tensor]:
    """The tensors that goldens know, by the names of the reference, (1, C, h, w)."""
    x = model.normalise(images)
    taps = {"normalised_input": x}
    features = model.backbone(x)
    for stride, feature in zip((4, 8, 16, 32), features, strict=True):
        taps[f"backbone_s{stride}"] = feature
    taps["pyramid_s4"] = model.pyramid(features)
    heads = model(images)._asdict()
    return taps | {name: head for name, head in heads.items() if head is not None}


def decode_row(model: MoveNet, golden: Arrays) -> Row:
    """The decoding alone, on heads that Google's graph was fed as well."""
    device = model.backbone.stem.weight.device
    error = 0.0
    for kind in FED_HEADS:
        made = fed_heads(model.spec, kind)
        tensors = {k: torch.from_numpy(v).permute(0, 3, 1, 2).to(device) for k, v in made.items()}
        output = decode(Heads(**tensors), GRAPH_CONSTANTS).cpu().numpy()
        error = max(error, float(np.abs(output - golden[f"decode/{kind}/output"]).max()))
    return Row(model.spec.name, "decode alone", error, 1e-6)


def output_rows(model: MoveNet, golden: Arrays, tolerance: Tolerance) -> Iterator[Row]:
    """End to end: dense, sparse and in a batch of three; then with the package's constants."""
    spec, device = model.spec, model.backbone.stem.weight.device
    inputs = {case: case_input(case) for case in cases(spec)}
    wanted = {case: golden[f"{case.name}/output"] for case in inputs}
    square = [case for case in inputs if case.size == (spec.side, spec.side)]
    batch = to_tensor(np.stack([inputs[case] for case in square]), device)
    outputs: dict[str, list[tuple[Tensor, NDArray[Any]]]] = {
        "dense": [
            (decode(model(to_tensor(image[None], device)), model.constants), wanted[case])
            for case, image in inputs.items()
        ],
        "sparse": [
            (model.detect(to_tensor(image[None], device)), wanted[case])
            for case, image in inputs.items()
        ],
        "batch of 3": [(model.detect(batch), np.concatenate([wanted[case] for case in square]))],
    }
    for stage, pairs in outputs.items():
        errors = [split_error(got.cpu().numpy(), want) for got, want in pairs]
        places, scores = (max(column) for column in zip(*errors, strict=True))
        yield Row(spec.name, f"coordinates, {stage}", places, tolerance.coordinates)
        yield Row(spec.name, f"scores, {stage}", scores, tolerance.scores)
    yield true_constants_row(model, outputs["sparse"], inputs)


def true_constants_row(
    model: MoveNet, outputs: list[tuple[Tensor, NDArray[Any]]], inputs: dict[Case, Pixels]
) -> Row:
    """How far the package's own constants move the result: the documented difference."""
    device = model.backbone.stem.weight.device
    model.constants = TRUE_CONSTANTS
    try:
        moved = [model.detect(to_tensor(image[None], device)) for image in inputs.values()]
    finally:
        model.constants = GRAPH_CONSTANTS
    error = max(float((a - b).abs().max()) for a, (b, _) in zip(moved, outputs, strict=True))
    name = model.spec.name
    return Row(name, "true constants (difference)", error, TRUE_CONSTANTS_TOLERANCE[name])


def split_error(got: NDArray[np.float32], want: NDArray[Any]) -> tuple[float, float]:
    """Largest difference in coordinates (boxes too) and in scores, of Google's tensors."""
    difference = np.abs(got - want)
    if difference.shape[-1] == 3:
        return float(difference[..., :2].max()), float(difference[..., 2].max())
    is_score = np.zeros(56, bool)
    is_score[2:51:3] = True
    is_score[55] = True
    return float(difference[..., ~is_score].max()), float(difference[..., is_score].max())


def worst(
    got: NDArray[np.float32], want: NDArray[Any], absolute: float, relative: float
) -> tuple[float, float]:
    """Error and tolerance of the number that comes nearest to missing, or misses."""
    error = np.abs(got.astype(np.float64) - want)
    allowed = absolute + relative * np.abs(want)
    index = int(np.argmax(error / allowed))
    return float(error[index]), float(allowed[index])


def to_tensor(batch: Pixels, device: torch.device) -> Tensor:
    """(N, H, W, 3) uint8 -> (N, 3, H, W) on the device."""
    return torch.from_numpy(batch).permute(0, 3, 1, 2).to(device)


def read_golden(spec: ModelSpec) -> Arrays:
    """The golden arrays of a model, by name."""
    with safe_open(GOLDENS / f"{spec.name}.safetensors", framework="np") as file:
        return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118


def provenance(name: str) -> dict[str, str]:
    """What a golden file says of itself: the graph's hash, the tools, the inputs' hashes."""
    with safe_open(GOLDENS / f"{find(name).name}.safetensors", framework="np") as file:
        found: dict[str, str] = json.loads(file.metadata()["movenet"])
    return found


def fingerprint(array: Pixels) -> str:
    """SHA-256 of an input's bytes."""
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
