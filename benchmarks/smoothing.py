"""How much smoothing takes of the jitter, how late it is, and what it does to left and right.

    python benchmarks/smoothing.py ../shared/data/videos [--model thunder]

Jitter: the median distance of a keypoint from its own 6 Hz low-pass without lag, in heights of the
person (`movenet.jitter`). Lag: of a person 400 pixels high in 1280x720 who swings sideways at 1 Hz
by a tenth of their height, with MoveNet's noise. Swaps: pairs of a left and a right that were put
back, and how many are found of those that are planted into the clips for one to three frames.
Writes benchmarks/results/smoothing.json.

The live constants were chosen on pose2sim_single_cam01 and cam03, pose2sim_multi_cam02 and cam04
and talmolab_dance, all at half their rate as well, and on no other: at rest 4 Hz, so that the lag
of slow motion is under 40 ms whatever the noise; then, of beta 3, 4, 5, 6 and 8, the most that
leaves 0.45 of the jitter or less everywhere, which was 6, less one as a margin. Above 6 Hz
MoveNet's noise is white: the residuals of people at rest correlate as white noise's would, with
0.002 to 0.005 heights in each coordinate for Lightning, and 0.001 to 0.0025 for Thunder.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from movenet import Poses
from movenet.jitter import jitter, lag_s
from movenet.machine import this_machine
from movenet.offline import SWAP_S, Track, rising, smoothed, tracks
from movenet.pipeline import track
from movenet.poses import KEYPOINT_THRESHOLD
from movenet.smoothing import Mode, Smoother, heights
from movenet.swaps import LEFT, RIGHT, swapped

RESULTS = Path(__file__).parent / "results" / "smoothing.json"
CLIPS = ("pose2sim_*.mp4", "sports2d_demo.mp4", "talmolab_dance.mp4")  # at 30 and 60 frames/s
NOISE = 0.003  # heights; see above
HEIGHT = 400  # pixels
SWINGS = (0.02, 0.1, 0.3)  # heights, the amplitude
RATES = (30, 60)  # frames/s
SECONDS = 30
PLANTED = 25  # frames from one planted swap to the next
APART = 0.1  # heights; two that are nearer are not told apart, nor need to be
Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Row:
    """A clip. Jitter in heights of the person; swaps in pairs of keypoints, frame by frame."""

    clip: str
    rate: float
    raw: float
    google: float
    body: float
    offline: float
    pairs: int  # seen on both sides
    put_back: int
    planted: int
    found: int


@dataclass(frozen=True, slots=True)
class Lag:
    """Of a swing, in seconds; and what is left of its jitter, 0..1."""

    mode: str
    rate: int
    swing: float
    lag_s: float
    jitter: float


def main() -> None:
    """Measure, tell, save."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("videos", type=Path, help="the folder with the clips")
    parser.add_argument("--model", default="lightning", help="default: lightning")
    options = parser.parse_args()
    paths = sorted(path for pattern in CLIPS for path in options.videos.glob(pattern))
    if not paths:
        parser.error(f"{options.videos}: none of {', '.join(CLIPS)} is there")
    machine = asdict(this_machine())
    lags = [lag for rate in RATES for swing in SWINGS for lag in lags_of(rate, swing)]
    for lag in lags:
        print(
            f"1 Hz, {lag.swing:.2f} heights, {lag.rate} frames/s, {lag.mode}: "
            f"{1000 * lag.lag_s:.1f} ms late, jitter x {lag.jitter:.2f}"
        )
    rows = []
    for path in paths:
        frames = [poses for _, poses in track(path, model=options.model, smooth="none")]
        rows.append(row_of(path.stem, frames))
        print(line(rows[-1]), flush=True)
    report = {
        "machine": machine,
        "model": options.model,
        "clips": [asdict(row) for row in rows],
        "lags": [asdict(lag) for lag in lags],
    }
    RESULTS.write_text(json.dumps(report, indent=1) + "\n")


def live(frames: list[Poses], mode: Mode) -> list[Poses]:
    """As a stream."""
    smoother = Smoother(mode)
    return [smoother(poses) for poses in frames]


def row_of(clip: str, frames: list[Poses]) -> Row:
    """What each way of smoothing does to a clip."""
    times_s = rising(frames)
    random = np.random.default_rng(0)
    counts = np.zeros(4, int)
    for one in tracks(frames, times_s):
        counts += swaps_of(one, random)
    pairs, put_back, planted, found = counts.tolist()
    return Row(
        clip,
        rate=round(1 / float(np.median(np.diff(times_s))), 2),
        raw=jitter(frames),
        google=jitter(live(frames, "google")),
        body=jitter(live(frames, "body")),
        offline=jitter(smoothed(frames)),
        pairs=pairs,
        put_back=put_back,
        planted=planted,
        found=found,
    )


def swaps_of(one: Track, random: np.random.Generator) -> tuple[int, int, int, int]:
    """Pairs that were seen, and put back; swaps that were planted, and found whole."""
    seen, points = one.seen(KEYPOINT_THRESHOLD), one.columns["keypoints"]
    sizes = heights(points, seen)
    if np.isnan(sizes).all():
        return 0, 0, 0, 0
    height = float(np.nanmedian(sizes))
    both = seen[:, LEFT] & seen[:, RIGHT]  # (T, 8)
    real = swapped(one.times_s, points, seen, height, SWAP_S)
    swap(points, real[:, LEFT])
    wanted = planted_in(points / height, both, random)
    broken = points.copy()
    swap(broken, wanted)
    found = swapped(one.times_s, broken, seen, height, SWAP_S)[:, LEFT]
    starts = np.argwhere(wanted & ~np.roll(wanted, 1, axis=0))
    right = found == wanted
    whole = [bool(right[frame - 3 : frame + 6, pair].all()) for frame, pair in starts]
    return int(both.sum()), int(real[:, LEFT].sum()), len(starts), sum(whole)


def swap(points: Doubles, where: NDArray[np.bool_]) -> None:
    """Exchange left and right, in place: (T, 17, 2), (T, 8)."""
    frames, pairs = np.nonzero(where)
    left, right = LEFT[pairs], RIGHT[pairs]
    points[frames, left], points[frames, right] = points[frames, right], points[frames, left]


def planted_in(
    points: Doubles, both: NDArray[np.bool_], random: np.random.Generator
) -> NDArray[np.bool_]:
    """Where swaps are planted, (T, 8): in limbs that are apart and seen for some frames around."""
    wanted = np.zeros(both.shape, bool)
    apart = np.hypot(*(points[:, LEFT] - points[:, RIGHT]).transpose(2, 0, 1)) > APART
    for pair in range(2, 8):  # without eyes and ears
        for frame in range(5, len(points) - 8, PLANTED):
            count = int(random.integers(1, 4))
            around = both[frame - 4 : frame + count + 4, pair].all()
            wanted[frame : frame + count, pair] = (
                around and apart[frame : frame + count, pair].all()
            )
    return wanted


def lags_of(rate: int, swing: float) -> Iterator[Lag]:
    """Of every way of smoothing, one row each."""
    body = np.stack([np.where(np.arange(17) % 2, 60.0, -60.0), np.linspace(0, 320, 17)], 1)
    body *= HEIGHT / float(heights(body[None], np.ones((1, 17), bool))[0])
    times = np.arange(SECONDS * rate) / rate
    true = HEIGHT * swing * np.sin(2 * np.pi * times)
    paths = body + (640, 200) + true[:, None, None] * (1, 0)
    paths += np.random.default_rng(0).normal(0, HEIGHT * NOISE, paths.shape)
    scores = np.full((1, 17), 0.9)
    frames = [
        Poses.from_arrays(xy[None], scores, ids=[0], timestamp_s=time, image_size=(720, 1280))
        for xy, time in zip(paths, times.tolist(), strict=True)
    ]
    ways = {mode: live(frames, mode) for mode in get_args(Mode)} | {"offline": smoothed(frames)}
    for mode, found in ways.items():
        across = np.array([poses.keypoints[0, :, 0] for poses in found], np.float64)  # (T, 17)
        lags = [lag_s(path[rate:], true[rate:], 1 / rate) for path in across.T]
        yield Lag(mode, rate, swing, float(np.median(lags)), jitter(found) / jitter(frames))


def line(row: Row) -> str:
    """For people."""
    parts = [f"{row.clip}, {row.rate:.0f} frames/s: jitter {1000 * row.raw:.2f} / 1000 heights"]
    parts += [
        f"{mode} x {getattr(row, mode) / row.raw:.2f}" for mode in ("google", "body", "offline")
    ]
    parts.append(f"swaps {row.put_back} of {row.pairs} pairs")
    parts.append(f"{row.found} of {row.planted} planted ones found")
    return "; ".join(parts)


if __name__ == "__main__":
    main()
