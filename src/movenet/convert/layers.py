"""What every reader hands over, and how it becomes a state dict."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from movenet.convert.graph import Constant
from movenet.errors import WeightsError
from movenet.model import STEM, MoveNet, channels
from movenet.specs import ROWS, ModelSpec

ZERO_BIAS = "zero bias of a depthwise convolution that has none in Google's graph"
FOLDED_BIAS = "bias of a depthwise convolution, folded into the 1x1 convolution after it"


@dataclass(frozen=True, slots=True)
class Layer:
    """One convolution of the source: kernel (O, I, H, W), bias (O,)."""

    kernel: Constant
    bias: Constant | None


@dataclass(frozen=True, slots=True)
class Source:
    """A file as its reader understood it; `layers` by the name of the module in MoveNet."""

    format: str
    spec: ModelSpec
    layers: dict[str, Layer]
    sha256: dict[str, str]
    unused: dict[str, str]


def spec_of(stem: int) -> ModelSpec:
    """The row whose first convolution has that many channels."""
    widths = {channels(STEM, row.width): row for row in ROWS}
    if stem not in widths:
        known = ", ".join(f"{row.name} has {c}" for c, row in widths.items())
        raise WeightsError(f"not a MoveNet: its first convolution has {stem} channels ({known})")
    return widths[stem]


def skeleton(spec: ModelSpec) -> MoveNet:
    """The network without memory for its weights: its modules say what each layer must be."""
    with torch.device("meta"):
        return MoveNet(spec)


def convolutions(network: MoveNet) -> dict[str, nn.Conv2d]:
    """Every convolution of the network by name."""
    modules = network.named_modules()
    return {name: module for name, module in modules if isinstance(module, nn.Conv2d)}


def assemble(
    spec: ModelSpec, layers: dict[str, Layer]
) -> tuple[dict[str, npt.NDArray[Any]], dict[str, str]]:
    """Layers -> the state dict of MoveNet(spec), and why the biases that it lacks are not in it."""
    tensors: dict[str, npt.NDArray[Any]] = {}
    dropped: dict[str, str] = {}
    used: list[str] = []
    shift: npt.NDArray[Any] | None = None  # what a folded bias adds to the next layer's
    for name, module in convolutions(skeleton(spec)).items():
        layer = layers[name]
        tensors[f"{name}.weight"] = layer.kernel.values
        used.append(layer.kernel.name)
        if module.bias is None:
            # The 1x1 convolution that follows is the next in the network's order.
            shift = without_bias(layer, dropped)
        elif layer.bias is not None:
            used.append(layer.bias.name)
            tensors[f"{name}.bias"] = layer.bias.values
            if shift is not None:
                added = layer.kernel.values[:, :, 0, 0].astype(np.float64) @ shift
                tensors[f"{name}.bias"] = (layer.bias.values + added).astype(np.float32)
                shift = None
    check(tensors, used)
    return compact(tensors), dropped


def without_bias(layer: Layer, dropped: dict[str, str]) -> npt.NDArray[Any] | None:
    """The bias of a layer that has none in MoveNet, if not zero; `dropped` gets the reason."""
    if layer.bias is None:
        return None
    zero = not layer.bias.values.any()
    dropped[layer.bias.name] = ZERO_BIAS if zero else FOLDED_BIAS
    return None if zero else layer.bias.values.astype(np.float64)


def check(tensors: dict[str, npt.NDArray[Any]], used: list[str]) -> None:
    """WeightsError where a source tensor is two weights, or a weight is not finite."""
    again = [name for name, times in Counter(used).items() if times > 1]
    if again:
        raise WeightsError(f"tensor {again[0]!r} is used by two layers; get the file again")
    for key, values in tensors.items():
        if not np.isfinite(values).all():
            raise WeightsError(f"{key} has values that are not finite; get the file again")


def compact(tensors: dict[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    """Copies, contiguous: all float16 where that loses nothing anywhere, else all float32."""
    exact = all(
        np.array_equal(values.astype(np.float16).astype(values.dtype), values)
        for values in tensors.values()
    )
    dtype = np.float16 if exact else np.float32
    return {key: np.array(values, dtype, order="C") for key, values in tensors.items()}
