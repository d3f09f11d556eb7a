"""The window of `movenet track`: frames at their pace, and what its keys do."""

import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from movenet import images
from movenet.errors import ImageError
from movenet.window import Window

if TYPE_CHECKING:
    from movenet.pipeline import Step

TICK_S = 0.001  # how long a key is waited for at least

Pixels = NDArray[np.uint8]


class View(Window):
    """q ends, space pauses, m mirrors, s saves what is shown."""

    def __init__(self, *, keypoint_threshold: float, mirrored: bool, live: bool) -> None:
        """`live` frames are shown as they come, others not sooner than their times say."""
        super().__init__("movenet")
        self.threshold, self.mirrored, self.live = keypoint_threshold, mirrored, live
        self.snapshots: list[Path] = []
        self._due_s = 0.0  # when the next frame may be shown, less its time

    def put(self, step: "Step") -> bool:
        """Show a frame and obey the keys -> whether to go on."""
        view, paused = self._drawn(step), False
        while True:
            key = self.show(view, wait_s=None if paused else self._wait_s(step))
            if key in ("q", "escape") or self.closed:
                return False
            if key == "m":
                self.mirrored = not self.mirrored
                view = self._drawn(step)
            elif key == "space":
                paused = not paused
            elif key == "s":
                self._save(view, step)
            if not paused:
                return True

    def _wait_s(self, step: "Step") -> float:
        """Until the frame's time has come; a late one is not made up for."""
        if self.live:
            return TICK_S
        now, at_s = time.monotonic(), step.frame.timestamp_s
        self._due_s = max(self._due_s, now - at_s) if self._due_s else now - at_s
        return max(TICK_S, self._due_s + at_s - now)

    def _drawn(self, step: "Step") -> Pixels:
        """A frame as the window shows it; in the mirror, too, ids can be read."""
        picture, poses = step.frame.image, step.poses
        if self.mirrored:
            picture = np.ascontiguousarray(picture[:, ::-1])
            turned = poses.keypoints * (-1.0, 1.0) + (picture.shape[1], 0)
            poses = replace(poses, keypoints=turned.astype(np.float32))
        return poses.draw(picture, keypoint_threshold=self.threshold)

    def _save(self, view: Pixels, step: "Step") -> None:
        """Under a name that nothing has; that it cannot be is no reason to end."""
        path, number = Path(f"snapshot_{step.frame.index:06d}.png"), 1
        while path.exists():
            number += 1
            path = Path(f"snapshot_{step.frame.index:06d}-{number}.png")
        try:
            images.save(view, path)
        except ImageError as error:
            print(f"movenet: {error}", file=sys.stderr)
        else:
            self.snapshots.append(path)
