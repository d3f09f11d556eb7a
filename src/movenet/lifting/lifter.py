"""Poses to bodies: of one picture, live, and of a whole file."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray

from movenet.lifting.bodies import HEIGHTS, METRES, Bodies
from movenet.lifting.bones import RunningBones, bone_lengths, fitted
from movenet.lifting.engines import parse_engine, select_engine
from movenet.lifting.gravity import gravity
from movenet.lifting.gravity import upright as turned_upright
from movenet.lifting.history import KEPT_S, History, around, sampled
from movenet.lifting.joints import MIRROR, NAMES
from movenet.lifting.specs import FRAMES, RATE, TALLEST_M
from movenet.poses import Poses

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

_MIRROR = list(MIRROR)
_TURNED = np.array([-1, 1, 1], np.float32)
CAUSAL_S = np.arange(1 - FRAMES, 1) / RATE  # the frames that a network sees, from the one it lifts
CENTRED_S = (np.arange(FRAMES) - FRAMES // 2) / RATE
_AT_ONCE = 512  # people in a batch


class Network:
    """A lifting network on an engine; it looks twice, once in a mirror."""

    def __init__(self, kind: str, engine: str | Path = "auto") -> None:
        """ "single", "causal" or "centred"; errors as `engines.select_engine`."""
        self._engine = select_engine(kind, engine)

    def __call__(self, keypoints: Floats, scores: Floats) -> tuple[Floats, Floats]:
        """(N, T, 17, 2), (N, T, 17) -> joints (N, 21, 3) in body heights, uncertainty (N, 21)."""
        parts = [
            self._batch(keypoints[first : first + _AT_ONCE], scores[first : first + _AT_ONCE])
            for first in range(0, len(keypoints), _AT_ONCE)
        ]
        joints, uncertainty = (np.concatenate(values) for values in zip(*parts, strict=True))
        return joints, uncertainty

    def _batch(self, keypoints: Floats, scores: Floats) -> tuple[Floats, Floats]:
        # Somebody and their mirror image side by side, as the LiteRT engine takes them.
        other = keypoints[..., _MIRROR[:17], :] * _TURNED[:2]
        points = np.stack((keypoints, other), 1).reshape(-1, *keypoints.shape[1:])
        seen = np.stack((scores, scores[..., _MIRROR[:17]]), 1).reshape(-1, *scores.shape[1:])
        joints, uncertainty = self._engine(points, seen)
        turned, unsure = joints[1::2, _MIRROR] * _TURNED, uncertainty[1::2, _MIRROR]
        half = np.float32(0.5)
        return (joints[::2] + turned) * half, (uncertainty[::2] + unsure) * half


@overload
def lift(  # type: ignore[overload-overlap]
    poses: Poses,
    *,
    height_m: float | None = None,
    upright: bool = False,
    engine: str | Path = "auto",
) -> Bodies: ...


@overload
def lift(
    poses: Iterable[Poses],
    *,
    height_m: float | None = None,
    upright: bool = False,
    engine: str | Path = "auto",
) -> list[Bodies]: ...


def lift(
    poses: Poses | Iterable[Poses],
    *,
    height_m: float | None = None,
    upright: bool = False,
    engine: str | Path = "auto",
) -> Bodies | list[Bodies]:
    """Poses of one picture -> Bodies; poses over time, of a whole clip -> a list of Bodies.

    Poses over time all have a `timestamp_s`, in any order; each person, by id, is then seen over
    0.9 s around every frame, and keeps the lengths of the bones. Where somebody is not seen for
    over `history.GAP_S`, what is before and what is after make no difference to each other. Without
    times every picture is lifted by itself. `height_m` is everybody's stature in metres, and makes
    those the unit. `upright` turns a clip to gravity, as its people let it be estimated; where they
    do not, and in pictures without times, nothing is turned. `engine` is "auto" (LiteRT, or PyTorch
    where that is missing), "litert", "torch", "onnx" or an exported file: of lift-centred for poses
    over time, else of lift-single.

    Raises ValueError for what are no Poses, for a height that is not over 0 and up to 3 m, for a
    time that is not finite, for several people over time without ids or with one id, and for an
    unknown engine; EngineError for one that is missing, and for another network's file.
    """
    check_height(height_m)
    parse_engine(engine)  # though there may be nobody to lift
    if isinstance(poses, Poses):
        return in_metres(_single([poses], engine)[0], height_m)
    clip = list(poses)
    for each in clip:
        check_poses(each)
    timed = bool(clip) and all(each.timestamp_s is not None for each in clip)
    bodies = _clip(clip, engine) if timed else _single(clip, engine)
    if upright and timed and (down := gravity(bodies)) is not None:
        bodies = [turned_upright(each, down.down) for each in bodies]
    return [in_metres(each, height_m) for each in bodies]


class Lifter:
    """Lifts a stream frame by frame, from the past alone; one object a stream."""

    def __init__(self, *, height_m: float | None = None, engine: str | Path = "auto") -> None:
        """`height_m`: everybody's stature in metres, which makes those the unit; up to 3.

        `engine` is as that of `lift`; a file is of lift-causal. Raises ValueError or EngineError.
        """
        check_height(height_m)
        self._height_m = height_m
        self._network = Network("causal", engine)
        self._histories: dict[int, History] = {}
        self._bones: dict[int, RunningBones] = {}

    def __call__(self, poses: Poses) -> Bodies:
        """The people of the next frame, each by their last 0.9 s.

        A time that goes back, or on by more than `history.GAP_S`, begins with an empty past; who is
        away for over a second is forgotten, bones and all. ValueError, which changes nothing, for
        what are no Poses, without a finite time, and for several people without ids or with one.
        """
        check_poses(poses)
        now, ids = seconds(poses), numbers_of(poses)
        points, scores = normalised(poses)
        self._forget(now)
        # A frame without any keypoint is no sight of a person: the networks have met no such.
        known = [row for row in range(len(ids)) if scores[row].any()]
        for row in known:
            self._histories.setdefault(ids[row], History()).add(now, points[row], scores[row])
        bodies = unknown(poses)
        if known:
            windows = [self._histories[ids[row]].before(CAUSAL_S) for row in known]
            joints, spread = self._network(*map(np.stack, zip(*windows, strict=True)))
            for row, own, unsure in zip(known, joints, spread, strict=True):
                bones = self._bones.setdefault(ids[row], RunningBones())
                lengths = bones.update(own, unsure, now)
                bodies.joints[row] = fitted(own, lengths, unsure)
                bodies.uncertainty[row] = unsure
        return in_metres(bodies, self._height_m)

    def reset(self) -> None:
        """Forget everybody, as for a new stream."""
        self._histories.clear()
        self._bones.clear()

    def _forget(self, now: float) -> None:
        for number, history in list(self._histories.items()):
            if abs(now - history.last_s) > KEPT_S:
                del self._histories[number]
                self._bones.pop(number, None)


def normalised(poses: Poses) -> tuple[Floats, Floats]:
    """Keypoints (P, 17, 2) from the picture's middle, in parts of its longer side, and scores.

    A keypoint that is no number, or whose score is none, has the score 0, which is one that is
    missing. A score over 1 is 1.
    """
    height, width = poses.image_size
    points = (poses.keypoints - (width / 2, height / 2)) / max(height, width)
    there = np.isfinite(points).all(-1) & np.isfinite(poses.keypoint_scores)
    scores = np.where(there, poses.keypoint_scores, 0).clip(0, 1)
    there = scores > 0
    points = np.where(there[..., None], points, 0)
    return points.astype(np.float32), scores.astype(np.float32)


def numbers_of(poses: Poses) -> list[int]:
    """The ids; the only person without one is 0. ValueError for several without, or alike."""
    if poses.ids is not None:
        numbers = [int(number) for number in poses.ids]
        if len(set(numbers)) < len(numbers):
            raise ValueError(f"ids of the people in a frame must differ, not {numbers}")
        return numbers
    if len(poses) > 1:
        raise ValueError("poses of several people over time must have ids; PoseTracker gives them")
    return [0] * len(poses)


def unknown(poses: Poses) -> Bodies:
    """Nothing known of anybody."""
    return Bodies(
        joints=np.full((len(poses), len(NAMES), 3), np.nan, np.float32),
        uncertainty=np.full((len(poses), len(NAMES)), np.inf, np.float32),
        ids=poses.ids,
        frame_index=poses.frame_index,
        timestamp_s=poses.timestamp_s,
    )


def check_poses(poses: object) -> None:
    """ValueError for anything else, as bare arrays."""
    if not isinstance(poses, Poses):
        raise ValueError(
            f"Poses are lifted, not {type(poses).__name__}; Poses.from_arrays makes them of arrays"
        )


def seconds(poses: Poses) -> float:
    """When the frame was. ValueError without a time that is finite."""
    if poses.timestamp_s is None or not math.isfinite(poses.timestamp_s):
        raise ValueError(
            f"poses of a stream or clip must have a finite timestamp_s, not {poses.timestamp_s}"
        )
    return float(poses.timestamp_s)


def check_height(height_m: float | None) -> None:
    """ValueError for what is no stature."""
    if height_m is not None and not 0 < height_m <= TALLEST_M:
        raise ValueError(f"height_m must be over 0 and up to {TALLEST_M:g} metres, not {height_m}")


def in_metres(bodies: Bodies, height_m: float | None) -> Bodies:
    """Bodies of that stature; as they are where it is not known."""
    assert bodies.unit == HEIGHTS
    if height_m is None:
        return bodies
    return replace(
        bodies,
        joints=bodies.joints * np.float32(height_m),
        uncertainty=bodies.uncertainty * np.float32(height_m),
        unit=METRES,
    )


def _single(pictures: Sequence[Poses], engine: str | Path) -> list[Bodies]:
    """Each picture by itself."""
    bodies = [unknown(poses) for poses in pictures]
    values = [normalised(poses) for poses in pictures]
    rows = [
        (picture, person)
        for picture, (_, scores) in enumerate(values)
        for person in range(len(scores))
        if scores[person].any()
    ]
    if rows:
        points, scores = (np.stack([values[a][k][b] for a, b in rows])[:, None] for k in (0, 1))
        lifted = Network("single", engine)(points, scores)
        for (picture, person), joints, spread in zip(rows, *lifted, strict=True):
            bodies[picture].joints[person] = joints
            bodies[picture].uncertainty[person] = spread
    return bodies


def _clip(clip: Sequence[Poses], engine: str | Path) -> list[Bodies]:
    """Each person over time, around every frame in which there is anything of them."""
    bodies = [unknown(poses) for poses in clip]
    seconds_of = [seconds(poses) for poses in clip]
    values = [normalised(poses) for poses in clip]
    places: dict[int, list[tuple[int, int]]] = {}
    for frame, poses in enumerate(clip):
        for person, number in enumerate(numbers_of(poses)):
            if values[frame][1][person].any():
                places.setdefault(number, []).append((frame, person))
    network = Network("centred", engine)
    for rows in places.values():
        rows.sort(key=lambda row: seconds_of[row[0]])
        points, scores = (np.stack([values[a][k][b] for a, b in rows]) for k in (0, 1))
        times = np.array([seconds_of[frame] for frame, _ in rows])
        joints, spread = _moving(network, times, points, scores)
        for (frame, person), own, unsure in zip(rows, joints, spread, strict=True):
            bodies[frame].joints[person] = own
            bodies[frame].uncertainty[person] = unsure
    return bodies


def _moving(
    network: Network, times: Doubles, points: Floats, scores: Floats
) -> tuple[Floats, Floats]:
    """One person at rising times (N,) -> joints (N, 21, 3) with bones that keep their lengths.

    Some frames at a time: their windows, and the fit, take many times what the results do.
    """
    at = around(times, CENTRED_S)
    some = [slice(first, first + _AT_ONCE) for first in range(0, len(times), _AT_ONCE)]
    lifted = [network(*sampled(times, points, scores, at[part])) for part in some]
    joints, spread = (np.concatenate(values) for values in zip(*lifted, strict=True))
    lengths = bone_lengths(joints, spread)
    return np.concatenate([fitted(joints[part], lengths, spread[part]) for part in some]), spread
