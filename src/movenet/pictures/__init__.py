"""The pictures that come with the package, for the demo, the tests and `movenet verify`.

CREDITS.md beside them says where they come from.
"""

from pathlib import Path

NAMES = ("astronaut", "camera", "two_people")


def path(name: str) -> Path:
    """Where the picture of that name lies."""
    return Path(__file__).parent / f"{name}.png"
