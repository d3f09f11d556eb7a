"""The angles of joints. Their conventions with pictures in words: docs/lifting-conventions.md."""

import numpy as np
from numpy.typing import ArrayLike

from movenet.lifting.joints import INDEX, NAMES
from movenet.lifting.rotations import Doubles, across, angle_between, cross, dot, unit

# In the order of `joint_angles`: each of the first six for the left side, then for the right.
_OF_SIDES = (
    "knee_flexion",
    "hip_flexion",
    "hip_abduction",
    "elbow_flexion",
    "shoulder_flexion",
    "shoulder_abduction",
)
ANGLES = (
    *(f"{side}_{name}" for name in _OF_SIDES for side in ("left", "right")),
    "trunk_lean",
    "trunk_side",
)
_AT = {"spine": ("trunk_lean", "trunk_side")} | {
    joint: (f"{joint}_flexion", f"{joint}_abduction")
    for joint in NAMES
    if f"{joint}_flexion" in ANGLES
}
# (21, 2): of each joint the places in ANGLES of its flexion and abduction; behind the last: none.
_PLACES = np.array(
    [
        [ANGLES.index(name) if name in ANGLES else len(ANGLES) for name in _AT.get(joint, ("", ""))]
        for joint in NAMES
    ]
)
_UP = np.array([0.0, -1.0, 0.0])  # y is down
_SIDES = np.array([[1.0], [-1.0]])  # away from the middle is left for the left side


def joint_angles(joints: ArrayLike) -> Doubles:
    """Joints, (..., 21, 3) as in `Bodies`, of any unit -> (..., 14) degrees, of `ANGLES`.

    All are 0 of somebody who stands upright with hanging arms, and flexion and abduction are
    positive where a limb goes forward and away from the middle (the knee: back).

    - Knee, elbow: the angle between the directions of the two bones, 0 straight, up to 180. Two
      directions do not say which way a joint bends: an overstretched one is positive too.
    - Hip: the thigh in the axes of the pelvis, which has its left from the hips and its up from
      pelvis to spine. Flexion turns about the left, -180 to 180, abduction follows, -90 to 90
      (Wu et al. 2002, the ISB's hip, without its axial rotation).
    - Shoulder: the upper arm in the axes of the chest, which has its up from spine to neck and its
      left from the shoulders. The angle from hanging is shared out by the arm's plane: forward is
      all flexion, sideways all abduction, and the root of the sum of squares is that angle (the
      ISB's elevation, Wu et al. 2005; its plane of elevation is the angle between the two). So
      neither is undefined where the arm points forward, sideways or up.
    - Trunk: from pelvis to neck, against the vertical, which is y: the camera's, or gravity
      (`upright`). `trunk_lean` is forward, -180 to 180; `trunk_side` to the own left, -90 to 90.

    NaN where a joint is NaN or a bone has no length.
    """
    points = np.asarray(joints, np.float64)
    if points.shape[-2:] != (len(NAMES), 3):
        raise ValueError(f"joints: expected the shape (..., 21, 3), got {points.shape}")
    shoulder, elbow, wrist, hip, knee, ankle = (
        points[..., [INDEX[f"left_{name}"], INDEX[f"right_{name}"]], :]  # (..., 2, 3)
        for name in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    )
    pelvis, spine, neck = (points[..., INDEX[name], :] for name in ("pelvis", "spine", "neck"))
    thigh, upper_arm = unit(knee - hip), unit(elbow - shoulder)
    with np.errstate(invalid="ignore"):
        hips_left = unit(hip[..., 0, :] - hip[..., 1, :])
        chest_up = unit(neck - spine)
        chest_left = across(shoulder[..., 0, :] - shoulder[..., 1, :], chest_up)
        level = across(hips_left, _UP)
        trunk = unit(neck - pelvis)
        sided = [
            angle_between(thigh, unit(ankle - knee)),
            *_turned(thigh, hips_left, across(spine - pelvis, hips_left)),
            angle_between(upper_arm, unit(wrist - elbow)),
            *_raised(upper_arm, chest_left, chest_up),
        ]
        forward = cross(level, _UP)
        lean = [
            np.arctan2(dot(trunk, forward), dot(trunk, _UP)),
            np.arcsin(np.clip(dot(trunk, level), -1, 1)),
        ]
    angles: Doubles = np.degrees(np.concatenate([*sided, np.stack(lean, -1)], -1))
    return angles


def by_joint(angles: Doubles) -> Doubles:
    """(..., 14) of `ANGLES` -> (..., 21, 2): a joint's flexion and abduction.

    NaN where a joint has none; the trunk's two are at the spine.
    """
    none = np.full((*angles.shape[:-1], 1), np.nan)
    return np.concatenate([angles, none], -1)[..., _PLACES]


def _turned(bones: Doubles, left: Doubles, up: Doubles) -> tuple[Doubles, Doubles]:
    """Flexion about the left axis, then abduction; bones (..., 2, 3) -> (..., 2), (..., 2)."""
    forward, down, outward = _parts(bones, left, up)
    return np.arctan2(forward, down), np.arcsin(np.clip(outward, -1, 1))


def _raised(bones: Doubles, left: Doubles, up: Doubles) -> tuple[Doubles, Doubles]:
    """The angle from hanging, shared out; bones (..., 2, 3) -> (..., 2), (..., 2)."""
    forward, down, outward = _parts(bones, left, up)
    raised = np.arctan2(np.hypot(forward, outward), down)
    plane = np.arctan2(outward, forward)
    return raised * np.cos(plane), raised * np.sin(plane)


def _parts(bones: Doubles, left: Doubles, up: Doubles) -> tuple[Doubles, Doubles, Doubles]:
    """How far unit bones, (..., 2, 3), go forward, down, and away from the middle."""
    outward = left[..., None, :] * _SIDES
    forward = cross(left, up)[..., None, :]
    return dot(bones, forward), -dot(bones, up[..., None, :]), dot(bones, outward)
