"""Whether what was timed is right: beside PyTorch float32 on the CPU, on the same inputs."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from movenet.engines import Shape
from movenet.errors import EngineError
from movenet.export.certificate import CONFIDENT, LIMITS, unpacked
from movenet.specs import STRIDE

Floats = NDArray[np.float32]

TOLERANCE = 1e-4  # of the input in coordinates, and of a score: what float32 engines differ by
ANOTHER = 0.5  # share of confident keypoints: where more have moved, the network is another one


@dataclass(frozen=True, slots=True)
class Equality:
    """Largest differences; infinite where something is not a number.

    A person's box counts as two points with the person's score. `confident_px`, `mean_px` and
    `moved` (the share that lies more than a cell away) are over what PyTorch scores over 0.3.
    """

    px: float  # of the input
    confident_px: float
    mean_px: float
    moved: float
    coordinates: float  # in parts of the input
    scores: float
    equal: bool  # within what its arithmetic may differ by

    @property
    def another(self) -> bool:
        """Whether most of what is seen lies elsewhere: a network that was trained differently."""
        return not self.moved <= ANOTHER


def compare(got: Floats, wanted: Floats, shape: Shape, precision: str = "float32") -> Equality:
    """Google's tensors of the same inputs of that shape (H, W). EngineError for other shapes.

    `precision` is that of the arithmetic: int8 is judged by the limits of its certificate.
    """
    if got.shape != wanted.shape:
        raise EngineError(f"the engine gives {got.shape}, not {wanted.shape}; export it again")
    points, scores = unpacked(got)  # (M, 2), (M,)
    true_points, true_scores = unpacked(wanted)
    apart = distances(points, true_points)  # (M, 2)
    px = np.linalg.norm(apart * np.array(shape), axis=1)
    seen = px[true_scores > CONFIDENT]
    coordinates, score = largest(apart), largest(distances(scores, true_scores))
    mean_px, moved = mean(seen), mean((seen > STRIDE).astype(np.float64))
    if precision == "int8":
        limits = LIMITS[precision]
        pairs = ((mean_px, limits.mean_px), (moved, limits.moved))
    else:
        pairs = ((coordinates, TOLERANCE), (score, TOLERANCE))
    equal = all(limit is not None and value <= limit for value, limit in pairs)
    return Equality(largest(px), largest(seen), mean_px, moved, coordinates, score, equal)


def distances(got: Floats, wanted: Floats) -> NDArray[np.float64]:
    """Absolute differences; infinite where either is not a number."""
    apart = np.abs(got.astype(np.float64) - wanted)
    return np.where(np.isnan(apart), np.inf, apart)


def largest(values: NDArray[np.float64]) -> float:
    """The largest, 0 of nothing."""
    return float(values.max(initial=0.0))


def mean(values: NDArray[np.float64]) -> float:
    """The mean, 0 of nothing."""
    return float(values.mean()) if len(values) else 0.0
