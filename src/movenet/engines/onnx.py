"""ONNX Runtime, on files made by `movenet export --format onnx`."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from movenet.engines import Shape, check_shape
from movenet.errors import EngineError
from movenet.specs import ModelSpec, spec_of

try:
    import onnxruntime
except ImportError as error:
    raise EngineError(
        "engine onnx: onnxruntime is not installed; pip install 'movenet-pytorch[onnx]'"
    ) from error


class OnnxEngine:
    """An ONNX file with the decoding inside; `threads` CPU threads."""

    def __init__(self, path: Path, *, threads: int, spec: ModelSpec | None = None):
        """Open the file. EngineError for one that is not a MoveNet of ours, or not `spec`."""
        self.runtime = f"ONNX Runtime {onnxruntime.__version__}, CPUExecutionProvider"
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3  # errors
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime's own exceptions share no base of their own
            reason = str(error).splitlines()[0]
            raise EngineError(f"{path}: ONNX Runtime cannot open it ({reason})") from error
        metadata = self._session.get_modelmeta().custom_metadata_map.get("movenet", "")
        self.spec = spec_of(str(path), metadata, spec)
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        self._path = path
        if len(inputs) != 1 or inputs[0].type != "tensor(uint8)" or len(outputs) != 1:
            raise EngineError(f"{path}: has no decoding; export it without --heads")
        if tuple(outputs[0].shape[1:]) != self.spec.output_shape:
            gives = tuple(outputs[0].shape)
            raise EngineError(f"{path}: gives {gives}, which is not {self.spec.name}'s output")
        self._input, self._sides = inputs[0].name, inputs[0].shape[1:3]

    @property
    def shapes(self) -> frozenset[Shape] | None:
        """The input shape in the file; None where it takes any."""
        h, w = self._sides
        return frozenset([(h, w)]) if isinstance(h, int) and isinstance(w, int) else None

    def __call__(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, H, W, 3) uint8 RGB -> (N, 1, 17, 3) or (N, 6, 56) float32."""
        check_shape(self._path, self.shapes, batch)
        output: NDArray[np.float32] = self._session.run(None, {self._input: batch})[0]
        return output
