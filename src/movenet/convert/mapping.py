"""The walk through one of Google's graphs, from the picture along `model.py`.

At each step exactly one convolution must have the kernel, stride, padding, channels and activation
of the module that is due, so a graph that differs anywhere is refused.
"""

from collections import Counter, defaultdict
from dataclasses import replace
from typing import cast

from torch import nn

from movenet.convert.graph import (
    ADVICE,
    CONVOLUTIONS,
    HALF_PIXEL_RESIZE,
    PASSING,
    Graph,
    Operation,
)
from movenet.convert.layers import Layer, convolutions, skeleton, spec_of
from movenet.convert.picture import check_normalisation, first_convolution
from movenet.errors import WeightsError
from movenet.model import TAPPED, InvertedResidual
from movenet.specs import ModelSpec

CHOOSING = frozenset({"argmax", "topkv2"})
CLAMPING = frozenset({"maximum", "relu"})  # TFLite makes a Relu of a Maximum with 0
# From a map to the numbers of one person these only move values.
MOVING = PASSING | {
    *("gather", "gatherv2", "gathernd", "slice", "stridedslice", "split", "unpack"),
    *("squeeze", "expanddims", "transpose"),
}

Head = tuple[Operation, Operation, Operation]  # depthwise, hidden, output

NORMALISATION = "normalises the picture, as the package does with its own constants"
SIZES = "size of an upsampling or padding"
DECODING = "part of the decoding, which the package does with its own constants"
UNREAD = "read by no operation"


def layers_of(graph: Graph) -> tuple[ModelSpec, dict[str, Layer], dict[str, str]]:
    """Graph -> which model it is, its layers, and why its other constants are not weights."""
    walk = Walk(graph)
    features = walk.pyramid(walk.backbone(walk.picture))
    walk.heads(features)
    walk.check_complete()
    used = {
        weight.name
        for layer in walk.layers.values()
        for weight in (layer.kernel, layer.bias)
        if weight is not None
    }
    return walk.spec, walk.layers, reasons(graph, walk.picture, features, used)


def reasons(graph: Graph, picture: str, features: str, used: set[str]) -> dict[str, str]:
    """Why each constant that is in no layer is none: by where in the graph it is read."""
    normalising = graph.constants_behind(picture)
    sizing = graph.constants_behind(features)
    found = {}
    for tensor, constant in graph.constants.items():
        if constant.name in used:
            continue
        read = DECODING if graph.readers.get(tensor) else UNREAD
        place = SIZES if tensor in sizing else read
        found[constant.name] = NORMALISATION if tensor in normalising else place
    return found


class Walk:
    """Where in the graph each module of MoveNet was found."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.layers: dict[str, Layer] = {}
        self.walked: set[str] = set()
        stem = first_convolution(graph)
        self.picture = stem.inputs[0]  # normalised
        check_normalisation(graph, self.picture)
        self.spec = spec_of(graph.kernel_shape(stem)[0])
        self.network = skeleton(self.spec)
        self.modules = convolutions(self.network)

    def backbone(self, x: str) -> list[str]:
        """As Backbone.forward: the features that the pyramid takes, finest first."""
        taps = []
        x = self.convolution(x, "backbone.stem", "relu6")
        for index, stage in enumerate(self.network.backbone.stages):
            for position, block in enumerate(cast(nn.Sequential, stage)):
                name = f"backbone.stages.{index}.{position}"
                x = self.block(x, name, cast(InvertedResidual, block))
            if index in TAPPED:
                taps.append(x)
        return [*taps, self.convolution(x, "backbone.last", "relu6")]

    def block(self, x: str, name: str, block: InvertedResidual) -> str:
        """As InvertedResidual.forward."""
        y = x if block.expand is None else self.convolution(x, f"{name}.expand", "relu6")
        y = self.convolution(y, f"{name}.depthwise", "relu6")
        y = self.convolution(y, f"{name}.project", "")
        return self.sum(x, y, name) if block.adds_input else y

    def pyramid(self, features: list[str]) -> str:
        """As Pyramid.forward: what every head sees."""
        last = len(features) - 1
        x = self.convolution(features[last], f"pyramid.laterals.{last}", "")
        for level in reversed(range(last)):
            name = f"pyramid.smoothings.{level}"
            lateral = self.convolution(features[level], f"pyramid.laterals.{level}", "")
            # That it is twice the size follows from the sum with the lateral.
            up = self.only(x, HALF_PIXEL_RESIZE, name).outputs[0]
            x = self.sum(up, lateral, name)
            x = self.convolution(x, f"{name}.depthwise", "")
            x = self.convolution(x, f"{name}.pointwise", "relu")
        return x

    def heads(self, x: str) -> None:
        """Every depthwise convolution of the finest features begins a head."""
        found: dict[int, list[Head]] = defaultdict(list)
        for depthwise in self.fitting(x, "centre.depthwise", ""):
            hidden = self.one(depthwise.outputs[0], "centre.hidden", "relu")
            output = self.only(hidden.outputs[0], "conv2d", "centre.output")
            channels = (self.graph.kernel_shape(output) or (0,))[0]
            found[channels].append((depthwise, hidden, output))
        outputs = [m.out_channels for name, m in self.modules.items() if name.endswith(".output")]
        if Counter({channels: len(heads) for channels, heads in found.items()}) != Counter(outputs):
            there = sorted(channels for channels, heads in found.items() for _ in heads)
            raise WeightsError(
                f"heads of {there} channels where {self.spec.name} has {sorted(outputs)}; {ADVICE}"
            )
        for channels, heads in found.items():
            for name, steps in zip(names(self.graph, channels, heads), heads, strict=True):
                for part, step in zip(("depthwise", "hidden", "output"), steps, strict=True):
                    self.take(step, f"{name}.{part}", "relu" if part == "hidden" else "")

    def convolution(self, x: str, name: str, activation: str) -> str:
        """Follow the one convolution of x that is the module `name`."""
        return self.take(self.one(x, name, activation), name, activation)

    def fitting(self, x: str, name: str, activation: str) -> list[Operation]:
        """The convolutions of x that could be the module `name`."""
        return [step for step in self.graph.after(x) if self.fits(step, name, activation)]

    def one(self, x: str, name: str, activation: str) -> Operation:
        """The only one of them."""
        found = self.fitting(x, name, activation)
        if len(found) != 1:
            there = ", ".join(self.graph.describe(step) for step in self.graph.after(x)[:4])
            raise WeightsError(
                f"{len(found)} convolutions after {self.place(x)!r} fit {name} "
                f"({wanted(self.modules[name], activation)}); there: {there}; {ADVICE}"
            )
        return found[0]

    def fits(self, step: Operation, name: str, activation: str) -> bool:
        """Kind, kernel, stride, padding, bias and activation are the module's."""
        module = self.modules[name]
        kind = "depthwiseconv2d" if module.groups > 1 else "conv2d"
        if step.kind != kind or (step.stride, step.activation) != (module.stride[0], activation):
            return False
        shape = self.graph.kernel_shape(step)
        if shape != tuple(module.weight.shape) or not is_same(step, shape[2]):
            return False
        bias = self.graph.constant(step.inputs[2]) if len(step.inputs) > 2 else None
        absent_is_right = module.bias is None and len(step.inputs) == 2
        return absent_is_right if bias is None else bias.values.shape == (module.out_channels,)

    def take(self, step: Operation, name: str, activation: str) -> str:
        """Note the weights of the module `name`, and go on to the output."""
        kernel = self.graph.constant(step.inputs[1])
        bias = self.graph.constant(step.inputs[2]) if len(step.inputs) > 2 else None
        if kernel is None or not self.fits(step, name, activation):
            expected = wanted(self.modules[name], activation)
            there = self.graph.describe(step)
            raise WeightsError(f"{name} ({expected}) cannot be {there}; {ADVICE}")
        values = kernel.values.transpose(self.graph.layouts[step.kind])
        self.layers[name] = Layer(replace(kernel, values=values), bias)
        self.walked.add(step.name)
        return step.outputs[0]

    def only(self, x: str, kind: str, name: str) -> Operation:
        """The only operation of that kind that reads x."""
        found = [step for step in self.graph.after(x) if step.kind == kind]
        if len(found) != 1:
            place = self.place(x)
            raise WeightsError(
                f"{len(found)} operations {kind} after {place!r}, at {name}; {ADVICE}"
            )
        return found[0]

    def sum(self, x: str, y: str, name: str) -> str:
        """Follow the sum of x and y, which is not activated."""
        pair = {self.graph.origin(x), self.graph.origin(y)}
        for step in self.graph.after(y):
            inputs = {self.graph.origin(tensor) for tensor in step.inputs}
            if step.kind == "add" and inputs == pair and not step.activation:
                return step.outputs[0]
        raise WeightsError(
            f"no sum of {self.place(x)!r} and {self.place(y)!r}, at {name}; {ADVICE}"
        )

    def place(self, tensor: str) -> str:
        """The name of the operation that makes the tensor."""
        before = self.graph.producers.get(self.graph.origin(tensor))
        return "the picture" if before is None else before.name

    def check_complete(self) -> None:
        """WeightsError where the graph has more convolutions than the network."""
        for step in self.graph.operations:
            if step.kind in CONVOLUTIONS and step.name not in self.walked:
                there = self.graph.describe(step)
                raise WeightsError(f"{self.spec.name} has no layer for {there}; {ADVICE}")


def chooses(graph: Graph, output: Operation) -> bool:
    """The regression helps to choose a keypoint's cell; the offset is added to it afterwards."""
    later = graph.reached(output.outputs[0], lambda step: step.kind not in CHOOSING)
    return bool(later)


def is_clamped(graph: Graph, output: Operation) -> bool:
    """A box's size is clamped to 0 before anything is computed with it, its offset is not."""
    later = graph.reached(output.outputs[0], lambda step: step.kind in MOVING)
    return bool(later) and all(step.kind in CLAMPING for step in later)


# By the channels of the output: a head's name, or a test and the names where it holds and not.
NAMES = {1: "centre", 17: "keypoint_heatmaps"}
PAIRS = {
    34: (chooses, "keypoint_regression", "keypoint_offsets"),
    2: (is_clamped, "box_scale", "box_offset"),
}


def names(graph: Graph, channels: int, heads: list[Head]) -> list[str]:
    """What the heads of one number of channels are, by what becomes of their values."""
    if channels in NAMES:
        return [NAMES[channels]]
    test, yes, no = PAIRS[channels]
    found = [yes if test(graph, output) else no for *_, output in heads]
    if set(found) != {yes, no}:
        these = " and ".join(repr(output.name) for *_, output in heads)
        raise WeightsError(f"{these} are both {found[0]}; {ADVICE}")
    return found


def is_same(step: Operation, kernel: int) -> bool:
    """Whether the padding is TensorFlow's SAME for even sides, however the file says it."""
    before, after = int(kernel == 3 and step.stride == 1), int(kernel == 3)
    same = (before, after, before, after)
    return {"SAME": same, "VALID": (0, 0, 0, 0)}.get(str(step.padding), step.padding) == same


def wanted(module: nn.Conv2d, activation: str) -> str:
    """The module in words, as "1x1, 24 -> 144, stride 1, relu6"."""
    depthwise = "depthwise " if module.groups > 1 else ""
    size = "x".join(str(side) for side in module.kernel_size)
    return (
        f"{depthwise}{size}, {module.in_channels} -> {module.out_channels}, "
        f"stride {module.stride[0]}, {activation or 'no activation'}"
    )
