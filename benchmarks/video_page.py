"""The tables of docs/video.md, from what smoothing.py, videos.py, tracking.py, track.py and
pose2sim.py saved.

python benchmarks/video_page.py
"""

import json
import re
from pathlib import Path
from typing import Any

import track
import tracking
import videos

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "video.md"
THOUSAND = 1000.0


def main() -> None:
    """Write the page anew."""
    PAGE.write_text(page(PAGE.read_text()))


def page(text: str) -> str:
    """The page with every table in its place."""
    for name, made in (
        ("smoothing", smoothing(saved("smoothing"))),
        ("videos", videos.tables(saved("videos"))),
        ("tracking", tracking.table(saved("tracking"))),
        ("track", track.table(saved("track"))),
        ("pose2sim", pose2sim(saved("pose2sim"))),
    ):
        place = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end of {name} -->)", re.DOTALL)
        assert place.search(text), name
        text = place.sub(lambda found, made=made: f"{found[1]}{made}\n{found[2]}", text)  # type: ignore[misc]
    return text


def saved(name: str) -> Any:
    """The results of a benchmark."""
    return json.loads((HERE / "results" / f"{name}.json").read_text())


def smoothing(report: dict[str, Any]) -> str:
    """What is left of each clip's jitter, and how late the filters are."""
    lines = [
        f"Jitter of {report['model'].title()} in thousandths of the person's height, and what is "
        "left of it:",
        "",
        "| clip | frames/s | before | google | live | offline |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for row in report["clips"]:
        left = " | ".join(f"{row[mode] / row['raw']:.2f}" for mode in ("google", "body", "offline"))
        lines.append(
            f"| {row['clip']} | {row['rate']:.0f} | {THOUSAND * row['raw']:.1f} | {left} |"
        )
    lines += [
        "",
        "Lag on a swing at 1 Hz with MoveNet's noise, in ms:",
        "",
        "| swing, in heights | frames/s | google | live | offline |",
        "|--:|--:|--:|--:|--:|",
    ]
    lags = {(lag["swing"], lag["rate"], lag["mode"]): lag["lag_s"] for lag in report["lags"]}
    for swing, rate in sorted({(swing, rate) for swing, rate, _ in lags}):
        late = (
            abs(round(THOUSAND * lags[swing, rate, mode])) for mode in ("google", "body", "offline")
        )
        lines.append(f"| {swing} | {rate} | {' | '.join(map(str, late))} |")
    return "\n".join(lines)


def pose2sim(report: dict[str, Any]) -> str:
    """Pose2Sim's own reprojection errors, a way a row."""
    lines = [
        "| take | keypoints | smoothing | person | error, px | mm | cameras left out |",
        "|---|---|---|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {row['take']} | {row['way']} | {row['smooth']} | {row['person']} | "
        f"{row['error_px']:.1f} | {row['error_mm']:.1f} | {row['cameras_left_out']:.2f} |"
        for row in report["rows"]
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
