"""OpenVINO on a CPU, on files made by `movenet export --format openvino`."""

import threading
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from movenet.engines import Shape, check_shape
from movenet.errors import EngineError
from movenet.silence import silence
from movenet.specs import ModelSpec, spec_of

try:
    import openvino
except ImportError as error:
    raise EngineError(
        "engine openvino: openvino is not installed; pip install 'movenet-pytorch[openvino]'"
    ) from error


@cache
def _core() -> openvino.Core:
    # One for good: its CPU plugin gives this thread a stack to take signals on, and of two that
    # go, the later one puts back the other's, which is unmapped: Ctrl-C then ends in a crash
    # (SigAltStackSetup in OpenVINO's src/plugins/intel_cpu; seen with 2026.4).
    return openvino.Core()


class OpenVinoEngine:
    """An OpenVINO model (.xml with its .bin) with the decoding inside; `threads` CPU threads."""

    def __init__(self, path: Path, *, threads: int, spec: ModelSpec | None = None):
        """Open the file. EngineError for one that is not a MoveNet of ours, or not `spec`."""
        self.runtime = f"OpenVINO {openvino.__version__.split('-')[0]}, CPU"
        # float32 as asked: OpenVINO would take bfloat16 where the processor has it.
        settings = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
        try:
            with silence(2):  # it talks of what it cannot parse; errors come as exceptions
                core = _core()
                model = core.read_model(path)
                self._model = core.compile_model(model, "CPU", settings)
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1]
            raise EngineError(f"{path}: OpenVINO cannot open it ({reason})") from error
        metadata = model.get_rt_info("movenet").astype(str) if model.has_rt_info("movenet") else ""
        self.spec = spec_of(str(path), metadata, spec)
        takes, gives = model.input(0), model.output(0).partial_shape
        if (
            len(model.inputs) != 1
            or len(model.outputs) != 1
            or takes.element_type != openvino.Type.u8
        ):
            raise EngineError(f"{path}: has no decoding; make one with movenet export")
        if not gives[1:].compatible(openvino.PartialShape(list(self.spec.output_shape))):
            raise EngineError(f"{path}: gives {gives}, which is not {self.spec.name}'s output")
        self._path, self._sides = path, takes.partial_shape
        self._alone = threading.Lock()  # a compiled model answers one call at a time

    @property
    def shapes(self) -> frozenset[Shape] | None:
        """The input shape in the file; None where it takes any."""
        h, w = self._sides[1], self._sides[2]
        return (
            frozenset([(h.get_length(), w.get_length())]) if h.is_static and w.is_static else None
        )

    def __call__(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, H, W, 3) uint8 RGB -> (N, 1, 17, 3) or (N, 6, 56) float32."""
        check_shape(self._path, self.shapes, batch)
        with self._alone:
            output: NDArray[np.float32] = np.array(self._model(batch)[0])
        return output
