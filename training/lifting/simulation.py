"""Recordings, bodies, markers, cameras and sightings in a row: what a lifter is trained on."""

import json
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from lifting.bodies import Bodies, stature
from lifting.cameras import ANYWHERE, Cameras, Scene
from lifting.markers import HIPS, points_of
from lifting.sightings import Errors, exact, sighted
from lifting.windows import Windows


class Batch(NamedTuple):
    """B windows: what is seen, and what is true in the frame that counts."""

    keypoints: Tensor  # (B, T, 17, 2) from the picture's middle, in parts of its longer side
    scores: Tensor  # (B, T, 17)
    points: Tensor  # (B, 20, 3) body heights, camera axes, the pelvis at 0
    height_m: Tensor  # (B,)


class Simulation:
    """Batches without an end; the same seed gives the same ones."""

    def __init__(
        self, windows: Windows, *, seed: int, errors: Errors | None, scene: Scene = ANYWHERE
    ) -> None:
        """Without `errors` nothing is varied but the camera: for evaluation."""
        self._windows, self._errors = windows, errors
        self._numbers = np.random.default_rng(seed)
        self._random = torch.Generator().manual_seed(seed)
        self._bodies, self._cameras = Bodies(self._random), Cameras(self._random, scene)

    def batch(self, count: int) -> Batch:
        """`count` windows."""
        vary = self._errors is not None
        joints, heads = self._windows.draw(count, self._numbers, vary=vary)
        if vary:
            joints, heads = self._bodies.varied(joints, heads)
        reference = self._windows.reference
        height_m = stature(joints[:, reference])
        points = points_of(joints, heads, self._random if vary else None)
        points = points / height_m[:, None, None, None]
        views = self._cameras.seen(points, reference, lean=vary)
        truth = views.body[:, reference]
        truth = truth - truth[:, HIPS].mean(1, keepdim=True)
        if self._errors is None:
            sightings = exact(views.picture)
        else:
            sightings = sighted(views, self._errors, self._random)
        return Batch(sightings.keypoints, sightings.scores, truth, height_m)

    def reseed(self, seed: int) -> None:
        """Other batches from here on."""
        self._numbers = np.random.default_rng(seed)
        self._random.manual_seed(seed)

    def state(self) -> dict[str, Any]:
        """Where the random numbers are, for `restore`."""
        numbers = json.dumps(self._numbers.bit_generator.state)
        return {"numbers": numbers, "random": self._random.get_state()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on as from that state."""
        self._numbers.bit_generator.state = json.loads(state["numbers"])
        self._random.set_state(state["random"])
