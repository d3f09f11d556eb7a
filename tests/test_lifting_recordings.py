"""CMU's recordings as joints: forward kinematics by hand, both formats, repairs, damage."""

import contextlib
import csv
import json
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "training"))
from lifting import recordings  # noqa: E402
from lifting.asf import MotionError, ends, read_amc, read_asf  # noqa: E402
from lifting.recordings import BVH, BVH_131, JOINTS, PLACE, RATE, read_bvh, resampled  # noqa: E402

CMU = ROOT.parent / "shared" / "data" / "mocap" / "cmu"
needs_cmu = pytest.mark.skipif(not CMU.exists(), reason="needs ../shared/data/mocap/cmu")
PER_METRE = 45 / 2.54  # units: one is 1/0.45 inch

# A person at rest, by the joints' names in BVH: parent, and the way from it.
REST = {
    "Hips": (None, (0, 0, 0)),
    **{
        f"{side}{joint}": (parent.format(side), (sign * x, y, z))
        for side, sign in (("Left", 1), ("Right", -1))
        for joint, parent, (x, y, z) in (
            ("UpLeg", "Hips", (1, -1, 0)),
            ("Leg", "{}UpLeg", (0, -4, 0)),
            ("Foot", "{}Leg", (0, -4, 0)),
            ("ToeBase", "{}Foot", (0, 0, 1)),
        )
    },
    "Spine": ("Hips", (0, 2, 0)),
    "Spine1": ("Spine", (0, 2, 0)),
    "Neck": ("Spine1", (0, 0, 0)),
    "Neck1": ("Neck", (0, 1, 0)),
    "Head": ("Neck1", (0, 1, 0)),
    **{
        f"{side}{joint}": (parent.format(side), (sign * x, y, 0))
        for side, sign in (("Left", 1), ("Right", -1))
        for joint, parent, (x, y) in (
            ("Shoulder", "Spine1", (0, 0)),
            ("Arm", "{}Shoulder", (3, 1)),
            ("ForeArm", "{}Arm", (5, 0)),
            ("Hand", "{}ForeArm", (3, 0)),
            ("FingerBase", "{}Hand", (0, 0)),
        )
    },
}
TOP = (0, 2, 0)
# What the conversion lost.
REPAIRS = {
    "Neck": [0.0, 2, 0], "LeftShoulder": [0.0, 2, 0], "RightShoulder": [0.0, 2, 0],
    "LeftFingerBase": [2.0, 0, 0], "RightFingerBase": [-2.0, 0, 0],
}  # fmt: skip
# The same skeleton's names in ASF: bones that end at the joints.
BONES = {
    "Spine": "lowerback", "Spine1": "upperback", "Neck": "thorax", "Neck1": "lowerneck",
    "Head": "upperneck",
    **{
        f"{side}{joint}": f"{side[0].lower()}{bone}"
        for side in ("Left", "Right")
        for joint, bone in (
            ("UpLeg", "hipjoint"), ("Leg", "femur"), ("Foot", "tibia"), ("ToeBase", "foot"),
            ("Arm", "clavicle"), ("ForeArm", "humerus"), ("Hand", "radius"),
            ("FingerBase", "wrist"),
        )
    },
}  # fmt: skip

Turns = dict[str, tuple[float, float, float]]  # Z, Y and X in degrees, by joint


def bvh(*frames: Turns, root: tuple[float, ...] = (0, 0, 0), rename: dict | None = None) -> str:
    """The person's skeleton, and a frame for each of `frames`."""
    lines, order = ["HIERARCHY"], []

    def put(name: str) -> None:
        parent, offset = REST[name]
        order.append(name)
        lines.append(f"{'JOINT' if parent else 'ROOT'} {(rename or {}).get(name, name)}")
        lines.extend(["{", "OFFSET {} {} {}".format(*offset)])
        place = "6 Xposition Yposition Zposition" if parent is None else "3"
        lines.append(f"CHANNELS {place} Zrotation Yrotation Xrotation")
        children = [child for child, (of, _) in REST.items() if of == name]
        for child in children:
            put(child)
        if not children:
            lines.extend(["End Site", "{", "OFFSET {} {} {}".format(*TOP), "}"])
        lines.append("}")

    put("Hips")
    lines += ["MOTION", f"Frames: {len(frames)}", "Frame Time: 0.0333333"]
    for frame in frames:
        turns = [angle for name in order for angle in frame.get(name, (0, 0, 0))]
        lines.append(" ".join(str(number) for number in (*root, *turns)))
    return "\n".join(lines) + "\n"


def place_of(name: str) -> np.ndarray:
    """A joint of BVH at rest, repaired."""
    if name == "top":
        return place_of("Head") + TOP
    parent, offset = REST[name]
    own = np.array(REPAIRS.get(name, offset), float)
    return own if parent is None else place_of(parent) + own


def standing() -> np.ndarray:
    """All joints at rest, (21, 3), in the file's unit."""
    return np.stack([place_of({**BVH, "top": "top"}[joint]) for joint in JOINTS])


def read(text: str, repairs: dict | None = None) -> np.ndarray:
    """Joints (T, 21, 3) in the file's unit."""
    joints, _ = read_bvh(text.encode(), "take.bvh", REPAIRS if repairs is None else repairs)
    return joints * PER_METRE


def asf() -> str:
    """The same skeleton as Acclaim has it."""
    lines = [":version 1.10", ":name VICON", ":units", "length 0.45", "angle deg"]
    lines += [":root", "order TX TY TZ RX RY RZ", "position 0 0 0", ":bonedata"]
    hierarchy = [":hierarchy", "begin"]
    for joint, bone in [*BONES.items(), ("top", "head")]:
        vector = np.array(TOP if joint == "top" else REPAIRS.get(joint, REST[joint][1]), float)
        length = np.linalg.norm(vector)
        lines += ["begin", f"name {bone}"]
        lines += ["direction {} {} {}".format(*vector / length), f"length {length}"]
        lines += ["axis 0 0 0 XYZ"] + ["dof rx ry rz"] * (not bone.endswith("hipjoint")) + ["end"]
        parent = "Head" if joint == "top" else REST[joint][0]
        if parent in ("LeftShoulder", "RightShoulder"):
            parent = "Neck"
        hierarchy.append(f"{BONES.get(parent, 'root')} {bone}")
    return "\n".join([*lines, *hierarchy, "end"]) + "\n"


def amc(*frames: Turns) -> str:
    """`bvh` as AMC: a joint's turn in BVH is that of the bones which begin there."""
    lines = [":FULLY-SPECIFIED", ":DEGREES"]
    for number, frame in enumerate(frames, 1):
        lines += [str(number), "root 0 0 0 0 0 0"]
        for joint, bone in [*BONES.items(), ("top", "head")]:
            parent = "Head" if joint == "top" else REST[joint][0]
            if not bone.endswith("hipjoint"):
                lines.append("{} {} {} {}".format(bone, *frame.get(parent, (0, 0, 0))[::-1]))
    return "\n".join(lines) + "\n"


# BVH


def test_a_person_at_rest_is_where_the_offsets_say() -> None:
    assert_allclose(read(bvh({})), standing()[None], atol=1e-9)


def test_a_unit_is_a_fraction_of_an_inch() -> None:
    joints, _ = read_bvh(bvh({}).encode(), "take.bvh", REPAIRS)
    thigh = joints[0, PLACE["left_knee"]] - joints[0, PLACE["left_hip"]]
    assert_allclose(thigh, (0, -4 * 0.0254 / 0.45, 0))


def test_a_bent_leg_is_turned_about_x_before_z() -> None:
    """By hand: a quarter about x puts the thigh backwards, and one about z leaves it there.

    The two together take x to y, y to z and z to x: that is where the thigh's own axes are, in
    which the shank turns.
    """
    joints = read(bvh({"LeftUpLeg": (90, 0, 90), "LeftLeg": (0, 90, -90)}))[0]
    hip = place_of("LeftUpLeg")
    assert_allclose(joints[PLACE["left_hip"]], hip, atol=1e-9)
    assert_allclose(joints[PLACE["left_knee"]], hip + np.array((0, 0, -4)), atol=1e-9)
    # (0, -4, 0) by -90 about x is (0, 0, 4), by 90 about y (4, 0, 0), in the thigh's axes
    # (0, 4, 0); the toe's (0, 0, 1) is (0, 1, 0) by -90 about x, and in the thigh's (0, 0, 1).
    ankle = hip + np.array((0, 4, -4))
    assert_allclose(joints[PLACE["left_ankle"]], ankle, atol=1e-9)
    assert_allclose(joints[PLACE["left_toe"]], ankle + np.array((0, 0, 1)), atol=1e-9)
    rest = [place for name, place in PLACE.items() if name[5:] not in ("knee", "ankle", "toe")]
    assert_allclose(joints[rest], standing()[rest], atol=1e-9)


def test_the_root_moves_and_turns_everything() -> None:
    joints = read(bvh({"Hips": (0, 90, 0)}, root=(5, 6, 7)))[0]
    x, y, z = standing().T
    assert_allclose(joints, np.stack([z + 5, y + 6, -x + 7], -1), atol=1e-9)


def test_the_head_turns_with_what_it_stands_on() -> None:
    _, head = read_bvh(bvh({}, {"Spine": (0, 90, 0), "Head": (0, 0, 90)}).encode(), "a", REPAIRS)
    assert_allclose(head[0], np.eye(3), atol=1e-9)
    assert_allclose(head[1] @ (1, 0, 0), (0, 0, -1), atol=1e-9)
    assert_allclose(head[1] @ (0, 1, 0), (1, 0, 0), atol=1e-9)


def test_without_the_repair_arms_are_too_low_and_forearms_too_short() -> None:
    repaired, raw = read(bvh({}))[0], read(bvh({}), {})[0]
    moved = {JOINTS[row]: tuple(repaired[row] - raw[row]) for row in range(21)}
    lifted = {name for name, way in moved.items() if way != (0, 0, 0)}
    arms = {f"{s}_{j}" for s in ("left", "right") for j in ("shoulder", "elbow", "wrist")}
    assert lifted == {"neck", "throat", "head", "top", *arms}
    assert moved["left_elbow"] == pytest.approx((0, 2, 0))
    assert moved["left_wrist"] == pytest.approx((2, 2, 0))


def test_a_repair_turns_with_its_joint() -> None:
    """The elbow's quarter about z: the forearm, with the part that was lost, goes up."""
    joints = read(bvh({"LeftForeArm": (90, 0, 0)}))[0]
    elbow = place_of("LeftForeArm")
    assert_allclose(joints[PLACE["left_wrist"]], elbow + np.array((0, 3 + 2, 0)), atol=1e-9)


def test_the_other_conversion_has_other_names() -> None:
    rename = {name: BVH_131[joint] for joint, name in BVH.items()}
    rename |= {f"{side}Shoulder": f"{side}Collar" for side in ("Left", "Right")}
    repairs = {rename[name]: offset for name, offset in REPAIRS.items()}
    turns = {"LeftArm": (0, 30, 60), "Head": (10, 0, 0)}
    assert_allclose(read(bvh(turns, rename=rename), repairs), read(bvh(turns)), atol=1e-9)


# ASF and AMC

ONE = """:units
length 0.45
:bonedata
begin
name upper
direction {direction}
length {length}
axis {axis} XYZ
dof {dof}
end
begin
name fixed
direction 0 0 1
length 3
axis 20 30 40 XYZ
end
begin
name lower
direction 1 0 0
length 5
axis 0 0 0 XYZ
dof ry
limits (-10 10)
end
:hierarchy
begin
root upper
upper fixed lower
end
"""


def chain(
    numbers: str, *, axis: str = "0 0 0", dof: str = "rx ry rz", direction: str = "0 -1 0",
    root: str = "0 0 0 0 0 0", lower: str = "0",
) -> dict[str, np.ndarray]:  # fmt: skip
    """Where the bones end in one frame."""
    text = ONE.format(direction=direction, axis=axis, dof=dof, length=2)
    skeleton = read_asf(text, "one.asf")
    motion = f":DEGREES\n1\nroot {root}\nupper {numbers}\nlower {lower}\n"
    return {name: at[0] for name, at in ends(skeleton, *read_amc(motion, skeleton, "m")).items()}


def test_comments_and_capitals_of_an_asf_make_no_difference() -> None:
    """CMU's own have neither; those of other laboratories do."""
    text = asf().replace(":bonedata", ":BONEDATA # of the body")
    text = text.replace("begin\nname", "# a bone\nbegin # here\nname")
    assert "# here" in text
    assert repr(read_asf(text, "a.asf")) == repr(read_asf(asf(), "a.asf"))


def test_an_asf_bone_turns_about_x_then_y_then_z() -> None:
    """By hand: down, a quarter about x is backwards; about z that stays; about y it is -x."""
    assert_allclose(chain("90 0 90")["upper"], (0, 0, -2), atol=1e-9)
    assert_allclose(chain("90 90 0")["upper"], (-2, 0, 0), atol=1e-9)


def test_an_asf_bone_turns_about_its_own_axes() -> None:
    """By hand: a bone along x whose own x axis points along y turns about y."""
    found = chain("90", axis="0 0 90", dof="rx", direction="1 0 0")
    assert_allclose(found["upper"], (0, 0, -2), atol=1e-9)
    # Own axes by 90 about x, then 90 about z: own z is at -y, and then at x.
    found = chain("90", axis="90 0 90", dof="rz", direction="0 -1 0")
    assert_allclose(found["upper"], (0, 0, -2), atol=1e-9)


def test_the_numbers_are_in_the_order_of_the_freedom_and_the_turns_are_not() -> None:
    both = [chain("30 70", dof="rx rz")["upper"], chain("70 30", dof="rz rx")["upper"]]
    assert_allclose(*both, atol=1e-12)
    sin, cos = np.sin(np.radians([30, 70])), np.cos(np.radians([30, 70]))
    expected = 2 * np.array([sin[1] * cos[0], -cos[1] * cos[0], -sin[0]])
    assert_allclose(both[0], expected, atol=1e-12)


def test_children_begin_where_their_parent_ends_and_turn_with_it() -> None:
    found = chain("0 0 90", lower="90")
    assert_allclose(found["upper"], (2, 0, 0), atol=1e-9)
    assert_allclose(found["fixed"], (2, 0, 3), atol=1e-9)
    assert_allclose(found["lower"], (2, 0, -5), atol=1e-9)


def test_the_root_of_an_amc_has_its_place_then_its_turn() -> None:
    found = chain("0 0 0", root="5 6 7 0 0 90")
    assert_allclose(found["root"], (5, 6, 7))
    assert_allclose(found["upper"], (7, 6, 7), atol=1e-9)
    assert_allclose(found["lower"], (7, 11, 7), atol=1e-9)


# Frame rates


@pytest.mark.parametrize("rate", [120.0, 25.0, 30.0, 59.94])
def test_an_even_motion_is_the_same_at_any_rate(rate: float) -> None:
    """A second and a half: at 30 frames/s, 45 steps and the first frame, by time."""
    times = np.arange(int(1.5 * rate) + 1) / rate
    joints = np.arange(63.0).reshape(21, 3) + times[:, None, None] * np.array([1.0, -2, 3])
    heads = np.tile(np.eye(3), (len(times), 1, 1))
    found, turned = resampled(joints, heads, rate)
    assert len(found) == len(turned) == int(times[-1] * RATE + 1e-6) + 1
    ways = np.arange(len(found))[:, None, None] / 30 * np.array([1.0, -2, 3])
    assert_allclose(found - joints[0], np.broadcast_to(ways, found.shape), atol=1e-9)


def test_at_four_times_the_rate_every_fourth_frame_stays() -> None:
    random = np.random.default_rng(0)
    joints, heads = random.normal(size=(41, 21, 3)), random.normal(size=(41, 3, 3))
    found, turned = resampled(joints, heads, 120)
    assert_allclose(found, joints[::4], atol=1e-9)
    assert_array_equal(turned, heads[::4])


def test_the_head_is_as_in_the_nearer_frame() -> None:
    heads = np.arange(4.0)[:, None, None] * np.ones((4, 3, 3))
    _, turned = resampled(np.zeros((4, 21, 3)), heads, 20)
    assert_array_equal(turned[:, 0, 0], [0, 1, 1, 2, 3])  # of 0, 2/3, 4/3, 2 and 8/3


@pytest.mark.parametrize(("rate", "frames"), [(24.0, 197), (15.0, 124)])
def test_the_last_frame_is_there_however_its_time_is_rounded(rate: float, frames: int) -> None:
    """In floats, 196 / 24 * 30 is a little less than 245."""
    joints = np.arange(frames)[:, None, None] * np.ones((frames, 21, 3))
    found, _ = resampled(joints, np.zeros((frames, 3, 3)), rate)
    assert found[-1, 0, 0] == pytest.approx(frames - 1)


def test_one_frame_stays_one() -> None:
    found, _ = resampled(np.ones((1, 21, 3)), np.ones((1, 3, 3)), 120)
    assert_array_equal(found, np.ones((1, 21, 3)))


# Damage


def one_line(error: pytest.ExceptionInfo[MotionError], name: str) -> str:
    message = str(error.value)
    assert message.startswith(f"{name}: ")
    assert "\n" not in message
    assert "/tmp" not in message
    return message


def test_a_bvh_that_is_cut_short_anywhere_is_an_error() -> None:
    text = bvh({}, {"Head": (1, 2, 3)})
    lines = text.splitlines()
    cut = ["\n".join(lines[:count]) for count in range(len(lines))]
    for short in [*cut, text[: text.rindex(" ")], "\n".join([*lines[:-2], lines[-1][:40]])]:
        with pytest.raises(MotionError) as error:
            read(short)
        one_line(error, "take.bvh")


def test_a_brace_that_is_lost_hangs_nothing_on_another_joint() -> None:
    lines = bvh({}).splitlines()
    for row in (row for row, line in enumerate(lines) if line in "{}"):
        with pytest.raises(MotionError) as error:
            read("\n".join(lines[:row] + lines[row + 1 :]))
        one_line(error, "take.bvh")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("JOINT LeftLeg\n", "JOINT Tail\n"), "no joint LeftLeg; this is no skeleton of CMU's"),
        (("ROOT Hips", "ROOT Pelvis"), "no joint Hips"),
        (("JOINT RightShoulder", "JOINT Wing"), "no joint RightShoulder, whose offset"),
        (("CHANNELS 3 Zrotation Yrotation", "CHANNELS 3 Zrotation Wobble"), ""),
        (("OFFSET 0 -4 0", "OFFSET 0 x 0"), ""),
        (("OFFSET 0 -4 0", "OFFSET 0 nan 0"), "an offset or a channel is no number"),
        (("Frames: 1", "Frames: 0"), "Frame count"),
        (("MOTION", "MOTION\nFrames: 7"), ""),
    ],
)
def test_a_bvh_that_is_another_s_or_damaged_says_so(change: tuple[str, str], expected: str) -> None:
    text = bvh({})
    assert change[0] in text
    if change[1].startswith("MOTION"):
        text = text.replace("Frames: 1", "")
    with pytest.raises(MotionError) as error:
        read(text.replace(*change, 1))
    assert expected in one_line(error, "take.bvh")


def test_a_head_without_an_end_is_an_error() -> None:
    end = "End Site\n{\nOFFSET 0 2 0\n}\n"
    text = bvh({})
    start = text.index("JOINT Head")
    with pytest.raises(MotionError, match="no joint EndSiteHead"):
        read(text[:start] + text[start:].replace(end, "", 1))


@pytest.mark.parametrize("data", [b"", bytes(range(256)), b"\xff\xd8\xff" * 99, b"HIERARCHY\n"])
def test_what_is_no_bvh_is_an_error(data: bytes) -> None:
    with pytest.raises(MotionError) as error:
        read_bvh(data, "take.bvh", REPAIRS)
    one_line(error, "take.bvh")


def both(skeleton: str, motion: str) -> None:
    read_amc(motion, read_asf(skeleton, "a.asf"), "a.amc")


def test_an_asf_that_is_cut_short_anywhere_is_an_error() -> None:
    lines = asf().splitlines()
    for count in range(len(lines)):
        with pytest.raises(MotionError) as error:
            both("\n".join(lines[:count]), amc({}))
        assert str(error.value).startswith(("a.asf: ", "a.amc: "))


def test_an_amc_that_is_cut_short_within_a_frame_is_an_error() -> None:
    lines = amc({}, {}).splitlines()
    frames = [row for row, line in enumerate(lines) if line.isdigit()]
    for count in range(len(lines)):
        if count in frames[1:]:
            continue  # whole frames: a shorter take
        with pytest.raises(MotionError) as error:
            both(asf(), "\n".join(lines[:count]))
        one_line(error, "a.amc")


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_line_lost_or_doubled_gives_joints_or_an_error(data: st.DataObject) -> None:
    texts = [asf(), amc({}, {"Head": (1, 2, 3)})]
    which = data.draw(st.integers(0, 1))
    lines = texts[which].splitlines()
    row = data.draw(st.integers(0, len(lines) - 1))
    lines[row : row + 1] = [lines[row]] * data.draw(st.sampled_from([0, 2]))
    texts[which] = "\n".join(lines)
    with contextlib.suppress(MotionError):
        both(*texts)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("length 4.0", "length four"), "a.asf: a bone cannot be read"),
        (("direction 0.0 -1.0 0.0\n", ""), "a.asf: a bone cannot be read"),
        (("dof rx ry rz", "dof rx ry tz"), "a.asf: a bone cannot be read (dof rx ry tz)"),
        (("dof rx ry rz", "dof rx rx rz"), "a.asf: a bone cannot be read (dof rx rx rz)"),
        (("axis 0 0 0 XYZ", "axis 0 0 0 ZYX"), "a.asf: a bone cannot be read (axis 0 0 0 ZYX"),
        (("direction 0.0 -1.0 0.0", "direction 0.0 -1.0"), "a.asf: a bone cannot be read (dir"),
        (("length 4.0", "length nan"), "a.asf: a bone cannot be read (direction"),
        (("length 0.45", "length 1.0"), "a.asf: length 1.0, where CMU's have 0.45"),
        (("angle deg", "angle rad"), "a.asf: angle rad, where CMU's have deg"),
        (("TX TY TZ RX RY RZ", "RX RY RZ TX TY TZ"), "a.asf: order RX RY RZ TX TY TZ, where"),
        (("position 0 0 0", "orientation 0 90 0"), "a.asf: orientation 0 90 0, where CMU's have"),
        ((":bonedata", ":bones"), "a.asf: no :bonedata"),
        ((":hierarchy", ":"), "a.asf: no :hierarchy"),
        (("lfemur ltibia", "lfemur ltail"), "a.asf: the hierarchy names ltail"),
        (("lfemur ltibia\n", ""), "a.asf: the hierarchy has ltibia before its parent"),
        (("upperneck head\n", ""), "a.asf: the hierarchy lacks head"),
        (("upperneck head", "upperneck head\nupperneck lfemur"), "a.asf: the hierarchy has lfemur"),
    ],
)
def test_a_damaged_skeleton_says_where(change: tuple[str, str], expected: str) -> None:
    text = asf()
    assert change[0] in text
    with pytest.raises(MotionError) as error:
        read_asf(text.replace(*change, 1), "a.asf")
    assert one_line(error, "a.asf").startswith(expected)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("ltibia 0 0 0", "ltail 0 0 0"), "moves ltail, which a.asf lacks"),
        (("\n2\n", "\n2\nltail 0\n"), "moves ltail, which a.asf lacks"),
        (("ltibia 0 0 0", "ltibia 0 nan 0"), "ltibia has a number in a frame that is not finite"),
        ((":DEGREES", ":RADIANS"), "angles in radians, where CMU's are in degrees"),
        (("ltibia 0 0 0\n", ""), "ltibia is missing"),
        (("ltibia 0 0 0", "ltibia 0 0"), "ltibia"),
        (("ltibia 0 0 0", "ltibia 0 0 0 0"), "ltibia"),
        (("ltibia 0 0 0", "ltibia 0 0 -"), "ltibia"),
        (("root 0 0 0 0 0 0", "root 0 0 0"), "root is missing or cut short"),
        (("\n1\n", "\n"), "numbers before the first frame"),
        (("\n2\n", "\n"), "root twice in a frame"),
        ((amc({}, {}), ""), "no frame"),
    ],
)
def test_a_damaged_motion_or_another_skeleton_s_says_so(
    change: tuple[str, str], expected: str
) -> None:
    text = amc({}, {})
    assert change[0] in text
    with pytest.raises(MotionError) as error:
        both(asf(), text.replace(*change, 1))
    assert expected in one_line(error, "a.amc")


@pytest.mark.parametrize("numbers", ["0 0", "0 0 0 0"])
def test_a_motion_whose_bones_move_otherwise_is_another_skeleton_s(numbers: str) -> None:
    text = amc({}, {}).replace("ltibia 0 0 0", f"ltibia {numbers}")
    with pytest.raises(MotionError, match="ltibia has not its 3 numbers in every frame"):
        both(asf(), text)


# Folders

TURNS = {
    "LeftUpLeg": (10.0, 20.0, 30.0), "LeftArm": (50.0, -20.0, 10.0), "Spine": (5.0, 6.0, 7.0),
    "RightForeArm": (0.0, 60.0, 0.0), "Neck1": (0.0, 20.0, 0.0), "Head": (0.0, 30.0, 9.0),
}  # fmt: skip
T_POSE: Turns = {"LeftArm": (90.0, 0.0, 0.0)}


def folder_of(path: Path, rows: list[tuple[str, str, int]]) -> Path:
    """A folder of recordings of (member, subject, fps), every take T_POSE, TURNS, TURNS."""
    with (
        zipfile.ZipFile(path / "bvh.zip", "w") as one,
        zipfile.ZipFile(path / "amc.zip", "w") as two,
    ):
        for member, _, _ in rows:
            kind = member.rpartition(".")[2]
            text = asf() if kind == "asf" else (bvh if kind == "bvh" else amc)(T_POSE, TURNS, TURNS)
            (one if kind == "bvh" else two).writestr(member, text)
    with (path / "index.csv").open("w", newline="") as table:
        writer = csv.writer(table)
        writer.writerow(["zip", "member", "subject", "fps", "format", "heldout"])
        for member, subject, fps in rows:
            kind = member.rpartition(".")[2]
            archive = "bvh.zip" if kind == "bvh" else "amc.zip"
            writer.writerow([archive, member, subject, fps, kind, int(subject == "07")])
    repairs = {subject: {"offsets": REPAIRS} for _, subject, _ in rows}
    (path / "bvh_offset_fix.json").write_text(json.dumps(repairs))
    return path


def test_takes_come_once_without_the_t_pose_that_was_put_in(tmp_path: Path) -> None:
    rows = [
        ("02/02_05.bvh", "02", 30), ("07/07_01.bvh", "07", 30), ("131/131_01.bvh", "131", 30),
        ("02/02.asf", "02", 0), ("02/02_05.amc", "02", 30), ("02/02_06.amc", "02", 30),
        ("named/polka.asf", "", 0), ("named/polka12.amc", "", 60),
    ]  # fmt: skip
    found = {take.name: take for take in recordings.recordings(folder_of(tmp_path, rows))}
    assert list(found) == ["02_05", "07_01", "131_01", "02_06", "polka12"]
    assert [take.heldout for take in found.values()] == [False, True, False, False, False]
    lengths = [len(take.joints) for take in found.values()]
    assert lengths == [2, 2, 3, 3, 2]  # AMC has no T-pose; 60 frames/s become 30
    assert_allclose(found["02_05"].joints, found["02_06"].joints[1:], atol=1e-9)
    assert_allclose(found["02_05"].head, found["02_06"].head[1:], atol=1e-9)
    assert_allclose(found["131_01"].joints, found["02_06"].joints, atol=1e-9)
    assert_allclose(found["polka12"].joints, found["02_06"].joints[::2], atol=1e-9)


def test_who_is_held_out_stands_in_no_table(tmp_path: Path) -> None:
    """Of subjects 07 and 08 in either format, whatever an index says."""
    rows = [
        ("07/07_01.bvh", "07", 30), ("08/08.asf", "08", 0), ("08/08_02.amc", "08", 30),
        ("06/06_01.bvh", "06", 30),
    ]  # fmt: skip
    table = folder_of(tmp_path, rows) / "index.csv"
    text = table.read_text()
    for answer in ("0", "1"):
        lines = [line.rpartition(",")[0] + f",{answer}" for line in text.splitlines()[1:]]
        table.write_text("\n".join([text.splitlines()[0], *lines]))
        found = {take.name: take.heldout for take in recordings.recordings(tmp_path)}
        assert found == {"07_01": True, "08_02": True, "06_01": False}


@pytest.mark.parametrize("damage", ["index.csv", "bvh.zip", "cut", "member", "bytes", "repair"])
def test_a_damaged_folder_says_which_file(damage: str, tmp_path: Path) -> None:
    folder_of(tmp_path, [("02/02_05.bvh", "02", 30), ("02/02_06.bvh", "02", 30)])
    archive = tmp_path / "bvh.zip"
    if damage in ("index.csv", "bvh.zip"):
        (tmp_path / damage).unlink()
    elif damage == "cut":
        archive.write_bytes(archive.read_bytes()[:-30])
    elif damage == "bytes":
        data = bytearray(archive.read_bytes())
        data[200:220] = bytes(20)
        archive.write_bytes(data)
    elif damage == "member":
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("02/02_05.bvh", bvh(T_POSE, TURNS))
    else:
        (tmp_path / "bvh_offset_fix.json").write_text("{}")
    with pytest.raises(MotionError) as error:
        list(recordings.recordings(tmp_path))
    at, text = {
        "index.csv": (tmp_path / "index.csv", "cannot be read"),
        "bvh.zip": (archive, "cannot be read"),
        "cut": (archive, "no whole zip file"),
        "member": (archive, "02/02_06.bvh is missing or damaged"),
        "bytes": (archive, "02/02_05.bvh is missing or damaged"),
        "repair": ("02/02_05.bvh", "bvh_offset_fix.json has nothing of 02"),
    }[damage]
    assert str(error.value).startswith(f"{at}: {text}")
    assert "\n" not in str(error.value)


def from_index(path: Path, member: str) -> list[recordings.Recording]:
    """Takes of the true folder whose member's path has `member`."""
    for file in CMU.iterdir():
        if file.name != "index.csv":
            (path / file.name).symlink_to(file)
    head, *rows = (CMU / "index.csv").read_text().splitlines()
    (path / "index.csv").write_text("\n".join([head, *(row for row in rows if member in row)]))
    return list(recordings.recordings(path))


@needs_cmu
def test_both_formats_of_one_take_are_the_same_to_a_tenth_of_a_millimetre(tmp_path: Path) -> None:
    takes = []
    for kind in ("bvh", "amc"):
        (tmp_path / kind).mkdir()
        takes += from_index(tmp_path / kind, f"02/02_05.{kind}")
    one, other = takes
    assert one.joints.shape == other.joints.shape == (464, 21, 3)
    assert np.linalg.norm(one.joints - other.joints, axis=-1).max() < 1e-4
    assert_allclose(one.head, other.head, atol=1e-3)


@needs_cmu
def test_a_take_in_both_formats_comes_once(tmp_path: Path) -> None:
    assert [take.name for take in from_index(tmp_path, "/02_05.")] == ["02_05"]


@needs_cmu
def test_subjects_07_and_08_are_held_out_and_nobody_else() -> None:
    with (CMU / "index.csv").open(newline="") as table:
        rows = list(csv.DictReader(table))
    assert {row["subject"] for row in rows if row["heldout"] == "1"} == {"07", "08"}
    assert {row["heldout"] for row in rows if row["subject"] in ("07", "08")} == {"1"}


@needs_cmu
def test_a_person_who_walks_is_upright_with_the_left_on_the_left(tmp_path: Path) -> None:
    (take,) = from_index(tmp_path, "07/07_01.bvh")
    assert take.heldout
    joints = {name: take.joints[:, place] for name, place in PLACE.items()}
    assert ((joints["top"] - joints["left_toe"])[:, 1] > 1.3).all()
    assert joints["left_toe"][:, 1].min() == pytest.approx(0, abs=0.05)
    walked = joints["pelvis"][-1] - joints["pelvis"][0]
    across = joints["left_hip"] - joints["right_hip"]
    up = np.array([0, 1.0, 0])
    assert (np.cross(up, walked) @ across.T > 0).all()  # left of the way
    forward = np.cross(across, up)
    assert (take.head[..., 2] * forward).sum(-1).min() > 0
    forearm = np.linalg.norm(joints["left_wrist"] - joints["left_elbow"], axis=-1)
    assert_allclose(forearm, forearm[0], rtol=1e-3)
    assert forearm[0] == pytest.approx(0.28, abs=0.03)
