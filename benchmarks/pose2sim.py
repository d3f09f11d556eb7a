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
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from triangulation import CAMERAS, HEAD, Doubles, Row, line, read

from movenet import Poses
from movenet.machine import this_machine
from movenet.sources import open_source
from movenet.writers.openpose import OpenPoseWriter

RESULTS = Path(__file__).parent / "results" / "pose2sim.json"
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
Fill = Callable[[Path, str, Path], None]  # clip, camera's name, folder for its OpenPose JSON


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


if __name__ == "__main__":
    sys.exit(main())
