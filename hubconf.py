"""MoveNet through torch.hub, from this folder, without installing it.

    torch.hub.load("path/to/this/folder", "movenet_lightning", source="local")

Each entry point gives a network in eval mode; README.md says how to call it.
"""

import sys as _sys
from pathlib import Path as _Path

import torch as _torch

# Names without an underscore are entry points to torch.hub, so everything else has one.
_SRC = str(_Path(__file__).resolve().parent / "src")
_sys.path.insert(0, _SRC)
import movenet as _movenet  # noqa: E402

_sys.path.remove(_SRC)

dependencies = ["torch", "numpy", "safetensors"]


def movenet_lightning() -> _torch.nn.Module:
    """MoveNet Lightning: one person, long side 192, the faster network."""
    return _movenet.load("lightning")


def movenet_thunder() -> _torch.nn.Module:
    """MoveNet Thunder: one person, long side 256, the more accurate network."""
    return _movenet.load("thunder")


def movenet_multipose() -> _torch.nn.Module:
    """MoveNet MultiPose Lightning: up to six people, long side 256."""
    return _movenet.load("multipose")
