"""Google's own TFLite files on annotated pictures, judged as ours are.

Lightning alone, on Google's square, by two protocols; `accuracy.py` writes the rows into the page.
"""

import statistics
import time
from pathlib import Path

import numpy as np

from movenet import PoseEstimator, images
from movenet.benchmark.foreign import ForeignFile
from movenet.crop import CropRegion
from movenet.evaluation import Record
from movenet.evaluation.prediction import BOX_MARGIN
from movenet.evaluation.truth import Truth
from movenet.specs import SPECS

PROTOCOLS = ("single-crop", "single-full")


def results(file: Path, protocol: str, truth: Truth, folder: Path) -> tuple[list[Record], float]:
    """COCO results of a file, and its median milliseconds a picture."""
    estimator = PoseEstimator("lightning", letterbox="square", person_threshold=0.0, refine=False)
    spec = SPECS["lightning"]
    foreign = ForeignFile(file, spec=spec, shape=(spec.side, spec.side), threads=2)
    rows, times = [], []
    for number, record in truth.images.items():
        picture = images.read(folder / record["file_name"])
        region = CropRegion.whole(picture.shape[:2], spec.side, "square")
        if protocol == "single-crop":
            left, top, width, height = truth.people[number][0]["bbox"]
            corners = np.array([[left, top], [left + width, top + height]])
            region = CropRegion.around(corners, [(spec.side, spec.side)], BOX_MARGIN)
        start = time.perf_counter()
        output = foreign(foreign.prepared(region.extract(picture)[None]))
        poses = estimator.postprocess(output[0], region, picture.shape[:2])
        times.append((time.perf_counter() - start) * 1e3)
        rows += poses.to_coco(number)
    return rows, statistics.median(times)
