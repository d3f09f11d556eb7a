"""What one export is asked to do, and how its result is judged."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from movenet.export import certificate, planted
from movenet.export.certificate import Certificate, Pixels, Run, Shape
from movenet.machine import this_machine
from movenet.model import MoveNet
from movenet.specs import ModelSpec

CALIBRATED = 128  # pictures that are measured at most: their features lie in memory together


@dataclass(frozen=True)
class Job:
    """A network to be exported, and how.

    `shapes` are input shapes (H, W): those of the file where it is `fixed`, else some that a file
    for any size is checked at. `calibration` are the pictures that int8 ranges are measured on,
    `checked` those that the file is compared on; they have none in common.
    """

    model: MoveNet
    format: str
    precision: str
    shapes: tuple[Shape, ...]
    fixed: bool
    needs: tuple[str, ...] = ()  # modules that make and run the format
    heads: bool = False
    calibration: tuple[Pixels, ...] = ()
    checked: tuple[Pixels, ...] = ()

    @property
    def spec(self) -> ModelSpec:
        """The network's row."""
        return self.model.spec

    def planted(self) -> "Job":
        """The same for the planted network, which is calibrated on its own pictures."""
        pictures = tuple(picture for picture, _ in planted.pictures(self.shapes[0]))
        few = pictures[:: max(1, len(pictures) // 32)] if self.calibration else ()
        return replace(self, model=planted.network(self.spec), calibration=few)

    def certify(
        self,
        path: Path,
        runtime: str,
        run: Run,
        planted_run: Run,
        *,
        batches: bool,
        threads: int | None,
    ) -> Certificate:
        """Compare a file, run by `run` on so many CPU threads, with the network.

        `batches`: it takes several pictures. `threads`: None is the runtime's own choice.
        """
        errors = certificate.joined(
            [certificate.compare(run, self.model, self.checked, s) for s in self.shapes]
        )
        every = [errors]
        if batches:
            last = self.shapes[-1]
            every.append(certificate.compare_batch(run, self.model, self.checked, last))
        judged = certificate.joined(every)
        seen = errors.confidence > certificate.CONFIDENT
        swept = self._swept()
        sweeps = [certificate.sweep(planted_run, shape) for shape in swept]
        cells, missed = (sum(column) for column in zip(*sweeps, strict=True))
        return Certificate(
            **self._statement(path, runtime),
            keypoints=len(errors.px),
            confident=int(seen.sum()),
            max_px=certificate.largest(judged.px),
            mean_px=certificate.mean(errors.px[seen]),
            score=certificate.largest(judged.score),
            moved=certificate.moved(errors.px[seen]),
            swept=[f"{h}x{w}" for h, w in swept],
            cells=cells,
            missed_cells=missed,
            latency_ms=certificate.latency_ms(run, self.shapes[0]),
            threads=threads,
            together=batches,
            failures=certificate.failures(self.precision, judged, missed),
        )

    def unexecuted(self, path: Path, note: str) -> Certificate:
        """For a file that cannot run here: its sizes and hashes, and why there is no more."""
        nothing: dict[str, Any] = dict.fromkeys(("keypoints", "confident", "cells"), 0)
        unknown: dict[str, Any] = dict.fromkeys(
            ("max_px", "mean_px", "score", "moved", "latency_ms"), None
        )
        return Certificate(
            **self._statement(path, ""),
            **nothing,
            **unknown,
            swept=[],
            missed_cells=0,
            threads=None,
            together=False,
            failures=[],
            note=note,
        )

    def _swept(self) -> list[Shape]:
        """The largest shape, whose cells are all the cells there are; others for good measure."""
        ordered = sorted(self.shapes, key=lambda shape: shape[0] * shape[1])
        return list(dict.fromkeys((ordered[-1], ordered[0])))

    def _statement(self, path: Path, runtime: str) -> dict[str, Any]:
        return {
            "file": path.name,
            "model": self.spec.name,
            "format": self.format,
            "precision": self.precision,
            "runtime": runtime,
            "shapes": [f"{h}x{w}" for h, w in self.shapes],
            "pictures": len(self.checked),
            "pictures_sha256": certificate.pictures_digest(self.checked),
            "calibration": len(self.calibration),
            "calibration_sha256": certificate.pictures_digest(self.calibration),
            "limits": asdict(certificate.LIMITS[self.precision]),
            "bytes": certificate.size(path),
            "sha256": certificate.digest(path),
            "weights_sha256": certificate.weights_digest(self.model),
            "machine": this_machine(),
            "versions": certificate.versions(self.needs),
        }
