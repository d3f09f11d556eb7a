"""State dicts of the earlier port to PyTorch (lee-man/movenet-pytorch), Lightning and Thunder.

Its depthwise convolutions in pyramid and heads have a bias, which Google's graphs have not.
"""

import hashlib
import io
import pickle
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from movenet.convert.graph import Constant
from movenet.convert.layers import Layer, Source, convolutions, skeleton, spec_of
from movenet.errors import WeightsError
from movenet.model import InvertedResidual, MoveNet

STEM = "backbone.body.0.1"
HEADS = {
    "centre": "hm",
    "keypoint_regression": "hps",
    "keypoint_heatmaps": "hm_hp",
    "keypoint_offsets": "hp_offset",
}
STEPS = {"depthwise": "0", "hidden": "1", "output": "3"}  # of a head; 2 is the ReLU
REMEDY = "with the earlier port, save it again: torch.save(model.state_dict(), file)"


def read(path: Path) -> Source:
    """Read a .pth file; nothing but tensors is unpickled."""
    data = path.read_bytes()
    state = load(data)
    stem = state.get(f"{STEM}.weight")
    if not isinstance(stem, Tensor) or stem.ndim != 4:
        raise WeightsError(
            f"no tensor {STEM}.weight, so not the earlier port's state dict; {REMEDY}"
        )
    spec = spec_of(stem.shape[0])
    network = skeleton(spec)
    names = port_names(network)
    if spec.people > 1:
        raise WeightsError(f"the earlier port has no {spec.name}; convert Google's file")
    layers = {
        name: Layer(
            take(state, f"{names[name]}.weight", module), take(state, f"{names[name]}.bias", module)
        )
        for name, module in convolutions(network).items()
    }
    if state:
        raise WeightsError(f"tensor {next(iter(state))!r} is not the earlier port's; {REMEDY}")
    sha256 = {path.name: hashlib.sha256(data).hexdigest()}
    return Source("PyTorch state dict of the earlier port", spec, layers, sha256, {})


def load(data: bytes) -> dict[str, Any]:
    """The state dict, without running what a pickle may ask for."""
    try:
        state = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"it holds more than tensors, which is not loaded, since it could run code; {REMEDY}"
        ) from error
    except Exception as error:  # a damaged pickle can raise anything
        raise WeightsError(f"torch.load cannot read it; {REMEDY}") from error
    if not isinstance(state, dict):
        raise WeightsError(f"a {type(state).__name__}, not a state dict; {REMEDY}")
    return dict(state)


def port_names(network: MoveNet) -> dict[str, str]:
    """The module of MoveNet -> the earlier port's module."""
    names = {"backbone.stem": STEM}
    number = 0  # the port counts the blocks through
    for index, stage in enumerate(network.backbone.stages):
        for position, block in enumerate(cast(nn.Sequential, stage)):
            number += 1
            ours, port = f"backbone.stages.{index}.{position}", f"backbone.body.{number}.conv"
            names |= {
                f"{ours}.{step}": f"{port}.{place}"
                for step, place in block_names(cast(InvertedResidual, block)).items()
            }
    names["backbone.last"] = f"backbone.body.{number + 1}.0"
    for level in range(len(network.pyramid.laterals)):
        names[f"pyramid.laterals.{level}"] = f"backbone.fpn.inner_blocks.{level}"
    for level in range(len(network.pyramid.smoothings)):
        ours, port = f"pyramid.smoothings.{level}", f"backbone.fpn.layer_blocks.{level}.conv"
        names |= {f"{ours}.depthwise": f"{port}.0", f"{ours}.pointwise": f"{port}.1"}
    for ours, port in HEADS.items():
        names |= {f"{ours}.{step}": f"{port}.{place}" for step, place in STEPS.items()}
    return names


def block_names(block: InvertedResidual) -> dict[str, str]:
    """Where the port keeps a block's convolutions; at stride 2 one place is a padding's."""
    if block.expand is None:
        return {"depthwise": "0.0", "project": "1"}
    depthwise = "1.0" if block.depthwise.stride[0] == 1 else "1.1"
    return {"expand": "0.0", "depthwise": depthwise, "project": "2"}


def take(state: dict[str, Any], key: str, module: nn.Conv2d) -> Constant:
    """Remove a tensor from `state`, in the shape that the module has."""
    tensor = state.pop(key, None)
    if not isinstance(tensor, Tensor):
        raise WeightsError(f"no tensor {key}; {REMEDY}")
    shape = tuple(module.weight.shape) if key.endswith("weight") else (module.out_channels,)
    if tuple(tensor.shape) != shape:
        found = tuple(tensor.shape)
        raise WeightsError(f"tensor {key} has shape {found} where {shape} is due; {REMEDY}")
    if not tensor.is_floating_point() or tensor.layout != torch.strided:
        raise WeightsError(f"tensor {key} is {tensor.dtype}, not floating point; {REMEDY}")
    values = tensor.detach().to(torch.float32).numpy()
    return Constant(key, values, str(tensor.dtype).removeprefix("torch."))
