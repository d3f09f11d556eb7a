"""Work that overlaps."""

import _thread
import gc
import signal
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from movenet import overlap
from movenet.overlap import Behind, ahead

depths = st.integers(1, 4)
SOON_S = 5.0  # a limit for what takes milliseconds


class BreakError(Exception):
    """Of the tests alone."""


class Item:
    """Something that a weak reference can point to."""


def until(true: Callable[[], bool]) -> None:
    """Wait for what another thread is about to do."""
    end = time.monotonic() + SOON_S
    while not true():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.001)


def at_rest(value: Callable[[], int]) -> int:
    """The value once it stays."""
    seen = value()
    for _ in range(1000):
        time.sleep(0.03)
        if value() == seen:
            return seen
        seen = value()
    raise AssertionError("it never rests")


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    gc.collect()  # iterators that a traceback held
    assert set(threading.enumerate()) <= before


# ahead


@given(st.lists(st.none() | st.integers()), depths)
def test_what_comes_is_what_was_given_in_order(items: list[Any], depth: int) -> None:
    assert list(ahead(items, depth)) == items


@given(st.integers(0, 12), depths, st.sampled_from([BreakError, KeyboardInterrupt, GeneratorExit]))
def test_an_exception_comes_after_the_items_before_it(
    count: int, depth: int, kind: type[BaseException]
) -> None:
    def items() -> Iterator[int]:
        yield from range(count)
        raise kind

    got: list[int] = []
    with pytest.raises(kind):
        got.extend(ahead(items(), depth))
    assert got == list(range(count))


@given(st.integers(0, 12), st.integers(1, 12), depths)
def test_never_more_than_the_depth_is_made_ahead(count: int, taken: int, depth: int) -> None:
    made = asked = 0
    too_many = []

    def items() -> Iterator[int]:
        nonlocal made
        for item in range(count):
            made += 1
            # What was asked for may have been given already: it counts as in use.
            if made > asked + depth:
                too_many.append(item)
            yield item

    iterator = ahead(items(), depth)
    for _ in range(min(taken, count)):
        asked += 1
        next(iterator)
    iterator.close()
    assert not too_many


def test_a_full_depth_is_made_while_one_item_is_in_use() -> None:
    living: list[weakref.ref[Item]] = []

    def items() -> Iterator[Item]:
        while True:
            item = Item()
            living.append(weakref.ref(item))
            yield item
            del item

    iterator = ahead(items(), 3)
    for _ in range(5):
        in_use = next(iterator)
        assert at_rest(lambda: sum(ref() is not None for ref in living)) == 3 + 1
    assert in_use is living[4]()
    iterator.close()


@given(st.integers(0, 3), depths)
def test_a_break_ends_the_thread_and_closes_the_items(taken: int, depth: int) -> None:
    closed_in: list[threading.Thread] = []

    def items() -> Iterator[int]:
        try:
            number = 0
            while True:
                yield number
                number += 1
        finally:
            closed_in.append(threading.current_thread())

    for item in ahead(items(), depth):
        if item == taken:
            break
    assert [thread.name for thread in closed_in] == ["ahead"]
    assert not closed_in[0].is_alive()


def test_items_that_nobody_asks_for_start_no_thread() -> None:
    before = threading.active_count()
    iterator = ahead(iter([1]), 1)
    assert threading.active_count() == before
    assert list(iterator) == [1]


def test_items_that_never_come_are_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overlap, "GRACE_S", 0.05)
    go_on = threading.Event()

    def items() -> Iterator[int]:
        yield 0
        go_on.wait()

    iterator = ahead(items(), 1)
    next(iterator)
    start = time.monotonic()
    iterator.close()
    assert time.monotonic() - start < SOON_S
    go_on.set()
    until(lambda: all(thread.name != "ahead" for thread in threading.enumerate()))


def test_making_and_using_overlap() -> None:
    """Each waits for the other, so that one after the other would never end."""
    made, used = threading.Semaphore(0), threading.Semaphore(0)

    def items() -> Iterator[int]:
        for item in range(5):
            if item:
                assert used.acquire(timeout=SOON_S)
            yield item
            made.release()

    got = []
    for item in ahead(items(), 1):
        got.append(item)
        assert made.acquire(timeout=SOON_S)  # the thread has come back for the next
        used.release()
    assert got == [0, 1, 2, 3, 4]


def test_an_item_is_let_go_while_the_next_is_waited_for() -> None:
    def items() -> Iterator[Item]:
        item = Item()
        gone = weakref.ref(item)
        yield item
        del item
        until(lambda: gone() is None)
        yield Item()

    iterator = ahead(items(), 1)
    next(iterator)
    next(iterator)
    iterator.close()


def test_ctrl_c_ends_the_wait_for_an_item(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where it does not wake a thread, as on Windows: `interrupt_main` sets a flag only."""
    monkeypatch.setattr(overlap, "LOOK_UP_S", 0.05)
    monkeypatch.setattr(overlap, "GRACE_S", 0.05)
    go_on, in_time = threading.Event(), []

    def items() -> Iterator[int]:
        yield 0
        time.sleep(0.02)
        _thread.interrupt_main()
        in_time.append(go_on.wait(SOON_S))

    iterator = ahead(items(), 1)
    next(iterator)
    interrupted = False
    try:
        next(iterator)
    except KeyboardInterrupt:
        interrupted = True
    go_on.set()
    until(lambda: bool(in_time))
    assert interrupted
    assert in_time == [True]
    until(lambda: all(thread.name != "ahead" for thread in threading.enumerate()))


# Behind


@given(st.lists(st.none() | st.integers()), depths)
def test_the_function_sees_everything_in_order(items: list[Any], depth: int) -> None:
    seen: list[Any] = []
    with Behind(seen.append, depth) as behind:
        for item in items:
            behind.put(item)
    assert seen == items


@given(st.integers(0, 12), st.integers(0, 12), depths)
def test_what_the_function_raises_reaches_the_one_who_puts(
    count: int, bad: int, depth: int
) -> None:
    seen: list[int] = []

    def function(item: int) -> None:
        seen.append(item)
        if item == bad:
            raise BreakError

    def work() -> None:
        with Behind(function, depth) as behind:
            for item in range(count):
                behind.put(item)

    if bad < count:
        with pytest.raises(BreakError):
            work()
    else:
        work()
    assert seen == list(range(min(bad + 1, count)))


def test_after_a_failure_every_call_raises_it() -> None:
    def function(item: int) -> None:
        raise BreakError

    behind: Behind[int] = Behind(function, 1)
    behind.put(0)
    until(lambda: behind._error is not None)
    for _ in range(3):
        with pytest.raises(BreakError):
            behind.put(0)
    for _ in range(2):
        with pytest.raises(BreakError):
            behind.close()


@given(st.integers(1, 8), depths)
def test_what_was_put_is_finished_though_the_body_raised(count: int, depth: int) -> None:
    seen: list[int] = []

    def work() -> None:
        with Behind(seen.append, depth) as behind:
            for item in range(count):
                behind.put(item)
            raise BreakError

    with pytest.raises(BreakError):
        work()
    assert seen == list(range(count))


def test_an_error_of_the_body_goes_before_one_of_the_function() -> None:
    def function(item: int) -> None:
        raise ZeroDivisionError

    def work() -> None:
        with Behind(function, 1) as behind:
            behind.put(0)
            raise BreakError

    with pytest.raises(BreakError):
        work()


@given(depths)
def test_the_depth_waits_beside_the_item_at_work(depth: int) -> None:
    go_on, put = threading.Event(), 0

    def function(item: int) -> None:
        go_on.wait(SOON_S)

    def work() -> None:
        nonlocal put
        with Behind(function, depth) as behind:
            for item in range(2 * depth + 3):
                behind.put(item)
                put += 1

    thread = threading.Thread(target=work)
    thread.start()
    until(lambda: put == depth + 1)
    time.sleep(0.02)
    assert put == depth + 1
    go_on.set()
    thread.join()
    assert put == 2 * depth + 3


def test_items_that_are_done_are_let_go() -> None:
    done = threading.Semaphore(0)

    def function(item: Item) -> None:
        done.release()

    with Behind(function, 2) as behind:
        item = Item()
        gone = weakref.ref(item)
        behind.put(item)
        del item
        assert done.acquire(timeout=SOON_S)
        until(lambda: gone() is None)


def test_ctrl_c_while_closing_drops_what_waits_and_ends_the_call_at_work() -> None:
    seen: list[int] = []
    at_work = threading.Event()

    def function(item: int) -> None:
        at_work.set()
        time.sleep(0.1)
        seen.append(item)

    behind: Behind[int] = Behind(function, 3)
    for item in range(3):
        behind.put(item)
    assert at_work.wait(SOON_S)
    main = threading.main_thread().ident
    assert main is not None
    threading.Timer(0.02, signal.pthread_kill, (main, signal.SIGINT)).start()
    interrupted = False
    try:
        behind.close()
    except KeyboardInterrupt:
        interrupted = True
    assert interrupted
    assert seen == [0]


def test_nothing_can_be_put_after_the_end() -> None:
    behind: Behind[int] = Behind(print, 1)
    behind.close()
    with pytest.raises(ValueError, match="closed"):
        behind.put(0)


@pytest.mark.parametrize("make", [lambda: ahead([], 0), lambda: Behind(print, 0)])
def test_a_depth_is_at_least_one(make: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match="depth must be at least 1, not 0"):
        make()


def test_waiting_costs_no_processor_time() -> None:
    go_on = threading.Event()

    def items() -> Iterator[int]:
        yield 0
        go_on.wait(SOON_S)

    used: list[int] = []
    with Behind(used.append, 1) as behind:
        iterator = ahead(items(), 1)
        behind.put(next(iterator))
        before = time.process_time()
        threading.Timer(0.6, go_on.set).start()
        assert list(iterator) == []
        assert time.process_time() - before < 0.04
