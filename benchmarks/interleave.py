"""Programs timed beside each other: each in a process of its own, in rounds, in a turning order.

A worker is any program that prints one line of JSON when it is ready, an object with "runtime",
and then answers lines on its standard input: "run N" with a list of N times in ms, measured
inside it, and "outputs" with what it finds in each picture, or null.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

START_LIMIT_S, RUN_LIMIT_S = 180.0, 120.0  # until an answer; it may import, compile, warm up
RESAMPLES = 2000

Times = NDArray[np.float64]  # (rounds, runs), ms


class WorkerError(Exception):
    """A worker gave no answer; the text is its reason."""


@dataclass(frozen=True, slots=True)
class Job:
    """One program to time. `missing` says why it cannot be started, where that is known."""

    table: str
    peer: str
    threads: int
    command: tuple[str, ...] = ()
    missing: str = ""


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times as long, with the ends of its 95 % interval."""

    value: float
    low: float
    high: float


class Worker:
    """A running program, see the head of this file."""

    def __init__(self, job: Job):
        """Start it and wait until it is ready. WorkerError with the reason where it fails."""
        if job.missing:
            raise WorkerError(job.missing)
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the worker)
        try:
            self._process = subprocess.Popen(
                job.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                text=True,
                env=os.environ | {"OMP_NUM_THREADS": str(job.threads)},
            )
        except OSError as error:
            self._stderr.close()
            raise WorkerError(without_folders(f"{job.command[0]}: {error.strerror}")) from error
        self.runtime = str(self._answer(START_LIMIT_S)["runtime"])

    def run(self, count: int) -> list[float]:
        """That many times in ms. WorkerError where it died."""
        times: list[float] = self._ask(f"run {count}")
        return times

    def outputs(self) -> Any:
        """What it finds in each picture. WorkerError where it died."""
        return self._ask("outputs")

    def close(self) -> None:
        """End the process, once."""
        if self._stderr.closed:
            return
        self._process.kill()
        self._process.communicate()
        self._stderr.close()

    def _ask(self, question: str) -> Any:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(question + "\n")
            self._process.stdin.flush()
        except OSError:
            raise WorkerError(self._reason()) from None
        return self._answer(RUN_LIMIT_S)

    def _answer(self, limit_s: float) -> Any:
        assert self._process.stdout is not None
        timer = threading.Timer(limit_s, self._process.kill)
        timer.start()
        line = self._process.stdout.readline()
        late = not timer.is_alive()
        timer.cancel()
        try:
            return json.loads(line)
        except ValueError:
            reason = self._reason()
        raise WorkerError(f"no answer in {limit_s:g} s" if late else reason)

    def _reason(self) -> str:
        """The last thing it said, after it has ended."""
        self._process.kill()
        code = self._process.wait()
        self._stderr.seek(0)
        said = self._stderr.read().decode(errors="replace").strip().splitlines()
        self.close()
        return without_folders(said[-1]) if said else f"ended with exit code {code}"


def without_folders(text: str) -> str:
    """A message with the folders of absolute paths left out."""
    return re.sub(r"(?<![\w.:/])/(?:[^\s/'\"]+/)+", "", text)


def start(jobs: Iterable[Job]) -> tuple[dict[Job, Worker], dict[Job, str]]:
    """Those that could be started, and the reasons of the others."""
    workers: dict[Job, Worker] = {}
    failed: dict[Job, str] = {}
    for job in jobs:
        try:
            workers[job] = Worker(job)
        except WorkerError as error:
            failed[job] = str(error)
            say(f"{job.table}, {job.peer}, {job.threads} threads: {error}")
    return workers, failed


def asked(
    workers: dict[Job, Worker], failed: dict[Job, str], question: Callable[[Worker], Any]
) -> dict[Job, Any]:
    """Every worker's answer; one that dies moves from `workers` to `failed`."""
    answers = {}
    for job, worker in list(workers.items()):
        try:
            answers[job] = question(worker)
        except WorkerError as error:
            del workers[job]
            failed[job] = str(error)
    return answers


def interleave(
    workers: dict[Job, Worker], failed: dict[Job, str], *, rounds: int, runs: int, dropped: int
) -> dict[Job, Times]:
    """The times of each worker; one that dies on the way moves to `failed`.

    In every round each worker runs `dropped + runs` times in a row and the first are left out:
    the worker before it has filled the caches. Each round begins with the next worker.
    """
    times: dict[Job, list[list[float]]] = {job: [] for job in workers}
    for number in range(rounds):
        say(f"round {number + 1} of {rounds}, {len(workers)} workers", end="\r")
        order = list(workers)
        first = number % len(order) if order else 0
        turned = {job: workers[job] for job in order[first:] + order[:first]}
        answers = asked(turned, failed, lambda worker: worker.run(dropped + runs))
        workers = {job: workers[job] for job in order if job in answers}
        for job, answer in answers.items():
            times[job].append(answer[dropped:])
    say("")
    return {job: np.array(times[job]) for job in workers}


def ratio(theirs: Times, ours: Times) -> Ratio:
    """How many times as long as ours theirs takes: the medians, divided.

    The interval is a percentile bootstrap over the rounds (Efron and Tibshirani 1993, chapter
    13): the runs of one round share what else the machine was doing, so whole rounds are drawn,
    the same for both.
    """
    count = len(ours)
    drawn = np.random.default_rng(0).integers(0, count, (RESAMPLES, count))
    medians = [np.median(times[drawn], axis=(1, 2)) for times in (theirs, ours)]
    low, high = np.percentile(medians[0] / medians[1], [2.5, 97.5])
    return Ratio(float(np.median(theirs) / np.median(ours)), float(low), float(high))


def say(text: str, end: str = "\n") -> None:
    """A line for who waits, on stderr."""
    print(text, end=end, file=sys.stderr, flush=True)
