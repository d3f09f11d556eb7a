"""Work that overlaps: items made ahead of their use, and items used up behind it.

Both keep the order, hold few items at a time, and hand an exception on to the one who waits. A
waiting thread sleeps; it looks up twice a second, because Windows answers Ctrl-C only then.
"""

import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Generic, TypeVar

T = TypeVar("T")

LOOK_UP_S = 0.5  # how long Ctrl-C may wait on Windows
GRACE_S = 5.0  # how long a thread that was told to stop is waited for

_Made = tuple[T | None, BaseException | None]


def ahead(items: Iterable[T], depth: int) -> Generator[T, None, None]:
    """The items, in order, made by a thread that is at most `depth` ahead.

    At most `depth` items (at least 1) are made or wait, beside the one in use. An exception comes
    at its place, after the items before it. The thread starts with the first item that is asked
    for. When the iterator is closed, by a `break` too, the thread stops as soon as the item it is
    at is made (one that takes over five seconds is not waited for). It closes `items` at the end
    where they have a `close`, as generators do.
    """
    if depth < 1:
        raise ValueError(f"depth must be at least 1, not {depth}")
    return _ahead(iter(items), depth)


def _ahead(items: Iterator[T], depth: int) -> Generator[T, None, None]:
    room: SimpleQueue[None] = SimpleQueue()
    made: SimpleQueue[_Made[T]] = SimpleQueue()
    stopped = threading.Event()
    for _ in range(depth):
        room.put(None)
    thread = threading.Thread(
        target=_make, args=(items, room, made, stopped), name="ahead", daemon=True
    )
    try:
        thread.start()
        yield from _given(room, made)
    finally:
        stopped.set()
        room.put(None)
        # A garbage collection in the thread itself may close us; Ctrl-C may come as it starts.
        if thread.is_alive() and thread is not threading.current_thread():
            thread.join(GRACE_S)


def _make(
    items: Iterator[T],
    room: "SimpleQueue[None]",
    made: "SimpleQueue[_Made[T]]",
    stopped: threading.Event,
) -> None:
    """The thread's work. The end of the items is handed on as the StopIteration that it is."""
    while room.get() is None and not stopped.is_set():
        try:
            made.put((next(items), None))
        except BaseException as error:
            made.put((None, error))
            break
    close = getattr(items, "close", None)
    if close is not None:
        close()


def _given(room: "SimpleQueue[None]", made: "SimpleQueue[_Made[T]]") -> Iterator[T]:
    while True:
        item, error = _next_of(made)
        if error is not None:
            break
        room.put(None)
        yield item  # type: ignore[misc]  # None only beside an error, or where items are None
        del item  # not kept alive while the next is waited for
    try:
        if not isinstance(error, StopIteration):
            raise error
    finally:
        del error  # its traceback holds this frame


def _next_of(queue: "SimpleQueue[T]") -> T:
    while True:
        try:
            return queue.get(timeout=LOOK_UP_S)
        except Empty:
            pass


class Behind(Generic[T]):
    """Calls a function on items in a thread of its own, in order; at most `depth` wait.

    Use it in a `with`. What was put is finished when it ends, also where the body raised. After
    the function has raised, it is not called again, and `put` and `close` raise what it raised.
    """

    def __init__(self, function: Callable[[T], object], depth: int) -> None:
        """`depth`: at least 1."""
        if depth < 1:
            raise ValueError(f"depth must be at least 1, not {depth}")
        self._function = function
        self._room: SimpleQueue[None] = SimpleQueue()
        self._waiting: SimpleQueue[tuple[T] | None] = SimpleQueue()  # None: no more will come
        self._error: BaseException | None = None
        self._dropped = self._closed = False
        self._done = threading.Event()
        for _ in range(depth):
            self._room.put(None)
        self._thread = threading.Thread(target=self._work, name="behind", daemon=True)
        self._thread.start()

    def put(self, item: T) -> None:
        """Hand an item over; waits while `depth` are waiting. Raises what the function raised."""
        if self._closed:
            raise ValueError("it is closed; nothing can be put any more")
        self._raise()
        _next_of(self._room)
        self._waiting.put((item,))

    def close(self) -> None:
        """Wait until all is done; raises what the function raised. Again is no error.

        An interruption (Ctrl-C) drops what waits; only the call at work is waited for.
        """
        self._finish()
        self._raise()

    def __enter__(self) -> "Behind[T]":
        """The object itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finish what was put. An exception of the body goes first, or one of the function."""
        self._finish()
        if error is None:
            self._raise()

    def _finish(self) -> None:
        if not self._closed:
            self._closed = True
            self._waiting.put(None)
        try:
            # Not join: up to Python 3.12 an interrupted one takes the thread for ended.
            while not self._done.wait(LOOK_UP_S):
                pass
        except BaseException:
            self._dropped = True
            raise
        finally:
            self._thread.join(GRACE_S)

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        while (waiting := self._waiting.get()) is not None:
            self._room.put(None)
            if self._error is None and not self._dropped:
                try:
                    self._function(waiting[0])
                except BaseException as error:
                    self._error = error
            del waiting  # not kept alive while the next is waited for
        self._done.set()
