"""convert: state dicts of the earlier port."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from movenet import convert
from movenet.errors import WeightsError
from movenet.model import MoveNet
from movenet.specs import SPECS

KEYS = (
    Path(__file__).resolve().parents[1].parent
    / "shared"
    / "data"
    / "models"
    / "earlier_port_movenet_state_dict.txt"
)
REMEDY = "with the earlier port, save it again: torch.save(model.state_dict(), file)"
# The port's depthwise convolutions that have none of their own in Google's graphs.
BIASED = [
    *(f"backbone.fpn.layer_blocks.{level}.conv.0" for level in range(3)),
    *(f"{head}.0" for head in ("hm", "hps", "hm_hp", "hp_offset")),
]

State = dict[str, Tensor]


def port_shapes(name: str) -> dict[str, tuple[int, ...]]:
    """Key -> shape, as read from the port's classes."""
    if not KEYS.exists():
        pytest.skip(f"{KEYS} is missing")
    section = KEYS.read_text().split(f"[movenet_{name}]")[1].split("[")[0]
    rows = [line.split("\t") for line in section.splitlines()[1:] if line.strip()]
    return {key: tuple(int(side) for side in shape.split("x")) for key, shape, _ in rows}


def random_network(name: str) -> MoveNet:
    torch.manual_seed(0)
    return MoveNet(SPECS[name]).eval()


def port_state(network: MoveNet, biases: State) -> State:
    """The network as the port names it. Both list their tensors in the same order."""
    shapes = port_shapes(network.spec.name)
    extra = [f"{module}.bias" for module in BIASED]
    common = [key for key in shapes if key not in extra]
    state = dict(zip(common, network.state_dict().values(), strict=True))
    state |= {key: biases.get(key, torch.zeros(shapes[key])) for key in extra}
    assert {key: tuple(value.shape) for key, value in state.items()} == shapes
    return {key: state[key] for key in shapes}


def saved(folder: Path, state: Any) -> Path:
    path = folder / "movenet.pth"
    torch.save(state, path)
    return path


def message(path: Path) -> str:
    with pytest.raises(WeightsError) as caught:
        convert.read(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    return text.removeprefix(f"{path}: ")


@pytest.mark.parametrize("name", ["lightning", "thunder"])
def test_a_state_dict_of_the_port_comes_back_bit_for_bit(name: str, tmp_path: Path) -> None:
    network = random_network(name)
    read = convert.read(saved(tmp_path, port_state(network, {})))
    assert read.spec.name == name
    assert read.source_format == "PyTorch state dict of the earlier port"
    assert read.source_sha256.keys() == {"movenet.pth"}
    wanted = network.state_dict()
    assert read.tensors.keys() == wanted.keys()
    for key, values in read.tensors.items():
        assert values.dtype == np.float32
        np.testing.assert_array_equal(values, wanted[key].numpy(), err_msg=key)
    zero = "zero bias of a depthwise convolution that has none in Google's graph"
    assert read.unused == {f"{module}.bias": zero for module in BIASED}


def test_values_that_float16_holds_come_as_float16(tmp_path: Path) -> None:
    network = random_network("lightning").half()
    read = convert.read(saved(tmp_path, port_state(network.float(), {})))
    assert {values.dtype for values in read.tensors.values()} == {np.dtype(np.float16)}


def test_the_older_file_format_of_pytorch_is_read(tmp_path: Path) -> None:
    path = tmp_path / "old.pth"
    state = port_state(random_network("lightning"), {})
    torch.save(state, path, _use_new_zipfile_serialization=False)
    assert convert.read(path).spec.name == "lightning"


def test_a_folded_network_computes_what_the_biased_one_does(tmp_path: Path) -> None:
    network = random_network("lightning")
    shapes = port_shapes("lightning")
    biases = {f"{module}.bias": torch.randn(shapes[f"{module}.bias"]) for module in BIASED}
    read = convert.read(saved(tmp_path, port_state(network, biases)))
    folded = "bias of a depthwise convolution, folded into the 1x1 convolution after it"
    assert read.unused == dict.fromkeys(biases, folded)

    depthwise = [
        *(smoothing.depthwise for smoothing in network.pyramid.smoothings),
        *(head.depthwise for head in (network.centre, network.keypoint_regression)),
        *(head.depthwise for head in (network.keypoint_heatmaps, network.keypoint_offsets)),
    ]
    for module, bias in zip(depthwise, biases.values(), strict=True):
        module.bias = nn.Parameter(bias)
    converted = MoveNet(read.spec)
    converted.load_state_dict(
        {key: torch.from_numpy(values) for key, values in read.tensors.items()}
    )
    images = torch.rand(1, 3, 64, 96, dtype=torch.float64) * 255
    with torch.no_grad():
        wanted, got = network.double()(images), converted.double()(images)
    without = random_network("lightning").double()(images)
    for head in ("centre_logits", "keypoint_regression", "keypoint_logits", "keypoint_offsets"):
        theirs = getattr(wanted, head)
        torch.testing.assert_close(getattr(got, head), theirs, rtol=0, atol=1e-6)
        assert (theirs - getattr(without, head)).abs().max() > 0.01  # the biases matter


def no_key(state: State) -> None:
    del state["hps.1.bias"]


def another_key(state: State) -> None:
    state["fc.weight"] = torch.zeros(1)


def another_shape(state: State) -> None:
    state["hm.3.weight"] = torch.zeros(1, 1).expand(2**40, 2**20)  # one number in the file


def integers(state: State) -> None:
    state["hm.3.weight"] = state["hm.3.weight"].long()


def not_finite(state: State) -> None:
    state["hm.3.bias"][0] = torch.nan


def multipose(state: State) -> None:
    state["backbone.body.0.1.weight"] = torch.zeros(48, 3, 3, 3)


def another_network(state: State) -> None:
    del state["backbone.body.0.1.weight"]


REFUSED = {
    no_key: f"no tensor hps.1.bias; {REMEDY}",
    another_key: f"tensor 'fc.weight' is not the earlier port's; {REMEDY}",
    another_shape: (
        "tensor hm.3.weight has shape (1099511627776, 1048576) where (1, 96, 1, 1) is due; "
        f"{REMEDY}"
    ),
    integers: f"tensor hm.3.weight is torch.int64, not floating point; {REMEDY}",
    not_finite: "centre.output.bias has values that are not finite; get the file again",
    multipose: "the earlier port has no multipose; convert Google's file",
    another_network: (
        "no tensor backbone.body.0.1.weight, so not the earlier port's state dict; " + REMEDY
    ),
}


@pytest.mark.parametrize("change", REFUSED, ids=lambda change: change.__name__)
def test_another_state_dict_is_refused(change: Callable[[State], None], tmp_path: Path) -> None:
    state = port_state(random_network("lightning"), {})
    change(state)
    assert message(saved(tmp_path, state)) == REFUSED[change]


class Trap:
    """Unpickled without care, it makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_that_runs_code_is_refused_and_does_not_run(zipped: bool, tmp_path: Path) -> None:
    path = tmp_path / "trap.pth"
    trap = {"hm.0.bias": Trap(tmp_path / "ran")}
    torch.save(trap, path, _use_new_zipfile_serialization=zipped)
    assert message(path) == (
        "it holds more than tensors, which is not loaded, since it could run code; " + REMEDY
    )
    assert not (tmp_path / "ran").exists()


def test_a_whole_model_is_refused(tmp_path: Path) -> None:
    assert message(saved(tmp_path, nn.Conv2d(1, 1, 1))) == (
        "it holds more than tensors, which is not loaded, since it could run code; " + REMEDY
    )


def test_a_list_is_refused(tmp_path: Path) -> None:
    assert message(saved(tmp_path, [torch.zeros(1)])) == f"a list, not a state dict; {REMEDY}"


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, {"x": torch.zeros(1000)})
    path.write_bytes(path.read_bytes()[:2000])
    assert message(path) == f"torch.load cannot read it; {REMEDY}"
