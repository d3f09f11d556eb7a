"""MediaPipe's BlazePose "full" on pictures, as COCO keypoint results.

    MEDIAPIPE/bin/python benchmarks/peers/mediapipe_results.py FILE.json < pictures.json

Standard input is JSON, image id -> file. Writes {"results": [...], "ms": median}. One person a
picture, found by MediaPipe's own detector; of its 33 landmarks COCO's 17 are kept, and a person's
score is the mean of their visibility. Runs in an environment of its own, so it imports nothing of
this package.
"""

import json
import statistics
import sys
import time
from pathlib import Path

import cv2
import numpy as np

# COCO's order; https://ai.google.dev/edge/mediapipe/solutions/vision/pose_landmarker, "landmarks".
LANDMARKS = (0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)


def main() -> None:
    """Run all pictures."""
    import mediapipe  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415

    pose = mediapipe.solutions.pose.Pose(static_image_mode=True, model_complexity=1)
    results, times = [], []
    for number, file in json.load(sys.stdin).items():
        picture = np.asarray(cv2.imread(file), np.uint8)[:, :, ::-1].copy()
        start = time.perf_counter()
        found = pose.process(picture).pose_landmarks
        times.append((time.perf_counter() - start) * 1e3)
        if found is None:
            continue
        height, width = picture.shape[:2]
        marks = [found.landmark[index] for index in LANDMARKS]
        rows = np.array([(mark.x * width, mark.y * height, 2) for mark in marks])
        results.append(
            {
                "image_id": int(number),
                "category_id": 1,
                "keypoints": rows.ravel().tolist(),
                "score": float(np.mean([mark.visibility for mark in marks])),
            }
        )
    made = {"results": results, "ms": statistics.median(times)}
    Path(sys.argv[1]).write_text(json.dumps(made))


if __name__ == "__main__":
    main()
