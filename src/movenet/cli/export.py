"""Write a model in another format, with a certificate of how well it agrees with PyTorch.

The file is run by its own runtime on the bundled pictures, on those of --check, and on a network
with a peak planted in every cell; one that lifts, on people made up of numbers. If it differs by
more than its precision allows, it is not kept. The certificate lies beside it, as
FILE.certificate.json.
"""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from movenet.cli.options import shape
from movenet.lifting.specs import MODELS
from movenet.specs import SPECS

if TYPE_CHECKING:
    from movenet.export.certificate import Certificate
    from movenet.lifting.certificate import Certificate as LiftingCertificate

FORMATS = (
    "litert",
    "onnx",
    "openvino",
    "torchscript",
    "exported-program",
    "aot-inductor",
    "executorch",
    "coreml",
)
LIFTING = ("litert", "onnx", "torchscript", "exported-program")  # what lifts has these
PICTURES = ("shape", "heads", "calibration", "check")  # options for what sees pictures


def add_options(parser: argparse.ArgumentParser) -> None:
    """--model, --format and what that format can do."""
    parser.add_argument(
        "--model",
        choices=(*SPECS, *MODELS.values()),
        default="lightning",
        metavar="MODEL",
        help=f"{', '.join(SPECS)} (default: lightning), or the networks of movenet lift: "
        f"{', '.join(MODELS.values())} ({', '.join(LIFTING)} only)",
    )
    parser.add_argument(
        "--weights",
        type=Path,
        metavar="FILE",
        help="other weights: what movenet convert reads; safetensors for a network that lifts",
    )
    parser.add_argument("--format", choices=FORMATS, required=True, help="what to write")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="default: MODEL with the format's suffix, here"
    )
    parser.add_argument(
        "--precision",
        choices=("float32", "float16", "int8"),
        help="litert only: how weights are stored (float16, the default, or float32; both compute "
        "in float32), or int8",
    )
    parser.add_argument(
        "--shape",
        type=shape,
        action="append",
        default=[],
        metavar="HxW",
        help="input height and width; litert takes several (default: all that the package uses; "
        "any for onnx, openvino, torchscript, exported-program; else the model's square)",
    )
    parser.add_argument(
        "--heads", action="store_true", help="onnx only: the dense heads, without the decoding"
    )
    parser.add_argument(
        "--calibration",
        nargs="+",
        default=[],
        metavar="DIR",
        help="int8 only: pictures, folders or patterns to measure ranges on; 50 or more are good",
    )
    parser.add_argument(
        "--check",
        nargs="+",
        default=[],
        metavar="DIR",
        help="pictures, folders or patterns to compare on, beside the bundled ones",
    )


def run(args: argparse.Namespace) -> int:
    """Export, and print the certificate."""
    from movenet.silence import silence

    try:
        with silence(*(() if args.debug else (1, 2))):  # converters talk a lot
            certificate = lifting(args) if args.model in MODELS.values() else seeing(args)
    except ValueError as error:
        print(f"movenet: {error}", file=sys.stderr)
        return 2
    print(certificate.table())
    return 0


def seeing(args: argparse.Namespace) -> "Certificate":
    """Of a network that sees pictures."""
    import movenet
    from movenet.export import export

    return export(
        movenet.load(args.model, weights=args.weights),
        args.format,
        args.out,
        precision=args.precision,
        shapes=args.shape,
        heads=args.heads,
        calibration=args.calibration,
        check=args.check,
    )


def lifting(args: argparse.Namespace) -> "LiftingCertificate":
    """Of a network that lifts; ValueError for an option that it has no use for."""
    from movenet.lifting.export import export

    for option in PICTURES:
        if getattr(args, option):
            raise ValueError(f"--{option}: {args.model} sees no pictures; leave it out")
    return export(args.model, args.format, args.out, precision=args.precision, weights=args.weights)
