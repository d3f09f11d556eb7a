"""Pictures to poses: crop, engine, mapping back."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, Union, overload

import numpy as np
from numpy.typing import NDArray

from movenet import images
from movenet.crop import CropRegion, Letterbox
from movenet.engines import Engine
from movenet.images import Picture
from movenet.poses import KEYPOINT_THRESHOLD, Poses, people
from movenet.selection import select_engine

if TYPE_CHECKING:
    from movenet.model import MoveNet

Pixels = NDArray[np.uint8]
P = TypeVar("P", bound=Picture)
REMEMBERED = 256  # sizes of pictures whose region is kept
LARGEST_BATCH = 32  # inputs in one forward; memory, not speed, sets it


@dataclass(frozen=True, slots=True)
class Batch:
    """Inputs of one shape that go through the network together."""

    indices: tuple[int, ...]  # which pictures they are
    regions: tuple[CropRegion, ...]
    inputs: Pixels  # (N, H, W, 3)


class PoseEstimator:
    """Finds people's keypoints in pictures.

    `model` is "lightning", "thunder" (one person) or "multipose" (up to six), or a MoveNet of
    one's own. `engine` is "auto" (LiteRT on a CPU, PyTorch on CUDA and MPS), "litert", "torch",
    "onnx", "openvino" or an exported file; `device` and `threads` are as `selection.select_engine`
    has them.
    `keypoint_threshold` decides which keypoints span a person's box. Who is there is decided by
    `person_threshold`, compared with the highest keypoint score (one person) or the instance
    score (several); None takes the measured one of the model. Neither removes a coordinate.
    A network of one's own is moved to the device, in place. Draw with the same threshold:
    `poses.draw(image, keypoint_threshold=...)`.
    `max_megapixels` refuses larger pictures before they are decoded.
    `letterbox` "trim" pads pictures only to the smallest shape that the engine takes, "square" to
    Google's square.
    """

    def __init__(  # noqa: PLR0913 (the pinned interface)
        self,
        model: Union[str, "MoveNet"] = "lightning",
        *,
        engine: str | Path = "auto",
        device: str = "auto",
        threads: int | None = None,
        keypoint_threshold: float = KEYPOINT_THRESHOLD,
        person_threshold: float | None = None,
        letterbox: Letterbox = "trim",
        max_megapixels: float = images.MAX_MEGAPIXELS,
    ) -> None:
        """Load the network. Raises ValueError, WeightsError or EngineError."""
        for name, value in (
            ("keypoint_threshold", keypoint_threshold),
            ("person_threshold", person_threshold or 0.0),
        ):
            if not 0 <= value <= 1:
                raise ValueError(f"{name} must be from 0 to 1, not {value}")
        if letterbox not in ("trim", "square"):
            raise ValueError(f"letterbox must be 'trim' or 'square', not {letterbox!r}")
        self.engine: Engine = select_engine(model, engine=engine, device=device, threads=threads)
        spec = self.engine.spec
        self.keypoint_threshold = keypoint_threshold
        self.person_threshold = (
            spec.person_threshold if person_threshold is None else person_threshold
        )
        self.letterbox: Letterbox = letterbox
        self.max_megapixels = max_megapixels

    @overload
    def __call__(self, picture: Picture) -> Poses: ...

    @overload
    def __call__(self, picture: list[P] | tuple[P, ...]) -> list[Poses]: ...

    def __call__(self, picture: Picture | list[P] | tuple[P, ...]) -> Poses | list[Poses]:
        """One picture -> its Poses; a list or a tuple of them -> a list of Poses.

        A picture is a path, bytes, a file, an array (RGB, grey or with alpha), PIL or torch; see
        `images.read`. A batch, an array or tensor with four axes, counts as a list, though its
        type does not say so. Pictures of one shape go through the network together. Raises
        ImageError for a file and ValueError for an array that is no picture.
        """
        if isinstance(picture, list | tuple) or getattr(picture, "ndim", 3) == 4:
            several: list[Picture] = list(picture)  # type: ignore[arg-type]
            found: list[Poses] = []
            for start in range(0, len(several), LARGEST_BATCH):  # not all in memory at once
                found += self.estimate(
                    [self._read(one) for one in several[start : start + LARGEST_BATCH]]
                )
            return found
        return self.estimate([self._read(picture)])[0]

    def _read(self, picture: Picture) -> Pixels:
        if images.is_plain(picture):
            return picture  # type: ignore[return-value]
        return images.read(picture, max_megapixels=self.max_megapixels)

    def estimate(self, pictures: Sequence[Pixels]) -> list[Poses]:
        """RGB pictures, (height, width, 3) uint8 of any sizes, -> their Poses, in order."""
        found: dict[int, Poses] = {}
        for batch in self.preprocess(pictures):
            outputs = self.engine(batch.inputs)
            for index, region, output in zip(batch.indices, batch.regions, outputs, strict=True):
                found[index] = self.postprocess(output, region, pictures[index].shape[:2])
        return [found[index] for index in range(len(pictures))]

    def preprocess(self, pictures: Sequence[Pixels]) -> list[Batch]:
        """Sample every picture for the network, those of one input shape together."""
        side, shapes = self.engine.spec.side, self.engine.shapes
        regions = [region_of(p.shape[:2], side, self.letterbox, shapes) for p in pictures]
        alike: dict[tuple[int, int], list[int]] = {}
        for index, region in enumerate(regions):
            alike.setdefault(region.shape, []).append(index)
        batches = []
        for shape, indices in alike.items():
            for start in range(0, len(indices), LARGEST_BATCH):
                chosen = indices[start : start + LARGEST_BATCH]
                inputs = np.empty((len(chosen), *shape, 3), np.uint8)
                for row, index in enumerate(chosen):
                    regions[index].extract(pictures[index], out=inputs[row])
                batches.append(Batch(tuple(chosen), tuple(regions[i] for i in chosen), inputs))
        return batches

    def postprocess(
        self, output: NDArray[np.float32], region: CropRegion, image_size: tuple[int, int]
    ) -> Poses:
        """One row of the engine's output -> the people of that picture, in its pixels."""
        found = people(output).over(self.person_threshold)
        return Poses.from_people(found, region.to_image, image_size, self.keypoint_threshold)


@lru_cache(REMEMBERED)
def region_of(
    image_size: tuple[int, int],
    side: int,
    letterbox: Letterbox,
    shapes: frozenset[tuple[int, int]] | None,
) -> CropRegion:
    """`CropRegion.whole`, remembered: the frames of a video are of one size.

    Where none of the engine's shapes holds the picture at the model's side, it is seen smaller.
    """
    if shapes and letterbox == "trim":
        height, width = image_size
        scale = max(min(h / height, w / width) for h, w in shapes)
        side = max(1, min(side, int(scale * max(height, width) + 1e-6)))
    return CropRegion.whole(image_size, side, letterbox, shapes)
