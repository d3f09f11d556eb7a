"""`movenet lift`: what it prints, writes and returns."""

import argparse
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import av
import clips
import numpy as np
import pandas
import pytest
import torch
from scenes import people, scene, walk

from movenet import Bodies, Lifter, Poses, images, lift, pictures
from movenet.cli import lifted, main
from movenet.cli.lifted import Once
from movenet.draw import LEFT, line_width
from movenet.lifting import videopose
from movenet.lifting.joints import INDEX, NAMES
from movenet.lifting.writers import read_json_lines
from movenet.sources import open_source
from movenet.sources.video import Video
from movenet.stage import LINES
from movenet.view3d import View3D, beside
from movenet.writers import read_json_lines as read_poses

FRAMES, RATE = 12, 25
COMMAND = "import sys; from movenet.cli import main; sys.exit(main())"
ASTRONAUT, CAMERA = (str(pictures.path(name)) for name in ("astronaut", "camera"))


@pytest.fixture(autouse=True)
def somewhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command runs in a folder of its own."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("clip") / "walk.mp4"
    return str(clips.write(path, walk(FRAMES), rate=RATE))


def call(*options: str) -> int:
    return main(["lift", "--model", "lightning", *options])


def bodies_of(path: str) -> list[Bodies]:
    return list(read_json_lines(path)[1])


def lifter_of(path: str) -> str:
    return str(json.loads(Path(path).read_text().splitlines()[0])["lifter"])


def poses_of(*options: str) -> list[Poses]:
    """What `movenet track` finds with the same options."""
    assert main(["track", "--model", "lightning", *options, "--json", "poses.jsonl"]) == 0
    return list(read_poses("poses.jsonl")[1])


def assert_same(found: Sequence[Bodies], wanted: Sequence[Bodies]) -> None:
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one.joints, other.joints, atol=1e-3)
        assert one.unit == other.unit
        assert one.timestamp_s == other.timestamp_s


def standing() -> np.ndarray:
    """(21, 3), in body heights, arms hanging."""
    y = {"ankle": 0.5, "knee": 0.25, "hip": 0, "pelvis": 0, "spine": -0.15, "neck": -0.3}
    y |= {"shoulder": -0.29, "elbow": -0.12, "wrist": 0.02, "head": -0.48, "nose": -0.4}
    x = {"shoulder": 0.11, "elbow": 0.12, "wrist": 0.12, "hip": 0.06, "knee": 0.06, "ankle": 0.06}
    sides = {"left": 1, "right": -1}
    points = []
    for name in NAMES:
        side, _, joint = name.rpartition("_")
        points.append((sides.get(side, 0) * x.get(joint, 0.02), y.get(joint, -0.42), 0))
    return np.array(points, np.float32)


def bodies_like(poses: Poses, joints: np.ndarray) -> Bodies:
    shape = len(poses), len(NAMES)
    return Bodies(
        np.broadcast_to(joints, (*shape, 3)).copy(),
        np.full(shape, 0.01, np.float32),
        ids=poses.ids,
        frame_index=poses.frame_index,
        timestamp_s=poses.timestamp_s,
    )


@pytest.fixture
def body(monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """Everybody is lifted to this body, which may be changed."""
    joints = standing()

    def lift(poses: Poses | list[Poses], **_: object) -> Bodies | list[Bodies]:
        if isinstance(poses, Poses):
            return bodies_like(poses, joints)
        return [bodies_like(each, joints) for each in poses]

    monkeypatch.setattr(lifted, "lift", lift)
    return joints


def test_without_options_a_clip_gives_a_video_and_a_table(
    clip: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(clip) == 0
    assert sorted(path.name for path in Path("lifted").iterdir()) == ["walk.csv", "walk.mp4"]
    out = capsys.readouterr().out
    assert out.startswith("12 frames, 1 id, lost 0 times\nms a frame, looking: read ")
    assert f"made {Path('lifted/walk.csv')}, {Path('lifted/walk.mp4')}\n" in out
    table = pandas.read_csv("lifted/walk.csv")
    assert len(table) == FRAMES * 21
    assert set(table["unit"]) == {"body heights"}
    with av.open("lifted/walk.mp4") as movie:
        drawn = [frame.to_ndarray(format="rgb24") for frame in movie.decode(video=0)]
    assert {picture.shape for picture in drawn} == {(360, 640 + 2 * 287, 3)}  # from two sides
    assert len(drawn) == FRAMES


@pytest.mark.parametrize("smooth", ["live", "offline"])
def test_a_clip_is_lifted_as_a_whole_from_what_track_finds(smooth: str, clip: str) -> None:
    assert call(clip, "--smooth", smooth, "--height", "1.78", "--json", "a.jsonl") == 0
    wanted = lift(poses_of(clip, "--smooth", smooth), height_m=1.78)
    assert_same(bodies_of("a.jsonl"), wanted)
    assert wanted[0].unit == "m"
    assert lifter_of("a.jsonl") == "lift-centred"


def test_a_live_source_is_lifted_frame_by_frame(clip: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Video, "live", True)
    assert call(clip, "--json", "a.jsonl") == 0
    lifter = Lifter()
    assert_same(bodies_of("a.jsonl"), [lifter(poses) for poses in poses_of(clip)])
    assert lifter_of("a.jsonl") == "lift-causal"


def test_a_picture_gives_a_picture_of_two_sides_and_a_table(body: np.ndarray) -> None:
    assert call(CAMERA) == 0
    assert sorted(path.name for path in Path("lifted").iterdir()) == ["camera.csv", "camera.png"]
    photo, drawn = images.read(CAMERA), images.read("lifted/camera.png")
    height, width = photo.shape[:2]
    (poses,) = poses_of(CAMERA)
    wide = round(height * 1.1 / 1.38)  # which one person fills
    front, side = (
        View3D((height, wide), azimuth_deg=azimuth).draw(bodies_like(poses, body))
        for azimuth in (0, 90)
    )
    side[:, : line_width(height, width)] = LINES
    view = beside(poses.draw(photo), np.concatenate([front, side], 1))
    assert drawn.shape == (height, width + 2 * wide, 3)
    np.testing.assert_allclose(drawn, view, atol=40)  # keypoints went through a file
    assert (np.abs(drawn.astype(int) - view) > 2).mean() < 0.01
    assert pandas.read_csv("lifted/camera.csv")["frame"].unique().tolist() == [0]


def test_a_camera_s_video_has_one_view(clip: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Video, "live", True)
    assert call(clip, "--save", "a.mp4") == 0
    with av.open("a.mp4") as movie:
        stream = movie.streams.video[0]
        assert (stream.width, stream.height) == (640 + 360, 360)


def test_a_picture_is_lifted_by_itself() -> None:
    assert call(CAMERA, "--json", "a.jsonl") == 0
    (found,), (poses,) = bodies_of("a.jsonl"), poses_of(CAMERA)
    assert_same([found], [lift(poses)])
    assert lifter_of("a.jsonl") == "lift-single"


def test_several_pictures_are_lifted_each_by_itself() -> None:
    assert call(ASTRONAUT, CAMERA, CAMERA, "--json", "a.jsonl", "--save", "out") == 0
    names = [path.name for path in sorted(Path("out").iterdir())]
    assert names == ["astronaut.png", "camera-2.png", "camera.png"]
    found = bodies_of("a.jsonl")
    assert [each.frame_index for each in found] == [0, 1, 2]
    np.testing.assert_array_equal(found[1].joints, found[2].joints)
    assert call(CAMERA, "--json", "b.jsonl") == 0
    np.testing.assert_array_equal(bodies_of("b.jsonl")[0].joints, found[1].joints)
    assert f'"source": "{ASTRONAUT}"' in Path("a.jsonl").read_text()


def test_several_pictures_without_options_share_a_folder_and_a_table(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert call(ASTRONAUT, CAMERA) == 0
    names = [path.name for path in sorted(Path("lifted").iterdir())]
    assert names == ["astronaut.png", "camera.png", "pictures.csv"]
    assert capsys.readouterr().out.startswith("2 pictures, 2 people\n")


def test_a_picture_that_is_none_is_named_and_the_others_are_done(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("a.jpg").write_text("no picture")
    assert call("a.jpg", CAMERA, "missing.png", "--json", "a.jsonl") == 1
    assert [each.frame_index for each in bodies_of("a.jsonl")] == [1]
    first, second = capsys.readouterr().err.strip().splitlines()
    assert first.startswith("movenet: a.jpg: not a picture in a known format")
    assert second.startswith("movenet: missing.png: no such file")


@pytest.mark.parametrize("saved", ["out.png", "out.jpg", "out"])
def test_a_picture_is_saved_under_that_name(saved: str) -> None:
    assert call(CAMERA, "--save", saved) == 0
    path = Path(saved) if Path(saved).suffix else Path(saved) / "camera.png"
    assert images.read(path).shape[0] == images.read(CAMERA).shape[0]


def test_pictures_are_not_written_over(capsys: pytest.CaptureFixture[str]) -> None:
    Path("out").mkdir()
    images.save(people(), "out/one.png")
    before = Path("out/one.png").read_bytes()
    assert call("out/one.png", "--save", "out") == 0
    assert Path("out/one.png").read_bytes() == before
    assert Path("out/one-2.png").is_file()


def test_a_folder_of_frames_is_a_clip() -> None:
    Path("frames").mkdir()
    for number, picture in enumerate(walk(4)):
        images.save(picture, f"frames/{number}.png")
    assert call("frames", "--rate", "10", "--json", "a.jsonl", "--save", "out") == 0
    assert len(list(Path("out").glob("frames_00000*.jpg"))) == 4
    poses = poses_of("frames", "--rate", "10")
    assert_same(bodies_of("a.jsonl"), lift(poses))


def test_one_frame_of_a_clip_is_lifted(clip: str) -> None:
    assert call(clip, "--end", "0.01", "--csv", "a.csv", "--bvh", "a.bvh", "--trc", "a.trc") == 0
    table = pandas.read_csv("a.csv")
    assert len(table) == 21
    assert np.isfinite(table[["x", "y", "z", "uncertainty"]].to_numpy()).all()
    assert "Frames: 1\n" in Path("a.bvh").read_text()


def test_nobody_is_a_result(capsys: pytest.CaptureFixture[str]) -> None:
    clips.write(Path("empty.mp4"), [scene()] * 3)
    files = ["--csv", "a.csv", "--json", "a.jsonl", "--bvh", "a.bvh", "--trc", "a.trc"]
    assert main(["lift", "empty.mp4", *files, "--save", "a.mp4", "--upright"]) == 0
    assert [len(each) for each in bodies_of("a.jsonl")] == [0, 0, 0]
    assert len(pandas.read_csv("a.csv")) == 0
    assert sorted(path.name for path in Path().glob("a.*")) == ["a.csv", "a.jsonl", "a.mp4"]
    out = capsys.readouterr().out
    assert "3 frames, 0 ids" in out
    assert out.endswith("\nnot made, since there was nobody: a.bvh, a.trc\n")
    images.save(scene(), "empty.png")
    assert main(["lift", "empty.png"]) == 0
    assert images.read("lifted/empty.png").shape == (360, 640 + 2 * 287, 3)


def test_half_a_body_is_lifted_whole() -> None:
    images.save(people()[:100], "half.png")
    assert call("half.png", "--csv", "a.csv") == 0
    table = pandas.read_csv("a.csv")
    assert np.isfinite(table[["x", "y", "z", "uncertainty"]].to_numpy()).all()


def test_bvh_and_trc_of_several_people_are_files_of_each(
    body: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    two = scene((people(height=300), -20, 30), (people(height=300), 330, 30))
    clips.write(Path("two.mp4"), [two] * 3)
    assert main(["lift", "two.mp4", "--no-refine", "--bvh", "a.bvh", "--trc", "a.trc"]) == 0
    made = [f"a_person0{person}.{kind}" for kind in ("bvh", "trc") for person in (1, 2)]
    assert sorted(path.name for path in Path().glob("a*")) == sorted(made)
    assert capsys.readouterr().out.endswith(f"made {', '.join(made)}\n")


def turned(joints: np.ndarray, degrees: float) -> np.ndarray:
    """As a camera sees them that is tilted by so much."""
    angle = np.radians(degrees)
    swing = [[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]]
    return np.asarray(joints @ np.array(swing).T, np.float32)


def test_upright_turns_a_clip_to_gravity(
    clip: str, body: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    body[:] = turned(body, 20)
    assert call(clip, "--upright", "--json", "a.jsonl") == 0
    for each in bodies_of("a.jsonl"):
        np.testing.assert_allclose(each.joints[0], standing(), atol=1e-3)
    said = "--upright: gravity as estimated from 12 views of people who stand; half of them lie"
    assert said in capsys.readouterr().out


@pytest.mark.parametrize("named", [["CLIP"], [CAMERA], [ASTRONAUT, CAMERA]])
def test_upright_says_where_gravity_cannot_be_estimated(
    named: list[str], clip: str, body: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    body[:] = turned(body, 90)  # lies
    given = [clip if name == "CLIP" else name for name in named]
    assert call(*given, "--upright", "--json", "a.jsonl") == 0
    np.testing.assert_array_equal(bodies_of("a.jsonl")[-1].joints[0], body)
    out = capsys.readouterr().out
    assert out.count("--upright: nothing was turned; gravity cannot be estimated without") == 1


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (["missing.mp4"], 1, "missing.mp4: no such file"),
        (["TEXT"], 1, "text.png: not a picture in a known format"),
        (["missing.png"], 1, "missing.png: no such file"),
        (["CLIP", "PHOTO"], 2, "CLIP: is no picture; of videos, folders and cameras give one"),
        (["CLIP", "--save", "a.png"], 2, "--save a.png: videos are saved as .mp4"),
        (["PHOTO", "--save", "a.mp4"], 2, "--save a.mp4: pictures are saved as"),
        (["PHOTO", "PHOTO", "--save", "a.png"], 2, "--save a.png: is one picture for 2"),
        (
            ["PHOTO", "--save", "no/a.png", "--csv", "a"],
            1,
            "no/a.png: its folder is not there; make",
        ),
        (["PHOTO", "--save", "PHOTO"], 1, "is what is read; name another file"),
        (["PHOTO", "--start", "1"], 2, "--stride, --rate: are for clips, and a picture is none"),
        (["PHOTO", "PHOTO", "--bvh", "a"], 2, "--bvh: is one movement, and pictures are none"),
        (["CLIP", "--json", "a", "--csv", "a"], 2, "--csv a: is --json too; name another file"),
        (["CLIP", "--json", "no/a.jsonl"], 1, "no/a.jsonl"),
        (["PHOTO", "--camera-size", "9x9"], 2, "--camera-size: is asked of cameras, and a picture"),
        (["CLIP", "--end", "0"], 2, "--end 0: must be after --start 0"),
        (["CLIP", "--mirror", "--json", "a"], 2, "--mirror: does nothing without --show; add that"),
        (["CLIP", "--weights", "no.pth"], 1, "no.pth: cannot be read"),
        (["CLIP", "--weights", "a", "--height", "2"], 2, "--height: --weights gives metres of its"),
        (["CLIP", "--weights", "a", "--bvh", "a"], 2, "--bvh: needs the face's joints"),
    ],
)
def test_what_cannot_be_is_one_line(
    clip: str, capsys: pytest.CaptureFixture[str], options: list[str], status: int, message: str
) -> None:
    text = Path("..", "text.png")
    text.write_text("no picture")
    names = {"CLIP": clip, "PHOTO": CAMERA, "TEXT": str(text)}
    assert call(*(names.get(option, option) for option in options)) == status
    err = capsys.readouterr().err.replace(clip, "CLIP")
    assert message in err
    assert len(err.strip().splitlines()) == 1
    assert not list(Path().iterdir())


def test_a_live_source_cannot_be_upright(
    clip: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Video, "live", True)
    assert call(clip, "--upright", "--json", "a.jsonl") == 2
    err = capsys.readouterr().err
    assert "walk.mp4 is live; record it first" in err
    assert err.count("\n") == 1
    assert not list(Path().iterdir())


@pytest.mark.parametrize("height", ["0", "-1.78", "nan", "178", "tall"])
def test_a_height_is_one_of_people(height: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        call(CAMERA, "--height", height)
    assert ended.value.code == 2
    assert "error: argument --height: must be " in capsys.readouterr().err


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Random weights in the earlier port's layout."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "earlier.pth"
    torch.save({"model_pos": videopose.VideoPose().state_dict()}, path)
    return str(path)


@pytest.mark.parametrize("live", [False, True])
def test_weights_of_the_earlier_port_lift_frame_by_frame(
    live: bool, clip: str, checkpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Video, "live", live)
    more = ["--csv", "a.csv", "--parquet", "a.parquet", "--json", "a.jsonl", "--save", "a.mp4"]
    assert call(clip, "--weights", checkpoint, *more) == 0
    model = videopose.load(checkpoint)
    poses = poses_of(clip)
    wanted = [videopose.lift(model, each.keypoints, each.image_size)[0] for each in poses]
    for table in (pandas.read_csv("a.csv"), pandas.read_parquet("a.parquet")):
        found = table[["x", "y", "z"]].to_numpy().reshape(FRAMES, 21, 3)
        np.testing.assert_allclose(found, wanted, atol=1e-3)
        assert np.isnan(found[:, INDEX["nose"]]).all()
        assert np.isfinite(found[:, INDEX["head"]]).all()
        assert set(table["unit"]) == {"m"}
        assert table["uncertainty"].isna().all()
    for each, joints in zip(bodies_of("a.jsonl"), wanted, strict=True):
        np.testing.assert_allclose(each.joints[0], joints, atol=1e-3)
        unknown = np.isnan(joints).any(-1)
        np.testing.assert_array_equal(np.isnan(each.uncertainty[0]), ~unknown)
        assert np.isinf(each.uncertainty[0, unknown]).all()
    assert lifter_of("a.jsonl") == "earlier.pth"


@pytest.mark.parametrize(
    ("engine", "chosen"),
    [("auto", "auto"), ("litert", "litert"), ("torch", "torch"), ("onnx", "onnx"),
     ("openvino", "auto"), ("multipose.tflite", "auto")],
)  # fmt: skip
def test_the_engine_of_movenet_lifts_too_where_it_can(
    engine: str, chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    for name in ("lift", "Lifter"):
        monkeypatch.setattr(lifted, name, lambda *_, engine, height_m: asked.append(engine))
    options = argparse.Namespace(height=None, upright=False, weights=None, engine=engine)
    lifting = lifted.Lifting(options)
    (poses,) = poses_of(CAMERA)
    lifting.one(poses)
    lifting.clip([poses])
    lifting.live()
    assert asked == [chosen] * 3


def test_the_earlier_port_tells_no_uncertainty_but_of_joints_that_are_not_there(
    checkpoint: str,
) -> None:
    options = argparse.Namespace(
        height=None, upright=False, weights=Path(checkpoint), engine="auto"
    )
    lifting = lifted.Lifting(options)
    (poses,) = poses_of(CAMERA)
    bodies = lifting.one(poses)
    face = np.isnan(bodies.joints).any(-1)
    assert face.sum() == 5
    assert np.isinf(bodies.uncertainty[face]).all()
    assert np.isnan(bodies.uncertainty[~face]).all()


def test_a_body_of_the_earlier_port_is_drawn_in_full_colour(checkpoint: str, body: object) -> None:
    assert call(CAMERA, "--weights", checkpoint, "--save", "a.png") == 0
    width = images.read(CAMERA).shape[1]
    beside_it = images.read("a.png")[:, width:].astype(int)
    assert (np.abs(beside_it - LEFT).max(-1) < 60).sum() > 20


def test_a_source_read_once_comes_again_without_pictures(clip: str) -> None:
    with open_source(clip) as source:
        once = Once(source)
        first, second = list(once), list(once)
    assert [(f.index, f.timestamp_s) for f in first] == [(f.index, f.timestamp_s) for f in second]
    assert {f.image.shape for f in first} == {(360, 640, 3)}
    assert {f.image.shape for f in second} == {(1, 1, 3)}


@pytest.mark.parametrize("smooth", ["live", "offline"])
def test_a_broken_clip_is_named_and_its_good_part_done(
    smooth: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = clips.write(
        tmp_path / "whole.mp4",
        walk(30),
        container_options={"movflags": "faststart"},
        options={"g": "5", "bf": "0"},
    )
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    files = ["--json", "a.jsonl", "--save", "a.mp4", "--bvh", "a.bvh"]
    assert call(str(whole), "--smooth", smooth, *files) == 1
    done = len(bodies_of("a.jsonl"))
    assert 10 < done < 30
    with av.open("a.mp4") as movie:
        assert len(list(movie.decode(video=0))) == done
    assert f"Frames: {done}\n" in Path("a.bvh").read_text()
    assert capsys.readouterr().err.count("movenet: ") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
def test_an_interrupt_leaves_whole_files(tmp_path: Path) -> None:
    there = walk(10)
    path = clips.write(
        tmp_path / "long.mp4", [*there, *there[::-1]] * 15, options={"preset": "ultrafast"}
    )
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "lift", str(path), "--model", "lightning",
         "--json", "a.jsonl", "--save", "a.mp4", "--bvh", "a.bvh", "--trc", "a.trc"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not (Path("a.jsonl").is_file() and Path("a.jsonl").read_bytes().count(b"\n") > 20):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.strip().splitlines()[-1] == "movenet: interrupted"
    done = len(bodies_of("a.jsonl"))
    assert 20 <= done < 300
    # The last frame may have come into some of the files only.
    assert done <= int(out.split(" frames, ")[0]) <= done + 1
    (in_bvh,) = re.findall(r"Frames: (\d+)\n", Path("a.bvh").read_text())
    assert done - 1 <= int(in_bvh) <= done
    assert done - 1 <= len(Path("a.trc").read_text().splitlines()) - 6 <= done
    with av.open("a.mp4") as movie:
        assert done - 6 <= len(list(movie.decode(video=0))) <= done + 1
    assert not list(Path().glob("*.part"))
