"""How far `Poses.confidence` and `keypoint_confidence` hold, and who is found where nobody is.

    python benchmarks/reliability.py ../shared/data/coco_val2017
    python benchmarks/reliability.py    # the plot again, from what is saved

On pictures that had no part in the learning (training/confidence.py). Saved in
benchmarks/results/reliability.json; docs/reliability.png shows the curves, and `accuracy.py`
writes the tables into docs/accuracy.md.
"""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from movenet import PoseEstimator, images
from movenet.evaluation.found import beside
from movenet.evaluation.truth import Truth
from movenet.machine import this_machine

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "reliability.json"
PLOT = HERE.parent / "docs" / "reliability.png"
BINS = 10
# Ways of looking, as PoseEstimator's arguments.
WAYS: dict[str, dict[str, Any]] = {
    "lightning, one look": {"model": "lightning", "refine": False},
    "thunder, one look": {"model": "thunder", "refine": False},
    "multipose, one look": {"model": "multipose", "refine": False},
    "lightning, then lightning": {"model": "lightning"},
    "lightning, then thunder": {"model": "lightning", "refine": "thunder"},
    "multipose, then thunder, one person": {"model": "thunder", "finder": "multipose"},
    "multipose, then thunder": {"model": "multipose"},
    "multipose, then thunder, best": {"model": "multipose", "quality": "best"},
}
SHOWN = ("lightning, then thunder", "multipose, then thunder")


def main() -> int:
    """Measure where a folder is given, and draw the curves."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("data", type=Path, nargs="?", help="a folder as coco_val2017")
    options = parser.parse_args()
    if options.data:
        rows = [{"name": name} | measured(options.data, way) for name, way in WAYS.items()]
        report = {"machine": asdict(this_machine()), "rows": rows}
        RESULTS.write_text(json.dumps(report, indent=1) + "\n")
    plot(json.loads(RESULTS.read_text())["rows"], PLOT)
    return 0


def measured(data: Path, way: dict[str, Any]) -> dict[str, Any]:
    """One way of looking: correlation, curves, and who is there at the default threshold."""
    numbers = sorted(int(path.stem) for path in (data / "images").glob("*.jpg"))
    truth = Truth.read(data / "person_keypoints.json", numbers)
    everybody = PoseEstimator(**way, person_threshold=0.0)
    expected, real, sure, near = [], [], [], []
    for number, record in truth.images.items():
        (poses,) = everybody.estimate([images.read(data / "images" / record["file_name"])])
        assert poses.confidence is not None
        assert poses.keypoint_confidence is not None
        found = beside(poses, truth.people[number])
        expected.append(poses.confidence[found.counts])
        real.append(found.oks[found.counts])
        sure.append(poses.keypoint_confidence[found.person, found.keypoint])
        near.append(found.near)
    people = np.concatenate(expected), np.concatenate(real)
    keypoints = np.concatenate(sure), np.concatenate(near).astype(float)
    default = PoseEstimator(**way)
    someone, empty = (counted(default, data, name) for name in ("single", "nobody"))
    return {
        "people": len(people[0]),
        "correlation": float(np.corrcoef(*people)[0, 1]),
        "error": float(np.abs(people[0] - people[1]).mean()),
        "people_curve": curve(*people),
        "keypoints": len(keypoints[0]),
        "keypoint_curve": curve(*keypoints),
        "threshold": default.person_threshold,
        "missed": [int((someone == 0).sum()), len(someone)],
        "false": [int((empty > 0).sum()), len(empty)],
    }


def counted(estimator: PoseEstimator, data: Path, name: str) -> NDArray[np.int64]:
    """How many people are found in each picture of a list."""
    numbers = (data / f"{name}_ids.txt").read_text().split()
    paths = [data / "images" / f"{int(number):012d}.jpg" for number in numbers]
    return np.array([len(estimator(path)) for path in paths])


def curve(said: NDArray[np.floating], was: NDArray[np.floating]) -> list[list[float]]:
    """By tenths of what was said: its mean, the mean of what was, and how many."""
    bins = np.minimum((np.asarray(said) * BINS).astype(int), BINS - 1)
    return [
        [float(said[bins == b].mean()), float(was[bins == b].mean()), int((bins == b).sum())]
        for b in range(BINS)
        if (bins == b).any()
    ]


def plot(rows: list[dict[str, Any]], path: Path) -> None:
    """What was said against what was, people on the left, keypoints on the right."""
    from matplotlib.figure import Figure  # noqa: PLC0415 (an extra)

    figure = Figure((9, 4.2), layout="constrained")
    sides = figure.subplots(1, 2)
    titles = ("people: expected OKS", "keypoints: chance to lie near")
    for axes, name, title in zip(sides, ("people_curve", "keypoint_curve"), titles, strict=True):
        axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
        for row, marker, colour in zip(
            [row for row in rows if row["name"] in SHOWN], "os", ("#0072b2", "#d55e00"), strict=True
        ):
            said, was, _ = zip(*row[name], strict=True)
            axes.plot(said, was, marker=marker, color=colour, label=row["name"])
        axes.set_xlabel(title)
        axes.set_ylabel("found on pictures that it was not learnt from")
        axes.legend(fontsize=8)
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110, metadata={"Software": None})


if __name__ == "__main__":
    sys.exit(main())
