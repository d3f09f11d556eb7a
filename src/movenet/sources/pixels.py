"""Decoded frames -> upright RGB.

What is settled here:
- The matrix from Y'CbCr is the one that the file is tagged with. Untagged, it is BT.709 for 1280
  columns or more, or more than 576 lines, and BT.601 below, as in the mpv player (csputils.c,
  mp_csp_guess_colorspace). The range is the tagged one, 16..235 without a tag.
- The display matrix is applied: phones turn and mirror with it.
- Transparency is laid over white, as `movenet.images` does it.
- Pixels are the coded ones: where they are not square (sample aspect ratio), nothing is stretched.
  High dynamic range (PQ, HLG) is not mapped to the usual one: such pictures look flat.
"""

import math
from collections.abc import Callable
from typing import Any

import av
import cv2
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from movenet import images

# AVColorSpace (libavutil/pixfmt.h) -> SWS_CS_* (libswscale/swscale.h). What is not here, libswscale
# cannot convert (YCgCo, ICtCp) or says nothing (0 is RGB, 2 unspecified): as untagged.
_MATRICES = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}
_BT709, _BT601 = 1, 5

Matrix = tuple[float, float, float, float]
Converter = Callable[[av.VideoFrame], NDArray[np.uint8]]


def converter() -> Converter:
    """A function that makes (H, W, 3) uint8 RGB, C-contiguous, of frames of any size and format.

    One a stream, because what it prepares for a size and format is kept. The arrays are the
    caller's: no later frame is written into them.
    """
    reformatter = VideoReformatter()
    # By rotation, since a frame whose side data is looked at stays in memory until Python's garbage
    # collection comes round: in PyAV the two hold each other.
    matrices: dict[int, Matrix | None] = {}

    def convert(frame: av.VideoFrame) -> NDArray[np.uint8]:
        channels = 4 if any(c.is_alpha for c in frame.format.components) else 3
        plain = reformatter.reformat(
            frame, format="rgba" if channels == 4 else "rgb24", src_colorspace=_matrix(frame)
        )
        if frame.rotation not in matrices:
            matrices[frame.rotation] = display_matrix(frame)
        plane: Any = plain.planes[0]  # a buffer
        rows = np.frombuffer(plane, np.uint8).reshape(plain.height, plane.line_size)
        image = rows[:, : plain.width * channels].reshape(plain.height, plain.width, channels)
        return images.read(upright(image, matrices[frame.rotation]))

    return convert


def _matrix(frame: av.VideoFrame) -> int:
    large = frame.width >= 1280 or frame.height > 576
    return _MATRICES.get(int(frame.colorspace), _BT709 if large else _BT601)


def display_matrix(frame: av.VideoFrame) -> Matrix | None:
    """(a, b, c, d) of the frame's display matrix: x' = a x + c y, y' = b x + d y.

    Layout: libavutil/display.h, nine int32, row by row a b u, c d v, x y w.
    """
    try:
        side: Any = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:  # PyAV does not know every kind of side data that FFmpeg gives
        radians = math.radians(frame.rotation)  # counterclockwise, without the mirror
        cos, sin = math.cos(radians), math.sin(radians)
        return cos, -sin, sin, cos
    if side is None:
        return None
    a, b, _, c, d = np.frombuffer(bytes(side), np.int32)[:5].tolist()
    return a, b, c, d


def upright(image: NDArray[np.uint8], matrix: Matrix | None) -> NDArray[np.uint8]:
    """The picture as it is to be shown, (H, W, C) -> (H, W, C) or (W, H, C).

    Quarter turns and mirrors only; another angle is taken as the nearest of these.
    """
    if matrix is None:
        return image
    a, b, c, d = matrix
    turned = abs(b) > abs(a)  # columns become rows
    if turned:
        image = cv2.transpose(image)  # type: ignore[assignment]
    flips = ((c if turned else a) < 0, (b if turned else d) < 0)  # left-right, up-down
    code = {(True, False): 1, (False, True): 0, (True, True): -1}.get(flips)  # cv2.flip's
    return image if code is None else cv2.flip(image, code)  # type: ignore[return-value]
