"""Compare the networks, stage by stage, with what Google's own graphs gave.

The goldens come with the package. Exit status 1 says that a stage missed its tolerance.
"""

import argparse
from typing import TYPE_CHECKING

from movenet.cli.options import add_device
from movenet.errors import EngineError, ExportError
from movenet.specs import SPECS

if TYPE_CHECKING:
    from movenet.verify import Row

ENGINES = ("torch", "litert", "onnx", "openvino")
DTYPES = ("float32", "float16", "bfloat16")


def add_options(parser: argparse.ArgumentParser) -> None:
    """--model, --engine, --device, --dtype."""
    parser.add_argument("--model", choices=SPECS, help="one model only (default: all)")
    parser.add_argument(
        "--engine",
        choices=(*ENGINES, "all"),
        help="also compare this engine, or all of them, with PyTorch; onnx and openvino are "
        "exported first, once",
    )
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
    engines = ENGINES if args.engine == "all" else [args.engine] if args.engine else []
    missed, missing = 0, []
    for name in [args.model] if args.model else SPECS:
        missed += print_rows(verify.verify(name, device=device, dtype=dtype))
        for engine in engines:
            try:
                missed += print_rows(verify.verify_engine(name, engine))
            except (EngineError, ExportError) as error:
                if args.engine != "all":
                    raise
                missing.append(str(error))
    for message in dict.fromkeys(missing):
        print(f"not compared: {message}")
    print(f"\n{missed} stages missed" if missed else f"\nall stages pass ({args.dtype}, {device})")
    return 1 if missed or missing else 0


def print_rows(rows: "list[Row]") -> int:
    """Print them; how many missed."""
    for row in rows:
        print(
            f"{row.model:<10} {row.stage:<28} {row.error:>9.2e} {row.tolerance:>9.1e}"
            f"  {'pass' if row.passed else 'MISS'}"
        )
    return sum(not row.passed for row in rows)
