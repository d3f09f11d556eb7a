"""Exported files: what is in them, what their certificates measure, and what is refused."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import movenet
from movenet import export as exports
from movenet import images, pictures
from movenet.cli import main
from movenet.errors import ExportError
from movenet.export import FORMATS, certificate, export, litert, litert_int8, planted
from movenet.export.certificate import Errors, Limits
from movenet.export.job import Job
from movenet.export.network import Detector, check_contiguous, example, trace
from movenet.keypoints import NAMES
from movenet.model import InvertedResidual, MoveNet
from movenet.specs import SPECS

SMALL = (64, 64)  # the smallest square that every exporter takes
Run = Callable[[np.ndarray], np.ndarray]


@pytest.fixture(scope="module")
def lightning() -> MoveNet:
    return movenet.load("lightning")


def detect(model: MoveNet) -> Run:
    """The network itself as a file's runner."""

    def run(batch: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return model.detect(torch.from_numpy(batch).permute(0, 3, 1, 2)).numpy()

    return run


# Planted peaks


@pytest.mark.parametrize(("name", "shape"), [("lightning", (64, 96)), ("multipose", (96, 64))])
def test_the_planted_network_finds_a_peak_in_every_cell(name: str, shape: tuple[int, int]) -> None:
    run = detect(planted.network(SPECS[name]))
    cells = set()
    for picture, places in planted.pictures(shape):
        assert not planted.missed(run(picture[None])[0], places, shape)
        cells |= {(int(row), int(column)) for row, column in places}
    assert len(cells) == shape[0] // 4 * (shape[1] // 4)


def float16_cells(run: Run, w: int) -> Run:
    """A runner that takes its cells through a flat float16 index, as a delegate in float16 does."""

    def wrong(batch: np.ndarray) -> np.ndarray:
        output = run(batch).copy()
        h = w
        cells = np.floor(output[..., 0] * h + 1e-4) * w + np.floor(output[..., 1] * w + 0.2)
        rounded = cells.astype(np.float16).astype(np.float64)
        output[..., 1] += (rounded - cells) / w
        return output

    return wrong


def test_a_flat_index_in_float16_is_noticed() -> None:
    run = detect(planted.network(SPECS["lightning"]))
    assert certificate.sweep(run, (192, 192)) == (48 * 48, 0)
    cells, missed = certificate.sweep(float16_cells(run, 48), (192, 192))
    assert cells == 48 * 48
    assert missed >= 100  # of 256 indices over 2048, every second is odd


def test_an_offset_of_another_keypoint_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    run = detect(planted.network(SPECS["lightning"]))
    monkeypatch.setattr(planted, "offsets", lambda: np.roll(planted.OFFSET_STEP * 3, 1))
    picture, places = next(planted.pictures(SMALL))
    assert planted.missed(run(picture[None])[0], places, SMALL)


# Measures


def errors(px: list[float], score: list[float], confidence: list[float]) -> Errors:
    return Errors(*(np.array(column, np.float32) for column in (px, score, confidence)))


def test_distances_are_in_pixels_of_the_input() -> None:
    wanted = np.zeros((1, 1, 17, 3), np.float32)
    got = wanted.copy()
    got[0, 0, 3] = (0.03, 0.04, 0.5)  # y by 0.03 of 100 rows, x by 0.04 of 200 columns
    px, score, confidence = certificate.errors_of(got, wanted, (100, 200))
    assert px[3] == pytest.approx(np.hypot(3, 8))
    assert score[3] == pytest.approx(0.5)
    assert px.sum() == px[3]
    assert not confidence.any()


def test_boxes_of_several_people_count_as_points() -> None:
    wanted = np.zeros((1, 6, 56), np.float32)
    wanted[0, 2, 55] = 0.9
    got = wanted.copy()
    got[0, 2, 53] = 0.1  # the box's bottom edge
    px, score, confidence = certificate.errors_of(got, wanted, (200, 100))
    assert len(px) == 6 * (17 + 2)
    assert px.max() == pytest.approx(20)
    assert confidence[px.argmax()] == pytest.approx(0.9)
    assert not score.any()


def test_confident_keypoints_alone_count_in_the_mean_and_the_share_moved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limits = {"int8": Limits(mean_px=0.7, moved=0.3)}
    monkeypatch.setattr(certificate, "LIMITS", limits)
    measured = errors([1, 0, 100], [0, 0, 0], [0.9, 0.9, 0.1])
    assert certificate.failures("int8", measured, 0) == []
    measured = errors([4.5, 0, 100], [0, 0, 0], [0.9, 0.9, 0.1])
    assert certificate.failures("int8", measured, 0) == [
        "mean keypoint error in px 2.25, over the limit of 0.7",
        "share of keypoints moved by a cell 0.5, over the limit of 0.3",
    ]


def test_nothing_confident_is_no_proof() -> None:
    measured = errors([0.0], [0.0], [0.1])
    assert certificate.failures("int8", measured, 0) == [
        "no confident keypoint to compare; give --check pictures that show people"
    ]
    assert certificate.failures("float32", measured, 0) == []


@pytest.mark.parametrize(
    ("measured", "missed", "line"),
    [
        (
            errors([0.03], [0], [0.1]),
            0,
            "largest keypoint error in px 0.03, over the limit of 0.02",
        ),
        (errors([0.0], [2e-4], [0.1]), 0, "largest score error 0.0002, over the limit of 0.0001"),
        (
            errors([np.nan], [0], [0.1]),
            0,
            "largest keypoint error in px nan, over the limit of 0.02",
        ),
        (errors([0], [0], [0.1]), 3, "3 planted peaks missed"),
    ],
)
def test_float32_is_held_to_every_keypoint(measured: Errors, missed: int, line: str) -> None:
    assert certificate.failures("float32", measured, missed) == [line]


def test_a_picture_is_fitted_whole_and_at_one_scale() -> None:
    picture = np.full((50, 200, 3), 255, np.uint8)
    seen = certificate.fitted(picture, (96, 96))
    rows = np.flatnonzero(seen.any((1, 2)))
    assert (rows[0], rows[-1] + 1) == (36, 60)  # 24 of 96 rows, in the middle
    assert seen[rows].all()


# Files


def quick(folder: Path, model: str | MoveNet = "lightning", **options: object) -> Path:
    """A LiteRT file of one small shape."""
    path = folder / "made.tflite"
    export(model, "litert", path, shapes=[SMALL], **options)  # type: ignore[arg-type]
    return path


def test_an_export_is_a_file_and_its_certificate_and_nothing_else(tmp_path: Path) -> None:
    path = quick(tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["made.tflite", "made.tflite.certificate.json"]
    proof = json.loads((tmp_path / "made.tflite.certificate.json").read_text())
    assert proof["sha256"] == {"made.tflite": certificate.digest(path)["made.tflite"]}
    assert proof["bytes"] == path.stat().st_size
    assert proof["runtime"].startswith("LiteRT 2.")
    assert (proof["model"], proof["shapes"], proof["failures"]) == ("lightning", ["64x64"], [])
    assert proof["pictures"] == 6
    assert proof["cells"] == 16 * 16
    assert proof["missed_cells"] == 0
    assert proof["max_px"] < 0.02
    assert set(proof["versions"]) == {"ai-edge-litert"}
    assert {"movenet-pytorch", "torch", "python"} <= set(proof["machine"]["versions"])
    assert (proof["threads"], proof["together"]) == (2, True)
    assert (proof["keypoints"], proof["swept"]) == (6 * 17, ["64x64"])
    assert proof["limits"] == {"max_px": None, "score": None, "mean_px": 0.05, "moved": 0.005}
    assert len(proof["pictures_sha256"]) == 64
    assert proof["calibration"] == 0


def test_a_file_says_what_it_is(tmp_path: Path) -> None:
    from movenet.engines.tflite import TFLiteFile

    about = json.loads(TFLiteFile(quick(tmp_path).read_bytes()).metadata["movenet"])
    assert about["model"] == "lightning"
    assert about["keypoints"] == list(NAMES)
    assert about["licence"] == "Apache-2.0"
    assert about["version"] == movenet.__version__
    assert "uint8, RGB 0..255" in about["input"]


def test_float32_and_float16_storage_give_the_same_numbers(tmp_path: Path) -> None:
    from movenet.engines.litert import LiteRTEngine

    batch = np.random.default_rng(0).integers(0, 256, (2, *SMALL, 3)).astype(np.uint8)
    outputs, sizes = [], []
    for precision in ("float16", "float32"):
        path = quick(tmp_path, precision=precision)
        outputs.append(LiteRTEngine(path, threads=1)(batch))
        sizes.append(path.stat().st_size)
    np.testing.assert_array_equal(*outputs)
    assert sizes[1] > 1.9 * sizes[0]


def test_a_network_of_one_s_own_is_exported(tmp_path: Path) -> None:
    from movenet.engines.litert import LiteRTEngine

    own = movenet.load("lightning")
    with torch.no_grad():
        own.keypoint_offsets.output.bias.add_(0.5)  # type: ignore[union-attr]
    batch = example(SMALL).numpy()
    output = LiteRTEngine(quick(tmp_path, own), threads=1)(batch)
    np.testing.assert_allclose(output, detect(own)(batch), atol=1e-5)


def test_an_export_over_its_limit_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(certificate.LIMITS, "float32", Limits(max_px=-1.0))
    with pytest.raises(ExportError) as error:
        quick(tmp_path, precision="float32")
    assert str(error.value).startswith(
        f"{tmp_path / 'made.tflite'}: not kept, largest keypoint error in px "
    )
    assert os.listdir(tmp_path) == []


def test_an_export_that_fails_leaves_the_earlier_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "made.tflite"
    path.write_text("an earlier export")

    def fail(job: Job, path: Path) -> None:
        path.write_text("half")
        raise RuntimeError("a converter's error\nover several lines")

    monkeypatch.setattr(litert, "export", fail)
    with pytest.raises(ExportError) as error:
        export("lightning", "litert", path)
    assert str(error.value) == f"{path}: litert cannot be made of it (a converter's error)"
    assert path.read_text() == "an earlier export"
    assert os.listdir(tmp_path) == ["made.tflite"]


def test_a_peak_that_is_lost_fails_the_export(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planted, "missed", lambda *_: 1)
    with pytest.raises(ExportError, match=r"16 planted peaks missed$"):
        quick(tmp_path)
    assert os.listdir(tmp_path) == []


def test_a_dozen_conversions_are_one(lightning: MoveNet) -> None:
    """A converter that remembered constants by their address gave 4 wrong files of 12."""
    own = movenet.load("lightning")
    for parameter in own.parameters():  # not contiguous, the same numbers
        if parameter.ndim == 4:
            parameter.data = parameter.data.to(memory_format=torch.channels_last)
    files = set()
    for index in range(12):
        junk = [torch.randn(17, 24, 1 + index) for _ in range(100)]
        job = Job(own if index % 2 else lightning, "litert", "float16", (SMALL,), fixed=True)
        files.add(packed(job))
        del junk
    assert len(files) == 1


def packed(job: Job) -> bytes:
    """The bytes of a LiteRT export."""
    path = Path(os.devnull)

    class Kept(type(path)):  # type: ignore[misc]
        data = b""

        def write_bytes(self, data: bytes) -> int:  # type: ignore[override]
            Kept.data = data
            return len(data)

    litert.export(job, Kept("made.tflite"))
    return Kept.data


class Grid(nn.Module):
    """A module with a buffer that is not contiguous."""

    def __init__(self, contiguous: bool) -> None:
        super().__init__()
        grid = torch.arange(4.0)[:, None].expand(4, 4)
        self.register_buffer("grid", grid.contiguous() if contiguous else grid)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.float().mean() * self.grid


def test_a_constant_that_is_not_contiguous_is_refused() -> None:
    check_contiguous(trace(Grid(contiguous=True), example(SMALL)))
    with pytest.raises(ExportError) as error:
        trace(Grid(contiguous=False), example(SMALL))
    assert str(error.value) == (
        "grid: is not contiguous, and converters may mistake it; "
        "call .contiguous() on it before the export"
    )


@pytest.mark.parametrize("name", list(SPECS))
def test_the_networks_hold_no_constant_that_is_not_contiguous(name: str) -> None:
    check_contiguous(trace(Detector(movenet.load(name)), example(SMALL)))


def test_pixels_in_any_memory_layout_give_the_same(lightning: MoveNet) -> None:
    detector, pixels = Detector(lightning), example((64, 96))
    for layout in (
        pixels.to(memory_format=torch.channels_last),
        pixels.permute(0, 3, 1, 2).contiguous().permute(0, 2, 3, 1),
        pixels.permute(0, 2, 1, 3).contiguous().permute(0, 2, 1, 3),
    ):
        torch.testing.assert_close(detector(layout), detector(pixels))


# int8


@pytest.fixture(scope="module")
def calibration() -> torch.Tensor:
    batch = np.stack([certificate.fitted(p, (96, 96)) for p in certificate.bundled()])
    return torch.from_numpy(batch).permute(0, 3, 1, 2)


def test_equalising_changes_no_number(lightning: MoveNet, calibration: torch.Tensor) -> None:
    with torch.no_grad():
        equal = litert_int8.equalised(lightning, calibration)
        before, after = (model.features(calibration) for model in (lightning, equal))
    torch.testing.assert_close(after, before, atol=1e-4, rtol=1e-4)


def test_equalising_gives_the_channels_of_a_bottleneck_one_range(
    lightning: MoveNet, calibration: torch.Tensor
) -> None:
    spread = {}
    for name, model in (
        ("before", lightning),
        ("after", litert_int8.equalised(lightning.requires_grad_(False), calibration)),
    ):
        found: dict[str, torch.Tensor] = {}

        def note(block: str, output: torch.Tensor, found: dict[str, torch.Tensor] = found) -> None:
            found[block] = output.abs().amax((0, 2, 3))

        with torch.no_grad(), litert_int8.observed(model, InvertedResidual, note):
            model.features(calibration)
        top = found["backbone.stages.4.2"]
        spread[name] = float(top.max() / top.median())
    assert spread["after"] < spread["before"]
    assert spread["after"] < 2


def test_the_corrected_bias_keeps_the_means(lightning: MoveNet, calibration: torch.Tensor) -> None:
    with torch.no_grad():
        modules = frozenset(n for n, _ in lightning.named_modules() if litert_int8.in_int8(n))
        ranges = litert_int8.ranges(lightning, calibration)
        quantisation = litert_int8.Quantisation(modules, ranges)
        corrected = litert_int8.corrected(lightning, quantisation, calibration)
    moved = [
        n
        for (n, one), (_, two) in zip(
            lightning.named_parameters(), corrected.named_parameters(), strict=True
        )
        if not torch.equal(one, two)
    ]
    assert moved
    assert all(name.endswith(".bias") for name in moved)
    assert {name.removesuffix(".bias") for name in moved} <= modules


def test_the_first_layers_the_pyramid_and_the_heads_stay_in_float32() -> None:
    inside = {n for n, _ in MoveNet(SPECS["lightning"]).named_modules() if litert_int8.in_int8(n)}
    assert "backbone.stages.1.0.expand" in inside
    assert "backbone.stages.6.0.project" in inside
    assert "backbone.last" in inside
    outside = (
        "backbone.stem",
        "backbone.stages.0.0.project",
        "pyramid.laterals.0",
        "centre.hidden",
    )
    assert not inside & set(outside)


def test_integers_hold_a_range_to_half_a_step() -> None:
    values = torch.linspace(-1.5, 4.2, 1001)
    held = litert_int8.rounded(values, -1.5, 4.2)
    step = 5.7 / 255
    assert float((held - values).abs().max()) <= step  # half a step, and the zero's rounding
    assert len(held.unique()) <= 256
    assert 0 in litert_int8.rounded(torch.zeros(1), -1.5, 4.2)


@pytest.mark.slow
def test_int8_agrees_within_its_limits_and_is_smaller(tmp_path: Path) -> None:
    folder = tmp_path / "calibration"
    folder.mkdir()
    for index, picture in enumerate(certificate.bundled()):
        images.save(np.ascontiguousarray(picture[::-1]), folder / f"{index}.png")
    path = tmp_path / "int8.tflite"
    proof = export(
        "lightning", "litert", path, precision="int8", calibration=[folder], shapes=[(192, 192)]
    )
    assert proof.passed
    assert proof.missed_cells == 0
    assert 0 < proof.mean_px < 0.7  # type: ignore[operator]
    assert path.stat().st_size < 3.2e6


# Every format


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in FORMATS if name != "litert"])
def test_every_format_agrees_with_pytorch(name: str, tmp_path: Path) -> None:
    suffix = exports.find(name).SUFFIX
    proof = export("lightning", name, tmp_path / f"made{suffix}")
    assert proof.passed
    assert (tmp_path / f"made{suffix}").exists()
    assert all(name.startswith("made") for name in proof.sha256)
    if name == "coreml" and not proof.runtime:
        assert proof.note == "Core ML runs on macOS only; the package's description was checked"
        return
    assert proof.max_px is not None
    assert proof.max_px < 0.02
    assert proof.missed_cells == 0
    assert proof.cells >= 48 * 48


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in FORMATS if name != "litert"])
def test_the_decoding_of_several_people_goes_into_every_format(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"made{exports.find(name).SUFFIX}"
    proof = export("multipose", name, path, shapes=[(64, 96)])
    assert proof.passed
    assert path.exists()
    assert not proof.missed_cells


@pytest.mark.slow
def test_onnx_heads_are_decoded_to_the_same(tmp_path: Path) -> None:
    import onnxruntime

    proof = export("multipose", "onnx", tmp_path / "heads.onnx", heads=True, shapes=[(64, 96)])
    assert proof.passed
    session = onnxruntime.InferenceSession(str(tmp_path / "heads.onnx"))
    assert [output.name for output in session.get_outputs()] == list(movenet.Heads._fields)
    assert session.get_inputs()[0].shape[1:] == [64, 96, 3]


@pytest.mark.slow
def test_executorch_refuses_every_memory_layout_that_it_would_mistake(
    tmp_path: Path, lightning: MoveNet
) -> None:
    from executorch.runtime import Runtime

    path = tmp_path / "made.pte"
    export(lightning, "executorch", path, shapes=[(64, 96)])
    method = Runtime.get().load_program(path).load_method("forward")
    pixels = example((64, 96))[0]  # (H, W, 3)
    wanted = Detector(lightning)(pixels[None]).detach()
    torch.testing.assert_close(method.execute([pixels])[0], wanted, atol=1e-5, rtol=0)
    planes = pixels.permute(2, 0, 1).contiguous().permute(1, 2, 0)
    channels_last = pixels[None].to(memory_format=torch.channels_last)
    for other in (planes, channels_last):
        with pytest.raises(RuntimeError):
            method.execute([other])


# What is refused


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (
            {"format": "caffe"},
            "no format 'caffe'; there are litert, onnx, openvino, torchscript, exported-program, "
            "aot-inductor, executorch, coreml",
        ),
        ({"precision": "bfloat16"}, "litert has float16, float32, int8, not bfloat16"),
        ({"heads": True}, "litert has no heads without decoding; onnx has"),
        ({"shapes": [(100, 64)]}, "the sides of a shape are multiples of 32, not 100x64"),
        (
            {"format": "torchscript", "shapes": [(64, 64), (96, 64)]},
            "a torchscript file has one shape; litert files have several",
        ),
        ({"calibration": ["x"]}, "calibration pictures are for int8, not float16"),
    ],
)
def test_a_wrong_choice_is_a_value_error(options: dict[str, object], line: str) -> None:
    with pytest.raises(ValueError, match=r".") as error:
        export("lightning", **{"format": "litert", **options})  # type: ignore[arg-type]
    assert str(error.value) == line


def test_int8_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r".") as error:
        quick(tmp_path, precision="int8")
    assert str(error.value) == "int8 needs pictures to measure ranges on: --calibration DIR"


def test_a_calibration_picture_is_no_check(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    images.save(np.zeros((40, 40, 3), np.uint8), folder / "one.png")
    images.save(np.zeros((40, 40, 3), np.uint8), tmp_path / "same.png")
    with pytest.raises(ExportError) as error:
        quick(tmp_path, precision="int8", calibration=[folder], check=[tmp_path / "same.png"])
    assert str(error.value) == (
        f"{tmp_path / 'same.png'}: is a calibration picture; a check needs pictures that int8 has "
        "not seen"
    )


def test_a_bundled_picture_is_no_calibration(tmp_path: Path) -> None:
    path = pictures.path("astronaut")
    with pytest.raises(ExportError) as error:
        quick(tmp_path, precision="int8", calibration=[path])
    assert str(error.value) == (
        f"{path}: is one of the bundled pictures, which are for checking; calibrate on others"
    )


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "made.onnx"
    with pytest.raises(ValueError, match=r".") as error:
        export("lightning", "litert", path)
    assert str(error.value) == f"{path}: the name of a file of litert ends with .tflite"


def test_a_missing_exporter_is_named_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    known = exports.importlib.util.find_spec

    def find_spec(name: str) -> object:
        return None if name == "coremltools" else known(name)

    monkeypatch.setattr(exports.importlib.util, "find_spec", find_spec)
    with pytest.raises(ExportError) as error:
        export("lightning", "coreml")
    assert str(error.value) == (
        "--format coreml: needs coremltools; pip install 'movenet-pytorch[export]'"
    )


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "made.tflite"
    with pytest.raises(ExportError, match=r"cannot be written \((Not a directory|File exists)\)$"):
        export("lightning", "litert", path, shapes=[SMALL])


def test_a_full_disk_is_named_and_left_as_it_was(full_disk: Path) -> None:
    path = full_disk / "made.tflite"
    with pytest.raises(ExportError) as error:
        export("lightning", "litert", path, shapes=[SMALL])
    assert str(error.value) == f"{path}: cannot be written (No space left on device)"
    assert os.listdir(full_disk) == []


def test_folders_that_were_made_for_nothing_are_taken_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificate, "failures", lambda *_: ["too far"])
    (tmp_path / "there").mkdir()
    with pytest.raises(ExportError, match="not kept, too far"):
        quick(tmp_path / "there" / "a" / "b")
    assert os.listdir(tmp_path / "there") == []


TERMINATED = """
import os, signal, sys
from movenet.cli import main
from movenet.export import certificate
certificate.failures = lambda *_: os.kill(os.getpid(), signal.SIGTERM)
sys.exit(main(sys.argv[1:]))
"""


def test_a_file_beside_openvino_s_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "mine.bin").write_text("precious")
    with pytest.raises(ExportError) as error:
        export("lightning", "openvino", tmp_path / "mine.xml")
    assert str(error.value) == (
        f"{tmp_path / 'mine.bin'}: is there, and would be written over; name another file"
    )
    assert (tmp_path / "mine.bin").read_text() == "precious"


def test_a_terminated_export_leaves_nothing(tmp_path: Path) -> None:
    options = ["export", "--format", "litert", "--shape", "64x64", "--out", "made/a.tflite"]
    ended = subprocess.run([sys.executable, "-c", TERMINATED, *options], cwd=tmp_path)
    assert ended.returncode == 143
    assert os.listdir(tmp_path) == []


# The command


def test_the_command_prints_the_certificate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["export", "--format", "litert", "--shape", "64x64", "--out", "a.tflite"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("a.tflite: lightning, litert float16, 4.")
    assert lines[1].startswith("  run by LiteRT ")
    assert any(line.split()[:3] == ["planted", "peaks", "missed,"] for line in lines)
    assert (tmp_path / "a.tflite").is_file()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--format", "caffe"], "argument --format: invalid choice: 'caffe'"),
        (["--format", "litert", "--shape", "100x64"], "argument --shape: must have sides of"),
        (["--format", "litert", "--shape", "64"], "argument --shape: must be HEIGHTxWIDTH, as in"),
    ],
)
def test_wrong_options_are_wrong_usage(
    arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["export", *arguments])
    assert stop.value.code == 2
    assert line in capsys.readouterr().err


def test_options_that_do_not_go_together_are_wrong_usage(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["export", "--format", "litert", "--heads"]) == 2
    assert capsys.readouterr().err == ("movenet: litert has no heads without decoding; onnx has\n")


def test_the_bars_are_those_that_were_promised() -> None:
    assert certificate.LIMITS == {
        "float32": Limits(max_px=0.02, score=1e-4),
        "float16": Limits(mean_px=0.05, moved=0.005),
        "int8": Limits(mean_px=0.7, moved=0.03),
    }


def test_a_planted_job_is_calibrated_on_planted_pictures(lightning: MoveNet) -> None:
    job = Job(lightning, "litert", "int8", (SMALL,), fixed=True, calibration=(example(SMALL)[0],))
    assert job.planted().calibration
    assert not replace(job, calibration=()).planted().calibration


def test_the_earlier_port_s_script_writes_a_tflite_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import runpy

    root = Path(__file__).resolve().parents[1]
    asked: list[list[str]] = []
    monkeypatch.setattr("sys.argv", ["export.py", "--model", "movenet_thunder"])
    monkeypatch.setattr("movenet.cli.main", lambda arguments: asked.append(arguments) or 0)
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(str(root / "export.py"), run_name="__main__")
    assert stop.value.code == 0
    assert asked == [["export", "--format", "litert", "--model", "thunder"]]


@pytest.mark.parametrize("name", ["made.tflite", "made.tflite.certificate.json"])
def test_a_folder_in_the_way_is_not_removed(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "mine").write_text("kept")
    with pytest.raises(ExportError) as error:
        quick(tmp_path)
    assert str(error.value) == f"{tmp_path / name}: is a folder; name another file"
    assert (tmp_path / name / "mine").read_text() == "kept"


def test_a_shape_that_is_asked_for_twice_is_one(tmp_path: Path) -> None:
    path = tmp_path / "made.tflite"
    assert export("lightning", "litert", path, shapes=[SMALL, SMALL]).shapes == ["64x64"]


@pytest.mark.parametrize("name", ["litert", "onnx", "openvino", "exported-program"])
def test_a_size_is_fixed_only_where_one_is_asked_for(lightning: MoveNet, name: str) -> None:
    maker = exports.find(name)
    free = exports.make_job(lightning, name, maker, None, (), False)
    assert not free.fixed
    assert len(free.shapes) >= 3
    asked = exports.make_job(lightning, name, maker, None, (SMALL, SMALL), False)
    assert asked.fixed
    assert asked.shapes == (SMALL,)
