"""The source that the options name, and what can be wrong with it."""

import argparse
from contextlib import closing
from typing import TYPE_CHECKING

from movenet.errors import EngineError

if TYPE_CHECKING:
    from movenet.frame import Frame
    from movenet.sources import Source


def open_named(args: argparse.Namespace) -> "Source":
    """The source that the options name; EngineError for those that it cannot have."""
    from movenet.sources import open_source
    from movenet.sources.animation import Animation
    from movenet.sources.camera import Camera
    from movenet.sources.stream import Stream
    from movenet.sources.video import Video

    check_part(args)
    try:
        source = open_source(
            args.source,
            start_s=args.start,
            end_s=args.end,
            stride=args.stride,
            **({"camera_size": args.camera_size} if args.camera_size else {}),
            **({"rate": args.rate} if args.rate else {}),
        )
    except ValueError as error:
        raise EngineError(str(error)) from error
    if args.rate and isinstance(source, (Animation, Stream, Video)):
        raise EngineError(f"--rate: {args.source} has times of its own; --stride leaves frames out")
    if args.camera_size and not isinstance(source, Camera):
        raise EngineError(f"--camera-size: is asked of cameras, and {args.source} is none")
    return source


def check_part(args: argparse.Namespace) -> None:
    """EngineError for a part that ends before it begins."""
    if args.end is not None and args.end <= args.start:
        raise EngineError(f"--end {args.end:g}: must be after --start {args.start:g}")


def check_first(target: str | None, source: "Source") -> None:
    """EngineError for a box beside the pictures of a file, before anything is written over."""
    from movenet.pipeline import frames_of

    if target is not None:
        with closing(frames_of(source)) as frames:
            for frame in frames:
                return check_box(target, frame)


def check_box(target: str | None, frame: "Frame") -> None:
    """EngineError for a box beside a picture."""
    from movenet.target import parse

    aim = parse(target) if target is not None else None
    if aim is None or aim.kind != "box":
        return
    height, width = frame.image.shape[:2]
    x1, y1, x2, y2 = aim.box
    if x1 >= width or y1 >= height or x2 <= 0 or y2 <= 0:
        raise EngineError(f"--target {target}: is outside the picture, which is {width}x{height}")
