"""How far lifted joints are from true ones: MPJPE and PA-MPJPE, in mm, over the 12 limb joints.

MPJPE: the mean distance with the pelvis in one place, scaled to the person's true height. PA-MPJPE:
the same after the similarity (turn, scale, shift) that fits best (Ionescu et al., "Human3.6M",
PAMI 2014, protocols 1 and 2, as they are called since Martinez et al., ICCV 2017).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lifting.markers import POINTS
from lifting.simulation import Batch
from movenet import Poses
from movenet.lifting.bodies import Bodies
from movenet.lifting.joints import MIRROR, NAMES
from movenet.lifting.lifter import Lifter, lift
from movenet.lifting.network import LiftingNetwork

Floats = NDArray[np.float64]

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


def with_errors(batch: Batch) -> Batch:
    """Those windows that have MoveNet's errors; a simulation leaves some without."""
    noisy = (batch.scores[:, :, 5:] < 1).flatten(1).any(1)
    return Batch(*(values[noisy] for values in batch))


def lifted(network: LiftingNetwork, batch: Batch) -> Tensor:
    """What a network makes of a batch: (B, 20, 3)."""
    points, _ = looked_twice(network, batch)
    return points


@torch.no_grad()
def looked_twice(network: LiftingNetwork, batch: Batch) -> tuple[Tensor, Tensor]:
    """Points (B, 20, 3) and uncertainty (B, 20), once in a mirror, as `movenet.lift` has it."""
    flip = torch.tensor([-1.0, 1.0])
    mirror = list(MIRROR)
    joints, spread = network(batch.keypoints, batch.scores)
    other = network((batch.keypoints * flip)[:, :, mirror[:17]], batch.scores[:, :, mirror[:17]])
    back = other.joints[:, mirror] * torch.tensor([-1.0, 1.0, 1.0])
    points, spread = (joints + back) / 2, (spread + other.uncertainty[:, mirror]) / 2
    return points[:, LEARNT], spread[:, LEARNT]


def products(poses: Sequence[Poses]) -> dict[str, Floats]:
    """What users get of one person's poses over time, by network: (T, 21, 3) body heights.

    Each picture by itself; a stream, live; and a clip.
    """
    lifter = Lifter()
    ways: dict[str, list[Bodies]] = {
        "single": lift([replace(each, timestamp_s=None) for each in poses]),
        "causal": [lifter(each) for each in poses],
        "centred": lift(poses),
    }
    return {
        kind: np.concatenate([each.joints for each in bodies]).astype(np.float64)
        for kind, bodies in ways.items()
    }
