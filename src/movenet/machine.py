"""What a benchmark ran on."""

import contextlib
import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = (
    "movenet-pytorch",
    "torch",
    "ai-edge-litert",
    "numpy",
    "opencv-python-headless",
    "pillow",
)
CPU_KEYS = ("model name", "Hardware", "Model")  # x86; 32-bit ARM; Raspberry Pi


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine and its state at the start. `load` is that of the last minute, if known."""

    cpu: str
    cores: int  # that this process may use
    load: float | None
    system: str
    date: str  # UTC
    versions: dict[str, str]

    @property
    def busy(self) -> bool:
        """Whether something else takes more than half of the cores."""
        return self.load is not None and self.load > self.cores / 2


def this_machine() -> Machine:
    """This one, now."""
    return Machine(
        cpu=cpu_name(),
        cores=usable_cores(),
        load=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        system=f"{platform.system()} {platform.machine()}",
        date=datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        versions=versions(),
    )


def cpu_name() -> str:
    """The processor's name as the system tells it; its kind where it tells none."""
    name = ""
    if sys.platform == "linux":
        name = named(Path("/proc/cpuinfo"))
    elif sys.platform == "darwin":
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            name = subprocess.run(
                ["sysctl", "-n", "machdep.cpu.brand_string"],
                capture_output=True,
                text=True,
                check=True,
            ).stdout.strip()
    return name or platform.processor() or platform.machine()


def named(cpuinfo: Path) -> str:
    """The processor's name in /proc/cpuinfo, "" where it has none."""
    try:
        lines = cpuinfo.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    pairs = [line.partition(":")[::2] for line in lines]
    found = {key.strip(): value.strip() for key, value in pairs}
    return next((found[key] for key in CPU_KEYS if found.get(key)), "")


def usable_cores() -> int:
    """The cores that this process may run on."""
    usable = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()
    return usable or 1


def versions() -> dict[str, str]:
    """Of Python and of the packages that do the work, but for the engine's (see its runtime)."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            found[package] = version(package)
    return found
