"""Find people in pictures; draw them, or write their keypoints to a file.

SOURCE is a picture, a folder or a pattern such as 'photos/*.jpg'; without any, the three
pictures that come with the package are taken. Drawn pictures go to the folder 'poses' unless
--save, --json or --show says otherwise.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from movenet.cli.options import (
    add_device,
    add_engine,
    add_model,
    add_refinement,
    add_threads,
    open_estimator,
    positive,
    share,
)
from movenet.cli.places import destination, make_folder, marks

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from movenet.estimator import PoseEstimator
    from movenet.poses import Poses
    from movenet.window import Window
    from movenet.writers import JsonLinesWriter

STAGES = ("read", "preprocess", "inference", "decode", "refine")


def add_options(parser: argparse.ArgumentParser) -> None:
    """SOURCE and what to do with it."""
    parser.add_argument("sources", nargs="*", metavar="SOURCE", help="pictures, folders, patterns")
    parser.add_argument("--recursive", action="store_true", help="look into folders in folders too")
    add_model(parser)
    add_refinement(parser)
    add_engine(parser)
    add_device(parser, "auto")
    add_threads(parser)
    parser.add_argument(
        "--batch", type=positive, default=1, metavar="N", help="pictures at a time (default: 1)"
    )
    parser.add_argument(
        "--threshold",
        type=share,
        default=0.3,
        metavar="SCORE",
        help="show keypoints over this score (default: 0.3)",
    )
    parser.add_argument(
        "--max-megapixels",
        type=positive,
        default=256,
        metavar="N",
        help="refuse larger pictures before they are decoded (default: 256)",
    )
    parser.add_argument("--save", type=Path, metavar="DIR", help="folder for drawn pictures")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write poses as JSON Lines")
    parser.add_argument("--show", action="store_true", help="show every picture; a key goes on")


@dataclass
class Report:
    """What happened, for the log and the summary. Milliseconds are per picture."""

    times_ms: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in STAGES})
    failed: list[str] = field(default_factory=list)
    people: int = 0
    pictures: int = 0

    def fail(self, message: str) -> None:
        """Say at once what failed, and keep it for the summary."""
        from tqdm import tqdm

        self.failed.append(message)
        tqdm.write(f"movenet: {message}", file=sys.stderr)

    def print_summary(self) -> None:
        """The median times, and what failed."""
        print(f"{counted(self.pictures, 'picture')}, {counted(self.people, 'person')}", end="")
        if self.pictures:
            medians = (f"{k} {statistics.median(v):.1f}" for k, v in self.times_ms.items() if v)
            print(f"; ms per picture (median): {', '.join(medians)}", end="")
        print()
        if self.failed:
            print(f"{len(self.failed)} failed:", file=sys.stderr)
            for message in self.failed:
                print(f"  {message}", file=sys.stderr)


@dataclass(frozen=True, slots=True)
class Outputs:
    """Where results go."""

    folder: Path | None
    writer: "JsonLinesWriter | None"
    window: "Window | None"
    threshold: float
    taken: set[object]  # `marks` of sources and results: no two are one file

    def put(self, path: Path, picture: "NDArray[np.uint8]", poses: "Poses") -> str | None:
        """Write and show one result; the key that was pressed, if any."""
        if self.writer:
            self.writer.write(poses, source=str(path))
        if not (self.folder or self.window):
            return None
        drawn = poses.draw(picture, keypoint_threshold=self.threshold)
        if self.folder:
            from movenet import images

            images.save(drawn, destination(path, self.folder, self.taken))
        return self.window.show(drawn, wait_s=None) if self.window else None


def run(args: argparse.Namespace) -> int:
    """Predict, batch by batch; what fails is named and the rest is done."""
    report = Report()
    folder = args.save or (None if args.json or args.show else Path("poses"))
    paths = find_sources(args, folder, report)
    if paths:
        with ExitStack() as stack:
            estimator = open_estimator(  # before a file is made or written over
                args,
                model_name(args),
                keypoint_threshold=args.threshold,
                max_megapixels=args.max_megapixels,
            )
            outputs = open_outputs(args, folder, paths, stack)
            stack.callback(report.print_summary)  # after an interrupt too
            process(estimator, list(batches(paths, args.batch)), outputs, report)
    else:
        report.print_summary()
    if folder and report.pictures > len(report.failed):
        print(f"drawn pictures are in {folder}")
    return 1 if report.failed else 0


def model_name(args: argparse.Namespace) -> str:
    """What --model says, or an exported file; else MultiPose, or Thunder after a finder."""
    from movenet.selection import ENGINES, open_file

    if args.model is None and args.engine not in ENGINES:
        return open_file(Path(args.engine), threads=1).spec.name
    return args.model or ("thunder" if args.finder else "multipose")


def open_outputs(
    args: argparse.Namespace, folder: Path | None, paths: list[Path], stack: ExitStack
) -> Outputs:
    """Everything that results go to, before any work is done; MoveNetError says what cannot be."""
    from movenet import __version__
    from movenet.errors import MoveNetError
    from movenet.window import Window
    from movenet.writers import JsonLinesWriter

    taken = set[object]().union(*map(marks, paths))
    if folder:
        make_folder(folder)
    window = stack.enter_context(Window("movenet")) if args.show else None
    writer = None
    if args.json:
        if not taken.isdisjoint(marks(args.json)):
            raise MoveNetError(f"--json {args.json}: is one of the pictures; name another file")
        writer = stack.enter_context(
            JsonLinesWriter(args.json, model=model_name(args), version=__version__)
        )
    return Outputs(folder, writer, window, args.threshold, taken)


def process(
    estimator: "PoseEstimator", chunks: list[list[Path]], outputs: Outputs, report: Report
) -> None:
    """Read, estimate and write chunk after chunk, until a key of the window ends it."""
    from tqdm import tqdm

    from movenet import images
    from movenet.errors import ImageError

    count = sum(len(chunk) for chunk in chunks)
    with tqdm(total=count, unit="picture", disable=None if count > 1 else True) as bar:
        for chunk in chunks:
            for path, picture, poses, spent in estimate(estimator, chunk, report):
                tqdm.write(f"{images.name(path)}: {counted(len(poses), 'person')}, {spent:.1f} ms")
                try:
                    key = outputs.put(path, picture, poses)
                except ImageError as error:
                    report.fail(f"{images.name(path)}: not saved: {error}")
                    continue
                if key in ("q", "escape") or (outputs.window and outputs.window.closed):
                    return
            bar.update(len(chunk))


def estimate(
    estimator: "PoseEstimator", chunk: list[Path], report: Report
) -> Iterator[tuple[Path, "NDArray[np.uint8]", "Poses", float]]:
    """The pictures of a chunk that can be read, their poses and their milliseconds."""
    from movenet import images
    from movenet.errors import ImageError
    from movenet.stopwatch import Stopwatch

    pictures, paths, times = [], [], []
    for path in chunk:
        start = time.perf_counter()
        try:
            pictures.append(images.read(path, max_megapixels=estimator.max_megapixels))
        except ImageError as error:
            report.fail(str(error))
            continue
        paths.append(path)
        times.append({"read": milliseconds(start)})
    if not pictures:
        return
    stopwatch = Stopwatch()
    found = estimator.estimate(pictures, stopwatch=stopwatch)
    shares = {stage: spent / len(pictures) for stage, spent in stopwatch.times_ms.items()}
    for path, picture, poses, spent in zip(paths, pictures, found, times, strict=True):
        report.pictures += 1
        report.people += len(poses)
        for stage, spent_ms in (spent | shares).items():
            report.times_ms[stage].append(spent_ms)
        yield path, picture, poses, sum((spent | shares).values())


def find_sources(args: argparse.Namespace, folder: Path | None, report: Report) -> list[Path]:
    """The pictures that the sources name, each once; a source without any has failed.

    What an earlier run drew, in a folder inside a source's, is passed over.
    """
    from movenet import images, pictures
    from movenet.errors import ImageError

    if not args.sources:
        return [pictures.path(name) for name in pictures.NAMES]
    drawn = folder.resolve() if folder else None
    paths: dict[Path, Path] = {}
    for source in args.sources:
        try:
            found = images.find([source], recursive=args.recursive)
        except ImageError as error:
            report.fail(str(error))
            continue
        inside = drawn is not None and Path(source).resolve() in drawn.parents
        for path in found:
            if not (inside and drawn in path.resolve().parents):
                paths.setdefault(path.resolve(), path)
    return list(paths.values())


def counted(number: int, noun: str) -> str:
    """ "1 person", "2 people": a number and its noun."""
    plural = {"person": "people"}.get(noun, f"{noun}s")
    return f"{number} {noun if number == 1 else plural}"


def batches(paths: list[Path], size: int) -> Iterator[list[Path]]:
    """The paths, so many at a time."""
    return (paths[start : start + size] for start in range(0, len(paths), size))


def milliseconds(start: float) -> float:
    """Since a reading of `perf_counter`."""
    return (time.perf_counter() - start) * 1e3
