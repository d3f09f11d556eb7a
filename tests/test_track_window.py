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
from screen import Keyboard, on_screen, screen

from movenet import ImageError, Poses, images
from movenet.cli import main
from movenet.draw import LEFT, RIGHT, draw
from movenet.keypoints import INDEX
from movenet.sources import open_source
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
    np.testing.assert_array_equal(saved, view(clip, poses[last], mirrored=True))
    if command is DEMO:
        assert re.fullmatch(r"Average FPS: \d+\.\d\d\n", out)
    else:
        assert out.startswith(f"{last + 1} frames, 1 person, lost 0 times\n")


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
    assert out.startswith(f"{len(poses)} frames, 1 person")
    assert pandas.read_csv("a.csv")["frame"].tolist()[-1] == len(poses) - 1
    assert len(pandas.read_json("a.json")) == len(poses)
    with av.open("a.mp4") as movie:
        drawn = [frame.to_ndarray(format="rgb24") for frame in movie.decode(video=0)]
    assert len(drawn) == len(poses)
    assert difference(drawn[number], seen[:, ::-1]) < difference(drawn[number], seen) / 4


def difference(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(int) - other).mean())
