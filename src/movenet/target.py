"""Whom to follow, where several people are seen."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from movenet import oks
from movenet.poses import Poses
from movenet.tracker import Event

Kind = Literal["center", "largest", "id", "box", "longest"]
WORDS = "center, largest, longest, id:N or box:x1,y1,x2,y2"


@dataclass(frozen=True, slots=True)
class Target:
    """One person: nearest the middle of the picture, the largest, of an id, in a box (pixels).

    "longest" is the one whose box area times time is the largest over a whole file.
    """

    kind: Kind
    id: int = 0  # from 1 on, of the kind "id"
    box: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)  # x1, y1, x2, y2

    def __post_init__(self) -> None:
        """ValueError for what is nobody."""
        if self.kind not in get_args(Kind):
            raise ValueError(f"target must be {WORDS}, not {self.kind!r}")
        if self.kind == "id" and self.id < 1:
            raise ValueError(f"target 'id': ids begin at 1, this is {self.id}")
        x1, y1, x2, y2 = self.box
        whole = x1 < x2 and y1 < y2 and all(map(math.isfinite, self.box))
        if self.kind == "box" and not whole:
            numbers = ",".join(f"{number:g}" for number in self.box)
            raise ValueError(
                f"target 'box:{numbers}': x1 must be below x2, and y1 below y2, in pixels"
            )


def parse(target: str | Target) -> Target:
    """ "center", "largest", "longest", "id:2", "box:10,20,110,220" -> Target; ValueError.

    A Target is one already.
    """
    if isinstance(target, Target):
        return target
    refused = ValueError(f"target must be {WORDS}, not {target!r}")
    if not isinstance(target, str):
        raise refused
    kind, colon, value = target.partition(":")
    if kind == "id" and value.isdecimal() and int(value) > 0:
        return Target("id", id=int(value))
    if kind == "box":
        try:
            x1, y1, x2, y2 = (float(number) for number in value.split(","))
        except ValueError as error:
            raise refused from error
        return Target("box", box=(x1, y1, x2, y2))
    if colon or kind == "id":
        raise refused
    return Target(kind)  # type: ignore[arg-type]


def nearest(target: Target, poses: Poses) -> int | None:
    """Which of the people is meant (a row); None where nobody is."""
    boxes = poses.boxes.astype(np.float64)
    if target.kind == "id":
        rows = [] if poses.ids is None else np.flatnonzero(poses.ids == target.id).tolist()
        return rows[0] if rows else None
    if not len(poses):
        return None
    if target.kind == "box":
        overlap = oks.iou(np.array([target.box]), boxes)[0]
        return int(overlap.argmax()) if overlap.any() else None
    if target.kind == "largest":
        return int((boxes[:, 2:] - boxes[:, :2]).prod(1).argmax())
    height, width = poses.image_size
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    return int(np.square(middles - (width / 2, height / 2)).sum(1).argmin())


def closest(box: NDArray[np.floating], poses: Poses) -> int | None:
    """Which of the people has the middle of their box nearest that of a box (4,)."""
    if not len(poses):
        return None
    middles = poses.boxes[:, :2] + poses.boxes[:, 2:]
    return int(np.square(middles - (box[:2] + box[2:])).sum(1).argmin())


class Aim:
    """Keeps to the one who was chosen until they are gone; one object a stream.

    Then it chooses anew; instead of a box the one nearest to who was in it.
    """

    def __init__(self, target: Target | None) -> None:
        """Nobody is chosen yet; without a target everybody is wanted."""
        self.target = target
        self.id: int | None = None
        self.events: list[Event] = []  # of the last frame, of who is wanted
        self._box: NDArray[np.float32] | None = None  # of who was chosen, when seen last

    def __call__(self, poses: Poses, events: list[Event]) -> Poses:
        """The people of a frame, with ids, and what happened to ids -> those who are wanted."""
        if self.target is None:
            self.events = events
            return poses
        assert poses.ids is not None
        ids = {self.id}
        if self.id is not None and Event("gone", self.id) in events:
            self.id = None
        if self.id is None:
            row = self._choose(poses)
            self.id = None if row is None else int(poses.ids[row])
        self.events = [event for event in events if event.id in ids | {self.id}]
        wanted = poses[poses.ids == (self.id or 0)]
        if len(wanted):
            self._box = wanted.boxes[0]
        return wanted

    def _choose(self, poses: Poses) -> int | None:
        assert self.target is not None
        if self.target.kind == "box" and self._box is not None:
            return closest(self._box, poses)
        return nearest(self.target, poses)
