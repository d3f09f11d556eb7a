"""The second look: where it goes, what becomes of both, and that it finds more."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from movenet import PoseEstimator, Poses, images, load, pictures
from movenet.cli import main
from movenet.crop import HIPS, MARGIN, SHOULDERS, CropRegion, torso_seen
from movenet.estimator import FINDINGS, Quality
from movenet.export import litert
from movenet.export.job import Job
from movenet.keypoints import MIRROR
from movenet.refinement import (
    FIRST_LOOK,
    NEAR,
    Part,
    agreed,
    combined,
    crops,
    inside,
    merged,
    mirrored,
    sizes,
    tiles,
)
from movenet.sampling import shapes_of_crops
from movenet.specs import SPECS

SHAPES = tuple(shape for shape in SPECS["thunder"].shapes if max(shape) == 256)
ASTRONAUT = images.read(pictures.path("astronaut"))
TWO = images.read(pictures.path("two_people"))
DOZEN = np.tile(TWO, (3, 2, 1))


def poses(scores: np.ndarray, keypoints: np.ndarray | None = None) -> Poses:
    """People whose keypoints lie on a line from (100, 50) to (140, 130), as they are scored."""
    line = np.linspace((100, 50), (140, 130), 17)
    xy = np.broadcast_to(line, (len(scores), 17, 2)) if keypoints is None else keypoints
    return Poses.from_arrays(xy, scores, image_size=(200, 300), scores=np.linspace(1, 0.5, len(xy)))


def boxed(people: dict[float, tuple[int, int, int, int]]) -> Poses:
    """Score: box of people whose keypoints lie on the falling diagonal of the box."""
    boxes = np.array(list(people.values()), float)
    return Poses.from_arrays(
        np.linspace(boxes[:, :2], boxes[:, 2:], 17, axis=1),
        np.full((len(boxes), 17), 0.9),
        image_size=(200, 300),
        boxes=boxes,
        scores=list(people),
    )


# Where


def test_a_crop_is_the_extent_widened_in_the_person_s_own_aspect() -> None:
    (region,) = crops(poses(np.full((1, 17), 0.9)), SHAPES)
    assert region.shape == (256, 128)  # 40 x 80
    assert region.step_x == region.step_y == pytest.approx(80 * MARGIN / 256)
    middle = region.to_image(np.array([[0.5, 0.5]]))
    np.testing.assert_allclose(middle, [[120, 90]])


def test_keypoints_that_are_not_seen_do_not_span_the_crop() -> None:
    scores = np.full((1, 17), 0.9)
    scores[0, 13:] = 0.09  # knees and ankles, the lower end of the line
    (region,) = crops(poses(scores), SHAPES)
    np.testing.assert_allclose(region.to_image(np.array([[0.5, 0.5]])), [[115, 80]])


@pytest.mark.parametrize("missing", [HIPS, SHOULDERS])
def test_a_torso_is_a_hip_and_a_shoulder(missing: list[int]) -> None:
    scores = np.full((3, 17), 0.9)
    scores[1, missing] = 0.15
    scores[2, missing[0]] = 0.15
    assert torso_seen(poses(scores).keypoint_scores).tolist() == [True, False, True]


def test_somebody_of_whom_nothing_is_seen_has_a_crop() -> None:
    (region,) = crops(poses(np.full((1, 17), 0.05)), SHAPES)
    assert region.shape == (256, 128)


def test_tiles_cover_what_was_full_and_overlap() -> None:
    quarters = tiles((100.0, 0.0, 500.0, 300.0))
    assert len(quarters) == 4
    sides = np.array(quarters).reshape(4, 2, 2)
    np.testing.assert_allclose(sides[:, 1] - sides[:, 0], np.full((4, 2), (280, 210)))
    points = np.random.default_rng(0).uniform((100, 0), (500, 300), (500, 2))
    within = ((points >= sides[:, None, 0]) & (points <= sides[:, None, 1])).all(2)
    assert within.any(0).all()
    assert (within.sum(0) > 1).any()


def test_what_is_small_has_no_tiles() -> None:
    assert tiles((0.0, 0.0, 500.0, 130.0)) == []


def test_who_is_cut_off_by_a_tile_is_left_to_its_neighbour() -> None:
    found = poses(np.full((1, 17), 0.9))  # x 100 to 140, y 50 to 130, of a picture of 300 x 200
    for tile, whole in (
        ((0.0, 0.0, 200.0, 200.0), True),
        ((0.0, 0.0, 130.0, 200.0), False),  # to the right of x = 130 there is more picture
        ((110.0, 0.0, 300.0, 200.0), False),
        ((0.0, 0.0, 200.0, 120.0), False),
        ((0.0, 60.0, 200.0, 200.0), False),
    ):
        assert len(inside(found, tile)) == whole, tile
    edge = np.linspace((250, 100), (300, 200), 17)[None]
    out = poses(np.full((1, 17), 0.9), edge)
    assert len(inside(out, (150.0, 50.0, 300.0, 200.0))) == 1  # cut off by the picture itself


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


# What becomes of all looks


def looks(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Three people seen by so many looks, (3, V, 17, 2) px and scores (3, V, 17)."""
    random = np.random.default_rng(seed)
    return random.uniform(0, 300, (3, count, 17, 2)), random.uniform(0.1, 0.9, (3, count, 17))


def test_one_look_is_taken_as_it_is() -> None:
    keypoints, scores = looks(1)
    points, said = agreed(keypoints, scores, [1.0], np.full(3, 100.0))
    np.testing.assert_allclose(points, keypoints[:, 0], rtol=1e-6)
    np.testing.assert_allclose(said, scores[:, 0], rtol=1e-6)


def test_looks_that_agree_give_their_place_and_their_mean_score() -> None:
    keypoints, scores = looks(3)
    keypoints = np.repeat(keypoints[:, :1], 3, 1)
    points, said = agreed(keypoints, scores, [1.0, 1.0, 2.0], np.full(3, 100.0))
    np.testing.assert_allclose(points, keypoints[:, 0], rtol=1e-5)
    weighted = (scores * np.array([1, 1, 2])[:, None]).sum(1) / 4
    np.testing.assert_allclose(said, weighted, rtol=1e-5)


def test_between_two_near_places_the_surer_one_counts_more() -> None:
    keypoints = np.zeros((1, 2, 17, 2))
    keypoints[0, 1] = (1, 0)  # of somebody of 1000 px: as good as the same place
    scores = np.repeat(np.array([0.25, 0.75])[:, None], 17, 1)[None]
    points, said = agreed(keypoints, scores, [1.0, 1.0], np.array([1000.0]))
    np.testing.assert_allclose(points[..., 0], 0.75, atol=2e-3)
    np.testing.assert_allclose(said, 0.5, atol=1e-4)


def test_a_look_far_from_the_others_has_no_say() -> None:
    keypoints = np.zeros((1, 3, 17, 2))
    keypoints[0, 2] = (100, 0)  # ten times as far as looks agree
    scores = np.repeat(np.array([0.3, 0.4, 0.6])[:, None], 17, 1)[None]
    points, said = agreed(keypoints, scores, [1.0] * 3, np.array([10 / NEAR]))
    np.testing.assert_allclose(points, 0, atol=1e-6)
    np.testing.assert_allclose(said, 0.7 / 3, atol=1e-6)
    points, said = agreed(keypoints, scores, [0.5, 0.5, 1.0], np.array([10 / NEAR]))
    np.testing.assert_allclose(points, keypoints[:, 2])  # now it weighs more than both


def test_the_order_of_looks_and_the_place_and_size_of_a_person_do_not_matter() -> None:
    keypoints, scores = looks(4)
    px, order = np.array([50.0, 100.0, 200.0]), [2, 0, 3, 1]
    points, said = agreed(keypoints, scores, [1.0] * 4, px)
    again, same = agreed(keypoints[:, order], scores[:, order], [1.0] * 4, px)
    np.testing.assert_allclose(again, points, rtol=1e-5)
    np.testing.assert_allclose(same, said, rtol=1e-5)
    moved, same = agreed(3 * keypoints + 7, scores, [1.0] * 4, 3 * px)
    np.testing.assert_allclose(moved, 3 * points + 7, rtol=1e-4)
    np.testing.assert_allclose(same, said, rtol=1e-5)


def test_nobody_agrees_on_nothing() -> None:
    points, said = agreed(np.zeros((0, 2, 17, 2)), np.zeros((0, 2, 17)), [1, 1], np.zeros(0))
    assert points.shape == (0, 17, 2)
    assert said.shape == (0, 17)


def test_one_person_s_scores_and_box_are_the_second_look_s() -> None:
    first = poses(np.full((1, 17), 0.9))
    seen = np.full((1, 17), 0.5, np.float32)
    moved = first.keypoints + 3
    found = combined(replace(first, keypoints=moved, keypoint_scores=seen), 0.3, several=False)
    np.testing.assert_array_equal(found.keypoints, moved)
    np.testing.assert_allclose(found.scores, [0.5])
    np.testing.assert_allclose(found.boxes, [[103, 53, 143, 133]])


def test_of_several_the_instance_score_times_the_mean_orders_them_and_doubles_go() -> None:
    apart = np.stack([np.linspace((x, 50), (x + 40, 130), 17) for x in (0, 100, 101)])
    first = poses(np.full((3, 17), 0.9), apart)  # instance scores 1, 0.75, 0.5
    seen = np.repeat(np.array([[0.2], [0.4], [0.9]], np.float32), 17, 1)
    found = combined(replace(first, keypoint_scores=seen), 0.3, several=True)
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
    (region,) = crops(first, estimator.crop_shapes)
    output = estimator.engine(region.extract(ASTRONAUT)[None])[0, 0]
    found = estimator(ASTRONAUT)
    np.testing.assert_allclose(
        found.keypoints[0], region.to_image(output[:, 1::-1]).astype(np.float32)
    )
    np.testing.assert_array_equal(found.keypoint_scores[0], output[:, 2])


def test_without_a_torso_one_network_s_first_look_stays() -> None:
    head = np.ascontiguousarray(ASTRONAUT[40:200, 150:300])
    first = PoseEstimator("lightning", refine=False, person_threshold=0.0)(head)
    assert not torso_seen(first.keypoint_scores).any()
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


def test_no_pictures_have_no_people() -> None:
    estimator = PoseEstimator("multipose")
    assert estimator.estimate([]) == []
    assert estimator.look_again([], []) == []


def test_of_several_people_the_first_look_has_a_vote() -> None:
    estimator = PoseEstimator("multipose")
    (first,) = estimator.find([TWO])
    (found,) = estimator.look_again([TWO], [first])
    assert estimator.second is not None
    shapes = shapes_of_crops(estimator.second, "trim")
    regions = crops(first, shapes)
    outputs = [estimator.second(region.extract(TWO)[None])[0, 0] for region in regions]
    again = [r.to_image(o[:, 1::-1]) for r, o in zip(regions, outputs, strict=True)]
    points, said = agreed(
        np.stack([np.array(again), first.keypoints], 1),
        np.stack([[o[:, 2] for o in outputs], first.keypoint_scores], 1),
        [1.0, FIRST_LOOK],
        sizes(first),
    )
    order = np.argsort(-first.scores * said.mean(1))
    np.testing.assert_allclose(found.keypoints, points[order], atol=1e-2)
    np.testing.assert_allclose(found.keypoint_scores, said[order], atol=1e-4)


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


def test_best_looks_at_the_crop_and_its_mirror_image() -> None:
    estimator = PoseEstimator("lightning", quality="best")
    first = PoseEstimator("lightning", refine=False)(ASTRONAUT)
    (region,) = crops(first, estimator.crop_shapes)
    crop = region.extract(ASTRONAUT)[None]
    outputs = [estimator.engine(crop), mirrored(estimator.engine(crop[:, :, ::-1].copy()))]
    keypoints = [region.to_image(output[0, 0, :, 1::-1]) for output in outputs]
    points, said = agreed(
        np.array([keypoints]),
        np.array([[output[0, 0, :, 2] for output in outputs]]),
        [1.0, 1.0],
        sizes(first),
    )
    found = estimator(ASTRONAUT)
    np.testing.assert_allclose(found.keypoints, points, atol=1e-3)
    np.testing.assert_allclose(found.keypoint_scores, said, atol=1e-5)


def test_a_mirrored_input_s_tensor_is_turned_back() -> None:
    engine = PoseEstimator("lightning", refine=False, threads=1).engine
    batch = np.ascontiguousarray(ASTRONAUT[None, :192, 60:252])
    turned = engine(np.ascontiguousarray(batch[:, :, ::-1]))
    back = mirrored(turned)
    np.testing.assert_allclose(back[..., 0], turned[:, :, list(MIRROR), 0])
    np.testing.assert_allclose(back[..., 1], 1 - turned[:, :, list(MIRROR), 1])
    np.testing.assert_array_equal(mirrored(back)[..., [0, 2]], turned[..., [0, 2]])
    sure = engine(batch)[..., 2] > 0.5
    assert np.abs(back - engine(batch))[sure][:, :2].max() < 0.02  # near the other way's


def test_the_people_of_two_looks_are_each_there_once() -> None:
    apart = np.stack([np.linspace((x, 50), (x + 40, 130), 17) for x in (0, 100)])
    one = poses(np.full((2, 17), 0.9), apart)
    other = poses(np.full((2, 17), 0.8), apart[::-1] + np.array([1, 0]))
    third = np.linspace((200, 50), (240, 130), 17)
    last = poses(np.full((1, 17), 0.7), third[None])
    found = merged([(None, one), (None, other), (None, last)])
    assert len(found) == 3
    assert sorted(found.keypoints[:, 0, 0].tolist()) == [0, 101, 200]  # the better of each two
    assert merged([(None, one)]) is one


LEFT, RIGHT = (0.0, 0.0, 210.0, 200.0), (90.0, 0.0, 300.0, 200.0)  # tiles of a picture


@pytest.mark.parametrize(
    ("parts", "count"),
    [((None, LEFT), 1), ((LEFT, RIGHT), 1), ((None, None), 2), ((LEFT, LEFT), 2)],
)
def test_boxes_that_overlap_are_one_person_where_two_parts_show_them(
    parts: tuple[Part | None, Part | None], count: int
) -> None:
    one = boxed({0.8: (100, 50, 140, 130)})
    other = boxed({0.9: (100, 62, 140, 142)})  # IoU 0.74, OKS 0.15
    found = merged([(parts[0], one), (parts[1], other)])
    assert found.scores.tolist() == pytest.approx([0.9, 0.8][:count])


def test_who_stand_close_in_one_part_are_two_whatever_another_shows() -> None:
    pair = boxed({0.9: (100, 50, 140, 130), 0.7: (107, 50, 147, 130)})  # IoU 0.70, OKS 0.42
    far = boxed({0.8: (200, 50, 240, 130)})
    found = merged([(None, far), (LEFT, pair)])
    assert found.scores.tolist() == pytest.approx([0.9, 0.8, 0.7])


def test_boxes_that_overlap_by_half_are_two_people() -> None:
    one = boxed({0.9: (100, 50, 140, 130)})
    other = boxed({0.8: (113, 50, 153, 130)})  # IoU 0.51
    assert len(merged([(None, one), (LEFT, other)])) == 2


def test_who_overlaps_a_double_alone_stays() -> None:
    people = {0.9: (100, 50, 140, 130), 0.8: (109, 50, 149, 130), 0.7: (118, 50, 158, 130)}
    looks = [
        (part, boxed({score: box}))
        for part, (score, box) in zip((None, LEFT, RIGHT), people.items(), strict=True)
    ]  # IoU of neighbours 0.63, of the ends 0.38
    assert len(merged(looks[:2])) == len(merged(looks[1:])) == 1
    assert merged(looks).boxes[:, 0].tolist() == [100, 118]


def test_nobody_in_any_part_is_nobody() -> None:
    nobody = Poses.from_arrays([], [], image_size=(200, 300))
    assert len(merged([(None, nobody), (LEFT, nobody)])) == 0


def test_best_finds_at_two_sizes_and_agrees_on_who_is_there() -> None:
    best = PoseEstimator("multipose", quality="best")
    assert best.sides == (256, 384)
    found, plain = best(TWO), PoseEstimator("multipose")(TWO)
    assert len(found) == len(plain) == 2
    for pose in plain:
        apart = np.linalg.norm(found.keypoints - pose.keypoints, axis=2)
        assert np.median(apart, 1).min() < 8


def test_one_person_is_not_two_for_two_sizes() -> None:
    assert len(PoseEstimator("multipose", quality="best")(ASTRONAUT)) == 1


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"quality": "good"}, "quality must be 'fast', 'balanced' or 'best', not 'good'"),
        (
            {"quality": "best", "refine": False},
            "quality 'best' looks again; do not turn refine off",
        ),
        (
            {"quality": "fast", "refine": "thunder"},
            "quality 'fast' looks once; leave refine out",
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


# Crowds


@pytest.mark.parametrize("quality", ["balanced", "best"])
def test_a_group_of_a_dozen_is_found_whole(quality: Quality) -> None:
    assert len(PoseEstimator("multipose", refine=False)(DOZEN)) == 6
    found = PoseEstimator("multipose", quality=quality)(DOZEN)
    halves = found.keypoints[:, 0] // (TWO.shape[1] / 2, TWO.shape[0])
    assert len(found) == len(np.unique(halves, axis=0)) == 12


def test_tiles_are_looked_at_only_where_six_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    estimator = PoseEstimator("multipose")
    batches: list[int] = []
    engine = estimator.engine

    class Counted:
        spec, runtime, shapes = engine.spec, engine.runtime, engine.shapes

        def __call__(self, batch: np.ndarray) -> np.ndarray:
            batches.append(len(batch))
            return engine(batch)

    monkeypatch.setattr(estimator, "engine", Counted())
    estimator.find([TWO])
    assert batches == [1]
    estimator.find([DOZEN])
    assert batches[1:3] == [1, 4]
