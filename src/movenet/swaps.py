"""Left and right that change places for a few frames, found by how keypoints move.

Nothing here looks at who stands on which side: a person seen from behind, and legs that really
cross, stay as they are.
"""

import numpy as np
from numpy.typing import NDArray

from movenet.keypoints import MIRROR, SIDES

Doubles = NDArray[np.float64]
Mask = NDArray[np.bool_]
LEFT = np.flatnonzero(np.array(SIDES) < 0)  # (8,)
RIGHT = np.array(MIRROR)[LEFT]
PRICE = 0.1  # of a change of places, in heights of the person; see `changes`


def swapped(
    times_s: Doubles, points: Doubles, seen: Mask, height: float, limit_s: float
) -> NDArray[np.bool_]:
    """Where a keypoint and its mirror image are each other's: (T,), (T, 17, 2), (T, 17) -> (T, 17).

    The person is about `height` pixels high. Only pairs that are seen on both sides are looked at;
    they go and come back within `limit_s`, which is also the longest time between two sights of a
    pair that still belong together.
    """
    found = np.zeros(seen.shape, bool)
    for left, right in zip(LEFT, RIGHT, strict=True):
        (both,) = np.nonzero(seen[:, left] & seen[:, right])
        pauses = np.flatnonzero(np.diff(times_s[both]) > limit_s) + 1
        for run in np.split(both, pauses):
            there = changes(times_s[run], points[run][:, [left, right]] / height)
            for first, last in excursions(times_s[run], there, limit_s):
                found[run[first:last, None], [left, right]] = True
    return found


def changes(times_s: Doubles, pair: Doubles) -> NDArray[np.intp]:
    """Frames at which two points change places: (T,), (T, 2, 2) in heights -> (C,), rising.

    Those that make the cheapest story. Each frame costs how far the points are from where their
    last two steps lead, and each change costs `PRICE`. What a frame costs depends on whether
    there is a change at it and at the frame before, so two sums a frame are all that is kept.
    """
    count = len(pair)
    if count < 3:
        return np.zeros(0, np.intp)
    costs = surprise(times_s, pair)  # (T - 2, 2, 2)
    total = np.array([0.0, PRICE])  # without and with a change at frame 1
    came = np.empty((count - 2, 2), np.intp)  # whether the frame before had one, best
    for frame, cost in enumerate(costs):
        ways = total[:, None] + cost
        came[frame] = ways.argmin(0)
        total = ways.min(0)
        total[1] += PRICE
    at = np.zeros(count, bool)
    at[-1] = total.argmin()
    for frame in range(count - 3, -1, -1):
        at[frame + 1] = came[frame, int(at[frame + 2])]
    return np.flatnonzero(at)


def surprise(times_s: Doubles, pair: Doubles) -> Doubles:
    """How far two points are from where their last two steps lead, together.

    (T,), (T, 2, 2) -> (T - 2, before, now), of frames 2 and on, without and with a change of
    places at the frame before and at this one.
    """
    steps = np.diff(times_s)
    ahead = (steps[1:] / steps[:-1])[:, None, None]
    old, middle, new = pair[:-2], pair[1:-1], pair[2:]
    costs = np.empty((len(new), 2, 2))
    for before, start in enumerate((old, old[:, ::-1])):
        led = middle + ahead * (middle - start)
        for now, end in enumerate((new, new[:, ::-1])):
            costs[:, before, now] = np.hypot(*(end - led).transpose(2, 0, 1)).sum(1)
    return costs


def excursions(times_s: Doubles, there: NDArray[np.intp], limit_s: float) -> list[tuple[int, int]]:
    """Changes that are undone within the limit, as (first frame, frame after the last)."""
    found = []
    index = 0
    while index + 1 < len(there):
        first, last = there[index : index + 2].tolist()
        short = times_s[last] - times_s[first] <= limit_s
        if short:
            found.append((first, last))
        index += 2 if short else 1
    return found
