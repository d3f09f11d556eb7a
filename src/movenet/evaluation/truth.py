"""Annotated pictures, and what may be wrong with them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from movenet.errors import MoveNetError
from movenet.evaluation import Record
from movenet.keypoints import NAMES
from movenet.poses import COCO_PERSON


@dataclass(frozen=True)
class Truth:
    """Annotated pictures: COCO's keypoint records, checked.

    `images` are the records of the pictures that are asked for, by id, in the file's order;
    `people` their annotations.
    """

    path: Path
    images: dict[int, Record]
    people: dict[int, list[Record]]
    record: Record = field(repr=False)

    @classmethod
    def read(cls, path: Path, ids: Sequence[int] | None = None) -> "Truth":
        """Of a file. MoveNetError says what is wrong with it, or which ids are not in it."""
        record = read_json(path)
        check(path, record)
        images = {image["id"]: image for image in record["images"]}
        unknown = [i for i in ids or () if i not in images]
        if unknown:
            raise MoveNetError(f"{path}: has no picture {listed(unknown)}; check --ids")
        chosen = {i: images[i] for i in (images if ids is None else dict.fromkeys(ids))}
        if not chosen:
            raise MoveNetError(f"{path}: no pictures to evaluate")
        people: dict[int, list[Record]] = {i: [] for i in chosen}
        for annotation in record["annotations"]:
            if annotation["image_id"] in people:
                people[annotation["image_id"]].append(annotation)
        return cls(path, chosen, people, record)


def read_json(path: Path) -> Any:
    """The content of a JSON file; MoveNetError where there is none."""
    try:
        return json.loads(path.read_text())
    except OSError as error:
        raise MoveNetError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise MoveNetError(f"{path}: is not JSON ({error})") from error


def check(path: Path, record: Any) -> None:
    """MoveNetError unless it is a record of COCO's person keypoints."""
    if not isinstance(record, dict) or not {"images", "annotations", "categories"} <= set(record):
        raise MoveNetError(
            f"{path}: is not a COCO annotation file: images, annotations or categories are missing"
        )
    for category in record["categories"]:
        if category["id"] == COCO_PERSON and list(category.get("keypoints", ())) != list(NAMES):
            raise MoveNetError(
                f"{path}: annotates another skeleton; MoveNet has COCO's 17 keypoints"
            )
    for annotation in record["annotations"]:
        needed = {"image_id", "keypoints", "area", "bbox", "num_keypoints"}
        missing = sorted(needed - set(annotation))
        if missing:
            raise MoveNetError(
                f"{path}: annotation {annotation.get('id')} has no {', '.join(missing)}; "
                "OKS needs them"
            )
        if len(annotation["keypoints"]) != 3 * len(NAMES):
            raise MoveNetError(
                f"{path}: annotation {annotation.get('id')} has not 17 keypoints of x, y, v"
            )


def listed(values: Sequence[Any], most: int = 5) -> str:
    """1, 2, 3 and 7 more."""
    shown = ", ".join(str(value) for value in values[:most])
    return shown if len(values) <= most else f"{shown} and {len(values) - most} more"
