"""What every Python worker here does with its standard input; `interleave.py` is the other side."""

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any, TextIO, TypeVar

P = TypeVar("P")


def begin() -> tuple[dict[str, Any], TextIO]:
    """The worker's only argument, JSON, and where its answers go.

    From here on what a library prints goes to stderr: it is no answer.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return json.loads(sys.argv[1]), answers


def serve(
    answers: TextIO,
    runtime: str,
    run: Callable[[P], Any],
    pictures: Sequence[P],
    compared: Sequence[P] = (),
) -> None:
    """Answer until the input ends. `run` is timed on the pictures in turn.

    "outputs" answers with the arrays that `run` gives for `compared`.
    """
    for picture in pictures:
        run(picture)
    print(json.dumps({"runtime": runtime}), file=answers, flush=True)
    turn = count()
    for line in sys.stdin:
        answer: list[Any] = []
        if line.startswith("run "):
            for _ in range(int(line.split()[1])):
                picture = pictures[next(turn) % len(pictures)]
                start = time.perf_counter()
                run(picture)
                answer.append(round((time.perf_counter() - start) * 1000, 4))
        else:
            answer = [run(picture).tolist() for picture in compared]
        print(json.dumps(answer), file=answers, flush=True)
