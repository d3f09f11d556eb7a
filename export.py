"""Convert MoveNet from PyTorch to TFLite, as the earlier port's export.py was meant to do.

    python export.py --model movenet_lightning        writes lightning.tflite, and its certificate

`movenet export` is the same with more formats and options.
"""

import argparse

from movenet.cli import main

MODELS = ("movenet_lightning", "movenet_thunder", "movenet_multipose")


def arguments() -> list[str]:
    """What to ask of `movenet export`."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--model", choices=MODELS, default=MODELS[0], help=f"default: {MODELS[0]}")
    parser.add_argument("--out", help="the file to write (default: NAME.tflite, here)")
    args = parser.parse_args()
    out = ["--out", args.out] if args.out else []
    return ["export", "--format", "litert", "--model", args.model.removeprefix("movenet_"), *out]


if __name__ == "__main__":
    raise SystemExit(main(arguments()))
