"""What importing the package brings, and what it does not."""

import importlib.metadata
import subprocess
import sys

import pytest

import movenet

HEAVY = {"torch", "cv2", "PIL", "numpy", "pandas", "supervision", "tflite", "safetensors"}

HELP = """
try:
    from movenet.cli import main
    main(["--help"])
except SystemExit as stop:
    assert not stop.code
"""


WITHOUT_VIDEO = """
import sys
sys.modules["scipy"] = sys.modules["av"] = None
import movenet
names = []
for use in ("from movenet import {}", "movenet.{}", "hasattr(movenet, '{}')"):
    for name in ("PoseTracker", "track", "track_many"):
        try:
            exec(use.format(name))
        except ImportError as error:
            assert isinstance(error, movenet.MoveNetError)
            assert str(error).startswith(f"movenet.{name}: "), error
            assert 'pip install "movenet-pytorch[video]"' in str(error), error
            names.append(name)
assert len(names) == 9
movenet.PoseEstimator, movenet.Poses, movenet.Frame
"""


def modules_after(code):
    """The names in sys.modules after the code ran in a Python of its own."""
    code += "\nimport sys\nprint('MODULES', *sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.splitlines()[-1].split())


def test_importing_the_package_imports_nothing_heavy():
    assert not modules_after("import movenet") & HEAVY


def test_the_help_imports_nothing_heavy():
    modules = modules_after(HELP)
    assert "movenet.cli" in modules
    assert not modules & HEAVY


@pytest.mark.parametrize("name", movenet.__all__)
def test_every_public_name_is_there(name):
    assert getattr(movenet, name) is not None


def test_dir_lists_the_public_names():
    assert set(movenet.__all__) <= set(dir(movenet))
    assert len(movenet.__all__) == len(set(movenet.__all__)) <= 25


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        movenet.nothing  # noqa: B018


def test_a_name_whose_extra_is_missing_is_an_import_error_that_says_what_to_install():
    subprocess.run([sys.executable, "-c", WITHOUT_VIDEO], check=True)


def test_the_version_is_the_distribution_s():
    assert movenet.__version__ == importlib.metadata.version("movenet-pytorch")
