"""People followed frame by frame: from pictures to ids."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scenes import people, scene, walk

from movenet import PoseEstimator, Poses, PoseTracker, oks, refinement
from movenet.frame import Frame
from movenet.poses import extent
from movenet.recovery import carried, joined, recovered
from movenet.sources import open_source
from movenet.tracker import Event, Tracker

CLIP = Path(__file__).parents[2] / "shared" / "data" / "videos" / "pose2sim_multi_cam01.mp4"
RATE = 30
EMPTY = scene()
SINGLE = ("lightning", "thunder")


@pytest.fixture(scope="module")
def lightning() -> PoseTracker:
    return PoseTracker("lightning", smooth="none")


@pytest.fixture(scope="module")
def multipose() -> PoseTracker:
    return PoseTracker("multipose", smooth="none")


BODY = np.array([[i % 4 * 20, i // 4 * 40] for i in range(17)], float)


def crowd(places: dict[int, float], at_s: float = 0.0, score: float = 0.9) -> Poses:
    """People by id, each moved to the right so far."""
    return Poses.from_arrays(
        np.array([BODY + np.array([x, 0]) for x in places.values()]).reshape(-1, 17, 2),
        np.full((len(places), 17), score),
        image_size=(360, 1280),
        ids=list(places),
        timestamp_s=at_s,
    )


def followed(tracker: PoseTracker, frames: list[np.ndarray]) -> list[Poses]:
    tracker.reset()
    return [tracker(image, timestamp_s=number / RATE) for number, image in enumerate(frames)]


def ids(poses: Poses) -> list[int]:
    assert poses.ids is not None
    return poses.ids.tolist()


def shoulders_x(poses: Poses) -> float:
    return float(poses.keypoints[0, 5:7, 0].mean())


@pytest.mark.parametrize("model", ["lightning", "multipose"])
def test_a_walker_keeps_the_id_and_the_frame_its_place_and_time(
    model: str, request: pytest.FixtureRequest
) -> None:
    tracker: PoseTracker = request.getfixturevalue(model)
    found = followed(tracker, walk(12))
    assert [ids(poses) for poses in found] == [[1]] * 12
    assert [poses.frame_index for poses in found] == list(range(12))
    assert found[3].timestamp_s == pytest.approx(0.1)
    moved = shoulders_x(found[11]) - shoulders_x(found[1])
    assert moved == pytest.approx(60, abs=4)


@pytest.mark.parametrize("crop", ["person", "google"])
def test_the_crop_sees_what_the_whole_of_a_wide_frame_is_too_small_for(crop: str) -> None:
    """Somebody of a third of the height, in the middle of a frame of 1280 x 360."""
    frame = scene((people(height=160), 560, 100), size=(360, 1280))
    tracker = PoseTracker("lightning", smooth="none", crop=crop)  # type: ignore[arg-type]
    for number in range(7):
        found = tracker(frame, timestamp_s=number / RATE)
    by_hand = PoseEstimator("thunder", finder="multipose")(frame)
    apart = np.linalg.norm(found.keypoints[0] - by_hand.keypoints[0], axis=1)
    sure = by_hand.keypoint_scores[0] > 0.4
    assert np.median(apart[sure]) < 4
    assert found.keypoint_scores[0][sure].mean() > 0.5


@pytest.mark.parametrize("x", [10, 1110])
def test_somebody_at_the_end_of_a_wide_frame_is_found_within_three_frames(
    lightning: PoseTracker, x: int
) -> None:
    """A frame of 21:9 (1344 x 576); the middle of the person lies at 10 % and 90 % of it."""
    frame = scene((people(height=300), x, 200), size=(576, 1344))
    found = followed(lightning, [frame] * 4)
    assert any(len(poses) for poses in found[:3])
    assert abs(shoulders_x(found[3]) - (x + 110)) < 60


@pytest.mark.parametrize("crop", ["person", "google"])
@pytest.mark.parametrize("x", [10, 560, 1254])
def test_somebody_small_who_comes_at_any_time_is_found_within_three_frames(
    crop: str, x: int
) -> None:
    """At the ends and in the middle of 21:9, 120 px high, after any number of empty frames."""
    empty, size = scene(size=(576, 1344)), (576, 1344)
    there, before = (scene((people(height=120), at, 200), size=size) for at in (x, 300))
    tracker = PoseTracker("lightning", smooth="none", crop=crop)  # type: ignore[arg-type]
    for pause in range(1, 7):
        *_, one, two, three = followed(tracker, [before] * 2 + [empty] * pause + [there] * 3)
        middles = [shoulders_x(poses) for poses in (one, two, three) if len(poses)]
        assert middles, pause
        assert abs(middles[-1] - (x + 44)) < 30, pause


def test_the_first_frame_is_as_good_as_the_next(lightning: PoseTracker) -> None:
    """Somebody found in the whole of a frame is looked at again on a crop at once."""
    first, *others = followed(lightning, [walk(1)[0]] * 4)
    sure = others[-1].keypoint_scores[0] > 0.3
    assert np.abs(first.keypoints[0] - others[-1].keypoints[0])[sure].max() < 12
    whole = PoseEstimator("lightning", refine=False)(walk(1)[0])
    assert np.abs(whole.keypoints[0] - others[-1].keypoints[0])[sure].max() > 12


def test_an_empty_frame_is_nobody_and_a_long_absence_a_new_id(lightning: PoseTracker) -> None:
    lightning.reset()
    person, seen, events = walk(1)[0], [], []
    for at_s, frame in ((0, person), (0.1, EMPTY), (0.2, EMPTY), (0.3, person), (0.4, EMPTY),
                        (1.5, EMPTY), (1.6, person)):  # fmt: skip
        seen.append(ids(lightning(frame, timestamp_s=at_s)))
        events += lightning.events
    assert seen == [[1], [], [], [1], [], [], [2]]
    assert events == [
        Event("new", 1), Event("lost", 1), Event("found", 1), Event("lost", 1), Event("gone", 1),
        Event("new", 2),
    ]  # fmt: skip


def test_two_keep_their_ids_and_each_gets_a_second_look() -> None:
    frames = [
        scene((people("two_people", 300), 20 + 5 * step, 40), size=(360, 640)) for step in range(5)
    ]
    plain, refined = (
        followed(PoseTracker("multipose", smooth="none", refine=refine), frames)
        for refine in (False, "thunder")
    )
    for before, after in zip(plain, refined, strict=True):
        assert sorted(ids(before)) == sorted(ids(after)) == [1, 2]
        one, other = (poses[poses.ids == 1].keypoints[0] for poses in (before, after))
        assert 0.05 < np.abs(one - other).mean() < 20


@pytest.mark.skipif(not CLIP.is_file(), reason="needs the clips in ../shared/data")
def test_two_in_a_real_clip_keep_their_ids(multipose: PoseTracker) -> None:
    """Every third frame of 1.7 s, while one walks past the other, whose feet are always lower."""
    with open_source(CLIP, stride=3) as source:
        frames = list(source)
    assert len(frames) == 34
    memory = multipose.memory()
    found = [multipose.together([frame], [memory])[0] for frame in frames]
    front, behind = [], []
    for poses in found:
        order = np.argsort(-poses.boxes[:, 3])
        front.append(ids(poses)[order[0]])
        behind.append(ids(poses)[order[1]])
    assert (len(set(front)), len(set(behind))) == (1, 1)
    assert set(front) | set(behind) == {1, 2}
    middles = [poses.boxes[poses.ids == number, ::2].mean() for poses in (found[0], found[-1])
               for number in (behind[0], front[0])]  # fmt: skip
    assert middles[0] < middles[1] - 200  # apart at first, px
    assert abs(middles[2] - middles[3]) < 100  # one before the other at the end


def test_a_target_is_the_only_one_who_is_given() -> None:
    frame = scene((people("two_people", 300), 20, 40))
    for target, side in (("box:20,40,220,340", -1), ("box:300,40,540,340", 1)):
        tracker = PoseTracker("multipose", smooth="none", refine=True, target=target)
        for number in range(2):
            found = tracker(frame, timestamp_s=number / RATE)
            assert len(found) == 1
            assert np.sign(shoulders_x(found) - 280) == side


@pytest.mark.parametrize(("box", "side"), [("20,40,220,340", -1), ("300,40,540,340", 1)])
def test_one_network_begins_in_the_box(box: str, side: int) -> None:
    frame = scene((people("two_people", 300), 20, 40))
    tracker = PoseTracker("lightning", smooth="none", target=f"box:{box}")
    found = followed(tracker, [frame] * 3)
    assert [np.sign(shoulders_x(poses) - 280) for poses in found] == [side] * 3


def test_a_finder_finds_who_is_far_from_the_middle() -> None:
    frame = scene((people(height=200), 420, 150))
    tracker = PoseTracker("lightning", smooth="none", finder="multipose")
    found = followed(tracker, [frame, frame, EMPTY, EMPTY, frame])
    assert [ids(poses) for poses in found] == [[1], [1], [], [], [1]]
    assert all(480 < shoulders_x(poses) < 600 for poses in found if len(poses))


def test_who_comes_back_elsewhere_is_found_without_the_box() -> None:
    left, right = scene((people(height=200), 60, 150)), scene((people(height=200), 420, 150))
    for model, finder in (("lightning", "multipose"), ("multipose", None)):
        tracker = PoseTracker(model, smooth="none", finder=finder, target="box:40,140,240,360")
        tracker.reset()
        seen = [len(tracker(left, timestamp_s=0.0)), len(tracker(EMPTY, timestamp_s=0.1))]
        seen += [len(tracker(right, timestamp_s=2.0 + 0.1 * step)) for step in range(3)]
        assert seen == [1, 0, 1, 1, 1], model


@pytest.mark.parametrize(
    "options",
    [
        {"model": "multipose", "target": "center"},
        {"model": "lightning", "target": "box:40,60,260,300"},
    ],
)
def test_time_that_goes_back_begins_anew_with_a_target_too(options: dict) -> None:
    tracker, frame = PoseTracker(**options, smooth="none"), walk(1)[0]
    seen = [ids(tracker(frame, timestamp_s=at_s)) for at_s in (5.0, 5.04, 0.0, 0.04)]
    assert seen == [[1], [1], [2], [2]]


def test_frames_of_another_size_are_looked_at_anew(lightning: PoseTracker) -> None:
    """Else the next look would go to where the person was in the frames before."""
    small, large = scene((people(), 40, 60)), scene((people(height=480), 80, 120), size=(720, 1280))
    found = followed(lightning, [small] * 3 + [large] * 3 + [small] * 3)
    assert [len(poses) for poses in found] == [1] * 9
    for number, frame in ((3, large), (6, small)):
        alone = followed(lightning, [frame])[0]
        np.testing.assert_array_equal(found[number].keypoints, alone.keypoints)


@pytest.mark.parametrize("at_s", [float("nan"), float("inf")])
def test_a_time_is_a_number(lightning: PoseTracker, at_s: float) -> None:
    with pytest.raises(ValueError, match="timestamp_s must be a time in seconds"):
        lightning(EMPTY, timestamp_s=at_s)


def test_streams_that_go_together_are_as_they_are_alone() -> None:
    """In one batch, each with its own ids, crops and filters."""
    forward, back = walk(6), walk(6)[::-1]
    for tracker in (PoseTracker("lightning"), PoseTracker("multipose", refine=True)):
        alone = [followed(tracker, frames) for frames in (forward, back)]
        memories = [tracker.memory(), tracker.memory()]
        for number, pair in enumerate(zip(forward, back, strict=True)):
            frames = [Frame(image, number, number / RATE) for image in pair]
            for poses, expected in zip(tracker.together(frames, memories), alone, strict=True):
                assert ids(poses) == ids(expected[number])
                apart = np.abs(poses.keypoints - expected[number].keypoints)
                assert apart.max() <= 1e-5 * 640


def test_smoothing_is_on_and_can_be_left_out(lightning: PoseTracker) -> None:
    rng = np.random.default_rng(0)
    frames = [
        np.clip(frame + rng.normal(0, 8, frame.shape), 0, 255).astype(np.uint8)
        for frame in [walk(1)[0]] * 16
    ]
    raw = followed(lightning, frames)
    sure = np.array([poses.keypoint_scores[0] > 0.3 for poses in raw]).all(0)
    for smooth in ("live", "google"):
        steady = followed(PoseTracker("lightning", smooth=smooth), frames)  # type: ignore[arg-type]
        shakes = [
            np.abs(np.diff([poses.keypoints[0, sure] for poses in found[4:]], axis=0)).mean()
            for found in (raw, steady)
        ]
        assert shakes[1] < 0.8 * shakes[0]


def test_a_network_on_a_crop_says_no_confidence_and_multipose_does(
    lightning: PoseTracker, multipose: PoseTracker
) -> None:
    frame = walk(1)[0]
    assert lightning(frame, timestamp_s=100.0).confidence is None
    refined = PoseTracker("lightning", refine=True, smooth="none")
    assert refined(frame, timestamp_s=0.0).confidence is None
    assert multipose(frame, timestamp_s=100.0).confidence is not None


class Fading:
    """MultiPose as an engine, whose instance scores are made smaller."""

    def __init__(self, engine: Any) -> None:
        self.engine, self.share = engine, 1.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.engine, name)

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        outputs = self.engine(inputs).copy()
        outputs[..., 55] *= self.share
        return outputs


@pytest.mark.parametrize("born", [None, 0.4])
def test_an_id_begins_with_a_fifth_and_goes_on_with_half_of_that(born: float | None) -> None:
    """Or with what is asked for, and half of that."""
    tracker = PoseTracker("multipose", smooth="none", person_threshold=born)
    fading = Fading(tracker.estimator.engine)
    tracker.estimator.engine = fading  # type: ignore[assignment]
    person = walk(1)[0]
    full = float(tracker(person, timestamp_s=0.0).scores[0])
    tracker.reset()
    needed, seen = born or 0.2, []
    for number, score in enumerate(needed * np.array([0.95, 1.05, 0.55, 0.45, 0.95])):
        fading.share = score / full
        seen.append(ids(tracker(person, timestamp_s=number / RATE)))
    assert seen == [[], [1], [1], [], [1]]


def test_a_crowd_is_not_looked_at_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """As pictures are: parts of a frame make doubles, and those make ids."""
    pair = people("two_people", 300)
    crowd_scene = scene(*((pair, x, y) for x in (0, 400, 800) for y in (20, 360)), size=(720, 1280))
    looked: list[object] = []
    tiles = refinement.tiles
    monkeypatch.setattr(refinement, "tiles", lambda part: looked.append(part) or tiles(part))
    PoseEstimator("multipose", size=256)(crowd_scene)
    assert looked
    looked.clear()
    PoseTracker("multipose", refine=True, smooth="none")(crowd_scene, timestamp_s=0.0)
    assert not looked


def test_googles_crop_begins_with_the_padded_square_and_looks_once() -> None:
    frame = walk(1)[0]
    tracker = PoseTracker("lightning", crop="google", smooth="none")
    square = PoseEstimator("lightning", refine=False, letterbox="square")(frame)
    assert tracker.estimator.whole((360, 640)).shape == (192, 192)
    found = tracker(frame, timestamp_s=0.0)
    np.testing.assert_array_equal(found.keypoints, square.keypoints)


# Who is found anew by one network


class Seeing:
    """The looks of an estimator, one after another: who is seen in each."""

    def __init__(self, *seen: Poses) -> None:
        self.seen = list(seen)

    def __call__(self, pictures: list[np.ndarray], *_: object) -> list[Poses]:
        return [self.seen.pop(0) for _ in pictures]


def standing(*, torso: bool = True, score: float = 0.9) -> Poses:
    poses = crowd({1: 300}, score=score)
    if not torso:
        poses.keypoint_scores[:, 5:] = 0.15
    return replace(poses, ids=None)


NOBODY = standing()[:0]


@pytest.mark.parametrize(
    ("looks", "seen"),
    [
        ([standing(), standing()], [[1]]),
        ([standing(), NOBODY], [[]]),
        ([standing(torso=False)], [[1]]),  # close to a webcam: there is no crop to look at
        # Followed, then lost: in the whole, and again in a part of the frame.
        ([standing(), standing(), NOBODY, standing(), NOBODY], [[1], [], []]),
        ([standing(), standing(), NOBODY, NOBODY, standing(), standing()], [[1], [], [], [1]]),
        # Who is followed, but without a crop, stays without a closer look.
        ([standing(torso=False), standing(), NOBODY], [[1], [1]]),
    ],
)
def test_who_comes_anew_is_there_if_a_look_at_a_crop_says_so(
    lightning: PoseTracker,
    looks: list[Poses],
    seen: list[list[int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else a bush that looks like somebody in the whole of a frame would be an id."""
    find = Seeing(*looks)
    monkeypatch.setattr(lightning.estimator, "find", find)
    lightning.reset()
    frame = scene(size=(360, 1280))
    found = [ids(lightning(frame, timestamp_s=step / RATE)) for step in range(len(seen))]
    assert [len(each) for each in found] == [len(each) for each in seen]
    assert len({number for each in found for number in each}) <= 1
    assert not find.seen


@pytest.mark.parametrize(("step", "number"), [(45, 1), (56, 2)])
def test_one_network_s_person_may_be_less_alike(
    lightning: PoseTracker, step: int, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Boxes of 60 px that are a step apart overlap by 0.14 and 0.03."""
    moved = replace(crowd({1: 300 + step}), ids=None)
    monkeypatch.setattr(lightning.estimator, "find", Seeing(standing(), standing(), moved))
    lightning.reset()
    frame = scene(size=(360, 1280))
    seen = [ids(lightning(frame, timestamp_s=at_s)) for at_s in (0.0, 0.001)]
    first = seen[0][0]
    assert seen == [[first], [first + number - 1]]


@pytest.mark.parametrize("model", ["lightning", "multipose"])
def test_the_threshold_of_what_is_shown_changes_no_id(model: str) -> None:
    frames = [*walk(4), EMPTY, *walk(8, 9)[4:]]
    runs = []
    for threshold in (0.05, 0.3, 0.75, 0.8):
        tracker = PoseTracker(model, smooth="none", keypoint_threshold=threshold)
        runs.append(found := followed(tracker, frames))
        for poses in found if model == "lightning" else ():
            shown = extent(poses.keypoints, poses.keypoint_scores, threshold)
            np.testing.assert_array_equal(poses.boxes, shown)
    assert [ids(poses) for poses in runs[0]] == [[1]] * 4 + [[]] + [[1]] * 4
    for found in runs[1:]:
        for poses, expected in zip(found, runs[0], strict=True):
            np.testing.assert_array_equal(poses.ids, expected.ids)
            np.testing.assert_array_equal(poses.keypoints, expected.keypoints)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "lightning", "target": "id:2"}, "target 'id' chooses among several people"),
        ({"model": "thunder", "target": "largest"}, "take multipose, or it as the finder"),
        ({"model": "multipose", "target": "longest"}, "reads a file twice"),
        ({"model": "multipose", "finder": "multipose"}, "multipose needs none"),
        ({"model": "thunder", "finder": "lightning"}, "a finder is multipose"),
        ({"model": "lightning", "size": 256}, "size is that of MultiPose's input"),
        ({"model": "multipose", "size": 300}, "a multiple of 32 from 128 to 640, not 300"),
        ({"model": "multipose", "size": 672}, "a multiple of 32 from 128 to 640, not 672"),
        ({"smooth": "offline"}, "smooth must be live, google, none, not 'offline'"),
        ({"model": "lightning", "crop": "square"}, "'person' or 'google'"),
        ({"similarity": "giou"}, "'oks' or 'iou'"),
        ({"person_threshold": 5.0}, "person_threshold must be from 0 to 1, not 5.0"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PoseTracker(**options)


# What a second look makes of a frame, with people by hand.


class Trusting:
    """An estimator as far as `recovered` needs one."""

    def trusted(self, poses: Poses) -> Poses:
        return poses


def again(known: dict[int, float], seen: Poses) -> tuple[list[int], Tracker]:
    """Ids 1 and 2 stood at 0 and 400; the first look knows some, the second one sees `seen`."""
    tracker = Tracker()
    tracker(replace(crowd({1: 0, 2: 400}), ids=None))
    first = tracker(replace(crowd(known, at_s=0.1), ids=None))
    result = recovered(Trusting(), tracker, first, seen)  # type: ignore[arg-type]
    return sorted(ids(result)), tracker


def test_somebody_whom_the_first_look_lost_is_found_by_the_second() -> None:
    seen, tracker = again({1: 0}, crowd({1: 0, 2: 405}, at_s=0.1))
    assert seen == [1, 2]
    assert tracker.events == []


@pytest.mark.parametrize(
    "doubtful",
    [
        crowd({2: 600}, at_s=0.1),
        crowd({2: 420}, at_s=0.1),  # hardly alike
        crowd({2: 400}, at_s=0.1, score=0.1),
    ],
)
def test_somebody_else_or_nobody_there_is_no_recovery(doubtful: Poses) -> None:
    seen, tracker = again({1: 0}, joined(crowd({1: 0}, at_s=0.1), doubtful))
    assert seen == [1]
    assert tracker.events == [Event("lost", 2)]


def test_who_became_a_double_keeps_the_first_look() -> None:
    """The second look saw id 1 in both crops, and of two alike one was dropped."""
    seen, _ = again({1: 0, 2: 400}, crowd({1: 0}, at_s=0.1))
    assert seen == [1, 2]


def test_a_double_of_the_first_look_goes() -> None:
    tracker = Tracker()
    tracker(replace(crowd({1: 0, 2: 400}), ids=None))
    first = crowd({1: 0, 2: 2}, at_s=0.1)
    result = recovered(Trusting(), tracker, first, crowd({1: 0}, at_s=0.1))  # type: ignore[arg-type]
    assert ids(result) == [1]


def test_somebody_hardly_alike_is_one_of_those_doubtful() -> None:
    there, near = crowd({2: 400}), crowd({2: 420})
    (alike,) = oks.oks(near.keypoints, there.keypoints, oks.areas_of(there.boxes))[0]
    assert 0.1 < alike < 0.25


def test_the_box_of_who_is_recovered_is_around_their_keypoints_and_their_score_stays() -> None:
    """Somebody walked and then stands; only the second look sees it, for a second and a half.

    A box that went on as it was expected to would be a body height further by then.
    """
    tracker, number = Tracker(), 0
    for number in range(10):
        tracker(replace(crowd({1: 4 * number}, at_s=number / RATE), ids=None))
    place = 4 * number
    for number in range(10, 55):
        first = tracker(replace(crowd({}, at_s=number / RATE), ids=None))
        expected = tracker.missing(first)
        second = replace(crowd({1: place}, at_s=number / RATE), boxes=expected.boxes)
        second = replace(second, scores=expected.scores * second.keypoint_scores.mean(1))
        result = recovered(Trusting(), tracker, first, second)  # type: ignore[arg-type]
        assert ids(result) == [1]
        assert result.scores[0] == pytest.approx(0.9 * 0.9)  # as if the first look had seen them
        np.testing.assert_allclose(result.boxes[0], [place, 0, place + 60, 160], atol=1e-2)
    (track,) = tracker.tracks
    assert np.abs(track.velocity).max() < 5
    assert np.abs(track.middle - (place + 30, 80)).max() < 5


def test_a_box_goes_and_grows_with_the_keypoints_in_it() -> None:
    rng = np.random.default_rng(0)
    before, weights = rng.uniform(0, 100, (3, 17, 2)), rng.uniform(0, 1, (3, 17))
    boxes = np.array([[10, 20, 110, 220]] * 3, float)
    for scale, moved in ((1.0, (0, 0)), (2.0, (30, -40)), (0.5, (7, 300))):
        after = scale * before + np.array(moved)
        expected = scale * boxes + np.tile(moved, 2)
        np.testing.assert_allclose(carried(boxes, before, after, weights), expected, atol=1e-3)
    weights[:, 9] = 0
    before[:, 9] += 1000  # what is not seen has no say
    np.testing.assert_allclose(carried(boxes, before, after, weights), expected, atol=1e-3)
