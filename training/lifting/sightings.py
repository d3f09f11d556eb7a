"""What MoveNet would have made of projected keypoints: scores, errors, dropouts, cut-off limbs."""

from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from lifting.cameras import Views
from movenet.keypoints import NAMES

EXACT_SHARE = 0.6  # windows without errors, for keypoints that others measured
FACELESS_SHARE = 0.6  # of those without a face, which motion capture lacks
# Of a keypoint's error, how often it stays over a window; else it goes on from one frame to the
# next this often (`offsets.py`, at 30 frames/s), or is another of about the same score. So every
# frame has errors as they were measured, tails and scores included; sums would have others.
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

    def alike(self, scores: Tensor, random: torch.Generator) -> Tensor:
        """Other errors (N, 17, 2) of keypoints that have about these scores (N, 17)."""
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
    scores = scores[:, None].expand(count, frames, 17)
    others = errors.alike(scores.flatten(0, 1), random).unflatten(0, (count, frames))
    steady = torch.rand(count, 1, 17, 1, generator=random) < STEADY
    offsets = torch.where(steady, offsets[:, None], _wandering(others, random))
    offsets = offsets * views.height[:, None, None, None]
    lost = _lost(points, views.size, random)
    scores = torch.where(lost, 0.0, scores)
    keep = is_exact[:, None, None]
    points = torch.where(keep[..., None], points, points + offsets)
    scores = torch.where(keep, 1.0, scores)
    face = torch.arange(len(NAMES)) < 5
    return Sightings(points, torch.where((is_exact & faceless)[:, None, None] & face, 0.0, scores))


def _wandering(errors: Tensor, random: torch.Generator) -> Tensor:
    """Of every frame's own errors (B, T, 17, 2), those that go on for a while."""
    wandering = [errors[:, 0]]
    for own in errors[:, 1:].unbind(1):
        goes_on = torch.rand(*own.shape[:2], 1, generator=random) < GOES_ON
        wandering.append(torch.where(goes_on, wandering[-1], own))
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
