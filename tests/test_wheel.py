"""The built wheel in an empty environment, away from the checkout. Needs a package index."""

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CONSTRAINTS = ROOT / "constraints.txt"
SCRIPTS = "Scripts" if os.name == "nt" else "bin"
UNREACHABLE = ("Failed to establish a new connection", "Name or service not known")

pytestmark = pytest.mark.slow


def run(*command, cwd):
    """The finished process; its environment names no source folder."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [str(part) for part in command], cwd=cwd, env=env, capture_output=True, text=True
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    built = run(
        *(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT),
        cwd=folder,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def names(wheel):
    return zipfile.ZipFile(wheel).namelist()


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The scripts folder of an environment that holds the wheel, without extras."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=True)
    scripts = folder / SCRIPTS
    for what in ("torch", wheel):  # torch first, so that no range picks its release
        done = run(
            *(scripts / "python", "-m", "pip", "install", "--constraint", CONSTRAINTS, what),
            cwd=folder,
        )
        if any(sign in done.stderr for sign in UNREACHABLE):
            pytest.skip("no package index can be reached")
        assert done.returncode == 0, done.stdout + done.stderr
    return scripts


@pytest.fixture
def away(tmp_path):
    """A folder outside the checkout."""
    assert not tmp_path.is_relative_to(ROOT)
    return tmp_path


@pytest.mark.parametrize(
    ("ending", "least"),
    [
        (".safetensors", 2 * 3),
        (".tflite", 3),
        (".json", 2),
        (".png", 3),
        ("/CREDITS.md", 1),
        ("/py.typed", 1),
    ],
)
def test_the_wheel_holds_weights_goldens_and_pictures(names, ending, least):
    assert sum(name.endswith(ending) for name in names) >= least


@pytest.mark.parametrize("licence", ["LICENSE", "NOTICE", "LICENSES/Apache-2.0.txt"])
def test_the_wheel_holds_the_licences(names, licence):
    assert any(name.endswith(f".dist-info/licenses/{licence}") for name in names)


def test_the_wheel_is_small_enough_to_ship(wheel):
    assert wheel.stat().st_size < 62e6  # 50 of the networks and their LiteRT files, 10 of lifting


def test_the_wheel_holds_the_package_and_nothing_else(names):
    assert {name.split("/")[0].split("-")[0] for name in names} == {"movenet", "movenet_pytorch"}
    assert not [name for name in names if name.endswith(".pyc")]


def test_the_extras_are_not_installed(installed, away):
    code = (
        "from importlib.util import find_spec\n"
        "print(*map(find_spec, ('pandas', 'supervision', 'tflite')))"
    )
    assert run(installed / "python", "-c", code, cwd=away).stdout.split() == ["None"] * 3


def test_the_package_is_imported_from_the_environment(installed, away):
    done = run(installed / "python", "-c", "import movenet; print(movenet.__file__)", cwd=away)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).is_relative_to(installed.parent)


def test_the_command_prints_its_help(installed, away):
    done = run(installed / "movenet", "--help", cwd=away)
    assert done.returncode == 0, done.stderr
    assert "predict" in done.stdout


def test_a_bundled_picture_gives_one_person(installed, wheel, names, away):
    name = next(name for name in names if name.endswith("astronaut.png"))
    picture = zipfile.ZipFile(wheel).extract(name, away)
    done = run(installed / "movenet", "predict", picture, "--json", "poses.jsonl", cwd=away)
    assert done.returncode == 0, done.stderr
    header, poses = map(json.loads, (away / "poses.jsonl").read_text().splitlines())
    assert header["model"] == "multipose"
    assert len(poses["people"]) == 1
