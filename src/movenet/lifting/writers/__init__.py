"""Bodies over time into files, one module a format. Conventions: docs/lifting-conventions.md."""

from collections.abc import Callable
from pathlib import Path

from movenet.lifting.writers.bvh import BvhWriter
from movenet.lifting.writers.json_lines import JsonLinesWriter, read_json_lines
from movenet.lifting.writers.parquet import ParquetWriter
from movenet.lifting.writers.tidy import CsvWriter
from movenet.lifting.writers.trc import TrcWriter
from movenet.lifting.writers.writer import BodiesWriter

__all__ = [
    "KINDS",
    "BodiesWriter",
    "BvhWriter",
    "CsvWriter",
    "JsonLinesWriter",
    "ParquetWriter",
    "TrcWriter",
    "open_writer",
    "read_json_lines",
]

_PLAIN: dict[str, Callable[[str | Path], BodiesWriter]] = {
    "csv": CsvWriter,
    "bvh": BvhWriter,
    "trc": TrcWriter,
}
KINDS = ("json", "csv", "parquet", "bvh", "trc")


def open_writer(
    kind: str, path: str | Path, *, model: str, lifter: str, version: str, unit: str
) -> BodiesWriter:
    """The writer of one of `KINDS`; ValueError for another.

    `model` (of the keypoints), `lifter` (of the bodies), `version` and `unit` (that of the bodies)
    go into the headers that have room for them (json; parquet without the unit, which is a column).
    Raises MoveNetError where the place cannot be written.
    """
    if kind in _PLAIN:
        return _PLAIN[kind](path)
    if kind == "json":
        return JsonLinesWriter(path, model=model, lifter=lifter, version=version, unit=unit)
    if kind == "parquet":
        return ParquetWriter(path, model=model, lifter=lifter, version=version)
    raise ValueError(f"kind must be one of {', '.join(KINDS)}, not {kind!r}")
