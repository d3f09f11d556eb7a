"""The window of `movenet track` and `lift`: frames at their pace, and what its keys do."""

import math
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from movenet import images
from movenet.errors import ImageError
from movenet.frame import Frame
from movenet.window import Window

if TYPE_CHECKING:
    from movenet.poses import Poses
    from movenet.tracker import Event

Pixels = NDArray[np.uint8]


class Seen(Protocol):
    """A frame, the people in it, and what happened to their ids."""

    @property
    def frame(self) -> Frame:
        """With its picture."""

    @property
    def poses(self) -> "Poses":
        """With ids."""

    @property
    def events(self) -> "list[Event]":
        """New ids, and lost ones."""


S = TypeVar("S", bound=Seen)


class View(Window, Generic[S]):
    """q ends, space pauses, m mirrors, s saves what is shown."""

    KEYS: ClassVar[tuple[str, ...]] = ("m", "s")  # those that leave a frame where it is

    def __init__(
        self, *, keypoint_threshold: float, mirrored: bool, live: bool, stills: bool = False
    ) -> None:
        """`live` frames are shown as they come, others not sooner than their times say.

        `stills` are pictures that have nothing to do with each other: each stays until a key.
        """
        super().__init__("movenet")
        self.threshold, self.mirrored, self.live = keypoint_threshold, mirrored, live
        self.stills = stills
        self.snapshots: list[Path] = []
        self._shown: S | None = None
        self._count = 0
        self._offset_s = -math.inf  # from a frame's time to the clock's

    def put(self, step: S) -> bool:
        """Show a frame when its time has come, and obey the keys -> whether to go on."""
        due_s = self._due_s(step)
        if self._shown is not None and not (self._held() if self.stills else self._stay(due_s)):
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
            stays = self._count == 1 or (self.stills and self._count)
            if error is None and stays and not self.live:
                self._held()
        finally:
            super().__exit__(kind, error, trace)

    def _held(self) -> bool:
        """Show what is there until any other key, or a click -> whether to go on."""
        view = None
        while (key := self.show(view, wait_s=None)) in self.KEYS:
            view = self._obey(key)
        if key in ("q", "escape"):
            self.close()
        return not self.closed

    def _due_s(self, step: S) -> float:
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

    def _drawn(self, *, whole: bool = False) -> Pixels:
        """A frame as the window shows it; `whole`: not smaller than it is."""
        assert self._shown is not None
        return annotated(self._shown, self.threshold, mirrored=self.mirrored)

    def _save(self) -> None:
        """Under a name that nothing has; that it cannot be is no reason to end."""
        assert self._shown is not None
        index = self._shown.frame.index
        path, number = Path(f"snapshot_{index:06d}.png"), 1
        while path.exists():
            number += 1
            path = Path(f"snapshot_{index:06d}-{number}.png")
        try:
            images.save(self._drawn(whole=True), path)
        except ImageError as error:
            print(f"movenet: {error}", file=sys.stderr)
        else:
            self.snapshots.append(path)


def annotated(step: Seen, threshold: float, *, mirrored: bool = False) -> Pixels:
    """A frame with its people drawn; in the mirror, too, ids can be read."""
    picture, poses = step.frame.image, step.poses
    if mirrored:
        picture = np.ascontiguousarray(picture[:, ::-1])
        turned = poses.keypoints * (-1.0, 1.0) + (picture.shape[1], 0)
        poses = replace(poses, keypoints=turned.astype(np.float32))
    return poses.draw(picture, keypoint_threshold=threshold)
