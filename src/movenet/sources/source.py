"""What every source of frames does."""

from collections.abc import Iterator
from types import TracebackType
from typing import Protocol, TypeVar

from movenet.frame import Frame

S = TypeVar("S", bound="Source")


class Source(Protocol):
    """Frames, one after the other. Use it in a `with`, or call `close`.

    name: for messages: "clip.mp4", "camera 0". live: the frames come when they come, and only
    once; other sources begin anew with each iteration. rate: frames a second as announced, of all
    frames, whatever the stride. count: how many frames will come, as announced; an estimate.
    """

    name: str
    live: bool
    rate: float | None
    count: int | None

    def __iter__(self) -> Iterator[Frame]:
        """Give the frames."""
        ...

    def close(self) -> None:
        """End every reading of it; again is no error."""
        ...

    def __enter__(self: S) -> S:
        """The source itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()
