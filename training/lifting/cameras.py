"""Virtual cameras: pinholes of phones, webcams and laboratories, looking at people from anywhere.

Lengths are in body heights, and camera axes x right, y down, z away. Pictures are measured from
their middle in parts of their longer side.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from lifting.markers import HIPS
from lifting.rotations import about, towards, turned, unit

ASPECTS = ((1, 0.75), (1, 0.5625), (0.5625, 1), (0.75, 1), (1, 1))  # width and height
# People who lean otherwise than the recorded ones, and some who lie or stand on their hands.
LEAN, FALLEN_SHARE, FALLEN = 3, 0.04, 60
AHEAD = torch.tensor([0.0, 0.0, 1.0])  # the z axis
CLOSEST = 0.2  # body heights before the camera, where a limb comes near


@dataclass(frozen=True)
class Scene:
    """Where cameras are; angles in degrees, pairs are ends, or a mean and a deviation.

    focal: length over the picture's longer side. Phones' main cameras have 0.65 to 0.8 (24 to 28 mm
    of a 36 mm frame), webcams 0.6 to 1, wide ones 0.5, those of sports and laboratories 1 to 3.
    extent: a body height in the picture, of its longer side; nearest: body heights away at least.
    spread: of the picture, how far from its middle people stand. elevation: how far a camera looks
    down; a share `rare` of them by `steep`. roll: a deviation; of a share, the other.
    """

    focal: tuple[float, float] = (0.5, 3.0)
    extent: tuple[float, float] = (0.15, 1.1)
    nearest: float = 1.2
    spread: float = 0.7
    elevation: tuple[float, float] = (5.0, 12.0)
    rare: float = 0.1
    steep: tuple[float, float] = (-25.0, 65.0)
    roll: float = 3.0
    askew: tuple[float, float] = (0.1, 15.0)


ANYWHERE = Scene()
# Level cameras at 0.7 to 2 m in a room of 8 m, with a person in the middle of the picture.
ROOM = Scene(
    focal=(0.8, 1.6), extent=(0.35, 0.75), nearest=1.5, spread=0.4, elevation=(3.0, 6.0), rare=0.0,
    roll=0.0, askew=(0.0, 0.0),
)  # fmt: skip


class Views(NamedTuple):
    """What B cameras see."""

    body: Tensor  # (B, T, 20, 3) body heights from the reference frame's pelvis, camera axes
    picture: Tensor  # (B, T, 20, 2)
    size: Tensor  # (B, 2) of the pictures
    height: Tensor  # (B,) a body height in the picture


class Cameras:
    """Draws a camera for every window."""

    def __init__(self, random: torch.Generator, scene: Scene = ANYWHERE) -> None:
        self._random, self._scene = random, scene

    def seen(self, points: Tensor, reference: int, *, lean: bool) -> "Views":
        """(B, T, 20, 3) body heights, y up, as a camera sees them; `lean`: not all upright."""
        count = len(points)
        body = points - points[:, reference, HIPS].mean(1)[:, None, None]
        body = turned(self._view(count, lean=lean)[:, None, None], body)
        focal = self._log_uniform(count, self._scene.focal)
        extent = self._log_uniform(count, self._scene.extent)
        away = (focal / extent).clamp_min(self._scene.nearest)
        size = torch.tensor(ASPECTS)[self._integers(count, len(ASPECTS))]
        place = (self._uniform(count, 2) - 0.5) * size * self._scene.spread
        ray = unit(torch.cat((place / focal[:, None], torch.ones(count, 1)), 1))
        body = turned(about(towards(AHEAD.expand_as(ray), ray))[:, None, None], body)
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
        scene = self._scene
        mean, deviation = scene.elevation
        low, high = scene.steep
        usual, steep = mean + self._normal(count) * deviation, self._uniform(count)
        elevation = torch.where(self._chance(count, scene.rare), low + steep * (high - low), usual)
        share, askew = scene.askew
        roll = self._normal(count) * torch.where(self._chance(count, share), askew, scene.roll)
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
