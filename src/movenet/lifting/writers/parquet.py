"""Bodies as a typed table in a Parquet file: one row a frame, person and joint."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from movenet.lifting.bodies import Bodies
from movenet.lifting.joints import NAMES
from movenet.lifting.writers.tidy import VALUES, values
from movenet.lifting.writers.writer import BodiesWriter
from movenet.writers.parquet import RowGroups, key_columns, key_types


class ParquetWriter(BodiesWriter):
    """Parquet: the columns of the CSV, typed.

    frame int64, time float64, id int64, joint (text), x, y, z, uncertainty, flexion and abduction
    float32, unit (text). What is not known is null, a frame with nobody has no rows. The file's
    metadata holds `model`, `lifter` and `version`. It is FILE.part until it is closed, and cannot
    be read before. Needs the extra: pip install "movenet-pytorch[parquet]".
    """

    def __init__(self, path: str | Path, *, model: str, lifter: str, version: str) -> None:
        """Try the place. Raises MoveNetError where it cannot be written, or without pyarrow."""
        columns = {**key_types("joint"), **dict.fromkeys(VALUES, "float32"), "unit": "text"}
        metadata = {"model": model, "lifter": lifter, "version": version}
        self._groups = RowGroups(path, columns, metadata, columns_of)

    def write(self, bodies: Bodies, **_: Any) -> None:
        """Keep a frame for the next group of rows; further entries have no place here."""
        self._groups.add(bodies, len(bodies) * len(NAMES))

    def close(self) -> None:
        """Write what is left and the index, and give the file its name."""
        self._groups.close()


def columns_of(pyarrow: Any, frames: Sequence[Bodies]) -> list[Any]:
    """The columns of some frames."""
    table = np.concatenate([values(bodies) for bodies in frames]).reshape(-1, len(VALUES))
    units = np.repeat([bodies.unit for bodies in frames], [len(each) * 21 for each in frames])
    return [
        *key_columns(pyarrow, frames, NAMES),
        *(pyarrow.array(column, from_pandas=True) for column in table.T.astype(np.float32)),
        pyarrow.array(units).dictionary_encode(),
    ]
