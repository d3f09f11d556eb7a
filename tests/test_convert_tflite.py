"""convert: TFLite files. Google's int8 file is at hand; others are written from it here."""

import contextlib
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
import tflite

from movenet import convert
from movenet.convert import tflite as reader
from movenet.errors import WeightsError

SHARED = Path(__file__).resolve().parents[1].parent / "shared"
MODELS = SHARED / "data" / "models"
ADVICE = "it is not a MoveNet or is damaged; get Google's file again"
CODES = tflite.BuiltinOperator
TYPES = tflite.TensorType
OPTIONS = {
    CODES.CONV_2D: "Conv2DOptions",
    CODES.DEPTHWISE_CONV_2D: "DepthwiseConv2DOptions",
    CODES.ADD: "AddOptions",
    CODES.RESIZE_BILINEAR: "ResizeBilinearOptions",
}
FIELDS = (
    *("StrideH", "StrideW", "Padding", "FusedActivationFunction"),
    *("DilationHFactor", "DilationWFactor", "HalfPixelCenters", "AlignCorners"),
)


@dataclass
class Tensor:
    name: str
    shape: list[int]
    type: int
    data: bytes = b""
    scale: list[float] = field(default_factory=list)
    zero: list[int] = field(default_factory=list)
    axis: int = 0


@dataclass
class Step:
    code: int
    inputs: list[int]
    outputs: list[int]
    options: dict[str, Any] = field(default_factory=dict)


@dataclass
class Model:
    tensors: list[Tensor]
    steps: list[Step]
    inputs: list[int]
    subgraphs: int = 1


def parsed(data: bytes) -> Model:
    """A file as plain lists, with the options that matter here."""
    model = tflite.Model.GetRootAs(data, 0)
    graph = model.Subgraphs(0)
    return Model(
        [parsed_tensor(model, graph.Tensors(i)) for i in range(graph.TensorsLength())],
        [parsed_step(model, graph.Operators(i)) for i in range(graph.OperatorsLength())],
        graph.InputsAsNumpy().tolist(),
    )


def parsed_tensor(model: Any, tensor: Any) -> Tensor:
    buffer, found = model.Buffers(tensor.Buffer()), tensor.Quantization()
    return Tensor(
        tensor.Name().decode(),
        tensor.ShapeAsNumpy().tolist() if tensor.ShapeLength() else [],
        tensor.Type(),
        buffer.DataAsNumpy().tobytes() if buffer.DataLength() else b"",
        found.ScaleAsNumpy().tolist() if found and found.ScaleLength() else [],
        found.ZeroPointAsNumpy().tolist() if found and found.ZeroPointLength() else [],
        found.QuantizedDimension() if found else 0,
    )


def parsed_step(model: Any, operator: Any) -> Step:
    code = model.OperatorCodes(operator.OpcodeIndex()).BuiltinCode()
    options = {}
    if code in OPTIONS:
        table = getattr(tflite, OPTIONS[code])()
        table.Init(operator.BuiltinOptions().Bytes, operator.BuiltinOptions().Pos)
        options = {name: getattr(table, name)() for name in FIELDS if hasattr(table, name)}
    outputs = operator.OutputsAsNumpy().tolist()
    return Step(code, operator.InputsAsNumpy().tolist(), outputs, options)


class Writer(flatbuffers.Builder):
    """Writes a Model; every code is an operator code of its own."""

    def vector(self, start: Callable[[Any, int], Any], offsets: list[int]) -> int:
        start(self, len(offsets))
        for offset in reversed(offsets):
            self.PrependUOffsetTRelative(offset)
        return int(self.EndVector())

    def table(self, kind: str, **values: Any) -> int:
        getattr(tflite, f"{kind}Start")(self)
        for name, value in values.items():
            getattr(tflite, f"{kind}Add{name}")(self, value)
        return int(getattr(tflite, f"{kind}End")(self))

    def numbers(self, values: list[Any], dtype: str) -> int:
        return int(self.CreateNumpyVector(np.array(values, dtype)))

    def tensor(self, index: int, tensor: Tensor) -> int:
        quantization = self.table(
            "QuantizationParameters",
            Scale=self.numbers(tensor.scale, "<f4"),
            ZeroPoint=self.numbers(tensor.zero, "<i8"),
            QuantizedDimension=tensor.axis,
        )
        return self.table(
            "Tensor",
            Name=self.CreateString(tensor.name),
            Shape=self.numbers(tensor.shape, "<i4"),
            Quantization=quantization,
            Type=tensor.type,
            Buffer=index + 1,
        )

    def step(self, step: Step, codes: list[int]) -> int:
        chosen = {}
        if step.options:
            kind = OPTIONS[step.code]
            chosen["BuiltinOptions"] = self.table(kind, **step.options)
            chosen["BuiltinOptionsType"] = getattr(tflite.BuiltinOptions, kind)
        return self.table(
            "Operator",
            Inputs=self.numbers(step.inputs, "<i4"),
            Outputs=self.numbers(step.outputs, "<i4"),
            OpcodeIndex=codes.index(step.code),
            **chosen,
        )

    def model(self, model: Model) -> bytes:
        codes = sorted({step.code for step in model.steps})
        # Codes below 127 lie in the older field.
        tables = [
            self.table("OperatorCode", DeprecatedBuiltinCode=min(code, 127), BuiltinCode=code)
            for code in codes
        ]
        datas = [self.numbers(list(tensor.data), "u1") for tensor in model.tensors]
        buffers = [self.table("Buffer"), *(self.table("Buffer", Data=data) for data in datas)]
        tensors = [self.tensor(index, tensor) for index, tensor in enumerate(model.tensors)]
        steps = [self.step(step, codes) for step in model.steps]
        subgraph = self.table(
            "SubGraph",
            Tensors=self.vector(tflite.SubGraphStartTensorsVector, tensors),
            Operators=self.vector(tflite.SubGraphStartOperatorsVector, steps),
            Inputs=self.numbers(model.inputs, "<i4"),
        )
        root = self.table(
            "Model",
            Version=3,
            OperatorCodes=self.vector(tflite.ModelStartOperatorCodesVector, tables),
            Subgraphs=self.vector(tflite.ModelStartSubgraphsVector, [subgraph] * model.subgraphs),
            Buffers=self.vector(tflite.ModelStartBuffersVector, buffers),
        )
        self.Finish(root, b"TFL3")
        return bytes(self.Output())


def google_int8() -> Path:
    path = MODELS / "movenet_singlepose_lightning_int8_4.tflite"
    if not path.exists():
        pytest.skip(f"{path} is missing")
    return path


@pytest.fixture(scope="module")
def int8() -> convert.Converted:
    return convert.read(google_int8())


def written(folder: Path, change: Callable[[Model], Model | None]) -> Path:
    """The int8 file after `change`."""
    model = parsed(google_int8().read_bytes())
    path = folder / "model.tflite"
    path.write_bytes(Writer().model(change(model) or model))
    return path


def message(path: Path) -> str:
    with pytest.raises(WeightsError) as caught:
        convert.read(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    return text.removeprefix(f"{path}: ")


def assert_same(left: convert.Converted, right: convert.Converted) -> None:
    assert left.spec == right.spec
    assert left.tensors.keys() == right.tensors.keys()
    for key, values in left.tensors.items():
        assert values.dtype == right.tensors[key].dtype
        np.testing.assert_array_equal(values, right.tensors[key], err_msg=key)


def floats(tensor: Tensor) -> np.ndarray:
    """The values of a quantised constant, by arithmetic of its own."""
    stored = np.frombuffer(tensor.data, "i1" if tensor.type == TYPES.INT8 else "<i4")
    columns = np.moveaxis(stored.reshape(tensor.shape), tensor.axis, -1) if tensor.shape else stored
    real = (columns - np.array(tensor.zero)) * np.float64(np.float32(tensor.scale))
    return np.moveaxis(real, -1, tensor.axis) if tensor.shape else real.reshape(())


def as_float32(model: Model) -> Model:
    """As the converter writes it without quantisation."""
    tensors = []
    for tensor in model.tensors:
        if tensor.scale:
            data = floats(tensor).astype("<f4").tobytes() if tensor.data else b""
            tensors.append(Tensor(tensor.name, tensor.shape, TYPES.FLOAT32, data))
        else:
            tensors.append(tensor)
    return Model(tensors, model.steps, model.inputs)


def as_float16(model: Model) -> Model:
    """As the converter writes it: a float16 constant and a DEQUANTIZE for each float32 one."""
    wide = as_float32(model)
    tensors, before = list(wide.tensors), []
    for index, tensor in enumerate(wide.tensors):
        if tensor.data and tensor.type == TYPES.FLOAT32:
            data = np.frombuffer(tensor.data, "<f4").astype("<f2").tobytes()
            before.append(Step(CODES.DEQUANTIZE, [len(tensors)], [index]))
            tensors.append(Tensor(f"{tensor.name}/f16", tensor.shape, TYPES.FLOAT16, data))
            tensors[index] = replace(tensor, data=b"")
    return Model(tensors, before + wide.steps, wide.inputs)


def test_int8_kernels_lie_within_a_step_of_the_float_file(int8: convert.Converted) -> None:
    google = convert.read(MODELS / "movenet-lightning.json").tensors
    tensors = [t for t in parsed(google_int8().read_bytes()).tensors if t.data and t.scale]
    scales = {floats(t).astype("<f4").tobytes(): np.array(t.scale) for t in tensors}
    assert (int8.spec.name, int8.source_format) == ("lightning", "TFLite int8")
    assert int8.tensors.keys() == google.keys()
    for key, values in int8.tensors.items():
        assert values.dtype == np.float32
        if key.endswith("weight"):
            stored = values.transpose((1, 2, 3, 0) if "depthwise" in key else (0, 2, 3, 1))
            step = scales[stored.tobytes()][:, None, None, None]  # of each output channel
            wide = google[key].astype(np.float64)
            # Half a step here, and half a step of float16 there: 0.562 steps at most.
            assert (np.abs(values - wide) <= 0.5 * step + np.abs(wide) / 2**11).all(), key
        else:  # other constants were rounded when these were
            np.testing.assert_allclose(values, google[key].astype(float), rtol=1e-3, atol=0.013)


def test_every_constant_is_a_weight_or_has_a_reason(int8: convert.Converted) -> None:
    tensors = parsed(google_int8().read_bytes()).tensors
    constants = {f"{t.name} (tensor {i})" for i, t in enumerate(tensors) if t.data}
    assert int8.unused.keys() < constants
    assert len(constants) == len(int8.unused) + len(int8.tensors)
    zero = "zero bias of a depthwise convolution that has none in Google's graph"
    assert list(int8.unused.values()).count(zero) == 7  # three in the pyramid, four heads


def test_the_writer_keeps_what_matters(tmp_path: Path, int8: convert.Converted) -> None:
    assert_same(convert.read(written(tmp_path, lambda model: None)), int8)


def test_a_float32_file_has_the_values_of_the_int8_one(
    tmp_path: Path, int8: convert.Converted
) -> None:
    read = convert.read(written(tmp_path, as_float32))
    assert_same(read, int8)
    assert read.source_format == "TFLite float32"


def test_a_float16_file_has_the_values_behind_its_dequantisations(
    tmp_path: Path, int8: convert.Converted
) -> None:
    read = convert.read(written(tmp_path, as_float16))
    assert read.source_format == "TFLite float16"
    for key, values in read.tensors.items():
        np.testing.assert_array_equal(values, int8.tensors[key].astype(np.float16), err_msg=key)
        assert values.dtype == np.float16
    assert len(read.unused) == len(int8.unused)


def nameless(model: Model) -> None:
    for tensor in model.tensors:
        tensor.name = "x"


def shuffled(model: Model) -> Model:
    """Tensors and operators in another order."""
    places = list(range(len(model.tensors)))
    random.Random(0).shuffle(places)  # the new place of each tensor
    order = sorted(range(len(places)), key=places.__getitem__)
    steps = [
        replace(
            step,
            inputs=[places[i] for i in step.inputs],
            outputs=[places[i] for i in step.outputs],
        )
        for step in model.steps
    ]
    random.Random(1).shuffle(steps)
    return Model([model.tensors[i] for i in order], steps, [places[i] for i in model.inputs])


@pytest.mark.parametrize("change", [nameless, shuffled])
def test_names_and_order_do_not_matter(
    change: Callable[[Model], Model | None], tmp_path: Path, int8: convert.Converted
) -> None:
    read = convert.read(written(tmp_path, change))
    assert_same(read, int8)
    assert sorted(read.unused.values()) == sorted(int8.unused.values())


def padded(model: Model) -> None:
    """SAME at stride 2 as a PAD before a convolution without padding."""
    steps = []
    for step in model.steps:
        if step.options.get("StrideH") == 2:
            amounts = np.array([[0, 0], [0, 1], [0, 1], [0, 0]], "<i4")
            tensor = len(model.tensors)
            model.tensors += [
                Tensor("amounts", [4, 2], TYPES.INT32, amounts.tobytes()),
                replace(model.tensors[step.inputs[0]], shape=[]),
            ]
            steps.append(Step(CODES.PAD, [step.inputs[0], tensor], [tensor + 1]))
            step.inputs[0], step.options["Padding"] = tensor + 1, tflite.Padding.VALID
        steps.append(step)
    model.steps[:] = steps


def test_a_padding_of_its_own_belongs_to_the_convolution(
    tmp_path: Path, int8: convert.Converted
) -> None:
    read = convert.read(written(tmp_path, padded))
    assert_same(read, int8)
    assert len(read.unused) == len(int8.unused) + 5


def biased(model: Model) -> None:
    """A bias of 1 in the first depthwise convolution that should have none."""
    plain = [
        step
        for step in model.steps
        if step.code == CODES.DEPTHWISE_CONV_2D and not step.options["FusedActivationFunction"]
    ]
    tensor = model.tensors[plain[0].inputs[2]]
    tensor.type, tensor.scale, tensor.zero = TYPES.FLOAT32, [], []
    tensor.data = np.ones(tensor.shape, "<f4").tobytes()


def test_a_bias_of_a_depthwise_convolution_goes_into_the_next(
    tmp_path: Path, int8: convert.Converted
) -> None:
    read = convert.read(written(tmp_path, biased))
    changed = [
        key
        for key in int8.tensors
        if not np.array_equal(read.tensors[key], int8.tensors[key], equal_nan=True)
    ]
    assert changed == ["pyramid.smoothings.2.pointwise.bias"]
    kernel = int8.tensors["pyramid.smoothings.2.pointwise.weight"].astype(np.float64)
    wanted = int8.tensors[changed[0]] + kernel.sum(axis=(1, 2, 3))
    np.testing.assert_allclose(read.tensors[changed[0]], wanted, rtol=1e-6)
    reasons = list(read.unused.values())
    folded = "bias of a depthwise convolution, folded into the 1x1 convolution after it"
    assert reasons.count(folded) == 1


def exchanged(model: Model) -> None:
    """What becomes of the two heads of 34 channels."""
    gathers = [
        step
        for step in model.steps
        if step.code == CODES.GATHER_ND and model.tensors[step.inputs[0]].shape[-1] == 34
    ]
    one, other = (step.inputs for step in gathers)
    one[0], other[0] = other[0], one[0]


def test_equal_heads_are_told_apart_by_what_becomes_of_them(
    tmp_path: Path, int8: convert.Converted
) -> None:
    swapped = convert.read(written(tmp_path, exchanged)).tensors
    first, second = "keypoint_regression.output.weight", "keypoint_offsets.output.weight"
    np.testing.assert_array_equal(swapped[first], int8.tensors[second])
    np.testing.assert_array_equal(swapped[second], int8.tensors[first])
    assert not np.array_equal(int8.tensors[first], int8.tensors[second])


def test_another_network_is_refused(tmp_path: Path) -> None:
    model = Model(
        [Tensor("a", [1, 8, 8, 3], TYPES.FLOAT32), Tensor("b", [1, 8, 8, 3], TYPES.FLOAT32)],
        [Step(CODES.LOGISTIC, [0], [1])],
        [0],
    )
    path = tmp_path / "other.tflite"
    path.write_bytes(Writer().model(model))
    assert message(path) == f"no single convolution sees the picture; {ADVICE}"


def test_another_width_is_refused(tmp_path: Path) -> None:
    def narrow(model: Model) -> None:
        stem = next(step for step in model.steps if step.code == CODES.CONV_2D)
        for index, size in zip(stem.inputs[1:], (8 * 27, 4 * 8), strict=True):
            tensor = model.tensors[index]
            tensor.shape[0], tensor.data = 8, tensor.data[:size]
            tensor.scale, tensor.zero = tensor.scale[:8], tensor.zero[:8]

    assert message(written(tmp_path, narrow)) == (
        "not a MoveNet: its first convolution has 8 channels "
        "(lightning has 32, thunder has 56, multipose has 48)"
    )


def test_a_constant_of_another_length_is_refused(tmp_path: Path) -> None:
    def cut(model: Model) -> None:
        stem = next(step for step in model.steps if step.code == CODES.CONV_2D)
        model.tensors[stem.inputs[1]].data = b"123"
        model.tensors[stem.inputs[1]].name = "stem"

    assert message(written(tmp_path, cut)) == (
        "tensor 'stem (tensor 21)' has 3 bytes where INT8 of shape (32, 3, 3, 3) is due; "
        "get the file again"
    )


def two_subgraphs(model: Model) -> None:
    model.subgraphs = 2


def text_constant(model: Model) -> None:
    model.tensors[2] = Tensor("text", [1], TYPES.STRING, b"text")


def other_strides(model: Model) -> None:
    stem = next(step for step in model.steps if step.code == CODES.CONV_2D)
    stem.options["StrideW"] = 1
    model.tensors[stem.outputs[0]].name = "stem"


def other_scales(model: Model) -> None:
    model.tensors[21].scale.append(1.0)


def activated_sum(model: Model) -> None:
    step = next(step for step in model.steps if step.code == CODES.ADD)
    step.options["FusedActivationFunction"] = tflite.ActivationFunctionType.RELU
    for name, tensor in zip(("one", "other"), step.inputs, strict=True):
        model.tensors[tensor].name = name


def other_corners(model: Model) -> None:
    step = next(step for step in model.steps if step.code == CODES.RESIZE_BILINEAR)
    step.options["HalfPixelCenters"] = False
    model.tensors[step.inputs[0]].name = "lateral"


def no_inputs(model: Model) -> None:
    model.tensors[174].name = "cast"
    model.steps[0].inputs = []


REFUSED = {
    two_subgraphs: "2 subgraphs where a MoveNet has one",
    text_constant: "tensor 'text (tensor 2)' has type STRING, which is not supported",
    other_strides: "'stem (tensor 179)' has strides or dilations that MoveNet has not",
    activated_sum: (
        "no sum of 'one (tensor 184)' and 'other (tensor 187)', at backbone.stages.1.1; " + ADVICE
    ),
    other_corners: (
        "0 operations resizebilinear after 'lateral (tensor 244)', at pyramid.smoothings.2; "
        + ADVICE
    ),
    other_scales: (
        "a damaged TFLite file (ValueError: 33 scales along axis 0 of (32, 3, 3, 3)); get it again"
    ),
    no_inputs: f"'cast (tensor 174)' lacks inputs or outputs; {ADVICE}",
}


@pytest.mark.parametrize("change", REFUSED, ids=lambda change: change.__name__)
def test_another_graph_is_refused(change: Callable[[Model], None], tmp_path: Path) -> None:
    assert message(written(tmp_path, change)) == REFUSED[change]


def test_the_format_is_told_by_content(tmp_path: Path, int8: convert.Converted) -> None:
    path = tmp_path / "model.json"
    path.write_bytes(google_int8().read_bytes())
    assert_same(convert.read(path), int8)


@pytest.mark.parametrize("kept", [16, 1000, 20_000, 2_000_000])
def test_a_truncated_file_is_refused(kept: int, tmp_path: Path) -> None:
    path = tmp_path / "cut.tflite"
    path.write_bytes(google_int8().read_bytes()[:kept])
    text = message(path)
    assert text.startswith("a damaged TFLite file (")
    assert text.endswith("); get it again")


@pytest.mark.parametrize("seed", range(20))
def test_scattered_damage_is_an_error_or_another_weight(seed: int, tmp_path: Path) -> None:
    data = bytearray(google_int8().read_bytes())
    chance = random.Random(seed)
    for _ in range(200):
        data[chance.randrange(8, len(data))] = chance.randrange(256)
    path = tmp_path / "damaged.tflite"
    path.write_bytes(data)
    with contextlib.suppress(WeightsError):
        assert convert.read(path).spec.name == "lightning"


def test_without_the_extra_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reader, "tflite", None)
    assert message(google_int8()) == (
        "reading .tflite needs the package tflite; pip install 'movenet-pytorch[convert]'"
    )


@pytest.mark.reference
@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("lightning", "192x192"),
        ("thunder", "256x256"),
        ("multipose", "256x256"),
        ("multipose", "256x320"),
    ],
)
def test_files_of_tensorflows_converter_hold_the_graphs_weights(
    name: str, size: str, dtype: str, tmp_path: Path
) -> None:
    pytest.importorskip("tensorflow")
    graph = MODELS / f"movenet-{name}.json"
    path = tmp_path / f"{name}.tflite"
    program = SHARED / "reference" / "google_graph.py"
    command = [sys.executable, program, "tflite", graph, "--out", path, "--dtype", dtype]
    subprocess.run([*command, "--size", size], check=True, capture_output=True)
    read = convert.read(path)
    assert read.source_format == f"TFLite {dtype}"
    assert_same(read, convert.read(graph))
