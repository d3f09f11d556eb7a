"""Core ML (.mlpackage): one size, one picture, given as an RGB image. It runs on macOS only.

Elsewhere the package is built and its description checked, and the certificate says so.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from movenet.errors import ExportError
from movenet.export.certificate import Certificate, Floats, Pixels, Run
from movenet.export.job import Job
from movenet.export.network import INPUT, OUTPUT, check_contiguous, text
from movenet.model import MoveNet

SUFFIX = ".mlpackage"
PRECISIONS = ("float32",)
NEEDS = ("coremltools",)
INPUT_CONTRACT = "an RGB image of H x W"


class Planar(nn.Module):
    """(1, 3, H, W) RGB 0..255 -> Google's tensor: Core ML gives pictures as planes."""

    def __init__(self, model: MoveNet):
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """As `MoveNet.detect`."""
        return self.model.detect(images.contiguous())


def export(job: Job, path: Path) -> None:
    """Write the package."""
    import coremltools

    keep_integer_division()
    shape = (1, 3, *job.shapes[0])
    with torch.no_grad():
        program = torch.export.export(Planar(job.model).eval(), (torch.zeros(shape),), strict=False)
    check_contiguous(program)
    pipeline = coremltools.PassPipeline.DEFAULT
    pipeline.remove_passes({"common::fuse_stack_split"})  # fails on MultiPose (coremltools 9.0)
    made = coremltools.convert(
        program.run_decompositions({}),
        inputs=[coremltools.ImageType(INPUT, shape=shape)],
        outputs=[coremltools.TensorType(OUTPUT)],
        minimum_deployment_target=coremltools.target.iOS16,
        compute_precision=coremltools.precision.FLOAT32,  # in float16 a cell over 2048 is lost
        pass_pipeline=pipeline,
        skip_model_load=True,
    )
    made.user_defined_metadata["movenet"] = text(job.model, input=INPUT_CONTRACT)
    made.license, made.version = job.spec.licence, json.loads(text(job.model))["version"]
    made.short_description = f"MoveNet {job.spec.name}"
    made.save(str(path))


def verify(job: Job, path: Path, planted: Path) -> Certificate:
    """Check the description; on macOS run it as well."""
    from importlib.metadata import version

    check_description(job, path)
    runtime = f"Core ML, coremltools {version('coremltools')}"
    if sys.platform != "darwin":
        return job.unexecuted(
            path, "Core ML runs on macOS only; the package's description was checked"
        )
    return job.certify(
        path, runtime, open_file(path), open_file(planted), batches=False, threads=None
    )


def check_description(job: Job, path: Path) -> None:
    """ExportError unless the package takes the picture and gives the tensor that it should."""
    import coremltools

    spec = coremltools.utils.load_spec(str(path))
    picture = spec.description.input[0].type.imageType
    output = tuple(spec.description.output[0].type.multiArrayType.shape)
    h, w = job.shapes[0]
    rgb = picture.ColorSpace.Value("RGB")
    if (picture.height, picture.width, picture.colorSpace) != (h, w, rgb):
        raise ExportError(f"{path}: does not take {h}x{w} RGB pictures")
    if output and output != (1, *job.spec.output_shape):
        raise ExportError(f"{path}: gives {output}, not {(1, *job.spec.output_shape)}")
    if spec.description.metadata.userDefined["movenet"] != text(job.model, input=INPUT_CONTRACT):
        raise ExportError(f"{path}: does not carry its metadata")


def open_file(path: Path) -> Run:
    """A package as a function of pictures, on macOS."""
    import coremltools
    from PIL import Image

    model: Any = coremltools.models.MLModel(str(path))

    def run(batch: Pixels) -> Floats:
        outputs = [model.predict({INPUT: Image.fromarray(p)})[OUTPUT] for p in batch]
        return np.concatenate(outputs).astype(np.float32)

    return run


def keep_integer_division() -> None:
    """Let coremltools keep whole numbers whole: its own floor division makes floats of them."""
    from coremltools.converters.mil import Builder
    from coremltools.converters.mil.frontend.torch.ops import _get_inputs
    from coremltools.converters.mil.frontend.torch.torch_op_registry import register_torch_op

    @register_torch_op(override=True)  # type: ignore[untyped-decorator]
    def floor_divide(context: Any, node: Any) -> None:
        x, y = _get_inputs(context, node, expected=2)
        context.add(Builder.floor_div(x=x, y=y, name=node.name))
