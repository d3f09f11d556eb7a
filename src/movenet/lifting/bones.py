"""A person's bone lengths, which do not change, and the skeleton fitted to them."""

import numpy as np
from numpy.typing import NDArray

from movenet.lifting.joints import INDEX, NAMES, PARENTS

Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]
Reals = NDArray[np.floating]

# The bones whose lengths a person keeps, left and right alike, by the joint where they end; those
# that others hang on come first. Hips and spine begin at the pelvis, shoulders and head at the
# neck. Eyes, ears and nose have none: a nod changes how far they are from the neck.
BONES = ("hip", "spine", "neck", "head", "shoulder", "knee", "ankle", "elbow", "wrist")

_ENDS = [
    [INDEX[name] for name in (bone, f"left_{bone}", f"right_{bone}") if name in INDEX]
    for bone in BONES
]
_CHILDREN = [joint for ends in _ENDS for joint in ends]  # of 15 bones
_PARENTS = [INDEX[PARENTS[NAMES[joint]]] for joint in _CHILDREN]
_KINDS = [kind for kind, ends in enumerate(_ENDS) for _ in ends]
# (9, 2): the left and the right one of the 15; a bone in the middle is both.
_SIDES = np.array([[_CHILDREN.index(ends[0]), _CHILDREN.index(ends[-1])] for ends in _ENDS])
_HIPS = [INDEX["left_hip"], INDEX["right_hip"]]
_FACE, _NECK = slice(0, 5), INDEX["neck"]

# Of one camera, depth is the least certain: its errors are taken to be this many times those in x
# and in y. CMU's motion with errors one to three times as large in z was fitted best, or nearly so,
# with twice.
DEPTH = 2.0
_ERRORS = np.array([1.0, 1.0, DEPTH])
_STEPS, _STRIDE = 5, 0.7  # whole strides swing to and fro where errors are as long as bones
_RANGE = 30.0  # the most certain joint moves by this factor less, at most
_WIDEST = 1.0  # an uncertainty as good as none, in either unit
_SHORTEST = 1e-9  # a bone without a direction, in either unit

KEPT = 128  # frames that a running estimate remembers, at most
INTERVAL_S = 1 / 30  # between two of them, at first
FOLLOW_S = 0.2  # steps of the estimate are spread over some frames
_EARLY = 0.9  # of an interval is enough: clocks are not exact


def _matrices() -> tuple[Doubles, Doubles]:
    """Joints -> bones, (15, 21), and bones -> joints, (21, 15).

    The pelvis is the middle of the hips, so it is taken from them: where they move, it moves too.
    """
    bones, joints = np.zeros((15, 21)), np.zeros((21, 15))
    for row, (child, parent) in enumerate(zip(_CHILDREN, _PARENTS, strict=True)):
        ends = _HIPS if parent == INDEX["pelvis"] else [parent]
        bones[row, child] += 1
        bones[row, ends] -= 1 / len(ends)
        joints[child] = joints[parent]
        joints[child, row] = 1
    return bones, joints


_BONES_OF, _JOINTS_OF = _matrices()
_FREE = slice(1, None)  # the second hip's bone is the first one's, turned round


def bone_lengths(joints: Reals, uncertainty: Reals) -> Doubles:
    """A person's lengths over a clip: (T, 21, 3), (T, 21) -> (9,) of `BONES`, in the joints' unit.

    The weighted median over frames, left and right. A frame counts for a bone by how well it shows
    it: much where its ends are certain and it lies across the view, little where it points along
    it. A bone that no frame shows is NaN.
    """
    return _median(*_measured(joints, uncertainty))


def fitted(joints: Reals, lengths: Doubles, uncertainty: Reals) -> Floats:
    """Bodies with every bone of its length, each joint moved as little as that allows.

    (..., 21, 3), the pelvis at 0; lengths (..., 9) of `BONES`; (..., 21) -> (..., 21, 3) float32.
    The sum of squares of the moves is least, each in parts of its uncertainty, and along z in parts
    of `DEPTH` times that (Gauss-Newton; what is left after five steps is put right bone by bone,
    from the pelvis outwards). The face goes with the neck. A body of which a joint or a length is
    not known is given back as it is.
    """
    bodies = np.asarray(joints, np.float64)
    lengths = np.broadcast_to(lengths, (*bodies.shape[:-2], len(BONES)))[..., _KINDS]
    spread: Reals = np.broadcast_to(uncertainty, bodies.shape[:-1])
    known = np.isfinite(bodies[..., _CHILDREN, :]).all((-1, -2)) & np.isfinite(lengths).all(-1)
    result = bodies.astype(np.float32)
    result[known] = _fitted(bodies[known], lengths[known], _errors(spread[known]))
    return result


class RunningBones:
    """A person's lengths, live: one object a person, called with every frame of theirs.

    The estimate is that of `bone_lengths` over frames kept in equal distances of time from the
    first on: every one at first, and every second of them with each doubling of the time, so that
    neither the rate of frames nor the hour makes a difference. The lengths begin as the first
    frame's own and follow the estimate with a time constant of `FOLLOW_S`, so that nothing jumps.
    """

    def __init__(self) -> None:
        """Nothing is known yet."""
        self.lengths: Doubles = np.full(len(BONES), np.nan)
        self._estimate = self.lengths
        self._values = self._weights = np.zeros((0, 2, len(BONES)))
        self._interval_s = INTERVAL_S
        self._kept_s = self._now_s = -np.inf

    def update(self, joints: Reals, uncertainty: Reals, timestamp_s: float) -> Doubles:
        """(21, 3), (21,) -> the lengths as known now, (9,) of `BONES`, NaN where nothing is yet.

        A frame whose time is before the last one's (a seek) counts like any other.
        """
        early = 0 <= timestamp_s - self._kept_s < _EARLY * self._interval_s
        if not early and np.isfinite(joints).any():
            self._keep(joints, uncertainty, timestamp_s)
        elapsed_s = max(timestamp_s - self._now_s, 0.0)
        self._now_s = timestamp_s
        step = (self._estimate - self.lengths) * -np.expm1(-elapsed_s / FOLLOW_S)
        self.lengths = np.where(np.isnan(self.lengths), self._estimate, self.lengths + step)
        return self.lengths

    def _keep(self, joints: Reals, uncertainty: Reals, timestamp_s: float) -> None:
        values, weights = _measured(joints[None], uncertainty[None])
        self._values = np.concatenate([self._values, values])
        self._weights = np.concatenate([self._weights, weights])
        if len(self._values) > KEPT:
            self._values, self._weights = self._values[::2], self._weights[::2]
            self._interval_s *= 2
        self._kept_s = timestamp_s
        self._estimate = _median(self._values, self._weights)


def _measured(joints: Reals, uncertainty: Reals) -> tuple[Doubles, Doubles]:
    """(T, 21, 3), (T, 21) -> lengths and their weights, (T, 2, 9) each; weight 0 where unknown.

    A weight is one over the length's variance, to first order.
    """
    bones = _BONES_OF[:, _CHILDREN] @ np.asarray(joints, np.float64)[:, _CHILDREN]  # (T, 15, 3)
    spread = np.asarray(uncertainty, np.float64)
    variance = spread[:, _CHILDREN] ** 2 + spread[:, _PARENTS] ** 2
    lengths = np.linalg.norm(bones, axis=-1)
    along = np.maximum(np.linalg.norm(bones * _ERRORS, axis=-1), _SHORTEST)
    weights = (lengths / along) ** 2 / np.maximum(variance, _SHORTEST)
    weights = np.where(np.isfinite(lengths * weights), weights, 0)[:, _SIDES.T]
    hips = weights[:, :, _KINDS[0]]
    hips[:] = hips.mean(1, keepdims=True)  # one bone, seen from its two ends
    return lengths[:, _SIDES.T], weights


def _median(values: Doubles, weights: Doubles) -> Doubles:
    """Where half of the weight is: (T, 2, 9) -> (9,), between values linear, NaN without weight."""
    values, weights = (array.reshape(-1, len(BONES)) for array in (values, weights))
    if not len(values):
        return np.full(len(BONES), np.nan)
    order = np.where(weights > 0, values, np.inf).argsort(0)
    values, weights = (np.take_along_axis(array, order, 0) for array in (values, weights))
    reached = weights.cumsum(0) - weights / 2
    half = weights.sum(0) / 2
    above = (reached < half).sum(0)
    below = np.maximum(above - 1, 0)
    kind = np.arange(len(BONES))
    step = np.maximum(reached[above, kind] - reached[below, kind], np.finfo(float).tiny)
    share = np.clip((half - reached[below, kind]) / step, 0, 1)
    median = values[below, kind] * (1 - share) + values[above, kind] * share
    known: Doubles = np.where(half > 0, median, np.nan)
    return known


def _errors(uncertainty: Reals) -> Doubles:
    """(N, 21) -> (N, 15, 3), of the bones' ends: the errors to expect, as parts of the largest."""
    spread = np.nan_to_num(np.asarray(uncertainty, np.float64)[:, _CHILDREN], nan=_WIDEST)
    spread = np.clip(spread, _SHORTEST, _WIDEST)
    spread = spread / spread.max(1, keepdims=True)
    errors: Doubles = np.maximum(spread, 1 / _RANGE)[..., None] * _ERRORS
    return errors


def _fitted(bodies: Doubles, lengths: Doubles, errors: Doubles) -> Doubles:
    """(N, 21, 3), (N, 15), (N, 15, 3) -> (N, 21, 3)."""
    differences = _BONES_OF[_FREE, _CHILDREN]  # (14, 15)
    start = place = bodies[:, _CHILDREN]
    wanted = lengths[:, _FREE]
    for _ in range(_STEPS):
        directions = _unit(differences @ place)  # (N, 14, 3)
        # How each length changes as the joints move by their errors.
        slopes = directions[:, :, None] * differences[:, :, None] * errors[:, None]
        slopes = slopes.reshape(*wanted.shape, 3 * len(_CHILDREN))  # (N, 14, 45)
        missing = wanted - (directions * (differences @ start)).sum(-1)
        normal = slopes @ slopes.swapaxes(1, 2) + _SHORTEST * np.eye(wanted.shape[1])
        pull = slopes.swapaxes(1, 2) @ np.linalg.solve(normal, missing[..., None])
        place = place + _STRIDE * (start + errors * pull.reshape(start.shape) - place)
    bones = _unit(_BONES_OF[:, _CHILDREN] @ place) * lengths[..., None]
    result: Doubles = _JOINTS_OF @ bones
    result[:, _FACE] = bodies[:, _FACE] + (result - bodies)[:, [_NECK]]
    return result


def _unit(vectors: Doubles) -> Doubles:
    """With length 1; no length stays none."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    units: Doubles = vectors / np.maximum(lengths, _SHORTEST)
    return units
