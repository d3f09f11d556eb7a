"""Poses as a folder of OpenPose JSON, one file a frame, as Pose2Sim reads it."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from movenet.errors import MoveNetError
from movenet.poses import Poses
from movenet.writers.growing import GrowingFile, closed, unwritable
from movenet.writers.writer import Writer, frame_index

_VERSION = 1.3  # of OpenPose's format
# What OpenPose writes and MoveNet does not see.
_EMPTY: dict[str, list[float]] = {
    "face_keypoints_2d": [],
    "hand_left_keypoints_2d": [],
    "hand_right_keypoints_2d": [],
    "pose_keypoints_3d": [],
    "face_keypoints_3d": [],
    "hand_left_keypoints_3d": [],
    "hand_right_keypoints_3d": [],
}


class OpenPoseWriter(Writer):
    """FOLDER/NAME_000000.json and so on; NAME is the folder's without `_json`.

    The number is the frame's index: Pose2Sim brings cameras together by it. Every frame has a
    file, with no people where nobody is. A person is x, y and score of COCO's 17 keypoints
    (Pose2Sim's pose_model COCO_17), and `person_id` the track, -1 without one. Keypoints of low
    score keep their place and score, and are not made zeros as OpenPose does: Pose2Sim has its
    own threshold, weighs by the score, and takes a person's size from all of them
    (pose2sim 0.10: triangulation.py, common.py).
    """

    def __init__(self, folder: str | Path) -> None:
        """Make the folder. Raises MoveNetError where that cannot be done, or where it has frames.

        Frames of an earlier, longer run would be taken for this one's.
        """
        self._folder, self._closed = Path(folder), False
        self._name = self._folder.resolve().name.removesuffix("_json")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            names = os.listdir(self._folder)
        except FileExistsError as error:
            raise MoveNetError(f"{folder}: is a file; name a folder") from error
        except OSError as error:
            raise unwritable(self._folder, error) from error
        if any(name.startswith(f"{self._name}_") and name.endswith(".json") for name in names):
            raise MoveNetError(f"{folder}: has frames of an earlier run; empty it, or name another")
        GrowingFile(self._file(0), part=True).drop()  # can files be made?

    def write(self, poses: Poses, **_: Any) -> None:
        """A frame's file, whole or not at all; further entries have no place here."""
        if self._closed:
            raise closed()
        ids = [-1] * len(poses) if poses.ids is None else poses.ids.tolist()
        points = np.concatenate([poses.keypoints, poses.keypoint_scores[..., None]], 2)
        people = [
            {"person_id": [person], "pose_keypoints_2d": values, **_EMPTY}
            for person, values in zip(ids, points.reshape(-1, 51).tolist(), strict=True)
        ]
        text = json.dumps({"version": _VERSION, "people": people})
        file = GrowingFile(self._file(frame_index(poses)), part=True)
        try:
            file.append(text.encode("ascii"))
            file.close()
        finally:
            file.drop()  # what was not finished

    def close(self) -> None:
        """Write no more."""
        self._closed = True

    def _file(self, index: int) -> Path:
        return self._folder / f"{self._name}_{index:06d}.json"
