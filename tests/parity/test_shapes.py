"""Inputs that are not square. Google's MultiPose graph takes them, and the goldens have one; its
single-person graphs do not, so those are held to their own square result.

The bars of a letterboxed picture are black, and a network that does not see them sees its own
padding in their place: mid-grey, at the edges of every layer. So the results differ a little, and
these tests state by how much on pictures whose person is not cut off.
"""

import numpy as np
import pytest

import movenet
from movenet import images, pictures
from movenet.crop import CropRegion
from movenet.specs import SPECS

# Median and largest shift of the keypoints scored over 0.3, in input pixels (a cell is 4).
MEDIAN_PX, LARGEST_PX = 2.0, 4.0


@pytest.mark.parametrize("name", ["lightning", "thunder"])
@pytest.mark.parametrize(("person", "columns"), [("astronaut", (0, 350)), ("camera", (60, 360))])
def test_trimmed_bars_move_keypoints_by_less_than_a_cell(
    name: str, person: str, columns: tuple[int, int]
) -> None:
    picture = np.ascontiguousarray(images.read(pictures.path(person))[:, slice(*columns)])
    shift = shifts(name, picture)
    assert len(shift) >= 9
    assert np.median(shift) < MEDIAN_PX
    assert shift.max() < LARGEST_PX


def shifts(name: str, picture: np.ndarray) -> np.ndarray:
    """How far trimming moves each keypoint that both letterboxes see, in input pixels."""
    square, trim = (
        movenet.PoseEstimator(name, refine=False, letterbox=mode, person_threshold=0.0)(picture)
        for mode in ("square", "trim")
    )
    region = CropRegion.whole(picture.shape[:2], SPECS[name].side)
    assert region.shape[1] < region.shape[0]
    seen = (square.keypoint_scores[0] > 0.3) & (trim.keypoint_scores[0] > 0.3)
    return np.linalg.norm(square.keypoints[0] - trim.keypoints[0], axis=1)[seen] / region.step_x


@pytest.mark.parametrize("name", ["lightning", "thunder"])
def test_a_trimmed_region_that_is_a_cell_off_is_noticed(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    extract = CropRegion.extract

    def moved(self: CropRegion, picture: np.ndarray, out: np.ndarray) -> np.ndarray:
        seen = extract(self, picture)
        out[:] = np.roll(seen, 4, 1) if self.shape[0] != self.shape[1] else seen
        return out

    monkeypatch.setattr(CropRegion, "extract", moved)
    assert np.median(shifts(name, images.read(pictures.path("astronaut")))) > MEDIAN_PX


@pytest.mark.parametrize("name", ["lightning", "thunder"])
def test_a_square_picture_is_seen_alike_in_both_letterboxes(name: str) -> None:
    picture = images.read(pictures.path("astronaut"))[:256, :256]
    square, trim = (
        movenet.PoseEstimator(name, letterbox=mode)(np.ascontiguousarray(picture))
        for mode in ("square", "trim")
    )
    np.testing.assert_array_equal(square.keypoints, trim.keypoints)
