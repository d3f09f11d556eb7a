"""A network that sees peaks where they are planted: it shows whether a file indexes every cell.

The layers are MoveNet's, so an exporter treats them as any other weights; the weights carry 18
pixels of each cell of 4 x 4 to the heads, one for each keypoint and one for the centre. A picture
of 17 bright pixels is then 17 peaks in cells that are known.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from movenet.decode import KEYPOINTS
from movenet.model import HIDDEN, Head, MoveNet
from movenet.specs import STRIDE, ModelSpec

BLOCK = 4  # cells: keypoints 0 to 15 fill a square of 4 x 4, the last one and the centre share one
CENTRE = KEYPOINTS  # the feature that the centre head reads
PEAK, VALLEY = 10.0, -10.0  # logits
OFFSET_STEP = 0.02  # keypoint k is moved by k steps down, and by half of them to the left
TAPS = [(i, j) for i in range(2) for j in range(2)]
READS = [(*inner, colour, *outer) for outer in TAPS for inner in TAPS for colour in range(3)]


def network(spec: ModelSpec) -> MoveNet:
    """MoveNet of that row with the planted weights, in eval mode."""
    model = MoveNet(spec).eval().requires_grad_(False)
    for parameter in model.parameters():
        parameter.zero_()
    stages: Any = model.backbone.stages
    laterals: Any = model.pyramid.laterals
    smoothings: Any = model.pyramid.smoothings
    stem, block, widening = model.backbone.stem, stages[0][0], stages[1][0]
    for channel, (i, j, colour, *_) in enumerate(READS[:12]):
        stem.weight[channel, colour, i, j] = 1
        block.depthwise.weight[channel, 0, 1, 1] = 1
        block.project.weight[channel, channel] = 1
    for channel, (_, _, _, i, j) in enumerate(READS):
        widening.expand.weight[channel, channel % 12] = 1
        widening.depthwise.weight[channel, 0, i, j] = 1
    for feature in range(CENTRE + 1):
        widening.project.weight[feature, feature] = 1
        laterals[0].weight[feature, feature] = 1
        smoothings[0].depthwise.weight[feature, 0, 1, 1] = 1
        smoothings[0].pointwise.weight[feature, feature] = 1
    plant(model.centre, {0: CENTRE})
    plant(model.keypoint_heatmaps, {k: k for k in range(KEYPOINTS)})
    bias_of(model.keypoint_offsets).copy_(torch.from_numpy(offsets().reshape(-1)))
    if model.box_scale is not None:
        bias_of(model.box_scale).fill_(1e3)  # boxes that hold everything
    return model


def plant(head: Head, features: dict[int, int]) -> None:
    """Let each output of a head be a peak where a feature is 1, and a valley elsewhere."""
    assert len(features) <= HIDDEN
    for output, feature in features.items():
        head.depthwise.weight[feature, 0, 1, 1] = 1
        head.hidden.weight[output, feature] = 1
        head.output.weight[output, output] = PEAK - VALLEY
        bias_of(head)[output] = VALLEY


def bias_of(head: Head) -> Tensor:
    """What a head adds to each of its values."""
    assert head.output.bias is not None
    return head.output.bias


def offsets() -> NDArray[np.float32]:
    """Each keypoint's own offset in cells, (17, 2) (y, x)."""
    steps = np.arange(KEYPOINTS, dtype=np.float32) * OFFSET_STEP
    return np.stack([steps, -steps / 2], 1)


def pictures(
    shape: tuple[int, int],
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int64]]]:
    """Pictures (H, W, 3) and the cells of their peaks, (17, 2): together every cell of the map."""
    h, w = shape[0] // STRIDE, shape[1] // STRIDE
    for top in range(0, h, BLOCK):
        for left in range(0, w, BLOCK):
            numbers = np.append(np.arange(BLOCK * BLOCK), BLOCK + 1)
            cells = np.stack([top + numbers // BLOCK, left + numbers % BLOCK], 1)
            picture = np.zeros((*shape, 3), np.uint8)
            for feature, (row, column) in enumerate([*cells, cells[-1]]):
                i, j, colour, down, right = READS[feature]
                picture[STRIDE * row + 2 * down + i, STRIDE * column + 2 * right + j, colour] = 255
            yield picture, cells


def missed(output: NDArray[np.float32], cells: NDArray[np.int64], shape: tuple[int, int]) -> int:
    """How many of 17 planted keypoints are not where they were planted, to a tenth of a cell.

    `output` is one picture's: (1, 17, 3), or (6, 56), whose first person is the planted one.
    """
    found = output.reshape(-1)[: KEYPOINTS * 3].reshape(KEYPOINTS, 3)
    wanted = cells + offsets()
    places = found[:, :2] * (np.array(shape) / STRIDE)
    return int((np.abs(places - wanted).max(1) > 0.1).sum())
