"""Virtual cameras: pinholes of phones, webcams and laboratories, looking at people from anywhere.

Lengths are in body heights, and camera axes x right, y down, z away. Pictures are measured from
their middle in parts of their longer side.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from lifting.markers import HIPS
from lifting.rotations import about, turned, unit

# Focal length over the picture's longer side. Phones' main cameras have 0.65 to 0.8 (24 to 28 mm
# of a 36 mm frame), webcams 0.6 to 1, wide ones 0.5, cameras of sports and laboratories 1 to 3.
FOCAL = 0.5, 3.0
ASPECTS = ((1, 0.75), (1, 0.5625), (0.5625, 1), (0.75, 1), (1, 1))  # width and height
EXTENT = 0.15, 1.1  # a body height in the picture
NEAREST = 1.2  # body heights away
SPREAD = 0.7  # of the picture: how far from its middle people stand
# Degrees. Cameras look a little down, some of them much; few are held askew.
ELEVATION, ELEVATION_SPREAD, HIGH_SHARE, HIGH = 5, 12, 0.1, (-25, 65)
ROLL, ASKEW_SHARE, ASKEW = 3, 0.1, 15
# People who lean otherwise than the recorded ones, and some who lie or stand on their hands.
LEAN, FALLEN_SHARE, FALLEN = 5, 0.06, 60
CLOSEST = 0.2  # body heights before the camera, where a limb comes near


class Views(NamedTuple):
    """What B cameras see."""

    body: Tensor  # (B, T, 20, 3) body heights from the reference frame's pelvis, camera axes
    picture: Tensor  # (B, T, 20, 2)
    size: Tensor  # (B, 2) of the pictures
    height: Tensor  # (B,) a body height in the picture


class Cameras:
    """Draws a camera for every window."""

    def __init__(self, random: torch.Generator) -> None:
        self._random = random

    def seen(self, points: Tensor, reference: int, *, lean: bool) -> "Views":
        """(B, T, 20, 3) body heights, y up, as a camera sees them; `lean`: not all upright."""
        count = len(points)
        body = points - points[:, reference, HIPS].mean(1)[:, None, None]
        body = turned(self._view(count, lean=lean)[:, None, None], body)
        focal = self._log_uniform(count, FOCAL)
        away = (focal / self._log_uniform(count, EXTENT)).clamp_min(NEAREST)
        size = torch.tensor(ASPECTS)[self._integers(count, len(ASPECTS))]
        place = (self._uniform(count, 2) - 0.5) * size * SPREAD
        ray = unit(torch.cat((place / focal[:, None], torch.ones(count, 1)), 1))
        body = turned(_towards(ray)[:, None, None], body)
        before = body + (ray * away[:, None])[:, None, None]
        depth = before[..., 2:].clamp_min(CLOSEST)
        picture = before[..., :2] / depth * focal[:, None, None, None]
        return Views(body, picture, size, focal / away)

    def _view(self, count: int, *, lean: bool) -> Tensor:
        """From a person's axes to those of a camera that looks straight at them."""
        turn = about(self._normal(count, 3) * math.radians(LEAN if lean else 0))
        if lean:
            fallen = self._normal(count, 3) * math.radians(FALLEN)
            turn = about(fallen * self._chance(count, FALLEN_SHARE)[:, None]) @ turn
        to_camera = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
        around = _about_axis(1, self._uniform(count) * 2 * math.pi)
        return self._tilt(count) @ to_camera @ around @ turn

    def _tilt(self, count: int) -> Tensor:
        low, high = HIGH
        usual = self._normal(count) * ELEVATION_SPREAD + ELEVATION
        rare = low + self._uniform(count) * (high - low)
        elevation = torch.where(self._chance(count, HIGH_SHARE), rare, usual)
        askew = self._chance(count, ASKEW_SHARE)
        roll = self._normal(count) * torch.where(askew, float(ASKEW), float(ROLL))
        return _about_axis(2, torch.deg2rad(roll)) @ _about_axis(0, torch.deg2rad(elevation))

    def _normal(self, *shape: int) -> Tensor:
        return torch.randn(*shape, generator=self._random)

    def _uniform(self, *shape: int) -> Tensor:
        return torch.rand(*shape, generator=self._random)

    def _log_uniform(self, count: int, ends: tuple[float, float]) -> Tensor:
        low, high = map(math.log, ends)
        return (low + self._uniform(count) * (high - low)).exp()

    def _chance(self, count: int, share: float) -> Tensor:
        return self._uniform(count) < share

    def _integers(self, count: int, ends: int) -> Tensor:
        return torch.randint(ends, (count,), generator=self._random)


def _about_axis(axis: int, angles: Tensor) -> Tensor:
    return about(angles[:, None] * torch.eye(3)[axis])


def _towards(rays: Tensor) -> Tensor:
    """The least turn that takes the z axis to unit vectors (B, 3)."""
    ahead = torch.tensor([0.0, 0.0, 1.0]).expand_as(rays)
    axis = torch.linalg.cross(ahead, rays)
    angle = torch.atan2(axis.norm(dim=-1), rays[:, 2])
    return about(unit(axis) * angle[:, None])
