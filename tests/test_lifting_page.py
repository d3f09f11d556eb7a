"""The tables of docs/lifting.md are what was measured."""

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
