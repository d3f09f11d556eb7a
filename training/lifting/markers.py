"""Where a body's keypoints are: each person's hips, shoulders and so on are marked elsewhere.

Joints of motion capture, of a person who looks at a picture, and of a network are not the same
points. A lifter is to lift the points that it is given, so every window draws its own markers, in
the frames of the parts of the body, and both the picture and the truth are made of them.
"""

import torch
from torch import Tensor

from lifting.bodies import chest_axes, pelvis_axes
from lifting.recordings import PLACE, SIDES
from lifting.rotations import frame, turned
from movenet.keypoints import NAMES

# The face in the frame of the head, m from the end of the head's bone: left, up, forward. The
# recordings have no face. Eyes are 64 mm apart (Dodgson, "Variation and extrema of human
# interpupillary distance", 2004: 63 mm); the rest is COCO's annotations scaled to that, and a clip
# in space (`offsets.py`).
FACE = (
    (0.0, -0.03, 0.115),
    (0.032, 0.0, 0.09),
    (-0.032, 0.0, 0.09),
    (0.077, -0.027, 0.01),
    (-0.077, -0.027, 0.01),
)
FACE_SIZE, FACE_PLACE = 0.08, 0.02  # standard deviations: of the logarithm; of all of it, m
CROWN = 0.10  # m over the end of the head's bone

# Standard deviations, m: how far to the side, along the part of the body, and forward the point
# is that somebody calls the joint; the same on both sides but for a share.
MARKERS = {
    "shoulder": (0.014, 0.018, 0.014),
    "elbow": (0.007, 0.014, 0.007),
    "wrist": (0.007, 0.018, 0.007),
    "hip": (0.014, 0.021, 0.014),
    "knee": (0.008, 0.014, 0.008),
    "ankle": (0.008, 0.014, 0.01),
}
ONE_SIDED = 0.3
# Where MoveNet puts them, m from the recordings' joints in the same directions (`offsets.py`), for
# this share of the people.
MOVENET = {"hip": (0.022, -0.016, 0.0), "knee": (0.0, -0.035, 0.0), "wrist": (0.0, 0.015, 0.0)}
MOVENET_SHARE = 0.5
MIDDLE_MARKERS = 0.01  # of spine, neck and head
POINTS = (*NAMES, "spine", "neck", "head")  # without the pelvis, which is between the hips
HIPS = [POINTS.index(f"{side}_hip") for side in SIDES]


def points_of(joints: Tensor, heads: Tensor, random: torch.Generator | None = None) -> Tensor:
    """The 20 POINTS (B, T, 20, 3) m of bodies; with a generator, marked as somebody else would."""
    face = torch.tensor(FACE).expand(len(joints), 1, 5, 3)
    if random is not None:
        size = (torch.randn(len(joints), 1, 1, 1, generator=random) * FACE_SIZE).exp()
        place = torch.randn(len(joints), 1, 1, 3, generator=random) * FACE_PLACE
        face = face * size + place
    top = joints[:, :, PLACE["top"]]
    features = top[:, :, None] + turned(heads[:, :, None], face)
    limbs = joints[:, :, [PLACE[name] for name in NAMES[5:]]]
    crown = top + CROWN * heads[..., 1]
    middle = torch.stack((joints[:, :, PLACE["chest"]], joints[:, :, PLACE["neck"]], crown), 2)
    points = torch.cat((features, limbs, middle), 2)
    return points if random is None else points + _elsewhere(joints, random)


def _elsewhere(joints: Tensor, random: torch.Generator) -> Tensor:
    """How far each point is from its joint, (B, T, 20, 3)."""
    moved = torch.zeros(*joints.shape[:2], len(POINTS), 3)
    moved[:, :, 17:] = torch.randn(len(joints), 1, 3, 3, generator=random) * MIDDLE_MARKERS
    movenet = (torch.rand(len(joints), 1, generator=random) < MOVENET_SHARE).float()
    for joint, deviations in MARKERS.items():
        both = torch.randn(len(joints), 3, generator=random) * torch.tensor(deviations)
        both = both + movenet * torch.tensor(MOVENET.get(joint, (0.0, 0.0, 0.0)))
        for side, outwards in zip(SIDES, (1.0, -1.0), strict=True):
            own = torch.randn(len(joints), 3, generator=random) * torch.tensor(deviations)
            offset = both * torch.tensor((outwards, 1.0, 1.0)) + own * ONE_SIDED
            axes = _axes(joints, side, joint)
            moved[:, :, POINTS.index(f"{side}_{joint}")] = turned(axes, offset[:, None])
    return moved


def _axes(joints: Tensor, side: str, joint: str) -> Tensor:
    """The frame of the part of the body that a joint is marked on."""
    if joint == "hip":
        return pelvis_axes(joints)
    if joint == "shoulder":
        return chest_axes(joints)
    upper = {"knee": "hip", "ankle": "knee", "elbow": "shoulder", "wrist": "elbow"}[joint]
    trunk = pelvis_axes(joints) if joint in ("knee", "ankle") else chest_axes(joints)
    along = joints[:, :, PLACE[f"{side}_{upper}"]] - joints[:, :, PLACE[f"{side}_{joint}"]]
    axes = frame(along, -trunk[..., 0])  # along is kept, whichever way the limb points
    return torch.stack((-axes[..., 1], axes[..., 0], axes[..., 2]), -1)
