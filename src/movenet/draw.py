"""Poses on pictures: skeletons, boxes and ids, from arrays to a new array."""

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from movenet.keypoints import EDGES, SIDES

# RGB. Orange and sky blue of Okabe and Ito's palette (jfly.uni-koeln.de/color), which the
# colour-blind tell apart; white between them. Each on a dark rim, so that it shows on any ground.
LEFT, RIGHT, MIDDLE, RIM = (230, 159, 0), (86, 180, 233), (255, 255, 255), (24, 24, 24)

_COLOURS = {-1: LEFT, 0: MIDDLE, 1: RIGHT}  # by side, of the person
_KEYPOINT_COLOURS = tuple(_COLOURS[side] for side in SIDES)
# An edge from the middle to a side (nose to eye) belongs to the side; shoulder to shoulder to none.
_EDGE_COLOURS = tuple(_COLOURS[int(np.sign(SIDES[a] + SIDES[b]))] for a, b in EDGES)
_EDGES = np.array(EDGES)  # (18, 2)
_BOX = np.array([[[0, 1], [2, 1]], [[2, 1], [2, 3]], [[2, 3], [0, 3]], [[0, 3], [0, 1]]])

_LINES = 240  # a line is this part of the picture's side (the mean of both, geometric) wide
_DOT = 1.3  # radius of a keypoint, in line widths
_RIM = 0.25  # width of the dark rim, in line widths, at least a pixel
_TEXT = 7.0  # height of an id, in line widths
_TEXT_PX = 10  # and at least this many pixels: smaller figures cannot be read
_SHIFT = 4  # cv2 takes coordinates in 1/16 pixels
_FAR = 1e9  # float64 still holds 1e-6 pixels here; what lies further off is drawn from here

Colour = tuple[int, int, int]


def draw(
    image: NDArray[np.uint8],
    keypoints: NDArray[np.floating],
    keypoint_scores: NDArray[np.floating],
    *,
    keypoint_threshold: float = 0.3,
    boxes: NDArray[np.floating] | None = None,
    ids: NDArray[np.integer] | None = None,
) -> NDArray[np.uint8]:
    """Draw people on a copy of a picture; the left side is orange, the right one sky blue.

    image: (H, W, 3) uint8 RGB. keypoints: (P, 17, 2), x and y in picture pixels (the first pixel's
    centre is 0.5, 0.5). keypoint_scores: (P, 17); what is not over `keypoint_threshold` is left
    out, and an edge needs both ends. boxes: (P, 4), x1, y1, x2, y2. ids: (P,). Everything may lie
    outside of the picture; what is not finite is left out.

    -> (H, W, 3) uint8 RGB. Raises ValueError for other shapes.
    """
    people = _checked(image, keypoints, keypoint_scores, boxes, ids)
    canvas = np.array(image, order="C")
    width = line_width(canvas.shape[0], canvas.shape[1])
    xy = np.asarray(keypoints, np.float64)
    visible = (np.asarray(keypoint_scores) > keypoint_threshold) & np.isfinite(xy).all(-1)
    # The most certain person comes first; drawn last, that one is on top.
    for person in reversed(range(people)):
        if boxes is not None and np.isfinite(boxes[person]).all():
            box = np.asarray(boxes[person], np.float64)
            _strokes(canvas, box[_BOX], [MIDDLE] * 4, max(1, width // 2))
        _skeleton(canvas, xy[person], visible[person], width)
    if ids is None:
        return canvas
    # Over everybody: who stands behind another has an id that can be read.
    for person in reversed(range(people)):
        seen = xy[person][visible[person]]
        at = _above(seen, None if boxes is None else np.asarray(boxes[person], np.float64))
        if at is not None:
            label(canvas, str(ids[person]), at, width, seen)
    return canvas


def line_width(height: int, width: int) -> int:
    """Pixels: 1 at 64 x 64, 2 at 640 x 480, 14 at 4000 x 3000."""
    return max(1, round(math.sqrt(height * width) / _LINES))


def _checked(
    image: NDArray[np.uint8],
    keypoints: NDArray[np.floating],
    scores: NDArray[np.floating],
    boxes: NDArray[np.floating] | None,
    ids: NDArray[np.integer] | None,
) -> int:
    """The number of people, once all shapes agree on it."""
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise ValueError(f"image: expected (H, W, 3) uint8, got {image.shape} {image.dtype}")
    people = len(keypoints)
    for what, array, shape in (
        ("keypoints", keypoints, (people, 17, 2)),
        ("keypoint_scores", scores, (people, 17)),
        ("boxes", boxes, (people, 4)),
        ("ids", ids, (people,)),
    ):
        if array is not None and np.shape(array) != shape:
            raise ValueError(f"{what}: expected {shape}, got {np.shape(array)}")
    return people


def _skeleton(
    canvas: NDArray[np.uint8], xy: NDArray[np.float64], visible: NDArray[np.bool_], width: int
) -> None:
    """Edges, then keypoints, of one person; xy: (17, 2), visible: (17,)."""
    drawn = np.flatnonzero(visible[_EDGES].all(1))
    _strokes(canvas, xy[_EDGES[drawn]], [_EDGE_COLOURS[edge] for edge in drawn], width)
    radius = _DOT * width
    margin = radius + _rim(width) + 1
    near = visible & ((xy > -margin) & (xy < _size(canvas) + margin)).all(1)
    for rim in (_rim(width), 0):
        for keypoint in np.flatnonzero(near):
            colour = RIM if rim else _KEYPOINT_COLOURS[keypoint]
            at, size = _fixed(xy[keypoint]), round((radius + rim) * 2**_SHIFT)
            cv2.circle(canvas, at, size, colour, cv2.FILLED, cv2.LINE_AA, _SHIFT)


def _strokes(
    canvas: NDArray[np.uint8],
    segments: NDArray[np.float64],
    colours: Sequence[Colour],
    width: int,
) -> None:
    """Segments (N, 2, 2), x and y of both ends, each with a rim; all the rims first."""
    clipped, inside = _clip(segments, _size(canvas), margin=4.0 * width)
    for rim in (_rim(width), 0):
        for (start, end), colour, drawn in zip(clipped, colours, inside, strict=True):
            if drawn:
                ink, thickness = RIM if rim else colour, width + 2 * rim
                cv2.line(canvas, _fixed(start), _fixed(end), ink, thickness, cv2.LINE_AA, _SHIFT)


def _clip(
    segments: NDArray[np.float64], size: NDArray[np.int64], *, margin: float
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The part of each segment (N, 2, 2) within `margin` of the picture, and whether there is one.

    cv2 overflows on large coordinates, and walks through every row on the way to the picture.
    Liang and Barsky 1984: where the line passes the four sides, as shares of its length.
    """
    segments = segments.clip(-_FAR, _FAR)
    start, along = segments[:, 0], segments[:, 1] - segments[:, 0]  # (N, 2)
    along = np.where(along == 0, 1e-30, along)  # parallel to a side: passes it at infinity
    sides = np.stack([np.full(2, -margin), size + margin])  # (2, 2): low and high, x and y
    passes = (sides[:, None] - start) / along  # (2, N, 2)
    enter = passes.min(0).max(-1).clip(0, None)  # (N,)
    leave = passes.max(0).min(-1).clip(None, 1)
    shares = np.stack([enter, leave], 1)[..., None]  # (N, 2, 1)
    inside = enter <= leave
    return start[:, None] + np.where(inside[:, None, None], shares, 0) * along[:, None], inside


def _above(
    seen: NDArray[np.float64], box: NDArray[np.float64] | None
) -> tuple[float, float] | None:
    """Where an id stands: on the middle of the box, else on the highest keypoint of (N, 2)."""
    if box is not None and np.isfinite(box).all():
        return float(box[0] + box[2]) / 2, float(box[1])
    if len(seen):
        x, y = seen[seen[:, 1].argmin()]
        return float(x), float(y)
    return None


def label(
    canvas: NDArray[np.uint8],
    text: str,
    at: tuple[float, float],
    width: int,
    seen: NDArray[np.float64],
) -> None:
    """White on a dark ground, inside of the picture, its bottom middle a little above `at`.

    Where there is no room above, it stands beside the keypoints `seen` (N, 2) that it would hide.
    """
    font, tall = cv2.FONT_HERSHEY_SIMPLEX, max(_TEXT_PX, _TEXT * width)
    scale = tall / cv2.getTextSize("0", font, 1, 1)[0][1]
    thickness, pad = max(1, width // 2), max(1, round(tall / 5))
    text_size = cv2.getTextSize(text, font, scale, thickness)[0]
    size = np.array(text_size) + 2 * pad  # (2,): width and height
    gap = 2 * _DOT * width
    wanted = np.array(at) - (size[0] / 2, size[1] + gap)
    high = seen[seen[:, 1] < size[1] + gap, 0]
    if wanted[1] < 0 and len(high):
        right = float(high.max()) + gap
        fits = right + size[0] <= canvas.shape[1]
        wanted[0] = right if fits else float(high.min()) - gap - size[0]
    left, top = (int(v) for v in wanted.clip(0, np.maximum(_size(canvas) - size, 0)))
    right, bottom = left + int(size[0]) - 1, top + int(size[1]) - 1
    cv2.rectangle(canvas, (left, top), (right, bottom), RIM, cv2.FILLED)
    origin = left + pad, bottom - pad
    cv2.putText(canvas, text, origin, font, scale, MIDDLE, thickness, cv2.LINE_AA)


def _rim(width: int) -> int:
    return max(1, round(_RIM * width))


def _size(canvas: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Width and height, as x and y."""
    return np.array(canvas.shape[1::-1], np.int64)


def _fixed(xy: NDArray[np.float64]) -> tuple[int, int]:
    """Continuous pixels -> cv2's, whose integers lie on pixel centres, in 1/16."""
    x, y = np.rint((xy - 0.5) * 2**_SHIFT)
    return int(x), int(y)
