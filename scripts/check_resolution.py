"""Can other Pythons and systems install the package? Asks pip, installs nothing; needs an index.

    make resolve

For every Python and system below, pip resolves the required packages and every extra to wheels
(`pip install --dry-run`). torch is only looked up, since resolving it may download gigabytes, and
so is the extra `export`: a dependency of executorch has no wheel anywhere (it is pure Python).
Our own markers such as `sys_platform` are read for that system; pip reads those of dependencies
from the Python that runs it, so packages that a dependency wants on one system only are not seen.
Exit code 1 if anything has no wheel.
"""

import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
SYSTEMS = {
    "Linux x86_64": ("manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux2014_x86_64"),
    "Linux aarch64": (
        *("manylinux_2_31_aarch64", "manylinux_2_28_aarch64"),
        *("manylinux_2_27_aarch64", "manylinux2014_aarch64"),
    ),
    "macOS arm64": ("macosx_14_0_arm64",),
    "Windows x86_64": ("win_amd64",),
}
MARKERS = {
    "Linux x86_64": {"sys_platform": "linux", "platform_machine": "x86_64"},
    "Linux aarch64": {"sys_platform": "linux", "platform_machine": "aarch64"},
    "macOS arm64": {"sys_platform": "darwin", "platform_machine": "arm64"},
    "Windows x86_64": {"sys_platform": "win32", "platform_machine": "AMD64"},
}
PROJECT = tomllib.loads(Path(__file__).resolve().parents[1].joinpath("pyproject.toml").read_text())


def requirements() -> tuple[str, list[str]]:
    """torch's line of pyproject.toml, and every other one, extras included."""
    project = PROJECT["project"]
    extras = project["optional-dependencies"]
    lines = [*project["dependencies"]]
    lines += [line for name, extra in extras.items() if name != "export" for line in extra]
    lines = [line for line in lines if not line.startswith(project["name"])]  # extras of extras
    torch = next(line for line in lines if line.startswith("torch"))
    return torch, [line for line in lines if line != torch]


def wanted(lines: list[str], system: str) -> list[str]:
    """The requirements that hold on that system, without their markers."""
    found = [Requirement(line) for line in lines]
    there = [one for one in found if one.marker is None or one.marker.evaluate(MARKERS[system])]
    return [f"{one.name}{one.specifier}" for one in there]


def pip(*arguments: str) -> tuple[bool, str]:
    """Whether pip ended well, and the last line of what it says."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    run = subprocess.run(command, capture_output=True, text=True)
    said = [line for line in run.stderr.splitlines() if line.startswith("ERROR")]
    return run.returncode == 0, said[-1] if said else run.stdout


def target(python: str, platforms: tuple[str, ...]) -> list[str]:
    """pip's options for that Python on that system, wheels only."""
    options = ["--only-binary=:all:", "--implementation=cp", f"--python-version={python}"]
    return options + [f"--platform={platform}" for platform in platforms]


def has_torch(line: str, options: list[str]) -> tuple[bool, str]:
    """Whether there is a torch of at least the release that the line asks for."""
    least = tuple(map(int, line.removeprefix("torch>=").split(".")))
    found, said = pip("index", "versions", "torch", *options)
    newest = re.search(r"torch \((\d+)\.(\d+)", said)
    good = found and newest is not None and tuple(map(int, newest.groups())) >= least
    return good, said.splitlines()[0] if good else f"no {line}"


def resolves(lines: list[str], options: list[str]) -> tuple[bool, str]:
    """Whether pip finds a wheel for every line and, unless told otherwise, for what they need."""
    with tempfile.TemporaryDirectory() as folder:
        asked = ["--dry-run", "--ignore-installed", "--target", folder, *options, *lines]
        return pip("install", *asked)


def main() -> int:
    """Print a line for every pair; 1 if one of them fails."""
    torch, others = requirements()
    name, extras = PROJECT["project"]["name"], PROJECT["project"]["optional-dependencies"]
    exporters = [line for line in extras["export"] if not line.startswith(name)]
    required = [line for line in PROJECT["project"]["dependencies"] if line != torch]
    failed = 0
    for python in PYTHONS:
        for system, platforms in SYSTEMS.items():
            options = target(python, platforms)
            asked = {
                "torch": has_torch(torch, options),
                "others": resolves(wanted(others, system), options),
                "export": resolves(wanted(exporters, system), ["--no-deps", *options]),
            }
            if python == PYTHONS[0]:
                least = [line.replace(">=", "==") + ".*" for line in wanted(required, system)]
                asked["lowest"] = resolves(least, options)
            bad = {what: said for what, (good, said) in asked.items() if not good}
            failed += bool(bad)
            print(f"Python {python:5} {system:15} {bad or 'yes'}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
