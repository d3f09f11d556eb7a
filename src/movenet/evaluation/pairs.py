"""Distances in pixels: every annotated person beside the result that is most like them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from movenet.evaluation import Record
from movenet.evaluation.truth import Truth
from movenet.keypoints import INDEX
from movenet.oks import oks

PCK = 0.2  # of the torso


@dataclass(frozen=True)
class Pairs:
    """Every annotated person beside the result that is most like them, nan where there is none.

    image (T,) ids; keypoints, found (T, 17, 2) px; labelled (T, 17); oks (T,); torso (T,) px from
    the left shoulder to the right hip, nan where one is not labelled.
    """

    image: NDArray[np.int64]
    keypoints: NDArray[np.float64]
    labelled: NDArray[np.bool_]
    found: NDArray[np.float64]
    oks: NDArray[np.float64]

    @property
    def distances(self) -> NDArray[np.float64]:
        """(T, 17) px; nan where not labelled or not found."""
        apart = np.linalg.norm(self.found - self.keypoints, axis=2)
        return np.where(self.labelled, apart, np.nan)

    @property
    def torsos(self) -> NDArray[np.float64]:
        """(T,) px from the left shoulder to the right hip; nan where one is not labelled."""
        ends = [INDEX["left_shoulder"], INDEX["right_hip"]]
        long = np.linalg.norm(self.keypoints[:, ends[0]] - self.keypoints[:, ends[1]], axis=1)
        return np.where(self.labelled[:, ends].all(1), long, np.nan)

    def pck(self) -> NDArray[np.float64]:
        """(17,) per cent of labelled keypoints within PCK torsos; what is not found is not.

        Of people whose torso is labelled.
        """
        near, counts = self._near()
        with np.errstate(all="ignore"):
            return np.asarray(100 * near.sum(0) / counts.sum(0))

    def all_pck(self) -> float:
        """The same of all keypoints together."""
        near, counts = self._near()
        return float(100 * near.sum() / max(1, counts.sum()))

    def _near(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """(T, 17) which keypoints lie near enough, and which count."""
        counts = self.labelled & np.isfinite(self.torsos)[:, None]
        return (self.distances <= PCK * self.torsos[:, None]) & counts, counts

    def pixels(self) -> NDArray[np.float64]:
        """(17,) mean distance in px of labelled keypoints of people who are found."""
        sums = np.nansum(self.distances, 0)
        with np.errstate(all="ignore"):
            return np.asarray(sums / np.isfinite(self.distances).sum(0))


def pairs(truth: Truth, results: Iterable[Record]) -> Pairs:
    """Annotated people with labelled keypoints, beside the results of their pictures."""
    given: dict[int, list[NDArray[np.float64]]] = {}
    for record in results:
        points = np.array(record["keypoints"], np.float64).reshape(17, 3)[:, :2]
        given.setdefault(record["image_id"], []).append(points)
    rows = [
        (image, annotation)
        for image, people in truth.people.items()
        for annotation in people
        if annotation["num_keypoints"] and not annotation.get("iscrowd")
    ]
    found = [best(annotation, given.get(image, [])) for image, annotation in rows]
    points = np.array([row["keypoints"] for _, row in rows], np.float64).reshape(-1, 17, 3)
    return Pairs(
        image=np.array([image for image, _ in rows], np.int64),
        keypoints=points[:, :, :2],
        labelled=points[:, :, 2] > 0,
        found=np.array([points for points, _ in found]).reshape(-1, 17, 2),
        oks=np.array([alike for _, alike in found]),
    )


def best(
    annotation: Record, given: Sequence[NDArray[np.float64]]
) -> tuple[NDArray[np.float64], float]:
    """The most similar of some poses (17, 2), and its OKS; nan and 0 without any."""
    if not given:
        return np.full((17, 2), np.nan), 0.0
    points = np.array(annotation["keypoints"], np.float64).reshape(1, 17, 3)
    areas, counts = np.array([annotation["area"]]), points[:, :, 2] > 0
    alike = oks(points[:, :, :2], np.stack(given), areas, counts)[0]
    chosen = int(alike.argmax())
    return given[chosen], float(alike[chosen])
