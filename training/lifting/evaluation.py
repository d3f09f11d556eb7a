"""How far lifted joints are from true ones: MPJPE and PA-MPJPE, in mm, over the 12 limb joints.

MPJPE: the mean distance with the pelvis in one place, scaled to the person's true height. PA-MPJPE:
the same after the similarity (turn, scale, shift) that fits best (Ionescu et al., "Human3.6M",
PAMI 2014, protocols 1 and 2, as they are called since Martinez et al., ICCV 2017).
"""

from typing import NamedTuple

import torch
from torch import Tensor

from lifting.markers import POINTS
from lifting.simulation import Batch
from movenet.lifting.joints import MIRROR, NAMES
from movenet.lifting.network import LiftingNetwork

LIMBS = [POINTS.index(name) for name in NAMES[5:17]]
LEARNT = [NAMES.index(name) for name in POINTS]


class Score(NamedTuple):
    """Of a set of people, mm."""

    mpjpe: float
    pa_mpjpe: float


def score(found: Tensor, batch: Batch) -> Score:
    """Of found points (B, 20, 3) in body heights."""
    return score_limbs(found[:, LIMBS], batch.points[:, LIMBS], batch.height_m)


def score_limbs(found: Tensor, true: Tensor, height_m: Tensor) -> Score:
    """Of (B, J, 3) in body heights, the pelvis at 0."""
    to_mm = height_m * 1000

    def mean(points: Tensor) -> float:
        return float(((points - true).norm(dim=-1).mean(1) * to_mm).mean())

    return Score(mean(found), mean(aligned(found, true)))


def aligned(found: Tensor, true: Tensor) -> Tensor:
    """Found points (B, J, 3) brought by a turn, a scale and a shift as near to the true as can be.

    Umeyama, "Least-squares estimation of transformation parameters", PAMI 1991.
    """
    mine, theirs = found.double(), true.double()
    middle, goal = mine.mean(1, keepdim=True), theirs.mean(1, keepdim=True)
    mine, theirs = mine - middle, theirs - goal
    left, values, right = torch.linalg.svd(mine.mT @ theirs)
    signs = torch.ones_like(values)
    signs[:, -1] = (left @ right).det().sign()  # a turn, no mirror
    scale = (values * signs).sum(1) / mine.square().sum((1, 2)).clamp_min(1e-12)
    turn = (left * signs[:, None]) @ right
    result: Tensor = (scale[:, None, None] * mine @ turn + goal).to(found.dtype)
    return result


@torch.no_grad()
def lifted(network: LiftingNetwork, batch: Batch) -> Tensor:
    """What a network makes of a batch, looked at twice, once in a mirror: (B, 20, 3)."""
    flip = torch.tensor([-1.0, 1.0])
    mirror = list(MIRROR)
    joints = network(batch.keypoints, batch.scores).joints
    other = network((batch.keypoints * flip)[:, :, mirror[:17]], batch.scores[:, :, mirror[:17]])
    back = other.joints[:, mirror] * torch.tensor([-1.0, 1.0, 1.0])
    points: Tensor = ((joints + back) / 2)[:, LEARNT]
    return points
