"""What Google's own graphs gave, and the inputs that they gave it for.

A golden file holds, for each case, the output of Google's graph in TensorFlow, the values of inner
tensors at some positions (all heads at the cells that the decoding read, and random ones), and the
output for heads that were fed to the graph, which checks the decoding alone. The inputs are made
anew from the bundled pictures by slicing, without resampling, and from a hash, so that they are
the same to the bit everywhere. `scripts/make_goldens.py` makes the files.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from movenet import images, pictures
from movenet.errors import MoveNetError
from movenet.specs import ModelSpec

FOLDER = Path(__file__).parent

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


def cases(spec: ModelSpec) -> list[Case]:
    """The inputs of that model: three squares, and one that is not where the graph takes it."""
    square = (spec.side, spec.side)
    found = [Case(picture, square) for picture in ("astronaut", "two_people", "noise")]
    if spec.people == 1:
        return found
    return [*found, Case("two_people", (192, 320)), Case("astronaut", (320, 192))]


def case_input(case: Case) -> Pixels:
    """The input of a case, (H, W, 3): every n-th pixel of the picture, in the middle of black."""
    h, w = case.size
    if case.picture == "noise":
        levels: NDArray[np.uint32] = noise(h * w * 3, seed=1) >> np.uint32(24)  # 0..255
        return np.asarray(levels.reshape(h, w, 3), np.uint8)
    picture = bundled(case.picture)
    step = max(1, round(max(picture.shape[0] / h, picture.shape[1] / w)))
    sliced = picture[::step, ::step][:h, :w]
    top, left = (h - sliced.shape[0]) // 2, (w - sliced.shape[1]) // 2
    image = np.zeros((h, w, 3), np.uint8)
    image[top : top + sliced.shape[0], left : left + sliced.shape[1]] = sliced
    return image


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


def read(spec: ModelSpec) -> Arrays:
    """The golden arrays of a model, by name."""
    path = FOLDER / f"{spec.name}.safetensors"
    try:
        with safe_open(path, framework="np") as file:
            return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise MoveNetError(
            f"{path}: not the goldens that were shipped; install movenet-pytorch again"
        ) from error


def provenance(spec: ModelSpec) -> dict[str, str]:
    """What a golden file says of itself: the graph's hash, the tools, the inputs' hashes."""
    with safe_open(FOLDER / f"{spec.name}.safetensors", framework="np") as file:
        found: dict[str, str] = json.loads(file.metadata()["movenet"])
    return found


def fingerprint(array: Pixels) -> str:
    """SHA-256 of an input's bytes."""
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
