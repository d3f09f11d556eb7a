"""How good the lifting networks are: on subjects that were held out, and how they know it.

    cd training
    python -m lifting.evaluate ../../shared/data/mocap/cmu ../build/lifting

Windows of subjects 07 and 08, some eight of every frame, from level cameras in a room (`ROOM`) and
from anywhere, as in training; the true keypoints in: MPJPE and PA-MPJPE over the 12 limb joints, in
mm. Beside the shipped networks stand mean poses, which know which way a person faces, of training
and of the held-out subjects themselves (the least that is to be had without looking), and networks
trained without variations (`lifting.train --plain --into FOLDER/plain`) where there are some. Then
whole recordings as users lift them: `movenet.lift` picture by picture and of a clip, and a
`Lifter`. Then how often joints are within their uncertainty, with MoveNet's errors on the
keypoints. Writes results/lifting.json and docs/lifting-reliability.png.
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

from lifting.bodies import stature
from lifting.cameras import ANYWHERE, ROOM, Cameras, Scene, Views
from lifting.command import ended
from lifting.errors import FILE, Errors
from lifting.evaluation import (
    LIMBS,
    Score,
    lifted,
    looked_twice,
    products,
    score,
    score_limbs,
    with_errors,
)
from lifting.markers import HIPS, POINTS, points_of
from lifting.recordings import RATE, Recording, recordings
from lifting.rotations import frame, turned
from lifting.simulation import Batch, Simulation
from lifting.windows import Windows
from movenet import Poses
from movenet.lifting import files
from movenet.lifting.network import LiftingNetwork

RESULTS = Path(__file__).parent / "results" / "lifting.json"
PICTURE = Path(__file__).parents[2] / "docs" / "lifting-reliability.png"
SEED, COUNT = 5, 16_000  # about eight windows of every frame
CAMERAS, SIDE = 4, 1000  # of a whole recording; px of a picture's longer side
WHOLE = {
    kind: f"movenet.{name}, whole recordings"
    for kind, name in {"single": "lift", "causal": "Lifter", "centred": "lift"}.items()
}
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


def training_poses(takes: Sequence[Recording]) -> Tensor:
    """As they were recorded, (B, 20, 3)."""
    windows = Windows([take for take in takes if not take.heldout], 1, 0)
    return Simulation(windows, seed=SEED, errors=None).batch(COUNT).points


def mean_pose(poses: Tensor, batch: Batch) -> Tensor:
    """The mean of poses (N, 20, 3), turned as each person of a batch is: (B, 20, 3)."""
    mean = turned(facing(poses).mT[:, None], poses).mean(0)
    return turned(facing(batch.points)[:, None], mean)


def filmed(points: Tensor, cameras: Cameras) -> tuple[list[Poses], Tensor]:
    """A recording's points (T, 20, 3) in body heights, as one standing camera films them.

    Poses over time without a face, of the frames about the middle one in which the hips are in the
    picture and the limbs reach no farther than its longer side; and the limbs' joints (T, 12, 3),
    the pelvis at 0.
    """
    middle = len(points) // 2
    views = cameras.seen(points[None], middle, lean=False)
    rows = in_view(views, middle)
    body = views.body[0, rows]
    keypoints = (views.picture[0, rows, :17] + views.size[0] / 2) * SIDE
    scores = (torch.arange(17) >= 5).float()
    width, height = (views.size[0] * SIDE).round().int().tolist()
    poses = [
        Poses.from_arrays(
            own[None].numpy(), scores[None].numpy(), image_size=(height, width), timestamp_s=time
        )
        for own, time in zip(keypoints, np.arange(len(keypoints)) / RATE, strict=True)
    ]
    return poses, (body - body[:, HIPS].mean(1, keepdim=True))[:, LIMBS]


def in_view(views: Views, middle: int) -> slice:
    """The frames of one camera about the middle one that `filmed` takes."""
    limbs = views.picture[0][:, LIMBS]
    extent = (limbs.amax(1) - limbs.amin(1)).amax(-1)
    hips = views.picture[0][:, HIPS].mean(1).abs()
    out = ((extent > 1) | (hips > views.size[0] / 2).any(-1)).nonzero()[:, 0]
    first = int(out[out < middle].max()) + 1 if (out < middle).any() else 0
    last = int(out[out > middle].min()) if (out > middle).any() else len(limbs)
    return slice(first, last)


def whole_recordings(takes: Sequence[Recording]) -> dict[str, Score]:
    """What users reach on held-out recordings from a few cameras each, by network."""
    cameras = Cameras(torch.Generator().manual_seed(SEED), ROOM)
    found: dict[str, list[Tensor]] = {kind: [] for kind in files.NETWORKS}
    true, heights = [], []
    for take in (take for take in takes if take.heldout for _ in range(CAMERAS)):
        joints, head = (
            torch.tensor(each, dtype=torch.float32) for each in (take.joints, take.head)
        )
        height = stature(joints).median()
        poses, limbs = filmed(points_of(joints[None], head[None])[0] / height, cameras)
        for kind, bodies in products(poses).items():
            found[kind].append(torch.tensor(bodies[:, 5:17], dtype=torch.float32))
        true.append(limbs)
        heights.append(height.expand(len(limbs)))
    return {
        kind: score_limbs(torch.cat(each), torch.cat(true), torch.cat(heights))
        for kind, each in found.items()
    }


def reliability(network: LiftingNetwork, batch: Batch) -> list[dict[str, float]]:
    """How many of the limbs' joints are within so many times their uncertainty.

    If errors were exponential with that median, the share would be 1 - 2^-parts.
    """
    points, uncertainty = looked_twice(network, batch)
    parts = ((points - batch.points).norm(dim=-1) / uncertainty)[:, LIMBS]
    return [{"parts": part, "within": float((parts <= part).float().mean())} for part in PARTS]


def by_uncertainty(network: LiftingNetwork, batch: Batch, groups: int = 10) -> list[list[float]]:
    """The median uncertainty and the median error, body heights, of tenths of the limbs' joints."""
    points, uncertainty = looked_twice(network, batch)
    distance = (points - batch.points).norm(dim=-1)[:, LIMBS].flatten().numpy()
    expected = uncertainty[:, LIMBS].flatten().numpy()
    order = np.array_split(np.argsort(expected), groups)
    return [[float(np.median(expected[g])), float(np.median(distance[g]))] for g in order]


def row(name: str, kind: str, reached: Score) -> dict[str, Any]:
    """One line of the table."""
    return {
        "what": name, "network": kind, "mpjpe_mm": reached.mpjpe, "pa_mpjpe_mm": reached.pa_mpjpe
    }  # fmt: skip


def mean_poses(takes: Sequence[Recording]) -> list[dict[str, Any]]:
    """What is reached without looking at the limbs."""
    batch = held_out(takes, "single", None)
    sources = {"mean pose": training_poses(takes), "mean pose, their own": batch.points}
    return [row(name, "", score(mean_pose(own, batch), batch)) for name, own in sources.items()]


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
    rows, within, curves = mean_poses(takes), {}, {}
    plain, whole = options.folder / "plain", whole_recordings(takes)
    for kind in files.NETWORKS:
        batch, network = held_out(takes, kind, None), files.load(kind)
        if (plain / f"{kind}.safetensors").exists():
            other = files.load(kind, plain / f"{kind}.safetensors")
            rows.append(row("without variations", kind, score(lifted(other, batch), batch)))
        seen = with_errors(held_out(takes, kind, errors))
        for name, windows in (
            ("shipped", batch),
            ("shipped, cameras anywhere", held_out(takes, kind, None, ANYWHERE)),
            ("shipped, others, MoveNet's errors", seen),
        ):
            rows.append(row(name, kind, score(lifted(network, windows), windows)))
        rows.append(row(WHOLE[kind], kind, whole[kind]))
        within[kind], curves[kind] = reliability(network, seen), by_uncertainty(network, seen)
    for each in rows:
        print("{what:36}{network:10}{mpjpe_mm:7.1f}{pa_mpjpe_mm:7.1f}".format(**each))
    draw(curves, options.picture)
    options.results.write_text(
        json.dumps({"held out": rows, "within": within, "by uncertainty": curves}, indent=1) + "\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(ended(main))
