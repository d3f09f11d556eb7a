"""Poses for other programs: COCO results, OpenPose folders, TRC."""

import json
import os
import re
from pathlib import Path

import numpy as np
import pandas
import pytest
from pycocotools.coco import COCO

from movenet import Poses
from movenet.errors import MoveNetError
from movenet.keypoints import INDEX, NAMES
from movenet.writers import CocoWriter, OpenPoseWriter, TrcWriter, Writer


def frame(index: int, ids: list[int] | None, *, fps: float = 25) -> Poses:
    people = 1 if ids is None else len(ids)
    random = np.random.default_rng(index)
    return Poses.from_arrays(
        random.random((people, 17, 2), np.float32) * 500,
        np.full((people, 17), 0.9),
        image_size=(500, 500),
        ids=ids,
        frame_index=index,
        timestamp_s=index / fps,
    )


def faint(poses: Poses, *names: str) -> Poses:
    """The same poses; these keypoints have a score of 0.1."""
    for name in names:
        poses.keypoint_scores[:, INDEX[name]] = 0.1
    return poses


def write(writer: Writer, frames: list[Poses]) -> None:
    with writer:
        for poses in frames:
            writer.write(poses, source="passed over")


# COCO


def test_pycocotools_reads_the_results(tmp_path: Path) -> None:
    frames = [frame(0, [1, 2]), frame(1, []), frame(2, [2])]
    write(CocoWriter(tmp_path / "results.json"), frames)
    truth = COCO()
    truth.dataset = {
        "images": [{"id": index} for index in range(3)],
        "annotations": [],
        "categories": [],
    }
    truth.createIndex()
    results = truth.loadRes(str(tmp_path / "results.json"))
    for index, poses in enumerate(frames):
        found = results.loadAnns(results.getAnnIds(imgIds=[index]))
        assert len(found) == len(poses)
        for record, person in zip(found, poses, strict=True):
            points = np.reshape(record["keypoints"], (17, 3))[:, :2]
            np.testing.assert_array_equal(points, person.keypoints[0])
            assert (record["category_id"], record["score"]) == (1, person.scores[0])


def test_results_are_a_whole_list_after_every_frame(tmp_path: Path) -> None:
    with CocoWriter(tmp_path / "results.json") as writer:
        for count, ids in enumerate([[], [1], [1, 2], []]):
            writer.write(frame(count, ids))
            records = json.loads((tmp_path / "results.json.part").read_text())
            assert [record["image_id"] for record in records] == [1, 2, 2][: [0, 1, 3, 3][count]]


# OpenPose


def read_as_pose2sim(folder: Path, index: int) -> list[dict[str, list[float]]]:
    """The people of a frame. Pose2Sim finds the file by the last number in its name."""
    names = [name for name in os.listdir(folder) if name.endswith(".json")]
    (name,) = [name for name in names if int(re.split(r"(\d+)", name)[-2]) == index]
    return json.loads((folder / name).read_text())["people"]


def test_every_frame_has_a_file_that_pose2sim_finds(tmp_path: Path) -> None:
    folder = tmp_path / "pose" / "cam01_json"
    frames = [frame(0, [4, 9]), frame(1, []), faint(frame(2, None), "left_hip")]
    write(OpenPoseWriter(folder), frames)
    assert sorted(os.listdir(folder)) == [f"cam01_00000{index}.json" for index in range(3)]
    for index, poses in enumerate(frames):
        people = read_as_pose2sim(folder, index)
        assert len(people) == len(poses)
        for person, record in zip(poses, people, strict=True):
            values = record["pose_keypoints_2d"]
            for k in range(17):
                expected = (*person.keypoints[0, k], person.keypoint_scores[0, k])
                assert tuple(values[3 * k : 3 * k + 3]) == expected
    assert [record["person_id"] for record in read_as_pose2sim(folder, 0)] == [
        [int(id_)] for id_ in frames[0].ids
    ]
    assert read_as_pose2sim(folder, 2)[0]["person_id"] == [-1]


def test_a_frame_has_the_lists_of_openpose(tmp_path: Path) -> None:
    write(OpenPoseWriter(tmp_path), [frame(0, [1])])
    record = json.loads((tmp_path / f"{tmp_path.name}_000000.json").read_text())
    assert record["version"] == 1.3
    lists = {"face_keypoints", "hand_left_keypoints", "hand_right_keypoints", "pose_keypoints"}
    assert set(record["people"][0]) == {
        "person_id",
        *(f"{name}_{space}" for name in lists for space in ("2d", "3d")),
    }


def test_a_folder_with_frames_of_an_earlier_run_is_refused(tmp_path: Path) -> None:
    write(OpenPoseWriter(tmp_path), [frame(0, [1]), frame(1, [1])])
    with pytest.raises(MoveNetError) as error:
        OpenPoseWriter(tmp_path)
    assert str(error.value) == (
        f"{tmp_path}: has frames of an earlier run; empty it, or name another"
    )


def test_a_file_in_the_place_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    with pytest.raises(MoveNetError) as error:
        OpenPoseWriter(tmp_path / "file")
    assert str(error.value) == f"{tmp_path / 'file'}: is a file; name a folder"
    with pytest.raises(MoveNetError, match=r"cannot be written \(Not a directory\)"):
        OpenPoseWriter(tmp_path / "file" / "folder")


# TRC


def read_as_opensim(path: Path) -> tuple[dict[str, str], list[str], np.ndarray]:
    """Header, marker names, rows (frame, time, 17 x (X, Y, Z)), by OpenSim's rules.

    A field ends at a tab; what follows the last tab counts only if it is not empty. A marker is
    missing where one of its three fields is empty.
    """

    def fields(line: str) -> list[str]:
        *whole, last = line.split("\t")
        return [*whole, last] if last else whole

    first, keys, values, labels, axes, *lines = path.read_text().splitlines()
    assert first.split()[:3] == ["PathFileType", "4", "(X/Y/Z)"]
    assert first.split()[3:] == [path.name]
    header = dict(zip(fields(keys), fields(values), strict=True))
    names = [field for field in fields(labels) if field]
    assert names[:2] == ["Frame#", "Time"]
    expected = [f"{axis}{marker}" for marker in range(1, len(names) - 1) for axis in "XYZ"]
    assert [field for field in fields(axes) if field] == expected
    rows = [fields(line) for line in lines if line]
    assert {len(row) for row in rows} == {2 + 3 * 17}
    table = np.array([[float(field or "nan") for field in row] for row in rows])
    return header, names[2:], table


def test_a_person_is_markers_with_y_up(tmp_path: Path) -> None:
    path = tmp_path / "clip.trc"
    frames = [frame(index, [3], fps=30000 / 1001) for index in range(10, 20)]
    writer = TrcWriter(path)
    write(writer, frames)
    header, names, rows = read_as_opensim(path)
    assert names == list(NAMES)
    assert header == {
        "DataRate": "29.97",
        "CameraRate": "29.97",
        "NumFrames": "10",
        "NumMarkers": "17",
        "Units": "mm",
        "OrigDataRate": "29.97",
        "OrigDataStartFrame": "10",
        "OrigNumFrames": "10",
    }
    for row, poses in zip(rows, frames, strict=True):
        assert (row[0], row[1]) == (poses.frame_index, poses.timestamp_s)
        markers = row[2:].reshape(17, 3)
        np.testing.assert_allclose(markers[:, :2], poses.keypoints[0] * [1, -1], rtol=1e-8)
        assert not markers[:, 2].any()
    assert writer.paths == [path]


def test_a_scale_gives_metres(tmp_path: Path) -> None:
    path = tmp_path / "clip.trc"
    poses = frame(0, [1])
    write(TrcWriter(path, metres_per_pixel=0.004), [poses])
    header, _, rows = read_as_opensim(path)
    assert header["Units"] == "m"
    np.testing.assert_allclose(
        rows[0, 2::3], poses.keypoints[0, :, 0] * np.float64(0.004), rtol=1e-8
    )
    np.testing.assert_allclose(
        rows[0, 3::3], poses.keypoints[0, :, 1] * np.float64(-0.004), rtol=1e-8
    )


def test_a_marker_of_low_score_is_missing_and_never_nan(tmp_path: Path) -> None:
    path = tmp_path / "clip.trc"
    write(TrcWriter(path), [faint(frame(0, [1]), "nose", "right_ankle"), frame(1, [1])])
    missing = np.isnan(read_as_opensim(path)[2][:, 2:].reshape(2, 17, 3))
    assert np.argwhere(missing[0].all(1)).ravel().tolist() == [0, 16]
    assert missing.sum() == 6
    assert "nan" not in path.read_text().lower()


def test_the_threshold_is_the_callers(tmp_path: Path) -> None:
    path = tmp_path / "clip.trc"
    write(TrcWriter(path, keypoint_threshold=0.05), [faint(frame(0, [1]), "nose")])
    assert not np.isnan(read_as_opensim(path)[2]).any()


def test_frames_without_the_person_have_no_row(tmp_path: Path) -> None:
    path = tmp_path / "clip.trc"
    write(TrcWriter(path), [frame(0, []), frame(1, [1]), faint(frame(2, [1]), *NAMES)])
    write(
        TrcWriter(path),
        [frame(0, []), frame(1, [1]), frame(2, []), faint(frame(3, [1]), *NAMES), frame(4, [1])],
    )
    header, _, rows = read_as_opensim(path)
    assert rows[:, 0].tolist() == [1, 4]
    assert (header["NumFrames"], header["DataRate"]) == ("2", "25")


def test_each_of_several_people_has_a_file(tmp_path: Path) -> None:
    frames = [frame(index, [7, 12] if index % 2 else [12]) for index in range(6)]
    writer = TrcWriter(tmp_path / "clip.trc")
    write(writer, frames)
    assert sorted(os.listdir(tmp_path)) == ["clip_person07.trc", "clip_person12.trc"]
    assert sorted(writer.paths) == [tmp_path / name for name in sorted(os.listdir(tmp_path))]
    assert read_as_opensim(tmp_path / "clip_person07.trc")[2][:, 0].tolist() == [1, 3, 5]
    assert read_as_opensim(tmp_path / "clip_person12.trc")[2][:, 0].tolist() == [0, 1, 2, 3, 4, 5]
    for poses, row in zip(frames, read_as_opensim(writer.paths[0])[2], strict=True):
        person = poses[poses.ids == 12]
        np.testing.assert_allclose(row[2::3], person.keypoints[0, :, 0], rtol=1e-8)


def test_a_clip_with_nobody_leaves_no_file(tmp_path: Path) -> None:
    writer = TrcWriter(tmp_path / "clip.trc")
    write(writer, [frame(0, []), frame(1, [])])
    assert os.listdir(tmp_path) == []
    assert writer.paths == []


def test_one_frame_has_a_rate_of_one(tmp_path: Path) -> None:
    write(TrcWriter(tmp_path / "clip.trc"), [frame(0, None)])
    assert read_as_opensim(tmp_path / "clip.trc")[0]["DataRate"] == "1"


def test_people_who_have_left_hold_no_file_open(tmp_path: Path) -> None:
    handles = Path("/proc/self/fd")
    if not handles.exists():
        pytest.skip("this system does not list open files")
    before = len(os.listdir(handles))
    with TrcWriter(tmp_path / "clip.trc") as writer:
        for index in range(100):
            writer.write(frame(index, [index, index + 1]))
        assert len(os.listdir(handles)) <= before + 2
    assert len(writer.paths) == 101
    assert read_as_opensim(tmp_path / "clip_person50.trc")[2][:, 0].tolist() == [49, 50]


def test_pandas_reads_a_trc_as_pose2sim_does(tmp_path: Path) -> None:
    path = tmp_path / "clip.trc"
    write(TrcWriter(path), [frame(0, [1]), faint(frame(1, [1]), "right_ankle")])
    table = pandas.read_csv(path, sep="\t", skiprows=4)
    table = table.loc[:, ~table.columns.str.startswith("Unnamed")]
    assert table.shape == (2, 51)
    assert table["X17"].isna().tolist() == [False, True]


def test_people_whom_nobody_can_tell_apart_are_a_callers_mistake(tmp_path: Path) -> None:
    two = Poses.from_arrays(
        np.zeros((2, 17, 2)), np.ones((2, 17)), image_size=(9, 9), frame_index=0, timestamp_s=0.0
    )
    with TrcWriter(tmp_path / "clip.trc") as writer:
        with pytest.raises(ValueError, match="several people must have ids"):
            writer.write(two)
        untimed = Poses.from_arrays([], [], image_size=(9, 9), frame_index=0)
        with pytest.raises(ValueError, match="timestamp_s"):
            writer.write(untimed)


@pytest.mark.parametrize("scale", [0.0, -0.004, float("nan"), float("inf")])
def test_a_scale_that_is_no_length_is_a_callers_mistake(tmp_path: Path, scale: float) -> None:
    with pytest.raises(ValueError, match=f"metres_per_pixel: .* over 0, got {scale}$"):
        TrcWriter(tmp_path / "clip.trc", metres_per_pixel=scale)
    assert os.listdir(tmp_path) == []
