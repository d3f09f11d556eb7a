"""Frames as pictures in a folder."""

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from movenet import images
from movenet.errors import VideoError


class FrameFolder:
    """Writes frames as FOLDER/NAME_000123.jpg, the number being the frame's index.

    A folder that has such files is refused: those of an earlier, longer run would be taken for
    this one's, and they may be what is read.
    """

    def __init__(self, folder: str | Path, name: str) -> None:
        """Make the folder where it is not there; VideoError says why it cannot be."""
        self._folder, self._name = Path(folder), name
        frame = re.compile(rf"{re.escape(name)}_\d{{6,}}\.jpg", re.IGNORECASE)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            there = [each for each in self._folder.iterdir() if frame.fullmatch(each.name)]
        except OSError as error:
            raise VideoError(
                f"{folder}: cannot be made ({error.strerror}); name another folder"
            ) from error
        if found := [each.name for each in there if each.is_file()]:
            raise VideoError(
                f"{folder}: has frames already ({min(found)} ...); name another folder"
            )

    def write(self, image: NDArray[np.uint8], index: int) -> Path:
        """Save (H, W, 3) uint8 RGB -> its path. ImageError says why not."""
        path = self._folder / f"{self._name}_{index:06d}.jpg"
        images.save(image, path)
        return path
