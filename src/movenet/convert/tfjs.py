"""TensorFlow.js graph models: `model.json` and its shards of weights."""

import base64
import hashlib
import json
import math
from collections import defaultdict
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from movenet.convert.graph import (
    CONVOLUTIONS,
    HALF_PIXEL_RESIZE,
    Amounts,
    Constant,
    Graph,
    Operation,
    kind_of,
)
from movenet.convert.layers import Source
from movenet.convert.mapping import layers_of
from movenet.errors import WeightsError

# Kernels are (H, W, I, O), those of depthwise convolutions (H, W, C, 1).
LAYOUTS: dict[str, Amounts] = {"conv2d": (3, 2, 0, 1), "depthwiseconv2d": (2, 3, 0, 1)}
DTYPES: dict[str, np.dtype[Any]] = {
    "float32": np.dtype("<f4"),
    "float16": np.dtype("<f2"),
    "int32": np.dtype("<i4"),
    "uint16": np.dtype("<u2"),
    "uint8": np.dtype("u1"),
    "bool": np.dtype("bool"),
}
# What reading JSON of another structure raises.
MALFORMED = (
    *(KeyError, IndexError, TypeError, ValueError, AttributeError),
    *(OverflowError, RecursionError),
)


def read(path: Path) -> Source:
    """Read model.json and the shards beside it."""
    data = path.read_bytes()
    sha256 = {path.name: hashlib.sha256(data).hexdigest()}
    try:
        model = json.loads(data)
        topology = model["modelTopology"]
        if "model_config" in topology:
            raise WeightsError("a layers model; only TensorFlow.js graph models can be read")
        constants = read_constants(model["weightsManifest"], path.parent, sha256)
        graph = read_graph(topology["node"], constants)
    except MALFORMED as error:
        raise WeightsError(
            f"not a TensorFlow.js graph model ({type(error).__name__}: {error}); give the "
            "model.json that tensorflowjs_converter wrote"
        ) from error
    spec, layers, unused = layers_of(graph)
    stored = layers["backbone.stem"].kernel.stored
    return Source(f"TensorFlow.js {stored}", spec, layers, sha256, unused)


def read_constants(
    manifest: list[dict[str, Any]], folder: Path, sha256: dict[str, str]
) -> dict[str, Constant]:
    """Every weight of the manifest by name; `sha256` gets a row for each shard."""
    constants = {}
    for group in manifest:
        shards = {name: read_shard(folder, name) for name in group["paths"]}
        sha256 |= {name: hashlib.sha256(shard).hexdigest() for name, shard in shards.items()}
        data = b"".join(shards.values())
        entries = group["weights"]
        size = sum(byte_length(entry) for entry in entries)
        if size != len(data):
            raise WeightsError(
                f"its shards ({', '.join(shards)}) hold {len(data)} bytes where the manifest "
                f"lists {size}; get them again"
            )
        position = 0
        for entry in entries:
            end = position + byte_length(entry)
            constants[entry["name"]] = decode(entry, data[position:end])
            position = end
    return constants


def read_shard(folder: Path, name: str) -> bytes:
    """The bytes of a shard, which must lie in the folder of model.json."""
    if PurePosixPath(name).name != name or "\\" in name:
        raise WeightsError(f"its shard {name!r} lies outside its folder; get the file again")
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise WeightsError(
            f"its shard {name} cannot be read ({error.strerror}); put it beside the file"
        ) from error


def stored_type(entry: dict[str, Any]) -> str:
    """The type that a weight has in the shard."""
    stored: str = entry.get("quantization", entry)["dtype"]
    if stored not in DTYPES or entry["dtype"] not in DTYPES:
        raise WeightsError(f"tensor {entry['name']!r} has type {stored}, which is not supported")
    return stored


def byte_length(entry: dict[str, Any]) -> int:
    """How many bytes of the shard are this weight's; Python's integers cannot overflow."""
    shape: list[int] = entry["shape"]
    if not all(isinstance(side, int) and side >= 0 for side in shape):
        raise WeightsError(f"tensor {entry['name']!r} has shape {shape}; get the file again")
    return math.prod(shape) * DTYPES[stored_type(entry)].itemsize


def decode(entry: dict[str, Any], data: bytes) -> Constant:
    """One weight in its original type, but float16 where it is stored so."""
    stored = stored_type(entry)
    values: npt.NDArray[Any] = np.frombuffer(data, DTYPES[stored]).reshape(entry["shape"])
    if "quantization" in entry and stored != "float16":
        scale, least = entry["quantization"]["scale"], entry["quantization"]["min"]
        real = values * np.float64(scale) + np.float64(least)
        target = DTYPES[entry["dtype"]]
        values = (np.rint(real) if target.kind == "i" else real).astype(target)
    return Constant(entry["name"], values, stored)


def read_graph(nodes: list[dict[str, Any]], constants: dict[str, Constant]) -> Graph:
    """The nodes as operations; a tensor is named "node" or, if not the first output, "node:1"."""
    outputs: dict[str, set[str]] = defaultdict(set)
    for node in nodes:
        for tensor in sources(node):
            outputs[tensor.partition(":")[0]].add(tensor)
    for node in nodes:
        if node["op"] == "Const" and node["name"] not in constants:
            raise WeightsError(f"tensor {node['name']!r} has no values; get the file again")
    return Graph(
        (
            read_operation(node, tuple(sorted(outputs[node["name"]] | {node["name"]})))
            for node in nodes
            if node["op"] not in ("Const", "Placeholder")
        ),
        constants,
        tuple(node["name"] for node in nodes if node["op"] == "Placeholder"),
        LAYOUTS,
    )


def sources(node: dict[str, Any]) -> list[str]:
    """The tensors that a node reads; "^node" is order only, "node:0" is "node"."""
    names = node.get("input", [])
    return [name.removesuffix(":0") for name in names if not name.startswith("^")]


def read_operation(node: dict[str, Any], outputs: tuple[str, ...]) -> Operation:
    """One node; protobuf's JSON has text in base64 and integers as text."""
    name, kind, inputs = node["name"], kind_of(node["op"]), tuple(sources(node))
    attributes = node.get("attr", {})
    if kind == HALF_PIXEL_RESIZE:
        half = attributes.get("half_pixel_centers", {}).get("b", False)
        aligned = attributes.get("align_corners", {}).get("b", False)
        return Operation(name, kind if half and not aligned else f"other {kind}", inputs, outputs)
    if kind not in CONVOLUTIONS:
        return Operation(name, kind, inputs, outputs)
    _, height, width, _ = integers(attributes["strides"])
    dilations = integers(attributes.get("dilations", {}))
    layout = text(attributes.get("data_format", {}).get("s", "")) or "NHWC"
    if height != width or set(dilations) - {1} or layout != "NHWC":
        raise WeightsError(f"{name!r} has strides, dilations or a layout that MoveNet has not")
    fused = [text(part) for part in attributes.get("fused_ops", {}).get("list", {}).get("s", [])]
    activation = "+".join(part for part in fused if part != "BiasAdd").lower()
    padding: str | Amounts = text(attributes["padding"]["s"])
    if padding == "EXPLICIT":
        _, _, top, bottom, left, right, _, _ = integers(attributes["explicit_paddings"])
        padding = (top, bottom, left, right)
    return Operation(name, kind, inputs, outputs, height, padding, activation)


def integers(attribute: dict[str, Any]) -> list[int]:
    """The list of an attribute; [] where it is left out."""
    return [int(item) for item in attribute.get("list", {}).get("i", [])]


def text(encoded: str) -> str:
    """The text of an attribute."""
    return base64.b64decode(encoded).decode()
