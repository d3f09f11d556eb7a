"""Train the lifting networks and put them into the package.

    cd training
    python -m lifting.errors ../../shared/data/coco_train2017 ../build/lifting
    python -m lifting.train ../../shared/data/mocap/cmu ../build/lifting

The second command goes on where it was stopped. It leaves a checkpoint and the losses of each
network in the folder, with losses.png, and writes src/movenet/lifting/weights. The networks over
time begin as the one of a single frame, which comes first. Subjects 07 and 08 are held out. The
same seed gives the same weights on the same machine and number of threads.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from filelock import FileLock  # PyTorch brings it
from tqdm import tqdm

from lifting.command import ended
from lifting.course import NOTED, Course
from lifting.errors import FILE, Errors
from lifting.evaluation import LEARNT, looked_twice, with_errors
from lifting.recordings import Recording, recordings
from lifting.simulation import Batch, Simulation
from lifting.windows import Windows
from movenet.lifting import files
from movenet.lifting.network import LiftingNetwork

STEPS = {"single": 48_000, "causal": 18_000, "centred": 18_000}
SEED = 1
SAVED = 1000  # steps
COMMAND = "python -m lifting.train ../../shared/data/mocap/cmu ../build/lifting"
CALIBRATION = 8192  # windows
SOURCE = "CMU Graphics Lab Motion Capture Database, mocap.cs.cmu.edu, free for all uses"


def course_of(
    kind: str,
    takes: Iterable[Recording],
    errors: Errors | None,
    steps: int,
    *,
    half: bool,
    start: LiftingNetwork | None = None,
) -> Course:
    """A course of one of the networks, from its beginning; without `errors` nothing is varied."""
    shape = files.NETWORKS[kind]
    windows = Windows(
        [take for take in takes if not take.heldout], shape["frames"], shape["reference"]
    )
    simulation = Simulation(windows, seed=SEED, errors=errors)
    return Course(kind, simulation, steps, seed=SEED, half=half, start=start)


def run(course: Course, checkpoint: Path) -> LiftingNetwork:
    """Go through a course, from its checkpoint where there is one -> the network."""
    if checkpoint.exists():
        course.resume(checkpoint)
    with tqdm(total=course.steps, initial=course.taken, desc=course.kind, unit="step") as bar:
        while course.taken < course.steps:
            before = course.taken
            course.advance()
            bar.update(course.taken - before)
            if course.taken // SAVED > before // SAVED or course.taken >= course.steps:
                course.save(checkpoint)
                loss = course.losses[-1] if course.losses else float("nan")
                bar.set_postfix_str(f"{loss:.4f} body heights")
    return course.mean_network()


def calibrate(network: LiftingNetwork, batch: Batch) -> None:
    """Set `spread` so that half of a joint's errors are over its uncertainty, of two looks."""
    network.spread.fill_(1)
    points, uncertainty = looked_twice(network, batch)
    distance = (points - batch.points).norm(dim=-1)
    network.spread[LEARNT] = (distance / uncertainty).median(0).values


def plot(folder: Path) -> None:
    """Draw how the mean distance of the limbs' joints fell, in body heights, of all in a folder."""
    from matplotlib.figure import Figure  # noqa: PLC0415 (an extra)

    axes = (figure := Figure(figsize=(7, 4), layout="constrained")).subplots()
    for path in sorted(folder.glob("*-losses.json")):
        values = json.loads(path.read_text())
        steps = [NOTED * (place + 1) for place in range(len(values))]
        axes.plot(steps, values, label=path.name.removesuffix("-losses.json"))
    axes.set(xlabel="steps", ylabel="distance of the limbs' joints, body heights", yscale="log")
    axes.legend()
    figure.savefig(folder / "losses.png", dpi=120)


def main(argv: Sequence[str] | None = None) -> int:
    """Train what is asked for, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("recordings", type=Path, help="the folder of CMU's recordings")
    parser.add_argument("folder", type=Path, help=f"has {FILE}; gets checkpoints and losses")
    parser.add_argument("--networks", nargs="+", choices=files.NETWORKS, default=[*files.NETWORKS])
    parser.add_argument("--steps", type=int, help="of each network, for a trial")
    parser.add_argument("--plain", action="store_true", help="vary nothing but the camera")
    parser.add_argument("--threads", type=int, help="default: all cores")
    parser.add_argument("--into", type=Path, default=files.FOLDER, help="default: %(default)s")
    options = parser.parse_args(argv)
    if options.threads:
        torch.set_num_threads(options.threads)
    errors = None if options.plain else Errors.read(options.folder / FILE)
    takes, name = list(recordings(options.recordings)), "{}-plain" if options.plain else "{}"
    half = torch.cpu._is_amx_tile_supported()  # elsewhere bfloat16 is slower
    for kind in (kind for kind in files.NETWORKS if kind in options.networks):
        steps = options.steps or STEPS[kind]
        single = options.into / "single.safetensors"
        start = None if kind == "single" else files.load("single", single)
        course = course_of(kind, takes, errors, steps, half=half, start=start)
        network = run(course, options.folder / f"{name.format(kind)}.pt")
        course.simulation.reseed(SEED + 1)
        batch = course.simulation.batch(CALIBRATION)
        calibrate(network, batch if options.plain else with_errors(batch))
        how = f"--networks {kind} --steps {steps} --threads {torch.get_num_threads()} (seed {SEED})"
        text = json.dumps([round(loss, 5) for loss in course.losses])
        with FileLock(options.folder / "shipping.lock"):  # another may be trained beside it
            files.ship(
                kind, network, source=SOURCE, command=f"{COMMAND} {how}", folder=options.into
            )
            (options.folder / f"{name.format(kind)}-losses.json").write_text(text + "\n")
            plot(options.folder)
    print(f"made {options.into}")
    return 0


if __name__ == "__main__":
    sys.exit(ended(main))
