"""Smoothing of whole clips: sides put back, gaps filled, low-passed piece by piece without lag."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from movenet import Poses
from movenet.jitter import lag_s
from movenet.keypoints import INDEX, MIRROR
from movenet.lowpass import lowpass
from movenet.offline import smoothed

SIZE = (480, 640)
RANDOM = np.random.default_rng(0)
# Somebody 200 pixels high, roughly.
BODY = np.stack([np.where(np.arange(17) % 2, 40.0, -40.0), np.linspace(0, 180, 17)], 1)
WRIST = INDEX["left_wrist"]
Frames = list[Poses]


def clip(
    count: int = 60,
    rate: float = 30,
    *,
    path: Callable[[np.ndarray], np.ndarray] = lambda t: 60 * t,
    noise: float = 0.0,
    ident: int = 3,
) -> Frames:
    """One person whose x follows the path."""
    times = np.arange(count) / rate
    made = []
    for index, time in enumerate(times.tolist()):
        at = np.array([100 + path(np.array(time)), 100])
        xy = BODY + at + RANDOM.normal(0, noise, (17, 2))
        made.append(person(xy, index, time, ident=ident))
    return made


def person(xy: np.ndarray, index: int, time: float, *, score: float = 0.8, ident: int = 3) -> Poses:
    return Poses.from_arrays(
        xy[None],
        np.full((1, 17), score),
        scores=[score],
        boxes=[[*xy.min(0), *xy.max(0)]],
        ids=[ident],
        frame_index=index,
        timestamp_s=time,
        image_size=SIZE,
    )


def xy(frames: Frames) -> np.ndarray:
    """Of the first person of each frame, (T, 17, 2)."""
    return np.array([frame.keypoints[0] for frame in frames])


def unseen(frames: Frames, which: slice, keypoint: int = WRIST) -> Frames:
    """With a keypoint that is not over the threshold, and elsewhere."""
    made = list(frames)
    for index in range(*which.indices(len(frames))):
        points, scores = frames[index].keypoints.copy(), frames[index].keypoint_scores.copy()
        points[0, keypoint], scores[0, keypoint] = (0, 0), 0.3
        made[index] = replace(frames[index], keypoints=points, keypoint_scores=scores)
    return made


def without(frames: Frames, which: slice) -> Frames:
    """With nobody, as such frames come back from a file."""
    made = list(frames)
    for index in range(*which.indices(len(frames))):
        made[index] = replace(frames[index][:0], ids=None)
    return made


# Low-passed


def test_there_is_no_lag_and_no_jitter() -> None:
    def path(time: np.ndarray) -> np.ndarray:
        return 40 * np.sin(2 * np.pi * time)

    found = xy(smoothed(clip(300, path=path, noise=1.0)))[:, WRIST, 0]
    true = path(np.arange(300) / 30)
    assert abs(lag_s(found, true, 1 / 30)) < 2e-3
    assert np.std(found - found.mean() - true) < 0.7


def test_each_coordinate_is_low_passed_by_itself_at_the_cut_off() -> None:
    frames = clip(noise=2.0)
    times = np.arange(60) / 30
    for cutoff in (6.0, 3.0):
        found = xy(smoothed(frames, cutoff_hz=cutoff))
        assert_allclose(found, lowpass(times, xy(frames).astype(float), cutoff), atol=1e-4)


def test_the_cut_off_is_6_hz_unless_another_is_asked_for() -> None:
    """Half of the power is left there."""

    def path(time: np.ndarray) -> np.ndarray:
        return 40 * np.sin(2 * np.pi * 6 * time)

    found = xy(smoothed(clip(300, 60, path=path)))[60:-60, WRIST, 0]
    left = np.std(found) / np.std(path(np.arange(300) / 60))
    assert left**2 == pytest.approx(0.5, abs=0.01)


def test_a_clip_slower_than_twice_the_cut_off_stays() -> None:
    frames = clip(rate=10, noise=2.0)
    assert_array_equal(xy(smoothed(frames)), xy(frames))


def test_a_long_gap_parts_two_pieces() -> None:
    def path(time: np.ndarray) -> np.ndarray:
        return np.where(time < 1, 0.0, 200.0)

    for broken in (unseen(clip(path=path), slice(25, 35)), without(clip(path=path), slice(25, 35))):
        found = smoothed(broken)
        assert_allclose(xy(found[:25])[:, WRIST], xy(broken[:25])[:, WRIST], atol=1e-4)
        assert_allclose(xy(found[35:])[:, WRIST], xy(broken[35:])[:, WRIST], atol=1e-4)


def test_a_pause_of_the_stream_parts_two_pieces() -> None:
    frames = clip(path=lambda time: np.where(time < 1, 0.0, 200.0))
    late = [replace(f, timestamp_s=(f.timestamp_s or 0) + 0.5) for f in frames[30:]]
    assert_allclose(xy(smoothed(frames[:30] + late)), xy(frames), atol=1e-4)


def test_what_is_not_seen_stays() -> None:
    frames = unseen(clip(noise=2.0), slice(None))
    found = xy(smoothed(frames))
    assert_array_equal(found[:, WRIST], xy(frames)[:, WRIST])
    assert np.abs(found[:, 0] - xy(frames)[:, 0]).max() > 0.5


def test_each_person_is_smoothed_by_id() -> None:
    both, alone = [], []
    for a, b in zip(clip(noise=2.0, ident=1), clip(noise=2.0, ident=2), strict=True):
        order = RANDOM.permutation(2)
        points = np.concatenate([a.keypoints, b.keypoints])[order]
        scores = np.concatenate([a.keypoint_scores, b.keypoint_scores])
        fields = {"image_size": SIZE, "timestamp_s": a.timestamp_s}
        both.append(Poses.from_arrays(points, scores, ids=1 + order, scores=[0.8, 0.8], **fields))
        alone.append((a, b))
    singles = [xy(smoothed([pair[which] for pair in alone])) for which in (0, 1)]
    for index, frame in enumerate(smoothed(both)):
        assert frame.ids is not None
        assert_array_equal(frame.keypoints, [singles[i - 1][index] for i in frame.ids])


# Filled


@pytest.mark.parametrize("rate", [30, 60])
def test_a_short_gap_of_a_keypoint_is_interpolated_with_the_lower_score(rate: int) -> None:
    frames = clip(rate=rate)
    frames[9].keypoint_scores[0, WRIST] = 0.5
    within = rate // 5 - 1  # frames between two sights 0.2 s apart
    found = smoothed(unseen(frames, slice(10, 10 + within)))
    assert_allclose(xy(found), xy(frames), atol=1e-3)
    scores = np.array([frame.keypoint_scores[0, WRIST] for frame in found])
    assert_allclose(scores[10 : 10 + within], 0.5)
    assert_allclose(scores[10 + within :], 0.8)
    beyond = unseen(frames, slice(10, 11 + within))
    found = smoothed(beyond)
    assert_array_equal(xy(found)[10 : 11 + within, WRIST], np.zeros((within + 1, 2)))
    assert found[12].keypoint_scores[0, WRIST] == np.float32(0.3)


def test_a_gap_of_just_the_limit_is_filled_wherever_it_is() -> None:
    frames = clip()
    for start in range(1, 50):  # their times are rounded in different ways
        assert_allclose(xy(smoothed(unseen(frames, slice(start, start + 5)))), xy(frames), atol=0.1)


@pytest.mark.parametrize("ends", [slice(0, 2), slice(58, 60)])
def test_nothing_is_added_before_the_first_sight_or_after_the_last(ends: slice) -> None:
    for broken in (unseen(clip(), ends), without(clip(), ends)):
        for frame, given in zip(smoothed(broken), broken, strict=True):
            assert len(frame) == len(given)
            assert_allclose(frame.keypoints, given.keypoints, atol=1e-3)


def test_interpolation_goes_by_time() -> None:
    frames = [
        replace(frame, timestamp_s=time, keypoints=BODY[None].astype(np.float32) + 300 * time)
        for frame, time in zip(clip(6), [0, 0.05, 0.06, 0.13, 0.2, 0.25], strict=True)
    ]
    found = smoothed(unseen(frames, slice(2, 4)), cutoff_hz=30)  # too high to filter
    assert_allclose(xy(found), xy(frames), atol=1e-3)


def test_somebody_who_is_missing_for_a_moment_is_added() -> None:
    frames = clip()
    frames[12] = replace(frames[12], scores=np.float32([0.6]))
    for frame in frames[12:25]:  # the head is not seen for longer
        frame.keypoint_scores[0, :5] = 0.1
    found = smoothed(without(frames, slice(10, 12)))
    for index in (10, 11):
        assert found[index].ids is not None
        assert found[index].ids.tolist() == [3]
        assert found[index].scores.tolist() == pytest.approx([0.6])
        assert_allclose(found[index].keypoint_scores[0], [0.1] * 5 + [0.8] * 12, rtol=1e-6)
        assert_allclose(found[index].boxes, frames[index].boxes, atol=1e-3)
        assert_allclose(found[index].keypoints, frames[index].keypoints, atol=1e-3)
        assert found[index].frame_index == index
        assert found[index].confidence is None
    gone = without(frames, slice(10, 16))
    assert [len(frame) for frame in smoothed(gone)] == [len(frame) for frame in gone]


@pytest.mark.parametrize("known", [True, False], ids=["confident", "of unknown confidence"])
def test_who_is_added_stands_among_the_others_by_score(known: bool) -> None:
    def pair(first: Poses, second: Poses) -> Poses:
        a, b = (frame.keypoints for frame in (first, second))
        learnt = {"confidence": [0.7, 0.5], "keypoint_confidence": np.full((2, 17), 0.4)}
        return Poses.from_arrays(
            np.concatenate([a, b]),
            np.full((2, 17), 0.8),
            scores=[0.9, 0.4],
            ids=[1, 2],
            timestamp_s=first.timestamp_s,
            image_size=SIZE,
            **(learnt if known else {}),  # type: ignore[arg-type]
        )

    frames = [pair(a, b) for a, b in zip(clip(30), clip(30, path=lambda t: 90 - t), strict=True)]
    frames[10] = frames[10][1]
    found = smoothed(frames)[10]
    assert found.ids is not None
    assert found.ids.tolist() == [1, 2]
    assert found.scores.tolist() == pytest.approx([0.9, 0.4])
    if known:
        assert found.confidence is not None
        assert found.confidence.tolist() == pytest.approx([0.7, 0.5])
    else:
        assert found.confidence is None


# Sides


def test_swapped_sides_are_put_back_with_their_scores() -> None:
    frames = clip(path=lambda time: 5 * np.sin(2 * np.pi * time))
    for frame in frames:
        frame.keypoint_scores[0] = np.linspace(0.4, 0.9, 17)
    likely = np.linspace(0.3, 1, 17, dtype=np.float32)[None]
    frames = [
        replace(frame, confidence=np.float32([0.7]), keypoint_confidence=likely) for frame in frames
    ]
    broken = list(frames)
    for index in (20, 21):
        sided = ("keypoints", "keypoint_scores", "keypoint_confidence")
        mirrored = {name: getattr(frames[index], name)[:, list(MIRROR)] for name in sided}
        broken[index] = replace(frames[index], **mirrored)
    found, wanted = smoothed(broken), smoothed(frames)
    assert_array_equal(xy(found), xy(wanted))
    for frame, given in zip(found, frames, strict=True):
        assert_array_equal(frame.keypoint_scores, given.keypoint_scores)
        assert_array_equal(frame.keypoint_confidence, likely)
    kept = smoothed(broken, swap_s=0.02)
    assert np.abs(xy(kept) - xy(wanted)).max() > 10


# Any clip


def test_the_input_is_not_written_to_and_everything_else_stays() -> None:
    frames = unseen(clip(noise=2.0), slice(10, 12))
    before = [(frame.keypoints.copy(), frame.keypoint_scores.copy()) for frame in frames]
    found = smoothed(frames)
    for frame, new, (points, scores) in zip(frames, found, before, strict=True):
        assert_array_equal(frame.keypoints, points)
        assert_array_equal(frame.keypoint_scores, scores)
        assert new.keypoints.dtype == np.float32
        assert_array_equal(new.boxes, frame.boxes)
        assert_array_equal(new.scores, frame.scores)
        assert (new.frame_index, new.timestamp_s) == (frame.frame_index, frame.timestamp_s)
        assert new.image_size == frame.image_size


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_clips_of_a_few_frames_are_no_problem(count: int) -> None:
    frames = clip(count)
    found = smoothed(frames)
    assert len(found) == count
    for frame, given in zip(found, frames, strict=True):
        assert_allclose(frame.keypoints, given.keypoints, atol=1e-3)


def test_a_clip_of_nobody_is_no_problem() -> None:
    assert [len(frame) for frame in smoothed(without(clip(5), slice(None)))] == [0] * 5


def test_what_cannot_be_smoothed_is_refused() -> None:
    frames = clip(3)
    with pytest.raises(ValueError, match=r"^cutoff_hz must be over 0, not 0$"):
        smoothed(frames, cutoff_hz=0)
    with pytest.raises(ValueError, match=r"^frame 1 has no timestamp_s: smoothing goes by time$"):
        smoothed([frames[0], replace(frames[1], timestamp_s=None)])
    with pytest.raises(ValueError, match=r"^frame 1 has no ids: smoothing follows people by"):
        smoothed([frames[0], replace(frames[1], ids=None)])
    for last in (0.0, -1.0):
        wanted = rf"^timestamps must rise: frame 1 is at {last} s after 0.0 s$"
        with pytest.raises(ValueError, match=wanted):
            smoothed([frames[0], replace(frames[1], timestamp_s=last)])
