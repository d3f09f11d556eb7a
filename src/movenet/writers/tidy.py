"""Poses as a tidy table in a CSV file: one row a frame, person and keypoint."""

from pathlib import Path
from typing import Any

import numpy as np

from movenet.keypoints import NAMES
from movenet.poses import Poses
from movenet.writers.growing import GrowingFile
from movenet.writers.writer import Writer

COLUMNS = ("frame", "time", "id", "keypoint", "x", "y", "score")


class CsvWriter(Writer):
    """CSV: frame, time in seconds, id, keypoint, x and y in picture pixels, score 0..1.

    Nine significant digits, which give a float32 back exactly; times as Python writes them. What
    is not known (an id without tracking) is empty. A frame with nobody has no rows. A frame's
    rows are on the disk when `write` returns.
    """

    def __init__(self, path: str | Path) -> None:
        """Try the place; the names of the columns come with the first frame."""
        self._file = GrowingFile(path, head=(",".join(COLUMNS) + "\n").encode())

    def write(self, poses: Poses, **_: Any) -> None:
        """The rows of a frame; further entries have no place here."""
        frame = "" if poses.frame_index is None else poses.frame_index
        time = "" if poses.timestamp_s is None else repr(float(poses.timestamp_s))
        ids = [""] * len(poses) if poses.ids is None else poses.ids.tolist()
        values = np.concatenate([poses.keypoints, poses.keypoint_scores[..., None]], 2)
        rows = [
            f"{frame},{time},{person},{name},{x:.9g},{y:.9g},{score:.9g}\n"
            for person, points in zip(ids, values.tolist(), strict=True)
            for name, (x, y, score) in zip(NAMES, points, strict=True)
        ]
        self._file.append("".join(rows).encode())

    def close(self) -> None:
        """Close the file."""
        self._file.close()
