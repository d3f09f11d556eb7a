"""`movenet track`: what it prints, writes and returns."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import clips
import numpy as np
import pandas
import pytest
from pycocotools.coco import COCO
from scenes import walk

from movenet import Poses, images
from movenet.cli import main
from movenet.cli.outputs import unfilled
from movenet.draw import LEFT, RIGHT
from movenet.frame import Frame
from movenet.pipeline import Step
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
    assert out.startswith("12 frames, 1 person, lost 0 times\nms a frame: read ")
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
    assert "NumFrames" in Path("a.trc").read_text()
    assert images.read("a.png").shape[1] > 500
    assert len(list(Path("frames").glob("walk_0000*.jpg"))) == FRAMES


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
    assert main(["track", clip, "--no-refine", "--target", "id:2", "--json", "b.jsonl"]) == 0
    lines = [json.loads(line) for line in Path("b.jsonl").read_text().splitlines()[1:]]
    assert not any(line["people"] for line in lines)


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
        (["CLIP", "--save", "a.avi"], 1, "--save a.avi: videos are saved as .mp4"),
        (["CLIP", "--save", "CLIP"], 1, "is what is read; name another file"),
        (["CLIP", "--json", "a", "--csv", "a"], 1, "--csv a: is --json too; name another file"),
        (["CLIP", "--json", "no/a.jsonl"], 1, "no/a.jsonl"),
        (["CLIP", "--plot", "a.txt"], 1, "a.txt: plots are saved as .png, .svg or .pdf"),
        (["CLIP", "--target", "left"], 2, "target must be center, largest, longest, id:N or box:"),
        (["CLIP", "--model", "thunder", "--target", "largest"], 2, "take multipose"),
        (["CLIP", "--model", "thunder", "--size", "256"], 2, "size is that of MultiPose's input"),
        (["CLIP", "--no-refine", "--refine-with", "thunder"], 2, "--no-refine leaves out"),
        (["CLIP", "--end", "0"], 2, "--end 0: must be after --start 0"),
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
    assert not list(Path().glob("*.mp4"))


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
    assert out.startswith(f"{done} frames, ")
    assert len(json.loads(Path("a.json").read_text())) == done
    assert len(pandas.read_parquet("a.parquet")) == done * 17
    assert done - 6 <= len(frames_of(Path("a.mp4"))) <= done
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
    assert "made" not in capsys.readouterr().out  # nobody: OpenSim takes no empty file
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
