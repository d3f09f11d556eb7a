"""convert: what it reads of Google's TensorFlow.js files, and what it refuses."""

import base64
import json
import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from movenet import convert
from movenet.errors import WeightsError
from movenet.model import MoveNet

MODELS = Path(__file__).resolve().parents[1].parent / "shared" / "data" / "models"
PARAMETERS = {"lightning": 2_317_974, "thunder": 6_226_046, "multipose": 4_723_346}
NET = "StatefulPartitionedCall/"
FPN = NET + "center_net_mobile_net_v2fpn_feature_extractor/model_1/"
ADVICE = "it is not a MoveNet or is damaged; get Google's file again"
BLOCKS = [1, 2, 3, 4, 3, 3, 1]  # a stage
# Numbers of separable_conv2d and conv2d in the nodes' names.
SINGLE = {
    "centre": ("center_0", 3, 4),
    "keypoint_regression": ("kpt_regress_0", 5, 6),
    "keypoint_heatmaps": ("kpt_heatmap_0", 4, 5),
    "keypoint_offsets": ("kpt_offset_0", 6, 7),
}
MULTI = {
    "centre": ("center_0", 3, 4),
    "keypoint_regression": ("kpt_regress_0", 7, 8),
    "keypoint_heatmaps": ("kpt_heatmap_0", 6, 7),
    "keypoint_offsets": ("kpt_offset_0", 8, 9),
    "box_scale": ("box_scale_0", 4, 5),
    "box_offset": ("box_offset_0", 5, 6),
}

Model = dict[str, Any]


@pytest.fixture(params=PARAMETERS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def source(name: str) -> Path:
    path = MODELS / f"movenet-{name}.json"
    if not path.exists():
        pytest.skip(f"{path} is missing")
    return path


def google(name: str) -> dict[str, np.ndarray]:
    """The file's float16 values by node, by a reader of its own."""
    group = json.loads(source(name).read_text())["weightsManifest"][0]
    data = (MODELS / group["paths"][0]).read_bytes()
    values, position = {}, 0
    for entry in group["weights"]:
        dtype = "<f2" if "quantization" in entry else "<i4"
        count = int(np.prod(entry["shape"]))
        found = np.frombuffer(data, dtype, count, position)
        values[entry["name"]] = found.reshape(entry["shape"])
        position += found.nbytes
    return values


def backbone_names() -> dict[str, str]:
    """State-dict key, less ".weight" or ".bias" -> node, less its ending, as graphs.md names it."""
    names = {"backbone.stem": "Conv1/Conv2D", "backbone.last": "Conv_1/Conv2D"}
    places = [(stage, block) for stage, blocks in enumerate(BLOCKS) for block in range(blocks)]
    for number, (stage, block) in enumerate(places):
        key = f"backbone.stages.{stage}.{block}"
        stem = f"block_{number}" if number else "expanded_conv"
        names[f"{key}.depthwise"] = f"{stem}_depthwise/depthwise"
        names[f"{key}.project"] = f"{stem}_project/Conv2D"
        if number:
            names[f"{key}.expand"] = f"{stem}_expand/Conv2D"
    return names


def plain(key: str, node: str) -> dict[str, str]:
    """An ordinary convolution that is not batch-normalised."""
    return {
        f"{key}.weight": f"{node}/Conv2D/ReadVariableOp",
        f"{key}.bias": f"{node}/BiasAdd/ReadVariableOp",
    }


def node_names(name: str) -> dict[str, str]:
    """State-dict key -> the node that holds its values."""
    names = {}
    for key, stem in backbone_names().items():
        names[f"{key}.weight"] = f"{FPN}model/{stem}_weights"
        names[f"{key}.bias"] = f"{FPN}model/{stem}_bn_offset"
    for level, number in enumerate(("_3", "_2", "_1", "")):
        names |= plain(f"pyramid.laterals.{level}", f"{FPN}conv2d{number}")
    for level, number in enumerate(("_2", "_1", "")):
        key, node = f"pyramid.smoothings.{level}", f"{FPN}separable_conv2d{number}"
        names[f"{key}.depthwise.weight"] = f"{node}/separable_conv2d/ReadVariableOp"
        names[f"{key}.pointwise.weight"] = f"{node}/separable_conv2d_weights"
        names[f"{key}.pointwise.bias"] = f"{node}/separable_conv2d_bn_offset"
    heads = MULTI if name == "multipose" else SINGLE
    for head, (stem, separable, last) in heads.items():
        node = f"{NET}{stem}/separable_conv2d_{separable}"
        names[f"{head}.depthwise.weight"] = f"{node}/separable_conv2d/ReadVariableOp"
        names[f"{head}.hidden.weight"] = f"{node}/separable_conv2d/ReadVariableOp_1"
        names[f"{head}.hidden.bias"] = f"{node}/BiasAdd/ReadVariableOp"
        names |= plain(f"{head}.output", f"{NET}{stem}/conv2d_{last}")
    return names


def changed(
    folder: Path, change: Callable[[Model], None], name: str = "lightning", shard: bytes = b""
) -> Path:
    """A copy of the model after `change`, with its own or another shard."""
    model = json.loads(source(name).read_text())
    change(model)
    shards = model["weightsManifest"][0]["paths"]
    if shard:
        (folder / shards[0]).write_bytes(shard)
    else:
        shutil.copy(MODELS / f"movenet-{name}.bin", folder)
    path = folder / "model.json"
    path.write_text(json.dumps(model))
    return path


def node(model: Model, ending: str) -> Model:
    (found,) = [n for n in model["modelTopology"]["node"] if n["name"] == NET + ending]
    return found


def entry(model: Model, ending: str) -> Model:
    weights = model["weightsManifest"][0]["weights"]
    (found,) = [w for w in weights if w["name"].endswith(ending)]
    return found


def message(path: Path) -> str:
    """What follows the file's name in the one line of the error."""
    with pytest.raises(WeightsError) as caught:
        convert.read(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    return text.removeprefix(f"{path}: ")


def assert_same(left: convert.Converted, right: convert.Converted) -> None:
    assert left.tensors.keys() == right.tensors.keys()
    for key, values in left.tensors.items():
        assert values.dtype == right.tensors[key].dtype
        np.testing.assert_array_equal(values, right.tensors[key], err_msg=key)


def test_every_tensor_is_googles_bit_for_bit(name: str) -> None:
    wanted, read = google(name), convert.read(source(name))
    names = node_names(name)
    assert read.tensors.keys() == names.keys()
    for key, values in read.tensors.items():
        theirs = wanted[names[key]]
        if theirs.ndim == 4:
            depthwise = "depthwise" in key
            theirs = theirs.transpose((2, 3, 0, 1) if depthwise else (3, 2, 0, 1))
        assert values.dtype == np.float16
        assert values.flags.c_contiguous
        assert values.tobytes() == theirs.tobytes(), key


def test_the_tensors_load_strictly_into_their_model(name: str) -> None:
    read = convert.read(source(name))
    assert read.spec.name == name
    assert read.source_format == "TensorFlow.js float16"
    assert sum(values.size for values in read.tensors.values()) == PARAMETERS[name]
    tensors = {key: torch.from_numpy(values) for key, values in read.tensors.items()}
    MoveNet(read.spec).load_state_dict(tensors, strict=True)


def test_both_files_of_a_model_are_hashed() -> None:
    model = "df8cbde44d00f533ccc4916a7c6ebc17316532fb3fadad114ec667fef22872e9"
    shard = "bf97bc10d9c8a11200b0190ed64ce039b6252f1aff7cb552aca99b3d191c2f34"
    assert convert.read(source("lightning")).source_sha256 == {
        "movenet-lightning.json": model,
        "movenet-lightning.bin": shard,
    }


def test_every_source_tensor_is_a_weight_or_has_a_reason(name: str) -> None:
    read, theirs = convert.read(source(name)), google(name)
    assert read.unused.keys() == theirs.keys() - set(node_names(name).values())
    assert set(read.unused.values()) == {
        "normalises the picture, as the package does with its own constants",
        "size of an upsampling or padding",
        "part of the decoding, which the package does with its own constants",
    }


def test_a_constant_that_nothing_reads_is_listed(tmp_path: Path) -> None:
    def add(model: Model) -> None:
        weights = model["weightsManifest"][0]["weights"]
        weights.append({"name": "spare", "shape": [0], "dtype": "float32"})

    unused = convert.read(changed(tmp_path, add)).unused
    assert unused["spare"] == "read by no operation"


def renamed(model: Model) -> None:
    nodes = model["modelTopology"]["node"]
    names = {n["name"]: f"n{index}" for index, n in enumerate(nodes)}

    def new(tensor: str) -> str:
        mark, bare = re.fullmatch(r"(\^?)(.*)", tensor).groups()  # type: ignore[union-attr]
        stem, colon, output = bare.partition(":")
        return mark + names[stem] + colon + output

    for n in nodes:
        n["name"] = names[n["name"]]
        n["input"] = [new(tensor) for tensor in n.get("input", [])]
    for weight in model["weightsManifest"][0]["weights"]:
        weight["name"] = names[weight["name"]]


def shuffled(model: Model) -> None:
    random.Random(0).shuffle(model["modelTopology"]["node"])


@pytest.mark.parametrize("change", [renamed, shuffled])
def test_names_and_order_of_the_nodes_do_not_matter(
    change: Callable[[Model], None], name: str, tmp_path: Path
) -> None:
    read = convert.read(changed(tmp_path, change, name))
    assert_same(read, convert.read(source(name)))
    assert read.spec.name == name


def unfused(model: Model) -> None:
    """Bias and activation as nodes of their own, as other converters leave them."""
    taken_apart = []
    for n in model["modelTopology"]["node"]:
        kind = {
            "_FusedConv2D": "Conv2D",
            "FusedDepthwiseConv2dNative": "DepthwiseConv2dNative",
        }.get(n["op"])
        if kind is None:
            taken_apart.append(n)
            continue
        steps = [base64.b64decode(s).decode() for s in n["attr"]["fused_ops"]["list"]["s"]]
        attributes = {key: n["attr"][key] for key in ("strides", "padding")}
        last = f"{n['name']}/conv"
        taken_apart.append({"op": kind, "name": last, "input": n["input"][:2], "attr": attributes})
        for step in steps:
            inputs = [last, n["input"][2]] if step == "BiasAdd" else [last]
            last = f"{n['name']}/{step}" if step != steps[-1] else n["name"]
            taken_apart.append({"op": step, "name": last, "input": inputs})
    model["modelTopology"]["node"] = taken_apart


def test_a_bias_or_activation_of_its_own_belongs_to_the_convolution(
    name: str, tmp_path: Path
) -> None:
    assert_same(convert.read(changed(tmp_path, unfused, name)), convert.read(source(name)))


def exchanged(first: str, second: str) -> Callable[[Model], None]:
    """What two nodes do to each other's first input."""

    def change(model: Model) -> None:
        one, other = node(model, first)["input"], node(model, second)["input"]
        one[0], other[0] = other[0], one[0]

    return change


@pytest.mark.parametrize(
    ("name", "heads", "gathers"),
    [
        ("lightning", ("keypoint_regression", "keypoint_offsets"), ("GatherNd", "GatherNd_1")),
        ("multipose", ("keypoint_regression", "keypoint_offsets"), ("Squeeze_3", "Reshape_8")),
        ("multipose", ("box_scale", "box_offset"), ("GatherNd", "GatherNd_1")),
    ],
)
def test_equal_heads_are_told_apart_by_what_becomes_of_them(
    name: str, heads: tuple[str, str], gathers: tuple[str, str], tmp_path: Path
) -> None:
    usual = convert.read(source(name)).tensors
    swapped = convert.read(changed(tmp_path, exchanged(*gathers), name)).tensors
    first, second = heads
    for part in ("depthwise.weight", "hidden.weight", "output.weight", "output.bias"):
        np.testing.assert_array_equal(swapped[f"{first}.{part}"], usual[f"{second}.{part}"])
        np.testing.assert_array_equal(swapped[f"{second}.{part}"], usual[f"{first}.{part}"])
        assert not np.array_equal(usual[f"{first}.{part}"], usual[f"{second}.{part}"])
    assert usual.keys() == swapped.keys()


def requantised(name: str, dtype: str) -> tuple[Callable[[Model], None], bytes]:
    """The model's manifest and shard with its float tensors stored in another type."""
    values, shard = google(name), []
    stored: dict[str, Model] = {}
    for key, array in values.items():
        if array.dtype != np.float16:
            shard.append(array.tobytes())
        elif dtype == "float32":
            shard.append(array.astype("<f4").tobytes())
        else:
            wide = array.astype(np.float64)
            steps = 2 ** (8 * np.dtype(dtype).itemsize) - 1
            scale, least = float(np.ptp(wide)) / steps or 1.0, float(wide.min())
            stored[key] = {"dtype": dtype, "scale": scale, "min": least}
            shard.append(np.rint((wide - least) / scale).astype(dtype).tobytes())

    def change(model: Model) -> None:
        for weight in model["weightsManifest"][0]["weights"]:
            weight.pop("quantization", None)
            if weight["name"] in stored:
                weight["quantization"] = stored[weight["name"]]

    return change, b"".join(shard)


def test_float32_values_that_float16_holds_come_as_float16(tmp_path: Path) -> None:
    change, shard = requantised("lightning", "float32")
    read = convert.read(changed(tmp_path, change, shard=shard))
    assert read.source_format == "TensorFlow.js float32"
    assert_same(read, convert.read(source("lightning")))


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_quantised_values_come_within_half_a_step_as_float32(dtype: str, tmp_path: Path) -> None:
    change, shard = requantised("lightning", dtype)
    read = convert.read(changed(tmp_path, change, shard=shard))
    assert read.source_format == f"TensorFlow.js {dtype}"
    steps = 2 ** (8 * np.dtype(dtype).itemsize) - 1
    for key, wanted in convert.read(source("lightning")).tensors.items():
        assert read.tensors[key].dtype == np.float32
        wide = wanted.astype(np.float64)
        step = np.ptp(wide) / steps
        error = np.abs(read.tensors[key] - wide).max()
        assert error <= 0.5 * step + 1e-6 * np.abs(wide).max(), key  # 1e-6: float32 itself


def test_several_shards_are_one(tmp_path: Path) -> None:
    def split(model: Model) -> None:
        model["weightsManifest"][0]["paths"] = ["one.bin", "two.bin"]

    path = changed(tmp_path, split, shard=b"-")
    data = (MODELS / "movenet-lightning.bin").read_bytes()
    (tmp_path / "one.bin").write_bytes(data[:1001])  # in the middle of a number
    (tmp_path / "two.bin").write_bytes(data[1001:])
    read = convert.read(path)
    assert_same(read, convert.read(source("lightning")))
    assert read.source_sha256.keys() == {"model.json", "one.bin", "two.bin"}


def test_a_shard_of_another_length_is_refused(tmp_path: Path) -> None:
    data = (MODELS / "movenet-lightning.bin").read_bytes() if MODELS.exists() else b""
    path = changed(tmp_path, lambda model: None, shard=data[:-2] or b"-")
    assert message(path) == (
        "its shards (movenet-lightning.bin) hold 4650214 bytes where the manifest lists 4650216; "
        "get them again"
    )


def test_a_shape_that_no_shard_can_hold_is_refused_before_it_is_made(tmp_path: Path) -> None:
    def grow(model: Model) -> None:
        entry(model, "/model/Conv1/Conv2D_weights")["shape"] = [2**40, 2**40]

    assert message(changed(tmp_path, grow)) == (
        "its shards (movenet-lightning.bin) hold 4650216 bytes where the manifest lists "
        f"{4650216 + 2 * (2**80 - 864)}; get them again"
    )


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    shutil.copy(source("lightning"), path)
    assert message(path) == (
        "its shard movenet-lightning.bin cannot be read (No such file or directory); "
        "put it beside the file"
    )


def test_a_shard_elsewhere_is_not_opened(tmp_path: Path) -> None:
    def point(model: Model) -> None:
        model["weightsManifest"][0]["paths"] = ["../secret.bin"]

    path = tmp_path / "model.json"
    model = json.loads(source("lightning").read_text())
    point(model)
    path.write_text(json.dumps(model))
    assert message(path) == (
        "its shard '../secret.bin' lies outside its folder; get the file again"
    )


def test_another_shape_of_a_kernel_is_refused(tmp_path: Path) -> None:
    def turn(model: Model) -> None:
        entry(model, "/block_6_expand/Conv2D_weights")["shape"] = [1, 1, 192, 32]

    assert message(changed(tmp_path, turn)) == (
        f"0 convolutions after '{FPN}model/block_5_add/add' fit backbone.stages.3.0.expand "
        "(1x1, 32 -> 192, stride 1, relu6); there: "
        f"conv2d '{FPN}conv2d_2/BiasAdd' (1x1, 32 -> 32, stride 1, no activation), "
        f"conv2d '{FPN}model/block_6_expand_relu/Relu6' (1x1, 192 -> 32, stride 1, relu6); {ADVICE}"
    )


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def other_activation(model: Model) -> None:
    step = node(model, "kpt_offset_0/re_lu_6/Relu")
    step["attr"]["fused_ops"]["list"]["s"] = [encoded("BiasAdd"), encoded("Relu6")]


def other_stride(model: Model) -> None:
    stem = node(model, f"{FPN}model/Conv1_relu/Relu6".removeprefix(NET))
    stem["attr"]["strides"]["list"]["i"] = ["1", "1", "1", "1"]


def other_padding(model: Model) -> None:
    stem = node(model, f"{FPN}model/Conv1_relu/Relu6".removeprefix(NET))
    stem["attr"]["padding"]["s"] = encoded("VALID")


def other_corners(model: Model) -> None:
    step = node(model, f"{FPN}up_sampling2d_1/resize/ResizeBilinear".removeprefix(NET))
    step["attr"]["align_corners"]["b"] = True


def no_normalisation(model: Model) -> None:
    node(model, "sub_1")["op"] = "Identity"


def no_residual(model: Model) -> None:
    node(model, f"{FPN}model/block_2_add/add".removeprefix(NET))["op"] = "Mul"


def other_residual(model: Model) -> None:
    step = node(model, f"{FPN}model/block_5_add/add".removeprefix(NET))
    step["input"][0] = f"{FPN}model/block_3_project_BN/FusedBatchNormV3"


def activated_twice(model: Model) -> None:
    hidden = node(model, "center_0/re_lu_3/Relu")["name"]
    model["modelTopology"]["node"].append({"op": "Relu6", "name": "extra", "input": [hidden]})
    node(model, "center_0/conv2d_4/BiasAdd")["input"][0] = "extra"


def more_layers(model: Model) -> None:
    extra = dict(node(model, "center_0/conv2d_4/BiasAdd"), name="extra")
    model["modelTopology"]["node"].append(extra | {"input": ["x", *extra["input"][1:]]})


def no_choice(model: Model) -> None:
    node(model, "ArgMax_1")["op"] = "ArgMin"


def in_a_circle(model: Model) -> None:
    node(model, "Sigmoid")["input"] = [f"{NET}truediv_3"]


def one_head_less(model: Model) -> None:
    step = node(model, "kpt_offset_0/separable_conv2d_6/separable_conv2d/depthwise")
    step["op"] = "Identity"


def strided_head(model: Model) -> None:
    step = node(model, "kpt_heatmap_0/conv2d_5/BiasAdd")
    step["attr"]["strides"]["list"]["i"] = ["1", "2", "2", "1"]


def two_pictures(model: Model) -> None:
    model["modelTopology"]["node"].append({"op": "Placeholder", "name": "second"})


def sum_of_pictures(model: Model) -> None:
    node(model, "sub_1")["input"] = [f"{NET}truediv_1", f"{NET}sub"]


def other_layout(model: Model) -> None:
    step = node(model, "center_0/conv2d_4/BiasAdd")
    step["attr"]["data_format"] = {"s": encoded("NCHW")}


def infinite_stride(model: Model) -> None:
    step = node(model, "center_0/conv2d_4/BiasAdd")
    step["attr"]["strides"]["list"]["i"][1] = float("inf")


def no_values(model: Model) -> None:
    model["modelTopology"]["node"].append({"op": "Const", "name": "spare"})


def text_weight(model: Model) -> None:
    weights = model["weightsManifest"][0]["weights"]
    weights.append({"name": "spare", "shape": [1], "dtype": "string"})


def negative_shape(model: Model) -> None:
    weights = model["weightsManifest"][0]["weights"]
    weights.append({"name": "spare", "shape": [-1, 1], "dtype": "int32"})


def infinite_weight(model: Model) -> None:
    quantised = {"dtype": "uint16", "scale": 1e300, "min": 0.0}
    entry(model, "center_0/conv2d_4/BiasAdd/ReadVariableOp")["quantization"] = quantised


def one_kernel_twice(model: Model) -> None:
    one = node(model, "kpt_offset_0/conv2d_7/BiasAdd")["input"]
    one[1] = node(model, "kpt_regress_0/conv2d_6/BiasAdd")["input"][1]


REFUSED = {
    other_activation: (
        f"0 convolutions after '{NET}kpt_offset_0/separable_conv2d_6/separable_conv2d/depthwise' "
        "fit centre.hidden (1x1, 24 -> 96, stride 1, relu); there: "
        f"conv2d '{NET}kpt_offset_0/re_lu_6/Relu' (1x1, 24 -> 96, stride 1, relu6); {ADVICE}"
    ),
    other_stride: (
        f"0 convolutions after '{NET}sub_1' fit backbone.stem (3x3, 3 -> 32, stride 2, relu6); "
        f"there: conv2d '{FPN}model/Conv1_relu/Relu6' (3x3, 3 -> 32, stride 1, relu6); {ADVICE}"
    ),
    other_padding: (
        f"0 convolutions after '{NET}sub_1' fit backbone.stem (3x3, 3 -> 32, stride 2, relu6); "
        f"there: conv2d '{FPN}model/Conv1_relu/Relu6' (3x3, 3 -> 32, stride 2, relu6); {ADVICE}"
    ),
    other_corners: (
        f"0 operations resizebilinear after '{FPN}re_lu/Relu', at pyramid.smoothings.1; {ADVICE}"
    ),
    no_normalisation: f"it brings pictures to 0..2 where MoveNet has -1..1; {ADVICE}",
    no_residual: (
        f"no sum of '{FPN}model/block_1_project_BN/FusedBatchNormV3' and "
        f"'{FPN}model/block_2_project_BN/FusedBatchNormV3', at backbone.stages.1.1; {ADVICE}"
    ),
    other_residual: (
        f"no sum of '{FPN}model/block_4_add/add' and "
        f"'{FPN}model/block_5_project_BN/FusedBatchNormV3', at backbone.stages.2.2; {ADVICE}"
    ),
    activated_twice: (
        f"0 operations conv2d after '{NET}center_0/re_lu_3/Relu', at centre.output; {ADVICE}"
    ),
    more_layers: (
        "lightning has no layer for conv2d 'extra' (1x1, 96 -> 1, stride 1, no activation); "
        f"{ADVICE}"
    ),
    no_choice: (
        f"'{NET}kpt_regress_0/conv2d_6/BiasAdd' and '{NET}kpt_offset_0/conv2d_7/BiasAdd' "
        f"are both keypoint_offsets; {ADVICE}"
    ),
    in_a_circle: f"its operations run in a circle; {ADVICE}",
    one_head_less: f"heads of [1, 17, 34] channels where lightning has [1, 17, 34, 34]; {ADVICE}",
    strided_head: (
        "keypoint_heatmaps.output (1x1, 96 -> 17, stride 1, no activation) cannot be conv2d "
        f"'{NET}kpt_heatmap_0/conv2d_5/BiasAdd' (1x1, 96 -> 17, stride 2, no activation); {ADVICE}"
    ),
    two_pictures: f"2 inputs where a MoveNet has one; {ADVICE}",
    sum_of_pictures: f"what it does to the picture cannot be followed; {ADVICE}",
    other_layout: (
        f"'{NET}center_0/conv2d_4/BiasAdd' has strides, dilations or a layout that MoveNet has not"
    ),
    infinite_stride: (
        "not a TensorFlow.js graph model (OverflowError: cannot convert float infinity to "
        "integer); give the model.json that tensorflowjs_converter wrote"
    ),
    no_values: "tensor 'spare' has no values; get the file again",
    text_weight: "tensor 'spare' has type string, which is not supported",
    negative_shape: "tensor 'spare' has shape [-1, 1]; get the file again",
    infinite_weight: "centre.output.bias has values that are not finite; get the file again",
    one_kernel_twice: (
        f"tensor '{NET}kpt_regress_0/conv2d_6/Conv2D/ReadVariableOp' is used by two layers; "
        "get the file again"
    ),
}


@pytest.mark.parametrize("change", REFUSED, ids=lambda change: change.__name__)
def test_another_graph_is_refused(change: Callable[[Model], None], tmp_path: Path) -> None:
    assert message(changed(tmp_path, change)) == REFUSED[change]


KINDS = "give a TensorFlow.js model.json, a .tflite file or the earlier port's .pth"
WROTE = "give the model.json that tensorflowjs_converter wrote"
FOREIGN = {
    b"hello": f"not a file of weights that can be read; {KINDS}",
    b"": f"not a file of weights that can be read; {KINDS}",
    b"{}": f"not a TensorFlow.js graph model (KeyError: 'modelTopology'); {WROTE}",
    b'{"modelTopology": 3}': (
        "not a TensorFlow.js graph model (TypeError: argument of type 'int' is not iterable); "
        f"{WROTE}"
    ),
    b'{"modelTopology": {"model_config": {}}}': (
        "a layers model; only TensorFlow.js graph models can be read"
    ),
    b'{"modelTopology": {"node": []}, "weightsManifest": []}': (
        f"0 inputs where a MoveNet has one; {ADVICE}"
    ),
    b'{"modelTopology": {"node": [{"op": "Placeholder", "name": "x"}]}, "weightsManifest": []}': (
        f"no single convolution sees the picture; {ADVICE}"
    ),
}


@pytest.mark.parametrize("content", FOREIGN)
def test_a_file_of_another_kind_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    path.write_bytes(content)
    assert message(path) == FOREIGN[content]


def test_a_file_that_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    gone = tmp_path / "model.json"
    assert message(gone) == "cannot be read (No such file or directory); check the path"
    assert message(tmp_path) == "cannot be read (Is a directory); check the path"
