"""The shipped lifting networks: float16 safetensors, listed in a manifest and checked by hash."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load as parse

from movenet.errors import WeightsError

FOLDER = Path(__file__).parent / "weights"
MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Entry:
    """One shipped file."""

    file: str
    sha256: str
    parameters: int
    receptive_field: int  # frames
    source: str  # the recordings
    command: str  # which trained it
    licence: str


def manifest(folder: Path = FOLDER) -> dict[str, Entry]:
    """What the package ships, by network."""
    rows = json.loads((folder / MANIFEST).read_text())
    return {name: Entry(**row) for name, row in rows.items()}


def tensors(kind: str) -> dict[str, NDArray[np.float32]]:
    """The weights of a shipped network, float32, without PyTorch; WeightsError if damaged."""
    entry = manifest()[kind]
    data = read(FOLDER / entry.file, entry.sha256)
    return {name: value.astype(np.float32) for name, value in parse(data).items()}


def read(path: Path, sha256: str = "") -> bytes:
    """A file's bytes. WeightsError where it cannot be read, or with `sha256` has another hash."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror})") from error
    if sha256 and hashlib.sha256(data).hexdigest() != sha256:
        raise WeightsError(
            f"{path}: not the file that was shipped (its SHA-256 differs); "
            "install movenet-pytorch again"
        )
    return data
