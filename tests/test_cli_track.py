"""`movenet track`: what it prints, writes and returns."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import av
import clips
import numpy as np
import pandas
import pytest
import tqdm
from PIL import Image
from pycocotools.coco import COCO
from scenes import people, scene, walk

from movenet import Poses, images
from movenet.cli import main, parser
from movenet.cli.outputs import Outputs, choose, unfilled
from movenet.draw import LEFT, RIGHT
from movenet.frame import Frame
from movenet.keypoints import INDEX
from movenet.pipeline import Step
from movenet.plot import KeypointPlot
from movenet.sources import open_source
from movenet.sources.video import Video
from movenet.writers import read_json_lines

FRAMES, RATE = 12, 25
COMMAND = "import sys; from movenet.cli import main; sys.exit(main())"


@pytest.fixture(autouse=True)
def somewhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every command runs in a folder of its own."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("clip") / "walk.mp4"
    return str(clips.write(path, walk(FRAMES), rate=RATE, sound_s=FRAMES / RATE))


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Two thirds of a clip whose index stands in front."""
    whole = clips.write(
        tmp_path_factory.mktemp("cut") / "whole.mp4",
        walk(30),
        rate=RATE,
        container_options={"movflags": "faststart"},
        options={"g": "5", "bf": "0"},
    )
    path = whole.with_name("cut.mp4")
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    return str(path)


def frames_of(movie: Path) -> list[np.ndarray]:
    with av.open(str(movie)) as file:
        return [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]


def track(*options: str) -> int:
    return main(["track", "--model", "lightning", *options])


def test_without_options_a_clip_gives_a_video_and_a_table(
    clip: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["track", clip]) == 0
    assert sorted(path.name for path in Path("poses").iterdir()) == ["walk.csv", "walk.mp4"]
    out = capsys.readouterr().out
    assert out.startswith("12 frames, 1 id, lost 0 times\nms a frame: read ")
    assert "refine" in out
    assert f"made {Path('poses/walk.csv')}, {Path('poses/walk.mp4')}\n" in out
    table = pandas.read_csv("poses/walk.csv")
    assert len(table) == FRAMES * 17
    assert set(table["id"]) == {1}
    with av.open("poses/walk.mp4") as movie:
        assert movie.streams.video[0].frames == FRAMES
        assert movie.streams.audio


def test_all_the_files_of_a_run_say_the_same(clip: str) -> None:
    assert track(
        clip, "--json", "a.jsonl", "--csv", "a.csv", "--parquet", "a.parquet", "--coco", "a.json",
        "--openpose", "a_json", "--trc", "a.trc", "--plot", "a.png", "--keypoint", "nose",
        "--save", "frames",
    ) == 0  # fmt: skip
    header, poses = read_json_lines("a.jsonl")
    assert header["model"] == "lightning"
    every = list(poses)
    keypoints = np.array([frame.keypoints[0] for frame in every])  # (12, 17, 2)
    assert keypoints.shape == (FRAMES, 17, 2)
    for table in (pandas.read_csv("a.csv"), pandas.read_parquet("a.parquet")):
        np.testing.assert_allclose(table[["x", "y"]], keypoints.reshape(-1, 2), atol=1e-3)
        assert table["time"].iloc[-1] == pytest.approx(11 / RATE)
    coco = COCO()
    coco.dataset = {
        "images": [{"id": number} for number in range(FRAMES)],
        "categories": [{"id": 1}],
    }
    coco.createIndex()
    assert len(coco.loadRes("a.json").anns) == FRAMES
    last = json.loads(Path("a_json/a_000011.json").read_text())["people"][0]
    np.testing.assert_allclose(last["pose_keypoints_2d"][:2], keypoints[11, 0], atol=1e-3)
    rows = [line.split("\t") for line in Path("a.trc").read_text().splitlines()[6:]]
    markers = [[float(value or "nan") for value in row[: 2 + 17 * 3]] for row in rows]
    frame, times, *places = np.array(markers).T
    np.testing.assert_array_equal(frame, np.arange(FRAMES))
    np.testing.assert_allclose(times, np.arange(FRAMES) / RATE, atol=1e-6)
    seen = np.array([frame.keypoint_scores[0] > 0.3 for frame in every])
    assert 0.5 < seen.mean() < 1
    wanted = np.where(seen[..., None], keypoints * (1, -1), np.nan)  # Y up
    found = np.array(places).T.reshape(FRAMES, 17, 3)
    np.testing.assert_allclose(found[..., :2], wanted, atol=1e-2)
    np.testing.assert_array_equal(found[..., 2], np.where(seen, 0, np.nan))
    assert images.read("a.png").shape[1] > 500
    assert len(list(Path("frames").glob("walk_0000*.jpg"))) == FRAMES


def test_the_plot_is_of_that_keypoint_before_and_after_smoothing(
    clip: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn, figure = [], KeypointPlot.figure
    monkeypatch.setattr(KeypointPlot, "figure", lambda it: drawn.append(figure(it)) or drawn[-1])
    ways = [([], "right_wrist"), (["--keypoint", "left_ear"], "left_ear")]
    for options, name in ways:
        assert track(clip, "--plot", "a.png", "--json", "a.jsonl", *options) == 0
        assert track(clip, "--smooth", "none", "--json", "b.jsonl") == 0
        after, before = (
            np.array(
                [
                    np.where(frame.keypoint_scores[0, INDEX[name]] > 0.3, point, np.nan)
                    for frame in read_json_lines(file)[1]
                    for point in [frame.keypoints[0, INDEX[name]]]
                ]
            )
            for file in ("a.jsonl", "b.jsonl")
        )
        assert np.nanmax(np.abs(after - before)) > 0.01
        assert np.isfinite(after).any()
        for axis, column, side in zip(drawn[-1].axes, (0, 1), "xy", strict=True):
            assert axis.get_ylabel() == f"{name} {side} (px)"
            grey, coloured = axis.lines
            np.testing.assert_allclose(grey.get_ydata(), before[:, column], atol=1e-2)
            np.testing.assert_allclose(coloured.get_ydata(), after[:, column], atol=1e-2)
            np.testing.assert_allclose(coloured.get_xdata(), np.arange(FRAMES) / RATE, atol=1e-6)


# The photographer three times, at x and so high; he stands at 0.37 of his square picture.
BIG, SMALL, MIDDLE = (-20, 340), (250, 180), (420, 220)
STANDS = 0.37
GONE = 3  # the big one is there in so many frames


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> str:
    laid = [(people(height=height), x, 180 - height // 2) for x, height in (BIG, SMALL, MIDDLE)]
    pictures = [scene(*laid)] * GONE + [scene(*laid[1:])] * (FRAMES - GONE)
    pictures[0] = scene(*laid[:2])  # the middle one comes later, and is there for less time
    return str(clips.write(tmp_path_factory.mktemp("crowd") / "crowd.mp4", pictures, rate=RATE))


@pytest.mark.parametrize(
    ("target", "who", "frames"),
    [
        ("center", SMALL, range(FRAMES)),
        ("largest", BIG, range(GONE)),
        ("longest", MIDDLE, range(1, FRAMES)),
        ("box:440,70,560,290", MIDDLE, range(1, FRAMES)),
        ("box:0,20,200,350", BIG, range(GONE)),
    ],
)
def test_a_target_is_the_one_whom_it_names_in_every_frame(
    target: str, who: tuple[int, int], frames: range, crowd: str
) -> None:
    options = ["--no-refine", "--smooth", "none", "--json", "a.jsonl"]
    assert main(["track", crowd, "--target", target, *options]) == 0
    every = list(read_json_lines("a.jsonl")[1])
    assert [len(poses) for poses in every] == [index in frames for index in range(FRAMES)]
    x, height = who
    for poses in every[frames.start : frames.stop]:
        left, top, right, bottom = poses.boxes[0]
        assert (left + right) / 2 == pytest.approx(x + STANDS * height, abs=0.08 * height)
        assert bottom - top == pytest.approx(0.95 * height, rel=0.1)
    ids = {number for poses in every if poses.ids is not None for number in poses.ids.tolist()}
    assert len(ids) == 1


def test_the_passes_over_a_source_are_labelled(
    clip: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    labels: list[str | None] = []

    class Bar(tqdm.tqdm):  # type: ignore[type-arg]
        def __init__(self, frames: object, desc: str | None, *rest: object, **more: object) -> None:
            labels.append(desc)
            super().__init__(frames, desc, *rest, **more)

    monkeypatch.setattr(tqdm, "tqdm", Bar)
    for options, expected in (
        ([], [None]),
        (["--smooth", "offline"], ["looking", "writing"]),
        (["--model", "multipose", "--no-refine", "--target", "longest"], ["looking", "writing"]),
    ):
        labels.clear()
        assert track(clip, "--json", "a.jsonl", *options) == 0
        assert labels == expected
        seen, first, second, _ = capsys.readouterr().out.splitlines()
        assert seen.startswith("12 frames, 1 id")
        twice = len(expected) == 2
        assert first.startswith("ms a frame, looking: read " if twice else "ms a frame: read ")
        assert second.startswith("ms a frame, writing: read " if twice else "beside it: write ")


def test_the_times_of_a_pass_are_shared_among_its_own_frames(clip: str) -> None:
    args = parser().parse_args(["track", clip, "--smooth", "offline", "--json", "a.jsonl"])
    with open_source(clip) as source, Outputs(args, source) as outputs:
        (_, looking), _ = outputs.passes
        assert len(list(looking(source))) == FRAMES
        outputs.frames = 3  # then q was pressed
        outputs.stopwatch.times_ms = {"read": 6.0, "write": 30.0}
        text = outputs.summary({"read": 12.0, "inference": 120.0})
    assert text.splitlines()[1:3] == [
        "ms a frame, looking: read 1.0, inference 10.0",
        "ms a frame, writing: read 2.0, write 10.0",
    ]


def test_the_video_shows_the_skeleton_where_the_table_has_it(clip: str) -> None:
    assert track(clip, "--save", "out.mp4", "--json", "out.jsonl") == 0
    _, poses = read_json_lines("out.jsonl")
    for picture, frame in zip(frames_of(Path("out.mp4")), poses, strict=True):
        for index, colour in ((5, LEFT), (6, RIGHT)):
            x, y = frame.keypoints[0, index]
            patch = picture[int(y) - 2 : int(y) + 3, int(x) - 2 : int(x) + 3].reshape(-1, 3)
            apart = np.abs(patch.astype(int) - colour).max(1)
            assert apart.min() < 90


def test_a_part_every_nth_frame_and_a_target(clip: str) -> None:
    assert (
        track(clip, "--start", "0:0.16", "--end", "0.4", "--stride", "2", "--json", "a.jsonl") == 0
    )
    lines = [json.loads(line) for line in Path("a.jsonl").read_text().splitlines()[1:]]
    assert [line["frame_index"] for line in lines] == [4, 6, 8]
    assert lines[0]["events"] == [{"event": "new", "id": 1}]
    assert lines[1]["events"] == []


@pytest.mark.parametrize("verb", ["track", "lift"])
def test_an_id_that_never_was_is_named(
    verb: str, clip: str, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [verb, clip, "--no-refine", "--csv", "a.csv", "--target"]
    assert main([*options, "id:2"]) == 1
    assert capsys.readouterr().err == (
        "movenet: --target id:2: this id was never seen; run without --target to see which there "
        "are\n"
    )
    assert len(pandas.read_csv("a.csv")) == 0
    assert main([*options, "id:1"]) == 0
    assert set(pandas.read_csv("a.csv")["id"]) == {1}
    assert main([*options, "box:600,0,610,9"]) == 0  # nobody is a result
    assert capsys.readouterr().err == ""


def test_offline_smoothing_writes_every_frame_once(clip: str) -> None:
    assert track(clip, "--smooth", "offline", "--json", "a.jsonl", "--save", "a.mp4") == 0
    assert len(list(read_json_lines("a.jsonl")[1])) == FRAMES
    assert len(frames_of(Path("a.mp4"))) == FRAMES


def test_a_broken_clip_is_named_and_its_good_part_done(
    cut: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert track(cut, "--json", "a.jsonl", "--save", "a.mp4", "--trc", "a.trc") == 1
    done = len(list(read_json_lines("a.jsonl")[1]))
    assert 10 < done < 30
    assert len(frames_of(Path("a.mp4"))) == done
    assert Path("a.trc").is_file()
    printed = capsys.readouterr()
    assert printed.err.count("movenet: ") == 1
    assert cut in printed.err
    assert printed.out.startswith(f"{done} frames, ")


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (["missing.mp4"], 1, "missing.mp4: no such file"),
        (["CLIP", "--save", "a.avi"], 2, "--save a.avi: videos are saved as .mp4"),
        (["CLIP", "--save", "CLIP"], 1, "is what is read; name another file"),
        (["CLIP", "--json", "a", "--csv", "a"], 2, "--csv a: is --json too; name another file"),
        (["CLIP", "--json", "no/a.jsonl"], 1, "no/a.jsonl"),
        (["CLIP", "--plot", "a.txt"], 2, "--plot a.txt: plots are saved as .png, .svg or .pdf"),
        (["CLIP", "--target", "left"], 2, "target must be center, largest, longest, id:N or box:"),
        (["CLIP", "--model", "thunder", "--target", "largest"], 2, "take multipose"),
        (["CLIP", "--model", "thunder", "--size", "256"], 2, "size is that of MultiPose's input"),
        (["CLIP", "--no-refine", "--refine-with", "thunder"], 2, "--no-refine leaves out"),
        (["CLIP", "--end", "0"], 2, "--end 0: must be after --start 0"),
        (["CLIP", "--crop", "google"], 2, "--crop google: is for one person; add --model light"),
        (["CLIP", "--mirror", "--json", "a"], 2, "--mirror: does nothing without --show; add that"),
        (["CLIP", "--keypoint", "nose"], 2, "--keypoint: does nothing without --plot"),
        (["CLIP", "--metres-per-pixel", "1"], 2, "--metres-per-pixel: does nothing without --trc"),
        (["CLIP", "--rate", "5"], 2, "--rate: CLIP has times of its own; --stride leaves frames"),
        (["CLIP", "--camera-size", "1280x720"], 2, "--camera-size: is asked of cameras, and CLIP"),
    ],
)
def test_what_cannot_be_is_one_line(
    clip: str, capsys: pytest.CaptureFixture[str], options: list[str], status: int, message: str
) -> None:
    named = [clip if option == "CLIP" else option for option in options]
    assert main(["track", *named]) == status
    err = capsys.readouterr().err.replace(clip, "CLIP")
    assert message in err
    assert len(err.strip().splitlines()) == 1
    assert not list(Path().iterdir())


def test_an_animation_has_times_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    first, *others = [Image.fromarray(picture) for picture in walk(3)]
    first.save("a.webp", save_all=True, append_images=others, duration=40)
    assert track("a.webp", "--rate", "5") == 2
    assert "--rate: a.webp has times of its own" in capsys.readouterr().err
    assert [path.name for path in Path().iterdir()] == ["a.webp"]


@pytest.mark.parametrize("option", ["--save", "--json", "--openpose", "--trc", "--plot"])
@pytest.mark.parametrize("name", ["", "-"])
def test_a_result_has_a_name(
    option: str, name: str, clip: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        track(clip, option, name)
    assert ended.value.code == 2
    message = f"error: argument {option}: must be the name of a file or folder, not {name!r}\n"
    assert capsys.readouterr().err.endswith(message)
    assert not list(Path().iterdir())


@pytest.mark.parametrize("box", ["640,0,700,90", "-9,-9,0,360", "0,360,9,400", "9,-99,99,-9"])
@pytest.mark.parametrize("way", [[], ["--smooth", "offline"], ["--model", "lightning"]])
def test_a_box_beside_the_picture_is_refused_and_an_old_result_stays(
    box: str, way: list[str], clip: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("old.jsonl").write_text("old")
    assert (
        main(["track", clip, "--no-refine", f"--target=box:{box}", "--json", "old.jsonl", *way])
        == 2
    )
    message = f"movenet: --target box:{box}: is outside the picture, which is 640x360\n"
    assert capsys.readouterr() == ("", message)
    assert Path("old.jsonl").read_text() == "old"


def test_a_camera_s_box_is_judged_by_its_first_frame(
    clip: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Video, "live", True)
    options = ["--no-refine", "--target", "box:640,0,700,90", "--json", "a.jsonl"]
    assert main(["track", clip, *options]) == 2
    assert "is outside the picture, which is 640x360" in capsys.readouterr().err


def test_a_live_source_may_be_mirrored_without_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Video, "live", True)
    args = parser().parse_args(["track", "0", "--mirror"])
    choose(args, cast("Video", SimpleNamespace(live=True)), [])
    assert args.show


def started(clip: str, *options: str) -> "subprocess.Popen[str]":
    """The command on a folder of many frames, once it has written some lines."""
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "track", clip, "--model", "lightning", *options,
         "--json", "a.jsonl", "--csv", "a.csv"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if Path("a.jsonl").is_file() and Path("a.jsonl").read_bytes().count(b"\n") > 60:
            return process
        time.sleep(0.02)
    raise AssertionError(process.communicate()[1])


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("long") / "long.mp4"
    there_and_back = [*walk(10), *walk(10)[::-1]]
    options = {"preset": "ultrafast"}
    return str(clips.write(path, there_and_back * 100, rate=RATE, options=options))


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
def test_an_interrupt_leaves_whole_files(long_clip: str) -> None:
    process = started(long_clip, "--save", "a.mp4", "--coco", "a.json", "--parquet", "a.parquet")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.strip().splitlines()[-1] == "movenet: interrupted"
    done = len(list(read_json_lines("a.jsonl")[1]))
    # The last frame may have come into some of the files only.
    assert done <= int(out.split(" frames, ")[0]) <= done + 1
    assert done - 1 <= len(json.loads(Path("a.json").read_text())) <= done
    assert len(pandas.read_parquet("a.parquet")) in (done * 17, (done - 1) * 17)
    assert done - 6 <= len(frames_of(Path("a.mp4"))) <= done + 1
    assert not list(Path().glob("*.part"))


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
def test_a_kill_leaves_whole_lines_and_a_video_that_plays(long_clip: str) -> None:
    process = started(long_clip, "--save", "a.mp4")
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    lines = Path("a.jsonl").read_bytes()
    assert lines.endswith(b"\n")
    done = len([json.loads(line) for line in lines.splitlines()]) - 1
    assert done >= 60
    rows = len(pandas.read_csv("a.csv"))
    assert rows % 17 == 0
    assert abs(rows // 17 - done) <= 1
    assert len(frames_of(Path("a.mp4"))) >= 20


def test_the_help_names_every_format(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["track", "--help"])
    assert ended.value.code == 0
    out = capsys.readouterr().out
    for word in (
        "--json",
        "--csv",
        "--parquet",
        "--coco",
        "--openpose",
        "--trc",
        "OpenSim",
        "rtsp",
    ):
        assert word in out


def test_the_summary_names_what_is_there(clip: str, capsys: pytest.CaptureFixture[str]) -> None:
    nobody = ["--no-refine", "--target", "box:600,0,610,9"]
    assert main(["track", clip, "--trc", "a.trc", *nobody]) == 0
    out = capsys.readouterr().out  # OpenSim takes no empty file
    assert out.endswith("\nnot made, since there was nobody: a.trc\n")
    assert "\nmade" not in out
    assert main(["track", clip, "--no-refine", "--trc", "b.trc"]) == 0
    assert capsys.readouterr().out.endswith("made b.trc\n")


def test_a_pattern_names_its_results_after_the_folder(clip: str) -> None:
    Path("walk one").mkdir()
    images.save(walk(1)[0], "walk one/1.png")
    assert track("walk one/*.png") == 0
    assert sorted(path.name for path in Path("poses").iterdir()) == ["walk one.csv", "walk one.mp4"]


def test_an_old_result_stays_where_the_run_cannot_begin(clip: str) -> None:
    Path("old.jsonl").write_text("old")
    assert track(clip, "--json", "old.jsonl", "--coco", "no/such/folder.json") == 1
    assert Path("old.jsonl").read_text() == "old"


def test_openpose_files_have_no_guesses() -> None:
    """Keypoints and people that smoothing filled in have the network's own scores there."""
    ids, size = [1, 2], (100, 100)
    filled = Poses.from_arrays(np.ones((2, 17, 2)), np.full((2, 17), 0.6), image_size=size, ids=ids)
    raw = Poses.from_arrays(np.ones((1, 17, 2)), np.full((1, 17), 0.9), image_size=size, ids=[1])
    raw.keypoint_scores[0, 9] = 0.1
    step = Step(Frame(np.zeros((1, 1, 3), np.uint8), 0, 0.0), filled, [], raw)
    scores = unfilled(step).keypoint_scores
    assert scores[0].tolist() == pytest.approx([0.6] * 9 + [0.1] + [0.6] * 7)
    assert not scores[1].any()
    assert filled.keypoint_scores.min() == pytest.approx(0.6)


def test_frames_of_two_sizes_are_one_run() -> None:
    Path("frames").mkdir()
    for number, size in enumerate([(360, 640)] * 3 + [(480, 640)] * 3):
        images.save(walk(number + 1, size=size)[-1], f"frames/{number}.png")
    assert track("frames", "--json", "a.jsonl", "--save", "a.mp4", "--rate", "10") == 0
    poses = list(read_json_lines("a.jsonl")[1])
    assert [frame.image_size for frame in poses] == [(360, 640)] * 3 + [(480, 640)] * 3
    assert [frame.timestamp_s for frame in poses] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5])
    assert all(frame.ids is not None and frame.ids.tolist() == [1] for frame in poses)
    assert {picture.shape for picture in frames_of(Path("a.mp4"))} == {(360, 640, 3)}
