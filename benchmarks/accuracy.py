"""AP against milliseconds of every recipe, and docs/accuracy.md.

    python benchmarks/accuracy.py ../shared/data/coco_val2017 --mediapipe-python FILE \\
        --google FILE.tflite --google-int8 FILE.tflite --int8 FILE.tflite
    python benchmarks/accuracy.py    # the page again, from what is saved

The folder holds images/, person_keypoints.json, single_ids.txt (one person a picture) and
known_ids.txt (every person annotated). Each recipe is a run of `movenet eval`, saved in
benchmarks/results/accuracy.json. What is not given is left out: MediaPipe (a Python that has it,
benchmarks/peers/README.md), Google's Lightning as TFLite, float and int8, and our int8 export of
it (`movenet export --model lightning --format litert --precision int8`). Nothing else should run
meanwhile.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import google_files
import reliability

from movenet import PoseEstimator, images, load
from movenet.evaluation import Record
from movenet.evaluation.matching import difference, matched, summary
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
ALONE = ("--model", "lightning", "--no-refine")
ENGINES = {
    "LiteRT": (*ALONE, "--engine", "litert"),
    "PyTorch": (*ALONE, "--engine", "torch"),
    "ONNX Runtime": (*ALONE, "--engine", "onnx"),
    "OpenVINO": (*ALONE, "--engine", "openvino"),
}
# Recipes of one protocol whose difference tells what a step gives.
STEPS = {
    "single-full": (
        ("lightning, then lightning", "lightning, one look"),
        ("lightning, then thunder", "lightning, then lightning"),
        ("multipose, then thunder", "lightning, then thunder"),
        ("lightning, then thunder, best", "lightning, then thunder"),
        ("multipose, then thunder, best", "multipose, then thunder"),
        ("lightning, one look", "lightning, one look, square"),
        ("lightning, then lightning", "lightning, then lightning, square"),
        ("lightning, then thunder", "lightning, then thunder, square"),
        ("multipose, then thunder", "multipose, then thunder, square"),
    ),
    "multi": (
        ("multipose, then thunder", "multipose, one look"),
        ("multipose, then thunder, best", "multipose, then thunder"),
        ("multipose, then thunder", "multipose, then thunder, square"),
    ),
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
    parser.add_argument("--google", type=Path, help="Google's Lightning, a float TFLite file")
    parser.add_argument("--google-int8", type=Path, help="Google's Lightning, int8")
    parser.add_argument("--int8", type=Path, help="our int8 export of Lightning")
    options = parser.parse_args()
    if options.data:
        RESULTS.write_text(json.dumps(measured(options), indent=1) + "\n")
    report = json.loads(RESULTS.read_text())
    PAGE.write_text(page(report), encoding="utf-8")
    plot(report["rows"], PLOT)
    return 0


def measured(options: argparse.Namespace) -> dict[str, Any]:
    """Everything that the page says."""
    data = options.data
    machine = asdict(this_machine())
    rows, steps = [], []
    for protocol, recipes in RECIPES.items():
        truth = truth_of(data, LISTS[protocol])
        found = {}
        for name, given in recipes.items():
            row, results = evaluated(data, protocol, given)
            rows.append({"protocol": protocol, "name": name} | row)
            found[name] = matched(truth, results)
            print(protocol, name, f"{row['figures']['AP']['value']:.1f}", flush=True)
        for name, than in STEPS.get(protocol, ()):
            less = difference(found[name], found[than])["AP"]
            steps.append({"protocol": protocol, "name": name, "than": than} | asdict(less))
    if options.mediapipe_python:
        rows.append(blazepose(data, options.mediapipe_python))
    return {
        "machine": machine,
        "rows": rows,
        "steps": steps,
        "files": files(options),
        "everybody": everybody(data),
    }


def everybody(data: Path) -> dict[str, float]:
    """Milliseconds of MultiPose then Thunder with its default threshold, by people found."""
    estimator, truth = PoseEstimator("multipose", threads=THREADS), truth_of(data, "known")
    paths = [data / "images" / record["file_name"] for record in truth.images.values()]
    for path in paths:  # graphs are made ready when a shape is first seen
        estimator(path)
    times: dict[int, list[float]] = {}
    for path in paths:
        picture = images.read(path)
        start = time.perf_counter()
        found = len(estimator.estimate([picture])[0])
        times.setdefault(found, []).append((time.perf_counter() - start) * 1e3)
    return {str(count): statistics.median(times[count]) for count in range(4)}


def files(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Lightning alone on other engines and as other files, ours and Google's."""
    data, rows = options.data, []
    runs: list[tuple[str, str, tuple[str, ...]]] = [
        ("single-full", name, given) for name, given in ENGINES.items()
    ]
    runs += [
        (protocol, "PyTorch, square", (*ALONE, *SQUARE, "--engine", "torch"))
        for protocol in google_files.PROTOCOLS
    ]
    if options.int8:
        runs += [
            (protocol, "int8 export, square", (*ALONE, *SQUARE, "--engine", str(options.int8)))
            for protocol in google_files.PROTOCOLS
        ]
    for protocol, name, given in runs:
        rows.append({"protocol": protocol, "name": name} | evaluated(data, protocol, given)[0])
    truth = truth_of(data, "single")
    half = PoseEstimator(load("lightning").half(), refine=False, person_threshold=0.0)
    results, ms = predicted(half, truth, data / "images")
    rows.append(
        {"protocol": "single-full", "name": "PyTorch in float16"} | judged(truth, results, ms)
    )
    for name, file in (("Google's graph", options.google), ("Google's int8", options.google_int8)):
        for protocol in google_files.PROTOCOLS if file else ():
            results, ms = google_files.results(file, protocol, truth, data / "images")
            rows.append({"protocol": protocol, "name": name} | judged(truth, results, ms))
    return rows


def predicted(estimator: PoseEstimator, truth: Truth, folder: Path) -> tuple[list[Record], float]:
    """COCO results of the best person in each whole picture, and the median milliseconds."""
    results, times = [], []
    for number, record in truth.images.items():
        picture = images.read(folder / record["file_name"])
        start = time.perf_counter()
        poses = estimator.estimate([picture])[0]
        times.append((time.perf_counter() - start) * 1e3)
        results += poses[:1].to_coco(number)
    return results, statistics.median(times)


def truth_of(data: Path, name: str) -> Truth:
    """The annotations of one of the folder's lists."""
    ids = [int(word) for word in (data / f"{name}_ids.txt").read_text().split()]
    return Truth.read(data / "person_keypoints.json", ids)


def evaluated(
    data: Path, protocol: str, options: tuple[str, ...]
) -> tuple[dict[str, Any], list[Record]]:
    """One run of `movenet eval`, in a process of its own: its figures and its results."""
    movenet = shutil.which("movenet", path=str(Path(sys.executable).parent))
    if movenet is None:
        sys.exit("accuracy.py: movenet is not installed beside this Python; run make setup")
    with tempfile.TemporaryDirectory() as folder:
        saved, results = Path(folder) / "figures.json", Path(folder) / "results.json"
        command = [movenet, "eval", "--images", str(data / "images"), "--protocol", protocol]
        command += ["--annotations", str(data / "person_keypoints.json"), "--json", str(saved)]
        command += ["--ids", str(data / f"{LISTS[protocol]}_ids.txt"), "--threads", str(THREADS)]
        command += ["--results", str(results)]
        done = subprocess.run([*command, *options], capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"accuracy.py: {done.stderr.strip()}")
        return json.loads(saved.read_text()), json.loads(results.read_text())


def blazepose(data: Path, python: Path) -> dict[str, Any]:
    """MediaPipe's row, judged by the same code."""
    truth = truth_of(data, "single")
    paths = {i: str(data / "images" / record["file_name"]) for i, record in truth.images.items()}
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / "results.json"
        command = [str(python), str(HERE / "peers" / "mediapipe_results.py"), str(saved)]
        done = subprocess.run(command, input=json.dumps(paths), capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"accuracy.py: {done.stderr.strip()}")
        found = json.loads(saved.read_text())
    row = judged(truth, found["results"], found["ms"])
    return {"protocol": "single-full", "name": BLAZEPOSE} | row


def judged(truth: Truth, results: list[Record], ms: float) -> dict[str, Any]:
    """The figures of results that `movenet eval` did not make."""
    return {
        "pictures": len(truth.images),
        "figures": {name: asdict(one) for name, one in summary(matched(truth, results)).items()},
        "pck": pairs(truth, results).all_pck(),
        "ms": ms,
    }


def page(report: dict[str, Any]) -> str:
    """The whole page."""
    machine, rows = report["machine"], report["rows"]
    parts = [INTRODUCTION]
    for protocol, title in TITLES.items():
        chosen = [row for row in rows if row["protocol"] == protocol]
        parts += [f"## {title} (`{protocol}`, {chosen[0]['pictures']} pictures)", table(chosen)]
        if protocol == "multi":
            parts.append(times_of_everybody(report["everybody"]))
        if protocol == "single-full":
            parts.append("![AP against milliseconds](accuracy.png)")
    parts += ["## Three qualities", QUALITIES, qualities_table(rows)]
    parts += ["## What goes wrong", WORST]
    parts += ["## What a step gives", STEP, steps_table(report["steps"])]
    parts += ["## Lightning elsewhere", ELSEWHERE, table(report["files"], protocols=True)]
    parts += [
        "## How far scores can be trusted",
        TRUST,
        reliability_table(),
        "![Reliability](reliability.png)",
    ]
    parts += ["## Where nobody is", NOBODY, presence_table()]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    parts += [
        GOOGLE,
        "## How it was made",
        f"{machine['date']}; {machine['cpu']}, {THREADS} threads; {versions}.",
        "```sh\npython benchmarks/reliability.py FOLDER\n"
        "python benchmarks/accuracy.py FOLDER --mediapipe-python FILE \\\n"
        "    --google FILE.tflite --google-int8 FILE.tflite --int8 FILE.tflite\n```",
        FULL,
    ]
    return "\n\n".join(parts) + "\n"


def steps_table(steps: list[dict[str, Any]]) -> str:
    """A pair of recipes a row."""
    lines = ["| protocol | recipe | less | AP |", "|---|---|---|---|"]
    lines += [
        f"| {step['protocol']} | {step['name']} | {step['than']} | {step['value']:+.1f} "
        f"({step['low']:+.1f} to {step['high']:+.1f}) |"
        for step in steps
    ]
    return "\n".join(lines)


def qualities_table(rows: list[dict[str, Any]]) -> str:
    """`quality=` of PoseEstimator("multipose"), a row each."""
    named = {row["name"]: row for row in rows if row["protocol"] == "multi"}
    lines = ["| quality | what it does | AP | ms a picture |", "|---|---|---:|---:|"]
    for quality, name, does in (
        ("fast", "multipose, one look", "MultiPose, once"),
        ("balanced", "multipose, then thunder", "Thunder on each person; tiles where six are full"),
        ("best", "multipose, then thunder, best", "two sizes first, then mirror images as well"),
    ):
        row = named[name]
        ap = row["figures"]["AP"]["value"]
        lines.append(f"| `{quality}` | {does} | {ap:.1f} | {row['ms']:.0f} |")
    return "\n".join(lines)


def times_of_everybody(found: dict[str, float]) -> str:
    """What the default takes where its threshold decides who is looked at again."""
    none, one, two, three = (f"{found[str(count)]:.0f}" for count in range(4))
    return (
        f"With the default person threshold MultiPose then Thunder takes {none} ms where it finds "
        f"nobody, {one} for one person, {two} for two and {three} for three (medians)."
    )


def reliability_table() -> str:
    """A way of looking a row: how far its confidence holds."""
    lines = [
        "| way of looking | people | correlation | mean error | keypoints |",
        "|---|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {row['name']} | {row['people']} | {row['correlation']:.3f} | {row['error']:.3f} | "
        f"{row['keypoints']} |"
        for row in json.loads(reliability.RESULTS.read_text())["rows"]
    ]
    return "\n".join(lines)


def presence_table() -> str:
    """A way of looking a row: whom it loses, and where it sees somebody."""
    lines = [
        "| way of looking | threshold | people lost | empty pictures with somebody |",
        "|---|---:|---:|---:|",
    ]
    for row in json.loads(reliability.RESULTS.read_text())["rows"]:
        (lost, people), (false, empty) = row["missed"], row["false"]
        lines.append(
            f"| {row['name']} | {row['threshold']} | {lost} of {people} ({lost / people:.1%}) | "
            f"{false} of {empty} ({false / empty:.1%}) |"
        )
    return "\n".join(lines)


def table(rows: list[dict[str, Any]], *, protocols: bool = False) -> str:
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
        name = row["name"] + (f", `{row['protocol']}`" if protocols else "")
        lines.append(
            f"| {name} | {row['ms']:.1f} | {ap['value']:.1f} "
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


QUALITIES = """\
`PoseEstimator("multipose", quality=...)` and `movenet predict --quality`: everybody, without a
threshold."""

WORST = """\
The twenty worst of the 120 pictures of one person, by MultiPose then Thunder
(`movenet eval --worst 20`), were looked at. Thirteen show no whole person: a hand over a plate, an
arm, a coat, shoes, half a face close up; there is no torso to find, and a skeleton is put on
something else. Three are silhouettes or seen from behind, found to the pixel with left and right
exchanged. The others are upside down, bent double, or lie. Nobody of them was missed for being
small. What would help is another network, not another crop."""

STEP = """\
AP of one recipe less that of another, on the same draws of pictures (paired bootstrap)."""

ELSEWHERE = """\
Lightning, one look, on other engines and as other files. Google's graph and PyTorch see the same
squares; so do the two int8 files."""

TRUST = """\
`Poses.confidence` is the OKS to expect of a person with what an annotator would draw;
`Poses.keypoint_confidence` how likely a keypoint lies near enough for an OKS of one half. Both
were learnt from training pictures ([decision 8](decisions/008-confidence.md)); these are the
validation pictures, everybody that is found without a threshold, false figures included. People
over somebody whom nobody annotated, or over a crowd, are left out. On the curves every point is a
tenth of the scale: what was said against what was."""

NOBODY = """\
At the default person threshold, which was chosen on training pictures: pictures of one person in
which nobody is found, and pictures without people in which somebody is. A second look does not
decide who is there ([decision 7](decisions/007-refinement.md))."""

INTRODUCTION = """\
# Accuracy

Keypoint AP on a part of COCO val2017, matched by pycocotools, in per cent with its 95 % interval
(bootstrap over pictures). Values were chosen on COCO's training pictures. Three that won there
lost on these pictures and were dropped for it: a torso's threshold of 0.3, a crop around what the
fallback saw, and a "best" of three crops. So the rows with a second look are not free of these
pictures ([decision 7](decisions/007-refinement.md)).

- **One person, the true box given** (`single-crop`): the first look sees the annotated box,
  widened by 1.25, in the person's own aspect; the rows here are `--no-refine`, where it is the
  only one. Google's own crop is not published.
- **One person, the whole picture given** (`single-full`): the best person that is found counts.
- **Everybody** (`multi`): all that are found count, at most 20 a picture.

No threshold is applied. A person's score is the mean of the 17 keypoint scores; of several people
the instance score, times that mean after a second look. "Square" is Google's letterbox; without
it black bars are trimmed, and crops have the person's own aspect. "Best" is `quality="best"`: two
sizes in MultiPose's first look, and mirror images in the second. Where MultiPose's six places are
full, it looks at tiles of the picture too. PCK@0.2 is the share of labelled
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
