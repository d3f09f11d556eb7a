"""Convert Google's files, or the earlier port's, to weights for this package.

FILE is a TensorFlow.js model.json (its shards beside it), a TFLite file (float32, float16 or
int8) or a .pth state dict of the earlier port. Use the result with
movenet.load("lightning", weights="weights.safetensors").
Tried on Google's own files: TensorFlow.js Lightning and Thunder version 4 and MultiPose version 1,
TFLite int8 Lightning version 4. Tried on files converted from these: TFLite float32 and float16 of
all three. Supported by their structure, but never seen: version 3, Google's other TFLite files, and
the earlier port's own weights.
"""

import argparse
from pathlib import Path


def add_options(parser: argparse.ArgumentParser) -> None:
    """FILE and --out."""
    parser.add_argument("file", type=Path, metavar="FILE", help="what to read")
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="WEIGHTS",
        help="the .safetensors file to write",
    )


def run(args: argparse.Namespace) -> int:
    """Read, write, and say what was done with every tensor."""
    from movenet import convert, weights

    converted = convert.read(args.file)
    weights.build(converted.spec, converted.tensors, str(args.file))
    weights.save(args.out, converted.spec, converted.tensors, args.file.name)
    count = sum(value.size for value in converted.tensors.values())
    print(f"{args.file}: {converted.source_format}, {converted.spec.name}")
    print(f"{args.out}: {len(converted.tensors)} tensors, {count:,} parameters")
    reasons: dict[str, int] = {}
    for reason in converted.unused.values():
        reasons[reason] = reasons.get(reason, 0) + 1
    for reason, number in sorted(reasons.items()):
        print(f"not taken: {number} x {reason}")
    return 0
