"""Every model in every format, with what its certificate says.

    python benchmarks/exports.py [--model NAME ...] [--format FORMAT ...]

Writes benchmarks/results/exports.json; `python benchmarks/page.py` makes a table of it in
docs/benchmarks.md. int8 needs pictures of one's own and is not among them (docs/export.md).
"""

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from movenet.errors import ExportError
from movenet.export import FORMATS, export, find
from movenet.silence import silence
from movenet.specs import SPECS

RESULTS = Path(__file__).parent / "results" / "exports.json"


def main() -> int:
    """Export, tell, save; 1 where a file could not be made."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--model", nargs="+", choices=SPECS, default=list(SPECS))
    parser.add_argument("--format", nargs="+", choices=FORMATS, default=list(FORMATS))
    parser.add_argument("--json", type=Path, default=RESULTS)
    options = parser.parse_args()
    rows = []
    for model in options.model:
        for name in options.format:
            rows += [made(model, name, precision) for precision in precisions(name)]
            print(json.dumps(rows[-1])[:200], flush=True)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(rows, indent=1) + "\n")
    return 1 if any("reason" in row for row in rows) else 0


def precisions(name: str) -> list[str]:
    """Those of a format that need no pictures."""
    return [precision for precision in find(name).PRECISIONS if precision != "int8"]


def made(model: str, name: str, precision: str) -> dict[str, Any]:
    """The certificate of one file, or the reason why there is none."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{model}{find(name).SUFFIX}"
        try:
            with silence(1, 2):
                return asdict(export(model, name, path, precision=precision))
        except ExportError as error:
            reason = str(error).replace(folder, "").lstrip("/")
            return {"model": model, "format": name, "precision": precision, "reason": reason}


if __name__ == "__main__":
    sys.exit(main())
