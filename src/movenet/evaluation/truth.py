"""Annotated pictures, and what may be wrong with them."""

import json
import math
from collections import Counter
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
            annotation.setdefault("iscrowd", 0)
            if annotation["image_id"] in people:
                people[annotation["image_id"]].append(annotation)
        if not any(a["num_keypoints"] and not a["iscrowd"] for of in people.values() for a in of):
            raise MoveNetError(f"{path}: annotates no keypoints in the pictures that are asked for")
        return cls(path, chosen, people, record)


def read_json(path: Path) -> Any:
    """The content of a JSON file; MoveNetError where there is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise MoveNetError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise MoveNetError(f"{path}: is not JSON ({error})") from error


def check(path: Path, record: Any) -> None:
    """MoveNetError unless it is a record of COCO's person keypoints."""
    lists = ("images", "annotations", "categories")
    if not isinstance(record, dict) or not all(is_records(record.get(name)) for name in lists):
        raise MoveNetError(
            f"{path}: is not a COCO annotation file: images, annotations or categories are missing"
        )
    people = [row for row in record["categories"] if row.get("id") == COCO_PERSON]
    if not people:
        raise MoveNetError(f"{path}: has no category {COCO_PERSON}, which is COCO's person")
    if any(row.get("keypoints") != list(NAMES) for row in people):
        raise MoveNetError(f"{path}: annotates another skeleton; MoveNet has COCO's 17 keypoints")
    for row in record["images"]:
        if not is_whole(row.get("id")) or not isinstance(row.get("file_name"), str):
            raise MoveNetError(f"{path}: picture {row.get('id')!r} has no id or file_name")
    check_unique(path, "pictures", [row["id"] for row in record["images"]])
    for row in record["annotations"]:
        check_annotation(path, row)
    check_unique(path, "annotations", [row["id"] for row in record["annotations"]])
    pictures = {row["id"] for row in record["images"]}
    lost = [row["id"] for row in record["annotations"] if row["image_id"] not in pictures]
    if lost:
        raise MoveNetError(f"{path}: annotations {listed(lost)} are of pictures that are not in it")


def check_annotation(path: Path, row: Record) -> None:
    """MoveNetError unless one annotation has all that OKS needs."""
    name = f"{path}: annotation {row.get('id')!r}"
    needed = ("image_id", "category_id", "keypoints", "num_keypoints", "area", "bbox")
    missing = [key for key in needed if row.get(key) is None]
    if missing:
        raise MoveNetError(f"{name} has no {', '.join(missing)}; OKS needs them")
    if not is_whole(row.get("id")) or row["id"] < 1:  # pycocotools takes 0 for unmatched
        raise MoveNetError(f"{name}: ids must be whole numbers of at least 1")
    if row["category_id"] != COCO_PERSON:
        raise MoveNetError(
            f"{name} is of category {row['category_id']!r}; only {COCO_PERSON}, people, can be "
            "evaluated"
        )
    if not is_whole(row["image_id"]) or row.get("iscrowd", 0) not in (0, 1):
        raise MoveNetError(f"{name}: image_id must be a whole number, and iscrowd 0 or 1")
    check_measures(name, row)


def check_measures(name: str, row: Record) -> None:
    """MoveNetError unless an annotation's numbers are ones."""
    if not is_numbers(row["keypoints"], 3 * len(NAMES)):
        raise MoveNetError(f"{name} has not 17 keypoints of x, y, v")
    if not is_numbers(row["bbox"], 4) or not is_numbers([row["area"], row["num_keypoints"]], 2):
        raise MoveNetError(f"{name}: bbox, area and num_keypoints must be numbers")
    if row["num_keypoints"] != sum(seen > 0 for seen in row["keypoints"][2::3]):
        raise MoveNetError(f"{name}: num_keypoints is not how many keypoints are labelled")
    if row["num_keypoints"] and min(row["area"], *row["bbox"][2:]) <= 0:
        raise MoveNetError(f"{name}: area and box must be over 0; OKS needs them")


def check_unique(path: Path, what: str, ids: list[int]) -> None:
    """MoveNetError names what is there twice."""
    twice = [number for number, times in Counter(ids).items() if times > 1]
    if twice:
        raise MoveNetError(f"{path}: several {what} have the id {listed(twice)}")


def is_records(value: Any) -> bool:
    """Whether it is a list of JSON objects."""
    return isinstance(value, list) and all(isinstance(row, dict) for row in value)


def is_whole(value: Any) -> bool:
    """Whether it is a whole number of 64 bits."""
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63


def is_numbers(value: Any, count: int) -> bool:
    """Whether it is a list of so many finite numbers."""
    return (
        isinstance(value, list)
        and len(value) == count
        and all(isinstance(one, int | float) and math.isfinite(one) for one in value)
    )


def listed(values: Sequence[Any], most: int = 5) -> str:
    """1, 2, 3 and 7 more."""
    shown = ", ".join(str(value) for value in values[:most])
    return shown if len(values) <= most else f"{shown} and {len(values) - most} more"
