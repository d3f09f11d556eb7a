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

# Median and largest shift of the keypoints scored over 0.3, in input pixels, when the bars of a
# 4:3 picture are trimmed.
MEDIAN_PX, LARGEST_PX = 1.0, 6.0


@pytest.mark.parametrize("name", ["lightning", "thunder"])
@pytest.mark.parametrize("trimmed", ["rows", "columns"])
def test_trimmed_bars_move_keypoints_by_less_than_a_cell(name: str, trimmed: str) -> None:
    picture = images.read(pictures.path("astronaut"))
    side = picture.shape[0]
    cut = side // 8
    picture = np.ascontiguousarray(
        picture[:, cut : side - cut] if trimmed == "columns" else picture[cut : side - cut]
    )
    square, trim = (
        movenet.PoseEstimator(name, letterbox=mode, person_threshold=0.0)(picture)
        for mode in ("square", "trim")
    )
    step = CropRegion.whole(picture.shape[:2], movenet.load(name).spec.side).step_x
    seen = (square.keypoint_scores[0] > 0.3) & (trim.keypoint_scores[0] > 0.3)
    shift = np.linalg.norm(square.keypoints[0] - trim.keypoints[0], axis=1)[seen] / step
    assert seen.sum() >= 7
    assert np.median(shift) < MEDIAN_PX
    assert shift.max() < LARGEST_PX


@pytest.mark.parametrize("name", ["lightning", "thunder"])
def test_a_square_picture_is_seen_alike_in_both_letterboxes(name: str) -> None:
    picture = images.read(pictures.path("astronaut"))[:256, :256]
    square, trim = (
        movenet.PoseEstimator(name, letterbox=mode)(np.ascontiguousarray(picture))
        for mode in ("square", "trim")
    )
    np.testing.assert_array_equal(square.keypoints, trim.keypoints)
