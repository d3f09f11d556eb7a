"""How far a result can be trusted: scores that mean something, learnt from annotated people.

MoveNet's own scores rank people and keypoints; they are no probabilities, and differ between
networks. Here they become, per person, the OKS to expect with what an annotator would draw
(0 where nobody is), and per keypoint, how likely it lies near enough for an OKS of one half.
`training/confidence.py` makes the numbers, docs/accuracy.md shows how well they hold.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from movenet.oks import VARIANCES
from movenet.poses import SPANNING, Poses, extent

Floats = NDArray[np.float32]
FILE = Path(__file__).parent / "weights" / "confidence.safetensors"


@dataclass(frozen=True)
class Confidence:
    """Of one way of looking: a perceptron with one hidden layer, and a monotone table.

    hidden (F, K), hidden_bias (K,), output (K,), output_bias (1,); knots, values (N,): a keypoint
    score and the share of keypoints of that score that lie near.
    """

    hidden: Floats
    hidden_bias: Floats
    output: Floats
    output_bias: Floats
    knots: Floats
    values: Floats

    def people(self, seen: Floats) -> Floats:
        """`features` (P, F) -> (P,) the OKS to expect, 0..1."""
        inner = seen @ self.hidden + self.hidden_bias
        inner *= logistic(inner)  # SiLU
        return logistic(inner @ self.output + self.output_bias[0])

    def keypoints(self, scores: Floats) -> Floats:
        """MoveNet's scores, any shape, -> how likely each lies near, 0..1."""
        return np.interp(scores, self.knots, self.values).astype(np.float32)


def logistic(values: Floats) -> Floats:
    """1 / (1 + exp(-x)), which does not overflow this way."""
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * values), np.float32)


def features(first: Poses, keypoints: Floats, scores: Floats) -> Floats:
    """What a person's expected OKS depends on, (P, 23).

    `first` are the people of the first look; keypoints (P, 17, 2) and scores (P, 17) what all
    looks made of them. In order: the 17 scores sorted; the person's score and the mean keypoint
    score of the first look; how alike both are; the logarithm of the size, in px and as a share
    of the picture; the distance to the nearest edge, as a share of it.
    """
    size = np.array(first.image_size[::-1], np.float32)
    seen = np.empty((len(keypoints), 23), np.float32)
    seen[:, :17] = np.sort(scores, 1)
    seen[:, 17] = np.sqrt(first.scores)
    seen[:, 18] = first.keypoint_scores.mean(1)
    boxes = extent(keypoints, scores, SPANNING)
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 1)
    area = sides[:, 0] * sides[:, 1]
    if keypoints is first.keypoints:
        seen[:, 19] = 1
    else:
        apart = np.square(keypoints - first.keypoints).sum(2)
        seen[:, 19] = np.exp(-apart / (2 * area[:, None] * VARIANCES)).mean(1)
    seen[:, 20] = np.log(area) / 2
    seen[:, 21] = seen[:, 20] - np.log(size.max())
    seen[:, 22] = np.minimum(boxes[:, :2] / size, 1 - boxes[:, 2:] / size).min(1)
    return seen


def key(first: str, second: str, quality: str, *, several: bool) -> str:
    """The name of a way of looking; `second` is "" without a second look."""
    looks = (second, quality) if second else ("alone",)
    return "-".join((first, *looks, "several" if several else "one"))


@cache
def find(name: str) -> Confidence | None:
    """Of a way of looking, by its key; None for one that nothing was learnt for."""
    return shipped().get(name)


@cache
def shipped() -> dict[str, Confidence]:
    """All that the package has, by key."""
    tables: dict[str, dict[str, Floats]] = {}
    for name, array in load_file(FILE).items():
        way, field = name.split(".")
        tables.setdefault(way, {})[field] = array
    return {way: Confidence(**fields) for way, fields in tables.items()}
