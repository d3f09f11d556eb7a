"""Pictures to poses: crop, engine, mapping back, and a second look at each person."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar, Union, get_args, overload

import numpy as np
from numpy.typing import NDArray

from movenet import images
from movenet.crop import CropRegion, Letterbox
from movenet.engines import Engine
from movenet.engines.mirrored import MirroredEngine
from movenet.images import Picture
from movenet.poses import KEYPOINT_THRESHOLD, Poses, people
from movenet.refinement import combined, crops, merged
from movenet.selection import ENGINES, select_engine

if TYPE_CHECKING:
    from movenet.model import MoveNet

Pixels = NDArray[np.uint8]
P = TypeVar("P", bound=Picture)
REMEMBERED = 256  # sizes of pictures whose region is kept
CROWDS = "thunder"  # looks again at what MultiPose found
LARGEST_BATCH = 32  # inputs in one forward; memory, not speed, sets it


class Finding(NamedTuple):
    """How a first look differs from an only one: the input's long sides, and who is there.

    What is found at several sides is merged.
    """

    sides: tuple[int, ...]
    person_threshold: float


Quality = Literal["fast", "balanced", "best"]
# docs/decisions/007-refinement.md
FINDINGS = {
    ("multipose", "balanced"): Finding((320,), 0.12),
    ("multipose", "best"): Finding((256, 384), 0.13),
}


@dataclass(frozen=True, slots=True)
class Batch:
    """Inputs of one shape that go through the network together."""

    indices: tuple[int, ...]  # which pictures they are
    regions: tuple[CropRegion, ...]
    inputs: Pixels  # (N, H, W, 3)


class PoseEstimator:
    """Finds people's keypoints in pictures.

    `model` is "lightning", "thunder" (one person) or "multipose" (up to six), or a MoveNet of
    one's own. `refine` looks at each person again, on a crop around what was found: True with the
    same network (with Thunder where that is MultiPose), a name with that network, False not at
    all. `finder` names the network of the first look instead, `model` then being that of the
    second: "multipose" finds small people and people at the side.
    `quality` "fast" looks once, "balanced" as `refine` says, and "best" looks again at every crop
    and its mirror image, and finds people at two sizes where MultiPose finds them.
    `engine` is "auto" (LiteRT on a CPU, PyTorch on CUDA and MPS), "litert", "torch",
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
        refine: bool | str = True,
        finder: str | None = None,
        quality: Quality = "balanced",
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
        if quality not in get_args(Quality):
            raise ValueError(f"quality must be 'fast', 'balanced' or 'best', not {quality!r}")
        if quality == "fast" and finder is not None:
            raise ValueError("quality 'fast' looks once, and a finder needs a second look")
        if quality == "best" and refine is False:
            raise ValueError("quality 'best' looks again; do not turn refine off")
        self.engine, self.second = looks(
            model,
            refine if quality != "fast" else False,
            finder,
            engine=engine,
            device=device,
            threads=threads,
        )
        if self.second and quality == "best":
            self.again: Engine | None = MirroredEngine(self.second)
        else:
            self.again = self.second
        spec = self.engine.spec
        self.several = spec.people > 1 and finder is None
        alone = Finding((spec.side,), spec.person_threshold)
        finding = FINDINGS.get((spec.name, quality), alone) if self.second else alone
        shapes = self.engine.shapes  # of a file; it may not have the sides of a finder
        fitting = [side for side in finding.sides if not shapes or side in map(max, shapes)]
        self.sides = tuple(fitting) or alone.sides
        self.keypoint_threshold = keypoint_threshold
        self.person_threshold = (
            finding.person_threshold if person_threshold is None else person_threshold
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

    def estimate(
        self, pictures: Sequence[Pixels], regions: Sequence[CropRegion] | None = None
    ) -> list[Poses]:
        """RGB pictures, (height, width, 3) uint8 of any sizes, -> their Poses, in order.

        `regions` says where the first look goes, one a picture; else it sees them whole.
        """
        found = self.find(pictures, regions)
        return found if self.second is None else self.look_again(pictures, found)

    def find(
        self, pictures: Sequence[Pixels], regions: Sequence[CropRegion] | None = None
    ) -> list[Poses]:
        """The first look alone: at every size that it takes, merged."""
        found: list[list[Poses]] = [[] for _ in pictures]
        for batch in self.preprocess(pictures, regions):
            outputs = self.engine(batch.inputs)
            for index, region, output in zip(batch.indices, batch.regions, outputs, strict=True):
                found[index].append(self.postprocess(output, region, pictures[index].shape[:2]))
        return [merged(looks) for looks in found]

    def look_again(self, pictures: Sequence[Pixels], found: Sequence[Poses]) -> list[Poses]:
        """Everybody who was found in these pictures, each in a crop of their own."""
        if self.again is None:
            raise ValueError("this estimator has no second look: refine=False")
        found = found if self.several else [poses[:1] for poses in found]
        rows = [
            (index, person, region)
            for index, poses in enumerate(found)
            for person, region in enumerate(self._crops(pictures[index].shape[:2], poses))
            if region is not None
        ]
        # Who is not looked at again keeps what was found.
        looked = [(poses.keypoints.copy(), poses.keypoint_scores.copy()) for poses in found]
        given = [pictures[index] for index, _, _ in rows]
        for batch in sampled(given, [region for _, _, region in rows]):
            outputs = self.again(batch.inputs)
            for row, region, output in zip(batch.indices, batch.regions, outputs, strict=True):
                index, person, _ = rows[row]
                seen = people(output)
                looked[index][0][person] = region.to_image(seen.keypoints_xy01[0])
                looked[index][1][person] = seen.keypoint_scores[0]
        threshold, several = self.keypoint_threshold, self.several
        return [
            combined(poses, *arrays, threshold, several=several)
            for poses, arrays in zip(found, looked, strict=True)
        ]

    def _crops(self, image_size: tuple[int, int], poses: Poses) -> list[CropRegion | None]:
        """Where the second look sees each person; None: where the first has looked already."""
        assert self.second is not None
        regions = crops(poses, shapes_of_crops(self.second, self.letterbox), several=self.several)
        if self.second is self.engine or None not in regions:
            return regions
        side, shapes = self.second.spec.side, self.second.shapes
        whole = region_of(image_size, side, self.letterbox, shapes)
        return [region or whole for region in regions]

    @property
    def crop_shapes(self) -> tuple[tuple[int, int], ...]:
        """The input shapes (H, W) of a crop for the first look."""
        return shapes_of_crops(self.engine, self.letterbox)

    def preprocess(
        self, pictures: Sequence[Pixels], regions: Sequence[CropRegion] | None = None
    ) -> list[Batch]:
        """Sample every picture for the network, those of one input shape together.

        A picture that is looked at in several sizes comes in as many batches.
        """
        if regions is not None:
            return list(sampled(pictures, regions))
        shapes = self.engine.shapes
        rows = [
            [region_of(p.shape[:2], side, self.letterbox, shapes) for p in pictures]
            for side in self.sides
        ]
        return [batch for regions in rows for batch in sampled(pictures, regions)]

    def postprocess(
        self, output: NDArray[np.float32], region: CropRegion, image_size: tuple[int, int]
    ) -> Poses:
        """One row of the engine's output -> the people of that picture, in its pixels."""
        found = people(output).over(self.person_threshold)
        return Poses.from_people(found, region.to_image, image_size, self.keypoint_threshold)


def looks(
    model: Union[str, "MoveNet"], refine: bool | str, finder: str | None, **how: Any
) -> tuple[Engine, Engine | None]:
    """The engines of the first look and of the second, None without one.

    A file of `engine` is `model`'s; the other network then runs on what suits the machine.
    """
    other = how | {"engine": how["engine"] if str(how["engine"]) in ENGINES else "auto"}
    if finder is not None:
        if refine is False:
            raise ValueError("a finder needs a second look; do not turn refine off")
        if refine is not True:
            raise ValueError(
                "finder and refine both name a network; leave refine out: the second look is "
                "model's"
            )
        first, second = select_engine(finder, **other), select_engine(model, **how)
    else:
        first = select_engine(model, **how)
        if refine is False:
            return first, None
        if refine is True and first.spec.people == 1:
            return first, first
        second = select_engine(CROWDS if refine is True else str(refine), **other)
    if second.spec.people > 1:
        raise ValueError(f"a second look sees one person, and {second.spec.name} sees several")
    return first, second


def shapes_of_crops(engine: Engine, letterbox: Letterbox) -> tuple[tuple[int, int], ...]:
    """The input shapes (H, W) of an engine's crops: the longest, up to the published side.

    Those of the LiteRT file where the engine takes any, so that all engines see the same.
    """
    shapes = engine.shapes or engine.spec.shapes
    within = [shape for shape in shapes if max(shape) <= engine.spec.side] or list(shapes)
    side = max(max(shape) for shape in within)
    square = letterbox == "square" and (side, side) in within
    return ((side, side),) if square else tuple(shape for shape in within if max(shape) == side)


def sampled(pictures: Sequence[Pixels], regions: Sequence[CropRegion]) -> Iterator[Batch]:
    """Regions of pictures as inputs, those of one shape together."""
    alike: dict[tuple[int, int], list[int]] = {}
    for index, region in enumerate(regions):
        alike.setdefault(region.shape, []).append(index)
    for shape, indices in alike.items():
        for start in range(0, len(indices), LARGEST_BATCH):
            chosen = indices[start : start + LARGEST_BATCH]
            inputs = np.empty((len(chosen), *shape, 3), np.uint8)
            for row, index in enumerate(chosen):
                regions[index].extract(pictures[index], out=inputs[row])
            yield Batch(tuple(chosen), tuple(regions[i] for i in chosen), inputs)


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
