"""Exported lifting networks: what is in them, what certificates measure, and what is refused."""

import json
import os
import warnings
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from ai_edge_litert.interpreter import Interpreter
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from movenet import keypoints
from movenet.cli import main
from movenet.engines.tflite import TFLiteFile
from movenet.errors import ExportError, WeightsError
from movenet.lifting import certificate, files
from movenet.lifting.certificate import Certificate, windows
from movenet.lifting.engines import select_engine
from movenet.lifting.export import FORMATS, export
from movenet.lifting.joints import NAMES
from movenet.lifting.network import LiftingNetwork
from movenet.lifting.specs import MODELS, NETWORKS

Floats = NDArray[np.float32]
Run = Callable[[Floats, Floats], tuple[Floats, Floats]]
Make = Callable[[str, str], tuple[Path, Certificate]]
# PyTorch's exporters take their time; one network of each is enough for every run.
MADE = [
    *((kind, "litert") for kind in NETWORKS),
    ("single", "torchscript"),
    *(
        pytest.param(kind, format, marks=pytest.mark.slow)
        for kind in NETWORKS
        for format in ("onnx", "torchscript", "exported-program")
        if (kind, format) != ("single", "torchscript")
    ),
]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Exported files and their certificates, each made once."""
    known: dict[tuple[str, str], tuple[Path, Certificate]] = {}

    def make(kind: str, format: str) -> tuple[Path, Certificate]:
        if format == "onnx":
            pytest.importorskip("onnxscript")
        if (kind, format) not in known:
            path = tmp_path_factory.mktemp(format) / f"{kind}{FORMATS[format].suffix}"
            known[kind, format] = path, export(MODELS[kind], format, path)
        return known[kind, format]

    return make


def opened(format: str, path: Path) -> tuple[Run, str]:
    """A file as people run it, without this package, and what it says of itself."""
    if format == "litert":
        return litert(path), TFLiteFile(path.read_bytes()).metadata["movenet"].decode()
    if format == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(str(path))
        said = session.get_modelmeta().custom_metadata_map["movenet"]
        return lambda points, scores: tuple(
            session.run(["joints", "uncertainty"], {"keypoints": points, "scores": scores})
        ), said  # fmt: skip
    said_by = {"movenet": ""}
    if format == "torchscript":
        with warnings.catch_warnings():  # that PyTorch would rather have another format
            warnings.simplefilter("ignore", DeprecationWarning)
            module = torch.jit.load(path, _extra_files=said_by)
    else:
        module = torch.export.load(path, extra_files=said_by).module()

    def run(*pair: Floats) -> tuple[Floats, Floats]:
        joints, uncertainty = module(*map(torch.from_numpy, pair))
        return joints.detach().numpy(), uncertainty.detach().numpy()

    said = said_by["movenet"]
    return run, said.decode() if isinstance(said, bytes) else said


def litert(path: Path) -> Run:
    """One graph, resized to the batch."""

    def run(points: Floats, scores: Floats) -> tuple[Floats, Floats]:
        interpreter = Interpreter(model_path=str(path))
        places = {each["name"]: each["index"] for each in interpreter.get_input_details()}
        places |= {each["name"]: each["index"] for each in interpreter.get_output_details()}
        given = {"keypoints": points, "scores": scores}
        for name, values in given.items():
            interpreter.resize_tensor_input(places[name], values.shape)
        interpreter.allocate_tensors()
        for name, values in given.items():
            interpreter.set_tensor(places[name], values)
        interpreter.invoke()
        joints, uncertainty = (
            interpreter.get_tensor(places[name]) for name in ("joints", "uncertainty")
        )
        return joints, uncertainty

    return run


# Files


@pytest.mark.parametrize(("kind", "format"), MADE)
def test_a_file_gives_what_pytorch_gives_in_batches_of_every_size(
    kind: str, format: str, made: Make
) -> None:
    run, _ = opened(format, made(kind, format)[0])
    random = np.random.default_rng(3)
    frames = NETWORKS[kind]["frames"]
    for count in (1, 2, 5):
        points = random.normal(0, 0.2, (count, frames, 17, 2)).astype(np.float32)
        scores = random.uniform(0, 1, (count, frames, 17)).astype(np.float32)
        scores[scores < 0.4] = 0
        with torch.inference_mode():
            wanted = files.load(kind)(torch.from_numpy(points), torch.from_numpy(scores))
        for got, values in zip(run(points, scores), wanted, strict=True):
            assert_allclose(got, values, atol=1e-5 * max(1, values.abs().max().item()))


@pytest.mark.parametrize(("kind", "format"), MADE)
def test_a_file_says_what_it_is(kind: str, format: str, made: Make) -> None:
    said = json.loads(opened(format, made(kind, format)[0])[1])
    assert said["model"] == MODELS[kind]
    assert said["keypoints"] == list(keypoints.NAMES)
    assert said["joints"] == list(NAMES)
    assert (said["frames"], said["frames_per_second"]) == (NETWORKS[kind]["frames"], 30)
    assert said["frame_lifted"] == NETWORKS[kind]["reference"]
    entry = files.manifest()[kind]
    assert (said["source"], said["licence"]) == (entry.source, entry.licence)


@pytest.mark.parametrize(("kind", "format"), MADE)
def test_an_export_is_a_file_and_its_certificate_and_nothing_else(
    kind: str, format: str, made: Make
) -> None:
    path, proof = made(kind, format)
    beside = f"{path.name}.certificate.json"
    assert sorted(os.listdir(path.parent)) == sorted([path.name, beside])
    assert json.loads((path.parent / beside).read_text()) == asdict(proof)
    assert proof.passed
    assert (proof.file, proof.model, proof.format) == (path.name, MODELS[kind], format)
    assert (proof.windows, proof.frames) == (64, NETWORKS[kind]["frames"])
    assert proof.bytes == path.stat().st_size
    assert proof.joints <= proof.limits["joints"] == certificate.LIMITS["joints"]
    assert proof.runtime.startswith(
        {"litert": "LiteRT", "onnx": "ONNX Runtime", "torchscript": "TorchScript",
         "exported-program": "torch.export"}[format]
    )  # fmt: skip


def test_float16_halves_a_litert_file_and_changes_nothing(made: Make, tmp_path: Path) -> None:
    path, proof = made("causal", "litert")
    wide = export("lift-causal", "litert", tmp_path / "wide.tflite", precision="float32")
    assert (proof.precision, wide.precision) == ("float16", "float32")
    assert proof.bytes == pytest.approx(wide.bytes / 2, rel=0.02)
    pair = [values[:3] for values in windows("causal")]
    for one, other in zip(
        select_engine("causal", path)(*pair),
        select_engine("causal", tmp_path / "wide.tflite")(*pair),
        strict=True,
    ):
        assert_array_equal(one, other)


def test_other_weights_are_those_of_the_file(tmp_path: Path) -> None:
    torch.manual_seed(5)
    network = LiftingNetwork(**NETWORKS["single"])
    files.ship("single", network, source="made up", command="none", folder=tmp_path)
    weights = tmp_path / "single.safetensors"
    proof = export("lift-single", "litert", tmp_path / "own.tflite", weights=weights)
    pair = [values[:4] for values in windows("single")]
    engine = select_engine("single", tmp_path / "own.tflite")
    with torch.inference_mode():
        wanted = files.load("single", weights)(*map(torch.from_numpy, pair))
    assert_allclose(engine(*pair)[0], wanted.joints, atol=1e-4)
    assert np.abs(engine(*pair)[0] - select_engine("single")(*pair)[0]).max() > 0.01
    said = json.loads(TFLiteFile((tmp_path / "own.tflite").read_bytes()).metadata["movenet"])
    assert said["source"] == "single.safetensors"
    assert "licence" not in said
    assert proof.weights_sha256 != export(
        "lift-single", "litert", tmp_path / "shipped.tflite"
    ).weights_sha256  # fmt: skip


# Measures


def true(points: Floats, scores: Floats) -> tuple[Floats, Floats]:
    """A body like the mean of its keypoints, 0.1 uncertain, its pelvis not at all."""
    place = np.nan_to_num(points[:, -1]).mean(1)
    joints = np.zeros((len(points), 21, 3), np.float32)
    joints[..., :2] = place[:, None]
    uncertainty = np.full((len(points), 21), 0.1, np.float32)
    uncertainty[:, 17] = 0
    return joints, uncertainty


def wrong(change: Callable[[Floats, Floats], None]) -> Run:
    def run(points: Floats, scores: Floats) -> tuple[Floats, Floats]:
        joints, uncertainty = true(points, scores)
        change(joints, uncertainty)
        return joints, uncertainty

    return run


def test_the_largest_distance_of_a_joint_and_error_of_an_uncertainty_count() -> None:
    assert certificate.errors(true, true, "single") == (0, 0)

    def moved(joints: Floats, uncertainty: Floats) -> None:
        joints[-1, 3] += (0.03, 0, 0.04)
        uncertainty[-1, 4] *= 1.5

    joints, uncertainty = certificate.errors(wrong(moved), true, "single")
    assert joints == pytest.approx(0.05, rel=1e-5)
    assert uncertainty == pytest.approx(0.5, rel=1e-5)


def test_an_error_of_batches_alone_and_one_of_single_windows_alone_are_noticed() -> None:
    for several in (True, False):

        def moved(joints: Floats, uncertainty: Floats, several: bool = several) -> None:
            if (len(joints) > 1) == several:
                joints[0, 0, 0] += 1

        assert certificate.errors(wrong(moved), true, "single")[0] == pytest.approx(1)


def test_what_is_not_a_number_fails() -> None:
    def moved(joints: Floats, uncertainty: Floats) -> None:
        joints[0, 0, 0] = np.nan

    joints, _ = certificate.errors(wrong(moved), true, "single")
    assert certificate.failures({"joints": joints, "uncertainty": 0.0}) == [
        f"largest error of joints nan, over the limit of {certificate.LIMITS['joints']:g}"
    ]
    limits = certificate.LIMITS
    assert certificate.failures(dict(limits)) == []
    assert len(certificate.failures({name: 2 * limit for name, limit in limits.items()})) == 2


def test_an_output_of_another_shape_is_refused() -> None:
    with pytest.raises(ExportError, match=r"gives \(64, 20, 3\), not \(64, 21, 3\)"):
        certificate.errors(lambda *pair: (true(*pair)[0][:, :20], true(*pair)[1]), true, "single")


@pytest.mark.parametrize("kind", NETWORKS)
def test_the_windows_have_missing_keypoints_of_every_kind(kind: str) -> None:
    points, scores = windows(kind)
    reference = NETWORKS[kind]["reference"]
    assert points.dtype == scores.dtype == np.float32
    assert not scores[0].any()
    assert not scores[1, reference].any()
    assert_array_equal(scores[2, :, 1:], 0)
    assert (scores[3] > 0).all()
    assert 0.3 < (scores == 0).mean() < 0.4
    assert_array_equal(np.isnan(points), np.broadcast_to(scores[..., None] == 0, points.shape))
    for one, other in zip(windows(kind), (points, scores), strict=True):
        assert_array_equal(one, other)


# Refusals


def test_a_file_that_is_not_good_enough_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(certificate.LIMITS, "joints", -1.0)
    with pytest.raises(ExportError, match=r"single\.tflite: not kept, largest error of joints"):
        export("lift-single", "litert", tmp_path / "new" / "single.tflite")
    assert not list(tmp_path.iterdir())


def test_wrong_choices_are_refused(tmp_path: Path) -> None:
    for arguments, how, match in (
        (("single", "litert"), {}, "no lifting network 'single'; there are lift-single, lift-ca"),
        (("lift-single", "coreml"), {}, "lift-single has no format coreml; it has litert, onnx, "),
        (("lift-single", "litert"), {"precision": "int8"}, "has float16, float32, not int8"),
        (("lift-single", "torchscript"), {"precision": "float16"}, "has float32, not float16"),
        (
            ("lift-single", "litert", tmp_path / "a.pt"),
            {},
            "the name of a file of litert ends with .tflite",
        ),
    ):
        with pytest.raises(ValueError, match=match):
            export(*arguments, **how)  # type: ignore[arg-type]
    with pytest.raises(WeightsError, match="holds lift-single, and lift-causal is needed"):
        export("lift-causal", "litert", weights=files.FOLDER / "single.safetensors")
    (tmp_path / "b.tflite").mkdir()
    with pytest.raises(ExportError, match="is a folder; name another file"):
        export("lift-single", "litert", tmp_path / "b.tflite")


# The command


def test_the_command_writes_the_file_and_prints_the_certificate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["export", "--model", "lift-single", "--format", "litert"]) == 0
    shown = capfd.readouterr().out
    assert shown.startswith("lift-single.tflite: lift-single, litert float16, 2.5 MB")
    assert "run by LiteRT" in shown
    assert "64 windows of 1 frame compared" in shown
    names = ["lift-single.tflite", "lift-single.tflite.certificate.json"]
    assert sorted(os.listdir(tmp_path)) == names


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (["--heads"], "--heads: lift-causal sees no pictures"),
        (["--shape", "64x64"], "--shape: lift-causal sees no pictures"),
        (["--check", "."], "--check: lift-causal sees no pictures"),
        (["--calibration", "."], "--calibration: lift-causal sees no pictures"),
        (["--precision", "int8"], "lift-causal as litert has float16, float32, not int8"),
        (["--format", "executorch"], "lift-causal has no format executorch"),
    ],
)
def test_options_that_do_nothing_are_wrong_usage(
    options: list[str], match: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", "--model", "lift-causal", "--format", "litert", *options]) == 2
    line = capfd.readouterr().err
    assert line.startswith(f"movenet: {match}")
    assert line.count("\n") == 1
