"""Results as lines for people."""

from movenet.benchmark import Compared, Row
from movenet.benchmark.bench import Bench
from movenet.benchmark.equality import Equality
from movenet.benchmark.rounds import Ratio
from movenet.engines import Shape
from movenet.machine import Machine

BESIDE = "difference from PyTorch float32"
STAGE_HEAD = f"{'one picture':<27}{'median':>11}{'p95':>11}{'pictures/s':>12}  {BESIDE}"
BATCH_HEAD = (
    f"{'network alone':<16}{'a picture':>11}{'a call':>11}{'p95':>11}{'pictures/s':>12}  {BESIDE}"
)
FOREIGN_PX = 0.1  # rounded constants of Google's files move keypoints by half of that
VS_HEAD = f"{'in turn':<27}{'median':>11}{'p95':>11}{'':>12}  {BESIDE}"


def machine_lines(machine: Machine) -> str:
    """What it ran on; a warning where that had something else to do."""
    load = "" if machine.load is None else f", load {machine.load:.2f}"
    lines = [
        f"{machine.cpu}, {counted(machine.cores, 'usable core')}{load}; {machine.system}; "
        f"{machine.date}",
        ", ".join(f"{name} {version}" for name, version in machine.versions.items()),
    ]
    if machine.busy:
        lines.append(
            f"warning: the load of {machine.load:.2f} is over half of the cores: something else "
            "runs here, and times will be too long; stop it, or trust the ratios only"
        )
    return "\n".join(lines)


def header(bench: Bench) -> str:
    """What is timed, and on which pictures."""
    engine = bench.engine
    device = "" if bench.device == "cpu" else f" on {bench.device}"
    return (
        f"{engine.spec.name} at {shown(bench.subject.shape)}, {engine.runtime}{device}, "
        f"{counted(bench.threads, 'CPU thread')}; "
        f"{counted(len(bench.pictures), 'picture')}, {counted(bench.rounds, 'round')}"
    )


def stage_line(row: Row) -> str:
    """A stage of one picture."""
    line = f"{row.name:<27}{ms(row.time.median_ms)}{ms(row.time.p95_ms)}{'':>12}"
    return f"{line}  {beside(row.equality)}".rstrip()


def total_line(row: Row) -> str:
    """The stages' sum, with its speed."""
    line = f"{row.name:<27}{ms(row.time.median_ms)}{ms(row.time.p95_ms)}{speed(row):>12}"
    return f"{line}  {beside(row.equality)}"


def batch_line(row: Row) -> str:
    """The network at one batch size; median and 95th percentile are those of a whole call."""
    picture = ms(row.time.median_ms / row.pictures)
    line = f"{row.name:<16}{picture}{ms(row.time.median_ms)}{ms(row.time.p95_ms)}{speed(row):>12}"
    return f"{line}  {beside(row.equality)}"


def speed(row: Row) -> str:
    """Pictures a second; nothing for what differs."""
    return "" if row.pictures_per_s is None else f"{row.pictures_per_s:.1f}"


def streams_line(found: Compared, threads: int) -> str:
    """A batch over single-thread streams, in speed."""
    streams, batch = found.first, found.second
    name = f"{batch.name} over {counted(threads, 'single-thread stream')}: "
    if found.ratio is None:
        return f"{name}{unranked(found)}"
    rates = f"{speed(batch)} over {speed(streams)} pictures/s"
    return f"{name}{interval(found.ratio)}; {rates}"


def around_line(found: Compared) -> str:
    """Everything around the network."""
    name = "estimator over network: "
    if found.ratio is None:
        return f"{name}{unranked(found)}"
    whole, network = (row.time.median_ms for row in (found.first, found.second))
    times = f"{whole:.2f} over {network:.2f} ms, on 1280x720 seen at {shown(found.first_shape)}"
    return f"{name}{interval(found.ratio)}; {times}"


def vs_lines(found: Compared) -> str:
    """Ours and the other file."""
    lines = [VS_HEAD]
    for name, row, shape in (
        ("ours", found.first, found.first_shape),
        ("theirs", found.second, found.second_shape),
    ):
        times = f"{ms(row.time.median_ms)}{ms(row.time.p95_ms)}"
        right = beside(row.equality, judge=row is found.first)
        lines.append(f"{f'{name}, {shown(shape)}':<27}{times}{'':>12}  {right}")
    lines.append(f"theirs is {found.second.name}")
    if found.first_shape != found.second_shape:
        lines.append("the inputs differ in shape: times are compared, results are not")
    ratio = found.ratio
    value = f"{interval(ratio)}, {ratio.rounds} rounds" if ratio else unranked(found)
    return "\n".join([*lines, f"ours over theirs: {value}"])


def unranked(found: Compared) -> str:
    """Why there is no ratio."""
    worse = found.second if found.first.ranks else found.first
    return f"no ratio, since {worse.name} differs from PyTorch"


def beside(equality: Equality | None, *, judge: bool = True) -> str:
    """The largest differences from PyTorch float32 on the CPU; ours are judged."""
    if equality is None:
        return ""  # a stage that makes no keypoints
    found = f"{equality.px:.4f} px, scores {equality.scores:.1e}"
    if not judge:
        found = f"{found}; keypoints over 0.3: {equality.confident_px:.4f} px"
        mean = f"mean {equality.mean_px:.2f}, {equality.moved:.1%} moved by a cell"
        return found if equality.confident_px <= FOREIGN_PX else f"DIFFERS: {found} ({mean})"
    if equality.equal:
        return found
    mean = f"mean over 0.3 {equality.mean_px:.2f}, {equality.moved:.1%} moved by a cell"
    return f"DIFFERS: {found} ({mean})"


def interval(ratio: Ratio) -> str:
    """A ratio with its interval."""
    return f"{ratio.median:.3f} (95 % interval {ratio.low:.3f} to {ratio.high:.3f})"


def ms(value: float) -> str:
    """Milliseconds in eleven columns."""
    return f"{value:8.3f} ms" if value < 10 else f"{value:8.2f} ms"


def shown(shape: Shape) -> str:
    """192x128: height and width."""
    return f"{shape[0]}x{shape[1]}"


def counted(number: int, noun: str) -> str:
    """ "1 core", "2 cores"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
