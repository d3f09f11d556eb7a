"""MoveNet's errors for simulated keypoints, and where its joints are in space."""

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize

from movenet import Poses
from movenet.errors import MoveNetError
from movenet.keypoints import INDEX, MIRROR, NAMES

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "training"))
from lifting import errors, offsets  # noqa: E402
from lifting.errors import Errors, Table  # noqa: E402
from lifting.recordings import JOINTS, Recording  # noqa: E402

COCO = ROOT.parent / "shared" / "data" / "coco_train2017"
VIDEOS = ROOT.parent / "shared" / "data" / "videos"
ALL = np.ones(17, bool)


def upright(height: float = 400.0) -> np.ndarray:
    """A person seen from the front, arms and legs straight, of the table's lengths, (17, 2)."""
    points = np.zeros((17, 2))
    levels = {"hip": 0.0, "knee": 0.229, "ankle": 0.479, "eye": -0.430, "ear": -0.410}
    widths = {"hip": 0.0525, "knee": 0.0525, "ankle": 0.0525, "eye": 0.0185, "ear": 0.043}
    shoulder = np.sqrt(0.294**2 - 0.0525**2)
    levels |= {"shoulder": -shoulder, "elbow": -shoulder + 0.166, "wrist": -shoulder + 0.326}
    widths |= {"shoulder": 0.105, "elbow": 0.105, "wrist": 0.105}
    for name, index in INDEX.items():
        side, _, joint = name.partition("_")
        if joint:
            points[index] = widths[joint] * (1 if side == "left" else -1), levels[joint]
    points[0] = 0, -0.404
    return points * height + (300, 500)


def record(points: np.ndarray, seen: np.ndarray = ALL) -> dict:
    flat = np.where(seen[:, None], np.column_stack([points, np.full(17, 2)]), 0)
    return {
        "keypoints": flat.ravel().tolist(), "num_keypoints": int(seen.sum()), "iscrowd": 0,
        "area": 20000.0,
    }  # fmt: skip


def found(*people: np.ndarray) -> Poses:
    scores = np.linspace(0.2, 0.9, 17) - 0.01 * np.arange(len(people))[:, None]
    return Poses.from_arrays(np.array(people), scores, image_size=(900, 600))


# The body's height


def test_a_body_is_as_high_as_its_limbs_say() -> None:
    assert errors.body_height(upright(400), ALL) == pytest.approx(400, rel=0.01)
    assert errors.body_height(upright(35), ALL) == pytest.approx(35, rel=0.01)


@pytest.mark.parametrize(
    "hidden", [range(11, 17), range(11), [7, 8, 9, 10], [5, 7, 9, 11, 13, 15], range(5, 17, 2)]
)
def test_half_a_body_tells_the_whole_height(hidden: range) -> None:
    there = ALL.copy()
    there[list(hidden)] = False
    points = np.where(there[:, None], upright(400), 0)
    assert errors.body_height(points, there) == pytest.approx(400, rel=0.04)


def test_limbs_towards_the_camera_do_not_make_a_person_smaller() -> None:
    points = upright(400)
    for side in ("left", "right"):
        for first, *others in (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle")):
            points[[INDEX[f"{side}_{o}"] for o in others]] = points[INDEX[f"{side}_{first}"]] + 5
    assert errors.body_height(points, ALL) == pytest.approx(400, rel=0.03)


def test_one_keypoint_that_is_far_off_does_not_make_a_person_a_giant() -> None:
    points = upright(400)
    points[INDEX["left_wrist"]] += 300
    assert errors.body_height(points, ALL) == pytest.approx(400, rel=0.02)


def test_too_little_of_a_body_tells_no_height() -> None:
    there = np.zeros((3, 17), bool)
    there[1, 0], there[2, :3] = True, True
    assert np.isnan(errors.body_height(np.tile(upright(), (3, 1, 1)), there)).all()


# Errors of those who are found


def test_errors_are_in_body_heights() -> None:
    points = upright(400)
    poses = found(points + np.array([4.0, -2.0]))
    table = errors.compared(poses, [record(points)], 1)
    height = float(errors.body_height(points, ALL))
    assert_allclose(table.rows[0, :, 0], poses.keypoint_scores[0])
    expected = np.tile([4 / height, -2 / height, 2], (17, 1))
    assert_allclose(table.rows[0, :, 1:], expected, atol=1e-6)
    assert_array_equal(table.height_px, [height])
    assert_array_equal(table.way, [1])
    assert not table.swapped.any()


def test_what_is_not_annotated_has_a_score_and_no_error() -> None:
    seen = ALL.copy()
    seen[[3, 15]] = False
    table = errors.compared(found(upright() + 3), [record(upright(), seen)], 0)
    assert_array_equal(table.rows[0, [3, 15], 1:], 0)
    assert (table.rows[0, :, 0] > 0).all()
    assert (table.rows[0, seen, 1:] > 0).all()


def test_a_person_whose_sides_are_taken_for_each_other_is_found_and_swapped() -> None:
    points = upright()
    table = errors.compared(found(points[list(MIRROR)]), [record(points)], 0)
    body = np.array([name.split("_")[-1] not in {"nose", "eye"} for name in NAMES])
    assert_array_equal(table.swapped[0], body)  # eyes are too near each other
    offset = points[INDEX["right_hip"]] - points[INDEX["left_hip"]]
    assert_allclose(table.rows[0, INDEX["left_hip"], 1:3] * table.height_px, offset, atol=1e-3)


def test_a_side_step_is_no_swap() -> None:
    points, moved = upright(), upright()
    ankles = INDEX["left_ankle"], INDEX["right_ankle"]
    moved[ankles[0]] = points[ankles[0]] * 0.45 + points[ankles[1]] * 0.55
    assert not errors.compared(found(moved), [record(points)], 0).swapped.any()


def test_everybody_is_compared_with_themselves_and_once() -> None:
    one, other = upright(), upright() + np.array([150, 0])
    poses = found(other + 2, one + 1, one + 9, one + 3000)
    table = errors.compared(poses, [record(one), record(other)], 0)
    assert_allclose(table.rows[:, 0, 1] * table.height_px, [1, 2], atol=1e-4)
    assert_allclose(table.rows[:, 0, 0], poses.keypoint_scores[[1, 0], 0], atol=1e-6)


def test_who_is_found_once_is_one_person_and_who_is_far_from_all_is_nobody() -> None:
    one = upright()
    people = [record(one + 9), record(one + 1)]
    table = errors.compared(found(one), people, 0)
    assert_allclose(table.rows[:, 0, 1] * table.height_px, [-1], atol=1e-4)
    assert len(errors.compared(found(one + 500), people, 0).rows) == 0


@pytest.mark.parametrize("change", [{"num_keypoints": 0}, {"iscrowd": 1}])
def test_who_is_not_annotated_gives_no_row(change: dict) -> None:
    table = errors.compared(found(upright()), [record(upright()) | change], 0)
    assert table.rows.shape == (0, 17, 4)
    nobody = Poses.from_arrays(np.zeros((0, 17, 2)), np.zeros((0, 17)), image_size=(9, 9))
    assert len(errors.compared(nobody, [record(upright())], 0).rows) == 0


def test_a_mirrored_picture_has_its_people_mirrored() -> None:
    seen = ALL.copy()
    seen[INDEX["left_ear"]] = False
    (mirrored,) = errors.mirrored([record(upright(), seen)], 600)
    points = np.reshape(mirrored["keypoints"], (17, 3))
    x, y = upright()[INDEX["left_wrist"]]
    assert_allclose(points[INDEX["right_wrist"]], [600 - x, y, 2])
    assert_array_equal(points[INDEX["right_ear"]], 0)
    (again,) = errors.mirrored([mirrored], 600)
    assert_allclose(again["keypoints"], record(upright(), seen)["keypoints"])


# Draws


def rows(count: int = 400) -> np.ndarray:
    """Errors that are as large as the score is small; a sixth is not annotated."""
    random = np.random.default_rng(0)
    table = np.zeros((count, 17, 4))
    table[..., 0] = random.uniform(0, 1, (count, 17))
    table[..., 1], table[..., 2] = 1 - table[..., 0], np.arange(17)
    table[..., 3] = random.integers(0, 6, (count, 17)).clip(0, 2)
    table[..., 1:3] *= table[..., 3:] > 0
    return table


def test_a_person_s_scores_and_errors_stay_together() -> None:
    table = rows()
    table[..., 3] = 1
    table[..., 2] = np.arange(len(table))[:, None]
    scores, drawn = Errors(table).draw(300, torch.Generator().manual_seed(1))
    person = drawn[:, 0, 1].long()
    assert (drawn[..., 1] == person[:, None]).all()
    assert_allclose(scores, table[person, :, 0], atol=1e-6)
    assert len(person.unique()) > 150


def test_unknown_errors_are_those_of_the_same_joint_at_about_that_score() -> None:
    scores, drawn = Errors(rows()).draw(2000, torch.Generator().manual_seed(1))
    assert_allclose(drawn[..., 1], np.tile(np.arange(17), (2000, 1)))
    assert (drawn[..., 0] + scores - 1).abs().max() < 0.2
    assert (drawn[..., 0] + scores - 1).abs().mean() < 0.01


def test_the_same_generator_draws_the_same() -> None:
    first, again = (Errors(rows()).draw(50, torch.Generator().manual_seed(3)) for _ in range(2))
    assert all(torch.equal(*pair) for pair in zip(first, again, strict=True))
    assert first[0].shape == (50, 17)
    assert first[1].shape == (50, 17, 2)


def test_errors_that_were_not_measured_are_said_to_be_missing(tmp_path: Path) -> None:
    np.savez(tmp_path / errors.FILE, rows=rows())
    assert Errors.read(tmp_path / errors.FILE).scores.shape == (400, 17)
    path = tmp_path / "other.npz"
    with pytest.raises(MoveNetError) as error:
        Errors.read(path)
    message = f"{path}: cannot be read (No such file or directory); python -m lifting.errors "
    assert str(error.value) == message + "makes it"


# Figures


def test_the_figures_are_those_of_the_rows() -> None:
    table = np.zeros((5, 17, 4))
    table[:, :, 0] = 0.55
    table[:, INDEX["left_knee"], 1] = [0.01, 0.02, 0.03, 0.04, 9]
    table[:4, INDEX["left_knee"], 3] = 2
    swapped = np.zeros((5, 17), bool)
    swapped[3, INDEX["left_knee"]] = True
    told = errors.summary(Table(table, swapped, np.full(5, 150.0), np.array([0, 0, 1, 1, 1])))
    knee = {"count": 4, "median": 0.025, "p90": 0.037, "swapped": 0.25}
    assert {"joint": "knee", "score": [0.5, 0.6], **knee} in told
    assert {"height_px": [100, 200], **knee} in told
    assert {"joint": "knee", "score": [0.6, 0.7], "count": 0} in told
    assert next(row for row in told if row.get("way") == "thunder")["people"] == 3


@pytest.mark.skipif(not COCO.exists(), reason="needs ../shared/data/coco_train2017")
def test_pictures_come_with_their_mirror_images() -> None:
    given = errors.pictures(COCO)
    (picture, people), (mirrored, _) = next(given), next(given)
    assert_array_equal(picture[:, ::-1], mirrored)
    assert picture.dtype == np.uint8
    assert isinstance(people, list)


# Points in space


def cameras() -> list[offsets.Camera]:
    """Four around the origin, 4 m away, z up."""
    found = []
    for angle in (0.3, 1.9, 3.4, 5.0):
        away = np.array([np.cos(angle), np.sin(angle), 0.3])
        away /= np.linalg.norm(away)
        right = np.cross(-away, (0, 0, 1))
        right /= np.linalg.norm(right)
        turn = np.stack([right, np.cross(-away, right), -away])
        matrix = np.array([[1500.0, 0, 500], [0, 1500, 900], [0, 0, 1]])
        lens = np.array([-0.05, 0.1, 0.001, 0.001])
        found.append(offsets.Camera(matrix, lens, turn, turn @ away * -4))
    return found


def photographed(points: np.ndarray) -> np.ndarray:
    """OpenCV's own projection, with scores, (4, ..., 3)."""
    views = []
    for matrix, lens, turn, translation in cameras():
        flat = points.reshape(-1, 1, 3)
        pixels = cv2.projectPoints(flat, cv2.Rodrigues(turn)[0], translation, matrix, lens)[0]
        views.append(pixels.reshape(*points.shape[:-1], 2))
    seen = np.stack(views)
    return np.concatenate([seen, np.full((*seen.shape[:-1], 1), 0.8)], -1)


POINTS = np.random.default_rng(0).uniform(-0.8, 0.8, (30, 17, 3))


def test_points_are_where_their_views_meet() -> None:
    points, residuals = offsets.triangulated(cameras(), photographed(POINTS))
    assert_allclose(points, POINTS, atol=1e-5)
    assert_allclose(residuals, 0, atol=0.01)


def test_one_view_that_is_far_off_hardly_counts() -> None:
    seen = photographed(POINTS)
    seen[2, ..., :2] += (-700, 500)
    points, residuals = offsets.triangulated(cameras(), seen)
    assert np.linalg.norm(points - POINTS, axis=-1).max() < 0.005
    assert np.linalg.norm(residuals[2], axis=-1).min() > 500


def test_a_point_that_one_view_sees_is_nowhere() -> None:
    seen = photographed(POINTS)
    seen[1:, :, 3, 2], seen[2:, :, 4, 2] = 0.1, 0.1
    points, _ = offsets.triangulated(cameras(), seen)
    assert np.isnan(points[:, 3]).all()
    assert_allclose(points[:, 4], POINTS[:, 4], atol=1e-5)


def test_a_picture_that_is_shifted_is_shifted_back() -> None:
    seen = photographed(POINTS)
    seen[1, ..., :2] += (9, -14)
    before = np.linalg.norm(offsets.triangulated(cameras(), seen)[1], axis=-1)
    shifts = offsets.agreed(cameras(), seen)
    after = np.linalg.norm(offsets.triangulated(cameras(), seen, shifts)[1], axis=-1)
    assert after.mean() < 0.15 * before.mean()


def standing() -> np.ndarray:
    """The clip's man, of the table's lengths, his ankles at a twentieth of the stature, (17, 3)."""
    front = upright(1.0) - (300, 500)
    body = np.column_stack([front[:, 0], np.zeros(17), -front[:, 1]]) * offsets.STATURE
    body[:, 2] += offsets.SOLE + 0.05 * offsets.STATURE - body[INDEX["left_ankle"], 2]
    return body


def test_proportions_are_of_the_stature_and_add_up() -> None:
    body = standing()
    told = offsets.of_clip(np.tile(body, (5, 1, 1)))
    hip = body[INDEX["left_hip"], 2] - offsets.SOLE
    shoulder = body[INDEX["left_shoulder"], 2] - offsets.SOLE
    expected = {
        "ankle up": 0.05, "knee up": 0.30, "hip up": hip / offsets.STATURE,
        "shoulder up": shoulder / offsets.STATURE, "hip outward": 0.0525,
        "shoulder outward": 0.105, "elbow along the arm": 0.166, "wrist along the arm": 0.326,
    }  # fmt: skip
    assert told == pytest.approx(expected, abs=1e-3)


def test_the_lower_ankle_stands() -> None:
    body = standing()
    body[INDEX["right_ankle"], 2] += 0.2
    told = offsets.of_clip(np.tile(body, (5, 1, 1)))
    assert told["ankle up"] == pytest.approx(0.05, abs=1e-3)


def test_an_offset_is_from_the_subjects_median() -> None:
    subjects = [{"knee up": value} for value in (0.28, 0.29, 0.30)]
    assert offsets.compared("thunder", {"knee up": 0.27}, subjects) == [
        {
            "model": "thunder", "joint": "knee up", "movenet": 0.27, "cmu": 0.29, "offset": -0.02,
            "deviation": round(0.01 / 1.349, 4),
        }
    ]  # fmt: skip


def test_subjects_who_are_held_out_have_no_say(monkeypatch: pytest.MonkeyPatch) -> None:
    joints = np.random.default_rng(0).normal(size=(5, len(JOINTS), 3))
    head = np.broadcast_to(np.eye(3), (5, 3, 3))
    takes = [Recording(name, name, name == "07", joints, head) for name in ("01", "07", "02")]
    monkeypatch.setattr(offsets, "recordings", lambda folder: iter(takes))
    assert len(offsets.of_recordings(Path())) == 2


def test_points_of_noisy_views_are_near_the_best_that_a_search_finds() -> None:
    random, views, there = np.random.default_rng(1), cameras(), POINTS[:2, :5]
    seen = photographed(there)
    seen[..., :2] += random.normal(0, 6, seen[..., :2].shape)
    seen[..., 2] = random.uniform(0.3, 1, seen.shape[:-1])
    straight = [c.undistorted(view[..., :2]) for c, view in zip(views, seen, strict=True)]

    def cost(point: np.ndarray, place: tuple[int, int]) -> float:
        total = 0.0
        for camera, pixels, view in zip(views, straight, seen, strict=True):
            x, y, z = camera.turn @ point + camera.translation
            off = (np.array([x / z, y / z]) - pixels[place]) * 1500 / offsets.RESIDUAL
            total += view[place][2] * np.log1p(off @ off)
        return total

    found, _ = offsets.triangulated(views, seen)
    for place in np.ndindex(2, 5):
        best = minimize(cost, there[place], (place,), "Nelder-Mead", options={"xatol": 1e-5}).x
        assert np.linalg.norm(found[place] - best) < 0.001
        assert np.linalg.norm(best - there[place]) < 0.05


def test_tables_without_a_camera_are_none(tmp_path: Path) -> None:
    path = tmp_path / "calib.toml"
    camera = "matrix = [[2, 0, 1], [0, 2, 1], [0, 0, 1]]\ndistortions = [0, 0, 0, 0]\n"
    place = "rotation = [0, 0, 0]\ntranslation = [0, 0, 1]\n"
    path.write_text(f"# Pose2Sim\n[one]\n{camera}{place}\n[metadata]\nadjusted = false\n")
    (found,) = offsets.read_cameras(path)
    assert_array_equal(found.turn, np.eye(3))
    with pytest.raises(MoveNetError, match=r"calib2\.toml: cannot be read"):
        offsets.read_cameras(tmp_path / "calib2.toml")


@pytest.mark.skipif(not VIDEOS.exists(), reason="needs ../shared/data/videos")
def test_the_calibration_is_read_as_it_is_written() -> None:
    found = offsets.read_cameras(VIDEOS / "pose2sim_single_calib.toml")
    assert len(found) == 4
    assert found[2].matrix[0, 2] == 513.208374
    assert found[3].translation[2] == 4.40656446
    for camera in found:
        assert_allclose(camera.turn @ camera.turn.T, np.eye(3), atol=1e-9)
        assert (-camera.turn.T @ camera.translation)[2] > 1  # they look from above the floor
