"""The form that TFJS and TFLite graphs are brought into, so that one walk reads both.

Kinds are TensorFlow's names in lower case without underscores ("depthwiseconv2d"). Tensors are
strings whose meaning is the reader's. Padding, bias and activation that a file keeps as operations
of their own are merged into the convolution, as most files have them.
"""

import graphlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy.typing as npt

from movenet.errors import WeightsError

Amounts = tuple[int, int, int, int]  # top, bottom, left, right; also an order of four axes

ADVICE = "it is not a MoveNet or is damaged; get Google's file again"

CONVOLUTIONS = frozenset({"conv2d", "depthwiseconv2d"})
ACTIVATIONS = frozenset({"relu", "relu6"})
# These change the type or shape of a tensor, never which value is which.
PASSING = frozenset({"identity", "quantize", "dequantize", "cast", "reshape"})
SHAPES = frozenset({"shape", "size", "rank"})  # what follows them sees no value of the tensor
HALF_PIXEL_RESIZE = "resizebilinear"

SYNONYMS = {
    "addv2": "add",
    "realdiv": "div",
    "fusedconv2d": "conv2d",
    "depthwiseconv2dnative": "depthwiseconv2d",
    "fuseddepthwiseconv2dnative": "depthwiseconv2d",
}


def kind_of(name: str) -> str:
    """The kind of what a format calls `name`: "DEPTHWISE_CONV_2D" -> "depthwiseconv2d"."""
    plain = name.replace("_", "").lower()
    return SYNONYMS.get(plain, plain)


@dataclass(frozen=True, slots=True)
class Constant:
    """A tensor whose values the file holds. `name` is for messages and unique in the file."""

    name: str
    values: npt.NDArray[Any]  # dequantised
    stored: str  # the type in the file, as "int8"


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation; a convolution's inputs are picture, kernel and, where it has one, bias."""

    name: str
    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    stride: int = 1
    padding: str | Amounts = "VALID"  # or "SAME"
    activation: str = ""


class Graph:
    """Operations and constants, and the ways through them."""

    def __init__(
        self,
        operations: Iterable[Operation],
        constants: Mapping[str, Constant],
        inputs: tuple[str, ...],
        layouts: Mapping[str, Amounts],
    ) -> None:
        """`layouts` gives the axes (out, in, height, width) of the kernels, by kind."""
        self.operations = tuple(operations)
        self.constants = constants
        self.inputs = inputs
        self.layouts = layouts
        self._index()
        self._every_producer = self.producers
        self.operations = tuple(self._merged())
        self._index()

    def _index(self) -> None:
        self.readers: dict[str, list[Operation]] = defaultdict(list)
        self.producers: dict[str, Operation] = {}
        behind: dict[str, set[str]] = defaultdict(set)
        for operation in self.operations:
            least = 2 if operation.kind in CONVOLUTIONS else int(operation.kind in PASSING)
            if len(operation.inputs) < least or not operation.outputs:
                raise WeightsError(f"{operation.name!r} lacks inputs or outputs; {ADVICE}")
            for tensor in set(operation.inputs):
                self.readers[tensor].append(operation)
            for tensor in operation.outputs:
                self.producers[tensor] = operation
                behind[tensor] |= set(operation.inputs)
        try:
            graphlib.TopologicalSorter(behind).prepare()
        except graphlib.CycleError:
            raise WeightsError(f"its operations run in a circle; {ADVICE}") from None

    def _merged(self) -> Iterable[Operation]:
        absorbed: set[str] = set()
        merged = {}
        for operation in self.operations:
            if operation.kind in CONVOLUTIONS:
                whole = self._padded(operation)
                while (after := self._absorbed_by(whole)) is not None:
                    absorbed.add(after.name)
                    bias = after.inputs[1:] if after.kind not in ACTIVATIONS else ()
                    activation = after.kind if after.kind in ACTIVATIONS else after.activation
                    inputs = whole.inputs + bias
                    whole = replace(
                        whole, inputs=inputs, outputs=after.outputs, activation=activation
                    )
                merged[operation.name] = whole
        for operation in self.operations:
            if operation.name not in absorbed:
                yield merged.get(operation.name, operation)

    def _padded(self, convolution: Operation) -> Operation:
        before = self.producers.get(convolution.inputs[0])
        if convolution.padding != "VALID" or before is None or before.kind != "pad":
            return convolution
        pad = self.constant(before.inputs[1])
        if pad is None or pad.values.shape != (4, 2) or pad.values[[0, 3]].any():
            return convolution
        top, bottom, left, right = (int(n) for n in pad.values[1:3].flatten())
        inputs = before.inputs[:1] + convolution.inputs[1:]
        return replace(convolution, inputs=inputs, padding=(top, bottom, left, right))

    def _absorbed_by(self, convolution: Operation) -> Operation | None:
        """The bias or activation that follows the convolution as an operation of its own."""
        after = self.readers.get(convolution.outputs[0], [])
        if len(after) != 1 or convolution.activation:
            return None
        if after[0].kind in ACTIVATIONS:
            return after[0]
        if after[0].kind in ("biasadd", "add") and len(convolution.inputs) == 2:
            return after[0] if self.constant(after[0].inputs[1]) is not None else None
        return None

    def origin(self, tensor: str) -> str:
        """Where the tensor's values come from, before they only change type or shape."""
        while (before := self.producers.get(tensor)) is not None and before.kind in PASSING:
            tensor = before.inputs[0]
        return tensor

    def constant(self, tensor: str) -> Constant | None:
        """The constant that the tensor is, also behind a DEQUANTIZE."""
        return self.constants.get(self.origin(tensor))

    def after(self, tensor: str) -> list[Operation]:
        """The operations that read the tensor, seen through those that only pass it on."""
        return self.reached(tensor, lambda operation: operation.kind in PASSING)

    def reached(self, tensor: str, through: Callable[[Operation], bool]) -> list[Operation]:
        """The first operations on every way from the tensor that `through` does not let pass."""
        found: dict[str, Operation] = {}
        seen: set[str] = set()
        waiting = [tensor]
        while waiting:
            for operation in self.readers.get(waiting.pop(), ()):
                if operation.name in seen or operation.kind in SHAPES:
                    continue
                seen.add(operation.name)
                if through(operation):
                    waiting.extend(operation.outputs)
                else:
                    found[operation.name] = operation
        return list(found.values())

    def constants_behind(self, tensor: str) -> set[str]:
        """The constants that the tensor is computed from."""
        seen: set[str] = set()
        waiting = [tensor]
        while waiting:
            tensor = waiting.pop()
            if tensor not in seen:
                seen.add(tensor)
                before = self._every_producer.get(tensor)
                waiting.extend(before.inputs if before is not None else ())
        return seen & self.constants.keys()

    def kernel_shape(self, operation: Operation) -> tuple[int, ...]:
        """(O, I, H, W) of a convolution's kernel; () where that is no constant of four axes."""
        if operation.kind not in CONVOLUTIONS:
            return ()
        kernel = self.constant(operation.inputs[1])
        if kernel is None or kernel.values.ndim != 4:
            return ()
        return tuple(kernel.values.shape[axis] for axis in self.layouts[operation.kind])

    def describe(self, operation: Operation) -> str:
        """The operation in words, with its own name."""
        shape = self.kernel_shape(operation)
        if not shape:
            return f"{operation.kind} {operation.name!r}"
        size = f"{shape[2]}x{shape[3]}, {shape[1]} -> {shape[0]}, stride {operation.stride}"
        activation = operation.activation or "no activation"
        return f"{operation.kind} {operation.name!r} ({size}, {activation})"
