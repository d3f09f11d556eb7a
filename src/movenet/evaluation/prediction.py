"""What a network gives for annotated pictures, by a protocol; what is done stays done."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from movenet.crop import CropRegion
from movenet.errors import MoveNetError
from movenet.estimator import PoseEstimator
from movenet.evaluation import Protocol, Record
from movenet.evaluation.truth import Truth, listed, read_json
from movenet.poses import Poses

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
    runtime: str
    letterbox: str
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
        part = path.with_name(path.name + UNFINISHED)
        if part.is_file():
            self._read(part)
        try:
            self._file = part.open("a", encoding="utf-8")
            if not part.stat().st_size:
                self._line(asdict(recipe))
        except OSError as error:
            raise MoveNetError(f"--results {path}: cannot be written ({error.strerror})") from error

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
            try:
                self._path.write_text(json.dumps(results))
                Path(self._file.name).unlink()
            except OSError as error:
                raise MoveNetError(
                    f"--results {self._path}: cannot be written ({error.strerror})"
                ) from error
        return results

    def _line(self, record: object) -> None:
        if self._file:
            self._file.write(json.dumps(record) + "\n")
            self._file.flush()

    def _read(self, part: Path) -> None:
        lines = part.read_text(encoding="utf-8").splitlines(keepends=True)
        whole = [json.loads(line) for line in lines if line.endswith("\n")]
        if len(whole) < len(lines):  # the last line was cut off
            part.write_text("".join(lines[:-1]), encoding="utf-8")
        if not whole:
            return
        if whole[0] != asdict(self._recipe):
            changed = [k for k, v in asdict(self._recipe).items() if whole[0].get(k) != v]
            raise MoveNetError(
                f"{part}: was begun with another {', '.join(changed)}; delete it, or name other "
                "--results"
            )
        self.done = {row["image_id"]: row["results"] for row in whole[1:]}


def read_results(path: Path, truth: Truth) -> list[Record]:
    """A COCO results list, of the pictures that are evaluated. MoveNetError for another file."""
    records = read_json(path)
    needed = {"image_id", "keypoints", "score"}
    if not isinstance(records, list) or not all(
        isinstance(row, dict) and needed <= set(row) and len(row["keypoints"]) == 51
        for row in records
    ):
        raise MoveNetError(f"{path}: is not a list of COCO keypoint results")
    return [row for row in records if row["image_id"] in truth.images]


def read_ids(path: Path) -> list[int]:
    """COCO image ids, one a line. MoveNetError for another file."""
    try:
        return [int(word) for word in path.read_text().split()]
    except OSError as error:
        raise MoveNetError(f"--ids {path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise MoveNetError(f"--ids {path}: is not a list of picture ids ({error})") from error
