"""Poses into files."""

import json
from pathlib import Path

import numpy as np
import pytest

from movenet import Poses
from movenet.errors import MoveNetError
from movenet.keypoints import NAMES
from movenet.writers import JsonLinesWriter


def poses() -> Poses:
    keypoints = np.random.default_rng(0).random((2, 17, 2), np.float32) * 300
    return Poses.from_arrays(keypoints, np.full((2, 17), 0.5), image_size=(300, 300), ids=[4, 7])


def test_a_header_comes_first_and_every_line_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "poses.jsonl"
    with JsonLinesWriter(path, model="thunder", version="1.2") as writer:
        writer.write(poses(), source="a.jpg")
        writer.write(poses())
    header, first, second = map(json.loads, path.read_text().splitlines())
    assert header == {"version": "1.2", "model": "thunder", "keypoints": list(NAMES)}
    assert first["source"] == "a.jpg"
    for record in (first, second):
        np.testing.assert_array_equal(Poses.from_dict(record).keypoints, poses().keypoints)


def test_a_line_is_on_the_disk_when_write_returns(tmp_path: Path) -> None:
    path = tmp_path / "poses.jsonl"
    with JsonLinesWriter(path, model="thunder", version="1.2") as writer:
        writer.write(poses())
        assert len(path.read_text().splitlines()) == 2


def test_a_file_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    path = tmp_path / "none" / "poses.jsonl"
    with pytest.raises(MoveNetError) as error:
        JsonLinesWriter(path, model="thunder", version="1.2")
    assert str(error.value) == (
        f"{path}: cannot be written (No such file or directory); name another file"
    )
