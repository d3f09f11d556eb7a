"""Poses: construction, order, and the ways out and back."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from movenet.keypoints import EDGES, MIRROR, NAMES, SIDES
from movenet.poses import Poses, people

numbers = st.floats(-1e4, 1e4, width=32)
shares = st.floats(0, 1, width=32)


@st.composite
def poses_of_some(draw: st.DrawFn) -> Poses:
    count = draw(st.integers(0, 4))
    return Poses.from_arrays(
        draw(arrays(np.float32, (count, 17, 2), elements=numbers)),
        draw(arrays(np.float32, (count, 17), elements=shares)),
        image_size=draw(st.tuples(st.integers(1, 4000), st.integers(1, 4000))),
        scores=draw(st.none() | arrays(np.float32, count, elements=shares)),
        boxes=draw(st.none() | arrays(np.float32, (count, 4), elements=numbers)),
        ids=draw(st.none() | arrays(np.int64, count, elements=st.integers(1, 99))),
        frame_index=draw(st.none() | st.integers(0, 9)),
        timestamp_s=draw(st.none() | st.floats(0, 1e4)),
    )


def two() -> Poses:
    keypoints = np.arange(68, dtype=np.float32).reshape(2, 17, 2)
    scores = np.full((2, 17), 0.2, np.float32)
    scores[0, 3:6] = 0.9
    scores[1] = 0.6
    return Poses.from_arrays(keypoints, scores, image_size=(480, 640))


def same(one: Poses, other: Poses) -> None:
    for name in ("keypoints", "keypoint_scores", "boxes", "scores"):
        a, b = getattr(one, name), getattr(other, name)
        assert a.dtype == b.dtype == np.float32
        np.testing.assert_array_equal(a, b)
    assert one.image_size == other.image_size
    assert (one.frame_index, one.timestamp_s) == (other.frame_index, other.timestamp_s)
    assert (one.ids is None) == (other.ids is None)
    if one.ids is not None and other.ids is not None:
        np.testing.assert_array_equal(one.ids, other.ids)


@given(poses_of_some())
def test_a_dictionary_and_its_json_read_back_exactly(poses: Poses) -> None:
    text = json.dumps(poses.to_dict(), allow_nan=False)
    back = Poses.from_dict(json.loads(text))
    if not len(poses):  # nobody has no ids
        poses = Poses.from_arrays(
            poses.keypoints, poses.keypoint_scores, image_size=poses.image_size,
            frame_index=poses.frame_index, timestamp_s=poses.timestamp_s,
        )  # fmt: skip
    same(poses, back)


@given(poses_of_some())
def test_people_are_ordered_by_falling_score(poses: Poses) -> None:
    assert (np.diff(poses.scores) <= 0).all()


def test_ordering_keeps_a_person_s_rows_together() -> None:
    poses = two()
    assert poses.scores.tolist() == pytest.approx([0.6, (3 * 0.9 + 14 * 0.2) / 17])
    assert poses.keypoints[0, 0].tolist() == [34, 35]
    assert poses.keypoint_scores[1, 3] == pytest.approx(0.9)


def test_a_box_spans_the_keypoints_over_the_threshold() -> None:
    assert two().boxes[1].tolist() == [6, 7, 10, 11]


def test_where_no_keypoint_is_over_the_threshold_the_box_spans_all() -> None:
    keypoints = np.arange(34, dtype=np.float32).reshape(1, 17, 2)
    poses = Poses.from_arrays(keypoints, np.zeros((1, 17)), image_size=(9, 9))
    assert poses.boxes.tolist() == [[0, 1, 32, 33]]


@pytest.mark.parametrize("missing", ["x", "score"])
def test_a_keypoint_that_is_no_number_counts_as_one_of_score_0(missing: str) -> None:
    keypoints = np.arange(68, dtype=np.float32).reshape(2, 17, 2)
    scores = np.stack([np.full(17, 0.9), np.full(17, 0.5)])
    if missing == "x":
        keypoints[0, 0, 0] = np.nan
    else:
        scores[0, 0] = np.nan
    poses = Poses.from_arrays(keypoints, scores, image_size=(9, 9))
    assert poses.scores.tolist() == pytest.approx([0.9 * 16 / 17, 0.5])
    assert poses.boxes.tolist() == [[2, 3, 32, 33], [34, 35, 66, 67]]
    given = keypoints[0], scores[0]
    for found, value in zip((poses.keypoints[0], poses.keypoint_scores[0]), given, strict=True):
        np.testing.assert_array_equal(found, value.astype(np.float32))


def test_a_box_of_doubtful_keypoints_spans_those_that_are_known() -> None:
    keypoints = np.arange(34, dtype=np.float32).reshape(1, 17, 2)
    keypoints[0, 0] = np.nan
    poses = Poses.from_arrays(keypoints, np.full((1, 17), 0.1), image_size=(9, 9))
    assert poses.boxes.tolist() == [[2, 3, 32, 33]]


def test_nobody_is_a_normal_answer() -> None:
    nobody = Poses.from_arrays(np.zeros((0, 17, 2)), np.zeros((0, 17)), image_size=(4, 6))
    assert len(nobody) == 0
    assert list(nobody) == []
    assert nobody.boxes.shape == (0, 4)
    assert nobody.to_coco(1) == []
    assert len(nobody.to_dataframe()) == 0
    assert len(nobody.to_supervision()) == 0
    assert repr(nobody) == "Poses(0 people [] in 6x4)"


def test_an_index_gives_one_person_and_a_slice_some() -> None:
    poses = two()
    assert len(poses[0]) == 1
    assert poses[-1].scores == poses.scores[1]
    assert len(poses[0:2]) == 2
    assert len(poses[poses.scores > 0.5]) == 1
    assert [len(one) for one in poses] == [1, 1]
    with pytest.raises(IndexError, match=r"^person 2 of 2$"):
        poses[2]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"keypoints": np.zeros((17, 2))}, "keypoints must be (P, 17, 2), not (17, 2)"),
        ({"keypoint_scores": np.zeros((1, 16))}, "keypoint_scores must be (1, 17), not (1, 16)"),
        ({"scores": [1, 2]}, "scores must be (1), not (2,)"),
        ({"boxes": np.zeros((1, 5))}, "boxes must be (1, 4), not (1, 5)"),
        ({"ids": [1, 2, 3]}, "ids must be (1), not (3,)"),
    ],
)
def test_a_wrong_shape_is_named(change: dict[str, object], message: str) -> None:
    given_ = {"keypoints": np.zeros((1, 17, 2)), "keypoint_scores": np.zeros((1, 17))} | change
    with pytest.raises(ValueError) as error:  # noqa: PT011
        Poses.from_arrays(**given_, image_size=(4, 4))  # type: ignore[arg-type]
    assert str(error.value) == message


@pytest.mark.parametrize(
    "size", [(0, 640), (480, 0), (-480, 640), (0.5, 640), (float("nan"), 640), (480, float("inf"))]
)
def test_a_picture_without_a_size_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"image_size must be \(height, width\), both 1 or more"):
        Poses.from_arrays(np.zeros((1, 17, 2)), np.zeros((1, 17)), image_size=size)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"image_size": [1, 1]}, "not a record of poses: 'people' is missing"),
        ({"people": [{}], "image_size": [1, 1]}, "not a record of poses: 'keypoints' is missing"),
    ],
)
def test_a_record_that_lacks_something_is_refused(record: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011
        Poses.from_dict(record)
    assert str(error.value) == message


def test_coco_records_have_51_numbers_in_pixels() -> None:
    first, second = two().to_coco(42)
    assert (first["image_id"], first["category_id"]) == (42, 1)
    assert first["score"] == pytest.approx(0.6)
    assert second["keypoints"][:3] == [0, 1, 1]  # under the threshold: hidden
    assert second["keypoints"][9:12] == [6, 7, 2]
    assert len(second["keypoints"]) == 51
    json.dumps(first)


def test_supervision_gets_pixels_scores_and_ids() -> None:
    poses = Poses.from_arrays(
        two().keypoints, two().keypoint_scores, image_size=(480, 640), ids=[7, 9]
    )
    points = poses.to_supervision()
    np.testing.assert_array_equal(points.xy, poses.keypoints)
    np.testing.assert_array_equal(points.keypoint_confidence, poses.keypoint_scores)
    np.testing.assert_array_equal(points.visible, poses.keypoint_scores > 0.3)
    assert points.data["tracker_id"].tolist() == [7, 9]


def test_a_table_has_a_row_a_person_and_keypoint() -> None:
    table = two().to_dataframe()
    assert list(table.columns) == [
        "frame_index", "timestamp_s", "person", "id", "keypoint", "x_px", "y_px", "score",
        "person_score",
    ]  # fmt: skip
    assert len(table) == 34
    row = table[(table.person == 1) & (table.keypoint == "left_ear")].iloc[0]
    assert (row.x_px, row.y_px, row.score) == (6, 7, np.float32(0.9))
    assert table.id.isna().all()


def test_drawing_leaves_the_picture_and_the_poses_alone() -> None:
    poses, picture = two(), np.full((480, 640, 3), 128, np.uint8)
    keypoints = poses.keypoints.copy()
    drawn = poses.draw(picture)
    assert (picture == 128).all()
    assert (drawn != picture).any()
    np.testing.assert_array_equal(poses.keypoints, keypoints)


@pytest.mark.parametrize("image", [np.zeros((64, 64, 3), np.uint8), "photo.jpg"])
def test_a_picture_of_another_size_is_not_drawn_on(image: object) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011
        two().draw(image)  # type: ignore[arg-type]
    assert str(error.value) == (
        "image: expected the RGB array of size (480, 640) (height, width) that the poses are of, "
        f"as images.read gives it, not {type(image).__name__} of shape {np.shape(image)}"  # type: ignore[arg-type]
    )


def test_a_single_person_s_tensor_is_turned_to_x_and_y() -> None:
    output = np.random.default_rng(0).random((1, 17, 3), np.float32)
    found = people(output)
    np.testing.assert_array_equal(found.keypoints_xy01[0, :, 0], output[0, :, 1])
    np.testing.assert_array_equal(found.keypoints_xy01[0, :, 1], output[0, :, 0])
    np.testing.assert_array_equal(found.keypoint_scores, output[:, :, 2])
    assert found.boxes_xyxy01 is None
    assert found.presence == output[0, :, 2].max()
    assert found.scores == output[0, :, 2].mean()


def test_a_row_of_56_is_keypoints_then_the_box_then_the_score() -> None:
    output = np.arange(6 * 56, dtype=np.float32).reshape(6, 56)
    found = people(output)
    assert found.boxes_xyxy01 is not None
    assert found.keypoints_xy01[2, 16].tolist() == [112 + 49, 112 + 48]
    assert found.keypoint_scores[2, 16] == 112 + 50
    assert found.boxes_xyxy01[2].tolist() == [112 + 52, 112 + 51, 112 + 54, 112 + 53]
    assert found.scores[2] == found.presence[2] == 112 + 55


def test_another_tensor_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"^output must be \(1, 17, 3\) or \(6, 56\), not \(6, 57\)$"
    ):
        people(np.zeros((6, 57), np.float32))


def test_sides_and_mirror_pairs_fit_the_names() -> None:
    for index, name in enumerate(NAMES):
        assert MIRROR[MIRROR[index]] == index
        assert SIDES[MIRROR[index]] == -SIDES[index]
        assert name.split("_")[-1] == NAMES[MIRROR[index]].split("_")[-1]
    assert len(EDGES) == len(set(EDGES)) == 18
