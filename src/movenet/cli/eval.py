"""Measure a model's accuracy on COCO keypoint annotations.

Protocols: single-crop (one person, the first look sees the true box, widened by 1.25; with
--no-refine the only one), single-full
(one person, the whole picture), multi (everybody). No threshold is applied: everybody that is
found is ranked by score. Intervals hold 95 % (bootstrap over pictures).
"""

import argparse
import hashlib
import math
import os
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING

from movenet.cli.options import (
    add_device,
    add_engine,
    add_refinement,
    add_threads,
    open_estimator,
    positive,
)
from movenet.errors import MoveNetError
from movenet.specs import SPECS

if TYPE_CHECKING:
    from movenet.estimator import PoseEstimator
    from movenet.evaluation import Record
    from movenet.evaluation.matching import Figure, Matches
    from movenet.evaluation.prediction import Recipe
    from movenet.evaluation.truth import Truth

PROTOCOLS = ("single-crop", "single-full", "multi")


def add_options(parser: argparse.ArgumentParser) -> None:
    """The pictures, the protocol, the recipe, and where results go."""
    parser.add_argument("--images", type=Path, required=True, metavar="DIR", help="the pictures")
    parser.add_argument(
        "--annotations",
        type=Path,
        required=True,
        metavar="FILE",
        help="COCO person keypoints, as person_keypoints_val2017.json",
    )
    parser.add_argument(
        "--ids", type=Path, metavar="FILE", help="image ids, one a line (default: all pictures)"
    )
    parser.add_argument("--protocol", choices=PROTOCOLS, default="multi", help="default: multi")
    parser.add_argument(
        "--model",
        choices=SPECS,
        help="default: multipose for multi, lightning for the others; thunder with --finder",
    )
    add_refinement(parser)
    add_engine(parser)
    add_device(parser, "auto")
    add_threads(parser)
    parser.add_argument(
        "--letterbox",
        choices=("trim", "square"),
        default="trim",
        help="trim black bars, or Google's square (default: trim)",
    )
    parser.add_argument(
        "--results",
        type=Path,
        metavar="FILE",
        help="write COCO results; FILE.part keeps what is done, and a later run goes on from it",
    )
    parser.add_argument(
        "--against",
        type=Path,
        metavar="FILE",
        help="other COCO results of the same pictures: print the difference",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON")
    parser.add_argument(
        "--worst",
        type=positive,
        metavar="N",
        help="draw the N people that came out worst, truth on the left",
    )
    parser.add_argument(
        "--save",
        type=Path,
        default=Path("worst"),
        metavar="DIR",
        help="for --worst (default: worst)",
    )


def run(args: argparse.Namespace) -> int:
    """Predict what is not done yet, and print the figures."""
    from movenet.evaluation import text
    from movenet.evaluation.matching import matched, summary
    from movenet.evaluation.pairs import pairs
    from movenet.evaluation.prediction import check_single, locate, read_ids, read_results
    from movenet.evaluation.truth import Truth
    from movenet.evaluation.worst import save_worst

    check_places(args)
    truth = Truth.read(args.annotations, read_ids(args.ids) if args.ids else None)
    check_single(truth, args.protocol)
    paths = locate(truth, args.images)
    other = read_results(args.against, truth) if args.against else None
    estimator = open_estimator(  # which keeps everybody
        args, model_name(args), person_threshold=0.0, letterbox=args.letterbox
    )
    recipe = recipe_of(args, estimator, truth)
    results, times = predict_all(args, estimator, recipe, truth, paths)
    found, beside = matched(truth, results), pairs(truth, results)
    figures = summary(found)
    print(text.header(recipe, len(truth.images), len(beside.image)))
    print("\n".join(text.figure_lines(figures)))
    if times:
        print(f"{statistics.median(times):.1f} ms a picture (median), reading not counted")
    print("\n".join(["", *text.keypoint_lines(beside)]))
    if other is not None:
        print_difference(args.against, truth, found, other)
    if args.worst:
        written = save_worst(beside, paths, args.save, args.worst)
        print(f"\nthe {len(written)} worst are in {args.save}")
    if args.json:
        save_json(args.json, recipe, figures, beside.all_pck(), times, truth)
    return 0


def model_name(args: argparse.Namespace) -> str:
    """What --model says, or what goes with the protocol."""
    several = args.protocol == "multi" and not args.finder
    return args.model or ("multipose" if several else "thunder" if args.finder else "lightning")


def print_difference(
    path: Path, truth: "Truth", found: "dict[str, Matches]", other: list["Record"]
) -> None:
    """Ours less those of another results file, on the same draws of pictures."""
    from movenet.evaluation import text
    from movenet.evaluation.matching import difference, matched

    without = len(truth.images) - len({row["image_id"] for row in other})
    note = f" ({without} of these pictures have no result there)" if without else ""
    print(f"\nless {path}, paired{note}:")
    print("\n".join(text.figure_lines(difference(found, matched(truth, other)), sign=True)))


def check_places(args: argparse.Namespace) -> None:
    """MoveNetError for a place that cannot be written, before any work is done."""
    for option, path in (("--json", args.json), ("--results", args.results)):
        if path and (path.is_dir() or not os.access(path.parent, os.W_OK)):
            raise MoveNetError(
                f"{option} {path}: cannot be written; name a file in a folder of yours"
            )
    given = [args.annotations, args.ids, args.against, args.json, args.results]
    places = [path.resolve() for path in given if path]
    if len(set(places)) < len(places):
        raise MoveNetError(
            "--json and --results: name files of their own, and not those that are read"
        )
    if args.worst:
        try:
            args.save.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise MoveNetError(f"--save {args.save}: cannot be made ({error.strerror})") from error


def recipe_of(args: argparse.Namespace, estimator: "PoseEstimator", truth: "Truth") -> "Recipe":
    """What is evaluated, in words."""
    from movenet import __version__
    from movenet.evaluation.prediction import Recipe
    from movenet.selection import ENGINES

    engine = args.engine
    if engine not in ENGINES:
        engine = f"{Path(engine).name}, SHA-256 {sha256(Path(engine).read_bytes())}"
    runtimes = [look.runtime for look in (estimator.engine, estimator.second) if look]
    return Recipe(
        protocol=args.protocol,
        model=model_name(args),
        refine=estimator.second.spec.name if estimator.second else "",
        finder=args.finder or "",
        quality=args.quality,
        engine=engine,
        runtime="; ".join(dict.fromkeys(runtimes)),
        letterbox=args.letterbox,
        annotations=sha256(args.annotations.read_bytes()),
        pictures=sha256(" ".join(map(str, sorted(truth.images))).encode()),
        version=__version__,
    )


def sha256(data: bytes) -> str:
    """In hexadecimal figures."""
    return hashlib.sha256(data).hexdigest()


def predict_all(
    args: argparse.Namespace,
    estimator: "PoseEstimator",
    recipe: "Recipe",
    truth: "Truth",
    paths: dict[int, Path],
) -> tuple[list["Record"], list[float]]:
    """The results of every picture, and the milliseconds of those that were not done before."""
    from tqdm import tqdm

    from movenet import images
    from movenet.evaluation.prediction import Progress, predict

    times = []
    with Progress(args.results, recipe) as progress:
        left = [number for number in paths if number not in progress.done]
        for number in tqdm(left, unit="picture", disable=None):
            picture = images.read(paths[number])
            start = time.perf_counter()
            poses = predict(estimator, recipe.protocol, picture, truth.people[number])
            times.append((time.perf_counter() - start) * 1e3)
            progress.add(number, poses.to_coco(number))
        return progress.finish(paths), times


def save_json(
    path: Path,
    recipe: "Recipe",
    figures: "dict[str, Figure]",
    pck: float,
    times: list[float],
    truth: "Truth",
) -> None:
    """The figures for programs."""
    import json
    from dataclasses import asdict

    record = {
        "recipe": asdict(recipe),
        "pictures": len(truth.images),
        "figures": {
            name: asdict(figure) if math.isfinite(figure.value) else None
            for name, figure in figures.items()
        },
        "pck": pck,
        "ms": statistics.median(times) if times else None,
    }
    try:
        path.write_text(json.dumps(record, indent=1) + "\n")
    except OSError as error:
        raise MoveNetError(f"--json {path}: cannot be written ({error.strerror})") from error
