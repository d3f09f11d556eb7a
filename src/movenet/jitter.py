"""How much keypoints shake, and how late a filter is."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from movenet.lowpass import lowpass
from movenet.offline import CUTOFF_HZ, GAP_S, ROUNDING_S, pieces, rising, tracks
from movenet.poses import KEYPOINT_THRESHOLD, Poses
from movenet.smoothing import heights

Doubles = NDArray[np.float64]
SHORTEST_S = 0.5  # pieces that are shorter are mostly ends, where a low-pass knows least


def jitter(
    frames: Sequence[Poses],
    *,
    cutoff_hz: float = CUTOFF_HZ,
    keypoint_threshold: float = KEYPOINT_THRESHOLD,
) -> float:
    """How far the keypoints of a clip are from where they are without jitter: the median.

    In heights of the person, over all people and keypoints over the threshold; NaN without any.
    ValueError where timestamps do not rise or people have no ids.
    """
    parts = [np.zeros(0)]
    for track in tracks(frames, rising(frames)):
        seen = track.seen(keypoint_threshold)
        points = track.columns["keypoints"]
        sizes = heights(points, seen)
        if not np.isnan(sizes).all():
            height = float(np.nanmedian(sizes))
            parts.append(deviations(track.times_s, points, seen, cutoff_hz) / height)
    found = np.concatenate(parts)
    return float(np.median(found)) if len(found) else float("nan")


def deviations(
    times_s: Doubles, points: Doubles, seen: NDArray[np.bool_], cutoff_hz: float = CUTOFF_HZ
) -> Doubles:
    """How far points are from their own low-pass without lag, in their unit.

    (T,), (T, K, 2), (T, K) -> (N,): of all that are seen for half a second or longer at a time,
    keypoint by keypoint. The times must rise.
    """
    found = [np.zeros(0)]
    for index, there in enumerate(seen.T):
        for piece in pieces(times_s, there, GAP_S + ROUNDING_S):
            time, path = times_s[piece], points[piece, index]
            if time[-1] - time[0] >= SHORTEST_S:
                found.append(np.hypot(*(path - lowpass(time, path, cutoff_hz)).T))
    return np.concatenate(found)


def lag_s(late: Doubles, true: Doubles, step_s: float, most_s: float = 0.25) -> float:
    """How long after a true signal (T,) a filtered one (T,) is the same, in seconds.

    Where their correlation is highest, between frames by a parabola; up to `most_s` either way,
    which should be under half a period. Both have a sample every `step_s`.
    """
    most = round(most_s / step_s)
    count = len(true)
    if len(late) != count or count <= 2 * most:
        raise ValueError(f"two signals of one length over {2 * most}, not {len(late)} and {count}")
    late, true = late - late.mean(), true - true.mean()
    # With as many samples of both at every shift; a longer overlap would pull the peak to 0.
    shifts = np.arange(-most, most + 1)
    middle = true[most : count - most]
    alike = np.array([late[most + k : count - most + k] @ middle for k in shifts])
    peak = min(max(int(alike.argmax()), 1), 2 * most - 1)
    before, top, after = alike[peak - 1 : peak + 2].tolist()
    return float(shifts[peak] + (before - after) / 2 / (before - 2 * top + after)) * step_s
