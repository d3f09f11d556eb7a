"""One picture's way from the file to the drawing, each stage timed apart."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from movenet import images
from movenet.benchmark import Row
from movenet.benchmark.equality import Equality
from movenet.benchmark.rounds import Clock, Times
from movenet.crop import CropRegion
from movenet.engines import Shape
from movenet.estimator import PoseEstimator
from movenet.sampling import Batch, Look

STAGES = (
    "read and decode",
    "crop and resize",
    "network with its decoding",
    "decode keypoints",
    "draw",
)
NETWORK = STAGES[2]
Floats = NDArray[np.float32]
WARM_UP = 3  # rounds that do not count


def sample(estimator: PoseEstimator, picture: NDArray[np.uint8], shape: Shape) -> Batch:
    """A whole picture (height, width, 3) as the network sees it at that input shape.

    At the square of its model the estimator does it; at another shape the picture lies in the
    middle, as large as it fits, by the same sampling.
    """
    side = estimator.engine.spec.side
    if shape == (side, side):
        return estimator.preprocess([picture])[0]
    height, width = picture.shape[:2]
    step = max(height / shape[0], width / shape[1])
    left, top = (width - step * shape[1]) / 2, (height - step * shape[0]) / 2
    region = CropRegion(left, top, step, step, shape)
    return Batch((0,), (Look(0, region),), region.extract(picture)[None])


def stage_times(
    estimator: PoseEstimator, paths: Sequence[Path], shape: Shape, *, rounds: int, clock: Clock
) -> tuple[Times, list[Floats]]:
    """Milliseconds (rounds, 5) of the stages, and what the network gave in each round.

    Each round takes the next picture.
    """
    turns = [paths[turn % len(paths)] for turn in range(-WARM_UP, rounds)]
    walks = [walk(estimator, path, shape, clock) for path in turns][WARM_UP:]
    readings = [reading for reading, _ in walks]  # (rounds, 6)
    return np.diff(readings, axis=1) * 1e3, [output for _, output in walks]


def walk(
    estimator: PoseEstimator, path: Path, shape: Shape, clock: Clock
) -> tuple[list[float], Floats]:
    """One picture through all stages: the clock's six readings, and the network's output."""
    readings = [clock()]
    picture = images.read(path, max_megapixels=estimator.max_megapixels)
    readings.append(clock())
    batch = sample(estimator, picture, shape)
    readings.append(clock())
    output = estimator.engine(batch.inputs)
    readings.append(clock())
    poses = estimator.postprocess(output[0], batch.looks[0].region, picture.shape[:2])
    readings.append(clock())
    poses.draw(picture, keypoint_threshold=estimator.keypoint_threshold)
    readings.append(clock())
    return readings, output


def stage_rows(times: Times, equality: Equality) -> tuple[list[Row], Row]:
    """Times (rounds, 5) -> a row a stage, and that of their sums; the network's equality."""
    rows = [
        Row.of(name, column, equality=equality if name == NETWORK else None)
        for name, column in zip(STAGES, times.T, strict=True)
    ]
    return rows, Row.of("total", times.sum(1), equality=equality)
