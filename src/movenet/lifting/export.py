"""Exported lifting networks, each with its certificate: what its own runtime gives, and PyTorch.

A file is made in a folder beside its place, run, compared, and only then put there. One that
differs by too much is not kept.
"""

import importlib.util
import json
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from movenet import keypoints
from movenet.errors import ExportError
from movenet.export import check_target, converting, keep, staging
from movenet.export.certificate import digest, size, versions, weights_digest
from movenet.export.network import check_contiguous
from movenet.lifting import certificate, files, joints
from movenet.lifting.certificate import Certificate
from movenet.lifting.engines import Engine, select_engine
from movenet.lifting.engines.torch import TorchEngine
from movenet.lifting.network import LiftingNetwork
from movenet.lifting.specs import MODELS, NETWORKS, RATE
from movenet.machine import this_machine

INPUTS, OUTPUTS = ["keypoints", "scores"], ["joints", "uncertainty"]
LARGEST_BATCH = 1024
OPSET = 18  # of ONNX


class Plain(nn.Module):
    """A network whose outputs are a plain pair, which every format knows."""

    def __init__(self, network: LiftingNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, keypoints: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
        """(N, T, 17, 2), (N, T, 17) -> (N, 21, 3), (N, 21)."""
        joints, uncertainty = self.network(keypoints, scores)
        return joints, uncertainty


class Job(NamedTuple):
    """A network to be exported, and how."""

    kind: str
    network: LiftingNetwork
    precision: str
    text: str  # what the file says of itself, JSON

    def example(self) -> tuple[Tensor, Tensor]:
        """Two windows to trace the network with."""
        frames = self.network.frames
        return torch.zeros(2, frames, 17, 2), torch.ones(2, frames, 17)

    def program(self) -> torch.export.ExportedProgram:
        """The network for any batch."""
        free = {0: torch.export.Dim("batch", min=1, max=LARGEST_BATCH)}
        with torch.no_grad():
            program = torch.export.export(
                Plain(self.network), self.example(), dynamic_shapes=(free, free), strict=False
            )
        check_contiguous(program)
        return program


class Format(NamedTuple):
    """How a format is written, and what runs it."""

    suffix: str
    write: Callable[[Job, Path], None]
    open: Callable[[str, Path], Engine]
    precisions: tuple[str, ...] = ("float32",)  # the first is the default
    needs: tuple[str, ...] = ()  # modules


def write_litert(job: Job, path: Path) -> None:
    """TFLite, operator by operator."""
    from movenet.lifting.litert_network import packed  # noqa: PLC0415 (not on every machine)

    tensors = {name: value.float().numpy() for name, value in job.network.state_dict().items()}
    narrow, metadata = job.precision == "float16", {"movenet": job.text.encode()}
    path.write_bytes(packed(job.kind, tensors, narrow=narrow, metadata=metadata))


def write_onnx(job: Job, path: Path) -> None:
    """ONNX, with PyTorch's own exporter."""
    made = torch.onnx.export(
        job.program(),
        dynamo=True,
        opset_version=OPSET,
        input_names=INPUTS,
        output_names=OUTPUTS,
        verbose=False,
    )
    assert made is not None
    made.model.metadata_props["movenet"] = job.text
    made.save(path)


def write_torchscript(job: Job, path: Path) -> None:
    """TorchScript, for programs that load models with libtorch."""
    with torch.no_grad():
        made = torch.jit.trace(Plain(job.network).eval(), job.example(), check_trace=False)
    torch.jit.save(made, path, _extra_files={"movenet": job.text})


def write_program(job: Job, path: Path) -> None:
    """torch.export's own format."""
    torch.export.save(job.program(), path, extra_files={"movenet": job.text})


def open_torchscript(kind: str, path: Path) -> Engine:
    """Run by torch.jit."""
    engine = TorchEngine(kind, torch.jit.load(path))
    engine.runtime = f"TorchScript {torch.__version__}"
    return engine


def open_program(kind: str, path: Path) -> Engine:
    """Run by PyTorch."""
    engine = TorchEngine(kind, torch.export.load(path).module())
    engine.runtime = f"torch.export {torch.__version__}"
    return engine


FORMATS = {
    "litert": Format(
        ".tflite", write_litert, select_engine, ("float16", "float32"), ("ai_edge_litert",)
    ),
    "onnx": Format(".onnx", write_onnx, select_engine, needs=("onnx", "onnxscript", "onnxruntime")),
    "torchscript": Format(".pt", write_torchscript, open_torchscript),
    "exported-program": Format(".pt2", write_program, open_program),
}


def export(
    model: str,
    format: str,
    path: str | Path | None = None,
    *,
    precision: str | None = None,
    weights: str | Path | None = None,
) -> Certificate:
    """Write "lift-single", "lift-causal" or "lift-centred", and its certificate beside it.

    `format` is one of FORMATS. `path` is the file; without it, the model's name with the format's
    suffix, in the current folder. `precision` is how LiteRT stores the weights: float16 (the
    default; those that it holds exactly) or float32. `weights` is a safetensors file in place of
    the package's. Raises ValueError for a wrong choice, WeightsError for weights that cannot be
    read, and ExportError where the file cannot be made, written, or is not as good as it must be.
    """
    kinds = {name: kind for kind, name in MODELS.items()}
    if model not in kinds:
        raise ValueError(f"no lifting network {model!r}; there are {', '.join(kinds)}")
    maker = find(model, format)
    precision = precision or maker.precisions[0]
    if precision not in maker.precisions:
        raise ValueError(f"{model} as {format} has {', '.join(maker.precisions)}, not {precision}")
    target = Path(path or f"{model}{maker.suffix}")
    check_target(target, format, maker.suffix)
    kind = kinds[model]
    network = files.load(kind, weights)
    text = json.dumps(metadata(kind, weights, precision))
    job = Job(kind, network, precision, text)
    try:
        with staging(target) as folder:
            with converting(target, format):
                maker.write(job, folder / target.name)
                proof = certify(job, format, folder / target.name)
            keep(proof, folder, target)
    except OSError as error:
        raise ExportError(f"{target}: cannot be written ({error.strerror or error})") from error
    return proof


def find(model: str, name: str) -> Format:
    """A format. ValueError names those there are, ExportError what to install."""
    if name not in FORMATS:
        raise ValueError(f"{model} has no format {name}; it has {', '.join(FORMATS)}")
    maker = FORMATS[name]
    if missing := [need for need in maker.needs if importlib.util.find_spec(need) is None]:
        raise ExportError(
            f"--format {name}: needs {', '.join(missing)}; pip install 'movenet-pytorch[export]'"
        )
    return maker


def certify(job: Job, format: str, path: Path) -> Certificate:
    """Run a file in its runtime, and compare."""
    maker, true = FORMATS[format], TorchEngine(job.kind, job.network)
    run = maker.open(job.kind, path)
    joint, uncertainty = certificate.errors(run, true, job.kind)
    return Certificate(
        **certificate.about(job.kind),
        file=path.name,
        format=format,
        precision=job.precision,
        runtime=run.runtime,
        joints=joint,
        uncertainty=uncertainty,
        latency_ms=certificate.latency_ms(run, job.kind),
        bytes=size(path),
        sha256=digest(path),
        weights_sha256=weights_digest(job.network),
        machine=this_machine(),
        versions=versions(maker.needs),
        failures=certificate.failures({"joints": joint, "uncertainty": uncertainty}),
    )


def metadata(kind: str, weights: str | Path | None, precision: str) -> dict[str, Any]:
    """What an exported file says of itself."""
    frames, reference = NETWORKS[kind]["frames"], NETWORKS[kind]["reference"]
    entry = files.manifest()[kind]
    of_package = {"source": entry.source, "licence": entry.licence}
    return {
        "model": MODELS[kind],
        "version": version("movenet-pytorch"),
        **(of_package if weights is None else {"source": Path(weights).name}),
        "keypoints": list(keypoints.NAMES),
        "joints": list(joints.NAMES),
        "frames": frames,
        "frame_lifted": reference,
        "frames_per_second": RATE,
        "input": f"keypoints (N, {frames}, 17, 2) float32: x, y from the picture's middle, in "
        f"parts of its longer side; scores (N, {frames}, 17) float32, 0 for what is missing",
        "output": "joints (N, 21, 3): x right, y down, z away from the camera, from the pelvis, in "
        "body heights; uncertainty (N, 21): the error that half of the joints exceed",
        "precision": precision,
    }
