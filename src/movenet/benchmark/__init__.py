"""How fast an engine is, beside whether what it gives is right.

- Whatever gives keypoints is compared with PyTorch float32 on the CPU, on the inputs that are
  timed (equality.py). What differs is shown, but has no pictures a second and no ratio.
- What is compared in time takes turns, round by round, in one process (rounds.py).
"""

import json
import math
from dataclasses import asdict, dataclass
from typing import Any

from movenet.benchmark.equality import Equality
from movenet.benchmark.rounds import Ratio, Spread, Times
from movenet.engines import Shape
from movenet.machine import Machine


@dataclass(frozen=True, slots=True)
class Row:
    """A thing that was timed; `time` is that of one call, which does `pictures` pictures.

    `equality` is None where it gives no keypoints. What is ours and differs does not rank, and
    has no `pictures_per_s`; nor does a foreign file that moves most keypoints.
    """

    name: str
    pictures: int
    time: Spread
    equality: Equality | None
    ranks: bool
    pictures_per_s: float | None

    @classmethod
    def of(
        cls,
        name: str,
        times: Times,
        *,
        pictures: int = 1,
        equality: Equality | None = None,
        foreign: bool = False,
    ) -> "Row":
        """Times (rounds,) or (rounds, calls) in milliseconds a call -> their row."""
        time = Spread.of(times)
        ranks = equality is None or (not equality.another if foreign else equality.equal)
        rate = pictures / time.median_ms * 1e3 if ranks else None
        return cls(name, pictures, time, equality, ranks, rate)


@dataclass(frozen=True, slots=True)
class Compared:
    """Two things that took turns at inputs of these shapes (height, width).

    `ratio` is the first's time over the second's, a picture; None where either does not rank.
    """

    first: Row
    second: Row
    first_shape: Shape
    second_shape: Shape
    ratio: Ratio | None


@dataclass(frozen=True, slots=True)
class Results:
    """All of a run. What `--json` writes is one object with these fields, each an object in turn.

    machine: see machine.Machine. model, runtime, device; threads on the CPU.
    shape: [height, width] of the input. rounds. pictures: the files that were timed, in turn.
    stages: the five of one picture. total: their sum. batches: the network alone, a row a size.
    streams: on LiteRT, for each size over 1, single-thread streams (first) and the batch (second);
    the ratio is the batch's speed over the streams'.
    estimator: a whole PoseEstimator on a 1280x720 array (first) and the network on the input that
    it makes of it (second).
    vs: the network (first) and the other file (second); null without one.

    Rows are as in Row, with {median_ms, p95_ms} as `time` and {px, confident_px, mean_px,
    moved, coordinates, scores, equal} as `equality`; comparisons as in Compared, with {median, low,
    high, rounds} as `ratio`.
    """

    machine: Machine
    model: str
    runtime: str
    device: str
    threads: int
    shape: Shape
    rounds: int
    pictures: list[str]
    stages: list[Row]
    total: Row
    batches: list[Row]
    streams: list[Compared]
    estimator: Compared
    vs: Compared | None

    def to_json(self) -> str:
        """One object, ASCII; null stands for a number that is not finite."""
        return json.dumps(finite(asdict(self)), indent=1, allow_nan=False) + "\n"


def finite(value: Any) -> Any:
    """Lists and dicts with None for what is not a finite number: JSON knows no other."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
