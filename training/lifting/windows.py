"""Windows of the recordings: a few frames around one, at the recorded speed or another."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lifting.recordings import Recording

SPEEDS = 0.25  # standard deviation of the logarithm of how much faster a window is played


class Windows:
    """Draws windows from recordings, every frame being as likely the one that counts."""

    def __init__(self, takes: Sequence[Recording], frames: int, reference: int) -> None:
        """`reference`: which of the frames counts. ValueError where there is no recording."""
        if not takes:
            raise ValueError("no recordings to draw from")
        self.frames, self.reference = frames, reference
        lengths = np.array([len(take.joints) for take in takes])
        self._ends = lengths.cumsum()
        self._begins = self._ends - lengths
        joints = np.concatenate([take.joints for take in takes])
        heads = np.concatenate([take.head for take in takes])
        self._joints = torch.tensor(joints, dtype=torch.float32)
        self._heads = torch.tensor(heads, dtype=torch.float32)

    def draw(self, count: int, random: np.random.Generator, *, vary: bool) -> tuple[Tensor, Tensor]:
        """Joints (B, T, 21, 3) m and turns of the head (B, T, 3, 3).

        `vary`: at other speeds and between frames. Before a recording's first frame and after its
        last one, these stand.
        """
        at = random.integers(self._ends[-1], size=count)
        take = np.searchsorted(self._ends, at, side="right")
        offsets = np.arange(self.frames, dtype=float)[None] - self.reference
        shift = random.random(count) if vary else np.zeros(count)
        speed = np.exp(random.normal(0, SPEEDS, count)) if vary else np.ones(count)
        times = (at + shift)[:, None] + offsets * speed[:, None]
        return self._at(times, self._begins[take], self._ends[take] - 1)

    def _at(
        self, times: NDArray[np.float64], begins: NDArray[np.int64], lasts: NDArray[np.int64]
    ) -> tuple[Tensor, Tensor]:
        times = np.clip(times, begins[:, None], lasts[:, None])
        first = np.minimum(times.astype(int), np.maximum(lasts - 1, begins)[:, None])
        second = np.minimum(first + 1, lasts[:, None])
        share = torch.tensor(times - first, dtype=torch.float32)[..., None, None]
        joints = torch.lerp(self._joints[first], self._joints[second], share)
        return joints, torch.where(share < 0.5, self._heads[first], self._heads[second])
