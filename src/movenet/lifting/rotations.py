"""Rotations as matrices, for arrays of any leading shape (...)."""

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]

_NEAR = 1e-7  # below it a sum of two unit vectors, or a cosine, has no direction
_NEXT, _LAST = np.array([1, 2, 0]), np.array([2, 0, 1])


def unit(vectors: Doubles) -> Doubles:
    """(..., 3) -> the same with length 1; NaN where the length is 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        units: Doubles = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return units


def dot(first: Doubles, second: Doubles) -> Doubles:
    """(..., 3), (..., 3) -> (...)."""
    products: Doubles = np.einsum("...i,...i->...", first, second)
    return products


def cross(first: Doubles, second: Doubles) -> Doubles:
    """(..., 3), (..., 3) -> (..., 3): as NumPy's, in a tenth of its time for a few vectors."""
    ahead = first.take(_NEXT, -1) * second.take(_LAST, -1)
    return ahead - first.take(_LAST, -1) * second.take(_NEXT, -1)


def across(vectors: Doubles, axis: Doubles) -> Doubles:
    """What of the vectors is across a unit axis, with length 1; NaN where nothing is."""
    return unit(vectors - dot(vectors, axis)[..., None] * axis)


def angle_between(first: Doubles, second: Doubles) -> Doubles:
    """(..., 3), (..., 3) -> (...) radians, 0 to pi."""
    sine = np.linalg.norm(cross(first, second), axis=-1)
    angles: Doubles = np.arctan2(sine, dot(first, second))
    return angles


def half_turn(axis: Doubles) -> Doubles:
    """(..., 3) unit vectors -> (..., 3, 3)."""
    return 2 * axis[..., :, None] * axis[..., None, :] - np.eye(3)


def swing(start: Doubles, end: Doubles, aside: Doubles) -> Doubles:
    """The smallest rotation that takes a unit vector to another: (..., 3) -> (..., 3, 3).

    Between opposite vectors, where there are many, it is the one about `aside`, which must not
    lie along them. Two half turns make it: about the start, then about the middle of both.
    """
    middle = start + end
    opposite = np.linalg.norm(middle, axis=-1, keepdims=True) < _NEAR
    middle = unit(np.where(opposite, cross(aside, start), middle))
    rotation: Doubles = half_turn(middle) @ half_turn(start)
    return rotation


def turn(axis: Doubles, angle: Doubles) -> Doubles:
    """The rotation by an angle in radians, (...), about a unit axis (..., 3) (Rodrigues)."""
    x, y, z = np.moveaxis(axis, -1, 0)
    zero = np.zeros_like(x)
    rows = [[zero, -z, y], [z, zero, -x], [-y, x, zero]]
    skew = np.stack([np.stack(row, -1) for row in rows], -2)
    sine, cosine = np.sin(angle)[..., None, None], np.cos(angle)[..., None, None]
    rotation: Doubles = np.eye(3) + sine * skew + (1 - cosine) * (skew @ skew)
    return rotation


def euler(rotations: Doubles, order: str) -> Doubles:
    """Angles of rotations, (..., 3, 3) -> (..., 3) degrees, in the order of `order`.

    "ZXY" means R = Rz @ Rx @ Ry: about the turned axes Z first, then X, then Y. The middle one is
    within 90 degrees; at 90, where the outer two turn about one axis, the last one is 0.
    """
    i, j, k = ("XYZ".index(axis) for axis in order)
    sign = 1 if (j - i) % 3 == 1 else -1  # whether the order is X, Y, Z turned round
    entry = {
        (row, column): rotations[..., row, column] for row in (i, j, k) for column in (i, j, k)
    }
    cosine = np.hypot(entry[i, i], entry[i, j])
    locked = cosine < _NEAR
    middle = np.arctan2(sign * entry[i, k], cosine)
    first = np.where(
        locked,
        np.arctan2(sign * entry[k, j], entry[j, j]),
        np.arctan2(-sign * entry[j, k], entry[k, k]),
    )
    last = np.where(locked, 0, np.arctan2(-sign * entry[i, j], entry[i, i]))
    angles: Doubles = np.degrees(np.stack([first, middle, last], -1))
    return angles
