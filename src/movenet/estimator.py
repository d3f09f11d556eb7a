"""Pictures to poses: crop, engine, mapping back, and a second look at each person."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar, Union, get_args, overload

import numpy as np
from numpy.typing import NDArray

from movenet import confidence, images, refinement
from movenet.crop import CropRegion, Letterbox, torso_seen
from movenet.engines import Engine, Shape
from movenet.images import Picture
from movenet.poses import KEYPOINT_THRESHOLD, Poses, people
from movenet.sampling import LARGEST_BATCH, Batch, Look, region_of, sampled, shapes_of_crops
from movenet.selection import ENGINES, open_file, select_engine
from movenet.specs import MULTIPLE
from movenet.stopwatch import Stopwatch

if TYPE_CHECKING:
    from movenet.model import MoveNet

Pixels = NDArray[np.uint8]
P = TypeVar("P", bound=Picture)
SMALLEST, LARGEST = 128, 640  # of MultiPose's input, by `size`
CROWDS = "thunder"  # looks again at what MultiPose found


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
TURNS = {"balanced": (False,), "best": (False, True)}  # whether a second look is mirrored


class PoseEstimator:
    """Finds people's keypoints in pictures.

    `model` is "lightning", "thunder" (one person) or "multipose" (up to six), or a MoveNet of
    one's own. `refine` looks at each person again, on a crop around what was found: True with the
    same network (with Thunder where that is MultiPose), a name with that network, False not at
    all. `finder` names the network of the first look instead, `model` then being that of the
    second: "multipose" finds small people and people at the side.
    `quality` "fast" looks once, "balanced" as `refine` says, and "best" looks again at every crop
    and its mirror image, and finds people at two sizes where MultiPose finds them. Where MultiPose
    has no place left for more than six people, it looks at parts of the picture as well.
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
    Google's square. `size` is the long side of MultiPose's input, a multiple of 32 from 128 to
    640, instead of the measured one; the LiteRT file has 256, 320 and 384, others run in PyTorch.
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
        size: int | None = None,
        max_megapixels: float = images.MAX_MEGAPIXELS,
    ) -> None:
        """Load the network. Raises ValueError, WeightsError or EngineError."""
        check_numbers(keypoint_threshold, person_threshold, letterbox)
        check_quality(quality, refine, finder)
        self.engine, self.second = looks(
            model,
            refine if quality != "fast" else False,
            finder,
            engine=engine,
            device=device,
            threads=threads,
        )
        self.turns = TURNS.get(quality, ())
        spec = self.engine.spec
        self.several = spec.people > 1 and finder is None
        finding = finding_of(self.engine, self.second, quality)
        self.sides = finding.sides if size is None else (checked_size(size, spec.people),)
        self._any_shape = size is not None and size not in map(max, self.engine.shapes or ())
        self.keypoint_threshold = keypoint_threshold
        self.person_threshold = (
            finding.person_threshold if person_threshold is None else person_threshold
        )
        self.tilings = refinement.TILINGS  # how often a crowd is looked at in parts
        self.confidence = None  # of a network of one's own nothing was learnt
        if isinstance(model, str):
            second = self.second.spec.name if self.second else ""
            way = confidence.key(spec.name, second, quality, several=self.several)
            self.confidence = confidence.find(way)
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
        self,
        pictures: Sequence[Pixels],
        regions: Sequence[CropRegion] | None = None,
        stopwatch: Stopwatch | None = None,
    ) -> list[Poses]:
        """RGB pictures, (height, width, 3) uint8 of any sizes, -> their Poses, in order.

        `regions` says where the first look goes, one a picture; else it sees them whole.
        `stopwatch` has what was spent on "preprocess", "inference", "decode" (the first look) and
        "refine".
        """
        stopwatch = stopwatch or Stopwatch()
        found = self.find(pictures, regions, stopwatch)
        if self.second is None:
            return [self.trusted(poses) for poses in found]
        with stopwatch("refine"):
            return self.look_again(pictures, found, regions)

    def find(
        self,
        pictures: Sequence[Pixels],
        regions: Sequence[CropRegion] | None = None,
        stopwatch: Stopwatch | None = None,
    ) -> list[Poses]:
        """The first look alone: at every size that it takes, and where it is full, at tiles."""
        stopwatch = stopwatch or Stopwatch()
        found: list[list[tuple[refinement.Part | None, Poses]]] = [[] for _ in pictures]
        with stopwatch("preprocess"):
            batches = self.preprocess(pictures, regions)
        for depth in range(self.tilings + 1):
            crowded: dict[Look, None] = {}  # tiles of what is full, in order, each once
            for batch in batches:
                with stopwatch("inference"):
                    outputs = self.engine(batch.inputs)
                with stopwatch("decode"):
                    for look, output in zip(batch.looks, outputs, strict=True):
                        size = pictures[look.picture].shape[:2]
                        poses = self.postprocess(output, look.region, size)
                        whole = refinement.inside(poses, look.tile) if look.tile else poses
                        found[look.picture].append((look.tile, whole))
                        if self.second and self.several and depth < self.tilings:
                            crowded |= dict.fromkeys(self._tiles(look, output, size))
            if not crowded:
                break
            with stopwatch("preprocess"):
                batches = list(sampled(pictures, list(crowded)))
        return [refinement.merged(looks) for looks in found]

    def _tiles(
        self, look: Look, output: NDArray[np.float32], image_size: tuple[int, int]
    ) -> list[Look]:
        """Where else to look where a first look has no place left for more people."""
        if people(output).scores.min() < refinement.FULL:
            return []
        height, width = image_size
        tiles = refinement.tiles(look.tile or (0.0, 0.0, width, height))
        shapes = [shape for shape in self._shapes if max(shape) == max(self.sides)]
        return [
            Look(look.picture, CropRegion.around(corners, shapes or self._shapes, 1.0), tile)
            for tile in tiles
            for corners in [np.array(tile).reshape(2, 2)]
        ]

    @property
    def _shapes(self) -> tuple[Shape, ...]:
        """Those of the first look's network; of the LiteRT file where it takes any."""
        return tuple(self.engine.shapes or self.engine.spec.shapes)

    def look_again(
        self,
        pictures: Sequence[Pixels],
        found: Sequence[Poses],
        regions: Sequence[CropRegion | None] | None = None,
    ) -> list[Poses]:
        """Everybody who was found in these pictures, each in crops of their own.

        `regions` are those of the first look, None where it saw the whole picture. ValueError
        without a second look.
        """
        if self.second is None:
            raise ValueError("this estimator has no second look: refine=False")
        found = found if self.several else [poses[:1] for poses in found]
        again = [
            np.ones(len(poses), bool) if self.several else torso_seen(poses.keypoint_scores)
            for poses in found
        ]
        if not self.several:
            found = self._fallen_back(pictures, found, regions)
        shapes = shapes_of_crops(self.second, self.letterbox)
        looks = [
            Look(index, region)
            for index, (poses, chosen) in enumerate(zip(found, again, strict=True))
            for region in refinement.crops(poses[chosen], shapes)
            for _ in self.turns
        ]
        keypoints, scores = self._seen(pictures, looks, self.turns * len(looks))
        keypoints = keypoints.reshape(-1, len(self.turns), 17, 2)
        scores = scores.reshape(-1, len(self.turns), 17)
        ends = np.cumsum([chosen.sum() for chosen in again]).tolist()
        parts = [slice(*part) for part in zip([0, *ends], ends, strict=False)]
        return [
            self._combined(poses, chosen, keypoints[part], scores[part])
            for poses, chosen, part in zip(found, again, parts, strict=True)
        ]

    def _fallen_back(
        self,
        pictures: Sequence[Pixels],
        found: Sequence[Poses],
        regions: Sequence[CropRegion | None] | None,
    ) -> list[Poses]:
        """Where one network saw no torso, what the other sees in the same place."""
        assert self.second is not None
        seen = list(found)
        blind = [i for i, poses in enumerate(found) if not torso_seen(poses.keypoint_scores).all()]
        if self.second is self.engine or not blind:
            return seen
        places: Sequence[CropRegion | None] = regions or [None] * len(found)
        looks = [Look(i, self._whole(pictures[i], places[i])) for i in blind]
        people = zip(*self._seen(pictures, looks, [False] * len(looks)), strict=True)
        for index, (keypoints, scores) in zip(blind, people, strict=True):
            seen[index] = replace(
                found[index], keypoints=keypoints[None], keypoint_scores=scores[None]
            )
        return seen

    def whole(self, image_size: tuple[int, int], side: int | None = None) -> CropRegion:
        """A whole picture, (height, width), as the first look sees it."""
        shapes = None if self._any_shape else self.engine.shapes
        return region_of(image_size, side or self.sides[0], self.letterbox, shapes)

    def _whole(self, picture: Pixels, region: CropRegion | None) -> CropRegion:
        """A picture, or a region of it, as the second network sees it."""
        assert self.second is not None
        if region is None:
            side, shapes = self.second.spec.side, self.second.shapes
            return region_of(picture.shape[:2], side, self.letterbox, shapes)
        corners = region.to_image(np.array([[0.0, 0.0], [1.0, 1.0]]))
        return CropRegion.around(corners, shapes_of_crops(self.second, self.letterbox), 1.0)

    def _seen(
        self, pictures: Sequence[Pixels], looks: Sequence[Look], turned: Sequence[bool]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Keypoints (N, 17, 2) in picture pixels and scores (N, 17), by the second network.

        `turned` (N,) are seen mirrored.
        """
        assert self.second is not None
        keypoints = np.empty((len(looks), 17, 2), np.float32)
        scores = np.empty((len(looks), 17), np.float32)
        for batch in sampled(pictures, looks):
            mirror = np.array([turned[row] for row in batch.rows])
            batch.inputs[mirror] = batch.inputs[mirror, :, ::-1]
            outputs = self.second(batch.inputs)
            if mirror.any():
                outputs = np.where(
                    mirror[:, None, None, None], refinement.mirrored(outputs), outputs
                )
            for row, look, output in zip(batch.rows, batch.looks, outputs, strict=True):
                person = people(output)
                keypoints[row] = look.region.to_image(person.keypoints_xy01[0])
                scores[row] = person.keypoint_scores[0]
        return keypoints, scores

    def _combined(
        self,
        first: Poses,
        again: NDArray[np.bool_],
        keypoints: NDArray[np.float32],
        scores: NDArray[np.float32],
    ) -> Poses:
        """A picture's people, those of `again` (P,) with their looks, (R, V, 17, 2) and scores."""
        seen, weights = first[again], [1.0] * len(self.turns)
        if self.several:
            keypoints = np.concatenate([keypoints, seen.keypoints[:, None]], 1)
            scores = np.concatenate([scores, seen.keypoint_scores[:, None]], 1)
            weights.append(refinement.FIRST_LOOK)
        points, said = first.keypoints.copy(), first.keypoint_scores.copy()
        points[again], said[again] = refinement.agreed(
            keypoints, scores, weights, refinement.sizes(seen)
        )
        looked = self.trusted(first, replace(first, keypoints=points, keypoint_scores=said))
        return refinement.combined(looked, self.keypoint_threshold, several=self.several)

    def trusted(self, first: Poses, seen: Poses | None = None) -> Poses:
        """What was seen of the first look's people, or they themselves, with their confidence."""
        seen = first if seen is None else seen
        table, scores = self.confidence, seen.keypoint_scores
        if table is None:
            return seen
        return replace(
            seen,
            confidence=table.people(confidence.features(first, seen.keypoints, scores)),
            keypoint_confidence=table.keypoints(scores),
        )

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
            return list(sampled(pictures, [Look(*row) for row in enumerate(regions)]))
        looks = [
            Look(index, self.whole(picture.shape[:2], side))
            for side in self.sides
            for index, picture in enumerate(pictures)
        ]
        return list(sampled(pictures, looks))

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
        check_file(how["engine"], model, finder)
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


def check_file(engine: str | Path, model: Union[str, "MoveNet"], finder: str) -> None:
    """ValueError where an exported file is the finder's: a file is that of the model."""
    if str(engine) in ENGINES or finder == model:
        return
    if open_file(Path(engine), threads=1).spec.name == finder:
        raise ValueError(
            f"engine {engine}: holds {finder}, which is the finder; a file is that of the model, "
            "and a finder runs on what suits the machine"
        )


def finding_of(engine: Engine, second: Engine | None, quality: str) -> Finding:
    """How the first look goes; a file may not have the sides that were chosen."""
    spec = engine.spec
    alone = Finding((spec.side,), spec.person_threshold)
    if second is None:
        return alone
    finding = FINDINGS.get((spec.name, quality), alone)
    there = {max(shape) for shape in engine.shapes or ()}
    return finding if not there or there >= set(finding.sides) else alone


def check_numbers(
    keypoint_threshold: float, person_threshold: float | None, letterbox: str
) -> None:
    """ValueError for what is not one of the values that there are."""
    for name, value in (
        ("keypoint_threshold", keypoint_threshold),
        ("person_threshold", person_threshold or 0.0),
    ):
        if not 0 <= value <= 1:
            raise ValueError(f"{name} must be from 0 to 1, not {value}")
    if letterbox not in ("trim", "square"):
        raise ValueError(f"letterbox must be 'trim' or 'square', not {letterbox!r}")


def checked_size(size: int, people: int) -> int:
    """A size that MultiPose's input can have; ValueError for others and for other networks."""
    if people == 1:
        raise ValueError("size is that of MultiPose's input; the other networks have their own")
    if size % MULTIPLE or not SMALLEST <= size <= LARGEST:
        raise ValueError(
            f"size must be a multiple of {MULTIPLE} from {SMALLEST} to {LARGEST}, not {size}"
        )
    return size


def check_quality(quality: str, refine: bool | str, finder: str | None) -> None:
    """ValueError for options that contradict each other."""
    if quality not in get_args(Quality):
        raise ValueError(f"quality must be 'fast', 'balanced' or 'best', not {quality!r}")
    if quality == "fast" and finder is not None:
        raise ValueError("quality 'fast' looks once, and a finder needs a second look")
    if quality == "fast" and isinstance(refine, str):
        raise ValueError("quality 'fast' looks once; leave refine out")
    if quality == "best" and refine is False:
        raise ValueError("quality 'best' looks again; do not turn refine off")
