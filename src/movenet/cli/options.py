"""Options that several verbs share: the same words, the same help."""

import argparse

from movenet.specs import SPECS


def positive(text: str) -> int:
    """A whole number of at least 1."""
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, not {text!r}")
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


def add_model(parser: argparse.ArgumentParser) -> None:
    """--model."""
    parser.add_argument(
        "--model",
        choices=SPECS,
        help="lightning (fast) and thunder (better) see one person, multipose up to six "
        "(default: lightning; multipose for the bundled pictures)",
    )


def add_device(parser: argparse.ArgumentParser, default: str) -> None:
    """--device."""
    parser.add_argument(
        "--device",
        default=default,
        help=f"auto, cpu, cuda, cuda:1, mps, ... (default: {default})",
    )
