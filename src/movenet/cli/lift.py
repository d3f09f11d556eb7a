"""Lift people into three dimensions; draw their bodies beside the picture, or write their joints.

SOURCE is as that of 'movenet track'; it may also be several pictures, which are lifted each by
itself (photos/*.jpg, without quotation marks), while a folder or a quoted pattern holds the frames
of one clip. A file gives lifted/NAME.mp4 (a picture lifted/NAME.png) and lifted/NAME.csv, and a
camera or stream a window, unless options name what to write. Keys in the window: the arrows turn
the bodies, q ends, space pauses, m mirrors the view, s saves it as a picture.
"""

import argparse
import glob
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from movenet.cli import track
from movenet.cli.options import above_zero, add_device, add_engine, add_threads, place, saved
from movenet.cli.source import check_first, check_part, open_named
from movenet.errors import EngineError, VideoError
from movenet.lifting.specs import TALLEST_M

if TYPE_CHECKING:
    from movenet.cli.lifted import Lifting
    from movenet.cli.lifted_outputs import LiftedOutputs
    from movenet.pose_tracker import PoseTracker
    from movenet.sources import Source

ANIMATED = {".gif", ".apng"}  # pictures by their suffix, read as the videos they are
MOVING = ("bvh", "trc")  # options of movements, and of whole bodies


def add_options(parser: argparse.ArgumentParser) -> None:
    """SOURCE, how to follow people and to lift them, and where the results go."""
    parser.add_argument(
        "sources",
        nargs="+",
        metavar="SOURCE",
        help="a picture or several, a video, frames, a camera or an address",
    )
    add_lifting(parser)
    track.add_following(parser)
    add_engine(parser)
    add_device(parser, "auto")
    add_threads(parser)
    track.add_part(parser)
    add_outputs(parser)


def add_lifting(parser: argparse.ArgumentParser) -> None:
    """What becomes of the keypoints."""
    parser.add_argument(
        "--height",
        type=stature,
        metavar="M",
        help="everybody's stature in metres, as 1.78; the unit is then the metre (default: "
        "unknown, the unit is the body height)",
    )
    parser.add_argument(
        "--upright",
        action="store_true",
        help="turn a file's bodies to gravity, as it is estimated from people who stand",
    )
    parser.add_argument(
        "--weights",
        type=Path,
        metavar="FILE",
        help="a checkpoint of the earlier port's lifter (VideoPose, 16 joints, one frame) in "
        "place of the networks that come with the package",
    )


def add_outputs(parser: argparse.ArgumentParser) -> None:
    """Files and the window."""
    for option, kind, what in (
        ("--save", "FILE", "picture and bodies side by side: a video (.mp4, .mov) of a clip, a "
         ".png or .jpg of a picture, or a folder/ of pictures"),
        ("--json", "FILE", "JSON Lines, a line a frame, with joint angles"),
        ("--csv", "FILE", "a table, a row a joint"),
        ("--parquet", "FILE", "the same table as Parquet"),
        ("--bvh", "FILE", "a skeleton that moves, as Blender opens it, a file a person"),
        ("--trc", "FILE", "marker trajectories as OpenSim reads them, a file a person"),
    ):  # fmt: skip
        name = saved if option == "--save" else place
        parser.add_argument(option, type=name, metavar=kind, help=what)
    parser.add_argument("--show", action="store_true", help="a window that shows the bodies live")
    parser.add_argument(
        "--mirror", action="store_true", help="mirror the window of --show, not the results"
    )


def stature(text: str) -> float:
    """A person's height in metres."""
    height_m = above_zero(text)
    if height_m > TALLEST_M:
        raise argparse.ArgumentTypeError(
            f"must be metres, up to {TALLEST_M:g}, as 1.78, not {text}"
        )
    return height_m


def run(args: argparse.Namespace) -> int:
    """Lift and write; what was done before an error, or Ctrl-C, is whole."""
    from movenet.cli.lifted import Lifting
    from movenet.cli.lifted_outputs import LiftedOutputs

    files = pictures(args.sources)
    args.source = args.sources[0]
    check(args, files)
    source = opened(args, files)
    with source, ExitStack() as stack:
        tracker = track.opened(args, source)
        check_source(args, source, files)
        lifting = Lifting(args)
        outputs = LiftedOutputs(args, source, files, lifting)
        stack.callback(lambda: print(outputs.summary(tracker.stopwatch.times_ms)))
        stack.enter_context(outputs)  # closed before the summary, after an interrupt too
        return follow(source, tracker, lifting, outputs, args)


def pictures(sources: Sequence[str]) -> list[Path]:
    """Those that are lifted each by itself; none for a clip. EngineError for several clips."""
    clips = [source for source in sources if not is_picture(source)]
    if clips and len(sources) > 1:
        raise EngineError(f"{clips[0]}: is no picture; of videos, folders and cameras give one")
    return [] if clips else [Path(source) for source in sources]


def is_picture(source: str) -> bool:
    """Whether a word names one picture, as far as its name tells."""
    from movenet.images import SUFFIXES

    if os.path.splitext(source)[1].lower() not in set(SUFFIXES) - ANIMATED:
        return False
    pattern = glob.has_magic(source) and not os.path.isfile(source)
    return not (pattern or os.path.isdir(source) or "://" in source)


def check(args: argparse.Namespace, files: Sequence[Path]) -> None:
    """EngineError for options that do not go together."""
    check_part(args)
    if args.weights and args.height:
        raise EngineError(
            "--height: --weights gives metres of its own, those of Human3.6M's people"
        )
    if args.weights and (kind := first(args, MOVING)):
        raise EngineError(
            f"--{kind}: needs the face's joints, which --weights does not give; take --json, "
            "--csv or --parquet"
        )
    if len(files) > 1 and (kind := first(args, MOVING)):
        raise EngineError(f"--{kind}: is one movement, and pictures are none; give them one by one")
    if files and (args.start or args.end is not None or args.stride > 1 or args.rate):
        raise EngineError("--start, --end, --stride, --rate: are for clips, and a picture is none")
    if files and args.camera_size:
        raise EngineError("--camera-size: is asked of cameras, and a picture is none")


def first(args: argparse.Namespace, options: Sequence[str]) -> str | None:
    """Of these options the first that is given."""
    return next((option for option in options if getattr(args, option)), None)


def opened(args: argparse.Namespace, files: Sequence[Path]) -> "Source":
    """What the words name."""
    from movenet.sources.clock import USUAL_RATE
    from movenet.sources.pictures import Pictures
    from movenet.sources.span import Span

    if not files:
        return open_named(args)
    name = str(files[0]) if len(files) == 1 else f"{len(files)} pictures"
    return Pictures(files, name, rate=USUAL_RATE, span=Span(0.0, None, 1))


def check_source(args: argparse.Namespace, source: "Source", files: Sequence[Path]) -> None:
    """EngineError for what a source cannot have, before anything is written over.

    One picture is read: VideoError where it is none.
    """
    if source.live and args.upright:
        raise EngineError(
            f"--upright: is estimated from a whole file, and {source.name} is live; record it first"
        )
    if len(files) == 1:
        next(iter(source))
    if not source.live and len(files) < 2:
        check_first(args.target, source)


def follow(
    source: "Source",
    tracker: "PoseTracker",
    lifting: "Lifting",
    outputs: "LiftedOutputs",
    args: argparse.Namespace,
) -> int:
    """Every frame lifted and into the outputs -> the exit code."""
    from movenet.cli.lifted import causal, whole

    if outputs.files:
        return each_by_itself(tracker, lifting, outputs, args)
    watch = track.progress(source, outputs)
    way = causal if source.live else whole
    return track.put_all(way(source, tracker, lifting, args, watch), outputs, args)


def each_by_itself(
    tracker: "PoseTracker", lifting: "Lifting", outputs: "LiftedOutputs", args: argparse.Namespace
) -> int:
    """Pictures; those that cannot be read are named, and the others done."""
    from tqdm import tqdm

    from movenet.cli.lifted import still

    failed: list[VideoError] = []

    def fail(error: VideoError) -> None:
        failed.append(error)
        tqdm.write(f"movenet: {error}", file=sys.stderr)

    files = outputs.files
    bar = tqdm(files, unit="picture", disable=None if len(files) > 1 else True)
    with bar:
        passed = still(bar, tracker, lifting, args, outputs.counted, fail)
        return track.put_all(passed, outputs, args) or (1 if failed else 0)
