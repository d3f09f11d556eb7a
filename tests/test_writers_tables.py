"""Tidy tables of poses: CSV and Parquet, read with pandas and pyarrow."""

import sys
from pathlib import Path

import numpy as np
import pandas
import pyarrow.parquet
import pytest

from movenet import Poses
from movenet.errors import MoveNetError
from movenet.keypoints import NAMES
from movenet.writers import open_writer, parquet
from movenet.writers.tidy import COLUMNS

KINDS = ("csv", "parquet")


def frame(index: int | None, ids: list[int] | None, people: int, *, scale: float = 1) -> Poses:
    random = np.random.default_rng(people)
    return Poses.from_arrays(
        (random.normal(size=(people, 17, 2)) * scale).astype(np.float32),
        random.random((people, 17), np.float32),
        image_size=(720, 1280),
        ids=ids,
        frame_index=index,
        timestamp_s=None if index is None else index * 1001 / 30000,
    )


def table(kind: str, path: Path, frames: list[Poses]) -> pandas.DataFrame:
    with open_writer(kind, path, model="thunder", version="1.2") as writer:
        for poses in frames:
            writer.write(poses, source="passed over")
    if kind == "csv":
        return pandas.read_csv(path)
    return pandas.read_parquet(path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_has_a_row_for_a_frame_person_and_keypoint(kind: str, tmp_path: Path) -> None:
    frames = [frame(3, [7, 2], 2), frame(4, [], 0), frame(5, [2], 1)]
    got = table(kind, tmp_path / "poses", frames)
    assert tuple(got.columns) == COLUMNS
    assert got.frame.tolist() == [3] * 34 + [5] * 17
    seconds = np.array([3] * 34 + [5] * 17) * 1001 / 30000
    np.testing.assert_allclose(got.time, seconds, rtol=1e-15)
    assert got.id.tolist() == [*frames[0].ids.repeat(17), *[2] * 17]
    assert got.keypoint.tolist() == list(NAMES) * 3


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scale", [1e-12, 1e-3, 1, 1e3, 1e7])
def test_numbers_come_back_exactly(kind: str, scale: float, tmp_path: Path) -> None:
    poses = frame(0, [1, 2, 3], 3, scale=scale)
    got = table(kind, tmp_path / "poses", [poses])
    values = got[["x", "y", "score"]].to_numpy(np.float32).reshape(3, 17, 3)
    np.testing.assert_array_equal(values[..., :2], poses.keypoints)
    np.testing.assert_array_equal(values[..., 2], poses.keypoint_scores)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_known_is_missing(kind: str, tmp_path: Path) -> None:
    got = table(kind, tmp_path / "poses", [frame(None, None, 1)])
    assert got[["frame", "time", "id"]].isna().all(axis=None)
    assert got[["x", "y", "score"]].notna().all(axis=None)


@pytest.mark.parametrize("kind", KINDS)
def test_a_clip_with_nobody_is_an_empty_table(kind: str, tmp_path: Path) -> None:
    got = table(kind, tmp_path / "poses", [frame(0, None, 0)])
    assert tuple(got.columns) == COLUMNS
    assert len(got) == 0


def test_a_parquet_is_typed_and_says_its_model(tmp_path: Path) -> None:
    table("parquet", tmp_path / "poses", [frame(0, [1], 1), frame(1, None, 1)])
    schema = pyarrow.parquet.read_schema(tmp_path / "poses")
    types = {name: str(kind) for name, kind in zip(schema.names, schema.types, strict=True)}
    assert types.pop("keypoint").startswith("dictionary<values=string")
    assert types == {
        "frame": "int64",
        "time": "double",
        "id": "int64",
        "x": "float",
        "y": "float",
        "score": "float",
    }
    assert (schema.metadata[b"model"], schema.metadata[b"version"]) == (b"thunder", b"1.2")
    read = pyarrow.parquet.read_table(tmp_path / "poses")
    assert read["id"].to_pylist() == [1] * 17 + [None] * 17
    assert read["keypoint"].to_pylist() == list(NAMES) * 2


def test_a_long_parquet_is_written_group_by_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "_GROUP_ROWS", 10 * 34)
    path = tmp_path / "poses"
    with open_writer("parquet", path, model="thunder", version="1.2") as writer:
        for index in range(25):
            writer.write(frame(index, [1, 2], 2))
            assert len(writer._groups._pending) < 10
        before = (tmp_path / "poses.part").stat().st_size
    assert before > 0
    file = pyarrow.parquet.ParquetFile(path)
    groups = range(file.metadata.num_row_groups)
    assert [file.metadata.row_group(index).num_rows for index in groups] == [340, 340, 170]
    assert sorted(set(file.read()["frame"].to_pylist())) == list(range(25))


def test_parquet_without_its_library_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MoveNetError) as error:
        open_writer("parquet", tmp_path / "poses", model="thunder", version="1.2")
    assert str(error.value) == '--parquet: needs pyarrow; pip install "movenet-pytorch[parquet]"'
    assert not list(tmp_path.iterdir())
