"""track and track_many: sources in, frames with their people out."""

import weakref
from collections.abc import Iterator
from pathlib import Path

import clips
import numpy as np
import pytest
from scenes import people, scene, walk

import movenet
from movenet import MoveNetError, Poses, VideoError, pipeline
from movenet.frame import Frame
from movenet.offline import smoothed
from movenet.pipeline import Kept, keep_to, longest_id, steps
from movenet.pose_tracker import PoseTracker
from movenet.sources import open_source
from movenet.target import Target
from movenet.tracker import Event

RATE = 25


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A walk of 14 frames at 25 frames a second."""
    return clips.write(tmp_path_factory.mktemp("clip") / "walk.mp4", walk(14), rate=RATE)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people of whom the larger one, on the right, comes late."""
    both, size = people("two_people", 300), (360, 640)
    left = scene((both[:, :220], 20, 40), size=size)
    frames = [left] * 4 + [scene((both, 20, 40), size=size)] * 8
    return clips.write(tmp_path_factory.mktemp("two") / "two.mp4", frames, rate=RATE)


def test_every_frame_comes_with_its_people(clip: Path) -> None:
    found = list(movenet.track(clip, model="lightning"))
    assert [frame.index for frame, _ in found] == list(range(14))
    for frame, poses in found:
        assert frame.image.shape == (360, 640, 3)
        assert poses.image_size == (360, 640)
        assert poses.frame_index == frame.index
        assert poses.timestamp_s == frame.timestamp_s == pytest.approx(frame.index / RATE)
        assert poses.ids is not None
        assert poses.ids.tolist() == [1]


def test_a_run_leaves_nothing_behind(clip: Path) -> None:
    """Two iterators of one clip, step by step beside each other, are as one alone."""
    alone = [poses for _, poses in movenet.track(clip, model="lightning")]
    pairs = zip(movenet.track(clip, model="lightning"), movenet.track(clip, model="lightning"),
                alone, strict=True)  # fmt: skip
    for (_, one), (_, other), expected in pairs:
        np.testing.assert_array_equal(one.keypoints, expected.keypoints)
        np.testing.assert_array_equal(other.keypoints, expected.keypoints)


def test_a_part_of_a_clip_keeps_its_places_and_times(clip: Path) -> None:
    found = list(movenet.track(clip, model="lightning", start_s=0.2, end_s=0.45, stride=2))
    assert [frame.index for frame, _ in found] == [5, 7, 9, 11]
    assert found[0][1].timestamp_s == pytest.approx(0.2)


def test_several_sources_go_on_until_each_has_ended(clip: Path, tmp_path: Path) -> None:
    short = clips.write(tmp_path / "short.mp4", walk(5), rate=RATE)
    options = {"model": "lightning"}
    alone = [list(movenet.track(path, **options)) for path in (clip, short)]
    together = list(movenet.track_many([clip, short], **options))
    assert [[pair is not None for pair in step] for step in together] == (
        [[True, True]] * 5 + [[True, False]] * 9
    )
    for number, step in enumerate(together):
        for pair, expected in zip(step, alone, strict=True):
            if pair is not None:
                poses, lonely = pair[1], expected[number][1]
                np.testing.assert_array_equal(poses.ids, lonely.ids)
                assert np.abs(poses.keypoints - lonely.keypoints).max() <= 1e-5 * 640


def test_one_source_that_breaks_off_does_not_stop_the_others(clip: Path, tmp_path: Path) -> None:
    whole = clips.write(
        tmp_path / "whole.mp4", walk(30), rate=RATE,
        container_options={"movflags": "faststart"},
        options={"g": "5", "bf": "0"},
    )  # fmt: skip
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    seen = []
    with pytest.raises(VideoError, match=r"cut\.mp4"):
        seen.extend(movenet.track_many([cut, clip], model="lightning"))
    assert sum(pair[1] is not None for pair in seen) == 14


def test_offline_smoothing_is_that_of_the_whole_clip(clip: Path) -> None:
    raw = [poses for _, poses in movenet.track(clip, model="lightning", smooth="none")]
    found = [poses for _, poses in movenet.track(clip, model="lightning", smooth="offline")]
    for poses, expected in zip(found, smoothed(raw), strict=True):
        np.testing.assert_allclose(poses.keypoints, expected.keypoints, atol=1e-4)


def test_steps_have_what_was_before_smoothing(clip: Path) -> None:
    raw = [poses for _, poses in movenet.track(clip, model="lightning", smooth="none")]
    tracker = PoseTracker("lightning")
    with open_source(clip) as source:
        for step, expected in zip(steps(source, tracker), raw, strict=True):
            np.testing.assert_array_equal(step.raw.keypoints, expected.keypoints)
            assert [event.event for event in step.events] == (
                ["new"] if not step.frame.index else []
            )


def test_the_longest_is_followed_from_the_first_frame_to_the_last(two: Path) -> None:
    """The first run sees both, the second one keeps to the one with more area times time."""
    everybody = [poses for _, poses in movenet.track(two, smooth="none")]
    last = everybody[-1]
    assert last.ids is not None
    areas: dict[int, float] = {}
    for poses in everybody[1:]:
        assert poses.ids is not None
        for number, box in zip(poses.ids.tolist(), poses.boxes, strict=True):
            areas[number] = areas.get(number, 0) + float(np.prod(box[2:] - box[:2])) / RATE
    longest = max(areas, key=areas.__getitem__)
    found = [poses for _, poses in movenet.track(two, smooth="none", target="longest")]
    for poses, all_of_them in zip(found, everybody, strict=True):
        assert poses.ids is not None
        assert set(poses.ids.tolist()) <= {longest}
        assert all_of_them.ids is not None
        assert len(poses) == (longest in all_of_them.ids.tolist())


def test_time_counts_for_the_longest() -> None:
    """A tall person for one frame, a small one for ten."""

    def kept(at_s: float, *people: tuple[int, float]) -> Kept:
        boxes = [[0, 0, side, side] for _, side in people]
        poses = Poses.from_arrays(
            np.zeros((len(people), 17, 2)), np.ones((len(people), 17)), image_size=(500, 500),
            boxes=boxes, ids=[number for number, _ in people], timestamp_s=at_s,
        )  # fmt: skip
        return Kept(at_s, poses, [], poses)

    run = [kept(at, (1, 10)) for at in range(10)]
    run[4] = kept(4, (1, 10), (2, 20))
    assert longest_id(run) == 1  # 10 frames of 100 px, and one of 400
    assert longest_id(run[4:5]) == 2  # the first, the last, the only one
    assert longest_id(run[4:6]) == 2
    assert longest_id(run[3:5]) == 2
    assert longest_id([]) == 0
    # Three quick frames of somebody large, and then a frame that lasts.
    uneven = [*(kept(0.1 * number, (2, 20)) for number in range(3)), kept(0.3, (1, 15)), kept(3)]
    assert longest_id(uneven) == 1


def test_of_a_clip_that_is_kept_to_one_only_their_events_are_left() -> None:
    poses = Poses.from_arrays(
        np.zeros((2, 17, 2)), np.ones((2, 17)), image_size=(9, 9), ids=[1, 2], timestamp_s=0.0
    )
    each = Kept(0.0, poses, [Event("new", 1), Event("new", 2), Event("gone", 2)], poses)
    keep_to(2, [each])
    assert each.events == [Event("new", 2), Event("gone", 2)]
    for left in (each.poses, each.raw):
        assert left.ids is not None
        assert left.ids.tolist() == [2]


class Growing:
    """A file that has other frames when it is read again, and breaks off where it is told to."""

    name, live, rate, count = "clip.mp4", False, None, None

    def __init__(self, *lengths: int, breaks: bool = False) -> None:
        self.lengths, self.breaks = list(lengths), breaks

    def __iter__(self) -> Iterator[Frame]:
        for number, image in enumerate(walk(self.lengths.pop(0))):
            yield Frame(image, number, number / RATE)
        if self.breaks:
            self.breaks = False
            raise VideoError("clip.mp4: breaks off")


@pytest.mark.parametrize(("first", "second", "given"), [(4, 6, 4), (6, 4, 4)])
def test_a_file_that_changes_between_two_readings_gives_the_shorter(
    first: int, second: int, given: int
) -> None:
    run = steps(Growing(first, second), PoseTracker("lightning"), smooth="offline")  # type: ignore[arg-type]
    assert [step.frame.index for step in run] == list(range(given))


def test_an_error_of_the_first_reading_comes_last() -> None:
    source, seen = Growing(4, 6, breaks=True), []
    run = steps(source, PoseTracker("lightning"), smooth="offline")  # type: ignore[arg-type]
    with pytest.raises(VideoError, match="breaks off"):
        seen.extend(run)
    assert len(seen) == 4


def test_a_target_has_the_id_that_it_has_in_a_run_without_one(two: Path) -> None:
    """With a second look too, which looks for everybody who is missing."""
    options = {"smooth": "none", "refine": "thunder"}
    plain = [poses for _, poses in movenet.track(two, **options)]  # type: ignore[arg-type]
    for number in (1, 2):
        alone = [poses for _, poses in movenet.track(two, target=f"id:{number}", **options)]  # type: ignore[arg-type]
        for poses, everybody in zip(alone, plain, strict=True):
            assert everybody.ids is not None
            expected = everybody[everybody.ids == number]
            np.testing.assert_array_equal(poses.keypoints, expected.keypoints)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"smooth": "offline"}, "smooth 'offline' reads a file twice; record the stream first"),
        ({"target": "longest"}, "target 'longest' reads a file twice; record the stream first"),
    ],
)
def test_what_reads_twice_refuses_a_stream(options: dict, message: str) -> None:
    class Live:
        name, live, rate, count = "camera 0", True, None, None

    tracker = PoseTracker("multipose")
    with pytest.raises(ValueError, match=f"camera 0: {message}"):
        next(steps(Live(), tracker, **options))  # type: ignore[arg-type]


@pytest.mark.parametrize("live", [True, False])
def test_a_camera_is_not_read_ahead(live: bool) -> None:
    """A frame that waits is an old frame."""
    made = []

    class Camera:
        name, rate, count = "camera 0", None, None

        def __iter__(self) -> Iterator[Frame]:
            for number, image in enumerate(walk(9)):
                made.append(number)
                yield Frame(image, number, number / RATE)

    camera = Camera()
    camera.live = live  # type: ignore[attr-defined]
    run = steps(camera, PoseTracker("lightning"))  # type: ignore[arg-type]
    for _ in range(3):
        next(run)
    assert (len(made) == 3) == live
    run.close()  # type: ignore[attr-defined]


class Long:
    """A file of so many frames, which counts those of its pictures that are still held."""

    name, rate, count = "long.mp4", None, None

    def __init__(self, length: int, *, live: bool = False) -> None:
        self.length, self.live = length, live
        self.held = self.most = 0

    def __iter__(self) -> Iterator[Frame]:
        image = walk(1, size=(96, 160))[0]
        for number in range(self.length):
            picture = image.copy()
            weakref.finalize(picture, self._let_go)
            self.held += 1
            self.most = max(self.most, self.held)
            yield Frame(picture, number, number / RATE)
            del picture

    def _let_go(self) -> None:
        self.held -= 1

    def __enter__(self) -> "Long":
        return self

    def __exit__(self, *_: object) -> None:
        pass


# Decoded ahead, looked at ahead, in use, at its maker and at its user.
MOST_HELD = pipeline.AHEAD + 1 + 4


@pytest.mark.parametrize(
    "options",
    [
        {"model": "lightning"},
        {"model": "lightning", "smooth": "offline"},
        {"model": "multipose", "size": 128, "target": "longest"},
    ],
)
def test_a_long_file_holds_no_more_frames_than_a_short_one(
    options: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    for length in (10, 100):
        source = Long(length)
        monkeypatch.setattr(pipeline, "open_source", lambda *_, source=source, **__: source)
        poses = [
            weakref.ref(poses.keypoints)
            for _, poses in movenet.track("long.mp4", **options)
            if poses.frame_index is not None
        ]
        assert len(poses) == length
        assert 1 < source.most <= MOST_HELD
        assert sum(ref() is not None for ref in poses) <= 2
        assert source.held <= 1


def test_the_longest_is_one_of_several_people(clip: Path) -> None:
    with pytest.raises(ValueError, match="take multipose"):
        next(movenet.track(clip, model="lightning", target="longest"))


@pytest.mark.parametrize("source", [True, b"clip.mp4", None, 1.5, ["clip.mp4"]])
def test_what_names_no_source_is_refused_in_a_line(source: object) -> None:
    expected = f"source must be a path, an address or the number of a camera, not {source!r}"
    for run in (movenet.track(source), movenet.track_many([source])):  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="source must be") as caught:
            next(run)
        assert str(caught.value) == expected


@pytest.mark.parametrize("sources", ["clip.mp4", b"clip.mp4", Path("clip.mp4"), 0, None, {"a"}])
def test_several_sources_are_a_list(sources: object) -> None:
    with pytest.raises(ValueError, match="sources must be a list of sources, not"):
        next(movenet.track_many(sources))  # type: ignore[arg-type]


@pytest.mark.parametrize("target", ["longest", "largest", "id:2", "box:20,40,220,340"])
def test_a_target_may_come_as_an_object(two: Path, target: str) -> None:
    said = Target(target.partition(":")[0], id=2, box=(20, 40, 220, 340))  # type: ignore[arg-type]
    runs = [list(movenet.track(two, target=way)) for way in (target, said)]
    for (_, poses), (_, expected) in zip(*runs, strict=True):
        np.testing.assert_array_equal(poses.keypoints, expected.keypoints)
    assert any(len(poses) for _, poses in runs[0])


def test_a_broken_clip_gives_its_good_part_twice_read_or_once(tmp_path: Path) -> None:
    whole = clips.write(
        tmp_path / "whole.mp4", walk(30), rate=RATE,
        container_options={"movflags": "faststart"},
        options={"g": "5", "bf": "0"},
    )  # fmt: skip
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    seen: dict[str, list[int]] = {"live": [], "offline": []}

    def read(smooth: str) -> None:
        for frame, _ in movenet.track(cut, model="lightning", smooth=smooth):  # type: ignore[arg-type]
            seen[smooth].append(frame.index)

    for smooth in seen:
        with pytest.raises(MoveNetError, match=r"cut\.mp4"):
            read(smooth)
    assert 10 < len(seen["live"]) < 30
    assert seen["offline"] == seen["live"] == list(range(len(seen["live"])))
