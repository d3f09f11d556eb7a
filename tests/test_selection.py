"""Which engine runs a model, and what is imported for it."""

import ctypes
import hashlib
import json
import logging
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import movenet
from movenet import export, goldens, pictures, selection, weights
from movenet.engines.litert import LiteRTEngine
from movenet.engines.onnx import OnnxEngine
from movenet.engines.torch import TorchEngine
from movenet.errors import EngineError
from movenet.goldens import Case
from movenet.selection import MOST_THREADS, accelerator, default_threads, select_engine
from movenet.specs import ROWS, SPECS, ModelSpec

LIGHTNING = SPECS["lightning"]


@pytest.fixture(autouse=True)
def on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever this machine has: a test that wants an accelerator says so."""
    monkeypatch.setattr(selection, "accelerator", lambda: False)


def runtime(*args: object, **kwargs: object) -> str:
    """The first word of what an engine says that it runs on."""
    return select_engine(*args, **kwargs).runtime.split()[0]  # type: ignore[arg-type]


def refused(*args: object, **kwargs: object) -> str:
    """The line of the EngineError that this choice gives."""
    with pytest.raises(EngineError) as error:
        select_engine(*args, **kwargs)  # type: ignore[arg-type]
    return str(error.value)


# Which one.


@pytest.mark.parametrize("spec", ROWS, ids=lambda row: row.name)
@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_a_model_by_name_runs_on_litert(spec: ModelSpec, device: str) -> None:
    engine = select_engine(spec.name, device=device)
    assert engine.runtime.startswith("LiteRT ")
    assert engine.spec is spec


def test_a_network_of_one_s_own_runs_on_pytorch() -> None:
    own = movenet.load("lightning")
    engine = select_engine(own)
    assert isinstance(engine, TorchEngine)
    assert engine.model is own


def test_where_an_accelerator_is_pytorch_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "accelerator", lambda: True)
    assert runtime("lightning") == "PyTorch"
    assert runtime("lightning", device="cpu") == "LiteRT"
    assert runtime("lightning", engine="litert") == "LiteRT"


@pytest.mark.parametrize("engine", ["auto", "torch"])
def test_a_device_is_pytorch_s(engine: str) -> None:
    assert refused("lightning", engine=engine, device="cuda:7") == (
        "--device cuda:7: PyTorch cannot use it here; try --device cpu"
    )


@pytest.mark.parametrize("kind", ["litert", "onnx", "openvino"])
def test_the_other_engines_run_on_the_cpu_only(kind: str) -> None:
    assert refused("lightning", engine=kind, device="cuda") == (
        f"--device cuda: only --engine torch runs there; {kind} needs cpu"
    )


@pytest.mark.parametrize("kind", ["litert", "onnx", "openvino"])
def test_the_other_engines_do_not_run_a_network_of_one_s_own(kind: str) -> None:
    assert refused(movenet.load("lightning"), engine=kind) == (
        f"engine {kind}: runs files; export the network first (movenet export)"
    )


def test_without_litert_pytorch_runs_and_one_line_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    assert runtime("lightning") == "PyTorch"
    assert caplog.record_tuples == [
        (
            "movenet",
            logging.WARNING,
            "ai-edge-litert is not installed: running on PyTorch, which is slower on a CPU",
        )
    ]


def test_nothing_is_logged_where_litert_is(caplog: pytest.LogCaptureFixture) -> None:
    select_engine("lightning")
    select_engine("lightning", engine="torch")
    assert caplog.record_tuples == []


@pytest.mark.parametrize("name", ["LiteRT", "tensorrt", "", "weights.pt", "lightning"])
def test_an_unknown_engine_is_refused(name: str) -> None:
    said = (
        "engine must be one of auto, litert, torch, onnx, openvino, "
        f"or a file (.tflite, .onnx, .xml), not {name!r}"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        select_engine("lightning", engine=name)


@pytest.mark.parametrize("engine", ["auto", "litert", "torch"])
def test_an_unknown_model_is_refused(engine: str) -> None:
    with pytest.raises(
        ValueError, match=r"^no model 'big'; there are lightning, thunder, multipose$"
    ):
        select_engine("big", engine=engine)


@pytest.mark.parametrize("engine", ["auto", "litert", "torch", "onnx", "openvino"])
@pytest.mark.parametrize("threads", [0, -1, 257, 1000, 2.5])
def test_threads_are_from_1_to_256(engine: str, threads: float) -> None:
    with pytest.raises(ValueError, match=f"^threads must be from 1 to 256, not {threads}$"):
        select_engine("lightning", engine=engine, threads=threads)  # type: ignore[arg-type]


@pytest.mark.parametrize("threads", [1, MOST_THREADS])
def test_the_fewest_and_the_most_threads_are_taken(threads: int) -> None:
    assert runtime("lightning", threads=threads) == "LiteRT"


@pytest.mark.parametrize(("cores", "wanted"), [(1, 1), (2, 2), (4, 4), (5, 4), (64, 4)])
def test_by_default_the_cores_there_are_but_no_more_than_4(
    cores: int, wanted: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(cores)), raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert default_threads() == wanted


def test_where_the_cores_are_not_known_one_thread_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert default_threads() == 1


# Files.


@pytest.fixture
def thunder_file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.TFLITE"
    path.symlink_to(weights.FOLDER / "thunder.tflite")
    return path


@pytest.mark.parametrize("as_text", [True, False])
def test_a_file_runs_on_the_engine_of_its_suffix(thunder_file: Path, as_text: bool) -> None:
    engine = select_engine("thunder", engine=str(thunder_file) if as_text else thunder_file)
    assert isinstance(engine, LiteRTEngine)
    assert engine.spec is SPECS["thunder"]


def test_a_file_of_another_model_is_refused(thunder_file: Path) -> None:
    assert refused("lightning", engine=thunder_file) == (
        f"{thunder_file}: holds thunder, not lightning; say --model thunder"
    )


@pytest.mark.parametrize("suffix", [".tflite", ".onnx", ".xml"])
def test_a_file_that_is_not_there_is_named(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"nowhere{suffix}"
    assert refused("lightning", engine=path) == f"{path}: no such file"


# The shipped file.


def picture(h: int, w: int) -> np.ndarray:
    return goldens.case_input(Case("two_people", (h, w)))[None]


def test_a_shape_that_the_shipped_file_has_not_runs_on_pytorch_and_one_line_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    engine, in_torch = select_engine("lightning", threads=1), TorchEngine("lightning")
    assert (64, 320) not in (engine.shapes or ())
    for _ in range(2):
        np.testing.assert_array_equal(engine(picture(64, 320)), in_torch(picture(64, 320)))
    assert [record.getMessage() for record in caplog.records] == [
        "the LiteRT file has no 64x320: running it on PyTorch"
    ]


def test_the_shapes_of_the_shipped_file_do_not(caplog: pytest.LogCaptureFixture) -> None:
    engine = select_engine("lightning")
    assert engine.shapes == set(LIGHTNING.shapes)
    alone = LiteRTEngine(weights.FOLDER / "lightning.tflite", threads=default_threads())
    np.testing.assert_array_equal(engine(picture(96, 192)), alone(picture(96, 192)))
    assert caplog.record_tuples == []


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Lightning's file where the package seems to have it."""
    for name in ("lightning.tflite", "litert.json"):
        shutil.copy(weights.FOLDER / name, tmp_path)
    monkeypatch.setattr(selection, "SHIPPED", tmp_path)
    return tmp_path / "lightning.tflite"


def test_the_shipped_file_is_taken_where_it_is_whole(copy: Path) -> None:
    assert runtime("lightning") == "LiteRT"


def test_a_shipped_file_with_one_bit_changed_is_refused(copy: Path) -> None:
    data = bytearray(copy.read_bytes())
    data[len(data) // 2] ^= 1
    copy.write_bytes(data)
    for engine in ("auto", "litert"):
        assert refused("lightning", engine=engine) == (
            f"{copy}: not the file that was shipped (its SHA-256 differs); "
            "install movenet-pytorch again"
        )


def test_a_shipped_file_that_is_missing_is_named(copy: Path) -> None:
    copy.unlink()
    assert refused("lightning") == f"{copy}: cannot be read (No such file or directory)"


def test_every_shipped_file_is_in_the_list_of_hashes() -> None:
    listed = json.loads((weights.FOLDER / "litert.json").read_text())
    assert set(listed) == {f"{name}.tflite" for name in SPECS}


# What is imported. A program says which of these it has at its end.

HEAVY = {"torch", "ai_edge_litert", "onnxruntime", "openvino", "onnx"}


def imported(*arguments: str, folder: Path) -> set[str]:
    """Which of HEAVY `movenet predict` of a bundled picture imports with these arguments."""
    command = ["predict", str(pictures.path("astronaut")), *arguments]
    program = (
        "import sys; from movenet.cli import main; from movenet import selection\n"
        "selection.accelerator = lambda: False\n"
        f"status = main({[*command, '--json', str(folder / 'poses.jsonl')]})\n"
        f"print(*sorted({HEAVY} & set(sys.modules)), file=sys.stderr)\n"
        "sys.exit(status)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len((folder / "poses.jsonl").read_text().splitlines()) == 2
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize("arguments", [(), ("--engine", "litert"), ("--engine", "FILE")])
def test_litert_is_imported_alone(arguments: tuple[str, ...], tmp_path: Path) -> None:
    file = str(weights.FOLDER / "lightning.tflite")
    given = [file if argument == "FILE" else argument for argument in arguments]
    given += ["--model", "lightning"] if file in given else []
    assert imported(*given, folder=tmp_path) == {"ai_edge_litert"}


def test_pytorch_is_imported_alone(tmp_path: Path) -> None:
    assert imported("--engine", "torch", folder=tmp_path) == {"torch"}


def driver(devices: int, failure: int = 0) -> SimpleNamespace:
    """NVIDIA's driver, as far as it is asked."""

    def count(pointer: Any) -> int:
        pointer._obj.value = devices
        return 0

    return SimpleNamespace(cuInit=lambda flags: failure, cuDeviceGetCount=count)


@pytest.mark.parametrize(
    ("found", "torch_has_cuda", "wanted"),
    [
        (driver(1), True, True),
        (driver(1), False, False),  # PyTorch was built without it
        (driver(0), True, False),
        (driver(1, failure=100), True, False),  # CUDA_ERROR_NO_DEVICE
        (SimpleNamespace(), True, False),  # some other library of that name
        (OSError("no such library"), True, False),
    ],
)
def test_an_accelerator_is_what_the_driver_and_pytorch_both_see(
    found: object, torch_has_cuda: bool, wanted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(name: str) -> object:
        if isinstance(found, OSError):
            raise found
        return found

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", load)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: torch_has_cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert accelerator() == wanted


def test_without_a_driver_torch_is_not_imported_to_ask_for_an_accelerator() -> None:
    program = (
        "import sys; from movenet import selection\n"
        "selection._cuda_devices = lambda: 0\n"
        "print(selection.accelerator(), 'torch' in sys.modules)"
    )
    if sys.platform == "darwin":
        pytest.skip("Apple silicon always has one")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "False False\n", done.stderr


# Exports that are kept.


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    manifest = json.loads((selection.SHIPPED / "manifest.json").read_text())
    sums = {row["sha256"][:12] for row in manifest.values()}
    assert len(sums) == 3
    return tmp_path / "movenet-pytorch"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:`isinstance:FutureWarning")  # torch.export's own
def test_an_engine_by_name_exports_once_and_then_opens_the_file(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = select_engine("lightning", engine="onnx", threads=1)
    assert isinstance(first, OnnxEngine)
    assert sorted(path.name for path in cache.glob("*/*")) == [
        "lightning.onnx",
        "lightning.onnx.certificate.json",
    ]

    def again(*args: object) -> None:
        raise AssertionError(f"exported again: {args}")

    monkeypatch.setattr(export, "export", again)
    second = select_engine("lightning", engine="onnx", threads=1)
    batch = picture(192, 192)
    np.testing.assert_array_equal(first(batch), second(batch))
    np.testing.assert_allclose(first(batch), TorchEngine("lightning")(batch), atol=1e-4)


@pytest.mark.parametrize(("kind", "suffix"), [("onnx", ".onnx"), ("openvino", ".xml")])
def test_each_model_has_a_file_of_its_own_in_the_cache(
    kind: str,
    suffix: str,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    made: list[tuple[object, ...]] = []

    def write(model: str, format: str, path: Path) -> None:
        made.append((model, format, path))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    monkeypatch.setattr(export, "export", write)
    for name in ("lightning", "thunder", "lightning"):
        said = refused(name, engine=kind)  # it is an empty file
        assert said.startswith(f"{place(cache, name) / (name + suffix)}: ")
    assert made == [
        (name, kind, place(cache, name) / f"{name}{suffix}") for name in ("lightning", "thunder")
    ]
    assert caplog.messages == [
        f"exporting {name} as {kind}, once, into {place(cache, name)}"
        for name in ("lightning", "thunder")
    ]


def place(cache: Path, name: str) -> Path:
    """The folder of a model's exports: the package's version and the weights' hash name it."""
    digest = hashlib.sha256((weights.FOLDER / f"{name}.safetensors").read_bytes()).hexdigest()
    return cache / f"{movenet.__version__}-{digest[:12]}"


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({"XDG_CACHE_HOME": "/a", "LOCALAPPDATA": "/b"}, "/a/movenet-pytorch"),
        ({"LOCALAPPDATA": "/b"}, "/b/movenet-pytorch"),
        ({}, "/home/me/.cache/movenet-pytorch"),
    ],
)
def test_the_cache_is_where_the_system_has_its_caches(
    environment: dict[str, str], wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(Path, "home", lambda: Path("/home/me"))
    assert selection.cache_folder() == Path(wanted)
