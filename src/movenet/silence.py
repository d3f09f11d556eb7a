"""Keep libraries from talking past Python to the terminal."""

import contextlib
import os
import sys
import threading
from collections.abc import Iterator

_lock = threading.Lock()
_kept: dict[int, int] = {}  # a copy of each silenced descriptor
_depth: dict[int, int] = {}  # how many callers want it silent


@contextlib.contextmanager
def silence(*descriptors: int) -> Iterator[None]:
    """Send what is written to these descriptors (1 stdout, 2 stderr) to nowhere, from C++ too.

    For the whole process: several threads may ask at once, and the last one out ends it.
    """
    with _lock:
        _flush()
        for descriptor in descriptors:
            _silence(descriptor)
    try:
        yield
    finally:
        with _lock:
            _flush()
            for descriptor in descriptors:
                _restore(descriptor)


def _silence(descriptor: int) -> None:
    _depth[descriptor] = _depth.get(descriptor, 0) + 1
    if _depth[descriptor] > 1:
        return
    with contextlib.suppress(OSError):  # a program without that stream
        _kept[descriptor] = os.dup(descriptor)
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), descriptor)


def _restore(descriptor: int) -> None:
    _depth[descriptor] -= 1
    if _depth[descriptor] or descriptor not in _kept:
        return
    copy = _kept.pop(descriptor)
    os.dup2(copy, descriptor)
    os.close(copy)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
