"""The earlier port's lifter: checkpoints, keypoints in its order, and its arithmetic."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from movenet.errors import WeightsError
from movenet.keypoints import INDEX as COCO
from movenet.lifting import joints as table
from movenet.lifting.videopose import (
    CROWN,
    JOINTS,
    VideoPose,
    build,
    human36m,
    lift,
    load,
    normalised,
)

LISTED = Path(__file__).parents[2] / "shared/data/models/earlier_port_videopose_state_dict.txt"
Floats = NDArray[np.float32]
Tensors = dict[str, torch.Tensor]


def shapes() -> dict[str, tuple[int, ...]]:
    """By the paper's figure: 32 numbers to 1024, four blocks of two layers, 45 out."""
    found: dict[str, tuple[int, ...]] = {
        "expand_conv.weight": (1024, 32, 1),
        "shrink.weight": (45, 1024, 1),
        "shrink.bias": (45,),
        **{f"layers_conv.{layer}.weight": (1024, 1024, 1) for layer in range(8)},
    }
    for norm in ("expand_bn", *(f"layers_bn.{layer}" for layer in range(8))):
        parts = ("weight", "bias", "running_mean", "running_var")
        found |= {f"{norm}.{part}": (1024,) for part in parts}
        found[f"{norm}.num_batches_tracked"] = ()
    return found


@pytest.fixture(scope="module")
def tensors() -> Tensors:
    random = torch.Generator().manual_seed(0)
    found: Tensors = {}
    for key, shape in shapes().items():
        values = torch.randn(shape, generator=random)
        if key.endswith("num_batches_tracked"):
            values = torch.tensor(7)
        elif key.endswith("running_var"):
            values = values.abs() + 0.5
        elif len(shape) == 3:
            values /= shape[1] ** 0.5
        found[key] = values
    return found


@pytest.fixture(scope="module")
def model(tensors: Tensors) -> VideoPose:
    return build(tensors, "random")


def people(count: int = 4) -> Floats:
    random = np.random.default_rng(0)
    return random.uniform(100, 600, (count, 17, 2)).astype(np.float32)


@pytest.mark.skipif(not LISTED.exists(), reason="needs ../shared/data/models")
def test_names_shapes_and_types_are_those_of_the_earlier_port(model: VideoPose) -> None:
    rows = [line.split("\t") for line in LISTED.read_text().splitlines() if line.count("\t") == 2]
    listed = {
        key: ((() if shape == "scalar" else tuple(map(int, shape.split("x")))), dtype)
        for key, shape, dtype in rows
    }
    assert len(listed) == 56
    ours = {
        key: (tuple(value.shape), str(value.dtype).removeprefix("torch."))
        for key, value in model.state_dict().items()
    }
    assert ours == listed
    assert sum(value.numel() for value in model.parameters()) == 8_485_933


def test_the_arithmetic_is_the_papers(tensors: Tensors, model: VideoPose) -> None:
    """In NumPy, float64: layers, then y = relu(norm(conv)), twice a block, and the input added."""
    values = {key: value.double().numpy() for key, value in tensors.items()}

    def layer(x: np.ndarray, conv: str, norm: str) -> np.ndarray:
        x = x @ values[f"{conv}.weight"][:, :, 0].T
        x = (x - values[f"{norm}.running_mean"]) / np.sqrt(values[f"{norm}.running_var"] + 1e-5)
        return np.asarray(np.maximum(x * values[f"{norm}.weight"] + values[f"{norm}.bias"], 0))

    points = np.random.default_rng(1).uniform(-1, 1, (3, 16, 2))
    x = layer(points.reshape(3, 32), "expand_conv", "expand_bn")
    for block in range(4):
        y = layer(x, f"layers_conv.{2 * block}", f"layers_bn.{2 * block}")
        x = x + layer(y, f"layers_conv.{2 * block + 1}", f"layers_bn.{2 * block + 1}")
    expected = x @ values["shrink.weight"][:, :, 0].T + values["shrink.bias"]
    with torch.inference_mode():
        result = model(torch.from_numpy(points).float()).numpy()
    assert_allclose(result, expected.reshape(3, 15, 3), rtol=1e-4, atol=1e-4 * expected.std())


def test_it_sees_one_frame(model: VideoPose) -> None:
    assert model.receptive_field() == 1


@pytest.mark.parametrize("wrapping", [None, "state_dict", "model_pos"])
def test_a_checkpoint_loads_exactly(tensors: Tensors, wrapping: str | None, tmp_path: Path) -> None:
    path = tmp_path / "videopose.pth"
    torch.save({"epoch": 3, wrapping: tensors} if wrapping else tensors, path)
    loaded = load(path)
    assert not loaded.training
    for key, value in loaded.state_dict().items():
        assert torch.equal(value, tensors[key])


def message(tensors: object, tmp_path: Path) -> str:
    path = tmp_path / "videopose.pth"
    torch.save(tensors, path)
    with pytest.raises(WeightsError) as error:
        load(path)
    return str(error.value).replace(str(path), "FILE")


def test_wrong_tensors_are_named(tensors: Tensors, tmp_path: Path) -> None:
    wrong = dict(tensors)
    wrong["extra"] = torch.zeros(1)
    del wrong["shrink.bias"], wrong["layers_bn.7.weight"]
    wrong["expand_conv.weight"] = torch.zeros(1024, 34, 1)
    wrong["expand_bn.bias"] = torch.full((1024,), torch.nan)
    assert message(wrong, tmp_path) == (
        "FILE: not the weights of a VideoPose of 16 joints "
        "(missing: layers_bn.7.weight, shrink.bias; unknown: extra; of another shape: "
        "expand_conv.weight (1024, 34, 1), not (1024, 32, 1); not finite: expand_bn.bias)"
    )


def test_many_missing_tensors_are_counted(tmp_path: Path) -> None:
    assert "(missing: expand_conv.weight, expand_bn.weight, expand_bn.bias and 53 more)" in message(
        {}, tmp_path
    )


@pytest.mark.parametrize("content", [[1, 2], {"epoch": 3}, torch.zeros(3)])
def test_what_is_no_table_of_tensors_says_so(content: object, tmp_path: Path) -> None:
    expected = "FILE: holds no table of tensors; pass a network's state_dict()"
    assert message(content, tmp_path) == expected


def test_code_in_a_checkpoint_does_not_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (str(tmp_path / "ran"),)

    expected = "FILE: no checkpoint of plain tensors; save the network's state_dict() and pass that"
    assert message(Evil(), tmp_path) == expected
    assert not (tmp_path / "ran").exists()


def test_files_that_are_damaged_or_missing_are_named(tensors: Tensors, tmp_path: Path) -> None:
    path = tmp_path / "videopose.pth"
    torch.save(tensors, path)
    whole = path.read_bytes()
    for content in (b"", b"weights", b"bad\n", b"b", b"\xff\xd8\xff", whole[:1000], whole[:-1000]):
        path.write_bytes(content)
        with pytest.raises(WeightsError, match=r"videopose\.pth: no checkpoint of plain tensors"):
            load(path)
    path.unlink()
    with pytest.raises(WeightsError, match=r"videopose\.pth: cannot be read \(No such file"):
        load(path)


@pytest.mark.parametrize("kind", [IndexError, AttributeError, TypeError, AssertionError])
def test_whatever_a_damaged_pickle_raises_is_one_line(
    kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object, **options: object) -> None:
        raise kind

    monkeypatch.setattr(torch, "load", broken)
    with pytest.raises(WeightsError, match=r"videopose\.pth: no checkpoint of plain tensors"):
        load("videopose.pth")


def test_keypoints_come_in_the_order_of_human36m() -> None:
    points = people()
    result = human36m(points)
    assert result.shape == (4, 16, 2)
    assert JOINTS[:4] == ("pelvis", "right_hip", "right_knee", "right_ankle")
    for name, index in COCO.items():
        if index > 4:
            assert_array_equal(result[:, JOINTS.index(name)], points[:, index])


def test_the_middle_joints_are_between_the_others() -> None:
    points = people()
    of = {name: human36m(points)[:, index] for index, name in enumerate(JOINTS)}
    assert_allclose(of["pelvis"], (of["left_hip"] + of["right_hip"]) / 2, rtol=1e-6)
    assert_allclose(of["neck"], (of["left_shoulder"] + of["right_shoulder"]) / 2, rtol=1e-6)
    assert_allclose(of["spine"], (of["pelvis"] + of["neck"]) / 2, rtol=1e-6)


def test_the_head_of_a_standing_person_is_the_crown() -> None:
    """With Winter's heights, of 1: shoulders 0.818, ears 0.936; the crown is at 1 above the neck,
    wherever the face looks."""
    points = np.zeros((1, 17, 2), np.float32)
    points[0, [COCO["left_shoulder"], COCO["right_shoulder"]]] = [[0.13, -0.818], [-0.13, -0.818]]
    points[0, [COCO["left_ear"], COCO["right_ear"]]] = [[0.04, -0.936], [-0.04, -0.936]]
    for face in (0.0, 0.1):
        points[0, :3] = (face, -0.93)
        assert_allclose(human36m(points)[0, JOINTS.index("head")], (0, -1), atol=1e-6)
    assert 0 < CROWN < 1


def test_pixels_are_measured_by_half_the_width_from_the_middle() -> None:
    corners = np.array([[0, 0], [1280, 720], [640, 360]], np.float32)
    expected = np.array([[-1, -0.5625], [1, 0.5625], [0, 0]], np.float32)
    assert_allclose(normalised(corners, (720, 1280)), expected)
    assert normalised(corners, (720, 1280)).dtype == np.float32


def test_the_size_of_the_picture_makes_no_difference(model: VideoPose) -> None:
    points = people()
    expected = lift(model, points, (720, 1280))
    assert_allclose(
        lift(model, points * np.float32(0.5), (360, 640)), expected, rtol=1e-4, atol=1e-4
    )
    assert not np.allclose(lift(model, points, (1280, 720)), expected, rtol=0.01, equal_nan=True)


def test_joints_are_ours_with_the_pelvis_at_0_and_no_face(model: VideoPose) -> None:
    points = people()
    joints = lift(model, points, (720, 1280))
    assert joints.shape == (4, 21, 3)
    assert joints.dtype == np.float32
    assert np.isnan(joints[:, :5]).all()
    assert np.isfinite(joints[:, 5:]).all()
    assert_array_equal(joints[:, table.INDEX["pelvis"]], 0)
    with torch.inference_mode():
        raw = model(torch.from_numpy(normalised(human36m(points), (720, 1280)))).numpy()
    for place, name in enumerate(JOINTS[1:]):
        assert_array_equal(joints[:, table.INDEX[name]], raw[:, place])


def test_people_with_missing_keypoints_are_nan_and_others_are_not(model: VideoPose) -> None:
    points = people()
    points[1, COCO["left_knee"]] = np.nan
    points[2, COCO["nose"]] = np.nan  # not needed
    joints = lift(model, points, (720, 1280))
    assert np.isnan(joints[1]).all()
    expected = lift(model, people(), (720, 1280))[[0, 2, 3]]
    assert_allclose(joints[[0, 2, 3]], expected, rtol=1e-4, atol=1e-4)


def test_nobody_is_a_normal_answer(model: VideoPose) -> None:
    assert lift(model, people(0), (720, 1280)).shape == (0, 21, 3)
