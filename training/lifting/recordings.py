"""CMU's motion capture as joints in metres: BVH and ASF/AMC, repaired, 30 frames a second.

The data obtained from mocap.cs.cmu.edu; the database was created with funding from NSF EIA-0196217.
"""

import csv
import json
import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pybvh
from numpy.typing import NDArray

from lifting.asf import Acclaim, MotionError, ends, read_amc, read_asf

Floats = NDArray[np.float64]

# ASF's unit is 1/0.45 inch in the CMU database, and cgspeed's BVH conversion keeps it.
METRES = 0.0254 / 0.45
RATE = 30.0  # frames/s
HELD_OUT = ("07", "08")  # subjects that nothing is trained on, in either format

SIDES = ("left", "right")
# What both formats have: the middle of the body from below, and two of each limb's joints.
MIDDLE = ("pelvis", "spine", "chest", "neck", "throat", "head", "top")
LIMBS = ("hip", "knee", "ankle", "toe", "shoulder", "elbow", "wrist")
JOINTS = (*MIDDLE, *(f"{side}_{joint}" for joint in LIMBS for side in SIDES))
PLACE = {name: place for place, name in enumerate(JOINTS)}

# The joints in the files. A bone of an ASF ends at its joint; the wrist is the end of the "wrist"
# bone, which is the last third of the forearm, and in BVH the beginning of the fingers.
ASF = dict(
    zip(
        MIDDLE,
        ("root", "lowerback", "upperback", "thorax", "lowerneck", "upperneck", "head"),
        strict=True,
    )
) | {
    f"{side}_{joint}": f"{side[0]}{bone}"
    for side in SIDES
    for joint, bone in zip(
        LIMBS,
        ("hipjoint", "femur", "tibia", "foot", "clavicle", "humerus", "wrist"),
        strict=True,
    )
}
_BVH_LIMBS = ("UpLeg", "Leg", "Foot", "ToeBase", "Arm", "ForeArm", "FingerBase")
BVH = dict(zip(MIDDLE[:-1], ("Hips", "Spine", "Spine1", "Neck", "Neck1", "Head"), strict=True)) | {
    f"{side}_{joint}": side.capitalize() + bone
    for side in SIDES
    for joint, bone in zip(LIMBS, _BVH_LIMBS, strict=True)
}
# Subject 131 is another conversion, with other names.
_BVH_131_LIMBS = ("Hip", "Knee", "Ankle", "Toe", "Shoulder", "Elbow", "{}hand")
BVH_131 = dict(
    zip(MIDDLE[:-1], ("Hips", "Chest", "Chest2", "lowerneck", "Neck", "Head"), strict=True)
) | {
    f"{side}_{joint}": bone.format(side[0]) if "{" in bone else side.capitalize() + bone
    for side in SIDES
    for joint, bone in zip(LIMBS, _BVH_131_LIMBS, strict=True)
}


@dataclass(frozen=True)
class Recording:
    """One take: y is up, the floor near y = 0, and a person faces +z at rest, left towards +x."""

    name: str
    subject: str
    heldout: bool
    joints: Floats  # (T, 21, 3) m, of JOINTS
    head: Floats  # (T, 3, 3), the head's turn from its rest


def recordings(folder: Path) -> Iterator[Recording]:
    """All takes of a folder that has index.csv, the two archives and bvh_offset_fix.json.

    A take that is there in both formats comes once, as BVH. Raises MotionError for a file that is
    missing or damaged.
    """
    try:
        with (folder / "index.csv").open(newline="") as table:
            rows = list(csv.DictReader(table))
        repairs = json.loads((folder / "bvh_offset_fix.json").read_text())
        archives = {name: _Archive(folder / name) for name in {row["zip"] for row in rows}}
    except OSError as error:
        reason = f"cannot be read ({error.strerror})"
        raise MotionError(f"{error.filename}: {reason}; is it a folder of recordings?") from error
    except (ValueError, KeyError) as error:
        raise MotionError(f"{folder}: its index or its repair is damaged; copy it again") from error
    known = {Path(row["member"]).stem for row in rows if row["format"] == "bvh"}
    for row in rows:
        archive, member = archives[row["zip"]], row["member"]
        name = Path(member).stem
        if row["format"] == "bvh":
            if row["subject"] not in repairs:
                raise MotionError(f"{member}: bvh_offset_fix.json has nothing of {row['subject']}")
            offsets = repairs[row["subject"]]["offsets"]
            joints, head = read_bvh(archive.read(member), member, offsets)
            if row["subject"] != "131":  # there, frame 0 is a T-pose that was put in
                joints, head = joints[1:], head[1:]
        elif row["format"] == "amc" and name not in known:
            joints, head = _acclaim(archive, member)
        else:
            continue
        joints, head = resampled(joints, head, float(row["fps"]))
        yield Recording(name, row["subject"], row["subject"] in HELD_OUT, joints, head)


class _Archive:
    """A zip file whose members are read, or are an error that names it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = zipfile.ZipFile(path)
        except zipfile.BadZipFile as error:
            raise MotionError(f"{path}: no whole zip file; copy it again") from error

    def read(self, member: str) -> bytes:
        try:
            return self._file.read(member)
        except (KeyError, zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise MotionError(f"{self._path}: {member} is missing or damaged") from error


def read_bvh(data: bytes, name: str, offsets: dict[str, list[float]]) -> tuple[Floats, Floats]:
    """A BVH whose joints' OFFSETs are replaced by `offsets` -> joints and head, as Recording's.

    Raises MotionError where it cannot be read, or has not the joints of CMU's skeletons.
    """
    motion = _parsed(data, name)
    root, local = motion.to_rotmat()
    known = {node.name for node in motion.nodes}
    names = {**(BVH_131 if "Chest2" in known else BVH), "top": "EndSiteHead"}
    if unknown := set(names.values()) - known:
        raise MotionError(f"{name}: no joint {min(unknown)}; this is no skeleton of CMU's")
    if unknown := offsets.keys() - known:
        raise MotionError(f"{name}: no joint {min(unknown)}, whose offset is to be repaired")
    turns: dict[str, Floats] = {}
    places: dict[str, Floats] = {}
    order = iter(range(local.shape[1]))
    for node in motion.nodes:  # parents come first
        parent = node.parent.name if node.parent else None
        offset = np.array(offsets.get(node.name, node.offset), np.float64)
        places[node.name] = root if parent is None else places[parent] + turns[parent] @ offset
        if not node.is_end_site():
            turn = local[:, next(order)]
            turns[node.name] = turn if parent is None else turns[parent] @ turn
    joints = np.stack([places[names[joint]] for joint in JOINTS], axis=1)
    if not np.isfinite(joints).all() or not np.isfinite(turns["Head"]).all():
        raise MotionError(f"{name}: an offset or a channel is no number")
    return joints * METRES, turns["Head"]


def _parsed(data: bytes, name: str) -> pybvh.Bvh:
    if data.count(b"{") != data.count(b"}"):  # the reader would hang joints on others
        raise MotionError(f"{name}: a brace is missing; the file is cut short, or damaged")
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "loadtxt: input contained no data")
        path = Path(folder) / "motion.bvh"
        path.write_bytes(data)
        try:
            return pybvh.read_bvh_file(path)
        except (ValueError, IndexError, KeyError) as error:
            raise MotionError(f"{name}: {error}".replace(str(path), "the file")) from error


def resampled(joints: Floats, head: Floats, rate: float) -> tuple[Floats, Floats]:
    """At RATE, by time: joints between two frames linearly, the head as in the nearer one."""
    count = int((len(joints) - 1) / rate * RATE + 1e-6) + 1
    at = np.arange(count) * (rate / RATE)
    first = np.minimum(at.astype(int), max(len(joints) - 2, 0))
    share = (at - first)[:, None, None]
    second = np.minimum(first + 1, len(joints) - 1)
    near = np.where(share[:, 0, 0] < 0.5, first, second)
    return joints[first] * (1 - share) + joints[second] * share, head[near]


def _acclaim(archive: _Archive, member: str) -> tuple[Floats, Floats]:
    skeleton = _skeleton(archive, member)
    turns, root = read_amc(archive.read(member).decode("latin-1"), skeleton, member)
    places = ends(skeleton, turns, root)
    return np.stack([places[ASF[joint]] for joint in JOINTS], axis=1) * METRES, turns["head"]


def _skeleton(archive: _Archive, member: str) -> Acclaim:
    """Takes share their subject's: NN_TT.amc has NN.asf, charleston1.amc charleston.asf."""
    folder, _, take = member.rpartition("/")
    stem = take.removesuffix(".amc").split("_")[0].rstrip("0123456789") or take.split("_")[0]
    path = f"{folder}/{stem}.asf"
    return read_asf(archive.read(path).decode("latin-1"), path)
