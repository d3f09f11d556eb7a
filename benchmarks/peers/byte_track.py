"""ByteTrack of the `trackers` package on boxes of ours, and MOT metrics of its tracks and ours.

    MOT/bin/python benchmarks/peers/byte_track.py FILE.json < asked.json

Standard input is JSON: {"rate": frames/s, "truth": rows, "tracks": {name: rows}, "detections":
{name: [[[x1, y1, x2, y2, score], ...] a frame]}, "settings": [ByteTrackTracker's arguments, ...]}.
Rows are [frame from 1, id, left, top, width, height], in pixels. Writes {"versions": {...},
"tracks": {name: figures}, "byte_track": {name: [figures a setting]}}. Runs in an environment of
its own, so it imports nothing of this package.
"""

import json
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

Rows = list[tuple[float, ...]]


def main() -> None:
    """Follow, judge, write."""
    asked = json.load(sys.stdin)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        written(folder / "truth.txt", asked["truth"])
        tracks = {name: figures(folder, rows) for name, rows in asked["tracks"].items()}
        byte_track = {
            name: [
                figures(folder, followed(frames, rate=asked["rate"], **setting))
                for setting in asked["settings"]
            ]
            for name, frames in asked["detections"].items()
        }
    versions = {name: version(name) for name in ("trackers", "supervision")}
    made = {"versions": versions, "tracks": tracks, "byte_track": byte_track}
    Path(sys.argv[1]).write_text(json.dumps(made))


def followed(frames: list[list[list[float]]], *, rate: float, **setting: Any) -> Rows:
    """The rows of ByteTrack, but for those that it gives no id."""
    import supervision  # noqa: PLC0415
    import trackers  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415

    tracker = trackers.ByteTrackTracker(frame_rate=rate, **setting)
    rows: Rows = []
    for number, boxes in enumerate(frames, 1):
        seen = np.array(boxes, np.float64).reshape(-1, 5)
        found = tracker.update(
            supervision.Detections(
                xyxy=seen[:, :4], confidence=seen[:, 4], class_id=np.zeros(len(seen), int)
            )
        )
        ids = [] if found.tracker_id is None else found.tracker_id.tolist()
        for (x1, y1, x2, y2), ident in zip(found.xyxy.tolist(), ids, strict=True):
            if ident >= 0:
                rows.append((number, ident + 1, x1, y1, x2 - x1, y2 - y1))
    return rows


def figures(folder: Path, rows: Rows) -> dict[str, float]:
    """Of tracks, against the folder's truth.txt; boxes are the same from an IoU of 0.5 on."""
    from trackers.eval import (  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415
        evaluate_mot_sequence,
    )

    nothing = {"IDF1": 0.0, "switches": 0, "fragments": 0, "false": 0, "MOTA": 0.0, "HOTA": 0.0}
    if not rows:
        missed = len((folder / "truth.txt").read_text().splitlines())
        return nothing | {"misses": missed, "ids": 0}
    written(folder / "tracks.txt", rows)
    found = evaluate_mot_sequence(
        folder / "truth.txt", folder / "tracks.txt", metrics=["CLEAR", "Identity", "HOTA"]
    )
    clear = found.CLEAR
    return {
        "IDF1": float(found.Identity.IDF1),
        "switches": int(clear.IDSW),
        "fragments": int(clear.Frag),
        "misses": int(clear.CLR_FN),
        "false": int(clear.CLR_FP),
        "MOTA": float(clear.MOTA),
        "HOTA": float(found.HOTA.HOTA),
        "ids": len({row[1] for row in rows}),
    }


def written(path: Path, rows: Rows) -> None:
    """MOTChallenge's format; every row is a person (class 1) that counts."""
    lines = (",".join(f"{number:g}" for number in row) + ",1,1,1\n" for row in rows)
    path.write_text("".join(lines))


if __name__ == "__main__":
    main()
