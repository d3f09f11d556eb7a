"""How well each model's presence score tells people from empty pictures, and at which threshold.

    python benchmarks/presence.py ../shared/data

Chooses on COCO's training subset: one person a picture against pictures without people and
windows of the others that no person's box touches. Reports on the validation subset, which had
no say. docs/decisions/004-who-is-there.md has the table.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from movenet import PoseEstimator, images
from movenet.poses import people
from movenet.specs import ROWS

Pixels = NDArray[np.uint8]
WINDOWS, SHORTEST, TRIES = 3, 160, 200  # empty windows a picture, their height in pixels


def listed(folder: Path, name: str) -> list[Pixels]:
    """The pictures of one of COCO's id lists."""
    ids = (folder / f"{name}_ids.txt").read_text().split()
    return [images.read(folder / "images" / f"{int(number):012d}.jpg") for number in ids]


def empty_windows(folder: Path) -> Iterator[Pixels]:
    """Windows of a folder's pictures in which no person's box lies, crowds included."""
    truth = json.loads((folder / "person_keypoints.json").read_text())
    random = np.random.default_rng(0)
    for record in truth["images"]:
        number = record["id"]
        boxes = np.array([a["bbox"] for a in truth["annotations"] if a["image_id"] == number])
        picture = images.read(folder / "images" / f"{number:012d}.jpg")
        if not len(boxes):
            continue  # it is in nobody_ids.txt
        found = 0
        for _ in range(TRIES):
            height = int(random.integers(SHORTEST, max(SHORTEST, picture.shape[0]) + 1))
            width = int(height * random.uniform(0.75, 1.5))
            if height > picture.shape[0] or width > picture.shape[1] or found == WINDOWS:
                continue
            top = int(random.integers(0, picture.shape[0] - height + 1))
            left = int(random.integers(0, picture.shape[1] - width + 1))
            x, y, w, h = boxes.T
            apart = (x >= left + width) | (x + w <= left) | (y >= top + height) | (y + h <= top)
            if apart.all():
                found += 1
                yield np.ascontiguousarray(picture[top : top + height, left : left + width])


def presence(estimator: PoseEstimator, pictures: list[Pixels]) -> NDArray[np.float64]:
    """The highest presence and the highest mean keypoint score in each picture, (N, 2)."""
    rows = []
    for picture in pictures:
        (batch,) = estimator.preprocess([picture])
        found = people(estimator.engine(batch.inputs)[0])
        rows.append((found.presence.max(), found.keypoint_scores.mean(1).max()))
    return np.array(rows)


def auc(someone: NDArray[np.float64], nobody: NDArray[np.float64]) -> float:
    """How often somebody scores over nobody."""
    above = (someone[:, None] > nobody).mean() + (someone[:, None] == nobody).mean() / 2
    return float(above)


def main() -> None:
    """Print a row a model."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("data", type=Path, help="the folder with coco_train2017 and coco_val2017")
    data = parser.parse_args().data
    train, val = data / "coco_train2017", data / "coco_val2017"
    empty = [*listed(train, "nobody"), *empty_windows(train)]
    sets = (listed(train, "single"), empty, listed(val, "single"), listed(val, "nobody"))
    print("pictures: training {}, {} empty; validation {}, {} empty".format(*map(len, sets)))
    print("model      equal-error  missed  false | in use  missed  false    AUC  AUC of the mean")
    for spec in ROWS:
        estimator = PoseEstimator(spec.name, refine=False)
        tuned, tuned_empty, held, held_empty = (presence(estimator, found) for found in sets)
        steps = np.arange(0.02, 0.8, 0.01)
        missed = (tuned[:, 0] < steps[:, None]).mean(1)
        false = (tuned_empty[:, 0] >= steps[:, None]).mean(1)
        best = int(np.abs(missed - false).argmin())
        used = spec.person_threshold
        lost, alarms = (held[:, 0] < used).mean(), (held_empty[:, 0] >= used).mean()
        print(
            f"{spec.name:<10} {steps[best]:>11.2f} {missed[best]:>7.1%} {false[best]:>6.1%} |"
            f" {used:>6} {lost:>7.1%} {alarms:>6.1%}"
            f" {auc(held[:, 0], held_empty[:, 0]):>6.3f} {auc(held[:, 1], held_empty[:, 1]):>6.3f}"
        )


if __name__ == "__main__":
    main()
