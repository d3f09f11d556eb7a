"""A person's keypoints over time, as the temporal networks want them: evenly, 30 times a second."""

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

KEPT_S = 1.0  # longer than the 26 steps of 1/30 s that the networks look back
# Two sights of somebody that are farther apart have nothing between them: what came in a longer gap
# is not made up, and either side of it is lifted by itself. Of Pose2Sim's man, seen every
# 0.2 s, the way between was better than to stand still (PA-MPJPE 59.2 and 60.3 mm, of the networks
# of a trial), every 0.3 s hardly so (60.0 and 60.4), and every 0.5 s worse (60.7 and 60.0).
GAP_S = 0.25


def sampled(
    times: Doubles, keypoints: Floats, scores: Floats, at: Doubles
) -> tuple[Floats, Floats]:
    """Keypoints (T, 17, 2) and scores (T, 17) of rising times (T,), at other times (...,).

    Between two frames linearly; a keypoint that one of the two lacks is there where the other is
    nearer. Before the first frame and after the last one, these stand.
    """
    times = np.asarray(times, np.float64)
    second = np.clip(np.searchsorted(times, at, side="right"), 1, max(len(times) - 1, 1))
    second = np.minimum(second, len(times) - 1)
    first = np.maximum(second - 1, 0)
    between = times[second] - times[first]
    share = np.where(between > 0, (at - times[first]) / np.where(between > 0, between, 1.0), 1.0)
    share = np.clip(share, 0.0, 1.0)[..., None].astype(np.float32)
    one, other = scores[first], scores[second]
    alone = (one > 0) != (other > 0)
    weight = np.where(alone, (share >= 0.5).astype(np.float32), share)
    points = keypoints[first] * (1 - weight[..., None]) + keypoints[second] * weight[..., None]
    return points, one * (1 - weight) + other * weight


def around(times: Doubles, offsets_s: Doubles) -> Doubles:
    """Times (N, T) around each of one person's rising times (N,), at offsets (T,).

    None lies beyond a gap of over `GAP_S`: there the last time before it, or the first one after
    it, is taken instead.
    """
    piece = np.concatenate(([0], np.cumsum(np.diff(times) > GAP_S)))
    first = times[np.searchsorted(piece, piece)]
    last = times[np.searchsorted(piece, piece, side="right") - 1]
    within: Doubles = np.clip(times[:, None] + offsets_s, first[:, None], last[:, None])
    return within


class History:
    """The last second of one person, as far as it is without a gap."""

    def __init__(self) -> None:
        """Nothing seen yet."""
        self._times: deque[float] = deque()
        self._frames: deque[tuple[Floats, Floats]] = deque()

    def add(self, time_s: float, keypoints: Floats, scores: Floats) -> None:
        """A frame: (17, 2) and (17,).

        One of the same time as the last replaces it; a time that goes back, or on by more than
        `GAP_S`, begins anew.
        """
        if self._times and time_s == self._times[-1]:
            self._times.pop()
            self._frames.pop()
        elif self._times and not 0 < time_s - self._times[-1] <= GAP_S:
            self._times.clear()
            self._frames.clear()
        self._times.append(time_s)
        self._frames.append((keypoints, scores))
        while len(self._times) > 2 and self._times[1] < time_s - KEPT_S:
            self._times.popleft()
            self._frames.popleft()

    def before(self, offsets_s: Doubles) -> tuple[Floats, Floats]:
        """Keypoints (T, 17, 2) and scores (T, 17) at times before the last one, offsets <= 0."""
        points, scores = (np.stack(values) for values in _columns(self._frames))
        times = np.array(self._times)
        return sampled(times, points, scores, times[-1] + offsets_s)

    @property
    def last_s(self) -> float:
        """When the person was last seen."""
        return self._times[-1]


def _columns(frames: Sequence[tuple[Floats, Floats]]) -> tuple[list[Floats], list[Floats]]:
    return [points for points, _ in frames], [scores for _, scores in frames]
