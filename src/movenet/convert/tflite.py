"""TFLite files: float32, float16 (constants behind DEQUANTIZE) and int8."""

import hashlib
import math
import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from movenet.convert.graph import (
    CONVOLUTIONS,
    HALF_PIXEL_RESIZE,
    Amounts,
    Constant,
    Graph,
    Operation,
    kind_of,
)
from movenet.convert.layers import Source
from movenet.convert.mapping import layers_of
from movenet.errors import WeightsError

try:
    import tflite
except ImportError:  # the extra `convert` is not installed
    tflite = None

# Kernels are (O, H, W, I), those of depthwise convolutions (1, H, W, C).
LAYOUTS: dict[str, Amounts] = {"conv2d": (0, 3, 1, 2), "depthwiseconv2d": (3, 0, 1, 2)}
ACTIVATIONS = {"NONE": "", "RELU": "relu", "RELU6": "relu6"}
# The types that have a NumPy type; little-endian, as flatbuffers are.
DTYPES: dict[str, npt.DTypeLike] = {
    "FLOAT32": "<f4",
    "FLOAT16": "<f2",
    "FLOAT64": "<f8",
    "INT8": "i1",
    "UINT8": "u1",
    "INT16": "<i2",
    "INT32": "<i4",
    "INT64": "<i8",
    "BOOL": "?",
}
MISSING = "reading .tflite needs the package tflite; pip install 'movenet-pytorch[convert]'"


def read(path: Path) -> Source:
    """Read a .tflite file."""
    if tflite is None:
        raise WeightsError(MISSING)
    data = path.read_bytes()
    try:
        graph = read_graph(tflite.Model.GetRootAs(data, 0))
    # What flatbuffers raises where offsets point outside the file.
    except (struct.error, ValueError, TypeError, IndexError, KeyError, AttributeError) as error:
        raise WeightsError(
            f"a damaged TFLite file ({type(error).__name__}: {error}); get it again"
        ) from error
    spec, layers, unused = layers_of(graph)
    stored = layers["backbone.stem"].kernel.stored
    sha256 = {path.name: hashlib.sha256(data).hexdigest()}
    return Source(f"TFLite {stored}", spec, layers, sha256, unused)


def names_of(enumeration: Any) -> dict[int, str]:
    """Number -> name, of a flatbuffers enumeration."""
    members = vars(enumeration).items()
    return {number: name for name, number in members if isinstance(number, int)}


def read_graph(model: Any) -> Graph:
    """The one subgraph; a tensor is named by its index."""
    if model.SubgraphsLength() != 1:
        raise WeightsError(f"{model.SubgraphsLength()} subgraphs where a MoveNet has one")
    subgraph = model.Subgraphs(0)
    tensors = [subgraph.Tensors(index) for index in range(subgraph.TensorsLength())]
    # Names need not be unique in TFLite, the index is.
    names = [
        f"{(tensor.Name() or b'').decode(errors='replace')} (tensor {index})"
        for index, tensor in enumerate(tensors)
    ]
    constants = {}
    for index, tensor in enumerate(tensors):
        buffer = model.Buffers(tensor.Buffer())
        if buffer.DataLength():
            constants[str(index)] = read_constant(names[index], tensor, buffer.DataAsNumpy())
    operations = [
        read_operation(model, subgraph.Operators(index), names)
        for index in range(subgraph.OperatorsLength())
    ]
    inputs = tuple(str(subgraph.Inputs(index)) for index in range(subgraph.InputsLength()))
    return Graph(operations, constants, inputs, LAYOUTS)


def read_constant(name: str, tensor: Any, data: npt.NDArray[np.uint8]) -> Constant:
    """A tensor with its values, dequantised where it has a scale."""
    stored = names_of(tflite.TensorType)[tensor.Type()]
    if stored not in DTYPES:
        raise WeightsError(f"tensor {name!r} has type {stored}, which is not supported")
    dtype = np.dtype(DTYPES[stored])
    shape = [tensor.Shape(axis) for axis in range(tensor.ShapeLength())]
    if min(shape, default=1) < 0 or math.prod(shape) * dtype.itemsize != len(data):
        raise WeightsError(
            f"tensor {name!r} has {len(data)} bytes where {stored} of shape {tuple(shape)} is due; "
            "get the file again"
        )
    values: npt.NDArray[Any] = np.frombuffer(data.tobytes(), dtype).reshape(shape)
    return Constant(name, dequantised(values, tensor.Quantization()), stored.lower())


def dequantised(values: npt.NDArray[Any], quantization: Any) -> npt.NDArray[Any]:
    """Scale times what is over the zero point, for the whole tensor or along one axis."""
    if quantization is None or not quantization.ScaleLength() or values.dtype.kind == "f":
        return values
    scale = quantization.ScaleAsNumpy().astype(np.float64)
    zero = quantization.ZeroPointAsNumpy() if quantization.ZeroPointLength() else np.zeros(1)
    axis = quantization.QuantizedDimension()
    if {scale.size, zero.size} - {1, values.shape[axis] if scale.size > 1 else 1}:
        raise ValueError(f"{scale.size} scales along axis {axis} of {values.shape}")
    if scale.size > 1:
        along = [1] * values.ndim
        along[axis] = -1
        scale, zero = scale.reshape(along), zero.reshape(along if zero.size > 1 else [1])
    # Rounded once, in float32: int32 biases have more bits than float32 itself.
    real: npt.NDArray[np.float32] = ((values - zero) * scale).astype(np.float32)
    return real


def read_operation(model: Any, operator: Any, names: list[str]) -> Operation:
    """One operator; it is called as its first output."""
    code = model.OperatorCodes(operator.OpcodeIndex())
    kind = kind_of(names_of(tflite.BuiltinOperator)[code.BuiltinCode()])
    indices = [operator.Inputs(index) for index in range(operator.InputsLength())]
    inputs = tuple(str(index) for index in indices if index >= 0)  # -1: left out
    outputs = tuple(str(operator.Outputs(index)) for index in range(operator.OutputsLength()))
    name = names[operator.Outputs(0)]
    if kind == "add":
        stored = operator.BuiltinOptions()
        chosen = activation_of(options(operator, tflite.AddOptions)) if stored else ""
        return Operation(name, kind, inputs, outputs, activation=chosen)
    if kind == HALF_PIXEL_RESIZE:
        resize = options(operator, tflite.ResizeBilinearOptions)
        half = resize.HalfPixelCenters() and not resize.AlignCorners()
        return Operation(name, kind if half else f"other {kind}", inputs, outputs)
    if kind not in CONVOLUTIONS:
        return Operation(name, kind, inputs, outputs)
    is_full = kind == "conv2d"
    table = tflite.Conv2DOptions if is_full else tflite.DepthwiseConv2DOptions
    convolution = options(operator, table)
    strides = {convolution.StrideH(), convolution.StrideW()}
    if len(strides) > 1 or {convolution.DilationHFactor(), convolution.DilationWFactor()} != {1}:
        raise WeightsError(f"{name!r} has strides or dilations that MoveNet has not")
    padding = names_of(tflite.Padding)[convolution.Padding()]
    chosen = activation_of(convolution)
    return Operation(name, kind, inputs, outputs, strides.pop(), padding, chosen)


def options(operator: Any, table: Any) -> Any:
    """The options of an operator; ValueError where it has none."""
    stored = operator.BuiltinOptions()
    if stored is None:
        raise ValueError(f"an operator without its {table.__name__}")
    read = table()
    read.Init(stored.Bytes, stored.Pos)
    return read


def activation_of(table: Any) -> str:
    """The fused activation as graph.py calls it."""
    name = names_of(tflite.ActivationFunctionType)[table.FusedActivationFunction()]
    return ACTIVATIONS.get(name, name.lower())
