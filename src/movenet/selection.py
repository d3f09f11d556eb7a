"""Which engine runs a model."""

import ctypes
import importlib.util
import json
import logging
import os
import platform
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Union

import numpy as np
from numpy.typing import NDArray

from movenet import specs
from movenet.engines import Engine, Shape, check_batch
from movenet.errors import EngineError
from movenet.silence import silence
from movenet.specs import ModelSpec

if TYPE_CHECKING:
    from movenet.model import MoveNet

ENGINES = ("auto", "litert", "torch", "onnx", "openvino")
FILES = {".tflite": "litert", ".onnx": "onnx", ".xml": "openvino"}
SHIPPED = Path(__file__).parent / "weights"  # where NAME.tflite lies
USEFUL_THREADS = 4  # by default: so small a network does not gain from more
MOST_THREADS = 256

log = logging.getLogger("movenet")


def select_engine(
    model: Union[str, "MoveNet"],
    *,
    engine: str | Path = "auto",
    device: str = "auto",
    threads: int | None = None,
) -> Engine:
    """The engine that runs a model, by its name, or a network of one's own.

    `engine` is "auto", "litert", "torch", "onnx", "openvino" or an exported file (.tflite, .onnx,
    .xml). "auto" is PyTorch for a network of one's own, on CUDA and on MPS, and LiteRT on a CPU;
    where LiteRT is missing, PyTorch, with a line in the log. `device` is "auto" (CUDA, else MPS,
    else the CPU) or a name of PyTorch's; all but PyTorch run on the CPU. `threads` (1 to 256) are
    CPU threads; None takes the cores there are, at most 4, and leaves PyTorch's own choice.
    Raises ValueError for an unknown name or count, and EngineError for what is missing or broken.
    """
    if threads is not None and not (isinstance(threads, int) and 1 <= threads <= MOST_THREADS):
        raise ValueError(f"threads must be from 1 to {MOST_THREADS}, not {threads!r}")
    kind, path = parse_engine(engine)
    own = not isinstance(model, str)
    spec = specs.find(model) if isinstance(model, str) else model.spec
    if kind == "auto":
        on_cpu = device == "cpu" or (device == "auto" and not accelerator())
        kind = "litert" if on_cpu and not own and _has_litert() else "torch"
    if kind == "torch":
        return _torch(model, device, threads)
    if own:
        raise EngineError(f"engine {kind}: runs files; export the network first (movenet export)")
    if device not in ("auto", "cpu"):
        raise EngineError(f"--device {device}: only --engine torch runs there; {kind} needs cpu")
    asked, threads = threads, threads or default_threads()
    if path is not None:
        return open_file(path, threads=threads, spec=spec)
    if kind == "litert":
        return _Shipped(spec, threads, asked)
    opened = _opener(kind)  # a missing library is said before anything is exported
    return opened(kept(spec, kind), threads=threads, spec=spec)


def open_file(path: Path, *, threads: int, spec: ModelSpec | None = None) -> Engine:
    """The engine that runs an exported file, by the file's suffix; `spec` is what it must be."""
    if not path.is_file():
        raise EngineError(f"{path}: no such file")
    return _opener(FILES[path.suffix.lower()])(path, threads=threads, spec=spec)


def _opener(kind: str) -> Callable[..., Engine]:
    """What opens the files of an engine; EngineError if its library is missing."""
    if kind == "litert":
        from movenet.engines.litert import LiteRTEngine

        return LiteRTEngine
    if kind == "onnx":
        from movenet.engines.onnx import OnnxEngine

        return OnnxEngine
    from movenet.engines.openvino import OpenVinoEngine

    return OpenVinoEngine


def kept(spec: ModelSpec, kind: str) -> Path:
    """The shipped model as a file of that engine, exported once, in the user's cache folder.

    Named by the package's version and the weights' hash, so that neither is mistaken for another.
    """
    weights = json.loads((SHIPPED / "manifest.json").read_text())[spec.name]["sha256"]
    folder = cache_folder() / f"{version('movenet-pytorch')}-{weights[:12]}"
    suffix = next(ending for ending, engine in FILES.items() if engine == kind)
    path = folder / f"{spec.name}{suffix}"
    if not path.is_file():
        from movenet import export

        log.warning("exporting %s as %s, once, into %s", spec.name, kind, folder)
        with silence(1, 2):  # converters talk a lot; their errors come as exceptions
            export.export(spec.name, kind, path)
    return path


def cache_folder() -> Path:
    """Where exports for engines are kept: XDG_CACHE_HOME, LOCALAPPDATA or ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return (Path(base) if base else Path.home() / ".cache") / "movenet-pytorch"


def default_threads() -> int:
    """The cores that this process may use, at most USEFUL_THREADS."""
    usable = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()
    return max(1, min(usable or 1, USEFUL_THREADS))


def accelerator() -> bool:
    """Whether PyTorch would run on CUDA or MPS; torch is asked only where a driver is there."""
    if sys.platform == "darwin" and platform.machine() == "arm64":
        driver = True
    else:
        driver = _cuda_devices() > 0
    if not driver:
        return False
    import torch

    return torch.cuda.is_available() or torch.backends.mps.is_available()


def _cuda_devices() -> int:
    """How many devices NVIDIA's driver lists; 0 without it (CUDA driver API, cuInit)."""
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        count = ctypes.c_int(0)
        if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)):
            return 0
    except (OSError, AttributeError):
        return 0
    return count.value


def parse_engine(engine: str | Path) -> tuple[str, Path | None]:
    """An engine's name, and the file where one was given. ValueError for neither."""
    if str(engine) in ENGINES:
        return str(engine), None
    path = Path(engine)
    if path.suffix.lower() in FILES:
        return FILES[path.suffix.lower()], path
    raise ValueError(
        f"engine must be one of {', '.join(ENGINES)}, or a file ({', '.join(FILES)}), "
        f"not {str(engine)!r}"
    )


def _has_litert() -> bool:
    """Whether ai-edge-litert is installed; says so in the log where it is not."""
    if importlib.util.find_spec("ai_edge_litert"):
        return True
    log.warning("ai-edge-litert is not installed: running on PyTorch, which is slower on a CPU")
    return False


def _torch(model: Union[str, "MoveNet"], device: str, threads: int | None) -> Engine:
    from movenet.engines.torch import TorchEngine

    return TorchEngine(model, device=device, threads=threads)


class _Shipped:
    """The LiteRT file of the package; PyTorch for a shape that is not in it."""

    def __init__(self, spec: ModelSpec, threads: int, asked: int | None):
        from movenet.engines.litert import LiteRTEngine

        path = SHIPPED / f"{spec.name}.tflite"
        sha256 = json.loads((SHIPPED / "litert.json").read_text())[path.name]
        self._litert = LiteRTEngine(path, threads=threads, spec=spec, sha256=sha256)
        self._torch: Engine | None = None
        self._asked = asked
        self.spec, self.runtime = spec, self._litert.runtime

    @property
    def shapes(self) -> frozenset[Shape] | None:
        """Those that LiteRT runs."""
        return self._litert.shapes

    def __call__(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, H, W, 3) uint8 RGB -> (N, 1, 17, 3) or (N, 6, 56) float32."""
        check_batch(batch)
        shape = batch.shape[1:3]
        if shape in (self._litert.shapes or ()):
            return self._litert(batch)
        if self._torch is None:
            log.warning("the LiteRT file has no %dx%d: running it on PyTorch", *shape)
            self._torch = _torch(self.spec.name, "cpu", self._asked)
        return self._torch(batch)
