"""What this package must be beside Google's graph and beside itself, measured.

    python benchmarks/ratios.py --google FOLDER [--int8 OURS.tflite --google-int8 FILE.tflite]

Each row is a run of `movenet benchmark`, in which two things take turns in one process. Writes
benchmarks/results/ratios.json; `python benchmarks/page.py` makes a table of it in
docs/benchmarks.md. Nothing else should run meanwhile. Exit code 1 if a bound is missed.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from movenet import pictures, weights
from movenet.machine import this_machine
from movenet.specs import SPECS

RESULTS = Path(__file__).parent / "results" / "ratios.json"
BATCHES = (2, 4, 8)
PROCESS_BOUND_S = 1.0
ESTIMATOR_BOUND, STREAMS_BOUND, INT8_BOUND = 1.15, 0.95, 0.90
# (model, threads) -> at most so much of the time of Google's float32 file.
GOOGLE_BOUNDS = {
    ("lightning", 1): 0.89,
    ("lightning", 2): 0.92,
    ("thunder", 1): 0.955,
    ("thunder", 2): 0.955,
    ("multipose", 1): 0.95,
    ("multipose", 2): 0.95,
}
# Height x width -> at most so much of Google's square, and of our own; one thread.
SHAPE_BOUNDS = {"128x192": (0.62, 0.70), "192x96": (0.50, 0.54)}


@dataclass(frozen=True, slots=True)
class Row:
    """A ratio with its 95 % interval, and the bound that it is held to.

    `first` and `second` are in ms a picture (s for whole processes). `most`: the bound is an upper
    one.
    """

    what: str
    threads: int
    first: float
    second: float
    ratio: float
    low: float
    high: float
    bound: float
    most: bool
    px: float | None  # how far our keypoints are from PyTorch float32, at most

    @property
    def met(self) -> bool:
        """By the middle value."""
        return self.ratio <= self.bound if self.most else self.ratio >= self.bound


def main() -> int:
    """Measure, tell, save."""
    options = parsed()
    machine = asdict(this_machine())
    rows = []
    for row in measured(options):
        rows.append(row)
        print(line(row), flush=True)
    report = {"machine": machine, "rounds": options.rounds, "rows": [asdict(row) for row in rows]}
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(report, indent=1) + "\n")
    return 0 if all(row.met for row in rows) else 1


def parsed() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    add = parser.add_argument
    add("--google", type=Path, required=True, help="folder with google_NAME_float32.tflite")
    add("--int8", type=Path, help="our Lightning in int8, see docs/export.md")
    add("--google-int8", type=Path, help="Google's Lightning in int8")
    add("--rounds", type=int, default=60, help="default: 60")
    add("--json", type=Path, default=RESULTS)
    options = parser.parse_args()
    if (options.int8 is None) != (options.google_int8 is None):
        parser.error("--int8 and --google-int8 go together")
    return options


def measured(options: argparse.Namespace) -> Iterator[Row]:
    """Every row, in the order of the page."""
    rounds, batches = options.rounds, ("--batch", *map(str, BATCHES))
    google = {name: options.google / f"google_{name}_float32.tflite" for name in SPECS}
    for (model, threads), bound in GOOGLE_BOUNDS.items():
        most = (model, threads) == ("lightning", 2)
        found = benchmark(rounds, model, threads, google[model], *(batches if most else ()))
        yield row(f"{model}, Google's graph", found, "vs", bound)
        if model == "lightning":
            yield row("estimator on 1280x720, its network", found, "estimator", ESTIMATOR_BOUND)
        for streams in found["streams"]:
            name = f"{streams['second']['name']}, single-thread streams, in speed"
            yield of(name, threads, streams, STREAMS_BOUND, most=False)
    own = weights.FOLDER / "lightning.tflite"  # its first graph is the square
    for shape, (beside_google, beside_own) in SHAPE_BOUNDS.items():
        for vs, name, bound in (
            (google["lightning"], "Google's 192x192", beside_google),
            (own, "192x192", beside_own),
        ):
            found = benchmark(rounds, "lightning", 1, vs, "--shape", shape)
            yield row(f"lightning at {shape}, {name}", found, "vs", bound)
    for threads in (1, 2) if options.int8 else ():
        vs, ours = options.google_int8, ("--engine", str(options.int8))
        found = benchmark(rounds, "lightning", threads, vs, *ours)
        yield row("lightning in int8, Google's int8", found, "vs", INT8_BOUND)
    yield whole_process(rounds // 3)


def benchmark(rounds: int, model: str, threads: int, vs: Path, *more: str) -> dict[str, Any]:
    """What one run of `movenet benchmark` saves; `more` are further options."""
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / "all.json"
        asked = ("--model", model, "--threads", str(threads), "--runs", str(rounds))
        run("benchmark", *asked, "--vs", str(vs), "--json", str(saved), *more)
        found: dict[str, Any] = json.loads(saved.read_text())
    return found


def run(*arguments: str) -> None:
    """The command line, in a process of its own; it ends with our own line where that fails."""
    movenet = shutil.which("movenet", path=str(Path(sys.executable).parent))
    if movenet is None:
        sys.exit("ratios.py: movenet is not installed beside this Python; run make setup")
    done = subprocess.run([movenet, *arguments], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"ratios.py: {done.stderr.strip()}")


def row(what: str, found: dict[str, Any], part: str, bound: float) -> Row:
    """An upper bound on one of the comparisons of a run."""
    return of(what, found["threads"], found[part], bound)


def of(
    what: str, threads: int, compared: dict[str, Any], bound: float, *, most: bool = True
) -> Row:
    """A comparison as a row."""
    first, second, ratio = (compared[key] for key in ("first", "second", "ratio"))
    if ratio is None:
        sys.exit(f"ratios.py: {what}: no ratio, since the keypoints differ")
    ours, theirs = (side["time"]["median_ms"] / side["pictures"] for side in (first, second))
    value, low, high = ratio["median"], ratio["low"], ratio["high"]
    return Row(what, threads, ours, theirs, value, low, high, bound, most, first["equality"]["px"])


def whole_process(rounds: int) -> Row:
    """`movenet predict` on a picture of the package, from its start to the saved picture.

    The bound is on the seconds themselves; PyTorch takes turns with it.
    """
    source = str(pictures.path("astronaut"))
    times: dict[str, list[float]] = {"litert": [], "torch": []}
    for _ in range(rounds + 1):
        for engine, taken in times.items():
            with tempfile.TemporaryDirectory() as folder:
                start = time.perf_counter()
                run("predict", source, "--save", folder, "--engine", engine)
                taken.append(time.perf_counter() - start)
    ours, torch = times["litert"][1:], times["torch"][1:]
    cuts = statistics.quantiles(ours, n=40)
    middle = statistics.median(ours)
    return Row(
        "movenet predict, whole process in seconds; PyTorch's beside it",
        this_machine().cores,
        first=middle,
        second=statistics.median(torch),
        ratio=middle,
        low=cuts[0],
        high=cuts[-1],
        bound=PROCESS_BOUND_S,
        most=True,
        px=None,
    )


def line(row: Row) -> str:
    """For people."""
    sign = "<=" if row.most else ">="
    return (
        f"{row.what}, {row.threads} threads: {row.ratio:.3f} ({row.low:.3f} to {row.high:.3f}), "
        f"{sign} {row.bound}: {'met' if row.met else 'MISSED'}; {row.first:.2f}, {row.second:.2f}"
    )


if __name__ == "__main__":
    sys.exit(main())
