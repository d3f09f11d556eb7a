"""Keep libraries from talking past Python to the terminal."""

import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def silence(*descriptors: int) -> Iterator[None]:
    """Send what is written to these descriptors (1 stdout, 2 stderr) to nowhere, from C++ too."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    kept: list[tuple[int, int]] = []
    try:
        with open(os.devnull, "w") as nowhere:
            for descriptor in descriptors:
                with contextlib.suppress(OSError):  # a program without that stream
                    kept.append((descriptor, os.dup(descriptor)))
                    os.dup2(nowhere.fileno(), descriptor)
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        for descriptor, copy in kept:
            os.dup2(copy, descriptor)
            os.close(copy)
