"""hubconf.py: the three networks through torch.hub from a local folder."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import hubconf
import movenet

ROOT = Path(__file__).resolve().parents[1]
NAMES = ["lightning", "thunder", "multipose"]


@pytest.mark.parametrize("name", NAMES)
def test_hub_gives_the_network_that_load_gives(name):
    model = torch.hub.load(str(ROOT), f"movenet_{name}", source="local")
    images = torch.randint(0, 256, (1, 3, 96, 64), dtype=torch.uint8)
    with torch.no_grad():
        assert torch.equal(model.detect(images), movenet.load(name).detect(images))
    assert not model.training


def test_the_entry_points_are_the_three_networks_and_nothing_else():
    # What torch.hub.list takes for entry points; it reads repositories only, no folders.
    entries = {name for name in dir(hubconf) if callable(getattr(hubconf, name)) and name[0] != "_"}
    assert entries == {f"movenet_{name}" for name in NAMES}


def test_the_folder_brings_its_own_package(tmp_path):
    shutil.copy(ROOT / "hubconf.py", tmp_path)
    shutil.copytree(ROOT / "src", tmp_path / "src")
    code = (
        "import sys, torch\n"
        f"torch.hub.load({str(tmp_path)!r}, 'movenet_lightning', source='local')\n"
        "print(sys.modules['movenet'].__file__)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert Path(run.stdout.strip()).is_relative_to(tmp_path)
