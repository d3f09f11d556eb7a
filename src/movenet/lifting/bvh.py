"""A person's movement as BVH: a skeleton of fixed bones, and its rotations over time.

What it looks like, and the rule for twists: docs/lifting-conventions.md.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from movenet.lifting.bones import BONES
from movenet.lifting.joints import INDEX
from movenet.lifting.rotations import (
    Doubles,
    across,
    angle_between,
    cross,
    dot,
    euler,
    swing,
    turn,
    unit,
)

Vector = tuple[float, float, float]

# Bodies have y down and z away; in BVH, Y is up and Z towards the viewer.
_AXES = np.array([1.0, -1.0, -1.0])
# Of the skeleton at rest, which stands as a T and looks at the viewer.
_LEFT, _UP, _FORWARD = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
_RIGHT, _DOWN = (-1.0, 0.0, 0.0), (0.0, -1.0, 0.0)
_STUB = 0.25  # of the bone before it: hands, feet and the crown end somewhere, for the eye
# Between these bends, in radians, the twist goes from the least one to the hinge's: a nearly
# straight limb does not say where its hinge is.
_STRAIGHT, _BENT = np.radians([10, 30])


@dataclass(frozen=True, slots=True)
class Joint:
    """A joint of the skeleton: its parent, which of the 21 it is, and its place at rest.

    `bone` is the kind (of `BONES`) of the bone from the parent, "" where it lies in the parent,
    `rest` the bone's direction at rest, `order` that of the rotations, `stub` the direction of
    what has no joint at its end.
    """

    name: str
    parent: str
    at: str
    bone: str = ""
    rest: Vector = _UP
    order: str = "ZXY"
    stub: Vector | None = None


def _arm(name: str, side: str, out: Vector) -> tuple[Joint, ...]:
    return (
        Joint(f"{name}Shoulder", "Chest", "neck", "neck"),
        Joint(f"{name}Arm", f"{name}Shoulder", f"{side}_shoulder", "shoulder", out),
        Joint(f"{name}ForeArm", f"{name}Arm", f"{side}_elbow", "elbow", out),
        Joint(f"{name}Hand", f"{name}ForeArm", f"{side}_wrist", "wrist", out, stub=out),
    )


def _leg(name: str, side: str, out: Vector) -> tuple[Joint, ...]:
    joint = partial(Joint, order="XZY")  # flexion first: it may pass 90 degrees
    return (
        joint(f"{name}UpLeg", "Hips", f"{side}_hip", "hip", out),
        joint(f"{name}Leg", f"{name}UpLeg", f"{side}_knee", "knee", _DOWN),
        joint(f"{name}Foot", f"{name}Leg", f"{side}_ankle", "ankle", _DOWN, stub=_FORWARD),
    )


# In the order of the file: each followed by all that hangs on it. The spine starts in the pelvis
# and turns there by itself, because the line of the hips is not always at right angles to it; so
# do the shoulders at the neck.
JOINTS = (
    Joint("Hips", "", "pelvis"),
    Joint("Spine", "Hips", "pelvis"),
    Joint("Chest", "Spine", "spine", "spine"),
    Joint("Neck", "Chest", "neck", "neck"),
    Joint("Head", "Neck", "head", "head", stub=_UP),
    *_arm("Left", "left", _LEFT),
    *_arm("Right", "right", _RIGHT),
    *_leg("Left", "left", _LEFT),
    *_leg("Right", "right", _RIGHT),
)
# Of each twisted bone the hinge at its end, at rest: the axis about which the next one bends.
_HINGES = {"LeftArm": _DOWN, "RightArm": _UP, "LeftUpLeg": _LEFT, "RightUpLeg": _LEFT}
CHANNELS = 3 + 3 * len(JOINTS)


def bvh_text(joints: ArrayLike, lengths: ArrayLike, interval_s: float) -> Iterator[str]:
    """A person's joints at even times, (T, 21, 3) as in `Bodies`, as the pieces of a BVH file.

    `lengths` (9,) are those of `BONES`, in the unit that the file will have, `interval_s` the time
    of a frame. All must be finite, T at least 1.
    """
    values = channels(joints)
    yield "HIERARCHY\n"
    yield from _hierarchy(dict(zip(BONES, np.asarray(lengths).tolist(), strict=True)))
    yield f"MOTION\nFrames: {len(values)}\nFrame Time: {interval_s:.10g}\n"
    line = " ".join(["%.6f"] * CHANNELS) + "\n"
    for row in values.tolist():
        yield line % tuple(row)


def channels(joints: ArrayLike) -> Doubles:
    """(T, 21, 3) -> (T, 60): the place of the pelvis, then three degrees a joint of `JOINTS`.

    The degrees of a joint go on over time without jumping by whole turns. Where a frame's bones
    have no directions (two joints in one place), it has the rotations of the frame before it.
    """
    points = np.asarray(joints, np.float64) * _AXES
    turned = rotations(points)
    columns = [points[:, INDEX["pelvis"]]]
    for joint in JOINTS:
        local = turned[joint.name]
        if joint.parent:
            local = np.swapaxes(turned[joint.parent], -1, -2) @ local
        columns.append(np.unwrap(euler(local, joint.order), axis=0, period=360))
    return np.concatenate(columns, -1)


def rotations(points: Doubles) -> dict[str, Doubles]:
    """The rotation of each joint from rest, against the world: (T, 21, 3) in BVH's axes.

    -> (T, 3, 3) a joint, by its name. The bones that start at a joint have the directions that
    they have in the points; what is not seen, their twist, follows the rule of the page.
    """
    turned = _trunk(points)
    places = {joint.name: points[:, INDEX[joint.at]] for joint in JOINTS}
    after = {joint.parent: joint for joint in JOINTS if joint.name not in turned}
    limbs = [joint for joint in JOINTS if joint.name not in turned]
    bones = {
        joint.name: unit(places[after[joint.name].name] - places[joint.name])
        for joint in limbs
        if joint.stub is None
    }
    for joint in limbs:
        rotation = turned[joint.parent]
        if joint.stub is None:
            end, bone = after[joint.name], bones[joint.name]
            rotation = _swung(rotation, end.rest, bone)
            if joint.name in _HINGES:
                rotation = _twisted(rotation, _HINGES[joint.name], bone, bones[end.name])
        turned[joint.name] = rotation
    return _held(turned)


def _trunk(points: Doubles) -> dict[str, Doubles]:
    """The trunk's and the head's: two directions say all of a rotation."""
    pelvis, spine, neck, head = (
        points[:, INDEX[name]] for name in ("pelvis", "spine", "neck", "head")
    )
    hips, shoulders, ears = (
        points[:, INDEX[f"left_{name}"]] - points[:, INDEX[f"right_{name}"]]
        for name in ("hip", "shoulder", "ear")
    )
    left, low, middle, top = unit(hips), unit(spine - pelvis), unit(neck - spine), unit(head - neck)
    skull = _columns(across(ears, top), top)
    return {
        "Hips": _columns(left, across(low, left)),
        "Spine": _columns(across(left, low), low),
        "Chest": _columns(across(shoulders, middle), middle),
        "Neck": skull,
        "Head": skull,
    }


def _columns(left: Doubles, up: Doubles) -> Doubles:
    """The rotation that takes left and up at rest to these."""
    return np.stack([left, up, cross(left, up)], -1)


def _swung(parent: Doubles, rest: Vector, bone: Doubles) -> Doubles:
    """The parent's rotation and then the smallest one that gives the bone its direction."""
    aside = parent @ np.roll(rest, 1)
    rotation: Doubles = swing(parent @ rest, bone, aside) @ parent
    return rotation


def _twisted(rotation: Doubles, axis: Vector, bone: Doubles, lower: Doubles) -> Doubles:
    """The rotation turned about its bone towards the hinge that the next bone shows."""
    bend = angle_between(bone, lower)
    weight = np.clip((bend - _STRAIGHT) / (_BENT - _STRAIGHT), 0, 1)
    now, shown = rotation @ axis, cross(bone, lower)
    twist = np.arctan2(dot(cross(now, shown), bone), dot(now, shown))
    twisted: Doubles = turn(bone, weight * twist) @ rotation
    return twisted


def _held(turned: dict[str, Doubles]) -> dict[str, Doubles]:
    """Where any rotation is not finite, all are those of the last frame (or the first) that is."""
    finite = np.all([np.isfinite(each).all((-2, -1)) for each in turned.values()], axis=0)
    if finite.all():
        return turned
    if not finite.any():
        return {name: np.broadcast_to(np.eye(3), each.shape) for name, each in turned.items()}
    last = np.maximum.accumulate(np.where(finite, np.arange(len(finite)), np.argmax(finite)))
    return {name: each[last] for name, each in turned.items()}


def _hierarchy(lengths: dict[str, float], parent: str = "", indent: str = "") -> Iterator[str]:
    """The joints of a parent, and theirs."""
    for joint in (joint for joint in JOINTS if joint.parent == parent):
        length = lengths[joint.bone] if joint.bone else 0.0
        positions = "" if parent else " Xposition Yposition Zposition"
        turns = "".join(f" {axis}rotation" for axis in joint.order)
        yield f"{indent}{'JOINT' if parent else 'ROOT'} {joint.name}\n{indent}{{\n"
        yield f"{indent}\t{_offset(joint.rest, length)}"
        yield f"{indent}\tCHANNELS {3 if parent else 6}{positions}{turns}\n"
        if joint.stub is not None:
            offset = _offset(joint.stub, length * _STUB)
            yield f"{indent}\tEnd Site\n{indent}\t{{\n{indent}\t\t{offset}{indent}\t}}\n"
        yield from _hierarchy(lengths, joint.name, indent + "\t")
        yield f"{indent}}}\n"


def _offset(direction: Vector, length: float) -> str:
    x, y, z = (length * part + 0.0 for part in direction)  # 0.0: no -0
    return f"OFFSET {x:.6f} {y:.6f} {z:.6f}\n"
