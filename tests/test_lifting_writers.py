"""Bodies into files: what holds for every format, JSON Lines, tables and TRC."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas
import pyarrow.parquet
import pytest

from movenet.errors import MoveNetError
from movenet.lifting.angles import ANGLES, joint_angles
from movenet.lifting.bodies import Bodies
from movenet.lifting.joints import INDEX, NAMES
from movenet.lifting.writers import (
    KINDS,
    BodiesWriter,
    TrcWriter,
    open_writer,
    read_json_lines,
)
from movenet.lifting.writers.tidy import COLUMNS

LATE = ("parquet", "bvh", "trc")  # FILE.part until they are closed
GROWING = ("json", "csv")
TABLES = ("csv", "parquet")


def bodies(
    index: int | None = 0, ids: tuple[int, ...] | None = (1, 2), *, people: int = 0, unit: str = "m"
) -> Bodies:
    people = len(ids) if ids is not None else people
    random = np.random.default_rng(index)
    joints = random.normal(size=(people, 21, 3)).astype(np.float32)
    joints[:, INDEX["pelvis"]] = 0
    joints[:, INDEX["right_hip"]] = -joints[:, INDEX["left_hip"]]
    return Bodies(
        joints,
        random.uniform(0.01, 0.1, (people, 21)).astype(np.float32),
        unit=unit,
        ids=None if ids is None else np.array(ids, np.int64),
        frame_index=index,
        timestamp_s=None if index is None else index * 1001 / 30000,
    )


def unknown(frame: Bodies, person: int = 0) -> Bodies:
    """The same frame; of one person nothing could be lifted."""
    frame.joints[person], frame.uncertainty[person] = np.nan, np.inf
    return frame


def made(kind: str, path: Path) -> BodiesWriter:
    return open_writer(kind, path, model="thunder", lifter="lift-single", version="1.2", unit="m")


def written(kind: str, path: Path, frames: list[Bodies]) -> Path:
    with made(kind, path) as writer:
        for frame in frames:
            writer.write(frame, source="a.jpg")
    return path


def frames_in(kind: str, path: Path) -> list[int]:
    """The indices of the frames in a file, each once."""
    if kind == "json":
        return [frame.frame_index for frame in read_json_lines(path)[1] if len(frame)]
    if kind in ("bvh", "trc"):
        path = path.with_name(f"{path.stem}_person01{path.suffix}")
    if kind == "bvh":
        (count,) = [line for line in path.read_text().splitlines() if line.startswith("Frames:")]
        return list(range(int(count.split()[1])))
    if kind == "trc":
        return list(pandas.read_csv(path, sep="\t", skiprows=4).iloc[:, 0])
    table = pandas.read_csv(path) if kind == "csv" else pandas.read_parquet(path)
    return sorted(set(table.frame))


# Every format


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stop", [KeyboardInterrupt, ValueError])
def test_a_run_that_is_stopped_leaves_a_finished_file(
    kind: str, stop: type[BaseException], tmp_path: Path
) -> None:
    path = tmp_path / "bodies.out"

    def run() -> None:
        with made(kind, path) as writer:
            for index in range(5):
                writer.write(bodies(index))
            raise stop

    with pytest.raises(stop):
        run()
    assert frames_in(kind, path) == [0, 1, 2, 3, 4]
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize("kind", LATE)
def test_a_file_stays_what_it_was_until_the_new_one_is_finished(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "bodies.out"
    path.write_text("precious")
    with made(kind, path) as writer:
        writer.write(bodies(ids=(1,)))
        assert path.read_text() == "precious"
        assert (tmp_path / "bodies.out.part").exists()
    assert b"precious" not in path.read_bytes()


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_frame_nothing_is_made_and_nothing_changed(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "bodies.out"
    with made(kind, path):
        pass
    assert os.listdir(tmp_path) == []
    old = {path: "precious", tmp_path / "bodies.out.part": "of a run that was killed"}
    for file, text in old.items():
        file.write_text(text)
    with made(kind, path) as writer:
        assert {file: file.read_text() for file in old} == old
    writer.close()
    assert {file: file.read_text() for file in old} == old


@pytest.mark.parametrize("kind", KINDS)
def test_an_old_file_is_gone_after_a_frame_with_somebody(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "bodies.out"
    parts = [tmp_path / "bodies.out.part"] if kind in LATE else []
    for file in (path, *parts):
        file.write_text("an earlier run's " * 9999)
    with made(kind, path) as writer:
        writer.write(bodies(ids=(1,)))
    assert os.listdir(tmp_path) == ["bodies.out"]
    assert b"an earlier" not in path.read_bytes()


@pytest.mark.parametrize("kind", KINDS)
def test_to_write_on_when_it_is_closed_is_a_callers_mistake(kind: str, tmp_path: Path) -> None:
    with made(kind, tmp_path / "bodies.out") as writer:
        writer.write(bodies(0))
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    for frame in (bodies(1), bodies(1, ())):
        with pytest.raises(ValueError, match=r"^this writer is closed; nothing can be written"):
            writer.write(frame)
    writer.close()
    after = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    assert after == before


@pytest.mark.parametrize("kind", KINDS)
def test_closing_again_changes_nothing(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "bodies.out"
    with made(kind, path) as writer:
        writer.write(bodies())
        writer.close()
        once = frames_in(kind, path)
    assert frames_in(kind, path) == once == [0]


@pytest.mark.parametrize("kind", KINDS)
def test_a_place_that_cannot_be_written_is_named_before_the_work(kind: str, tmp_path: Path) -> None:
    missing = tmp_path / "none" / "bodies.out"
    for path, reason in [(missing, "No such file or directory"), (tmp_path, "Is a directory")]:
        with pytest.raises(MoveNetError) as error:
            made(kind, path)
        assert str(error.value) == f"{path}: cannot be written ({reason}); name another file"
    assert os.listdir(tmp_path) == []


def test_an_unknown_kind_is_a_callers_mistake(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"kind must be one of json, .*, not 'coco'"):
        made("coco", tmp_path / "bodies.json")


@pytest.mark.parametrize("kind", ["bvh", "trc"])
def test_a_clip_with_nobody_leaves_no_file(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "clip.out"
    path.write_text("precious")
    written(kind, path, [bodies(0, ()), unknown(bodies(1, (1,)))])
    assert os.listdir(tmp_path) == ["clip.out"]
    assert path.read_text() == "precious"


@pytest.mark.parametrize("kind", ["bvh", "trc"])
def test_each_of_several_people_has_a_file(kind: str, tmp_path: Path) -> None:
    with made(kind, tmp_path / "clip.out") as writer:
        for index in range(6):
            writer.write(bodies(index, (7, 12) if index % 2 else (12,)))
    assert sorted(os.listdir(tmp_path)) == ["clip_person07.out", "clip_person12.out"]
    assert sorted(writer.paths) == sorted(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["bvh", "trc"])
@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (bodies(None, (1,)), r"bodies must have a (frame_index|timestamp_s)"),
        (bodies(0, None, people=2), "bodies of several people must have ids"),
    ],
)
def test_files_of_people_over_time_need_ids_and_times(
    kind: str, frame: Bodies, message: str, tmp_path: Path
) -> None:
    with made(kind, tmp_path / "out") as writer, pytest.raises(ValueError, match=message):
        writer.write(frame)


@pytest.mark.parametrize("kind", ["bvh", "trc"])
def test_one_person_needs_no_id(kind: str, tmp_path: Path) -> None:
    written(kind, tmp_path / "clip.out", [bodies(0, None, people=1)])
    assert os.listdir(tmp_path) == ["clip.out"]


# A process that is killed

KILLED = """
import itertools, sys
from movenet.lifting.writers import open_writer
from test_lifting_writers import bodies
writer = open_writer(
    sys.argv[1], sys.argv[2], model="thunder", lifter="lift-single", version="1.2", unit="m"
)
for index in itertools.count():
    writer.write(bodies(index))
    print(index, flush=True)
"""


@pytest.mark.parametrize("kind", GROWING)
def test_a_killed_process_leaves_every_frame_that_was_written(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "bodies.out"
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, kind, str(path)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parent)},
    )
    assert process.stdout is not None
    with process, process.stdout as told:
        last = next(int(line) for line in told if int(line) >= 20)
        process.send_signal(signal.SIGKILL)
        last = max([last, *map(int, told.read().split("\n")[:-1])])
    frames = frames_in(kind, path)
    assert frames[: last + 1] == list(range(last + 1))
    assert len(frames) <= last + 2  # the one that it was at


@pytest.mark.parametrize("kind", GROWING)
def test_a_frame_is_on_the_disk_when_write_returns(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "bodies.out"
    with made(kind, path) as writer:
        for index in range(3):
            writer.write(bodies(index))
            assert frames_in(kind, path) == list(range(index + 1))


# JSON Lines


def test_a_header_comes_first_and_every_line_reads_back(tmp_path: Path) -> None:
    frames = [bodies(0), bodies(1, ()), unknown(bodies(2, (3, 4)), 1), bodies(None, None, people=1)]
    path = written("json", tmp_path / "bodies.jsonl", frames)
    header, *records = map(json.loads, path.read_text().splitlines())
    assert header == {
        "version": "1.2", "model": "thunder", "lifter": "lift-single", "joints": list(NAMES),
        "unit": "m",
    }  # fmt: skip
    for record, frame in zip(records, frames, strict=True):
        assert next(iter(record.items())) == ("source", "a.jpg")
        back = Bodies.from_dict(record)
        np.testing.assert_array_equal(back.joints, frame.joints)
        np.testing.assert_array_equal(back.uncertainty, frame.uncertainty)
        assert back.to_dict() == frame.to_dict()
    again, found = read_json_lines(path)
    assert again == header
    assert [frame.to_dict() for frame in found] == [frame.to_dict() for frame in frames]


def test_joints_that_are_not_known_are_null_each_by_itself(tmp_path: Path) -> None:
    """As the earlier port's lifter leaves them: no face, and no uncertainty anywhere."""
    frame, face = bodies(0, (3, 4)), range(5)
    frame.joints[:, face], frame.uncertainty[:] = np.nan, np.nan
    frame.uncertainty[:, face] = np.inf
    frame.uncertainty[1, 7] = 0.25
    path = written("json", tmp_path / "bodies.jsonl", [frame])
    first, second = json.loads(path.read_text().splitlines()[1])["people"]
    for person in (first, second):
        assert [joint is None for joint in person["joints"]] == [True] * 5 + [False] * 16
    assert first["uncertainty"] == [None] * 21
    assert [value for value in second["uncertainty"] if value] == [0.25]
    (back,) = read_json_lines(path)[1]
    np.testing.assert_array_equal(back.joints, frame.joints)
    np.testing.assert_array_equal(back.uncertainty, frame.uncertainty)


def test_every_person_has_their_angles(tmp_path: Path) -> None:
    frame = unknown(bodies(0, (3, 4)), 1)
    path = written("json", tmp_path / "bodies.jsonl", [frame])
    first, second = json.loads(path.read_text().splitlines()[1])["people"]
    assert tuple(first["angles"]) == tuple(second["angles"]) == ANGLES
    expected = joint_angles(frame.joints[0])
    np.testing.assert_allclose(list(first["angles"].values()), expected, atol=0.00501)
    assert set(second["angles"].values()) == {None}


def test_a_last_line_that_was_cut_off_is_passed_over(tmp_path: Path) -> None:
    path = written("json", tmp_path / "bodies.jsonl", [bodies(0), bodies(1)])
    path.write_bytes(path.read_bytes()[:-100])
    assert frames_in("json", path) == [0]


@pytest.mark.parametrize("content", [b"", b"[]\n", b'{"keypoints": ["nose"]}\n', b"\xff\x00" * 999])
def test_a_foreign_file_is_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "foreign"
    path.write_bytes(content)
    with pytest.raises(MoveNetError) as error:
        read_json_lines(path)
    assert str(error.value) == f"{path}: not bodies of movenet; name a file that --json wrote"


# Tables


def table(kind: str, path: Path, frames: list[Bodies]) -> pandas.DataFrame:
    written(kind, path, frames)
    return pandas.read_csv(path) if kind == "csv" else pandas.read_parquet(path)


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_has_a_row_for_a_frame_person_and_joint(kind: str, tmp_path: Path) -> None:
    frames = [bodies(3, (7, 2)), bodies(4, ()), bodies(5, (2,))]
    got = table(kind, tmp_path / "bodies", frames)
    assert tuple(got.columns) == COLUMNS
    assert got.frame.tolist() == [3] * 42 + [5] * 21
    np.testing.assert_allclose(got.time, got.frame * 1001 / 30000, rtol=1e-15)
    assert got.id.tolist() == [*[7] * 21, *[2] * 42]
    assert got.joint.tolist() == list(NAMES) * 3
    assert set(got.unit) == {"m"}


@pytest.mark.parametrize("kind", TABLES)
def test_numbers_come_back_exactly(kind: str, tmp_path: Path) -> None:
    frame = bodies(0, (1, 2, 3))
    got = table(kind, tmp_path / "bodies", [frame])
    values = got[["x", "y", "z", "uncertainty"]].to_numpy(np.float32).reshape(3, 21, 4)
    np.testing.assert_array_equal(values[..., :3], frame.joints)
    np.testing.assert_array_equal(values[..., 3], frame.uncertainty)


@pytest.mark.parametrize("kind", TABLES)
def test_a_joint_has_its_own_angles(kind: str, tmp_path: Path) -> None:
    frame = bodies(0, (1,))
    got = table(kind, tmp_path / "bodies", [frame]).set_index("joint")
    there = {
        ("trunk_lean" if joint == "spine" else f"{joint}_flexion"): got.flexion[joint]
        for joint in NAMES
        if not np.isnan(got.flexion[joint])
    } | {
        ("trunk_side" if joint == "spine" else f"{joint}_abduction"): got.abduction[joint]
        for joint in NAMES
        if not np.isnan(got.abduction[joint])
    }
    assert set(there) == set(ANGLES)
    expected = joint_angles(frame.joints[0])
    np.testing.assert_allclose([there[name] for name in ANGLES], expected, atol=0.00501)


@pytest.mark.parametrize("kind", TABLES)
def test_what_is_not_known_is_missing(kind: str, tmp_path: Path) -> None:
    got = table(kind, tmp_path / "bodies", [unknown(bodies(None, None, people=1))])
    assert got.drop(columns=["joint", "unit"]).isna().all(axis=None)
    assert got.joint.tolist() == list(NAMES)


@pytest.mark.parametrize("kind", TABLES)
def test_nobody_is_an_empty_table(kind: str, tmp_path: Path) -> None:
    got = table(kind, tmp_path / "bodies", [bodies(0, ())])
    assert tuple(got.columns) == COLUMNS
    assert len(got) == 0


def test_a_parquet_is_typed_and_says_its_model(tmp_path: Path) -> None:
    frames = [bodies(0, (1,)), unknown(bodies(1, None, people=1, unit="body heights"))]
    path = written("parquet", tmp_path / "bodies", frames)
    schema = pyarrow.parquet.read_schema(path)
    types = {name: str(kind) for name, kind in zip(schema.names, schema.types, strict=True)}
    assert types.pop("joint").startswith("dictionary<values=string")
    assert types.pop("unit").startswith("dictionary<values=string")
    floats = dict.fromkeys(["x", "y", "z", "uncertainty", "flexion", "abduction"], "float")
    assert types == {"frame": "int64", "time": "double", "id": "int64"} | floats
    assert (schema.metadata[b"model"], schema.metadata[b"version"]) == (b"thunder", b"1.2")
    assert schema.metadata[b"lifter"] == b"lift-single"
    read = pyarrow.parquet.read_table(path)
    assert read["unit"].to_pylist() == ["m"] * 21 + ["body heights"] * 21
    assert read["x"].null_count == read["uncertainty"].null_count == 21
    assert read["flexion"].null_count == 21 + 21 - 9  # of both sides four, and the trunk's


def test_a_long_parquet_is_written_group_by_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("movenet.writers.parquet._GROUP_ROWS", 10 * 42)
    path = written("parquet", tmp_path / "bodies", [bodies(index) for index in range(25)])
    metadata = pyarrow.parquet.ParquetFile(path).metadata
    rows = [metadata.row_group(index).num_rows for index in range(metadata.num_row_groups)]
    assert rows == [420, 420, 210]
    assert frames_in("parquet", path) == list(range(25))


# TRC


def read_trc(path: Path) -> tuple[dict[str, str], list[str], np.ndarray]:
    """Header, markers, and rows (frame, time, 21 x (X, Y, Z)); fields end at tabs."""
    first, keys, values, labels, axes, empty, *lines = path.read_text().split("\n")
    assert first.split() == ["PathFileType", "4", "(X/Y/Z)", path.name]
    assert axes.split() == [f"{axis}{marker}" for marker in range(1, 22) for axis in "XYZ"]
    assert (empty, lines.pop()) == ("", "")
    rows = [line.split("\t") for line in lines]
    assert {row.pop() for row in rows} == {""}
    header = dict(zip(keys.split("\t"), values.split("\t"), strict=True))
    return header, labels.split()[2:], np.array(rows, float)


@pytest.mark.parametrize("kind", ["bvh", "trc"])
def test_a_body_that_lacks_a_joint_is_as_good_as_none(kind: str, tmp_path: Path) -> None:
    lacking = bodies(1, (1,))
    lacking.joints[0, INDEX["left_wrist"]] = np.nan
    texts = []
    for name, middle in (("a", lacking), ("b", unknown(bodies(1, (1,))))):
        path = tmp_path / name / "clip.out"
        path.parent.mkdir()
        written(kind, path, [bodies(0, (1,)), middle, bodies(2, (1,))])
        texts.append(path.read_text())
    assert texts[0] == texts[1]


def test_zero_has_no_sign(tmp_path: Path) -> None:
    path = written("trc", tmp_path / "a.trc", [bodies(0, (1,))])
    fields = path.read_text().split()
    assert "0" in fields
    assert "-0" not in fields


def test_joints_are_markers_with_y_up_and_z_towards_the_camera(tmp_path: Path) -> None:
    frames = [bodies(index, (3,)) for index in range(10, 20)]
    path = tmp_path / "clip.trc"
    with TrcWriter(path) as writer:
        for frame in frames:
            writer.write(frame)
    header, names, rows = read_trc(path)
    assert names == list(NAMES)
    assert header == {
        "DataRate": "29.97",
        "CameraRate": "29.97",
        "NumFrames": "10",
        "NumMarkers": "21",
        "Units": "m",
        "OrigDataRate": "29.97",
        "OrigDataStartFrame": "10",
        "OrigNumFrames": "10",
    }
    for row, frame in zip(rows, frames, strict=True):
        assert (row[0], row[1]) == (frame.frame_index, frame.timestamp_s)
        np.testing.assert_allclose(row[2:].reshape(21, 3), frame.joints[0] * [1, -1, -1], rtol=1e-8)
    assert writer.paths == [path]


def test_frames_without_the_body_have_no_row(tmp_path: Path) -> None:
    path = tmp_path / "clip.trc"
    frames = [bodies(0, ()), bodies(1, (1,)), unknown(bodies(2, (1,))), bodies(4, (1,))]
    written("trc", path, frames)
    header, _, rows = read_trc(path)
    assert rows[:, 0].tolist() == [1, 4]
    assert header["NumFrames"] == "2"
    assert "nan" not in path.read_text().lower()


def test_body_heights_are_written_as_metres(tmp_path: Path) -> None:
    path = written("trc", tmp_path / "clip.trc", [bodies(0, (1,), unit="body heights")])
    header, _, rows = read_trc(path)
    assert header["Units"] == "m"
    np.testing.assert_allclose(rows[0, 2::3], bodies(0, (1,)).joints[0, :, 0], rtol=1e-8)
