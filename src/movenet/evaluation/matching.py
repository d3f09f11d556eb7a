"""Average precision: pycocotools matches, and draws of pictures give the intervals."""

import contextlib
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from movenet.errors import MoveNetError
from movenet.evaluation import Record
from movenet.evaluation.truth import Truth
from movenet.poses import COCO_PERSON

try:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval
except ImportError as error:
    raise MoveNetError(
        "pycocotools is not installed; pip install 'movenet-pytorch[eval]'"
    ) from error

MOST_PEOPLE = 20  # detections of one picture that count (COCO's keypoint task)
DRAWS = 1000  # of the bootstrap
OKS_STEPS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0, 1, 101)
MEASURES = ("AP", "AP50", "AP75", "APm", "APl", "AR")


@dataclass(frozen=True)
class Matches:
    """Of one range of areas, what pycocotools matched: detections in falling order of score.

    scores (D,); image (D,) numbers of pictures; hit, ignored (10, D), a row an OKS step;
    truths (pictures,) how many people count in each.
    """

    scores: NDArray[np.float64]
    image: NDArray[np.intp]
    hit: NDArray[np.bool_]
    ignored: NDArray[np.bool_]
    truths: NDArray[np.int64]

    def precision(self, weights: NDArray[np.int64]) -> tuple[NDArray[np.float64], float]:
        """Of a draw of pictures, (pictures,) how often each was drawn -> AP a step (10,), AR.

        As COCOeval.accumulate: precision made falling, read at 101 recalls.
        """
        count = int((self.truths * weights).sum())
        if not count:
            return np.full(len(OKS_STEPS), np.nan), float("nan")
        times = weights[self.image] * ~self.ignored  # (10, D)
        right = np.cumsum(times * self.hit, 1)
        wrong = np.cumsum(times * ~self.hit, 1)
        recall = right / count
        precise = right / np.maximum(right + wrong, np.spacing(1))
        falling = np.maximum.accumulate(precise[:, ::-1], 1)[:, ::-1]
        ap = np.zeros(len(OKS_STEPS))
        for step in range(len(OKS_STEPS)):
            at = np.searchsorted(recall[step], RECALLS, side="left")
            ap[step] = np.append(falling[step], 0.0)[at].mean()
        ar = float(recall[:, -1].mean()) if recall.shape[1] else 0.0
        return ap, ar


def matched(truth: Truth, results: list[Record]) -> dict[str, Matches]:
    """pycocotools' matching of results, by the ranges of AREAS."""
    with contextlib.redirect_stdout(io.StringIO()):
        annotations: Any = COCO()  # its types are narrower than what it takes
        annotations.dataset = truth.record
        annotations.createIndex()
        found = annotations.loadRes(results) if results else COCO()
        judge: Any = COCOeval(annotations, found, "keypoints")
        judge.params.imgIds = sorted(truth.images)
        judge.params.catIds = [COCO_PERSON]
        judge.evaluate()
    count = len(judge.params.imgIds)
    return {
        name: gathered(judge.evalImgs[start * count : (start + 1) * count])
        for start, name in enumerate(judge.params.areaRngLbl)
    }


def gathered(pictures: list[Record | None]) -> Matches:
    """COCOeval.evalImgs of one range of areas as arrays."""
    scores, image, hit, ignored = [], [], [], []
    truths = np.zeros(len(pictures), np.int64)
    for number, found in enumerate(pictures):
        if found is None:
            continue
        kept = min(len(found["dtScores"]), MOST_PEOPLE)
        scores += found["dtScores"][:kept]
        image += [number] * kept
        hit.append(found["dtMatches"][:, :kept] > 0)
        ignored.append(found["dtIgnore"][:, :kept] > 0)
        truths[number] = int((np.asarray(found["gtIgnore"]) == 0).sum())
    order = np.argsort(-np.array(scores), kind="mergesort")
    empty = np.zeros((len(OKS_STEPS), 0), bool)
    return Matches(
        np.array(scores)[order],
        np.array(image, np.intp)[order],
        np.concatenate([empty, *hit], 1)[:, order],
        np.concatenate([empty, *ignored], 1)[:, order],
        truths,
    )


@dataclass(frozen=True)
class Figure:
    """A figure in per cent with its 95 % interval (bootstrap over pictures)."""

    value: float
    low: float
    high: float


def measures(found: dict[str, Matches], weights: NDArray[np.int64]) -> NDArray[np.float64]:
    """MEASURES in per cent, of a draw of pictures."""
    steps, recall = found["all"].precision(weights)
    medium, large = (found[name].precision(weights)[0].mean() for name in ("medium", "large"))
    return 100 * np.array([steps.mean(), steps[0], steps[5], medium, large, recall])


def draws(count: int, *, seed: int = 0) -> NDArray[np.int64]:
    """How often each of so many pictures comes in each draw of the bootstrap, (DRAWS, count)."""
    chosen = np.random.default_rng(seed).integers(0, count, (DRAWS, count))
    return np.stack([np.bincount(row, minlength=count) for row in chosen])


def summary(found: dict[str, Matches]) -> dict[str, Figure]:
    """MEASURES with their intervals."""
    count = len(found["all"].truths)
    value = measures(found, np.ones(count, np.int64))
    drawn = np.array([measures(found, weights) for weights in draws(count)])
    return figures(value, drawn)


def difference(ours: dict[str, Matches], theirs: dict[str, Matches]) -> dict[str, Figure]:
    """MEASURES of ours less theirs, paired: both on the same draws of pictures."""
    count = len(ours["all"].truths)
    ones = np.ones(count, np.int64)
    value = measures(ours, ones) - measures(theirs, ones)
    drawn = np.array([measures(ours, w) - measures(theirs, w) for w in draws(count)])
    return figures(value, drawn)


def figures(value: NDArray[np.float64], drawn: NDArray[np.float64]) -> dict[str, Figure]:
    """Values (M,) and draws (DRAWS, M) of MEASURES -> figures; nan where nobody counts."""
    found = {}
    for name, one, column in zip(MEASURES, value.tolist(), drawn.T, strict=True):
        known = column[np.isfinite(column)]  # a draw may have nobody of that size
        low, high = np.percentile(known, [2.5, 97.5]) if len(known) else (np.nan, np.nan)
        found[name] = Figure(one, float(low), float(high))
    return found
