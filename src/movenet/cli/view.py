"""The window of `movenet track`: frames at their pace, and what its keys do."""

import math
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from movenet import images
from movenet.errors import ImageError
from movenet.window import Window

if TYPE_CHECKING:
    from movenet.pipeline import Step

Pixels = NDArray[np.uint8]


class View(Window):
    """q ends, space pauses, m mirrors, s saves what is shown."""

    def __init__(self, *, keypoint_threshold: float, mirrored: bool, live: bool) -> None:
        """`live` frames are shown as they come, others not sooner than their times say."""
        super().__init__("movenet")
        self.threshold, self.mirrored, self.live = keypoint_threshold, mirrored, live
        self.snapshots: list[Path] = []
        self._shown: Step | None = None
        self._count = 0
        self._offset_s = -math.inf  # from a frame's time to the clock's

    def put(self, step: "Step") -> bool:
        """Show a frame when its time has come, and obey the keys -> whether to go on."""
        due_s = self._due_s(step)
        if self._shown is not None and not self._stay(due_s):
            return False
        self._shown, self._count = step, self._count + 1
        return self._stay(due_s, self._drawn())

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it; a picture by itself stays until any other key, or a click."""
        try:
            if error is None and self._count == 1 and not self.live:
                view = None
                while (key := self.show(view, wait_s=None)) in ("m", "s"):
                    view = self._obey(key)
        finally:
            super().__exit__(kind, error, trace)

    def _due_s(self, step: "Step") -> float:
        """When a frame may be shown, by the clock; a late one is not made up for."""
        if self.live:
            return -math.inf
        at_s = step.frame.timestamp_s
        self._offset_s = max(self._offset_s, time.monotonic() - at_s)
        return self._offset_s + at_s

    def _stay(self, due_s: float, view: Pixels | None = None) -> bool:
        """Show it, None what is there, until then, in a pause for longer -> whether to go on."""
        paused = False
        while True:
            left_s = None if paused else max(0.0, due_s - time.monotonic())
            key = self.show(view, wait_s=left_s)
            if key in ("q", "escape"):
                self.close()
            if self.closed:
                return False
            if key is None:
                return True
            view = self._obey(key)
            paused ^= key == "space"

    def _obey(self, key: str | None) -> Pixels | None:
        """Mirror or save what is shown -> what is to be shown now, None for the same."""
        if key == "m":
            self.mirrored = not self.mirrored
            return self._drawn()
        if key == "s":
            self._save()
        return None

    def _drawn(self) -> Pixels:
        """A frame as the window shows it; in the mirror, too, ids can be read."""
        assert self._shown is not None
        picture, poses = self._shown.frame.image, self._shown.poses
        if self.mirrored:
            picture = np.ascontiguousarray(picture[:, ::-1])
            turned = poses.keypoints * (-1.0, 1.0) + (picture.shape[1], 0)
            poses = replace(poses, keypoints=turned.astype(np.float32))
        return poses.draw(picture, keypoint_threshold=self.threshold)

    def _save(self) -> None:
        """Under a name that nothing has; that it cannot be is no reason to end."""
        assert self._shown is not None
        index = self._shown.frame.index
        path, number = Path(f"snapshot_{index:06d}.png"), 1
        while path.exists():
            number += 1
            path = Path(f"snapshot_{index:06d}-{number}.png")
        try:
            images.save(self._drawn(), path)
        except ImageError as error:
            print(f"movenet: {error}", file=sys.stderr)
        else:
            self.snapshots.append(path)
