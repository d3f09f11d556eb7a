"""benchmarks/: the page is what the results say; dead programs are named; the interval is right."""

import json
import random
import re
import statistics
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from movenet.export import FORMATS
from movenet.model import MoveNet
from movenet.specs import SPECS

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))
import accuracy  # noqa: E402
import gpu  # noqa: E402
import interleave  # noqa: E402
import page  # noqa: E402
import peers  # noqa: E402

RESULTS = json.loads(page.RESULTS.read_text())
RATIOS = json.loads(page.RATIOS.read_text())
EXPORTS = json.loads(page.EXPORTS.read_text())
LAYERS = json.loads(page.LAYERS.read_text())

# A worker that answers, and dies or sleeps when its argument says so.
FAKE = """
import json, sys, time
what = sys.argv[1]
if what == "start":
    sys.exit(f"{__file__}: no such network")
print(json.dumps({"runtime": "fake 1.0"}), flush=True)
for number, line in enumerate(sys.stdin):
    if what == "garbage":
        print("hello", flush=True)
    if what == "later" and number == 2:
        sys.exit("had enough")
    if what == "sleep":
        time.sleep(60)
    count = int(line.split()[1])
    print(json.dumps([100.0 * number + run for run in range(count)]), flush=True)
"""


def fake(folder: Path, what: str = "") -> interleave.Job:
    script = folder / "fake.py"
    script.write_text(FAKE)
    return interleave.Job("lightning", what or "litert", 1, (sys.executable, str(script), what))


def timed(jobs: list[interleave.Job], rounds: int = 4) -> tuple[dict[Any, Any], dict[Any, str]]:
    workers, failed = interleave.start(jobs)
    alive = list(workers.values())
    try:
        times = interleave.interleave(workers, failed, rounds=rounds, runs=3, dropped=2)
    finally:
        for worker in alive:
            worker.close()
    return times, failed


def test_the_page_is_what_the_results_give() -> None:
    assert page.PAGE.read_text(encoding="utf-8") == page.page(RESULTS, RATIOS, EXPORTS, LAYERS)


def test_page_and_results_name_no_place_of_the_machine_that_made_them() -> None:
    for path in (page.PAGE, page.RESULTS, page.RATIOS, page.EXPORTS, page.LAYERS):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"(?<![\w.-])/\w+/", text)
        assert "://" not in text


def test_every_row_has_all_its_times() -> None:
    for row in RESULTS["rows"]:
        times = np.array(row["times_ms"])
        assert times.shape == (RESULTS["rounds"], RESULTS["runs"])
        assert row["median_ms"] == pytest.approx(np.median(times), abs=2e-3)
        assert row["peer"] in page.PEERS


def test_dead_programs_are_listed_with_their_reasons(tmp_path: Path) -> None:
    jobs = [fake(tmp_path), fake(tmp_path, "start"), fake(tmp_path, "later")]
    jobs += [
        interleave.Job("lightning", "absent", 1, ("/no/such/program",)),
        interleave.Job("lightning", "ungiven", 1, missing="--google was not given"),
    ]
    times, failed = timed(jobs)
    assert list(times) == jobs[:1]
    assert {job.peer: reason for job, reason in failed.items()} == {
        "start": "fake.py: no such network",
        "later": "had enough",
        "absent": "program: No such file or directory",
        "ungiven": "--google was not given",
    }


@pytest.mark.parametrize("what", ["sleep", "garbage"])
def test_a_program_that_gives_no_answer_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr(interleave, "RUN_LIMIT_S", 0.5 if what == "sleep" else 60)
    times, failed = timed([fake(tmp_path, what)])
    assert not times
    (reason,) = failed.values()
    assert reason.startswith("no answer in 0.5 s" if what == "sleep" else "ended with exit code")


def test_the_first_runs_of_a_round_do_not_count(tmp_path: Path) -> None:
    (times,) = timed([fake(tmp_path)], rounds=2)[0].values()
    np.testing.assert_array_equal(times, [[2, 3, 4], [102, 103, 104]])


def test_each_round_begins_with_the_next_program() -> None:
    seen: list[str] = []

    class Counted:
        def __init__(self, name: str) -> None:
            self.name = name

        def run(self, count: int) -> list[float]:
            seen.append(self.name)
            return [1.0] * count

    workers: Any = {interleave.Job("t", name, 1): Counted(name) for name in "abc"}
    interleave.interleave(workers, {}, rounds=4, runs=1, dropped=0)
    assert "".join(seen) == "abcbcacababc"


def test_what_one_round_does_to_both_does_not_move_the_ratio() -> None:
    ours = np.random.default_rng(0).lognormal(0, 1, (20, 1)) * np.ones((20, 5))
    found = interleave.ratio(1.5 * ours, ours)
    assert (found.value, found.low, found.high) == pytest.approx((1.5, 1.5, 1.5))


def test_the_interval_is_that_of_a_plain_bootstrap() -> None:
    noise = np.random.default_rng(1)
    load = noise.lognormal(0, 0.2, (30, 1))
    ours = 10 * load * noise.lognormal(0, 0.1, (30, 4))
    theirs = 14 * load * noise.lognormal(0, 0.3, (30, 4))
    draw = random.Random(0)
    ratios = []
    for _ in range(4000):
        chosen = [draw.randrange(30) for _ in range(30)]
        medians = [
            statistics.median(time for index in chosen for time in times[index].tolist())
            for times in (theirs, ours)
        ]
        ratios.append(medians[0] / medians[1])
    cuts = statistics.quantiles(ratios, n=40, method="inclusive")
    found = interleave.ratio(theirs, ours)
    assert found.low == pytest.approx(cuts[0], rel=0.01)
    assert found.high == pytest.approx(cuts[-1], rel=0.01)
    assert found.low < found.value < found.high


def test_a_difference_is_in_pixels_of_the_input() -> None:
    ours = np.random.default_rng(0).random((2, 1, 1, 17, 3))
    theirs = ours.copy()
    theirs[1, 0, 0, 3, 1] += 0.01
    theirs[:, ..., 2] += 0.5  # a score is no place
    assert peers.difference_px(theirs.tolist(), ours.tolist(), 192) == pytest.approx(1.92, abs=1e-3)


def test_a_row_that_differs_has_no_rank() -> None:
    rows = [row for row in RESULTS["rows"] if (row["table"], row["threads"]) == ("thunder", 1)]
    fast = {**rows[1], "median_ms": 0.1, "difference_px": 0.11}
    lines = page.times_table([rows[0], fast, rows[2]]).splitlines()[2:]
    assert page.PEERS[fast["peer"]].name in lines[-1]
    assert "no rank: it differs" in lines[-1]


def test_the_page_says_what_did_not_run_and_why() -> None:
    failed = {"table": "thunder", "peer": "tfjs", "threads": 1, "reason": "node: not there"}
    made = page.page(RESULTS | {"failed": [failed]}, RATIOS, EXPORTS, LAYERS)
    assert "- Google's graph, TensorFlow.js, 1 thread (Thunder): node: not there." in made
    assert "did not run" not in page.page(RESULTS | {"failed": []}, RATIOS, EXPORTS, LAYERS)


def test_the_command_is_told_without_folders() -> None:
    given = ["--google", "/home/me/g", "--mediapipe-python", "/x/bin/python", "--rounds", "7"]
    told = peers.command(peers.parsed(given))
    assert told.startswith("python benchmarks/peers.py --google GOOGLE --mediapipe-python MEDIAP")
    assert "--rounds 7" in told
    assert "/home" not in told


def test_saved_results_read_back_the_same(tmp_path: Path) -> None:
    peers.save(RESULTS, tmp_path / "made" / "peers.json")
    assert json.loads((tmp_path / "made" / "peers.json").read_text()) == RESULTS


@pytest.mark.skipif(torch.cuda.is_available(), reason="CUDA is here")
def test_without_cuda_the_gpu_script_ends_with_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["gpu.py"])
    assert gpu.main() == 1
    assert capsys.readouterr() == (
        "",
        "gpu.py: PyTorch finds no CUDA device here; run it where one is\n",
    )


def test_half_precision_keeps_its_parity_and_what_moves_a_keypoint_does_not() -> None:
    spec = SPECS["lightning"]
    wanted = gpu.reference(spec)
    images = torch.from_numpy(gpu.inputs(spec)).permute(0, 3, 1, 2)
    with torch.inference_mode():
        half = gpu.detector(spec, gpu.VARIANTS[1], images.device, "default")(images).numpy()
    turned = np.concatenate([half, half[:2]])  # a batch of five holds the three in turn
    assert gpu.compare(turned, wanted, torch.float16)[2]
    assert not gpu.compare(turned[::-1], wanted, torch.float16)[2]
    assert not gpu.compare(half + np.float32(0.002), wanted, torch.float16)[2]
    assert not gpu.compare(np.full_like(half, np.nan), wanted, torch.float16)[2]


def test_targets_count_only_what_kept_its_parity() -> None:
    def figure(batch: int, p50_ms: float, rate: float, parity: bool) -> gpu.Figure:
        return gpu.Figure(
            *("lightning", "float16, compiled", batch, p50_ms, p50_ms, p50_ms, rate),
            *(0.0, 0.0, parity),
        )

    figures = [figure(1, 0.3, 3000, True), figure(256, 5, 59_000, True)]
    latency, rate = gpu.targets([*figures, figure(512, 5, 90_000, False)], "NVIDIA H200")
    assert latency.endswith("0.35 ms: met")
    assert rate.startswith("Lightning, most: 59,000 pictures/s (batch 256)")
    assert rate.endswith("60,000: missed")
    other, *_ = gpu.targets(figures, "another card")
    assert other == "the targets are for an H200; this is another card"
    assert list(gpu.targets([], "NVIDIA H200")) == ["targets: Lightning was not measured"]


@pytest.mark.parametrize("name", SPECS)
def test_detect_never_waits_for_the_device(name: str) -> None:
    """On the meta device nothing has a value: whatever asks for one raises."""

    class OnDevice(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            result = function(*args, **(kwargs or {}))
            made = result if isinstance(result, tuple | list) else [result]
            assert all(one.device.type == "meta" for one in made), function
            return result

    spec = SPECS[name]
    model = MoveNet(spec).to("meta", torch.float16)
    images = torch.empty(2, 3, spec.side, spec.side, dtype=torch.uint8, device="meta")
    with torch.inference_mode(), OnDevice():
        assert model.detect(images).shape == (2, *spec.output_shape)


def test_the_readme_says_what_was_measured() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = {(row["what"], row["threads"]): row["ratio"] for row in RATIOS["rows"]}
    for name in SPECS:
        one, two = (rows[f"{name}, Google's graph", threads] for threads in (1, 2))
        assert f"| `{name}` | 1 | {one:.2f} | {two:.2f} |" in readme
    trimmed = rows["lightning at 128x192, Google's 192x192", 1]
    assert f"takes {trimmed:.2f} of the time" in readme


def test_what_is_required_is_met_or_said_to_be_missed() -> None:
    row = {**RATIOS["rows"][0], "ratio": 0.9, "bound": 0.8, "most": True}
    assert page.ratios_table([row]).endswith("| at most 0.8 | missed |")
    assert page.ratios_table([{**row, "most": False}]).endswith("| at least 0.8 | met |")


def test_every_model_has_a_row_for_every_format() -> None:
    found = {(row["model"], row["format"]) for row in EXPORTS}
    assert found == {(model, name) for model in SPECS for name in FORMATS}
    failed = {"model": "thunder", "format": "onnx", "precision": "float32", "reason": "no disk"}
    assert "| thunder | onnx float32 | no disk |" in page.exports_table([failed])


def test_the_page_of_accuracy_is_what_the_results_give() -> None:
    report = json.loads(accuracy.RESULTS.read_text())
    assert accuracy.PAGE.read_text(encoding="utf-8") == accuracy.page(report)
    asked = {(protocol, name) for protocol, names in accuracy.RECIPES.items() for name in names}
    peer = ("single-full", accuracy.BLAZEPOSE)
    assert {(row["protocol"], row["name"]) for row in report["rows"]} == {*asked, peer}


def test_the_readme_s_accuracy_is_what_was_measured() -> None:
    rows = json.loads(accuracy.RESULTS.read_text())["rows"]
    ap = {
        row["name"]: row["figures"]["AP"]["value"]
        for row in rows
        if row["protocol"] == "single-full"
    }
    one, two, three = (
        f"{ap[name]:.0f}"
        for name in ("lightning, one look", "lightning, then lightning", "lightning, then thunder")
    )
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert f"brings Lightning from AP {one} to {two}, and with Thunder to {three}." in readme
