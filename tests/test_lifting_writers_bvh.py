"""BVH, read back with pybvh: where the joints are, how bones are twisted, when the frames are."""

import os
import re
from pathlib import Path

import numpy as np
import pybvh
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from movenet.errors import MoveNetError
from movenet.lifting.angles import ANGLES, joint_angles
from movenet.lifting.bodies import Bodies
from movenet.lifting.bones import BONES
from movenet.lifting.bvh import JOINTS, channels
from movenet.lifting.joints import INDEX, NAMES
from movenet.lifting.writers import BvhWriter
from movenet.lifting.writers.bvh import mean_interval_s
from movenet.writers.growing import GrowingFile

SEEDS = st.integers(0, 2**32 - 1)
TREE = {
    "Hips": None,
    "Spine": "Hips",
    "Chest": "Spine",
    "Neck": "Chest",
    "Head": "Neck",
    **{
        f"{side}{joint}": parent if parent in ("Chest", "Hips") else f"{side}{parent}"
        for side in ("Left", "Right")
        for joint, parent in {
            "Shoulder": "Chest",
            "Arm": "Shoulder",
            "ForeArm": "Arm",
            "Hand": "ForeArm",
            "UpLeg": "Hips",
            "Leg": "UpLeg",
            "Foot": "Leg",
        }.items()
    },
}
# Of each BVH joint the body's joint that it is, and the kind of the bone that ends there.
PLACES = {
    "Chest": ("spine", "spine"),
    "Neck": ("neck", "neck"),
    "Head": ("head", "head"),
    **{
        f"{side}{name}": (f"{side.lower()}_{joint}", joint)
        for side in ("Left", "Right")
        for name, joint in {
            "Arm": "shoulder",
            "ForeArm": "elbow",
            "Hand": "wrist",
            "UpLeg": "hip",
            "Leg": "knee",
            "Foot": "ankle",
        }.items()
    },
}
FLIP = np.array([1, -1, -1])  # y down, z away -> Y up, Z towards the camera


def random_bodies(seed: int, frames: int = 12) -> np.ndarray:
    """(frames, 21, 3): any shape at all, the pelvis in the middle of the hips."""
    points = np.random.default_rng(seed).normal(size=(frames, 21, 3))
    points[:, INDEX["pelvis"]] = 0
    points[:, INDEX["right_hip"]] = -points[:, INDEX["left_hip"]]
    return points


def t_pose() -> np.ndarray:
    """(21, 3): arms out to the sides, facing the camera, all bones of different length."""
    points = {"pelvis": (0, 0, 0), "spine": (0, -0.2, 0), "neck": (0, -0.5, 0)}
    points |= {"head": (0, -0.8, 0), "nose": (0, -0.65, -0.1)}
    for side, out in (("left", 1), ("right", -1)):
        points |= {f"{side}_eye": (0.03 * out, -0.7, -0.1), f"{side}_ear": (0.07 * out, -0.65, 0)}
        reach = {"shoulder": 0.2, "elbow": 0.5, "wrist": 0.75}
        points |= {f"{side}_{joint}": (x * out, -0.5, 0) for joint, x in reach.items()}
        drop = {"hip": 0, "knee": 0.45, "ankle": 0.85}
        points |= {f"{side}_{joint}": (0.1 * out, y, 0) for joint, y in drop.items()}
    return np.array([points[name] for name in NAMES], float)


def fixed(points: np.ndarray, lengths: dict[str, float]) -> dict[str, np.ndarray]:
    """Where the joints are with fixed bones of the same directions: bone by bone from the hips."""
    there = {"pelvis": np.zeros((len(points), 3))}
    chain = {"spine": "pelvis", "neck": "spine", "head": "neck"}
    for side in ("left", "right"):
        for joint, parent in [
            ("hip", "pelvis"),
            ("knee", "hip"),
            ("ankle", "knee"),
            ("shoulder", "neck"),
            ("elbow", "shoulder"),
            ("wrist", "elbow"),
        ]:
            middle = parent in ("pelvis", "neck")
            chain[f"{side}_{joint}"] = parent if middle else f"{side}_{parent}"
    for joint, parent in chain.items():
        bone = (points[:, INDEX[joint]] - points[:, INDEX[parent]]) * FLIP
        length = lengths[joint.removeprefix("left_").removeprefix("right_")]
        there[joint] = there[parent] + length * bone / np.linalg.norm(bone, axis=1, keepdims=True)
    return there


def read(path: Path) -> pybvh.Bvh:
    return pybvh.read_bvh_file(path, world_up="+y")


def positions(file: pybvh.Bvh) -> dict[str, np.ndarray]:
    """(T, 3) by the joint's name."""
    places = file.node_positions()
    return {name: places[:, file.node_index[name]] for name in TREE}


def lengths_of(file: pybvh.Bvh) -> dict[str, float]:
    """The bones' lengths in a file, by their kind; left and right must be the same."""
    found: dict[str, set[float]] = {}
    for node in file.nodes:
        if node.name in PLACES:
            kind = PLACES[node.name][1]
            found.setdefault(kind, set()).add(round(float(np.linalg.norm(node.offset)), 9))
    assert {len(each) for each in found.values()} == {1}
    return {kind: each.pop() for kind, each in found.items()}


def write(path: Path, points: np.ndarray, times: np.ndarray, *, number: int | None = 1) -> Path:
    with BvhWriter(path) as writer:
        for index, (joints, time_s) in enumerate(zip(points, times, strict=True)):
            writer.write(body(joints, time_s, index, number))
    return path


def body(joints: np.ndarray, time_s: float, index: int = 0, number: int | None = 1) -> Bodies:
    return Bodies(
        joints[None].astype(np.float32),
        np.full((1, 21), 0.05, np.float32),
        ids=None if number is None else np.array([number]),
        frame_index=index,
        timestamp_s=float(time_s),
    )


def angles_in(points: np.ndarray) -> dict[str, dict[str, np.ndarray]]:
    """Degrees about X, Y and Z, (T,) each, by joint, of the channels of bodies."""
    columns = channels(points)[:, 3:].T.reshape(len(JOINTS), 3, -1)
    return {
        joint.name: dict(zip(joint.order, degrees, strict=True))
        for joint, degrees in zip(JOINTS, columns, strict=True)
    }


def moved(points: np.ndarray, degrees: float, axis: str, *joints: str) -> np.ndarray:
    """Joints turned about an axis of the camera through the first one."""
    points = points.copy()
    index = [INDEX[joint] for joint in joints]
    turn = Rotation.from_euler(axis, degrees, degrees=True)
    points[index] = turn.apply(points[index] - points[index[0]]) + points[index[0]]
    return points


# Where the joints are


@settings(max_examples=15)
@given(SEEDS)
def test_joints_are_where_fixed_bones_of_the_same_directions_put_them(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    points = random_bodies(seed)
    path = tmp_path_factory.mktemp("fixed") / "a.bvh"
    file = read(write(path, points, np.arange(len(points)) / 25))
    lengths = lengths_of(file)
    assert set(lengths) == set(BONES)
    expected = fixed(points, lengths)
    found = positions(file)
    for name, (joint, _) in PLACES.items():
        np.testing.assert_allclose(found[name], expected[joint], atol=1e-4)
    for name, joint in {"Hips": "pelvis", "Spine": "pelvis", "LeftShoulder": "neck"}.items():
        np.testing.assert_allclose(found[name], expected[joint], atol=1e-4)


def test_a_body_of_constant_bones_is_where_it_was(tmp_path: Path) -> None:
    points = np.stack(
        [
            Rotation.from_euler("yxz", [9 * k, 3 * k, 5 * k], degrees=True).apply(
                moved(t_pose(), 7 * k, "y", "left_elbow", "left_wrist")
            )
            for k in range(30)
        ]
    )
    found = positions(read(write(tmp_path / "a.bvh", points, np.arange(30) / 30)))
    for name, (joint, _) in PLACES.items():
        np.testing.assert_allclose(found[name], points[:, INDEX[joint]] * FLIP, atol=1e-4)


def test_the_skeleton_has_its_names_and_parents(tmp_path: Path) -> None:
    path = write(tmp_path / "a.bvh", t_pose()[None], np.zeros(1))
    nodes = [node for node in read(path).nodes if not node.is_end_site()]
    assert {node.name: node.parent.name if node.parent else None for node in nodes} == TREE
    text = path.read_text()
    counts = re.findall(r"CHANNELS (\d) (.*)", text)
    assert counts[0] == ("6", "Xposition Yposition Zposition Zrotation Xrotation Yrotation")
    legs = [f"{side}{name}" for side in ("Left", "Right") for name in ("UpLeg", "Leg", "Foot")]
    for node, (count, names) in list(zip(nodes, counts, strict=True))[1:]:
        order = "XZY" if node.name in legs else "ZXY"
        assert (count, names) == ("3", " ".join(f"{axis}rotation" for axis in order))
    assert "nan" not in text.lower()
    assert text.count("{") == text.count("}") == 19 + 5


# How bones are twisted


def test_a_t_pose_has_no_rotations() -> None:
    np.testing.assert_allclose(channels(t_pose()[None]), 0, atol=1e-9)


@given(SEEDS)
def test_turning_a_body_turns_the_root_and_nothing_else(seed: int) -> None:
    points = random_bodies(seed)
    turn = Rotation.random(rng=seed)
    before, after = (
        angles_in(points),
        angles_in(turn.apply(points.reshape(-1, 3)).reshape(-1, 21, 3)),
    )
    for name in set(TREE) - {"Hips"}:
        for axis in "XYZ":
            difference = after[name][axis] - before[name][axis]
            np.testing.assert_allclose((difference + 180) % 360 - 180, 0, atol=1e-4)
    orders = [
        Rotation.from_euler("ZXY", np.stack([each["Hips"][axis] for axis in "ZXY"], -1), True)
        for each in (before, after)
    ]
    flipped = np.diag(FLIP) @ turn.as_matrix() @ np.diag(FLIP)
    np.testing.assert_allclose(orders[1].as_matrix(), flipped @ orders[0].as_matrix(), atol=1e-6)


@pytest.mark.parametrize("bend", [40, 90, 140])
@pytest.mark.parametrize("twist", [-60, 0, 25])
@pytest.mark.parametrize(
    ("side", "bones", "hinge", "along", "way"),
    [
        # The knee bends back, the elbow forward. In the camera's axes the first is a turn about
        # x, the other about y, of the right arm the other way round.
        ("left", ("knee", "ankle", "UpLeg", "Leg"), "x", "y", 1),
        ("right", ("knee", "ankle", "UpLeg", "Leg"), "x", "y", 1),
        ("left", ("elbow", "wrist", "Arm", "ForeArm"), "y", "x", 1),
        ("right", ("elbow", "wrist", "Arm", "ForeArm"), "y", "x", -1),
    ],
)
def test_a_knee_or_elbow_is_a_hinge(
    side: str, bones: tuple[str, ...], hinge: str, along: str, way: int, bend: float, twist: float
) -> None:
    middle, end, upper, lower = bones
    ends = f"{side}_{middle}", f"{side}_{end}"
    points = moved(t_pose(), way * bend, hinge, *ends)
    points = moved(points, twist, along, *ends)  # the limb is turned in the shoulder, or the hip
    found = angles_in(points[None])
    sign = {"x": 1, "y": -1}  # of a turn, from the camera's axes to BVH's
    for bone, axis, degrees in [(lower, hinge, way * bend), (upper, along, twist)]:
        expected = dict.fromkeys("XYZ", 0) | {axis.upper(): sign[axis] * degrees}
        name = f"{side.title()}{bone}"
        assert {key: value[0] for key, value in found[name].items()} == pytest.approx(
            expected, abs=1e-6
        )
    flexion = ANGLES.index(f"{side}_{middle}_flexion")
    assert joint_angles(points)[flexion] == pytest.approx(bend)


@pytest.mark.parametrize("twist", [-60, 30])
def test_a_nearly_straight_limb_has_the_least_twist(twist: float) -> None:
    joints = ("left_knee", "left_ankle")
    straight = moved(moved(t_pose(), 9, "x", *joints), twist, "y", *joints)
    between = moved(moved(t_pose(), 20, "x", *joints), twist, "y", *joints)
    assert angles_in(straight[None])["LeftUpLeg"]["Y"][0] == pytest.approx(0, abs=1e-6)
    halfway = angles_in(between[None])["LeftUpLeg"]["Y"][0]
    assert abs(halfway) == pytest.approx(abs(twist) / 2, abs=1e-6)


def test_a_swung_limb_is_not_twisted() -> None:
    axis = np.array([0, 0.6, 0.8])
    points = t_pose()
    index = [INDEX[f"left_{joint}"] for joint in ("shoulder", "elbow", "wrist")]
    turn = Rotation.from_rotvec(np.radians(50) * axis)  # about what is across the arm
    points[index] = turn.apply(points[index] - points[index[0]]) + points[index[0]]
    degrees = angles_in(points[None])["LeftArm"]
    order = np.array([degrees[key][0] for key in "ZXY"])
    found = Rotation.from_euler("ZXY", order, degrees=True).as_rotvec()
    np.testing.assert_allclose(found, np.radians(50) * axis * FLIP, atol=1e-9)


def test_the_ears_turn_the_head() -> None:
    ears = [INDEX[f"{side}_ear"] for side in ("left", "right")]
    points = t_pose()
    points[ears] = [
        [0.05, -0.65, 0.05],
        [-0.05, -0.65, -0.05],
    ]  # the left ear goes back: 45 degrees
    degrees = channels(points[None])[0]
    expected = np.zeros(len(degrees))
    neck = [joint.name for joint in JOINTS].index("Neck")
    expected[3 + 3 * neck + 2] = 45  # about Y, from Z towards X: to the own left
    np.testing.assert_allclose(degrees, expected, atol=1e-9)


def test_an_arm_that_is_folded_onto_itself_is_no_trouble(tmp_path: Path) -> None:
    points = t_pose()
    points[INDEX["left_wrist"]] = points[INDEX["left_shoulder"]]
    points[INDEX["right_knee"]] = [-0.1, -0.45, 0]  # straight up, against the hip's rest
    points[INDEX["right_ankle"]] = [-0.1, -0.85, 0]
    found = positions(read(write(tmp_path / "a.bvh", points[None], np.zeros(1))))
    for name in ("LeftForeArm", "RightLeg", "RightFoot"):
        np.testing.assert_allclose(found[name][0], points[INDEX[PLACES[name][0]]] * FLIP, atol=1e-4)
    forearm = found["LeftHand"][0] - found["LeftForeArm"][0]
    np.testing.assert_allclose(forearm / np.linalg.norm(forearm), [-1, 0, 0], atol=1e-6)


@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_an_arm_is_folded_however_the_body_lies(axis: str, tmp_path: Path) -> None:
    points = t_pose()
    points[INDEX["left_wrist"]] = points[INDEX["left_shoulder"]]
    lying = points @ Rotation.from_euler(axis, 90, degrees=True).as_matrix().T
    found = positions(read(write(tmp_path / "a.bvh", lying[None], np.zeros(1))))
    arm = found["LeftForeArm"][0] - found["LeftArm"][0]
    forearm = found["LeftHand"][0] - found["LeftForeArm"][0]
    expected = (lying[INDEX["left_elbow"]] - lying[INDEX["left_shoulder"]]) * FLIP
    np.testing.assert_allclose(arm, expected, atol=1e-4)
    np.testing.assert_allclose(
        forearm / np.linalg.norm(forearm), -arm / np.linalg.norm(arm), atol=1e-4
    )


def test_two_joints_in_one_place_hold_the_pose_before() -> None:
    points = np.stack([moved(t_pose(), 10 * k, "y", "left_elbow", "left_wrist") for k in range(5)])
    points[[0, 3], INDEX["left_wrist"]] = points[[0, 3], INDEX["left_elbow"]]
    found = channels(points)
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found[3], found[2])
    np.testing.assert_array_equal(found[0], found[1])
    assert not channels(np.zeros((2, 21, 3))).any()


def test_degrees_go_on_without_jumps() -> None:
    points = np.stack(
        [Rotation.from_euler("y", 10 * k, degrees=True).apply(t_pose()) for k in range(100)]
    )
    np.testing.assert_allclose(
        np.abs(angles_in(points)["Hips"]["Y"]), 10 * np.arange(100), atol=1e-6
    )


# When the frames are


def seen(file: pybvh.Bvh) -> np.ndarray:
    """(T,) how far the left forearm has turned, in degrees."""
    places = positions(file)
    x, _, z = (places["LeftHand"] - places["LeftForeArm"]).T
    return np.degrees(np.arctan2(z, x))


def turning(times: np.ndarray) -> np.ndarray:
    """(T, 21, 3): a forearm that turns to the front by 30 degrees in a second."""
    return np.stack([moved(t_pose(), 30 * t, "y", "left_elbow", "left_wrist") for t in times])


@pytest.mark.parametrize("fps", [30000 / 1001, 25, 12.5])
def test_frames_of_an_even_clock_are_kept(fps: float, tmp_path: Path) -> None:
    times = 3 + np.arange(40) / fps
    path = write(tmp_path / "a.bvh", turning(times - 3), times)
    assert f"Frames: 40\nFrame Time: {1 / fps:.10g}\n" in path.read_text()
    np.testing.assert_allclose(seen(read(path)), 30 * (times - 3), atol=1e-3)


def test_times_in_milliseconds_keep_the_rate(tmp_path: Path) -> None:
    times = np.round(np.arange(91) / 30, 3)
    file = read(write(tmp_path / "a.bvh", turning(times), times))
    assert (file.frame_count, file.frame_time) == (91, pytest.approx(1 / 30, rel=1e-6))


def test_an_uneven_clock_is_made_even_by_time(tmp_path: Path) -> None:
    steps = np.random.default_rng(0).uniform(0.03, 0.05, 80)
    times = 7 + np.cumsum(steps)
    file = read(write(tmp_path / "a.bvh", turning(times - 7), times))
    even = times[0] - 7 + file.frame_time * np.arange(file.frame_count)
    assert 0.03 < file.frame_time < 0.05
    assert abs(even[-1] - (times[-1] - 7)) <= file.frame_time / 2
    np.testing.assert_allclose(seen(file)[:-1], 30 * even[:-1], atol=0.02)


def test_a_step_and_a_gap_are_a_clock_of_that_step(tmp_path: Path) -> None:
    times = np.array([0, 0.03, 0.3])
    file = read(write(tmp_path / "a.bvh", turning(times), times))
    assert file.frame_time == pytest.approx(0.03)
    np.testing.assert_allclose(seen(file), 0.9 * np.arange(11), atol=0.01)


@given(st.lists(st.floats(1e-4, 1e4), min_size=1, max_size=9))
def test_the_time_of_a_frame_is_one_of_the_clip_s_steps_or_between_them(steps: list[float]) -> None:
    interval_s = mean_interval_s(np.cumsum([0.0, *steps]))
    assert min(steps) * 0.99 <= interval_s <= max(steps) * 1.01


def test_a_frame_that_is_late_makes_the_clock_no_slower() -> None:
    assert mean_interval_s([0, 0.1, 0.2, 0.3, 0.48, 0.58]) == pytest.approx(0.1)


def test_a_person_who_is_missing_is_interpolated_and_held_at_the_beginning(tmp_path: Path) -> None:
    times = np.arange(20) / 10
    points = turning(times)
    nothing = np.full((21, 3), np.nan)
    with BvhWriter(tmp_path / "a.bvh") as writer:
        for index, time_s in enumerate(times):
            there = index in (4, 5, 6, 12, 13)
            frame = body(points[index] if there or index == 8 else nothing, time_s, index)
            writer.write(frame if index != 8 else frame[:0])  # not there, or not to be lifted
    file = read(tmp_path / "a.bvh")
    assert file.frame_count == 14
    expected = 30 * np.maximum(np.arange(14), 4) / 10
    np.testing.assert_allclose(seen(file), expected, atol=0.05)


def test_frames_that_were_lost_are_filled(tmp_path: Path) -> None:
    times = np.delete(np.arange(30) / 10, [11, 12, 13, 20])
    file = read(write(tmp_path / "a.bvh", turning(times), times))
    assert (file.frame_count, file.frame_time) == (30, pytest.approx(0.1))
    np.testing.assert_allclose(seen(file), 3 * np.arange(30), atol=0.05)


def test_files_of_several_people_begin_together(tmp_path: Path) -> None:
    with BvhWriter(tmp_path / "a.bvh") as writer:
        for index in range(8):
            first, second = (
                body(t_pose(), index / 10, index, 1),
                body(t_pose(), index / 10, index, 2),
            )
            both = Bodies(
                np.concatenate([first.joints, second.joints]),
                np.concatenate([first.uncertainty, second.uncertainty]),
                ids=np.array([1, 2]),
                timestamp_s=index / 10,
            )
            writer.write(both if index > 4 else first)
    counts = [read(tmp_path / f"a_person0{number}.bvh").frame_count for number in (1, 2)]
    assert counts == [8, 8]


def test_one_frame_is_a_thirtieth_of_a_second(tmp_path: Path) -> None:
    file = read(write(tmp_path / "a.bvh", t_pose()[None], np.array([5.0]), number=None))
    assert (file.frame_count, file.frame_time) == (1, pytest.approx(1 / 30))


def test_times_that_do_not_rise_are_a_callers_mistake(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"timestamps must rise: 0\.5 s comes after 0\.5 s"):
        write(tmp_path / "a.bvh", turning(np.zeros(2)), np.array([0.5, 0.5]))


def test_lengths_are_the_medians_of_left_and_right(tmp_path: Path) -> None:
    points = np.stack([t_pose()] * 9)
    points[:2, INDEX["left_wrist"], 0] += 5  # two frames of eighteen are far off
    points[:, INDEX["head"], 1] *= 1.1
    size = 1.0123  # lengths of many digits
    lengths = lengths_of(read(write(tmp_path / "a.bvh", size * points, np.arange(9) / 30)))
    expected = {"hip": 0.1, "spine": 0.2, "neck": 0.3, "head": 0.38, "shoulder": 0.2}
    expected |= {"elbow": 0.3, "wrist": 0.25, "knee": 0.45, "ankle": 0.4}
    expected = {name: size * length for name, length in expected.items()}
    assert lengths == pytest.approx(expected, abs=1e-5)


def test_a_bone_that_never_has_a_length_has_none_in_the_file(tmp_path: Path) -> None:
    points = np.stack([t_pose()] * 3)
    for side in ("left", "right"):
        points[:, INDEX[f"{side}_wrist"]] = points[:, INDEX[f"{side}_elbow"]]
    found = positions(read(write(tmp_path / "a.bvh", points, np.arange(3) / 30)))
    np.testing.assert_array_equal(found["LeftHand"], found["LeftForeArm"])
    assert all(np.isfinite(each).all() for each in found.values())


def test_closing_again_writes_nothing(tmp_path: Path) -> None:
    with BvhWriter(tmp_path / "a.bvh") as writer:
        writer.write(body(t_pose(), 0))
        writer.close()
        (tmp_path / "a.bvh").unlink()
    assert writer.paths == [tmp_path / "a.bvh"]
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("numbers", [(1,), (1, 2)])
def test_a_full_disk_leaves_what_was_there(
    numbers: tuple[int, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.bvh"
    path.write_text("precious")
    put = GrowingFile._put

    def full(self: GrowingFile, data: bytes) -> None:
        if len(data):
            raise OSError(28, "No space left on device")
        put(self, data)

    writer = BvhWriter(path)
    for index, number in enumerate(numbers):
        writer.write(body(t_pose(), index, index, number))
    monkeypatch.setattr(GrowingFile, "_put", full)
    with pytest.raises(MoveNetError) as error:
        writer.close()
    assert str(error.value).startswith(str(path.with_suffix("")))  # or a person's
    assert str(error.value).endswith(
        ": cannot be written (No space left on device); name another file"
    )
    assert os.listdir(tmp_path) == ["a.bvh"]
    assert path.read_text() == "precious"
