"""This package beside other ways to run MoveNet, and beside MediaPipe, in one interleaved run.

    python benchmarks/peers.py --google FOLDER --models FOLDER --tfjs FOLDER \\
        --mediapipe-python FILE

Writes benchmarks/results/peers.json; `python benchmarks/page.py` makes docs/benchmarks.md of it.
benchmarks/peers/README.md tells how to install the others; what is not there is left out, with the
reason. One program is timed after the other, so nothing else should run meanwhile.
"""

import argparse
import datetime
import hashlib
import json
import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from interleave import Job, Times, Worker, asked, interleave, ratio, start
from numpy.typing import NDArray

from movenet import images, pictures
from movenet.crop import CropRegion
from movenet.specs import ROWS, SPECS, ModelSpec
from movenet.verify import split_error

Pixels = NDArray[np.uint8]

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "peers.json"
PICTURES = ("astronaut", "camera", "two_people")  # those of the package
OURS = "litert"
FRAME = (720, 1280, 3)
SWAY_PX = (0, 4, 8, 12, 16, 12, 8, 4)  # how far to the right the person stands in each frame
THREADS = (1, 2)


def main() -> int:
    """Time, compare, save; 1 where not even this package could be timed."""
    options = parsed(sys.argv[1:])
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        workers, failed = start(jobs(options, Path(folder)))
        alive = dict(workers)
        try:
            outputs = asked(workers, failed, Worker.outputs)
            amount = {"rounds": options.rounds, "runs": options.runs, "dropped": options.dropped}
            times = interleave(workers, failed, **amount)
            runtimes = {job: worker.runtime for job, worker in alive.items()}
        finally:
            for worker in alive.values():
                worker.close()
    report = {
        "date": datetime.date.today().isoformat(),
        "command": command(options),
        "machine": machine() | {"load_before": round(before, 2)},
        **amount,
        "files": hashes(options),
        "rows": [row(job, times, outputs, runtimes[job]) for job in times],
        "failed": [failure(job, reason) for job, reason in failed.items()],
    }
    save(report, options.json)
    return 0 if any(job.peer == OURS for job in times) else 1


def parsed(arguments: list[str]) -> argparse.Namespace:
    """The options. `None` for a folder leaves its peers out."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    add = parser.add_argument
    add("--google", type=Path, help="folder with google_NAME_float32.tflite")
    add("--models", type=Path, help="folder with Google's movenet-NAME.json and .bin")
    add("--tfjs", type=Path, help="folder with node_modules, see peers/package.json")
    add("--mediapipe-python", type=Path, help="Python of an environment that has MediaPipe")
    add("--model", nargs="+", choices=SPECS, default=list(SPECS), help="default: all")
    add("--threads", nargs="+", type=int, default=THREADS, help="default: 1 2")
    add("--rounds", type=int, default=100, help="default: 100")
    add("--runs", type=int, default=6, help="runs a round that count (default: 6)")
    add("--dropped", type=int, default=2, help="runs before them that do not (default: 2)")
    add("--json", type=Path, default=RESULTS, help="default: benchmarks/results/peers.json")
    options = parser.parse_args(arguments)
    if min(options.rounds, options.runs, *options.threads) < 1 or options.dropped < 0:
        parser.error("rounds, runs and threads must be at least 1")
    return options


def jobs(options: argparse.Namespace, folder: Path) -> Iterator[Job]:
    """Every program to time; its pictures are written to the folder."""
    for name in options.model:
        given = inputs(SPECS[name], folder)
        for threads in options.threads:
            yield from network_jobs(options, given | {"model": name, "threads": threads})
    given = frames(folder)
    for threads in options.threads:
        for name in options.model:
            frame = given | {"kind": "frame", "model": name, "threads": threads}
            yield python_job("frame", f"frame-{name}", frame)
        yield from mediapipe_jobs(options, given | {"threads": threads})


def network_jobs(options: argparse.Namespace, given: dict[str, Any]) -> Iterator[Job]:
    """Those that run one network on pictures of its size."""
    name, threads = given["model"], given["threads"]
    yield python_job(name, OURS, given | {"kind": "engine", "engine": "litert"})
    yield python_job(name, "torch", given | {"kind": "engine", "engine": "torch"})
    if SPECS[name].people == 1:  # the earlier port has no other networks
        squashed = {"pictures": given["squashed"], "kind": "dense"}
        yield python_job(name, "earlier-port", given | squashed)
    if options.google is None:
        yield Job(name, "google-litert", threads, missing="--google was not given")
    else:
        file = options.google / f"google_{name}_float32.tflite"
        yield python_job(name, "google-litert", given | {"kind": "google", "file": str(file)})
    if options.models is None or options.tfjs is None:
        yield Job(name, "tfjs", threads, missing="--models and --tfjs were not given")
    else:
        file = options.models / f"movenet-{name}.json"
        more = json.dumps(given | {"file": str(file), "modules": str(options.tfjs)})
        yield Job(name, "tfjs", threads, ("node", str(HERE / "peers" / "tfjs.mjs"), more))


def mediapipe_jobs(options: argparse.Namespace, given: dict[str, Any]) -> Iterator[Job]:
    """MediaPipe in both modes."""
    for peer, static in (("mediapipe-tracking", False), ("mediapipe-static", True)):
        if options.mediapipe_python is None:
            missing = "--mediapipe-python was not given"
            yield Job("frame", peer, given["threads"], missing=missing)
        else:
            settings = json.dumps(given | {"static": static})
            script = str(HERE / "peers" / "mediapipe_pose.py")
            python = str(options.mediapipe_python)
            yield Job("frame", peer, given["threads"], (python, script, settings))


def python_job(table: str, peer: str, given: dict[str, Any]) -> Job:
    """A job in this environment."""
    script = str(HERE / "peers" / "movenet_peers.py")
    return Job(table, peer, given["threads"], (sys.executable, script, json.dumps(given)))


def inputs(spec: ModelSpec, folder: Path) -> dict[str, Any]:
    """Write the pictures at the network's size, letterboxed and squashed -> where they are."""
    side = spec.side
    read = [images.read(pictures.path(name)) for name in PICTURES]
    boxed = [CropRegion.whole(p.shape[:2], side, "square").extract(p) for p in read]
    squashed = [cv2.resize(p, (side, side), interpolation=cv2.INTER_LINEAR) for p in read]
    letterboxed = written(np.stack(boxed), folder / f"{spec.name}.raw")
    return {
        "pictures": letterboxed,
        "compared": letterboxed,
        "squashed": written(np.stack(squashed), folder / f"{spec.name}-squashed.raw"),
        "shape": (side, side, 3),
    }


def frames(folder: Path) -> dict[str, Any]:
    """Write frames in which the astronaut, as high as the frame, sways -> where they are."""
    picture = images.read(pictures.path("astronaut"))
    height = FRAME[0]
    width = round(picture.shape[1] * height / picture.shape[0])
    person = cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR)
    clip = np.zeros((len(SWAY_PX), *FRAME), np.uint8)
    for frame, shift in zip(clip, SWAY_PX, strict=True):
        left = (FRAME[1] - width) // 2 + shift
        frame[:, left : left + width] = person
    return {"pictures": written(clip, folder / "frames.raw"), "compared": "", "shape": FRAME}


def written(pixels: NDArray[Any], file: Path) -> str:
    """Write raw pixels; the file's name."""
    pixels.tofile(file)
    return str(file)


def row(job: Job, times: dict[Job, Times], outputs: dict[Job, Any], runtime: str) -> dict[str, Any]:
    """What is saved of one program."""
    of_job = times[job]
    found: dict[str, Any] = {
        "table": job.table,
        "peer": job.peer,
        "threads": job.threads,
        "runtime": runtime,
        "median_ms": round(float(np.median(of_job)), 3),
        "p95_ms": round(float(np.percentile(of_job, 95)), 3),
        "ratio": None,
        "difference_px": None,
    }
    ours = reference(job, times)
    if ours is not None:
        against = ratio(of_job, times[ours])
        found["ratio"] = {end: round(value, 4) for end, value in asdict(against).items()}
        if job.table in SPECS:
            side = SPECS[job.table].side
            found["difference_px"] = difference_px(outputs[job], outputs[ours], side)
    return found | {"times_ms": of_job.round(3).tolist()}


def failure(job: Job, reason: str) -> dict[str, Any]:
    """What is saved of a program that did not run, or not to the end."""
    return {"table": job.table, "peer": job.peer, "threads": job.threads, "reason": reason}


def reference(job: Job, times: dict[Job, Times]) -> Job | None:
    """Ours, that the job is compared with: LiteRT; for frames the first network."""
    for ours in times:
        alike = (ours.table, ours.threads) == (job.table, job.threads)
        if alike and ours.peer in (OURS, *(f"frame-{spec.name}" for spec in ROWS)):
            return ours
    return None


def difference_px(theirs: list[Any], ours: list[Any], side: int) -> float:
    """The largest difference of a coordinate, in pixels of the network's input."""
    worst = 0.0
    for one, other in zip(theirs, ours, strict=True):
        places, _ = split_error(np.array(one, np.float32), np.array(other, np.float32))
        worst = max(worst, places * side)
    return round(worst, 5)


def command(options: argparse.Namespace) -> str:
    """The command as others would give it, without this machine's folders."""
    parts = ["python benchmarks/peers.py"]
    for option in ("google", "models", "tfjs", "mediapipe_python"):
        if getattr(options, option) is not None:
            parts.append(f"--{option.replace('_', '-')} {option.upper()}")
    if options.model != list(SPECS):
        parts.append(f"--model {' '.join(options.model)}")
    if tuple(options.threads) != THREADS:
        parts.append(f"--threads {' '.join(map(str, options.threads))}")
    amounts = (f"--{name} {getattr(options, name)}" for name in ("rounds", "runs", "dropped"))
    return " ".join([*parts, *amounts])


def machine() -> dict[str, Any]:
    """What the times depend on."""
    processor, virtual = platform.processor() or platform.machine(), False
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = dict(
            tuple(map(str.strip, line.split(":", 1)))
            for line in cpuinfo.read_text().splitlines()
            if ":" in line
        )
        processor = lines.get("model name", processor)
        virtual = "hypervisor" in lines.get("flags", "").split()
    try:
        system = platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        system = platform.platform(terse=True)
    return {
        "processor": processor,
        "cores": os.cpu_count(),
        "virtual": virtual,
        "system": system,
        "python": platform.python_version(),
    }


def hashes(options: argparse.Namespace) -> dict[str, str]:
    """SHA-256 of Google's files."""
    files = []
    for name in options.model:
        if options.google is not None:
            files.append(options.google / f"google_{name}_float32.tflite")
        if options.models is not None:
            files += [options.models / f"movenet-{name}{suffix}" for suffix in (".json", ".bin")]
    return {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in files if f.exists()}


def save(report: dict[str, Any], file: Path) -> None:
    """JSON with a line a row."""
    rows = {key: report[key] for key in ("rows", "failed")}
    head = json.dumps({key: value for key, value in report.items() if key not in rows}, indent=1)
    lists = (
        f' "{key}": [\n' + ",\n".join(f"  {json.dumps(one)}" for one in found) + "\n ]"
        for key, found in rows.items()
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(head.removesuffix("\n}") + ",\n" + ",\n".join(lists) + "\n}\n")


if __name__ == "__main__":
    sys.exit(main())
