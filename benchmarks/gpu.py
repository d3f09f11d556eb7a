"""The networks in PyTorch on CUDA: latency of one picture, pictures a second, parity.

    python benchmarks/gpu.py [--model lightning] [--batches 1 2 4 ...] [--json FILE]

uint8 pictures that lie on the device already -> Google's tensor on the device, decoding included;
each variant as one CUDA graph, so that the host does nothing but start it. What each graph gives
is compared with float32 on the CPU. Exit code 1 without CUDA, or where a parity is missed.
"""

import argparse
import datetime
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from movenet import weights
from movenet.goldens import case_input, cases
from movenet.model import MoveNet
from movenet.specs import SPECS, ModelSpec
from movenet.verify import TOLERANCES, split_error

RESULTS = Path(__file__).parent / "results" / "gpu.json"
BATCHES = tuple(2**power for power in range(11))  # 1 to 1024
MODES = ("default", "max-autotune-no-cudagraphs")  # the others make a CUDA graph themselves
WARM_UPS, ENOUGH_S, MOST_REPLAYS = 20, 2.0, 2000
TARGET_DEVICE = "H200"
TARGET_LATENCY_MS = 0.35  # median of one picture, Lightning
TARGET_RATE = 60_000.0  # pictures a second at the best batch, Lightning

Detect = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to run a network."""

    name: str
    dtype: torch.dtype
    compiled: bool


VARIANTS = (
    Variant("float32, eager", torch.float32, compiled=False),
    Variant("float16, eager", torch.float16, compiled=False),
    Variant("float16, compiled", torch.float16, compiled=True),
)
SWEPT = VARIANTS[-1]


@dataclass(frozen=True, slots=True)
class Figure:
    """What was measured of one variant at one batch; ms of CUDA events, and of the host's clock."""

    model: str
    variant: str
    batch: int
    p50_ms: float
    p95_ms: float
    host_p50_ms: float  # from the start until the host knows that it is done
    pictures_per_s: float
    coordinates: float  # largest difference to float32 on the CPU, parts of the picture
    scores: float
    parity: bool


def main() -> int:
    """Measure, print, save."""
    options = parsed(sys.argv[1:])
    if not torch.cuda.is_available():
        print("gpu.py: PyTorch finds no CUDA device here; run it where one is", file=sys.stderr)
        return 1
    figures, failed = measured(options)
    print("\n".join(targets(figures, torch.cuda.get_device_name())))
    return 0 if figures and all(figure.parity for figure in figures) and not failed else 1


def measured(options: argparse.Namespace) -> tuple[list[Figure], list[dict[str, Any]]]:
    """Every figure, printed and saved as it comes, and what failed, with its reason."""
    figures: list[Figure] = []
    failed: list[dict[str, Any]] = []
    for name in options.model:
        wanted = reference(SPECS[name])
        for variant, batch in plan(options.batches):
            try:
                figures.append(measure(SPECS[name], variant, batch, wanted, options.mode))
                print(line(figures[-1]), flush=True)
            except RuntimeError as error:  # out of memory too: the others go on
                what = {"model": name, "variant": variant.name, "batch": batch}
                failed.append(what | {"reason": str(error).splitlines()[0]})
                print("failed:", *failed[-1].values(), sep=" | ", flush=True)
            save(figures, failed, options)
            torch.cuda.empty_cache()
    return figures, failed


def save(figures: list[Figure], failed: list[dict[str, Any]], options: argparse.Namespace) -> None:
    """What there is so far: compiling takes long, and may be cut short."""
    report = {
        "date": datetime.date.today().isoformat(),
        "device": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "compile_mode": options.mode,
        "figures": [asdict(figure) for figure in figures],
        "failed": failed,
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(report, indent=1) + "\n")


def parsed(arguments: list[str]) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    add = parser.add_argument
    add("--model", nargs="+", choices=SPECS, default=list(SPECS), help="default: all")
    add("--batches", nargs="+", type=int, default=BATCHES, help="default: 1 2 4 ... 1024")
    add("--mode", choices=MODES, default=MODES[0], help="of torch.compile")
    add("--json", type=Path, default=RESULTS, help="default: benchmarks/results/gpu.json")
    return parser.parse_args(arguments)


def plan(batches: tuple[int, ...]) -> Iterator[tuple[Variant, int]]:
    """Every variant with one picture, then the other batches of one variant."""
    for variant in VARIANTS:
        yield variant, 1
    for batch in batches:
        if batch != 1:
            yield SWEPT, batch


def measure(
    spec: ModelSpec, variant: Variant, batch: int, wanted: NDArray[np.float32], mode: str
) -> Figure:
    """One figure. RuntimeError where it does not fit or does not compile."""
    images = on_device(spec, batch)
    # As the engine, without TF32, but with the fastest of cuDNN's kernels.
    exact = torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=False)
    with torch.inference_mode(), exact:
        detect = detector(spec, variant, images.device, mode)
        replay, output = captured(detect, images)
        times, host_times, total_s = timed(replay)
    coordinates, scores, parity = compare(output.cpu().numpy(), wanted, variant.dtype)
    return Figure(
        spec.name,
        variant.name,
        batch,
        p50_ms=round(float(np.median(times)), 4),
        p95_ms=round(float(np.percentile(times, 95)), 4),
        host_p50_ms=round(float(np.median(host_times)), 4),
        pictures_per_s=round(batch * len(times) / total_s, 1),
        coordinates=coordinates,
        scores=scores,
        parity=parity,
    )


def inputs(spec: ModelSpec) -> NDArray[np.uint8]:
    """The square inputs of the goldens, (3, H, W, 3)."""
    square = [case for case in cases(spec) if case.size == (spec.side, spec.side)]
    return np.stack([case_input(case) for case in square])


def on_device(spec: ModelSpec, batch: int) -> Tensor:
    """Those inputs in turn: (batch, 3, H, W) uint8 on CUDA, channels last as pictures are."""
    distinct = inputs(spec)
    rows = distinct[np.arange(batch) % len(distinct)]
    return torch.from_numpy(rows).cuda().permute(0, 3, 1, 2)


def reference(spec: ModelSpec) -> NDArray[np.float32]:
    """What float32 on the CPU gives for `inputs`."""
    images = torch.from_numpy(inputs(spec)).permute(0, 3, 1, 2)
    with torch.inference_mode():
        output: NDArray[np.float32] = weights.load(spec.name).detect(images).numpy()
    return output


def detector(spec: ModelSpec, variant: Variant, device: torch.device, mode: str) -> Detect:
    """The network on the device, channels last, compiled where the variant says so."""
    model: MoveNet = weights.load(spec.name)
    model.to(device, variant.dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
    if not variant.compiled:
        return model.detect
    # One shape at a time: a cache holds eight (torch._dynamo.config.recompile_limit).
    torch.compiler.reset()
    compiled: Detect = torch.compile(model.detect, fullgraph=True, dynamic=False, mode=mode)
    return compiled


def captured(detect: Detect, images: Tensor) -> tuple[Callable[[], None], Tensor]:
    """A CUDA graph of one call -> what starts it, and where its result lies.

    Capturing fails where anything waits for the device or copies from the host.
    """
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(3):  # kernels are chosen and compiled
            detect(images)
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        output = detect(images)
    return graph.replay, output


def timed(replay: Callable[[], None]) -> tuple[list[float], list[float], float]:
    """ms of each replay by events, ms by the host's clock, and seconds for all in a row."""
    for _ in range(WARM_UPS):
        replay()
    torch.cuda.synchronize()
    host_times: list[float] = []
    while len(host_times) < MOST_REPLAYS and sum(host_times) < ENOUGH_S * 1000:
        start = time.perf_counter()
        replay()
        torch.cuda.synchronize()
        host_times.append((time.perf_counter() - start) * 1000)
    events = [torch.cuda.Event(enable_timing=True) for _ in range(len(host_times) + 1)]
    events[0].record()
    for event in events[1:]:
        replay()
        event.record()
    torch.cuda.synchronize()
    times = [a.elapsed_time(b) for a, b in pairwise(events)]
    return times, host_times, events[0].elapsed_time(events[-1]) / 1000


def compare(
    output: NDArray[np.float32], wanted: NDArray[np.float32], dtype: torch.dtype
) -> tuple[float, float, bool]:
    """Largest differences in coordinates and in scores, and whether the type may differ so.

    The rows of `output` are those of `wanted` in turn.
    """
    tolerance = TOLERANCES[dtype]
    rows = wanted[np.arange(len(output)) % len(wanted)]
    coordinates, scores = split_error(output, rows, tolerance)
    finite = bool(np.isfinite(output).all())
    within = coordinates <= tolerance.coordinates and scores <= tolerance.scores
    return coordinates, scores, finite and within


def line(figure: Figure) -> str:
    """A figure as text."""
    parity = "parity" if figure.parity else "PARITY MISSED"
    return (
        f"{figure.model}, {figure.variant}, batch {figure.batch}: p50 {figure.p50_ms:.3f} ms, "
        f"p95 {figure.p95_ms:.3f} ms, host {figure.host_p50_ms:.3f} ms, "
        f"{figure.pictures_per_s:,.0f} pictures/s; {parity} "
        f"({figure.coordinates:.1e}, {figure.scores:.1e})"
    )


def targets(figures: list[Figure], device: str) -> Iterator[str]:
    """Each target, met or missed by what kept its parity."""
    good = [figure for figure in figures if figure.model == "lightning" and figure.parity]
    if not good:
        yield "targets: Lightning was not measured"
        return
    if TARGET_DEVICE not in device:
        yield f"the targets are for an {TARGET_DEVICE}; this is {device}"
    single = [figure for figure in good if figure.batch == 1]
    if single:
        fastest = min(single, key=lambda figure: figure.p50_ms)
        yield (
            f"Lightning, one picture: p50 {fastest.p50_ms:.3f} ms ({fastest.variant}), target "
            f"{TARGET_LATENCY_MS} ms: {met(fastest.p50_ms <= TARGET_LATENCY_MS)}"
        )
    most = max(good, key=lambda figure: figure.pictures_per_s)
    yield (
        f"Lightning, most: {most.pictures_per_s:,.0f} pictures/s (batch {most.batch}), target "
        f"{TARGET_RATE:,.0f}: {met(most.pictures_per_s >= TARGET_RATE)}"
    )


def met(reached: bool) -> str:
    """In a word."""
    return "met" if reached else "missed"


if __name__ == "__main__":
    sys.exit(main())
