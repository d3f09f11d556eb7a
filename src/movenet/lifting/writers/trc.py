"""Bodies as TRC, the marker trajectories that OpenSim reads, one file a person."""

from pathlib import Path
from typing import Any

import numpy as np

from movenet.lifting.bodies import Bodies
from movenet.lifting.joints import NAMES
from movenet.lifting.writers.writer import BodiesWriter
from movenet.writers.trc import TrcFiles

_AXES = np.array([1.0, -1.0, -1.0])  # y down, z away -> Y up, Z towards the viewer


class TrcWriter(BodiesWriter):
    """TRC: Frame#, Time in seconds, and X, Y, Z of the 21 joints with their names.

    X is right, Y up, Z towards the camera, and the pelvis at 0 in every frame. The unit is the
    metre; without a height a body height is written as a metre (the person is 1 m tall), because
    OpenSim refuses a unit that it does not know; angles hold, lengths are those of that person.

    A body that could not be lifted has no row. Nothing is filled in. Files: see
    `movenet.writers.trc.TrcFiles`.
    """

    def __init__(self, path: str | Path) -> None:
        """Try the place. Raises MoveNetError where it cannot be written."""
        self._files = TrcFiles(path, NAMES, "m")

    @property
    def paths(self) -> list[Path]:
        """What was written, when it is closed."""
        return self._files.paths

    def write(self, bodies: Bodies, **_: Any) -> None:
        """A row in the file of each person; further entries have no place here.

        ValueError without frame_index and timestamp_s, and for several people without ids.
        """
        points = (bodies.joints * _AXES + 0.0).reshape(len(bodies), 3 * len(NAMES))  # no -0
        known = np.isfinite(points).all(1).tolist()
        rows = [
            "".join(f"{value:.9g}\t" for value in row) if whole else None
            for row, whole in zip(points.tolist(), known, strict=True)
        ]
        self._files.write(bodies, rows)

    def close(self) -> None:
        """Write the numbers of the headers, and give the files their names."""
        self._files.close()
