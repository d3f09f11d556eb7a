"""Bodies as BVH, the movements that Blender opens, one file a person."""

import contextlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from movenet.lifting.bodies import Bodies
from movenet.lifting.bones import bone_lengths
from movenet.lifting.bvh import bvh_text
from movenet.lifting.rotations import Doubles
from movenet.lifting.writers.writer import BodiesWriter
from movenet.writers.growing import GrowingFile, closed
from movenet.writers.writer import frame_time, person_numbers, person_path

_INTERVAL_S = 1 / 30  # of a single frame
_PIECE = 1000  # lines that are written at once


@dataclass(slots=True)
class _Person:
    """Every frame in which a person was lifted."""

    times: list[float] = field(default_factory=list)
    joints: list[NDArray[np.float32]] = field(default_factory=list)
    uncertainty: list[NDArray[np.float32]] = field(default_factory=list)


class BvhWriter(BodiesWriter):
    """BVH: a skeleton of 19 joints with fixed bones, and its rotations at an even frame time.

    X is right, Y up, Z towards the camera, the hips at 0; lengths are in the unit of the bodies.
    A person's bones have the lengths of `bone_lengths`, left and right the same, and in each frame
    the directions of the body. The frame time is the mean one of the clip. Bodies between two
    frames, and where the person is missing, are interpolated by time; before the first sight the
    first is held, and the file ends with the last. So several files begin together.

    The only person's file is FILE; of several, each has FILE_personNN, NN being the id. Where
    nobody was seen there is no file. Everything is written when it is closed, because the lengths
    come before the rotations.
    """

    def __init__(self, path: str | Path) -> None:
        """Try the place. Raises MoveNetError where it cannot be written."""
        self._path, self._closed = Path(path), False
        self._first = GrowingFile(path, part=True)  # the first person's; tries the place
        self._first.rest()
        self._people: dict[int, _Person] = {}
        self._times: list[float] = []
        self.paths: list[Path] = []  # what was written, when it is closed

    def write(self, bodies: Bodies, **_: Any) -> None:
        """Keep a frame; further entries have no place here.

        ValueError without timestamp_s, where it does not rise, and for several people without ids.
        """
        if self._closed:
            raise closed()
        time_s, numbers = frame_time(bodies), person_numbers(bodies)
        if self._times and time_s <= self._times[-1]:
            raise ValueError(f"timestamps must rise: {time_s} s comes after {self._times[-1]} s")
        self._times.append(time_s)
        known = np.isfinite(bodies.joints).all((1, 2))
        for index in np.flatnonzero(known):
            person = self._people.setdefault(numbers[index], _Person())
            person.times.append(time_s)
            person.joints.append(bodies.joints[index])
            person.uncertainty.append(bodies.uncertainty[index])

    def close(self) -> None:
        """Write the files, and give them their names."""
        self._closed = True
        people, self._people = self._people, {}
        interval_s = mean_interval_s(self._times)
        with contextlib.ExitStack() as stack:  # each of them, whatever happens to another
            stack.callback(self._first.drop)
            for number, person in reversed(people.items()):  # the stack turns them round
                several = len(people) > 1
                path = person_path(self._path, number) if several else self._path
                stack.callback(self._finish, path, person, interval_s)

    def _finish(self, path: Path, person: _Person, interval_s: float) -> None:
        lengths = bone_lengths(np.array(person.joints), np.array(person.uncertainty))
        lengths = np.nan_to_num(lengths)  # two joints in one place, in every frame
        joints = evenly(person.times, person.joints, self._times[0], interval_s)
        file = GrowingFile(path, part=True) if path != self._path else self._first
        try:
            pieces = list(bvh_text(joints, lengths, interval_s))
            for start in range(0, len(pieces), _PIECE):
                file.append("".join(pieces[start : start + _PIECE]).encode("ascii"))
            file.close()
        finally:
            file.drop()  # what was not finished
        self.paths.append(path)


def mean_interval_s(times: ArrayLike) -> float:
    """The time of a frame, from times that rise: the mean of the steps that are not gaps.

    A step counts if it is within half of the median step from it (of two in the middle the shorter
    one, since a mean of both may be no step at all). Of one frame 1/30.
    """
    steps = np.sort(np.diff(np.asarray(times, np.float64)))
    if not len(steps):
        return _INTERVAL_S
    middle = steps[(len(steps) - 1) // 2]
    return float(steps[np.abs(steps - middle) <= middle / 2].mean())


def evenly(times: ArrayLike, joints: ArrayLike, begin_s: float, interval_s: float) -> Doubles:
    """Joints (N, 21, 3) at times (N,) that rise -> (T, 21, 3), every interval from the begin on.

    Interpolated linearly, the first one held before its time; T ends with the last one.
    """
    times, joints = np.asarray(times, np.float64), np.asarray(joints, np.float64)
    count = round((times[-1] - begin_s) / interval_s) + 1
    grid = begin_s + interval_s * np.arange(count)
    place = np.interp(grid, times, np.arange(len(times)))
    before = place.astype(int)
    after = np.minimum(before + 1, len(times) - 1)
    weight = (place - before)[:, None, None]
    result: Doubles = joints[before] * (1 - weight) + joints[after] * weight
    return result
