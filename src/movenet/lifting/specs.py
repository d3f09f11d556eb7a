"""What the lifting networks are, and their numbers that are not weights."""

from typing import Any

FRAMES = 27  # three to the third: three strided convolutions
RATE = 30.0  # frames/s that the temporal networks were trained at
STEEPEST, FLATTEST = 2.0, 0.3  # picture's longer side over focal length: 90 and 17 degrees
SMALLEST = 1e-3  # of the picture's longer side: a person who is a point

# How many frames each network sees, which of them it lifts, and how large it is.
NETWORKS: dict[str, dict[str, Any]] = {
    "single": {"frames": 1, "reference": 0, "width": 512, "blocks": 3},
    "causal": {"frames": FRAMES, "reference": FRAMES - 1, "width": 304},
    "centred": {"frames": FRAMES, "reference": FRAMES // 2, "width": 304},
}
# What the networks are called among the models.
MODELS = {kind: f"lift-{kind}" for kind in NETWORKS}
