"""List the models: input, size, arithmetic, people, file, licence."""

import argparse

from movenet.specs import SPECS


def add_options(parser: argparse.ArgumentParser) -> None:
    """None."""


def run(args: argparse.Namespace) -> int:
    """Print the table."""
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
    return 0
