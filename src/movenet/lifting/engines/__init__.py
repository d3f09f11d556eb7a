"""What runs the lifting networks. Every engine answers one protocol and knows no other engine.

All run on one CPU thread: so small a network would wait for its threads longer than it computes.
"""

import importlib
import json
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from movenet import selection
from movenet.errors import EngineError
from movenet.lifting import shipped
from movenet.lifting.specs import MODELS, NETWORKS
from movenet.silence import silence

Floats = NDArray[np.float32]

ENGINES = ("auto", "litert", "torch", "onnx")
FILES = {".tflite": "litert", ".onnx": "onnx"}


class Engine(Protocol):
    """A lifting network, ready to run. `runtime` says what runs it, with its version."""

    runtime: str

    def __call__(self, keypoints: Floats, scores: Floats) -> tuple[Floats, Floats]:
        """(N, T, 17, 2), (N, T, 17) -> joints (N, 21, 3) in body heights, uncertainty (N, 21)."""
        ...


def select_engine(kind: str, engine: str | Path = "auto") -> Engine:
    """What runs the network "single", "causal" or "centred".

    `engine` is "auto", "litert", "torch", "onnx" or an exported file (.tflite, .onnx) of that
    network. "auto" is LiteRT, and PyTorch where that is missing. For "onnx" the network is exported
    once, and kept in the cache folder. Raises ValueError for an unknown name, and EngineError for
    what is missing or broken, or for another network's file.
    """
    if kind not in NETWORKS:
        raise ValueError(f"network must be one of {', '.join(NETWORKS)}, not {kind!r}")
    name, path = parse_engine(engine)
    if name == "auto":
        name = "litert" if find_spec("ai_edge_litert") else "torch"
    module = importlib.import_module(f"movenet.lifting.engines.{name}")
    if name == "onnx" and path is None:
        path = kept(kind)
    made: Engine = module.open_engine(kind, path)
    return made


def parse_engine(engine: str | Path) -> tuple[str, Path | None]:
    """An engine's name, and the file where one was given. ValueError for neither."""
    if str(engine) in ENGINES:
        return str(engine), None
    path = Path(engine)
    if path.suffix.lower() not in FILES:
        raise ValueError(
            f"engine must be one of {', '.join(ENGINES)}, or a file ({', '.join(FILES)}), "
            f"not {str(engine)!r}"
        )
    if not path.is_file():
        raise EngineError(f"{path}: no such file")
    return FILES[path.suffix.lower()], path


def kept(kind: str) -> Path:
    """A shipped network as an ONNX file, exported once, in the user's cache folder.

    Named by the package's version and the weights' hash, so that neither is mistaken for another.
    """
    sha256 = shipped.manifest()[kind].sha256
    folder = selection.cache_folder() / f"{version('movenet-pytorch')}-{sha256[:12]}"
    path = folder / f"{MODELS[kind]}.onnx"
    if not path.is_file():
        selection.log.warning("exporting %s as onnx, once, into %s", MODELS[kind], folder)
        exporter = importlib.import_module("movenet.lifting.export")  # it needs PyTorch
        with silence(1, 2):  # converters talk a lot; their errors come as exceptions
            exporter.export(MODELS[kind], "onnx", path)
    return path


def check_windows(kind: str, keypoints: Floats, scores: Floats) -> None:
    """ValueError unless they are windows of that network's."""
    frames = NETWORKS[kind]["frames"]
    if scores.shape[1:] != (frames, 17) or keypoints.shape != (*scores.shape, 2):
        raise ValueError(
            f"{MODELS[kind]} takes keypoints (N, {frames}, 17, 2) and scores (N, {frames}, 17), "
            f"not {keypoints.shape} and {scores.shape}"
        )


def check_metadata(path: Path, kind: str, metadata: str | bytes) -> None:
    """EngineError unless an exported file says in its metadata (JSON) that it is that network."""
    try:
        name = json.loads(metadata).get("model")
    except (ValueError, AttributeError):
        name = None
    if not isinstance(name, str):
        raise EngineError(
            f"{path}: does not say which network it is; make a file with "
            f"movenet export --model {MODELS[kind]}"
        )
    if name != MODELS[kind]:
        raise EngineError(f"{path}: holds {name}, and {MODELS[kind]} is needed here")
