"""What README.md says, run."""

import re
import shlex
import shutil
from pathlib import Path

import clips
import numpy as np
import pytest
from scenes import walk

from movenet import images
from movenet.cli import main
from movenet.verify import verify

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()


def blocks(kind: str) -> list[tuple[str, str]]:
    """The blocks of a language, each with the text block that follows it, if one does."""
    pattern = rf"```{kind}\n(.*?)```\n(?:\n```text\n(.*?)```)?"
    return [(code, said) for code, said in re.findall(pattern, README, re.DOTALL)]


def test_it_is_short() -> None:
    assert len(README.splitlines()) < 200


def test_the_python_prints_what_stands_below_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    shutil.copytree(ROOT / "src/movenet/pictures", tmp_path / "src/movenet/pictures")
    clips.write(tmp_path / "clip.mp4", walk(2))
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    found = blocks("python")
    assert len(found) == 4
    for code, said in found:
        exec(code, names)
        assert capsys.readouterr().out == said


def test_the_command_prints_what_stands_below_it_but_for_the_times(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    shutil.copytree(ROOT / "src/movenet/pictures", tmp_path / "src/movenet/pictures")
    monkeypatch.chdir(tmp_path)
    ((command, said),) = [block for block in blocks("sh") if block[0].startswith("movenet")]
    assert main(shlex.split(command)[1:]) == 0
    times = re.compile(r"\d+\.\d")
    assert times.sub("T", capsys.readouterr().out) == times.sub("T", said)


def test_the_verbs_of_make_are_there() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for verb in re.findall(r"^make (\w+)", blocks("sh")[0][0], re.MULTILINE):
        assert re.search(rf"^{verb}:", makefile, re.MULTILINE)


def test_every_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


@pytest.mark.parametrize("name", ["lightning", "thunder", "multipose"])
def test_the_table_of_agreement_is_what_verify_finds(name: str) -> None:
    (row,) = re.findall(rf"\| float32 \| {name} \| (\S+) \| (\S+) \| (\S+) \|", README)
    errors = {found.stage: found.error for found in verify(name)}
    places, scores, true = map(float, row)
    # Other kernels round otherwise: the order of magnitude is what the table states.
    assert errors["coordinates, dense"] < 5 * places
    assert errors["scores, dense"] < 5 * scores
    assert errors["true constants (difference)"] == pytest.approx(true, rel=0.5)


def test_the_pictures_are_what_the_program_draws(tmp_path: Path) -> None:
    import sys

    sys.path.insert(0, str(ROOT / "scripts"))
    import make_readme

    lifted = tmp_path / "lifted.png"
    make_readme.lift(lifted)
    drawn = {"two_people": make_readme.drawing(), "lifted": images.read(lifted)}
    for name, picture in drawn.items():
        shown = images.read(ROOT / "docs" / f"{name}.png")
        assert shown.shape == picture.shape
        assert np.abs(shown.astype(int) - picture).mean() < 1
