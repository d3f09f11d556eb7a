"""What a network gives for annotated pictures, by a protocol; what is done stays done."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from movenet.crop import CropRegion
from movenet.errors import MoveNetError
from movenet.estimator import PoseEstimator
from movenet.evaluation import Protocol, Record
from movenet.evaluation.truth import (
    Truth,
    is_numbers,
    is_records,
    is_whole,
    listed,
    read_json,
)
from movenet.poses import COCO_PERSON, Poses

Pixels = NDArray[np.uint8]
BOX_MARGIN = 1.25  # of single-crop, usual for networks that are given boxes
UNFINISHED = ".part"  # after the name of a results file


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is evaluated, as the first line of unfinished results says it."""

    protocol: Protocol
    model: str
    refine: str  # the network of the second look, "" without one
    finder: str
    quality: str
    engine: str  # its name, or the file's and its SHA-256
    runtime: str  # of the first look, and of the second where it is another
    letterbox: str
    annotations: str  # SHA-256
    pictures: str  # SHA-256 of their ids
    version: str


def locate(truth: Truth, folder: Path) -> dict[int, Path]:
    """The file of every picture. MoveNetError lists those that are not there."""
    paths = {number: folder / record["file_name"] for number, record in truth.images.items()}
    missing = [path.name for path in paths.values() if not path.is_file()]
    if missing:
        raise MoveNetError(
            f"{folder}: {len(missing)} of {len(paths)} annotated pictures are missing: "
            f"{listed(missing)}; give those that are there with --ids"
        )
    return paths


def predict(
    estimator: PoseEstimator, protocol: Protocol, picture: Pixels, people: list[Record]
) -> Poses:
    """Everybody that is found in a picture; for the single protocols the best one."""
    if protocol == "single-crop":
        found = estimator.estimate([picture], [true_crop(estimator, people)])[0]
    else:
        found = estimator.estimate([picture])[0]
    return found if protocol == "multi" else found[:1]


def true_crop(estimator: PoseEstimator, people: list[Record]) -> CropRegion:
    """Around the annotated box of the one person there is."""
    left, top, width, height = people[0]["bbox"]
    corners = np.array([[left, top], [left + width, top + height]])
    return CropRegion.around(corners, estimator.crop_shapes, BOX_MARGIN)


def check_single(truth: Truth, protocol: Protocol) -> None:
    """MoveNetError where a picture of a protocol for one person has more, or none."""
    if protocol == "multi":
        return
    wrong = [number for number, people in truth.people.items() if len(people) != 1]
    if wrong:
        raise MoveNetError(
            f"{truth.path}: --protocol {protocol} is for pictures of one person; "
            f"{listed(wrong)} have another number; choose pictures with --ids"
        )


class Progress:
    """Results, line by line in a file beside the one to be made, from which a run goes on."""

    def __init__(self, path: Path | None, recipe: Recipe):
        """Read what is there. MoveNetError if it was made in another way, or cannot be written."""
        self._path, self._recipe = path, recipe
        self.done: dict[int, list[Record]] = {}
        self._file = None
        if path is None:
            return
        if path.exists():
            raise MoveNetError(f"--results {path}: is there already; delete it or name another")
        self._part = path.with_name(path.name + UNFINISHED)
        with self._writing():
            whole = self._read() if self._part.is_file() else ""
            if len(whole) < (self._part.stat().st_size if self._part.is_file() else 0):
                self._part.write_text(whole, encoding="utf-8")  # the last line was cut off
            self._file = self._part.open("ab", buffering=0)  # a line is there, or not
        try:
            if not whole:
                self._line(asdict(recipe))
        except MoveNetError:
            self._file.close()
            raise

    def __enter__(self) -> "Progress":
        """For `with`, which closes the file."""
        return self

    def __exit__(self, *_: object) -> None:
        """What is done stays in the unfinished file."""
        if self._file:
            self._file.close()

    def add(self, number: int, records: list[Record]) -> None:
        """The results of one picture."""
        self.done[number] = records
        self._line({"image_id": number, "results": records})

    def finish(self, order: Iterable[int]) -> list[Record]:
        """All results in the order of the pictures; they are in their file now."""
        results = [record for number in order for record in self.done[number]]
        if self._file and self._path:
            self._file.close()
            with self._writing():  # whole or not at all
                made = self._path.with_name(self._path.name + ".tmp")
                made.write_text(json.dumps(results))
                made.replace(self._path)
                self._part.unlink()
        return results

    def _line(self, record: object) -> None:
        if self._file:
            with self._writing():
                self._file.write(json.dumps(record).encode() + b"\n")

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise MoveNetError(
                f"--results {self._path}: cannot be written ({error.strerror})"
            ) from error

    def _read(self) -> str:
        """The whole lines of the unfinished file; what they say is done."""
        recipe = asdict(self._recipe)
        try:
            text = self._part.read_text(encoding="utf-8")
            whole = text[: text.rfind("\n") + 1]
            first, *rows = [json.loads(line) for line in whole.splitlines()] or [recipe]
            changed = [name for name, value in recipe.items() if first.get(name) != value]
            self.done = {row["image_id"]: row["results"] for row in rows}
            for number, results in self.done.items():
                if not all(is_result(one) and one["image_id"] == number for one in results):
                    raise ValueError(number)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise MoveNetError(f"{self._part}: is damaged; delete it to begin again") from error
        if changed:
            raise MoveNetError(
                f"{self._part}: was begun with another {', '.join(changed)}; delete it, or name "
                "other --results"
            )
        return whole


def read_results(path: Path, truth: Truth) -> list[Record]:
    """A COCO results list, of the pictures that are evaluated. MoveNetError for another file."""
    records = read_json(path)
    if not is_records(records) or not all(map(is_result, records)):
        raise MoveNetError(f"{path}: is not a list of COCO's keypoint results of people")
    results = [row for row in records if row["image_id"] in truth.images]
    if not results:
        raise MoveNetError(f"{path}: has no result of the pictures that are evaluated")
    return results


def is_result(row: Record) -> bool:
    """Whether it is one record of COCO's results format."""
    return (
        is_whole(row.get("image_id"))
        and row.get("category_id") == COCO_PERSON
        and is_numbers(row.get("keypoints"), 51)
        and is_numbers([row.get("score")], 1)
    )


def read_ids(path: Path) -> list[int]:
    """COCO image ids, one a line. MoveNetError for another file."""
    try:
        return [int(word) for word in path.read_text().split()]
    except OSError as error:
        raise MoveNetError(f"--ids {path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise MoveNetError(f"--ids {path}: is not a list of picture ids ({error})") from error
