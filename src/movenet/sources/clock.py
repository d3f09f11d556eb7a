"""The times of frames, so that they rise."""

from fractions import Fraction

USUAL_RATE = 30.0  # frames a second, where a file names none: what most cameras do
# So much later than the one before is a frame whose own time is not later.
_NUDGE_S = 0.001
# Times that go back further began anew, as where recordings were put together. Less is a slip in
# the order: H.264 reorders over at most 16 frames (ITU-T H.264, A.3.1), at 30 a second as long.
_SLIP_S = 0.5


class Clock:
    """Turns presentation timestamps into seconds that strictly rise.

    - Times that rise are left as they are, so what follows an odd frame is where it was.
    - A frame whose time repeats, or goes back by up to 0.5 s, comes 1 ms after the one before
      (half a nominal frame if that is less), and so on until the times are past that.
    - Where time goes back further, the frame comes one nominal frame (1 / rate) after the one
      before, and the times that follow keep their distances from it.
    - A frame without a time comes one nominal frame after the one before. So does a frame whose
      time is far from those beside it, while they follow each other within 0.5 s: one number is
      damaged then, and what follows is where it was.
    """

    def __init__(self, time_base: Fraction, rate: float | None, origin: int | None) -> None:
        """time_base: seconds a tick. origin: the tick of time 0; without one, times are counted."""
        self._time_base, self._origin = time_base, origin
        self._moved_s = 0.0  # how much later frames come, since times began anew
        self._step = 1 / (rate or USUAL_RATE)
        self._nudge = min(_NUDGE_S, self._step / 2)  # less than a frame, or none would catch up
        self._before: float | None = None

    def seconds(self, pts: int | None, following: int | None = None) -> float:
        """The time of the next frame; `following` is the timestamp of the one after it."""
        time = self._read(pts)
        if time is not None and self._is_damaged(time, self._read(following)):
            time = None
        if self._before is None:
            time = max(0.0, time or 0.0)
        elif time is None:
            time = self._before + self._step
        elif time < self._before - _SLIP_S:
            self._moved_s += self._before + self._step - time
            time = self._before + self._step
        elif time <= self._before:
            time = self._before + self._nudge
        self._before = time
        return time

    def _read(self, pts: int | None) -> float | None:
        """What a timestamp says."""
        if pts is None or self._origin is None:
            return None
        return float((pts - self._origin) * self._time_base) + self._moved_s

    def _is_damaged(self, time: float, following: float | None) -> bool:
        if self._before is None or following is None:
            return False
        together = self._before < following <= self._before + _SLIP_S
        return together and not self._before - _SLIP_S <= time <= following + _SLIP_S
