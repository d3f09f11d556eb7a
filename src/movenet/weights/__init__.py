"""Weights in files: strictly in, strictly out.

The files are safetensors. Those that come with the package are listed in `manifest.json` with
their SHA-256; any other file carries the SHA-256 of its tensors in its header, when `save` wrote
it. Either is checked before a number is used.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load as parse
from safetensors.torch import save as serialise
from torch import Tensor

from movenet.errors import WeightsError
from movenet.model import MoveNet
from movenet.specs import TRUE_CONSTANTS, Constants, ModelSpec, find

FOLDER = Path(__file__).parent
Values = Tensor | NDArray[np.floating]
SHOWN = 3  # tensors that a message names before it says how many more there are


@dataclass(frozen=True, slots=True)
class Entry:
    """One shipped file. Hashes are SHA-256; `source_sha256` is by the name of the source file."""

    file: str
    sha256: str
    parameters: int
    multiply_adds: int  # in convolutions, dense, at the model's own square
    source: str
    source_sha256: dict[str, str]
    licence: str

    @property
    def path(self) -> Path:
        """Where the file lies."""
        return FOLDER / self.file


def manifest() -> dict[str, Entry]:
    """What the package ships, by model name."""
    rows = json.loads((FOLDER / "manifest.json").read_text())
    return {name: Entry(**row) for name, row in rows.items()}


def load(
    name: str, path: str | Path | None = None, *, constants: Constants = TRUE_CONSTANTS
) -> MoveNet:
    """A network in eval mode, float32, with the shipped weights or those of a safetensors file.

    Raises ValueError for an unknown name and WeightsError for a file that is missing, damaged or
    not this model's.
    """
    spec = find(name)
    if path is None:
        entry = manifest()[name]
        data = _read(entry.path)
        if hashlib.sha256(data).hexdigest() != entry.sha256:
            raise WeightsError(
                f"{entry.path}: not the file that was shipped (its SHA-256 differs); "
                "install movenet-pytorch again"
            )
        return build(spec, _parse(entry.path, data), str(entry.path), constants=constants)
    path = Path(path)
    data = _read(path)
    tensors = _parse(path, data)
    header = _header(data)
    if "sha256" in header and header["sha256"] != _digest(tensors):
        raise WeightsError(
            f"{path}: the tensors are not those that were saved (their SHA-256 differs); "
            "convert or download the file again"
        )
    if header.get("model", name) != name:
        raise WeightsError(f"{path}: holds {header['model']!r}, not {name!r}; load it by that name")
    return build(spec, tensors, str(path), constants=constants)


def is_safetensors(path: str | Path) -> bool:
    """Whether a file's name or its first bytes say so; what is in it is for `load` to check."""
    path = Path(path)
    if path.suffix.lower() == ".safetensors" or not path.is_file():
        return path.suffix.lower() == ".safetensors"
    with path.open("rb") as file:
        head = file.read(9)  # 8 bytes of length, then JSON
    return head[8:] == b"{" and int.from_bytes(head[:8], "little") < path.stat().st_size


def build(
    spec: ModelSpec,
    tensors: Mapping[str, Values],
    origin: str,
    *,
    constants: Constants = TRUE_CONSTANTS,
) -> MoveNet:
    """The network of that row with exactly these tensors, in eval mode, float32.

    `origin` names the file in a WeightsError, which says what is missing, unknown or misshapen.
    """
    with torch.device("meta"):  # no time is spent on random weights
        model = MoveNet(spec, constants)
    wanted = model.state_dict()
    problems = {
        "missing": [key for key in wanted if key not in tensors],
        "unknown": [key for key in tensors if key not in wanted],
        "of another shape": [
            f"{key} {tuple(tensors[key].shape)}, not {tuple(value.shape)}"
            for key, value in wanted.items()
            if key in tensors and tuple(tensors[key].shape) != tuple(value.shape)
        ],
    }
    problems["not floating and finite"] = [
        key
        for key, value in tensors.items()
        if not torch.is_floating_point(tensor := torch.as_tensor(value))
        or not tensor.isfinite().all()
    ]
    found = "; ".join(f"{what}: {_some(keys)}" for what, keys in problems.items() if keys)
    if found:
        raise WeightsError(f"{origin}: not the weights of {spec.name!r} ({found})")
    model.load_state_dict(
        {key: torch.as_tensor(tensors[key]).float() for key in wanted}, assign=True
    )
    return model.eval()


def save(path: str | Path, spec: ModelSpec, tensors: Mapping[str, Values], source: str) -> None:
    """Write tensors, each in its own type, whole or not at all.

    The header says which model they are, where they come from and their SHA-256.
    """
    path = Path(path)
    if path.is_dir() or not path.name:
        raise WeightsError(f"{path}: is a folder; name the file to write")
    plain = {key: torch.as_tensor(tensors[key]).detach().cpu().contiguous() for key in tensors}
    header = {"model": spec.name, "source": source, "sha256": _digest(plain)}
    # One entry: safetensors writes several in any order, and equal tensors should be equal files.
    metadata = {"movenet": json.dumps(header)}
    part = path.with_name(f"{path.name}.part")
    try:
        part.write_bytes(serialise(plain, metadata))
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise WeightsError(f"{path}: cannot be written ({error.strerror})") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror})") from error


def _parse(path: Path, data: bytes) -> dict[str, Tensor]:
    try:
        tensors: dict[str, Tensor] = parse(data)
    except (SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise WeightsError(
            f"{path}: not a whole safetensors file ({error}); download or convert it again"
        ) from error
    return tensors


def _header(data: bytes) -> dict[str, str]:
    """What `save` said of a safetensors file that parsed: 8 bytes of length, then JSON."""
    length = int.from_bytes(data[:8], "little")
    metadata = json.loads(data[8 : 8 + length]).get("__metadata__", {})
    try:
        entries = json.loads(metadata.get("movenet", "{}"))
    except ValueError:
        return {}  # somebody else's entry
    return entries if isinstance(entries, dict) else {}


def _digest(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, types, shapes and bytes, in the order of the names."""
    digest = hashlib.sha256()
    for key in sorted(tensors):
        value = tensors[key]
        digest.update(f"{key} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _some(keys: list[str]) -> str:
    more = f" and {len(keys) - SHOWN} more" if len(keys) > SHOWN else ""
    return ", ".join(keys[:SHOWN]) + more
