"""Frames with real people in them: the package's pictures, laid on a grey ground."""

import cv2
import numpy as np

from movenet import images, pictures

GREY = 90


def people(name: str = "camera", height: int = 240) -> np.ndarray:
    """A picture of the package, so many pixels high."""
    picture = images.read(pictures.path(name))
    width = round(picture.shape[1] * height / picture.shape[0])
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)


def scene(*laid: tuple[np.ndarray, int, int], size: tuple[int, int] = (360, 640)) -> np.ndarray:
    """A frame (height, width) with pictures laid at x, y (px), cut off at its edges."""
    height, width = size
    ground = np.full((height + 1000, width + 1000, 3), GREY, np.uint8)
    for picture, x, y in laid:
        ground[500 + y :, 500 + x :][: picture.shape[0], : picture.shape[1]] = picture
    return np.ascontiguousarray(ground[500 : 500 + height, 500 : 500 + width])


def walk(steps: int, speed: int = 6, **more: tuple[int, int]) -> list[np.ndarray]:
    """The photographer drifts from left to right, `speed` px a frame."""
    return [scene((people(), 40 + speed * step, 60), **more) for step in range(steps)]
