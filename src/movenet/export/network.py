"""What the exporters are given: the network from pixels to Google's tensor, or to its heads."""

import json
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import torch
from torch import Tensor, nn

from movenet.decode import Heads
from movenet.errors import ExportError
from movenet.export.certificate import Floats, Pixels, Run
from movenet.export.job import Job
from movenet.keypoints import NAMES
from movenet.model import MoveNet
from movenet.specs import MULTIPLE

INPUT, OUTPUT = "images", "output"


class Detector(nn.Module):
    """(N, H, W, 3) uint8 RGB -> Google's tensor, (N, 1, 17, 3) or (N, 6, 56) float32."""

    def __init__(self, model: MoveNet):
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """Contiguous inside, whatever the caller's memory looks like: some runtimes believe it."""
        return self.model.detect(images.permute(0, 3, 1, 2).contiguous())


class DenseHeads(nn.Module):
    """(N, H, W, 3) uint8 RGB -> the heads as `Heads` has them, (N, C, H / 4, W / 4) each."""

    def __init__(self, model: MoveNet):
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Those that the network has, in the order of `Heads`."""
        heads = self.model(images.permute(0, 3, 1, 2).contiguous())
        return tuple(head for head in heads if head is not None)


def head_names(model: MoveNet) -> list[str]:
    """The names of what `DenseHeads` gives."""
    several = model.spec.people > 1
    return [name for name in Heads._fields if several or not name.startswith("box")]


def example(shape: tuple[int, int], count: int = 1) -> Tensor:
    """Pixels to trace a network with, (N, H, W, 3) uint8, the same every time."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, *shape, 3), generator=generator, dtype=torch.uint8)


def dynamic(job: Job, *, size: bool = True) -> tuple[dict[int, Any]]:
    """Which sides of the input are free: the batch, and the size unless one was asked for."""
    free: dict[int, Any] = {0: torch.export.Dim("batch", min=1, max=1024)}
    if size and not job.fixed:  # from two cells of stride 32, since torch takes one for a constant
        for axis, side in ((1, "h"), (2, "w")):
            free[axis] = MULTIPLE * torch.export.Dim(side, min=2, max=128)
    return (free,)


def runner(module: Callable[[Tensor], Tensor]) -> Run:
    """A module of tensors as a function of pictures."""

    def run(batch: Pixels) -> Floats:
        with torch.inference_mode():
            output: Floats = module(torch.from_numpy(batch)).numpy()
        return output

    return run


def trace(
    module: nn.Module, pixels: Tensor, *, dynamic: Any = None
) -> torch.export.ExportedProgram:
    """The exported program of a module; ExportError if a constant of it is not contiguous."""
    with torch.no_grad():
        program = torch.export.export(
            module.eval(), (pixels,), dynamic_shapes=dynamic, strict=False
        )
    check_contiguous(program)
    return program


def check_contiguous(program: torch.export.ExportedProgram) -> None:
    """ExportError if a parameter, buffer or constant is not contiguous.

    Converters read such a tensor through a temporary copy; one of them (litert-torch 0.10) then
    took another tensor's numbers for it, by chance.
    """
    values = {**program.state_dict, **program.constants}
    for name, value in values.items():
        if isinstance(value, Tensor) and not value.is_contiguous():
            raise ExportError(
                f"{name}: is not contiguous, and converters may mistake it; "
                "call .contiguous() on it before the export"
            )


def metadata(model: MoveNet, **more: Any) -> dict[str, Any]:
    """What every exported file says of itself."""
    spec = model.spec
    several = "(N, 6, 56): 17 x (y, x, score), ymin, xmin, ymax, xmax, score; by centre score"
    return {
        "model": spec.name,
        "version": version("movenet-pytorch"),
        "source": spec.source,
        "licence": spec.licence,
        "keypoints": list(NAMES),
        "input": "(N, H, W, 3) uint8, RGB 0..255; H and W multiples of 32",
        "output": several if spec.people > 1 else "(N, 1, 17, 3): y, x, score",
        "coordinates": "0..1 of the input",
        **more,
    }


def text(model: MoveNet, **more: Any) -> str:
    """The metadata as JSON, for a file's own entry called "movenet"."""
    return json.dumps(metadata(model, **more))
