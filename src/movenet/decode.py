"""Heads -> Google's tensor, in torch. It travels inside every export.

What is unusual here:
- The same code decodes dense heads and sparse ones: it asks for a head's values at cells, and a
  reader either looks them up in a dense map or runs the head there.
- Cells are integer indices, never floats: in float16 a flat index over 2048 is wrong.
- The first of equal maxima wins, as in Google's graph. `argmax` promises that; `topk` does not,
  so the six centres are taken one by one.
- All arithmetic is float32, whatever the network's type.

The rules are those of Google's graphs; node names are given with `net/` for
`StatefulPartitionedCall/`.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from movenet.specs import TRUE_CONSTANTS, Constants

KEYPOINTS = 17
PEOPLE = 6  # net/TopKV2/k
SMALLEST_NORMAL = 1.1754943508222875e-38  # TensorFlow flushes what is smaller to zero


class Heads(NamedTuple):
    """The network's dense outputs before decoding; h, w = H / 4, W / 4 cells.

    Pairs are (y, x) in cells; channel 2k is y of keypoint k, channel 2k + 1 its x. The two box
    heads are None for the single-person networks.
    """

    centre_logits: Tensor  # (N, 1, h, w)
    keypoint_regression: Tensor  # (N, 34, h, w), from a person's centre to each keypoint
    keypoint_logits: Tensor  # (N, 17, h, w)
    keypoint_offsets: Tensor  # (N, 34, h, w), from a keypoint's cell to the keypoint
    box_scale: Tensor | None = None  # (N, 2, h, w), height and width
    box_offset: Tensor | None = None  # (N, 2, h, w)


Reader = Callable[[Tensor], Tensor]  # cells (N, M) int64 -> a head's values there (N, M, C)


class Readers(NamedTuple):
    """How to read at single cells the heads that are not needed everywhere."""

    keypoint_regression: Reader
    keypoint_offsets: Reader
    box_scale: Reader | None = None
    box_offset: Reader | None = None


def decode(heads: Heads, constants: Constants = TRUE_CONSTANTS) -> Tensor:
    """Dense heads -> Google's tensor: (N, 1, 17, 3) for one person, (N, 6, 56) for several.

    One person: y, x, score per keypoint. Several: 17 x (y, x, score), then ymin, xmin, ymax,
    xmax, then the instance score; the order is by centre score. Coordinates are 0..1 of the
    input, not clipped; float32.
    """
    readers = Readers(
        lookup(heads.keypoint_regression),
        lookup(heads.keypoint_offsets),
        None if heads.box_scale is None else lookup(heads.box_scale),
        None if heads.box_offset is None else lookup(heads.box_offset),
    )
    return decode_at(heads.centre_logits, heads.keypoint_logits, readers, constants)


def decode_at(
    centre_logits: Tensor, keypoint_logits: Tensor, readers: Readers, constants: Constants
) -> Tensor:
    """As `decode`, with the other heads read only where they are needed.

    centre_logits (N, 1, h, w), keypoint_logits (N, 17, h, w) -> (N, 1, 17, 3) or (N, 6, 56).
    """
    centres = centre_logits.float().sigmoid()[:, 0]  # (N, h, w)
    heatmaps = keypoint_logits.float().sigmoid()  # (N, 17, h, w)
    if (readers.box_scale is None) != (readers.box_offset is None):
        raise ValueError("heads of several people need box_scale and box_offset, both")
    if readers.box_scale is None or readers.box_offset is None:
        return _one_person(centres, heatmaps, readers, constants)
    return _several_people(
        centres, heatmaps, readers, readers.box_scale, readers.box_offset, constants
    )


def lookup(head: Tensor) -> Reader:
    """A reader of a dense head (N, C, h, w)."""
    flat = head.flatten(2)  # (N, C, h * w)

    def read(cells: Tensor) -> Tensor:
        index = cells[:, None].expand(-1, flat.shape[1], -1)  # (N, C, M)
        return flat.gather(2, index).transpose(1, 2)  # (N, M, C)

    return read


def _one_person(
    centres: Tensor, heatmaps: Tensor, readers: Readers, constants: Constants
) -> Tensor:
    """centres (N, h, w), heatmaps (N, 17, h, w) -> (N, 1, 17, 3)."""
    h, w = centres.shape[-2:]
    rows, columns = _grid(centres)
    weights = _round(
        1 / (_distance(rows - h / 2, columns - w / 2) + TRUE_CONSTANTS.distance_bias), constants
    )  # (h, w); net/truediv_2_recip
    cell = (centres * weights).flatten(1).argmax(1, keepdim=True)  # (N, 1); net/ArgMax
    y, x = _regressed(cell, w, readers)  # (N, 1, 17)
    distance = _distance(rows - y[:, 0, :, None, None], columns - x[:, 0, :, None, None])
    weighted = heatmaps / (distance + constants.distance_bias)  # (N, 17, h, w); net/truediv_3
    cells = weighted.flatten(2).argmax(2)  # (N, 17); net/ArgMax_1
    scores = heatmaps.flatten(2).gather(2, cells[:, :, None])  # (N, 17, 1), unweighted
    points = _refined(cells[:, None], w, readers)[:, 0]  # (N, 17, 2), in cells
    scale = _round(1 / _size(rows, columns), constants)  # net/Reshape_13
    return torch.cat([points * scale, scores], 2)[:, None]  # (N, 1, 17, 3)


def _several_people(
    centres: Tensor,
    heatmaps: Tensor,
    readers: Readers,
    box_scale: Reader,
    box_offset: Reader,
    constants: Constants,
) -> Tensor:
    """centres (N, h, w), heatmaps (N, 17, h, w) -> (N, 6, 56)."""
    h, w = centres.shape[-2:]
    rows, columns = _grid(centres)
    centre_scores, cells = _six_highest(_peaks(centres, constants.peak_tolerance))  # (N, 6)
    boxes = _boxes(cells, h, w, box_scale(cells).float(), box_offset(cells).float())  # (N, 6, 4)
    top, left, bottom, right = (edge[:, :, None, None] for edge in boxes.unbind(2))  # (N, 6, 1, 1)
    # Not &: the CoreML converter does not know it.
    in_rows = torch.logical_and(rows >= top, rows < bottom)  # (N, 6, h, 1)
    in_columns = torch.logical_and(columns >= left, columns < right)  # (N, 6, 1, w)
    inside = torch.logical_and(in_rows, in_columns)  # (N, 6, h, w)

    y, x = _regressed(cells, w, readers)  # (N, 6, 17)
    squared = (rows - y[..., None, None]).square() + (columns - x[..., None, None]).square()
    gaussian = (-squared / (_size(rows, columns).amin(0) * constants.gaussian_width)).exp()
    weighted = heatmaps[:, None] * gaussian * inside[:, :, None]  # (N, 6, 17, h, w); net/mul_9
    weighted = weighted.masked_fill(weighted < SMALLEST_NORMAL, 0.0)
    cells = weighted.flatten(3).argmax(3)  # (N, 6, 17); net/ArgMax

    best = weighted.amax(1).flatten(2)  # (N, 17, h * w), the largest over the people; net/Max
    scores = best.gather(2, cells.transpose(1, 2)).transpose(1, 2)  # (N, 6, 17); net/GatherNd_4
    seen = scores > constants.keypoint_threshold
    total = (centre_scores[..., None] * scores).masked_fill(~seen, 0.0).sum(2)
    instance_scores = total / seen.sum(2).clamp(min=1)  # (N, 6)

    size = _size(rows, columns)
    points = _refined(cells, w, readers) / size  # (N, 6, 17, 2)
    keypoints = torch.cat([points, scores[..., None]], 3).flatten(2)  # (N, 6, 51)
    boxes = (boxes / size.repeat(2)).clamp(0, 1)
    return torch.cat([keypoints, boxes, instance_scores[..., None]], 2)


def _peaks(centres: Tensor, tolerance: float) -> Tensor:
    """(N, h, w) -> the same with everything but the maxima of 5x5 windows set to 0 (net/mul_2)."""
    highest = torch.nn.functional.max_pool2d(centres[:, None], 5, 1, 2)[:, 0]
    return centres.masked_fill(~((centres - highest).abs() < tolerance), 0.0)


def _six_highest(peaks: Tensor) -> tuple[Tensor, Tensor]:
    """(N, h, w) -> values and cells (N, 6), falling, equal ones by lower cell (net/TopKV2)."""
    flat = peaks.flatten(1)
    order = torch.arange(flat.shape[1], device=flat.device)
    left, cells = flat, []
    for _ in range(PEOPLE):
        cell = left.argmax(1, keepdim=True)  # (N, 1)
        cells.append(cell)
        left = left.masked_fill(order == cell, -1.0)
    chosen = torch.cat(cells, 1)
    return flat.gather(1, chosen), chosen


def _boxes(cells: Tensor, h: int, w: int, scale: Tensor, offset: Tensor) -> Tensor:
    """cells (N, 6), scale and offset (N, 6, 2) -> top, left, bottom, right in cells (N, 6, 4)."""
    half = scale.clamp(min=0) * 0.5
    centre = torch.stack(_row_and_column(cells, w), 2) + offset  # (N, 6, 2)
    low, high = centre - half, centre + half
    edges = [low[..., 0].clamp(0, h), low[..., 1].clamp(0, w)]
    edges += [high[..., 0].clamp(0, h), high[..., 1].clamp(0, w)]
    return torch.stack(edges, 2)  # net/stack_2


def _regressed(cells: Tensor, w: int, readers: Readers) -> tuple[Tensor, Tensor]:
    """Centre cells (N, P) -> y and x of the regressed keypoints in cells, (N, P, 17) each."""
    values = readers.keypoint_regression(cells).float().unflatten(2, (KEYPOINTS, 2))
    row, column = _row_and_column(cells, w)
    return row[..., None] + values[..., 0], column[..., None] + values[..., 1]


def _refined(cells: Tensor, w: int, readers: Readers) -> Tensor:
    """Keypoint cells (N, P, 17) -> cell plus that keypoint's own offset, (N, P, 17, 2) (y, x)."""
    offsets: Tensor = readers.keypoint_offsets(cells.flatten(1)).float()  # (N, P * 17, 34)
    offsets = offsets.unflatten(2, (KEYPOINTS, 2)).unflatten(1, (-1, KEYPOINTS))
    own = torch.eye(KEYPOINTS, device=cells.device)[..., None]  # (17, 17, 1)
    return torch.stack(_row_and_column(cells, w), 3) + (offsets * own).sum(3)


def _row_and_column(cells: Tensor, w: int) -> tuple[Tensor, Tensor]:
    """Flat cells of a map of w columns -> their rows and columns."""
    row = cells // w
    return row, cells - row * w  # not %: the ONNX exporter cannot take it by a free width


def _grid(centres: Tensor) -> tuple[Tensor, Tensor]:
    """Row numbers (h, 1) and column numbers (1, w) of a map (N, h, w), float32."""
    h, w = centres.shape[-2:]
    device = centres.device
    return torch.arange(h, device=device).float()[:, None], torch.arange(w, device=device).float()[
        None
    ]


def _size(rows: Tensor, columns: Tensor) -> Tensor:
    """The grid's height and width in cells, (2,) float32, made on its device."""
    return torch.stack([rows[-1, 0] + 1, columns[0, -1] + 1])


def _distance(dy: Tensor, dx: Tensor) -> Tensor:
    return (dy.square() + dx.square()).sqrt()


def _round(table: Tensor, constants: Constants) -> Tensor:
    return table.half().float() if constants.float16_tables else table
