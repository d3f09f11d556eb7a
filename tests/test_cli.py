"""The commands: what they print, write and return."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from movenet import Poses, images, pictures
from movenet.cli import main
from movenet.cli.predict import destination
from movenet.keypoints import NAMES
from movenet.lifting import files

ASTRONAUT = pictures.path("astronaut")
SHARED = Path(__file__).resolve().parents[1].parent / "shared"


@pytest.fixture(autouse=True)
def somewhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every command runs in a folder of its own."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """A folder of good pictures of every kind, a broken JPEG and a text named .jpg."""
    folder = tmp_path / "mixed"
    folder.mkdir()
    shutil.copy(ASTRONAUT, folder / "good.png")
    picture = Image.open(ASTRONAUT).convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned by 90 degrees
    picture.rotate(90, expand=True).save(folder / "turned.jpg", exif=exif, quality=95)
    grey = np.asarray(picture.convert("L")).astype(np.uint16) * 257
    Image.fromarray(grey).save(folder / "grey16.png")
    picture.save(folder / "broken.jpg")
    whole = (folder / "broken.jpg").read_bytes()
    (folder / "broken.jpg").write_bytes(whole[: len(whole) // 3])
    (folder / "text.jpg").write_text("not a picture")
    return folder


def test_without_arguments_predict_draws_the_bundled_pictures(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["predict"]) == 0
    assert sorted(path.name for path in Path("poses").iterdir()) == [
        "astronaut.png", "camera.png", "two_people.png",
    ]  # fmt: skip
    out = capsys.readouterr().out
    assert f"{ASTRONAUT}: 1 person, " in out
    assert f"{pictures.path('two_people')}: 2 people, " in out
    assert "3 pictures, " in out
    assert "ms per picture (median): read " in out
    assert out.endswith("drawn pictures are in poses\n")
    drawn = images.read("poses/astronaut.png")
    assert drawn.shape == images.read(ASTRONAUT).shape
    assert (drawn != images.read(ASTRONAUT)).any()


def test_good_pictures_are_done_and_bad_ones_named(
    mixed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", str(mixed), "--save", "out", "--json", "out.jsonl"]) == 1
    assert sorted(path.name for path in Path("out").iterdir()) == [
        "good.png", "grey16.png", "turned.jpg",
    ]  # fmt: skip
    err = capsys.readouterr().err
    summary = err[err.index("2 failed:") :].splitlines()
    assert summary[1].startswith(f"  {mixed / 'broken.jpg'}: ")
    assert summary[2].startswith(f"  {mixed / 'text.jpg'}: ")
    header, *lines = Path("out.jsonl").read_text().splitlines()
    assert json.loads(header)["keypoints"] == list(NAMES)
    assert json.loads(header)["model"] == "multipose"
    records = {Path(r["source"]).name: Poses.from_dict(r) for r in map(json.loads, lines)}
    assert set(records) == {"good.png", "grey16.png", "turned.jpg"}
    # The turned picture shows upright, so its person is where the good one's is.
    good, turned = records["good.png"], records["turned.jpg"]
    shift = np.linalg.norm(turned.keypoints - good.keypoints, axis=2)[good.keypoint_scores > 0.3]
    assert np.median(shift) < 0.02 * good.image_size[0]


def test_json_alone_draws_nothing() -> None:
    assert main(["predict", str(ASTRONAUT), "--json", "poses.jsonl"]) == 0
    assert [path.name for path in Path().iterdir()] == ["poses.jsonl"]


@pytest.mark.parametrize("batch", ["1", "2", "8"])
def test_batches_give_the_same_people(batch: str) -> None:
    assert main(["predict", "--model", "multipose", "--json", "a.jsonl", "--batch", batch]) == 0
    lines = [json.loads(line) for line in Path("a.jsonl").read_text().splitlines()[1:]]
    assert [Path(line["source"]).stem for line in lines] == list(pictures.NAMES)
    assert len(lines[2]["people"]) == 2


def test_inputs_of_the_same_name_do_not_overwrite_each_other() -> None:
    for folder in ("a", "b"):
        Path(folder).mkdir()
        shutil.copy(ASTRONAUT, Path(folder) / "photo.png")
    assert main(["predict", "a", "b", "--save", "out"]) == 0
    assert sorted(path.name for path in Path("out").iterdir()) == ["photo-2.png", "photo.png"]


def test_drawing_into_the_pictures_folder_leaves_the_pictures_alone() -> None:
    Path("a").mkdir()
    shutil.copy(ASTRONAUT, "a/photo.png")
    assert main(["predict", "a", "--save", "a"]) == 0
    assert Path("a/photo.png").read_bytes() == ASTRONAUT.read_bytes()
    assert Path("a/photo-2.png").exists()


def test_names_that_differ_in_case_only_are_the_same_name() -> None:
    taken: set[str] = set()
    assert destination(Path("a/Photo.JPG"), Path("out"), taken) == Path("out/Photo.JPG")
    assert destination(Path("b/photo.jpg"), Path("out"), taken) == Path("out/photo-2.jpg")
    assert destination(Path("b/photo.gif"), Path("out"), taken) == Path("out/photo.png")


def test_folders_in_folders_are_looked_into_when_asked() -> None:
    Path("a/b").mkdir(parents=True)
    shutil.copy(ASTRONAUT, "a/b/photo.png")
    assert main(["predict", "a", "--json", "x.jsonl"]) == 1
    assert main(["predict", "a", "--recursive", "--json", "x.jsonl"]) == 0


def test_a_pattern_is_expanded() -> None:
    shutil.copy(ASTRONAUT, "one.png")
    shutil.copy(ASTRONAUT, "two.png")
    assert main(["predict", "*.png", "--save", "out"]) == 0
    assert len(list(Path("out").iterdir())) == 2


def test_a_missing_picture_is_named_and_the_others_are_done(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["predict", "none.jpg", str(ASTRONAUT)]) == 1
    captured = capsys.readouterr()
    assert "1 failed:\n  none.jpg: " in captured.err
    assert "\n1 picture, 1 person; " in captured.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict", "--batch", "0"], "argument --batch: must be a whole number of at least 1"),
        (["predict", "--threshold", "2"], "argument --threshold: must be a number from 0 to 1"),
        (["predict", "--model", "big"], "argument --model: invalid choice: 'big'"),
        (["convert", "x.json"], "the following arguments are required: --out"),
        (["fly"], "argument VERB: invalid choice: 'fly'"),
    ],
)
def test_wrong_usage_exits_with_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 2
    assert message in capsys.readouterr().err


def test_a_device_that_is_not_there_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", "--device", "cuda:9"]) == 2
    assert capsys.readouterr().err == (
        "movenet: --device cuda:9: PyTorch cannot use it here; try --device cpu\n"
    )


def test_debug_shows_where_an_error_comes_from() -> None:
    with pytest.raises(Exception, match="cuda:9"):
        main(["predict", "--device", "cuda:9", "--debug"])


def test_a_file_in_the_place_of_the_folder_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    Path("out").write_text("")
    assert main(["predict", "--save", "out"]) == 1
    assert (
        capsys.readouterr().err
        == "movenet: out: cannot be made (File exists); name another folder\n"
    )


def test_an_interrupt_exits_with_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*args: object, **more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("movenet.cli.predict.process", interrupt)
    assert main(["predict"]) == 130
    assert capsys.readouterr().err == "movenet: interrupted\n"


class FakeWindow:
    """Stands for the window: notes what is shown and presses keys."""

    keys = ("space", "q")
    shown: list[np.ndarray]

    def __init__(self, title: str) -> None:
        self.closed = False
        FakeWindow.shown = []

    def show(self, image: np.ndarray, *, wait_s: float | None) -> str:
        self.shown.append(image)
        return self.keys[len(self.shown) - 1]

    def __enter__(self) -> "FakeWindow":
        return self

    def __exit__(self, *args: object) -> None:
        self.closed = True


def test_show_draws_into_a_window_and_q_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("movenet.window.Window", FakeWindow)
    assert main(["predict", "--show"]) == 0
    first, second = FakeWindow.shown
    assert first.shape == images.read(ASTRONAUT).shape
    assert (first != images.read(ASTRONAUT)).any()
    assert second.shape[:2] == images.read(pictures.path("camera")).shape[:2]
    assert not Path("poses").exists()


def test_a_result_that_cannot_be_saved_is_named_and_the_others_are_done(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("out/astronaut.png").mkdir(parents=True)  # a folder in the place of the file
    assert main(["predict", "--save", "out"]) == 1
    assert Path("out/camera.png").is_file()
    assert f"{ASTRONAUT}: not saved: " in capsys.readouterr().err


def test_json_does_not_overwrite_a_picture(capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(ASTRONAUT, "photo.png")
    assert main(["predict", "photo.png", "--json", "photo.png"]) == 1
    assert capsys.readouterr().err == (
        "movenet: --json photo.png: is one of the pictures; name another file\n"
    )
    assert Path("photo.png").read_bytes() == ASTRONAUT.read_bytes()


def test_where_no_picture_is_found_no_file_is_touched() -> None:
    Path("old.jsonl").write_text("precious")
    assert main(["predict", "none.jpg", "--json", "old.jsonl"]) == 1
    assert Path("old.jsonl").read_text() == "precious"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", str(ASTRONAUT), "--json", "/dev/full"]) == 1
    assert capsys.readouterr().err.endswith(
        "movenet: /dev/full: cannot be written (No space left on device); name another file\n"
    )


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes on Linux")
def test_names_that_are_no_text_are_taken() -> None:
    shutil.copy(ASTRONAUT, "bad\udcff\nname.png")
    assert main(["predict", ".", "--json", "out.jsonl", "--save", "out"]) == 0
    _, record = map(json.loads, Path("out.jsonl").read_text().splitlines())
    assert record["source"] == "bad\udcff\nname.png"


def test_one_picture_named_two_ways_is_one() -> None:
    shutil.copy(ASTRONAUT, "photo.png")
    assert main(["predict", "photo.png", str(Path("photo.png").resolve()), "."]) == 0
    assert len(list(Path("poses").iterdir())) == 1


def test_a_second_run_passes_over_what_the_first_one_drew() -> None:
    shutil.copy(ASTRONAUT, "photo.png")
    for _ in range(2):
        assert main(["predict", ".", "--recursive"]) == 0
    assert [path.name for path in Path("poses").iterdir()] == ["photo.png"]


def test_after_an_interrupt_the_lines_are_whole_and_what_was_done_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from movenet.cli.predict import Outputs

    put = Outputs.put

    def interrupted(self: Outputs, path: Path, picture: np.ndarray, poses: Poses) -> str | None:
        if path.stem == "camera":
            raise KeyboardInterrupt
        return put(self, path, picture, poses)

    monkeypatch.setattr(Outputs, "put", interrupted)
    assert main(["predict", "--json", "out.jsonl"]) == 130
    assert "2 pictures, 2 people; " in capsys.readouterr().out
    assert [len(json.loads(line)) for line in Path("out.jsonl").read_text().splitlines()] == [3, 5]


def test_large_pictures_are_refused_where_asked(capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("L", (1100, 1000)).save("large.png")
    assert main(["predict", "large.png", "--max-megapixels", "1"]) == 1
    assert "large.png: " in capsys.readouterr().err


def test_when_nobody_reads_on_the_command_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unread(*args: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("movenet.cli.predict.process", unread)
    assert main(["predict"]) == 1
    assert "stopped, since nobody reads what it prints" in capsys.readouterr().err


def test_models_prints_a_row_a_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert rows[1].split() == [
        "lightning", "192x192", "1", "2,317,974", "271", "M", "4.7", "Apache-2.0",
        "lightning.safetensors",
    ]  # fmt: skip
    assert [row.split()[0] for row in rows[1:4]] == ["lightning", "thunder", "multipose"]


def test_models_prints_the_networks_that_lift(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    out = capsys.readouterr().out
    assert all(len(line) <= 100 for line in out.splitlines())
    rows = [line.split() for line in out.splitlines() if line.startswith("lift-")]
    assert [(row[0], row[1], row[-1]) for row in rows] == [
        ("lift-single", "1", "single.safetensors"),
        ("lift-causal", "27", "causal.safetensors"),
        ("lift-centred", "27", "centred.safetensors"),
    ]
    networks = {f"lift-{kind}": files.load(kind) for kind in ("single", "causal", "centred")}
    for name, _, parameters, megabytes, *_ in rows:
        count = sum(value.numel() for value in networks[name].parameters())
        assert parameters == f"{count:,}"
        assert float(megabytes) == pytest.approx(2 * count / 1e6, abs=0.1)


def test_verify_passes_and_prints_every_stage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "--model", "lightning"]) == 0
    out = capsys.readouterr().out
    assert "MISS" not in out
    assert out.count("pass\n") == 19
    assert out.endswith("all stages pass (float32, cpu)\n")


def test_verify_fails_where_a_stage_misses(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("movenet.verify.GREY_LEVELS", 0.0)
    assert main(["verify", "--model", "lightning"]) == 1
    assert "1 stages missed" in capsys.readouterr().out


@pytest.mark.skipif(not SHARED.is_dir(), reason="Google's files are not beside the checkout")
def test_convert_writes_the_weights_that_ship(capsys: pytest.CaptureFixture[str]) -> None:
    from safetensors.numpy import load_file

    from movenet import weights

    source = SHARED / "data" / "models" / "movenet-lightning.json"
    assert main(["convert", str(source), "--out", "mine.safetensors"]) == 0
    assert "141 tensors, 2,317,974 parameters" in capsys.readouterr().out
    mine, shipped = load_file("mine.safetensors"), load_file(weights.manifest()["lightning"].path)
    assert mine.keys() == shipped.keys()
    for key, value in mine.items():
        assert value.dtype == shipped[key].dtype
        np.testing.assert_array_equal(value, shipped[key])


def test_convert_names_a_file_it_cannot_read(capsys: pytest.CaptureFixture[str]) -> None:
    Path("notes.txt").write_text("hello")
    assert main(["convert", "notes.txt", "--out", "mine.safetensors"]) == 1
    assert capsys.readouterr().err.startswith("movenet: notes.txt: ")
    assert not Path("mine.safetensors").exists()


def test_help_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["--help"])
    assert exit_.value.code == 0
    out = capsys.readouterr().out
    for verb in ("predict", "models", "verify", "convert"):
        assert f"    {verb} " in out


def test_the_program_is_installed() -> None:
    assert shutil.which("movenet", path=str(Path(sys.executable).parent))


def test_an_engine_that_cannot_be_opened_leaves_every_file_as_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results.jsonl"
    results.write_text("an earlier run")
    arguments = ["predict", str(ASTRONAUT), "--engine", "nowhere.tflite"]
    assert main([*arguments, "--json", str(results), "--save", "drawn"]) == 2
    assert capsys.readouterr().err == "movenet: nowhere.tflite: no such file\n"
    assert results.read_text() == "an earlier run"
    assert not Path("drawn").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
def test_an_interrupt_while_the_command_is_imported_is_one_line() -> None:
    """Whoever looks for the first module of `movenet.cli` is interrupted."""
    program = (
        "import sys, signal\n"
        "from movenet import __main__\n"
        "class Finder:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'movenet.cli': signal.raise_signal(signal.SIGINT)\n"
        "sys.meta_path.insert(0, Finder())\n"
        "sys.exit(__main__.main())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "movenet: interrupted\n")
