"""MoveNet's layers as TFLite operators, read beside `model.py`.

What is unusual here:
- Everything is NHWC, as the picture comes and as the runtime computes.
- Padding is TFLite's own SAME, which at stride 2 pads after the picture, as the networks want it.
- The heads that are read at a few cells only are computed there only, as in `Head.at`.
- A layer whose range is known runs in int8, the others in float32; where they meet, the numbers
  are converted once.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray
from torch import Tensor, nn

from movenet.engines.flatbuffer import Graph, Scale, Value
from movenet.model import STAGES, TAPPED, Head, InvertedResidual, MoveNet

Floats = NDArray[np.float32]
Ranges = Mapping[str, tuple[float, float]]  # module name -> smallest and largest output

SAME = schema.Padding.SAME
NONE = schema.ActivationFunctionType.NONE
RELU = schema.ActivationFunctionType.RELU
RELU6 = schema.ActivationFunctionType.RELU6

SLOWEST = 2.0**-20  # steps of an output for one step of a product: so far a sum fits into int32


@dataclass(frozen=True)
class Quantisation:
    """Which modules run in int8, and the range of every module's output."""

    modules: frozenset[str]
    ranges: Ranges


@dataclass
class Layers:
    """A network's modules, by name, each a method that adds its operators to a graph."""

    graph: Graph
    model: MoveNet
    narrow: bool = True  # weights as float16
    quantisation: Quantisation | None = None  # of the modules that run in int8

    def __post_init__(self) -> None:
        self._modules = dict(self.model.named_modules())
        self._converted: dict[int, Value] = {}  # in the other type, by the tensor's number
        self._makers: dict[int, str] = {}  # which module made a tensor

    def features(self, images: Value) -> Value:
        """(1, H, W, 3) uint8 -> what every head sees, (1, H / 4, W / 4, 24) float32."""
        x = images.cast("float32") * self.model.constants.input_scale - 1.0
        return self.pyramid(self.backbone(x))

    def backbone(self, x: Value) -> list[Value]:
        """Normalised (1, H, W, 3) -> features at strides 4, 8, 16 and 32."""
        x = self.convolution("backbone.stem", x, RELU6)
        taps = []
        for index, (_, _, blocks, _) in enumerate(STAGES):
            for block in range(blocks):
                x = self.block(f"backbone.stages.{index}.{block}", x)
            if index in TAPPED:
                taps.append(x)
        return [*taps, self.convolution("backbone.last", x, RELU6)]

    def block(self, name: str, x: Value) -> Value:
        """An inverted residual."""
        block = self._modules[name]
        assert isinstance(block, InvertedResidual)
        y = x if block.expand is None else self.convolution(f"{name}.expand", x, RELU6)
        y = self.convolution(f"{name}.depthwise", y, RELU6)
        y = self.convolution(f"{name}.project", y)
        return self.sum(name, x, y) if block.adds_input else y

    def pyramid(self, features: list[Value]) -> Value:
        """Features, finest first -> (1, H / 4, W / 4, 24)."""
        x = self.convolution("pyramid.laterals.3", features[-1])
        for level in (2, 1, 0):
            lateral = self.convolution(f"pyramid.laterals.{level}", features[level])
            x = self.sum(f"pyramid.smoothings.{level}", self.doubled(x), lateral)
            x = self.convolution(f"pyramid.smoothings.{level}.depthwise", x)
            x = self.convolution(f"pyramid.smoothings.{level}.pointwise", x, RELU)
        return self.float(x)

    def head(self, name: str, x: Value) -> Value:
        """A head everywhere: (1, h, w, 24) -> (1, h, w, D)."""
        x = self.convolution(f"{name}.depthwise", x)
        x = self.convolution(f"{name}.hidden", x, RELU)
        return self.convolution(f"{name}.output", x)

    def hidden_at(self, name: str, windows: Value) -> Value:
        """Inside a head, at single cells: the features around them (M, 9, 24) -> (M, 96)."""
        head = self._head(name)
        taps = array(head.depthwise.weight)[:, 0].transpose(1, 2, 0).reshape(9, -1)  # (9, 24)
        x = (windows * self.graph.constant(taps)).sum(1)  # (M, 24)
        return self._dense(head.hidden, x, slice(None), RELU)

    def output(self, name: str, hidden: Value, channels: slice = slice(None)) -> Value:
        """A head's values, or some channels of them, of what is inside it: (M, 96) -> (M, D)."""
        return self._dense(self._head(name).output, hidden, channels, NONE)

    def doubled(self, x: Value) -> Value:
        """Twice as high and wide, bilinear with half-pixel centres."""
        n, h, w, c = x.shape
        size = self.graph.constant(np.array([2 * h, 2 * w], np.int32))
        options = {"halfPixelCenters": True, "alignCorners": False}
        shape = (n, 2 * h, 2 * w, c)
        return self.graph("RESIZE_BILINEAR", [x, size], shape, x.dtype, scale=x.scale, **options)

    def sum(self, name: str, x: Value, y: Value) -> Value:
        """x + y; `name` is the module whose range holds for it."""
        if self._is_int8(name):
            inputs = [self.integers(x), self.integers(y)]
            made = self.graph("ADD", inputs, x.shape, "int8", scale=self._scale(name))
        else:
            made = self.float(x) + self.float(y)
        self._makers[made.index] = name
        return made

    def convolution(self, name: str, x: Value, activation: int = NONE) -> Value:
        """A convolution of the model, its padding and its activation in one operator."""
        layer = self._modules[name]
        assert isinstance(layer, nn.Conv2d)
        each = layer.groups > 1  # channel on its own
        stride = layer.stride[0]
        operator = "DEPTHWISE_CONV_2D" if each else "CONV_2D"
        weight = array(layer.weight).transpose((1, 2, 3, 0) if each else (0, 2, 3, 1))
        n, h, w, _ = x.shape
        shape = (n, h // stride, w // stride, layer.out_channels)
        options = {
            "padding": SAME,
            "strideH": stride,
            "strideW": stride,
            "fusedActivationFunction": activation,
        }
        if each:
            options["depthMultiplier"] = 1
        if self._is_int8(name):
            x = self.integers(x)
            scale = self._scale(name)
            inputs = [x, *self._integers(weight, bias_of(layer), x, scale)]
            made = self.graph(operator, inputs, shape, "int8", scale=scale, **options)
        else:
            inputs = [self.float(x), self._weight(weight), self._weight(bias_of(layer))]
            made = self.graph(operator, inputs, shape, **options)
        self._makers[made.index] = name
        return made

    def float(self, x: Value) -> Value:
        """The same numbers in float32."""
        if x.dtype == "float32":
            return x
        if x.index not in self._converted:
            self._converted[x.index] = self.graph("DEQUANTIZE", [x], x.shape)
        return self._converted[x.index]

    def integers(self, x: Value) -> Value:
        """The same numbers in int8, by the range of the module that made them."""
        if x.dtype == "int8":
            return x
        if x.index not in self._converted:
            scale = self._scale(self._makers[x.index])
            self._converted[x.index] = self.graph("QUANTIZE", [x], x.shape, "int8", scale=scale)
        return self._converted[x.index]

    def _head(self, name: str) -> Head:
        head = self._modules[name]
        assert isinstance(head, Head)
        return head

    def _dense(self, layer: nn.Conv2d, x: Value, channels: slice, activation: int) -> Value:
        """A 1x1 convolution of rows, (M, C) -> (M, D)."""
        weight = self._weight(array(layer.weight)[channels, :, 0, 0])
        bias = self._weight(bias_of(layer)[channels])
        shape = (x.shape[0], bias.shape[0])
        return self.graph(
            "FULLY_CONNECTED", [x, weight, bias], shape, fusedActivationFunction=activation
        )

    def _weight(self, values: Floats) -> Value:
        return self.graph.weight(values, narrow=self.narrow)

    def _is_int8(self, name: str) -> bool:
        return self.quantisation is not None and name in self.quantisation.modules

    def _scale(self, name: str) -> Scale:
        """How int8 stands for a module's output."""
        assert self.quantisation is not None
        low, high = self.quantisation.ranges[name]
        step = (high - low) / 255
        return Scale(np.array(step), round(-128 - low / step))

    def _integers(self, weight: Floats, bias: Floats, x: Value, made: Scale) -> tuple[Value, Value]:
        """Weights in int8, each output channel with a scale of its own, and the bias in int32."""
        assert x.scale is not None
        channel = 3 if weight.shape[0] == 1 else 0  # depthwise: (1, 3, 3, C)
        others = tuple(axis for axis in range(4) if axis != channel)
        unit = x.scale.scale
        step = np.abs(weight).max(others, keepdims=True) / 127
        # A channel without weights has a bias as well, which must fit into its integers.
        step = np.maximum(step, SLOWEST * made.scale / unit)
        integers = np.round(weight / step).astype(np.int8)
        sums = step.reshape(-1) * unit
        return (
            self.graph.constant(integers, Scale(step.reshape(-1), axis=channel)),
            self.graph.constant(np.round(bias / sums).astype(np.int32), Scale(sums)),
        )


def array(tensor: Tensor) -> Floats:
    """A parameter as NumPy, (D, C, ...)."""
    values: Floats = tensor.detach().float().cpu().numpy()
    return values


def bias_of(layer: nn.Conv2d) -> Floats:
    """(D,); TFLite's convolutions have one, ours not always."""
    return array(layer.bias) if layer.bias is not None else np.zeros(layer.out_channels, np.float32)
