"""Where MoveNet puts hips, knees and so on, against the joints of motion capture.

    cd training
    python -m lifting.offsets ../../shared/data/videos ../../shared/data/mocap/cmu FOLDER

Four calibrated cameras see one man. MoveNet's keypoints are triangulated, and the body that they
make is compared with CMU's skeletons (without the subjects that are held out) in parts of the
stature. Nobody recorded the man's joints, so an offset is told only as far as people have the
same proportions: its deviation is CMU's between subjects. Nothing is told of forward and backward.
Writes FOLDER/pose2sim_single.npz, and the figures to training/lifting/results/offsets.json.

The clips do not fit their calibration to the pixel (they were cropped or warped), so each camera
gets a constant shift, the same for all keypoints, with which the views agree best.
"""

import argparse
import json
import sys
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from lifting.bodies import stature
from lifting.command import ended
from lifting.recordings import PLACE, SIDES, recordings
from movenet import PoseEstimator
from movenet.errors import MoveNetError
from movenet.keypoints import INDEX
from movenet.sources import open_source

Floats = NDArray[np.float64]

FILE = "pose2sim_single.npz"
RESULTS = Path(__file__).parent / "results" / "offsets.json"
MODELS = ("multipose", "thunder")  # the first one's points are saved
LEAST = 0.2  # of a score; a keypoint under it is not used
RESIDUAL = 15.0  # px, from which on a view counts for less
STEPS = 10  # of reweighting
SHIFT_STEPS, SHIFT_STRIDE = 25, 4  # rounds, and frames from one that is used to the next

# The man: m over the world's floor. The sole on the beam that he walks on: the heel's lower end,
# triangulated by hand in frame 60, less what the heel hides. His stature: sole to ankle, shank,
# thigh, hips to shoulders (medians), and shoulders to the cap's top in the first frames, less 1 cm
# of cap.
SOLE, STATURE = 0.070, 1.71

LENGTHS = {
    "thigh": ("hip", "knee"),
    "shank": ("knee", "ankle"),
    "upper arm": ("shoulder", "elbow"),
    "forearm": ("elbow", "wrist"),
}


class Camera(NamedTuple):
    """OpenCV's: pixels = matrix, distorted (turn X + translation); X in metres, z up."""

    matrix: Floats  # (3, 3)
    distortions: Floats  # k1, k2, p1, p2
    turn: Floats  # (3, 3)
    translation: Floats  # (3,)

    def undistorted(self, points: Floats) -> Floats:
        """Pixels (..., 2) -> what an ideal camera of focal length 1 would see."""
        flat = np.ascontiguousarray(points.reshape(-1, 1, 2), np.float64)
        straight = cv2.undistortPoints(flat, self.matrix, self.distortions)
        return np.asarray(straight, np.float64).reshape(points.shape)


def read_cameras(path: Path) -> list[Camera]:
    """Of a TOML file as Pose2Sim writes it: a table a camera, each value on one line."""
    tables: list[dict[str, Any]] = []
    try:
        text = path.read_text()
    except OSError as error:
        raise MoveNetError(f"{path}: cannot be read ({error.strerror})") from error
    for line in text.splitlines():
        if line.startswith("["):
            tables.append({})
        elif "=" in line and tables:
            key, value = line.split("=", 1)
            tables[-1][key.strip()] = json.loads(value)
    return [
        Camera(
            np.array(table["matrix"]),
            np.array(table["distortions"]),
            np.asarray(cv2.Rodrigues(np.array(table["rotation"], np.float64))[0], np.float64),
            np.array(table["translation"]),
        )
        for table in tables
        if "matrix" in table
    ]


def seen(clip: Path, model: str) -> tuple[Floats, Floats]:
    """Timestamps (T,), and the foremost person's x, y, score (T, 17, 3)."""
    estimator = PoseEstimator(model)
    times, rows = [], []
    for frame in open_source(clip):
        (poses,) = estimator.estimate([frame.image])
        keypoints = np.zeros((17, 3))
        if len(poses):
            keypoints = np.column_stack([poses.keypoints[0], poses.keypoint_scores[0]])
        times.append(frame.timestamp_s)
        rows.append(keypoints)
    return np.array(times), np.array(rows, np.float64)


def triangulated(
    cameras: list[Camera], keypoints: Floats, shifts: Floats | None = None
) -> tuple[Floats, Floats]:
    """Keypoints of all cameras (C, ..., 3) -> points (..., 3) m, residuals (C, ..., 2) px.

    The pair of views that most of the others agree with, then all views, weighted by their scores
    and, as Cauchy has it, by how well they agree. NaN where fewer than two views see a point.
    """
    shifts = np.zeros((len(cameras), 2)) if shifts is None else shifts
    straight = np.stack(
        [
            camera.undistorted(points - shift)
            for camera, points, shift in zip(cameras, keypoints[..., :2], shifts, strict=True)
        ]
    )
    scores = np.where(keypoints[..., 2] >= LEAST, keypoints[..., 2], 0.0)
    best, least = np.zeros((*straight.shape[1:-1], 3)), np.full(straight.shape[1:-1], np.inf)
    for pair in combinations(range(len(cameras)), 2):
        weights = np.zeros_like(scores)
        weights[list(pair)] = scores[list(pair)]
        points = meeting(cameras, straight, weights)
        residuals, _ = apart(cameras, straight, points)
        cost = (scores * np.log1p(np.square(residuals / RESIDUAL).sum(-1))).sum(0)
        better = (cost < least) & (weights > 0)[list(pair)].all(0)
        best[better], least[better] = points[better], cost[better]
    for _ in range(STEPS):
        residuals, depths = apart(cameras, straight, best)
        trust = scores / (1 + np.square(residuals / RESIDUAL).sum(-1))
        best = meeting(cameras, straight, np.sqrt(trust) / np.abs(depths))
    best[(scores > 0).sum(0) < 2] = np.nan
    return best, apart(cameras, straight, best)[0]


def meeting(cameras: list[Camera], straight: Floats, weights: Floats) -> Floats:
    """Where weighted rays come nearest, linearly: (C, ..., 2), (C, ...) -> (..., 3)."""
    normal = np.zeros((*weights.shape[1:], 4, 4))
    for camera, points, weight in zip(cameras, straight, weights, strict=True):
        matrix = np.column_stack([camera.turn, camera.translation])
        rows = (points[..., None] * matrix[2] - matrix[:2]) * weight[..., None, None]
        normal += rows.swapaxes(-1, -2) @ rows
    homogeneous = np.linalg.eigh(normal)[1][..., 0]
    last = homogeneous[..., 3:]
    return np.asarray(homogeneous[..., :3] / np.where(np.abs(last) < 1e-12, 1e-12, last))


def apart(cameras: list[Camera], straight: Floats, points: Floats) -> tuple[Floats, Floats]:
    """Seen less projected, (C, ..., 2) px, and depths (C, ...) m."""
    residuals, depths = np.empty_like(straight), np.empty(straight.shape[:-1])
    for row, camera in enumerate(cameras):
        inside = points @ camera.turn.T + camera.translation
        depths[row] = inside[..., 2]
        ideal = inside[..., :2] / np.where(np.abs(depths[row]) < 1e-9, 1e-9, depths[row])[..., None]
        residuals[row] = (straight[row] - ideal) * camera.matrix[0, 0]
    return residuals, depths


def agreed(cameras: list[Camera], keypoints: Floats) -> Floats:
    """The shift of each camera's picture, (C, 2) px, with which bodies (C, T, 17, 3) agree best."""
    limbs = keypoints[:, ::SHIFT_STRIDE, 5:]  # not the face, which hardly anybody sees
    shifts = np.zeros((len(cameras), 2))
    for _ in range(SHIFT_STEPS):
        _, residuals = triangulated(cameras, limbs, shifts)
        trust = limbs[..., 2] / (1 + np.square(residuals / RESIDUAL).sum(-1))
        trust = np.nan_to_num(trust)[..., None]
        shifts += (trust * np.nan_to_num(residuals)).sum((1, 2)) / trust.sum((1, 2))
    return shifts


def proportions(places: dict[str, Floats], height: float) -> dict[str, float]:
    """Medians over time, of the stature; places by name (T, 3)."""

    def length(one: Floats, other: Floats) -> float:
        return float(np.nanmedian(np.linalg.norm(one - other, axis=1))) / height

    found = {
        name: np.mean([length(places[f"{s}_{a}"], places[f"{s}_{b}"]) for s in SIDES]).item()
        for name, (a, b) in LENGTHS.items()
    }
    middles = {
        joint: (places[f"left_{joint}"] + places[f"right_{joint}"]) / 2
        for joint in ("hip", "shoulder")
    }
    for joint in middles:
        found[f"{joint}s"] = length(places[f"left_{joint}"], places[f"right_{joint}"])
    return found | {"trunk": length(middles["hip"], middles["shoulder"])}


def standing(found: dict[str, float], ankle: float) -> dict[str, float]:
    """Of the stature: how high the joints are over the sole of one who stands straight.

    And how far hips and shoulders are to the side, and elbows and wrists down from the shoulder.
    """
    knee = ankle + found["shank"]
    hip = knee + found["thigh"]
    arm = found["upper arm"]
    return {
        "ankle up": ankle,
        "knee up": knee,
        "hip up": hip,
        "shoulder up": hip + found["trunk"],
        "hip outward": found["hips"] / 2,
        "shoulder outward": found["shoulders"] / 2,
        "elbow along the arm": arm,
        "wrist along the arm": arm + found["forearm"],
    }


def of_recordings(folder: Path) -> list[dict[str, float]]:
    """`standing` of each subject: medians over the takes; the floor is at 0."""
    takes: dict[str, list[dict[str, float]]] = {}
    for take in recordings(folder):
        if not take.heldout:
            height = float(stature(torch.tensor(take.joints)).median())
            places = {name: take.joints[:, place] for name, place in PLACE.items()}
            ankles = np.minimum(*(places[f"{side}_ankle"][:, 1] for side in SIDES))
            ankle = float(np.quantile(ankles, 0.1)) / height
            takes.setdefault(take.subject or take.name, []).append(
                standing(proportions(places, height), ankle)
            )
    return [
        {name: float(np.median([row[name] for row in rows])) for name in rows[0]}
        for rows in takes.values()
    ]


def of_clip(points: Floats) -> dict[str, float]:
    """`standing` of the man in the clip, (T, 17, 3)."""
    places = {name: points[:, index] for name, index in INDEX.items()}
    ankles = np.fmin(*(places[f"{side}_ankle"][:, 2] for side in SIDES))
    ankle = (float(np.nanmedian(ankles)) - SOLE) / STATURE
    return standing(proportions(places, STATURE), ankle)


def main() -> int:
    """See, triangulate, compare; save the points, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("videos", type=Path, help="the folder with Pose2Sim's clips")
    parser.add_argument("recordings", type=Path, help="the folder with CMU's motion capture")
    parser.add_argument("folder", type=Path, help=f"where {FILE} goes")
    options = parser.parse_args()
    cameras = read_cameras(options.videos / "pose2sim_single_calib.toml")
    subjects = of_recordings(options.recordings)
    clips = [options.videos / f"pose2sim_single_cam0{c}.mp4" for c in range(1, len(cameras) + 1)]
    rows = []
    for model in MODELS:
        times, keypoints = zip(*(seen(clip, model) for clip in clips), strict=True)
        stacked = np.stack(keypoints)
        shifts = agreed(cameras, stacked)
        points, residuals = triangulated(cameras, stacked, shifts)
        if model == MODELS[0]:
            arrays: dict[str, Any] = {f: [getattr(c, f) for c in cameras] for f in Camera._fields}
            arrays |= {"points": points, "residuals_px": residuals, "timestamps_s": times[0]}
            arrays |= {"keypoints": stacked, "shifts_px": shifts, "stature_m": STATURE}
            options.folder.mkdir(parents=True, exist_ok=True)
            np.savez_compressed(options.folder / FILE, **arrays)
        rows += compared(model, of_clip(points), subjects)
    lines = ",\n".join(f" {json.dumps(row)}" for row in rows)
    RESULTS.write_text(f"[\n{lines}\n]\n")
    print(lines)
    return 0


def compared(
    model: str, man: dict[str, float], subjects: list[dict[str, float]]
) -> list[dict[str, Any]]:
    """Rows of figures, of the stature."""
    rows = []
    for name, value in man.items():
        theirs = np.array([row[name] for row in subjects])
        low, middle, high = np.quantile(theirs, (0.25, 0.5, 0.75)).tolist()
        spread = (high - low) / 1.349  # a standard deviation, were it a normal distribution
        figures = {"movenet": value, "cmu": middle, "offset": value - middle, "deviation": spread}
        rounded = {key: round(figure, 4) for key, figure in figures.items()}
        rows.append({"model": model, "joint": name} | rounded)
    return rows


if __name__ == "__main__":
    sys.exit(ended(main))
