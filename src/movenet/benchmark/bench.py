"""An engine on its bench: what a benchmark measures, part by part."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from movenet.benchmark import Compared, Row, trials
from movenet.benchmark.rounds import Clock, clock_of
from movenet.benchmark.stages import sample, stage_rows, stage_times
from movenet.benchmark.trials import Subject, Trial
from movenet.engines import Engine, Shape
from movenet.engines.torch import TorchEngine
from movenet.errors import EngineError
from movenet.estimator import PoseEstimator
from movenet.selection import default_threads, select_engine

if TYPE_CHECKING:
    from movenet.benchmark.foreign import ForeignFile

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked to be timed, in the words of `select_engine`; `shape` None is the square."""

    model: str = "lightning"
    engine: str | Path = "auto"
    device: str = "auto"
    threads: int | None = None
    shape: Shape | None = None


@dataclass(frozen=True, slots=True)
class Bench:
    """An engine with its pictures, the reference, a clock, and the number of rounds."""

    asked: Asked
    estimator: PoseEstimator
    reference: Engine  # PyTorch float32 on the CPU
    pictures: Mapping[Path, Pixels]  # (height, width, 3)
    subject: Subject
    rounds: int
    clock: Clock

    @classmethod
    def of(cls, asked: Asked, pictures: Mapping[Path, Pixels], rounds: int) -> "Bench":
        """Load the networks. Raises EngineError for what is missing, or a shape that is."""
        estimator = PoseEstimator(
            asked.model,
            refine=False,
            engine=asked.engine,
            device=asked.device,
            threads=asked.threads,
            letterbox="square",
        )
        shape = input_shape(estimator.engine, asked)
        reference = TorchEngine(asked.model, device="cpu")
        inputs = [sample(estimator, picture, shape).inputs for picture in pictures.values()]
        precision = getattr(estimator.engine, "precision", "float32")
        subject = Subject.of(np.concatenate(inputs), reference, precision)
        clock = clock_of(estimator.engine)
        return cls(asked, estimator, reference, pictures, subject, rounds, clock)

    @property
    def engine(self) -> Engine:
        """What is timed."""
        return self.estimator.engine

    @property
    def device(self) -> str:
        """Where it runs: cpu, cuda, cuda:1 or mps."""
        return str(getattr(self.engine, "device", "cpu"))

    @property
    def threads(self) -> int:
        """On the CPU."""
        if isinstance(self.engine, TorchEngine):
            return torch.get_num_threads()
        return self.asked.threads or default_threads()

    def stages(self) -> tuple[list[Row], Row]:
        """The five stages of a picture, and their sum."""
        paths = list(self.pictures)
        times, outputs = stage_times(
            self.estimator, paths, self.subject.shape, rounds=self.rounds, clock=self.clock
        )
        given = [(turn % len(paths), output) for turn, output in enumerate(outputs)]
        return stage_rows(times, self.subject.equality(given))

    def batches(self, sizes: Sequence[int]) -> list[Row]:
        """The network alone, a row a size."""
        sides = [Trial.of(f"batch {n}", self.engine, self.subject, size=n) for n in sizes]
        return trials.rows(sides, rounds=self.rounds, clock=self.clock)

    def streams(self, sizes: Sequence[int]) -> list[Compared]:
        """On LiteRT, single-thread streams and each batch over 1; nothing elsewhere.

        There are as many streams as the batch has threads.
        """
        sizes = [size for size in sizes if size > 1]
        if not sizes or not self.engine.runtime.startswith("LiteRT"):
            return []
        asked = self.asked
        engines = [
            select_engine(asked.model, engine=asked.engine, device=asked.device, threads=1)
            for _ in range(self.threads)
        ]
        streams = trials.Streams(engines)
        pairs = [trials.stream_trials(streams, self.engine, self.subject, size) for size in sizes]
        return [
            trials.compared(pair, rounds=self.rounds, clock=self.clock, calls=1) for pair in pairs
        ]

    def around(self) -> Compared:
        """A whole estimator on a 1280x720 array, and its network."""
        first = next(iter(self.pictures.values()))
        pair = trials.estimator_trials(
            self.estimator, first, self.reference, self.subject.precision
        )
        return trials.compared(pair, rounds=self.rounds, clock=self.clock)

    def versus(self, other: "ForeignFile") -> Compared:
        """The network and somebody else's file, each on one picture in its own type."""
        inputs = [
            sample(self.estimator, picture, other.shape).inputs
            for picture in self.pictures.values()
        ]
        same = other.shape == self.subject.shape
        subject = self.subject if same else Subject.of(np.concatenate(inputs), self.reference)
        subject = Subject(other.prepared(subject.inputs), subject.wanted)
        theirs = Trial.of(other.name, other, subject, foreign=True)
        pair = Trial.of("ours", self.engine, self.subject), theirs
        return trials.compared(pair, rounds=self.rounds, clock=self.clock)


def input_shape(engine: Engine, asked: Asked) -> Shape:
    """The shape that is asked for, if the engine has it.

    The shipped LiteRT engine would run any other on PyTorch, and the times would be PyTorch's.
    """
    shape = asked.shape or (engine.spec.side, engine.spec.side)
    if engine.shapes is not None and shape not in engine.shapes:
        there = ", ".join(f"{h}x{w}" for h, w in sorted(engine.shapes, reverse=True))
        raise EngineError(
            f"--shape {shape[0]}x{shape[1]}: the engine takes {there}; name one of them, or take "
            "--engine torch"
        )
    return shape
