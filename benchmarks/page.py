"""docs/benchmarks.md, from the results that peers.py, ratios.py and exports.py saved.

python benchmarks/page.py
"""

import datetime
import json
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "peers.json"
RATIOS = HERE / "results" / "ratios.json"
EXPORTS = HERE / "results" / "exports.json"
LAYERS = HERE / "results" / "layers.json"
PAGE = HERE.parent / "docs" / "benchmarks.md"
LARGEST_PX = 0.1  # a row that differs by more does something else and has no rank
FRAMES, FRAMES_TITLE = "frame", "Whole frames"
TITLES = {
    "lightning": "Lightning, 192x192",
    "thunder": "Thunder, 256x256",
    "multipose": "MultiPose, 256x256",
}
OURS_LICENCE = "MIT, weights Apache-2.0"
NONE = "nothing"


@dataclass(frozen=True, slots=True)
class Peer:
    """What a program is and does, in the page's words."""

    name: str
    does: str
    picture: str
    people: str
    between_frames: str
    licence: str


MOVENET_PEOPLE = "1; MultiPose up to 6"
CALLERS = "as the caller prepares it; letterboxed here"
PEERS = {
    "litert": Peer(
        "movenet-pytorch, LiteRT",
        'the package\'s engine on a CPU, `engine="litert"`',
        "letterboxed",
        MOVENET_PEOPLE,
        NONE,
        OURS_LICENCE,
    ),
    "torch": Peer(
        "movenet-pytorch, PyTorch",
        '`engine="torch"`: eager, channels last; two of the heads run only where they are read',
        "letterboxed",
        MOVENET_PEOPLE,
        NONE,
        OURS_LICENCE,
    ),
    "google-litert": Peer(
        "Google's graph, LiteRT",
        "a float32 TFLite file, converted from Google's TensorFlow.js file",
        CALLERS,
        MOVENET_PEOPLE,
        NONE,
        "Apache-2.0",
    ),
    "tfjs": Peer(
        "Google's graph, TensorFlow.js",
        "Google's TensorFlow.js file on the WASM backend, under node",
        CALLERS,
        MOVENET_PEOPLE,
        NONE,
        "Apache-2.0",
    ),
    "earlier-port": Peer(
        "the earlier port's way",
        "this package's network run as the earlier PyTorch port runs its own: eager, NCHW in "
        "memory, every head everywhere. It is that way, not that code",
        "squashed to the square",
        "1",
        NONE,
        OURS_LICENCE,
    ),
    **{
        f"frame-{model}": Peer(
            f"movenet-pytorch, {name}",
            f'`PoseEstimator("{model}", refine=False, engine="litert")`, frame to people '
            "in its pixels",
            f"letterboxed, black bars trimmed: {trimmed}",
            people,
            NONE,
            OURS_LICENCE,
        )
        for model, name, trimmed, people in (
            ("lightning", "Lightning", "192x128", "1"),
            ("thunder", "Thunder", "256x160", "1"),
            ("multipose", "MultiPose", "256x160", "up to 6"),
        )
    },
    "mediapipe-tracking": Peer(
        "MediaPipe Pose full, tracking",
        "`mp.solutions.pose`, `model_complexity=1`: 33 landmarks, in 3D too. A detector looks "
        "for the person where none was before",
        "a turned square around the person",
        "1",
        "the region of the last frame; smoothing",
        "Apache-2.0",
    ),
    "mediapipe-static": Peer(
        "MediaPipe Pose full, static",
        "the same with `static_image_mode=True`: the detector runs on every frame",
        "a turned square around the person",
        "1",
        NONE,
        "Apache-2.0",
    ),
}


NETWORKS = f"""\
## The network with its decoding

The picture was resized before, and had the type that the program takes. The difference is the
largest of any coordinate to movenet-pytorch in LiteRT, in pixels of the input, on the same three
letterboxed pictures. A row over {LARGEST_PX} px would have no rank.

Google's TensorFlow.js files keep the constants of the decoding in float16, and the TFLite files
were converted from them. That shortens Lightning's coordinates by 0.024 %, by up to 0.05 px, which
is what Google's rows show."""

CUDA = """\
## CUDA

Nothing here ran on a GPU. `python benchmarks/gpu.py` measures one: batch 1 in a CUDA graph, and
batches compiled in float16. The engine itself runs PyTorch eagerly there.
"""
WHOLE_FRAMES = f"""\
## {FRAMES_TITLE}

From a frame of 1280x720 to people in its pixels, resizing included. The frames show one person, as
high as the frame, who sways by 16 pixels. The ratio is to the first network of movenet-pytorch.
MediaPipe runs other networks, so there is no difference to state. It has no setting for threads;
its process was held to as many cores."""


REQUIRED = """\
## What is required

The time of the first over that of the second, in one process where they take turns round by round;
the median over the rounds with its 95 % interval. "In speed" is pictures a second, and the bound
then a lower one. The last row is in seconds, with the spread of 95 % of the runs.
"""
EXPORTED = """\
## Exported files

Each was run in its own runtime on the package's pictures and their mirror images, at every input
size that it has or three where it takes any, and compared with PyTorch float32. Times are of one
picture at the first size. int8 is in [export.md](export.md).
"""


PARTS = """\
## Where the time goes

The graph is cut after each part, and the cuts are timed in turn, one thread; a part's time is the
difference (`python benchmarks/layers.py --model NAME --json benchmarks/results/layers.json`), in
ms. In brackets: thousand million multiply-adds a second; a part without has none to speak of.
"""


def page(
    report: dict[str, Any],
    ratios: dict[str, Any],
    exported: list[dict[str, Any]],
    layers: dict[str, list[dict[str, Any]]],
) -> str:
    """The whole page."""
    rows = report["rows"]
    parts = [introduction(report), NETWORKS]
    for name, title in TITLES.items():
        of_table = [row for row in rows if row["table"] == name]
        if of_table:
            parts += [f"### {title}", times_table(of_table)]
    of_table = [row for row in rows if row["table"] == FRAMES]
    if of_table:
        parts += [WHOLE_FRAMES, times_table(of_table)]
    parts += [REQUIRED.rstrip(), ratios_table(ratios["rows"]), ratios_origin(ratios)]
    parts += [PARTS.rstrip(), layers_table(layers)]
    parts += [EXPORTED.rstrip(), exports_table(exported)]
    parts += ["## What each program does", peers_table(rows)]
    if report["failed"]:
        parts += ["## What did not run", "\n".join(failures(report["failed"]))]
    parts += [CUDA, "## How it was made", *origin(report)]
    return "\n\n".join(parts) + "\n"


def introduction(report: dict[str, Any]) -> str:
    """What was measured, and how to read the tables."""
    text = f"""\
        # Benchmarks

        Times in milliseconds on a CPU, one picture at a time. This page compares time, not
        accuracy.

        Each program ran in a process of its own, and the process took its own times. In each of
        {report["rounds"]} rounds every program ran {report["dropped"]} times that do not count
        and {report["runs"]} times that do, one program after the other; the order turned by one
        place each round. p95 is the time that 95 % of the runs stayed under. The ratio is the
        median over that of movenet-pytorch with as many threads, with its 95 % interval
        (bootstrap over the rounds): over 1 is slower, and an interval that holds 1 shows no
        difference."""
    return paragraphs(text)


def times_table(rows: list[dict[str, Any]]) -> str:
    """One table: the fastest first, those without a rank last, for each count of threads."""
    compared = rows[0]["table"] != FRAMES
    head = ["threads", "program", "median", "p95", "ratio"] + ["difference, px"] * compared
    body = []
    for row in sorted(rows, key=lambda row: (row["threads"], not ranked(row), row["median_ms"])):
        cells = [str(row["threads"]), PEERS[row["peer"]].name]
        cells += [f"{row['median_ms']:.1f}", f"{row['p95_ms']:.1f}", ratio_text(row)]
        body.append(cells + [difference_text(row)] * compared)
    return table(head, body, right=(2, 3, 5))


def ranked(row: dict[str, Any]) -> bool:
    """Whether the row computes the same as ours, or another thing altogether."""
    return row["difference_px"] is None or row["difference_px"] <= LARGEST_PX


def ratio_text(row: dict[str, Any]) -> str:
    """The ratio with its interval."""
    ratio = row["ratio"]
    if not ranked(row):
        return "no rank: it differs"
    if ratio is None:
        return ""
    if ratio["low"] == ratio["high"] == 1:
        return "1"
    return f"{ratio['value']:.2f} ({ratio['low']:.2f} to {ratio['high']:.2f})"


def difference_text(row: dict[str, Any]) -> str:
    """The difference, as coarse as it may be read."""
    difference = row["difference_px"]
    if difference is None or row["peer"] == "litert":
        return ""
    return "under 0.001" if difference < 0.001 else f"{difference:.3f}"


def ratios_table(rows: list[dict[str, Any]]) -> str:
    """What is required, and what was measured."""
    head = ["first, second", "threads", "first", "second", "ratio", "bound", ""]
    body = []
    for row in rows:
        ratio, bound = row["ratio"], row["bound"]
        met = ratio <= bound if row["most"] else ratio >= bound
        times = [f"{row[side]:.2f}" for side in ("first", "second")]
        interval = f"{ratio:.3f} ({row['low']:.3f} to {row['high']:.3f})"
        limit = f"{'at most' if row['most'] else 'at least'} {bound:g}"
        verdict = "met" if met else "missed"
        body.append([row["what"], str(row["threads"]), *times, interval, limit, verdict])
    return table(head, body, right=(2, 3))


def ratios_origin(ratios: dict[str, Any]) -> str:
    """Machine, date, versions, command."""
    machine = ratios["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return (
        f"{machine['date']}; {machine['cpu']}, {machine['cores']} cores, {machine['system']}, load "
        f"before the run {machine['load']:.1f}; {ratios['rounds']} rounds; {versions}.\n\n"
        "```sh\npython benchmarks/ratios.py --google GOOGLE \\\n"
        "    --int8 INT8 --google-int8 FILE\n"
        "python benchmarks/exports.py\npython benchmarks/page.py\n```"
    )


def layers_table(layers: dict[str, list[dict[str, Any]]]) -> str:
    """A part of the networks a row, ms and speed."""
    columns = list(layers.values())
    body = []
    for rows in zip(*columns, strict=True):
        cells = [rows[0]["part"]]
        for row in rows:
            speed = row["multiply_adds"] / row["ms"] / 1e6
            cells.append(f"{row['ms']:.2f}" + (f" ({speed:.0f})" if speed else ""))
        body.append(cells)
    totals = [f"{sum(row['ms'] for row in rows):.2f}" for rows in columns]
    return table(["part", *layers], [*body, ["all", *totals]], right=(1, 2, 3))


def exports_table(rows: list[dict[str, Any]]) -> str:
    """What the certificates say; why there is none."""
    head = ["model", "format", "MB", "ms", "threads", "largest, px", "score", "peaks missed"]
    body = []
    for row in rows:
        cells = [row["model"], f"{row['format']} {row['precision']}"]
        if "reason" in row:
            cells += [row["reason"], *[""] * 5]
        elif row["runtime"]:
            threads = str(row["threads"] or "its own choice")
            cells += [f"{row['bytes'] / 1e6:.1f}", f"{row['latency_ms']:.1f}", threads]
            cells += [f"{row['max_px']:.4f}", f"{row['score']:.1e}"]
            cells += [f"{row['missed_cells']} of {row['cells']}"]
        else:
            cells += [f"{row['bytes'] / 1e6:.1f}", "", "", "not run: macOS only", "", ""]
        body.append(cells)
    return table(head, body, right=(2, 3, 5, 6))


def peers_table(rows: list[dict[str, Any]]) -> str:
    """What each program that ran is and does."""
    ran = {row["peer"] for row in rows}
    head = ["program", "what was run", "picture", "people", "kept between frames", "licence"]
    body = [
        [peer.name, peer.does, peer.picture, peer.people, peer.between_frames, peer.licence]
        for key, peer in PEERS.items()
        if key in ran
    ]
    return table(head, body)


def failures(failed: list[dict[str, Any]]) -> Iterator[str]:
    """A line a program and reason."""
    alike: dict[tuple[str, str, int], list[str]] = {}
    for row in failed:
        title = TITLES.get(row["table"], FRAMES_TITLE).split(",")[0]
        alike.setdefault((row["peer"], row["reason"], row["threads"]), []).append(title)
    for (peer, reason, threads), titles in alike.items():
        count = "1 thread" if threads == 1 else f"{threads} threads"
        yield f"- {PEERS[peer].name}, {count} ({', '.join(titles)}): {reason}."


def origin(report: dict[str, Any]) -> Iterator[str]:
    """Machine, date, versions, command."""
    machine = report["machine"]
    day = datetime.date.fromisoformat(report["date"])
    where = "virtual machine, " if machine["virtual"] else ""
    runtimes = dict.fromkeys(row["runtime"] for row in report["rows"])
    yield (
        f"- Date: {day.day} {day:%B %Y}\n"
        f"- Machine: {where}{machine['processor']}, {machine['cores']} cores, "
        f"{machine['system']}; load before the run {machine['load_before']}\n"
        f"- Versions: Python {machine['python']}; {'; '.join(runtimes)}"
    )
    yield (
        "Capital letters stand for folders and programs; `benchmarks/peers/README.md` tells how "
        "to get them."
    )
    command = report["command"].replace(" --", " \\\n    --")
    yield f"```sh\n{command}\npython benchmarks/page.py\n```"


def table(head: list[str], body: list[list[str]], right: tuple[int, ...] = ()) -> str:
    """A Markdown table; columns `right` are numbers."""
    rule = ["---:" if column in right else "---" for column in range(len(head))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, rule, *body])


def paragraphs(text: str) -> str:
    """Indented text as lines of 100 columns."""
    blocks = textwrap.dedent(text).split("\n\n")
    return "\n\n".join(textwrap.fill(" ".join(block.split()), 100) for block in blocks)


def main() -> None:
    """Write the page."""
    saved = (json.loads(file.read_text()) for file in (RESULTS, RATIOS, EXPORTS, LAYERS))
    PAGE.write_text(page(*saved), encoding="utf-8")


if __name__ == "__main__":
    main()
