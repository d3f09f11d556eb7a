"""The lifting networks as TFLite operators, read beside `network.py`.

What is unusual here:
- Linear layers see rows, (N T, width), so that the number of people is free: a file says 1, and
  takes as many as its runtime was resized to.
- Joints are averaged, moved and put in by linear layers with constant weights.
- The head is computed in parts, so that nothing has to be cut apart.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from movenet.engines.flatbuffer import File, Graph, Value
from movenet.lifting.joints import INDEX, NAMES
from movenet.lifting.specs import FLATTEST, NETWORKS, PAIRS, SMALLEST, STEEPEST

Floats = NDArray[np.float32]

SIGNATURE = "lift"
INPUTS, OUTPUTS = ("keypoints", "scores"), ("joints", "uncertainty")
NONE = schema.ActivationFunctionType.NONE
RELU = schema.ActivationFunctionType.RELU
FAR = np.finfo(np.float32).max
EPSILON = 1e-5  # torch.nn.LayerNorm's
KEYPOINTS = 17
PELVIS = INDEX["pelvis"]
LEARNT = [place for place in range(len(NAMES)) if place != PELVIS]


def packed(
    kind: str, tensors: Mapping[str, Floats], *, narrow: bool, metadata: Mapping[str, bytes]
) -> bytes:
    """A TFLite file of a network with these weights, stored as float16 if `narrow`."""
    file = File()
    layers = Layers(Graph(file), tensors, narrow)
    frames, reference = (NETWORKS[kind][name] for name in ("frames", "reference"))
    shapes = ((1, frames, KEYPOINTS, 2), (1, frames, KEYPOINTS))
    keypoints, scores = (
        layers.graph.input(name, shape, "float32")
        for name, shape in zip(INPUTS, shapes, strict=True)
    )
    outputs = layers.lifted(keypoints, scores, reference)
    layers.graph.finish(SIGNATURE, dict(zip(OUTPUTS, outputs, strict=True)))
    file.describe(f"MoveNet lift-{kind}", dict(metadata))
    return file.packed()


@dataclass
class Layers:
    """The network's modules, by name, each a method that adds its operators to a graph."""

    graph: Graph
    tensors: Mapping[str, Floats]
    narrow: bool

    def lifted(self, keypoints: Value, scores: Value, reference: int) -> tuple[Value, Value]:
        """(N, T, 17, 2), (N, T, 17) -> joints (N, 21, 3) and uncertainty (N, 21)."""
        frames, place = scores.shape[1], self.graph.constant(np.array(reference, np.int32))
        there = scores.greater(0.0)
        known = there.cast("float32")
        middle, size = self.extent(keypoints.gather(place, 1), known.gather(place, 1))
        relative = (keypoints - middle.rows(1, 1, 2)) / size.rows(1, 1, 1)
        relative = relative.where(there.rows(frames, KEYPOINTS, 1), 0.0)
        person = self.graph.concatenate([middle, size.unary("LOG")], 1).rows(1, 3)
        features = [
            relative.rows(KEYPOINTS * 2),
            scores.rows(KEYPOINTS),
            known.rows(KEYPOINTS),
            self.lengths(relative, known),
            (person + np.zeros((frames, 1), np.float32)).rows(3),  # for every frame
        ]
        mean, deviation = (self._weight(self.tensors[name]) for name in ("mean", "deviation"))
        state = self.linear("embed", (self.graph.concatenate(features, 1) - mean) / deviation)
        for block in range(self._count("blocks")):
            state = self.residual(f"blocks.{block}", state)
        for join in range(self._count("joins")):
            state = self.join(f"joins.{join}", state, reference)
        for block in range(self._count("after")):
            state = self.residual(f"after.{block}", state)
        seen = relative.gather(place, 1).rows(KEYPOINTS * 2)
        return self.head(self.norm("norm", state), seen, middle, size)

    def lengths(self, relative: Value, known: Value) -> Value:
        """How far the `PAIRS` are from each other, 0 where one is missing: (N T, pairs)."""
        ends = np.eye(KEYPOINTS, dtype=np.float32)[np.array(PAIRS)]
        first, second = ends[:, 0], ends[:, 1]
        between = self.multiply(relative.rows(KEYPOINTS * 2), first - second, 2)
        lengths = (between * between).rows(len(PAIRS), 2).sum(2).unary("SQRT")
        there = known.rows(KEYPOINTS)
        return lengths * self.multiply(there, first, 1) * self.multiply(there, second, 1)

    def head(self, state: Value, seen: Value, middle: Value, size: Value) -> tuple[Value, Value]:
        """The last layer and the pinhole: (N, width), (N, 34), (N, 2), (N, 1) -> the outputs."""
        count = len(LEARNT)
        ends = np.cumsum([0, count, count * 2, count, 1, 1])
        depth, shift, spread, scale, slope = (
            self.linear("head", state, rows=slice(*pair)) for pair in pairwise(ends)
        )
        scale = scale.unary("EXP").rows(1, 1)
        slope = (slope.unary("LOGISTIC") * (STEEPEST - FLATTEST) + FLATTEST).rows(1, 1)
        depth = depth.rows(count, 1)
        seen = self.multiply(seen, with_middle(), 2).rows(count, 2)
        rays = seen * size.rows(1, 1) + middle.rows(1, 2)
        across = seen * scale + depth * slope * rays + shift.rows(count, 2)
        joints = self.graph.concatenate([across, depth], 2).rows(count * 3)
        places, joined = from_pelvis(), with_pelvis() * self.tensors["spread"][:, None]
        return (
            self.multiply(joints, places, 3).rows(len(NAMES), 3),
            self.multiply(spread.unary("EXP"), joined, 1),
        )

    def extent(self, keypoints: Value, known: Value) -> tuple[Value, Value]:
        """The middle (N, 2) and the longer side (N, 1) of the box of (N, 17, 2) keypoints."""
        there = known.rows(KEYPOINTS, 1).greater(0.0)
        low = keypoints.where(there, FAR).amin(1)
        high = keypoints.where(there, -FAR).amax(1)
        someone = known.amax(1).rows(1).greater(0.0)
        middle = ((low + high) * 0.5).where(someone, 0.0)
        size = (high - low).amax(1).rows(1).where(someone, 1.0)
        return middle, size.maximum(SMALLEST)

    def residual(self, name: str, state: Value) -> Value:
        """Two linear layers beside an identity, normalised before."""
        inner = self.linear(f"{name}.inner", self.norm(f"{name}.norm", state), RELU)
        return state + self.linear(f"{name}.outer", inner)

    def join(self, name: str, state: Value, reference: int) -> Value:
        """Three frames into one: (N T, width) -> (N T / 3, width)."""
        width = state.shape[1]
        threes = self.norm(f"{name}.norm", state).maximum(0.0).rows(3 * width)
        # Of each three, and in the end of all, the middle one counts, or the last one.
        kept = np.array(2 if reference == 26 else 1, np.int32)
        own = state.rows(3, width).gather(self.graph.constant(kept), 1)
        return own + self.linear(f"{name}.join", threes)

    def norm(self, name: str, x: Value) -> Value:
        """Each row with mean 0 and variance 1, scaled and moved: (R, C) -> the same."""
        x = x - x.mean(1).rows(1)
        variance = (x * x).mean(1).rows(1)
        x = x * (variance + EPSILON).unary("RSQRT")
        return x * self._weight(self.tensors[f"{name}.weight"]) + self._weight(
            self.tensors[f"{name}.bias"]
        )

    def linear(
        self, name: str, x: Value, activation: int = NONE, rows: slice = slice(None)
    ) -> Value:
        """A linear layer, or some rows of it: (R, C) -> (R, D)."""
        weight, bias = (self.tensors[f"{name}.{part}"][rows] for part in ("weight", "bias"))
        inputs = [x, self._weight(weight), self._weight(bias)]
        shape = (x.shape[0], len(bias))
        return self.graph("FULLY_CONNECTED", inputs, shape, fusedActivationFunction=activation)

    def multiply(self, x: Value, matrix: Floats, axes: int) -> Value:
        """New joints of old: rows (R, J axes) and (K, J) -> (R, K axes)."""
        weight = np.kron(matrix, np.eye(axes)).astype(np.float32)
        inputs = [x, self.graph.constant(weight)]
        return self.graph("FULLY_CONNECTED", inputs, (x.shape[0], len(weight)))

    def _weight(self, values: Floats) -> Value:
        return self.graph.weight(values, narrow=self.narrow)

    def _count(self, modules: str) -> int:
        """How many there are of these."""
        return len({name.split(".")[1] for name in self.tensors if name.startswith(modules)})


def with_middle() -> Floats:
    """Keypoints -> where the learnt joints are seen, (20, 17), as network.py's `with_middle`."""
    matrix = np.zeros((len(LEARNT), KEYPOINTS), np.float32)
    matrix[:KEYPOINTS] = np.eye(KEYPOINTS)
    neck, hips = matrix[_sides("shoulder")].mean(0), matrix[_sides("hip")].mean(0)
    matrix[KEYPOINTS:] = (hips + neck) / 2, neck, neck
    return matrix


def with_pelvis() -> Floats:
    """The learnt joints -> all, the pelvis 0: (21, 20)."""
    matrix: Floats = np.eye(len(NAMES), dtype=np.float32)[:, LEARNT]
    return matrix


def from_pelvis() -> Floats:
    """The learnt joints -> all, from the middle of the hips, which is the pelvis: (21, 20)."""
    matrix = with_pelvis()
    moved: Floats = matrix - matrix[_sides("hip")].mean(0)
    moved[PELVIS] = 0
    return moved


def _sides(joint: str) -> Sequence[int]:
    return [INDEX[f"{side}_{joint}"] for side in ("left", "right")]
