"""Errors of keypoints as those that are measured, made up."""

import torch
from torch import Tensor


class Errors:
    """A few errors of the size that MoveNet's have."""

    def draw(self, count: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        scores = 0.3 + 0.6 * torch.rand(count, 17, generator=random)
        return scores, torch.randn(count, 17, 2, generator=random) * 0.01

    def alike(self, scores: Tensor, random: torch.Generator) -> Tensor:
        return self.draw(len(scores), random)[1]
