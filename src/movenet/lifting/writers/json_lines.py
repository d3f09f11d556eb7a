"""Bodies as JSON Lines: whole to the last frame whatever happens, and read back exactly."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from movenet.lifting.angles import ANGLES, joint_angles
from movenet.lifting.bodies import Bodies
from movenet.lifting.joints import NAMES
from movenet.lifting.writers.writer import BodiesWriter
from movenet.writers.growing import GrowingFile
from movenet.writers.json_lines import json_line, read_records


class JsonLinesWriter(BodiesWriter):
    """JSON Lines: a header (version, model, lifter, joints, unit), then a line a picture or frame.

    Every line but the first is what `Bodies.from_dict` reads, with the joint angles of each person
    (degrees to two decimals, null where not known) beside the joints. It is on the disk when
    `write` returns, so that a run that is cut off leaves whole lines.
    """

    def __init__(
        self, path: str | Path, *, model: str, lifter: str, version: str, unit: str
    ) -> None:
        """Try the place; the header comes with the first frame. Raises MoveNetError."""
        header = {
            "version": version, "model": model, "lifter": lifter, "joints": NAMES, "unit": unit
        }  # fmt: skip
        self._file = GrowingFile(path, head=json_line(header))

    def write(self, bodies: Bodies, **more: Any) -> None:
        """One line: further entries first (`source="photo.jpg"`), then the bodies."""
        record = bodies.to_dict()
        angles = np.round(joint_angles(bodies.joints), 2)
        for person, values in zip(record["people"], angles.tolist(), strict=True):
            person["angles"] = {
                name: None if math.isnan(value) else value
                for name, value in zip(ANGLES, values, strict=True)
            }
        self._file.append(json_line(more | record))

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read_json_lines(path: str | Path) -> tuple[dict[str, Any], Iterator[Bodies]]:
    """The header of a JSON Lines file, as `JsonLinesWriter` has it, and its frames, one by one.

    A last line that was cut off is passed over. Raises MoveNetError for a file that cannot be
    read or is something else, and, at that frame, for a broken line that others follow.
    """
    return read_records(path, "bodies", {"joints": list(NAMES)}, Bodies.from_dict)
