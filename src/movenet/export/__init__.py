"""Exported files, each with its certificate: what its own runtime gives, beside PyTorch.

A file is made in a folder beside its place, run, compared, and only then put there. One that
differs by more than its precision allows is not kept.
"""

import importlib
import importlib.util
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from movenet import images, weights
from movenet.errors import ExportError, MoveNetError
from movenet.export import certificate
from movenet.export.certificate import Certificate, Pixels, Shape
from movenet.export.job import CALIBRATED, Job
from movenet.model import MoveNet
from movenet.specs import MULTIPLE

FORMATS = {
    "litert": "litert",
    "onnx": "onnx",
    "openvino": "openvino",
    "torchscript": "torchscript",
    "exported-program": "exported_program",
    "aot-inductor": "aot_inductor",
    "executorch": "executorch",
    "coreml": "coreml",
}
CERTIFICATE = ".certificate.json"  # after the file's name


class Format(Protocol):
    """What the module of a format has."""

    SUFFIX: str
    PRECISIONS: tuple[str, ...]  # the first is the default
    NEEDS: tuple[str, ...]  # modules

    def export(self, job: Job, path: Path) -> None:
        """Write the file."""
        ...

    def verify(self, job: Job, path: Path, planted: Path) -> Certificate:
        """Run it and the planted network's, and compare."""
        ...


def export(  # noqa: PLR0913 (each is a choice of the user's)
    model: str | MoveNet,
    format: str,
    path: str | Path | None = None,
    *,
    precision: str | None = None,
    shapes: Sequence[Shape] = (),
    heads: bool = False,
    calibration: Sequence[str | Path] = (),
    check: Sequence[str | Path] = (),
) -> Certificate:
    """Write a model, or a network of one's own, in another format, and its certificate beside it.

    `format` is one of FORMATS. `path` is the file; without it, the model's name with the format's
    suffix, in the current folder. `precision` is float32, and for LiteRT float16 (the storage of
    the weights; the default) or int8, which needs `calibration` pictures. `shapes` are the input
    shapes (H, W); without them LiteRT gets all that the package uses, ONNX, OpenVINO and
    exported-program any, the others the model's square. `heads` (ONNX) leaves the decoding out.
    `check` are pictures to compare on beside the bundled ones; none may be a calibration picture.
    Raises ValueError for a wrong choice, ImageError for a picture that cannot be read, and
    ExportError where the file cannot be made, written, or is not as good as it must be.
    """
    maker = find(format)
    network = weights.load(model) if isinstance(model, str) else model
    job = make_job(network, format, maker, precision, tuple(shapes), heads)
    job = with_pictures(job, calibration, check)
    target = Path(path or f"{job.spec.name}{maker.SUFFIX}")
    check_target(target, format, maker.SUFFIX)
    companion = target.with_suffix(".bin")
    if format == "openvino" and companion.exists() and not target.exists():
        raise ExportError(f"{companion}: is there, and would be written over; name another file")
    try:
        with staging(target) as folder:
            return made(job, maker, folder, target)
    except OSError as error:
        raise ExportError(f"{target}: cannot be written ({error.strerror or error})") from error


def made(job: Job, maker: Format, folder: Path, target: Path) -> Certificate:
    """Make the file in a folder, certify it, and put both in their place."""
    path = folder / target.name
    planted = folder / "planted" / f"planted{maker.SUFFIX}"
    planted.parent.mkdir()
    with converting(target, job.format):
        maker.export(job, path)
        maker.export(job.planted(), planted)
        proof = maker.verify(job, path, planted)
    shutil.rmtree(planted.parent)
    keep(proof, folder, target)
    return proof


class Proof(Protocol):
    """What a certificate has, whatever it is of."""

    @property
    def failures(self) -> list[str]:
        """What is over its limit, in words."""
        ...

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        ...


def check_target(target: Path, format: str, suffix: str) -> None:
    """ValueError for a name without the format's suffix, ExportError for a folder."""
    if not target.name.endswith(suffix):
        raise ValueError(f"{target}: the name of a file of {format} ends with {suffix}")
    for place in (target, target.with_name(f"{target.name}{CERTIFICATE}")):
        if place.is_dir() and not (place / "Manifest.json").is_file():  # a Core ML package has one
            raise ExportError(f"{place}: is a folder; name another file")


@contextmanager
def converting(target: Path, format: str) -> Iterator[None]:
    """Converters' warnings about themselves are dropped, and their own errors are ExportError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (MoveNetError, OSError):
        raise
    except Exception as error:
        reason = str(error).strip().partition("\n")[0]
        raise ExportError(f"{target}: {format} cannot be made of it ({reason})") from error


def keep(proof: Proof, folder: Path, target: Path) -> None:
    """Put what lies in the folder, and its certificate, into its place; ExportError if not good."""
    if proof.failures:
        raise ExportError(f"{target}: not kept, {'; '.join(proof.failures)}")
    proof.save(folder / f"{target.name}{CERTIFICATE}")
    for item in sorted(folder.iterdir()):
        place = target.parent / item.name
        if place.is_dir():  # a package of an earlier export
            shutil.rmtree(place)
        os.replace(item, place)


def find(name: str) -> Format:
    """The module of a format. ValueError names those there are, ExportError what to install."""
    if name not in FORMATS:
        raise ValueError(f"no format {name!r}; there are {', '.join(FORMATS)}")
    module = f"movenet.export.{FORMATS[name]}"
    try:
        maker: Format = importlib.import_module(module)
        missing = [need for need in maker.NEEDS if importlib.util.find_spec(need) is None]
    except ImportError as error:
        missing = [str(error.name)]
    if missing:
        raise ExportError(
            f"--format {name}: needs {', '.join(missing)}; pip install 'movenet-pytorch[export]'"
        )
    return maker


def make_job(
    model: MoveNet,
    format: str,
    maker: Format,
    precision: str | None,
    shapes: tuple[Shape, ...],
    heads: bool,
) -> Job:
    """The job, its choices checked (ValueError)."""
    spec, precision = model.spec, precision or maker.PRECISIONS[0]
    if precision not in maker.PRECISIONS:
        raise ValueError(f"{format} has {', '.join(maker.PRECISIONS)}, not {precision}")
    if heads and format != "onnx":
        raise ValueError(f"{format} has no heads without decoding; onnx has")
    for h, w in shapes:
        if h < MULTIPLE or w < MULTIPLE or h % MULTIPLE or w % MULTIPLE:
            raise ValueError(f"the sides of a shape are multiples of {MULTIPLE}, not {h}x{w}")
    asked = tuple(dict.fromkeys(shapes))
    if len(asked) > 1 and format != "litert":
        raise ValueError(f"a {format} file has one shape; litert files have several")
    square = (spec.side, spec.side)
    if format == "litert":
        default = spec.shapes
    elif format in ("onnx", "openvino", "torchscript", "exported-program"):
        default = (square, (spec.side, spec.side // 2), (spec.side - 2 * MULTIPLE, spec.side))
    else:
        default = (square,)
    return Job(
        model,
        format,
        precision,
        asked or default,
        fixed=bool(asked),
        needs=maker.NEEDS,
        heads=heads,
    )


def with_pictures(job: Job, calibration: Sequence[str | Path], check: Sequence[str | Path]) -> Job:
    """The job with its pictures read. ExportError where one serves both ends."""
    if calibration and job.precision != "int8":
        raise ValueError(f"calibration pictures are for int8, not {job.precision}")
    if job.precision == "int8" and not calibration:
        raise ValueError("int8 needs pictures to measure ranges on: --calibration DIR")
    sources = spread(images.find(list(calibration)), CALIBRATED) if calibration else []
    measured, own = read(sources), certificate.bundled()
    held = {picture.tobytes() for picture in own}
    for path, picture in zip(sources, measured, strict=True):
        if picture.tobytes() in held:
            raise ExportError(
                f"{path}: is one of the bundled pictures, which are for checking; calibrate on "
                "others"
            )
    known = {picture.tobytes() for picture in measured}
    paths = images.find(list(check)) if check else []
    compared = read(paths)
    for path, picture in zip(paths, compared, strict=True):
        if picture.tobytes() in known:
            raise ExportError(
                f"{path}: is a calibration picture; a check needs pictures that int8 has not seen"
            )
    return replace(job, calibration=tuple(measured), checked=(*own, *compared))


def spread(paths: Sequence[Path], count: int) -> list[Path]:
    """At most `count` of the paths, from all over the list."""
    step = max(1.0, len(paths) / count)
    return [paths[int(index * step)] for index in range(min(count, len(paths)))]


def read(paths: Sequence[Path]) -> list[Pixels]:
    """Pictures of files."""
    return [images.read(path) for path in paths]


@contextmanager
def staging(target: Path) -> Iterator[Path]:
    """A folder beside the target's place, gone afterwards; so are its parents, if left empty."""
    missing = [parent for parent in target.parents if not parent.exists()]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        for parent in missing:
            with suppress(OSError):  # never made, or not empty
                parent.rmdir()
