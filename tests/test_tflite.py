"""TFLite files looked into without a library, against what LiteRT and flatbuffers see in them."""

import json
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from hypothesis import given, settings
from hypothesis import strategies as st

from movenet import weights
from movenet.engines.flatbuffer import File, Graph
from movenet.engines.tflite import Signature, TFLiteFile
from movenet.keypoints import NAMES
from movenet.specs import ROWS, ModelSpec

SHARED = Path(__file__).parents[2] / "shared"
GOOGLE = SHARED / "data/models/movenet_singlepose_lightning_int8_4.tflite"
FLOAT32, UINT8 = 0, 3  # TensorType of TFLite's schema.fbs


def shipped(spec: ModelSpec) -> bytes:
    return (weights.FOLDER / f"{spec.name}.tflite").read_bytes()


def small() -> bytes:
    """A file of three graphs: pictures of different heights -> how bright each colour is."""
    file = File()
    for index, name in enumerate(("low", "middle", "high"), start=1):
        graph = Graph(file)
        x = graph.input("images", (1, 2 * index, 4, 3), "uint8")
        brightness = x.cast("float32").reshape(-1, 3).sum(0) * index
        graph.finish(name, {"output": brightness})
    file.describe("made up", {"movenet": b'{"model": "lightning"}', "other": bytes(range(256))})
    return file.packed()


SMALL = small()


def packed(model: Any) -> bytes:
    """A file of flatbuffers' own model object."""
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def unpacked(data: bytes) -> Any:
    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(data))


def run(interpreter: Any, signature: Signature, pixels: np.ndarray) -> np.ndarray:
    """What LiteRT computes in that graph of a file."""
    output: np.ndarray = interpreter.get_signature_runner(signature.name)(images=pixels)["output"]
    return output


def noise(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize("spec", ROWS, ids=lambda row: row.name)
def test_signatures_and_shapes_are_those_that_litert_sees(spec: ModelSpec) -> None:
    data = shipped(spec)
    found = TFLiteFile(data).signatures
    interpreter = Interpreter(model_content=data)
    assert {signature.name for signature in found} == set(interpreter.get_signature_list())
    for signature in found:
        runner = interpreter.get_signature_runner(signature.name)
        (taken,) = runner.get_input_details().values()
        (given_back,) = runner.get_output_details().values()
        assert signature.input == tuple(taken["shape"])
        assert (signature.input_type, taken["dtype"]) == (UINT8, np.uint8)
        assert signature.output == tuple(given_back["shape"])
        assert signature.outputs == 1


@pytest.mark.parametrize("spec", ROWS, ids=lambda row: row.name)
def test_a_shipped_file_has_a_graph_for_each_shape_of_its_row(spec: ModelSpec) -> None:
    found = TFLiteFile(shipped(spec)).signatures
    assert [signature.input for signature in found] == [(1, h, w, 3) for h, w in spec.shapes]
    assert [signature.name for signature in found] == [f"{h}x{w}" for h, w in spec.shapes]
    assert {signature.output for signature in found} == {(1, *spec.output_shape)}


@pytest.mark.parametrize("spec", ROWS, ids=lambda row: row.name)
def test_a_shipped_file_says_what_it_is(spec: ModelSpec) -> None:
    (entry,) = TFLiteFile(shipped(spec)).metadata.items()
    name, said = entry[0], json.loads(entry[1])
    assert name == "movenet"
    assert (said["model"], said["source"], said["licence"]) == (
        spec.name,
        spec.source,
        spec.licence,
    )
    assert said["keypoints"] == list(NAMES)
    assert said["precision"] == "float16"


def test_metadata_are_bytes_by_name() -> None:
    assert TFLiteFile(SMALL).metadata == {
        "movenet": b'{"model": "lightning"}',
        "other": bytes(range(256)),
    }


def test_a_graph_s_first_input_and_output_and_how_many_outputs() -> None:
    file = File()
    graph = Graph(file)
    x = graph.input("x", (2, 3), "float32")
    y = graph.input("y", (1, 4, 5, 3), "uint8")
    graph.finish("sums", {"of rows": x.sum(1), "of columns": x.sum(0), "y": y})
    wanted = Signature("sums", 0, input=(2, 3), input_type=FLOAT32, output=(2,), outputs=3)
    assert TFLiteFile(file.packed()).signatures == [wanted]


def test_a_file_without_signatures_has_one_graph_without_a_name() -> None:
    model = unpacked(SMALL)
    model.signatureDefs, model.subgraphs = None, model.subgraphs[1:2]
    data = packed(model)
    file = TFLiteFile(data)
    (signature,) = file.signatures
    assert signature == Signature("", 0, (1, 4, 4, 3), UINT8, (3,), 1)
    assert TFLiteFile(file.only(signature)).signatures == [signature]


def test_a_file_without_metadata_has_none() -> None:
    model = unpacked(SMALL)
    model.metadata = None
    assert TFLiteFile(packed(model)).metadata == {}


def test_google_s_own_file_is_read() -> None:
    if not GOOGLE.is_file():
        pytest.skip("Google's int8 file is not beside the checkout")
    file = TFLiteFile(GOOGLE.read_bytes())
    (signature,) = file.signatures
    assert signature.name == "serving_default"
    assert (signature.input, signature.input_type) == ((1, 192, 192, 3), UINT8)
    assert (signature.output, signature.outputs) == ((1, 1, 17, 3), 1)
    assert "movenet" not in file.metadata


def at(signatures: list[Signature], place: str) -> Signature:
    return signatures[{"first": 0, "middle": len(signatures) // 2, "last": -1}[place]]


@pytest.mark.parametrize("place", ["first", "middle", "last"])
@pytest.mark.parametrize("spec", ROWS, ids=lambda row: row.name)
def test_one_graph_alone_computes_what_it_does_in_its_file(spec: ModelSpec, place: str) -> None:
    data = shipped(spec)
    file = TFLiteFile(data)
    signature = at(file.signatures, place)
    whole, alone = (Interpreter(model_content=d) for d in (data, file.only(signature)))
    assert list(alone.get_signature_list()) == [signature.name]
    pixels = noise(signature.input)
    np.testing.assert_array_equal(run(alone, signature, pixels), run(whole, signature, pixels))


@pytest.mark.parametrize("index", range(3))
def test_one_graph_alone_is_the_only_one_in_the_file(index: int) -> None:
    file = TFLiteFile(SMALL)
    signature = file.signatures[index]
    alone = file.only(signature)
    (left,) = TFLiteFile(alone).signatures
    assert (left.name, left.subgraph) == (signature.name, 0)
    assert (left.input, left.output) == (signature.input, signature.output)
    assert schema.Model.GetRootAs(alone).SubgraphsLength() == 1
    assert TFLiteFile(alone).metadata == file.metadata
    pixels = noise(signature.input)
    np.testing.assert_array_equal(
        run(Interpreter(model_content=alone), signature, pixels),
        pixels.reshape(-1, 3).sum(0) * (index + 1),
    )


def test_taking_one_graph_out_leaves_the_file_as_it_was() -> None:
    file = TFLiteFile(SMALL)
    again = [file.only(signature) for signature in file.signatures]
    assert file.data == SMALL
    assert again == [file.only(signature) for signature in file.signatures]
    assert {len(data) for data in again} == {len(SMALL)}


NOT_TFLITE = [
    b"",
    b"TFL3",
    b"\x1c\0\0\0",
    b"\x1c\0\0\0TFL",
    b"\x1c\0\0\0TFL2" + SMALL[8:],
    SMALL[1:],
]


@pytest.mark.parametrize("data", NOT_TFLITE, ids=lambda data: f"{len(data)} bytes")
def test_what_does_not_begin_as_a_tflite_file_is_none(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"^not a TFLite file$"):
        TFLiteFile(data)


@pytest.mark.parametrize("length", [8, 9, 12, 30, 100, 500, 1000, 2000])
def test_a_file_that_ends_too_early_is_not_whole(length: int) -> None:
    with pytest.raises(ValueError, match=r"^not a whole TFLite file$"):
        TFLiteFile(SMALL[:length])


@pytest.mark.parametrize("spec", ROWS, ids=lambda row: row.name)
@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.9, 0.99])
def test_a_part_of_a_shipped_file_is_not_whole(spec: ModelSpec, share: float) -> None:
    data = shipped(spec)
    with pytest.raises(ValueError, match=r"^not a whole TFLite file$"):
        TFLiteFile(data[: int(len(data) * share)])


def misled(change: Callable[[Any], None]) -> bytes:
    model = unpacked(SMALL)
    change(model)
    return packed(model)


@pytest.mark.parametrize(
    "change",
    [
        lambda model: setattr(model.signatureDefs[0], "subgraphIndex", 3),
        lambda model: setattr(model.metadata[0], "buffer", 1000),
        lambda model: setattr(model.subgraphs[0], "inputs", [1000]),
        lambda model: setattr(model.subgraphs[0], "outputs", [-1]),
        lambda model: setattr(model.subgraphs[0], "inputs", []),
        lambda model: setattr(model.subgraphs[0], "outputs", None),
        lambda model: setattr(model, "subgraphs", []),
        lambda model: setattr(model, "buffers", None),
    ],
    ids=["graph", "buffer", "input", "output", "no input", "no output", "no graph", "no buffer"],
)
def test_a_file_that_points_at_what_it_has_not_is_not_whole(change: Callable[[Any], None]) -> None:
    with pytest.raises(ValueError, match=r"^not a whole TFLite file$"):
        TFLiteFile(misled(change))


def looked_into(data: bytes) -> None:
    """All that there is to do with a file; ValueError is the only way out."""
    try:
        file = TFLiteFile(data)
    except ValueError as error:
        said = str(error)
    else:
        said = ""
        for signature in file.signatures:
            assert len(file.only(signature)) == len(data)
    assert said in ("", "not a TFLite file", "not a whole TFLite file")


def test_no_length_gives_another_error() -> None:
    for length in range(len(SMALL)):
        looked_into(SMALL[:length])


def test_no_flipped_byte_gives_another_error() -> None:
    """Every byte of a small file holds an offset, a length, a number or a letter."""
    for place in range(len(SMALL)):
        for flip in (0x01, 0xFF):
            looked_into(SMALL[:place] + bytes([SMALL[place] ^ flip]) + SMALL[place + 1 :])


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.integers(0, len(SMALL) - 1), st.binary(min_size=4, max_size=4))))
def test_no_damage_gives_another_error(changes: list[tuple[int, bytes]]) -> None:
    data = bytearray(SMALL)
    for place, bytes_ in changes:
        data[place : place + 4] = bytes_[: len(data) - place]
    looked_into(bytes(data))


def test_a_list_that_is_longer_than_the_file_is_refused_before_it_is_read() -> None:
    """Zeros look like empty tables: to read 2 million of them takes seconds."""
    table = schema.Model.GetRootAs(SMALL)._tab
    field = table.Pos + table.Offset(4 + 2 * 7)  # of the signatures, number 7
    data = bytearray(SMALL) + struct.pack("<I", 2**32 - 1) + bytes(8_000_000)
    struct.pack_into("<I", data, field, len(SMALL) - field)
    start = time.perf_counter()
    with pytest.raises(ValueError, match=r"^not a whole TFLite file$"):
        TFLiteFile(bytes(data))
    assert time.perf_counter() - start < 1
