"""Compare the networks, stage by stage, with what Google's own graphs gave.

The goldens come with the package. Exit status 1 says that a stage missed its tolerance.
"""

import argparse

from movenet.cli.options import add_device
from movenet.specs import SPECS

DTYPES = ("float32", "float16", "bfloat16")


def add_options(parser: argparse.ArgumentParser) -> None:
    """--model, --device, --dtype."""
    parser.add_argument("--model", choices=SPECS, help="one model only (default: all)")
    add_device(parser, "cpu")
    parser.add_argument(
        "--dtype", choices=DTYPES, default="float32", help="arithmetic (default: float32)"
    )


def run(args: argparse.Namespace) -> int:
    """Print a row a stage."""
    import torch

    from movenet import verify
    from movenet.engines.torch import find_device

    device, dtype = find_device(args.device), getattr(torch, args.dtype)
    print(f"{'model':<10} {'stage':<28} {'error':>9} {'tolerance':>9}")
    missed = 0
    for name in [args.model] if args.model else SPECS:
        for row in verify.verify(name, device=device, dtype=dtype):
            missed += not row.passed
            print(
                f"{row.model:<10} {row.stage:<28} {row.error:>9.2e} {row.tolerance:>9.1e}"
                f"  {'pass' if row.passed else 'MISS'}"
            )
    print(f"\n{missed} stages missed" if missed else f"\nall stages pass ({args.dtype}, {device})")
    return 1 if missed else 0
