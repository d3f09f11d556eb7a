"""The window of `movenet lift --show` and webcam_demo_3d.py: what it shows, and its keys."""

import re
import sys
from dataclasses import replace
from pathlib import Path

import clips
import cv2
import numpy as np
import pytest
from scenes import walk

import webcam_demo_3d
from movenet import Bodies, Poses, VideoError, images, pictures, sources
from movenet.cli import lifted, main
from movenet.cli.lifted import Lifted
from movenet.cli.pair import LiftedView
from movenet.frame import Frame
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
    screen = Screen(*keys)
    monkeypatch.setattr(Window, "__init__", lambda self, title: None)
    monkeypatch.setattr(
        Window, "show", lambda self, image, *, wait_s: screen.show(image, wait_s=wait_s)
    )
    monkeypatch.setattr(Window, "close", lambda self: screen.close())
    monkeypatch.setattr(Window, "closed", property(lambda self: screen.closed))
    monkeypatch.setattr(Window, "screen", (1920, 1080))
    return screen


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


def expected(step: Lifted, *sides: tuple[int, int], mirrored: bool = False) -> np.ndarray:
    """The frame, and what a camera sees at each azimuth and elevation."""
    picture, poses, bodies = step.frame.image, step.poses, step.bodies[np.array([1, 0])]
    if mirrored:
        picture = np.ascontiguousarray(picture[:, ::-1])
        across = np.array([-1, 1], np.float32)
        poses = replace(poses, keypoints=poses.keypoints * across + [SIZE[1], 0])
        bodies = step.bodies
        bodies = replace(bodies, joints=bodies.joints * np.array([-1, 1, 1], np.float32))
    drawn = poses.draw(picture, keypoint_threshold=0.3)
    for azimuth, elevation in sides:
        view = View3D((SIZE[0], SIZE[0]), azimuth_deg=azimuth, elevation_deg=elevation)
        drawn = beside(drawn, view.draw(bodies))
    return drawn


def test_the_arrow_keys_turn_the_bodies(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = hang(monkeypatch)
    view = LiftedView(keypoint_threshold=0.3, mirrored=False, live=True, stills=False)
    assert view.put(step())
    screen.keys[:] = "space", "right", "up", "left", "left", "down", "down", "space"
    view._stay(np.inf)  # until the next frame
    sides = [(0, 15), (15, 15), (15, 25), (0, 25), (-15, 25), (-15, 15), (-15, 5)]
    assert len(screen.shown) == len(sides)
    for picture, side in zip(screen.shown, sides, strict=True):
        np.testing.assert_array_equal(picture, expected(step(), side))


def test_a_picture_is_seen_from_two_sides_and_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = hang(monkeypatch)
    with LiftedView(keypoint_threshold=0.3, mirrored=False, live=False, stills=True) as view:
        assert view.put(step())
        screen.keys[:] = "right", "m", "s", "x"
    first, turned, mirrored = screen.shown
    np.testing.assert_array_equal(first, expected(step(), (0, 15), (90, 15)))
    np.testing.assert_array_equal(turned, expected(step(), (15, 15), (105, 15)))
    np.testing.assert_array_equal(mirrored, expected(step(), (15, 15), (105, 15), mirrored=True))
    (saved,) = view.snapshots
    np.testing.assert_array_equal(images.read(saved), mirrored)
    assert screen.closed


@pytest.mark.parametrize("stills", [False, True])
@pytest.mark.parametrize("screen_size", [(1920, 1080), (250, 900), (900, 100), (40, 40)])
def test_it_is_drawn_as_large_as_the_screen_takes_it_and_saved_whole(
    stills: bool, screen_size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = hang(monkeypatch)
    monkeypatch.setattr(Window, "screen", screen_size)
    view = LiftedView(keypoint_threshold=0.3, mirrored=False, live=True, stills=stills)
    assert view.put(step())
    screen.keys[:] = "s", "x"
    assert view._held()
    whole = expected(step(), *[(0, 15), (90, 15)][: 1 + stills])
    np.testing.assert_array_equal(images.read(view.snapshots[0]), whole)
    (shown,) = screen.shown
    height, width = whole.shape[:2]
    wanted = fitted((width, height), screen_size)
    assert shown.shape[:2] == pytest.approx(wanted[::-1], abs=4)
    assert (shown.shape == whole.shape) == (screen_size == (1920, 1080))


def test_the_people_shrink_with_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = hang(monkeypatch)
    monkeypatch.setattr(Window, "screen", (9000, 100))
    view = LiftedView(keypoint_threshold=0.3, mirrored=False, live=True, stills=False)
    big = step()
    assert view.put(big)
    image = cv2.resize(big.frame.image, (120, 90))  # nine tenths of the screen's height
    poses = replace(big.poses, keypoints=big.poses.keypoints * np.float32(0.75))
    small = big._replace(
        frame=replace(big.frame, image=image), poses=replace(poses, image_size=(90, 120))
    )
    monkeypatch.setattr(sys.modules[__name__], "SIZE", (90, 120))
    np.testing.assert_array_equal(screen.shown[0], expected(small, (0, 15)))


@pytest.mark.parametrize(("key", "seen"), [("x", 2), ("q", 1)])
def test_each_of_several_pictures_waits_for_a_key(
    key: str, seen: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = hang(monkeypatch, key, "x")
    names = [str(pictures.path(name)) for name in ("astronaut", "camera")]
    assert main(["lift", "--model", "lightning", "--show", *names]) == 0
    assert len(screen.shown) == seen
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
    screen, made, opened = hang(monkeypatch), [], webcam_demo_3d.track.opened
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
    assert [picture.shape for picture in screen.shown] == [(360, 1000, 3)] * 6
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
