"""The window of `movenet lift --show` and webcam_demo_3d.py: what it shows, and its keys."""

import os
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import clips
import cv2
import numpy as np
import pytest
from scenes import walk
from screen import Keyboard, screen

import webcam_demo_3d
from movenet import Bodies, Poses, VideoError, images, pictures, sources
from movenet.cli import lifted, main
from movenet.cli.lifted import Lifted
from movenet.cli.pair import SIDES as AZIMUTHS
from movenet.cli.pair import LiftedView, Pair
from movenet.frame import Frame
from movenet.stage import LINES
from movenet.view3d import View3D, beside
from movenet.window import Window, fitted

SIZE = 120, 160


class Screen:
    """Takes a window's place, with keys that are pressed whenever somebody waits."""

    def __init__(self, *keys: str) -> None:
        self.keys, self.closed = list(keys), False
        self.shown: list[np.ndarray] = []

    def show(self, image: np.ndarray | None, *, wait_s: float | None) -> str | None:
        if self.closed:
            return None
        if image is not None:
            self.shown.append(image)
        if self.keys and wait_s != 0:
            return self.keys.pop(0)
        assert wait_s is not None, "waits for a key that nobody presses"
        return None

    def close(self) -> None:
        self.closed = True


def hang(monkeypatch: pytest.MonkeyPatch, *keys: str) -> Screen:
    wall = Screen(*keys)
    monkeypatch.setattr(Window, "__init__", lambda self, title: None)
    monkeypatch.setattr(
        Window, "show", lambda self, image, *, wait_s: wall.show(image, wait_s=wait_s)
    )
    monkeypatch.setattr(Window, "close", lambda self: wall.close())
    monkeypatch.setattr(Window, "closed", property(lambda self: wall.closed))
    monkeypatch.setattr(Window, "screen", (1920, 1080))
    return wall


@pytest.fixture(autouse=True)
def somewhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def step() -> Lifted:
    """Two people; the second one stands on the left."""
    random = np.random.default_rng(0)
    points = random.uniform(60, 100, (2, 17, 2)) - np.array([[[0, 0]], [[60, 0]]])
    ids = [4, 7]
    poses = Poses.from_arrays(points, np.full((2, 17), 0.9), image_size=SIZE, ids=ids)
    bodies = Bodies(
        random.normal(0, 0.3, (2, 21, 3)).astype(np.float32),
        np.full((2, 21), 0.01, np.float32),
        ids=poses.ids,
    )
    frame = Frame(random.integers(0, 255, (*SIZE, 3), np.uint8), 0, 0.0)
    return Lifted(frame, poses, [], bodies)


def expected(
    step: Lifted, *sides: tuple[int, int], mirrored: bool = False, size: tuple[int, int] = SIZE
) -> np.ndarray:
    """The frame, and what a camera sees at each azimuth and elevation, one above the other."""
    picture, poses, bodies = step.frame.image, step.poses, step.bodies[np.array([1, 0])]
    if mirrored:
        picture = np.ascontiguousarray(picture[:, ::-1])
        across = np.array([-1, 1], np.float32)
        poses = replace(poses, keypoints=poses.keypoints * across + [size[1], 0])
        bodies = step.bodies
        bodies = replace(bodies, joints=bodies.joints * np.array([-1, 1, 1], np.float32))
    height = size[0] // len(sides)
    wide = size[0] if len(sides) == 1 else round(height * 2.1 / 1.38)  # which two people fill
    views = [
        View3D((height, wide), azimuth_deg=azimuth, elevation_deg=elevation).draw(bodies)
        for azimuth, elevation in sides
    ]
    for view in views[1:]:
        view[0] = LINES
    return beside(poses.draw(picture, keypoint_threshold=0.3), np.concatenate(views))


def test_the_arrow_keys_turn_the_bodies(monkeypatch: pytest.MonkeyPatch) -> None:
    wall = hang(monkeypatch)
    view = LiftedView(keypoint_threshold=0.3, mirrored=False, live=True, stills=False)
    assert view.put(step())
    wall.keys[:] = "space", "right", "up", "left", "left", "down", "down", "space"
    view._stay(np.inf)  # until the next frame
    sides = [(0, 15), (15, 15), (15, 25), (0, 25), (-15, 25), (-15, 15), (-15, 5)]
    assert len(wall.shown) == len(sides)
    for picture, side in zip(wall.shown, sides, strict=True):
        np.testing.assert_array_equal(picture, expected(step(), side))


def test_a_keyboard_has_the_arrow_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    lift = ["lift", "--model", "lightning", "--show", str(pictures.path("camera"))]
    keys = [key for arrow in ("left", "left", "up", "right", "down") for key in (arrow, "s")]
    with screen() as display:
        keyboard = Keyboard(display)
        process = subprocess.Popen(
            [sys.executable, "-m", "movenet", *lift], env={**os.environ, "DISPLAY": display}
        )
        deadline = time.monotonic() + 60
        while not keyboard.is_heard():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        keyboard.press(*keys)
        while process.poll() is None:  # one that comes with the picture does not end it
            assert time.monotonic() < deadline
            keyboard.press("x")
            time.sleep(0.1)
        assert process.returncode == 0
        keyboard.close()
    hang(monkeypatch, *keys, "x")
    assert main(lift) == 0
    for number in range(1, 6):
        typed, told = (
            images.read(f"snapshot_000000{place}.png")
            for place in (f"-{number}" * (number > 1), f"-{number + 5}")
        )
        np.testing.assert_array_equal(typed, told)


def test_a_picture_is_seen_from_two_sides_and_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    wall = hang(monkeypatch)
    with LiftedView(keypoint_threshold=0.3, mirrored=False, live=False, stills=True) as view:
        assert view.put(step())
        wall.keys[:] = "right", "m", "s", "x"
    first, turned, mirrored = wall.shown
    np.testing.assert_array_equal(first, expected(step(), (0, 15), (90, 15)))
    np.testing.assert_array_equal(turned, expected(step(), (15, 15), (105, 15)))
    np.testing.assert_array_equal(mirrored, expected(step(), (15, 15), (105, 15), mirrored=True))
    (saved,) = view.snapshots
    np.testing.assert_array_equal(images.read(saved), mirrored)
    assert wall.closed


@pytest.mark.parametrize(
    ("size", "people", "stills", "wide"),
    [
        ((138, 300), 1, True, 2 * 110),  # one person is 1.1 wide where 1.38 are high
        ((138, 300), 0, True, 2 * 110),
        ((138, 300), 1, False, 2 * 110),
        ((138, 300), 6, False, 2 * 110),  # frames of a clip have one size
        ((138, 300), 6, True, 305),  # half as high, and five more places wide
        ((138, 100), 1, True, 2 * 100),  # no view is wider than a portrait,
        ((138, 100), 6, True, 2 * 100),  # nor both of them
        ((1, 1), 1, True, 4),  # two pixels are the least
    ],
)
def test_views_from_two_sides_are_as_wide_as_people_need(
    size: tuple[int, int], people: int, stills: bool, wide: int
) -> None:
    random = np.random.default_rng(0)
    scores = np.full((people, 17), 0.9)
    points = random.uniform(0, 1, (people, 17, 2)) * size[::-1]
    poses = Poses.from_arrays(points, scores, image_size=size, ids=range(1, people + 1))
    bodies = Bodies(
        random.normal(0, 0.3, (people, 21, 3)).astype(np.float32),
        np.full((people, 21), 0.01, np.float32),
        ids=poses.ids,
    )
    frame = Frame(np.zeros((*size, 3), np.uint8), 0, 0.0)
    pair = Pair(keypoint_threshold=0.3, sides=AZIMUTHS, stills=stills)
    drawn = pair.draw(Lifted(frame, poses, [], bodies))
    height = max(2, size[0])
    assert drawn.shape[0] == height
    beside_it = drawn.shape[1] - size[1] * height // size[0]
    assert beside_it == pytest.approx(wide, abs=1)  # even sides


@pytest.mark.parametrize("stills", [False, True])
@pytest.mark.parametrize("screen_size", [(1920, 1080), (250, 900), (900, 100), (40, 40)])
def test_it_is_drawn_as_large_as_the_screen_takes_it_and_saved_whole(
    stills: bool, screen_size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    wall = hang(monkeypatch)
    monkeypatch.setattr(Window, "screen", screen_size)
    view = LiftedView(keypoint_threshold=0.3, mirrored=False, live=True, stills=stills)
    assert view.put(step())
    wall.keys[:] = "s", "x"
    assert view._held()
    whole = expected(step(), *[(0, 15), (90, 15)][: 1 + stills])
    np.testing.assert_array_equal(images.read(view.snapshots[0]), whole)
    (shown,) = wall.shown
    height, width = whole.shape[:2]
    wanted = fitted((width, height), screen_size)
    assert shown.shape[:2] == pytest.approx(wanted[::-1], abs=4)
    assert (shown.shape == whole.shape) == (screen_size == (1920, 1080))


def test_the_people_shrink_with_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    wall = hang(monkeypatch)
    monkeypatch.setattr(Window, "screen", (9000, 100))
    view = LiftedView(keypoint_threshold=0.3, mirrored=False, live=True, stills=False)
    big = step()
    assert view.put(big)
    image = cv2.resize(big.frame.image, (120, 90))  # nine tenths of the screen's height
    poses = replace(big.poses, keypoints=big.poses.keypoints * np.float32(0.75))
    small = big._replace(
        frame=replace(big.frame, image=image), poses=replace(poses, image_size=(90, 120))
    )
    np.testing.assert_array_equal(wall.shown[0], expected(small, (0, 15), size=(90, 120)))


@pytest.mark.parametrize(("key", "seen"), [("x", 2), ("q", 1)])
def test_each_of_several_pictures_waits_for_a_key(
    key: str, seen: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    wall = hang(monkeypatch, key, "x")
    names = [str(pictures.path(name)) for name in ("astronaut", "camera")]
    assert main(["lift", "--model", "lightning", "--show", *names]) == 0
    assert len(wall.shown) == seen
    assert not list(Path().iterdir())


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["webcam_demo_3d.py", *arguments])
    return webcam_demo_3d.main()


@pytest.mark.parametrize(("more", "crop"), [([], "person"), (["--cropping"], "google")])
def test_the_demo_shows_a_video_in_the_camera_s_place_and_says_the_average(
    more: list[str],
    crop: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    clips.write(Path("walk.mp4"), walk(6))
    # Lifted from the past alone, as a camera's frames.
    monkeypatch.setattr(lifted, "lift", None)
    wall, made, opened = hang(monkeypatch), [], webcam_demo_3d.track.opened
    monkeypatch.setattr(
        webcam_demo_3d.track,
        "opened",
        lambda args, source: made.append((args, opened(args, source))) or made[-1][1],
    )
    asked = ["--model", "movenet_thunder", "--cam_id", "walk.mp4", "--conf_thres", "0.2", *more]
    assert call(monkeypatch, *asked) == 0
    assert re.fullmatch(r"Average FPS: \d+\.\d\d\n", capsys.readouterr().out)
    ((args, tracker),) = made
    assert tracker.estimator.engine.spec.name == "thunder"
    assert (tracker.crop, args.threshold) == (crop, 0.2)
    assert [picture.shape for picture in wall.shown] == [(360, 1000, 3)] * 6
    assert [path.name for path in Path().iterdir()] == ["walk.mp4"]


def test_the_demo_asks_the_camera_for_a_size(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = []

    def busy(source: str, *, camera_size: tuple[int, int]) -> None:
        asked.append((source, camera_size))
        raise VideoError("camera: busy")

    monkeypatch.setattr(sources, "open_source", busy)
    assert call(monkeypatch) == 1
    assert call(monkeypatch, "--cam_id", "3", "--cam_width", "640", "--cam_height", "480") == 1
    assert asked == [("0", (1280, 720)), ("3", (640, 480))]
    assert capsys.readouterr() == ("", "movenet: camera: busy\n" * 2)
