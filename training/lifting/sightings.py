"""What MoveNet would have made of projected keypoints: scores, errors, dropouts, cut-off limbs."""

from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from lifting.cameras import Views
from movenet.keypoints import NAMES

EXACT_SHARE = 0.5  # windows without errors, for keypoints that others measured
FACELESS_SHARE = 0.6  # of those without a face, which motion capture lacks
# Of the variance of an error, what stays over a window; the rest goes on from frame to frame with
# this correlation (`offsets.py`, at 30 frames/s).
STEADY, GOES_ON = 0.5, 0.6
LOST_SHARE, BLINK_SHARE = 0.05, 0.02  # keypoints lost all the time, and in one frame
CUT_SHARE = 0.1  # people whose picture ends at the waist or the knees
RIM = 0.01  # of the picture's longer side, which MoveNet still finds beyond its edge


class Errors(Protocol):
    """MoveNet's errors, as measured (`errors.py`)."""

    def draw(self, count: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Of `count` people: scores (count, 17), 0 where not seen; errors (count, 17, 2).

        The errors are in parts of the body height.
        """
        ...


class Sightings(NamedTuple):
    """Keypoints as a lifter gets them: (B, T, 17, 2), and their scores (B, T, 17)."""

    keypoints: Tensor
    scores: Tensor


def exact(picture: Tensor) -> Sightings:
    """What is projected, (B, T, 20, 2), without a face and without an error."""
    scores = torch.ones((*picture.shape[:2], 17))
    scores[..., :5] = 0
    return Sightings(picture[:, :, :17], scores)


def sighted(views: Views, errors: Errors, random: torch.Generator) -> Sightings:
    """Some windows exactly, the others with MoveNet's errors."""
    points = views.picture[:, :, :17]
    count, frames = points.shape[:2]
    is_exact = torch.rand(count, generator=random) < EXACT_SHARE
    faceless = torch.rand(count, generator=random) < FACELESS_SHARE
    scores, offsets = errors.draw(count, random)
    _, others = errors.draw(count * frames, random)
    own = _wandering(others.unflatten(0, (count, frames)))
    offsets = offsets[:, None] * STEADY**0.5 + own * (1 - STEADY) ** 0.5
    offsets = offsets * views.height[:, None, None, None]
    scores = scores[:, None].expand(count, frames, 17)
    lost = _lost(points, views.size, random)
    scores = torch.where(lost, 0.0, scores)
    keep = is_exact[:, None, None]
    points = torch.where(keep[..., None], points, points + offsets)
    scores = torch.where(keep, 1.0, scores)
    face = torch.arange(len(NAMES)) < 5
    return Sightings(points, torch.where((is_exact & faceless)[:, None, None] & face, 0.0, scores))


def _wandering(errors: Tensor) -> Tensor:
    """Of every frame's own errors (B, T, ...), those that go on from frame to frame."""
    wandering = [errors[:, 0]]
    for own in errors[:, 1:].unbind(1):
        wandering.append(wandering[-1] * GOES_ON + own * (1 - GOES_ON**2) ** 0.5)
    return torch.stack(wandering, 1)


def _lost(points: Tensor, size: Tensor, random: torch.Generator) -> Tensor:
    """Keypoints outside the picture, and some inside."""
    count, frames = points.shape[:2]
    outside = (points.abs() > size[:, None, None] / 2 + RIM).any(-1)
    always = torch.rand(count, 1, 17, generator=random) < LOST_SHARE
    blinks = torch.rand(count, frames, 17, generator=random) < BLINK_SHARE
    cut = torch.rand(count, generator=random) < CUT_SHARE
    first = torch.where(torch.rand(count, generator=random) < 0.5, 11, 13)  # hips or knees
    below = torch.arange(17) >= first[:, None]
    return outside | always | blinks | (cut[:, None] & below)[:, None]
