"""Engines of the lifting networks: one answer, whose file it is, and what is not imported."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

import movenet
from movenet.errors import EngineError, WeightsError
from movenet.lifting import engines, files, lifter, shipped
from movenet.lifting import export as exporter
from movenet.lifting.certificate import windows
from movenet.lifting.engines import Engine, litert, select_engine
from movenet.lifting.engines.onnx import OnnxEngine
from movenet.lifting.engines.torch import TorchEngine
from movenet.lifting.joints import INDEX, NAMES
from movenet.lifting.lifter import Lifter, Network, lift
from movenet.lifting.litert_network import from_pelvis, packed, with_middle, with_pelvis
from movenet.lifting.network import LiftingNetwork
from movenet.lifting.network import with_middle as with_middle_in_torch
from movenet.lifting.specs import MODELS, NETWORKS
from movenet.poses import Poses

Floats = NDArray[np.float32]
KINDS = tuple(NETWORKS)
SMALL = {"single": 40, "causal": 24, "centred": 24}  # widths


def network(kind: str, seed: int = 0) -> LiftingNetwork:
    """A small one with random weights, normalisations, features and spread as well."""
    torch.manual_seed(seed)
    made = LiftingNetwork(**{**NETWORKS[kind], "width": SMALL[kind]})
    with torch.no_grad():
        for name, value in made.named_parameters():
            if value.ndim == 1:
                value += 0.3 * torch.randn_like(value)
            assert value.isfinite().all(), name
        made.mean.normal_()
        made.deviation.uniform_(0.5, 2)
        made.spread.uniform_(0.5, 2)
    return made.eval()


def in_litert(kind: str, made: LiftingNetwork, *, narrow: bool = False) -> Engine:
    tensors = {name: value.numpy() for name, value in made.state_dict().items()}
    return litert.LiteRTEngine(kind, packed(kind, tensors, narrow=narrow, metadata={}), "made")


def some(kind: str, count: int, seed: int) -> tuple[Floats, Floats]:
    """Random windows; each keypoint is missing with a chance of each window's own, 0 to 1."""
    random = np.random.default_rng(seed)
    shape = (count, NETWORKS[kind]["frames"], 17)
    points = random.normal(0, 0.2, (*shape, 2)).astype(np.float32)
    scores = random.uniform(0.01, 1, shape).astype(np.float32)
    chance = random.choice([0, 0.3, 0.9, 1], (count, 1, 1))
    scores[random.uniform(size=shape) < chance] = 0
    return points, scores


def agree(one: Engine, other: Engine, points: Floats, scores: Floats) -> None:
    """To 1e-5 of a body height, or of the body itself where random weights make a giant."""
    for got, wanted in zip(one(points, scores), other(points, scores), strict=True):
        assert got.shape == wanted.shape
        assert got.dtype == np.float32
        assert_allclose(got, wanted, atol=1e-5 * max(1, np.abs(wanted).max(initial=0)))


# One answer


@pytest.mark.parametrize("kind", KINDS)
@given(seed=st.integers(0, 10**6), count=st.integers(0, 5))
@settings(max_examples=15, deadline=None)
def test_litert_gives_what_pytorch_gives_of_any_weights(kind: str, seed: int, count: int) -> None:
    made = network(kind, seed % 7)
    agree(in_litert(kind, made), TorchEngine(kind, made), *some(kind, count, seed))


@pytest.mark.parametrize("kind", KINDS)
def test_litert_gives_what_pytorch_gives_of_the_shipped_weights(kind: str) -> None:
    found, true = select_engine(kind, "litert"), select_engine(kind, "torch")
    agree(found, true, *some(kind, 9, 1))
    agree(found, true, *windows(kind))
    assert found.runtime.startswith("LiteRT ")
    assert true.runtime == f"PyTorch {torch.__version__}"


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_seen_is_the_same_nobody_everywhere(kind: str) -> None:
    made = network(kind)
    points, scores = some(kind, 2, 0)
    scores[:] = 0
    agree(in_litert(kind, made), TorchEngine(kind, made), points, scores)
    points[:] = np.nan
    joints, uncertainty = in_litert(kind, made)(points, scores)
    assert np.isfinite(joints).all()
    assert np.isfinite(uncertainty).all()
    assert_array_equal(joints[:, INDEX["pelvis"]], 0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_keypoint_s_coordinates_make_no_difference(kind: str) -> None:
    engine, (points, scores) = in_litert(kind, network(kind)), some(kind, 4, 2)
    other = np.where(scores[..., None] == 0, np.float32(7e8), points)
    for one, two in zip(engine(points, scores), engine(other, scores), strict=True):
        assert_array_equal(one, two)


def test_weights_stored_as_float16_are_the_same_numbers() -> None:
    made = network("causal").half().float()
    points, scores = some("causal", 2, 3)
    narrow, wide = (in_litert("causal", made, narrow=narrow) for narrow in (True, False))
    for one, two in zip(narrow(points, scores), wide(points, scores), strict=True):
        assert_array_equal(one, two)


def test_batches_of_every_size_are_their_windows_one_by_one() -> None:
    engine, (points, scores) = in_litert("causal", network("causal")), some("causal", 7, 4)
    alone = [engine(points[n : n + 1], scores[n : n + 1]) for n in range(7)]
    for count in (7, 2, 3, 0, 1):
        joints, uncertainty = engine(points[:count], scores[:count])
        assert joints.shape == (count, 21, 3)
        for n in range(count):
            assert_allclose(joints[n], alone[n][0][0], atol=1e-5)
            assert_allclose(uncertainty[n], alone[n][1][0], atol=1e-5)


def test_joints_in_constant_layers_are_those_of_pytorch() -> None:
    points = torch.randn(5, 17, 2)
    wanted = with_middle_in_torch(points)
    assert_allclose(np.einsum("kj,njc->nkc", with_middle(), points), wanted, atol=1e-6)
    learnt = np.random.default_rng(0).normal(size=(20, 3))
    joints = from_pelvis() @ learnt
    every = with_pelvis() @ learnt
    hips = (every[INDEX["left_hip"]] + every[INDEX["right_hip"]]) / 2
    assert_array_equal(every[INDEX["pelvis"]], 0)
    others = [place for place in range(len(NAMES)) if place != INDEX["pelvis"]]
    assert_allclose(joints[others], every[others] - hips, atol=1e-6)
    assert_array_equal(joints[INDEX["pelvis"]], 0)


# Threads


def test_pytorch_s_threads_are_one_for_the_network_and_afterwards_what_they_were() -> None:
    usual, used = torch.get_num_threads(), []

    def network(points: torch.Tensor, scores: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        used.append(torch.get_num_threads())
        if len(used) == 2:
            raise RuntimeError
        return torch.zeros(len(points), 21, 3), torch.zeros(len(points), 21)

    engine = TorchEngine("single", network)
    torch.set_num_threads(2)
    try:
        engine(*some("single", 1, 0))
        with pytest.raises(RuntimeError):
            engine(*some("single", 1, 0))
        assert used == [1, 1]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(usual)


# Choice


@pytest.mark.parametrize("engine", ["tflite", "openvino", "lift.pt", "", "LiteRT"])
def test_an_unknown_engine_is_refused_by_name(engine: str) -> None:
    match = "engine must be one of auto, litert, torch, onnx, or a file"
    for call in (
        lambda: Lifter(engine=engine),
        lambda: lift(frame(), engine=engine),
        lambda: lift([], engine=engine),
        lambda: lift(frame()[:0], engine=engine),
        lambda: select_engine("single", engine),
    ):
        with pytest.raises(ValueError, match=match):
            call()


def test_another_network_s_name_is_refused() -> None:
    with pytest.raises(ValueError, match="single, causal, centred, not 'triple'"):
        select_engine("triple")


def test_auto_is_litert_and_pytorch_where_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(select_engine("single"), litert.LiteRTEngine)
    monkeypatch.setattr(engines, "find_spec", lambda name: None)
    assert isinstance(select_engine("single"), TorchEngine)


@pytest.mark.parametrize(
    ("engine", "module", "match"),
    [
        ("litert", "ai_edge_litert", "engine litert: ai-edge-litert is not installed here"),
        ("onnx", "onnxruntime", r"engine onnx: .* pip install 'movenet-pytorch\[onnx\]'"),
    ],
)
def test_an_engine_that_is_not_installed_is_one_line_that_says_what_to_do(
    engine: str, module: str, match: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, f"movenet.lifting.engines.{engine}", raising=False)
    for name in [name for name in sys.modules if name.split(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    refused(lambda: Lifter(engine=engine), match)
    assert len(lift(frame())) == 1  # auto finds another, or the same


def test_windows_of_another_shape_are_refused() -> None:
    points, scores = some("single", 2, 0)
    unopened = OnnxEngine.__new__(OnnxEngine)  # an export would take long
    unopened._kind = "causal"
    for engine in (select_engine("causal"), select_engine("causal", "torch"), unopened):
        with pytest.raises(ValueError, match=r"lift-causal takes keypoints \(N, 27, 17, 2\)"):
            engine(points, scores)
        with pytest.raises(ValueError, match="lift-causal takes"):
            engine(np.zeros((1, 27, 16, 2), np.float32), np.zeros((1, 27, 17), np.float32))


def test_a_shipped_file_that_was_changed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = shipped.manifest()
    for entry in rows.values():
        object.__setattr__(entry, "sha256", "0" * 64)
    monkeypatch.setattr(shipped, "manifest", lambda: rows)
    with pytest.raises(WeightsError, match=r"single.safetensors: not the file that was shipped"):
        shipped.tensors("single")


def test_shipped_weights_are_read_without_pytorch_as_with_it() -> None:
    for kind in KINDS:
        found, wanted = shipped.tensors(kind), files.load(kind).state_dict()
        assert found.keys() == wanted.keys()
        for name, value in wanted.items():
            assert found[name].dtype == np.float32
            assert_array_equal(found[name], value)


# Files


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """LiteRT files by the network's name, each made once."""
    folder = tmp_path_factory.mktemp("exported")

    def path(model: str) -> Path:
        made = folder / f"{model}.tflite"
        if not made.exists():
            exporter.export(model, "litert", made)
        return made

    return path


@pytest.mark.parametrize("kind", KINDS)
def test_an_exported_file_is_an_engine(kind: str, exported: Callable[[str], Path]) -> None:
    found = select_engine(kind, exported(MODELS[kind]))
    agree(found, select_engine(kind, "torch"), *some(kind, 3, 5))


def refused(call: Callable[[], object], match: str) -> None:
    with pytest.raises(EngineError, match=match) as error:
        call()
    assert "\n" not in str(error.value)


def test_another_network_s_file_is_refused_by_name(exported: Callable[[str], Path]) -> None:
    single, centred = exported("lift-single"), exported("lift-centred")
    match = "lift-single.tflite: holds lift-single, and lift-causal is needed here"
    refused(lambda: Lifter(engine=single), match)
    refused(lambda: lift(frame(), engine=centred), "holds lift-centred, and lift-single is needed")
    refused(lambda: lift([frame()], engine=single), "holds lift-single, and lift-centred is needed")
    assert len(lift(frame(), engine=single)) == 1
    assert len(lift([frame()], engine=str(centred))) == 1


def test_a_movenet_s_file_is_refused_by_name() -> None:
    path = Path(movenet.__file__).parent / "weights" / "lightning.tflite"
    refused(lambda: Lifter(engine=path), "lightning.tflite: holds lightning, and lift-causal")


def test_a_lifting_file_finds_no_people_in_pictures(exported: Callable[[str], Path]) -> None:
    path = exported("lift-single")
    match = "holds lift-single, and one of lightning, thunder, multipose is needed here"
    refused(lambda: movenet.PoseEstimator(engine=path), match)


@pytest.mark.parametrize("suffix", [".tflite", ".onnx", ".TFLITE"])
def test_a_file_that_is_missing_or_damaged_is_refused(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"some{suffix}"
    refused(lambda: Lifter(engine=path), f"some{suffix}: no such file")
    refused(lambda: Lifter(engine=tmp_path / f"lost/{path.name}"), "no such file")
    for data in (b"", b"hello", bytes(4) + b"TFL3" + bytes(99)):
        path.write_bytes(data)
        refused(lambda: Lifter(engine=path), f"some{suffix}: ")


def test_a_file_cut_short_is_refused(exported: Callable[[str], Path], tmp_path: Path) -> None:
    data, path = exported("lift-single").read_bytes(), tmp_path / "short.tflite"
    for length in (100, len(data) // 2):
        path.write_bytes(data[:length])
        refused(lambda: select_engine("single", path), "short.tflite: ")


@pytest.mark.parametrize("text", [b"", b"{", b"[1]", b'{"model": 3}', b"{}"])
def test_a_file_that_does_not_say_what_it_is_is_refused(text: bytes, tmp_path: Path) -> None:
    path = tmp_path / "strange.tflite"
    path.write_bytes(packed("single", shipped.tensors("single"), narrow=True,
                            metadata={"movenet": text} if text else {}))  # fmt: skip
    refused(lambda: select_engine("single", path), "strange.tflite: does not say which network")


def test_a_file_that_says_it_is_what_it_is_not_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "false.tflite"
    says = json.dumps({"model": "lift-causal"}).encode()
    path.write_bytes(
        packed("single", shipped.tensors("single"), narrow=True, metadata={"movenet": says})
    )
    with pytest.raises(EngineError, match=r"false.tflite: LiteRT cannot run it"):
        select_engine("causal", path)(*some("causal", 2, 0))


def test_an_export_for_onnx_is_made_once_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made = []

    def export(model: str, format: str, path: Path) -> None:
        made.append((model, format))
        path.parent.mkdir(parents=True)
        path.touch()

    monkeypatch.setattr(exporter, "export", export)
    first, second = engines.kept("single"), engines.kept("single")
    sha256 = shipped.manifest()["single"].sha256
    folder = tmp_path / "movenet-pytorch" / f"{movenet.__version__}-{sha256[:12]}"
    assert first == second == folder / "lift-single.onnx"
    assert made == [("lift-single", "onnx")]


# Lifting


def frame(time_s: float = 0.0) -> Poses:
    points = np.random.default_rng(0).uniform((120, 80), (520, 400), (1, 17, 2))
    points += 30 * np.sin(time_s)
    scores = np.full((1, 17), 0.8)
    scores[0, 3] = 0
    return Poses.from_arrays(points, scores, image_size=(480, 640), timestamp_s=time_s)


def test_lifting_is_the_same_on_every_engine() -> None:
    clip = [frame(n / 30) for n in range(6)]
    (live, true_live), one, two = (
        (Lifter(engine="litert"), Lifter(engine="torch")),
        lift(clip, engine="litert"),
        lift(clip, engine="torch"),
    )
    pairs = [(live(each), true_live(each)) for each in clip]
    pairs += [*zip(one, two, strict=True)]
    pairs += [(lift(clip[0], engine="litert"), lift(clip[0], engine="torch"))]
    for found, wanted in pairs:
        assert_allclose(found.joints, wanted.joints, atol=2e-4)  # bones are fitted in steps
        assert_allclose(found.uncertainty, wanted.uncertainty, rtol=1e-4, atol=1e-5)


def test_a_network_looks_twice_on_one_call_of_its_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody and their mirror image are neighbours: together they are what LiteRT runs."""
    seen: list[tuple[Floats, Floats]] = []

    def engine(points: Floats, scores: Floats) -> tuple[Floats, Floats]:
        seen.append((points, scores))
        return np.zeros((len(points), 21, 3), np.float32), np.ones((len(points), 21), np.float32)

    monkeypatch.setattr(lifter, "select_engine", lambda kind, name: engine)
    points, scores = some("single", 3, 0)
    Network("single")(points, scores)
    ((both, both_scores),) = seen
    left, right = INDEX["left_wrist"], INDEX["right_wrist"]
    assert_array_equal(both[::2], points)
    assert_array_equal(both[1::2, :, left], points[:, :, right] * np.float32([-1, 1]))
    assert_array_equal(both_scores[1::2, :, left], scores[:, :, right])
    assert both.dtype == both_scores.dtype == np.float32


WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None  # importing it fails
import numpy as np, movenet
poses = movenet.Poses.from_arrays(
    np.random.default_rng(0).uniform(100, 300, (1, 17, 2)), np.ones((1, 17)),
    image_size=(480, 640), timestamp_s=0.0)
live = movenet.Lifter()
for found in (movenet.lift(poses), *movenet.lift([poses]), live(poses)):
    assert np.isfinite(found.joints).all()
"""


def test_lifting_does_without_torch() -> None:
    subprocess.run([sys.executable, "-c", WITHOUT_TORCH], check=True)
