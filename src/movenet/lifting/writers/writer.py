"""What every writer of bodies does."""

from typing import Any, Protocol

from movenet.lifting.bodies import Bodies
from movenet.writers.writer import Output


class BodiesWriter(Output, Protocol):
    """An output of bodies."""

    def write(self, bodies: Bodies, **more: Any) -> None:
        """Add a frame. Further entries (`source="a.jpg"`) go where a format has room for them."""
        ...
