"""PoseEstimator: any picture in, people in its pixels out."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import movenet
from movenet import PoseEstimator, Poses, images, pictures
from movenet.errors import EngineError, ImageError
from movenet.export import litert
from movenet.export.job import Job
from movenet.keypoints import INDEX, MIRROR
from movenet.specs import ROWS

ASTRONAUT = pictures.path("astronaut")


@pytest.fixture(scope="module")
def lightning() -> PoseEstimator:
    return PoseEstimator("lightning")


@pytest.fixture(scope="module")
def multipose() -> PoseEstimator:
    return PoseEstimator("multipose")


@pytest.fixture(scope="module")
def astronaut() -> np.ndarray:
    return images.read(ASTRONAUT)


def same(one: Poses, other: Poses, atol: float = 0.0) -> None:
    np.testing.assert_allclose(one.keypoints, other.keypoints, atol=atol)
    np.testing.assert_allclose(one.keypoint_scores, other.keypoint_scores, atol=atol)
    assert one.image_size == other.image_size


@pytest.mark.parametrize("name", [row.name for row in ROWS])
def test_a_face_is_found_where_it_is(name: str, astronaut: np.ndarray) -> None:
    poses = PoseEstimator(name)(astronaut)
    assert len(poses) == 1
    face = poses.keypoints[0, :5]
    height, width = astronaut.shape[:2]
    assert poses.image_size == (height, width)
    # The astronaut's face is in the middle of the upper half, her left on the right.
    assert ((face > [0.25 * width, 0.05 * height]) & (face < [0.75 * width, 0.5 * height])).all()
    assert face[INDEX["left_eye"], 0] > face[INDEX["right_eye"], 0]
    shoulders = poses.keypoints[0, [INDEX["left_shoulder"], INDEX["right_shoulder"]]]
    assert shoulders[0, 0] > shoulders[1, 0]
    assert (shoulders[:, 1] > face[:, 1].max()).all()


def test_two_people_are_two_for_multipose(multipose: PoseEstimator) -> None:
    poses = multipose(pictures.path("two_people"))
    assert len(poses) == 2
    assert (poses.boxes[:, 2:] > poses.boxes[:, :2]).all()
    left, right = sorted(poses.boxes.tolist())
    assert left[2] < right[2]
    for pose in poses:
        seen = pose.keypoints[0, :5]  # the face lies in its box
        assert (seen > pose.boxes[0, :2]).all()
        assert (seen < pose.boxes[0, 2:]).all()


@pytest.mark.parametrize("model", ["lightning", "multipose"])
def test_nobody_is_in_an_empty_picture(model: str) -> None:
    assert len(PoseEstimator(model)(np.full((240, 320, 3), 90, np.uint8))) == 0


def test_the_person_threshold_decides_who_is_there(astronaut: np.ndarray) -> None:
    assert len(PoseEstimator("lightning", person_threshold=1.0)(astronaut)) == 0
    assert len(PoseEstimator("multipose", person_threshold=0.0)(astronaut)) == 6


def test_every_kind_of_source_gives_the_same(
    lightning: PoseEstimator, astronaut: np.ndarray
) -> None:
    wanted = lightning(astronaut)
    sources = [
        str(ASTRONAUT),
        ASTRONAUT,
        ASTRONAUT.read_bytes(),
        io.BytesIO(ASTRONAUT.read_bytes()),
        Image.open(ASTRONAUT),
        torch.from_numpy(astronaut),
        torch.from_numpy(astronaut).permute(2, 0, 1),
    ]
    for source in sources:
        same(lightning(source), wanted)


def test_a_list_gives_a_list_in_its_order(lightning: PoseEstimator, astronaut: np.ndarray) -> None:
    wide = np.ascontiguousarray(astronaut[:150])
    given = [astronaut, wide, astronaut[:, ::-1], wide]
    found = lightning(given)
    assert [poses.image_size for poses in found] == [picture.shape[:2] for picture in given]
    for poses, picture in zip(found, given, strict=True):
        same(poses, lightning(picture), atol=2e-3)
    assert lightning([]) == []


def test_a_batch_of_pictures_is_a_list(lightning: PoseEstimator, astronaut: np.ndarray) -> None:
    batch = np.stack([astronaut, astronaut])
    for source in (batch, torch.from_numpy(batch), torch.from_numpy(batch).permute(0, 3, 1, 2)):
        found = lightning(source)
        assert isinstance(found, list)
        assert len(found) == 2
        same(found[0], lightning(astronaut), atol=2e-3)


@pytest.mark.parametrize("name", ["keypoint_threshold", "person_threshold"])
def test_a_threshold_is_from_0_to_1(name: str) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be from 0 to 1, not 2$"):
        PoseEstimator(**{name: 2})  # type: ignore[arg-type]


def test_the_limit_of_a_picture_s_size_is_an_argument() -> None:
    with pytest.raises(ImageError, match="megapixels"):
        PoseEstimator(max_megapixels=0.1)(ASTRONAUT)


@pytest.mark.slow
def test_the_types_of_the_interface_hold_for_its_users(tmp_path: Path) -> None:
    program = tmp_path / "user.py"
    program.write_text(
        "from pathlib import Path\n"
        "import numpy as np\n"
        "from movenet import PoseEstimator, Poses, images\n"
        "estimator = PoseEstimator('thunder', threads=2)\n"
        "one: Poses = estimator('photo.jpg')\n"
        "several: list[Poses] = estimator([Path('a.jpg'), Path('b.jpg')])\n"
        "texts: list[Poses] = estimator(['a.jpg', 'b.jpg'])\n"
        "arrays: list[Poses] = estimator([np.zeros((4, 4, 3), np.uint8)])\n"
        "drawn = one.draw(images.read('photo.jpg'))\n"
    )
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path), str(program)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stdout


def test_pictures_of_one_shape_go_through_the_network_together(
    lightning: PoseEstimator, astronaut: np.ndarray
) -> None:
    small = np.ascontiguousarray(astronaut[::2, ::2])  # another size, the same input shape
    wide = np.ascontiguousarray(astronaut[:100])
    batches = lightning.preprocess([astronaut, wide, small])
    assert [batch.rows for batch in batches] == [(0, 2), (1,)]
    assert [batch.inputs.shape[0] for batch in batches] == [2, 1]


def test_a_picture_is_not_written_to(lightning: PoseEstimator, astronaut: np.ndarray) -> None:
    picture = astronaut.copy()
    lightning(picture)
    np.testing.assert_array_equal(picture, astronaut)


def test_a_mirrored_picture_swaps_left_and_right(
    lightning: PoseEstimator, astronaut: np.ndarray
) -> None:
    wanted, mirrored = lightning(astronaut), lightning(np.ascontiguousarray(astronaut[:, ::-1]))
    turned = mirrored.keypoints[0, MIRROR] * [-1, 1] + [astronaut.shape[1], 0]
    seen = wanted.keypoint_scores[0] > 0.4
    assert seen.sum() >= 6
    distance = np.linalg.norm(turned - wanted.keypoints[0], axis=1)[seen]
    assert np.median(distance) < 0.03 * astronaut.shape[0]


def test_red_and_blue_are_not_the_same(lightning: PoseEstimator, astronaut: np.ndarray) -> None:
    swapped = lightning(np.ascontiguousarray(astronaut[:, :, ::-1]))
    assert not np.array_equal(swapped.keypoints, lightning(astronaut).keypoints)


@pytest.mark.parametrize("name", ["lightning", "multipose"])
def test_bars_beside_a_picture_move_nobody(name: str, astronaut: np.ndarray) -> None:
    """A wide picture and the same padded to a square agree: nothing is squashed."""
    # Sizes that the long side's scale divides: 336 / 192 = 7 / 4, and for 256, 21 / 16.
    width, height, bar = (336, 196, 70) if name == "lightning" else (336, 168, 84)
    cut = np.ascontiguousarray(astronaut[:height, :width])
    padded = np.zeros((width, width, 3), np.uint8)
    padded[bar : bar + height] = cut
    estimator = PoseEstimator(name, refine=False, letterbox="square")
    one, other = estimator(cut), estimator(padded)
    np.testing.assert_allclose(one.keypoints + np.array([0, bar]), other.keypoints, atol=0.01)


def test_a_network_of_one_s_own_is_taken(astronaut: np.ndarray, lightning: PoseEstimator) -> None:
    own = PoseEstimator(movenet.load("lightning"))
    same(own(astronaut), PoseEstimator("lightning", engine="torch")(astronaut))
    same(own(astronaut), lightning(astronaut), atol=0.1)


def test_a_broken_file_is_named(lightning: PoseEstimator, tmp_path: Path) -> None:
    path = tmp_path / "text.jpg"
    path.write_text("not a picture")
    with pytest.raises(ImageError, match=f"^{path}: "):
        lightning(path)


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^no model 'big'; there are lightning, thunder, multip"):
        PoseEstimator("big")


def test_an_unknown_letterbox_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^letterbox must be 'trim' or 'square', not 'squash'$"):
        PoseEstimator(letterbox="squash")  # type: ignore[arg-type]


@pytest.mark.parametrize("device", ["cuda:7", "tpu"])
def test_a_device_that_is_not_there_is_named(device: str) -> None:
    with pytest.raises(EngineError) as error:
        PoseEstimator(device=device)
    assert str(error.value) == (f"--device {device}: PyTorch cannot use it here; try --device cpu")


def test_threads_are_pytorch_s_where_it_runs() -> None:
    before = torch.get_num_threads()
    try:
        PoseEstimator(threads=1, engine="torch")
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


@pytest.fixture(scope="module")
def small_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LiteRT file of shapes that are not the model's own."""
    path = tmp_path_factory.mktemp("small") / "small.tflite"
    job = Job(movenet.load("lightning"), "litert", "float16", ((64, 64), (128, 96)), fixed=True)
    litert.export(job, path)
    return path


@pytest.mark.parametrize(
    ("size", "shape"),
    [((100, 100), (128, 96)), ((400, 300), (128, 96)), ((300, 900), (128, 96))],
)
def test_a_file_of_another_size_sees_the_whole_picture_smaller(
    small_file: Path, size: tuple[int, int], shape: tuple[int, int]
) -> None:
    estimator = PoseEstimator("lightning", engine=small_file, person_threshold=0.0)
    picture = np.zeros((*size, 3), np.uint8)
    (batch,) = estimator.preprocess([picture])
    assert batch.inputs.shape == (1, *shape, 3)
    region = batch.looks[0].region
    corners = region.to_input(np.array([[0.0, 0.0], [size[1], size[0]]]))
    assert (corners >= -0.02).all()
    assert (corners <= 1.02).all()
    assert len(estimator(picture)) == 1
