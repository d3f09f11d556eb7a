"""The annotated picture and the bodies side by side, in files and in the window."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from movenet.cli.lifted import Lifted, told
from movenet.cli.view import View, annotated
from movenet.draw import line_width
from movenet.lifting.bodies import Bodies
from movenet.stage import LINES, aspect
from movenet.view3d import View3D, beside
from movenet.window import fitted, scaled

Pixels = NDArray[np.uint8]

SIDES = (0, 90)  # azimuths, in degrees: as the camera sees the bodies, and from its right
ARROWS = {"left": (-15, 0), "right": (15, 0), "up": (0, 10), "down": (0, -10)}  # degrees
_MIRRORED = np.array([-1, 1, 1], np.float32)


class Pair:
    """Draws a frame, and beside it its bodies at the same height. One object a stream."""

    def __init__(self, *, keypoint_threshold: float, sides: Sequence[int], stills: bool) -> None:
        """`sides` are azimuths in degrees, one or two; `stills` have nothing to do with each other.

        Two views stand side by side, those of several people in a still one above the other.
        """
        self._threshold, self._stills = keypoint_threshold, stills
        self._views = [View3D((2, 2), azimuth_deg=angle) for angle in sides]

    def turn(self, azimuth_deg: float, elevation_deg: float) -> None:
        """Look from elsewhere."""
        for view in self._views:
            view.turn(azimuth_deg, elevation_deg)

    def draw(
        self, step: Lifted, *, mirrored: bool = False, screen: tuple[int, int] | None = None
    ) -> Pixels:
        """A new picture (H, W, 3) uint8 RGB; mirrored, the bodies are too.

        It is drawn no larger than a screen shows it (its width and height).
        """
        if screen is not None:
            step = self._smaller(step, screen)
        across = step.poses.boxes[:, [0, 2]].sum(1) * (-1 if mirrored else 1)
        bodies = told(step.bodies)[np.argsort(across)]  # in the row as in the picture
        if mirrored:
            bodies = replace(bodies, joints=bodies.joints * _MIRRORED)
        drawn = annotated(step, self._threshold, mirrored=mirrored)
        return beside(drawn, self._seen(bodies, step.frame.image.shape[:2]))

    def _seen(self, bodies: Bodies, picture: tuple[int, int]) -> Pixels:
        """From all sides, a line between them; `picture`: height and width of that beside it."""
        height, width = self._size(picture, len(bodies))
        axis = 0 if self._is_stack(len(bodies)) else 1
        size = [height, width]
        size[axis] = max(2, size[axis] // len(self._views))
        if self._stills:  # nobody keeps a place from one picture to the next
            self._views = [
                View3D((2, 2), azimuth_deg=view.azimuth_deg, elevation_deg=view.elevation_deg)
                for view in self._views
            ]
        sights = []
        for view in self._views:
            view.size = size[0], size[1]
            sights.append(view.draw(bodies))
        for sight in sights[1:]:
            np.moveaxis(sight, axis, 0)[: line_width(*picture)] = LINES
        return np.concatenate(sights, axis)

    def _is_stack(self, people: int) -> bool:
        return self._stills and len(self._views) > 1 and people > 1

    def _size(self, picture: tuple[int, int], people: int) -> tuple[int, int]:
        """Height and width of all views together, beside a picture of such a size."""
        height, width = picture
        if self._is_stack(people):
            wide = min(round(height / 2 * aspect(people)), 2 * width)
        elif len(self._views) > 1:  # a frame of a clip is as large as any other
            wide = 2 * min(round(height * aspect(1)), width)
        else:
            wide = min(height, width)
        return max(2, height), max(2, wide)

    def _smaller(self, step: Lifted, screen: tuple[int, int]) -> Lifted:
        """With a picture that leaves room for the bodies."""
        height, width = step.frame.image.shape[:2]
        across = width + self._size((height, width), len(step.bodies))[1]
        _, high = fitted((across, height), screen)
        image = scaled(step.frame.image, (max(1, round(width * high / height)), high))
        ratio = np.array(image.shape[1::-1], np.float32) / (width, height)
        keypoints = (step.poses.keypoints * ratio).astype(np.float32)
        poses = replace(step.poses, keypoints=keypoints, image_size=image.shape[:2])
        return step._replace(frame=replace(step.frame, image=image), poses=poses)


class LiftedView(View[Lifted]):
    """The keys of `View`, and the arrow keys, which turn the bodies."""

    KEYS: ClassVar[tuple[str, ...]] = (*View.KEYS, *ARROWS)

    def __init__(
        self, *, keypoint_threshold: float, mirrored: bool, live: bool, stills: bool
    ) -> None:
        """As in `View`."""
        super().__init__(
            keypoint_threshold=keypoint_threshold, mirrored=mirrored, live=live, stills=stills
        )
        sides = SIDES[: 1 + stills]  # of a clip, the arrow keys show the others
        self._pair = Pair(keypoint_threshold=keypoint_threshold, sides=sides, stills=stills)

    def _obey(self, key: str | None) -> Pixels | None:
        if key in ARROWS:
            self._pair.turn(*ARROWS[key])
            return self._drawn()
        return super()._obey(key)

    def _drawn(self, *, whole: bool = False) -> Pixels:
        assert self._shown is not None
        screen = None if whole else self.screen
        return self._pair.draw(self._shown, mirrored=self.mirrored, screen=screen)
