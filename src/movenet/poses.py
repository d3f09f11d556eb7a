"""The people in one picture, and how Google's tensor becomes them."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from movenet.keypoints import NAMES

if TYPE_CHECKING:
    import pandas
    import supervision

Floats = NDArray[np.float32]
SPANNING = 0.1  # keypoints over it span a person (docs/decisions/007-refinement.md)
KEYPOINT_THRESHOLD = 0.3  # suggested by Google's model card for single-pose MoveNet
COCO_PERSON = 1  # category id
VISIBLE, HIDDEN = 2, 1  # COCO's v
LEARNT = ("confidence", "keypoint_confidence")  # fields that not everybody has


class People(NamedTuple):
    """Google's tensor for one picture, (x, y) first. Coordinates are 0..1 of the input."""

    keypoints_xy01: Floats  # (P, 17, 2)
    keypoint_scores: Floats  # (P, 17)
    boxes_xyxy01: Floats | None  # (P, 4), MultiPose only
    scores: Floats  # (P,): instance score; for one person the mean keypoint score
    presence: Floats  # (P,): what says whether somebody is there; see `people`

    def over(self, threshold: float) -> "People":
        """Those whose presence is at least the threshold."""
        there = self.presence >= threshold
        if np.logical_and.reduce(there):
            return self
        boxes = None if self.boxes_xyxy01 is None else self.boxes_xyxy01[there]
        points, scores = self.keypoints_xy01[there], self.keypoint_scores[there]
        return People(points, scores, boxes, self.scores[there], self.presence[there])


def people(output: Floats) -> People:
    """One row of an engine's output, (1, 17, 3) or (6, 56), -> People.

    The one place where (y, x) becomes (x, y). Presence is MultiPose's instance score; for one
    person it is the highest keypoint score, which separates people from empty pictures better
    than the mean does (docs/decisions/004-who-is-there.md).
    """
    if output.shape == (1, 17, 3):
        scores = output[:, :, 2]
        # Ufuncs' own reductions: after a network has run, NumPy's methods around them cost more.
        mean, highest = np.add.reduce(scores, 1) / np.float32(17), np.maximum.reduce(scores, 1)
        return People(output[:, :, 1::-1], scores, None, mean, highest)
    if output.shape[1:] != (56,):
        raise ValueError(f"output must be (1, 17, 3) or (6, 56), not {output.shape}")
    keypoints = output[:, :51].reshape(-1, 17, 3)
    boxes = output[:, [52, 51, 54, 53]]  # ymin, xmin, ymax, xmax -> x1, y1, x2, y2
    return People(keypoints[:, :, 1::-1], keypoints[:, :, 2], boxes, output[:, 55], output[:, 55])


@dataclass(frozen=True, slots=True, eq=False)
class Poses:
    """The people in one picture, in picture pixels; P people, highest score first.

    keypoints (P, 17, 2) float32 x, y; they may lie outside the picture.
    keypoint_scores (P, 17) float32, MoveNet's own, 0..1.
    boxes (P, 4) float32 x1, y1, x2, y2: MultiPose's box; for one person the extent of the
    keypoints over the threshold.
    scores (P,) float32: MultiPose's instance score, after a second look times the mean keypoint
    score; for one person the mean keypoint score.
    ids (P,) int64 or None: track ids.
    confidence (P,) float32 or None: the OKS to expect with what an annotator would draw, 0..1;
    keypoint_confidence (P, 17): how likely a keypoint lies near. Learnt, see `confidence.py`.
    image_size (height, width) of the picture; frame_index and timestamp_s of the frame.

    Nobody is a normal answer: P is 0 then. `from_arrays` checks and converts what it is given.
    """

    keypoints: Floats
    keypoint_scores: Floats
    boxes: Floats
    scores: Floats
    image_size: tuple[int, int]
    ids: NDArray[np.int64] | None = None
    frame_index: int | None = None
    timestamp_s: float | None = None
    confidence: Floats | None = None
    keypoint_confidence: Floats | None = None

    @classmethod
    def from_arrays(  # noqa: PLR0913 (the fields of a Poses)
        cls,
        keypoints: ArrayLike,
        keypoint_scores: ArrayLike,
        *,
        image_size: tuple[int, int],
        boxes: ArrayLike | None = None,
        scores: ArrayLike | None = None,
        ids: ArrayLike | None = None,
        frame_index: int | None = None,
        timestamp_s: float | None = None,
        confidence: ArrayLike | None = None,
        keypoint_confidence: ArrayLike | None = None,
        keypoint_threshold: float = KEYPOINT_THRESHOLD,
    ) -> "Poses":
        """Poses of keypoints (P, 17, 2) x, y in pixels and their scores (P, 17).

        Without boxes, a person's is the extent of the keypoints over the threshold (of all that are
        known where none is); without scores, a person's is the mean keypoint score. A keypoint that
        is not finite, or whose score is not, is not known, and counts as one of score 0. People are
        put in falling order of score. A wrong shape, or a picture without a size, is a ValueError.
        """
        xy = _checked("keypoints", keypoints, (None, 17, 2))
        count = len(xy)
        point_scores = _checked("keypoint_scores", keypoint_scores, (count, 17))
        there = np.isfinite(xy).all(-1) & np.isfinite(point_scores)
        known = np.where(there, point_scores, np.float32(0))
        over = (known > keypoint_threshold).any(1, keepdims=True)
        person_scores = known.mean(1) if scores is None else _checked("scores", scores, (count,))
        person_boxes = (
            extent(xy, np.where(there & ~over, np.inf, known), keypoint_threshold)
            if boxes is None
            else _checked("boxes", boxes, (count, 4))
        )
        height, width = image_size
        if not all(1 <= side < math.inf for side in (height, width)):
            raise ValueError(
                f"image_size must be (height, width), both 1 or more, not {(height, width)}"
            )
        return cls(
            keypoints=xy,
            keypoint_scores=point_scores,
            boxes=person_boxes,
            scores=person_scores,
            image_size=(int(height), int(width)),
            ids=None if ids is None else _checked("ids", ids, (count,), np.int64),
            frame_index=frame_index,
            timestamp_s=timestamp_s,
            confidence=_optional("confidence", confidence, (count,)),
            keypoint_confidence=_optional("keypoint_confidence", keypoint_confidence, (count, 17)),
        )._ordered()

    @classmethod
    def from_people(
        cls,
        people: People,
        to_image: Callable[[Floats], NDArray[np.float64]],
        image_size: tuple[int, int],
        keypoint_threshold: float,
    ) -> "Poses":
        """What `people` found, its points brought to the picture's pixels by `to_image`.

        As `from_arrays`, without checks: this runs on every frame.
        """
        xy = to_image(people.keypoints_xy01).astype(np.float32)
        if people.boxes_xyxy01 is None:
            boxes = extent(xy, people.keypoint_scores, keypoint_threshold)
        else:
            corners = to_image(people.boxes_xyxy01.reshape(-1, 2))
            boxes = corners.reshape(-1, 4).astype(np.float32)
        return cls(xy, people.keypoint_scores, boxes, people.scores, image_size)._ordered()

    def _ordered(self) -> "Poses":
        """By falling score; equal ones stay in their order."""
        if len(self.scores) < 2 or (self.scores[:-1] >= self.scores[1:]).all():
            return self
        return self._pick(np.argsort(-self.scores, kind="stable"))

    def __len__(self) -> int:
        """The number of people."""
        return len(self.keypoints)

    def __getitem__(self, index: int | slice | NDArray[Any]) -> "Poses":
        """One person (an int), or some of them (a slice, a mask, indices), as Poses."""
        if isinstance(index, int | np.integer):
            if not -len(self) <= index < len(self):
                raise IndexError(f"person {index} of {len(self)}")
            index = np.array([index])
        return self._pick(index)

    def __iter__(self) -> Iterator["Poses"]:
        """The people, one Poses each."""
        return (self[index] for index in range(len(self)))

    def __repr__(self) -> str:
        """One line: how many people, their scores, the picture's size."""
        scores = ", ".join(f"{score:.2f}" for score in self.scores)
        height, width = self.image_size
        noun = "person" if len(self) == 1 else "people"
        return f"Poses({len(self)} {noun} [{scores}] in {width}x{height})"

    def _pick(self, rows: slice | NDArray[Any]) -> "Poses":
        return replace(
            self,
            keypoints=self.keypoints[rows],
            keypoint_scores=self.keypoint_scores[rows],
            boxes=self.boxes[rows],
            scores=self.scores[rows],
            ids=None if self.ids is None else self.ids[rows],
            confidence=None if self.confidence is None else self.confidence[rows],
            keypoint_confidence=(
                None if self.keypoint_confidence is None else self.keypoint_confidence[rows]
            ),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, lists and strings, ready for JSON; `from_dict` reads it back exactly.

        But for what nobody can carry: ids and confidence of no people come back as None.
        """
        height, width = self.image_size
        points = np.concatenate([self.keypoints, self.keypoint_scores[..., None]], 2).tolist()
        ids = [None] * len(self) if self.ids is None else self.ids.tolist()
        columns = {"id": ids, "score": self.scores.tolist(), "box": self.boxes.tolist()}
        columns["keypoints"] = points
        for name in LEARNT:
            if (values := getattr(self, name)) is not None:
                columns[name] = values.tolist()
        rows = zip(*columns.values(), strict=True)
        return {
            "frame_index": self.frame_index,
            "timestamp_s": self.timestamp_s,
            "image_size": [height, width],
            "people": [dict(zip(columns, row, strict=True)) for row in rows],
        }

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> "Poses":
        """What `to_dict` gave -> Poses. Further keys are passed over; a missing one is an error.

        Raises ValueError naming what is missing or of the wrong shape.
        """
        try:
            rows = record["people"]
            height, width = record["image_size"]
            points = np.array([row["keypoints"] for row in rows], np.float32).reshape(-1, 17, 3)
            ids = [row["id"] for row in rows]
            boxes = np.array([row["box"] for row in rows], np.float32).reshape(-1, 4)
            scores = np.array([row["score"] for row in rows], np.float32)
            learnt: dict[str, Any] = {
                name: np.array([row[name] for row in rows], np.float32)
                for name in LEARNT
                if rows and all(row.get(name) is not None for row in rows)
            }
        except KeyError as error:
            raise ValueError(f"not a record of poses: {error.args[0]!r} is missing") from error
        except (TypeError, ValueError) as error:
            raise ValueError(f"not a record of poses: {error}") from error
        return cls.from_arrays(
            points[:, :, :2],
            points[:, :, 2],
            image_size=(height, width),
            boxes=boxes,
            scores=scores,
            ids=None if None in ids or not ids else ids,
            frame_index=record.get("frame_index"),
            timestamp_s=record.get("timestamp_s"),
            **learnt,
        )

    def to_coco(
        self, image_id: int, *, keypoint_threshold: float = KEYPOINT_THRESHOLD
    ) -> list[dict[str, Any]]:
        """COCO keypoint results, one record a person, as pycocotools' `loadRes` takes them.

        `keypoints` is 17 x (x, y, v): v is 2 over the threshold, else 1 (hidden); COCO's
        evaluation does not read it.
        """
        seen = np.where(self.keypoint_scores > keypoint_threshold, VISIBLE, HIDDEN)
        flat = np.concatenate([self.keypoints, seen[..., None]], 2).reshape(-1, 51)
        return [
            {
                "image_id": int(image_id),
                "category_id": COCO_PERSON,
                "keypoints": row.tolist(),
                "score": float(score),
            }
            for row, score in zip(flat, self.scores, strict=True)
        ]

    def to_supervision(
        self, *, keypoint_threshold: float = KEYPOINT_THRESHOLD
    ) -> "supervision.KeyPoints":
        """supervision's KeyPoints: pixels, scores, visible over the threshold, `tracker_id` data.

        Needs the extra: pip install "movenet-pytorch[supervision]".
        """
        try:
            import supervision
        except ImportError as error:
            raise ImportError('pip install "movenet-pytorch[supervision]"') from error
        data: dict[str, NDArray[Any] | list[Any]] = (
            {} if self.ids is None else {"tracker_id": self.ids}
        )
        return supervision.KeyPoints(
            xy=self.keypoints,
            class_id=np.zeros(len(self), int),
            keypoint_confidence=self.keypoint_scores,
            detection_confidence=self.scores,
            visible=self.keypoint_scores > keypoint_threshold,
            data=data,
        )

    def to_dataframe(self) -> "pandas.DataFrame":
        """A pandas table, one row a person and keypoint.

        Columns: frame_index, timestamp_s, person (0, 1, ... in this picture), id, keypoint,
        x_px, y_px, score, person_score, and confidence and keypoint_confidence where they are
        known. Needs the extra: pip install "movenet-pytorch[pandas]".
        """
        try:
            import pandas
        except ImportError as error:
            raise ImportError('pip install "movenet-pytorch[pandas]"') from error
        count = len(self)
        ids = [None] * count if self.ids is None else self.ids
        table: pandas.DataFrame = pandas.DataFrame(
            {
                "frame_index": pandas.array([self.frame_index] * (count * 17), "Int64"),
                "timestamp_s": pandas.array([self.timestamp_s] * (count * 17), "Float64"),
                "person": np.repeat(np.arange(count), 17),
                "id": pandas.array(ids, "Int64").repeat(17),
                "keypoint": list(NAMES) * count,
                "x_px": self.keypoints[:, :, 0].ravel(),
                "y_px": self.keypoints[:, :, 1].ravel(),
                "score": self.keypoint_scores.ravel(),
                "person_score": np.repeat(self.scores, 17),
            }
        )
        if self.confidence is not None:
            table["confidence"] = np.repeat(self.confidence, 17)
        if self.keypoint_confidence is not None:
            table["keypoint_confidence"] = self.keypoint_confidence.ravel()
        return table

    def draw(
        self, image: NDArray[np.uint8], *, keypoint_threshold: float = KEYPOINT_THRESHOLD
    ) -> NDArray[np.uint8]:
        """The people drawn on a copy of an RGB picture (H, W, 3) uint8.

        A keypoint is drawn over the threshold, an edge where both its ends are. `images.read`
        gives such a picture. ValueError for one of another size than `image_size`.
        """
        if np.shape(image)[:2] != self.image_size:
            raise ValueError(
                f"image: expected the RGB array of size {self.image_size} (height, width) that the "
                f"poses are of, as images.read gives it, not {type(image).__name__} of shape "
                f"{np.shape(image)}"
            )
        from movenet.draw import draw

        return draw(
            image,
            self.keypoints,
            self.keypoint_scores,
            keypoint_threshold=keypoint_threshold,
            ids=self.ids,
        )


def _checked(
    name: str, values: ArrayLike, shape: tuple[int | None, ...], dtype: Any = np.float32
) -> NDArray[Any]:
    """Values as an array of that type and shape (None: any), else ValueError."""
    array = np.asarray(values, dtype)
    if array.size == 0 and array.ndim == 1 and shape[0] in (None, 0):
        array = array.reshape(0, *(side or 0 for side in shape[1:]))
    if array.ndim != len(shape) or any(
        want not in (None, got) for want, got in zip(shape, array.shape, strict=True)
    ):
        wanted = ", ".join("P" if side is None else str(side) for side in shape)
        raise ValueError(f"{name} must be ({wanted}), not {array.shape}")
    return array


def _optional(name: str, values: ArrayLike | None, shape: tuple[int, ...]) -> Floats | None:
    return None if values is None else _checked(name, values, shape)


def extent(keypoints: Floats, scores: Floats, threshold: float) -> Floats:
    """(P, 17, 2), (P, 17) -> x1, y1, x2, y2 around the keypoints over the threshold, (P, 4)."""
    seen = scores > threshold
    seen |= ~np.logical_or.reduce(seen, 1, keepdims=True)  # nobody's box is empty
    boxes = np.empty((len(keypoints), 4), np.float32)
    shown = seen[..., None]
    np.minimum.reduce(keypoints, 1, out=boxes[:, :2], initial=np.inf, where=shown)
    np.maximum.reduce(keypoints, 1, out=boxes[:, 2:], initial=-np.inf, where=shown)
    return boxes
