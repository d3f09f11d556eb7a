"""Where `movenet track` and `lift` write: what is read, and what was finished before, stays."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import clips
import pytest
from scenes import people, scene, walk

from movenet import images, pictures
from movenet.cli import main
from movenet.cli.places import check_places, is_folder, mark, stem_of
from movenet.errors import EngineError, MoveNetError
from movenet.pose_tracker import PoseTracker

PLAIN = ["--model", "lightning"]


@pytest.fixture(autouse=True)
def somewhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command runs in a folder of its own."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clips.write(tmp_path_factory.mktemp("clip") / "clip.mp4", walk(3))


@pytest.fixture
def clip(made: Path) -> str:
    shutil.copy(made, "clip.mp4")
    return "clip.mp4"


def contents() -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in Path().rglob("*") if path.is_file()}


def assert_refused(capsys: pytest.CaptureFixture[str], *words: str, status: int = 1) -> str:
    """One line, and nothing is touched -> the line."""
    before = contents()
    assert main(list(words)) == status
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert contents() == before
    return err


# What is read


@pytest.mark.parametrize("link", [os.link, os.symlink])
@pytest.mark.parametrize(
    ("verb", "option", "name"),
    [("track", "--csv", "t.csv"), ("track", "--save", "t.mp4"), ("track", "--coco", "t.json"),
     ("lift", "--json", "t.jsonl"), ("lift", "--save", "t.mov")],
)  # fmt: skip
def test_a_link_to_the_source_is_not_written_over(
    verb: str, option: str, name: str, link: object, clip: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert callable(link)
    link(clip, name)
    err = assert_refused(capsys, verb, clip, *PLAIN, option, name)
    assert err == f"movenet: {option} {name}: is what is read; name another file\n"


def test_a_name_in_another_case_is_the_source_where_the_system_says_so(
    clip: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_places({"save": Path("CLIP.MP4")}, [Path(clip)])  # here it is another file
    stat = Path.stat
    folded = lambda path, **more: stat(Path(str(path).lower()), **more)  # noqa: E731
    monkeypatch.setattr(Path, "stat", folded)
    with pytest.raises(MoveNetError, match=r"^--save CLIP.MP4: is what is read; name another"):
        check_places({"save": Path("CLIP.MP4")}, [Path(clip)])


def test_two_results_are_two_files_whatever_their_case() -> None:
    with pytest.raises(EngineError, match=r"^--csv A\.X: is --json too; name another file$"):
        check_places({"json": Path("a.x"), "csv": Path("A.X")}, [])
    with pytest.raises(EngineError, match=r"^--trc a: would be a\.part too, and that is --json"):
        check_places({"json": Path("a.part"), "trc": Path("a")}, [])


@pytest.fixture
def folder() -> str:
    """Frames under the names that `--save` gives them."""
    Path("clip").mkdir()
    for number, picture in enumerate(walk(3)):
        images.save(picture, f"clip/clip_{number:06d}.jpg")
    return "clip"


@pytest.mark.parametrize("word", ["clip", "clip/*.jpg", "clip/clip_00000?.jpg"])
@pytest.mark.parametrize(
    ("option", "name"),
    [("--save", "clip"), ("--save", "clip/"), ("--json", "clip/clip_000002.jpg")],
)
def test_the_pictures_of_a_source_are_not_written_over(
    word: str, option: str, name: str, folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    err = assert_refused(capsys, "track", word, *PLAIN, option, name)
    assert err.startswith("movenet: ")
    assert "name another" in err


@pytest.mark.parametrize(("verb", "option"), [("track", "trc"), ("track", "plot"), ("lift", "bvh")])
def test_a_source_is_not_taken_for_an_unfinished_file(
    verb: str, option: str, clip: str, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "q.png" if option == "plot" else f"q.{option}"
    Path(clip).rename(f"{name}.part")
    err = assert_refused(capsys, verb, f"{name}.part", *PLAIN, f"--{option}", name)
    assert f"--{option} {name}: would be {name}.part too, and that is what is read; name" in err


def test_a_source_is_not_taken_for_the_file_of_a_person(
    clip: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(clip).rename("q_person01.mp4")
    err = assert_refused(capsys, "track", "q_person01.mp4", *PLAIN, "--trc", "q.mp4")
    assert "would be q_person01.mp4 too, and that is what is read" in err


@pytest.mark.parametrize("verb", ["predict", "lift"])
def test_a_drawing_does_not_go_where_a_link_leads_to_the_picture(verb: str) -> None:
    Path("out").mkdir()
    images.save(people(), "one.png")
    os.link("one.png", "out/one.png")
    before = Path("one.png").read_bytes()
    assert main([verb, "one.png", *PLAIN, "--save", "out"]) == 0
    assert Path("one.png").read_bytes() == before
    assert Path("out/one-2.png").is_file()


@pytest.mark.parametrize("words", [["predict", "--json"], ["benchmark", "--json"]])
def test_other_verbs_know_links_too(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    images.save(people(), "one.png")
    os.link("one.png", "a.json")
    err = assert_refused(capsys, *words, "a.json", "one.png", *PLAIN)
    assert err == "movenet: --json a.json: is one of the pictures; name another file\n"


# What was finished before

OLD = ("a.jsonl", "a.csv", "a.parquet", "a.json", "a.trc", "a.png", "a.mp4", "a.bvh")
TRACK = ["--json", OLD[0], "--csv", OLD[1], "--parquet", OLD[2], "--coco", OLD[3], "--trc", OLD[4],
         "--plot", OLD[5], "--save", OLD[6]]  # fmt: skip
LIFT = [*TRACK[:6], "--trc", OLD[4], "--bvh", OLD[7], "--save", OLD[6]]


@pytest.fixture
def old() -> Iterator[None]:
    """Files of an earlier run, which stay, and nothing comes beside them."""
    for name in OLD:
        Path(name).write_text("precious")
    yield
    found = contents()
    assert {name for name in found if found[name] == b"precious"} == set(OLD)
    assert not [name for name in found if name.endswith(".part")]


@pytest.mark.parametrize("verb", ["track", "lift"])
def test_a_run_without_a_frame_leaves_finished_files(
    verb: str, old: None, clip: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([verb, clip, *PLAIN, "--start", "100", *(TRACK if verb == "track" else LIFT)]) == 1
    captured = capsys.readouterr()
    assert captured.out.startswith("0 frames, 0 ids")
    assert "made" not in captured.out
    assert captured.err.count("movenet: ") == 1


@pytest.mark.parametrize("verb", ["track", "lift"])
def test_pictures_that_cannot_be_read_leave_finished_files(
    verb: str, old: None, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("in").mkdir()
    Path("in/1.png").write_text("no picture")
    assert main([verb, "in", *PLAIN, *(TRACK if verb == "track" else LIFT)]) == 1
    assert "made" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("verb", "more"),
    [("track", ["--smooth", "offline"]), ("track", ["--model", "multipose", "--no-refine",
     "--target", "longest"]), ("lift", [])],
)  # fmt: skip
def test_nothing_is_written_before_the_second_reading(
    verb: str, more: list[str], old: None, clip: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    follow, seen = PoseTracker.follow, []

    def interrupted(self: PoseTracker, *given: object) -> object:
        seen.append(contents())
        if len(seen) == 3:
            raise KeyboardInterrupt
        return follow(self, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(PoseTracker, "follow", interrupted)
    files = TRACK if verb == "track" else LIFT
    assert main([verb, clip, *PLAIN, *more, *files]) == 130
    assert len(seen) == 3
    for found in seen:
        assert {name for name in found if found[name] == b"precious"} == set(OLD)
        assert all(not text for name, text in found.items() if name.endswith(".part"))


def test_a_folder_that_has_frames_is_refused(clip: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["track", clip, *PLAIN, "--save", "out"]) == 0
    assert len(os.listdir("out")) == 3
    err = assert_refused(capsys, "track", clip, *PLAIN, "--end", "0.05", "--save", "out")
    first = "clip_000000.jpg"
    assert err == f"movenet: out: has frames already ({first} ...); name another folder\n"
    shutil.copy(clip, "other.mp4")
    assert main(["track", "other.mp4", *PLAIN, "--save", "out"]) == 0
    assert len(os.listdir("out")) == 6


@pytest.mark.parametrize(("verb", "kind"), [("track", "trc"), ("lift", "bvh"), ("lift", "trc")])
def test_files_of_people_of_an_earlier_run_are_named(
    verb: str, kind: str, clip: str, capsys: pytest.CaptureFixture[str]
) -> None:
    two = scene((people(height=300), -20, 30), (people(height=300), 330, 30))
    clips.write(Path("two.mp4"), [two] * 2)
    options = ["--no-refine", f"--{kind}", f"a.{kind}"]
    older = f"a_person01.{kind}, a_person02.{kind}"
    assert main([verb, "two.mp4", *options]) == 0
    assert capsys.readouterr().out.endswith(f"made {older}\n")
    Path(f"a_person.{kind}").write_text("somebody's own")
    before = contents()
    assert main([verb, clip, *options]) == 0
    out = capsys.readouterr().out
    assert out.endswith(f"made a.{kind}\nleft from an earlier run: {older}\n")
    assert contents().items() >= before.items()
    assert main([verb, "two.mp4", *options]) == 0
    out = capsys.readouterr().out
    assert out.endswith(f"made {older}\nleft from an earlier run: a.{kind}\n")


# Names


@pytest.mark.parametrize("verb", ["track", "lift"])
def test_a_result_s_own_place_may_be_the_source_s(
    verb: str, clip: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = {"track": "poses", "lift": "lifted"}[verb]
    Path(folder).mkdir()
    Path(clip).rename(f"{folder}/q.mp4")
    before = Path(f"{folder}/q.mp4").read_bytes()
    assert main([verb, f"{folder}/q.mp4", *PLAIN]) == 0
    assert Path(f"{folder}/q.mp4").read_bytes() == before
    names = sorted(os.listdir(folder))
    assert names == [f"q-{folder}.csv", f"q-{folder}.mp4", "q.mp4"]


@pytest.mark.parametrize(
    ("source", "stem"),
    [
        ("..", "my.frames"),
        (".", "in"),
        ("./", "in"),
        ("*.png", "in"),
        ("../*.png", "my.frames"),
        ("../i?/[0-9].png", "my.frames"),
        ("../../my.frames", "my.frames"),
        ("a[1].mp4", "a[1]"),
        ("../../my.frames/clip.v2.mp4", "clip.v2"),
        ("http://host/live/cam.m3u8?token=a/b", "cam"),
        ("rtsp://host", "lift"),
        ("0", "0"),
    ],
)
def test_results_are_named_after_what_is_read(
    source: str, stem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("my.frames/in").mkdir(parents=True)
    monkeypatch.chdir("my.frames/in")
    Path("a[1].mp4").write_text("")
    assert stem_of(source, "lift") == stem


@pytest.mark.parametrize(
    ("name", "folder"),
    [("out", True), ("out.mp4", False), ("my.folder/", True), ("my.folder", False), ("a.d", True)],
)
def test_a_folder_has_a_slash_at_its_end_or_no_suffix_or_is_there(name: str, folder: bool) -> None:
    Path("a.d").mkdir()
    assert is_folder(name) is folder


@pytest.mark.parametrize("verb", ["track", "lift"])
def test_frames_go_into_a_folder_whose_name_has_a_dot(
    verb: str, clip: str, capsys: pytest.CaptureFixture[str]
) -> None:
    err = assert_refused(capsys, verb, clip, *PLAIN, "--save", "my.folder", status=2)
    assert "in a folder, a name without a suffix or with a / at its end" in err
    for _ in range(2):
        assert main([verb, clip, *PLAIN, "--save", "my.folder/"]) == 0
        assert len(os.listdir("my.folder")) == 3
        shutil.rmtree("my.folder")
    photo = str(pictures.path("camera"))
    assert main(["lift", photo, *PLAIN, "--save", "their.folder/"]) == 0
    assert os.listdir("their.folder") == ["camera.png"]


def test_a_mark_is_that_of_the_file_and_not_of_its_name(clip: str) -> None:
    os.link(clip, "other.mp4")
    assert mark(Path(clip)) == mark(Path("other.mp4"))
    assert mark(Path("no")) == mark(Path("..", Path.cwd().name, "NO")) != mark(Path("yes"))
