"""What Pose2Sim's triangulation came to: a row a person, from its log, its TRC and its cameras."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from movenet.keypoints import INDEX, NAMES

CAMERAS = ("cam01", "cam02", "cam03", "cam04")
THRESHOLD = 0.3  # Pose2Sim's likelihood_threshold_triangulation
SEGMENTS = {
    "upper arm": ("Shoulder", "Elbow"),
    "forearm": ("Elbow", "Wrist"),
    "thigh": ("Hip", "Knee"),
    "shank": ("Knee", "Ankle"),
}
# What Pose2Sim calls the keypoints: RHip, Nose.
TITLES = {
    "".join(p.capitalize() if p not in {"left", "right"} else p[0].upper() for p in n.split("_")): n
    for n in NAMES
}
Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Row:
    """A person in space. Frames, errors and what was left out are Pose2Sim's own report.

    `cameras_px` are medians, `shifts_px` medians of x and of y. `segments_m`: left and right, the
    median and the standard deviation over time.
    """

    take: str
    way: str
    smooth: str
    person: int
    frames: int
    error_px: float
    error_mm: float
    cameras_left_out: float  # of four, on average
    left_out: dict[str, float]  # share of the keypoints for which a camera was left out
    cameras_px: dict[str, float]
    shifts_px: dict[str, list[float]]
    points_px: dict[str, float]
    segments_m: dict[str, list[list[float]]]
    highest_m: dict[str, float]  # over the floor


def read(project: Path, key: tuple[str, str, str], matrices: Doubles) -> Iterator[Row]:
    """A row a person, of Pose2Sim's log and its points in space."""
    log = (project / "logs.txt").read_text().split("Triangulation of 2D points")[1]
    seen = keypoints(project)
    for person, told in enumerate(re.findall(r"Mean reprojection.*?stored at [^\n]*", log, re.S)):
        (total,) = re.findall(r"all points on frames (\d+) to (\d+) is (.+?) px.*? (\S+) mm", told)
        (out,) = re.findall(r"In average, (.+?) cameras", told)
        (file,) = re.findall(r"stored at (.+\.trc)\.", told)
        titles, space = trc(Path(file))
        offsets = residuals(titles, space, seen[:, int(total[0]) :], matrices)
        points = re.findall(r"error for (\w+) is (\S+) px", told)
        shares = re.findall(r"Camera (\w+)(?: was excluded|:) (\d+)%", told)
        yield Row(
            *key,
            person,
            frames=int(total[1]) - int(total[0]),
            error_px=float(total[2]),
            error_mm=float(total[3]),
            cameras_left_out=float(out),
            left_out={camera: int(percent) / 100 for camera, percent in sorted(shares)},
            cameras_px={camera: median_px(of_camera) for camera, of_camera in offsets.items()},
            shifts_px={
                camera: np.nanmedian(of_camera, (0, 1)).round(1).tolist()
                for camera, of_camera in offsets.items()
            },
            points_px={title: float(error) for title, error in points},
            segments_m=segments(titles, space),
            highest_m={
                title: round(float(space[:, titles.index(title), 2].max()), 3)
                for title in ("Nose", "RShoulder", "LShoulder")
            },
        )


def trc(file: Path) -> tuple[list[str], Doubles]:
    """Keypoints' names, and x, y, z with z up in metres, (T, K, 3)."""
    lines = file.read_text().splitlines()
    titles = [title for title in lines[3].split("\t")[2:] if title]
    table = np.genfromtxt(lines[5:], delimiter="\t")[:, 2:]
    return titles, table.reshape(len(table), -1, 3)[..., [2, 0, 1]]  # TRC has y up


def keypoints(project: Path) -> Doubles:
    """What Pose2Sim was given, by id: (4, T, P, 17, 3), NaN where a camera has no such person."""
    folders = sorted((project / "pose").iterdir())
    frames = [[json.loads(f.read_text())["people"] for f in sorted(d.iterdir())] for d in folders]
    ids = sorted({p["person_id"][0] for camera in frames for people in camera for p in people})
    found = np.full((len(frames), len(frames[0]), len(ids), 17, 3), np.nan)
    for camera, row in enumerate(frames):
        for frame, people in enumerate(row):
            for person in people:
                points = np.reshape(person["pose_keypoints_2d"], (17, 3))
                found[camera, frame, ids.index(person["person_id"][0])] = points
    return found


def residuals(
    titles: list[str], space: Doubles, seen: Doubles, matrices: Doubles
) -> dict[str, Doubles]:
    """By camera: what was given less the points in space, in pixels, of the nearest id.

    (T, K, 2), NaN where a keypoint is under the threshold.
    """
    ones = np.ones((*space.shape[:2], 1))
    projected = np.einsum("cij,tkj->ctki", matrices, np.concatenate([space, ones], 2))
    projected = (projected[..., :2] / projected[..., 2:])[:, :, None]  # (4, T, 1, K, 2)
    there = seen[:, : len(space), :, [INDEX[TITLES[title]] for title in titles]]
    offsets = there[..., :2] - projected
    offsets[~(there[..., 2] >= THRESHOLD)] = np.nan
    return {
        camera: min((x for x in people if not np.isnan(x).all()), key=median_px)
        for camera, people in zip(CAMERAS, offsets.swapaxes(1, 2), strict=True)
    }


def median_px(offsets: Doubles) -> float:
    """The median length of those that are there."""
    return round(float(np.nanmedian(np.linalg.norm(offsets, axis=-1))), 1)


def segments(titles: list[str], space: Doubles) -> dict[str, list[list[float]]]:
    """Left and right: median length, and standard deviation over time, in metres."""
    found: dict[str, list[list[float]]] = {}
    for name, (near, far) in SEGMENTS.items():
        found[name] = []
        for side in "LR":
            ends = space[:, [titles.index(side + near), titles.index(side + far)]]
            lengths = np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1)
            found[name].append(
                [round(float(np.median(lengths)), 3), round(float(lengths.std()), 3)]
            )
    return found


HEAD = "\n".join(
    (
        "| take | keypoints | smooth | person | frames | px | mm | left out | "
        + " | ".join(CAMERAS)
        + " | "
        + " | ".join(f"{name}, m" for name in SEGMENTS)
        + " |",
        "|---" * (8 + len(CAMERAS) + len(SEGMENTS)) + "|",
    )
)


def line(row: Row) -> str:
    """A row of the table."""
    cells = [row.take, row.way, row.smooth, row.person, row.frames, row.error_px, row.error_mm]
    cells += [row.cameras_left_out, *row.cameras_px.values()]
    for sides in row.segments_m.values():
        length, spread = np.mean(sides, 0).tolist()
        cells.append(f"{length:.3f} ± {spread:.3f}" if length else "-")  # the cap has none
    return "| " + " | ".join(map(str, cells)) + " |"
