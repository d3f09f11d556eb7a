"""Make the LiteRT files that the package ships, from its own weights.

    python scripts/make_engines.py [--out FOLDER]

The same weights and version of the package give the same bytes, under any version of LiteRT: so
run this at a release. Each file is run and compared before it is kept.
"""

import argparse
import hashlib
import json
import shutil
import tempfile
from pathlib import Path

from movenet import weights
from movenet.export import export
from movenet.specs import ROWS


def main() -> None:
    """Make all of them, and the list of their hashes."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--out", type=Path, default=weights.FOLDER, help="default: the package")
    out = parser.parse_args().out
    hashes = {}
    with tempfile.TemporaryDirectory() as folder:
        for spec in ROWS:
            made = Path(folder) / f"{spec.name}.tflite"
            print(export(spec.name, "litert", made).table())
            hashes[made.name] = hashlib.sha256(made.read_bytes()).hexdigest()
            shutil.move(made, out / made.name)
    (out / "litert.json").write_text(json.dumps(hashes, indent=2) + "\n")


if __name__ == "__main__":
    main()
