"""Regions of pictures as inputs of a network, those of one shape together."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from movenet.crop import CropRegion, Letterbox
from movenet.engines import Engine, Shape

Pixels = NDArray[np.uint8]
REMEMBERED = 256  # sizes of pictures whose region is kept
LARGEST_BATCH = 32  # inputs in one forward; memory, not speed, sets it


class Look(NamedTuple):
    """A region of one of the pictures; of a tile, also x1, y1, x2, y2 of what it is to show."""

    picture: int
    region: CropRegion
    tile: tuple[float, float, float, float] | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Inputs of one shape that go through the network together."""

    rows: tuple[int, ...]  # which of the looks they are
    looks: tuple[Look, ...]
    inputs: Pixels  # (N, H, W, 3)


def sampled(pictures: Sequence[Pixels], looks: Sequence[Look]) -> Iterator[Batch]:
    """Looks at pictures as inputs, those of one shape together."""
    alike: dict[Shape, list[int]] = {}
    for row, look in enumerate(looks):
        alike.setdefault(look.region.shape, []).append(row)
    for shape, rows in alike.items():
        for start in range(0, len(rows), LARGEST_BATCH):
            chosen = rows[start : start + LARGEST_BATCH]
            batch = Batch(
                rows=tuple(chosen),
                looks=tuple(looks[row] for row in chosen),
                inputs=np.empty((len(chosen), *shape, 3), np.uint8),
            )
            for look, seen in zip(batch.looks, batch.inputs, strict=True):
                look.region.extract(pictures[look.picture], out=seen)
            yield batch


@lru_cache(REMEMBERED)
def region_of(
    image_size: tuple[int, int],
    side: int,
    letterbox: Letterbox,
    shapes: frozenset[Shape] | None,
) -> CropRegion:
    """`CropRegion.whole`, remembered: the frames of a video are of one size.

    Where none of the engine's shapes holds the picture at the model's side, it is seen smaller.
    """
    if shapes and letterbox == "trim":
        height, width = image_size
        scale = max(min(h / height, w / width) for h, w in shapes)
        side = max(1, min(side, int(scale * max(height, width) + 1e-6)))
    return CropRegion.whole(image_size, side, letterbox, shapes)


def shapes_of_crops(engine: Engine, letterbox: Letterbox) -> tuple[Shape, ...]:
    """The input shapes (H, W) of an engine's crops: the longest, up to the published side.

    Those of the LiteRT file where the engine takes any, so that all engines see the same.
    """
    shapes = engine.shapes or engine.spec.shapes
    within = [shape for shape in shapes if max(shape) <= engine.spec.side] or list(shapes)
    side = max(max(shape) for shape in within)
    square = letterbox == "square" and (side, side) in within
    return ((side, side),) if square else tuple(shape for shape in within if max(shape) == side)
