"""MoveNet's 17 keypoints as data: names, edges, sides, mirror pairs, COCO's spreads."""

# COCO's order, as in Google's graphs. Left and right are the person's own.
NAMES = (
    "nose",
    "left_eye",
    "right_eye",
    "left_ear",
    "right_ear",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
)

INDEX = {name: index for index, name in enumerate(NAMES)}

# The 18 edges that Google's MoveNet samples draw (TF Hub tutorial, KEYPOINT_EDGE_INDS_TO_COLOR).
EDGES = (
    (0, 1),
    (0, 2),
    (1, 3),
    (2, 4),
    (0, 5),
    (0, 6),
    (5, 7),
    (7, 9),
    (6, 8),
    (8, 10),
    (5, 6),
    (5, 11),
    (6, 12),
    (11, 12),
    (11, 13),
    (13, 15),
    (12, 14),
    (14, 16),
)

# -1 the person's left, 1 the right, 0 the middle.
SIDES = tuple(
    -1 if name.startswith("left_") else 1 if name.startswith("right_") else 0 for name in NAMES
)

# Where each keypoint goes when the picture is mirrored.
MIRROR = tuple(
    INDEX[name.replace("left_", "right_") if side < 0 else name.replace("right_", "left_")]
    for name, side in zip(NAMES, SIDES, strict=True)
)

# How far annotators are apart, per keypoint, as a part of the square root of a person's area:
# COCO's keypoint task, https://cocodataset.org/#keypoints-eval, section 1.3.
SIGMAS = (
    *(0.026, 0.025, 0.025, 0.035, 0.035),  # head
    *(0.079, 0.079, 0.072, 0.072, 0.062, 0.062),  # arms
    *(0.107, 0.107, 0.087, 0.087, 0.089, 0.089),  # legs
)
