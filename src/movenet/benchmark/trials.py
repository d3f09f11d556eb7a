"""What takes turns with something else: networks on batches, streams, estimators, foreign files."""

import copy
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from movenet.benchmark import Compared, Row
from movenet.benchmark.equality import Equality, compare
from movenet.benchmark.rounds import Clock, Ratio, Times, interleaved
from movenet.engines import Engine, Shape
from movenet.estimator import PoseEstimator

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]
Inputs = NDArray[Any]  # 0..255 in the type that a network takes; ours take uint8
Network = Callable[[Inputs], Floats]  # (N, H, W, 3) -> Google's tensor
Given = tuple[int, Floats]  # the number of a batch, and what a network gave for it

FRAME = (720, 1280)  # height and width of the picture that the estimator is timed on
STREAM_PICTURES = 16  # a turn of the streams has at least so many: threads start and end seldom
COMPARED_CALLS = 5  # of a side in a round
FEWEST_ROUNDS = 10  # of two that are compared: fewer give no interval


@dataclass(frozen=True, slots=True)
class Subject:
    """Inputs, what PyTorch float32 on the CPU gives for them, and the arithmetic that is judged."""

    inputs: Inputs  # (N, H, W, 3)
    wanted: Floats  # (N, 1, 17, 3) or (N, 6, 56)
    precision: str = "float32"

    @classmethod
    def of(cls, inputs: Pixels, reference: Network, precision: str = "float32") -> "Subject":
        """Inputs with the reference's answers, one at a time."""
        return cls(inputs, np.concatenate([reference(row[None]) for row in inputs]), precision)

    @property
    def shape(self) -> Shape:
        """Height and width of the inputs."""
        h, w = self.inputs.shape[1:3]
        return h, w

    def batches(self, size: int) -> list[Inputs]:
        """All inputs, so many at a time; the first come again where they run out."""
        return list(self.inputs[self._rows(size)])

    def equality(self, given: Sequence[Given], size: int = 1) -> Equality:
        """What a network gave for batches of that size, beside what is wanted."""
        rows = self._rows(size)
        wanted = [self.wanted[rows[index]] for index, _ in given]
        got = [output for _, output in given]
        return compare(np.concatenate(got), np.concatenate(wanted), self.shape, self.precision)

    def _rows(self, size: int) -> NDArray[np.intp]:
        """(batches, size): which inputs are in which batch."""
        count = math.ceil(len(self.inputs) / size)
        return (np.arange(count * size) % len(self.inputs)).reshape(count, size)


@dataclass(frozen=True, slots=True)
class Trial:
    """One side: what it calls in a round, how many pictures that does, and how right they were.

    `check` judges all that was given so far, so that what is timed is what is compared.
    """

    name: str
    call: Callable[[int], object]
    pictures: int
    shape: Shape
    check: Callable[[], Equality]
    foreign: bool = False

    @classmethod
    def of(
        cls,
        name: str,
        network: Network,
        subject: Subject,
        *,
        size: int = 1,
        repeat: int = 1,
        foreign: bool = False,
    ) -> "Trial":
        """A network on `repeat` batches of that size; each round takes the next ones."""
        batches = subject.batches(size)
        given: list[Given] = []

        def call(turn: int) -> None:
            for number in range(turn * repeat, (turn + 1) * repeat):
                index = number % len(batches)
                given.append((index, network(batches[index])))

        def check() -> Equality:
            return subject.equality(given, size)

        return cls(name, call, size * repeat, subject.shape, check, foreign)

    def row(self, times: Times) -> Row:
        """Its times (rounds,) or (rounds, calls) in milliseconds, as a row."""
        return Row.of(
            self.name,
            times,
            pictures=self.pictures,
            equality=self.check(),
            foreign=self.foreign,
        )


class Streams:
    """Threads that own a single-thread engine each and run one picture at a time."""

    def __init__(self, engines: Sequence[Engine]):
        """A thread an engine."""
        self._engines = engines
        self._pool = ThreadPoolExecutor(len(engines), "stream")

    def __call__(self, inputs: Pixels) -> Floats:
        """(N, H, W, 3) -> Google's tensor; of T threads the first takes inputs 0, T, 2T, ..."""
        count = len(self._engines)
        parts = list(
            self._pool.map(one_by_one, self._engines, [inputs[t::count] for t in range(count)])
        )
        rows = [parts[index % count][index // count] for index in range(len(inputs))]
        return np.stack(rows)


def one_by_one(engine: Engine, inputs: Pixels) -> list[Floats]:
    """An engine on one input after another."""
    return [engine(row[None])[0] for row in inputs]


def stream_trials(
    streams: Streams, engine: Engine, subject: Subject, size: int
) -> tuple[Trial, Trial]:
    """Streams, and the engine's batches of that size, on as many pictures."""
    repeat = math.ceil(STREAM_PICTURES / size)
    return (
        Trial.of("streams", streams, subject, size=size * repeat),
        Trial.of(f"batch {size}", engine, subject, size=size, repeat=repeat),
    )


def estimator_trials(
    estimator: PoseEstimator, picture: Pixels, reference: Network, precision: str = "float32"
) -> tuple[Trial, Trial]:
    """A whole estimator on a 1280x720 frame with the picture in it, and its network alone.

    The bars are trimmed, as an estimator does by itself.
    """
    trimming = copy.copy(estimator)  # the same engine
    trimming.letterbox = "trim"
    shown = frame(picture)
    subject = Subject.of(trimming.preprocess([shown])[0].inputs, reference, precision)
    network = Trial.of("network", trimming.engine, subject)
    whole = Trial("estimator", lambda turn: trimming(shown), 1, network.shape, network.check)
    return whole, network


def frame(picture: Pixels) -> Pixels:
    """A picture scaled into the middle of a black frame, (720, 1280, 3)."""
    height, width = picture.shape[:2]
    scale = min(FRAME[0] / height, FRAME[1] / width)
    h, w = max(1, round(height * scale)), max(1, round(width * scale))
    top, left = (FRAME[0] - h) // 2, (FRAME[1] - w) // 2
    shown = np.zeros((*FRAME, 3), np.uint8)
    shown[top : top + h, left : left + w] = cv2.resize(picture, (w, h))
    return shown


def rows(trials: Sequence[Trial], *, rounds: int, clock: Clock) -> list[Row]:
    """A row a trial; they take turns."""
    sides = [trial.call for trial in trials]
    times = interleaved(sides, rounds=rounds, calls=1, clock=clock)
    return [trial.row(times[:, index]) for index, trial in enumerate(trials)]


def compared(
    pair: tuple[Trial, Trial], *, rounds: int, clock: Clock, calls: int = COMPARED_CALLS
) -> Compared:
    """Two trials that take turns, over ten rounds at least."""
    sides = [trial.call for trial in pair]
    times = interleaved(sides, rounds=max(rounds, FEWEST_ROUNDS), calls=calls, clock=clock)
    first, second = (trial.row(times[:, index]) for index, trial in enumerate(pair))
    ratio = None
    if first.ranks and second.ranks:
        ratio = Ratio.of(times[:, 0] / first.pictures, times[:, 1] / second.pictures)
    return Compared(first, second, pair[0].shape, pair[1].shape, ratio)
