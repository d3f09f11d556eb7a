"""Poses as a typed table in a Parquet file: one row a frame, person and keypoint."""

import contextlib
import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np

from movenet.errors import MoveNetError
from movenet.keypoints import NAMES
from movenet.poses import Poses
from movenet.writers.growing import GrowingFile, closed, unwritable
from movenet.writers.writer import Stamped, Writer

S = TypeVar("S", bound=Stamped)

_GROUP_ROWS = 1 << 16  # held in memory, some megabytes; a minute of two people at 30 frames/s


class ParquetWriter(Writer):
    """Parquet: frame int64, time float64, id int64, keypoint (text), x, y and score float32.

    As the CSV, typed: what is not known is null, a frame with nobody has no rows. The file's
    metadata holds `model` and `version`. Needs the extra: pip install "movenet-pytorch[parquet]".
    """

    def __init__(self, path: str | Path, *, model: str, version: str) -> None:
        """Try the place. Raises MoveNetError where it cannot be written, or without pyarrow."""
        values = dict.fromkeys(("x", "y", "score"), "float32")
        columns = key_types("keypoint") | values
        metadata = {"model": model, "version": version}
        self._groups = RowGroups(path, columns, metadata, columns_of)

    def write(self, poses: Poses, **_: Any) -> None:
        """Keep a frame for the next group of rows; further entries have no place here."""
        self._groups.add(poses, len(poses) * len(NAMES))

    def close(self) -> None:
        """Write what is left and the index, and give the file its name."""
        self._groups.close()


def columns_of(pyarrow: Any, frames: Sequence[Poses]) -> list[Any]:
    """The columns of some frames."""
    points = np.concatenate([poses.keypoints for poses in frames]).reshape(-1, 2)
    return [
        *key_columns(pyarrow, frames, NAMES),
        np.ascontiguousarray(points[:, 0]),
        np.ascontiguousarray(points[:, 1]),
        np.concatenate([poses.keypoint_scores for poses in frames]).ravel(),
    ]


class RowGroups(Generic[S]):
    """A Parquet file that grows by groups of rows.

    It is FILE.part until it is closed and cannot be read before, because Parquet's index comes
    last; where the disk is full, FILE.part is taken away.
    """

    def __init__(
        self,
        path: str | Path,
        columns: dict[str, str],
        metadata: dict[str, str],
        columns_of: Callable[[Any, Sequence[S]], list[Any]],
    ) -> None:
        """Try the place. `columns`: names, and pyarrow's names of types, or "text".

        `columns_of` makes pyarrow's columns of frames.

        Raises MoveNetError where the place cannot be written, or without pyarrow.
        """
        try:  # here, because it is an extra, and takes a tenth of a second
            self._pyarrow: Any = importlib.import_module("pyarrow")
            self._parquet: Any = importlib.import_module("pyarrow.parquet")
        except ImportError as error:
            raise MoveNetError(
                '--parquet: needs pyarrow; pip install "movenet-pytorch[parquet]"'
            ) from error
        text = self._pyarrow.dictionary(self._pyarrow.int8(), self._pyarrow.string())
        types = {
            name: text if kind == "text" else self._pyarrow.type_for_alias(kind)
            for name, kind in columns.items()
        }
        self._columns_of = columns_of
        self._pending: list[S] = []  # frames with somebody
        self._rows = 0
        self._schema = self._pyarrow.schema(types, metadata=metadata)
        self._file = GrowingFile(path, part=True)
        self._writer: Any = None
        self._closed = False

    def add(self, frame: S, rows: int) -> None:
        """Keep a frame, of so many rows, for the next group. ValueError when it is closed."""
        self._begin()
        if rows:
            self._pending.append(frame)
            self._rows += rows
        if self._rows >= _GROUP_ROWS:
            self._write_group()

    def _begin(self) -> None:
        """Empty FILE.part, at the first call."""
        if self._closed:
            raise closed()
        if self._writer is not None:
            return
        # pyarrow writes the file itself: an interrupt waits until a group is whole.
        try:
            self._writer = self._parquet.ParquetWriter(self._file.handed(), self._schema)
        except OSError as error:
            raise self._dropped(error) from error

    def _write_group(self) -> None:
        columns = self._columns_of(self._pyarrow, self._pending)
        self._pending, self._rows = [], 0  # first: an interrupt must not write it twice
        group = self._pyarrow.table(columns, schema=self._schema)
        try:
            self._writer.write_table(group)
        except OSError as error:
            raise self._dropped(error) from error

    def close(self) -> None:
        """Write what is left and the index, and give the file its name; again is no error."""
        if self._writer is not None and not self._closed:
            if self._pending:
                self._write_group()
            try:
                self._writer.close()
            except OSError as error:
                raise self._dropped(error) from error
        self._closed = True
        self._file.close()

    def _dropped(self, error: OSError) -> MoveNetError:
        self._closed = True
        if self._writer is not None:
            with contextlib.suppress(OSError):  # it holds the file
                self._writer.close()
            self._writer.is_open = False  # or it would try again when it is collected
        self._file.drop()
        return unwritable(self._file.path, error)


def key_types(point: str) -> dict[str, str]:
    """The columns that say what a row is of: frame, time, id, and the point's name."""
    return {"frame": "int64", "time": "float64", "id": "int64", point: "text"}


def key_columns(pyarrow: Any, frames: Sequence[Stamped], names: Sequence[str]) -> list[Any]:
    """Those columns for frames, in them people, in them points with these names."""
    rows = np.repeat(np.arange(len(frames)), [len(people) * len(names) for people in frames])
    ids = [
        number
        for people in frames
        for number in ([None] * len(people) if people.ids is None else people.ids.tolist())
    ]
    array, int64 = pyarrow.array, pyarrow.int64()
    return [
        array([people.frame_index for people in frames], int64).take(rows),
        array([people.timestamp_s for people in frames], pyarrow.float64()).take(rows),
        array(ids, int64).take(np.repeat(np.arange(len(ids)), len(names))),
        pyarrow.DictionaryArray.from_arrays(
            np.tile(np.arange(len(names), dtype=np.int8), len(ids)), names
        ),
    ]
