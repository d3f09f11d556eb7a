"""The engines on files: each gives what PyTorch gives, and says in one line what is wrong.

Those that need an export of half a minute are marked slow; what goes wrong is tried on small files.
"""

import gc
import subprocess
import sys
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from movenet import export, goldens, weights
from movenet.engines import Engine, litert
from movenet.engines.flatbuffer import File, Graph
from movenet.engines.litert import LiteRTEngine, Runner
from movenet.engines.torch import TorchEngine
from movenet.errors import EngineError
from movenet.goldens import Case
from movenet.selection import FILES, open_file
from movenet.specs import ROWS, SPECS, ModelSpec

ATOL = 1e-4  # of the map and of scores, against PyTorch; float32
LIGHTNING = SPECS["lightning"]
SQUARE = (192, 192)
SUFFIXES = {kind: suffix for suffix, kind in FILES.items()}
KINDS = ("litert", "onnx", "openvino")
SLOW = [
    pytest.param(kind, marks=() if kind == "litert" else pytest.mark.slow, id=kind)
    for kind in KINDS
]


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Lightning as a file of each kind; LiteRT's is shipped, the others are exported when asked."""
    made = {"litert": weights.FOLDER / "lightning.tflite"}

    def file(kind: str) -> Path:
        if kind not in made:
            path = tmp_path_factory.mktemp(kind) / f"lightning{SUFFIXES[kind]}"
            export.export("lightning", kind, path)
            made[kind] = path
        return made[kind]

    return file


@pytest.fixture(scope="module")
def torch_lightning() -> TorchEngine:
    return TorchEngine("lightning")


@pytest.fixture
def engine(request: pytest.FixtureRequest, files: Callable[[str], Path]) -> Engine:
    return open_file(files(request.param), threads=2, spec=LIGHTNING)


every_engine = pytest.mark.parametrize("engine", SLOW, indirect=True)
# torch.export copies its own classes in a way that it calls deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:`isinstance:FutureWarning")


def pictures(count: int, shape: tuple[int, int] = SQUARE) -> np.ndarray:
    """(count, H, W, 3): people, each time moved a little."""
    picture = goldens.case_input(Case("two_people", shape))
    return np.stack([np.roll(picture, 7 * index, (0, 1)) for index in range(count)])


@every_engine
def test_an_engine_gives_what_pytorch_gives(engine: Engine, torch_lightning: TorchEngine) -> None:
    for case in goldens.cases(LIGHTNING):
        batch = goldens.case_input(case)[None]
        found = engine(batch)
        assert (found.shape, found.dtype) == ((1, 1, 17, 3), np.float32)
        np.testing.assert_allclose(found, torch_lightning(batch), rtol=0, atol=ATOL)


@every_engine
def test_what_is_no_batch_of_pictures_is_refused(engine: Engine) -> None:
    batch = pictures(1)
    for wrong in (batch[0], batch.astype(np.float32), batch[..., :1]):
        with pytest.raises(ValueError, match=r"^an engine takes uint8 \(N, H, W, 3\), RGB, not "):
            engine(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("spec", ROWS[1:], ids=lambda row: row.name)
def test_litert_gives_what_pytorch_gives_for_the_other_models(spec: ModelSpec) -> None:
    engine = LiteRTEngine(weights.FOLDER / f"{spec.name}.tflite", threads=2, spec=spec)
    in_torch = TorchEngine(spec.name)
    for case in goldens.cases(spec):
        batch = goldens.case_input(case)[None]
        found = engine(batch)
        assert found.shape == (1, *spec.output_shape)
        np.testing.assert_allclose(found, in_torch(batch), rtol=0, atol=ATOL)


@every_engine
@pytest.mark.parametrize("shape", [(192, 128), (96, 192), (160, 192)])
def test_pictures_that_are_not_square_are_taken(
    engine: Engine, torch_lightning: TorchEngine, shape: tuple[int, int]
) -> None:
    batch = pictures(1, shape)
    np.testing.assert_allclose(engine(batch), torch_lightning(batch), rtol=0, atol=ATOL)


@pytest.mark.parametrize("engine", SLOW[1:], indirect=True)
@pytest.mark.parametrize("shape", [(32, 32), (64, 320), (256, 96)])
def test_a_file_for_any_shape_takes_small_and_long_ones(
    engine: Engine, torch_lightning: TorchEngine, shape: tuple[int, int]
) -> None:
    batch = pictures(1, shape)
    np.testing.assert_allclose(engine(batch), torch_lightning(batch), rtol=0, atol=ATOL)


@every_engine
@pytest.mark.parametrize("count", [2, 5])
def test_a_batch_is_as_its_pictures_one_by_one(engine: Engine, count: int) -> None:
    """5 is more than there are threads, and no multiple of them."""
    batch = pictures(count)
    one_by_one = np.concatenate([engine(batch[index : index + 1]) for index in range(count)])
    assert len(np.unique(one_by_one, axis=0)) == count
    np.testing.assert_allclose(engine(batch), one_by_one, rtol=0, atol=1e-5)


@every_engine
def test_a_batch_of_nothing_gives_nothing(engine: Engine) -> None:
    assert engine(pictures(1)[:0]).shape == (0, 1, 17, 3)


@every_engine
def test_a_batch_is_not_written_to(engine: Engine) -> None:
    batch = pictures(2)
    before = batch.copy()
    engine(batch)
    np.testing.assert_array_equal(batch, before)


@every_engine
def test_an_answer_is_the_caller_s_to_keep(engine: Engine) -> None:
    """A runtime may use its memory again for the next picture."""
    batch = pictures(2)
    first = engine(batch[:1])
    before = first.copy()
    engine(batch[1:])
    np.testing.assert_array_equal(first, before)


@every_engine
def test_python_threads_may_call_at_once(engine: Engine) -> None:
    work = [pictures(count, shape) for shape in (SQUARE, (192, 128)) for count in (1, 3, 1, 2)]
    with ThreadPoolExecutor(len(work)) as pool:  # before anything is prepared
        found = list(pool.map(engine, work))
    for batch, output in zip(work, found, strict=True):
        np.testing.assert_allclose(output, engine(batch), rtol=0, atol=1e-5)


@every_engine
def test_one_thread_and_several_give_the_same(
    engine: Engine, files: Callable[[str], Path], request: pytest.FixtureRequest
) -> None:
    kind = request.node.callspec.params["engine"]
    single = open_file(files(kind), threads=1)
    batch = pictures(3)
    np.testing.assert_allclose(single(batch), engine(batch), rtol=0, atol=1e-5)


def test_one_picture_runs_on_all_threads_and_a_batch_on_one_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[int] = []
    interpreter = litert.Interpreter

    def counted(*, model_content: bytes, num_threads: int) -> Any:
        made.append(num_threads)
        return interpreter(model_content=model_content, num_threads=num_threads)

    monkeypatch.setattr(litert, "Interpreter", counted)
    engine = LiteRTEngine(weights.FOLDER / "lightning.tflite", threads=3)
    assert made == []  # a graph is prepared when its shape is first seen
    for _ in range(2):
        engine(pictures(1))
    assert made == [3]
    for count in (2, 5):
        engine(pictures(count))
    alone = made[1:]
    assert set(alone) == {1}
    assert len(alone) <= 3  # one that is free again serves the next picture
    engine(pictures(1, (192, 96)))
    assert made == [3, *alone, 3]


RUNTIMES = {
    "litert": ("ai-edge-litert", "LiteRT {}, XNNPACK"),
    "onnx": ("onnxruntime", "ONNX Runtime {}, CPUExecutionProvider"),
    "openvino": ("openvino", "OpenVINO {}, CPU"),
}


# Small files: a graph that is no network, and what it says of itself.


class Tiny:
    """Makes files of a graph from pictures to outputs of some shapes, which are all zeros."""

    def __init__(self, folder: Path):
        self.folder = folder

    def __call__(
        self,
        kind: str,
        *outputs: tuple[int, ...],
        about: str | None = '{"model": "lightning"}',
        shape: tuple[Any, ...] = (None, None),
        dtype: str = "uint8",
    ) -> Path:
        path = self.folder / f"tiny{SUFFIXES[kind]}"
        getattr(self, kind)(path, outputs or ((1, 17, 3),), about, shape, dtype)
        return path

    def litert(self, path: Path, outputs: Any, about: Any, shape: Any, dtype: str) -> None:
        file = File()
        graph = Graph(file)
        x = graph.input("images", (1, *(side or 32 for side in shape), 3), dtype)
        nothing = (x.cast("float32") * 0).reshape(-1, 1).sum(0)
        zeros = {f"output{i}": nothing + np.zeros((1, *s)) for i, s in enumerate(outputs)}
        graph.finish("tiny", zeros)
        file.describe("tiny", {} if about is None else {"movenet": about.encode()})
        path.write_bytes(file.packed())

    def onnx(self, path: Path, outputs: Any, about: Any, shape: Any, dtype: str) -> None:
        import onnx
        from onnx import TensorProto, helper, numpy_helper

        names = [f"output{i}" for i in range(len(outputs))]
        nodes = [
            helper.make_node("Cast", ["images"], ["wide"], to=TensorProto.FLOAT),
            helper.make_node("Mul", ["wide", "zero"], ["zeros"]),
            helper.make_node("ReduceSum", ["zeros", "axes"], ["nothing"], keepdims=0),
        ]
        constants = [np.array(0, np.float32), np.array([1, 2, 3])]
        stored = [
            numpy_helper.from_array(*pair) for pair in zip(constants, ("zero", "axes"), strict=True)
        ]
        for name, size in zip(names, outputs, strict=True):
            target = np.array([-1, *[1] * len(size)])
            stored.append(numpy_helper.from_array(target, f"{name}.column"))
            stored.append(numpy_helper.from_array(np.zeros(size, np.float32), f"{name}.zeros"))
            nodes.append(
                helper.make_node("Reshape", ["nothing", f"{name}.column"], [f"{name}.each"])
            )
            nodes.append(helper.make_node("Add", [f"{name}.each", f"{name}.zeros"], [name]))
        element = TensorProto.UINT8 if dtype == "uint8" else TensorProto.FLOAT
        taken = helper.make_tensor_value_info("images", element, ["n", *shape, 3])
        given = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *size])
            for name, size in zip(names, outputs, strict=True)
        ]
        graph = helper.make_graph(nodes, "tiny", [taken], given, stored)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
        if about is not None:
            helper.set_model_props(model, {"movenet": about})
        onnx.save(model, path)

    def openvino(self, path: Path, outputs: Any, about: Any, shape: Any, dtype: str) -> None:
        import openvino
        from openvino import opset13 as ops

        sides = [-1 if side is None else side for side in shape]
        images = ops.parameter([-1, *sides, 3], np.dtype(dtype), "images")
        zero = ops.multiply(ops.convert(images, "f32"), np.float32(0))
        nothing = ops.reduce_sum(zero, np.array([1, 2, 3]), keep_dims=False)
        made = [
            ops.add(
                ops.reshape(nothing, np.array([-1, *[1] * len(size)]), special_zero=False),
                np.zeros(size, np.float32),
            )
            for size in outputs
        ]
        model = openvino.Model(made, [images], "tiny")
        if about is not None:
            model.set_rt_info(about, "movenet")
        openvino.save_model(model, path, compress_to_fp16=False)


@pytest.fixture
def tiny(tmp_path: Path) -> Tiny:
    return Tiny(tmp_path)


def use(path: Path, batch: np.ndarray | None) -> None:
    """Open a file as Lightning's, and run it where there is something to run it on."""
    opened = open_file(path, threads=1, spec=LIGHTNING)
    if batch is not None:
        opened(batch)


def line(path: Path, batch: np.ndarray | None = None) -> str:
    """What an EngineError says of a file that is used so, without its path."""
    with pytest.raises(EngineError) as error:
        use(path, batch)
    assert str(error.value).startswith(f"{path}: ")
    return str(error.value).removeprefix(f"{path}: ")


every_kind = pytest.mark.parametrize("kind", KINDS)


@every_kind
def test_a_file_is_opened_and_named_by_what_it_says(tiny: Tiny, kind: str) -> None:
    opened = open_file(tiny(kind, (6, 56), about='{"model": "multipose"}'), threads=1)
    assert opened.spec is SPECS["multipose"]
    assert opened(pictures(2, (32, 32))).shape == (2, 6, 56)


@every_kind
def test_the_runtime_is_named_with_its_version(tiny: Tiny, kind: str) -> None:
    package, text = RUNTIMES[kind]
    assert open_file(tiny(kind), threads=1).runtime == text.format(version(package))


@every_kind
def test_a_file_for_one_shape_takes_that_and_no_other(tiny: Tiny, kind: str) -> None:
    path = tiny(kind, shape=(64, 96))
    opened = open_file(path, threads=2)
    assert opened.shapes == {(64, 96)}
    assert opened(pictures(3, (64, 96))).shape == (3, 1, 17, 3)
    assert line(path, batch=pictures(1, (96, 64))) == "takes 64x96, not 96x64"


@pytest.mark.parametrize("kind", ["onnx", "openvino"])
def test_a_file_for_any_shape_takes_multiples_of_32(tiny: Tiny, kind: str) -> None:
    path = tiny(kind)
    assert open_file(path, threads=1).shapes is None
    wrong = np.zeros((1, 100, 64, 3), np.uint8)
    assert line(path, batch=wrong) == "takes multiples of 32, not 100x64"


def test_a_shipped_file_takes_the_shapes_of_its_row_and_no_others() -> None:
    path = weights.FOLDER / "lightning.tflite"
    assert open_file(path, threads=1).shapes == set(LIGHTNING.shapes)
    assert line(path, batch=pictures(1, (64, 64))) == (
        "takes 192x192, 192x160, 192x128, 192x96, 160x192, 128x192, 96x192, not 64x64"
    )


@every_kind
def test_another_model_s_file_is_refused(tiny: Tiny, kind: str) -> None:
    path = tiny(kind, about='{"model": "thunder"}')
    assert line(path) == "holds thunder, not lightning; say --model thunder"


@every_kind
@pytest.mark.parametrize("about", [None, "", "{", "[]", "3", "{}", '{"model": []}'])
def test_a_file_that_does_not_say_which_model_it_is_is_refused(
    tiny: Tiny, kind: str, about: str | None
) -> None:
    assert line(tiny(kind, about=about)) == (
        "does not say which MoveNet it is; make a file with movenet export"
    )


@every_kind
def test_a_file_of_no_model_that_there_is_is_refused(tiny: Tiny, kind: str) -> None:
    assert line(tiny(kind, about='{"model": "big"}')) == (
        "holds big, and one of lightning, thunder, multipose is needed here"
    )


@every_kind
def test_a_file_of_another_output_is_refused(tiny: Tiny, kind: str) -> None:
    shown = {
        "litert": "(1, 6, 56)",
        "onnx": "('n', 6, 56)",
        "openvino": "[?,6,56]",
    }
    assert line(tiny(kind, (6, 56))) == f"gives {shown[kind]}, which is not lightning's output"


NOT_DECODED = {
    "litert": "not an export of movenet with its decoding (it takes (1, 32, 32, 3) and gives "
    "{} tensors); make one with movenet export",
    "onnx": "has no decoding; export it without --heads",
    "openvino": "has no decoding; make one with movenet export",
}


@every_kind
def test_a_file_of_heads_is_refused(tiny: Tiny, kind: str) -> None:
    assert line(tiny(kind, (1, 17, 3), (34, 8, 8))) == NOT_DECODED[kind].format(2)


@every_kind
def test_a_file_that_takes_other_numbers_than_bytes_is_refused(tiny: Tiny, kind: str) -> None:
    assert line(tiny(kind, dtype="float32")) == NOT_DECODED[kind].format(1)


@every_kind
def test_a_missing_file_is_named(kind: str, tmp_path: Path) -> None:
    assert line(tmp_path / f"nowhere{SUFFIXES[kind]}") == "no such file"


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(EngineError) as error:
        LiteRTEngine(tmp_path, threads=1)
    assert str(error.value) == f"{tmp_path}: cannot be read (Is a directory)"


WRONG = {
    "litert": "not a TFLite file; export or download it again",
    "onnx": "ONNX Runtime cannot open it (",
    "openvino": "OpenVINO cannot open it (",
}


@every_kind
@pytest.mark.parametrize("content", [b"", b"hello", b"\0" * 100])
def test_what_is_another_kind_of_file_is_refused(kind: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"wrong{SUFFIXES[kind]}"
    path.write_bytes(content)
    said = line(path)
    assert said.startswith(WRONG[kind])
    assert "\n" not in said


@pytest.mark.parametrize("kind", ["onnx", "openvino"])
def test_a_file_that_ends_too_early_is_refused(tiny: Tiny, kind: str) -> None:
    path = tiny(kind)
    path.write_bytes(path.read_bytes()[:-20])
    said = line(path)
    assert said.startswith(WRONG[kind])
    assert "\n" not in said


def test_an_openvino_file_without_its_weights_is_refused(tiny: Tiny) -> None:
    path = tiny("openvino")
    path.with_suffix(".bin").unlink()
    assert line(path).startswith("OpenVINO cannot open it (Empty weights data in bin file")


CTRL_C = """
import signal, sys
from pathlib import Path
from movenet.engines.openvino import OpenVinoEngine

def opened():
    return OpenVinoEngine(Path(sys.argv[1]), threads=1)

first, second = opened(), opened()
del first
del second
try:
    signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    print("interrupted")
"""


def test_ctrl_c_interrupts_after_openvino_models_were_let_go(tiny: Tiny) -> None:
    command = [sys.executable, "-c", CTRL_C, str(tiny("openvino"))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "interrupted\n"), done.stderr


@pytest.fixture
def cut(tmp_path: Path) -> Callable[[int], Path]:
    data = (weights.FOLDER / "lightning.tflite").read_bytes()

    def make(length: int) -> Path:
        path = tmp_path / "cut.tflite"
        path.write_bytes(data[:length])
        return path

    return make


@pytest.mark.parametrize("length", [1000, 1_000_000, 4_900_000])
def test_a_litert_file_that_ends_too_early_is_refused(
    cut: Callable[[int], Path], length: int
) -> None:
    assert line(cut(length)) == "not a whole TFLite file; export or download it again"


def test_one_that_lacks_its_last_byte_is_refused_when_it_is_run(
    cut: Callable[[int], Path],
) -> None:
    assert line(cut(-1), batch=pictures(1)) == (
        "LiteRT cannot run it (The model is not a valid Flatbuffer buffer)"
    )


def test_a_litert_file_of_an_impossible_shape_is_refused(tiny: Tiny) -> None:
    engine = LiteRTEngine(tiny("litert"), threads=1)
    (signature,) = engine._graphs.values()
    for sides in ((1, 1), (0, 64), (64, 50)):
        spoilt = replace(signature, input=(1, *sides, 3))
        with pytest.raises(EngineError, match="damaged"):
            litert.check(Path("damaged"), spoilt, LIGHTNING)


def test_what_litert_says_while_it_runs_is_one_line(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("Input tensor 373 lacks data")

    engine = LiteRTEngine(tiny("litert"), threads=1)
    monkeypatch.setattr(litert.Runner, "__call__", fail)
    (shape,) = engine.shapes
    with pytest.raises(EngineError, match=r"LiteRT cannot run it \(Input tensor 373 lacks data\)$"):
        engine(np.zeros((1, *shape, 3), np.uint8))


def test_a_file_whose_hash_is_not_the_one_wanted_is_refused(tiny: Tiny) -> None:
    path = tiny("litert")
    with pytest.raises(EngineError) as error:
        LiteRTEngine(path, threads=1, sha256="0" * 64)
    assert str(error.value) == (
        f"{path}: not the file that was shipped (its SHA-256 differs); "
        "install movenet-pytorch again"
    )


def printed(program: str) -> str:
    """What a Python program of its own prints, on both streams."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("kind", "module", "said"),
    [
        (
            "litert",
            "ai_edge_litert",
            "engine litert: ai-edge-litert is not installed here (pip install ai-edge-litert; it "
            "has wheels for x86-64 Linux, Windows and arm64 macOS); or take --engine torch",
        ),
        (
            "onnx",
            "onnxruntime",
            "engine onnx: onnxruntime is not installed; pip install 'movenet-pytorch[onnx]'",
        ),
        (
            "openvino",
            "openvino",
            "engine openvino: openvino is not installed; pip install 'movenet-pytorch[openvino]'",
        ),
    ],
    ids=KINDS,
)
def test_a_library_that_is_missing_is_named_with_its_remedy(
    tiny: Tiny, kind: str, module: str, said: str
) -> None:
    path = str(tiny(kind))
    start = f"import sys; sys.modules[{module!r}] = None; from movenet.cli import main; "
    for engine in (kind, path):  # by name it is not exported before this is known
        arguments = ["predict", "--engine", engine, "--json", str(tiny.folder / "poses.jsonl")]
        assert printed(f"{start}sys.exit(main({arguments}))") == f"movenet: {said}\n"


def test_of_two_that_hush_a_stream_at_once_the_last_one_out_gives_it_back() -> None:
    """LiteRT greets on it, so that each thread that prepares a graph hushes it for that time."""
    program = """
import os, sys
from movenet.silence import silence
one, other = silence(2), silence(2)
one.__enter__()
other.__enter__()
os.write(2, b"one greets")
one.__exit__(None, None, None)
os.write(2, b"the other greets")
other.__exit__(None, None, None)
print("still there", file=sys.stderr)
"""
    assert printed(program) == "still there\n"


def test_an_engine_is_silent() -> None:
    program = f"""
import numpy as np
from pathlib import Path
from movenet.engines.litert import LiteRTEngine, Runner
LiteRTEngine(Path({str(weights.FOLDER / "lightning.tflite")!r}), threads=2)(
    np.zeros((3, 192, 96, 3), np.uint8))
"""
    assert printed(program) == ""


def test_many_threads_prepare_no_more_than_a_batch_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []
    known = Runner._made

    def counted(runner: Runner) -> object:
        made.append(runner)
        return known(runner)

    monkeypatch.setattr(Runner, "_made", counted)
    engine = LiteRTEngine(weights.FOLDER / "lightning.tflite", threads=256)
    engine(np.zeros((2, 192, 96, 3), np.uint8))
    assert 1 <= len(made) <= 2


@pytest.fixture
def uncollected() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("uncollected")
@pytest.mark.parametrize("threads", [1, 2])
def test_an_engine_that_nobody_holds_is_freed_at_once(
    threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its interpreters take 100 MB, which the garbage collector does not count."""
    made: list[weakref.ref[object]] = []
    known = Runner._made

    def noted(runner: Runner) -> object:
        interpreter = known(runner)
        made.extend([weakref.ref(runner), weakref.ref(interpreter)])
        return interpreter

    monkeypatch.setattr(Runner, "_made", noted)
    engine = LiteRTEngine(weights.FOLDER / "lightning.tflite", threads=threads)
    made.append(weakref.ref(engine))
    for count in (1, 2):
        engine(pictures(count, (192, 96)))
    assert len(made) >= 3
    assert all(each() is not None for each in made)
    del engine
    assert [each() for each in made if each() is not None] == []
