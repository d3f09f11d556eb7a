"""The empty scene of a 3D view: a camera, and the floor that it looks at.

Lengths are in body heights; x right, y down, z away, and the floor at y = 0.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from movenet.draw import line_width

Pixels = NDArray[np.uint8]
Doubles = NDArray[np.float64]

AIR = (30, 34, 41)  # RGB, as all colours
SHIFT = 4  # cv2 takes coordinates in 1/16 pixels

_PLACE = 1.0  # from one person to the next: arms held out to the sides reach 0.46 to each
_TARGET = 0.56  # height over the floor of the point that the camera looks at
_REACH = (1.38, 0.55)  # what is seen at least: upwards; and sideways, beside the places
_DISTANCE = 4.0  # of the camera, from one person; for more it steps back
_NEAREST = 0.2  # of that distance; what is nearer to the camera is drawn as if there
_FAR = 4.0  # picture sizes off the middle; what is further off is drawn there

LINES = (92, 102, 116)
_CELL = 0.25  # of the grid
_FLOOR = 1.5  # from the places to where the grid has faded away
_FADES = 8  # steps of that


@dataclass(frozen=True, slots=True)
class Camera:
    """A pinhole camera that looks at a point over the middle of a row of places.

    size: height and width in pixels. Angles as in View3D. places: how many stand in the row.
    """

    size: tuple[int, int]
    azimuth_deg: float
    elevation_deg: float
    places: int

    @property
    def distance(self) -> float:
        """Body heights from its target."""
        return _DISTANCE + _PLACE * (self.places - 1)

    @property
    def focal_px(self) -> float:
        """So that the row is seen whole."""
        scale = min(self.size[0], self.size[1] / aspect(self.places)) / _REACH[0]
        return self.distance * scale

    def turned(self, points: Doubles) -> Doubles:
        """Points (..., 3), turned about a person's own vertical axis; still y down."""
        azimuth = math.radians(self.azimuth_deg)
        x, y, z = np.moveaxis(points, -1, 0)
        across = x * math.cos(azimuth) + z * math.sin(azimuth)
        return np.stack([across, y, z * math.cos(azimuth) - x * math.sin(azimuth)], -1)

    def see(self, points: Doubles, place: Doubles | float = 0.0) -> Doubles:
        """Points (..., 3), body heights from the floor under a person -> (..., 3).

        Of each x and y in the picture's pixels, and how many of these a body height is there, the
        more the nearer. place (...): the person's, 0 in the middle of the row, 1 apart.
        """
        elevation = math.radians(self.elevation_deg)
        across, y, away = np.moveaxis(self.turned(points), -1, 0)
        below = y + _TARGET
        down = below * math.cos(elevation) - away * math.sin(elevation)
        depth = self.distance + below * math.sin(elevation) + away * math.cos(elevation)
        scale = self.focal_px / np.maximum(depth, _NEAREST * self.distance)
        far = _FAR * max(self.size)
        x = ((across + _PLACE * place) * scale).clip(-far, far)
        y = (down * scale).clip(-far, far)
        return np.stack([x + self.size[1] / 2, y + self.size[0] / 2, scale], -1)


def aspect(places: int) -> float:
    """Width over height of a view that such a row fills."""
    return (_PLACE * (places - 1) + 2 * _REACH[1]) / _REACH[0]


def floor(camera: Camera) -> Pixels:
    """The floor, which fades away around the row, and nobody on it."""
    canvas = np.full((*camera.size, 3), AIR, np.uint8)
    half = _PLACE * (camera.places - 1) / 2
    cells = math.ceil((half + _FLOOR) / _CELL)
    steps = np.arange(-cells, cells + 1) * _CELL
    x, z = np.meshgrid(steps, steps)
    points = np.stack([x, np.zeros_like(x), z], -1)  # (K, K, 3)
    pieces = np.stack([points[:, :-1], points[:, 1:]], 2).reshape(-1, 2, 3)  # along x
    pieces = np.concatenate([pieces, pieces[..., ::-1]])  # and along z
    turned = camera.turned(pieces.mean(1))  # (N, 3)
    off = np.hypot(np.maximum(np.abs(turned[:, 0]) - half, 0), turned[:, 2])
    levels = np.ceil((1 - off / _FLOOR) * _FADES)
    seen = fixed(camera.see(pieces)[..., :2])
    for level in range(1, _FADES + 1):
        colour = np.array(AIR) + (np.array(LINES) - AIR) * level / _FADES
        width = max(1, line_width(*camera.size) // 2)
        cv2.polylines(
            canvas, seen[levels == level], False, colour.tolist(), width, cv2.LINE_AA, SHIFT
        )
    return canvas


def fixed(xy: Doubles) -> NDArray[np.int32]:
    """Continuous pixels -> cv2's, whose integers lie on pixel centres, in 1/16."""
    return np.asarray(np.rint((xy - 0.5) * 2**SHIFT), np.int32)
