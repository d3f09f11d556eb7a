"""Poses as COCO keypoint results, a JSON list."""

import json
from pathlib import Path
from typing import Any

from movenet.poses import Poses
from movenet.writers.growing import GrowingFile
from movenet.writers.writer import Writer, frame_index


class CocoWriter(Writer):
    """COCO results: image_id (the frame's index), category_id 1, keypoints and score a person.

    As `Poses.to_coco` gives them and pycocotools' `loadRes` takes them. It is FILE.part until it
    is closed, a whole list after every frame.
    """

    def __init__(self, path: str | Path) -> None:
        """Try the place. Raises MoveNetError where it cannot be written."""
        self._file = GrowingFile(path, part=True, head=b"[", tail=b"\n]\n")
        self._separator = "\n"

    def write(self, poses: Poses, **_: Any) -> None:
        """The people of a frame; further entries have no place here."""
        records = [json.dumps(record) for record in poses.to_coco(frame_index(poses))]
        piece = self._separator + ",\n".join(records) if records else ""
        self._file.append(piece.encode("ascii"))
        self._separator = ",\n" if records else self._separator

    def close(self) -> None:
        """Give the file its name."""
        self._file.close()
