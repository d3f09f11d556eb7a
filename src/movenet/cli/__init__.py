"""The command line: one file a verb, and the one place where errors become text."""

import argparse
import contextlib
import io
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence

from movenet import __version__
from movenet.cli import benchmark, convert, eval, export, lift, models, predict, track, verify
from movenet.errors import EngineError, MoveNetError

VERBS = (predict, track, lift, models, eval, verify, benchmark, export, convert)

FAILED, USAGE, INTERRUPTED, TERMINATED = 1, 2, 130, 143


def parser() -> argparse.ArgumentParser:
    """Each verb adds its own options; its module's docstring is its help."""
    top = argparse.ArgumentParser(
        prog="movenet",
        description="Find people's keypoints with Google's MoveNet, in PyTorch.",
        epilog="movenet VERB --help tells a verb's options. Without pictures of your own, "
        "'movenet predict' runs on three that come with the package.",
    )
    top.add_argument("--version", action="version", version=f"movenet {__version__}")
    verbs = top.add_subparsers(required=True, metavar="VERB", dest="verb")
    for verb in VERBS:
        name = verb.__name__.rpartition(".")[2]
        first, _, rest = (verb.__doc__ or "").partition("\n\n")
        sub = verbs.add_parser(
            name,
            help=first[0].lower() + first[1:].rstrip("."),
            description=first,
            epilog=rest or None,
        )
        verb.add_options(sub)
        sub.add_argument("--debug", action="store_true", help="show where an error comes from")
        sub.set_defaults(run=verb.run)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """0 done, 1 some inputs failed, 2 wrong usage, 130 interrupted, 143 terminated."""
    args = parser().parse_args(argv)
    with terminable():
        return run(args)


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """SIGTERM ends the process as an exception does, so that nothing is left half made."""
    if threading.current_thread() is not threading.main_thread():  # only there may it be set
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def run(args: argparse.Namespace) -> int:
    """A verb's work; its errors become one line and an exit code."""
    for stream in (sys.stdout, sys.stderr):  # a file name that the terminal cannot show
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        status: int = args.run(args)
        sys.stdout.flush()
    except MoveNetError as error:
        if args.debug:
            raise
        print(f"movenet: {error}", file=sys.stderr)
        return USAGE if isinstance(error, EngineError) else FAILED
    except KeyboardInterrupt:
        print("movenet: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # `movenet predict photos | head`
        with contextlib.suppress(OSError):  # Python would flush into the pipe again at its end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print("movenet: stopped, since nobody reads what it prints", file=sys.stderr)
        return FAILED
    return status
