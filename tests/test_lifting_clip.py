"""Lifted bodies against triangulated ones: what is compared, by hand."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from movenet.errors import MoveNetError
from movenet.keypoints import NAMES

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "training"))
from lifting import clip, command  # noqa: E402
from lifting.offsets import FILE  # noqa: E402
from lifting.rotations import about  # noqa: E402


def body() -> np.ndarray:
    """Somebody who walks towards the camera, body heights, camera axes, (21, 3)."""
    half = {
        "shoulder": (0.1, -0.29, 0.0), "elbow": (0.14, -0.13, 0.05), "wrist": (0.15, 0.0, -0.05),
        "hip": (0.05, 0.0, 0.0), "knee": (0.06, 0.22, -0.1), "ankle": (0.06, 0.46, 0.05),
    }  # fmt: skip
    joints = np.zeros((21, 3))
    for joint, (x, y, z) in half.items():
        joints[NAMES.index(f"left_{joint}")] = x, y, z
        joints[NAMES.index(f"right_{joint}")] = -x, y, -z
    return joints


def exchanged(joints: np.ndarray, *names: str) -> np.ndarray:
    result = joints.copy()
    for name in names:
        pair = [NAMES.index(f"{side}_{name}") for side in ("left", "right")]
        result[..., pair, :] = joints[..., pair[::-1], :]
    return result


ARMS, LEGS = ("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle")


def swaps(found: np.ndarray) -> int:
    limbs = [torch.tensor(each[None, clip.LIMBS]) for each in (found, body())]
    return int(clip.swapped(*limbs).sum())


def test_exchanged_arms_or_legs_or_both_are_swapped() -> None:
    assert swaps(body()) == 0
    assert swaps(body() + np.random.default_rng(0).normal(0, 0.02, (21, 3))) == 0
    assert swaps(exchanged(body(), *ARMS)) == 1
    assert swaps(exchanged(body(), *LEGS)) == 1
    assert swaps(exchanged(body(), *ARMS, *LEGS)) == 1


def test_who_faces_the_wrong_way_is_swapped() -> None:
    """A half turn about the upright: the left hand is where the right one is."""
    half_turn = about(torch.tensor([0.0, np.pi, 0.0])).numpy()
    assert swaps(body() @ half_turn.T) == 1


def test_figures_are_in_millimetres_and_motion_is_a_share() -> None:
    """By hand: 0.01 of 1.8 m is 18 mm, which alignment takes away; half as far is half."""
    steps = np.arange(5)[:, None, None] * np.array([0.01, 0.0, 0.0])
    true = (body() + steps)[:, :17] * 1.8
    row = clip.compared("single", body() + steps / 2, true, 1.8)
    assert row["mpjpe_mm"] == pytest.approx((steps / 2).mean() * 3 * 1800, abs=0.1)
    assert row["pa_mpjpe_mm"] == pytest.approx(0, abs=0.1)
    assert row["motion"] == pytest.approx(0.5)
    assert (row["what"], row["swapped_frames"]) == ("single", 0)


def test_lengths_are_those_of_the_eight_bones_of_the_limbs() -> None:
    found = clip.lengths(body()[None])[0]
    assert found.shape == (8,)
    assert_allclose(found[:4], found[4:])
    assert found[3] == pytest.approx(np.hypot(0.24, 0.15))  # a shank


@pytest.mark.parametrize("size", clip.SIZES)
def test_poses_are_one_person_s_over_time(size: tuple[int, int]) -> None:
    keypoints = np.random.default_rng(0).uniform(0, 900, (3, 17, 3))
    poses = clip.poses_of(keypoints, np.array([0.0, 0.1, 0.3]), size)
    assert [each.timestamp_s for each in poses] == [0.0, 0.1, 0.3]
    assert {each.image_size for each in poses} == {size}
    assert_allclose(poses[1].keypoints[0], keypoints[1, :, :2], rtol=1e-6)
    assert_allclose(poses[1].keypoint_scores[0], keypoints[1, :, 2], rtol=1e-6)


def test_every_camera_has_a_row_for_every_network(tmp_path: Path) -> None:
    """Four cameras that see the same, wherever in the world they stand, of one who sways."""
    frames = 12
    phase = np.arange(frames)[:, None, None] + np.arange(51).reshape(17, 3)
    points = body()[:17] * 1.7 + 0.02 * np.sin(phase)
    pixels = points[..., :2] / (points[..., 2:] + 4) * 1700 + (544, 960)
    keypoints = np.concatenate([pixels, np.ones((frames, 17, 1))], -1)
    keypoints[:, :5, 2] = 0
    turn = about(torch.randn(3, generator=torch.Generator().manual_seed(0))).numpy()
    np.savez(
        tmp_path / FILE, turn=np.tile(turn, (4, 1, 1)), points=points @ turn, stature_m=1.7,
        timestamps_s=np.arange(frames) / 60, keypoints=np.tile(keypoints, (4, 1, 1, 1)),
    )  # fmt: skip
    results = tmp_path / "clip.json"
    assert clip.main([str(tmp_path), "--results", str(results)]) == 0
    rows = json.loads(results.read_text())
    assert [(row["camera"], row["what"]) for row in rows] == [
        (camera, kind) for camera in (1, 2, 3, 4) for kind in ("single", "causal", "centred")
    ]
    for row in rows:
        assert row["mpjpe_mm"] < 120
        assert 0 < row["motion"] < 10
        assert row["swapped_frames"] == 0
    assert all(0 < row["limbs_vary"] <= row["most"] for row in rows if row["what"] == "centred")


def test_what_is_missing_is_said_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.ended(lambda: clip.main([str(tmp_path)])) == 1
    told = capsys.readouterr().err
    assert told == (
        f"{tmp_path / FILE}: cannot be read (No such file or directory); "
        "python -m lifting.offsets makes it\n"
    )
    assert command.ended(lambda: 0) == 0
    with pytest.raises(MoveNetError):
        clip.main([str(tmp_path)])
