"""The published MoveNet graphs as rows, and the constants that their decoding uses."""

import json
from dataclasses import dataclass

from movenet.errors import EngineError

STRIDE = 4  # input pixels per heatmap cell
MULTIPLE = 32  # input sides must divide by it: five halvings, and the pyramid adds them up again


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One published graph.

    `side` is the long side of the input in pixels that the network was published for, `sides` the
    long sides that the LiteRT file has graphs for, `width` the
    MobileNetV2 channel multiplier, `people` how many rows Google's tensor has. `person_threshold`
    is compared with the highest keypoint score (one person) or the instance score (several); how
    it was measured is in docs/decisions/004-who-is-there.md.
    """

    name: str
    side: int
    sides: tuple[int, ...]
    width: float
    people: int
    person_threshold: float
    source: str
    licence: str = "Apache-2.0"

    @property
    def output_shape(self) -> tuple[int, int, int] | tuple[int, int]:
        """Shape of Google's tensor for one picture: (1, 17, 3) or (6, 56)."""
        return (1, 17, 3) if self.people == 1 else (self.people, 56)

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """The input shapes (H, W) of the LiteRT file: each long side with every short one from
        half of it, both ways round; the published square comes first.
        """
        found: dict[tuple[int, int], None] = {}
        for long in (self.side, *self.sides):
            for short in range(long, long // 2 - 1, -MULTIPLE):
                found |= {(long, short): None, (short, long): None}
        return tuple(found)


ROWS = (
    ModelSpec(
        "lightning",
        side=192,
        sides=(192,),
        width=1.0,
        people=1,
        person_threshold=0.34,
        source="google/movenet/singlepose/lightning/4",
    ),
    ModelSpec(
        "thunder",
        side=256,
        sides=(256,),
        width=1.75,
        people=1,
        person_threshold=0.35,
        source="google/movenet/singlepose/thunder/4",
    ),
    ModelSpec(
        "multipose",
        side=256,
        sides=(256, 320, 384),
        width=1.5,
        people=6,
        person_threshold=0.11,
        source="google/tfjs-model/movenet/multipose/lightning/1",
    ),
)
SPECS = {row.name: row for row in ROWS}


def find(name: str) -> ModelSpec:
    """The row of that name; ValueError names the rows there are."""
    if name not in SPECS:
        raise ValueError(f"no model {name!r}; there are {', '.join(SPECS)}")
    return SPECS[name]


def spec_of(origin: str, metadata: str | bytes, wanted: ModelSpec | None) -> ModelSpec:
    """The row that an exported file says it is, in its metadata (JSON).

    `origin` names the file in an EngineError, raised where it names no model, or not `wanted`.
    """
    try:
        name = json.loads(metadata).get("model")
    except (ValueError, AttributeError):
        name = None
    if not isinstance(name, str):
        raise EngineError(
            f"{origin}: does not say which MoveNet it is; make a file with movenet export"
        )
    if name not in SPECS:
        raise EngineError(f"{origin}: holds {name}, and one of {', '.join(SPECS)} is needed here")
    if wanted is not None and wanted.name != name:
        raise EngineError(f"{origin}: holds {name}, not {wanted.name}; say --model {name}")
    return SPECS[name]


@dataclass(frozen=True)  # no slots: torch.compile of PyTorch 2.4 refers to it weakly
class Constants:
    """The numbers in Google's graphs that are not weights.

    The defaults are the true values, as in Google's int8 TFLite file. `float16_tables` rounds the
    two tables of the single-person decode (centre weights, cells to coordinates) to float16.
    """

    input_scale: float = 1 / 127.5  # net/truediv
    distance_bias: float = 1.8  # net/add_5/y, cells
    peak_tolerance: float = 1e-6  # net/Less/y
    gaussian_width: float = 0.3  # net/mul_6/y, of the shorter side of the map
    keypoint_threshold: float = 0.127  # net/Greater_1/y
    float16_tables: bool = False  # truediv_2_recip, net/Reshape_13


TRUE_CONSTANTS = Constants()

# Google's TensorFlow.js files store every constant as float16; these are the values they compute
# with. Parity with those files needs them; the package does not use them otherwise.
GRAPH_CONSTANTS = Constants(
    input_scale=0.00784301758,
    distance_bias=1.7998046875,
    peak_tolerance=1.01327896e-06,
    gaussian_width=0.300048828125,
    keypoint_threshold=0.126953125,
    float16_tables=True,
)
