"""Options that several verbs share: the same words, the same help."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from movenet.errors import EngineError
from movenet.specs import MULTIPLE, SPECS

if TYPE_CHECKING:
    from movenet.estimator import PoseEstimator


def positive(text: str) -> int:
    """A whole number of at least 1."""
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, not {text!r}")
    return number


def above_zero(text: str) -> float:
    """A number over 0."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a number over 0, not {text!r}")
    return number


def share(text: str) -> float:
    """A number in 0..1."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"must be a number from 0 to 1, not {text!r}")
    return number


def place(text: str) -> Path:
    """Where something is written."""
    if text in ("", "-"):
        raise argparse.ArgumentTypeError(f"must be the name of a file or folder, not {text!r}")
    return Path(text)


def saved(text: str) -> str:
    """Where pictures are saved; a slash at its end means a folder."""
    place(text)
    return text


def add_model(parser: argparse.ArgumentParser) -> None:
    """--model."""
    parser.add_argument(
        "--model",
        choices=SPECS,
        help="lightning (fast) and thunder (better) see one person, multipose up to six "
        "(default: multipose; thunder with --finder)",
    )


def threads(text: str) -> int:
    """A number of CPU threads."""
    from movenet.selection import MOST_THREADS

    number = positive(text)
    if number > MOST_THREADS:
        raise argparse.ArgumentTypeError(f"must be at most {MOST_THREADS}, not {text}")
    return number


def engine(text: str) -> str:
    """An engine's name or an exported file."""
    from movenet.selection import parse_engine

    try:
        parse_engine(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def shape(text: str) -> tuple[int, int]:
    """An input's height and width, as 192x128."""
    sides = text.lower().split("x")
    if len(sides) != 2 or not all(side.isdecimal() for side in sides):
        raise argparse.ArgumentTypeError(f"must be HEIGHTxWIDTH, as in 192x128, not {text!r}")
    h, w = int(sides[0]), int(sides[1])
    if not h or not w or h % MULTIPLE or w % MULTIPLE:
        raise argparse.ArgumentTypeError(f"must have sides of multiples of {MULTIPLE}, not {text}")
    return h, w


def time_s(text: str) -> float:
    """A time in seconds from the beginning, as 12.5 or 1:02.5."""
    parts = text.split(":")
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = [-1.0]
    if len(numbers) > 3 or not all(0 <= number < float("inf") for number in numbers):
        raise argparse.ArgumentTypeError(f"must be seconds, as 12.5 or 1:02.5, not {text!r}")
    seconds = 0.0
    for number in numbers:
        seconds = seconds * 60 + number
    return seconds


def picture_size(text: str) -> tuple[int, int]:
    """A picture's width and height, as 1280x720."""
    sides = text.lower().split("x")
    if len(sides) != 2 or not all(side.isdecimal() and int(side) for side in sides):
        raise argparse.ArgumentTypeError(f"must be WIDTHxHEIGHT, as in 1280x720, not {text!r}")
    return int(sides[0]), int(sides[1])


def add_threads(parser: argparse.ArgumentParser) -> None:
    """--threads."""
    parser.add_argument(
        "--threads",
        type=threads,
        metavar="N",
        help="CPU threads (default: the cores there are, at most 4)",
    )


def add_engine(parser: argparse.ArgumentParser) -> None:
    """--engine."""
    parser.add_argument(
        "--engine",
        type=engine,
        default="auto",
        metavar="ENGINE",
        help="auto (LiteRT on a CPU, PyTorch on CUDA and MPS), litert, torch, onnx, openvino, or "
        "a file of movenet export (default: auto)",
    )


def add_refine_with(parser: argparse.ArgumentParser) -> None:
    """--refine-with."""
    parser.add_argument(
        "--refine-with",
        choices=[name for name, spec in SPECS.items() if spec.people == 1],
        metavar="MODEL",
        help="the network of the second look: lightning or thunder (default: the model itself; "
        "thunder for multipose)",
    )


def add_refinement(parser: argparse.ArgumentParser) -> None:
    """--refine, --refine-with, --finder and --quality."""
    parser.add_argument(
        "--refine",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="look at each person again, on a crop around what was found (default: yes)",
    )
    add_refine_with(parser)
    parser.add_argument(
        "--finder",
        choices=SPECS,
        metavar="MODEL",
        help="the network of the first look, --model being that of the second",
    )
    parser.add_argument(
        "--quality",
        choices=("fast", "balanced", "best"),
        default="balanced",
        help="fast looks once; best looks again at mirror images too, and finds people at two "
        "sizes (default: balanced)",
    )


def open_estimator(args: argparse.Namespace, model: str, **more: Any) -> "PoseEstimator":
    """The estimator that the shared options ask for; `more` goes to it as well.

    Options that contradict each other are wrong usage (EngineError).
    """
    from movenet.estimator import PoseEstimator

    if args.refine_with and not (args.refine and args.quality != "fast"):
        raise EngineError("--refine-with: names a second look that --no-refine or fast leaves out")
    try:
        return PoseEstimator(
            model,
            refine=args.refine and (args.refine_with or True),
            finder=args.finder,
            quality=args.quality,
            engine=args.engine,
            device=args.device,
            threads=args.threads,
            **more,
        )
    except ValueError as error:
        raise EngineError(str(error)) from error


def add_device(parser: argparse.ArgumentParser, default: str) -> None:
    """--device."""
    parser.add_argument(
        "--device",
        default=default,
        help=f"auto, cpu, cuda, cuda:1, mps, ... (default: {default})",
    )
