"""How much of the network's speed `movenet track` keeps, and whether its memory grows.

    python benchmarks/track.py ../shared/data/videos [--rounds 3] [--threads 2]

tfjs_pose_squats.mp4 (H.264, 720x1280) is repeated ten times without encoding it again. In every
round, in turn: the network alone, on inputs of the shapes that the run gave it; `movenet track` to
JSON Lines; and to JSON Lines and an annotated MP4. Decoding, drawing and encoding count. Medians of
frames a second. Memory: the peak of whole processes on talmolab_dance.mp4 and on ten times it.
Writes benchmarks/results/track.json and prints its table.
"""

import argparse
import contextlib
import io
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
from numpy.typing import NDArray

from movenet.cli import main as movenet
from movenet.engines import Engine
from movenet.machine import this_machine
from movenet.pose_tracker import PoseTracker
from movenet.sources import open_source

RESULTS = Path(__file__).parent / "results" / "track.json"
SPEED, MEMORY = "tfjs_pose_squats.mp4", "talmolab_dance.mp4"
TIMES = 10
WAYS: dict[str, tuple[str, bool]] = {  # the model, and whether there is a second look
    "lightning": ("lightning", False),
    "thunder": ("thunder", False),
    "multipose": ("multipose", False),
    "multipose, then thunder": ("multipose", True),
}
KEPT = 0.75  # of the network's frames a second, what is wanted
# Linux's own count: getrusage has the parent's peak too.
PEAK = (
    "import re, sys; from movenet.cli import main; main(sys.argv[1:]); "
    "print(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])"
)
RISE = 1.1  # of the memory, ten times the clip, at most


def main() -> int:
    """Measure, save, print; 1 where a bound is missed."""
    parser = argparse.ArgumentParser(description="Speed and memory of movenet track.")
    parser.add_argument("videos", type=Path, help="the folder of clips")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        long = repeated(args.videos / SPEED, Path(folder) / SPEED)
        rows = [timed(name, long, args.rounds, args.threads, Path(folder)) for name in WAYS]
        memory = [
            peak_mb(clip, Path(folder))
            for clip in (
                args.videos / MEMORY,
                repeated(args.videos / MEMORY, Path(folder) / MEMORY),
            )
        ]
    report = {
        "machine": asdict(this_machine()),
        "threads": args.threads,
        "rows": rows,
        "memory_mb": memory,
    }
    RESULTS.write_text(json.dumps(report, indent=1) + "\n")
    print(table(report))
    kept = min(row["json"] / row["network"] for row in rows)
    return 0 if kept >= KEPT and memory[1] <= RISE * memory[0] else 1


def repeated(clip: Path, to: Path) -> Path:
    """A clip so many times, its packets copied."""
    with av.open(str(to), "w") as joined:
        stream, start = None, 0
        for _ in range(TIMES):
            with av.open(str(clip)) as file:
                video = file.streams.video[0]
                stream = stream or joined.add_stream_from_template(video)
                end = start
                for packet in file.demux(video):
                    if packet.dts is None or packet.pts is None:
                        continue
                    packet.pts, packet.dts = packet.pts + start, packet.dts + start
                    end = max(end, packet.pts + (packet.duration or 0))
                    packet.stream = stream
                    joined.mux(packet)
                start = end
    return to


def timed(name: str, clip: Path, rounds: int, threads: int, folder: Path) -> dict[str, Any]:
    """Frames a second of the network alone and of the command, with and without a movie."""
    model, refine = WAYS[name]
    frames, network = alone(clip, PoseTracker(model, refine=refine, threads=threads))
    command = ["track", str(clip), "--model", model, "--threads", str(threads)]
    command += ["--refine" if refine else "--no-refine", "--json", str(folder / "a.jsonl")]
    ways: dict[str, Callable[[], object]] = {
        "network": network,
        "json": lambda: quiet(command),
        "movie": lambda: quiet([*command, "--save", str(folder / "a.mp4")]),
    }
    speeds: dict[str, list[float]] = {way: [] for way in ways}
    for turn in range(rounds + 1):
        for way, run in ways.items():
            start = time.perf_counter()
            run()
            if turn:  # the first round makes everything ready
                speeds[way].append(frames / (time.perf_counter() - start))
    return {"name": name} | {way: statistics.median(found) for way, found in speeds.items()}


@dataclass(frozen=True, slots=True)
class Recorded:
    """An engine that keeps the shapes of its inputs."""

    engine: Engine
    calls: list[tuple[Engine, tuple[int, ...]]]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.engine, name)

    def __call__(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.calls.append((self.engine, batch.shape))
        return self.engine(batch)


def alone(clip: Path, tracker: PoseTracker) -> tuple[int, Callable[[], None]]:
    """How many frames a run has, and its networks on empty inputs of its shapes, in its order."""
    calls: list[tuple[Engine, tuple[int, ...]]] = []
    estimator = tracker.estimator
    estimator.engine = cast(Engine, Recorded(estimator.engine, calls))
    if estimator.second is not None:
        estimator.second = cast(Engine, Recorded(estimator.second, calls))
    memory, frames = tracker.memory(), 0
    with open_source(clip) as source:
        for frame in source:
            tracker.together([frame], [memory])
            frames += 1
    inputs = {shape: np.zeros(shape, np.uint8) for _, shape in calls}

    def run() -> None:
        for engine, shape in calls:
            engine(inputs[shape])

    return frames, run


def quiet(command: list[str]) -> None:
    """Run a command in this process."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        status = movenet(command)
    if status:
        sys.exit(f"movenet {' '.join(command)} ended with {status}")


def peak_mb(clip: Path, folder: Path) -> float:
    """Of the command as a process of its own, with a movie and tables."""
    options = ["--model", "lightning", "--json", "b.jsonl", "--csv", "b.csv", "--save", "b.mp4"]
    done = subprocess.run(
        [sys.executable, "-c", PEAK, "track", str(clip.resolve()), *options],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    return int(done.stdout.split()[-1]) / 2**10


def table(report: dict[str, Any]) -> str:
    """Markdown: a row a way, and a line about memory."""
    lines = [
        "| frames a second | network alone | to JSON Lines | kept | and an annotated MP4 |",
        "|---|--:|--:|--:|--:|",
    ]
    for row in report["rows"]:
        kept = row["json"] / row["network"]
        lines.append(
            f"| {row['name']} | {row['network']:.0f} | {row['json']:.0f} | {kept:.2f} | "
            f"{row['movie']:.0f} |"
        )
    one, ten = report["memory_mb"]
    lines += ["", f"Peak memory: {one:.0f} MB for a clip of 18 s, {ten:.0f} MB for ten times it."]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
