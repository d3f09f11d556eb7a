"""The second look: where it goes, what becomes of both, and that it finds more."""

import json
from pathlib import Path

import numpy as np
import pytest

from movenet import PoseEstimator, Poses, images, load, pictures
from movenet.cli import main
from movenet.crop import MARGIN, CropRegion
from movenet.engines.mirrored import MirroredEngine
from movenet.estimator import FINDINGS
from movenet.export import litert
from movenet.export.job import Job
from movenet.keypoints import MIRROR
from movenet.refinement import HIPS, SHOULDERS, combined, crops, merged
from movenet.specs import SPECS

SHAPES = tuple(shape for shape in SPECS["thunder"].shapes if max(shape) == 256)
ASTRONAUT = images.read(pictures.path("astronaut"))
TWO = images.read(pictures.path("two_people"))


def poses(scores: np.ndarray, keypoints: np.ndarray | None = None) -> Poses:
    """People whose keypoints lie on a line from (100, 50) to (140, 130), as they are scored."""
    line = np.linspace((100, 50), (140, 130), 17)
    xy = np.broadcast_to(line, (len(scores), 17, 2)) if keypoints is None else keypoints
    return Poses.from_arrays(xy, scores, image_size=(200, 300), scores=np.linspace(1, 0.5, len(xy)))


# Where


def test_a_crop_is_the_extent_widened_in_the_person_s_own_aspect() -> None:
    (region,) = crops(poses(np.full((1, 17), 0.9)), SHAPES, several=False)
    assert region is not None
    assert region.shape == (256, 128)  # 40 x 80
    assert region.step_x == region.step_y == pytest.approx(80 * MARGIN / 256)
    middle = region.to_image(np.array([[0.5, 0.5]]))
    np.testing.assert_allclose(middle, [[120, 90]])


def test_keypoints_that_are_not_seen_do_not_span_the_crop() -> None:
    scores = np.full((1, 17), 0.9)
    scores[0, 13:] = 0.09  # knees and ankles, the lower end of the line
    (region,) = crops(poses(scores), SHAPES, several=False)
    assert region is not None
    np.testing.assert_allclose(region.to_image(np.array([[0.5, 0.5]])), [[115, 80]])


@pytest.mark.parametrize("missing", [HIPS, SHOULDERS])
def test_without_a_torso_the_whole_picture_is_looked_at_unless_others_are_there(
    missing: list[int],
) -> None:
    scores = np.full((2, 17), 0.9)
    scores[1, missing] = 0.15
    found = crops(poses(scores), SHAPES, several=False)
    assert [region is None for region in found] == [False, True]
    assert None not in crops(poses(scores), SHAPES, several=True)


def test_a_crowd_s_person_of_whom_nothing_is_seen_has_a_crop() -> None:
    (region,) = crops(poses(np.full((1, 17), 0.05)), SHAPES, several=True)
    assert region is not None
    assert region.shape == (256, 128)


def test_points_on_one_spot_are_looked_at_from_a_pixel_s_distance() -> None:
    region = CropRegion.around(np.full((3, 2), 7.0), ((192, 192), (192, 96)))
    assert region.step_x * 192 == pytest.approx(1)


@pytest.mark.parametrize("size", [(50, 200), (200, 50), (100, 90)])
def test_a_file_of_one_shape_shows_everybody_whole(size: tuple[int, int]) -> None:
    points = np.array([(0, 0), size], float)
    region = CropRegion.around(points, [(192, 96)])
    corners = region.to_input(points)
    assert region.shape == (192, 96)
    assert (corners > 0).all()
    assert (corners < 1).all()
    np.testing.assert_allclose((corners[1] - corners[0]).max(), 1 / MARGIN)  # and not smaller


@pytest.mark.parametrize("size", [(64, 64), (30, 64), (64, 33)])
def test_every_point_lies_in_its_crop(size: tuple[int, int]) -> None:
    points = np.random.default_rng(0).uniform(0, size, (40, 2))
    region = CropRegion.around(points, SHAPES)
    inside = region.to_input(points)
    edge = 0.5 * (1 - 1 / MARGIN)
    assert (inside > 0).all()
    assert (inside < 1).all()
    long = int(np.argmax(np.ptp(points, axis=0)))
    assert inside[:, long].min() == pytest.approx(edge, abs=1e-6)


# What becomes of both


def test_one_person_s_scores_and_box_are_the_second_look_s() -> None:
    first = poses(np.full((1, 17), 0.9))
    seen = np.full((1, 17), 0.5, np.float32)
    moved = first.keypoints + 3
    found = combined(first, moved, seen, 0.3, several=False)
    np.testing.assert_array_equal(found.keypoints, moved)
    np.testing.assert_allclose(found.scores, [0.5])
    np.testing.assert_allclose(found.boxes, [[103, 53, 143, 133]])


def test_of_several_the_instance_score_times_the_mean_orders_them_and_doubles_go() -> None:
    apart = np.stack([np.linspace((x, 50), (x + 40, 130), 17) for x in (0, 100, 101)])
    first = poses(np.full((3, 17), 0.9), apart)  # instance scores 1, 0.75, 0.5
    seen = np.repeat(np.array([[0.2], [0.4], [0.9]], np.float32), 17, 1)
    found = combined(first, first.keypoints, seen, 0.3, several=True)
    np.testing.assert_allclose(found.scores, [0.45, 0.2])  # 0.3 was alike the first
    np.testing.assert_allclose(found.keypoints[:, 0, 0], [101, 0])
    np.testing.assert_allclose(found.boxes, first.boxes[[2, 0]])


# With networks


def test_a_second_look_sees_a_small_person_better() -> None:
    small = np.full((900, 1600, 3), 127, np.uint8)
    small[400:848, 600:950] = ASTRONAUT
    scores = {
        refine: PoseEstimator("lightning", refine=refine)(small).keypoint_scores.mean()
        for refine in (False, True, "thunder")
    }
    assert scores[True] > scores[False] + 0.05
    assert scores["thunder"] > scores[False] + 0.05


def test_the_second_look_is_the_network_on_the_crop() -> None:
    estimator = PoseEstimator("lightning")
    first = PoseEstimator("lightning", refine=False)(ASTRONAUT)
    (region,) = crops(first, estimator.crop_shapes, several=False)
    assert region is not None
    output = estimator.engine(region.extract(ASTRONAUT)[None])[0, 0]
    found = estimator(ASTRONAUT)
    np.testing.assert_allclose(
        found.keypoints[0], region.to_image(output[:, 1::-1]).astype(np.float32)
    )
    np.testing.assert_array_equal(found.keypoint_scores[0], output[:, 2])


def test_without_a_torso_one_network_s_first_look_stays() -> None:
    head = np.ascontiguousarray(ASTRONAUT[40:200, 150:300])
    first = PoseEstimator("lightning", refine=False, person_threshold=0.0)(head)
    assert crops(first, ((192, 192),), several=False) == [None]
    again = PoseEstimator("lightning", person_threshold=0.0)(head)
    np.testing.assert_array_equal(again.keypoints, first.keypoints)
    other = PoseEstimator("lightning", refine="thunder", person_threshold=0.0)(head)
    whole = PoseEstimator("thunder", refine=False, person_threshold=0.0)(head)
    np.testing.assert_array_equal(other.keypoints, whole.keypoints)


def test_everybody_is_looked_at_again() -> None:
    estimator = PoseEstimator("multipose")
    assert estimator.second is not None
    assert estimator.second.spec.name == "thunder"
    assert (estimator.sides, estimator.person_threshold) == FINDINGS["multipose", "balanced"]
    found = estimator(TWO)
    first = estimator.find([TWO])[0]
    assert len(found) == len(first) == 2
    assert (found.keypoint_scores.mean(1) > 0.3).all()
    assert found.scores[0] >= found.scores[1]


def test_a_finder_gives_one_person_to_the_model() -> None:
    found = PoseEstimator("thunder", finder="multipose")(TWO)
    assert len(found) == 1
    everybody = PoseEstimator("multipose", refine="thunder").find([TWO])[0]
    apart = np.linalg.norm(found.keypoints[0] - everybody.keypoints[0], axis=1)
    assert np.median(apart) < 10


def test_pictures_together_are_as_pictures_alone() -> None:
    estimator = PoseEstimator("multipose", threads=1)
    empty = np.full((240, 320, 3), 90, np.uint8)
    together = estimator([TWO, empty, ASTRONAUT])
    for one, picture in zip(together, (TWO, empty, ASTRONAUT), strict=True):
        alone = estimator(picture)
        np.testing.assert_allclose(one.keypoints, alone.keypoints, atol=1e-3)
        np.testing.assert_allclose(one.scores, alone.scores, atol=1e-5)
    assert len(together[1]) == 0


def test_every_engine_looks_at_the_same_crops() -> None:
    litert, torch = (PoseEstimator("lightning", engine=name)(TWO) for name in ("litert", "torch"))
    np.testing.assert_allclose(litert.keypoints, torch.keypoints, atol=0.05)


@pytest.mark.parametrize(
    ("model", "shape", "letterbox"),
    [
        ("lightning", (192, 96), "trim"),
        ("lightning", (96, 192), "trim"),
        ("multipose", (256, 256), "trim"),
        ("multipose", (256, 256), "square"),
    ],
)
def test_an_exported_file_of_one_shape_takes_part(
    model: str, shape: tuple[int, int], letterbox: str, tmp_path: Path
) -> None:
    path = tmp_path / "one.tflite"
    litert.export(Job(load(model), "litert", "float16", (shape,), fixed=True), path)
    estimator = PoseEstimator(model, engine=path, letterbox=letterbox)  # type: ignore[arg-type]
    assert len(estimator(ASTRONAUT)) == 1


def test_a_square_letterbox_has_square_crops() -> None:
    estimator = PoseEstimator("thunder", letterbox="square")
    assert estimator.crop_shapes == ((256, 256),)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"refine": "multipose"}, "a second look sees one person, and multipose sees several"),
        (
            {"finder": "multipose", "refine": "thunder"},
            "finder and refine both name a network; leave refine out: the second look is model's",
        ),
        ({"refine": "big"}, "no model 'big'; there are lightning, thunder, multipose"),
    ],
)
def test_networks_that_do_not_go_together_are_refused(options: dict[str, str], line: str) -> None:
    with pytest.raises(ValueError, match=r".") as error:
        PoseEstimator("lightning", **options)  # type: ignore[arg-type]
    assert str(error.value) == line


def test_without_a_second_look_there_is_none_to_take() -> None:
    with pytest.raises(ValueError, match="no second look"):
        PoseEstimator("lightning", refine=False).look_again([ASTRONAUT], [])


# Quality


def test_fast_looks_once() -> None:
    fast, once = (
        PoseEstimator("multipose", quality="fast"),
        PoseEstimator("multipose", refine=False),
    )
    assert fast.second is None
    np.testing.assert_array_equal(fast(TWO).keypoints, once(TWO).keypoints)


def test_both_ways_round_a_mirrored_picture_gives_the_mirrored_person() -> None:
    engine = MirroredEngine(PoseEstimator("lightning", refine=False, threads=1).engine)
    batch = np.ascontiguousarray(ASTRONAUT[None, :192, 60:252])
    seen, turned = engine(batch), engine(np.ascontiguousarray(batch[:, :, ::-1]))
    back = turned[:, :, list(MIRROR)]
    back[..., 1] = 1 - back[..., 1]
    np.testing.assert_allclose(back, seen, atol=1e-6)


def test_of_both_ways_round_the_surer_one_counts_more() -> None:
    class OneSided:
        spec, runtime, shapes = SPECS["lightning"], "made up", None

        def __call__(self, batch: np.ndarray) -> np.ndarray:
            output = np.zeros((1, 1, 17, 3), np.float32)
            dark = batch[0, 0, 0, 0] == 0
            output[..., 1:] = (0.2, 0.9) if dark else (0.6, 0.3)
            return output

    batch = np.zeros((1, 32, 32, 3), np.uint8)
    batch[:, :, 31] = 255
    found = MirroredEngine(OneSided())(batch)
    np.testing.assert_allclose(found[..., 2], 0.6)
    np.testing.assert_allclose(found[..., 1], (0.9 * 0.2 + 0.3 * 0.4) / 1.2, atol=1e-3)


def test_the_people_of_two_looks_are_each_there_once() -> None:
    apart = np.stack([np.linspace((x, 50), (x + 40, 130), 17) for x in (0, 100)])
    one = poses(np.full((2, 17), 0.9), apart)
    other = poses(np.full((2, 17), 0.8), apart[::-1] + np.array([1, 0]))
    third = np.linspace((200, 50), (240, 130), 17)
    found = merged([one, other, poses(np.full((1, 17), 0.7), third[None])])
    assert len(found) == 3
    assert sorted(found.keypoints[:, 0, 0].tolist()) == [0, 101, 200]  # the better of each two
    assert merged([one]) is one


def test_best_finds_at_two_sizes_and_agrees_on_who_is_there() -> None:
    best = PoseEstimator("multipose", quality="best")
    assert best.sides == (256, 384)
    found, plain = best(TWO), PoseEstimator("multipose")(TWO)
    assert len(found) == len(plain) == 2
    for pose in plain:
        apart = np.linalg.norm(found.keypoints - pose.keypoints, axis=2)
        assert np.median(apart, 1).min() < 8


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"quality": "good"}, "quality must be 'fast', 'balanced' or 'best', not 'good'"),
        (
            {"quality": "best", "refine": False},
            "quality 'best' looks again; do not turn refine off",
        ),
        (
            {"quality": "fast", "finder": "multipose"},
            "quality 'fast' looks once, and a finder needs a second look",
        ),
    ],
)
def test_a_quality_that_contradicts_is_refused(options: dict[str, object], line: str) -> None:
    with pytest.raises(ValueError, match=r".") as error:
        PoseEstimator("lightning", **options)  # type: ignore[arg-type]
    assert str(error.value) == line


# The command


def test_the_command_finds_everybody_and_looks_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    source = str(pictures.path("two_people"))
    assert main(["predict", source, "--json", "a.jsonl"]) == 0
    assert "2 people" in capsys.readouterr().out
    assert main(["predict", source, "--json", "b.jsonl", "--no-refine"]) == 0
    assert "refine" not in capsys.readouterr().out
    refined, plain = (
        json.loads((tmp_path / name).read_text().splitlines()[1])["people"]
        for name in ("a.jsonl", "b.jsonl")
    )
    assert main(["predict", source, "--json", "c.jsonl", "--quality", "best"]) == 0
    assert "2 people" in capsys.readouterr().out
    assert len(refined) == len(plain) == 2
    assert refined != plain


@pytest.mark.parametrize(
    "arguments",
    [
        ["--finder", "multipose", "--no-refine"],
        ["--finder", "multipose", "--refine-with", "thunder"],
        ["--finder", "multipose", "--quality", "fast"],
        ["--quality", "best", "--no-refine"],
        ["--refine-with", "lightning", "--no-refine"],
        ["--refine-with", "lightning", "--quality", "fast"],
    ],
)
def test_options_that_contradict_are_one_line_and_wrong_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", str(pictures.path("camera")), "--json", "x.jsonl", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("movenet: ")
