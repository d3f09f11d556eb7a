"""MediaPipe's BlazePose "full", which its package carries: whole frames to 33 landmarks.

Argument: JSON with `threads`, `static`, `pictures` (a file of raw uint8 frames, RGB) and their
`shape`. MediaPipe has no setting for threads: the process is held to as many cores. Runs in an
environment of its own, so it imports nothing of this package.
"""

import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from serve import begin, serve


def main() -> None:
    """Serve one mode."""
    given, answers = begin()
    if not hasattr(os, "sched_setaffinity"):
        sys.exit("this system cannot hold a process to some of the cores")
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: given["threads"]])
    # After that: it counts the cores when it is imported.
    import mediapipe  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415

    pose = mediapipe.solutions.pose.Pose(static_image_mode=given["static"], model_complexity=1)

    def run(frame: Any) -> Any:
        found = pose.process(frame).pose_landmarks
        if found is None:
            sys.exit("finds nobody in the frame")
        return found

    frames = np.fromfile(Path(given["pictures"]), np.uint8).reshape(-1, *given["shape"])
    serve(answers, f"MediaPipe {version('mediapipe')}", run, list(frames))


if __name__ == "__main__":
    main()
