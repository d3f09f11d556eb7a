"""What a graph does to the picture before its first convolution."""

import numpy as np
import numpy.typing as npt

from movenet.convert.graph import ADVICE, CONVOLUTIONS, Constant, Graph, Operation
from movenet.errors import WeightsError

ARITHMETIC = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide}
TOLERANCE = 0.01  # int8 and float16 files round 1/127.5; other normalisations are far away


def first_convolution(graph: Graph) -> Operation:
    """The convolution that sees the picture."""
    if len(graph.inputs) != 1:
        raise WeightsError(f"{len(graph.inputs)} inputs where a MoveNet has one; {ADVICE}")
    found = graph.reached(graph.inputs[0], lambda step: step.kind not in CONVOLUTIONS)
    if len(found) != 1 or not graph.kernel_shape(found[0]):
        raise WeightsError(f"no single convolution sees the picture; {ADVICE}")
    return found[0]


def check_normalisation(graph: Graph, tensor: str) -> None:
    """WeightsError unless 0..255 become -1..1 on the way from the input to the tensor."""
    steps: list[tuple[str, Constant]] = []  # last first
    while tensor not in graph.inputs:
        before = graph.producers.get(tensor)
        sources = before.inputs if before is not None else ()
        moving = [source for source in sources if graph.constant(source) is None]
        if before is None or len(moving) != 1:
            raise WeightsError(f"what it does to the picture cannot be followed; {ADVICE}")
        if before.kind in ARITHMETIC:
            # A constant on the left of a difference is taken as on the right: another range.
            fixed = [graph.constant(source) for source in sources]
            steps += [(before.kind, constant) for constant in fixed if constant is not None]
        tensor = moving[0]
    low_high: npt.NDArray[np.float64] = np.array([[0.0], [255.0]])  # (2, 1)
    for kind, constant in reversed(steps):
        low_high = ARITHMETIC[kind](low_high, constant.values.reshape(-1))  # (2, 1 or 3)
    if not np.allclose(low_high, [[-1.0], [1.0]], rtol=0, atol=TOLERANCE):
        low, high = low_high.min(), low_high.max()
        raise WeightsError(
            f"it brings pictures to {low:.3g}..{high:.3g} where MoveNet has -1..1; {ADVICE}"
        )
