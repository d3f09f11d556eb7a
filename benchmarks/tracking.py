"""Ids on a street with ten people, against its ground truth and beside ByteTrack.

    python benchmarks/tracking.py ../shared/data/videos --trackers-python FILE
    python benchmarks/tracking.py    # the table again, from what is saved

The folder holds opencv_vtest.avi (PETS 2009 S2.L1, view 1; ten frames a second, people of 80
pixels) and opencv_vtest_mot_gt.txt, MOTChallenge's labels of it. ByteTrack is that of the
`trackers` package, in an environment of its own (`pip install trackers==2.6.1`), fed with the
boxes and instance scores that our tracker gets; the package's own metrics judge both. Its new
tracks need a score of 0.7 by default, which MultiPose's scores hardly reach, so it is also run
with our 0.2. "Most of a grid" is the setting with the most IDF1 of all in GRID, chosen here, on
this clip.

Rows with a second look by Thunder are `PoseTracker` with `refine`: the first look is the same, and
somebody who is missing is looked for where they should be, so its boxes are more than the others
had. Writes benchmarks/results/tracking.json.
"""

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, get_args

from movenet import PoseEstimator, Poses
from movenet.machine import this_machine
from movenet.pipeline import track
from movenet.pose_tracker import BORN, GOES_ON
from movenet.sources import open_source
from movenet.tracker import Similarity, Tracker

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "tracking.json"
CLIP, TRUTH = "opencv_vtest.avi", "opencv_vtest_mot_gt.txt"
SIZES = (256, 640)
REFINED = 256  # at which the second look is run too
Rows = list[tuple[float, ...]]

# ByteTrackTracker's arguments; its defaults first. What is not named stays as it is by default: a
# lost track is kept for a second, as ours is.
NAMED: dict[str, dict[str, float]] = {
    "defaults (score 0.7)": {},
    "score 0.2, seen twice": {
        "track_activation_threshold": BORN,
        "high_conf_det_threshold": BORN,
        "minimum_consecutive_frames": 2,
    },
    "score 0.2, seen once": {
        "track_activation_threshold": BORN,
        "high_conf_det_threshold": BORN,
        "minimum_consecutive_frames": 1,
    },
}
GRID: dict[str, tuple[float, ...]] = {
    "track_activation_threshold": (0.15, BORN, 0.3),
    "high_conf_det_threshold": (0.15, BORN, 0.3),
    "minimum_consecutive_frames": (1, 2, 3),
    "minimum_iou_threshold": (0.1, 0.2),
}
SETTINGS = [
    *NAMED.values(),
    *(dict(zip(GRID, chosen, strict=True)) for chosen in itertools.product(*GRID.values())),
]
BEST = "most IDF1 of a grid"


def main() -> int:
    """Measure where a folder is given, and tell what is saved."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("videos", type=Path, nargs="?", help="the folder with the clip")
    parser.add_argument(
        "--trackers-python", type=Path, help="Python of an environment that has `trackers`"
    )
    options = parser.parse_args()
    if options.videos:
        if not (options.videos / CLIP).is_file():
            parser.error(f"{options.videos}: {CLIP} is not there")
        if options.trackers_python is None:
            parser.error("--trackers-python: needed, since its metrics judge the tracks")
        report = measured(options.videos, options.trackers_python)
        RESULTS.write_text(json.dumps(report, indent=1) + "\n")
    print(table(json.loads(RESULTS.read_text())))
    return 0


def measured(videos: Path, python: Path) -> dict[str, Any]:
    """Both trackers at every size."""
    machine, clip = asdict(this_machine()), videos / CLIP
    detections: dict[str, list[list[list[float]]]] = {}
    tracks: dict[str, Rows] = {}
    for size in SIZES:
        frames = found(clip, size)
        detections[str(size)] = [boxes(poses) for poses in frames]
        for similarity in get_args(Similarity):
            tracker = Tracker(similarity, born=BORN)
            tracks[f"{size} {similarity}, one look"] = rows_of(map(tracker, frames))
        if size == REFINED:
            again = (poses for _, poses in track(clip, refine="thunder", size=size, smooth="none"))
            tracks[f"{size} oks, then thunder"] = rows_of(again)
        print(f"{CLIP} at {size}: followed", file=sys.stderr, flush=True)
    truth = truth_of(videos / TRUTH)
    with open_source(clip) as source:
        asked = {"rate": source.rate, "truth": truth, "tracks": tracks, "detections": detections}
    judged = answered(python, asked | {"settings": SETTINGS})
    return {
        "machine": machine,
        "versions": judged["versions"],
        "frames": len(frames),
        "people": len({row[1] for row in truth}),
        "boxes": len(truth),
        "rows": list(rows(judged)),
    }


def rows(judged: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Of the table: a tracker at a size each."""
    for size in SIZES:
        for name, figures in judged["tracks"].items():
            if name.startswith(f"{size} "):
                words = name.partition(" ")[2]
                yield {"size": size, "tracker": "movenet", "setting": words} | figures
        each = judged["byte_track"][str(size)]
        for name, figures in zip(NAMED, each, strict=False):
            yield {"size": size, "tracker": "ByteTrack", "setting": name} | figures
        best = max(range(len(NAMED), len(each)), key=lambda row: float(each[row]["IDF1"]))
        yield {
            "size": size,
            "tracker": "ByteTrack",
            "setting": BEST,
            "chosen": SETTINGS[best],
        } | each[best]


def found(clip: Path, size: int) -> list[Poses]:
    """The people of every frame, as `PoseTracker` hands them to its tracker without `refine`."""
    estimator = PoseEstimator("multipose", refine=False, size=size, person_threshold=BORN * GOES_ON)
    with open_source(clip) as source:
        return [
            replace(estimator.estimate([frame.image])[0], timestamp_s=frame.timestamp_s)
            for frame in source
        ]


def boxes(poses: Poses) -> list[list[float]]:
    """x1, y1, x2, y2 and score of everybody."""
    return [
        [*box, score]
        for box, score in zip(poses.boxes.tolist(), poses.scores.tolist(), strict=True)
    ]


def rows_of(frames: Iterator[Poses]) -> Rows:
    """Frame from 1, id, left, top, width, height of everybody with an id."""
    made: Rows = []
    for number, poses in enumerate(frames, 1):
        assert poses.ids is not None
        for ident, (x1, y1, x2, y2) in zip(poses.ids.tolist(), poses.boxes.tolist(), strict=True):
            made.append((number, ident, x1, y1, x2 - x1, y2 - y1))
    return made


def truth_of(path: Path) -> Rows:
    """The labels that count: those of flag 0 do not."""
    lines = [line.split(",") for line in path.read_text().splitlines()]
    return [
        (int(line[0]), int(line[1]), *map(float, line[2:6])) for line in lines if int(line[6]) != 0
    ]


def answered(python: Path, asked: dict[str, Any]) -> dict[str, Any]:
    """What peers/byte_track.py makes of it."""
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / "figures.json"
        command = [str(python), str(HERE / "peers" / "byte_track.py"), str(saved)]
        done = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"tracking.py: {done.stderr.strip()}")
        answer: dict[str, Any] = json.loads(saved.read_text())
        return answer


def table(report: dict[str, Any]) -> str:
    """Markdown, a tracker at a size a row."""
    lines = [
        "| size | tracker | setting | IDF1 | HOTA | MOTA | id switches | misses | false | ids |",
        "|---:|---|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in report["rows"]:
        shares = " | ".join(f"{100 * row[name]:.1f}" for name in ("IDF1", "HOTA", "MOTA"))
        counts = " | ".join(f"{row[name]}" for name in ("switches", "misses", "false", "ids"))
        setting = row["setting"]
        if "chosen" in row:
            setting += f": {', '.join(f'{value:g}' for value in row['chosen'].values())}"
        lines.append(f"| {row['size']} | {row['tracker']} | {setting} | {shares} | {counts} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
