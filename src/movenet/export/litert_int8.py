"""Post-training quantisation: which layers run in int8, and with which ranges.

What is unusual here:
- The stem, the first stage, the pyramid and the heads stay in float32: they are a sixth of the
  time and most of the error (docs/decisions/006-int8.md has the figures).
- The channels of a bottleneck are brought to one range first, which is exact, since nothing
  nonlinear lies between its two convolutions (cross-layer equalisation, Nagel et al. 2019).
- A convolution's bias is corrected by how far int8 moved the mean of its output (bias correction,
  the same paper), layer after layer, each on what the int8 layers before it give.
"""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from movenet.export.certificate import Shape, fitted
from movenet.export.litert_network import Quantisation
from movenet.model import TAPPED, InvertedResidual, MoveNet

Pixels = NDArray[np.uint8]
FIRST_STAGE = 1  # in int8; stage 0 and the stem are not
WEAKEST = 0.05  # of a bottleneck's range: a weaker channel is not widened to more than that
NARROWEST = 1e-3  # top of a range: a module that is always 0 has a scale as well
RELU6_NAMES = ("expand", "depthwise", "last")


def quantise(
    model: MoveNet, pictures: tuple[Pixels, ...], shape: Shape
) -> tuple[MoveNet, Quantisation]:
    """The network made ready for int8, and its ranges, measured on at least one picture."""
    batch = np.stack([fitted(picture, shape) for picture in pictures])
    images = torch.from_numpy(batch).permute(0, 3, 1, 2)
    with torch.no_grad():
        ready = equalised(model, images)
        modules = frozenset(name for name, _ in ready.named_modules() if in_int8(name))
        quantisation = Quantisation(modules, ranges(ready, images))
        return corrected(ready, quantisation, images), quantisation


def in_int8(name: str) -> bool:
    """Whether a module runs in int8: the backbone from FIRST_STAGE on."""
    parts = name.split(".")
    if parts[0] != "backbone" or len(parts) < 2:
        return False
    return parts[1] == "last" or (len(parts) > 3 and int(parts[2]) >= FIRST_STAGE)


def equalised(model: MoveNet, images: Tensor) -> MoveNet:
    """The same network, the channels of each bottleneck scaled to one range."""
    highest: dict[str, Tensor] = {}

    def note(name: str, output: Tensor) -> None:
        highest[name] = output.abs().amax((0, 2, 3))

    with observed(model, InvertedResidual, note):
        model.features(images)
    made = copy.deepcopy(model)
    stages: Any = made.backbone.stages
    for index, stage in enumerate(stages):
        names = [f"backbone.stages.{index}.{block}" for block in range(len(stage))]
        span = torch.stack([highest[name] for name in names]).amax(0)  # (C,), of every block's sum
        factor = span.max() / span.clamp(min=max(float(span.max()) * WEAKEST, NARROWEST))
        factor = factor.clamp(min=1)  # where all is 0
        for block in stage:
            block.project.weight *= factor[:, None, None, None]
            block.project.bias *= factor
        readers = [block.expand for block in stage[1:]]
        readers.append(
            made.backbone.last if index + 1 == len(stages) else stages[index + 1][0].expand
        )
        if index in TAPPED:
            readers.append(made.pyramid.laterals[TAPPED.index(index)])
        for reader in readers:
            reader.weight /= factor[:, None, None]
    return made


def ranges(model: MoveNet, images: Tensor) -> dict[str, tuple[float, float]]:
    """The smallest and largest output of every module of the backbone, with 0 between them."""
    found: dict[str, tuple[float, float]] = {}

    def note(name: str, output: Tensor) -> None:
        low, high = (float(value) for value in output.aminmax())
        if name.split(".")[-1] in RELU6_NAMES:
            low, high = max(low, 0), min(high, 6)
        found[name] = (min(low, 0.0), max(high, NARROWEST))

    with observed(model.backbone, (nn.Conv2d, InvertedResidual), note, prefix="backbone."):
        model.features(images)
    return found


def corrected(model: MoveNet, quantisation: Quantisation, images: Tensor) -> MoveNet:
    """The same network with biases that make up for what int8 does to the means."""
    means: dict[str, Tensor] = {}

    def note(name: str, output: Tensor) -> None:
        means[name] = output.mean((0, 2, 3))

    with observed(model, nn.Conv2d, note):
        model.features(images)
    made, simulated = copy.deepcopy(model), copy.deepcopy(model)
    layers = dict(made.named_modules())

    def step(name: str, output: Tensor) -> Tensor | None:
        if name not in quantisation.modules:
            return None
        layer = layers[name]
        if isinstance(layer, nn.Conv2d):
            assert layer.bias is not None
            shift = means[name] - output.mean((0, 2, 3))
            layer.bias += shift
            output = output + shift[:, None, None]
        return rounded(output, *quantisation.ranges[name])

    for name, layer in simulated.named_modules():
        if isinstance(layer, nn.Conv2d) and name in quantisation.modules:
            unit = layer.weight.abs().amax((1, 2, 3), keepdim=True) / 127
            layer.weight.copy_((layer.weight / unit.clamp(min=1e-12)).round() * unit)
    with observed(simulated, (nn.Conv2d, InvertedResidual), step):
        simulated.features(images)
    return made


def rounded(values: Tensor, low: float, high: float) -> Tensor:
    """Values as int8 holds them, given its range."""
    unit = (high - low) / 255
    zero = round(-128 - low / unit)
    return ((values / unit).round() + zero).clamp(-128, 127).sub(zero) * unit


@contextmanager
def observed(
    module: nn.Module,
    kinds: type[nn.Module] | tuple[type[nn.Module], ...],
    note: Callable[[str, Tensor], Tensor | None],
    prefix: str = "",
) -> Iterator[None]:
    """Call `note` with the name and output of every module of these kinds, in their order.

    What it gives takes the output's place.
    """
    handles: list[RemovableHandle] = []
    for name, part in module.named_modules():
        if isinstance(part, kinds):

            def hook(_: Any, __: Any, output: Tensor, name: str = prefix + name) -> Tensor | None:
                return note(name, output)

            handles.append(part.register_forward_hook(hook))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
