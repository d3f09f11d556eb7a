"""The people that came out worst, drawn: the truth on the left, what was found on the right."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from movenet import images
from movenet.draw import draw
from movenet.errors import ImageError, MoveNetError
from movenet.evaluation.pairs import Pairs

Pixels = NDArray[np.uint8]


def save_worst(pairs: Pairs, paths: Mapping[int, Path], folder: Path, count: int) -> list[Path]:
    """Write the pictures of so many people of least OKS, the worst first. -> their files."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MoveNetError(f"--save {folder}: cannot be made ({error.strerror})") from error
    written = []
    for rank, person in enumerate(np.argsort(pairs.oks, kind="stable")[:count], 1):
        image = int(pairs.image[person])
        target = folder / f"{rank:02d}-{image:012d}-oks{100 * pairs.oks[person]:03.0f}.png"
        try:
            images.save(drawn(images.read(paths[image]), pairs, int(person)), target)
        except ImageError as error:
            raise MoveNetError(f"--save: {error}") from error
        written.append(target)
    return written


def drawn(picture: Pixels, pairs: Pairs, person: int) -> Pixels:
    """Truth and result, side by side."""
    truth = draw(picture, pairs.keypoints[person][None], pairs.labelled[person][None] * 1.0)
    found = draw(picture, pairs.found[person][None], np.ones((1, 17)))
    return np.concatenate([truth, found], 1)
