"""A network that sees every picture twice, as it is and mirrored, and gives the mean of both."""

import numpy as np
from numpy.typing import NDArray

from movenet.engines import Engine, Shape
from movenet.keypoints import MIRROR

LEAST = 1e-3  # weight of a keypoint that nobody sees


class MirroredEngine:
    """An engine for one person, both ways round: twice its time.

    A keypoint's place is the mean of both, weighted by their scores; its score is their mean.
    """

    def __init__(self, engine: Engine):
        """Around another engine."""
        self._engine = engine
        self.spec, self.runtime = engine.spec, engine.runtime

    @property
    def shapes(self) -> frozenset[Shape] | None:
        """Those of the engine."""
        return self._engine.shapes

    def __call__(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, H, W, 3) uint8 RGB -> (N, 1, 17, 3) float32."""
        seen = self._engine(batch)
        mirrored = self._engine(np.ascontiguousarray(batch[:, :, ::-1]))[:, :, list(MIRROR)]
        mirrored[..., 1] = 1 - mirrored[..., 1]
        weights = seen[..., 2:] + LEAST, mirrored[..., 2:] + LEAST
        output = (seen + mirrored) / np.float32(2)
        output[..., :2] = (seen[..., :2] * weights[0] + mirrored[..., :2] * weights[1]) / (
            weights[0] + weights[1]
        )
        return np.asarray(output, np.float32)
