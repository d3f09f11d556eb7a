"""Left and right that change places for a few frames: found where they do, and only there."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from movenet.keypoints import INDEX
from movenet.swaps import LEFT, RIGHT, excursions, surprise, swapped

ANKLES = [INDEX["left_ankle"], INDEX["right_ankle"]]
NOISE = 0.004


def stride(times_s: np.ndarray, swing: float = 0.25, hz: float = 1.0) -> np.ndarray:
    """A walk from the side, (T, 17, 2) in heights: both of each pair cross twice a period."""
    apart = swing * np.sin(2 * np.pi * hz * times_s)[:, None]
    points = np.zeros((len(times_s), 17, 2))
    points[:, LEFT, 1] = points[:, RIGHT, 1] = np.linspace(0, 1, 8)
    points[:, LEFT, 0], points[:, RIGHT, 0] = apart, -apart
    points[..., 0] += times_s[:, None]
    return points + np.random.default_rng(0).normal(0, NOISE, points.shape)


def exchanged(points: np.ndarray, frames: slice, pairs: list[int]) -> np.ndarray:
    made = points.copy()
    left, right = LEFT[pairs], RIGHT[pairs]
    made[frames, left], made[frames, right] = points[frames, right], points[frames, left]
    return made


def found(times_s: np.ndarray, points: np.ndarray, seen: np.ndarray | None = None) -> np.ndarray:
    seen = np.ones(points.shape[:2], bool) if seen is None else seen
    return swapped(times_s, points, seen, 1.0, 0.2)


def even(rate: int) -> np.ndarray:
    return np.arange(3 * rate) / rate


@pytest.mark.parametrize("rate", [30, 60])
def test_legs_that_really_cross_stay(rate: int) -> None:
    assert not found(even(rate), stride(even(rate))).any()


def test_feet_that_cross_and_cross_back_at_once_stay() -> None:
    times = even(60)
    assert not found(times, stride(times, swing=0.1, hz=4)).any()


def test_a_pair_that_lies_on_one_another_and_shakes_stays() -> None:
    times = even(60)
    assert not found(times, stride(times, swing=0.005)).any()


@pytest.mark.parametrize("swing", [0.025, 0.06])
def test_a_swap_of_two_that_are_near_each_other_is_put_back(swing: float) -> None:
    """A twentieth of a height apart and more, twice the swing."""
    times = even(30)
    points = exchanged(stride(times, swing=swing), slice(37, 39), [7])
    assert np.flatnonzero(found(times, points)[:, ANKLES[0]]).tolist() == [37, 38]


def test_steady_motion_is_no_surprise_and_a_change_is_twice_the_distance() -> None:
    times = np.array([0, 0.1, 0.15, 0.4])
    path = np.stack([2 * times, 1 - times], 1)
    pair = np.stack([path, path + np.array([0.3, 0.4])], 1)
    np.testing.assert_allclose(surprise(times, pair)[:, 0], [[0, 1], [0, 1]], atol=1e-12)
    # With a change before, both are led to the other's side: by half as much, and by five times.
    np.testing.assert_allclose(surprise(times, pair)[:, 1, 0], [0.5, 5], atol=1e-12)


@pytest.mark.parametrize("rate", [30, 60])
@pytest.mark.parametrize("count", [1, 2, 3, 6])
def test_a_few_frames_are_put_back_and_no_others(rate: int, count: int) -> None:
    times = even(rate)
    start = 5 * rate // 4 - 1  # where they are furthest apart
    frames = slice(start, start + count)
    wanted = np.zeros((len(times), 17), bool)
    wanted[frames, np.r_[LEFT[3:5], RIGHT[3:5]]] = True
    assert_array_equal(found(times, exchanged(stride(times), frames, [3, 4])), wanted)


def test_two_swaps_a_frame_apart_are_both_put_back() -> None:
    times = even(30)
    points = exchanged(exchanged(stride(times), slice(36, 37), [7]), slice(38, 40), [7])
    assert np.flatnonzero(found(times, points)[:, ANKLES[0]]).tolist() == [36, 38, 39]


@pytest.mark.parametrize("frames", [slice(35, 42), slice(36, None), slice(0, 6)])
def test_what_stays_changed_for_longer_or_to_the_end_is_left(frames: slice) -> None:
    times = even(30)
    assert not found(times, exchanged(stride(times), frames, [7])).any()


@settings(max_examples=10, deadline=None)
@given(angle=st.floats(0, 2 * math.pi), mirror=st.sampled_from([1, -1]))
def test_neither_the_order_in_x_nor_the_orientation_matters(angle: float, mirror: int) -> None:
    times = even(30)
    points = exchanged(stride(times), slice(36, 38), [7])
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    wanted = found(times, points)
    assert wanted.sum() == 4
    assert_array_equal(found(times, points * (mirror, 1) @ turn), wanted)
    everybody_else_s = exchanged(points, slice(None), list(range(8)))
    assert_array_equal(found(times, everybody_else_s), wanted)


def test_a_pair_of_which_one_is_not_seen_is_left() -> None:
    times = even(30)
    points = exchanged(stride(times), slice(36, 37), [7])
    seen = np.ones((len(times), 17), bool)
    seen[36, ANKLES[1]] = False
    assert not found(times, points, seen).any()


def test_frames_that_come_unevenly_are_gone_by_their_times() -> None:
    times = np.delete(even(60), [69, 70, 75, 77, 78, 81])
    at = int(np.searchsorted(times, 1.25))
    assert not found(times, stride(times)).any()
    wanted = found(times, exchanged(stride(times), slice(at, at + 3), [7]))
    assert np.flatnonzero(wanted[:, ANKLES[1]]).tolist() == [at, at + 1, at + 2]


def test_a_pause_parts_what_is_before_from_what_is_after() -> None:
    times = even(30) + np.where(np.arange(90) >= 37, 0.3, 0)
    assert not found(times, exchanged(stride(times), slice(36, 38), [7])).any()


@pytest.mark.parametrize(
    ("there", "wanted"),
    [
        ([], []),
        ([4], []),
        ([4, 6], [(4, 6)]),
        ([4, 15], []),
        ([4, 15, 17], [(15, 17)]),
        ([4, 6, 7, 9], [(4, 6), (7, 9)]),
        ([4, 6, 8], [(4, 6)]),
    ],
)
def test_an_excursion_is_a_change_and_the_next_within_the_limit(
    there: list[int], wanted: list[tuple[int, int]]
) -> None:
    assert excursions(np.arange(30) / 32, np.array(there, np.intp), 0.25) == wanted


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_clips_of_a_few_frames_are_left(count: int) -> None:
    times = np.arange(count) / 30
    assert found(times, stride(times)).sum() == 0
