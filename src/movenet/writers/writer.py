"""What every writer of poses does."""

from types import TracebackType
from typing import Any, Protocol, TypeVar

from movenet.poses import Poses

W = TypeVar("W", bound="Writer")


class Writer(Protocol):
    """A file, or files, of poses. Made: the place was tried. Used in a `with`: it is finished.

    Everything raises MoveNetError, one line, where the place cannot be written.
    """

    def write(self, poses: Poses, **more: Any) -> None:
        """Add a frame. Further entries (`source="a.jpg"`) go where a format has room for them."""
        ...

    def close(self) -> None:
        """Finish the file; again is no error."""
        ...

    def __enter__(self: W) -> W:
        """The writer itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finish the file, after an error and Ctrl-C too."""
        self.close()


def frame_index(poses: Poses) -> int:
    """The index of the frame; ValueError where it has none."""
    if poses.frame_index is None:
        raise ValueError("poses must have a frame_index to be written in this format")
    return poses.frame_index
