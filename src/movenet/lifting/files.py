"""Lifting networks in files: strictly in, and into the package."""

import hashlib
import json
import os
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load as parse
from safetensors.torch import save as serialise
from torch import Tensor

from movenet.errors import WeightsError
from movenet.lifting.network import LiftingNetwork
from movenet.lifting.shipped import FOLDER, MANIFEST, Entry, manifest, read
from movenet.lifting.specs import MODELS, NETWORKS

__all__ = ["FOLDER", "MANIFEST", "NETWORKS", "Entry", "build", "load", "manifest", "ship"]

NAMED = "movenet"  # where a file says which network it holds


def load(kind: str, path: str | Path | None = None) -> LiftingNetwork:
    """ "single", "causal" or "centred", in eval mode, float32: the shipped one, or a file's.

    Raises ValueError for another name, and WeightsError for a file that is missing, damaged, or
    another network's.
    """
    if kind not in NETWORKS:
        raise ValueError(f"network must be one of {', '.join(NETWORKS)}, not {kind!r}")
    shipped = manifest()[kind] if path is None else None
    path = FOLDER / shipped.file if shipped else Path(path or "")
    try:
        tensors = parse(read(path, shipped.sha256 if shipped else ""))
        with safe_open(path, framework="pt") as file:
            name = (file.metadata() or {}).get(NAMED)
    except (SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise WeightsError(f"{path}: not a whole safetensors file ({error})") from error
    if name not in (None, MODELS[kind]):  # one over time looks like the other
        raise WeightsError(f"{path}: holds {name}, and {MODELS[kind]} is needed here")
    return build(kind, tensors, str(path))


def build(kind: str, tensors: dict[str, Tensor], origin: str) -> LiftingNetwork:
    """The network with exactly these tensors; `origin` names the file in a WeightsError."""
    with torch.device("meta"):  # whose random weights nobody needs
        network = LiftingNetwork(**NETWORKS[kind])
    wanted = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in tensors.items()}
    if wrong := sorted(dict(wanted.items() ^ found.items())):
        raise WeightsError(
            f"{origin}: not the weights of {kind!r} (missing, unknown or of another shape: "
            f"{', '.join(wrong[:3])}{' ...' if len(wrong) > 3 else ''})"
        )
    if not all(value.isfinite().all() for value in tensors.values()):
        raise WeightsError(f"{origin}: holds numbers that are not finite; train it again")
    values = {name: value.float() for name, value in tensors.items()}
    network.load_state_dict(values, assign=True)
    return network.eval()


def ship(
    kind: str, network: LiftingNetwork, *, source: str, command: str, folder: Path = FOLDER
) -> Entry:
    """Write a network's float16 file, and its row of the manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: value.half().contiguous() for name, value in network.state_dict().items()}
    data = serialise(tensors, {NAMED: MODELS[kind]})
    entry = Entry(
        file=f"{kind}.safetensors",
        sha256=hashlib.sha256(data).hexdigest(),
        parameters=sum(value.numel() for value in network.parameters()),
        receptive_field=network.receptive_field(),
        source=source,
        command=command,
        licence="MIT",
    )
    rows = manifest(folder) if (folder / MANIFEST).exists() else {}
    rows[kind] = entry
    _replace(folder / entry.file, data)
    text = json.dumps({name: asdict(row) for name, row in sorted(rows.items())}, indent=2)
    _replace(folder / MANIFEST, text.encode() + b"\n")
    return entry


def _replace(path: Path, data: bytes) -> None:
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(data)
    os.replace(part, path)
