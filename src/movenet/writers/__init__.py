"""Poses over time into files, one module a format. What is in them: docs/formats.md."""

from collections.abc import Callable
from pathlib import Path

from movenet.writers.coco import CocoWriter
from movenet.writers.json_lines import JsonLinesWriter, read_json_lines
from movenet.writers.openpose import OpenPoseWriter
from movenet.writers.parquet import ParquetWriter
from movenet.writers.tidy import CsvWriter
from movenet.writers.trc import TrcWriter
from movenet.writers.writer import Writer

__all__ = [
    "KINDS",
    "CocoWriter",
    "CsvWriter",
    "JsonLinesWriter",
    "OpenPoseWriter",
    "ParquetWriter",
    "TrcWriter",
    "Writer",
    "open_writer",
    "read_json_lines",
]

_WITH_HEADER = {"json": JsonLinesWriter, "parquet": ParquetWriter}
_PLAIN: dict[str, Callable[[str | Path], Writer]] = {
    "csv": CsvWriter,
    "coco": CocoWriter,
    "openpose": OpenPoseWriter,
    "trc": TrcWriter,
}
KINDS = (*_WITH_HEADER, *_PLAIN)


def open_writer(kind: str, path: str | Path, *, model: str, version: str) -> Writer:
    """The writer of one of `KINDS`; ValueError for another.

    `model` and `version` go into the formats that have room for them (json, parquet). Raises
    MoveNetError where the place cannot be written.
    """
    if kind in _PLAIN:
        return _PLAIN[kind](path)
    if kind in _WITH_HEADER:
        return _WITH_HEADER[kind](path, model=model, version=version)
    raise ValueError(f"kind must be one of {', '.join(KINDS)}, not {kind!r}")
