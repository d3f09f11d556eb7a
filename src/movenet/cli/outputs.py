"""Where the frames of `movenet track` go: files, a video and a window."""

import argparse
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from movenet import __version__
from movenet.cli.places import check_places, files_of, free_stem, make_folder, stem_of
from movenet.cli.results import Results, sink
from movenet.cli.view import View
from movenet.errors import EngineError
from movenet.pipeline import Step, is_longest
from movenet.poses import Poses
from movenet.writers import KINDS, OpenPoseWriter, Writer, open_writer
from movenet.writers.trc import TrcWriter

if TYPE_CHECKING:
    from movenet.plot import KeypointPlot
    from movenet.sources import Source

FOLDER = Path("poses")  # of a file's results, where nothing else is said
KEYPOINT = "right_wrist"  # of --plot
PLOTTED_AS = (".png", ".svg", ".pdf")


class Outputs(Results[Step]):
    """Everything that a run writes and shows. Made: every place was tried. Use it in a `with`."""

    def __init__(self, args: argparse.Namespace, source: "Source") -> None:
        """Open what the options name. Raises MoveNetError for what cannot be."""
        self.writers: list[Writer] = []
        self.plot: KeypointPlot | None = None
        read = files_of(args.source)
        choose(args, source, read)
        named = {kind: getattr(args, kind) for kind in (*KINDS, "plot")}
        named["save"] = Path(args.save) if args.save else None
        check_places(named, read)
        made = [path for path in named.values() if path]
        twice = args.smooth == "offline" or is_longest(args.target)
        super().__init__(args, source, made, twice=twice)

    def _open(self, args: argparse.Namespace, source: "Source", stack: ExitStack) -> None:
        if args.show:
            self.view = View(
                keypoint_threshold=self.threshold, mirrored=args.mirror, live=source.live
            )
            stack.enter_context(self.view)
        if args.plot:
            from movenet.plot import KeypointPlot

            self.plot = stack.enter_context(
                KeypointPlot(
                    args.plot, args.keypoint or KEYPOINT, keypoint_threshold=self.threshold
                )
            )
        if args.save:
            name = stem_of(args.source)
            self._save_to(sink(args.save, source, name=name, stride=args.stride), stack)
        for kind in KINDS:
            if (path := getattr(args, kind)) is not None:
                self.writers.append(stack.enter_context(self._writer(kind, path, args)))

    def _writer(self, kind: str, path: Path, args: argparse.Namespace) -> Writer:
        """The writer of a kind of file."""
        if kind != "trc":
            return open_writer(kind, path, model=args.model, version=__version__)
        writer = TrcWriter(
            path, metres_per_pixel=args.metres_per_pixel, keypoint_threshold=args.threshold
        )
        self.per_person[path] = writer
        return writer

    def _write(self, step: Step) -> None:
        events = [event._asdict() for event in step.events]
        for each in self.writers:
            poses = unfilled(step) if isinstance(each, OpenPoseWriter) else step.poses
            each.write(poses, events=events)
        if self.plot:
            self.plot.add(step.raw, step.poses)

    def _drawn(self, step: Step) -> NDArray[np.uint8]:
        return step.poses.draw(step.frame.image, keypoint_threshold=self.threshold)


def unfilled(step: Step) -> Poses:
    """With the networks' own scores where smoothing has filled a gap.

    Pose2Sim fills gaps itself, in space, and would take a guess of ours for a sight.
    """
    poses, raw = step.poses, step.raw
    assert poses.ids is not None
    assert raw.ids is not None
    own = dict(zip(raw.ids.tolist(), raw.keypoint_scores, strict=True))
    scores = [own.get(number, np.zeros(17, np.float32)) for number in poses.ids.tolist()]
    least = np.minimum(poses.keypoint_scores, np.array(scores, np.float32).reshape(-1, 17))
    return replace(poses, keypoint_scores=least)


def choose(args: argparse.Namespace, source: "Source", read: Sequence[Path]) -> None:
    """What to write where nothing is named: a video and a table of a file, a window of a camera.

    `read` are the files of the source. EngineError for options that cannot be.
    """
    named = args.show or args.plot or args.save or any(getattr(args, kind) for kind in KINDS)
    args.show = args.show or (source.live and not named)
    for option, needed in (("mirror", "show"), ("keypoint", "plot"), ("metres_per_pixel", "trc")):
        if getattr(args, option) and not getattr(args, needed):
            name = option.replace("_", "-")
            raise EngineError(f"--{name}: does nothing without --{needed}; add that")
    if args.plot and args.plot.suffix.lower() not in PLOTTED_AS:
        kinds = f"{', '.join(PLOTTED_AS[:-1])} or {PLOTTED_AS[-1]}"
        raise EngineError(f"--plot {args.plot}: plots are saved as {kinds}; choose one")
    if named or args.show:
        return
    make_folder(FOLDER)
    stem = free_stem(FOLDER, stem_of(args.source), (".mp4", ".csv"), read)
    args.save, args.csv = str(FOLDER / f"{stem}.mp4"), FOLDER / f"{stem}.csv"
