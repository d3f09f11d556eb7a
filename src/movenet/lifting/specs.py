"""What the lifting networks are, and their numbers that are not weights."""

from typing import Any

from movenet.keypoints import NAMES

FRAMES = 27  # three to the third: three strided convolutions
RATE = 30.0  # frames/s that the temporal networks were trained at
STEEPEST, FLATTEST = 2.0, 0.3  # picture's longer side over focal length: 90 and 17 degrees
TALLEST_M = 3.0  # the tallest man known measured 2.72 m; more is another unit
SMALLEST = 1e-3  # of the picture's longer side: a person who is a point

# Keypoints whose distance in the picture a network sees: those of a side, and across the body.
_OF_A_SIDE = (
    ("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"),
    ("shoulder", "hip"), ("ear", "shoulder"),
)  # fmt: skip
_ACROSS = (
    *((f"left_{name}", f"right_{name}") for name in ("shoulder", "hip", "wrist", "ankle")),
    *((f"{side}_{name}", "nose") for name in ("ear", "shoulder") for side in ("left", "right")),
    ("left_shoulder", "right_hip"),
    ("right_shoulder", "left_hip"),
)
PAIRS = tuple(
    (NAMES.index(first), NAMES.index(second))
    for first, second in (
        *((f"{s}_{one}", f"{s}_{other}") for s in ("left", "right") for one, other in _OF_A_SIDE),
        *_ACROSS,
    )
)

# How many frames each network sees, which of them it lifts, and how large it is.
NETWORKS: dict[str, dict[str, Any]] = {
    "single": {"frames": 1, "reference": 0, "width": 256, "blocks": 9},
    "causal": {"frames": FRAMES, "reference": FRAMES - 1, "width": 256, "blocks": 2, "after": 7},
    "centred": {"frames": FRAMES, "reference": FRAMES // 2, "width": 256, "blocks": 2, "after": 7},
}
# What the networks are called among the models.
MODELS = {kind: f"lift-{kind}" for kind in NETWORKS}
