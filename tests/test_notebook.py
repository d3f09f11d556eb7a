"""movenet.ipynb: that it runs, and that what is saved in it is what a run gives."""

import re
import shlex
from pathlib import Path
from typing import Any

import nbformat
import pytest

from movenet.cli import parser

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / "movenet.ipynb"
SAVED = nbformat.read(NOTEBOOK, as_version=4)
CODE = [cell for cell in SAVED.cells if cell.cell_type == "code"]
PROSE = "\n".join(cell.source for cell in SAVED.cells if cell.cell_type == "markdown")


def texts(cell: Any) -> list[str | None]:
    """What a cell printed and gave; of a picture, its size in words."""
    return [
        output.text if output.output_type == "stream" else output.data.get("text/plain")
        for output in cell.outputs
    ]


@pytest.mark.slow
def test_a_run_from_top_to_bottom_gives_what_is_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    import make_notebook

    run = make_notebook.executed()  # raises where a cell fails
    assert run.metadata == SAVED.metadata
    for saved, now in zip(SAVED.cells, run.cells, strict=True):
        if saved.cell_type == "code":
            assert texts(now) == texts(saved), saved.source
            assert [sorted(output.get("data", {})) for output in now.outputs] == [
                sorted(output.get("data", {})) for output in saved.outputs
            ]


def test_every_cell_was_run_in_order_and_none_failed_or_warned() -> None:
    assert [cell.execution_count for cell in CODE] == list(range(1, len(CODE) + 1))
    for output in (output for cell in CODE for output in cell.outputs):
        assert output.output_type in ("stream", "execute_result", "display_data")
        assert output.get("name", "stdout") == "stdout"


def test_the_pictures_are_saved_and_the_file_is_small() -> None:
    plots = [o for cell in CODE for o in cell.outputs if "image/png" in o.get("data", {})]
    assert len(plots) >= 8
    assert NOTEBOOK.stat().st_size < 1e6


def test_nothing_in_it_is_of_a_machine_or_a_moment() -> None:
    assert set(SAVED.metadata) == {"kernelspec", "language_info"}
    assert all(not cell.metadata for cell in SAVED.cells)
    said = "\n".join(text or "" for cell in CODE for text in texts(cell))
    assert not re.search(r"/\w+/|[A-Z]:\\|0x[0-9a-f]{6}|\bms\b", said)


def test_every_link_leads_somewhere() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", PROSE)
    assert len(links) >= 4
    for target in links:
        assert (ROOT / target).exists(), target


def test_every_command_is_one() -> None:
    commands = re.findall(r"^    movenet (.+)$|`movenet ([^`]+)`", PROSE, re.MULTILINE)
    assert len(commands) >= 2
    for indented, quoted in commands:
        options = shlex.split(indented or quoted)
        if "--help" not in options:
            parser().parse_args(options)
