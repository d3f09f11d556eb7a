"""Steadier keypoints, live: the One-Euro filter of every keypoint of every person.

One-Euro (Casiez, Roussel, Vogel: 1 Euro Filter, CHI 2012) is a low-pass of one pole whose cut-off
rises with speed: steady at rest, prompt in motion. Nothing here counts frames; a filter goes by
the time that passed.
"""

from dataclasses import replace
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from movenet.keypoints import INDEX
from movenet.poses import KEYPOINT_THRESHOLD, Poses

Mode = Literal["body", "google"]
Doubles = NDArray[np.float64]
FORGET_S = 1.0  # an id that was not seen for longer starts anew; as long as tfjs keeps a track
SHORTEST_S = 1e-9  # no time at all, as a divisor; then no step is taken
SIZE_HZ = 0.16  # a person's size follows with a time constant of one second

# Lengths between keypoints as parts of a person's height. Trunk and limbs: Drillis and Contini
# (1966), as in Winter, Biomechanics and Motor Control of Human Movement, figure 4.1. The pupils
# are 63 mm apart (Dodgson 2004), of 1.7 m.
SHARES = {
    ("left_shoulder", "right_shoulder"): 0.259,
    ("left_hip", "right_hip"): 0.191,
    ("left_shoulder", "left_hip"): 0.288,
    ("right_shoulder", "right_hip"): 0.288,
    ("left_shoulder", "left_elbow"): 0.186,
    ("right_shoulder", "right_elbow"): 0.186,
    ("left_elbow", "left_wrist"): 0.146,
    ("right_elbow", "right_wrist"): 0.146,
    ("left_hip", "left_knee"): 0.245,
    ("right_hip", "right_knee"): 0.245,
    ("left_knee", "left_ankle"): 0.246,
    ("right_knee", "right_ankle"): 0.246,
    ("left_eye", "right_eye"): 0.037,
}
FROM, TO = np.array([[INDEX[name] for name in edge] for edge in SHARES]).T
LENGTHS = np.array(list(SHARES.values()))


class Constants(NamedTuple):
    """Of a filter. A unit is what the mode measures in; see `MODES`."""

    min_cutoff_hz: float  # at rest
    beta: float  # Hz more for every unit per second
    speed_cutoff_hz: float  # of the low-pass of the speed
    threshold: float = 0.0  # a step over it, in units, counts less; 0: none does
    threshold_beta: float = 0.0  # units more for every unit per second


MODES: dict[Mode, Constants] = {
    # The unit is the person's height. At rest the lag is 1 / (2 pi 4 Hz) = 40 ms, in motion less;
    # 1 Hz for the speed is the paper's. benchmarks/smoothing.py has how beta was chosen.
    "body": Constants(4.0, 5.0, 1.0),
    # The units are the picture's width for x and its height for y: tfjs-models, pose-detection,
    # movenet/constants.ts, KEYPOINT_FILTER_CONFIG.
    "google": Constants(2.5, 300.0, 2.5, 0.5, 5.0),
}


class _Memory(NamedTuple):
    """What is kept of P people; points in picture pixels."""

    ids: NDArray[np.int64]  # (P,)
    seen_s: Doubles  # (P,), when last
    sizes: Doubles  # (P,), heights in picture pixels; NaN: not known yet
    raw: Doubles  # (P, 17, 2), as they came in
    steady: Doubles  # (P, 17, 2), as they went out
    speeds: Doubles  # (P, 17, 2), low-passed, units per second
    running: NDArray[np.bool_]  # (P, 17), whether a filter has begun

    @classmethod
    def of_strangers(cls, ids: NDArray[np.int64], now_s: float) -> "_Memory":
        """Of people who come now."""
        count = len(ids)
        sizes, points = np.full(count, np.nan), np.zeros((3, count, 17, 2))
        return cls._make([ids, np.full(count, now_s), sizes, *points, np.zeros((count, 17), bool)])

    def rows(self, which: NDArray[np.intp] | NDArray[np.bool_]) -> "_Memory":
        """Some of them."""
        return _Memory._make(column[which] for column in self)

    def beside(self, others: "_Memory") -> "_Memory":
        """Both."""
        return _Memory._make(np.concatenate(pair) for pair in zip(self, others, strict=True))


class Smoother:
    """Steadier keypoints of one stream, live: call it with the Poses of each frame.

    "body" measures speed in heights of the person per second, as a vector: the picture's size and
    orientation and the rate of frames make no difference. "google" is the filter of Google's
    TensorFlow.js package: x and y by themselves, as parts of the picture's width and height.

    A keypoint whose score is not over `keypoint_threshold` passes as it is, and its filter starts
    anew; so do those of a new id, and of one not seen for over a second. At a repeated timestamp
    the last output is held; one that goes back is a seek, and everything starts anew.
    """

    def __init__(
        self, mode: Mode = "body", *, keypoint_threshold: float = KEYPOINT_THRESHOLD
    ) -> None:
        """`mode` is "body" or "google", else ValueError."""
        if mode not in MODES:
            raise ValueError(f"mode must be one of {', '.join(get_args(Mode))}, not {mode!r}")
        self.mode: Mode = mode
        self.keypoint_threshold = keypoint_threshold
        self.reset()

    def reset(self) -> None:
        """Forget everybody."""
        self._now_s = -np.inf
        self._memory = _Memory.of_strangers(np.zeros(0, np.int64), self._now_s)

    def __call__(self, poses: Poses) -> Poses:
        """The same people, their keypoints steadier; nothing else differs.

        ValueError for poses without a timestamp, or people without ids.
        """
        if poses.timestamp_s is None:
            raise ValueError("timestamp_s is None: smoothing goes by time")
        if poses.ids is None and len(poses):
            raise ValueError("ids are None: smoothing follows people by their ids")
        if poses.timestamp_s < self._now_s:
            self.reset()
        self._now_s = poses.timestamp_s
        self._forget()
        if poses.ids is None or not len(poses):
            return poses
        before, others = self._recall(poses.ids)
        now = self._step(before, poses)
        self._memory = now.beside(others) if len(others.ids) else now
        return replace(poses, keypoints=now.steady.astype(np.float32))

    def _forget(self) -> None:
        """Whom nobody saw for too long."""
        kept = self._now_s - self._memory.seen_s <= FORGET_S
        if not kept.all():
            self._memory = self._memory.rows(kept)

    def _recall(self, ids: NDArray[np.int64]) -> tuple[_Memory, _Memory]:
        """What is kept of these people, in their order, and what of all others."""
        both = self._memory.beside(_Memory.of_strangers(ids, self._now_s))
        same = ids[:, None] == both.ids  # (P, known people and P)
        known = len(self._memory.ids)
        return both.rows(same.argmax(1)), self._memory.rows(~same[:, :known].any(0))

    def _step(self, before: _Memory, poses: Poses) -> _Memory:
        """The filters a frame later."""
        constants = MODES[self.mode]
        raw = poses.keypoints.astype(np.float64)
        seen = poses.keypoint_scores > self.keypoint_threshold
        passed_s = self._now_s - before.seen_s
        sizes = before.sizes
        if self.mode == "body":
            sizes = _followed(sizes, heights(raw, seen), passed_s)
            unit = sizes[:, None, None]  # (P, 1, 1)
        else:
            height, width = poses.image_size
            unit = np.array([[[width, height]]], np.float64)  # (1, 1, 2)
        time = passed_s[:, None, None]
        rates = (raw - before.raw) / (unit * np.maximum(time, SHORTEST_S))
        speeds = before.speeds + share(constants.speed_cutoff_hz, time) * (rates - before.speeds)
        pace = np.abs(speeds)
        if self.mode == "body":
            pace = np.hypot(pace[..., :1], pace[..., 1:])  # (P, 17, 1)
        step = raw - before.steady
        if constants.threshold:
            limit = (constants.threshold + constants.threshold_beta * pace) * unit
            step = limit * np.arcsinh(step / limit)
        steady = before.steady + share(constants.min_cutoff_hz + constants.beta * pace, time) * step
        # A size that is not known is NaN, and so is all that was made of it.
        going = (before.running & seen)[..., None] & np.isfinite(steady)
        return _Memory(
            ids=before.ids,
            seen_s=np.full(len(raw), self._now_s),
            sizes=sizes,
            raw=raw,
            steady=np.where(going, steady, raw),
            speeds=np.where(going, speeds, 0.0),
            running=seen,
        )


def share(cutoff_hz: float | Doubles, passed_s: Doubles) -> Doubles:
    """Of a step that a low-pass of one pole takes in that time, 0..1: the paper's alpha."""
    turn = 2 * np.pi * cutoff_hz * passed_s
    return np.asarray(turn / (1 + turn))


def heights(keypoints: Doubles, seen: NDArray[np.bool_]) -> Doubles:
    """How tall people would stand in the picture: (P, 17, 2), (P, 17) -> (P,) pixels.

    The lengths between keypoints that are seen, together, by the part of a person's height that
    those lengths are. NaN where there are none.
    """
    both = seen[:, FROM] & seen[:, TO]  # (P, 13)
    apart = keypoints[:, FROM] - keypoints[:, TO]
    lengths = (np.hypot(apart[..., 0], apart[..., 1]) * both).sum(1)
    shares = both @ LENGTHS
    known = (lengths > 0) & (shares > 0)
    return np.where(known, lengths / np.where(known, shares, 1.0), np.nan)


def _followed(sizes: Doubles, measured: Doubles, passed_s: Doubles) -> Doubles:
    """Sizes (P,) that follow the measured ones slowly; NaN of either gives the other."""
    followed = sizes + share(SIZE_HZ, passed_s) * (measured - sizes)
    return np.where(np.isnan(measured), sizes, np.where(np.isnan(sizes), measured, followed))
