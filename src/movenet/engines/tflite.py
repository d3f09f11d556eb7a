"""What is in a TFLite file, read without a library: its metadata, signatures and input shapes.

A TFLite file is a flatbuffer: tables that point to their fields by offsets
(https://flatbuffers.dev/internals; the fields are numbered as in TFLite's schema.fbs).
"""

import struct
from dataclasses import dataclass

from flatbuffers import number_types
from flatbuffers.table import Table

MAGIC = b"TFL3"
SUBGRAPHS, BUFFERS, METADATA, SIGNATURES = 2, 4, 6, 7  # fields of a Model
SUBGRAPH_TENSORS, SUBGRAPH_INPUTS, SUBGRAPH_OUTPUTS = 0, 1, 2
TENSOR_SHAPE, TENSOR_TYPE = 0, 1
SIGNATURE_KEY, SIGNATURE_SUBGRAPH = 2, 4
ENTRY_NAME, ENTRY_BUFFER = 0, 1  # of Metadata
BUFFER_DATA = 0


@dataclass(frozen=True, slots=True)
class Signature:
    """One graph of a file, by its name, with the shapes of its first input and output."""

    name: str
    subgraph: int
    input: tuple[int, ...]
    input_type: int  # TensorType of schema.fbs
    output: tuple[int, ...]
    outputs: int


class TFLiteFile:
    """A TFLite file's bytes, looked into."""

    def __init__(self, data: bytes):
        """Raises ValueError for what is no TFLite file, or not all of one."""
        if data[4:8] != MAGIC:
            raise ValueError("not a TFLite file")
        self.data = data
        try:
            self._model = Table(data, struct.unpack_from("<I", data)[0])
            self.metadata = self._metadata()
            self.signatures = self._signatures()
        except (struct.error, IndexError, TypeError, UnicodeDecodeError) as error:
            raise ValueError("not a whole TFLite file") from error

    def only(self, signature: Signature) -> bytes:
        """The file with that graph alone.

        LiteRT prepares every graph of a file when it is opened: 10 MB of memory and more for each.
        The bytes stay where they are; the two lists are cut to one entry that points to it.
        """
        data = bytearray(self.data)
        self._keep_only(data, SUBGRAPHS, signature.subgraph)
        for index in range(_count(self._model, SIGNATURES)):
            table = _item(self._model, SIGNATURES, index)
            if _text(table, SIGNATURE_KEY) == signature.name:
                self._keep_only(data, SIGNATURES, index)
                place = _field(table, SIGNATURE_SUBGRAPH)
                if place:
                    struct.pack_into("<I", data, place, 0)
        return bytes(data)

    def _keep_only(self, data: bytearray, number: int, index: int) -> None:
        vector = self._model.Vector(_offset(self._model, number)) - 4  # its count, then offsets
        target = self._model.Indirect(vector + 4 + 4 * index)
        struct.pack_into("<II", data, vector, 1, target - (vector + 4))

    def _metadata(self) -> dict[str, bytes]:
        found = {}
        for index in range(_count(self._model, METADATA)):
            entry = _item(self._model, METADATA, index)
            buffer = _item(self._model, BUFFERS, _integer(entry, ENTRY_BUFFER))
            found[_text(entry, ENTRY_NAME)] = _bytes(buffer, BUFFER_DATA)
        return found

    def _signatures(self) -> list[Signature]:
        """One for each graph; a file without names has one graph, called ''."""
        tables = [_item(self._model, SIGNATURES, i) for i in range(_count(self._model, SIGNATURES))]
        named = [(_text(t, SIGNATURE_KEY), _integer(t, SIGNATURE_SUBGRAPH)) for t in tables]
        return [self._signature(name, index) for name, index in named or [("", 0)]]

    def _signature(self, name: str, index: int) -> Signature:
        graph = _item(self._model, SUBGRAPHS, index)
        inputs, outputs = (_integers(graph, n) for n in (SUBGRAPH_INPUTS, SUBGRAPH_OUTPUTS))
        first = _item(graph, SUBGRAPH_TENSORS, inputs[0])
        last = _item(graph, SUBGRAPH_TENSORS, outputs[0])
        return Signature(
            name,
            index,
            input=_integers(first, TENSOR_SHAPE),
            input_type=_byte(first, TENSOR_TYPE),
            output=_integers(last, TENSOR_SHAPE),
            outputs=len(outputs),
        )


def _offset(table: Table, number: int) -> int:
    """Where a field lies from the table's start, 0 if it is absent."""
    offset: int = table.Offset(4 + 2 * number)
    return offset


def _count(table: Table, number: int) -> int:
    """How many entries a list has."""
    offset = _offset(table, number)
    count: int = table.VectorLen(offset) if offset else 0
    if 4 * count > len(table.Bytes):  # each entry takes 4 bytes
        raise IndexError(count)
    return count


def _item(table: Table, number: int, index: int) -> Table:
    """A table in a list."""
    if not 0 <= index < _count(table, number):
        raise IndexError(index)
    return Table(table.Bytes, table.Indirect(table.Vector(_offset(table, number)) + 4 * index))


def _field(table: Table, number: int) -> int:
    """Where a field lies in the file, 0 if it is absent."""
    offset = _offset(table, number)
    return int(table.Pos) + offset if offset else 0  # Pos is a NumPy number


def _text(table: Table, number: int) -> str:
    place = _field(table, number)
    return table.String(place).decode() if place else ""


def _integer(table: Table, number: int) -> int:
    place = _field(table, number)
    return int(table.Get(number_types.Uint32Flags, place)) if place else 0


def _byte(table: Table, number: int) -> int:
    place = _field(table, number)
    return int(table.Get(number_types.Int8Flags, place)) if place else 0


def _integers(table: Table, number: int) -> tuple[int, ...]:
    place = _offset(table, number)
    if not place:
        return ()
    return struct.unpack_from(f"<{table.VectorLen(place)}i", table.Bytes, table.Vector(place))


def _bytes(table: Table, number: int) -> bytes:
    place = _offset(table, number)
    if not place:
        return b""
    start = table.Vector(place)
    return bytes(table.Bytes[start : start + table.VectorLen(place)])
