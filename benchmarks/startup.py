"""How long Python takes to import movenet, and the command to print its help.

    python benchmarks/startup.py [--runs 20]

Whole processes, in turn, after one round that does not count. Exit code 1 if a median is over
its bound.
"""

import argparse
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

IMPORT_BOUND_S = 0.3
HELP_BOUND_S = 0.5


def commands() -> dict[str, tuple[list[str], float | None]]:
    """What is timed: its name -> the command, and its bound in seconds."""
    movenet = shutil.which("movenet", path=str(Path(sys.executable).parent))
    if movenet is None:
        sys.exit("startup.py: movenet is not installed beside this Python; run make setup")
    return {
        "python -c pass": ([sys.executable, "-c", "pass"], None),
        "import movenet": ([sys.executable, "-c", "import movenet"], IMPORT_BOUND_S),
        "movenet --help": ([movenet, "--help"], HELP_BOUND_S),
    }


def seconds(command: list[str]) -> float:
    """How long the command takes as a process of its own."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> int:
    """Print the table; 1 if a bound is missed."""
    parser = argparse.ArgumentParser(description="Times the package's start.")
    parser.add_argument("--runs", type=int, default=20, help="rounds (default: 20)")
    runs = parser.parse_args().runs
    timed = commands()
    rounds = [[seconds(command) for command, _ in timed.values()] for _ in range(runs + 1)][1:]

    print(f"{'':16}{'median':>9}{'fastest':>9}{'slowest':>9}{'bound':>8}")
    missed = 0
    for (name, (_, bound)), times in zip(timed.items(), zip(*rounds, strict=True), strict=True):
        median = statistics.median(times)
        row = f"{name:16}{median:8.3f}s{min(times):8.3f}s{max(times):8.3f}s"
        print(row if bound is None else f"{row}{bound:7.1f}s")
        missed += bound is not None and median > bound
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
