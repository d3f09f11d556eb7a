"""Run movenet.ipynb from top to bottom and save what it shows: python scripts/make_notebook.py"""

import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).resolve().parents[1] / "movenet.ipynb"
TIMEOUT_S = 120  # for a cell


def executed() -> nbformat.NotebookNode:
    """The notebook after a run in an empty folder, without a trace of when and where."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            notebook,
            timeout=TIMEOUT_S,
            record_timing=False,
            coalesce_streams=True,  # or what is printed comes in pieces, by chance
            resources={"metadata": {"path": folder}},
        )
        client.execute(env={**os.environ, "IPYTHONDIR": folder})
    notebook.metadata.language_info = {"name": "python"}
    return notebook


def main() -> int:
    """Write the notebook over itself."""
    nbformat.write(executed(), NOTEBOOK)
    return 0


if __name__ == "__main__":
    sys.exit(main())
