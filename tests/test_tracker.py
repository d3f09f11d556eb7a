"""Ids: who keeps one, who gets a new one, and when."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from movenet import PoseEstimator, Poses, images, pictures
from movenet.keypoints import MIRROR
from movenet.tracker import MAX_TRACKS, Event, Tracker

SIZE = (720, 1280)
SCORES = np.full(17, 0.9, np.float32)


@pytest.fixture(scope="module")
def skeleton() -> np.ndarray:
    """A real person's keypoints, (17, 2), 200 px high, the middle of the hips at 0."""
    found = PoseEstimator("lightning")(images.read(pictures.path("two_people")))
    points = found.keypoints[0].astype(float)
    return (points - points[11:13].mean(0)) * 200 / np.ptp(points[:, 1])


def frame(
    *people: np.ndarray,
    at_s: float,
    scores: list[float] | None = None,
    size: tuple[int, int] = SIZE,
) -> Poses:
    """A frame with these people's keypoints (17, 2)."""
    return Poses.from_arrays(
        np.array(people).reshape(-1, 17, 2),
        np.tile(SCORES, (len(people), 1)),
        image_size=size,
        scores=scores or [0.9] * len(people),
        timestamp_s=at_s,
    )


def ids(poses: Poses) -> list[int]:
    assert poses.ids is not None
    return [int(number) for number in poses.ids]


def test_a_person_who_stands_still_keeps_the_id(skeleton: np.ndarray) -> None:
    tracker = Tracker()
    for at_s in (0.0, 0.1, 0.2):
        assert ids(tracker(frame(skeleton + 300, at_s=at_s))) == [1]


@pytest.mark.parametrize(("away_s", "number"), [(0.9, 1), (1.1, 2)])
@pytest.mark.parametrize("rate", [5, 30, 120])
def test_who_is_away_for_a_second_is_somebody_else(
    skeleton: np.ndarray, away_s: float, number: int, rate: int
) -> None:
    tracker, times = Tracker(), np.arange(0, away_s - 1e-9, 1 / rate)
    tracker(frame(skeleton + 300, at_s=0.0))
    for at_s in times[1:]:
        assert ids(tracker(frame(at_s=float(at_s)))) == []
    assert ids(tracker(frame(skeleton + 300, at_s=away_s))) == [number]


def test_ids_are_never_used_again(skeleton: np.ndarray) -> None:
    tracker = Tracker()
    seen = [ids(tracker(frame(skeleton + 300, at_s=2.0 * number)))[0] for number in range(5)]
    tracker.reset()
    assert [*seen, *ids(tracker(frame(skeleton + 300, at_s=0.0)))] == [1, 2, 3, 4, 5, 6]


def test_two_who_cross_keep_their_ids(skeleton: np.ndarray) -> None:
    """They walk 2 body heights a second, one before the other; the hidden one is not seen."""
    mirrored = skeleton[list(MIRROR)] * (-1, 1)
    tracker, before = Tracker(), [1, 2]
    for step in range(61):
        at_s = step / 30
        left = skeleton + np.array((240 + 400 * at_s, 400))
        right = mirrored + np.array((1040 - 400 * at_s, 390))
        hidden = abs(left[0, 0] - right[0, 0]) < 60
        seen = [left] if hidden else [left, right]
        assert ids(tracker(frame(*seen, at_s=at_s))) == before[: len(seen)], f"frame {step}"


def test_it_goes_on_where_somebody_walks_who_is_not_seen(skeleton: np.ndarray) -> None:
    tracker = Tracker()
    for step in range(10):
        tracker(frame(skeleton + np.array((200 + 20 * step, 400)), at_s=step / 30))
    expected = skeleton + np.array((200 + 20 * 20, 400))  # 11 frames later
    assert ids(tracker(frame(expected, at_s=20 / 30))) == [1]
    missed = Tracker()
    missed(frame(skeleton + np.array((200, 400)), at_s=0.0))
    assert ids(missed(frame(expected, at_s=0.05))) == [2]


@settings(deadline=None)
@given(factor=st.floats(0.2, 5), turned=st.booleans())
def test_size_and_orientation_of_the_picture_do_not_matter(factor: float, turned: bool) -> None:
    """Steps of a whole walk, at another scale or turned by 90 degrees: the same ids."""
    rng = np.random.default_rng(3)
    body = rng.uniform(-1, 1, (17, 2)) * (30, 90)
    steps = np.cumsum(rng.uniform(-60, 60, (30, 2)), 0) + 500

    def walked(scale: float, turn: bool) -> list[list[int]]:
        tracker = Tracker()
        places = (body + steps[:, None]) * scale
        size = (round(900 * scale), round(1200 * scale))
        if turn:  # clockwise
            places, size = np.stack([size[0] - places[..., 1], places[..., 0]], 2), size[::-1]
        return [
            ids(tracker(frame(points, at_s=number / 10, size=size)))
            for number, points in enumerate(places)
        ]

    assert walked(factor, turned) == walked(1.0, False)


def test_who_is_unsure_gets_no_new_id_but_keeps_one(skeleton: np.ndarray) -> None:
    tracker = Tracker(born=0.2)
    assert ids(tracker(frame(skeleton + 300, at_s=0.0, scores=[0.19]))) == []
    assert ids(tracker(frame(skeleton + 300, at_s=0.1, scores=[0.20]))) == [1]
    assert ids(tracker(frame(skeleton + 300, at_s=0.2, scores=[0.01]))) == [1]


def test_a_double_does_not_take_the_id(skeleton: np.ndarray) -> None:
    tracker = Tracker(born=0.2)
    tracker(frame(skeleton + 300, at_s=0.0, scores=[0.6]))
    double, person = skeleton + 300, skeleton + 310  # the double lies nearer to where they were
    seen = tracker(frame(person, double, at_s=0.1, scores=[0.6, 0.12]))
    assert ids(seen) == [1]
    np.testing.assert_allclose(seen.keypoints[0], person, rtol=1e-6)


def test_few_keypoints_in_common_leave_it_to_the_boxes(skeleton: np.ndarray) -> None:
    tracker, person = Tracker(), frame(skeleton + 300, at_s=0.0)
    tracker(person)
    faint = frame(skeleton + 305, at_s=0.1)
    faint.keypoint_scores[:, 3:] = 0.1
    assert ids(tracker(faint)) == [1]


def test_keypoints_hold_on_where_the_boxes_part(skeleton: np.ndarray) -> None:
    """Both wrists go up and out: the box is another one, twelve keypoints are where they were."""
    spread = skeleton.copy()
    spread[[9, 10]] = [(-500, -500), (500, -500)]
    kept = {name: Tracker(name) for name in ("oks", "iou")}
    numbers = {}
    for name, tracker in kept.items():
        tracker(frame(skeleton + 600, at_s=0.0))
        numbers[name] = ids(tracker(frame(spread + 600, at_s=0.1)))
    assert numbers == {"oks": [1], "iou": [2]}


def test_events_tell_who_came_went_and_came_back(skeleton: np.ndarray) -> None:
    tracker, person, happened = Tracker(), skeleton + 300, []
    for at_s, people in ((0, [person]), (0.5, []), (0.6, []), (1, [person]), (1.5, []), (3, [])):
        tracker(frame(*people, at_s=at_s))
        happened.append(tracker.events)
    new, lost, found, gone = (Event(word, 1) for word in ("new", "lost", "found", "gone"))
    assert happened == [[new], [lost], [], [found], [lost], [gone]]


def test_time_that_goes_back_makes_everybody_new(skeleton: np.ndarray) -> None:
    tracker = Tracker()
    assert ids(tracker(frame(skeleton + 300, at_s=5.0))) == [1]
    assert ids(tracker(frame(skeleton + 300, at_s=5.0))) == [1]  # no time at all is no harm
    assert ids(tracker(frame(skeleton + 300, at_s=4.9))) == [2]


def test_frames_without_a_time_are_refused(skeleton: np.ndarray) -> None:
    poses = Poses.from_arrays(skeleton[None], SCORES[None], image_size=SIZE)
    with pytest.raises(ValueError, match="timestamp_s is None"):
        Tracker()(poses)


def test_at_most_eighteen_are_remembered_the_latest() -> None:
    tracker, body = Tracker(), np.random.default_rng(0).uniform(-20, 20, (17, 2))
    places = [(60.0 * number, 100.0) for number in range(21)]
    for number, place in enumerate(places):
        tracker(frame(body + place, at_s=0.01 * number))
    tracker(frame(at_s=0.3))
    assert [track.id for track in tracker.tracks] == list(range(21, 21 - MAX_TRACKS, -1))


def test_the_missing_are_expected_where_they_went(skeleton: np.ndarray) -> None:
    tracker = Tracker()
    for step in range(30):
        seen = frame(skeleton + np.array((200 + 10 * step, 400)), at_s=step / 30, scores=[0.8])
        tracker(seen)
    nobody = frame(at_s=34 / 30)
    tracker(nobody)
    missing = tracker.missing(nobody)
    assert ids(missing) == [1]
    np.testing.assert_allclose(missing.keypoints[0], skeleton + np.array((540, 400)), atol=5)
    assert missing.scores[0] == pytest.approx(0.4)


def test_who_is_recovered_was_not_lost(skeleton: np.ndarray) -> None:
    tracker = Tracker()
    tracker(frame(skeleton + 300, at_s=0.0))
    nobody = frame(at_s=0.1)
    tracker(nobody)
    assert tracker.events == [Event("lost", 1)]
    tracker.recover(tracker.missing(nobody))
    assert tracker.events == []
    assert not len(tracker.missing(nobody))


def test_people_move_as_a_kalman_filter_has_it(skeleton: np.ndarray) -> None:
    """Written out for one coordinate: position and velocity, white noise for acceleration."""
    rng = np.random.default_rng(5)
    tracker, at_s = Tracker(), 0.0
    x, v, (pp, pv, vv) = 0.0, 0.0, (0.0, 0.0, 0.0)
    for number in range(12):
        body = skeleton + np.array([300 + 8 * number + rng.normal(0, 3), 300])
        person = frame(body, at_s=at_s)
        tracker(person)
        seen, size = float(person.boxes[0, [0, 2]].mean()), 200.0
        if number:
            step, change = 0.1 + 0.05 * (number % 2), 0.3 * size**2
            x += v * step
            pp += 2 * step * pv + step**2 * vv + change * step**3 / 3
            pv += step * vv + change * step**2 / 2
            vv += change * step
            gain_x, gain_v = (part / (pp + (0.05 * size) ** 2) for part in (pp, pv))
            x, v = x + gain_x * (seen - x), v + gain_v * (seen - x)
            pp, pv, vv = pp - gain_x * pp, pv - gain_x * pv, vv - gain_v * pv
        else:
            x, pp, vv = seen, (0.05 * size) ** 2, size**2
        (track,) = tracker.tracks
        assert track.middle[0] == pytest.approx(x, abs=1e-3)
        assert track.velocity[0] == pytest.approx(v, abs=1e-2)
        at_s += 0.1 + 0.05 * ((number + 1) % 2)


def test_three_keypoints_are_too_few_to_tell(skeleton: np.ndarray) -> None:
    """Somebody else, elsewhere but for three keypoints at one place."""
    numbers = []
    for common in (3, 4):
        tracker, first = Tracker(), frame(skeleton + 300, at_s=0.0)
        first.keypoint_scores[:, common:] = 0.1
        tracker(first)
        other = skeleton + 300
        other[common:] += np.array([600, 0])
        second = frame(other, at_s=0.01)
        second.boxes[0] = (900, 100, 1000, 300)
        numbers.append(ids(tracker(second)))
    assert numbers == [[2], [1]]


def test_who_leaves_the_picture_and_comes_back_there_is_the_same(skeleton: np.ndarray) -> None:
    tracker, steps = Tracker(), np.arange(30)
    way = [60 - 6 * step for step in steps]  # px of the middle of the hips; gone from -60 on
    at_s, seen = 0.0, []
    for x in [*way, *[-200] * 8, *way[::-1]]:
        body = [skeleton + np.array([x, 400])] if x > -60 else []
        seen.append(ids(tracker(frame(*body, at_s=at_s))))
        at_s += 1 / 30
    assert seen[30] == []
    assert {number for numbers in seen for number in numbers} == {1}


# How alike two must be, in closed form


def boxed(poses: Poses, *box: float) -> Poses:
    """One person with that box."""
    return replace(poses, boxes=np.array([box], np.float32))


@pytest.mark.parametrize(
    ("overlap", "same"),
    [
        (0.22, {"oks": True, "iou": True, "alone": True}),
        (0.17, {"oks": False, "iou": True, "alone": True}),
        (0.12, {"oks": False, "iou": False, "alone": True}),
        (0.08, {"oks": False, "iou": False, "alone": False}),
    ],
)
def test_boxes_overlap_by_a_fifth_or_less_where_a_network_sees_one_person(
    skeleton: np.ndarray, overlap: float, same: dict[str, bool]
) -> None:
    """Boxes 100 px wide whose intersection over union is known; keypoints say nothing."""
    apart = 100 * (1 - overlap) / (1 + overlap)
    trackers = {"oks": Tracker("oks"), "iou": Tracker("iou"), "alone": Tracker(alone=True)}
    found = {}
    for name, tracker in trackers.items():
        for at_s, left in ((0.0, 300.0), (0.001, 300 + apart)):
            person = boxed(frame(skeleton + 400, at_s=at_s), left, 300, left + 100, 500)
            person.keypoint_scores[:] = 0.1
            numbers = ids(tracker(person))
        found[name] = numbers == [1]
    assert found == same


@pytest.mark.parametrize(("score", "number"), [(0.35, 1), (0.25, 2)])
def test_keypoints_over_a_score_of_three_tenths_are_compared(
    skeleton: np.ndarray, score: float, number: int
) -> None:
    """They stay; the second box is elsewhere."""
    tracker = Tracker()
    for at_s, left in ((0.0, 250), (0.001, 1000)):
        person = boxed(frame(skeleton + 300, at_s=at_s), left, 200, left + 100, 400)
        person.keypoint_scores[:] = score
        numbers = ids(tracker(person))
    assert numbers == [number]


@pytest.mark.parametrize("grows", [True, False])
def test_keypoints_are_compared_in_the_larger_body_s_size(
    skeleton: np.ndarray, grows: bool
) -> None:
    """17 px are near for a body of 200 px, and far for one that looks like 20."""
    small, large = (900, 100, 920, 120), (250, 100, 350, 300)
    tracker = Tracker()
    tracker(boxed(frame(skeleton + 300, at_s=0.0), *(small if grows else large)))
    second = boxed(frame(skeleton + 312, at_s=0.001), *(large if grows else small))
    assert ids(tracker(second)) == [1]


def test_keypoints_are_expected_where_the_box_went(skeleton: np.ndarray) -> None:
    """Somebody walks three heights a second; then the box is one of somewhere else."""
    tracker = Tracker()
    for step in range(20):
        walker = frame(skeleton + np.array((200 + 20 * step, 400)), at_s=step / 30)
        assert ids(tracker(walker)) == [1]
    walker = frame(skeleton + np.array((200 + 20 * 20, 400)), at_s=20 / 30)
    assert ids(tracker(boxed(walker, 1000, 0, 1100, 100))) == [1]


def test_who_is_recovered_keeps_the_score_of_the_first_look(skeleton: np.ndarray) -> None:
    tracker = Tracker()
    tracker(frame(skeleton + 300, at_s=0.0, scores=[0.8]))
    for number in range(1, 20):
        nobody = frame(at_s=number / 30)
        tracker(nobody)
        missing = tracker.missing(nobody)
        assert missing.scores[0] == pytest.approx(0.4)
        tracker.recover(replace(missing, scores=missing.scores * np.float32(0.7)))
