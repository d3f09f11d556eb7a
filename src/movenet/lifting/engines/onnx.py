"""ONNX Runtime, on files of movenet export."""

from pathlib import Path

from movenet.engines.onnx import open_session
from movenet.lifting.engines import Floats, check_metadata, check_windows


class OnnxEngine:
    """An ONNX file of a lifting network, on one thread."""

    def __init__(self, kind: str, path: Path) -> None:
        """Open the file. EngineError for one that is not that network's."""
        self._kind = kind
        self._session, metadata, self.runtime = open_session(path, 1)
        check_metadata(path, kind, metadata)

    def __call__(self, keypoints: Floats, scores: Floats) -> tuple[Floats, Floats]:
        """(N, T, 17, 2), (N, T, 17) -> joints (N, 21, 3), uncertainty (N, 21)."""
        check_windows(self._kind, keypoints, scores)
        joints, uncertainty = self._session.run(None, {"keypoints": keypoints, "scores": scores})
        return joints, uncertainty


def open_engine(kind: str, path: Path) -> OnnxEngine:
    """That of a file."""
    return OnnxEngine(kind, path)
