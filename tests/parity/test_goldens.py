"""The networks against what Google's own graphs gave, stage by stage.

Every check has a twin with the network or the input spoilt a little, which must fail: a check
that cannot fail proves nothing.
"""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from movenet import goldens, verify, weights
from movenet.decode import Heads
from movenet.model import MoveNet
from movenet.specs import GRAPH_CONSTANTS, ROWS, SPECS, ModelSpec
from movenet.verify import TOLERANCES, Row

NAMES = [row.name for row in ROWS]
FLOAT32 = TOLERANCES[torch.float32]


@pytest.fixture(params=NAMES)
def model(request: pytest.FixtureRequest) -> MoveNet:
    return weights.load(request.param, constants=GRAPH_CONSTANTS)


def rows(model: MoveNet) -> dict[str, Row]:
    with torch.inference_mode():
        found = verify.stages(model, goldens.read(model.spec), FLOAT32)
        return {row.stage: row for row in found}


def missed(model: MoveNet) -> set[str]:
    return {stage for stage, row in rows(model).items() if not row.passed}


HEADS = {"centre_logits", "keypoint_logits", "keypoint_regression", "keypoint_offsets"}
FEATURES = {"backbone_s4", "backbone_s8", "backbone_s16", "backbone_s32", "pyramid_s4"}
PATHS = ("dense", "sparse", "batch of 3")
COORDINATES = {f"coordinates, {path}" for path in PATHS}
SCORES = {f"scores, {path}" for path in PATHS}


def test_every_stage_is_equal_to_google_s_graph(model: MoveNet) -> None:
    found = rows(model)
    wanted = {"letterbox (grey levels)", "normalised_input", "decode alone"}
    wanted |= HEADS | FEATURES | COORDINATES | SCORES | {"true constants (difference)"}
    if model.spec.people > 1:
        wanted |= {"box_scale", "box_offset"}
    assert set(found) == wanted
    assert [row for row in found.values() if not row.passed] == []


def test_the_whole_chain_is_within_3e_6_in_any_number(model: MoveNet) -> None:
    found = rows(model)
    assert max(found[stage].error for stage in COORDINATES | SCORES) < 3e-6


@pytest.mark.parametrize("name", NAMES)
def test_goldens_are_of_the_files_that_the_weights_are_from(name: str) -> None:
    said = goldens.provenance(SPECS[name])
    for file, digest in weights.manifest()[name].source_sha256.items():
        assert said[f"sha256 of {file}"] == digest
    for case in goldens.cases(SPECS[name]):
        digest = goldens.fingerprint(goldens.case_input(case))
        assert said[f"sha256 of input {case.name}"] == digest


def test_the_true_constants_move_lightning_by_no_more_and_no_less_than_documented() -> None:
    row = rows(weights.load("lightning", constants=GRAPH_CONSTANTS))["true constants (difference)"]
    # 1/48 over its float16 value is 1 + 2.44e-4; the farthest keypoints lie near 1.
    assert 1e-4 < row.error < 2.5e-4


# The twins. Each spoils one thing; `must_miss` is what has to notice.


def zero_weights(module: nn.Module) -> None:
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.zero_()


@pytest.mark.parametrize(
    ("part", "must_miss"),
    [
        ("backbone.stem", FEATURES | HEADS | COORDINATES | SCORES),
        ("pyramid.smoothings.0", {"pyramid_s4"} | HEADS | COORDINATES | SCORES),
        ("centre", {"centre_logits"}),
        ("keypoint_regression", {"keypoint_regression"}),
        ("keypoint_heatmaps", {"keypoint_logits"} | SCORES),
        ("keypoint_offsets", {"keypoint_offsets"} | COORDINATES),
    ],
)
def test_a_part_set_to_zero_is_noticed(model: MoveNet, part: str, must_miss: set[str]) -> None:
    zero_weights(model.get_submodule(part))
    assert must_miss <= missed(model)


@pytest.mark.parametrize("part", ["box_scale", "box_offset"])
def test_a_box_head_set_to_zero_is_noticed(part: str) -> None:
    model = weights.load("multipose", constants=GRAPH_CONSTANTS)
    zero_weights(model.get_submodule(part))
    assert {part} | COORDINATES <= missed(model)


def test_a_single_weight_s_last_bits_are_noticed(model: MoveNet) -> None:
    with torch.no_grad():
        model.backbone.stem.weight[0, 0, 1, 1] *= 1.01
    assert {"backbone_s4"} <= missed(model)


def test_red_and_blue_swapped_is_noticed(model: MoveNet) -> None:
    swap_colours(model)
    assert FEATURES | HEADS | SCORES <= missed(model)


def at_one_cell(model: MoveNet, stage: str, by: float) -> Callable[..., Tensor]:
    """A hook that adds to a head at one of the cells that the astronaut's golden holds."""
    case = goldens.cases(model.spec)[0]
    index = int(goldens.read(model.spec)[f"{case.name}/{stage}/index"][0])

    def spoil(module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> Tensor:
        output = output.clone()
        output[0].flatten(1)[:, index // output.shape[1]] += by
        return output

    return spoil


@pytest.mark.parametrize(
    ("head", "stage"),
    [
        ("centre", "centre_logits"),
        ("keypoint_regression", "keypoint_regression"),
        ("keypoint_heatmaps", "keypoint_logits"),
        ("keypoint_offsets", "keypoint_offsets"),
    ],
)
def test_one_spoilt_cell_is_noticed(model: MoveNet, head: str, stage: str) -> None:
    module = model.get_submodule(head)
    module.register_forward_hook(at_one_cell(model, stage, 0.01))
    assert stage in missed(model)


def swap_pairs(module: nn.Module) -> None:
    """Make (y, x) of a head into (x, y)."""
    order = torch.arange(module.output.weight.shape[0]).view(-1, 2).flip(1).flatten()
    with torch.no_grad():
        module.output.weight.copy_(module.output.weight[order])
        module.output.bias.copy_(module.output.bias[order])


@pytest.mark.parametrize("head", ["keypoint_regression", "keypoint_offsets"])
def test_y_and_x_swapped_in_a_head_are_noticed(model: MoveNet, head: str) -> None:
    swap_pairs(model.get_submodule(head))
    assert head in missed(model)


def spoilt_decoding(spec: ModelSpec, monkeypatch: pytest.MonkeyPatch, spoil: str) -> Row:
    original = verify.decode

    def decode(heads: Heads, constants: object) -> Tensor:
        if spoil == "zeros":
            return original(heads, constants) * 0  # type: ignore[arg-type]
        turned = Heads(*(None if h is None else h.transpose(2, 3) for h in heads))
        return original(turned, constants)  # type: ignore[arg-type]

    monkeypatch.setattr(verify, "decode", decode)
    model = weights.load(spec.name, constants=GRAPH_CONSTANTS)
    return verify.decode_row(model, goldens.read(spec))


@pytest.mark.parametrize("spoil", ["zeros", "y and x swapped"])
@pytest.mark.parametrize("spec", ROWS, ids=lambda row: row.name)
def test_a_spoilt_decoding_is_noticed(
    spec: ModelSpec, monkeypatch: pytest.MonkeyPatch, spoil: str
) -> None:
    assert not spoilt_decoding(spec, monkeypatch, spoil).passed


def test_a_letterbox_that_is_half_a_pixel_off_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    bundled = verify.bundled

    def shifted(name: str) -> np.ndarray:
        picture = bundled(name).astype(np.uint16)
        return ((picture + np.roll(picture, 1, 1)) // 2).astype(np.uint8)

    monkeypatch.setattr(verify, "bundled", shifted)
    spec = SPECS["lightning"]
    assert not verify.letterbox_row(spec, goldens.read(spec)).passed


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_as_near_as_documented(model: MoveNet, dtype: torch.dtype) -> None:
    found = verify.verify(model.spec.name, dtype=dtype)
    assert [row for row in found if not row.passed] == []


def swap_colours(model: MoveNet) -> None:
    with torch.no_grad():
        model.backbone.stem.weight.copy_(model.backbone.stem.weight.flip(1))


SPOILS: dict[str, Callable[[MoveNet], None]] = {
    "red and blue": swap_colours,
    "y and x": lambda model: swap_pairs(model.keypoint_offsets),
    "offsets zero": lambda model: zero_weights(model.keypoint_offsets),
    "heatmaps zero": lambda model: zero_weights(model.keypoint_heatmaps),
}


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("spoil", SPOILS)
def test_half_precision_excuses_no_spoilt_part(
    model: MoveNet, spoil: str, dtype: torch.dtype
) -> None:
    SPOILS[spoil](model.to(dtype))
    with torch.inference_mode():
        found = list(verify.stages(model, goldens.read(model.spec), TOLERANCES[dtype]))
    assert [row for row in found if not row.passed]


def test_not_a_number_is_a_miss() -> None:
    assert not Row("lightning", "stage", float("nan"), 1.0).passed
