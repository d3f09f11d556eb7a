"""Follow people in a video, camera or stream; draw them, or write their keypoints to files.

SOURCE is a video file, a folder or pattern of numbered pictures, a GIF, the number of a camera
(0), or an address (rtsp://..., http://...). A file gives poses/NAME.mp4 and poses/NAME.csv, and a
camera or stream a window, unless options name what to write. Keys in the window: q ends, space
pauses, m mirrors the view, s saves it as a picture. A picture by itself stays until a key or a
click.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

from movenet.cli.options import (
    above_zero,
    add_device,
    add_engine,
    add_refine_with,
    add_threads,
    picture_size,
    place,
    positive,
    saved,
    share,
    time_s,
)
from movenet.cli.source import check_box, check_first, open_named
from movenet.errors import EngineError, VideoError
from movenet.keypoints import NAMES
from movenet.specs import SPECS

if TYPE_CHECKING:
    from movenet.cli.outputs import Outputs
    from movenet.cli.results import Results
    from movenet.cli.view import S
    from movenet.frame import Frame
    from movenet.pipeline import Watch
    from movenet.pose_tracker import PoseTracker
    from movenet.sources import Source


def add_options(parser: argparse.ArgumentParser) -> None:
    """SOURCE, how to follow people, and where the results go."""
    parser.add_argument(
        "source", metavar="SOURCE", help="a video, pictures, a camera or an address"
    )
    add_following(parser)
    add_engine(parser)
    add_device(parser, "auto")
    add_threads(parser)
    add_part(parser)
    add_outputs(parser)


def add_following(parser: argparse.ArgumentParser) -> None:
    """The options of `PoseTracker`."""
    parser.add_argument(
        "--model",
        choices=SPECS,
        default="multipose",
        help="multipose sees up to six people; lightning (fast) and thunder (better) follow one "
        "(default: multipose)",
    )
    parser.add_argument(
        "--refine",
        action=argparse.BooleanOptionalAction,
        help="look at each person again, on a crop of their own (default: with multipose on "
        "files, so that a camera keeps up)",
    )
    add_refine_with(parser)
    parser.add_argument(
        "--finder",
        choices=("multipose",),
        help="find the person whom lightning or thunder follows with multipose",
    )
    parser.add_argument(
        "--size",
        type=positive,
        metavar="N",
        help="long side of multipose's input, a multiple of 32 up to 640 (default: 256; 256, 320 "
        "and 384 are fast)",
    )
    parser.add_argument(
        "--crop",
        choices=("person", "google"),
        default="person",
        help="where lightning and thunder look next (multipose needs none): at the person's own "
        "aspect, or Google's square (default: person)",
    )
    parser.add_argument(
        "--similarity",
        choices=("oks", "iou"),
        default="oks",
        help="ids go by keypoints and boxes, or by boxes alone (default: oks)",
    )
    parser.add_argument(
        "--target",
        metavar="WHO",
        help="one person only: center, largest, longest (in a file, read twice), id:N (of a run "
        "with the same options before) or box:x1,y1,x2,y2 (in pixels)",
    )
    parser.add_argument(
        "--smooth",
        choices=("live", "google", "offline", "none"),
        default="live",
        help="live: One-Euro; google: as TensorFlow.js; offline: a file without lag, read twice "
        "(default: live)",
    )
    parser.add_argument(
        "--threshold",
        type=share,
        default=0.3,
        metavar="SCORE",
        help="show and smooth keypoints over this score (default: 0.3)",
    )


def add_part(parser: argparse.ArgumentParser) -> None:
    """The options of `open_source`."""
    parser.add_argument(
        "--stride", type=positive, default=1, metavar="N", help="every Nth frame (default: 1)"
    )
    parser.add_argument(
        "--start",
        type=time_s,
        default=0.0,
        metavar="TIME",
        help="from this time on, in seconds (62.5) or as 1:02.5",
    )
    parser.add_argument("--end", type=time_s, metavar="TIME", help="up to this time")
    parser.add_argument(
        "--camera-size",
        type=picture_size,
        metavar="WxH",
        help="what a camera is asked for (default: 1280x720)",
    )
    parser.add_argument(
        "--rate",
        type=above_zero,
        metavar="N",
        help="frames a second of pictures, and of a camera, not of a video (default: 30)",
    )


def add_outputs(parser: argparse.ArgumentParser) -> None:
    """Files and the window."""
    for option, kind, what in (
        ("--save", "FILE", "annotated video (.mp4, .mov), or a folder/ for its frames as pictures"),
        ("--json", "FILE", "JSON Lines, a line a frame"),
        ("--csv", "FILE", "a table, a row a keypoint"),
        ("--parquet", "FILE", "the same table as Parquet"),
        ("--coco", "FILE", "COCO keypoint results"),
        ("--openpose", "DIR", "OpenPose JSON, a file a frame, as Pose2Sim reads it"),
        ("--trc", "FILE", "marker trajectories as OpenSim reads them"),
        ("--plot", "FILE", "x and y of a keypoint over time, before and after smoothing (.png)"),
    ):
        name = saved if option == "--save" else place
        parser.add_argument(option, type=name, metavar=kind, help=what)
    parser.add_argument(
        "--keypoint",
        choices=NAMES,
        metavar="NAME",
        help="the keypoint of --plot, as left_knee (default: right_wrist)",
    )
    parser.add_argument(
        "--metres-per-pixel",
        type=above_zero,
        metavar="M",
        help="for --trc: its unit is then the metre (default: a pixel counts as a millimetre)",
    )
    parser.add_argument("--show", action="store_true", help="a window that shows the people live")
    parser.add_argument(
        "--mirror", action="store_true", help="mirror the window of --show, not the results"
    )


def run(args: argparse.Namespace) -> int:
    """Follow and write; what was done before an error, or Ctrl-C, is whole."""
    from movenet.cli.outputs import Outputs

    source = open_named(args)
    with source, ExitStack() as stack:
        tracker = opened(args, source)
        if not source.live:
            check_first(args.target, source)
        outputs = Outputs(args, source)
        stack.callback(lambda: print(outputs.summary(tracker.stopwatch.times_ms)))
        stack.enter_context(outputs)  # closed before the summary, after an interrupt too
        return follow(source, tracker, outputs, args)


def opened(args: argparse.Namespace, source: "Source") -> "PoseTracker":
    """The tracker that the options ask for; EngineError for those that contradict each other."""
    from movenet.pipeline import check_passes, open_tracker

    refine = args.refine
    if refine is None:
        refine = args.refine_with is not None or (args.model == "multipose" and not source.live)
    if args.refine_with and not refine:
        raise EngineError("--refine-with: names a second look that --no-refine leaves out")
    if args.crop == "google" and SPECS[args.model].people > 1:
        raise EngineError("--crop google: is for one person; add --model lightning or thunder")
    try:
        tracker = open_tracker(
            smooth=args.smooth,
            target=args.target,
            model=args.model,
            refine=refine and (args.refine_with or True),
            finder=args.finder,
            size=args.size,
            crop=args.crop,
            similarity=args.similarity,
            engine=args.engine,
            device=args.device,
            threads=args.threads,
            keypoint_threshold=args.threshold,
        )
        check_passes(source, tracker, smooth=args.smooth, target=args.target)
    except ValueError as error:
        raise EngineError(str(error)) from error
    return tracker


def follow(
    source: "Source", tracker: "PoseTracker", outputs: "Outputs", args: argparse.Namespace
) -> int:
    """Every frame through the tracker and into the outputs."""
    from movenet.pipeline import steps

    watch = progress(source, outputs)
    passed = steps(source, tracker, smooth=args.smooth, target=args.target, watch=watch)
    return put_all(passed, outputs, args)


def put_all(passed: "Iterator[S]", outputs: "Results[S]", args: argparse.Namespace) -> int:
    """Every frame into the outputs -> the exit code.

    A source that breaks off is an exit code of 1; its good part is done.
    """
    while True:
        try:
            step = next(passed, None)
        except VideoError as error:
            if args.debug or not outputs.frames:
                raise
            print(f"movenet: {error}", file=sys.stderr)
            return 1
        if step is None:
            return missed(args.target, outputs)
        if not outputs.frames:
            check_box(args.target, step.frame)
        if not outputs.put(step):
            return 0


def missed(target: str | None, outputs: "Results[S]") -> int:
    """1, and a line, where an id that was asked for was never seen; else 0."""
    from movenet.target import parse

    aim = parse(target) if target is not None else None
    if aim is None or aim.kind != "id" or outputs.ids:
        return 0
    print(
        f"movenet: --target {target}: this id was never seen; run without --target to see which "
        "there are",
        file=sys.stderr,
    )
    return 1


def progress(source: "Source", outputs: "Results[S]") -> "Watch":
    """Frames a second and the time left, on the terminal, for each pass over a source."""
    from tqdm import tqdm

    passes = iter(outputs.passes)

    def watched(frames: "Iterable[Frame]") -> "Iterator[Frame]":
        name, used = next(passes)
        return used(tqdm(frames, name, source.count, unit="frame", disable=None))

    return watched
