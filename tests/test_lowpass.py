"""The low-pass without lag: what it lets through, and signals that are short, slow or uneven."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from movenet.lowpass import lowpass


def response(frequency_hz: float, rate: float = 240) -> complex:
    """What is left of a sine, and how late, in the middle of a long signal."""
    times = np.arange(int(30 * rate)) / rate
    wave = np.exp(2j * np.pi * frequency_hz * times)
    found = lowpass(times, np.stack([wave.real, wave.imag], 1), 6.0)
    middle = slice(len(times) // 3, -len(times) // 3)
    return complex(np.mean((found[:, 0] + 1j * found[:, 1])[middle] / wave[middle]))


@pytest.mark.parametrize("frequency_hz", [1.0, 3.0, 6.0, 12.0, 24.0])
def test_it_is_a_butterworth_of_order_two_twice_without_lag(frequency_hz: float) -> None:
    # One pass has the power 1 / (1 + (f / c)^4); two have its square, a half at the cut-off.
    wanted = 1 / (1 + (math.sqrt(2) - 1) * (frequency_hz / 6) ** 4)
    assert response(frequency_hz) == pytest.approx(wanted, abs=0.01)


@pytest.mark.parametrize("rate", [13, 30, 60])
def test_half_of_the_power_is_left_at_the_cut_off_at_any_rate(rate: float) -> None:
    assert response(6, rate) == pytest.approx(math.sqrt(0.5), abs=1e-3)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 9, 50])
def test_a_straight_line_stays_however_short(count: int) -> None:
    times = 4 + np.arange(count) / 30
    line = np.stack([3 * times - 7, 5 - times], 1)
    assert_allclose(lowpass(times, line, 6.0), line, atol=1e-9)


def test_frames_too_slow_for_the_cut_off_leave_a_signal_as_it_is() -> None:
    random = np.random.default_rng(0)
    values = random.normal(size=(40, 2))
    for rate in (5, 12):
        assert_array_equal(lowpass(np.arange(40) / rate, values, 6.0), values)
    assert np.abs(lowpass(np.arange(40) / 12.1, values, 6.0) - values).max() > 0.01


def test_uneven_times_are_gone_by() -> None:
    random = np.random.default_rng(1)
    times = np.cumsum(random.uniform(0.01, 0.05, 400))
    slow, fast = np.sin(2 * np.pi * times), np.sin(2 * np.pi * 14 * times)
    assert_allclose(lowpass(times, slow, 6.0)[20:-20], slow[20:-20], atol=0.06)
    assert np.std(lowpass(times, fast, 6.0)) < np.std(fast) / 3


def test_a_signal_backwards_is_smoothed_the_same() -> None:
    random = np.random.default_rng(2)
    times, values = np.arange(120) / 30, random.normal(size=120)
    back = lowpass(times, values[::-1], 6.0)[::-1]
    assert_allclose(back[30:-30], lowpass(times, values, 6.0)[30:-30], atol=1e-3)


@pytest.mark.parametrize("count", [31, 46, 100])
def test_a_slow_sine_is_as_good_at_its_ends_as_in_its_middle(count: int) -> None:
    times = np.arange(count) / 30
    for phase in np.linspace(0, 2 * np.pi, 8, endpoint=False):
        slow = np.sin(2 * np.pi * times + phase)
        assert_allclose(lowpass(times, slow, 6.0), slow, atol=0.02)
