"""Whether what was timed is right: beside PyTorch float32 on the CPU, on the same inputs."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from movenet.engines import Shape
from movenet.errors import EngineError
from movenet.export.certificate import CONFIDENT, unpacked

Floats = NDArray[np.float32]

TOLERANCE = 1e-4  # of the input in coordinates, and of a score: what float32 engines differ by


@dataclass(frozen=True, slots=True)
class Equality:
    """Largest differences; infinite where something is not a number.

    A person's box counts as two points with the person's score. `confident_px` is over what
    PyTorch scores over 0.3.
    """

    px: float  # of the input
    confident_px: float
    coordinates: float  # in parts of the input
    scores: float

    @property
    def equal(self) -> bool:
        """Within what two float32 engines differ by."""
        return self.coordinates <= TOLERANCE and self.scores <= TOLERANCE


def compare(got: Floats, wanted: Floats, shape: Shape) -> Equality:
    """Google's tensors of the same inputs of that shape (H, W). EngineError for other shapes."""
    if got.shape != wanted.shape:
        raise EngineError(f"the engine gives {got.shape}, not {wanted.shape}; export it again")
    points, scores = unpacked(got)  # (M, 2), (M,)
    true_points, true_scores = unpacked(wanted)
    apart = distances(points, true_points)  # (M, 2)
    px = np.linalg.norm(apart * np.array(shape), axis=1)
    return Equality(
        px=largest(px),
        confident_px=largest(px[true_scores > CONFIDENT]),
        coordinates=largest(apart),
        scores=largest(distances(scores, true_scores)),
    )


def distances(got: Floats, wanted: Floats) -> NDArray[np.float64]:
    """Absolute differences; infinite where either is not a number."""
    apart = np.abs(got.astype(np.float64) - wanted)
    return np.where(np.isnan(apart), np.inf, apart)


def largest(values: NDArray[np.float64]) -> float:
    """The largest, 0 of nothing."""
    return float(values.max(initial=0.0))
