"""Pose2Sim triangulates the OpenPose JSON of `movenet track`, with its own calibration.

    python benchmarks/pose2sim.py ../shared/data/videos --pose2sim-python FILE
        [--mediapipe-python FILE] [--model thunder] [--smooth offline]

FILE is the Python of an environment with `pip install pose2sim==0.10.49`. Its demo is filmed by
four cameras: one man, and the same take with a second person before him. Each way of `movenet
track` fills a project folder as Pose2Sim wants it (videos/cam01.mp4, pose/cam01_json,
calibration/Calib.qca.txt, and the Config.toml of its demo); then its own calibration,
personAssociation, triangulation and filtering run there. SETTINGS is all that differs from the
demo's Config.toml.

Pose2Sim leaves cameras out until the mean error of a point is below 15 px, so its error is to be
read with the cameras it left out. By camera stands the median distance of all keypoints over its
threshold, those that it left out included, from its points in space. A segment is rigid, so the
spread of its length over time is an error that needs no calibration.

Beside ours: MediaPipe's BlazePose "full" (pip install mediapipe==0.10.21, in an environment of its
own), and the centre of the man's teal cap, found by colour, no network being asked; that is not
quite the same point from all sides. The clips do not fit their calibration to the pixel: where
keypoints and cap are shifted alike in a camera, it is the camera that is off.
Writes benchmarks/results/pose2sim.json.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from movenet import Poses
from movenet.keypoints import INDEX, NAMES
from movenet.machine import this_machine
from movenet.sources import open_source
from movenet.writers.openpose import OpenPoseWriter

RESULTS = Path(__file__).parent / "results" / "pose2sim.json"
CAMERAS = ("cam01", "cam02", "cam03", "cam04")
TAKES = ("single", "multi")
MODELS = {  # options of movenet track
    "lightning": ("--model", "lightning"),
    "thunder": ("--model", "thunder"),
    "multipose": ("--model", "multipose", "--no-refine"),
    "multipose, then thunder": ("--model", "multipose"),
}
SEVERAL = ("multipose", "multipose, then thunder")
SMOOTHS = ("none", "live", "offline")
SETTINGS: dict[str, dict[str, Any]] = {
    "pose": {"pose_model": "COCO_17"},
    # COCO has no neck; Pose2Sim would take the nose, which is not seen from behind.
    "personAssociation": {"single_person": {"tracked_keypoint": "RShoulder"}},
    "filtering": {"display_figures": False, "save_filt_plots": False},
}
CLIENT = """
import json, shutil, sys
from importlib.metadata import version
from pathlib import Path
import Pose2Sim as package
from Pose2Sim import Pose2Sim

demo = "Demo_MultiPerson" if sys.argv[2] == "multi" else "Demo_SinglePerson"
shutil.copy(Path(package.__file__).parent / demo / "Config.toml", "Config.toml")
config = {"project": {"project_dir": "."}, **json.loads(sys.argv[1])}
for step in ("calibration", "personAssociation", "triangulation", "filtering"):
    getattr(Pose2Sim, step)(config)
from Pose2Sim.common import computeP  # earlier, it would keep Pose2Sim from writing its log
matrices = [matrix.tolist() for matrix in computeP(Path("calibration/Calib_qualisys.toml"))]
Path("client.json").write_text(json.dumps({"version": version("pose2sim"), "matrices": matrices}))
"""
MEDIAPIPE = """
import sys
import cv2, mediapipe, numpy

video, pose, rows = cv2.VideoCapture(sys.argv[1]), mediapipe.solutions.pose.Pose(), []
while True:
    good, frame = video.read()
    if not good:
        break
    found = pose.process(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)).pose_landmarks
    size = frame.shape[1], frame.shape[0]
    rows.append([(p.x * size[0], p.y * size[1], p.visibility) for p in found.landmark]
                if found else numpy.zeros((33, 3)))
numpy.save(sys.argv[2], numpy.array(rows))
"""
# BlazePose's landmarks in COCO's order.
BLAZE = (0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)
CAP_HSV = ((88, 110, 60), (102, 255, 255))  # OpenCV's ranges
CAP_LOWEST = 960  # pixels; teal things lie on the floor
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
Fill = Callable[[Path, str, Path], None]  # clip, camera's name, folder for its OpenPose JSON


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


def main() -> int:
    """Track, triangulate, tell, save; 1 where something failed."""
    options = parsed()
    rows: list[Row] = []
    failed: list[dict[str, str]] = []
    versions = set()
    print(HEAD)
    for take, way, smooth, fill in ways(options):
        with tempfile.TemporaryDirectory() as folder:
            project = Path(folder)
            try:
                lay_out(options.videos, take, project, fill)
                client = triangulate(options.pose2sim_python, take, project)
            except subprocess.CalledProcessError as error:
                last = (error.stderr or error.stdout or "?").strip().splitlines()[-1]
                failed.append({"take": take, "way": way, "smooth": smooth, "reason": last})
                print(f"{take}, {way}, {smooth}: {last}", file=sys.stderr)
                continue
            versions.add(client["version"])
            matrices = np.array(client["matrices"])
            for row in read(project, (take, way, smooth), matrices):
                rows.append(row)
                print(line(row), flush=True)
    report = {
        "machine": asdict(this_machine()),
        "pose2sim": sorted(versions),
        "settings": SETTINGS,
        "failed": failed,
    }
    head = json.dumps(report, indent=1).removesuffix("\n}")
    lines = ",\n".join(f"  {json.dumps(asdict(row))}" for row in rows)
    RESULTS.write_text(f'{head},\n "rows": [\n{lines}\n ]\n}}\n')
    return 1 if failed else 0


def parsed() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    add = parser.add_argument
    add("videos", type=Path, help="the folder with pose2sim_single_cam01.mp4 and so on")
    add("--pose2sim-python", type=Path, required=True, help="Python that has Pose2Sim")
    add("--mediapipe-python", type=Path, help="Python that has MediaPipe (default: left out)")
    add("--model", nargs="+", choices=MODELS, default=list(MODELS), help="default: all")
    add("--smooth", nargs="+", choices=SMOOTHS, default=list(SMOOTHS), help="default: all")
    options = parser.parse_args()
    missing = [path for take in TAKES for path in clips(options.videos, take) if not path.exists()]
    if missing:
        parser.error(f"{missing[0]}: is not there; name the folder with Pose2Sim's clips")
    return options


def clips(videos: Path, take: str) -> list[Path]:
    """One a camera."""
    return [videos / f"pose2sim_{take}_{camera}.mp4" for camera in CAMERAS]


def ways(options: argparse.Namespace) -> Iterator[tuple[str, str, str, Fill]]:
    """Every take, way of finding keypoints, smoothing, and what fills OpenPose folders so."""
    for take in TAKES:
        for name in options.model:
            if take == "single" or name in SEVERAL:
                for smooth in options.smooth:
                    more = (*MODELS[name], "--smooth", smooth)
                    yield take, name, smooth, partial(movenet_track, more)
    if options.mediapipe_python:
        yield "single", "MediaPipe", "its own", partial(mediapipe, options.mediapipe_python)
    yield "single", "centre of the cap", "none", cap


def movenet_track(options: tuple[str, ...], clip: Path, camera: str, folder: Path) -> None:
    """As a user would."""
    program = Path(sys.executable).with_name("movenet")
    run([program, "track", clip, *options, "--openpose", folder])


def mediapipe(python: Path, clip: Path, camera: str, folder: Path) -> None:
    """BlazePose's landmarks that COCO has, in our writer."""
    file = folder.parents[1] / f"{camera}.npy"
    run([python, "-c", MEDIAPIPE, clip, file])
    write(np.load(file)[:, BLAZE], folder)


def cap(clip: Path, camera: str, folder: Path) -> None:
    """The cap's centre in the place of every keypoint."""
    with open_source(clip) as source:
        centres = [cap_centre(frame.image) for frame in source]
    points = np.concatenate([centres, np.ones((len(centres), 1))], 1)
    write(np.repeat(points[:, None], 17, 1), folder)


def cap_centre(picture: NDArray[np.uint8]) -> Doubles:
    """x, y of the largest teal region of an RGB picture."""
    teal = cv2.inRange(
        cv2.cvtColor(picture[:CAP_LOWEST], cv2.COLOR_RGB2HSV), *map(np.array, CAP_HSV)
    )
    _, _, stats, centres = cv2.connectedComponentsWithStats(teal)
    largest: Doubles = centres[1 + stats[1:, cv2.CC_STAT_AREA].argmax()]
    return largest


def write(points: Doubles, folder: Path) -> None:
    """x, y and score of one person, (T, 17, 3), as OpenPose JSON."""
    writer = OpenPoseWriter(folder)
    for index, person in enumerate(points):
        writer.write(
            Poses.from_arrays(
                person[None, :, :2], person[None, :, 2], image_size=(1920, 1088), frame_index=index
            )
        )


def lay_out(videos: Path, take: str, project: Path, fill: Fill) -> None:
    """A project of Pose2Sim's, up to the pose estimation."""
    for name in ("calibration", "videos", "pose"):
        (project / name).mkdir()
    shutil.copy(
        videos / f"pose2sim_{take}_calib.qca.xml", project / "calibration" / "Calib.qca.txt"
    )
    for clip, camera in zip(clips(videos, take), CAMERAS, strict=True):
        shutil.copy(clip, project / "videos" / f"{camera}.mp4")  # it reads the rate there
        fill(clip, camera, project / "pose" / f"{camera}_json")


def triangulate(python: Path, take: str, project: Path) -> dict[str, Any]:
    """Run Pose2Sim in the project -> its version and its cameras' matrices (4, 3, 4)."""
    run([python, "-c", CLIENT, json.dumps(SETTINGS), take], folder=project)
    client: dict[str, Any] = json.loads((project / "client.json").read_text())
    return client


def run(command: list[Any], folder: Path | None = None) -> None:
    """CalledProcessError, with what it printed, where a program fails."""
    subprocess.run(
        [str(part) for part in command], cwd=folder, check=True, capture_output=True, text=True
    )


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


if __name__ == "__main__":
    sys.exit(main())
