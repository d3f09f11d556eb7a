"""MoveNet's own errors, measured on COCO's training pictures, for simulated keypoints to have.

    cd training
    python -m lifting.errors ../../shared/data/coco_train2017 FOLDER

Three ways of looking see every picture, as it is and mirrored. Whoever is found is compared with
the annotated person they are most like, and gives one row: of each of the 17 keypoints the score,
the error in body heights, and whether it was annotated. Writes FOLDER/errors.npz, which `Errors`
reads and draws from, and what it comes to, in figures, to training/lifting/results/errors.json.

MoveNet was trained on these pictures; on COCO's validation pictures its errors have the same
median, and tails that are about a tenth longer.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lifting.command import ended
from movenet import PoseEstimator, Poses, images
from movenet.errors import MoveNetError
from movenet.evaluation import Record
from movenet.evaluation.found import UNKNOWN
from movenet.evaluation.truth import Truth
from movenet.keypoints import INDEX, MIRROR, NAMES
from movenet.oks import oks

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

FILE = "errors.npz"
RESULTS = Path(__file__).parent / "results" / "errors.json"
# The model of PoseEstimator, which looks again as it does by itself.
WAYS = ("lightning", "thunder", "multipose")

# Lengths between keypoints, of stature: medians of CMU's recordings, the face's as it is placed.
_LENGTHS = {
    ("{}_shoulder", "{}_elbow"): 0.166,
    ("{}_elbow", "{}_wrist"): 0.160,
    ("{}_shoulder", "{}_hip"): 0.294,
    ("{}_hip", "{}_knee"): 0.229,
    ("{}_knee", "{}_ankle"): 0.250,
    ("{}_ear", "{}_shoulder"): 0.136,
    ("nose", "{}_shoulder"): 0.156,
    ("nose", "{}_eye"): 0.032,
    ("{}_eye", "{}_ear"): 0.056,
    ("left_shoulder", "right_shoulder"): 0.210,
    ("left_hip", "right_hip"): 0.105,
    ("left_ear", "right_ear"): 0.086,
    ("left_eye", "right_eye"): 0.037,
}
# Each once, of both sides: keypoint, keypoint, length.
SEGMENTS = tuple(
    dict.fromkeys(
        (INDEX[first.format(side)], INDEX[second.format(side)], length)
        for (first, second), length in _LENGTHS.items()
        for side in ("left", "right")
    )
)
ENDS = np.array([ends for *ends, _ in SEGMENTS])  # (S, 2)
LENGTHS = np.array([length for *_, length in SEGMENTS])  # (S,)
# In the projected recordings, with keypoints missing as in COCO, these leave 91 % of people, and
# a height that is right in the median and off by 6 % (standard deviation).
LONGER = 0.2  # of the segments, by length, that may be longer in the picture than the height says
ENOUGH = 0.3  # body heights of segments together, from which on a height is told

APART = 0.05  # body heights between left and right from which on they can be taken for each other
NEAREST = 10  # donors on each side of a score, of an error that nobody knows
BINS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 1.0)  # of scores, in the summary
SIZES = (0, 100, 200, 400, 800, 10000)  # px of body height, in the summary


class Table(NamedTuple):
    """Rows of people who were found.

    rows (N, 17, 4): score, dx, dy in body heights (right and down; 0 where it is not annotated),
    COCO's visibility (0: not annotated, 1: annotated though hidden, 2: seen). swapped (N, 17):
    found where the keypoint of the other side is. height_px (N,). way (N,): of `WAYS`.
    """

    rows: Floats
    swapped: Mask
    height_px: Floats
    way: NDArray[np.int64]


class Errors:
    """Rows to draw from: whole people, so that what goes together stays together."""

    def __init__(self, rows: Floats) -> None:
        """Of a `Table`: rows (N, 17, 4), in which every keypoint is annotated somewhere."""
        self.scores, dx, dy, seen = torch.tensor(np.asarray(rows, np.float32)).unbind(-1)
        self.offsets = torch.stack([dx, dy], -1)
        self.labelled = seen > 0
        # By joint, who is annotated, by score, and how many.
        self._donors = torch.zeros(self.labelled.T.shape, dtype=torch.long)
        self._many = self.labelled.sum(0)
        self._ranked: list[Tensor] = []  # by joint, the donors' scores
        for joint, (score, known) in enumerate(zip(self.scores.T, self.labelled.T, strict=True)):
            who = known.nonzero()[:, 0]
            who = who[score[who].argsort(stable=True)]
            self._donors[joint, : len(who)] = who
            self._ranked.append(score[who])

    @classmethod
    def read(cls, path: Path) -> "Errors":
        """What the command wrote. MoveNetError where it cannot be read."""
        try:
            with np.load(path) as arrays:
                return cls(arrays["rows"])
        except OSError as error:
            reason = f"cannot be read ({error.strerror}); python -m lifting.errors makes it"
            raise MoveNetError(f"{path}: {reason}") from error

    def draw(self, count: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Whole people: scores (count, 17), and offsets (count, 17, 2) in body heights.

        A keypoint that was not annotated has the offset of another person's with about its score.
        Offsets are right and down in the picture.
        """
        person = torch.randint(len(self.scores), (count,), generator=random)
        scores, own = self.scores[person], self.offsets[person]
        others = self.alike(scores, random)
        return scores, torch.where(self.labelled[person][..., None], own, others)

    def alike(self, scores: Tensor, random: torch.Generator) -> Tensor:
        """Offsets (N, 17, 2) of others' same keypoints that have about these scores (N, 17)."""
        place = torch.randint(-NEAREST, NEAREST + 1, scores.shape, generator=random)
        for column, ranked in enumerate(self._ranked):
            place[:, column] += torch.searchsorted(ranked, scores[:, column].contiguous())
        joint = torch.arange(len(NAMES))
        return self.offsets[self._donors[joint, place.clamp_min(0).minimum(self._many - 1)], joint]


def body_height(points: Floats, there: Mask) -> Floats:
    """How high, in pixels, a person would be upright: (..., 17, 2), (..., 17) -> (...).

    Every segment with both ends says a height; segments are seen shortened, never lengthened, so
    it is the height that only `LONGER` of them, by length, surpass. NaN where too little is there.
    """
    seen = there[..., ENDS].all(-1)
    lengths = np.linalg.norm(points[..., ENDS[:, 0], :] - points[..., ENDS[:, 1], :], axis=-1)
    heights = np.where(seen, lengths / LENGTHS, 0.0)
    order = np.argsort(-heights, axis=-1, kind="stable")
    weights = np.take_along_axis(np.where(seen, LENGTHS, 0.0), order, -1).cumsum(-1)
    total = weights[..., -1:]
    place = (weights >= LONGER * total).argmax(-1)
    height = np.take_along_axis(np.take_along_axis(heights, order, -1), place[..., None], -1)
    return np.where(total >= ENOUGH, height, np.nan)[..., 0]


def compared(poses: Poses, people: list[Record], way: int) -> Table:
    """Whoever is found in a picture and is annotated.

    Two belong together where each is most like the other, whichever side is called left.
    """
    judges = [one for one in people if one["num_keypoints"] and not one["iscrowd"]]
    truth = np.array([one["keypoints"] for one in judges], float).reshape(-1, 17, 3)
    points, there = truth[..., :2], truth[..., 2] > 0
    height = body_height(points, there)
    who, found = matched(poses, points, [one["area"] for one in judges], there)
    usable = np.isfinite(height[who])
    who, found = who[usable], found[usable]
    points, there, height = points[who], there[who], height[who]
    error = (poses.keypoints[found] - points) / height[:, None, None]
    rows = np.concatenate(
        [
            poses.keypoint_scores[found, :, None],
            np.where(there[..., None], error, 0.0),
            truth[who, :, 2:],
        ],
        axis=2,
    )
    swapped = changed(poses.keypoints[found].astype(float), points, there, height)
    return Table(rows, swapped, height, np.full(len(who), way))


def matched(
    poses: Poses, points: Floats, areas: list[float], there: Mask
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Indices of annotated people, and of those who were found and are them."""
    if not len(poses) or not len(points):
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    ways = (poses.keypoints, poses.keypoints[:, list(MIRROR)])
    alike = np.maximum(*(oks(points, one, np.array(areas), there) for one in ways))
    best = alike.argmax(1)
    mutual = alike.argmax(0)[best] == np.arange(len(points))
    who = np.flatnonzero(mutual & (alike.max(1) >= UNKNOWN))
    return who, best[who]


def changed(found: Floats, points: Floats, there: Mask, height: Floats) -> Mask:
    """(P, 17) which keypoints were found at the other side's: more than twice as near to it.

    Where both sides are annotated, at places that can be told apart.
    """
    others = points[:, list(MIRROR)]
    apart = np.linalg.norm(points - others, axis=2) > APART * height[:, None]
    own = np.linalg.norm(found - points, axis=2)
    nearer = 2 * np.linalg.norm(found - others, axis=2) < own
    taken: Mask = there & there[:, list(MIRROR)] & apart & nearer
    return taken


def pictures(folder: Path) -> Iterator[tuple[NDArray[np.uint8], list[Record]]]:
    """Every picture with its people, then its mirror image with theirs."""
    truth = Truth.read(folder / "person_keypoints.json")
    for number, record in truth.images.items():
        picture = images.read(folder / "images" / record["file_name"])
        people = truth.people[number]
        yield picture, people
        yield np.ascontiguousarray(picture[:, ::-1]), mirrored(people, picture.shape[1])


def mirrored(people: list[Record], width: int) -> list[Record]:
    """The annotations' keypoints in the mirror image of a picture."""
    found = []
    for one in people:
        points = np.array(one["keypoints"], float).reshape(17, 3)[list(MIRROR)]
        points[:, 0] = np.where(points[:, 2] > 0, width - points[:, 0], 0)
        found.append(one | {"keypoints": points.ravel().tolist()})
    return found


def measured(folder: Path, threads: int | None = None) -> Table:
    """All ways of looking at all pictures of a folder as coco_train2017."""
    parts = []
    for way, model in enumerate(WAYS):
        estimator = PoseEstimator(model, threads=threads)
        for picture, people in pictures(folder):
            parts.append(compared(estimator.estimate([picture])[0], people, way))
    return Table(*map(np.concatenate, zip(*parts, strict=True)))


def summary(table: Table) -> list[dict[str, Any]]:
    """The figures: by way, by size, and by joint (left and right together) and score."""
    names = np.array([name.split("_")[-1] for name in NAMES])
    scores = table.rows[..., 0]
    rows = [
        {"way": name, "people": int((table.way == way).sum())}
        | figures(table, (table.way == way)[:, None])
        for way, name in enumerate(WAYS)
    ]
    for low, high in pairwise(SIZES):
        of_size = (table.height_px >= low) & (table.height_px < high)
        rows.append({"height_px": [low, high]} | figures(table, of_size[:, None]))
    for joint in dict.fromkeys(names.tolist()):
        rows.append({"joint": joint, "score": [BINS[0], BINS[-1]]} | figures(table, names == joint))
        for least, most in pairwise(BINS):
            inside = (scores >= least) & (scores < most)
            row = {"joint": joint, "score": [least, most]}
            rows.append(row | figures(table, inside & (names == joint)))
    return rows


def figures(table: Table, which: Mask) -> dict[str, Any]:
    """Of some keypoints, (N, 17) or so that it broadcasts: how many of them are annotated.

    Of those the median error and the 90th percentile in body heights, and the share of swaps.
    """
    which = which & (table.rows[..., 3] > 0)
    errors = np.linalg.norm(table.rows[which][:, 1:3], axis=1)
    if not len(errors):
        return {"count": 0}
    middle, high = np.quantile(errors, (0.5, 0.9)).round(4).tolist()
    swapped = round(float(table.swapped[which].mean()), 4)
    return {"count": len(errors), "median": middle, "p90": high, "swapped": swapped}


def main() -> int:
    """Measure, save the table, write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("data", type=Path, help="a folder as coco_train2017")
    parser.add_argument("folder", type=Path, help=f"where {FILE} goes")
    parser.add_argument("--threads", type=int, help="of the networks (default: all cores)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="default: %(default)s")
    options = parser.parse_args()
    table = measured(options.data, options.threads)
    options.folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(options.folder / FILE, **table._asdict())
    options.results.parent.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(f" {json.dumps(row)}" for row in summary(table))
    options.results.write_text(f"[\n{lines}\n]\n")
    print(f"{len(table.rows)} people: {options.folder / FILE}, {options.results}")
    return 0


if __name__ == "__main__":
    sys.exit(ended(main))
