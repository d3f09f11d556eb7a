"""MoveNet in PyTorch: Google's pose networks and everything that people do with them.

The public names are loaded when first used: importing the package imports neither torch nor cv2.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from movenet.errors import EngineError, ImageError, MoveNetError, VideoError, WeightsError

if TYPE_CHECKING:
    from pathlib import Path

    from movenet import decode, images, keypoints
    from movenet.crop import CropRegion
    from movenet.decode import Heads
    from movenet.estimator import PoseEstimator
    from movenet.frame import Frame
    from movenet.lifting.bodies import Bodies
    from movenet.lifting.lifter import Lifter, lift
    from movenet.model import MoveNet
    from movenet.pipeline import track, track_many
    from movenet.pose_tracker import PoseTracker
    from movenet.poses import Poses

__version__ = "0.1.0"

__all__ = [
    "Bodies",
    "CropRegion",
    "EngineError",
    "Frame",
    "Heads",
    "ImageError",
    "Lifter",
    "MoveNet",
    "MoveNetError",
    "PoseEstimator",
    "PoseTracker",
    "Poses",
    "VideoError",
    "WeightsError",
    "__version__",
    "decode",
    "images",
    "keypoints",
    "lift",
    "load",
    "track",
    "track_many",
]

# Where each lazy name lives; an empty name is the module itself.
_HOMES = {
    "Bodies": "lifting.bodies",
    "CropRegion": "crop",
    "Frame": "frame",
    "Heads": "decode",
    "Lifter": "lifting.lifter",
    "MoveNet": "model",
    "PoseEstimator": "estimator",
    "PoseTracker": "pose_tracker",
    "Poses": "poses",
    "decode": "decode",
    "images": "images",
    "keypoints": "keypoints",
    "lift": "lifting.lifter",
    "track": "pipeline",
    "track_many": "pipeline",
}


def load(name: str, *, weights: str | Path | None = None) -> MoveNet:
    """A MoveNet in eval mode, float32: "lightning", "thunder" or "multipose".

    `weights` is a file instead of the shipped weights: safetensors, Google's TensorFlow.js
    `model.json` or TFLite, or a `.pth` of the earlier port; what `movenet convert` reads.
    Raises ValueError for an unknown name and WeightsError for a file that is not that model's.
    """
    from movenet import weights as files

    if weights is None or files.is_safetensors(weights):
        return files.load(name, weights)
    from movenet import convert, specs

    converted, spec = convert.read(weights), specs.find(name)
    if converted.spec != spec:
        raise WeightsError(
            f"{weights}: holds {converted.spec.name!r}, not {name!r}; load it by that name"
        )
    return files.build(spec, converted.tensors, str(weights))


class _NotInstalledError(MoveNetError, ImportError):
    """A name whose extra is missing: ImportError, as `from movenet import` raises for a name."""


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module 'movenet' has no attribute {name!r}")
    try:
        module = importlib.import_module(f"movenet.{_HOMES[name]}")
    except MoveNetError as error:
        # Not AttributeError: `from movenet import` would put its own message in place of this.
        raise _NotInstalledError(f"movenet.{name}: {error}", name="movenet") from error
    value = module if name == _HOMES[name] else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
