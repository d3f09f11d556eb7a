"""TFLite files, written operator by operator.

What is unusual here:
- Constants are told apart by their content, so that the graphs of one file share their weights.
- Weights that float16 holds exactly are stored so and widened when the runtime prepares the graph:
  TFLite's own form of a float16 file.
- A `Value` is a tensor of a graph that is not computed yet; arithmetic on it adds operators.

Operators, options and their versions: tensorflow/lite/schema/schema.fbs and
tensorflow/lite/tools/versioning/op_version.cc.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

Array = NDArray[Any]
Shape = tuple[int, ...]
ALIGNMENT = 16  # bytes; schema.fbs asks it of every buffer
TYPES = {
    "float32": schema.TensorType.FLOAT32,
    "float16": schema.TensorType.FLOAT16,
    "int32": schema.TensorType.INT32,
    "uint8": schema.TensorType.UINT8,
    "int8": schema.TensorType.INT8,
    "bool": schema.TensorType.BOOL,
}
# The options that an operator takes, and its version where that is over 1.
OPTIONS = {
    "ADD": "AddOptions",
    "ARG_MAX": "ArgMaxOptions",
    "CAST": "CastOptions",
    "CONCATENATION": "ConcatenationOptions",
    "CONV_2D": "Conv2DOptions",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    "DIV": "DivOptions",
    "FULLY_CONNECTED": "FullyConnectedOptions",
    "GATHER": "GatherOptions",
    "MAX_POOL_2D": "Pool2DOptions",
    "MEAN": "ReducerOptions",
    "MUL": "MulOptions",
    "REDUCE_MAX": "ReducerOptions",
    "REDUCE_MIN": "ReducerOptions",
    "RESHAPE": "ReshapeOptions",
    "RESIZE_BILINEAR": "ResizeBilinearOptions",
    "SELECT_V2": "SelectV2Options",
    "SUB": "SubOptions",
    "SUM": "ReducerOptions",
}
VERSIONS = {"DEQUANTIZE": 3, "RESIZE_BILINEAR": 3}
INT8_VERSIONS = {
    "ADD": 2,
    "CONV_2D": 3,
    "DEPTHWISE_CONV_2D": 3,
    "DEQUANTIZE": 2,
}


@dataclass(frozen=True, slots=True, eq=False)
class Scale:
    """How integers stand for numbers: number = (integer - zero) * scale, whole or by channel."""

    scale: Array
    zero: int = 0
    axis: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """A tensor of a graph. Numbers beside it in a sum or product become constants of its type."""

    graph: "Graph"
    index: int
    shape: Shape
    dtype: str
    scale: Scale | None = None

    def __add__(self, other: "Operand") -> "Value":
        return self._with("ADD", other)

    def __sub__(self, other: "Operand") -> "Value":
        return self._with("SUB", other)

    def __mul__(self, other: "Operand") -> "Value":
        return self._with("MUL", other)

    def __truediv__(self, other: "Operand") -> "Value":
        return self._with("DIV", other)

    def __floordiv__(self, other: "Operand") -> "Value":
        return self._with("FLOOR_DIV", other)

    def __and__(self, other: "Value") -> "Value":
        return self._with("LOGICAL_AND", other)

    def less(self, other: "Operand") -> "Value":
        """Whether each is less than the other."""
        return self._with("LESS", other, dtype="bool")

    def greater(self, other: "Operand") -> "Value":
        """Whether each is greater than the other."""
        return self._with("GREATER", other, dtype="bool")

    def less_equal(self, other: "Operand") -> "Value":
        """Whether each is at most the other."""
        return self._with("LESS_EQUAL", other, dtype="bool")

    def minimum(self, other: "Operand") -> "Value":
        """The smaller of two, each."""
        return self._with("MINIMUM", other)

    def maximum(self, other: "Operand") -> "Value":
        """The larger of two, each."""
        return self._with("MAXIMUM", other)

    def squared_difference(self, other: "Operand") -> "Value":
        """(self - other) squared."""
        return self._with("SQUARED_DIFFERENCE", other)

    def unary(self, operator: str) -> "Value":
        """An operator that keeps shape and type: LOGISTIC, SQRT, EXP, ..."""
        return self.graph(operator, [self], self.shape, self.dtype)

    def cast(self, dtype: str) -> "Value":
        """The same numbers in another type."""
        options = {"inDataType": TYPES[self.dtype], "outDataType": TYPES[dtype]}
        return self.graph("CAST", [self], self.shape, dtype, **options)

    def reshape(self, *shape: int) -> "Value":
        """The same numbers in another shape."""
        if -1 in shape:
            known = -math.prod(shape)
            shape = tuple(math.prod(self.shape) // known if side == -1 else side for side in shape)
        target = self.graph.constant(np.array(shape, np.int32))
        return self.graph("RESHAPE", [self, target], shape, self.dtype, newShape=list(shape))

    def rows(self, *shape: int) -> "Value":
        """The same numbers as rows of that shape, as many as there are: the first side is free."""
        count = math.prod(self.shape) // math.prod(shape)
        free = [-1, *shape]
        target = self.graph.constant(np.array(free, np.int32))
        return self.graph("RESHAPE", [self, target], (count, *shape), self.dtype, newShape=free)

    def transpose(self, *axes: int) -> "Value":
        """The axes in another order."""
        order = self.graph.constant(np.array(axes, np.int32))
        return self.graph(
            "TRANSPOSE", [self, order], [self.shape[axis] for axis in axes], self.dtype
        )

    def pad(self, *amounts: tuple[int, int]) -> "Value":
        """Zeros before and after each axis."""
        shape = [side + sum(pair) for side, pair in zip(self.shape, amounts, strict=True)]
        return self.graph(
            "PAD", [self, self.graph.constant(np.array(amounts, np.int32))], shape, self.dtype
        )

    def gather(self, indices: "Value", axis: int = 0) -> "Value":
        """Slices of an axis, by their numbers, of any shape."""
        shape = (*self.shape[:axis], *indices.shape, *self.shape[axis + 1 :])
        return self.graph("GATHER", [self, indices], shape, self.dtype, axis=axis)

    def columns(self, *numbers: int) -> "Value":
        """Some columns of a table (M, C), by their numbers."""
        return self.gather(self.graph.constant(np.array(numbers, np.int32)), axis=1)

    def argmax(self) -> "Value":
        """Number of the first largest one along the last axis, int32."""
        axis = self.graph.constant(np.array(len(self.shape) - 1, np.int32))
        options = {"outputType": schema.TensorType.INT32}
        return self.graph("ARG_MAX", [self, axis], self.shape[:-1], "int32", **options)

    def amax(self, axis: int) -> "Value":
        """The largest along an axis, which goes."""
        return self._reduced("REDUCE_MAX", axis)

    def mean(self, axis: int) -> "Value":
        """The mean along an axis, which goes."""
        return self._reduced("MEAN", axis)

    def amin(self, axis: int) -> "Value":
        """The smallest along an axis, which goes."""
        return self._reduced("REDUCE_MIN", axis)

    def sum(self, axis: int) -> "Value":
        """The sum along an axis, which goes."""
        return self._reduced("SUM", axis)

    def where(self, there: "Value", other: "Operand") -> "Value":
        """These where `there` (bool) is true, the others elsewhere."""
        if not isinstance(other, Value):
            other = self.graph.constant(np.asarray(other, self.dtype))
        shape = np.broadcast_shapes(self.shape, there.shape, other.shape)
        return self.graph("SELECT_V2", [there, self, other], shape, self.dtype)

    def _reduced(self, operator: str, axis: int) -> "Value":
        axis %= len(self.shape)
        over = self.graph.constant(np.array([axis], np.int32))
        shape = (*self.shape[:axis], *self.shape[axis + 1 :])
        return self.graph(operator, [self, over], shape, self.dtype)

    def _with(self, operator: str, other: "Operand", dtype: str = "") -> "Value":
        if not isinstance(other, Value):
            other = self.graph.constant(np.asarray(other, self.dtype))
        shape = np.broadcast_shapes(self.shape, other.shape)
        return self.graph(operator, [self, other], shape, dtype or self.dtype)


Operand = Value | Array | float | int


class File:
    """A TFLite file in the making: graphs, each a signature of its own, over shared constants."""

    def __init__(self) -> None:
        self._model = schema.ModelT()
        self._model.version = 3  # of the format
        self._model.buffers = [_Buffer()]  # number 0 is the empty one, by TFLite's rule
        self._model.subgraphs, self._model.operatorCodes = [], []
        self._model.signatureDefs, self._model.metadata = [], []
        self._codes: dict[tuple[str, int], int] = {}
        self._buffers: dict[bytes, int] = {}

    def describe(self, description: str, metadata: dict[str, bytes]) -> None:
        """What the file says of itself."""
        self._model.description = description
        for name, data in metadata.items():
            entry = schema.MetadataT()
            entry.name, entry.buffer = name, self.buffer(data)
            self._model.metadata.append(entry)

    def packed(self) -> bytes:
        """The whole file."""
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(self._model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def buffer(self, data: bytes) -> int:
        """The number of the buffer with these bytes, each stored once."""
        if data not in self._buffers:
            self._buffers[data] = len(self._model.buffers)
            self._model.buffers.append(_Buffer(data))
        return self._buffers[data]

    def code(self, operator: str, version: int) -> int:
        """The number of an operator by its name in the schema."""
        if (operator, version) not in self._codes:
            code = schema.OperatorCodeT()
            code.builtinCode = getattr(schema.BuiltinOperator, operator)
            code.deprecatedBuiltinCode = min(code.builtinCode, 127)  # where older readers look
            code.version = version
            self._codes[operator, version] = len(self._model.operatorCodes)
            self._model.operatorCodes.append(code)
        return self._codes[operator, version]

    def add(self, graph: Any, signature: Any) -> None:
        """Take in a finished graph."""
        signature.subgraphIndex = len(self._model.subgraphs)
        self._model.subgraphs.append(graph)
        self._model.signatureDefs.append(signature)


@dataclass
class Graph:
    """One graph of a file. Calling it adds an operator by its name in the schema."""

    file: File
    _graph: Any = field(default_factory=schema.SubGraphT)
    _constants: dict[tuple[Any, ...], Value] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._graph.tensors, self._graph.operators, self._graph.inputs = [], [], []

    def input(
        self, name: str, shape: Sequence[int], dtype: str, scale: Scale | None = None
    ) -> Value:
        """An input of the graph."""
        value = self._tensor(shape, dtype, scale=scale)
        self._graph.tensors[value.index].name = name
        self._graph.inputs.append(value.index)
        return value

    def constant(self, array: Array, scale: Scale | None = None) -> Value:
        """A constant; equal ones are one tensor, unless they have a scale."""
        array = np.ascontiguousarray(array).reshape(array.shape)  # a scalar stays one
        key = (array.tobytes(), array.dtype.name, array.shape)
        if scale is not None:
            return self._tensor(array.shape, array.dtype.name, self.file.buffer(key[0]), scale)
        if key not in self._constants:
            buffer = self.file.buffer(key[0])
            self._constants[key] = self._tensor(array.shape, array.dtype.name, buffer)
        return self._constants[key]

    def weight(self, array: Array, *, narrow: bool) -> Value:
        """A float32 constant, stored as float16 if `narrow` and where that loses nothing."""
        array = array.astype(np.float32)
        half = array.astype(np.float16)
        if not narrow or not np.array_equal(half.astype(np.float32), array):
            return self.constant(array)
        key = (half.tobytes(), "widened", half.shape)
        if key not in self._constants:
            self._constants[key] = self("DEQUANTIZE", [self.constant(half)], half.shape)
        return self._constants[key]

    def __call__(
        self,
        operator: str,
        inputs: Sequence[Value],
        shape: Sequence[int],
        dtype: str = "float32",
        *,
        scale: Scale | None = None,
        **options: Any,
    ) -> Value:
        """An operator with its inputs and options -> its output, of that shape and type."""
        output = self._tensor(shape, dtype, scale=scale)
        self._operator(operator, inputs, [output], options)
        return output

    def concatenate(self, values: Sequence[Value], axis: int) -> Value:
        """Values one after the other along an axis."""
        shape = list(values[0].shape)
        shape[axis] = sum(value.shape[axis] for value in values)
        return self("CONCATENATION", values, shape, values[0].dtype, axis=axis)

    def highest(self, values: Value, count: int) -> tuple[Value, Value]:
        """The `count` largest of the last axis, falling, and their numbers; ties by number."""
        shape = (*values.shape[:-1], count)
        outputs = [self._tensor(shape, values.dtype), self._tensor(shape, "int32")]
        inputs = [values, self.constant(np.array(count, np.int32))]
        self._operator("TOPK_V2", inputs, outputs, {})
        return outputs[0], outputs[1]

    def finish(self, signature: str, outputs: dict[str, Value]) -> None:
        """Name the outputs, and put the graph into its file under that signature."""
        self._graph.name = signature
        self._graph.outputs = [value.index for value in outputs.values()]
        for name, value in outputs.items():
            self._graph.tensors[value.index].name = name
        made = schema.SignatureDefT()
        made.signatureKey = signature
        made.inputs, made.outputs = (
            [self._named(index) for index in indices]
            for indices in (self._graph.inputs, self._graph.outputs)
        )
        self.file.add(self._graph, made)

    def _operator(
        self, operator: str, inputs: Sequence[Value], outputs: Sequence[Value], options: Any
    ) -> None:
        integers = inputs[0].dtype == "int8" and inputs[0].scale is not None
        version = INT8_VERSIONS.get(operator, 1) if integers else VERSIONS.get(operator, 1)
        node = schema.OperatorT()
        node.opcodeIndex = self.file.code(operator, version)
        node.inputs = [value.index for value in inputs]
        node.outputs = [value.index for value in outputs]
        if operator in OPTIONS:
            kind = OPTIONS[operator]
            node.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
            node.builtinOptions = getattr(schema, f"{kind}T")()
            for key, setting in options.items():
                setattr(node.builtinOptions, key, setting)
        self._graph.operators.append(node)

    def _tensor(
        self, shape: Sequence[int], dtype: str, buffer: int = 0, scale: Scale | None = None
    ) -> Value:
        value = Value(self, len(self._graph.tensors), tuple(map(int, shape)), dtype, scale)
        tensor = schema.TensorT()
        tensor.shape, tensor.type = list(value.shape), TYPES[dtype]
        tensor.buffer, tensor.hasRank = buffer, True
        tensor.name = f"t{value.index}"
        if scale is not None:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = np.atleast_1d(scale.scale).astype(np.float32)
            zeros = np.full(len(tensor.quantization.scale), scale.zero, np.int64)
            tensor.quantization.zeroPoint = zeros
            tensor.quantization.quantizedDimension = scale.axis
        self._graph.tensors.append(tensor)
        return value

    def _named(self, index: int) -> Any:
        entry = schema.TensorMapT()
        entry.name, entry.tensorIndex = self._graph.tensors[index].name, index
        return entry


class _Buffer(schema.BufferT):  # type: ignore[misc]
    """A buffer whose bytes begin at a multiple of ALIGNMENT; flatbuffers' own begin anywhere."""

    def Pack(self, builder: Any) -> Any:  # noqa: N802 (flatbuffers' name)
        if not self.data:
            schema.BufferStart(builder)
            return schema.BufferEnd(builder)
        builder.StartVector(1, len(self.data), ALIGNMENT)
        builder.head -= len(self.data)
        builder.Bytes[builder.head : builder.head + len(self.data)] = self.data
        data = builder.EndVector()
        schema.BufferStart(builder)
        schema.BufferAddData(builder, data)
        return schema.BufferEnd(builder)
