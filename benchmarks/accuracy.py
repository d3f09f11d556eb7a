"""AP against milliseconds of every recipe, and docs/accuracy.md.

    python benchmarks/accuracy.py ../shared/data/coco_val2017 --mediapipe-python FILE
    python benchmarks/accuracy.py    # the page again, from what is saved

The folder holds images/, person_keypoints.json, single_ids.txt (one person a picture) and
known_ids.txt (every person annotated). Each recipe is a run of `movenet eval`, saved in
benchmarks/results/accuracy.json. MediaPipe is left out without a Python that has it
(benchmarks/peers/README.md). Nothing else should run meanwhile.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from movenet.evaluation.matching import matched, summary
from movenet.evaluation.pairs import pairs
from movenet.evaluation.truth import Truth
from movenet.machine import this_machine

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "accuracy.json"
PAGE = HERE.parent / "docs" / "accuracy.md"
PLOT = HERE.parent / "docs" / "accuracy.png"
THREADS = 2
MARKERS = "o^sDvP*Xph"  # of the plot, a recipe each
SQUARE = ("--letterbox", "square")
BEST = ("--quality", "best")
BLAZEPOSE = "MediaPipe BlazePose full"
LISTS = {"single-crop": "single", "single-full": "single", "multi": "known"}
# Protocol -> name of a recipe -> its options.
RECIPES: dict[str, dict[str, tuple[str, ...]]] = {
    "single-crop": {
        f"{name}, one look{', square' if more else ''}": ("--model", name, "--no-refine", *more)
        for name in ("lightning", "thunder")
        for more in ((), SQUARE)
    },
    "single-full": {
        "lightning, one look": ("--model", "lightning", "--no-refine"),
        "lightning, one look, square": ("--model", "lightning", "--no-refine", *SQUARE),
        "thunder, one look": ("--model", "thunder", "--no-refine"),
        "thunder, one look, square": ("--model", "thunder", "--no-refine", *SQUARE),
        "lightning, then lightning": ("--model", "lightning"),
        "lightning, then lightning, square": ("--model", "lightning", *SQUARE),
        "lightning, then thunder": ("--model", "lightning", "--refine-with", "thunder"),
        "lightning, then thunder, square": (
            *("--model", "lightning", "--refine-with", "thunder"),
            *SQUARE,
        ),
        "thunder, then thunder": ("--model", "thunder"),
        "multipose, then thunder": ("--model", "thunder", "--finder", "multipose"),
        "multipose, then thunder, square": (
            *("--model", "thunder", "--finder", "multipose"),
            *SQUARE,
        ),
        "lightning, then thunder, best": (
            *("--model", "lightning", "--refine-with", "thunder"),
            *BEST,
        ),
        "multipose, then thunder, best": (
            *("--model", "thunder", "--finder", "multipose"),
            *BEST,
        ),
    },
    "multi": {
        "multipose, one look": ("--model", "multipose", "--no-refine"),
        "multipose, then lightning": ("--model", "multipose", "--refine-with", "lightning"),
        "multipose, then thunder": ("--model", "multipose"),
        "multipose, then thunder, square": ("--model", "multipose", *SQUARE),
        "multipose, then thunder, best": ("--model", "multipose", *BEST),
    },
}
TITLES = {
    "single-crop": "One person, the true box given",
    "single-full": "One person, the whole picture given",
    "multi": "Everybody",
}


def main() -> int:
    """Measure where a folder is given, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("data", type=Path, nargs="?", help="a folder as coco_val2017")
    parser.add_argument(
        "--mediapipe-python", type=Path, help="Python of an environment that has MediaPipe"
    )
    options = parser.parse_args()
    if options.data:
        machine, rows = asdict(this_machine()), measured(options.data)
        if options.mediapipe_python:
            rows.append(blazepose(options.data, options.mediapipe_python))
        report: dict[str, Any] = {"machine": machine, "rows": rows}
        RESULTS.write_text(json.dumps(report, indent=1) + "\n")
    report = json.loads(RESULTS.read_text())
    PAGE.write_text(page(report), encoding="utf-8")
    plot(report["rows"], PLOT)
    return 0


def measured(data: Path) -> list[dict[str, Any]]:
    """A row a recipe: what `movenet eval --json` says."""
    rows = []
    for protocol, recipes in RECIPES.items():
        for name, options in recipes.items():
            rows.append({"protocol": protocol, "name": name} | evaluated(data, protocol, options))
            print(protocol, name, f"{rows[-1]['figures']['AP']['value']:.1f}", flush=True)
    return rows


def evaluated(data: Path, protocol: str, options: tuple[str, ...]) -> dict[str, Any]:
    """One run of `movenet eval`, in a process of its own."""
    movenet = shutil.which("movenet", path=str(Path(sys.executable).parent))
    if movenet is None:
        sys.exit("accuracy.py: movenet is not installed beside this Python; run make setup")
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / "figures.json"
        command = [movenet, "eval", "--images", str(data / "images"), "--protocol", protocol]
        command += ["--annotations", str(data / "person_keypoints.json"), "--json", str(saved)]
        command += ["--ids", str(data / f"{LISTS[protocol]}_ids.txt"), "--threads", str(THREADS)]
        done = subprocess.run([*command, *options], capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"accuracy.py: {done.stderr.strip()}")
        found: dict[str, Any] = json.loads(saved.read_text())
    return found


def blazepose(data: Path, python: Path) -> dict[str, Any]:
    """MediaPipe's row, judged by the same code."""
    ids = [int(word) for word in (data / "single_ids.txt").read_text().split()]
    truth = Truth.read(data / "person_keypoints.json", ids)
    files = {i: str(data / "images" / record["file_name"]) for i, record in truth.images.items()}
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / "results.json"
        command = [str(python), str(HERE / "peers" / "mediapipe_results.py"), str(saved)]
        done = subprocess.run(command, input=json.dumps(files), capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"accuracy.py: {done.stderr.strip()}")
        found = json.loads(saved.read_text())
    figures = summary(matched(truth, found["results"]))
    return {
        "protocol": "single-full",
        "name": BLAZEPOSE,
        "pictures": len(truth.images),
        "figures": {name: asdict(figure) for name, figure in figures.items()},
        "pck": pairs(truth, found["results"]).all_pck(),
        "ms": found["ms"],
    }


def page(report: dict[str, Any]) -> str:
    """The whole page."""
    machine, rows = report["machine"], report["rows"]
    parts = [INTRODUCTION]
    for protocol, title in TITLES.items():
        chosen = [row for row in rows if row["protocol"] == protocol]
        parts += [f"## {title} (`{protocol}`, {chosen[0]['pictures']} pictures)", table(chosen)]
        if protocol == "single-full":
            parts.append("![AP against milliseconds](accuracy.png)")
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    parts += [
        GOOGLE,
        "## How it was made",
        f"{machine['date']}; {machine['cpu']}, {THREADS} threads; {versions}.",
        "```sh\npython benchmarks/accuracy.py FOLDER --mediapipe-python FILE\n```",
        FULL,
    ]
    return "\n\n".join(parts) + "\n"


def table(rows: list[dict[str, Any]]) -> str:
    """A recipe a row."""
    lines = [
        "| recipe | ms a picture | AP | AP50 | AP75 | APm | APl | AR | PCK@0.2 |",
        "|---|---:|---|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        figures = row["figures"]
        ap = figures["AP"]
        others = " | ".join(
            f"{figures[name]['value']:.1f}" for name in ("AP50", "AP75", "APm", "APl", "AR")
        )
        lines.append(
            f"| {row['name']} | {row['ms']:.1f} | {ap['value']:.1f} "
            f"({ap['low']:.1f} to {ap['high']:.1f}) | {others} | {row['pck']:.1f} |"
        )
    return "\n".join(lines)


def plot(rows: list[dict[str, Any]], path: Path) -> None:
    """AP against milliseconds, the recipes with trimmed bars."""
    from matplotlib.figure import Figure  # noqa: PLC0415 (an extra)

    figure = Figure((9, 4.5), layout="constrained")
    sides = figure.subplots(1, 2)
    for axes, protocol in zip(sides, ("single-full", "multi"), strict=True):
        shown = [r for r in rows if r["protocol"] == protocol and "square" not in r["name"]]
        for row, marker in zip(shown, MARKERS, strict=False):
            axes.plot(
                *(row["ms"], row["figures"]["AP"]["value"], marker),
                color="#d55e00" if row["name"] == BLAZEPOSE else "#0072b2",
                label=row["name"],
                linestyle="none",
            )
        axes.legend(loc="lower right", fontsize=8)
        axes.set_xlabel("ms a picture")
        axes.set_ylabel("AP")
        axes.set_title(TITLES[protocol], fontsize=10)
        axes.set_xlim(0, 1.6 * max(row["ms"] for row in shown))  # room for the names
        axes.margins(y=0.15)
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110, metadata={"Software": None})


INTRODUCTION = """\
# Accuracy

Keypoint AP on a part of COCO val2017, matched by pycocotools, in per cent with its 95 % interval
(bootstrap over pictures). Values were chosen on COCO's training pictures, with one exception: for
the torso's threshold 0.3 was a little better there, lost 2.2 AP on these pictures, and was dropped
for 0.2. So the rows with a second look at one person are not free of these pictures
([decision 7](decisions/007-refinement.md)).

- **One person, the true box given** (`single-crop`): the network looks once, at the annotated
  box, widened by 1.25, in the person's own aspect. Google's own crop is not published.
- **One person, the whole picture given** (`single-full`): the best person that is found counts.
- **Everybody** (`multi`): all that are found count, at most 20 a picture.

No threshold is applied. A person's score is the mean of the 17 keypoint scores; of several people
the instance score, times that mean after a second look. "Square" is Google's letterbox; without
it black bars are trimmed, and crops have the person's own aspect. "Best" is `quality="best"`: two
sizes in MultiPose's first look, and mirror images in the second. PCK@0.2 is the share of labelled
keypoints within a fifth of the torso (left shoulder to right hip); who is not found counts as
wrong. MediaPipe's BlazePose has 33 landmarks, of which COCO's 17 are kept; its own detector finds
the person, and the mean visibility is the score; it places hips and faces by other rules than
COCO's annotators. Milliseconds are the median, from the decoded picture to poses, ours in LiteRT.
MultiPose without a threshold gives six people a picture, and each is looked at again; with its
default threshold only those who are there are."""

GOOGLE = """\
## Beside Google's figures

Google's model card gives mean AP 63.0 for Lightning (float16; int8 57.4) and 72.0 for Thunder
(int8 68.9), on 919 chosen pictures of COCO val2017 with one person, cropped by rules that are not
published. They cannot be compared with these: other pictures, chosen by size, another crop."""

FULL = """\
On the full set:

```sh
movenet eval --images val2017 --annotations person_keypoints_val2017.json \\
    --protocol multi --model multipose --results results.json
```"""


if __name__ == "__main__":
    sys.exit(main())
