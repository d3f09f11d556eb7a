"""How the commands of this folder end: a mistake is one line."""

import sys
from collections.abc import Callable

from movenet.errors import MoveNetError


def ended(main: Callable[[], int]) -> int:
    """What `main` gives; 1, and one line that says what is wrong, after a MoveNetError."""
    try:
        return main()
    except MoveNetError as error:
        print(error, file=sys.stderr)
        return 1
