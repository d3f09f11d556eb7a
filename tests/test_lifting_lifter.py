"""From poses to bodies: times, ids, half bodies and none, heights; live, pictures and clips."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from movenet import keypoints
from movenet.lifting import files, lifter
from movenet.lifting.bodies import HEIGHTS, METRES, Bodies
from movenet.lifting.engines.torch import TorchEngine
from movenet.lifting.gravity import Gravity, upright
from movenet.lifting.history import GAP_S, KEPT_S, History, around, sampled
from movenet.lifting.joints import INDEX, MIRROR, NAMES
from movenet.lifting.lifter import Lifter, Network, lift, normalised
from movenet.lifting.network import LiftingNetwork
from movenet.lifting.specs import FRAMES, RATE
from movenet.poses import Poses

PICTURE = (480, 640)
REFUSED = [178, 0, 0.0, -1.78, float("nan"), float("inf"), -float("inf")]


@pytest.fixture(autouse=True)
def _random_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small networks with random weights, the same ones each time."""

    def select(kind: str, engine: object) -> TorchEngine:
        torch.manual_seed(sorted(files.NETWORKS).index(kind))
        return TorchEngine(kind, LiftingNetwork(**{**files.NETWORKS[kind], "width": 48}).eval())

    monkeypatch.setattr(lifter, "select_engine", select)


class Watched:
    """Instead of a network: keeps what it is given, and says that everybody is at 0."""

    seen: list[tuple[np.ndarray, np.ndarray]]

    def __init__(self, kind: str, engine: object) -> None:
        Watched.seen = []

    def __call__(self, points: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        Watched.seen.append((points, scores))
        count = len(points)
        return np.zeros((count, 21, 3), np.float32), np.full((count, 21), 0.1, np.float32)


def person(seed: int = 0, time_s: float = 0.0) -> np.ndarray:
    """Keypoints (17, 2) within the picture, that move evenly with time."""
    random = np.random.default_rng(seed)
    start, way = random.uniform((120, 80), (520, 400), (17, 2)), random.uniform(-20, 20, (17, 2))
    return start + way * time_s


def poses(
    *people: np.ndarray, scores: np.ndarray | float = 0.8, size: tuple[int, int] = PICTURE,
    time_s: float | None = None, ids: list[int] | None = None, index: int | None = None,
) -> Poses:  # fmt: skip
    """People in the order in which they are given."""
    points = np.reshape(people, (-1, 17, 2))
    return Poses.from_arrays(
        points, np.broadcast_to(scores, points.shape[:2]), image_size=size,
        scores=np.linspace(0.9, 0.5, len(points)), ids=ids, timestamp_s=time_s, frame_index=index,
    )  # fmt: skip


def clip(count: int = 40, rate: float = 30.0, seeds: tuple[int, ...] = (0,)) -> list[Poses]:
    ids = [10 + seed for seed in seeds]
    times = [1 + frame / rate for frame in range(count)]
    return [poses(*(person(s, t) for s in seeds), time_s=t, ids=ids) for t in times]


def without(frame: Poses, *joints: str) -> Poses:
    scores = frame.keypoint_scores.copy()
    scores[:, [keypoints.INDEX[name] for name in joints]] = 0
    return replace(frame, keypoint_scores=scores)


def mirrored(frame: Poses) -> Poses:
    """The same picture in a mirror."""
    sides = list(keypoints.MIRROR)
    points = frame.keypoints[:, sides].copy()
    points[..., 0] = frame.image_size[1] - points[..., 0]
    return replace(frame, keypoints=points, keypoint_scores=frame.keypoint_scores[:, sides])


def mirror_of(joints: np.ndarray) -> np.ndarray:
    return (joints * np.float32([-1, 1, 1]))[..., list(MIRROR), :]


def same(one: Bodies, other: Bodies, atol: float = 1e-5) -> None:
    assert_allclose(one.joints, other.joints, atol=atol)
    assert_allclose(one.uncertainty, other.uncertainty, atol=atol)


# Times


@given(st.sampled_from([25.0, 30.0, 60.0, 59.94, 11.3]), st.floats(0, 5))
@settings(max_examples=30, deadline=None)
def test_an_even_motion_is_the_same_at_any_rate(rate: float, start: float) -> None:
    times = start + np.arange(int(2 * rate)) / rate
    way = np.linspace(-1, 1, 34).reshape(17, 2)
    points = (times[:, None, None] * way).astype(np.float32)
    at = times[-1] + np.arange(-26, 1) / 30
    found, scores = sampled(times, points, np.full((len(times), 17), 0.7, np.float32), at)
    assert_allclose(found, at[:, None, None] * way, atol=1e-5)
    assert_allclose(scores, np.full((27, 17), 0.7), atol=1e-6)
    assert_array_equal(found[-1], points[-1])


def test_between_uneven_times_the_way_is_even_too() -> None:
    """By hand: a third of the way from 0 to 3 s, and half of that from 3 to 4 s."""
    times = np.array([0.0, 3, 4])
    points = np.array([0, 9, 5], np.float32)[:, None, None] * np.ones((1, 17, 2), np.float32)
    scores = np.array([0.3, 0.6, 1.0], np.float32)[:, None] * np.ones((1, 17), np.float32)
    found, seen = sampled(times, points, scores, np.array([1.0, 3.5, 3.0]))
    assert_allclose(found[:, 0, 0], [3, 7, 9], atol=1e-6)
    assert_allclose(seen[:, 0], [0.4, 0.8, 0.6], atol=1e-6)


def test_before_the_first_frame_and_after_the_last_one_these_stand() -> None:
    times = np.array([1.0, 2])
    points = np.array([1, 2], np.float32)[:, None, None] * np.ones((1, 17, 2), np.float32)
    scores = np.ones((2, 17), np.float32)
    found, _ = sampled(times, points, scores, np.array([[-9.0, 1], [2, 50]]))
    assert found.shape == (2, 2, 17, 2)
    assert_array_equal(found[..., 0, 0], [[1, 1], [2, 2]])
    one, _ = sampled(times[:1], points[:1], scores[:1], np.array([0.0, 1, 2]))
    assert_array_equal(one[:, 0, 0], [1, 1, 1])


def test_a_keypoint_that_one_frame_lacks_is_there_near_the_other() -> None:
    """By hand, a second between: it is where it was until half of it, and not after."""
    points = np.array([5, 77], np.float32)[:, None, None] * np.ones((1, 17, 2), np.float32)
    scores = np.array([[0.6], [0.8]], np.float32) * np.ones((1, 17), np.float32)
    scores[1, 3] = scores[0, 4] = 0
    found, seen = sampled(np.array([0.0, 1]), points, scores, np.array([0.2, 0.8]))
    assert_allclose(seen[:, 3], [0.6, 0])
    assert_allclose(seen[:, 4], [0, 0.8])
    assert found[0, 3, 0] == 5
    assert found[1, 4, 0] == 77
    assert_allclose(found[:, 0, 0], [5 + 72 * 0.2, 5 + 72 * 0.8], rtol=1e-5)


def test_times_that_stand_give_what_is_there() -> None:
    points = np.arange(3, dtype=np.float32)[:, None, None] * np.ones((1, 17, 2), np.float32)
    found, _ = sampled(np.ones(3), points, np.ones((3, 17), np.float32), np.array([0.5, 1, 2]))
    assert np.isfinite(found).all()


def frames_of(history: History, *, back: float = 0.9) -> list[float]:
    found, _ = history.before(np.linspace(-back, 0, 10))
    return [float(value) for value in found[:, 0, 0]]


def remember(history: History, time_s: float, value: float) -> None:
    history.add(time_s, np.full((17, 2), value, np.float32), np.ones(17, np.float32))


def test_a_history_is_the_last_second() -> None:
    history = History()
    for frame in range(6000):
        remember(history, frame / 60, frame / 60)
    assert_allclose(frames_of(history), history.last_s + np.linspace(-0.9, 0, 10), atol=1e-4)
    assert history.last_s == pytest.approx(5999 / 60)
    assert len(history._times) < 64
    slow = History()
    for frame in range(9):
        remember(slow, frame * GAP_S, frame)
    assert_allclose(frames_of(slow), 8 + np.linspace(-0.9, 0, 10) / GAP_S, atol=1e-5)


def test_a_history_reaches_as_far_back_as_a_clip_s_window_does() -> None:
    random, times = np.random.default_rng(0), np.arange(9) * 0.21  # 0.84 and 1.05 s back
    points = random.normal(size=(9, 17, 2)).astype(np.float32)
    scores = np.ones((9, 17), np.float32)
    history = History()
    for row in zip(times, points, scores, strict=True):
        history.add(*row)
    back = np.linspace(-26 / 30, 0, 27)
    expected, _ = sampled(times, points, scores, times[-1] + back)
    assert_allclose(history.before(back)[0], expected, atol=1e-6)


@pytest.mark.parametrize("later", [4.99, -100.0, 5 + 1.01 * GAP_S, 1e9])
def test_a_time_that_goes_back_or_on_by_too_much_begins_anew(later: float) -> None:
    history = History()
    for frame in range(51):
        remember(history, frame / 10, 7)
    remember(history, later, 1)
    assert frames_of(history) == [1] * 10
    assert history.last_s == later


def test_a_frame_of_the_same_time_takes_the_last_one_s_place() -> None:
    twice, once = History(), History()
    for frame in range(20):
        remember(once, frame / 20, frame)
        for value in (-5, frame):
            remember(twice, frame / 20, value)
    assert frames_of(twice) == frames_of(once)


def test_times_around_a_frame_stay_on_its_side_of_a_long_gap() -> None:
    """By hand: a short gap and a long one, and a frame between two long ones."""
    end = 1 + GAP_S
    times = np.array([0.9, 1, end, 2, 3, 3.1])
    found = around(times, np.array([-9.0, -0.05, 0, 0.05, 9]))
    expected = [
        [0.9, 0.9, 0.9, 0.95, end],
        [0.9, 0.95, 1, 1.05, end],
        [0.9, end - 0.05, end, end, end],
        [2, 2, 2, 2, 2],
        [3, 3, 3, 3.05, 3.1],
        [3, 3.05, 3.1, 3.1, 3.1],
    ]
    assert_allclose(found, expected, atol=1e-12)
    assert_array_equal(around(times[:1], np.array([-1.0, 1])), [[0.9, 0.9]])


# What the networks are given


def test_keypoints_are_measured_from_the_picture_s_middle_in_its_longer_side() -> None:
    for size, longer in (((480, 640), 640), ((640, 480), 640), ((100, 100), 100)):
        height, width = size
        corners = np.zeros((17, 2))
        corners[:3] = (0, 0), (width, height), (width / 2, height / 2)
        points, scores = normalised(poses(corners, scores=0.4, size=size))
        half = np.array([width, height]) / longer / 2
        assert_allclose(points[0, :3], [-half, half, (0, 0)], atol=1e-7)
        assert_allclose(scores, np.full((1, 17), 0.4), rtol=1e-6)
        assert points.dtype == scores.dtype == np.float32


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_keypoint_that_is_no_number_is_missing(bad: float) -> None:
    points, scores = person(), np.full(17, 0.5)
    points[3, 1], points[4, 0], scores[5], scores[6] = bad, bad, 0, -0.5
    found, seen = normalised(poses(points, scores=scores))
    assert_array_equal(seen[0, 3:7], 0)
    assert_array_equal(found[0, 3:7], 0)
    assert (seen[0, [0, 1, 2, 7, 16]] == 0.5).all()
    unknown = np.full(17, 0.5)
    unknown[2] = bad
    _, seen = normalised(poses(person(), scores=unknown))
    assert_array_equal(seen[0], np.where(np.arange(17) == 2, np.float32(0), np.float32(0.5)))


def test_a_score_over_1_is_1() -> None:
    given = np.linspace(0.5, 200, 17)
    assert_allclose(normalised(poses(person(), scores=given))[1][0], given.clip(0, 1))


@pytest.mark.parametrize("rate", [25.0, 30.0, 60.0])
def test_a_live_window_is_27_frames_of_30_hz_that_end_now(
    rate: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifter, "Network", Watched)
    live = Lifter()
    for frame in clip(int(2 * rate), rate):
        live(frame)
        points, scores = Watched.seen[-1]
        now = frame.timestamp_s
        assert points.shape == (1, FRAMES, 17, 2)
        at = np.maximum(now + np.arange(1 - FRAMES, 1) / RATE, 1.0)  # the clip's first frame stands
        expected = [normalised(poses(person(0, time)))[0][0] for time in at]
        assert_allclose(points[0], expected, atol=1e-5)
        assert_allclose(scores, np.full((1, FRAMES, 17), 0.8), atol=1e-6)


@pytest.mark.parametrize("rate", [25.0, 30.0, 60.0])
def test_a_clip_s_windows_are_27_frames_of_30_hz_around_each(
    rate: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifter, "Network", Watched)
    frames = clip(int(2 * rate), rate)
    lift(frames)
    ((points, _),) = Watched.seen
    times = np.array([frame.timestamp_s for frame in frames])
    at = times[:, None] + (np.arange(FRAMES) - 13) / RATE
    at = at.clip(times[0], times[-1])
    expected = np.stack([[normalised(poses(person(0, t)))[0][0] for t in row] for row in at])
    assert_allclose(points, expected, atol=1e-5)


def test_a_clip_s_windows_know_nothing_of_the_other_side_of_a_long_gap(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lifter, "Network", Watched)
    frames = clip(40)
    end = frames[19].timestamp_s or 0.0
    for apart, alone in ((0.9 * GAP_S, False), (1.1 * GAP_S, True), (30.0, True)):
        later = [
            replace(frame, timestamp_s=end + apart + (frame.timestamp_s or 0) - 1)
            for frame in frames[:20]
        ]
        lift([*frames[:20], *later])
        ((together, _),) = Watched.seen
        lift(frames[:20])
        ((first, _),) = Watched.seen
        lift(later)
        ((second, _),) = Watched.seen
        difference = np.abs(together - np.concatenate((first, second))).max()
        assert (difference < 1e-6) == alone


def test_a_clip_s_windows_are_around_the_frames_where_somebody_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lifter, "Network", Watched)
    frames = clip(9)
    for row in (0, 4, 5):
        frames[row] = replace(frames[row], keypoint_scores=np.zeros((1, 17), np.float32))
    lift(frames)
    ((points, _),) = Watched.seen
    there = [normalised(frames[row])[0][0] for row in (1, 2, 3, 6, 7, 8)]
    assert_allclose(points[:, FRAMES // 2], there, atol=1e-6)


# Live


def test_ids_keep_histories_apart() -> None:
    """Two people who change places in the list are each lifted as if alone."""
    together, alone = Lifter(), {3: Lifter(), 4: Lifter()}
    for frame in range(12):
        time_s = frame / 30
        order = [3, 4] if frame % 2 else [4, 3]
        found = together(poses(*(person(n, time_s) for n in order), ids=order, time_s=time_s))
        assert list(found.ids) == order  # type: ignore[arg-type]
        for row, number in enumerate(order):
            own = poses(person(number, time_s), ids=[number], time_s=time_s)
            same(found[row], alone[number](own))


def test_the_past_makes_a_difference_and_is_forgotten_after_a_second() -> None:
    old, new = Lifter(), Lifter()
    for frame in range(20):
        old(poses(person(5, frame / 30), time_s=frame / 30))
    now = poses(person(6), time_s=0.7)
    later = replace(now, timestamp_s=0.7 + 2 * KEPT_S)
    assert np.abs(old(now).joints - new(now).joints).max() > 1e-3
    old(poses(time_s=0.7 + 1.5 * KEPT_S))
    same(old(later), Lifter()(later))
    assert len(old._histories) == len(old._bones) == 1


def test_a_stream_that_is_set_back_begins_anew() -> None:
    live = Lifter()
    for frame in clip(10):
        live(frame)
    again = live(poses(person(1), time_s=0.0, ids=[10]))
    fresh = Lifter()(poses(person(1), time_s=0.0, ids=[10]))
    assert_allclose(again.uncertainty, fresh.uncertainty, atol=1e-6)  # of the same window


@pytest.mark.parametrize("jump_s", [1.1 * KEPT_S, -1.1 * KEPT_S, 100.0])
def test_bones_are_forgotten_though_no_frame_came_between(jump_s: float) -> None:
    live = Lifter()
    for frame in clip(10):
        live(frame)
    after = poses(person(1), time_s=1 + 9 / 30 + jump_s, ids=[10])
    same(live(after), Lifter()(after))


def test_a_stream_begins_anew_after_a_gap_that_is_too_long() -> None:
    for gap, anew in ((0.9 * GAP_S, False), (1.1 * GAP_S, True), (0.9 * KEPT_S, True)):
        live = Lifter()
        for frame in clip(20):
            live(frame)
        after = poses(person(1), time_s=1 + 19 / 30 + gap, ids=[10])
        fresh = Lifter()(after)
        assert np.allclose(live(after).uncertainty, fresh.uncertainty, atol=1e-6) == anew


def test_a_lifter_that_is_reset_is_a_new_one() -> None:
    live = Lifter()
    for frame in clip(10, seeds=(0, 1)):
        live(frame)
    live.reset()
    again = poses(person(3), person(4), time_s=1.35, ids=[10, 11])
    same(live(again), Lifter()(again), 0)


@pytest.mark.parametrize("way", ["live", "clip"])
@pytest.mark.parametrize("bad", ["score", "number"])
def test_a_frame_without_a_keypoint_makes_no_difference_to_those_beside_it(
    way: str, bad: str
) -> None:
    frames = clip(30)
    expected = iter(lifted(way, [frame for row, frame in enumerate(frames) if row % 3]))
    for row in range(0, 30, 3):
        scores, points = (np.full_like(each, value) for each, value in (
            (frames[row].keypoint_scores, 0), (frames[row].keypoints, np.nan)))  # fmt: skip
        change = {"keypoint_scores": scores} if bad == "score" else {"keypoints": points}
        frames[row] = replace(frames[row], **change)  # type: ignore[arg-type]
    for row, found in enumerate(lifted(way, frames)):
        if row % 3:
            same(found, next(expected), 0)
        else:
            assert np.isnan(found.joints).all()


def test_nobody_is_nobody() -> None:
    live = Lifter()
    for frame in (poses(time_s=0.0), poses(time_s=0.1, ids=[]), poses(time_s=0.2)):
        found = live(frame)
        assert len(found) == 0
        assert found.joints.shape == (0, 21, 3)
        assert found.uncertainty.shape == (0, 21)
        assert found.timestamp_s == frame.timestamp_s
    assert len(lift(poses())) == 0
    assert [len(each) for each in lift([poses(), poses()])] == [0, 0]
    assert [len(each) for each in lift([poses(time_s=0.0), poses(time_s=1.0)])] == [0, 0]


@pytest.mark.parametrize("way", ["live", "picture", "clip"])
def test_half_a_body_is_a_body(way: str) -> None:
    legs = [f"{side}_{joint}" for side in ("left", "right") for joint in ("hip", "knee", "ankle")]
    (found,) = lifted(way, [without(poses(person(), time_s=0.0), *legs)])
    assert np.isfinite(found.joints).all()
    assert np.isfinite(found.uncertainty).all()
    assert_array_equal(found.joints[:, INDEX["pelvis"]], 0)


def lifted(way: str, frames: list[Poses]) -> list[Bodies]:
    if way == "live":
        live = Lifter()
        return [live(frame) for frame in frames]
    if way == "picture":
        return [found for frame in frames if isinstance(found := lift(frame), Bodies)]
    found = lift(frames)
    assert isinstance(found, list)
    return found


@pytest.mark.parametrize("way", ["live", "picture", "clip"])
def test_keypoints_that_are_no_numbers_are_as_good_as_missing(way: str) -> None:
    frames = clip(6)
    missing = [without(frame, "left_wrist", "nose") for frame in frames]
    damaged = []
    for frame in frames:
        points = frame.keypoints.copy()
        points[:, keypoints.INDEX["left_wrist"]] = np.nan
        points[:, keypoints.INDEX["nose"], 0] = np.inf
        damaged.append(replace(frame, keypoints=points))
    for one, other in zip(lifted(way, missing), lifted(way, damaged), strict=True):
        assert np.isfinite(other.joints).all()
        assert_array_equal(one.joints, other.joints)


@pytest.mark.parametrize("way", ["live", "picture", "clip"])
def test_somebody_without_a_usable_keypoint_is_nowhere_and_others_stay(way: str) -> None:
    frames = clip(8, seeds=(0, 1))
    expected = lifted(way, [frame[0] for frame in frames])
    for row in (2, 3, 7):
        points = frames[row].keypoints.copy()
        points[1] = np.nan
        frames[row] = replace(frames[row], keypoints=points)
    found = lifted(way, frames)
    for row, (bodies, alone) in enumerate(zip(found, expected, strict=True)):
        same(bodies[0], alone)
        nowhere = row in (2, 3, 7)
        assert np.isnan(bodies.joints[1]).all() == nowhere
        assert np.isfinite(bodies.joints[1]).all() != nowhere
        assert_array_equal(np.isinf(bodies.uncertainty[1]), np.full(21, nowhere))


def test_somebody_who_is_never_seen_is_nowhere() -> None:
    frames = [poses(person(0, t), scores=0.0, time_s=t) for t in (0.0, 0.1)]
    for way in ("live", "picture", "clip"):
        for bodies in lifted(way, frames):
            assert np.isnan(bodies.joints).all()
            assert np.isposinf(bodies.uncertainty).all()


def test_several_people_over_time_must_have_ids() -> None:
    frame = poses(person(0), person(1), time_s=0.0)
    with pytest.raises(ValueError, match="must have ids"):
        Lifter()(frame)
    with pytest.raises(ValueError, match="must have ids"):
        lift([frame, frame])
    assert len(lift(frame)) == 2  # of one picture nobody needs one


def test_people_with_one_id_are_refused() -> None:
    frame = poses(person(0), person(1), time_s=0.0, ids=[4, 4])
    for call in (lambda: Lifter()(frame), lambda: lift([frame])):
        with pytest.raises(
            ValueError, match=r"ids of the people in a frame must differ, not \[4, 4"
        ):
            call()
    assert len(lift(frame)) == 2


@pytest.mark.parametrize("time_s", [None, np.nan, np.inf, -np.inf])
def test_a_stream_must_have_times_and_goes_on_after_a_frame_without(time_s: float | None) -> None:
    live, other = Lifter(), Lifter()
    for frame in clip(8):
        with pytest.raises(ValueError, match=f"must have a finite timestamp_s, not {time_s}"):
            live(replace(frame, timestamp_s=time_s))
        same(live(frame), other(frame), 0)
    if time_s is not None:
        with pytest.raises(ValueError, match="must have a finite timestamp_s"):
            lift([*clip(3), poses(person(), time_s=time_s)])


def test_a_frame_that_is_refused_makes_nobody_forgotten() -> None:
    live, other = Lifter(), Lifter()
    frames = clip(12)
    for frame in frames[:8]:
        same(live(frame), other(frame), 0)
    with pytest.raises(ValueError, match="must have ids"):
        live(poses(person(0), person(1), time_s=frames[7].timestamp_s + 5))  # type: ignore[operator]
    same(live(frames[8]), other(frames[8]), 0)


def test_bare_arrays_are_refused_with_the_way_to_lift_them() -> None:
    match = "Poses are lifted, not ndarray; Poses.from_arrays makes them of arrays"
    for call in (lambda: lift(person()[None]), lambda: Lifter()(person())):  # type: ignore[call-overload,arg-type]
        with pytest.raises(ValueError, match=match):
            call()


def test_one_person_needs_no_id() -> None:
    found = Lifter()(poses(person(), time_s=0.5, index=7))
    assert found.ids is None
    assert (found.frame_index, found.timestamp_s, found.unit) == (7, 0.5, HEIGHTS)
    assert np.isfinite(found.joints).all()


# Heights


def test_a_height_makes_everything_metres() -> None:
    frames = clip(5)
    live, tall = Lifter(), Lifter(height_m=1.78)
    pairs = [(lift(frames[0]), lift(frames[0], height_m=1.78))]
    pairs += [(live(frame), tall(frame)) for frame in frames]
    pairs += zip(lift(frames), lift(frames, height_m=1.78), strict=True)
    for one, other in pairs:
        assert (one.unit, other.unit) == (HEIGHTS, METRES)
        assert_allclose(other.joints, one.joints * 1.78, rtol=1e-6)
        assert_allclose(other.uncertainty, one.uncertainty * 1.78, rtol=1e-6)
        assert other.joints.dtype == np.float32


@pytest.mark.parametrize("height", REFUSED)
def test_a_height_that_is_none_is_refused(height: float) -> None:
    for call in (lambda: lift(poses(), height_m=height), lambda: lift([], height_m=height),
                 lambda: Lifter(height_m=height)):  # fmt: skip
        with pytest.raises(ValueError, match="height_m must be over 0"):
            call()


# Pictures and clips


def test_a_picture_is_lifted_by_the_network_of_one_frame() -> None:
    frame = poses(person(0), person(1), ids=[8, 9], time_s=3.0, index=4)
    found = lift(frame)
    assert isinstance(found, Bodies)
    points, scores = normalised(frame)
    joints, uncertainty = Network("single")(points[:, None], scores[:, None])
    assert_allclose(found.joints, joints, atol=1e-6)
    assert_allclose(found.uncertainty, uncertainty, atol=1e-6)
    assert (list(found.ids), found.frame_index, found.timestamp_s) == ([8, 9], 4, 3.0)  # type: ignore[arg-type]
    assert found.joint_names == NAMES


def test_pictures_without_times_are_lifted_each_by_itself() -> None:
    pictures = [
        poses(person(0), person(1)),
        poses(),
        poses(person(2)),
        poses(person(3), time_s=1.0),
    ]
    found = lift(pictures)
    assert isinstance(found, list)
    for one, frame in zip(found, pictures, strict=True):
        alone = lift(frame)
        assert isinstance(alone, Bodies)
        same(one, alone)


def test_nothing_is_nothing() -> None:
    assert lift([]) == []
    assert lift(iter(())) == []
    assert lift([], upright=True) == []


def test_an_iterator_is_a_clip() -> None:
    def stream() -> Iterator[Poses]:
        yield from clip(5)

    for one, other in zip(lift(stream()), lift(clip(5)), strict=True):
        same(one, other, 0)


def test_people_of_a_clip_are_lifted_each_by_id() -> None:
    """Two who change places in the list, one of whom comes late and is away for a frame."""
    frames = []
    for row in range(12):
        order = [3, 4] if row % 2 else [4, 3]
        order = order if row not in (0, 1, 5) else [3]
        time_s = row / 25
        frames.append(poses(*(person(n, time_s) for n in order), ids=order, time_s=time_s))
    found = lift(frames)
    for number in (3, 4):
        places = [(row, list(frame.ids).index(number)) for row, frame in enumerate(frames)
                  if number in frame.ids]  # type: ignore[operator,arg-type]  # fmt: skip
        alone = lift([frames[row][place] for row, place in places])
        for (row, place), own in zip(places, alone, strict=True):
            same(found[row][place], own)


def test_a_clip_sees_the_future_and_its_order_makes_no_difference() -> None:
    frames = clip(10)
    whole, short = lift(frames), lift(frames[:5])
    assert np.abs(whole[4].joints - short[4].joints).max() > 1e-4
    backwards = lift(frames[::-1])
    for one, other in zip(whole, backwards[::-1], strict=True):
        same(one, other, 1e-6)


def test_a_clip_of_one_frame_and_one_whose_time_stands_are_lifted() -> None:
    (found,) = lift(clip(1))
    assert np.isfinite(found.joints).all()
    still = [replace(frame, timestamp_s=1.0) for frame in clip(4)]
    assert all(np.isfinite(each.joints).all() for each in lift(still))


def limbs(bodies: list[Bodies]) -> np.ndarray:
    """Lengths (T, 4, 2), left and right."""
    joints = np.stack([each.joints[0] for each in bodies])
    bones = (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"))
    ends = [[(INDEX[f"{side}_{a}"], INDEX[f"{side}_{b}"]) for side in ("left", "right")]
            for a, b in bones]  # fmt: skip
    pairs = np.array(ends)
    return np.linalg.norm(joints[:, pairs[..., 1]] - joints[:, pairs[..., 0]], axis=-1)


def test_a_clip_s_bones_keep_one_length_left_and_right_alike() -> None:
    found = limbs(list(lift(clip(20))))
    assert_allclose(found, np.broadcast_to(found[:1, :, :1], found.shape), atol=1e-5)


def test_live_bones_are_the_same_left_and_right() -> None:
    live = Lifter()
    found = limbs([live(frame) for frame in clip(20)])
    assert_allclose(found[..., 0], found[..., 1], atol=1e-5)


def test_upright_turns_everybody_by_the_gravity_that_was_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain, down = lift(clip(5)), np.array([0.6, 0.8, 0.0])
    monkeypatch.setattr(lifter, "gravity", lambda bodies: Gravity(down, 1.0, 5))
    for one, other in zip(plain, lift(clip(5), upright=True), strict=True):
        same(other, upright(one, down), 1e-6)
        assert np.abs(one.joints - other.joints).max() > 0.01
    for one, other in zip(plain, lift(clip(5), upright=True, height_m=1.8), strict=True):
        assert other.unit == METRES
        assert_allclose(other.joints, 1.8 * upright(one, down).joints, atol=1e-5)
    pictures = [replace(frame, timestamp_s=None) for frame in clip(5)]  # of any cameras
    for one, other in zip(lift(pictures), lift(pictures, upright=True), strict=True):
        same(one, other, 0)
    monkeypatch.setattr(lifter, "gravity", lambda bodies: None)
    for one, other in zip(plain, lift(clip(5), upright=True), strict=True):
        same(one, other, 0)


# What makes no difference


@pytest.mark.parametrize("way", ["live", "picture", "clip"])
def test_a_mirrored_pose_is_the_mirrored_body(way: str) -> None:
    frames = clip(8)
    frames[3] = without(frames[3], "left_wrist", "right_ear")
    # Of pixels whose mirror images are exact.
    frames = [replace(frame, keypoints=frame.keypoints.round()) for frame in frames]
    found = lifted(way, [mirrored(frame) for frame in frames])
    for one, other in zip(lifted(way, frames), found, strict=True):
        assert_allclose(other.joints, mirror_of(one.joints), atol=1e-6)
        assert_allclose(other.uncertainty, one.uncertainty[:, list(MIRROR)], atol=1e-6)
        assert np.abs(one.joints - mirror_of(one.joints)).max() > 0.01


@pytest.mark.parametrize("way", ["live", "picture", "clip"])
def test_a_picture_of_another_size_makes_no_difference(way: str) -> None:
    frames = clip(5)
    larger = [
        replace(frame, keypoints=frame.keypoints * 4, image_size=(4 * 480, 4 * 640))
        for frame in frames
    ]
    for one, other in zip(lifted(way, frames), lifted(way, larger), strict=True):
        same(one, other, 1e-5)


@pytest.mark.parametrize("way", ["picture", "clip"])
def test_batches_make_no_difference(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = clip(9, seeds=(0, 1))
    expected = lifted(way, frames)
    monkeypatch.setattr(lifter, "_AT_ONCE", 4)
    for one, other in zip(expected, lifted(way, frames), strict=True):
        same(one, other)


def test_the_network_sees_no_more_than_that_many_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifter, "_AT_ONCE", 4)
    network, sizes = Network("single"), []
    batch = network._batch
    monkeypatch.setattr(
        network, "_batch", lambda *each: (sizes.append(len(each[0])), batch(*each))[1]
    )
    random = np.random.default_rng(0)
    points = random.uniform(-0.3, 0.3, (10, 1, 17, 2)).astype(np.float32)
    joints, uncertainty = network(points, np.full((10, 1, 17), 0.5, np.float32))
    assert sizes == [4, 4, 2]
    assert (len(joints), len(uncertainty)) == (10, 10)


def test_what_is_given_stays_as_it_was() -> None:
    frames = clip(4)
    before = [(frame.keypoints.copy(), frame.keypoint_scores.copy()) for frame in frames]
    for way in ("live", "picture", "clip"):
        lifted(way, frames)
    for frame, (points, scores) in zip(frames, before, strict=True):
        assert_array_equal(frame.keypoints, points)
        assert_array_equal(frame.keypoint_scores, scores)
