"""Calls that take turns, and what their times say."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from movenet.engines import Engine

Clock = Callable[[], float]  # seconds
Side = Callable[[int], object]  # one call, in the round of that number
Times = NDArray[np.float64]  # milliseconds

DRAWS = 2000  # of the bootstrap
CONFIDENCE = 95  # per cent


@dataclass(frozen=True, slots=True)
class Spread:
    """Of the times of one thing."""

    median_ms: float
    p95_ms: float

    @classmethod
    def of(cls, times: Times) -> "Spread":
        """Times (R,) or (R, calls) -> the median over rounds, and the 95th percentile of all.

        A round's time is its calls' median, as in `Ratio`: where every round gives the same
        ratio, two medians give it too, however much the rounds differ.
        """
        rounds = np.median(times.reshape(len(times), -1), axis=1)
        return cls(float(np.median(rounds)), float(np.percentile(times, 95)))


@dataclass(frozen=True, slots=True)
class Ratio:
    """One side's time over the other's: the median over rounds, and its 95 % interval."""

    median: float
    low: float
    high: float
    rounds: int

    @classmethod
    def of(cls, ours: Times, theirs: Times) -> "Ratio":
        """Times (R, calls) each -> the ratio of their medians in each round, summed up.

        Both sides of a round ran within moments of each other, so that what slows the machine
        for a while slows both, and cancels.
        """
        ratios = np.median(ours, axis=1) / np.median(theirs, axis=1)  # (R,)
        low, high = bootstrap(ratios)
        return cls(float(np.median(ratios)), low, high, len(ratios))


def bootstrap(values: Times, *, seed: int = 0) -> tuple[float, float]:
    """The percentile interval of the median of (R,) values (Efron 1979); the same every time."""
    drawn = np.random.default_rng(seed).integers(0, len(values), (DRAWS, len(values)))
    medians = np.median(values[drawn], axis=1)
    low, high = np.percentile(medians, [(100 - CONFIDENCE) / 2, (100 + CONFIDENCE) / 2])
    return float(low), float(high)


def interleaved(sides: Sequence[Side], *, rounds: int, calls: int, clock: Clock) -> Times:
    """Milliseconds (rounds, sides, calls) of sides that take turns.

    In a round each side makes one call that does not count, since the caches hold what the
    other side left, and then its timed ones. Every second round goes the other way round.
    """
    seconds = np.empty((rounds, len(sides), calls))
    for turn in range(rounds):
        order = range(len(sides))
        for index in order if turn % 2 == 0 else reversed(order):
            side = sides[index]
            side(turn)
            for call in range(calls):
                start = clock()
                side(turn)
                seconds[turn, index, call] = clock() - start
    return seconds * 1e3


def clock_of(engine: Engine) -> Clock:
    """A clock that first waits until the engine's device has nothing left to do.

    Engines return NumPy arrays, and a result that is on the host has waited for the device by
    itself; this keeps what a call leaves behind on the device out of the next one's time.
    """
    device = getattr(engine, "device", torch.device("cpu"))

    def clock() -> float:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        elif device.type == "mps":
            torch.mps.synchronize()
        return time.perf_counter()

    return time.perf_counter if device.type == "cpu" else clock
