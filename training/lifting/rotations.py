"""Turns in three dimensions, as (..., 3, 3) matrices of torch."""

import torch
from torch import Tensor


def about(axis_angle: Tensor) -> Tensor:
    """The turn about an axis by its length in radians, (..., 3) -> (..., 3, 3) (Rodrigues)."""
    angle = axis_angle.norm(dim=-1, keepdim=True).clamp_min(1e-8)
    x, y, z = (axis_angle / angle).unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack((zero, -z, y, z, zero, -x, -y, x, zero), -1).unflatten(-1, (3, 3))
    angle = angle[..., None]
    eye = torch.eye(3, dtype=axis_angle.dtype)
    turn: Tensor = eye + angle.sin() * cross + (1 - angle.cos()) * (cross @ cross)
    return turn


def turned(turn: Tensor, vectors: Tensor) -> Tensor:
    """(..., 3, 3) and (..., 3), which broadcast -> (..., 3)."""
    return (turn @ vectors[..., None])[..., 0]


def unit(vectors: Tensor) -> Tensor:
    """Of length 1; zero stays zero."""
    lengths: Tensor = vectors.norm(dim=-1, keepdim=True)
    return vectors / lengths.clamp_min(1e-6)


def towards(start: Tensor, goal: Tensor) -> Tensor:
    """The least turn, an axis by an angle (..., 3), of `start`'s direction to `goal`'s.

    Of opposite directions none; near there it may go either way.
    """
    axis = torch.linalg.cross(start, goal)
    angle = torch.atan2(axis.norm(dim=-1), (start * goal).sum(-1))
    return unit(axis) * angle[..., None]


def frame(left: Tensor, up: Tensor) -> Tensor:
    """Axes left, up and forward in the columns, (..., 3) twice -> (..., 3, 3); left is kept."""
    x = unit(left)
    z = unit(torch.linalg.cross(x, up))
    return torch.stack((x, torch.linalg.cross(z, x), z), -1)
