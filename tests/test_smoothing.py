"""Live smoothing: the filters, what starts them anew, and what makes no difference to them."""

import math
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from movenet import Poses
from movenet.jitter import deviations, lag_s
from movenet.keypoints import INDEX
from movenet.smoothing import FORGET_S, MODES, Constants, Smoother, heights

NOISE = 0.003  # heights, of one coordinate: Lightning's on people at rest
SIZE = (720, 1280)
# A person 1 high who stands, with the proportions of Winter's figure 4.1; x, y of the left side.
LEFT_SIDE = {
    "eye": (0.0185, -0.936),
    "ear": (0.043, -0.93),
    "shoulder": (0.1295, -0.818),
    "elbow": (0.1295, -0.632),
    "wrist": (0.1295, -0.486),
    "hip": (0.0955, -0.818 + math.sqrt(0.288**2 - 0.034**2)),
}
LEFT_SIDE["knee"] = (0.0955, LEFT_SIDE["hip"][1] + 0.245)
LEFT_SIDE["ankle"] = (0.0955, LEFT_SIDE["knee"][1] + 0.246)
STANDING = np.zeros((17, 2))
STANDING[0] = (0, -0.91)
for part, (side, down) in LEFT_SIDE.items():
    STANDING[INDEX[f"left_{part}"]] = (side, down)
    STANDING[INDEX[f"right_{part}"]] = (-side, down)
STEADY = np.full(17, 0.9)


def frame(xy: np.ndarray, time_s: float, scores: np.ndarray = STEADY, ident: int = 7) -> Poses:
    """One person."""
    size: dict[str, tuple[int, int]] = {"image_size": SIZE}
    return Poses.from_arrays(xy[None], scores[None], ids=[ident], timestamp_s=time_s, **size)


def smooth(paths: np.ndarray, times_s: np.ndarray, smoother: Smoother | None = None) -> np.ndarray:
    """(T, 17, 2) -> (T, 17, 2), of one person."""
    smoother = smoother or Smoother()
    frames = zip(paths, times_s, strict=True)
    return np.array([smoother(frame(xy, float(time))).keypoints[0] for xy, time in frames])


def walk(seed: int, count: int = 40) -> np.ndarray:
    """A standing person, 400 pixels high, who goes and shakes at random: (T, 17, 2)."""
    random = np.random.default_rng(seed)
    body = np.cumsum(random.normal(0, 5, (count, 1, 2)), 0)
    return 400 * STANDING + (640, 600) + body + random.normal(0, 3, (count, 17, 2))


def uneven(seed: int, count: int = 40) -> np.ndarray:
    """Times of a stream whose rate changes."""
    return np.cumsum(np.random.default_rng(seed).uniform(0.01, 0.06, count))


# The filters


class OneEuro:
    """The filter of one number, written from the paper; speeds from the numbers as they came in."""

    def __init__(self, constants: Constants) -> None:
        """Nothing has come yet."""
        self.constants = constants
        self.before: tuple[float, float, float, float] | None = None

    def __call__(self, value: float, time_s: float) -> float:
        """The next number."""
        if self.before is None:
            self.before = (time_s, value, value, 0.0)
            return value
        last_s, last_value, last_result, last_speed = self.before
        te = time_s - last_s

        def alpha(cutoff: float) -> float:
            tau = 1 / (2 * math.pi * cutoff)
            return 1 / (1 + tau / te)

        a = alpha(self.constants.speed_cutoff_hz)
        speed = a * (value - last_value) / te + (1 - a) * last_speed
        b = alpha(self.constants.min_cutoff_hz + self.constants.beta * abs(speed))
        result = b * value + (1 - b) * last_result
        self.before = (time_s, value, result, speed)
        return result


@pytest.mark.parametrize("seed", [0, 1])
def test_without_thresholds_google_s_filter_is_the_paper_s(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    constants = Constants(*MODES["google"][:3])
    monkeypatch.setitem(MODES, "google", constants)
    paths, times = walk(seed), uneven(seed)
    found = smooth(paths, times, Smoother("google"))
    for axis, length in enumerate((1280, 720)):
        oracle = OneEuro(constants)
        single = np.float32(paths[:, 9, axis]) / length
        wanted = [oracle(float(x), float(t)) * length for x, t in zip(single, times, strict=True)]
        assert_allclose(found[:, 9, axis], wanted, atol=1e-3)


def test_what_moves_along_a_line_is_filtered_in_heights_as_in_the_paper() -> None:
    times = uneven(3)
    along = np.cumsum(np.random.default_rng(3).normal(0, 0.05, len(times)))  # in heights
    direction = np.array([0.6, -0.8])
    paths = 400 * (STANDING + along[:, None, None] * direction)
    oracle = OneEuro(MODES["body"])
    wanted = np.array([oracle(x, t) for x, t in zip(along.tolist(), times.tolist(), strict=True)])
    made = 400 * (STANDING + wanted[:, None, None] * direction)
    assert_allclose(smooth(paths, times), made, atol=1e-3)


@pytest.mark.parametrize("passed_s", [1 / 60, 0.1])
def test_our_second_step_in_closed_form(passed_s: float) -> None:
    """4 Hz at rest, 5 Hz more for each height a second, and the paper's 1 Hz for the speed."""
    step = 0.1  # heights
    speed = step / passed_s / (1 + 1 / (2 * math.pi * 1.0 * passed_s))
    alpha = 1 / (1 + 1 / (2 * math.pi * (4.0 + 5.0 * speed) * passed_s))
    still = 400 * STANDING
    moved = still + np.array([400 * step, 0])
    _, found = smooth(np.array([still, moved]), np.array([0, passed_s]))
    assert_allclose((found - still)[:, 0], 400 * step * alpha, rtol=1e-4)


@pytest.mark.parametrize("step", [1e-4, 0.02, 0.3, 4.0, -4.0])
@pytest.mark.parametrize("passed_s", [1 / 60, 0.1])
def test_google_s_second_step_is_its_asinh_in_closed_form(step: float, passed_s: float) -> None:
    speed = step / passed_s / (1 + 1 / (2 * math.pi * 2.5 * passed_s))
    threshold = 0.5 + 5 * abs(speed)
    alpha = 1 / (1 + 1 / (2 * math.pi * (2.5 + 300 * abs(speed)) * passed_s))
    wanted = alpha * threshold * math.asinh(step / threshold)
    still = np.zeros((17, 2))
    moved = np.broadcast_to([1280 * step, 720 * step], (17, 2))
    _, found = smooth(np.array([still, moved]), np.array([0, passed_s]), Smoother("google"))
    assert_allclose(found, np.broadcast_to([1280 * wanted, 720 * wanted], (17, 2)), rtol=1e-6)


def test_a_step_far_over_a_fixed_threshold_counts_as_its_logarithm(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(MODES, "google", Constants(2.5, 0.0, 2.5, threshold=0.01))
    still, moved = np.zeros((17, 2)), np.broadcast_to([1280.0, 720.0], (17, 2))
    _, found = smooth(np.array([still, moved]), np.array([0, 0.1]), Smoother("google"))
    alpha = 1 / (1 + 1 / (2 * math.pi * 2.5 * 0.1))
    wanted = alpha * 0.01 * math.log(2 / 0.01)  # asinh(x) is log(2 x) for large x
    assert_allclose(found[:, 0] / 1280, wanted, rtol=1e-4)
    assert_allclose(found[:, 1] / 720, wanted, rtol=1e-4)


# What it is for


def swing(rate: int, amplitude: float, noise: float = NOISE) -> tuple[np.ndarray, ...]:
    """Times, paths and the true sideways path of a body swinging at 1 Hz; heights of 400 pixels."""
    times = np.arange(12 * rate) / rate
    true = 400 * amplitude * np.sin(2 * np.pi * times)
    paths = 400 * STANDING + true[:, None, None] * (1, 0)
    paths += np.random.default_rng(rate).normal(0, 400 * noise, paths.shape)
    return times, paths, true


def lag_ms(mode: str, rate: int, amplitude: float) -> float:
    times, paths, true = swing(rate, amplitude)
    found = smooth(paths, times, Smoother(mode))  # type: ignore[arg-type]
    return 1000 * float(
        np.median([lag_s(found[rate:, j, 0], true[rate:], 1 / rate) for j in range(17)])
    )


@pytest.mark.parametrize("rate", [30, 60])
@pytest.mark.parametrize("amplitude", [0.02, 0.1, 0.3])
def test_the_lag_is_under_40_ms(rate: int, amplitude: float) -> None:
    assert 0 < lag_ms("body", rate, amplitude) < 40


@pytest.mark.parametrize("rate", [30, 60])
@pytest.mark.parametrize("amplitude", [0.0, 0.02, 0.1])
def test_jitter_is_more_than_halved(rate: int, amplitude: float) -> None:
    times, paths, _ = swing(rate, amplitude)
    seen = np.ones((len(times), 17), bool)
    raw, smoothed = (deviations(times, p, seen) for p in (paths, smooth(paths, times)))
    assert np.median(smoothed) < np.median(raw) / 2


def test_half_the_frames_change_the_lag_by_a_few_milliseconds() -> None:
    lags = [lag_ms("body", rate, 0.1) for rate in (60, 30, 15)]
    assert max(lags) - min(lags) < 4


# What makes no difference


@settings(max_examples=20, deadline=None)
@given(angle=st.floats(0, 2 * math.pi), scale=st.floats(0.2, 5), shift=st.floats(-500, 500))
def test_a_clip_that_is_turned_scaled_and_moved_is_smoothed_the_same(
    angle: float, scale: float, shift: float
) -> None:
    turned = scale * np.array(
        [[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]]
    )
    paths, times = walk(0), uneven(0)
    found = smooth(paths @ turned + shift, times)
    assert_allclose(found, smooth(paths, times) @ turned + shift, atol=3e-3 * max(scale, 1))


def test_google_s_smoothing_does_depend_on_the_orientation() -> None:
    paths, times = walk(0), uneven(0)
    turned = smooth(paths[..., ::-1], times, Smoother("google"))[..., ::-1]
    assert np.abs(turned - smooth(paths, times, Smoother("google"))).max() > 0.5


@pytest.mark.parametrize("mode", ["body", "google"])
def test_a_stream_that_begins_at_0_is_smoothed_as_one_that_begins_later(mode: str) -> None:
    paths, times = walk(1), np.arange(40) / 32
    early, late = (smooth(paths, times + at, Smoother(mode)) for at in (0, 64))  # type: ignore[arg-type]
    assert_array_equal(early, late)
    assert np.abs(early[1] - paths[1]).max() > 0.1  # from the second frame on


def test_people_are_smoothed_by_id_in_whatever_order_they_come() -> None:
    alone = [smooth(walk(seed), uneven(9)) for seed in (1, 2, 3)]
    smoother = Smoother()
    for index, time in enumerate(uneven(9).tolist()):
        order = np.random.default_rng(index).permutation(3)
        points = np.array([walk(seed)[index] for seed in (1, 2, 3)])[order]
        poses = Poses.from_arrays(
            points, np.full((3, 17), 0.9), ids=order, image_size=SIZE, timestamp_s=time
        )
        assert_array_equal(smoother(poses).keypoints, [alone[i][index] for i in order])


# What starts a filter anew


def test_a_keypoint_under_the_threshold_passes_and_starts_anew() -> None:
    paths, times = walk(4), uneven(4)
    paths[20, 9] += 500  # a guess at what is not seen
    smoother, scores = Smoother(), np.array(STEADY)
    for index in range(20):
        smoother(frame(paths[index], times[index]))
    scores[9] = 0.3  # at the threshold is not over it
    found = smoother(frame(paths[20], times[20], scores)).keypoints[0]
    assert_array_equal(found[9], np.float32(paths[20, 9]))
    assert np.abs(found[10] - paths[20, 10]).max() > 0.1
    found = smoother(frame(paths[21], times[21])).keypoints[0]
    assert_array_equal(found[9], np.float32(paths[21, 9]))
    found = smoother(frame(paths[22], times[22])).keypoints[0]
    again = smooth(paths[21:23], times[21:23])[1]
    assert_allclose(found[9], again[9], atol=0.1)  # but for the person's size
    assert np.abs(found[9] - paths[22, 9]).max() > 0.1


def test_another_id_starts_anew() -> None:
    paths, times = walk(5), uneven(5)
    smoother = Smoother()
    smoother(frame(paths[0], times[0], ident=1))
    found = smoother(frame(paths[1], times[1], ident=2)).keypoints[0]
    assert_array_equal(found, np.float32(paths[1]))


@pytest.mark.parametrize("empty", [True, False], ids=["empty frames", "no frames"])
@pytest.mark.parametrize(("away_s", "known"), [(FORGET_S, True), (FORGET_S + 0.01, False)])
def test_an_id_is_known_for_a_second(away_s: float, known: bool, empty: bool) -> None:
    smoother, paths = Smoother(), walk(6)
    smoother(frame(paths[0], 0.0))
    if empty:  # they come back from a file without ids
        nobody = replace(frame(paths[0], away_s / 2)[:0], ids=None)
        assert smoother(nobody) is nobody
    found = smoother(frame(paths[1], away_s)).keypoints[0]
    assert (np.abs(found - np.float32(paths[1])).max() > 0) == known


def test_memory_holds_only_the_people_of_the_last_second() -> None:
    smoother = Smoother()
    for ident in range(200):
        smoother(frame(walk(0, 1)[0], ident / 16, ident=ident))
    assert len(smoother._memory.ids) == 17


@pytest.mark.parametrize("mode", ["body", "google"])
def test_a_repeated_timestamp_holds_the_last_output(mode: str) -> None:
    paths, times = walk(7), uneven(7)
    once, twice = Smoother(mode), Smoother(mode)  # type: ignore[arg-type]
    for xy, time in zip(paths, times, strict=True):
        single = once(frame(xy, time)).keypoints
        assert_array_equal(twice(frame(xy, time)).keypoints, single)
        assert_array_equal(twice(frame(xy, time)).keypoints, single)
    assert_array_equal(twice(frame(paths[0], times[-1])).keypoints, single)


def test_going_back_in_time_forgets_everybody() -> None:
    paths, times = walk(8), uneven(8)
    smoother = Smoother()
    first = smooth(paths, times, smoother)
    assert_array_equal(smooth(paths, times, smoother), first)
    smoother.reset()
    assert_array_equal(smooth(paths[10:], times[10:], smoother)[0], np.float32(paths[10]))


# A person's size


def test_a_standing_person_is_as_high_as_the_proportions_say() -> None:
    seen = np.ones((2, 17), bool)
    seen[1, [INDEX["left_ankle"], INDEX["right_knee"], INDEX["nose"]]] = False
    assert_allclose(heights(300 * np.array([STANDING, STANDING]), seen), 300, rtol=1e-6)
    assert np.isnan(heights(STANDING[None], np.zeros((1, 17), bool))).all()
    assert np.isnan(heights(np.zeros((1, 17, 2)), np.ones((1, 17), bool))).all()


def test_a_size_that_jumps_changes_the_smoothing_slowly() -> None:
    crouched = STANDING * (1, 0.2)
    still = np.array([400 * STANDING] * 10 + [400 * crouched] * 2)
    smoother = Smoother()
    smooth(still, np.arange(12) / 30, smoother)
    assert 360 < smoother._memory.sizes[0] < 400


def test_someone_whose_size_is_not_known_passes() -> None:
    scores = np.where(np.arange(17) == INDEX["nose"], 0.9, 0.1)
    smoother, paths = Smoother(), walk(2, 3)
    for index in range(3):
        found = smoother(frame(paths[index], index / 30, scores)).keypoints[0]
        assert_array_equal(found, np.float32(paths[index]))


# What stays


def test_only_keypoints_change_and_the_input_is_not_written_to() -> None:
    smoother = Smoother()
    smoother(frame(walk(0)[0], 0.0))
    given_ = replace(
        frame(walk(0)[1], 0.1),
        frame_index=3,
        confidence=np.float32([0.5]),
        keypoint_confidence=np.full((1, 17), 0.5, np.float32),
    )
    before = given_.keypoints.copy()
    found = smoother(given_)
    assert_array_equal(given_.keypoints, before)
    assert found.keypoints.dtype == np.float32
    assert np.abs(found.keypoints - before).max() > 0.1
    for field in fields(Poses):
        if field.name != "keypoints":
            assert getattr(found, field.name) is getattr(given_, field.name)


def test_poses_that_cannot_be_smoothed_are_refused() -> None:
    poses = frame(walk(0)[0], 0.0)
    with pytest.raises(ValueError, match=r"^timestamp_s is None: smoothing goes by time$"):
        Smoother()(replace(poses, timestamp_s=None))
    with pytest.raises(ValueError, match=r"^ids are None: smoothing follows people by their ids$"):
        Smoother()(replace(poses, ids=None))
    with pytest.raises(ValueError, match=r"^mode must be one of body, google, not 'live'$"):
        Smoother("live")  # type: ignore[arg-type]
