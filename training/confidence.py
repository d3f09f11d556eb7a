"""Learn `Poses.confidence` and `Poses.keypoint_confidence` from COCO's training pictures.

    python training/confidence.py ../shared/data/coco_train2017

Every way of looking, from Lightning alone to MultiPose with Thunder, sees all pictures, and
windows of them that show one person at another scale, as they are and mirrored. What it finds is
compared with the annotations: a person's OKS, 0 for nobody's, is what the perceptron learns; the
share of labelled keypoints near enough for an OKS of one half, by score, is the monotone table
(isotonic regression). Writes src/movenet/weights/confidence.safetensors. The same seed gives the
same file on the same machine.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save
from scipy.optimize import isotonic_regression

from movenet import PoseEstimator, confidence, images
from movenet.evaluation import Record
from movenet.evaluation.found import beside
from movenet.evaluation.truth import Truth
from movenet.keypoints import MIRROR

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float64]

HIDDEN = 6
STEPS, RATE, DECAY, NOISE = 1500, 5e-3, 0.1, 0.1  # of AdamW; noise on the inputs, in deviations
SEED = 0
# Of the scores, where the table has its knots; closer at the low end, where few are.
KNOTS = (0, 0.005, 0.01, 0.02, 0.04, 0.08, 0.15, 0.25, 0.4, 0.55, 0.7, 0.85, 1)
WINDOWS, TRIES = 6, 200  # windows a person, and attempts at them
SMALLEST = 100  # px, the long side of a window


class Example(NamedTuple):
    """A picture and its people's annotations."""

    picture: Pixels
    people: list[Record]


class Seen(NamedTuple):
    """What was learnt from one way of looking: rows of people, and of keypoints."""

    features: Floats  # (P, F)
    oks: Floats  # (P,)
    scores: Floats  # (N,) of labelled keypoints
    near: NDArray[np.bool_]  # (N,)


def ways() -> Iterator[dict[str, Any]]:
    """The arguments of PoseEstimator that are learnt for."""
    singles = ("lightning", "thunder")
    yield from ({"model": name, "refine": False} for name in (*singles, "multipose"))
    for quality in ("balanced", "best"):
        for second in singles:
            for first in singles:
                yield {"model": first, "refine": second, "quality": quality}
            yield {"model": second, "finder": "multipose", "quality": quality}
            yield {"model": "multipose", "refine": second, "quality": quality}


def estimator_of(way: dict[str, Any]) -> PoseEstimator:
    """One that keeps everybody."""
    given = way | ({"refine": True} if way.get("refine") == way["model"] else {})
    return PoseEstimator(**given, person_threshold=0.0)


def examples(folder: Path) -> list[Example]:
    """Every picture, windows of them, and the windows mirrored."""
    truth = Truth.read(folder / "person_keypoints.json")
    random = np.random.default_rng(SEED)
    found = []
    for number, record in truth.images.items():
        picture, people = images.read(folder / "images" / record["file_name"]), truth.people[number]
        found.append(Example(picture, people))
        for person in people:
            if person["num_keypoints"] and not person["iscrowd"]:
                found += windows(picture, person, people, random)
    return found


def windows(
    picture: Pixels, person: Record, people: list[Record], random: np.random.Generator
) -> list[Example]:
    """Windows that hold a person's box and touch nobody else's; every second one mirrored."""
    height, width = picture.shape[:2]
    x, y, w, h = person["bbox"]
    others = np.array([one["bbox"] for one in people if one is not person]).reshape(-1, 4)
    found: list[Example] = []
    for _ in range(TRIES):
        side, aspect = (
            max(w, h) * np.exp(random.uniform(0.1, 1.6)),
            np.exp(random.uniform(-0.5, 0.5)),
        )
        size = np.array([min(width, side * aspect), min(height, side / aspect)])
        low = np.maximum([0, 0], [x + w - size[0], y + h - size[1]])
        high = np.minimum([x, y], [width - size[0], height - size[1]])
        if (size < (w, h)).any() or size.max() < SMALLEST or (low > high).any():
            continue
        start = random.uniform(low, high).astype(int)
        end = start + size.astype(int)
        beside = (others[:, :2] >= end) | (others[:, :2] + others[:, 2:] <= start)
        if not beside.any(1).all():
            continue
        seen = np.ascontiguousarray(picture[start[1] : end[1], start[0] : end[0]])
        found.append(moved(Example(seen, [person]), start, mirrored=len(found) % 2 == 1))
        if len(found) == WINDOWS:
            break
    return found


def moved(example: Example, start: NDArray[np.int64], *, mirrored: bool) -> Example:
    """The one person's keypoints in a window's own pixels."""
    (person,) = example.people
    keypoints = np.array(person["keypoints"], float).reshape(17, 3)
    keypoints[:, :2] -= start
    picture = example.picture
    if mirrored:
        picture = np.ascontiguousarray(picture[:, ::-1])
        keypoints = keypoints[list(MIRROR)]
        keypoints[:, 0] = picture.shape[1] - keypoints[:, 0]
    return Example(picture, [person | {"keypoints": keypoints.ravel().tolist()}])


class Recorder:
    """In the place of an estimator's `confidence`: keeps features, and says which row a person is.

    The estimator drops people after it asked; who stays has their row as confidence.
    """

    def __init__(self) -> None:
        """Nobody seen yet."""
        self.features: list[NDArray[np.float32]] = []

    def people(self, seen: NDArray[np.float32]) -> NDArray[np.float32]:
        """`confidence.features` (P, F) -> rows (P,)."""
        start = len(self.features)
        self.features += list(seen)
        return np.arange(start, start + len(seen), dtype=np.float32)

    def keypoints(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Nothing is learnt yet."""
        return scores


def looked(estimator: PoseEstimator, given: list[Example]) -> Seen:
    """What a way of looking finds, beside what is annotated."""
    estimator.confidence = recorder = Recorder()  # type: ignore[assignment]
    rows = []
    for example in given:
        (poses,) = estimator.estimate([example.picture])
        if len(poses):
            assert poses.confidence is not None
            found = beside(poses, example.people)
            seen = np.array([recorder.features[int(row)] for row in poses.confidence], float)
            scores = poses.keypoint_scores[found.person, found.keypoint]
            rows.append((seen[found.counts], found.oks[found.counts], scores, found.near))
    return Seen(*(np.concatenate(columns) for columns in zip(*rows, strict=True)))


def learnt(found: Seen) -> dict[str, NDArray[np.float32]]:
    """The fields of a `Confidence`."""
    mean, spread = found.features.mean(0), found.features.std(0)
    spread[spread < 1e-6] = 1.0  # what one look leaves constant
    inputs = torch.tensor((found.features - mean) / spread)
    wanted = torch.tensor(found.oks)[:, None]
    generator = torch.manual_seed(SEED)
    inner = torch.nn.Linear(inputs.shape[1], HIDDEN, dtype=torch.float64)
    outer = torch.nn.Linear(HIDDEN, 1, dtype=torch.float64)
    net = torch.nn.Sequential(inner, torch.nn.SiLU(), outer)
    optimizer = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=DECAY)
    for _ in range(STEPS):
        noise = NOISE * torch.randn(inputs.shape, generator=generator, dtype=torch.float64)
        loss = (torch.sigmoid(net(inputs + noise)) - wanted).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    hidden = inner.weight.detach().numpy().T / spread[:, None]  # on features as they are
    knots, values = table(found.scores, found.near)
    arrays = {
        "hidden": hidden,
        "hidden_bias": inner.bias.detach().numpy() - mean @ hidden,
        "output": outer.weight.detach().numpy()[0],
        "output_bias": outer.bias.detach().numpy(),
        "knots": knots,
        "values": values,
    }
    return {name: np.ascontiguousarray(array, np.float32) for name, array in arrays.items()}


def table(scores: Floats, near: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Scores and whether each keypoint was near -> knots and values of a rising line."""
    order = np.argsort(scores, kind="stable")
    rising = isotonic_regression(near[order].astype(float)).x
    knots = np.quantile(scores, KNOTS)
    edges = np.searchsorted(scores[order], (knots[:-1] + knots[1:]) / 2)
    parts = np.split(rising, edges)
    values = [part.mean() if len(part) else np.nan for part in parts]
    known = np.isfinite(values)
    return knots[known], np.maximum.accumulate(np.array(values)[known])


def main() -> int:
    """Learn for every way of looking, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("data", type=Path, help="a folder as coco_train2017")
    parser.add_argument("--out", type=Path, default=confidence.FILE)
    options = parser.parse_args()
    given = examples(options.data)
    print(f"{len(given)} pictures and windows")
    arrays: dict[str, NDArray[np.float32]] = {}
    for way in ways():
        estimator = estimator_of(way)
        found = looked(estimator, given)
        name = key_of(estimator, way)
        fields = learnt(found)
        expected = confidence.Confidence(**fields).people(found.features.astype(np.float32))
        fit = np.corrcoef(expected, found.oks)[0, 1]
        print(f"{name}: {len(found.oks)} people, correlation {fit:.3f}", flush=True)
        arrays |= {f"{name}.{field}": array for field, array in fields.items()}
    options.out.write_bytes(save(arrays))
    return 0


def key_of(estimator: PoseEstimator, way: dict[str, Any]) -> str:
    """`confidence.key` of an estimator."""
    second = estimator.second.spec.name if estimator.second else ""
    quality = way.get("quality", "")
    return confidence.key(estimator.engine.spec.name, second, quality, several=estimator.several)


if __name__ == "__main__":
    sys.exit(main())
