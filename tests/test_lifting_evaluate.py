"""What the evaluation of the lifting networks measures: closed forms, and what users get."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from errors_drawn import Errors
from numpy.testing import assert_allclose, assert_array_equal
from torch import Tensor

from movenet import Poses, lift
from movenet.lifting import files
from movenet.lifting.joints import NAMES
from movenet.lifting.lifter import Network

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "training"))
from lifting import evaluate  # noqa: E402
from lifting.bodies import stature  # noqa: E402
from lifting.cameras import ROOM, Cameras, Views  # noqa: E402
from lifting.evaluate import filmed, in_view, mean_pose, whole_recordings  # noqa: E402
from lifting.evaluation import (  # noqa: E402
    LEARNT,
    LIMBS,
    looked_twice,
    products,
    score,
    with_errors,
)
from lifting.markers import HIPS, POINTS, points_of  # noqa: E402
from lifting.recordings import JOINTS, PLACE, Recording  # noqa: E402
from lifting.rotations import about, turned  # noqa: E402
from lifting.simulation import Batch  # noqa: E402


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def batch_of(points: Tensor, scores: Tensor | None = None) -> Batch:
    count = len(points)
    scores = torch.ones(count, 1, 17) if scores is None else scores
    return Batch(drawn(count, 1, 17, 2) * 0.2, scores, points, torch.full((count,), 1.7))


def take(*, heldout: bool = True, size: float = 1.0, length: int = 40) -> Recording:
    """Somebody upright who sways, about 1.75 m tall."""
    levels = dict(zip(JOINTS[:7], (0.95, 1.07, 1.2, 1.43, 1.5, 1.58, 1.67), strict=True))
    half = {"hip": (0.09, 0.93), "knee": (0.1, 0.51), "ankle": (0.09, 0.08), "toe": (0.09, 0.02)}
    half |= {"shoulder": (0.17, 1.42), "elbow": (0.25, 1.15), "wrist": (0.28, 0.9)}
    places = {name: (0.0, level, 0.0) for name, level in levels.items()}
    for joint, (x, y) in half.items():
        places |= {f"left_{joint}": (x, y, 0.0), f"right_{joint}": (-x, y, 0.0)}
    rest = np.array([places[name] for name in JOINTS])
    phase = np.arange(length)[:, None, None] / 10 + np.arange(63).reshape(21, 3)
    joints = (rest + 0.02 * np.sin(phase)) * size
    return Recording("a", "07", heldout, joints, np.tile(np.eye(3), (length, 1, 1)))


# Poses that do not move


def test_everybody_in_one_pose_is_its_mean_however_they_are_turned() -> None:
    pose = drawn(20, 3) * 0.3
    pose = pose - pose[HIPS].mean(0)
    trained, seen = (
        turned(about(drawn(30, 3, seed=seed))[:, None], pose).contiguous() for seed in (1, 2)
    )
    batch = batch_of(seen)
    assert_allclose(mean_pose(trained, batch), seen, atol=1e-5)
    others = mean_pose(drawn(30, 20, 3, seed=3), batch)
    assert score(others, batch).pa_mpjpe > 100


def test_held_out_people_are_not_trained_on() -> None:
    takes = [take(heldout=False), take(size=3.0)]
    found = evaluate.training_poses(takes)
    expected = evaluate.training_poses(takes[:1])
    assert torch.equal(found, expected)


# Windows


def test_windows_without_errors_do_not_count_as_those_of_movenet() -> None:
    """Exact ones have scores of 0 and 1 alone, with a face or without."""
    scores = torch.ones(4, 3, 17)
    scores[1, :, :5] = 0
    scores[2, 1, 7] = 0.4
    scores[3, :, :5] = 0.3  # a face alone is none of the limbs
    batch = batch_of(drawn(4, 20, 3), scores)
    kept = with_errors(batch)
    assert all(torch.equal(*pair) for pair in zip(kept, (v[2:3] for v in batch), strict=True))


# Recordings from one camera


def test_a_recording_is_filmed_by_one_pinhole_without_a_face() -> None:
    points = points_of_take()
    poses, limbs = filmed(points, Cameras(torch.Generator().manual_seed(3), ROOM))
    assert len(poses) == len(limbs) == 40
    assert [each.timestamp_s for each in poses] == pytest.approx(np.arange(40) / 30)
    sizes = {each.image_size for each in poses}
    assert len(sizes) == 1
    assert max(sizes.pop()) == evaluate.SIDE
    for each in poses:
        assert_array_equal(each.keypoint_scores, [[0] * 5 + [1] * 12])
    # The same person, turned by one camera.
    mine = (points - points[:, HIPS].mean(1, keepdim=True))[:, LIMBS].reshape(-1, 3)
    turn = torch.linalg.lstsq(mine, limbs.reshape(-1, 3)).solution
    assert_allclose(mine @ turn, limbs.reshape(-1, 3), atol=1e-4)
    assert_allclose(turn @ turn.T, np.eye(3), atol=1e-3)
    assert float(torch.linalg.det(turn)) == pytest.approx(1, abs=1e-3)
    # u (z + Z) = f (x + X) is linear in Z, f, f X and f Y: a pinhole that looks at the middle.
    height, width = poses[7].image_size
    (u, v) = ((poses[7].keypoints[0, 5:] - (width / 2, height / 2)) / evaluate.SIDE).T
    (x, y, z), one = limbs[7].double().numpy().T, np.ones(12)
    rows = np.r_[np.c_[-u, x, one, 0 * one], np.c_[-v, y, 0 * one, one]]
    camera, *_ = np.linalg.lstsq(rows, np.r_[u * z, v * z], rcond=None)
    assert_allclose(rows @ camera, np.r_[u * z, v * z], atol=1e-5)
    assert ROOM.focal[0] * 0.98 < camera[1] < ROOM.focal[1] * 1.02


def points_of_take() -> Tensor:
    """(T, 20, 3) body heights."""
    one = take()
    joints, head = (
        torch.tensor(each, dtype=torch.float32)[None] for each in (one.joints, one.head)
    )
    return points_of(joints, head)[0] / 1.75


def views_of(across: list[float], extent: float | list[float] = 0.5) -> Views:
    """A picture of 1 by 0.5; hips there, hands over and feet under them by half the extent."""
    high = torch.as_tensor(extent).expand(len(across)) / 2
    picture = torch.zeros(1, len(across), 20, 2)
    picture[0, :, :, 0] = torch.tensor(across)[:, None]
    picture[0, :, POINTS.index("left_wrist"), 1] = -high
    picture[0, :, POINTS.index("left_ankle"), 1] = high
    return Views(torch.zeros(1, len(across), 20, 3), picture, torch.tensor([[1.0, 0.5]]), high)


@pytest.mark.parametrize(
    ("views", "expected"),
    [
        (views_of([0.0] * 5), (0, 5)),
        (views_of([0.6, 0.4, 0.0, -0.4, -0.6]), (1, 4)),
        (views_of([0.0, 0.6, 0.0, 0.0, 0.0]), (2, 5)),
        (views_of([0.6, 0.6, 0.0, 0.6, 0.6]), (2, 3)),
        (views_of([0.0, 0.0, 0.0, 0.0, 0.0], [0.5, 0.5, 0.5, 1.1, 0.5]), (0, 3)),
    ],
)
def test_frames_count_as_long_as_the_person_is_in_the_picture(
    views: Views, expected: tuple[int, int]
) -> None:
    found = in_view(views, 2)
    assert (found.start, found.stop) == expected


# Products


def test_networks_are_looked_at_as_users_get_them() -> None:
    """The shipped network here, and `movenet.lift`'s own on its PyTorch engine."""
    batch = batch_of(torch.zeros(30, 20, 3), torch.rand(30, 1, 17))
    points, spread = looked_twice(files.load("single"), batch)
    joints, uncertainty = Network("single", "torch")(batch.keypoints.numpy(), batch.scores.numpy())
    assert_allclose(points, joints[:, LEARNT], atol=1e-5)
    assert_allclose(spread, uncertainty[:, LEARNT], rtol=1e-4)


def test_products_are_pictures_a_stream_and_a_clip() -> None:
    poses, _ = filmed(points_of_take(), Cameras(torch.Generator().manual_seed(3), ROOM))
    found = products(poses)
    assert {kind: joints.shape for kind, joints in found.items()} == dict.fromkeys(
        ("single", "causal", "centred"), (40, 21, 3)
    )
    assert_allclose(found["single"][7], lift(poses[7]).joints[0], atol=1e-6)
    thigh = [NAMES.index(f"left_{joint}") for joint in ("hip", "knee")]
    steady = {
        kind: np.linalg.norm(joints[:, thigh[0]] - joints[:, thigh[1]], axis=-1).std()
        for kind, joints in found.items()
    }
    assert steady["centred"] < 1e-5 < steady["single"]  # a clip's bones keep their lengths


def test_whole_recordings_are_of_held_out_people_in_their_millimetres(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By hand: bodies that are a point are as far off as joints are from the pelvis."""

    def points(poses: list[Poses]) -> dict[str, np.ndarray]:
        return {kind: np.zeros((len(poses), 21, 3)) for kind in files.NETWORKS}

    monkeypatch.setattr(evaluate, "products", points)
    one = take()
    found = whole_recordings([one, take(heldout=False, size=2.0)])
    joints = one.joints[:, [PLACE[POINTS[place]] for place in LIMBS]]
    away = joints - joints[:, 6:8].mean(1, keepdims=True)
    tall = stature(torch.tensor(one.joints))
    expected = np.linalg.norm(away, axis=-1).mean() * 1000
    assert found.keys() == files.NETWORKS.keys()
    for each in found.values():
        assert each.mpjpe == pytest.approx(expected, rel=0.01)
    assert 1.6 < float(tall.median()) < 2


# Uncertainty


class Sure:
    """Errors of 0.1, 0.2, ... body heights across, of which 0.2 is expected."""

    def __call__(self, network: object, batch: Batch) -> tuple[Tensor, Tensor]:
        errors = torch.arange(1, len(batch.points) + 1) / 10
        found = batch.points + errors[:, None, None] * torch.tensor([0.6, 0.8, 0.0])
        return found, torch.full(found.shape[:2], 0.2)


def test_shares_within_are_counted_of_the_limbs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "looked_twice", Sure())
    told = evaluate.reliability(files.load("single"), batch_of(torch.zeros(4, 20, 3)))
    shares = {row["parts"]: row["within"] for row in told}
    # Errors are 0.5, 1, 1.5 and 2 times what is expected; those at an end may be either.
    assert (shares[0.25], shares[0.75], shares[3.0]) == (0, 0.25, 1)
    curve = evaluate.by_uncertainty(files.load("single"), batch_of(torch.zeros(4, 20, 3)), 1)
    assert_allclose(curve, [[0.2, 0.25]], atol=1e-6)


# All of it


def test_the_command_writes_every_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(evaluate, "recordings", lambda _: [take(), take(heldout=False)])
    monkeypatch.setattr(evaluate.Errors, "read", lambda _: Errors())
    monkeypatch.setattr(evaluate, "COUNT", 64)
    monkeypatch.setattr(evaluate, "CAMERAS", 1)
    told_of: list[Tensor] = []
    reliability = evaluate.reliability

    def listened(network: files.LiftingNetwork, batch: Batch) -> list[dict[str, float]]:
        told_of.append(batch.scores)
        return reliability(network, batch)

    monkeypatch.setattr(evaluate, "reliability", listened)
    results, picture = tmp_path / "lifting.json", tmp_path / "lifting.png"
    arguments = ["there", str(tmp_path), "--results", str(results), "--picture", str(picture)]
    assert evaluate.main(arguments) == 0
    told = json.loads(results.read_text())
    names = [(row["what"], row["network"]) for row in told["held out"]]
    assert names[:2] == [("mean pose", ""), ("mean pose, their own", "")]
    for kind, name in (("single", "lift"), ("causal", "Lifter"), ("centred", "lift")):
        assert (f"movenet.{name}, whole recordings", kind) in names
        assert ("shipped, others, MoveNet's errors", kind) in names
    assert all(0 < row["pa_mpjpe_mm"] <= row["mpjpe_mm"] for row in told["held out"])
    assert told["within"].keys() == files.NETWORKS.keys()
    assert all((scores[:, :, 5:] < 1).flatten(1).any(1).all() for scores in told_of)
    assert picture.read_bytes().startswith(b"\x89PNG")
