"""The newest of what comes when it comes."""

import threading
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")

_TICK_S = 0.2  # on Windows a lock that is waited for without end cannot be interrupted
_PATIENCE_S = 15.0  # longer than a read may take (a V4L2 camera: 10 s)


class Newest(Generic[T]):
    """A thread that draws from a generator and keeps only its newest item.

    Iterating gives each item at most once, waits until there is a newer one, and ends or raises
    as the generator does. Who takes longer than the items come gets fewer, never older ones.
    """

    def __init__(self, produce: Callable[[threading.Event], Iterator[T]], name: str) -> None:
        """Start the thread. `produce` makes the generator; it should end when the event is set."""
        self._stopped = threading.Event()
        self._changed = threading.Condition()
        self._items: list[T] = []  # none or one
        self._done = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(
            target=self._run, args=(produce,), name=f"movenet {name}", daemon=True
        )
        self._thread.start()

    def _run(self, produce: Callable[[threading.Event], Iterator[T]]) -> None:
        try:
            for item in produce(self._stopped):
                with self._changed:
                    self._items = [item]
                    self._changed.notify_all()
                if self._stopped.is_set():
                    break
        except BaseException as error:
            self._error = error  # raised where the items are taken
        with self._changed:
            self._done = True
            self._changed.notify_all()

    def __iter__(self) -> Iterator[T]:
        """Each newest item, once."""
        while True:
            with self._changed:
                while not (self._items or self._done):
                    self._changed.wait(_TICK_S)
                if not self._items or self._stopped.is_set():
                    break
                item = self._items.pop()
            yield item
        if self._error is not None and not self._stopped.is_set():
            raise self._error

    def close(self) -> bool:
        """End the thread; whether it has ended (a driver may hang in a read)."""
        self._stopped.set()
        if self._thread is not threading.current_thread():
            self._thread.join(_PATIENCE_S)
        return not self._thread.is_alive()
