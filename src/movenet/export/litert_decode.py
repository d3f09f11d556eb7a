"""Heads -> Google's tensor in TFLite operators, read beside `decode.py`: the same rules.

What is unusual here:
- Maps are planar, (17, h, w), so that a keypoint's best cell is one run of memory. The best row is
  found first and then the best column in it; the first of equal ones wins in both. (MultiPose's
  weights are rounded differently here, so a tie of mirrored distances may go to its twin.)
- MultiPose's Gaussian is the product of one over rows and one over columns, exp(a) exp(b), and
  its box is one of rows and one of columns; so the best row needs one product over all cells and
  people, where the graph has an exponential, four products and two comparisons.
- Cells are int32 throughout.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from movenet.decode import KEYPOINTS, PEOPLE, SMALLEST_NORMAL
from movenet.engines.flatbuffer import Value
from movenet.export.litert_network import SAME, Layers
from movenet.specs import TRUE_CONSTANTS, Constants

WINDOW = 5  # side of the square in which a centre must be the highest; net/max_pooling2d
ROW, COLUMN = slice(0, None, 2), slice(1, None, 2)  # a head's channels are (y, x) in turn


def one_person(layers: Layers, features: Value) -> Value:
    """What the heads see, (1, h, w, 24) -> (1, 1, 17, 3)."""
    _, h, w, _ = features.shape
    constants, graph = layers.model.constants, layers.graph
    rows, columns = np.arange(h), np.arange(w)
    distance = np.hypot(rows[:, None] - h / 2, columns - w / 2)
    nearness = table(
        1 / (distance + TRUE_CONSTANTS.distance_bias), constants
    )  # net/truediv_2_recip
    centres = layers.head("centre", features).unary("LOGISTIC").reshape(1, h * w)
    cell = (centres * nearness.reshape(1, -1)).argmax()  # (1,); net/ArgMax

    flat = padded(features)
    y, x = regressed(layers, windows(flat, cell, w), cell, w)  # (1, 17)
    dy = y.reshape(KEYPOINTS, 1).squared_difference(rows).reshape(KEYPOINTS, h, 1)
    dx = x.reshape(KEYPOINTS, 1).squared_difference(columns).reshape(KEYPOINTS, 1, w)
    heatmaps = planar(layers.head("keypoint_heatmaps", features)).unary("LOGISTIC")
    weighted = heatmaps / ((dy + dx).unary("SQRT") + constants.distance_bias)  # net/truediv_3

    row = weighted.amax(2).argmax()  # (17,)
    lines = weighted.reshape(KEYPOINTS * h, w).gather(row + np.arange(KEYPOINTS) * h)  # (17, w)
    cells = row * w + lines.argmax()  # net/ArgMax_1
    scores = heatmaps.reshape(KEYPOINTS * h * w).gather(cells + np.arange(KEYPOINTS) * (h * w))
    scale = table(1 / np.array([h, w]), constants)  # net/Reshape_13
    points = refined(layers, windows(flat, cells, w), cells, w) * scale
    return graph.concatenate([points, scores.reshape(KEYPOINTS, 1)], 1).reshape(1, 1, KEYPOINTS, 3)


def table(values: NDArray[np.float64], constants: Constants) -> NDArray[np.float64]:
    """Numbers as the graph holds them: rounded to float16 with Google's own constants."""
    return values.astype(np.float16).astype(np.float64) if constants.float16_tables else values


def several_people(layers: Layers, features: Value) -> Value:
    """What the heads see, (1, h, w, 24) -> (1, 6, 56)."""
    _, h, w, _ = features.shape
    constants, graph = layers.model.constants, layers.graph
    centres = layers.head("centre", features).unary("LOGISTIC").reshape(1, h, w, 1)
    peaks = peaks_of(centres, constants.peak_tolerance).reshape(h * w)
    centre_scores, centre_cells = graph.highest(peaks, PEOPLE)  # (6,); net/TopKV2

    flat = padded(features)
    around = windows(flat, centre_cells, w)  # (6, 9, 24)
    low, high = edges(layers, around, centre_cells, (h, w))  # (6, 2)
    y, x = regressed(layers, around, centre_cells, w)  # (6, 17)
    width = min(h, w) * constants.gaussian_width
    near_y = closeness(y, low.columns(0), high.columns(0), h, width)  # (6, 17, h)
    near_x = closeness(x, low.columns(1), high.columns(1), w, width)  # (6, 17, w)
    heatmaps = planar(layers.head("keypoint_heatmaps", features)).unary("LOGISTIC")
    along = heatmaps.reshape(1, KEYPOINTS, h, w) * near_x.reshape(PEOPLE, KEYPOINTS, 1, w)
    cells = best_cells(along, near_y)  # (102,); net/ArgMax
    scores = highest_scores(along, near_y, cells)  # (6, 17)

    seen = scores.greater(constants.keypoint_threshold).cast("float32")
    total = (scores * centre_scores.reshape(PEOPLE, 1) * seen).sum(1)
    instance = (total / seen.sum(1).maximum(1)).reshape(PEOPLE, 1)
    points = refined(layers, windows(flat, cells, w), cells, w) / np.array([h, w])  # (102, 2)
    keypoints = graph.concatenate([points, scores.reshape(PEOPLE * KEYPOINTS, 1)], 1)
    boxes = graph.concatenate([low, high], 1) / np.array([h, w, h, w])  # (6, 4); net/stack_2
    parts = [keypoints.reshape(PEOPLE, KEYPOINTS * 3), boxes.maximum(0).minimum(1), instance]
    return graph.concatenate(parts, 1).reshape(1, PEOPLE, KEYPOINTS * 3 + 5)


def best_cells(along: Value, near_y: Value) -> Value:
    """Where along (6, 17, h, w) times near_y (6, 17, h) is highest: cells (102,)."""
    p, k, h, w = along.shape
    best_of_rows = along.amax(3) * near_y  # (6, 17, h)
    row = best_of_rows.argmax().reshape(p * k)
    line = along.reshape(p * k * h, w).gather(row + np.arange(p * k) * h)  # (102, w)
    # Where all is smaller than a normal number, TensorFlow sees zeros, and the first cell wins.
    alive = best_of_rows.amax(2).reshape(p * k).greater(SMALLEST_NORMAL)
    return (row * w + line.argmax()) * alive.cast("int32")


def highest_scores(along: Value, near_y: Value, cells: Value) -> Value:
    """The highest over the people, at the cell that each person chose: (6, 17); net/GatherNd_4."""
    p, k, h, w = along.shape
    keypoint = np.arange(p * k) % k
    here = along.reshape(p, k * h * w).gather(cells + keypoint * (h * w), axis=1)  # (6, 102)
    here *= near_y.reshape(p, k * h).gather(cells // w + keypoint * h, axis=1)
    scores = here.amax(0)
    return (scores * scores.greater(SMALLEST_NORMAL).cast("float32")).reshape(p, k)


def peaks_of(centres: Value, tolerance: float) -> Value:
    """(1, h, w, 1) -> the same with everything but the maxima of 5x5 windows set to 0."""
    options: dict[str, Any] = {"filterHeight": WINDOW, "filterWidth": WINDOW}
    options |= {"padding": SAME, "strideH": 1, "strideW": 1}
    highest = centres.graph("MAX_POOL_2D", [centres], centres.shape, **options)
    return centres * (highest - centres).less(tolerance).cast("float32")  # net/mul_2


def edges(
    layers: Layers, around: Value, cells: Value, size: tuple[int, int]
) -> tuple[Value, Value]:
    """The boxes of people at cells (P,): (top, left) and (bottom, right) in cells, (P, 2) each."""
    half = layers.output("box_scale", layers.hidden_at("box_scale", around)).maximum(0) * 0.5
    offset = layers.output("box_offset", layers.hidden_at("box_offset", around))
    centre = corners(cells, size[1]) + offset
    limit = np.array(size)
    return (centre - half).maximum(0).minimum(limit), (centre + half).maximum(0).minimum(limit)


def closeness(points: Value, low: Value, high: Value, count: int, width: float) -> Value:
    """One axis of the Gaussian around points (P, 17), and of the box low..high (P, 1).

    -> (P, 17, count): exp(-d^2 / width) of every row or column in the box, 0 of the others.
    """
    line = np.arange(count)
    p, k = points.shape
    inside = (low.less_equal(line) & high.greater(line)).cast("float32").reshape(p, 1, count)
    squared = points.reshape(p, k, 1).squared_difference(line)
    return (squared * (-1 / width)).unary("EXP") * inside


def regressed(layers: Layers, around: Value, cells: Value, w: int) -> tuple[Value, Value]:
    """Centre cells (P,) -> y and x of the regressed keypoints in cells, (P, 17) each."""
    hidden = layers.hidden_at("keypoint_regression", around)
    at = corners(cells, w)
    y = layers.output("keypoint_regression", hidden, ROW) + at.columns(0)
    x = layers.output("keypoint_regression", hidden, COLUMN) + at.columns(1)
    return y, x


def refined(layers: Layers, around: Value, cells: Value, w: int) -> Value:
    """Keypoint cells (P * 17,) -> cell plus that keypoint's own offset, (P * 17, 2) (y, x)."""
    offsets = layers.output("keypoint_offsets", layers.hidden_at("keypoint_offsets", around))
    people = cells.shape[0] // KEYPOINTS
    own = np.eye(KEYPOINTS)[:, :, None]  # (17, 17, 1)
    offsets = (offsets.reshape(people, KEYPOINTS, KEYPOINTS, 2) * own).sum(2)
    return corners(cells, w) + offsets.reshape(people * KEYPOINTS, 2)


def corners(cells: Value, w: int) -> Value:
    """Cells (M,) -> row and column, (M, 2) float32."""
    row = cells // w
    pair = [row.reshape(-1, 1), (cells - row * w).reshape(-1, 1)]
    return cells.graph.concatenate(pair, 1).cast("float32")


def padded(features: Value) -> Value:
    """(1, h, w, C) -> the cells of the map and of a ring of zeros, ((h + 2) * (w + 2), C)."""
    _, h, w, c = features.shape
    return features.pad((0, 0), (1, 1), (1, 1), (0, 0)).reshape((h + 2) * (w + 2), c)


def windows(flat: Value, cells: Value, w: int) -> Value:
    """What lies around cells (M,) of a padded map of w columns: (M, 9, C)."""
    corner = (cells + (cells // w) * 2).reshape(-1, 1)  # number of the window's first cell
    near = np.arange(3)[:, None] * (w + 2) + np.arange(3)
    return flat.gather(corner + near.reshape(1, 9))


def planar(x: Value) -> Value:
    """(1, h, w, D) -> (D, h, w)."""
    _, h, w, d = x.shape
    return x.reshape(h * w, d).transpose(1, 0).reshape(d, h, w)
