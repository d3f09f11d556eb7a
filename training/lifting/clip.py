"""Lifted bodies against the same man triangulated from four cameras: MoveNet's keypoints in.

    cd training
    python -m lifting.offsets ../../shared/data/videos ../../shared/data/mocap/cmu ../build/lifting
    python -m lifting.clip ../build/lifting

Each camera's keypoints are lifted by themselves. Steady: how much the lengths of the limbs vary
over the clip before they are held, their deviation over their mean; beside it how far joints move
from frame to frame, over how far the triangulated ones do, so that a frozen pose would show.
Swapped: frames in which the arms, or the legs, fit better with left and right exchanged; bodies are
not turned for that, or one who faces the wrong way would fit. Writes results/clip.json.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lifting.command import ended
from lifting.evaluation import products, score_limbs
from lifting.offsets import FILE
from movenet import Poses
from movenet.errors import MoveNetError
from movenet.keypoints import INDEX, MIRROR
from movenet.lifting.history import sampled
from movenet.lifting.lifter import CENTRED_S, Network, normalised

Floats = NDArray[np.float64]

RESULTS = Path(__file__).parent / "results" / "clip.json"
SIZES = ((1920, 1080), (1920, 1080), (1920, 1088), (1920, 1088))  # of the cameras' pictures
LIMBS = slice(5, 17)  # the 12 joints
ARMS, LEGS = slice(0, 6), slice(6, 12)  # of these
EXCHANGED = [place - 5 for place in MIRROR[5:17]]
BONES = [
    (INDEX[f"{side}_{upper}"], INDEX[f"{side}_{lower}"])
    for side in ("left", "right")
    for upper, lower in (
        ("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle")
    )
]  # fmt: skip


def poses_of(keypoints: Floats, times: Floats, size: tuple[int, int]) -> list[Poses]:
    """One person's x, y, score (T, 17, 3) over time, in pictures of that height and width."""
    return [
        Poses.from_arrays(
            rows[None, :, :2], rows[None, :, 2], image_size=size, ids=[1], timestamp_s=time
        )
        for rows, time in zip(keypoints, times, strict=True)
    ]


def raw(poses: Sequence[Poses], times: Floats) -> Floats:
    """What the centred network gives, before bones are held to their lengths: (T, 21, 3)."""
    points, scores = (
        np.concatenate(values) for values in zip(*map(normalised, poses), strict=True)
    )
    joints, _ = Network("centred")(*sampled(times, points, scores, times[:, None] + CENTRED_S))
    return joints.astype(np.float64)


def lengths(joints: Floats) -> Floats:
    """Of the eight bones of the limbs, (T, 8)."""
    result: Floats = np.linalg.norm(
        joints[:, [upper for upper, _ in BONES]] - joints[:, [lower for _, lower in BONES]], axis=-1
    )
    return result


def compared(name: str, found: Floats, true: Floats, stature: float) -> dict[str, Any]:
    """Lifted (T, 21, 3) in body heights, against (T, 17, 3) m from the pelvis, camera axes."""
    mine = torch.tensor(found[:, LIMBS], dtype=torch.float32)
    theirs = torch.tensor(true[:, LIMBS] / stature, dtype=torch.float32)
    heights = torch.full((len(found),), stature)
    mpjpe, pa_mpjpe = score_limbs(mine, theirs, heights)
    moved = np.linalg.norm(np.diff(found[:, LIMBS], axis=0), axis=-1).mean() * stature
    return {
        "what": name,
        "mpjpe_mm": round(mpjpe, 1),
        "pa_mpjpe_mm": round(pa_mpjpe, 1),
        "swapped_frames": int(swapped(mine, theirs).sum()),
        "motion": round(moved / np.linalg.norm(np.diff(true[:, LIMBS], axis=0), axis=-1).mean(), 2),
    }


def swapped(found: Tensor, true: Tensor) -> Tensor:
    """(T, 12, 3) twice, the pelvis at 0 -> (T,): left and right of arms or legs are exchanged."""
    own = (found - true).norm(dim=-1)
    other = (found[:, EXCHANGED] - true).norm(dim=-1)
    better = [other[:, part].mean(1) < own[:, part].mean(1) for part in (ARMS, LEGS)]
    either: Tensor = better[0] | better[1]
    return either


def of_camera(data: dict[str, Any], camera: int) -> list[dict[str, Any]]:
    """The rows of one camera."""
    times, stature = data["timestamps_s"], float(data["stature_m"])
    true = data["points"] @ data["turn"][camera].T
    true = true - true[:, 11:13].mean(1, keepdims=True)
    poses = poses_of(data["keypoints"][camera], times, SIZES[camera])
    before = raw(poses, times)
    spread = lengths(before).std(0) / lengths(before).mean(0)
    rows = [
        {"camera": camera + 1} | compared(kind, found, true, stature)
        for kind, found in products(poses).items()
    ]
    rows[-1]["limbs_vary"] = round(float(spread.mean()), 4)
    rows[-1]["most"] = round(float(spread.max()), 4)
    return rows


def main(argv: Sequence[str] | None = None) -> int:
    """Lift, compare, print, save."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=Path, help=f"has {FILE}")
    parser.add_argument("--results", type=Path, default=RESULTS, help="default: %(default)s")
    options = parser.parse_args(argv)
    try:
        with np.load(options.folder / FILE) as arrays:
            data = dict(arrays)
    except OSError as error:
        reason = f"cannot be read ({error.strerror}); python -m lifting.offsets makes it"
        raise MoveNetError(f"{options.folder / FILE}: {reason}") from error
    rows = [row for camera in range(len(data["turn"])) for row in of_camera(data, camera)]
    for row in rows:
        print(*(f"{name} {value}" for name, value in row.items()), sep="  ")
    options.results.write_text("[\n" + ",\n".join(f" {json.dumps(row)}" for row in rows) + "\n]\n")
    return 0


if __name__ == "__main__":
    sys.exit(ended(main))
