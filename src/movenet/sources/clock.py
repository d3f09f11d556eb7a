"""The times of frames, so that they rise."""

from fractions import Fraction

USUAL_RATE = 30.0  # frames a second, where a file names none: what most cameras do


class Clock:
    """Turns presentation timestamps into seconds that strictly rise.

    A frame whose time is missing, repeats or goes backwards comes one nominal frame (1 / rate)
    after the one before. Times that rise are left as they are.
    """

    def __init__(self, time_base: Fraction, rate: float | None, origin: int | None) -> None:
        """time_base: seconds a tick. origin: the tick of time 0; without one, times are counted."""
        self._time_base, self._origin = time_base, origin
        self._step = 1 / (rate or USUAL_RATE)
        self._before: float | None = None

    def seconds(self, pts: int | None) -> float:
        """The time of the next frame."""
        time = None
        if pts is not None and self._origin is not None:
            time = float((pts - self._origin) * self._time_base)
        if self._before is None:
            time = max(0.0, time or 0.0)
        elif time is None or time <= self._before:
            time = self._before + self._step
        self._before = time
        return time
