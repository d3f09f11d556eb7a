"""Where the bodies of `movenet lift` go: files, a video or pictures, and a window."""

import argparse
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from movenet import __version__, images
from movenet.cli.lifted import Lifted
from movenet.cli.pair import LiftedView, Pair
from movenet.cli.predict import counted, destination, make_folder
from movenet.cli.results import Results, places, sink, stem_of
from movenet.errors import EngineError, MoveNetError
from movenet.lifting.writers import KINDS, BodiesWriter, BvhWriter, TrcWriter, open_writer

if TYPE_CHECKING:
    from movenet.sources import Source

FOLDER = Path("lifted")  # of a file's results, where nothing else is said
TABLE = "pictures"  # of several pictures
# Those that empty an old file come last, when everything else could be opened.
WRITERS = sorted(KINDS, key=lambda kind: kind in ("json", "csv"))


class LiftedOutputs(Results[Lifted]):
    """Everything that a run writes and shows. Made: every place was tried. Use it in a `with`."""

    def __init__(
        self, args: argparse.Namespace, source: "Source", files: Sequence[Path], unit: str
    ) -> None:
        """Open what the options name. Raises MoveNetError for what cannot be.

        `files` are the pictures that are lifted each by itself, none for a clip or a camera.
        """
        self.writers: list[BodiesWriter] = []
        self.files, self._unit = files, unit
        self._people = 0
        self._pair = Pair(keypoint_threshold=args.threshold, stills=bool(files))
        choose(args, source, files)
        super().__init__(args, source, twice=not (source.live or files))

    def _open(self, args: argparse.Namespace, source: "Source", stack: ExitStack) -> None:
        named = {kind: getattr(args, kind) for kind in (*KINDS, "save")}
        self.made += places(named, args.sources)
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
        for kind in WRITERS:
            if (path := getattr(args, kind)) is not None:
                writer = open_writer(
                    kind, path, model=args.model, version=__version__, unit=self._unit
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

    def __init__(self, save: Path, files: Sequence[Path]) -> None:
        """Make the folder. MoveNetError says why it cannot be, or what is no name of a picture."""
        self._file = save if save.suffix else None
        self._folder, self._files = save, files
        self._taken = {str(file.resolve()).casefold() for file in files}
        if self._file is None:
            make_folder(save)
        elif save.suffix.lower() not in images.SAVED_AS:
            raise MoveNetError(
                f"--save {save}: pictures are saved as {', '.join(images.SAVED_AS)}, or in a "
                "folder, a name without a suffix"
            )
        elif len(files) > 1:
            raise MoveNetError(
                f"--save {save}: is one picture for {len(files)}; name a folder, without a suffix"
            )

    def write(self, image: NDArray[np.uint8], index: int) -> None:
        """Save the picture of that file; ImageError says why not."""
        if self._file is None:
            name = self._files[index].with_suffix(".png")
            images.save(image, destination(name, self._folder, self._taken))
        else:
            images.save(image, self._file)


def choose(args: argparse.Namespace, source: "Source", files: Sequence[Path]) -> None:
    """What to write where nothing is named: a drawing and a table of files, a camera's window."""
    named = args.show or args.save or any(getattr(args, kind) for kind in KINDS)
    args.show = args.show or (source.live and not named)
    if args.mirror and not args.show:
        raise EngineError("--mirror: does nothing without --show; add that")
    if named or args.show:
        return
    make_folder(FOLDER)
    stem = stem_of(args.sources[0], "lift")
    args.save, args.csv = FOLDER / f"{stem}.mp4", FOLDER / f"{stem}.csv"
    if len(files) > 1:
        args.save, args.csv = FOLDER, FOLDER / f"{TABLE}.csv"
    elif files:
        args.save = FOLDER / f"{stem}.png"
