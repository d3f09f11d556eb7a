"""The proof on the user's machine: the networks, stage by stage, against the goldens."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from movenet import weights
from movenet.crop import CropRegion
from movenet.decode import Heads, decode
from movenet.engines.torch import TorchEngine, full_precision
from movenet.goldens import FED_HEADS, Arrays, Case, Pixels, bundled, case_input, cases, fed_heads
from movenet.goldens import read as read_golden
from movenet.model import MoveNet
from movenet.selection import select_engine
from movenet.specs import GRAPH_CONSTANTS, TRUE_CONSTANTS, ModelSpec


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What a type of arithmetic may differ by from Google's float32.

    `coordinates` is a part of the picture. Those of float32 are required; an inner tensor's values
    may be `ABSOLUTE` plus `RELATIVE` off, each. Those of the half types are what was measured on a
    CPU with room for other kernels: there an inner tensor's root mean square error may be `rms` of
    its root mean square, only keypoints and people that Google scores over `seen` count, and
    of them all but the worst twentieth: where two cells, or two people, score alike, which of them
    comes first is for the processor's kernels to round.
    """

    coordinates: float
    scores: float
    rms: float | None = None
    seen: float = -np.inf
    share: float = 1.0  # of the keypoints, that must be within


TOLERANCES = {
    torch.float32: Tolerance(5e-6, 5e-5),
    torch.float16: Tolerance(1e-3, 1e-2, rms=0.02, seen=0.3, share=0.95),
    torch.bfloat16: Tolerance(0.06, 0.5, rms=0.45, seen=0.3, share=0.95),
}
ENGINE_TOLERANCE = 1e-4  # between engines: of the picture (0.02 px at 192), and of a score
ABSOLUTE, RELATIVE = 2e-4, 1e-5
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
    with torch.inference_mode(), full_precision():
        return list(stages(model, read_golden(model.spec), TOLERANCES[dtype]))


def verify_engine(name: str, engine: str) -> list[Row]:
    """An engine of one shipped model, by its name, against PyTorch on the CPU in float32."""
    ours, reference = (
        select_engine(name, engine=engine, device="cpu"),
        TorchEngine(name, device="cpu"),
    )
    places = scores = 0.0
    for case in cases(ours.spec):
        batch = case_input(case)[None]
        for images in (batch, np.concatenate([batch, batch[:, ::-1], batch[:, :, ::-1]])):
            place, score = split_error(ours(images), reference(images))
            places, scores = max(places, place), max(scores, score)
    return [
        Row(name, f"coordinates, {engine}", places, ENGINE_TOLERANCE),
        Row(name, f"scores, {engine}", scores, ENGINE_TOLERANCE),
    ]


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
    if tolerance == TOLERANCES[torch.float32]:
        yield true_constants_row(model)


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
        index = torch.from_numpy(golden[f"{key}/index"])
        got = tensor.permute(0, 2, 3, 1).float().cpu().flatten()[index].numpy()
        if tolerance.rms is None:
            found[name] = worst(got, wanted)
        else:
            found[name] = rms(got - wanted), tolerance.rms * rms(wanted)
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
    """End to end: dense, sparse and in a batch of three."""
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
        "batch of 3": [
            (output, np.concatenate([wanted[case] for case in square]))
            for output in (model.detect(batch), decode(model(batch), model.constants))
        ],
    }
    for stage, pairs in outputs.items():
        errors = [split_error(got.cpu().numpy(), want, tolerance) for got, want in pairs]
        places, scores = (max(column) for column in zip(*errors, strict=True))
        yield Row(spec.name, f"coordinates, {stage}", places, tolerance.coordinates)
        yield Row(spec.name, f"scores, {stage}", scores, tolerance.scores)


def true_constants_row(model: MoveNet) -> Row:
    """How far the package's own constants move the result: the documented difference."""
    device, error = model.backbone.stem.weight.device, 0.0
    for case in cases(model.spec):
        images = to_tensor(case_input(case)[None], device)
        outputs = []
        for constants in (GRAPH_CONSTANTS, TRUE_CONSTANTS):
            model.constants = constants
            outputs.append(model.detect(images))
        error = max(error, float((outputs[0] - outputs[1]).abs().max()))
    model.constants = GRAPH_CONSTANTS
    name = model.spec.name
    return Row(name, "true constants (difference)", error, TRUE_CONSTANTS_TOLERANCE[name])


def split_error(
    got: NDArray[np.float32], want: NDArray[Any], tolerance: Tolerance = TOLERANCES[torch.float32]
) -> tuple[float, float]:
    """Largest difference in coordinates (boxes too) and in scores, of Google's tensors.

    Of the keypoints and people that the tolerance counts.
    """
    seen, share = tolerance.seen, tolerance.share
    if want.shape[-1] == 3:
        difference = np.abs(got - want)
        counts = want[..., 2] > seen
        places, scores = (
            difference[..., :2][counts].max(-1, initial=0.0),
            difference[..., 2][counts],
        )
        return largest(places, share), largest(scores, share)
    if share < 1:  # people may be in another order
        got = np.stack([nearest(*pair) for pair in zip(got, want, strict=True)])
    difference = np.abs(got - want)
    points = difference[..., :51].reshape(*difference.shape[:-1], 17, 3)
    counts = want[..., 2:51:3] > seen
    person = want[..., 55] > seen
    places = largest(points[..., :2][counts].max(-1, initial=0.0), share)
    places = max(places, largest(difference[..., 51:55][person].max(-1, initial=0.0), share))
    scores = max(
        largest(points[..., 2][counts], share), largest(difference[..., 55][person], share)
    )
    return places, scores


def nearest(got: NDArray[np.float32], want: NDArray[Any]) -> NDArray[np.float32]:
    """The people of (6, 56) who are each nearest to those wanted."""
    apart = np.abs(got[None, :, 51:55] - want[:, None, 51:55]).sum(-1)
    return np.asarray(got[apart.argmin(1)], np.float32)


def largest(values: NDArray[Any], share: float = 1.0) -> float:
    """The largest value, or that of a share of them; 0 where there is none."""
    if not values.size:
        return 0.0
    return float(values.max() if share == 1 else np.quantile(values, share))


def rms(values: NDArray[Any]) -> float:
    """The root mean square."""
    return float(np.sqrt(np.square(values, dtype=np.float64).mean()))


def worst(got: NDArray[np.float32], want: NDArray[Any]) -> tuple[float, float]:
    """Error and tolerance of the number that comes nearest to missing, or misses."""
    error = np.abs(got.astype(np.float64) - want)
    allowed = ABSOLUTE + RELATIVE * np.abs(want)
    index = int(np.argmax(error / allowed))
    return float(error[index]), float(allowed[index])


def to_tensor(batch: Pixels, device: torch.device) -> Tensor:
    """(N, H, W, 3) uint8 -> (N, 3, H, W) on the device."""
    return torch.from_numpy(batch).permute(0, 3, 1, 2).to(device)
