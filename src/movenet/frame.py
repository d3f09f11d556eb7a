"""One picture of a stream, and when it was taken."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A picture of a video, camera or stream.

    image (H, W, 3) uint8 RGB, upright. index: its place in the source, from 0, whatever was left
    out before it. timestamp_s: when it is shown, in seconds of the source's own clock (a file's
    begins at 0; a camera's and a stream's at its first frame); it rises from frame to frame.
    """

    image: NDArray[np.uint8]
    index: int
    timestamp_s: float
