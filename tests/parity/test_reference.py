"""Every picture of COCO's subset through Google's graphs in TensorFlow and through ours.

Needs TensorFlow, and Google's files and their runner beside the checkout:

    pytest -m reference tests/parity/test_reference.py -s

prints the figures that the README states. All three models, the graph's own constants, float32.
A keypoint that lies farther off than the bound is accepted only as a proven near-tie: the two
cells' weighted values in Google's own tensor differ by less than the measured head error.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from movenet import images, weights
from movenet.crop import CropRegion
from movenet.specs import GRAPH_CONSTANTS, ROWS, TRUE_CONSTANTS, ModelSpec
from movenet.verify import split_error, to_tensor

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
PICTURES = SHARED / "data" / "coco_val2017" / "images"
BOUND_PX = 0.05  # at input size
HEAD_ERROR = 6e-6  # of a heatmap's value: the largest difference of a score over all pictures,
# and, for a tie, relative to the weighted value

# Picture, person and keypoint; see docs/decisions/003-true-constants.md.
KNOWN_TIES = {"lightning": set(), "thunder": set(), "multipose": {("000000008021.jpg", 0, 13)}}

pytestmark = pytest.mark.reference


@dataclass
class Tally:
    """What was found over all pictures of a model."""

    coordinates: float = 0.0
    scores: float = 0.0
    true_constants: float = 0.0
    pictures: int = 0
    near_ties: int = 0


@pytest.mark.parametrize("spec", ROWS, ids=lambda row: row.name)
@torch.inference_mode()
def test_every_keypoint_of_every_picture_is_google_s(spec: ModelSpec) -> None:
    if not PICTURES.is_dir():
        pytest.skip(f"no {PICTURES}")
    sys.path.insert(0, str(SHARED / "reference"))
    google_graph = pytest.importorskip("google_graph")  # before TensorFlow: it turns oneDNN off
    graph = google_graph.load(SHARED / "data" / "models" / f"movenet-{spec.name}.json")
    runner = google_graph.Runner(graph, (spec.side, spec.side))
    ours = weights.load(spec.name, constants=GRAPH_CONSTANTS)
    plain = weights.load(spec.name, constants=TRUE_CONSTANTS)
    weighted = graph.taps["keypoint_scores_weighted"]
    tally = Tally()
    for path in sorted(PICTURES.glob("*.jpg")):
        picture = images.read(path)
        region = CropRegion.whole(picture.shape[:2], spec.side, "square")
        image = region.extract(picture)[None]
        wanted, maps = runner(image, [graph.output_tensor, weighted])
        tensor = to_tensor(image, torch.device("cpu"))
        got = ours.detect(tensor).numpy()
        ties = near_ties(spec, got, wanted, maps, path.name)
        tally.near_ties += ties.sum()
        coordinates, scores = split_error(without(got, wanted, ties), wanted)
        tally.coordinates = max(tally.coordinates, coordinates)
        tally.scores = max(tally.scores, scores)
        # Where the constants tip a near-tie is no matter of size, so the median over pictures.
        tally.true_constants = max(
            tally.true_constants, float(np.median(np.abs(plain.detect(tensor).numpy() - got)))
        )
        tally.pictures += 1
    print(f"\n{spec.name}: {json.dumps(tally.__dict__, default=int)}")
    assert tally.pictures == 230
    assert tally.coordinates * spec.side <= BOUND_PX
    assert tally.scores <= 5e-5


def keypoints(spec: ModelSpec, output: np.ndarray) -> np.ndarray:
    """Google's tensor -> y, x of every keypoint, (P, 17, 2)."""
    if spec.people == 1:
        return output[0, :, :, :2]
    return output[0, :, :51].reshape(-1, 17, 3)[:, :, :2]


def near_ties(
    spec: ModelSpec, got: np.ndarray, wanted: np.ndarray, maps: np.ndarray, name: str
) -> np.ndarray:
    """Keypoints (P, 17) that lie elsewhere because two cells of Google's are as good as equal.

    Any other that lies elsewhere fails the test.
    """
    far = np.abs(keypoints(spec, got) - keypoints(spec, wanted)).max(2) * spec.side > BOUND_PX
    maps = maps.reshape(-1, 17) if spec.people == 1 else maps.reshape(-1, spec.people, 17)
    for person, point in np.argwhere(far):
        values = maps[:, point] if spec.people == 1 else maps[:, person, point]
        first, second = values.argsort(kind="stable")[::-1][:2]
        gap = (values[first] - values[second]) / values[first]
        print(f"near-tie: {spec.name} {name} person {person} keypoint {point}: {gap:.1e} of it")
        assert gap < HEAD_ERROR, (name, person, point, gap)
        # An offset moves a keypoint from its cell, by a few cells at most.
        row, column = divmod(int(second), spec.side // 4)
        y, x = keypoints(spec, got)[person, point] * (spec.side // 4)
        assert max(abs(y - row), abs(x - column)) < 4, (name, person, point)
        assert (name, person, point) in KNOWN_TIES[spec.name]
    return far


def without(got: np.ndarray, wanted: np.ndarray, ties: np.ndarray) -> np.ndarray:
    """Ours, with Google's numbers where the keypoint was a near-tie."""
    got = got.copy()
    for person, point in np.argwhere(ties):
        if got.shape[-1] == 3:
            got[0, person, point] = wanted[0, person, point]
        else:
            columns = [*range(3 * point, 3 * point + 3), 55]
            got[0, person, columns] = wanted[0, person, columns]
    return got


@pytest.mark.parametrize("side", [192, 256])
def test_the_letterbox_is_tensorflow_s_on_photographs_of_odd_sizes(side: int) -> None:
    if not PICTURES.is_dir():
        pytest.skip(f"no {PICTURES}")
    tf = pytest.importorskip("tensorflow")
    random, counted, over = np.random.default_rng(1), 0, 0
    for path in sorted(PICTURES.glob("*.jpg"))[:60]:
        top, left = random.integers(0, 60, 2)
        picture = np.ascontiguousarray(images.read(path)[top:, left:])
        wanted = tf.image.resize_with_pad(picture[None], side, side)[0].numpy()
        got = CropRegion.whole(picture.shape[:2], side, "square").extract(picture)
        counted, over = counted + got.size, over + int((np.abs(got - wanted) > 1).sum())
    print(f"\nletterbox to {side}: {over} of {counted} values over one grey level")
    assert over <= 0.001 * counted
