"""The figures: how much keypoints shake, and how late a filter is."""

import math
from dataclasses import replace

import numpy as np
import pytest
from test_smoothing import STANDING, frame

from movenet import Poses
from movenet.jitter import deviations, jitter, lag_s

EVERY = np.ones((300, 17), bool)


def shaking(hz: float, pixels: float, height: float = 400, rate: int = 60) -> list[Poses]:
    """A standing person who shakes as a whole for five seconds."""
    times = np.arange(5 * rate) / rate
    moves = pixels * np.sin(2 * np.pi * hz * times)
    paths = height * STANDING + moves[:, None, None] * (0.6, 0.8)
    return [frame(xy, time) for xy, time in zip(paths, times.tolist(), strict=True)]


def test_jitter_is_what_is_over_the_cut_off_in_heights() -> None:
    wanted = 2 / 400 * math.sqrt(0.5)  # the median of |sin| is sin 45 degrees
    assert jitter(shaking(17.3, 2)) == pytest.approx(wanted, rel=0.03)


def test_what_moves_slowly_does_not_shake() -> None:
    assert jitter(shaking(1, 40)) < 1e-4


def test_jitter_does_not_depend_on_how_large_a_person_is() -> None:
    small, large = jitter(shaking(20, 2, height=200)), jitter(shaking(20, 4, height=400))
    assert small == pytest.approx(large, rel=1e-4)


def test_only_what_is_seen_for_half_a_second_counts() -> None:
    times, paths = np.arange(300) / 60, np.zeros((300, 17, 2))
    seen = np.zeros((300, 17), bool)
    seen[:31, 3] = seen[100:130, 4] = seen[200:, 5] = True
    assert len(deviations(times, paths, seen)) == 31 + 100


def test_what_is_not_seen_in_between_does_not_count() -> None:
    paths, seen = np.zeros((300, 1, 2)), np.ones((300, 1), bool)
    paths[150:152], seen[150:152] = 99, False
    found = deviations(np.arange(300) / 60, paths, seen)
    assert len(found) == 298
    assert found.max() < 1e-9


def test_everybody_counts_in_their_own_height() -> None:
    still, shaken = shaking(1, 0, height=200), shaking(20, 4)
    frames = []
    for index, (a, b) in enumerate(zip(still, shaken, strict=True)):
        keypoints = np.concatenate([a.keypoints, b.keypoints])
        scores = np.concatenate([a.keypoint_scores, b.keypoint_scores])
        frames.append(
            Poses.from_arrays(
                keypoints, scores, ids=[1, 2], image_size=a.image_size, timestamp_s=index / 60
            )
        )
    each = np.concatenate([deviations_of(still) / 200, deviations_of(shaken) / 400])
    assert jitter(frames) == pytest.approx(np.median(each), rel=1e-3, abs=1e-6)


def deviations_of(frames: list[Poses]) -> np.ndarray:
    points = np.array([frame.keypoints[0] for frame in frames], np.float64)
    return deviations(np.arange(300) / 60, points, EVERY)


def test_a_clip_without_keypoints_has_no_jitter_figure() -> None:
    unseen = [
        replace(frame, keypoint_scores=np.zeros((1, 17), np.float32)) for frame in shaking(20, 2)
    ]
    for frames in ([], unseen, shaking(20, 2)[:5]):
        assert math.isnan(jitter(frames))


@pytest.mark.parametrize("rate", [30, 60])
@pytest.mark.parametrize("late_s", [-0.03, 0.0, 0.004, 0.013, 0.04, 0.11])
def test_a_lag_is_found_between_frames(rate: int, late_s: float) -> None:
    times = np.arange(10 * rate) / rate
    true, late = (np.sin(2 * np.pi * (times - by)) for by in (0, late_s))
    assert lag_s(2 * late + 5, true, 1 / rate) == pytest.approx(late_s, abs=1e-3)


def test_lags_of_signals_that_are_short_or_differ_in_length_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^two signals of one length over 14, not 14 and 14$"):
        lag_s(np.zeros(14), np.zeros(14), 0.035)
    with pytest.raises(ValueError, match=r"^two signals of one length over 14, not 15 and 16$"):
        lag_s(np.zeros(15), np.zeros(16), 0.035)
