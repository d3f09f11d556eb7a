"""The people of one picture in three dimensions."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from movenet.lifting import joints as table

if TYPE_CHECKING:
    import pandas

Floats = NDArray[np.float32]
HEIGHTS, METRES = "body heights", "m"


@dataclass(frozen=True, slots=True, eq=False)
class Bodies:
    """The people in one picture, in three dimensions; P people, in the order of their poses.

    joints (P, 21, 3) float32: x right, y down, z away from the camera (or, `upright`, y down along
    gravity), the pelvis at 0. All are NaN of a person without a single usable keypoint.
    uncertainty (P, 21) float32: how far from the truth a joint is to be expected, half of the time;
    infinite where the joint is NaN, and NaN where a network does not tell it.
    unit "body heights", or "m" where a height was given.
    ids (P,) int64 or None; frame_index and timestamp_s of the frame.

    Nobody is a normal answer: P is 0 then.
    """

    joints: Floats
    uncertainty: Floats
    unit: str = HEIGHTS
    ids: NDArray[np.int64] | None = None
    frame_index: int | None = None
    timestamp_s: float | None = None

    @property
    def joint_names(self) -> tuple[str, ...]:
        """The 21 joints: MoveNet's 17 keypoints, then pelvis, spine, neck and head."""
        return table.NAMES

    def __len__(self) -> int:
        """The number of people."""
        return len(self.joints)

    def __getitem__(self, index: int | slice | NDArray[Any]) -> "Bodies":
        """One person (an int), or some of them (a slice, a mask, indices), as Bodies."""
        if isinstance(index, int | np.integer):
            if not -len(self) <= index < len(self):
                raise IndexError(f"person {index} of {len(self)}")
            index = np.array([index])
        ids = None if self.ids is None else self.ids[index]
        joints, uncertainty = self.joints[index], self.uncertainty[index]
        return replace(self, joints=joints, uncertainty=uncertainty, ids=ids)

    def __iter__(self) -> Iterator["Bodies"]:
        """The people, one Bodies each."""
        return (self[index] for index in range(len(self)))

    def __repr__(self) -> str:
        """One line: how many people, and the unit."""
        noun = "person" if len(self) == 1 else "people"
        return f"Bodies({len(self)} {noun}, in {self.unit})"

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, lists and strings, ready for JSON.

        A joint that is NaN is None, and so is an uncertainty that is infinite, as at such a joint,
        or that no network tells. `from_dict` reads it back exactly.
        """
        ids = [None] * len(self) if self.ids is None else self.ids.tolist()
        rows = zip(ids, self.joints.tolist(), self.uncertainty.tolist(), strict=True)
        return {
            "frame_index": self.frame_index,
            "timestamp_s": self.timestamp_s,
            "unit": self.unit,
            "people": [
                {
                    "id": number,
                    "joints": [None if math.isnan(point[0]) else point for point in points],
                    "uncertainty": [value if math.isfinite(value) else None for value in spread],
                }
                for number, points, spread in rows
            ],
        }

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> "Bodies":
        """What `to_dict` gave -> Bodies. Further keys are passed over; a missing one is an error.

        Raises ValueError naming what is missing or of the wrong shape.
        """
        count, nowhere = len(table.NAMES), [np.nan] * 3
        try:
            rows = record["people"]
            points = [[point or nowhere for point in row["joints"]] for row in rows]
            joints = np.array(points, np.float32).reshape(len(rows), count, 3)
            spread = np.array([row["uncertainty"] for row in rows], np.float32)  # None: NaN
            spread = spread.reshape(len(rows), count)
            spread[np.isnan(joints).any(-1)] = np.inf
            ids = [row["id"] for row in rows]
            return cls(
                joints,
                spread,
                unit=record["unit"],
                ids=None if None in ids or not ids else np.array(ids, np.int64),
                frame_index=record.get("frame_index"),
                timestamp_s=record.get("timestamp_s"),
            )
        except KeyError as error:
            raise ValueError(f"not a record of bodies: {error.args[0]!r} is missing") from error
        except (TypeError, ValueError) as error:
            raise ValueError(f"not a record of bodies: {error}") from error

    def to_dataframe(self) -> "pandas.DataFrame":
        """A pandas table, one row a person and joint.

        Columns: frame_index, timestamp_s, person (0, 1, ... in this picture), id, joint, x, y, z,
        uncertainty, unit. Needs the extra: pip install "movenet-pytorch[pandas]".
        """
        try:
            import pandas
        except ImportError as error:
            raise ImportError('pip install "movenet-pytorch[pandas]"') from error
        count, names = len(self), table.NAMES
        rows = count * len(names)
        ids = [None] * count if self.ids is None else self.ids
        x, y, z = self.joints.reshape(-1, 3).T
        frame: pandas.DataFrame = pandas.DataFrame(
            {
                "frame_index": pandas.array([self.frame_index] * rows, "Int64"),
                "timestamp_s": pandas.array([self.timestamp_s] * rows, "Float64"),
                "person": np.repeat(np.arange(count), len(names)),
                "id": pandas.array(ids, "Int64").repeat(len(names)),
                "joint": list(names) * count,
                "x": x,
                "y": y,
                "z": z,
                "uncertainty": self.uncertainty.ravel(),
                "unit": self.unit,
            }
        )
        return frame
