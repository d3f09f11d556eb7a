"""Accuracy: pycocotools is the oracle; protocols, intervals, results that go on, bad input."""

import contextlib
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from movenet import PoseEstimator, images, pictures
from movenet.cli import main
from movenet.errors import MoveNetError
from movenet.evaluation import matching, prediction
from movenet.evaluation.matching import MEASURES, difference, draws, matched, summary
from movenet.evaluation.pairs import pairs
from movenet.evaluation.prediction import Progress, Recipe, predict, read_results
from movenet.evaluation.truth import Truth
from movenet.keypoints import NAMES

# By hand, on the pictures of the package: x, y, v (0: not labelled).
ASTRONAUT = {
    "nose": (144, 111), "left_eye": (160, 94), "right_eye": (128, 97), "left_ear": (181, 98),
    "right_ear": (111, 106), "left_shoulder": (231, 235), "right_shoulder": (54, 220),
}  # fmt: skip
CAMERA = {
    "nose": (249, 119), "right_ear": (186, 105), "left_shoulder": (206, 155),
    "right_shoulder": (94, 136), "left_wrist": (270, 208), "right_elbow": (89, 268),
}  # fmt: skip


def person(number: int, image: int, points: dict[str, tuple[int, int]], **more: Any) -> dict:
    """A COCO annotation."""
    rows = [(*points[name], 2) if name in points else (0, 0, 0) for name in NAMES]
    xy = np.array(list(points.values()))
    (left, top), (right, bottom) = xy.min(0), xy.max(0)
    box = [int(left), int(top), int(right - left), int(bottom - top)]
    return {
        "id": number, "image_id": image, "category_id": 1, "iscrowd": 0,
        "keypoints": [value for row in rows for value in row], "num_keypoints": len(points),
        "area": float(box[2] * box[3]), "bbox": box, **more,
    }  # fmt: skip


def annotations() -> dict[str, Any]:
    return {
        "info": {},
        "images": [
            {"id": 7, "file_name": "astronaut.png", "height": 448, "width": 350},
            {"id": 3, "file_name": "camera.png", "height": 480, "width": 456},
        ],
        "annotations": [person(1, 7, ASTRONAUT, area=80e3), person(2, 3, CAMERA, area=70e3)],
        "categories": [{"id": 1, "name": "person", "keypoints": list(NAMES)}],
    }


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Pictures and annotations, in the current folder."""
    for name in ("astronaut", "camera"):
        shutil.copy(pictures.path(name), tmp_path)
    (tmp_path / "truth.json").write_text(json.dumps(annotations()))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def crowd(seed: int = 0, count: int = 40) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Annotations of up to four people a picture, crowds and unlabelled ones too, and results."""
    random = np.random.default_rng(seed)
    record = annotations() | {"images": [], "annotations": []}
    results = []
    for image in range(count):
        record["images"].append({"id": image, "file_name": f"{image}.jpg"})
        for _ in range(random.integers(0, 5)):
            points = random.uniform(0, 300, (17, 2)) * random.uniform(0.1, 1)
            seen = random.integers(0, 3, 17) * int(random.random() > 0.1)
            keypoints = np.column_stack([points * (seen[:, None] > 0), seen])
            record["annotations"].append(
                {
                    "id": len(record["annotations"]) + 1, "image_id": image, "category_id": 1,
                    "iscrowd": int(random.random() < 0.1),
                    "area": float(random.uniform(500, 40000)),
                    "bbox": [0, 0, 100, 100], "num_keypoints": int((seen > 0).sum()),
                    "keypoints": keypoints.ravel().tolist(),
                }
            )  # fmt: skip
            for _ in range(random.integers(0, 3)):
                found = points + random.normal(0, 8, (17, 2))
                results.append(
                    {
                        "image_id": image, "category_id": 1, "score": float(random.random()),
                        "keypoints": np.column_stack([found, np.ones(17)]).ravel().tolist(),
                    }
                )  # fmt: skip
    return record, results


def truth_of(record: dict[str, Any], folder: Path) -> Truth:
    path = folder / "made.json"
    path.write_text(json.dumps(record))
    return Truth.read(path)


def by_pycocotools(record: dict[str, Any], results: list[dict[str, Any]]) -> list[float]:
    """COCOeval's own figures in the order of MEASURES, per cent."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        truth: Any = COCO()
        truth.dataset = record
        truth.createIndex()
        judge: Any = COCOeval(truth, truth.loadRes(results), "keypoints")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return [100 * judge.stats[index] for index in (0, 1, 2, 3, 4, 5)]


# Average precision


@pytest.mark.parametrize("seed", range(4))
def test_the_figures_are_pycocotools(seed: int, tmp_path: Path) -> None:
    record, results = crowd(seed)
    figures = summary(matched(truth_of(record, tmp_path), results))
    assert list(figures) == list(MEASURES)
    values = [figure.value for figure in figures.values()]
    np.testing.assert_allclose(values, by_pycocotools(record, results), atol=1e-9)


def test_a_draw_of_pictures_is_as_those_pictures_copied(tmp_path: Path) -> None:
    """Weight 2 for a picture is the picture twice, weight 0 is none of it."""
    record, results = crowd(5, 12)
    found = matched(truth_of(record, tmp_path), results)
    weights = np.array([2, 0, 1] * 4)
    copied: dict[str, Any] = record | {"images": [], "annotations": []}
    given = []
    for image, times in enumerate(weights):
        for copy in range(times):
            number = 100 * copy + image
            copied["images"].append({"id": number, "file_name": ""})
            for row in record["annotations"]:
                if row["image_id"] == image:
                    ident = len(copied["annotations"]) + 1
                    copied["annotations"].append(row | {"image_id": number, "id": ident})
            given += [r | {"image_id": number} for r in results if r["image_id"] == image]
    np.testing.assert_allclose(
        matching.measures(found, weights), by_pycocotools(copied, given), atol=1e-9
    )


def test_an_interval_holds_its_value_and_is_wider_for_fewer_pictures(tmp_path: Path) -> None:
    widths = []
    for count in (20, 160):
        record, results = crowd(1, count)
        figure = summary(matched(truth_of(record, tmp_path), results))["AP"]
        assert figure.low < figure.value < figure.high
        widths.append(figure.high - figure.low)
    assert widths[1] < 0.6 * widths[0]


def test_the_difference_from_oneself_is_nothing_and_pairing_narrows_it(tmp_path: Path) -> None:
    record, results = crowd(2)
    truth = truth_of(record, tmp_path)
    found = matched(truth, results)
    assert {(f.value, f.low, f.high) for f in difference(found, found).values()} == {(0, 0, 0)}
    other = matched(truth, results[5:])
    paired, alone = difference(found, other)["AP"], summary(found)["AP"]
    assert paired.value == pytest.approx(alone.value - summary(other)["AP"].value)
    assert paired.high - paired.low < alone.high - alone.low


def test_every_draw_is_of_as_many_pictures() -> None:
    drawn = draws(30)
    assert drawn.shape == (matching.DRAWS, 30)
    assert (drawn.sum(1) == 30).all()
    assert drawn.std(0).mean() > 0.5


def test_no_results_are_no_precision(tmp_path: Path) -> None:
    record, _ = crowd(3)
    figures = summary(matched(truth_of(record, tmp_path), []))
    assert figures["AP"].value == figures["AR"].value == 0


# Pixels


def test_distances_are_to_the_most_similar_result(tmp_path: Path) -> None:
    record, _ = crowd(0, 1)
    record["annotations"] = [person(1, 0, ASTRONAUT)]
    points = np.array(record["annotations"][0]["keypoints"], float).reshape(17, 3)
    near, far = points.copy(), points + 100
    near[:, 0] += 3
    near[:, 1] += 4
    rows = [{"image_id": 0, "keypoints": p.ravel().tolist(), "score": 1.0} for p in (far, near)]
    beside = pairs(truth_of(record, tmp_path), rows)
    assert beside.labelled.sum() == len(ASTRONAUT)
    np.testing.assert_allclose(beside.distances[beside.labelled], 5)
    np.testing.assert_allclose(np.nanmean(beside.pixels()), 5)


def test_pck_is_a_fifth_of_the_torso_and_what_is_not_found_is_wrong(tmp_path: Path) -> None:
    body = {name: (10, 10 * number) for number, name in enumerate(NAMES)}
    body |= {"left_shoulder": (0, 0), "right_hip": (60, 80)}  # a torso of 100 px
    record, _ = crowd(0, 2)
    record["annotations"] = [person(1, 0, body), person(2, 1, body)]
    points = np.array(record["annotations"][0]["keypoints"], float).reshape(17, 3)
    points[:9, 0] += 19
    points[9:, 0] += 21
    rows = [{"image_id": 0, "keypoints": points.ravel().tolist(), "score": 1.0}]
    beside = pairs(truth_of(record, tmp_path), rows)
    np.testing.assert_allclose(beside.pck(), [50] * 9 + [0] * 8)
    assert beside.all_pck() == pytest.approx(100 * 9 / 34)
    assert np.isnan(beside.found[1]).all()
    assert beside.oks[1] == 0


# Protocols


def test_the_true_crop_is_the_box_a_quarter_wider() -> None:
    estimator = PoseEstimator("lightning", refine=False)
    region = prediction.true_crop(estimator, [{"bbox": [10, 20, 40, 80]}])
    assert region.shape == (192, 96)
    assert region.step_y == pytest.approx(80 * 1.25 / 192)
    np.testing.assert_allclose(region.to_image(np.array([[0.5, 0.5]])), [[30, 60]])


def test_single_crop_sees_the_box_alone() -> None:
    picture = images.read(pictures.path("two_people"))
    estimator = PoseEstimator("thunder", refine=False, person_threshold=0.0)
    boxes = PoseEstimator("multipose", refine=False)(picture).boxes
    for x1, y1, x2, y2 in boxes.tolist():
        people = [{"bbox": [x1, y1, x2 - x1, y2 - y1]}]
        found = predict(estimator, "single-crop", picture, people)
        middle = np.median(found.keypoints[0, :5], 0)
        assert x1 < middle[0] < x2
        assert y1 < middle[1] < y2


def test_single_protocols_keep_the_best_and_multi_keeps_all() -> None:
    picture = images.read(pictures.path("two_people"))
    estimator = PoseEstimator("multipose", refine=False, person_threshold=0.0)
    assert len(predict(estimator, "single-full", picture, [])) == 1
    assert len(predict(estimator, "multi", picture, [])) == 6


# The command

RUN = ["eval", "--images", ".", "--annotations", "truth.json"]
QUICK = [*RUN, "--protocol", "single-full", "--threads", "1"]


def test_the_command_prints_figures_and_writes_results_that_give_them_again(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*QUICK, "--results", "r.json", "--json", "f.json"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("single-full: lightning, refined by lightning, LiteRT ")
    assert lines[0].endswith("; 2 pictures, 2 people with keypoints")
    results = json.loads((folder / "r.json").read_text())
    assert [row["image_id"] for row in results] == [7, 3]
    ap = by_pycocotools(annotations(), results)[0]
    assert ap > 10
    assert lines[1].startswith(f"AP   {ap:6.1f}  (")
    saved = json.loads((folder / "f.json").read_text())
    assert saved["figures"]["AP"]["value"] == pytest.approx(ap)
    assert saved["recipe"]["refine"] == "lightning"
    assert any(line.startswith("nose ") for line in lines)
    assert not (folder / "r.json.part").exists()


def test_a_second_run_is_compared_with_the_first(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*QUICK, "--results", "r.json"]) == 0
    assert main([*QUICK, "--against", "r.json"]) == 0
    assert "less r.json, paired:\nAP     +0.0  (+0.0 to +0.0)" in capsys.readouterr().out


def test_the_worst_are_drawn_the_truth_beside_them(folder: Path) -> None:
    assert main([*QUICK, "--worst", "1", "--save", "out"]) == 0
    (path,) = (folder / "out").iterdir()
    shown = images.read(path)
    original = images.read(
        folder / ("camera.png" if "000000000003" in path.name else "astronaut.png")
    )
    height, width = original.shape[:2]
    assert shown.shape == (height, 2 * width, 3)
    for half in (shown[:, :width], shown[:, width:]):
        assert 0.001 < (half != original).mean() < 0.2


def test_an_interrupted_run_goes_on_where_it_stopped(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    whole = prediction.predict

    def once(*given: Any) -> Any:
        if len(seen) == 1:
            raise KeyboardInterrupt
        seen.append(1)
        return whole(*given)

    monkeypatch.setattr(prediction, "predict", once)
    assert main([*QUICK, "--results", "r.json"]) == 130
    part = folder / "r.json.part"
    part.write_text(part.read_text() + '{"image_id": 3, "res')  # cut off
    seen.clear()
    assert main([*QUICK, "--results", "r.json"]) == 0
    assert seen == [1]
    assert len(json.loads((folder / "r.json").read_text())) == 2


def test_a_run_does_not_go_on_from_another_model_s_results(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = Recipe(
        protocol="single-full",
        model="thunder",
        refine="lightning",
        finder="",
        quality="balanced",
        engine="litert",
        runtime="LiteRT",
        letterbox="trim",
        annotations="0",
        pictures="0",
        version="0.1.0",
    )
    with Progress(Path("r.json"), recipe) as progress:
        progress.add(7, [])
    assert main([*QUICK, "--results", "r.json"]) == 1
    assert capsys.readouterr().err == (
        "movenet: r.json.part: was begun with another model, engine, runtime, annotations, "
        "pictures; delete it, or name other --results\n"
    )


def break_skeleton(record: dict[str, Any]) -> None:
    record["categories"][0]["keypoints"] = ["head", "tail"]


def break_area(record: dict[str, Any]) -> None:
    del record["annotations"][1]["area"]


def break_keypoints(record: dict[str, Any]) -> None:
    record["annotations"][0]["keypoints"] = [1, 2, 2]


def break_images(record: dict[str, Any]) -> None:
    record["images"] = record["annotations"] = []


def break_file(record: dict[str, Any]) -> None:
    record["images"][0]["file_name"] = "gone.jpg"


def break_people(record: dict[str, Any]) -> None:
    record["annotations"][1]["image_id"] = 7


def break_record(record: dict[str, Any]) -> None:
    del record["categories"]


@pytest.mark.parametrize(
    ("spoil", "line"),
    [
        (
            break_skeleton,
            "truth.json: annotates another skeleton; MoveNet has COCO's 17 keypoints",
        ),
        (break_area, "truth.json: annotation 2 has no area; OKS needs them"),
        (break_keypoints, "truth.json: annotation 1 has not 17 keypoints of x, y, v"),
        (break_images, "truth.json: no pictures to evaluate"),
        (
            lambda record: record["annotations"].clear(),
            "truth.json: annotates no keypoints in the pictures that are asked for",
        ),
        (
            lambda record: record["annotations"][0].update(id=2),
            "truth.json: several annotations have the id 2",
        ),
        (
            lambda record: record["images"][0].update(id=3),
            "truth.json: several pictures have the id 3",
        ),
        (
            lambda record: record["annotations"][0].update(id=0),
            "truth.json: annotation 0: ids must be whole numbers of at least 1",
        ),
        (
            lambda record: record["annotations"][0].update(num_keypoints=17),
            "truth.json: annotation 1: num_keypoints is not how many keypoints are labelled",
        ),
        (
            lambda record: record["annotations"][0].update(area=0),
            "truth.json: annotation 1: area and box must be over 0; OKS needs them",
        ),
        (
            lambda record: record["annotations"][0].update(image_id=9),
            "truth.json: annotations 1 are of pictures that are not in it",
        ),
        (
            lambda record: record["annotations"][0].update(iscrowd="no"),
            "truth.json: annotation 1: image_id must be a whole number, and iscrowd 0 or 1",
        ),
        (
            lambda record: record["annotations"][0].update(category_id=2),
            "truth.json: annotation 1 is of category 2; only 1, people, can be evaluated",
        ),
        (
            lambda record: record["annotations"][0].update(keypoints=None),
            "truth.json: annotation 1 has no keypoints; OKS needs them",
        ),
        (
            lambda record: record["annotations"][0].update(bbox=[1, 2, "3", 4]),
            "truth.json: annotation 1: bbox, area and num_keypoints must be numbers",
        ),
        (
            lambda record: record["images"][0].pop("file_name"),
            "truth.json: picture 7 has no id or file_name",
        ),
        (
            lambda record: record["categories"][0].update(id=4),
            "truth.json: has no category 1, which is COCO's person",
        ),
        (
            lambda record: record.update(images=None),
            "truth.json: is not a COCO annotation file: images, annotations or categories are "
            "missing",
        ),
        (
            break_file,
            ".: 1 of 2 annotated pictures are missing: gone.jpg; give those that are there with "
            "--ids",
        ),
        (
            break_people,
            "truth.json: --protocol single-full is for pictures of one person; 7, 3 have another "
            "number; choose pictures with --ids",
        ),
        (
            break_record,
            "truth.json: is not a COCO annotation file: images, annotations or categories are "
            "missing",
        ),
    ],
)
def test_annotations_that_cannot_be_used_are_named(
    spoil: Callable[[dict[str, Any]], None],
    line: str,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    record = annotations()
    spoil(record)
    (folder / "truth.json").write_text(json.dumps(record))
    assert main(QUICK) == 1
    assert capsys.readouterr().err == f"movenet: {line}\n"


def test_broken_json_and_wrong_ids_are_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "ids.txt").write_text("7 9 11")
    assert main([*QUICK, "--ids", "ids.txt"]) == 1
    assert capsys.readouterr().err == "movenet: truth.json: has no picture 9, 11; check --ids\n"
    (folder / "ids.txt").write_text("seven")
    assert main([*QUICK, "--ids", "ids.txt"]) == 1
    assert "is not a list of picture ids" in capsys.readouterr().err
    (folder / "truth.json").write_text('{"images": [')
    assert main(QUICK) == 1
    assert capsys.readouterr().err.startswith("movenet: truth.json: is not JSON (")


def test_annotations_that_do_not_speak_of_crowds_have_none(folder: Path) -> None:
    record = annotations()
    for annotation in record["annotations"]:
        del annotation["iscrowd"]
    (folder / "truth.json").write_text(json.dumps(record))
    assert main(QUICK) == 0


GOOD = {"image_id": 7, "category_id": 1, "keypoints": [1.0] * 51, "score": 0.5}


@pytest.mark.parametrize(
    "spoil",
    [
        {"category_id": 2},
        {"keypoints": [1.0] * 50},
        {"keypoints": "x" * 51},
        {"score": None},
        {"score": float("nan")},
        {"image_id": "7"},
    ],
)
def test_results_that_are_none_are_refused(spoil: dict[str, Any], folder: Path) -> None:
    path, truth = folder / "r.json", truth_of(annotations(), folder)
    path.write_text(json.dumps([GOOD]))
    assert read_results(path, truth) == [GOOD]
    path.write_text(json.dumps([GOOD, GOOD | spoil]))
    with pytest.raises(MoveNetError, match="not a list of COCO's keypoint results of people"):
        read_results(path, truth)


def test_results_of_other_pictures_are_refused_and_missing_ones_counted(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "r.json").write_text(json.dumps([GOOD | {"image_id": 8}]))
    assert main([*QUICK, "--against", "r.json"]) == 1
    assert capsys.readouterr().err == (
        "movenet: r.json: has no result of the pictures that are evaluated\n"
    )
    (folder / "r.json").write_text(json.dumps([GOOD]))
    assert main([*QUICK, "--against", "r.json"]) == 0
    assert "paired (1 of these pictures have no result there):" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["[]\n", "\x00\xff\n", '{"protocol": 1}\n{"image_id"}\n', "7\n"])
def test_a_damaged_unfinished_file_is_named(
    text: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "r.json.part").write_bytes(text.encode("latin-1"))
    assert main([*QUICK, "--results", "r.json"]) == 1
    assert capsys.readouterr().err == (
        "movenet: r.json.part: is damaged; delete it to begin again\n"
    )


def test_what_is_read_is_not_written_over(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (folder / "truth.json").read_text()
    assert main([*QUICK, "--json", "truth.json"]) == 1
    assert capsys.readouterr().err == (
        "movenet: --json and --results: name files of their own, and not those that are read\n"
    )
    assert (folder / "truth.json").read_text() == before


def test_finished_results_are_not_written_over(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "r.json").write_text("[]")
    assert main([*QUICK, "--results", "r.json"]) == 1
    assert capsys.readouterr().err == (
        "movenet: --results r.json: is there already; delete it or name another\n"
    )
    assert (folder / "r.json").read_text() == "[]"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_said_in_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "r.json.part").symlink_to("/dev/full")
    assert main([*QUICK, "--results", "r.json"]) == 1
    assert capsys.readouterr().err == (
        "movenet: --results r.json: cannot be written (No space left on device)\n"
    )


@pytest.mark.parametrize("option", ["--results", "--json"])
def test_an_unwritable_place_is_named_before_any_work(
    option: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*QUICK, option, "none/r.json"]) == 1
    assert capsys.readouterr().err == (
        f"movenet: {option} none/r.json: cannot be written; name a file in a folder of yours\n"
    )


def test_with_a_second_look_the_true_box_is_what_both_see_where_no_torso_shows() -> None:
    estimator = PoseEstimator("lightning", refine="thunder", person_threshold=0.0)
    picture = images.read(pictures.path("astronaut"))
    box = [{"bbox": [100.0, 60.0, 90.0, 90.0]}]  # the face
    region = prediction.true_crop(estimator, box)
    first = estimator.find([picture], [region])
    (found,) = estimator.look_again([picture], first, [region])
    inside = region.to_input(found.keypoints[0])
    assert (inside > -0.1).all()
    assert (inside < 1.1).all()
