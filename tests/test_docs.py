"""The Python of docs/, run."""

import re
from pathlib import Path

import clips
import pytest
from scenes import people, scene

import movenet
from movenet.writers import open_writer

DOCS = Path(__file__).resolve().parents[1] / "docs"
FRAMES = 2
# How many blocks each page has.
PAGES = {"formats.md": 3, "video.md": 1, "lifting.md": 1, "lifting-conventions.md": 1}


def blocks(page: str) -> list[str]:
    found: list[str] = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
    return found


@pytest.fixture
def clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """In a folder with the files that the pages speak of."""
    monkeypatch.chdir(tmp_path)
    two = scene((people(height=300), -20, 30), (people(height=300), 330, 30))
    clips.write(tmp_path / "clip.mp4", [two] * FRAMES)
    for name in ("left.mp4", "right.mp4"):
        (tmp_path / name).symlink_to("clip.mp4")
    return "clip.mp4"


def test_every_page_with_python_is_run() -> None:
    found = {page.name: len(blocks(page.name)) for page in DOCS.glob("*.md")}
    assert {page: count for page, count in found.items() if count} == PAGES


def test_the_python_of_formats_writes_and_reads_them(
    clip: str, capsys: pytest.CaptureFixture[str]
) -> None:
    writing, reading, table = blocks("formats.md")
    exec(writing, {})
    assert len(Path("poses.csv").read_text().splitlines()) == 1 + 17 * FRAMES
    for kind, name in (("json", "poses.jsonl"), ("parquet", "poses.parquet")):
        with open_writer(kind, name, model="lightning", version="1") as writer:
            for _, poses in movenet.track(clip, model="lightning"):
                writer.write(poses)
    exec(reading, {})
    assert capsys.readouterr().out == "0 1\n1 1\n"
    names: dict[str, object] = {}
    exec(table, names)
    assert len(names["wrist"]) == FRAMES  # type: ignore[arg-type]


def test_the_python_of_video_follows_people(clip: str, capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = blocks("video.md")
    exec(block, {})
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" ", 1)[1] for line in lines[:FRAMES]] == ["[1] (1, 17, 2)"] * FRAMES
    assert lines[FRAMES].count("'new'") == 2
    assert len(lines) == 2 * FRAMES + 1


def test_the_python_of_lifting_lifts(clip: str) -> None:
    poses = [poses for _, poses in movenet.track(clip, model="lightning")]
    names: dict[str, object] = {"poses": poses[0], "list_of_poses": poses}
    (block,) = blocks("lifting.md")
    assert "movenet.track(0," in block
    exec(block.replace("movenet.track(0,", f"movenet.track({clip!r},"), names)
    lifted = names["clip"]
    assert isinstance(lifted, list)
    assert [each.unit for each in lifted] == ["m"] * FRAMES
    assert names["bodies"].joints.shape == (1, 21, 3)  # type: ignore[attr-defined]
    (block,) = blocks("lifting-conventions.md")
    exec(block, {"movenet": movenet, "bodies": lifted})
    assert f"Frames: {FRAMES}\n" in Path("clip.bvh").read_text()
