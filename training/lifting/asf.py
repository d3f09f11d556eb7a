"""Acclaim's skeletons (ASF) and motions (AMC), as the CMU database has them.

The format: J. Lander, "Working with Motion Capture File Formats", Game Developer, January 1998.
"""

from collections.abc import Iterator, Set
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from movenet.errors import MoveNetError

Floats = NDArray[np.float64]
TURNS = ("rx", "ry", "rz")
# What CMU's skeletons have in common, and what is read as if it were so.
CONVENTIONS = {
    "units": {"length": "0.45", "angle": "deg"},
    "root": {"order": "TX TY TZ RX RY RZ", "axis": "XYZ", "orientation": "0 0 0"},
}


class MotionError(MoveNetError):
    """A skeleton or a motion that cannot be read; the message says which and where."""


@dataclass(frozen=True)
class Bone:
    """A bone ends at its joint and begins where its parent ends."""

    vector: Floats  # (3,) at rest, in the global frame
    axes: Floats  # (3, 3) of its own frame at rest
    freedom: tuple[str, ...]  # of TURNS, in the order of the motion's numbers


@dataclass(frozen=True)
class Acclaim:
    """A skeleton: bones by name, and each one's parent, in an order where parents come first."""

    name: str
    bones: dict[str, Bone]
    parents: dict[str, str]  # "root" is no bone


def read_asf(text: str, name: str) -> Acclaim:
    """A skeleton from an ASF's text; `name` stands in errors. MotionError where it is damaged."""
    sections = _sections(text)
    if missing := {"bonedata", "hierarchy"} - sections.keys():
        raise MotionError(f"{name}: no :{min(missing)}; the file is cut short, or no ASF")
    _check_conventions(sections, name)
    bones = {}
    for block in _blocks(sections["bonedata"]):
        fields = {line.split()[0]: line.split()[1:] for line in block}
        try:
            bones[fields["name"][0]] = _bone(fields)
        except (KeyError, IndexError, ValueError) as error:
            raise MotionError(f"{name}: a bone cannot be read ({error})") from error
    return Acclaim(name, bones, _parents(sections["hierarchy"], bones.keys(), name))


def _check_conventions(sections: dict[str, list[str]], name: str) -> None:
    for section, wanted in CONVENTIONS.items():
        for line in sections.get(section, []):
            key, *values = line.split()
            if key in wanted and values != wanted[key].split():
                raise MotionError(
                    f"{name}: {key} {' '.join(values)}, where CMU's have {wanted[key]}"
                )


def _parents(lines: list[str], bones: Set[str], name: str) -> dict[str, str]:
    parents: dict[str, str] = {}
    for line in (line for block in _blocks(lines) for line in block):
        parent, *children = line.split()
        if unknown := {parent, *children} - {"root", *bones}:
            raise MotionError(f"{name}: the hierarchy names {min(unknown)}, which is no bone")
        if parent not in {"root", *parents}:
            raise MotionError(f"{name}: the hierarchy has {parent} before its parent")
        if again := parents.keys() & set(children):
            raise MotionError(f"{name}: the hierarchy has {min(again)} twice")
        parents |= dict.fromkeys(children, parent)
    if lost := bones - parents.keys():
        raise MotionError(f"{name}: the hierarchy lacks {min(lost)}")
    return parents


def read_amc(text: str, skeleton: Acclaim, name: str) -> tuple[dict[str, Floats], Floats]:
    """The turns of the bones of every frame, global, and where the root is.

    -> ({bone or "root": (T, 3, 3)}, (T, 3) in the skeleton's unit). MotionError where the motion is
    damaged, or is another skeleton's.
    """
    if ":RADIANS" in text:
        raise MotionError(f"{name}: angles in radians, where CMU's are in degrees")
    frames = list(_frames(text, name))
    if not frames:
        raise MotionError(f"{name}: no frame")
    if unknown := set().union(*frames) - {"root", *skeleton.bones}:
        raise MotionError(f"{name}: moves {min(unknown)}, which {skeleton.name} lacks")
    numbers = {
        bone: _numbers(frames, bone, count, name) for bone, count in _counts(skeleton).items()
    }
    turns = {"root": _turn(TURNS, numbers["root"][:, 3:])}
    for bone, parent in skeleton.parents.items():
        turns[bone] = turns[parent]
        if bone in numbers:
            data = skeleton.bones[bone]
            turns[bone] = (
                turns[parent] @ data.axes @ _turn(data.freedom, numbers[bone]) @ data.axes.T
            )
    return turns, numbers["root"][:, :3]


def _numbers(frames: list[dict[str, list[str]]], bone: str, count: int, name: str) -> Floats:
    """A bone's numbers over time, (T, count)."""
    try:
        numbers = np.array([frame[bone] for frame in frames], np.float64)
    except (KeyError, ValueError) as error:
        raise MotionError(f"{name}: {bone} is missing or cut short in a frame") from error
    if numbers.shape != (len(frames), count):
        raise MotionError(f"{name}: {bone} has not its {count} numbers in every frame")
    if not np.isfinite(numbers).all():
        raise MotionError(f"{name}: {bone} has a number in a frame that is not finite")
    return numbers


def ends(skeleton: Acclaim, turns: dict[str, Floats], root: Floats) -> dict[str, Floats]:
    """Where every bone ends, (T, 3), by forward kinematics."""
    places = {"root": root}
    for bone, parent in skeleton.parents.items():
        places[bone] = places[parent] + turns[bone] @ skeleton.bones[bone].vector
    return places


def _sections(text: str) -> dict[str, list[str]]:
    sections: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in (line.split("#")[0].strip() for line in text.splitlines()):
        if line.startswith(":"):
            lines = sections.setdefault(line[1:].partition(" ")[0].lower(), [])
        elif line:
            lines.append(line)
    return sections


def _blocks(lines: list[str]) -> Iterator[list[str]]:
    """What stands between `begin` and `end`."""
    block: list[str] = []
    for line in lines:
        if line == "begin":
            block = []
        elif line == "end":
            yield block
        else:
            block.append(line)


def _bone(fields: dict[str, list[str]]) -> Bone:
    direction = np.array(fields["direction"], np.float64)
    angles = np.array(fields["axis"][:3], np.float64)
    axes = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    if fields["axis"][3:] != ["XYZ"]:
        raise ValueError(f"axis {' '.join(fields['axis'])}, not XYZ")
    freedom = tuple(fields.get("dof", ()))
    if set(freedom) - set(TURNS) or len(set(freedom)) < len(freedom):
        raise ValueError(f"dof {' '.join(freedom)}")
    vector = direction * float(fields["length"][0])
    if vector.shape != (3,) or not np.isfinite(vector).all():
        raise ValueError(f"direction {' '.join(fields['direction'])}")
    return Bone(vector, axes, freedom)


def _counts(skeleton: Acclaim) -> dict[str, int]:
    """How many numbers a frame has for a bone; those that cannot move have none."""
    free = {name: len(bone.freedom) for name, bone in skeleton.bones.items() if bone.freedom}
    return {"root": 6} | free


def _frames(text: str, name: str) -> Iterator[dict[str, list[str]]]:
    frame: dict[str, list[str]] | None = None
    for line in text.splitlines():
        words = line.split()
        if not words or words[0][0] in "#:":
            continue
        if len(words) == 1 and words[0].isdigit():
            if frame is not None:
                yield frame
            frame = {}
        elif frame is None:
            raise MotionError(f"{name}: numbers before the first frame; this is no AMC")
        elif words[0] in frame:
            raise MotionError(f"{name}: {words[0]} twice in a frame, or a frame without its number")
        else:
            frame[words[0]] = words[1:]
    if frame is not None:
        yield frame


def _turn(freedom: tuple[str, ...], degrees: Floats) -> Floats:
    """Rz Ry Rx of the angles that there are -> (T, 3, 3)."""
    angles = np.zeros((len(degrees), 3))
    for place, axis in enumerate(freedom):
        angles[:, TURNS.index(axis)] = degrees[:, place]
    turn: Floats = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    return turn
