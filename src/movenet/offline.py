"""Steadier keypoints of a whole clip, without lag: sides put back, gaps filled, low-passed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from movenet.keypoints import MIRROR
from movenet.lowpass import lowpass
from movenet.poses import KEYPOINT_THRESHOLD, Poses
from movenet.smoothing import heights
from movenet.swaps import swapped

Doubles = NDArray[np.float64]
Mask = NDArray[np.bool_]
CUTOFF_HZ = 6.0  # the habit of gait analysis: Winter, Biomechanics and Motor Control, chapter 3
GAP_S = 0.2  # the longest gap that is filled
SWAP_S = 0.2  # the longest time for which left and right are put back
ROUNDING_S = 1e-6  # timestamps are sums of floats
COORDINATES = ("keypoints", "boxes")
SCORES = ("keypoint_scores", "scores", "confidence", "keypoint_confidence")
SIDED = ("keypoints", "keypoint_scores", "keypoint_confidence")  # have a left and a right


def smoothed(
    frames: Sequence[Poses],
    *,
    cutoff_hz: float = CUTOFF_HZ,
    gap_s: float = GAP_S,
    swap_s: float = SWAP_S,
    keypoint_threshold: float = KEYPOINT_THRESHOLD,
) -> list[Poses]:
    """The frames of a clip, its people's keypoints steadier, of each id by itself.

    1. Where a left and a right that are both over the threshold change places for up to `swap_s`,
       they are put back, as `swaps.py` says.
    2. Between two sights of a keypoint over the threshold that are up to `gap_s` apart, it is
       interpolated. Its score is the lower of both. A person who is missing for as long is added
       to the frames between, boxes and scores made in the same way.
    3. What is over the threshold without a longer gap is low-passed as one piece, see
       `lowpass.lowpass`; frames slower than twice the cut-off leave it as it is.

    Everything else stays. Timestamps must rise, and people have ids, else ValueError; so is a
    cut-off of 0 or below.
    """
    if cutoff_hz <= 0:
        raise ValueError(f"cutoff_hz must be over 0, not {cutoff_hz}")
    times_s = rising(frames)
    people: dict[int, list[Person]] = {}  # of each frame
    for track in tracks(frames, times_s):
        put_back(track, swap_s + ROUNDING_S, keypoint_threshold)
        fill(track, gap_s + ROUNDING_S, keypoint_threshold)
        smooth(track, cutoff_hz, gap_s + ROUNDING_S, keypoint_threshold)
        for index in np.flatnonzero(track.there):
            columns = {name: column[index] for name, column in track.columns.items()}
            person = Person(track.id, int(track.rows[index]), columns)
            people.setdefault(track.first + int(index), []).append(person)
    return [rebuilt(frame, people.get(index, [])) for index, frame in enumerate(frames)]


class Person(NamedTuple):
    """Somebody in one frame: the row in the frame's Poses (-1: none yet), and the fields."""

    id: int
    row: int
    columns: dict[str, Doubles]


@dataclass(frozen=True, slots=True)
class Track:
    """One id from the first frame with it to the last, T frames; the arrays are its own.

    columns: the fields of a Poses, (T, ...) float64. there (T,): whether the person is. rows (T,):
    which row of the frame's Poses, -1 where none is.
    """

    id: int
    first: int
    times_s: Doubles
    columns: dict[str, Doubles]
    there: Mask
    rows: NDArray[np.intp]

    def seen(self, threshold: float) -> Mask:
        """Which keypoints are over the threshold, (T, 17)."""
        over = self.columns["keypoint_scores"] > np.float32(threshold)  # as a Poses has them
        return np.asarray(over & self.there[:, None])


def rising(frames: Sequence[Poses]) -> Doubles:
    """The frames' timestamps (T,); ValueError where one is missing or does not rise."""
    times = [frame.timestamp_s for frame in frames]
    if None in times:
        raise ValueError(f"frame {times.index(None)} has no timestamp_s: smoothing goes by time")
    times_s = np.array(times, np.float64)
    late = np.flatnonzero(np.diff(times_s) <= 0)
    if len(late):
        frame = int(late[0])
        was, now = times_s[frame : frame + 2].tolist()
        raise ValueError(f"timestamps must rise: frame {frame + 1} is at {now} s after {was} s")
    return times_s


def tracks(frames: Sequence[Poses], times_s: Doubles) -> Iterator[Track]:
    """What each id did."""
    sights: dict[int, list[tuple[int, int]]] = {}  # id -> (frame, row)
    for index, frame in enumerate(frames):
        if frame.ids is None and len(frame):
            raise ValueError(f"frame {index} has no ids: smoothing follows people by their ids")
        for row, number in enumerate([] if frame.ids is None else frame.ids.tolist()):
            sights.setdefault(number, []).append((index, row))
    for number, sight in sights.items():
        first, last = sight[0][0], sight[-1][0] + 1
        at = np.array([index - first for index, _ in sight])
        rows = np.full(last - first, -1, np.intp)
        rows[at] = [row for _, row in sight]
        columns = {}
        for name in (*COORDINATES, *SCORES):
            values = [(getattr(frames[index], name), row) for index, row in sight]
            if all(value is not None for value, _ in values):
                found = np.array([value[row] for value, row in values], np.float64)
                columns[name] = np.zeros((len(rows), *found.shape[1:]))
                columns[name][at] = found
        yield Track(number, first, times_s[first:last], columns, rows >= 0, rows)


def put_back(track: Track, limit_s: float, threshold: float) -> None:
    """Change left and right where they are each other's."""
    seen = track.seen(threshold)
    points = track.columns["keypoints"]
    sizes = heights(points, seen)
    if np.isnan(sizes).all():
        return
    wrong = swapped(track.times_s, points, seen, float(np.nanmedian(sizes)), limit_s)
    order = np.where(wrong, MIRROR, np.arange(17))
    for name in set(SIDED) & set(track.columns):
        column = track.columns[name]
        column[:] = column[np.arange(len(column))[:, None], order]


def fill(track: Track, limit_s: float, threshold: float) -> None:
    """Interpolate the person where missing, then each keypoint that is not seen."""
    missing, before, after, share = gaps(track.times_s, track.there, limit_s)
    for name, column in track.columns.items():
        weight = share.reshape(-1, *[1] * (column.ndim - 1))
        between = column[before] + weight * (column[after] - column[before])
        lower = np.minimum(column[before], column[after])
        column[missing] = between if name in COORDINATES else lower
    track.there[missing] = True
    points, scores = (track.columns[name] for name in ("keypoints", "keypoint_scores"))
    for index, seen in enumerate(track.seen(threshold).T):
        missing, before, after, share = gaps(track.times_s, seen, limit_s)
        point, score = points[:, index], scores[:, index]
        point[missing] = point[before] + share[:, None] * (point[after] - point[before])
        score[missing] = np.minimum(score[before], score[after])


def gaps(
    times_s: Doubles, seen: Mask, limit_s: float
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp], Doubles]:
    """Frames in gaps between two sights that are up to the limit apart; (T,), (T,) -> (G,) each.

    The frame, the sight before, the sight after, and where between them it lies, 0..1.
    """
    (sights,), (missing,) = np.nonzero(seen), np.nonzero(~seen)
    place = np.searchsorted(sights, missing)
    inside = (place > 0) & (place < len(sights))
    missing, place = missing[inside], place[inside]
    before, after = sights[place - 1], sights[place]
    short = times_s[after] - times_s[before] <= limit_s
    missing, before, after = missing[short], before[short], after[short]
    share = (times_s[missing] - times_s[before]) / (times_s[after] - times_s[before])
    return missing, before, after, share


def smooth(track: Track, cutoff_hz: float, limit_s: float, threshold: float) -> None:
    """Low-pass every keypoint, piece by piece."""
    points = track.columns["keypoints"]
    for index, seen in enumerate(track.seen(threshold).T):
        for piece in pieces(track.times_s, seen, limit_s):
            points[piece, index] = lowpass(track.times_s[piece], points[piece, index], cutoff_hz)


def pieces(times_s: Doubles, seen: Mask, limit_s: float) -> Iterator[slice]:
    """Runs of frames in which something is seen, no two further apart than the limit."""
    (sights,) = np.nonzero(seen)
    apart = (np.diff(sights) > 1) | (np.diff(times_s[sights]) > limit_s)
    for run in np.split(sights, np.flatnonzero(apart) + 1):
        if len(run):
            yield slice(int(run[0]), int(run[-1]) + 1)


def rebuilt(poses: Poses, people: Sequence[Person]) -> Poses:
    """A frame's Poses with its people as they are now, and with those who are new in it."""
    fields = {
        name: value.copy()
        for name in (*COORDINATES, *SCORES)
        if (value := getattr(poses, name)) is not None
    }
    for person in people:
        for name in fields.keys() & person.columns.keys():
            if person.row >= 0:
                fields[name][person.row] = person.columns[name]
    found = replace(poses, **fields)
    new = [person for person in people if person.row < 0]
    return joined(found, new) if new else found


def joined(poses: Poses, new: Sequence[Person]) -> Poses:
    """A frame's Poses with more people; what is not known of everybody is left out."""
    fields: dict[str, Any] = {}
    for name in (*COORDINATES, *SCORES):
        here = getattr(poses, name)
        rows = [*([] if here is None else here), *(person.columns.get(name) for person in new)]
        whole = here is not None or not len(poses)
        fields[name] = rows if whole and all(row is not None for row in rows) else None
    ids = [] if poses.ids is None else poses.ids.tolist()
    return Poses.from_arrays(
        **fields,
        ids=[*ids, *(person.id for person in new)],
        image_size=poses.image_size,
        frame_index=poses.frame_index,
        timestamp_s=poses.timestamp_s,
    )
