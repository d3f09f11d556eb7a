"""Bodies as a tidy table in a CSV file: one row a frame, person and joint."""

from pathlib import Path
from typing import Any

import numpy as np

from movenet.lifting.angles import by_joint, joint_angles
from movenet.lifting.bodies import Bodies
from movenet.lifting.joints import NAMES
from movenet.lifting.rotations import Doubles
from movenet.lifting.writers.writer import BodiesWriter
from movenet.writers.growing import GrowingFile

# x, y, z and the uncertainty are in the unit, the joint's angles in degrees.
VALUES = ("x", "y", "z", "uncertainty", "flexion", "abduction")
COLUMNS = ("frame", "time", "id", "joint", *VALUES, "unit")


class CsvWriter(BodiesWriter):
    """CSV: frame, time in seconds, id, joint, x, y, z, uncertainty, flexion, abduction, unit.

    Nine significant digits, which give a float32 back exactly; times as Python writes them;
    angles in degrees to two decimals, at the joints that have them. What is not known (an id
    without tracking, all of a body that could not be lifted) is empty. A frame with nobody has no
    rows. A frame's rows are on the disk when `write` returns.
    """

    def __init__(self, path: str | Path) -> None:
        """Try the place; the names of the columns come with the first frame."""
        self._file = GrowingFile(path, head=(",".join(COLUMNS) + "\n").encode())

    def write(self, bodies: Bodies, **_: Any) -> None:
        """The rows of a frame; further entries have no place here."""
        frame = "" if bodies.frame_index is None else bodies.frame_index
        time = "" if bodies.timestamp_s is None else repr(float(bodies.timestamp_s))
        ids = [""] * len(bodies) if bodies.ids is None else bodies.ids.tolist()
        rows = [
            f"{frame},{time},{person},{name},{_text(row)},{bodies.unit}\n"
            for person, points in zip(ids, values(bodies).tolist(), strict=True)
            for name, row in zip(NAMES, points, strict=True)
        ]
        self._file.append("".join(rows).encode())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def values(bodies: Bodies) -> Doubles:
    """(P, 21, 6) of `VALUES`; NaN for what is not known."""
    angles = by_joint(joint_angles(bodies.joints))
    spread = np.where(np.isfinite(bodies.uncertainty), bodies.uncertainty, np.nan)
    return np.concatenate([bodies.joints, spread[..., None], angles], -1)


def _text(row: list[float]) -> str:
    shown = [f"{value:.9g}" for value in row[:4]] + [f"{value:.2f}" for value in row[4:]]
    return ",".join("" if text == "nan" else text for text in shown)
