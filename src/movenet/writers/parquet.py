"""Poses as a typed table in a Parquet file: one row a frame, person and keypoint."""

import contextlib
import importlib
from pathlib import Path
from typing import Any

import numpy as np

from movenet.errors import MoveNetError
from movenet.keypoints import NAMES
from movenet.poses import Poses
from movenet.writers.growing import GrowingFile, unwritable
from movenet.writers.writer import Writer

_GROUP_ROWS = 1 << 16  # held in memory, some megabytes; a minute of two people at 30 frames/s


class ParquetWriter(Writer):
    """Parquet: frame int64, time float64, id int64, keypoint (text), x, y and score float32.

    As the CSV, typed: what is not known is null, a frame with nobody has no rows. The file's
    metadata holds `model` and `version`. It is FILE.part until it is closed and cannot be read
    before, because Parquet's index comes last; where the disk is full, FILE.part is taken away.
    Needs the extra: pip install "movenet-pytorch[parquet]".
    """

    def __init__(self, path: str | Path, *, model: str, version: str) -> None:
        """Make FILE.part. Raises MoveNetError where that cannot be done, or without pyarrow."""
        try:  # here, because it is an extra, and takes a tenth of a second
            self._pyarrow: Any = importlib.import_module("pyarrow")
            parquet: Any = importlib.import_module("pyarrow.parquet")
        except ImportError as error:
            raise MoveNetError(
                '--parquet: needs pyarrow; pip install "movenet-pytorch[parquet]"'
            ) from error
        self._schema = _schema(self._pyarrow, {"model": model, "version": version})
        self._file = GrowingFile(path, part=True)
        self._file.rest()
        # pyarrow writes the file itself: an interrupt waits until a group is whole.
        try:
            self._writer = parquet.ParquetWriter(self._file.part, self._schema)
        except OSError as error:
            self._file.drop()
            raise unwritable(self._file.path, error) from error
        self._pending: list[Poses] = []  # frames with somebody
        self._rows = 0

    def write(self, poses: Poses, **_: Any) -> None:
        """Keep a frame for the next group of rows; further entries have no place here."""
        if len(poses):
            self._pending.append(poses)
            self._rows += len(poses) * len(NAMES)
        if self._rows >= _GROUP_ROWS:
            self._write_group()

    def close(self) -> None:
        """Write what is left and the index, and give the file its name."""
        if not self._writer.is_open:
            return
        if self._pending:
            self._write_group()
        try:
            self._writer.close()
        except OSError as error:
            raise self._dropped(error) from error
        self._file.close()

    def _write_group(self) -> None:
        group = self._table()
        self._pending, self._rows = [], 0  # first: an interrupt must not write it twice
        try:
            self._writer.write_table(group)
        except OSError as error:
            raise self._dropped(error) from error

    def _dropped(self, error: OSError) -> MoveNetError:
        with contextlib.suppress(OSError):  # it holds the file
            self._writer.close()
        self._writer.is_open = False  # or it would try again when it is collected
        self._file.drop()
        return unwritable(self._file.path, error)

    def _table(self) -> Any:
        """The pending frames as a pyarrow.Table: frames, in them people, in them keypoints."""
        frames = self._pending
        rows = np.repeat(np.arange(len(frames)), [len(poses) * len(NAMES) for poses in frames])
        people = self._rows // len(NAMES)
        ids = [
            person
            for poses in frames
            for person in ([None] * len(poses) if poses.ids is None else poses.ids.tolist())
        ]
        names = np.tile(np.arange(len(NAMES), dtype=np.int8), people)
        points = np.concatenate([poses.keypoints for poses in frames]).reshape(-1, 2)
        array, int64 = self._pyarrow.array, self._pyarrow.int64()
        columns = [
            array([poses.frame_index for poses in frames], int64).take(rows),
            array([poses.timestamp_s for poses in frames], self._pyarrow.float64()).take(rows),
            array(ids, int64).take(np.repeat(np.arange(people), len(NAMES))),
            self._pyarrow.DictionaryArray.from_arrays(names, NAMES),
            np.ascontiguousarray(points[:, 0]),
            np.ascontiguousarray(points[:, 1]),
            np.concatenate([poses.keypoint_scores for poses in frames]).ravel(),
        ]
        return self._pyarrow.table(columns, schema=self._schema)


def _schema(pyarrow: Any, metadata: dict[str, str]) -> Any:
    """The columns' names and types, a pyarrow.Schema."""
    return pyarrow.schema(
        {
            "frame": pyarrow.int64(),
            "time": pyarrow.float64(),
            "id": pyarrow.int64(),
            "keypoint": pyarrow.dictionary(pyarrow.int8(), pyarrow.string()),
            "x": pyarrow.float32(),
            "y": pyarrow.float32(),
            "score": pyarrow.float32(),
        },
        metadata=metadata,
    )
