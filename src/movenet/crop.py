"""Where the network looks: a rectangle of the picture, sampled to the input's size and back.

Coordinates are continuous: the top left corner of the top left pixel is (0, 0), its centre
(0.5, 0.5). Geometry is float64; x and y as everywhere outside the graphs.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from movenet.keypoints import INDEX
from movenet.specs import MULTIPLE

Letterbox = Literal["trim", "square"]
Floats = NDArray[np.floating]
Pixels = NDArray[np.uint8]
MARGIN = 1.4  # times the extent of a person's keypoints (docs/decisions/007-refinement.md)
# Google's rule for the next frame: TF Hub's MoveNet tutorial (determine_crop_region), the same
# numbers in tfjs pose-detection (src/movenet/crop_utils.ts, constants.ts).
TORSO_WIDENED, BODY_WIDENED = 1.9, 1.2
TORSO_SCORE = 0.2
HIPS = [INDEX["left_hip"], INDEX["right_hip"]]
SHOULDERS = [INDEX["left_shoulder"], INDEX["right_shoulder"]]
SAMPLING = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP


@dataclass(frozen=True, slots=True)
class CropRegion:
    """A rectangle in picture pixels, seen at an input shape; it may stick out of the picture.

    The input pixel (0, 0) has its top left corner at (left, top) of the picture, and every input
    pixel is `step_x` by `step_y` picture pixels. The two steps are equal but for the rounding of
    whole pictures, see `whole`. `shape` is the input's (H, W).
    """

    left: float
    top: float
    step_x: float
    step_y: float
    shape: tuple[int, int]

    def __post_init__(self) -> None:
        """Check the shape and the steps (ValueError)."""
        h, w = self.shape
        if h <= 0 or w <= 0 or h % MULTIPLE or w % MULTIPLE:
            raise ValueError(f"an input's sides must be multiples of {MULTIPLE}, not {h} x {w}")
        if not (self.step_x > 0 and self.step_y > 0):
            raise ValueError(f"steps must be over 0, not {self.step_x} and {self.step_y}")

    @classmethod
    def whole(
        cls,
        image_size: tuple[int, int],
        side: int,
        letterbox: Letterbox = "trim",
        shapes: Collection[tuple[int, int]] | None = None,
    ) -> "CropRegion":
        """The whole picture of (height, width), its long side brought to `side` input pixels.

        "square" pads the short side to `side`, as TensorFlow's `resize_with_pad` does; "trim"
        pads to the smallest of `shapes` (H, W) that holds the picture, by default to the next
        multiple of 32. Both see the same pixels at the same size. ValueError if none holds it.

        TensorFlow rounds the resized sides down to whole pixels, in float32, so the steps of x
        and y differ by up to one part in `side`; the region is where the pixels really are.
        """
        height, width = image_size
        if height < 1 or width < 1:
            raise ValueError(f"a picture has at least one pixel, not {height} x {width}")
        ratio = np.float32(max(height, width)) / np.float32(side)
        exact = (float(np.float32(height) / ratio), float(np.float32(width) / ratio))
        # A side may round down to nothing; the network still sees one row of it.
        resized = (max(1, int(exact[0])), max(1, int(exact[1])))
        if letterbox == "square":
            shape = (side, side)
        elif shapes is None:
            shape = (_next_multiple(resized[0]), _next_multiple(resized[1]))
        else:
            shape = _smallest(shapes, resized)
        step_y, step_x = height / resized[0], width / resized[1]
        top, left = (
            max(0, int((whole - part) / 2)) for whole, part in zip(shape, exact, strict=True)
        )
        return cls(-left * step_x, -top * step_y, step_x, step_y, shape)

    @classmethod
    def around(
        cls, points: Floats, shapes: Collection[tuple[int, int]], margin: float = MARGIN
    ) -> "CropRegion":
        """Around points (K, 2) x, y in picture pixels, their extent widened by `margin`.

        Seen as large as any of `shapes` (H, W) can show it whole, in the smallest that does.
        """
        low, high = points.min(0).astype(np.float64), points.max(0).astype(np.float64)
        width, height = np.maximum(margin * (high - low), 1.0).tolist()  # of one point: a pixel
        steps = {(h, w): max(height / h, width / w) for h, w in shapes}
        step = min(steps.values())
        fitting = [shape for shape, needed in steps.items() if needed <= step * (1 + 1e-9)]
        h, w = min(fitting, key=lambda shape: (shape[0] * shape[1], shape))
        x, y = (low + high) / 2
        return cls(float(x) - step * w / 2, float(y) - step * h / 2, step, step, (h, w))

    @classmethod
    def following(
        cls, keypoints: Floats, scores: Floats, image_size: tuple[int, int], side: int
    ) -> "CropRegion | None":
        """Google's square for the next frame, from the pose in this one; None: the whole picture.

        keypoints (17, 2) x, y in px, scores (17,). Around the middle of both hips, whatever their
        scores, as far as 1.9 times the farthest torso joint and 1.2 times the farthest joint over
        0.2, but not beyond the farthest edge of the picture. None where no hip or no shoulder is
        over 0.2, or the square would be larger than the picture. The numbers stay real numbers;
        docs/decisions/009-next-crop.md has where Google's two programs differ.
        """
        if not torso_seen(scores[None])[0]:
            return None
        height, width = image_size
        points = np.asarray(keypoints, np.float64)
        centre = points[HIPS].mean(0)
        apart = np.abs(points - centre).max(1)  # (17,)
        body = apart[scores >= TORSO_SCORE].max()
        half = max(TORSO_WIDENED * apart[HIPS + SHOULDERS].max(), BODY_WIDENED * body)
        half = min(half, np.maximum(centre, np.array([width, height]) - centre).max())
        if half > max(width, height) / 2 or half <= 0:
            return None
        x, y = (centre - half).tolist()
        step = 2 * float(half) / side
        return cls(x, y, step, step, (side, side))

    def extract(self, picture: Pixels, out: Pixels | None = None) -> Pixels:
        """What the network sees: (height, width, 3) uint8 -> (H, W, 3), outside the picture 0.

        Bilinear with half-pixel centres and without antialiasing, TensorFlow's rule, rounded to
        the nearest grey level; past its edge a picture repeats its last pixel, as there. The
        picture is read once and not copied. `out` is filled and returned where given.
        """
        h, w = self.shape
        seen = np.empty((h, w, 3), np.uint8) if out is None else out
        (first, last), (left, right) = self._inside(picture.shape[0], picture.shape[1])
        if first < last:
            # OpenCV puts whole numbers at pixel centres. Only the rows in the picture are sampled.
            down = self.top + (first + 0.5) * self.step_y - 0.5
            across = self.left + 0.5 * self.step_x - 0.5
            to_picture = np.array([[self.step_x, 0, across], [0, self.step_y, down]])
            cv2.warpAffine(
                *(picture, to_picture, (w, last - first)),
                dst=seen[first:last],
                flags=SAMPLING,
                borderMode=cv2.BORDER_REPLICATE,
            )
        for bar in (seen[:first], seen[last:], seen[first:last, :left], seen[first:last, right:]):
            if bar.size:
                bar.fill(0)
        return seen

    def _inside(self, height: int, width: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """Input rows and columns, half open, whose centres lie in the picture."""
        h, w = self.shape
        return (
            _between(-self.top / self.step_y, (height - self.top) / self.step_y, h),
            _between(-self.left / self.step_x, (width - self.left) / self.step_x, w),
        )

    def to_image(self, points: Floats) -> NDArray[np.float64]:
        """(..., 2) x, y in 0..1 of the input -> picture pixels. Undoes `to_input`."""
        h, w = self.shape
        size = (w * self.step_x, h * self.step_y)
        made: NDArray[np.float64] = np.multiply(points, size, dtype=np.float64)
        made += (self.left, self.top)
        return made

    def to_input(self, points: Floats) -> NDArray[np.float64]:
        """(..., 2) x, y in picture pixels -> 0..1 of the input. Undoes `to_image`."""
        h, w = self.shape
        corner = np.array([self.left, self.top])
        size = np.array([w * self.step_x, h * self.step_y])
        return np.asarray((points - corner) / size, np.float64)


def torso_seen(scores: Floats) -> NDArray[np.bool_]:
    """Of people with keypoint scores (P, 17), whether a hip and a shoulder are over 0.2, (P,)."""
    both = (scores[:, HIPS].max(1) > TORSO_SCORE) & (scores[:, SHOULDERS].max(1) > TORSO_SCORE)
    return np.asarray(both)


def _next_multiple(side: int) -> int:
    return -(-side // MULTIPLE) * MULTIPLE


def _smallest(shapes: Collection[tuple[int, int]], inside: tuple[int, int]) -> tuple[int, int]:
    holding = [(h * w, h, w) for h, w in shapes if h >= inside[0] and w >= inside[1]]
    if not holding:
        raise ValueError(f"none of the engine's input shapes holds {inside[0]} x {inside[1]}")
    return min(holding)[1:]


def _between(low: float, high: float, count: int) -> tuple[int, int]:
    """The first and the end of the cells 0..count whose centres lie in low..high."""
    # A letterbox's edges are whole numbers but for rounding; 1e-6 keeps them from falling short.
    first = min(max(math.ceil(low - 0.5 - 1e-6), 0), count)
    return first, min(max(math.floor(high - 0.5 + 1e-6) + 1, first), count)
