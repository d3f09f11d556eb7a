"""Which way is down, as far as the people in a clip tell: an estimate, and no measurement."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from movenet.lifting.bodies import Bodies
from movenet.lifting.joints import INDEX
from movenet.lifting.rotations import Doubles, angle_between, swing, unit

Reals = NDArray[np.floating]

_DOWN, _ASIDE = np.array([0.0, 1.0, 0.0]), np.array([1.0, 0.0, 0.0])
_NECK, _SPINE, _PELVIS = INDEX["neck"], INDEX["spine"], INDEX["pelvis"]
_HIPS, _KNEES, _ANKLES = (
    [INDEX[f"{side}_{joint}"] for side in ("left", "right")] for joint in ("hip", "knee", "ankle")
)

# From ankles to neck, as a part of the bones between: a person who walks has 0.91 to 0.97 of it
# (recordings of CMU's, from tenth to tenth of the frames), one who sits or squats less.
STANDING = 0.9
# Cameras are held nearly upright: what lies farther from the picture's vertical lies or falls.
STEEPEST_DEG = 50.0
# Of an ankle, as a part of the same bones: those in view have up to 0.097 in nine tenths of the
# frames (of five clips, one up to 0.105), those that were left out 0.100 and more in 19 of 20.
MOST_UNSURE = 0.1
FEWEST = 10  # frames of standing people, for an estimate
SWAY = np.radians(5.0)  # of a standing person's own, beside the errors of the joints
_STEPS, _NEAREST = 20, 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Gravity:
    """Which way is down, estimated.

    down (3,): a unit vector in camera axes. spread_deg: how far from it, in degrees, the frames'
    own directions lie, half of them. People who all lean the same way are not seen to lean.
    frames: of standing people, which it rests on.
    """

    down: Doubles
    spread_deg: float
    frames: int


def gravity(bodies: Iterable[Bodies]) -> Gravity | None:
    """Gravity in a clip of a camera that stands still, by everybody in it; see `down`."""
    clip = [(group.joints, group.uncertainty) for group in bodies]
    if not clip:
        return None
    joints, uncertainty = (np.concatenate(column) for column in zip(*clip, strict=True))
    return down(joints, uncertainty)


def down(joints: Reals, uncertainty: Reals) -> Gravity | None:
    """(N, 21, 3) in camera axes and (N, 21), of any people and frames -> Gravity.

    The direction from the neck to the middle of the ankles in the frames where a person stands:
    legs and trunk stretched, the feet in view, and not lying in the picture. Their weighted
    geometric median (Weiszfeld), so that a few wrong ones do not matter; certain joints count more.
    None where fewer than `FEWEST` frames show somebody who stands.
    """
    body = np.asarray(joints[:, _ANKLES].mean(1) - joints[:, _NECK], np.float64)
    reach = np.linalg.norm(body, axis=-1)
    unsure = np.asarray(uncertainty, np.float64)[:, [_NECK, *_ANKLES]]
    ends, chain = unsure**2, _chain(joints)
    seen = np.isfinite(unsure).all(-1) & (unsure[:, 1:].max(-1) < MOST_UNSURE * chain)
    stands = seen & (reach > STANDING * chain)  # NaN is not greater
    directions = unit(body[stands])
    variance = (ends[:, 0] + ends[:, 1:].mean(-1) / 2)[stands] / reach[stands] ** 2 + SWAY**2
    level = angle_between(directions, _DOWN) < np.radians(STEEPEST_DEG)
    count = int(level.sum())
    if count < FEWEST:
        return None
    middle = _median(directions[level], 1 / variance[level])
    apart = angle_between(directions[level], middle)
    return Gravity(middle, float(np.degrees(np.median(apart))), count)


def upright(bodies: Bodies, direction: Doubles) -> Bodies:
    """The bodies with y down along `direction`, (3,) in camera axes: the smallest turn that does.

    A camera that was not rolled keeps x level. ValueError for a direction without a length.
    """
    length = np.linalg.norm(direction)
    if np.shape(direction) != (3,) or not 0 < length < np.inf:
        raise ValueError(f"direction must be three numbers, not all 0, not {direction}")
    turn = swing(np.asarray(direction, np.float64) / length, _DOWN, _ASIDE)
    return replace(bodies, joints=(bodies.joints @ turn.T).astype(np.float32))


def _chain(joints: Reals) -> Doubles:
    """From the ankles over the pelvis to the neck, the mean of both legs: (N, 21, 3) -> (N,)."""

    def far(upper: int | list[int], lower: int | list[int]) -> Doubles:
        lengths: Doubles = np.linalg.norm(joints[:, upper] - joints[:, lower], axis=-1)
        return lengths

    legs = (far(_HIPS, _KNEES) + far(_KNEES, _ANKLES)).mean(-1)
    chain: Doubles = legs + far(_PELVIS, _SPINE) + far(_SPINE, _NECK)
    return chain


def _median(directions: Doubles, weights: Doubles) -> Doubles:
    """The unit vector with the least weighted sum of distances: (N, 3), (N,) -> (3,)."""
    middle = unit(weights @ directions)
    for _ in range(_STEPS):
        distances = np.linalg.norm(directions - middle, axis=-1)
        middle = unit((weights / np.maximum(distances, _NEAREST)) @ directions)
    return middle
