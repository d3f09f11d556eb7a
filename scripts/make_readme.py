"""Make what README.md shows: the drawn picture, and the table of agreement with Google's graphs.

And the picture of docs/lifting.md, by the command that stands there.

python scripts/make_readme.py
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from movenet import PoseEstimator, cli, images, pictures
from movenet.specs import ROWS
from movenet.verify import verify

ROOT = Path(__file__).resolve().parents[1]
README, PICTURE = ROOT / "README.md", ROOT / "docs" / "two_people.png"
LIFTED = ROOT / "docs" / "lifted.png"
START, END = "<!-- agreement: scripts/make_readme.py -->\n", "<!-- end of agreement -->\n"
PATHS = ("dense", "sparse", "batch of 3")
DTYPES = (torch.float32, torch.float16, torch.bfloat16)


def row(name: str, dtype: torch.dtype) -> tuple[float, float, float | None]:
    """Coordinates, scores, and what the true constants change; the worst of the goldens."""
    errors = {found.stage: found.error for found in verify(name, dtype=dtype)}
    places, scores = (
        max(errors[f"{what}, {path}"] for path in PATHS) for what in ("coordinates", "scores")
    )
    return places, scores, errors.get("true constants (difference)")


def table() -> str:
    """The rows of all models and types, as Markdown."""
    lines = ["| | | coordinates | scores | with true constants |", "|---|---|---|---|---|"]
    for dtype in DTYPES:
        for spec in ROWS:
            places, scores, true = row(spec.name, dtype)
            shown = "" if true is None else f"{true:.0e}"
            kind = str(dtype).removeprefix("torch.")
            lines.append(f"| {kind} | {spec.name} | {places:.0e} | {scores:.0e} | {shown} |")
    return "\n".join(lines) + "\n"


def drawing() -> NDArray[np.uint8]:
    """The bundled picture of two people with their poses."""
    picture = images.read(pictures.path("two_people"))
    return PoseEstimator("multipose", device="cpu")(picture).draw(picture)


def lift(place: Path) -> None:
    """The bundled picture of one person, and the body from two sides."""
    command = ["lift", str(pictures.path("camera")), "--save", str(place), "--device", "cpu"]
    if cli.main(command) != 0:
        raise SystemExit(1)


def main() -> None:
    """Write all."""
    images.save(drawing(), PICTURE)
    lift(LIFTED)
    before, _, rest = README.read_text().partition(START)
    _, _, after = rest.partition(END)
    README.write_text(before + START + table() + END + after)


if __name__ == "__main__":
    main()
