"""Weights files of others -> the tensors of `model.MoveNet`, key for key.

    reader (tfjs, tflite: a Graph, walked by mapping; port: a state dict) -> Source -> Converted

Which model a file holds is found from its shapes, where its weights are from its operators: names
differ between formats and versions, and are used in messages only.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from movenet.convert import port, tfjs, tflite
from movenet.convert.layers import Source, assemble
from movenet.errors import WeightsError
from movenet.specs import ModelSpec

__all__ = ["Converted", "read"]

HEAD = 64  # bytes, more than enough to tell the formats apart


@dataclass(frozen=True)
class Converted:
    """A network read from somebody's file.

    `tensors` is the state dict of `MoveNet(spec)` in PyTorch's layouts, all float16 where the
    source's values are float16 exactly, else all float32. `source_sha256` has one row a file.
    `unused` says of every other tensor of the source why it is not a weight.
    """

    spec: ModelSpec
    tensors: dict[str, npt.NDArray[Any]]
    source_format: str  # as "TFLite int8"
    source_sha256: dict[str, str]  # file name -> hexadecimal digest
    unused: dict[str, str]  # source tensor -> reason


def read(path: str | Path) -> Converted:
    """Read a TensorFlow.js `model.json`, a `.tflite` file or the earlier port's `.pth`.

    The format is told by content. WeightsError names the file, the tensor and what to do.
    """
    path = Path(path)
    try:
        with np.errstate(all="ignore"):  # what is not finite is refused by name
            source = open_source(path)
            tensors, folded = assemble(source.spec, source.layers)
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    return Converted(
        spec=source.spec,
        tensors=tensors,
        source_format=source.format,
        source_sha256=source.sha256,
        unused=source.unused | folded,
    )


def open_source(path: Path) -> Source:
    """Hand the file to the reader of its format."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    if head[4:8] == b"TFL3":
        return tflite.read(path)
    if head.lstrip()[:1] == b"{":
        return tfjs.read(path)
    if head[:4] == b"PK\x03\x04" or head[:1] == b"\x80":  # what torch.save writes, new and old
        return port.read(path)
    raise WeightsError(
        "not a file of weights that can be read; give a TensorFlow.js model.json, a .tflite file "
        "or the earlier port's .pth"
    )
