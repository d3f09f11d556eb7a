"""Poses into files: what holds for every format, and JSON Lines."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas
import pytest

from movenet import Poses
from movenet.errors import MoveNetError
from movenet.keypoints import NAMES
from movenet.writers import KINDS, JsonLinesWriter, Writer, open_writer, read_json_lines
from movenet.writers.growing import GrowingFile

LATE = ("parquet", "coco", "trc")  # FILE.part until they are closed


def poses(index: int = 0, *, people: int = 2, ids: list[int] | None = None) -> Poses:
    random = np.random.default_rng(index)
    return Poses.from_arrays(
        random.random((people, 17, 2), np.float32) * 300,
        random.random((people, 17), np.float32) / 2 + 0.4,
        image_size=(300, 300),
        ids=list(range(1, people + 1)) if ids is None else ids,
        frame_index=index,
        timestamp_s=index / 30,
    )


def made(kind: str, path: Path) -> Writer:
    return open_writer(kind, path, model="thunder", version="1.2")


def frames_in(kind: str, path: Path) -> list[int]:
    """The indices of the frames in a file, each once."""
    if kind == "json":
        return [frame.frame_index for frame in read_json_lines(path)[1] if len(frame)]
    if kind == "openpose":
        return sorted(
            int(file.stem[-6:]) for file in path.iterdir() if json.loads(file.read_text())
        )
    if kind == "coco":
        return sorted({record["image_id"] for record in json.loads(path.read_text())})
    if kind == "trc":
        path = path.with_name(f"{path.stem}_person01{path.suffix}")
        return list(pandas.read_csv(path, sep="\t", skiprows=4).iloc[:, 0])
    table = pandas.read_csv(path) if kind == "csv" else pandas.read_parquet(path)
    return sorted(set(table.frame))


# Every format


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stop", [KeyboardInterrupt, ValueError])
def test_a_run_that_is_stopped_leaves_a_finished_file(
    kind: str, stop: type[BaseException], tmp_path: Path
) -> None:
    path = tmp_path / "poses.out"

    def run() -> None:
        with made(kind, path) as writer:
            for index in range(5):
                writer.write(poses(index))
            raise stop

    with pytest.raises(stop):
        run()
    assert frames_in(kind, path) == [0, 1, 2, 3, 4]
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize("kind", LATE)
def test_a_file_stays_what_it_was_until_the_new_one_is_finished(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "poses.out"
    path.write_text("precious")
    with made(kind, path) as writer:
        writer.write(poses(people=1))
        assert path.read_text() == "precious"
        assert (tmp_path / "poses.out.part").exists()
    assert b"precious" not in path.read_bytes()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "openpose"])
def test_without_a_frame_nothing_is_made_and_nothing_changed(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "poses.out"
    with made(kind, path):
        pass
    assert os.listdir(tmp_path) == []
    old = {path: "precious", tmp_path / "poses.out.part": "of a run that was killed"}
    for file, text in old.items():
        file.write_text(text)
    with made(kind, path) as writer:
        assert {file: file.read_text() for file in old} == old
    writer.close()
    assert {file: file.read_text() for file in old} == old


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "openpose"])
def test_an_old_file_is_gone_after_a_frame_with_somebody(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "poses.out"
    parts = [tmp_path / "poses.out.part"] if kind in LATE else []
    for file in (path, *parts):
        file.write_text("an earlier run's " * 9999)
    with made(kind, path) as writer:
        writer.write(poses(people=1))
    assert os.listdir(tmp_path) == ["poses.out"]
    assert b"an earlier" not in path.read_bytes()


@pytest.mark.parametrize("kind", KINDS)
def test_to_write_on_when_it_is_closed_is_a_callers_mistake(kind: str, tmp_path: Path) -> None:
    with made(kind, tmp_path / "poses.out") as writer:
        writer.write(poses(0))
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    for frame in (poses(1), poses(1, people=0)):
        with pytest.raises(ValueError, match=r"^this writer is closed; nothing can be written"):
            writer.write(frame)
    writer.close()
    after = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    assert after == before


@pytest.mark.parametrize("kind", KINDS)
def test_closing_again_changes_nothing(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "poses.out"
    with made(kind, path) as writer:
        writer.write(poses())
        writer.close()
        once = frames_in(kind, path)
    assert frames_in(kind, path) == once == [0]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "openpose"])
def test_a_place_that_cannot_be_written_is_named_before_the_work(kind: str, tmp_path: Path) -> None:
    missing = tmp_path / "none" / "poses.out"
    for path, reason in [(missing, "No such file or directory"), (tmp_path, "Is a directory")]:
        with pytest.raises(MoveNetError) as error:
            made(kind, path)
        assert str(error.value) == f"{path}: cannot be written ({reason}); name another file"
    assert os.listdir(tmp_path) == []
    assert not tmp_path.with_name(tmp_path.name + ".part").exists()


@pytest.mark.parametrize("kind", LATE)
def test_no_file_takes_the_place_of_a_device(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(MoveNetError) as error:
        made(kind, path)
    assert str(error.value) == f"{path}: is a device or pipe; name a file"
    assert path.is_fifo()


def test_an_unknown_kind_is_a_callers_mistake(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"kind must be one of json, .*, not 'xml'"):
        made("xml", tmp_path / "poses.xml")


@pytest.mark.parametrize("kind", ["coco", "openpose", "trc"])
def test_formats_that_number_their_frames_refuse_one_without_a_number(
    kind: str, tmp_path: Path
) -> None:
    nameless = Poses.from_arrays([], [], image_size=(3, 3))
    with made(kind, tmp_path / "out") as writer, pytest.raises(ValueError, match="frame_index"):
        writer.write(nameless)


# A process that is killed, a disk that is full

KILLED = """
import itertools, sys
from movenet.writers import open_writer
from test_writers import poses
writer = open_writer(sys.argv[1], sys.argv[2], model="thunder", version="1.2")
for index in itertools.count():
    writer.write(poses(index))
    print(index, flush=True)
"""


@pytest.mark.parametrize("kind", ["json", "csv"])
def test_a_killed_process_leaves_every_frame_that_was_written(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "poses.out"
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, kind, str(path)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parent)},
    )
    assert process.stdout is not None
    with process, process.stdout as told:
        last = next(int(line) for line in told if int(line) >= 20)
        process.send_signal(signal.SIGKILL)
        last = max([last, *map(int, told.read().split("\n")[:-1])])
    frames = frames_in(kind, path)
    assert frames[: last + 1] == list(range(last + 1))
    assert len(frames) <= last + 2  # the one that it was at


def fill(writer: Writer, done: list[int]) -> None:
    """Write more frames than there is room for; `done` gets those that went in."""
    with writer:
        for index in range(5000):
            writer.write(poses(index))
            done.append(index)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "parquet"])
def test_a_full_disk_keeps_every_frame_before_it(kind: str, full_disk: Path) -> None:
    path = full_disk / "poses.out"
    writer, done = made(kind, path), list[int]()
    with pytest.raises(MoveNetError) as error:
        fill(writer, done)
    assert str(error.value).startswith(str(path.with_suffix("")))  # or a file of it
    assert str(error.value).endswith(
        ": cannot be written (No space left on device); name another file"
    )
    assert len(done) > 30
    assert frames_in(kind, path) == done
    assert not list(full_disk.rglob("*.part"))


def test_a_parquet_that_does_not_fit_leaves_the_disk_as_it_was(full_disk: Path) -> None:
    path = full_disk / "poses.parquet"
    path.write_text("precious")
    writer = made("parquet", path)
    with pytest.raises(MoveNetError) as error:
        fill(writer, [])
    assert str(error.value) == (
        f"{path}: cannot be written (No space left on device); name another file"
    )
    assert os.listdir(full_disk) == ["poses.parquet"]
    assert path.read_text() == "precious"


def test_a_disk_that_is_full_from_the_start_is_named(full_disk: Path) -> None:
    with contextlib.suppress(OSError):
        (full_disk / "filler").write_bytes(bytes(1 << 20))
    for kind in KINDS:
        if kind == "openpose":
            continue  # an empty file needs no space
        path = full_disk / f"poses.{kind}"
        with pytest.raises(MoveNetError, match="No space left on device"):
            fill(made(kind, path), [])
        assert not list(full_disk.glob("*.part"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_protected_disk_is_named_before_the_work(kind: str, full_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(full_disk)], check=True)
    path = full_disk if kind == "openpose" else full_disk / "poses.out"
    with pytest.raises(MoveNetError, match=r"cannot be written \(Read-only file system\)"):
        made(kind, path)


# The growing file


def test_a_piece_that_is_interrupted_is_not_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = GrowingFile(tmp_path / "a", part=True, head=b"[", tail=b"]")
    file.append(b"1")
    put = GrowingFile._put

    def interrupted(self: GrowingFile, data: bytes) -> None:
        monkeypatch.setattr(GrowingFile, "_put", put)
        put(self, data[:2])
        raise KeyboardInterrupt

    monkeypatch.setattr(GrowingFile, "_put", interrupted)
    with pytest.raises(KeyboardInterrupt):
        file.append(b",2,3")
    assert (tmp_path / "a.part").read_bytes() == b"[1]"
    file.append(b",4")
    file.rest()
    file.append(b",5")
    file.close()
    assert (tmp_path / "a").read_bytes() == b"[1,4,5]"


# JSON Lines


def test_a_header_comes_first_and_every_line_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "poses.jsonl"
    with JsonLinesWriter(path, model="thunder", version="1.2") as writer:
        writer.write(poses(), source="a.jpg")
        writer.write(poses())
    header, first, second = map(json.loads, path.read_text().splitlines())
    assert header == {"version": "1.2", "model": "thunder", "keypoints": list(NAMES)}
    assert next(iter(first.items())) == ("source", "a.jpg")
    for record in (first, second):
        np.testing.assert_array_equal(Poses.from_dict(record).keypoints, poses().keypoints)


def test_reading_gives_back_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "poses.jsonl"
    written = [poses(0), poses(1, people=0), poses(2, people=1, ids=[9])]
    with JsonLinesWriter(path, model="thunder", version="1.2") as writer:
        for frame in written:
            writer.write(frame, events=["lost"])
    header, frames = read_json_lines(path)
    assert header["model"] == "thunder"
    assert [frame.to_dict() for frame in frames] == [frame.to_dict() for frame in written]


@pytest.mark.parametrize("kind", ["json", "csv"])
def test_a_frame_is_on_the_disk_when_write_returns(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "poses.out"
    with made(kind, path) as writer:
        for index in range(3):
            writer.write(poses(index))
            assert frames_in(kind, path) == list(range(index + 1))


def test_a_last_line_that_was_cut_off_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "poses.jsonl"
    with JsonLinesWriter(path, model="thunder", version="1.2") as writer:
        writer.write(poses(0))
        writer.write(poses(1))
    data = path.read_bytes()
    end = data[:-1].rindex(b"\n") + 1
    for cut in range(end, len(data) - 1, 97):
        path.write_bytes(data[:cut])
        assert frames_in("json", path) == [0]
    path.write_bytes(data[:-1])  # without its newline the line is whole
    assert frames_in("json", path) == [0, 1]


def test_a_broken_line_that_others_follow_is_named(tmp_path: Path) -> None:
    path = tmp_path / "poses.jsonl"
    with JsonLinesWriter(path, model="thunder", version="1.2") as writer:
        writer.write(poses(0))
    with path.open("a") as file:
        file.write('{"people": 3\n{"people": []}\n')
    _, frames = read_json_lines(path)
    assert next(frames).frame_index == 0
    with pytest.raises(MoveNetError) as error:
        next(frames)
    assert str(error.value) == f"{path}, line 3: not a JSON object; write it again"


@pytest.mark.parametrize(
    "content", [b"", b"frame,time\n", b"[]\n", b'{"keypoints": ["nose"]}\n', b"\xff\x00" * 99999]
)
def test_a_foreign_file_is_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "foreign"
    path.write_bytes(content)
    with pytest.raises(MoveNetError) as error:
        read_json_lines(path)
    assert str(error.value) == f"{path}: not poses of movenet; name a file that --json wrote"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    for path, reason in [
        (tmp_path / "a", "No such file or directory"),
        (tmp_path, "Is a directory"),
    ]:
        with pytest.raises(MoveNetError) as error:
            read_json_lines(path)
        assert str(error.value) == f"{path}: cannot be read ({reason})"
