"""The proof that travels with an exported lifting network: its own runtime beside PyTorch."""

import hashlib
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from movenet.errors import ExportError
from movenet.lifting.specs import MODELS, NETWORKS
from movenet.machine import Machine

Floats = NDArray[np.float32]
Run = Callable[[Floats, Floats], tuple[Floats, Floats]]  # windows and scores -> what is lifted

WINDOWS = 64
TIMED_RUNS = 20
# Every file computes in float32, and float16 is only how weights are stored that it holds exactly.
LIMITS = {"joints": 1e-5, "uncertainty": 1e-4}


@dataclass(frozen=True, slots=True)
class Certificate:
    """What was measured of one exported file. Hashes are SHA-256."""

    file: str
    model: str
    format: str
    precision: str
    runtime: str  # what executed the file, with its version
    windows: int  # compared one by one, and as one batch
    frames: int  # of each
    missing: float  # share of the keypoints
    joints: float  # the largest error of a joint, body heights
    uncertainty: float  # the largest error of an uncertainty, in parts of it
    latency_ms: float  # median, of one window, on one thread
    bytes: int
    sha256: dict[str, str]
    weights_sha256: str
    windows_sha256: str  # of the keypoints and the scores compared
    machine: Machine
    versions: dict[str, str]  # of what made and ran the format
    limits: dict[str, float]
    failures: list[str]

    @property
    def passed(self) -> bool:
        """Nothing over its limit."""
        return not self.failures

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")

    def table(self) -> str:
        """Some lines for people."""
        joints, uncertainty = (f"(limit {LIMITS[name]:.0e})" for name in ("joints", "uncertainty"))
        frames = "frame" if self.frames == 1 else "frames"
        return "\n".join((
            f"{self.file}: {self.model}, {self.format} {self.precision}, {self.bytes / 1e6:.1f} MB",
            f"  run by {self.runtime}, {self.latency_ms:.2f} ms on 1 thread",
            f"  largest joint error        {self.joints:.1e} body heights  {joints}",
            f"  largest uncertainty error  {self.uncertainty:.1e} of it          {uncertainty}",
            f"  {self.windows} windows of {self.frames} {frames} compared, {self.missing:.0%} of "
            "their keypoints missing: one by one, and as one batch",
        ))  # fmt: skip


def windows(kind: str) -> tuple[Floats, Floats]:
    """Made-up people who move: (64, T, 17, 2), and their scores (64, T, 17); always the same.

    A third of the keypoints is missing; of some people all, all in the frame that is lifted, all
    but one in every frame, or none. What is missing has no coordinates (NaN).
    """
    random = np.random.default_rng(0)
    frames, reference = NETWORKS[kind]["frames"], NETWORKS[kind]["reference"]
    middle = random.uniform(-0.4, 0.4, (WINDOWS, 1, 1, 2))
    size = np.exp(random.uniform(np.log(0.02), np.log(0.5), (WINDOWS, 1, 1, 1)))
    pose, way, noise = (
        random.normal(0, sigma, (WINDOWS, count, 17, 2))
        for sigma, count in ((0.4, 1), (0.3, 1), (0.02, frames))
    )
    passed = np.linspace(0, 1, frames)[:, None, None]
    keypoints = (middle + size * (pose + way * passed + noise)).astype(np.float32)
    scores = random.uniform(0.05, 1, keypoints.shape[:3]).astype(np.float32)
    scores[random.uniform(size=scores.shape) < 1 / 3] = 0
    scores[0] = 0
    scores[1, reference] = 0
    scores[2, :, 1:] = 0
    scores[3] = np.maximum(scores[3], 0.05)
    keypoints[scores == 0] = np.nan
    return keypoints, scores


def errors(run: Run, true: Run, kind: str) -> tuple[float, float]:
    """The largest error of a joint, and of an uncertainty in parts of it, over all windows."""
    keypoints, scores = windows(kind)
    wanted = true(keypoints, scores)
    alone = [run(keypoints[n : n + 1], scores[n : n + 1]) for n in range(len(scores))]
    found = (tuple(map(np.concatenate, zip(*alone, strict=True))), run(keypoints, scores))
    joints, uncertainty = (np.stack(values) for values in zip(*found, strict=True))
    for got, values in ((joints, wanted[0]), (uncertainty, wanted[1])):
        if got.shape[1:] != values.shape:
            raise ExportError(f"the file gives {got.shape[1:]}, not {values.shape}")
    spread = np.maximum(wanted[1], np.finfo(np.float32).tiny)  # the pelvis' is 0
    return (
        float(np.linalg.norm(joints - wanted[0], axis=-1).max()),
        float((np.abs(uncertainty - wanted[1]) / spread).max()),
    )


def failures(found: dict[str, float]) -> list[str]:
    """What is over its limit, in words."""
    return [
        f"largest error of {name} {value:.3g}, over the limit of {LIMITS[name]:g}"
        for name, value in found.items()
        if not value <= LIMITS[name]  # not a number fails as well
    ]


def latency_ms(run: Run, kind: str) -> float:
    """Median time of one window."""
    keypoints, scores = (values[:1] for values in windows(kind))
    times = []
    for _ in range(TIMED_RUNS):
        start = time.perf_counter()
        run(keypoints, scores)
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)


def about(kind: str) -> dict[str, Any]:
    """Which windows were compared."""
    keypoints, scores = windows(kind)
    return {
        "model": MODELS[kind],
        "windows": len(scores),
        "frames": scores.shape[1],
        "missing": float((scores == 0).mean()),
        "windows_sha256": hashlib.sha256(keypoints.tobytes() + scores.tobytes()).hexdigest(),
        "limits": dict(LIMITS),
    }
