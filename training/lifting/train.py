"""Train the lifting networks and put them into the package.

    cd training
    python -m lifting.errors ../../shared/data/coco_train2017 ../build/lifting
    python -m lifting.train ../../shared/data/mocap/cmu ../build/lifting

The second command goes on where it was stopped. It leaves a checkpoint, the losses and a plot of
them for each network in the folder, and writes src/movenet/lifting/weights. Subjects 07 and 08 are
held out. The same seed gives the same weights on the same machine and number of threads.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from tqdm import tqdm

from lifting.course import NOTED, Course
from lifting.errors import FILE, Errors
from lifting.evaluation import LEARNT
from lifting.recordings import Recording, recordings
from lifting.simulation import Batch, Simulation
from lifting.windows import Windows
from movenet.lifting import files
from movenet.lifting.network import LiftingNetwork

STEPS = {"single": 40_000, "causal": 30_000, "centred": 30_000}
SEED = 1
SAVED = 1000  # steps
CALIBRATION = 8192  # windows
SOURCE = "CMU Graphics Lab Motion Capture Database, mocap.cs.cmu.edu, free for all uses"


def course_of(
    kind: str, takes: Iterable[Recording], errors: Errors | None, steps: int, *, half: bool
) -> Course:
    """A course of one of the networks, from its beginning; without `errors` nothing is varied."""
    shape = files.NETWORKS[kind]
    windows = Windows(
        [take for take in takes if not take.heldout], shape["frames"], shape["reference"]
    )
    simulation = Simulation(windows, seed=SEED, errors=errors)
    return Course(kind, simulation, steps, seed=SEED, half=half)


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


@torch.no_grad()
def calibrate(network: LiftingNetwork, batch: Batch) -> None:
    """Set `spread` so that half of a joint's errors are over its uncertainty."""
    network.spread.fill_(1)
    joints, uncertainty = network(batch.keypoints, batch.scores)
    distance = (joints[:, LEARNT] - batch.points).norm(dim=-1)
    network.spread[LEARNT] = (distance / uncertainty[:, LEARNT]).median(0).values


def plot(losses: dict[str, Sequence[float]], path: Path) -> None:
    """How the mean distance of the limbs' joints fell, in body heights."""
    from matplotlib.figure import Figure  # noqa: PLC0415 (an extra)

    axes = (figure := Figure(figsize=(7, 4), layout="constrained")).subplots()
    for kind, values in losses.items():
        axes.plot([NOTED * (place + 1) for place in range(len(values))], values, label=kind)
    axes.set(xlabel="steps", ylabel="distance of the limbs' joints, body heights", yscale="log")
    axes.legend()
    figure.savefig(path, dpi=120)


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
    losses: dict[str, Sequence[float]] = {}
    for kind in options.networks:
        steps = options.steps or STEPS[kind]
        course = course_of(kind, takes, errors, steps, half=half)
        network = run(course, options.folder / f"{name.format(kind)}.pt")
        course.simulation.reseed(SEED + 1)
        calibrate(network, course.simulation.batch(CALIBRATION))
        command = f"python -m lifting.train, {steps} steps, seed {SEED}"
        files.ship(kind, network, source=SOURCE, command=command, folder=options.into)
        losses[kind] = course.losses
        text = json.dumps({kind: [round(loss, 5) for loss in losses[kind]]})
        (options.folder / f"{name.format(kind)}-losses.json").write_text(text + "\n")
    plot(losses, options.folder / "losses.png")
    print(f"made {options.into}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
