"""The benchmark: its arithmetic, its order, what it refuses to rank, and what it prints."""

import json
import math
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from PIL import Image

from movenet import PoseEstimator, pictures, weights
from movenet.benchmark import Row, equality, finite, text
from movenet.benchmark.equality import TOLERANCE, compare
from movenet.benchmark.rounds import Ratio, Spread, bootstrap, clock_of, interleaved
from movenet.benchmark.stages import STAGES, sample, stage_rows, stage_times
from movenet.benchmark.trials import Streams, Subject, Trial, compared, frame
from movenet.cli import main
from movenet.errors import EngineError
from movenet.machine import Machine, cpu_name, named, this_machine
from movenet.specs import SPECS, ModelSpec

Floats = NDArray[np.float32]
PATHS = [pictures.path(name) for name in pictures.NAMES]


class Fake:
    """Stands for an engine: keypoints that tell the pictures apart, in no time."""

    def __init__(self, *, shift: float = 0.0, score: float = 0.0, runtime: str = "Fake 1.0"):
        self.spec: ModelSpec = SPECS["lightning"]
        self.runtime, self.shapes = runtime, None
        self.shift, self.score = shift, score

    def __call__(self, batch: NDArray[np.uint8]) -> Floats:
        output = np.empty((len(batch), 1, 17, 3), np.float32)
        output[:] = batch.mean((1, 2, 3), np.float64)[:, None, None, None] / 255
        output[..., 1] += self.shift
        output[..., 2] += self.score
        return output


class Reference(Fake):
    """Stands for PyTorch."""

    def __init__(self, model: str, *, device: str):
        assert device == "cpu"
        super().__init__()


class FakeClock:
    """Stands still but where somebody makes it go on."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def ticking() -> Callable[[], float]:
    """A clock that is a second later whenever it is read."""
    readings = iter(range(10**9))
    return lambda: float(next(readings))


@pytest.fixture(autouse=True)
def somewhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Callable[[Fake], None]:
    """Puts an engine in the place of all of them."""

    def put(engine: Fake) -> None:
        for module in ("movenet.estimator", "movenet.benchmark.bench"):
            monkeypatch.setattr(f"{module}.select_engine", lambda *args, **more: engine)
        monkeypatch.setattr("movenet.benchmark.bench.TorchEngine", Reference)

    return put


def inputs(count: int, shape: tuple[int, int] = (64, 32)) -> NDArray[np.uint8]:
    """Pictures of one grey each."""
    return np.arange(count, dtype=np.uint8)[:, None, None, None] * np.ones((*shape, 3), np.uint8)


# Turns, and what their times say


def test_sides_take_turns_the_order_changes_and_the_first_call_does_not_count() -> None:
    clock, calls = FakeClock(), []

    def side(name: str, lasts_s: float) -> Callable[[int], None]:
        def call(turn: int) -> None:
            calls.append(f"{name}{turn}")
            clock.now += lasts_s + len(calls) / 1e3

        return call

    times = interleaved([side("a", 1.0), side("b", 2.0)], rounds=3, calls=2, clock=clock)
    assert calls == [
        *("a0", "a0", "a0", "b0", "b0", "b0"),
        *("b1", "b1", "b1", "a1", "a1", "a1"),
        *("a2", "a2", "a2", "b2", "b2", "b2"),
    ]
    assert_allclose(
        times,  # (rounds, sides, calls) ms: 1 s or 2 s, and a millisecond for each call before
        [
            [[1002, 1003], [2005, 2006]],
            [[1011, 1012], [2008, 2009]],
            [[1014, 1015], [2017, 2018]],
        ],
    )


def test_the_ratio_is_the_median_over_rounds_of_the_medians_of_a_round() -> None:
    ours = np.array([[1.0, 2, 90], [3, 4, 5], [8, 8, 8]])
    theirs = np.array([[4.0, 4, 4], [2, 2, 90], [8, 8, 8]])
    ratio = Ratio.of(ours, theirs)  # 2/4, 4/2, 8/8
    assert (ratio.median, ratio.rounds) == (1.0, 3)
    assert ratio.low <= ratio.median <= ratio.high


def test_a_machine_that_slows_down_between_rounds_does_not_move_the_ratio() -> None:
    slower = np.array([[1.0], [10], [3], [7], [2]])
    ratio = Ratio.of(0.8 * slower, slower)
    assert_allclose((ratio.median, ratio.low, ratio.high), 0.8)


@pytest.mark.parametrize("count", [11, 25, 31])
def test_the_bootstrap_interval_is_the_exact_one(count: int) -> None:
    """Of an odd number of values, against the closed form of Efron's bootstrap of the median.

    The median of a resample is at most the k-th smallest value where more than half of the draws
    are among the k smallest: a binomial tail.
    """
    values = np.random.default_rng(1).permutation(np.arange(1.0, count + 1))

    def at_most(k: int) -> float:
        p, half = k / count, (count + 1) // 2
        return sum(
            math.comb(count, n) * p**n * (1 - p) ** (count - n) for n in range(half, count + 1)
        )

    low = next(k for k in range(1, count + 1) if at_most(k) >= 0.025)
    high = next(k for k in range(1, count + 1) if at_most(k) >= 0.975)
    assert bootstrap(values) == (low, high)
    assert bootstrap(values) == bootstrap(values)


def test_a_spread_is_median_and_95th_percentile() -> None:
    spread = Spread.of(np.arange(101.0).reshape(101, 1))
    assert (spread.median_ms, spread.p95_ms) == (50, 95)


def test_the_medians_of_two_sides_agree_with_a_ratio_that_every_round_has() -> None:
    times = np.array([[1.0, 9, 9], [2, 2, 9], [1, 1, 1], [8, 8, 1], [1, 3, 9]])
    assert Spread.of(times).median_ms == 3  # of 9, 2, 1, 8, 3; of all it is 2
    assert Ratio.of(1.5 * times, times).median == 1.5 == Spread.of(1.5 * times).median_ms / 3


@pytest.mark.parametrize(("device", "asked"), [("cuda:1", ["cuda:1"]), ("mps", ["mps"])])
def test_the_clock_waits_for_the_device(
    device: str, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[str] = []
    monkeypatch.setattr("torch.cuda.synchronize", lambda where: waited.append(str(where)))
    monkeypatch.setattr("torch.mps.synchronize", lambda: waited.append("mps"))
    engine: Any = SimpleNamespace(device=torch.device(device))
    assert clock_of(engine)() > 0
    assert waited == asked


def test_without_a_device_the_clock_waits_for_nothing() -> None:
    engine: Any = Fake()
    assert clock_of(engine) is time.perf_counter


# Whether it is right


def test_differences_are_in_px_of_the_input_and_in_parts_of_it() -> None:
    wanted = np.full((2, 1, 17, 3), 0.5, np.float32)
    wanted[0, ..., 2] = 0.2  # not confident
    got = wanted.copy()
    got[0, 0, 3, :2] += (0.03, 0.04)
    got[1, 0, 5, 0] -= 0.02
    got[1, 0, 5, 2] -= 0.125
    found = compare(got, wanted, (192, 128))
    assert_allclose(found.px, np.hypot(0.03 * 192, 0.04 * 128), rtol=1e-5)
    assert_allclose(found.confident_px, 0.02 * 192, rtol=1e-5)
    assert_allclose(found.coordinates, 0.04, rtol=1e-5)
    assert_allclose(found.scores, 0.125, rtol=1e-5)
    assert not found.equal


@pytest.mark.parametrize("column", [0, 1, 2])
@pytest.mark.parametrize("share", [0.9, 1.1])
def test_the_limit_is_a_ten_thousandth_of_the_input_and_of_a_score(
    column: int, share: float
) -> None:
    wanted = np.zeros((1, 1, 17, 3), np.float32)
    got = wanted.copy()
    got[0, 0, 16, column] = share * TOLERANCE
    assert TOLERANCE == 1e-4
    assert compare(got, wanted, (192, 192)).equal == (share < 1)


@pytest.mark.parametrize("column", [0, 50, 51, 54, 55])
def test_of_several_people_boxes_and_their_scores_count(column: int) -> None:
    wanted = np.zeros((1, 6, 56), np.float32)
    got = wanted.copy()
    assert compare(got, wanted, (256, 256)).equal
    got[0, 5, column] = 0.01
    assert not compare(got, wanted, (256, 256)).equal


def test_what_is_not_a_number_differs_and_is_null_in_json() -> None:
    wanted = np.zeros((1, 1, 17, 3), np.float32)
    got = np.full_like(wanted, np.nan)
    found = compare(got, wanted, (192, 192))
    assert not found.equal
    assert found.px == found.scores == np.inf
    assert finite({"a": [found.px, 1.5], "b": (math.nan, None, "x", 3)}) == {
        "a": [None, 1.5],
        "b": [None, None, "x", 3],
    }


def test_another_shape_is_named() -> None:
    with pytest.raises(EngineError) as error:
        compare(np.zeros((2, 1, 17, 3), np.float32), np.zeros((1, 1, 17, 3), np.float32), (32, 32))
    assert str(error.value) == (
        "the engine gives (2, 1, 17, 3), not (1, 1, 17, 3); export it again"
    )


def test_what_differs_has_no_pictures_a_second() -> None:
    wanted = Fake()(inputs(1))
    right = compare(Fake()(inputs(1)), wanted, (64, 32))
    wrong = compare(Fake(shift=0.01)(inputs(1)), wanted, (64, 32))
    times = np.full((3, 1), 20.0)
    assert Row.of("batch 4", times, pictures=4, equality=right).pictures_per_s == 200
    row = Row.of("batch 4", times, pictures=4, equality=wrong)
    assert (row.ranks, row.pictures_per_s) == (False, None)
    assert text.batch_line(row) == (
        "batch 4            5.000 ms   20.00 ms   20.00 ms              "
        "DIFFERS: 0.3200 px, scores 0.0e+00 (mean over 0.3 0.00, 0.0% moved by a cell)"
    )
    foreign = Row.of("theirs", times, equality=wrong, foreign=True)
    assert (foreign.ranks, foreign.pictures_per_s) == (True, 50)


@pytest.mark.parametrize(("moved", "ranks"), [(8, True), (9, False)])
def test_a_foreign_file_that_moves_most_keypoints_is_another_network(
    moved: int, ranks: bool
) -> None:
    wanted = np.full((1, 1, 17, 3), 0.5, np.float32)
    got = wanted.copy()
    got[0, 0, :moved, 0] += 4.1 / 64  # a cell is 4 px
    found = compare(got, wanted, (64, 32))
    row = Row.of("theirs", np.full((3, 1), 20.0), equality=found, foreign=True)
    assert (row.ranks, found.equal) == (ranks, False)
    assert not compare(np.full_like(got, np.nan), wanted, (64, 32)).equal
    assert compare(np.full_like(got, np.nan), wanted, (64, 32)).another


@pytest.mark.parametrize(
    ("px", "points", "equal"), [(0.69, 17, True), (0.71, 17, False), (5, 1, False), (3.9, 3, True)]
)
def test_int8_is_judged_by_the_limits_of_its_certificate(
    px: float, points: int, equal: bool
) -> None:
    wanted = np.full((1, 1, 17, 3), 0.5, np.float32)
    got = wanted.copy()
    got[0, 0, :points, 1] += px / 32
    got[..., 2] += 0.1
    assert compare(got, wanted, (64, 32), "int8").equal == equal
    assert not compare(got, wanted, (64, 32)).equal


# What takes turns


def test_batches_hold_every_input_and_begin_again_where_they_run_out() -> None:
    subject = Subject.of(inputs(3), Fake())
    assert [list(batch[:, 0, 0, 0]) for batch in subject.batches(2)] == [[0, 1], [2, 0]]
    assert [list(batch[:, 0, 0, 0]) for batch in subject.batches(5)] == [[0, 1, 2, 0, 1]]


def test_all_that_is_timed_is_compared() -> None:
    """An engine that is right at first, and wrong once."""
    engine, calls = Fake(), []

    def network(batch: NDArray[np.uint8]) -> Floats:
        calls.append(len(batch))
        return engine(batch) + (0.01 if len(calls) == 7 else 0)

    subject = Subject.of(inputs(3), engine)
    trial = Trial.of("batch 2", network, subject, size=2)
    for turn in range(6):
        trial.call(turn)
    assert trial.check().equal
    trial.call(6)
    assert not trial.check().equal


def test_an_engine_that_mixes_up_its_batch_differs() -> None:
    trial = Trial.of("batch 3", lambda b: Fake()(b[::-1]), Subject.of(inputs(3), Fake()), size=3)
    trial.call(0)
    assert not trial.check().equal


def test_a_ratio_is_a_picture_s_and_needs_two_that_rank() -> None:
    clock = FakeClock()

    def network(engine: Fake, lasts_s: float) -> Callable[[NDArray[np.uint8]], Floats]:
        def call(batch: NDArray[np.uint8]) -> Floats:
            clock.now += lasts_s
            return engine(batch)

        return call

    subject = Subject.of(inputs(4), Fake())
    slow = Trial.of("slow", network(Fake(), 6.0), subject, size=2, repeat=3)  # 3 s a picture
    fast = Trial.of("fast", network(Fake(), 4.0), subject, size=4)  # 1 s
    found = compared((slow, fast), rounds=1, clock=clock)
    assert found.ratio == Ratio(3.0, 3.0, 3.0, rounds=10)  # ten at least
    assert (found.first.pictures, found.first.time.median_ms) == (6, 18_000)
    lying = Trial.of("lying", network(Fake(score=0.01), 1.0), subject)
    assert compared((lying, fast), rounds=1, clock=clock).ratio is None
    assert compared((fast, lying), rounds=1, clock=clock).ratio is None
    foreign = Trial.of("theirs", network(Fake(score=0.01), 2.0), subject, foreign=True)
    assert compared((fast, foreign), rounds=1, clock=clock).ratio == Ratio(0.5, 0.5, 0.5, 10)


@pytest.mark.parametrize("count", [1, 2, 5, 6])
def test_streams_give_what_one_engine_gives_in_order(count: int) -> None:
    engines: list[Any] = [Fake(), Fake()]
    assert_array_equal(Streams(engines)(inputs(count)), Fake()(inputs(count)))


def test_a_frame_has_the_whole_picture_in_its_middle() -> None:
    tall = frame(np.full((60, 20, 3), 200, np.uint8))
    assert tall.shape == (720, 1280, 3)
    lit = np.flatnonzero((tall == 200).all((0, 2)))
    assert (lit[0], lit[-1]) == (520, 759)  # 240 columns
    assert frame(np.full((1, 5000, 3), 200, np.uint8)).max() == 200


# Stages


def test_every_stage_lies_between_two_readings_of_the_clock(fake: Callable[[Fake], None]) -> None:
    engine = Fake()
    fake(engine)
    estimator = PoseEstimator("lightning", letterbox="square")
    times, outputs = stage_times(estimator, PATHS, (192, 192), rounds=4, clock=ticking())
    assert_array_equal(times, np.full((4, 5), 1000.0))
    wanted = [engine(sample(estimator, picture, (192, 192)).inputs) for picture in read(PATHS)]
    for turn, output in enumerate(outputs):  # the first round has the first picture
        assert_array_equal(output, wanted[turn % 3])


def test_the_total_is_of_the_sums_and_ranks_with_the_network() -> None:
    times = np.array([[1.0, 1, 1, 1, 6], [2, 2, 2, 2, 2], [1, 1, 1, 1, 8]])
    wrong = compare(Fake(shift=1)(inputs(1)), Fake()(inputs(1)), (64, 32))
    rows, total = stage_rows(times, wrong)
    assert [row.name for row in rows] == list(STAGES)
    assert [row.ranks for row in rows] == [True, True, False, True, True]
    assert (total.time.median_ms, total.ranks, total.pictures_per_s) == (10, False, None)


def test_at_another_shape_the_whole_picture_is_in_the_middle(fake: Callable[[Fake], None]) -> None:
    fake(Fake())
    estimator = PoseEstimator("lightning", letterbox="square")
    batch = sample(estimator, np.full((100, 100, 3), 200, np.uint8), (192, 128))
    assert batch.inputs.shape == (1, 192, 128, 3)
    lit = np.flatnonzero((batch.inputs[0] == 200).all((1, 2)))
    assert (lit[0], lit[-1]) == (32, 159)
    assert_allclose(batch.looks[0].region.to_image(np.array([0.5, 0.5])), [50, 50])


def read(paths: list[Path]) -> list[NDArray[np.uint8]]:
    return [np.array(Image.open(path).convert("RGB")) for path in paths]


# The machine


def test_the_processor_is_named_as_linux_tells_it(tmp_path: Path) -> None:
    file = tmp_path / "cpuinfo"
    file.write_text("processor\t: 0\nmodel name\t: AMD EPYC 9654\nflags\t\t: fpu\n")
    assert named(file) == "AMD EPYC 9654"
    file.write_text("processor\t: 0\nBogoMIPS\t: 108.00\nModel\t\t: Raspberry Pi 5\n")
    assert named(file) == "Raspberry Pi 5"
    file.write_text("processor\t: 0\n")
    assert named(file) == named(tmp_path / "none") == ""


def test_the_processor_is_named_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], **more: object) -> SimpleNamespace:
        assert command == ["sysctl", "-n", "machdep.cpu.brand_string"]
        return SimpleNamespace(stdout="Apple M4\n")

    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(subprocess, "run", run)
    assert cpu_name() == "Apple M4"
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr("platform.processor", lambda: "Intel64 Family 6")
    assert cpu_name() == "Intel64 Family 6"


def test_a_machine_says_its_cores_load_date_and_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (0.25, 9.0, 9.0))
    machine = this_machine()
    assert machine.cpu
    assert machine.cores >= 1
    assert machine.load == 0.25
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", machine.date)
    assert {"python", "torch", "numpy"} <= set(machine.versions)
    monkeypatch.delattr(os, "getloadavg")
    assert this_machine().load is None


@pytest.mark.parametrize(("load", "busy"), [(None, False), (2.0, False), (2.1, True)])
def test_a_load_over_half_of_the_cores_is_warned_of(load: float | None, busy: bool) -> None:
    machine = Machine("CPU", 4, load, "Linux x86_64", "2026-11-24 10:00 UTC", {"python": "3.11"})
    lines = text.machine_lines(machine).splitlines()
    shown = "" if load is None else f", load {load:.2f}"
    assert lines[:2] == [
        f"CPU, 4 usable cores{shown}; Linux x86_64; 2026-11-24 10:00 UTC",
        "python 3.11",
    ]
    assert lines[2:] == [
        "warning: the load of 2.10 is over half of the cores: something else runs here, and times "
        "will be too long; stop it, or trust the ratios only"
    ] * int(busy)


# Somebody else's file


def tflite(
    path: str,
    *,
    takes: tuple[int, ...] = (1, 64, 32, 3),
    kind: str = "int32",
    gives: tuple[int, ...] = (1, 1, 17, 3),
    outputs: int = 1,
    open_sides: bool = False,
) -> Path:
    """A small TFLite file: its outputs are full of the largest input value, over 255."""
    from movenet.engines.flatbuffer import File, Graph

    file = File()
    graph = Graph(file)
    image = graph.input("image", takes, kind)
    if open_sides:
        graph._graph.tensors[image.index].shapeSignature = [1, -1, -1, 3]
    largest = image if kind == "float32" else image.cast("float32")
    for _ in range(len(takes) - 1):
        largest = largest.amax(1)  # (1,) at last
    one = largest * (1 / 255)
    made = {f"out{i}": one + np.zeros(gives, np.float32) for i in range(outputs)}
    graph.finish("serving", made)
    Path(path).write_bytes(file.packed())
    return Path(path)


def foreign(path: Path, model: str = "lightning", shape: tuple[int, int] = (96, 64)) -> Any:
    from movenet.benchmark.foreign import ForeignFile

    return ForeignFile(path, spec=SPECS[model], shape=shape, threads=1)


@pytest.mark.parametrize("kind", ["uint8", "int32", "float32"])
def test_a_foreign_file_is_given_its_own_type(kind: str) -> None:
    file = foreign(tflite("a.tflite", kind=kind))
    assert (file.name, file.shape) == ("a.tflite", (64, 32))
    prepared = file.prepared(inputs(256)[[51, 255]])
    assert prepared.dtype == kind
    assert_allclose(file(prepared[:1]), np.full((1, 1, 17, 3), 0.2), rtol=1e-6)
    assert_allclose(file(prepared[1:]), np.full((1, 1, 17, 3), 1.0), rtol=1e-6)


def test_a_file_of_ours_that_is_another_network_is_refused() -> None:
    with pytest.raises(EngineError) as error:
        foreign(weights.FOLDER / "thunder.tflite")
    assert str(error.value).endswith("holds thunder, not lightning; say --model thunder")


def test_a_file_of_another_model_s_size_is_refused() -> None:
    with pytest.raises(EngineError) as error:
        foreign(tflite("other.tflite", takes=(1, 256, 256, 3)))
    assert str(error.value) == (
        "--vs other.tflite: takes 256x256, which is another model's; name another file or --model"
    )


def test_a_file_that_leaves_its_sides_open_takes_ours() -> None:
    path = tflite("open.tflite", takes=(1, 1, 1, 3), gives=(1, 6, 56), open_sides=True)
    file = foreign(path, "multipose")
    assert file.shape == (96, 64)
    assert_allclose(file(file.prepared(np.full((1, 96, 64, 3), 255, np.uint8))), 1, rtol=1e-6)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (
            {"gives": (1, 6, 56)},
            "gives [1, 6, 56] float32, not [1, 1, 17, 3] float32 as lightning does; name another "
            "file or --model",
        ),
        ({"outputs": 2}, "gives 2 tensors, not Google's one; name a file with the decoding"),
        (
            {"takes": (1, 10)},
            "takes [1, 10] int32, not one picture [1, height, width, 3] of uint8, int32 or "
            "float32; name another file",
        ),
        (
            {"takes": (1, 64, 32, 1)},
            "takes [1, 64, 32, 1] int32, not one picture [1, height, width, 3] of uint8, int32 or "
            "float32; name another file",
        ),
        (
            {"takes": (1, 70, 32, 3)},
            "takes 70x32, but a MoveNet takes multiples of 32; name another file",
        ),
    ],
)
def test_a_foreign_file_that_does_not_fit_is_named(made: dict[str, Any], message: str) -> None:
    with pytest.raises(EngineError) as error:
        foreign(tflite("odd.tflite", **made))
    assert str(error.value) == f"--vs odd.tflite: {message}"


# The command


def test_the_command_prints_and_writes_all(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real thing, short: LiteRT, PyTorch, a foreign file, JSON and a plot."""
    monkeypatch.setattr(equality, "ANOTHER", 1)  # what stands for theirs has all keypoints in one
    monkeypatch.setattr(os, "getloadavg", lambda: (0.0, 0.0, 0.0))
    theirs = tflite("theirs.tflite", takes=(1, 96, 96, 3))
    arguments = ["--threads", "2", "--runs", "3", "--batch", "1", "2", "--shape", "192x96"]
    outputs = ["--vs", str(theirs), "--json", "all.json", "--plot", "all.png"]
    assert main(["benchmark", *arguments, *outputs]) == 0
    number = r"\d+\.\d+"
    interval = rf"{number} \(95 % interval {number} to {number}\)"
    equal = r"0\.00\d\d px, scores \d\.\de-0\d"
    wanted = [
        r"lightning at 192x96, LiteRT [\d.]+, XNNPACK, 2 CPU threads; 3 pictures, 3 rounds",
        r".+, \d+ usable cores?, load 0\.00; \w+ \w+; 20\d\d-\d\d-\d\d \d\d:\d\d UTC",
        r"python .+, torch .+",
        "",
        r"one picture +median +p95 +pictures/s  difference from PyTorch float32",
        rf"read and decode +{number} ms +{number} ms",
        rf"crop and resize +{number} ms +{number} ms",
        rf"network with its decoding +{number} ms +{number} ms +{equal}",
        rf"decode keypoints +{number} ms +{number} ms",
        rf"draw +{number} ms +{number} ms",
        rf"total +{number} ms +{number} ms +{number}  {equal}",
        "",
        r"network alone +a picture +a call +p95 +pictures/s  difference from PyTorch float32",
        rf"batch 1 +{number} ms +{number} ms +{number} ms +{number}  {equal}",
        rf"batch 2 +{number} ms +{number} ms +{number} ms +{number}  {equal}",
        rf"batch 2 over 2 single-thread streams: {interval}; {number} over {number} pictures/s",
        "",
        rf"estimator over network: {interval}; {number} over {number} ms, on 1280x720 seen at "
        "128x192",
        "",
        "in turn +median +p95 +difference from PyTorch float32",
        rf"ours, 192x96 +{number} ms +{number} ms +{equal}",
        rf"theirs, 96x96 +{number} ms +{number} ms +DIFFERS: {number} px, scores \d\.\de.\d\d; "
        rf"keypoints over 0\.3: {number} px \(mean {number}, {number}% moved by a cell\)",
        r"theirs is theirs\.tflite",
        "the inputs differ in shape: times are compared, results are not",
        rf"ours over theirs: {interval}, 10 rounds",
        r"wrote all\.json",
        r"wrote all\.png",
    ]
    lines = capsys.readouterr().out.splitlines()
    for line, pattern in zip(lines, wanted, strict=True):
        assert re.fullmatch(pattern, line), line
    check_json(json.loads(Path("all.json").read_text()))
    with Image.open("all.png") as plotted:
        assert plotted.format == "PNG"
        assert plotted.width == 1920  # two charts


def check_json(record: dict[str, Any]) -> None:
    """Of the run above."""
    assert {key: record[key] for key in ("model", "device", "threads", "shape", "rounds")} == {
        "model": "lightning", "device": "cpu", "threads": 2, "shape": [192, 96], "rounds": 3,
    }  # fmt: skip
    assert set(record["machine"]) == {"cpu", "cores", "load", "system", "date", "versions"}
    assert record["pictures"] == [str(path) for path in PATHS]
    assert [row["name"] for row in record["stages"]] == list(STAGES)
    assert [row["equality"] is not None for row in record["stages"]] == [0, 0, 1, 0, 0]
    assert [row["pictures"] for row in record["batches"]] == [1, 2]
    for row in [record["total"], *record["batches"]]:
        assert set(row) == {"name", "pictures", "time", "equality", "ranks", "pictures_per_s"}
        assert set(row["time"]) == {"median_ms", "p95_ms"}
        assert set(row["equality"]) == {
                "px", "confident_px", "mean_px", "moved", "coordinates", "scores", "equal",
            }  # fmt: skip
        assert row["ranks"] is True
        assert row["pictures_per_s"] > 0
    (streams,) = record["streams"]
    assert (streams["first"]["pictures"], streams["second"]["pictures"]) == (16, 16)
    assert (streams["first"]["name"], streams["second"]["name"]) == ("streams", "batch 2")
    assert record["estimator"]["first_shape"] == [128, 192]
    assert record["vs"]["second_shape"] == [96, 96]
    assert record["vs"]["second"]["name"] == "theirs.tflite"
    assert record["vs"]["second"]["ranks"] is True  # somebody else's is not judged
    assert set(record["vs"]["ratio"]) == {"median", "low", "high", "rounds"}


@pytest.mark.parametrize("lie", [{"shift": 0.01}, {"score": 0.01}, {"shift": math.nan}])
def test_an_engine_that_lies_is_marked_and_does_not_rank(
    lie: dict[str, float], fake: Callable[[Fake], None], capsys: pytest.CaptureFixture[str]
) -> None:
    fake(Fake(runtime="LiteRT fake", **lie))
    theirs = tflite("theirs.tflite", takes=(1, 192, 192, 3))
    arguments = ["--threads", "2", "--runs", "3", "--batch", "1", "4", "--vs", str(theirs)]
    assert main(["benchmark", *arguments, "--json", "all.json", "--plot", "all.png"]) == 0
    out = capsys.readouterr().out
    marked = [line for line in out.splitlines() if "DIFFERS: " in line]
    assert [line.split("  ")[0] for line in marked] == [
        "network with its decoding", "total", "batch 1", "batch 4", "ours, 192x192",
        "theirs, 192x192",
    ]  # fmt: skip
    assert not any(re.search(r" ms +\d+\.\d  ", line) for line in marked)  # no pictures/s
    assert "batch 4 over 2 single-thread streams: no ratio, since streams differs" in out
    assert "estimator over network: no ratio, since estimator differs from PyTorch\n" in out
    assert "ours over theirs: no ratio, since ours differs from PyTorch\n" in out
    assert "95 % interval" not in out
    record = json.loads(Path("all.json").read_text())
    for row in (record["stages"][2], record["total"], *record["batches"]):
        assert row["ranks"] is False
        assert row["pictures_per_s"] is None
    found = [*record["streams"], record["estimator"], record["vs"]]
    assert [compared["ratio"] for compared in found] == [None] * 3


def test_an_engine_that_is_right_ranks(
    fake: Callable[[Fake], None], capsys: pytest.CaptureFixture[str]
) -> None:
    fake(Fake())
    assert main(["benchmark", "--threads", "1", "--runs", "2", "--batch", "2", "1", "2"]) == 0
    out = capsys.readouterr().out
    assert "DIFFERS" not in out
    assert "streams" not in out  # LiteRT only
    assert "2 pictures, 2 rounds" in out  # no more than are timed
    assert re.findall(r"^batch \d", out, re.MULTILINE) == ["batch 2", "batch 1"]


def test_an_engine_without_a_shape_for_the_frame_sees_it_smaller(
    fake: Callable[[Fake], None], capsys: pytest.CaptureFixture[str]
) -> None:
    engine = Fake()
    engine.shapes = frozenset([(192, 96)])  # type: ignore[assignment]
    fake(engine)
    assert main(["benchmark", "--threads", "1", "--runs", "1", "--shape", "192x96"]) == 0
    lines = capsys.readouterr().out.splitlines()
    (line,) = [line for line in lines if line.startswith("estimator over network: ")]
    assert line.endswith(" on 1280x720 seen at 192x96")


def test_pictures_that_cannot_be_read_are_named_and_the_others_are_timed(
    fake: Callable[[Fake], None], capsys: pytest.CaptureFixture[str]
) -> None:
    fake(Fake())
    Path("text.jpg").write_text("not a picture")
    arguments = ["none.jpg", "text.jpg", str(PATHS[0]), "--runs", "2", "--threads", "1"]
    assert main(["benchmark", *arguments]) == 1
    captured = capsys.readouterr()
    assert captured.err == (
        "movenet: none.jpg: no such file; check the path (web addresses are not read)\n"
        "movenet: text.jpg: not a picture in a known format; give JPEG, PNG, WebP, TIFF, BMP or "
        "GIF\n"
    )
    assert "; 1 picture, 2 rounds\n" in captured.out


def test_without_pictures_nothing_is_timed(capsys: pytest.CaptureFixture[str]) -> None:
    Path("empty").mkdir()
    assert main(["benchmark", "empty"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == (
        "movenet: empty: no pictures in this folder; are they in subfolders (see recursive)?\n"
    )


MISSING = "no/all"  # no such folder


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (
            ["--json", f"{MISSING}.json"],
            1,
            "--json no/all.json: cannot be written (No such file or directory); name another file",
        ),
        (
            ["--plot", f"{MISSING}.png"],
            1,
            "--plot no/all.png: cannot be written (No such file or directory); name another file",
        ),
        (
            ["photo.png", "--plot", "photo.png"],
            1,
            "--plot photo.png: is one of the pictures; name another file",
        ),
        (
            ["--json", "x.png", "--plot", "x.png"],
            1,
            "--plot x.png: is the file of --json; name another file",
        ),
        (
            ["--vs", "cut.tflite", "--json", "cut.tflite"],
            1,
            "--json cut.tflite: is the file of --vs; name another file",
        ),
        (
            ["--engine", "cut.tflite", "--json", "cut.tflite"],
            1,
            "--json cut.tflite: is the engine; name another file",
        ),
        (
            ["--vs", "none.tflite"],
            2,
            "--vs none.tflite: cannot be read (No such file or directory); check the path",
        ),
        (
            ["--vs", "cut.tflite"],
            2,
            "--vs cut.tflite: not a whole TFLite file; download it again",
        ),
        (
            ["--shape", "64x64"],
            2,
            "--shape 64x64: the engine takes 192x192; name one of them, or take --engine torch",
        ),
    ],
)
def test_a_mistake_is_one_line(
    arguments: list[str],
    status: int,
    message: str,
    fake: Callable[[Fake], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    engine = Fake()
    engine.shapes = frozenset([(192, 192)])  # type: ignore[assignment]
    fake(engine)
    Image.new("L", (40, 40)).save("photo.png")
    whole = tflite("whole.tflite").read_bytes()
    Path("cut.tflite").write_bytes(whole[: len(whole) // 2])
    before = {path.name: path.read_bytes() for path in Path().iterdir()}
    assert main(["benchmark", *arguments]) == status
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", f"movenet: {message}\n")
    assert {path.name: path.read_bytes() for path in Path().iterdir()} == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--batch", "0"], "argument --batch: must be a whole number of at least 1, not '0'"),
        (["--runs", "few"], "argument --runs: must be a whole number of at least 1, not 'few'"),
        (["--plot", "x.svg"], "argument --plot: must end in .png, not 'x.svg'"),
        (["--model", "big"], "argument --model: invalid choice: 'big'"),
        (["--shape", "60x60"], "argument --shape: must have sides of multiples of 32, not 60x60"),
    ],
)
def test_wrong_usage_exits_with_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["benchmark", *arguments])
    assert exit_.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("module", "missing", "arguments", "status", "message"),
    [
        (
            "plot",
            "matplotlib.figure",
            ["--plot", "x.png"],
            1,
            "--plot: needs matplotlib; pip install 'movenet-pytorch[plot]'",
        ),
        (
            "foreign",
            "ai_edge_litert.interpreter",
            ["--vs", "x.tflite"],
            2,
            "--vs: ai-edge-litert is not installed here (pip install ai-edge-litert; it has wheels "
            "for x86-64 Linux, Windows and arm64 macOS); leave --vs out",
        ),
    ],
)
def test_what_is_not_installed_is_named(
    module: str,
    missing: str,
    arguments: list[str],
    status: int,
    message: str,
    fake: Callable[[Fake], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import movenet.benchmark

    fake(Fake())
    monkeypatch.delitem(sys.modules, f"movenet.benchmark.{module}", raising=False)
    monkeypatch.delattr(movenet.benchmark, module, raising=False)
    monkeypatch.setitem(sys.modules, missing, None)
    assert main(["benchmark", *arguments]) == status
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", f"movenet: {message}\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_is_one_line(
    fake: Callable[[Fake], None], capsys: pytest.CaptureFixture[str]
) -> None:
    fake(Fake())
    assert main(["benchmark", "--runs", "1", "--threads", "1", "--json", "/dev/full"]) == 1
    assert capsys.readouterr().err == (
        "movenet: --json /dev/full: cannot be written (No space left on device); name another "
        "file\n"
    )
