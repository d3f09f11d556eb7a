"""Recorded people as people who were never recorded: other limbs, other movements, a mirror.

Arrays of torch: B windows of T frames. Joints are those of `recordings.JOINTS`; a person faces +z
at rest, left towards +x, y up.
"""

import math

import torch
from torch import Tensor

from lifting.recordings import JOINTS, PLACE, SIDES
from lifting.rotations import about, frame, towards, turned

# Every joint's parent, parents first; the pelvis has none.
PARENTS = {
    **{f"{side}_hip": "pelvis" for side in SIDES},
    **{f"{side}_knee": f"{side}_hip" for side in SIDES},
    **{f"{side}_ankle": f"{side}_knee" for side in SIDES},
    **{f"{side}_toe": f"{side}_ankle" for side in SIDES},
    **{"spine": "pelvis", "chest": "spine", "neck": "chest"},
    **{"throat": "neck", "head": "throat", "top": "head"},
    **{f"{side}_shoulder": "neck" for side in SIDES},
    **{f"{side}_elbow": f"{side}_shoulder" for side in SIDES},
    **{f"{side}_wrist": f"{side}_elbow" for side in SIDES},
}
BONES = {joint: place for place, joint in enumerate(PARENTS)}  # named for the joint at their end
HEAD = ("throat", "head", "top")
TRUNK = ("spine", "chest", "neck")
ARM, LEG = ("elbow", "wrist"), ("knee", "ankle", "toe")  # of a side
ARMS = tuple(f"{side}_{joint}" for joint in ARM for side in SIDES)
UPPER = (*TRUNK, *HEAD, "left_shoulder", "right_shoulder", *ARMS)

# Where a mirror puts each joint.
_OTHER = {"left": "right", "right": "left"}
MIRROR = [
    PLACE[f"{_OTHER[name.split('_')[0]]}_{name.split('_')[1]}" if "_" in name else name]
    for name in JOINTS
]

# How often the upper body, each arm and each leg are another recording's.
UPPER_SHARE, ARM_SHARE, LEG_SHARE = 0.25, 0.2, 0.2
# How often the legs, and the arms, hang straighter than they were recorded, by any part of the way:
# the people of the recordings bend their knees by 15 degrees or more in 95 of 100 frames, and their
# elbows by 19, where others stand straight.
RELAXED_SHARE = 0.35
# Degrees, standard deviations: how far a part of the body is turned, against the pelvis or the
# chest, and how often; more where people are freer.
TURNS = {"upper": 9, "head": 12, "leg": 5, "shank": 3, "arm": 20, "forearm": 12}
TURN_SHARE = 0.7
# Standard deviations of the logarithms of lengths: of the whole, of a part, of a bone of both
# sides, of one side's bone against the other's.
WHOLE, PART, BONE, SIDE = 0.03, 0.035, 0.035, 0.008
BROAD = 0.06  # hips and shoulders, whose joints recordings place in many ways
CHILD_SHARE, CHILD_LEGS, CHILD_HEAD = 0.1, 0.85, 1.3
# Stature, heel to crown, over the chain of bones from the ankle to the end of the head's, without
# the hips' drop: 1.48 m where the recordings' README has people of 1.75 m.
STATURE = 1.18
SHORTEST = 1e-6  # m, of a bone that has a direction


def pelvis_axes(joints: Tensor) -> Tensor:
    """Left, up and forward of the pelvis, in columns, (..., 3, 3)."""
    across = joints[..., PLACE["left_hip"], :] - joints[..., PLACE["right_hip"], :]
    return frame(across, joints[..., PLACE["spine"], :] - joints[..., PLACE["pelvis"], :])


def chest_axes(joints: Tensor) -> Tensor:
    """Left, up and forward of the chest, in columns, (..., 3, 3)."""
    across = joints[..., PLACE["left_shoulder"], :] - joints[..., PLACE["right_shoulder"], :]
    return frame(across, joints[..., PLACE["neck"], :] - joints[..., PLACE["spine"], :])


def bones_of(joints: Tensor) -> Tensor:
    """From each joint's parent to it, (..., 20, 3), in the order of BONES."""
    ends = [PLACE[joint] for joint in PARENTS]
    return joints[..., ends, :] - joints[..., [PLACE[name] for name in PARENTS.values()], :]


def joints_of(pelvis: Tensor, bones: Tensor) -> Tensor:
    """The joints (..., 21, 3) that bones make, from the pelvis outwards."""
    places = {"pelvis": pelvis}
    for joint, parent in PARENTS.items():
        places[joint] = places[parent] + bones[..., BONES[joint], :]
    return torch.stack([places[name] for name in JOINTS], -2)


class Bodies:
    """Makes people of windows: of each another one, in the same generator's order."""

    def __init__(self, random: torch.Generator) -> None:
        self._random = random

    def varied(self, joints: Tensor, heads: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T, 21, 3) m and (B, T, 3, 3) of other people, who move otherwise."""
        joints, heads = self._mixed(joints, heads)
        joints, heads = self._bent(self._relaxed(joints), heads)
        return self._mirrored(self._grown(joints), heads)

    def _mixed(self, joints: Tensor, heads: Tensor) -> tuple[Tensor, Tensor]:
        """Some with another one's upper body, or others' legs and arms, on their own."""
        other = self._shuffled(len(joints))
        to_mine = pelvis_axes(joints) @ pelvis_axes(joints[other]).mT
        takes = self._chance(len(joints), UPPER_SHARE)
        bones = self._grafted(bones_of(joints), other, to_mine, UPPER, takes)
        heads = torch.where(takes[:, None, None, None], to_mine @ heads[other], heads)
        joints = joints_of(joints[:, :, PLACE["pelvis"]], bones)
        joints = self._with_limbs(joints, pelvis_axes(joints), LEG, LEG_SHARE)
        return self._with_limbs(joints, chest_axes(joints), ARM, ARM_SHARE), heads

    def _with_limbs(
        self, joints: Tensor, axes: Tensor, limb: tuple[str, ...], share: float
    ) -> Tensor:
        """Some of the limbs stand as another one's to that one's axes, and keep their lengths."""
        other = self._shuffled(len(joints))
        to_mine, own = axes @ axes[other].mT, bones_of(joints)
        bones = own
        for side in SIDES:
            names = tuple(f"{side}_{joint}" for joint in limb)
            takes = self._chance(len(joints), share)
            bones = self._grafted(bones, other, to_mine, names, takes)
        longer = own.norm(dim=-1) / bones.norm(dim=-1).clamp_min(SHORTEST)
        return joints_of(joints[:, :, PLACE["pelvis"]], bones * longer[..., None])

    def _grafted(
        self, bones: Tensor, other: Tensor, to_mine: Tensor, names: tuple[str, ...], takes: Tensor
    ) -> Tensor:
        places = [BONES[name] for name in names]
        theirs = turned(to_mine[:, :, None], bones[other][:, :, places])
        bones = bones.clone()
        bones[:, :, places] = torch.where(takes[:, None, None, None], theirs, bones[:, :, places])
        return bones

    def _relaxed(self, joints: Tensor) -> Tensor:
        """Some with legs, or arms, nearer to hanging straight down from the pelvis or the chest."""
        bones = bones_of(joints)
        for limb, axes in ((LEG, pelvis_axes(joints)), (ARM, chest_axes(joints))):
            part = torch.rand(len(joints), 1, 1, generator=self._random)
            part = part * self._chance(len(joints), RELAXED_SHARE)[:, None, None]
            for side in SIDES:
                places, goal = [BONES[f"{side}_{joint}"] for joint in limb], -axes[..., 1]
                for first in (0, 1):
                    turn = about(towards(bones[:, :, places[first]], goal) * part)
                    moved = turned(turn[:, :, None], bones[:, :, places[first:]])
                    bones[:, :, places[first:]] = moved
                    goal = moved[:, :, 0]
        return joints_of(joints[:, :, PLACE["pelvis"]], bones)

    def _bent(self, joints: Tensor, heads: Tensor) -> tuple[Tensor, Tensor]:
        """Parts of the body are turned, by one turn for the whole window."""
        bones, pelvis, chest = bones_of(joints), pelvis_axes(joints), chest_axes(joints)
        bones, turn = self._turned(bones, pelvis, UPPER, "upper")
        heads = turn @ heads
        bones, turn = self._turned(bones, chest, HEAD, "head")
        heads = turn @ heads
        for side in SIDES:
            leg, arm = (tuple(f"{side}_{joint}" for joint in limb) for limb in (LEG, ARM))
            bones, _ = self._turned(bones, pelvis, leg, "leg")
            bones, _ = self._turned(bones, pelvis, leg[1:], "shank")
            bones, _ = self._turned(bones, chest, arm, "arm")
            bones, _ = self._turned(bones, chest, arm[1:], "forearm")
        return joints_of(joints[:, :, PLACE["pelvis"]], bones), heads

    def _turned(
        self, bones: Tensor, axes: Tensor, names: tuple[str, ...], part: str
    ) -> tuple[Tensor, Tensor]:
        places, count = [BONES[name] for name in names], len(bones)
        spread = math.radians(TURNS[part]) * self._chance(count, TURN_SHARE)[:, None]
        turn = axes @ about(self._normal(count, 3) * spread)[:, None] @ axes.mT
        bones = bones.clone()
        bones[:, :, places] = turned(turn[:, :, None], bones[:, :, places])
        return bones, turn

    def _grown(self, joints: Tensor) -> Tensor:
        """Tall and short, limb by limb; the way that is walked grows with the legs."""
        count = len(joints)
        scale = torch.ones(count, len(BONES))
        child = self._chance(count, CHILD_SHARE)
        legs, arms, trunk, head = self._spread(count, 4, PART).unbind(1)
        legs = torch.where(child, legs * CHILD_LEGS, legs)
        head = torch.where(child, head * CHILD_HEAD, head)
        parts = [legs, legs, legs, arms, arms, trunk, trunk]
        limbs = ("knee", "ankle", "toe", "elbow", "wrist", "hip", "shoulder")
        for joint, part in zip(limbs, parts, strict=True):
            bone = part * self._spread(count, 1, BROAD if part is trunk else BONE)[:, 0]
            for side in SIDES:
                own = self._spread(count, 1, SIDE)[:, 0]
                scale[:, BONES[f"{side}_{joint}"]] = bone * own
        for names, part in ((TRUNK, trunk), (HEAD, head)):
            places = [BONES[name] for name in names]
            scale[:, places] = part[:, None] * self._spread(count, len(names), BONE)
        scale = scale * self._spread(count, 1, WHOLE)
        pelvis = joints[:, :, PLACE["pelvis"]] * legs[:, None, None]
        return joints_of(pelvis, bones_of(joints) * scale[:, None, :, None])

    def _mirrored(self, joints: Tensor, heads: Tensor) -> tuple[Tensor, Tensor]:
        """Every other one, whose left becomes right."""
        turns = self._chance(len(joints), 0.5)[:, None, None, None]
        flip = torch.tensor([-1.0, 1.0, 1.0])
        joints = torch.where(turns, (joints * flip)[:, :, MIRROR], joints)
        return joints, torch.where(turns, flip[:, None] * heads * flip, heads)

    def _normal(self, *shape: int) -> Tensor:
        return torch.randn(*shape, generator=self._random)

    def _chance(self, count: int, share: float) -> Tensor:
        return torch.rand(count, generator=self._random) < share

    def _shuffled(self, count: int) -> Tensor:
        return torch.randperm(count, generator=self._random)

    def _spread(self, count: int, many: int, deviation: float) -> Tensor:
        """Factors about 1."""
        return (self._normal(count, many) * deviation).exp()


def stature(joints: Tensor) -> Tensor:
    """How tall people are, heel to crown, in the joints' unit: (..., 21, 3) -> (...)."""
    lengths = bones_of(joints).norm(dim=-1)
    legs = [BONES[f"{side}_{joint}"] for side in SIDES for joint in ("knee", "ankle")]
    middle = [BONES[name] for name in (*TRUNK, *HEAD)]
    chain = lengths[..., legs].sum(-1) / 2 + lengths[..., middle].sum(-1)
    tall: Tensor = STATURE * chain
    return tall
