"""How long live lifting takes on one core, and how many frames a second its window shows.

    python benchmarks/live_lifting.py CLIP

First `webcam_demo_3d.py` on all cores, with CLIP, a video of one person, in place of a webcam:
MoveNet, lifting, both pictures and the window, which shows no more frames a second than CLIP has.
That needs a display (or `xvfb-run`). Then one person over time, by `movenet.Lifter` on each engine
that is installed, in turn with the network of the earlier port (VideoPose of one frame, in PyTorch,
random weights), everything on one core: medians of a frame, in ms. Writes
results/live_lifting.json; exit code 1 if a bound is missed.
"""

import argparse
import json
import math
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

import movenet
from movenet.errors import EngineError
from movenet.lifting import videopose

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "live_lifting.json"
ENGINES = ("litert", "onnx", "torch")
FRAMES, ROUNDS = 60, 12  # of a round; rounds after one that does not count
SIZE = (720, 1280)
BOUND_MS, BOUND_FPS = 2.0, 25.0


def walker(frames: int) -> list[movenet.Poses]:
    """Somebody whose keypoints sway about a standing person's, 30 times a second."""
    levels = (0.06, 0.05, 0.05, 0.06, 0.06, 0.18, 0.18, 0.37, 0.37, 0.52, 0.52, 0.48, 0.48)
    y = np.array([*levels, 0.72, 0.72, 0.96, 0.96]) * 600 + 60
    x = 640 + 60 * np.array([0, 0.2, -0.2, 0.4, -0.4, *(1, -1) * 6])
    times = np.arange(frames)[:, None] / 30
    sway = 15 * np.sin(2 * math.pi * times + np.arange(17))
    scores = np.full((1, 17), 0.7, np.float32)
    return [
        movenet.Poses.from_arrays(
            np.stack((x + shift, y), -1)[None].astype(np.float32), scores, image_size=SIZE,
            timestamp_s=float(time_s),
        )
        for shift, (time_s,) in zip(sway, times, strict=True)
    ]  # fmt: skip


def lifters() -> dict[str, Callable[[movenet.Poses], object]]:
    """What is timed, by name."""
    found: dict[str, Callable[[movenet.Poses], object]] = {}
    for engine in ENGINES:
        try:
            found[engine] = movenet.Lifter(engine=engine)
        except EngineError as error:
            print(f"live_lifting.py: {error}", file=sys.stderr)
    model = videopose.VideoPose().eval()
    found["VideoPose"] = lambda poses: videopose.lift(model, poses.keypoints, poses.image_size)
    return found


def lifting_ms() -> dict[str, float]:
    """A frame's median time, of every lifter, on one core."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    torch.set_num_threads(1)
    timed, clip = lifters(), iter(walker(FRAMES * (ROUNDS + 1)))
    times: dict[str, list[float]] = {name: [] for name in timed}
    for count in range(ROUNDS + 1):
        frames = [next(clip) for _ in range(FRAMES)]
        for name, lift in timed.items():
            for poses in frames:
                start = time.perf_counter()
                lift(poses)
                if count:
                    times[name].append((time.perf_counter() - start) * 1000)
    return {name: float(np.median(each)) for name, each in times.items()}


def window_fps(clip: Path) -> float:
    """What the demo says at its end; its own error ends this program too."""
    command = [sys.executable, str(ROOT / "webcam_demo_3d.py"), "--cam_id", str(clip)]
    demo = subprocess.run(command, capture_output=True, text=True)
    if demo.returncode:
        sys.exit(demo.stderr.strip())
    (fps,) = re.findall(r"Average FPS: ([\d.]+)", demo.stdout)
    return float(fps)


def main(argv: Sequence[str] | None = None) -> int:
    """Print and save; 1 if a bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("clip", type=Path, metavar="CLIP", help="a video of one person")
    fps = window_fps(parser.parse_args(argv).clip)
    live_ms = lifting_ms()
    for name, took in live_ms.items():
        print(f"{name:12}{took:7.2f} ms a frame, one core")
    print(f"{'window':12}{fps:7.1f} frames/s (bound {BOUND_FPS:g})")
    RESULTS.write_text(json.dumps({"live_ms": live_ms, "window_fps": fps}, indent=1) + "\n")
    default = next(name for name in ENGINES if name in live_ms)
    return int(live_ms[default] > BOUND_MS or fps < BOUND_FPS)


if __name__ == "__main__":
    sys.exit(main())
