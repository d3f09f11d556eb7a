"""LiteRT: the package's weights in a file made in memory, or a file of movenet export."""

from functools import cache
from importlib.metadata import version
from pathlib import Path
from threading import Lock

import numpy as np

from movenet.engines.tflite import TFLiteFile
from movenet.errors import EngineError
from movenet.lifting import shipped
from movenet.lifting.engines import Floats, check_metadata, check_windows
from movenet.silence import silence

try:
    from ai_edge_litert.interpreter import Interpreter

    from movenet.lifting.litert_network import INPUTS, OUTPUTS, packed
except ImportError as error:
    raise EngineError(
        "engine litert: ai-edge-litert is not installed here (pip install ai-edge-litert; it has "
        "wheels for x86-64 Linux, Windows and arm64 macOS); or take engine torch"
    ) from error

# Windows at once: somebody and their mirror image. Eight take a quarter less time for each, but
# wherever the number of people changes, LiteRT would prepare itself anew, for some milliseconds.
AT_ONCE = 2


class LiteRTEngine:
    """A TFLite file of a lifting network, on one thread."""

    def __init__(self, kind: str, data: bytes, origin: str) -> None:
        """`origin` names the file in an EngineError, raised where LiteRT cannot open it."""
        self.runtime = f"LiteRT {version('ai-edge-litert')}, XNNPACK"
        self._kind, self._origin = kind, origin
        self._alone = Lock()  # an interpreter answers one call at a time
        self._count = 0  # windows that it is prepared for
        try:
            self._interpreter = Interpreter(model_content=data, num_threads=1)
            inputs, outputs = (
                {entry["name"]: entry["index"] for entry in entries}
                for entries in (
                    self._interpreter.get_input_details(),
                    self._interpreter.get_output_details(),
                )
            )
            self._inputs = [inputs[name] for name in INPUTS]
            self._outputs = [outputs[name] for name in OUTPUTS]
        except (ValueError, RuntimeError, KeyError) as error:
            raise EngineError(f"{origin}: LiteRT cannot open it ({error})") from error

    def __call__(self, keypoints: Floats, scores: Floats) -> tuple[Floats, Floats]:
        """(N, T, 17, 2), (N, T, 17) -> joints (N, 21, 3), uncertainty (N, 21)."""
        check_windows(self._kind, keypoints, scores)
        joints = np.empty((len(scores), 21, 3), np.float32)
        uncertainty = np.empty((len(scores), 21), np.float32)
        try:
            with self._alone:
                for first in range(0, len(scores), AT_ONCE):
                    some = slice(first, first + AT_ONCE)
                    joints[some], uncertainty[some] = self._run(keypoints[some], scores[some])
        except (ValueError, RuntimeError) as error:
            raise EngineError(f"{self._origin}: LiteRT cannot run it ({error})") from error
        return joints, uncertainty

    def _run(self, *arrays: Floats) -> list[Floats]:
        if len(arrays[0]) != self._count:
            for index, array in zip(self._inputs, arrays, strict=True):
                self._interpreter.resize_tensor_input(index, array.shape)
            with silence(2):  # it announces its delegate there; errors come as exceptions
                self._interpreter.allocate_tensors()
            self._count = len(arrays[0])
        for index, array in zip(self._inputs, arrays, strict=True):
            self._interpreter.set_tensor(index, array)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._outputs]


def open_engine(kind: str, path: Path | None) -> LiteRTEngine:
    """The shipped network, or that of a file (EngineError)."""
    if path is None:
        return LiteRTEngine(kind, _made(kind), f"lift-{kind}")
    try:
        data = path.read_bytes()
        file = TFLiteFile(data)
    except OSError as error:
        raise EngineError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise EngineError(f"{path}: {error}; export or download it again") from error
    check_metadata(path, kind, file.metadata.get("movenet", b""))
    return LiteRTEngine(kind, data, str(path))


@cache
def _made(kind: str) -> bytes:
    """A file with the package's weights, in float32: it is opened faster than with float16."""
    return packed(kind, shipped.tensors(kind), narrow=False, metadata={})
