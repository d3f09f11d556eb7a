"""The figures of docs/lifting.md are what was measured."""

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "training"))
from lifting import page  # noqa: E402


def test_the_page_is_what_was_measured() -> None:
    text = page.PAGE.read_text()
    assert page.written(text) == text


def test_what_stands_around_the_tables_stays() -> None:
    made = page.written(f"before\n{page.BEGIN}\nold\n{page.END}\nafter\n")
    assert made.startswith(f"before\n{page.BEGIN}\n| held-out subjects |")
    assert made.endswith(f"|\n{page.END}\nafter\n")
    assert "old" not in made


def test_the_speed_that_is_told_is_what_was_measured() -> None:
    report = json.loads((ROOT / "benchmarks" / "results" / "live_lifting.json").read_text())
    text = " ".join(page.PAGE.read_text().split())
    told = re.search(
        r"takes ([\d.]+) ms a frame on one core \(ONNX Runtime ([\d.]+), PyTorch ([\d.]+); "
        r"the earlier port's network in PyTorch ([\d.]+)\).* shows (\d+) frames a second",
        text,
    )
    assert told is not None
    live = report["live_ms"]
    measured = [live[name] for name in ("litert", "onnx", "torch", "VideoPose")]
    assert [*told.groups()] == [*map("{:.1f}".format, measured), f"{report['window_fps']:.0f}"]
