"""ONNX Runtime, on files of movenet export."""

from pathlib import Path

from movenet.errors import EngineError
from movenet.lifting.engines import Floats, check_metadata, check_windows

try:
    import onnxruntime
except ImportError as error:
    raise EngineError(
        "engine onnx: onnxruntime is not installed; pip install 'movenet-pytorch[onnx]'"
    ) from error


class OnnxEngine:
    """An ONNX file of a lifting network, on one thread."""

    def __init__(self, kind: str, path: Path) -> None:
        """Open the file. EngineError for one that is not that network's."""
        self.runtime = f"ONNX Runtime {onnxruntime.__version__}, CPUExecutionProvider"
        self._kind = kind
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3  # errors
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime's own exceptions share no base of their own
            reason = str(error).splitlines()[0]
            raise EngineError(f"{path}: ONNX Runtime cannot open it ({reason})") from error
        metadata = self._session.get_modelmeta().custom_metadata_map.get("movenet", "")
        check_metadata(path, kind, metadata)

    def __call__(self, keypoints: Floats, scores: Floats) -> tuple[Floats, Floats]:
        """(N, T, 17, 2), (N, T, 17) -> joints (N, 21, 3), uncertainty (N, 21)."""
        check_windows(self._kind, keypoints, scores)
        joints, uncertainty = self._session.run(None, {"keypoints": keypoints, "scores": scores})
        return joints, uncertainty


def open_engine(kind: str, path: Path) -> OnnxEngine:
    """That of a file."""
    return OnnxEngine(kind, path)
