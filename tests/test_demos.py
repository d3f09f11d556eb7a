"""The scripts that users of the earlier port know."""

import http.server
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import clips
import numpy as np
import pytest
from scenes import walk

import benchmark
import get_test_images
import image_demo
import webcam_demo
from movenet import PoseEstimator, VideoError, pictures, sources
from movenet.draw import LEFT, RIGHT
from movenet.window import Window

ROOT = Path(webcam_demo.__file__).resolve().parent


@pytest.fixture(autouse=True)
def somewhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def call(script: object, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["script.py", *arguments])
    return script.main()  # type: ignore[attr-defined, no-any-return]


def test_image_demo_takes_the_old_options_and_says_the_average(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("images").mkdir()
    shutil.copy(pictures.path("astronaut"), "images/one.PNG")
    assert call(image_demo, monkeypatch, "--conf_thres", "0.2") == 0
    assert Path("output/one.png").exists()
    assert capsys.readouterr().out.startswith("Average FPS: ")
    arguments = ["--model", "movenet_thunder", "--image_dir", "images", "--output_dir", "drawn"]
    assert call(image_demo, monkeypatch, *arguments) == 0
    assert Path("drawn/one.png").exists()


def test_image_demo_goes_on_after_a_broken_picture(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("images").mkdir()
    Path("images/a.jpg").write_text("no picture")
    shutil.copy(pictures.path("astronaut"), "images/b.png")
    assert call(image_demo, monkeypatch) == 1
    assert Path("output/b.png").exists()
    assert "a.jpg" in capsys.readouterr().err


def test_image_demo_without_pictures_says_where_to_get_some(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(image_demo, monkeypatch) == 1
    assert "python get_test_images.py fetches some" in capsys.readouterr().err


@pytest.mark.parametrize("model", ["movenet_lightning", "movenet_thunder", "multipose"])
def test_benchmark_takes_the_old_options_and_says_the_average(
    model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("images").mkdir()
    for name in ("astronaut", "camera"):
        shutil.copy(pictures.path(name), f"images/{name}.png")
    timed: list[str] = []

    class Counted(PoseEstimator):
        def __init__(self, *args: object, **more: object) -> None:
            super().__init__(*args, threads=1, **more)  # type: ignore[arg-type]
            engine = self.engine

            def counting(batch: np.ndarray) -> np.ndarray:
                timed.append(engine.spec.name)
                assert batch.shape == (1, engine.spec.side, engine.spec.side, 3)
                return engine(batch)

            counting.spec, counting.shapes = engine.spec, engine.shapes  # type: ignore[attr-defined]
            self.engine = counting  # type: ignore[assignment]

    monkeypatch.setattr(benchmark, "PoseEstimator", Counted)
    assert call(benchmark, monkeypatch, "--model", model, "--num_images", "5") == 0
    assert re.fullmatch(r"Average FPS: \d+\.\d\n", capsys.readouterr().out)
    assert timed == [model.removeprefix("movenet_")] * 6  # one does not count


def test_benchmark_without_pictures_says_where_to_get_some(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(benchmark, monkeypatch, "--image_dir", "none") == 1
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == (
        "",
        "none: no such file; check the path (web addresses are not read); "
        "python get_test_images.py fetches some\n",
    )


def test_benchmark_of_no_pictures_is_wrong_usage(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        call(benchmark, monkeypatch, "--num_images", "0")
    assert exit_.value.code == 2
    assert "argument --num_images: must be a whole number of at least 1" in capsys.readouterr().err


PICTURE = pictures.path("camera").read_bytes()


class Bucket(http.server.BaseHTTPRequestHandler):
    """Fails once for every picture, then serves its name."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        first = self.asked.count(self.path) == 1
        self.send_response(503 if first else 200)
        self.end_headers()
        if not first:
            self.wfile.write(PICTURE)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Bucket]]:
    Bucket.asked = []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Bucket)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(get_test_images, "BUCKET", f"http://127.0.0.1:{server.server_port}/")
    monkeypatch.setattr(get_test_images, "PAUSE_S", 0)
    yield Bucket
    server.shutdown()
    server.server_close()


def test_pictures_are_fetched_again_after_a_failure_and_once_only(
    bucket: type[Bucket], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert call(get_test_images, monkeypatch, "--image_dir", "pics") == 0
    assert len(get_test_images.NAMES) == 24
    assert {path.name for path in Path("pics").iterdir()} == set(get_test_images.NAMES)
    assert Path("pics/frisbee.jpg").read_bytes() == PICTURE
    asked = len(bucket.asked)
    assert call(get_test_images, monkeypatch, "--image_dir", "pics") == 0
    assert len(bucket.asked) == asked


def test_offline_says_so_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(get_test_images, "BUCKET", "http://127.0.0.1:9/")
    monkeypatch.setattr(get_test_images, "PAUSE_S", 0)
    assert call(get_test_images, monkeypatch) == 1
    err = capsys.readouterr().err
    assert "cannot fetch pictures (frisbee_2.jpg: " in err
    assert "are you online?" in err
    assert not any(Path("images").iterdir())


class Wall:
    """Takes what a window would show."""

    closed = False

    def __init__(self, title: str) -> None:
        self.shown: list[np.ndarray] = []
        WALLS.append(self)

    def show(self, image: np.ndarray | None, *, wait_s: float | None) -> str | None:
        if image is not None:
            self.shown.append(image)
        return None

    def __enter__(self) -> "Wall":
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to close."""


WALLS: list[Wall] = []


def hang(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wall in the window's place."""
    for name, what in vars(Wall).items():
        if callable(what) or name == "closed":
            monkeypatch.setattr(Window, name, what)


@pytest.mark.parametrize("model", ["movenet_lightning", "movenet_thunder"])
def test_webcam_demo_shows_a_video_in_the_camera_s_place_and_says_the_average(
    model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clips.write(Path("walk.mp4"), walk(6))
    hang(monkeypatch)
    opened = webcam_demo.track.opened
    trackers = []
    monkeypatch.setattr(
        webcam_demo.track, "opened", lambda *a: trackers.append(opened(*a)) or trackers[-1]
    )
    clock = SimpleNamespace(perf_counter=iter([10.0, 12.0]).__next__)
    monkeypatch.setattr(webcam_demo, "time", clock)
    asked = ["--model", model, "--cam_id", "walk.mp4", "--conf_thres", "0.2"]
    assert call(webcam_demo, monkeypatch, *asked) == 0
    assert capsys.readouterr().out == "Average FPS: 3.00\n"
    (tracker,) = trackers
    assert tracker.estimator.engine.spec.name == model.removeprefix("movenet_")
    assert tracker.estimator.second is None
    assert tracker.crop == "person"
    assert tracker.keypoint_threshold == 0.2
    shown = WALLS[-1].shown
    assert len(shown) == 6
    for picture in shown[1:]:
        for colour in (LEFT, RIGHT):
            assert (picture == colour).all(-1).sum() > 50
    assert [path.name for path in Path().iterdir()] == ["walk.mp4"]


@pytest.mark.parametrize("threshold", ["0", "1"])
def test_webcam_demo_draws_what_is_over_the_threshold(
    threshold: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips.write(Path("walk.mp4"), walk(3))
    hang(monkeypatch)
    assert call(webcam_demo, monkeypatch, "--cam_id", "walk.mp4", "--conf_thres", threshold) == 0
    coloured = [(picture == LEFT).all(-1).any() for picture in WALLS[-1].shown]
    assert coloured == [threshold == "0"] * 3


def test_webcam_demo_asks_the_camera_for_a_size(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = []

    def busy(source: str, *, camera_size: tuple[int, int]) -> None:
        asked.append((source, camera_size))
        raise VideoError("camera: busy")

    monkeypatch.setattr(sources, "open_source", busy)
    assert call(webcam_demo, monkeypatch) == 1
    options = ["--cam_id", "3", "--cam_width", "640", "--cam_height", "480"]
    assert call(webcam_demo, monkeypatch, *options) == 1
    assert asked == [("0", (1280, 720)), ("3", (640, 480))]
    assert capsys.readouterr() == ("", "movenet: camera: busy\n" * 2)


@pytest.mark.parametrize("source", ["97", "missing.mp4", "-1"])
def test_webcam_demo_without_its_camera_says_so_in_a_line(
    source: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(webcam_demo, monkeypatch, "--cam_id", source) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.fullmatch(rf"movenet: (camera )?{source}: [^\n]+\n", captured.err)


@pytest.mark.parametrize("module", ["av", "scipy.optimize"])
def test_webcam_demo_without_the_libraries_of_videos_says_so_in_a_line(module: str) -> None:
    clips.write(Path("walk.mp4"), walk(2))
    program = (
        f"import sys; sys.modules[{module!r}] = None; sys.path.insert(0, {str(ROOT)!r}); "
        "import webcam_demo; sys.exit(webcam_demo.main())"
    )
    command = [sys.executable, "-c", program, "--cam_id", "walk.mp4"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    remedy = re.escape('pip install "movenet-pytorch[video]"')
    assert re.fullmatch(rf"movenet: [^\n]+ {remedy}\n", done.stderr)
