"""A low-pass without lag, for signals that are known whole."""

import numpy as np
from numpy.typing import NDArray

from movenet.errors import MoveNetError

try:
    from scipy.signal import butter, sosfiltfilt
except ImportError as error:
    raise MoveNetError(
        'smoothing a file needs SciPy; pip install "movenet-pytorch[video]"'
    ) from error

Doubles = NDArray[np.float64]
# Two passes lose half of the power at 0.802 of the frequency where one does: Winter, Biomechanics
# and Motor Control of Human Movement, chapter 3.
TWICE = (2**0.5 - 1) ** 0.25
PADDING = 2  # periods of the cut-off that the signal is continued by at both ends


def lowpass(times_s: Doubles, values: Doubles, cutoff_hz: float) -> Doubles:
    """Values (T, ...) at rising times (T,), without what is over the cut-off, at the same times.

    A Butterworth filter of order 2, forwards and backwards: order 4, no lag, half of the power at
    the cut-off. It runs at the median step of the times; what lies at other times is interpolated
    to that step and back. A signal whose step is too long to hold the cut-off (half of its rate is
    not over it) comes back as it is.
    """
    if len(times_s) < 2:
        return values
    rate = 1 / float(np.median(np.diff(times_s)))
    if cutoff_hz >= rate / 2:
        return values
    length = float(times_s[-1] - times_s[0])
    even = np.linspace(times_s[0], times_s[-1], round(length * rate) + 1)
    # The bilinear transform bends frequencies, so that a cut-off is moved as its tangent.
    tangent = np.tan(np.pi * cutoff_hz / rate) / TWICE
    sections = butter(2, 2 * np.arctan(tangent) / np.pi, output="sos")
    # Without the line from the first to the last: a filter that begins on a slope rings.
    share = ((times_s - times_s[0]) / length)[:, None]
    flat = values.reshape(len(values), -1)
    line = flat[0] + share * (flat[-1] - flat[0])
    sampled = np.stack([np.interp(even, times_s, column) for column in (flat - line).T], 1)
    padding = min(len(even) - 1, round(PADDING * rate / cutoff_hz))
    smooth = sosfiltfilt(sections, sampled, axis=0, padlen=padding)
    back = np.stack([np.interp(times_s, even, column) for column in smooth.T], 1)
    return np.asarray((back + line).reshape(values.shape))
