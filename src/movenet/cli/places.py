"""Where results go: their names, and that nothing that is read is written over."""

import glob
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from movenet.errors import EngineError, MoveNetError

LOSSY = (".jpg", ".jpeg")
LATE = {"parquet", "coco", "trc", "bvh", "plot"}  # options whose FILE is FILE.part at first
EACH = {"trc", "bvh"}  # those with a file for each person


def files_of(source: str) -> list[Path]:
    """What a source is read from: its files, and their folder where it is one."""
    from movenet import images
    from movenet.errors import ImageError

    if "://" in source:
        return []
    try:
        return [Path(source), *images.find([source])]
    except ImageError:  # of a camera
        return [Path(source)]


def check_places(named: Mapping[str, Path | None], read: Iterable[Path]) -> None:
    """MoveNetError for an option whose file is what is read; EngineError where two are one."""
    taken: dict[object, str] = {mark(path): "is what is read" for path in read}
    for option, path in named.items():
        for name in [] if path is None else names_of(option, path):
            first = "" if name == path else f"would be {name} too, and that "
            other = taken.setdefault(mark(name), f"is --{option} too")
            if other == "is what is read":
                raise MoveNetError(f"--{option} {path}: {first}{other}; name another file")
            if other != f"is --{option} too":
                raise EngineError(f"--{option} {path}: {first}{other}; name another file")


def names_of(option: str, path: Path) -> list[Path]:
    """Under which names the file of an option is written, as far as that is known before."""
    from movenet.writers.writer import person_files

    parts = [Path(f"{path}.part")] if option in LATE else []
    return [path, *parts, *(person_files(path) if option in EACH else [])]


def mark(path: Path) -> object:
    """What all names of a file have in common; of one that is not there its name, in any case.

    Two names are one file by a link, or where the system makes no difference of case.
    """
    try:
        status = path.stat()
    except OSError:
        return os.path.realpath(path).casefold()
    return status.st_dev, status.st_ino


def marks(path: Path) -> set[object]:
    """`mark`, and its name in any case, which it keeps when the file is made."""
    return {mark(path), os.path.realpath(path).casefold()}


def destination(path: Path, folder: Path, taken: set[object]) -> Path:
    """A file in the folder for that picture's drawing, which nothing else of this run uses.

    `taken`: the `marks` of what is in use; this file's are added.
    """
    suffix = path.suffix if path.suffix.lower() in LOSSY else ".png"
    number = 1
    while True:
        stem = path.stem if number == 1 else f"{path.stem}-{number}"
        chosen = folder / f"{stem}{suffix}"
        if taken.isdisjoint(found := marks(chosen)):
            taken |= found
            return chosen
        number += 1


def make_folder(folder: Path) -> None:
    """The folder, made where it is missing; MoveNetError where it cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MoveNetError(
            f"{folder}: cannot be made ({error.strerror}); name another folder"
        ) from error


def is_folder(name: str) -> bool:
    """Whether it names a folder: one that is there, or by a slash at its end, or no suffix."""
    slash = name.endswith(("/", os.sep))
    return slash or not Path(name).suffix or os.path.isdir(name)


def stem_of(source: str, verb: str = "track") -> str:
    """A name for the results of a source; the verb where it has none."""
    if "://" in source:
        return Path(urlsplit(source).path).stem or verb
    path = Path(os.path.abspath(source))  # "..", too, has a name
    while glob.has_magic(path.name) and not path.exists():
        path = path.parent
    return (path.name if path.is_dir() else path.stem) or verb


def free_stem(folder: Path, stem: str, suffixes: Iterable[str], read: Iterable[Path]) -> str:
    """The stem, longer where FOLDER/STEM with one of the suffixes is what is read."""
    taken = {mark(path) for path in read}
    while not taken.isdisjoint(mark(folder / f"{stem}{suffix}") for suffix in suffixes):
        stem = f"{stem}-{folder.name}"
    return stem
