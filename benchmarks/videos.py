"""What `movenet track` makes of every clip of a folder, and where its time goes.

    python benchmarks/videos.py ../shared/data/videos [--seconds S]
    python benchmarks/videos.py    # the tables again, from what is saved

Each clip goes through MultiPose, plain and with a second look by Thunder, and through Lightning and
Thunder with the person's own crop, a clip of one person with Google's too, all smoothed live.
Milliseconds are means
of all frames, the first included; "read" is the waiting for a decoded frame, and frames a second
are those of the whole loop. Jitter is the median distance of a keypoint from its own 6 Hz low-pass
without lag, in thousandths of the person's height (`movenet.jitter`), before and after smoothing;
a clip of twelve frames a second or fewer has none.

"Apart" is how far keypoints are, before and after smoothing, from those of the slow way:
MultiPose at two sizes, then Thunder and its mirror image, on every third frame by itself, without
a memory. The median, in thousandths of the height, of the keypoints that score over 0.5 there. It
is another way through the same networks, so it shows what following loses, not what MoveNet gets
wrong. Writes benchmarks/results/videos.json. Nothing else should run meanwhile.
"""

import argparse
import json
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from movenet import PoseEstimator, Poses
from movenet.jitter import jitter
from movenet.machine import this_machine
from movenet.offline import CUTOFF_HZ
from movenet.pipeline import Step, steps
from movenet.pose_tracker import PoseTracker
from movenet.poses import KEYPOINT_THRESHOLD
from movenet.smoothing import heights
from movenet.sources import open_source

RESULTS = Path(__file__).parent / "results" / "videos.json"
SUFFIXES = (".mp4", ".avi")
THREADS = 2
# Of one person, or of one at a time; the others are everybody else's.
ALONE = ("pose2sim_single_", "intel_one_by_one", "talmolab_", "tfjs_pose_", "derived_")
SEVERAL: dict[str, dict[str, Any]] = {
    "multipose": {"model": "multipose"},
    "multipose, then thunder": {"model": "multipose", "refine": "thunder"},
}
ONE: dict[str, dict[str, Any]] = {
    f"{model}, {crop}": {"model": model, "crop": crop}
    for model in ("lightning", "thunder")
    for crop in ("person", "google")
}
OWN_CROP = {way: options for way, options in ONE.items() if options["crop"] == "person"}
SLOW: dict[str, Any] = {"model": "thunder", "finder": "multipose", "quality": "best"}
EVERY = 3  # frames, of the slow way
SURE = 0.5  # keypoint score of the slow way
STAGES = ("read", "preprocess", "inference", "decode", "track", "refine", "smooth")


def main() -> int:
    """Measure where a folder is given, and tell what is saved."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("videos", type=Path, nargs="?", help="the folder with the clips")
    parser.add_argument("--seconds", type=float, help="of each clip (default: all)")
    options = parser.parse_args()
    if options.videos:
        paths = sorted(path for path in options.videos.glob("*") if path.suffix in SUFFIXES)
        if not paths:
            parser.error(f"{options.videos}: no {' or '.join(SUFFIXES)} is there")
        machine = asdict(this_machine())
        rows = [row for path in paths for row in rows_of(path, options.seconds)]
        report = {"machine": machine, "threads": THREADS, "seconds": options.seconds, "rows": rows}
        RESULTS.write_text(json.dumps(report, indent=1) + "\n")
    print(tables(json.loads(RESULTS.read_text())))
    return 0


def rows_of(path: Path, seconds: float | None) -> list[dict[str, Any]]:
    """One clip, a row a way."""
    alone = path.stem.startswith(ALONE)
    slow = slowly(path, seconds) if alone else {}
    rows = []
    for way, options in (SEVERAL | (ONE if alone else OWN_CROP)).items():
        rows.append({"clip": path.stem, "way": way} | followed(path, seconds, slow, options))
        print(f"{path.stem}: {way}", file=sys.stderr, flush=True)
    return rows


def followed(
    path: Path, seconds: float | None, slow: dict[int, Poses], options: dict[str, Any]
) -> dict[str, Any]:
    """One clip one way: who was seen, how long it took, how steady and how near it is."""
    tracker = PoseTracker(threads=THREADS, **options)
    with open_source(path, end_s=seconds) as source:
        rate = source.rate
        start = time.perf_counter()
        done = [(step.poses, step.raw, lost_in(step)) for step in steps(source, tracker)]
        spent_s = time.perf_counter() - start
    live, raw = [poses for poses, _, _ in done], [poses for _, poses, _ in done]
    return {
        "rate": rate,
        "frames": len(done),
        "ids": len({ident for poses in live for ident in ids_of(poses)}),
        "lost": sum(lost for _, _, lost in done),
        "empty": sum(not len(poses) for poses in live),
        "frames_per_s": len(done) / spent_s,
        "ms": {name: ms / len(done) for name, ms in tracker.stopwatch.times_ms.items()},
        "jitter": [jitter_of(poses, rate) for poses in (raw, live)],
        "apart": [apart(poses, slow) for poses in (raw, live)],
    }


def lost_in(step: Step) -> int:
    """How many were lost in this frame."""
    return sum(event.event == "lost" for event in step.events)


def ids_of(poses: Poses) -> list[int]:
    """Of a frame's people."""
    assert poses.ids is not None
    ids: list[int] = poses.ids.tolist()
    return ids


def jitter_of(frames: Sequence[Poses], rate: float | None) -> float | None:
    """In heights; None where frames are too slow for it, or nobody is there."""
    if not rate or rate <= 2 * CUTOFF_HZ:
        return None
    return number(jitter(frames))


def number(value: float) -> float | None:
    """JSON has no NaN."""
    return None if math.isnan(value) else value


def slowly(path: Path, seconds: float | None) -> dict[int, Poses]:
    """Frame -> the best person of every third one, by itself."""
    estimator = PoseEstimator(**SLOW, threads=THREADS)
    with open_source(path, end_s=seconds, stride=EVERY) as source:
        return {frame.index: estimator.estimate([frame.image])[0][:1] for frame in source}


def apart(frames: Sequence[Poses], slow: dict[int, Poses]) -> float | None:
    """The median distance from the slow way in heights, where both see somebody."""
    found, sizes = [np.zeros(0)], []
    for poses in frames:
        true = slow.get(poses.frame_index or 0)
        if true is None or not len(true) or not len(poses):
            continue
        best = int(poses.scores.argmax())
        sure = true.keypoint_scores[0] > SURE
        found.append(np.hypot(*(poses.keypoints[best] - true.keypoints[0])[sure].T))
        points = true.keypoints.astype(np.float64)
        sizes.append(heights(points, true.keypoint_scores > KEYPOINT_THRESHOLD)[0])
    distances = np.concatenate(found)
    if not len(distances):
        return None
    return number(float(np.median(distances)) / float(np.nanmedian(sizes)))


def tables(report: dict[str, Any]) -> str:
    """Markdown: of several people, and of one."""
    named: dict[bool, list[dict[str, Any]]] = {True: [], False: []}
    for row in report["rows"]:
        named[row["way"] in SEVERAL].append(row)
    return f"{several_table(named[True])}\n\n{one_table(named[False])}\n"


def several_table(rows: Sequence[dict[str, Any]]) -> str:
    """Who is seen, and every stage."""
    lines = [
        f"| clip | way | frames | ids | times lost | {' | '.join(STAGES)} | frames/s | jitter |",
        f"|---|---|{'---:|' * (5 + len(STAGES))}",
    ]
    for row in rows:
        stages = " | ".join(f"{row['ms'].get(name, 0.0):.1f}" for name in STAGES)
        lines.append(
            f"| {row['clip']} | {row['way']} | {row['frames']} | {row['ids']} | {row['lost']} "
            f"| {stages} | {row['frames_per_s']:.0f} | {pair(row['jitter'])} |"
        )
    return "\n".join(lines)


def one_table(rows: Sequence[dict[str, Any]]) -> str:
    """How one person is followed."""
    lines = [
        "| clip | way | frames | ids | nobody in | times lost | ms | frames/s | jitter | apart |",
        f"|---|---|{'---:|' * 8}",
    ]
    for row in rows:
        spent = sum(ms for name, ms in row["ms"].items() if name != "read")
        lines.append(
            f"| {row['clip']} | {row['way']} | {row['frames']} | {row['ids']} "
            f"| {row['empty']} | {row['lost']} "
            f"| {spent:.1f} | {row['frames_per_s']:.0f} | {pair(row['jitter'])} "
            f"| {pair(row['apart'])} |"
        )
    return "\n".join(lines)


def pair(shares: Sequence[float | None]) -> str:
    """Before and after smoothing, in thousandths of a height."""
    words = ["-" if share is None else f"{1000 * share:.1f}" for share in shares]
    return "-" if words == ["-", "-"] else " / ".join(words)


if __name__ == "__main__":
    sys.exit(main())
