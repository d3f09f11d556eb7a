"""List the models, and the networks that lift: input, size, arithmetic, people, file, licence."""

import argparse

from movenet.specs import SPECS


def add_options(parser: argparse.ArgumentParser) -> None:
    """None."""


def run(args: argparse.Namespace) -> int:
    """Print both tables."""
    seeing()
    print()
    lifting()
    return 0


def seeing() -> None:
    """Of the models that see pictures."""
    from movenet import weights

    print(
        f"{'model':<10} {'input':>7} {'people':>6} {'parameters':>10} {'multiply-adds':>13}"
        f" {'MB':>5}  {'licence':<10}  file"
    )
    for name, entry in weights.manifest().items():
        spec = SPECS[name]
        print(
            f"{name:<10} {f'{spec.side}x{spec.side}':>7} {spec.people:>6} {entry.parameters:>10,}"
            f" {entry.multiply_adds / 1e6:>11,.0f} M {entry.path.stat().st_size / 1e6:>5.1f}"
            f"  {entry.licence:<10}  {entry.file}"
        )
    print("\nAny height and width that divide by 32 will do; the input above is the published one.")


def lifting() -> None:
    """Of the networks that make bodies in three dimensions of keypoints."""
    from movenet.lifting import shipped
    from movenet.lifting.specs import MODELS, RATE

    print(f"{'lifting':<12} {'frames':>6} {'parameters':>10} {'MB':>5}  {'licence':<10}  file")
    rows = shipped.manifest()
    for kind, name in MODELS.items():
        entry = rows[kind]
        size = (shipped.FOLDER / entry.file).stat().st_size
        print(
            f"{name:<12} {entry.receptive_field:>6} {entry.parameters:>10,} {size / 1e6:>5.1f}"
            f"  {entry.licence:<10}  {entry.file}"
        )
    print(f"\nFrames are {RATE:g} a second: lift-causal sees the last, lift-centred those around.")
