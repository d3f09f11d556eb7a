"""What `movenet track --show` and webcam_demo.py have on the screen, and the keys they obey."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TypeVar

import av
import clips
import numpy as np
import pandas
import pytest
from PIL import features
from scenes import walk
from screen import Keyboard, on_screen, screen, serving

from movenet import ImageError, Poses, images
from movenet.cli import main
from movenet.cli import view as view_module
from movenet.cli.view import View
from movenet.draw import LEFT, RIGHT, draw
from movenet.frame import Frame
from movenet.keypoints import INDEX
from movenet.pipeline import Step
from movenet.sources import open_source
from movenet.window import Window
from movenet.writers import read_json_lines

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[1]
COMMAND = "import sys; from movenet.cli import main; sys.exit(main())"
PLAIN = ["track", "--model", "lightning", "--threshold", "0.2"]
TRACK = ["-c", COMMAND, *PLAIN, "--show"]
DEMO = [str(ROOT / "webcam_demo.py"), "--conf_thres", "0.2", "--cam_id"]
SIZE = 360, 640  # of the clip
PATIENCE_S = 60  # for a loaded machine


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    if not features.check("xcb"):
        pytest.skip("Pillow without xcb cannot see the screen")
    with screen() as name:
        yield name


@pytest.fixture
def keyboard(display: str) -> Iterator[Keyboard]:
    typing = Keyboard(display)
    yield typing
    typing.close()


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Long enough to press keys in."""
    there = walk(20)
    path = tmp_path_factory.mktemp("clip") / "walk.mp4"
    return str(clips.write(path, (there + there[::-1]) * 6, options={"preset": "ultrafast"}))


@pytest.fixture(scope="module")
def expected(clip: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a run without a window writes."""
    path = tmp_path_factory.mktemp("expected") / "walk.jsonl"
    assert main([*PLAIN, clip, "--json", str(path)]) == 0
    return path


@pytest.fixture(autouse=True)
def somewhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@contextmanager
def running(display: str, *command: str) -> Iterator["subprocess.Popen[str]"]:
    deadline = time.monotonic() + PATIENCE_S
    while on_screen(display).any():  # the last one's window, until the server takes it away
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process = subprocess.Popen(
        [sys.executable, *command],
        env={**os.environ, "DISPLAY": display},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def until(found: Callable[[], T | None], process: "subprocess.Popen[str]") -> T:
    """What is found, as soon as it is."""
    deadline = time.monotonic() + PATIENCE_S
    while not (it := found()):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return it


def shown(display: str) -> np.ndarray:
    """What is in the window; without a window manager, it stands in the corner."""
    return on_screen(display)[: SIZE[0], : SIZE[1]]


def is_open(display: str, keyboard: Keyboard) -> bool:
    """Whether the clip's grey ground is there, not the screen's black, and keys are heard."""
    return bool(shown(display)[-1].all()) and keyboard.is_heard()


def view(clip: str, poses: Poses, *, mirrored: bool = False) -> np.ndarray:
    """A frame of the clip with its people drawn; in the mirror, too, ids can be read."""
    assert poses.frame_index is not None
    with open_source(clip) as source:
        picture = next(islice(source, poses.frame_index, None)).image
    points = poses.keypoints
    if mirrored:
        picture = np.ascontiguousarray(np.fliplr(picture))
        points = np.array([SIZE[1], 0], np.float32) + points * np.array([-1, 1], np.float32)
    return draw(
        picture,
        points,
        poses.keypoint_scores,
        keypoint_threshold=0.2,
        ids=poses.ids,
    )


def snapshot() -> tuple[int, np.ndarray] | None:
    """The frame that was saved last, and its picture."""
    for path in sorted(Path().glob("snapshot_*.png"))[-1:]:
        try:
            return int(path.stem[-6:]), images.read(path)
        except ImageError:  # it is being written
            pass
    return None


def assert_skeleton(picture: np.ndarray, poses: Poses, *, mirrored: bool = False) -> None:
    """The shoulders have the colours of their sides."""
    for name, colour in (("left_shoulder", LEFT), ("right_shoulder", RIGHT)):
        assert poses.keypoint_scores[0, INDEX[name]] > 0.2
        x, y = (int(value) for value in poses.keypoints[0, INDEX[name]])
        assert tuple(picture[y, SIZE[1] - 1 - x if mirrored else x]) == colour


@pytest.mark.parametrize("command", [TRACK, DEMO], ids=["track", "webcam_demo"])
def test_the_window_shows_the_skeleton_and_obeys_its_keys(
    command: list[str], clip: str, expected: Path, display: str, keyboard: Keyboard
) -> None:
    poses = list(read_json_lines(expected)[1])
    with running(display, *command, clip) as process:
        until(lambda: is_open(display, keyboard), process)
        keyboard.press("space", "s")
        number, picture = until(snapshot, process)
        np.testing.assert_array_equal(picture, view(clip, poses[number]))
        until(lambda: (shown(display) == picture).all(), process)
        assert_skeleton(shown(display), poses[number])
        assert not on_screen(display)[SIZE[0] :].any()
        keyboard.press("m")
        turned = view(clip, poses[number], mirrored=True)
        until(lambda: (shown(display) == turned).all(), process)
        assert_skeleton(shown(display), poses[number], mirrored=True)
        keyboard.press("space")
        until(lambda: (shown(display) != turned).any(), process)  # it goes on
        keyboard.press("space", "s", "q")
        out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, err) == (0, "")
    last, saved = snapshot() or (0, picture)
    assert last > number
    done = int(out.split()[0]) if command is TRACK else last + 1
    assert done in (last + 1, last + 2)  # the next one may wait for its time
    np.testing.assert_array_equal(saved, view(clip, poses[last], mirrored=True))
    if command is DEMO:
        assert re.fullmatch(r"Average FPS: \d+\.\d\d\n", out)
    else:
        assert out.startswith(f"{done} frames, 1 id, lost 0 times\n")


def test_the_mirror_is_for_the_window_only_and_q_leaves_whole_files(
    clip: str, expected: Path, display: str, keyboard: Keyboard
) -> None:
    files = ["--json", "a.jsonl", "--csv", "a.csv", "--coco", "a.json", "--save", "a.mp4"]
    with running(display, *TRACK, "--mirror", *files, clip) as process:
        until(lambda: is_open(display, keyboard), process)
        keyboard.press("space", "s")
        number, seen = until(snapshot, process)
        keyboard.press("m", "m", "m", "space")
        until(lambda: Path("a.jsonl").read_bytes().count(b"\n") > number + 5, process)
        keyboard.press("q")
        out, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    lines = Path("a.jsonl").read_bytes()
    assert expected.read_bytes().startswith(lines)
    assert lines.endswith(b"\n")
    poses = list(read_json_lines("a.jsonl")[1])
    assert_skeleton(seen, poses[number], mirrored=True)
    assert out.startswith(f"{len(poses)} frames, 1 id")
    assert pandas.read_csv("a.csv")["frame"].tolist()[-1] == len(poses) - 1
    assert len(pandas.read_json("a.json")) == len(poses)
    with av.open("a.mp4") as movie:
        drawn = [frame.to_ndarray(format="rgb24") for frame in movie.decode(video=0)]
    assert len(drawn) == len(poses)
    assert difference(drawn[number], seen[:, ::-1]) < difference(drawn[number], seen) / 4


def difference(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(int) - other).mean())


FILES = ["--json", "a.jsonl", "--coco", "a.json", "--save", "a.mp4"]


def assert_whole(out: str) -> None:
    """The files of a run say the same, and so does its summary."""
    done = len(list(read_json_lines("a.jsonl")[1]))
    assert out.startswith(f"{done} frame")
    assert len(pandas.read_json("a.json")) == done
    with av.open("a.mp4") as movie:
        assert len(list(movie.decode(video=0))) == done
    assert not list(Path().glob("*.part"))


@pytest.mark.parametrize("way", ["key", "click", "button"])
def test_a_picture_by_itself_stays_until_a_key_or_a_click(
    way: str, display: str, keyboard: Keyboard
) -> None:
    images.save(walk(1)[0], "photo.png")
    with running(display, *TRACK, *FILES, "photo.png") as process:
        until(lambda: is_open(display, keyboard), process)
        until(lambda: Path("a.json").is_file() and not Path("a.mp4.part").exists(), process)
        assert is_open(display, keyboard)
        keyboard.press("m", "s")
        _, seen = until(snapshot, process)
        until(lambda: (shown(display) == seen).all(), process)
        if way == "key":
            keyboard.press("x")
        elif way == "click":
            keyboard.click(100, 100)
        else:
            keyboard.ask_to_close()
        out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, err) == (0, "")
    poses = next(read_json_lines("a.jsonl")[1])
    np.testing.assert_array_equal(seen, view("photo.png", poses, mirrored=True))
    assert_whole(out)


def test_the_window_s_button_ends_a_run_with_whole_files(
    clip: str, display: str, keyboard: Keyboard
) -> None:
    with running(display, *TRACK, *FILES, clip) as process:
        until(lambda: is_open(display, keyboard), process)
        keyboard.ask_to_close()
        out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, err) == (0, "")
    assert not out.startswith("240 ")  # all of them
    assert_whole(out)


def test_a_screen_that_goes_away_is_one_line_and_leaves_whole_files(clip: str) -> None:
    with serving() as (server, display), running(display, *TRACK, *FILES, clip) as process:
        until(lambda: shown(display)[-1].all(), process)
        server.kill()
        out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    assert err == "movenet: --show: the screen is gone (its X server ended); use --save\n"
    assert_whole(out)


class Clock:
    """Stands still, but where somebody waits."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def monotonic(self) -> float:
        return self.now_s


class Screen:
    """Takes a window's place: when frames were shown, and keys that are pressed in the waits."""

    def __init__(self, clock: Clock, keys: list[str]) -> None:
        self.clock, self.keys, self.closed = clock, keys, False
        self.shown: list[tuple[float, int]] = []  # time, and the frame's grey
        self.endless = 0  # waits without a limit

    def show(self, image: np.ndarray | None, *, wait_s: float | None) -> str | None:
        if self.closed:
            return None
        if image is not None:
            self.shown.append((self.clock.now_s, int(image[0, 0, 0])))
        self.endless += wait_s is None
        if self.keys and wait_s != 0:
            self.clock.now_s += (wait_s or 0) / 2
            return self.keys.pop(0)
        assert wait_s is not None, "waits for a key that nobody presses"
        self.clock.now_s += wait_s
        return None


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(view_module, "time", clock)
    return clock


def viewed(
    monkeypatch: pytest.MonkeyPatch, clock: Clock, *keys: str, live: bool = False
) -> tuple[View, Screen]:
    on = Screen(clock, list(keys))
    monkeypatch.setattr(Window, "__init__", lambda self, title: None)
    monkeypatch.setattr(
        Window, "show", lambda self, image, *, wait_s: on.show(image, wait_s=wait_s)
    )
    monkeypatch.setattr(Window, "close", lambda self: setattr(on, "closed", True))
    monkeypatch.setattr(Window, "closed", property(lambda self: on.closed))
    return View(keypoint_threshold=0.3, mirrored=False, live=live), on


def step_of(index: int, time_s: float) -> Step:
    nobody = Poses.from_arrays([], [], image_size=(8, 8))
    return Step(Frame(np.full((8, 8, 3), index, np.uint8), index, time_s), nobody, [], nobody)


TIMES = [0.5, 0.54, 0.58, 1.5, 1.52, 1.56]  # of a camera that saved light
LATE = [0.0, 0.01, 0.3, 0.02, 0.5, 0.0]  # what each frame takes before it can be shown


@pytest.mark.parametrize("keys", [[], ["x"], ["left", "click", "x"]])
def test_frames_are_not_shown_sooner_than_their_times_and_late_ones_at_once(
    keys: list[str], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    view, on = viewed(monkeypatch, clock, *keys)
    expected: list[float] = []
    for index, (time_s, late_s) in enumerate(zip(TIMES, LATE, strict=True)):
        clock.now_s += late_s
        soonest = expected[-1] + time_s - TIMES[index - 1] if expected else clock.now_s
        expected.append(max(clock.now_s, soonest))
        assert view.put(step_of(index, time_s))
    assert [grey for _, grey in on.shown] == list(range(6))
    assert [at_s for at_s, _ in on.shown] == pytest.approx(expected)
    assert not on.keys


def test_a_pause_moves_what_comes_after_it(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    view, on = viewed(monkeypatch, clock)
    assert view.put(step_of(0, 0.0))
    on.keys[:] = ["space", "m", "space"]
    assert view.put(step_of(1, 1.0))
    assert on.endless == 2
    assert [grey for _, grey in on.shown] == [0, 0, 1]  # mirrored once
    assert view.put(step_of(2, 2.0))
    assert on.shown[-1][0] - on.shown[-2][0] == pytest.approx(1.0)


def test_live_frames_wait_for_nothing(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    view, on = viewed(monkeypatch, clock, live=True)
    with view:
        assert all(view.put(step_of(index, index)) for index in range(3))
    assert [at_s for at_s, _ in on.shown] == [100.0] * 3


@pytest.mark.parametrize("key", ["q", "escape"])
def test_the_end_does_not_wait_for_the_next_frame(
    key: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    view, on = viewed(monkeypatch, clock)
    with view:
        assert view.put(step_of(0, 0.0))
        on.keys.append(key)
        assert not view.put(step_of(1, 10.0))
    assert (on.closed, len(on.shown), on.endless) == (True, 1, 0)


@pytest.mark.parametrize(("frames", "live", "waits"), [(1, False, 3), (1, True, 0), (2, False, 0)])
def test_only_a_picture_by_itself_is_waited_for(
    frames: int, live: bool, waits: int, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    view, on = viewed(monkeypatch, clock, live=live)
    with view:
        assert all(view.put(step_of(index, index)) for index in range(frames))
        on.keys[:] = ["m", "s", "x"]
    assert on.endless == waits
    assert on.closed
    assert len(view.snapshots) == (waits > 0)


def test_a_picture_is_not_waited_for_after_an_error(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    view, on = viewed(monkeypatch, clock)
    assert view.put(step_of(0, 0.0))
    view.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert (on.endless, on.closed) == (0, True)
