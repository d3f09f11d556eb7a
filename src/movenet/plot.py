"""A keypoint over time as a picture, before and after smoothing."""

import io
from pathlib import Path

import numpy as np

from movenet.errors import MoveNetError
from movenet.keypoints import INDEX
from movenet.poses import Poses
from movenet.writers.growing import GrowingFile

try:
    from matplotlib.figure import Figure
except ImportError as error:
    raise MoveNetError('--plot: needs matplotlib; pip install "movenet-pytorch[plot]"') from error

Point = tuple[float, float, float]  # seconds, x and y px


class KeypointPlot:
    """x and y of one keypoint of every person over time. Use it in a `with`; closing draws it.

    Before smoothing it is thin and grey, after it in a colour for each id. Where it is not over
    the threshold, the lines are broken. It is FILE.part until it is closed, and an old plot stays
    as long; without any frame none is made, and the old one stays for good.
    """

    def __init__(self, path: str | Path, keypoint: str, *, keypoint_threshold: float) -> None:
        """Make FILE.part. MoveNetError where that cannot be done, or for another suffix."""
        self.path, self.keypoint, self.threshold = Path(path), keypoint, keypoint_threshold
        self.before: dict[int, list[Point]] = {}
        self.after: dict[int, list[Point]] = {}
        if self.path.suffix.lower() not in (".png", ".svg", ".pdf"):
            raise MoveNetError(f"{path}: plots are saved as .png, .svg or .pdf; choose one")
        self._file = GrowingFile(path, part=True)
        self._begun = False

    def add(self, raw: Poses, steady: Poses) -> None:
        """The people of one frame, with ids and a time."""
        self._begun = True
        for lines, poses in ((self.before, raw), (self.after, steady)):
            assert poses.ids is not None
            assert poses.timestamp_s is not None
            seen = poses.keypoint_scores[:, INDEX[self.keypoint]] > self.threshold
            points = poses.keypoints[:, INDEX[self.keypoint]].astype(float)
            points[~seen] = np.nan
            for number, (x, y) in zip(poses.ids.tolist(), points.tolist(), strict=True):
                lines.setdefault(number, []).append((poses.timestamp_s, x, y))

    def close(self) -> None:
        """Draw it; again is no error. MoveNetError where it can no longer be written."""
        begun, self._begun = self._begun, False
        try:
            if begun:
                drawn = io.BytesIO()
                self.figure().savefig(drawn, dpi=120, format=self.path.suffix[1:].lower())
                self._file.append(drawn.getvalue())
                self._file.close()
        finally:
            self._file.drop()  # where it was not closed

    def __enter__(self) -> "KeypointPlot":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def figure(self) -> Figure:
        """The plot of what was added so far: x above y, which grows downwards."""
        figure = Figure(figsize=(10, 6), layout="constrained")
        axes = figure.subplots(2, sharex=True)
        for number, points in self.before.items():
            time_s, *sides = np.array(points).T
            for row, (axis, values) in enumerate(zip(axes, sides, strict=True)):
                label = "before smoothing" if not row and number == min(self.before) else None
                axis.plot(time_s, values, color="0.6", linewidth=0.8, label=label)
        for number, points in self.after.items():
            time_s, *sides = np.array(points).T
            for row, (axis, values) in enumerate(zip(axes, sides, strict=True)):
                axis.plot(time_s, values, linewidth=1.5, label=None if row else f"id {number}")
        for axis, name in zip(axes, "xy", strict=True):
            axis.set_ylabel(f"{self.keypoint} {name} (px)")
        axes[1].invert_yaxis()  # down, as in the picture
        axes[1].set_xlabel("time (s)")
        if self.after:
            axes[0].legend(loc="upper right", ncols=4)
        return figure
