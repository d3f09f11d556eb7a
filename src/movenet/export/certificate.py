"""The proof that travels with an exported file: what its own runtime gives, beside PyTorch.

A file is compared on whole pictures at every input shape that it has (three where it takes any),
and a planted network that went through the same exporter shows that every cell is found.
"""

import hashlib
import json
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from movenet import images, pictures
from movenet.crop import CropRegion
from movenet.errors import ExportError
from movenet.export import planted
from movenet.machine import Machine
from movenet.model import MoveNet
from movenet.specs import STRIDE

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]
Run = Callable[[Pixels], Floats]  # a file in its runtime: (N, H, W, 3) -> Google's tensor
Shape = tuple[int, int]

CONFIDENT = 0.3  # keypoints over it count where not all do: the model card's threshold
TIMED_RUNS = 20
THREADS = 2  # of the runtimes that can be told


@dataclass(frozen=True, slots=True)
class Limits:
    """What a precision may differ by from PyTorch in float32; None: no limit.

    Pixels are of the input. `moved` is the share of confident keypoints that lie more than a cell
    away; `mean_px` is over confident keypoints, `max_px` and `score` over all.
    """

    max_px: float | None = None
    score: float | None = None
    mean_px: float | None = None
    moved: float | None = None


LIMITS = {
    "float32": Limits(max_px=0.02, score=1e-4),
    "float16": Limits(mean_px=0.05, moved=0.005),
    "int8": Limits(mean_px=0.7, moved=0.03),
}


@dataclass(frozen=True, slots=True)
class Certificate:
    """What was measured of one exported file. Hashes are SHA-256."""

    file: str
    model: str
    format: str
    precision: str
    runtime: str  # what executed the file, with its version; empty: nothing did
    shapes: list[str]
    pictures: int
    keypoints: int
    confident: int
    max_px: float | None  # None: nothing was executed
    mean_px: float | None  # of confident keypoints
    score: float | None
    moved: float | None  # share of confident keypoints
    swept: list[str]  # shapes whose every cell had a planted peak
    cells: int  # of the sweep, and how many peaks of them were missed
    missed_cells: int
    latency_ms: float | None  # median, batch 1, the first shape, `threads` threads
    threads: int | None  # None: as many as the runtime takes by itself
    together: bool  # as one batch too; the largest errors are of that as well
    bytes: int
    sha256: dict[str, str]
    weights_sha256: str
    machine: Machine
    versions: dict[str, str]  # of what made and ran the format
    limits: dict[str, float | None]  # what it was held to, as in Limits
    pictures_sha256: str  # of the pixels of all pictures, one after the other
    calibration: int  # pictures that int8 ranges were measured on, and their pixels' hash
    calibration_sha256: str
    failures: list[str]
    note: str = ""

    @property
    def passed(self) -> bool:
        """Nothing over its limit."""
        return not self.failures

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")

    def table(self) -> str:
        """Some lines for people."""
        title = (
            f"{self.file}: {self.model}, {self.format} {self.precision}, {self.bytes / 1e6:.1f} MB"
        )
        if not self.runtime:
            return f"{title}\n  not executed: {self.note}"
        limits = LIMITS[self.precision]
        rows = (
            ("largest keypoint error", "{:.4f} px", self.max_px, limits.max_px),
            ("mean error, confident keypoints", "{:.4f} px", self.mean_px, limits.mean_px),
            ("moved by more than a cell", "{:.2%}", self.moved, limits.moved),
            ("largest score error", "{:.1e}", self.score, limits.score),
            (f"planted peaks missed, {self.cells} cells", "{}", self.missed_cells, 0),
        )
        threads = f" on {self.threads} threads" if self.threads else ""
        lines = [title, f"  run by {self.runtime}, {self.latency_ms:.1f} ms{threads}"]
        for name, form, value, limit in rows:
            bound = "" if limit is None else f"(limit {form.format(limit)})"
            lines.append(f"  {name:<36} {form.format(value):>11}  {bound}".rstrip())
        lines.append(
            f"  {self.keypoints} keypoints compared, {self.confident} of them confident: "
            f"{self.pictures} pictures at {', '.join(self.shapes)}"
            f"{', and as one batch' if self.together else ''}"
        )
        return "\n".join(lines)


def bundled() -> list[Pixels]:
    """The pictures of the package, and their mirror images."""
    found = [images.read(pictures.path(name)) for name in pictures.NAMES]
    return found + [np.ascontiguousarray(picture[:, ::-1]) for picture in found]


def fitted(picture: Pixels, shape: Shape) -> Pixels:
    """The whole picture in the middle of an input of that shape, at one scale."""
    height, width = picture.shape[:2]
    step = max(height / shape[0], width / shape[1])
    top, left = (height - step * shape[0]) / 2, (width - step * shape[1]) / 2
    return CropRegion(left, top, step, step, shape).extract(picture)


@dataclass(frozen=True, slots=True)
class Errors:
    """Each keypoint's distance in px of the input, its score's error, and PyTorch's score."""

    px: Floats
    score: Floats
    confidence: Floats


def compare(run: Run, model: MoveNet, checked: Iterable[Pixels], shape: Shape) -> Errors:
    """A file in its runtime against PyTorch float32, picture by picture, at one shape."""
    rows = []
    with torch.inference_mode():
        for picture in checked:
            batch = fitted(picture, shape)[None]
            tensor = torch.from_numpy(batch).permute(0, 3, 1, 2)
            rows.append(errors_of(run(batch), model.detect(tensor).numpy(), shape))
    return Errors(*(np.concatenate(column) for column in zip(*rows, strict=True)))


def compare_batch(run: Run, model: MoveNet, checked: Iterable[Pixels], shape: Shape) -> Errors:
    """The same, all pictures together."""
    batch = np.stack([fitted(picture, shape) for picture in checked])
    with torch.inference_mode():
        wanted = [
            model.detect(torch.from_numpy(row[None]).permute(0, 3, 1, 2)).numpy() for row in batch
        ]
    return Errors(*errors_of(run(batch), np.concatenate(wanted), shape))


def joined(parts: Sequence[Errors]) -> Errors:
    """Several comparisons as one."""
    columns = zip(*((part.px, part.score, part.confidence) for part in parts), strict=True)
    return Errors(*(np.concatenate(column) for column in columns))


def errors_of(got: Floats, wanted: Floats, shape: Shape) -> tuple[Floats, Floats, Floats]:
    """Of Google's tensors: distances of keypoints and box corners in px, errors, scores."""
    if got.shape != wanted.shape:
        raise ExportError(f"the file gives {got.shape}, not {wanted.shape}")
    points, scores = unpacked(got)
    true_points, true_scores = unpacked(wanted)
    px = np.linalg.norm((points - true_points) * np.array(shape), axis=-1)
    return px.astype(np.float32), np.abs(scores - true_scores), true_scores


def unpacked(output: Floats) -> tuple[Floats, Floats]:
    """Google's tensor -> points (M, 2) (y, x) in 0..1 and their scores (M,).

    A person's box counts as two points with the person's score.
    """
    if output.shape[-1] == 3:
        flat = output.reshape(-1, 3)
        return flat[:, :2], flat[:, 2]
    rows = output.reshape(-1, 56)
    keypoints = rows[:, :51].reshape(-1, 3)
    corners = rows[:, 51:55].reshape(-1, 2)
    points = np.concatenate([keypoints[:, :2], corners])
    return points, np.concatenate([keypoints[:, 2], np.repeat(rows[:, 55], 2)])


def sweep(run: Run, shape: Shape) -> tuple[int, int]:
    """Of a planted network's file: how many cells were planted, and how many peaks missed."""
    cells = missed = 0
    for picture, places in planted.pictures(shape):
        missed += planted.missed(run(picture[None])[0], places, shape)
        cells += planted.BLOCK**2
    return cells, missed


def latency_ms(run: Run, shape: Shape) -> float:
    """Median time of one picture."""
    batch = np.zeros((1, *shape, 3), np.uint8)
    times = []
    for _ in range(TIMED_RUNS):
        start = time.perf_counter()
        run(batch)
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)


def failures(precision: str, errors: Errors, missed_cells: int) -> list[str]:
    """What is over the precision's limits, in words."""
    limits, seen = LIMITS[precision], errors.confidence > CONFIDENT
    found = [
        f"{name} {value:.3g}, over the limit of {limit:g}"
        for name, value, limit in (
            ("largest keypoint error in px", largest(errors.px), limits.max_px),
            ("largest score error", largest(errors.score), limits.score),
            ("mean keypoint error in px", mean(errors.px[seen]), limits.mean_px),
            ("share of keypoints moved by a cell", moved(errors.px[seen]), limits.moved),
        )
        if limit is not None and not value <= limit  # not a number fails as well
    ]
    if limits.mean_px is not None and not seen.any():
        found.append("no confident keypoint to compare; give --check pictures that show people")
    if missed_cells:
        found.append(f"{missed_cells} planted peaks missed")
    return found


def largest(values: Floats) -> float:
    """The largest; not a number where one is not."""
    return float(values.max(initial=0.0))


def mean(values: Floats) -> float:
    """The mean; 0 of nothing."""
    return float(values.mean()) if len(values) else 0.0


def moved(px: Floats) -> float:
    """The share that lies more than a cell away."""
    return mean((~(px <= STRIDE)).astype(np.float32))


def size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder, or of a file and its companions."""
    return sum(file.stat().st_size for file in files_of(path))


def files_of(path: Path) -> list[Path]:
    """A file, or the files in a folder; with an .xml of OpenVINO the .bin beside it."""
    if path.is_dir():
        return sorted(file for file in path.rglob("*") if file.is_file())
    companion = path.with_suffix(".bin")
    return [path, companion] if path.suffix == ".xml" and companion.is_file() else [path]


def digest(path: Path) -> dict[str, str]:
    """The SHA-256 of a file, or of each file in a folder, by its name."""
    base = path.parent
    return {
        file.relative_to(base).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in files_of(path)
    }


def pictures_digest(checked: Iterable[Pixels]) -> str:
    """The SHA-256 of pictures' pixels, one after the other."""
    total = hashlib.sha256()
    for picture in checked:
        total.update(picture.tobytes())
    return total.hexdigest()


def weights_digest(model: nn.Module) -> str:
    """The SHA-256 of a network's numbers, in the order of their names."""
    total = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        total.update(name.encode())
        total.update(value.contiguous().numpy().tobytes())
    return total.hexdigest()


def versions(modules: Sequence[str]) -> dict[str, str]:
    """Of the packages that a format needs, by the names of their modules."""
    packages = [module.replace("_", "-") for module in modules]
    return {package: version(package) for package in packages}
