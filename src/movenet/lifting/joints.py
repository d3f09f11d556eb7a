"""The joints of a lifted body, and what they are in other people's skeletons."""

import numpy as np

from movenet import keypoints

# MoveNet's 17 with their names, then four in the middle: the pelvis is halfway between the hips,
# the spine's joint is at the chest's lower end, the neck between the shoulders' tops, and the head
# ends at its crown.
MIDDLE = ("pelvis", "spine", "neck", "head")
NAMES = (*keypoints.NAMES, *MIDDLE)
INDEX = {name: index for index, name in enumerate(NAMES)}

# Where each joint goes in a mirror.
MIRROR = (*keypoints.MIRROR, *range(17, 21))

# Every joint's parent; the pelvis is the root. The face hangs on the neck.
PARENTS = {
    "spine": "pelvis",
    "neck": "spine",
    "head": "neck",
    "nose": "neck",
    **{f"{side}_{joint}": "neck" for side in ("left", "right") for joint in ("eye", "ear")},
    **{
        f"{side}_{joint}": parent.format(side)
        for side in ("left", "right")
        for joint, parent in (
            ("shoulder", "neck"),
            ("elbow", "{}_shoulder"),
            ("wrist", "{}_elbow"),
            ("hip", "pelvis"),
            ("knee", "{}_hip"),
            ("ankle", "{}_knee"),
        )
    },
}
# What is drawn: (joint, parent), without the face.
EDGES = tuple(
    (INDEX[joint], INDEX[parent])
    for joint, parent in PARENTS.items()
    if parent != "neck" or not joint.endswith(("eye", "ear", "nose"))
)

# Human3.6M's 17 joints in the order of VideoPose3D and PoseAug; its "thorax" is our neck, its
# "neck" the nose, and its 16-joint form leaves that one out.
HUMAN36M = (
    "pelvis",
    "right_hip",
    "right_knee",
    "right_ankle",
    "left_hip",
    "left_knee",
    "left_ankle",
    "spine",
    "neck",
    "nose",
    "head",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
    "right_shoulder",
    "right_elbow",
    "right_wrist",
)
HUMAN36M_16 = np.array([INDEX[name] for name in HUMAN36M if name != "nose"])
