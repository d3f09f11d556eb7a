"""How good the lifting networks are: on subjects that were held out, and how they know it.

    cd training
    python -m lifting.evaluate ../../shared/data/mocap/cmu ../build/lifting

Windows of subjects 07 and 08, some eight of every frame, from level cameras in a room (`ROOM`) and
from anywhere, as in training; the true keypoints in: MPJPE and PA-MPJPE over the 12 limb joints, in
mm. Beside the shipped networks stand a mean pose, which knows which way a
person faces, and networks trained without variations (`lifting.train --plain --into FOLDER/plain`)
where there are some. Then how often joints are within their uncertainty, with MoveNet's errors on
the keypoints. Writes results/lifting.json and docs/lifting-reliability.png.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lifting.cameras import ANYWHERE, ROOM, Scene
from lifting.errors import FILE, Errors
from lifting.evaluation import LEARNT, LIMBS, lifted, score
from lifting.markers import HIPS, POINTS
from lifting.recordings import Recording, recordings
from lifting.rotations import frame, turned
from lifting.simulation import Batch, Simulation
from lifting.windows import Windows
from movenet.lifting import files
from movenet.lifting.network import LiftingNetwork

RESULTS = Path(__file__).parent / "results" / "lifting.json"
PICTURE = Path(__file__).parents[2] / "docs" / "lifting-reliability.png"
SEED, COUNT = 5, 16_000  # about eight windows of every frame
# Of the errors that a joint may have, in its uncertainty, where shares are told.
PARTS = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0)


def held_out(
    takes: Sequence[Recording], kind: str, errors: Errors | None, scene: Scene = ROOM
) -> Batch:
    """Windows of the subjects that nothing was trained on."""
    shape = files.NETWORKS[kind]
    chosen = [take for take in takes if take.heldout]
    windows = Windows(chosen, shape["frames"], shape["reference"])
    return Simulation(windows, seed=SEED, errors=errors, scene=scene).batch(COUNT)


def facing(points: Tensor) -> Tensor:
    """The axes of people by their hips and neck, in columns: (B, 20, 3) -> (B, 3, 3)."""
    return frame(points[:, HIPS[0]] - points[:, HIPS[1]], points[:, POINTS.index("neck")])


def mean_pose(takes: Sequence[Recording], batch: Batch) -> Tensor:
    """The mean of the training poses, turned as each person is: (B, 20, 3)."""
    windows = Windows([take for take in takes if not take.heldout], 1, 0)
    trained = Simulation(windows, seed=SEED, errors=None).batch(COUNT).points
    mean = turned(facing(trained).mT[:, None], trained).mean(0)
    return turned(facing(batch.points)[:, None], mean)


def reliability(network: LiftingNetwork, batch: Batch) -> list[dict[str, float]]:
    """How many of the limbs' joints are within so many times their uncertainty.

    If errors were exponential with that median, the share would be 1 - 2^-parts.
    """
    with torch.no_grad():
        joints, uncertainty = network(batch.keypoints, batch.scores)
    distance = (joints[:, LEARNT] - batch.points).norm(dim=-1)[:, LIMBS]
    parts = distance / uncertainty[:, LEARNT][:, LIMBS]
    return [{"parts": part, "within": float((parts <= part).float().mean())} for part in PARTS]


def by_uncertainty(network: LiftingNetwork, batch: Batch, groups: int = 10) -> list[list[float]]:
    """The median uncertainty and the median error, body heights, of tenths of the limbs' joints."""
    with torch.no_grad():
        joints, uncertainty = network(batch.keypoints, batch.scores)
    distance = (joints[:, LEARNT] - batch.points).norm(dim=-1)[:, LIMBS].flatten().numpy()
    expected = uncertainty[:, LEARNT][:, LIMBS].flatten().numpy()
    order = np.array_split(np.argsort(expected), groups)
    return [[float(np.median(expected[g])), float(np.median(distance[g]))] for g in order]


def row(name: str, kind: str, found: Tensor, batch: Batch) -> dict[str, Any]:
    """One line of the table."""
    mpjpe, pa_mpjpe = score(found, batch)
    return {"what": name, "network": kind, "mpjpe_mm": mpjpe, "pa_mpjpe_mm": pa_mpjpe}


def draw(curves: dict[str, list[list[float]]], path: Path) -> None:
    """Reliability: the errors that were expected, and those that there were."""
    from matplotlib.figure import Figure  # noqa: PLC0415 (an extra)

    axes = (figure := Figure(figsize=(5, 5), layout="constrained")).subplots()
    most = max(value for curve in curves.values() for point in curve for value in point)
    axes.plot([0, most], [0, most], color="grey", linewidth=0.8)
    for kind, curve in curves.items():
        axes.plot(*zip(*curve, strict=True), marker="o", markersize=4, label=kind)
    axes.set(xlabel="uncertainty, body heights", ylabel="median error, body heights")
    axes.legend()
    figure.savefig(path, dpi=120)


def main(argv: Sequence[str] | None = None) -> int:
    """Evaluate, print, save."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("recordings", type=Path, help="the folder of CMU's recordings")
    parser.add_argument("folder", type=Path, help=f"has {FILE}, and plain/ with plain networks")
    parser.add_argument("--results", type=Path, default=RESULTS, help="default: %(default)s")
    parser.add_argument("--picture", type=Path, default=PICTURE, help="default: %(default)s")
    options = parser.parse_args(argv)
    takes, errors = list(recordings(options.recordings)), Errors.read(options.folder / FILE)
    rows, within, curves = [], {}, {}
    plain = options.folder / "plain"
    for kind in files.NETWORKS:
        batch, network = held_out(takes, kind, None), files.load(kind)
        if kind == "single":
            rows.append(row("mean pose", "", mean_pose(takes, batch), batch))
        if (plain / f"{kind}.safetensors").exists():
            other = files.load(kind, plain / f"{kind}.safetensors")
            rows.append(row("without variations", kind, lifted(other, batch), batch))
        rows.append(row("shipped", kind, lifted(network, batch), batch))
        far = held_out(takes, kind, None, ANYWHERE)
        rows.append(row("shipped, cameras anywhere", kind, lifted(network, far), far))
        seen = held_out(takes, kind, errors)
        rows.append(row("shipped, others, MoveNet's errors", kind, lifted(network, seen), seen))
        within[kind], curves[kind] = reliability(network, seen), by_uncertainty(network, seen)
    for each in rows:
        print("{what:36}{network:10}{mpjpe_mm:7.1f}{pa_mpjpe_mm:7.1f}".format(**each))
    draw(curves, options.picture)
    options.results.write_text(
        json.dumps({"held out": rows, "within": within, "by uncertainty": curves}, indent=1) + "\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
