"""Frames as pictures in a folder."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from movenet import images
from movenet.errors import VideoError


class FrameFolder:
    """Writes frames as FOLDER/NAME_000123.jpg, the number being the frame's index."""

    def __init__(self, folder: str | Path, name: str) -> None:
        """Make the folder where it is not there; VideoError says why it cannot be."""
        self._folder, self._name = Path(folder), name
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise VideoError(
                f"{folder}: cannot be made ({error.strerror}); name another folder"
            ) from error

    def write(self, image: NDArray[np.uint8], index: int) -> Path:
        """Save (H, W, 3) uint8 RGB, over what is there -> its path. ImageError says why not."""
        path = self._folder / f"{self._name}_{index:06d}.jpg"
        images.save(image, path)
        return path
