"""Time an engine stage by stage, and check what it gives against PyTorch.

SOURCE is a picture, a folder or a pattern; without any, the three pictures that come with the
package are taken. Every round times one of them, in turn. What is timed is compared with PyTorch
float32 on the CPU on the same inputs: what differs by more than 1e-4 of the input, or of a score,
is marked DIFFERS and gets no pictures per second and no ratio. What is compared in time takes
turns in one process, and its ratio is the median over rounds, with its 95 % interval.
"""

import argparse
import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from movenet.cli.options import add_device, add_engine, add_threads, positive, shape
from movenet.cli.places import mark
from movenet.cli.predict import Report, find_sources
from movenet.errors import ImageError, MoveNetError
from movenet.specs import SPECS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from movenet.benchmark import Results
    from movenet.benchmark.bench import Bench
    from movenet.benchmark.foreign import ForeignFile
    from movenet.machine import Machine

    Pictures = dict[Path, NDArray[np.uint8]]


def add_options(parser: argparse.ArgumentParser) -> None:
    """SOURCE, what runs, and where results go."""
    parser.add_argument("sources", nargs="*", metavar="SOURCE", help="pictures, folders, patterns")
    parser.add_argument("--recursive", action="store_true", help="look into folders in folders too")
    parser.add_argument("--model", choices=SPECS, default="lightning", help="default: lightning")
    add_engine(parser)
    add_device(parser, "auto")
    add_threads(parser)
    parser.add_argument(
        "--shape",
        type=shape,
        metavar="HxW",
        help="input height and width (default: the model's square)",
    )
    parser.add_argument(
        "--batch",
        type=positive,
        nargs="+",
        default=[1],
        metavar="N",
        help="batch sizes to time the network at; LiteRT's batches also take turns with single "
        "pictures on as many threads (default: 1)",
    )
    parser.add_argument(
        "--runs",
        type=positive,
        default=30,
        metavar="N",
        help="timed rounds; where two things are compared, at least 10 (default: 30)",
    )
    parser.add_argument(
        "--vs",
        type=Path,
        metavar="FILE.tflite",
        help="another TFLite file of the model, as Google's, to take turns with; its difference "
        "from PyTorch is shown, and one that moves most keypoints has no ratio",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything as JSON")
    parser.add_argument(
        "--plot", type=png, metavar="FILE.png", help="draw the stages and the batch sizes"
    )


def png(text: str) -> Path:
    """A file to draw into."""
    if Path(text).suffix.lower() != ".png":
        raise argparse.ArgumentTypeError(f"must end in .png, not {text!r}")
    return Path(text)


def run(args: argparse.Namespace) -> int:
    """Measure and print part by part, then write the files."""
    from movenet.machine import this_machine

    machine = this_machine()  # before anything of ours runs: its load is somebody else's
    report = Report()
    paths = find_sources(args, None, report)
    check_outputs(args, paths)
    pictures = read(paths, args.runs, report)
    if pictures:
        save(args, measure(args, pictures, machine))
    return 1 if report.failed else 0


def check_outputs(args: argparse.Namespace, paths: Sequence[Path]) -> None:
    """MoveNetError where a file cannot be written, or would take the place of one that is read."""
    from movenet.selection import parse_engine

    if args.plot:
        from movenet.benchmark import plot  # noqa: F401 (whether matplotlib is there)
    taken: dict[object, str] = {mark(path): "one of the pictures" for path in paths}
    for what, file in (("the engine", parse_engine(args.engine)[1]), ("the file of --vs", args.vs)):
        if file:
            taken[mark(file)] = what
    for option, path in (("--json", args.json), ("--plot", args.plot)):
        if path and mark(path) in taken:
            raise MoveNetError(f"{option} {path}: is {taken[mark(path)]}; name another file")
        if path:
            taken[mark(path)] = f"the file of {option}"
            try_to_write(option, path)


def try_to_write(option: str, path: Path) -> None:
    """MoveNetError where that fails; the file stays as it is, or missing."""
    existed = path.exists()
    with writing(option, path), path.open("ab"):
        pass
    if not existed:
        path.unlink()


@contextlib.contextmanager
def writing(option: str, path: Path) -> Iterator[None]:
    """What keeps the file from being written, as one line."""
    try:
        yield
    except OSError as error:
        raise MoveNetError(
            f"{option} {path}: cannot be written ({error.strerror}); name another file"
        ) from error


def read(paths: Sequence[Path], count: int, report: Report) -> "Pictures":
    """The first so many pictures that can be read; what fails is named."""
    from movenet import images

    found: Pictures = {}
    for path in paths:
        if len(found) == count:
            break
        try:
            found[path] = images.read(path)
        except ImageError as error:
            report.fail(str(error))
    return found


def measure(args: argparse.Namespace, pictures: "Pictures", machine: "Machine") -> "Results":
    """Time every part and print it."""
    from movenet.benchmark import Results, text
    from movenet.benchmark.bench import Asked, Bench

    asked = Asked(args.model, args.engine, args.device, args.threads, args.shape)
    bench = Bench.of(asked, pictures, args.runs)
    other = open_other(args, bench) if args.vs else None
    show(text.header(bench), text.machine_lines(machine))
    stages, total = bench.stages()
    show("", text.STAGE_HEAD, *map(text.stage_line, stages), text.total_line(total))
    batches = bench.batches(list(dict.fromkeys(args.batch)))
    show("", text.BATCH_HEAD, *map(text.batch_line, batches))
    streams = bench.streams([row.pictures for row in batches])
    show(*(text.streams_line(found, bench.threads) for found in streams))
    around = bench.around()
    show("", text.around_line(around))
    vs = bench.versus(other) if other else None
    if vs:
        show("", text.vs_lines(vs))
    return Results(
        machine=machine,
        model=args.model,
        runtime=bench.engine.runtime,
        device=bench.device,
        threads=bench.threads,
        shape=bench.subject.shape,
        rounds=bench.rounds,
        pictures=[str(path) for path in pictures],
        stages=stages,
        total=total,
        batches=batches,
        streams=streams,
        estimator=around,
        vs=vs,
    )


def open_other(args: argparse.Namespace, bench: "Bench") -> "ForeignFile":
    """The file of --vs, with as many threads."""
    from movenet.benchmark.foreign import ForeignFile

    return ForeignFile(
        args.vs, spec=bench.engine.spec, shape=bench.subject.shape, threads=bench.threads
    )


def show(*lines: str) -> None:
    """Print lines at once: what follows takes seconds."""
    if lines:
        print("\n".join(lines), flush=True)


def save(args: argparse.Namespace, results: "Results") -> None:
    """Write the files that are asked for, and name them."""
    if args.json:
        with writing("--json", args.json):
            args.json.write_text(results.to_json())
        show(f"wrote {args.json}")
    if args.plot:
        from movenet.benchmark.plot import plot

        with writing("--plot", args.plot):
            plot(results, args.plot)
        show(f"wrote {args.plot}")
