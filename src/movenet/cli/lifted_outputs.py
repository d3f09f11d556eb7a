"""Where the bodies of `movenet lift` go: files, a video or pictures, and a window."""

import argparse
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from movenet import __version__, images
from movenet.cli.lifted import Lifted, Lifting
from movenet.cli.pair import SIDES, LiftedView, Pair
from movenet.cli.places import (
    check_places,
    destination,
    files_of,
    free_stem,
    is_folder,
    make_folder,
    marks,
    stem_of,
)
from movenet.cli.predict import counted
from movenet.cli.results import Results, sink
from movenet.errors import EngineError, MoveNetError
from movenet.lifting.writers import KINDS, BodiesWriter, BvhWriter, TrcWriter, open_writer

if TYPE_CHECKING:
    from movenet.sources import Source

FOLDER = Path("lifted")  # of a file's results, where nothing else is said
TABLE = "pictures"  # of several pictures


class LiftedOutputs(Results[Lifted]):
    """Everything that a run writes and shows. Made: every place was tried. Use it in a `with`."""

    def __init__(
        self, args: argparse.Namespace, source: "Source", files: Sequence[Path], lifting: Lifting
    ) -> None:
        """Open what the options name. Raises MoveNetError for what cannot be.

        `files` are the pictures that are lifted each by itself, none for a clip or a camera.
        """
        self.writers: list[BodiesWriter] = []
        self.files, self._unit = files, lifting.unit
        self._lifter = lifting.network(live=source.live, pictures=bool(files))
        self._people = 0
        sides = SIDES[:1] if source.live else SIDES  # half the work, where it must keep up
        self._pair = Pair(keypoint_threshold=args.threshold, sides=sides, stills=bool(files))
        read = [file for word in args.sources for file in files_of(word)]
        choose(args, source, files, read)
        named = {kind: getattr(args, kind) for kind in KINDS}
        named["save"] = Path(args.save) if args.save else None
        check_places(named, read)
        made = [path for path in named.values() if path]
        super().__init__(args, source, made, twice=not (source.live or files))

    def _open(self, args: argparse.Namespace, source: "Source", stack: ExitStack) -> None:
        if args.show:
            self.view = LiftedView(
                keypoint_threshold=self.threshold,
                mirrored=args.mirror,
                live=source.live,
                stills=bool(self.files),
            )
            stack.enter_context(self.view)
        if args.save and self.files:
            self._save_to(Stills(args.save, self.files), stack)
        elif args.save:
            name = stem_of(args.sources[0], "lift")
            self._save_to(sink(args.save, source, name=name, stride=args.stride), stack)
        for kind in KINDS:
            if (path := getattr(args, kind)) is not None:
                writer = open_writer(
                    kind,
                    path,
                    model=args.model,
                    lifter=self._lifter,
                    version=__version__,
                    unit=self._unit,
                )
                self.writers.append(stack.enter_context(writer))
                if isinstance(writer, BvhWriter | TrcWriter):
                    self.per_person[path] = writer

    def _count(self, step: Lifted) -> None:
        super()._count(step)
        self._people += len(step.poses)

    def _write(self, step: Lifted) -> None:
        if self.files:
            more: dict[str, object] = {"source": str(self.files[step.frame.index])}
        else:
            more = {"events": [event._asdict() for event in step.events]}
        for each in self.writers:
            each.write(step.bodies, **more)

    def _drawn(self, step: Lifted) -> NDArray[np.uint8]:
        return self._pair.draw(step)

    def _seen(self) -> str:
        if not self.files:
            return super()._seen()
        return f"{counted(self.frames, 'picture')}, {counted(self._people, 'person')}"


class Stills:
    """Pictures in a folder under the names of their files, or one in a file of its own."""

    def __init__(self, save: str, files: Sequence[Path]) -> None:
        """Make the folder. MoveNetError says why it cannot be, or what is no name of a picture."""
        self._folder, self._files = Path(save), files
        self._file = None if is_folder(save) else self._folder
        self._taken = set[object]().union(*map(marks, files))
        if self._file is None:
            make_folder(self._folder)
        elif self._file.suffix.lower() not in images.SAVED_AS:
            raise EngineError(
                f"--save {save}: pictures are saved as {', '.join(images.SAVED_AS)}, or in a "
                "folder, a name without a suffix or with a / at its end"
            )
        elif len(files) > 1:
            raise EngineError(
                f"--save {save}: is one picture for {len(files)}; name a folder, with a / at its "
                "end"
            )
        elif not self._file.parent.is_dir():
            raise MoveNetError(f"--save {save}: its folder is not there; make it, or name another")

    def write(self, image: NDArray[np.uint8], index: int) -> None:
        """Save the picture of that file; ImageError says why not."""
        if self._file is None:
            name = self._files[index].with_suffix(".png")
            images.save(image, destination(name, self._folder, self._taken))
        else:
            images.save(image, self._file)


def choose(
    args: argparse.Namespace, source: "Source", files: Sequence[Path], read: Sequence[Path]
) -> None:
    """What to write where nothing is named: a drawing and a table of files, a camera's window.

    `files` are pictures that are lifted each by itself, and `read` all files of the sources.
    """
    named = args.show or args.save or any(getattr(args, kind) for kind in KINDS)
    args.show = args.show or (source.live and not named)
    if args.mirror and not args.show:
        raise EngineError("--mirror: does nothing without --show; add that")
    if named or args.show:
        return
    make_folder(FOLDER)
    drawn = ".png" if files else ".mp4"
    stem = free_stem(FOLDER, stem_of(args.sources[0], "lift"), (drawn, ".csv"), read)
    args.save, args.csv = str(FOLDER / f"{stem}{drawn}"), FOLDER / f"{stem}.csv"
    if len(files) > 1:
        args.save, args.csv = str(FOLDER), FOLDER / f"{TABLE}.csv"
