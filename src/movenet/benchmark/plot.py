"""The stages, and the speed of each batch size, as a picture."""

from collections.abc import Sequence
from pathlib import Path

from movenet.benchmark import Results, Row
from movenet.benchmark.text import counted
from movenet.errors import MoveNetError

try:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
except ImportError as error:
    raise MoveNetError("--plot: needs matplotlib; pip install 'movenet-pytorch[plot]'") from error

BLUE, GREY = "#0072b2", "#8c8c8c"  # Okabe and Ito's blue; grey for what does not rank
INCHES = 6.4, 3.6  # of one chart


def plot(results: Results, path: Path) -> None:
    """Write it as PNG: the stages' milliseconds, and pictures a second with several batches."""
    charts = 2 if len(results.batches) > 1 else 1
    figure = Figure((INCHES[0] * charts, INCHES[1]), dpi=150, layout="constrained")
    h, w = results.shape
    figure.suptitle(
        f"{results.model} at {h}x{w}, {results.runtime}, "
        f"{counted(results.threads, 'CPU thread')}\n"
        f"{results.machine.cpu}, {results.machine.date}",
        fontsize="medium",
    )
    axes = figure.subplots(1, charts, squeeze=False)[0]
    stage_bars(axes[0], results.stages)
    if charts == 2:
        batch_bars(axes[1], results.batches)
    figure.savefig(path, format="png")


def stage_bars(axes: Axes, rows: Sequence[Row]) -> None:
    """Medians with a line to the 95th percentile."""
    medians = [row.time.median_ms for row in rows]
    beyond = [max(0.0, row.time.p95_ms - row.time.median_ms) for row in rows]
    bars = axes.barh(
        [row.name for row in rows],
        medians,
        xerr=[[0.0] * len(rows), beyond],
        color=[colour(row) for row in rows],
        capsize=3,
    )
    marks = ["" if row.ranks else ", DIFFERS" for row in rows]
    labels = [f" {value:.2f}{mark}" for value, mark in zip(medians, marks, strict=True)]
    axes.bar_label(bars, labels)
    axes.invert_yaxis()  # the first stage on top
    axes.margins(x=0.3)  # room for the labels
    axes.set_xlabel("ms a picture: median, and line to the 95th percentile")


def batch_bars(axes: Axes, rows: Sequence[Row]) -> None:
    """Pictures a second of the network alone; what differs has no bar."""
    speeds = [row.pictures_per_s or 0.0 for row in rows]
    bars = axes.bar([str(row.pictures) for row in rows], speeds, color=BLUE)
    axes.bar_label(
        bars, [f"{row.pictures_per_s:.0f}" if row.pictures_per_s else "DIFFERS" for row in rows]
    )
    axes.margins(y=0.12)
    axes.set_xlabel("batch size")
    axes.set_ylabel("pictures a second, network alone")


def colour(row: Row) -> str:
    """Grey for what differs from PyTorch."""
    return BLUE if row.ranks else GREY
