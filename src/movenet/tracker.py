"""Who is who over time: ids that stay with people.

Google's tracker (tfjs pose-detection, src/calculators/tracker.ts and keypoint_tracker.ts) with
seconds for frames, body sizes for parts of the picture, the best assignment for a greedy one, and
a prediction of where people have gone. docs/decisions/010-tracking.md has what that gives.
"""

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from movenet import oks
from movenet.errors import MoveNetError
from movenet.poses import Poses

try:
    from scipy.optimize import linear_sum_assignment
except ImportError as error:
    raise MoveNetError('tracking needs SciPy: pip install "movenet-pytorch[video]"') from error

Similarity = Literal["oks", "iou"]
Floats = NDArray[np.float64]

# tfjs pose-detection, src/movenet/constants.ts: DEFAULT_KEYPOINT_TRACKER_CONFIG and
# DEFAULT_BOUNDING_BOX_TRACKER_CONFIG.
MAX_TRACKS = 18
MAX_AGE_S = 1.0
LEAST_ALIKE = {"oks": 0.2, "iou": 0.15}
ALONE = 0.1  # instead, where a network sees one person: nobody beside them can take the id
CONFIDENT = 0.3  # keypoints over it are compared
LEAST_COMMON = 4  # keypoints that both have, or their boxes are compared
DOUBTED = 0.5  # of the score of somebody who is missing, beside who was seen

# How people move, in lengths of their boxes' longer sides: how much a speed (a second) changes in a
# second, how well a box is measured, and how fast somebody may be who is seen first.
# docs/decisions/010-tracking.md
CHANGE, ERROR, SPEED = 0.3**0.5, 0.05, 1.0


class Event(NamedTuple):
    """What happened to an id: "new", "lost" (not seen in this frame), "found" again or "gone"."""

    event: Literal["new", "lost", "found", "gone"]
    id: int


@dataclass(slots=True)
class Track:
    """Somebody: how they were seen last, and how they move.

    The middle of the box goes at a nearly constant velocity (a Kalman filter with white noise for
    acceleration, as in Bar-Shalom, Li and Kirubarajan 2001, section 6.2.2; x and y alike).
    """

    id: int
    keypoints: Floats  # (17, 2) px, less the middle of the box
    scores: NDArray[np.float32]  # (17,)
    score: float  # of the person, by the first look
    sides: Floats  # (2,) of the box, px
    middle: Floats  # (2,) px, at `now_s`
    velocity: Floats  # (2,) px a second
    spread: Floats  # (2, 2): covariance of middle and velocity
    now_s: float
    seen_s: float
    here: bool = True  # in the last frame

    @property
    def box(self) -> Floats:
        """x1, y1, x2, y2 px, (4,)."""
        return np.concatenate([self.middle - self.sides / 2, self.middle + self.sides / 2])

    def move(self, time_s: float, image_size: tuple[int, int]) -> None:
        """On to that time, as they went, but not out of the picture: who left may come back."""
        step = time_s - self.now_s
        self.middle = np.clip(self.middle + self.velocity * step, 0.0, image_size[::-1])
        change = np.square(CHANGE * self.sides.max())
        pushed = np.array([[step**3 / 3, step**2 / 2], [step**2 / 2, step]])
        goes = np.array([[1.0, step], [0.0, 1.0]])
        self.spread = goes @ self.spread @ goes.T + change * pushed
        self.now_s = time_s

    def see(self, poses: Poses, person: int) -> None:
        """This is the same person, at `now_s`."""
        middle, sides = middle_of(poses.boxes[person])
        noise = np.square(ERROR * self.sides.max())
        gain = self.spread[:, 0] / (self.spread[0, 0] + noise)
        apart = middle - self.middle
        self.middle = self.middle + gain[0] * apart
        self.velocity = self.velocity + gain[1] * apart
        self.spread = self.spread - np.outer(gain, self.spread[0])
        self.keypoints = poses.keypoints[person] - middle
        self.scores = poses.keypoint_scores[person]
        self.sides, self.seen_s, self.here = sides, self.now_s, True


class Tracker:
    """Gives the people of each frame their ids; one object a stream.

    People are the same whose keypoints are alike by OKS or whose boxes overlap ("oks": the larger
    of the two numbers), or by their boxes alone ("iou"). Somebody who is not seen for
    `max_age_s` seconds is gone; their id is not used again. A new id needs a score of at least
    `born`, the person score of `Poses`; a lower one only goes on with an id that is there.
    `alone` says that a frame has one person at most, whose keypoints and box may then be less
    alike.
    """

    def __init__(
        self, similarity: Similarity = "oks", *, born: float = 0.0, alone: bool = False
    ) -> None:
        """Nobody yet. ValueError for another similarity."""
        if similarity not in get_args(Similarity):
            raise ValueError(f"similarity must be 'oks' or 'iou', not {similarity!r}")
        self.similarity, self.born = similarity, born
        self.least = ALONE if alone else LEAST_ALIKE[similarity]
        self.tracks: list[Track] = []
        self.events: list[Event] = []  # of the last frame
        self._next = 1
        self._time_s = -np.inf

    def reset(self) -> None:
        """Forget everybody; ids go on from the last."""
        self.tracks, self.events, self._time_s = [], [], -np.inf

    def __call__(self, poses: Poses) -> Poses:
        """The people of the next frame -> those that have an id, with it.

        Needs `timestamp_s` (ValueError). Where time goes back, everybody is new.
        """
        if poses.timestamp_s is None:
            raise ValueError("tracking needs the frames' times: poses.timestamp_s is None")
        time_s = poses.timestamp_s
        self.events = []
        if time_s < self._time_s:
            self.events = [Event("gone", track.id) for track in self.tracks]
            self.tracks = []
        self._time_s = time_s
        self._forget(time_s)
        ids = np.zeros(len(poses), np.int64)
        for track in self.tracks:
            track.move(time_s, poses.image_size)
        for row, person in self._pairs(poses):
            self._see(self.tracks[row], poses, person)
            self.tracks[row].score = float(poses.scores[person])
            ids[person] = self.tracks[row].id
        for track in self.tracks:
            if track.here and track.id not in ids:
                track.here = False
                self.events.append(Event("lost", track.id))
        for person in np.flatnonzero((ids == 0) & (poses.scores >= self.born)).tolist():
            ids[person] = self._begin(poses, person)
        known = ids > 0
        return replace(poses, ids=ids) if known.all() else replace(poses[known], ids=ids[known])

    def missing(self, poses: Poses) -> Poses:
        """Those who are not seen in this frame, of `poses`, where they should be by now.

        Their score is `DOUBTED` of what it was, so that of two alike the one who was seen stays.
        """
        gone = [track for track in self.tracks if not track.here]
        points = [track.middle + track.keypoints for track in gone]
        scores = [track.scores for track in gone]
        return Poses.from_arrays(
            np.array(points).reshape(-1, 17, 2),
            np.array(scores).reshape(-1, 17),
            image_size=poses.image_size,
            boxes=np.array([track.box for track in gone]).reshape(-1, 4),
            scores=[DOUBTED * track.score for track in gone],
            ids=[track.id for track in gone],
            frame_index=poses.frame_index,
            timestamp_s=poses.timestamp_s,
        )

    def recover(self, poses: Poses) -> None:
        """Those of `missing` that were seen after all, where they were seen."""
        assert poses.ids is not None
        by_id = {track.id: track for track in self.tracks}
        for person, number in enumerate(poses.ids.tolist()):
            self._see(by_id[number], poses, person)

    def _forget(self, time_s: float) -> None:
        """Those who were not seen for too long, and the least recent of too many."""
        stay = [track for track in self.tracks if time_s - track.seen_s <= MAX_AGE_S]
        stay = sorted(stay, key=lambda track: -track.seen_s)[:MAX_TRACKS]
        staying = {track.id for track in stay}
        self.events += [Event("gone", one.id) for one in self.tracks if one.id not in staying]
        self.tracks = stay

    def _pairs(self, poses: Poses) -> list[tuple[int, int]]:
        """Which track (its row) is which person: the pairs that are most alike in all.

        Those with scores over `born` come first and the others get the tracks that are left, as in
        ByteTrack (Zhang et al. 2022): a double of somebody does not take their id.
        """
        if not self.tracks or not len(poses):
            return []
        alike = self._alike(poses)
        alike[alike < self.least] = 0.0
        sure = poses.scores >= self.born
        pairs: list[tuple[int, int]] = []
        for these in (sure, ~sure):
            if these.any():
                rows, people = linear_sum_assignment(np.where(these, alike, 0.0), maximize=True)
                found = zip(rows.tolist(), people.tolist(), strict=True)
                pairs += [(r, p) for r, p in found if these[p] and alike[r, p]]
                alike[[r for r, _ in pairs]] = 0.0
        return pairs

    def _alike(self, poses: Poses) -> Floats:
        """(T, P) of tracks and people, 0..1."""
        boxes = np.stack([track.box for track in self.tracks])
        overlap = oks.iou(boxes, poses.boxes)
        if self.similarity == "iou":
            return overlap
        seen = np.stack([track.scores for track in self.tracks]) > CONFIDENT
        common = seen[:, None] & (poses.keypoint_scores > CONFIDENT)  # (T, P, 17)
        points = np.stack([track.middle + track.keypoints for track in self.tracks])
        areas = np.maximum(oks.areas_of(boxes)[:, None], oks.areas_of(poses.boxes))
        alike = oks.oks(points, poses.keypoints, areas, common)
        return np.maximum(np.where(common.sum(2) >= LEAST_COMMON, alike, 0.0), overlap)

    def _see(self, track: Track, poses: Poses, person: int) -> None:
        """The track goes on with this person."""
        lost = Event("lost", track.id)
        if lost in self.events:  # by the first look, and found again by the second
            self.events.remove(lost)
        elif not track.here:
            self.events.append(Event("found", track.id))
        track.see(poses, person)

    def _begin(self, poses: Poses, person: int) -> int:
        """A new id for this person."""
        number, self._next = self._next, self._next + 1
        middle, sides = middle_of(poses.boxes[person])
        self.tracks.append(
            Track(
                number,
                poses.keypoints[person] - middle,
                poses.keypoint_scores[person],
                float(poses.scores[person]),
                sides,
                middle,
                velocity=np.zeros(2),
                spread=np.diag(np.square([ERROR, SPEED]) * np.square(sides.max())),
                now_s=self._time_s,
                seen_s=self._time_s,
            )
        )
        self.events.append(Event("new", number))
        return number


def middle_of(box: NDArray[np.floating]) -> tuple[Floats, Floats]:
    """The middle and the sides of a box (4,): (2,) and (2,), at least a pixel, as float64."""
    corners = np.asarray(box, np.float64).reshape(2, 2)
    return corners.mean(0), np.maximum(corners[1] - corners[0], 1.0)
