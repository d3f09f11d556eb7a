"""Checkpoints of the earlier port's lifter, for those who have one: VideoPose of one frame.

The network is the temporal model of Pavllo et al., "3D human pose estimation in video with temporal
convolutions and semi-supervised training" (CVPR 2019), figure 2, with every filter one frame wide,
as PoseAug trained it (Gong, Zhang, Feng, CVPR 2021). Such checkpoints were trained on Human3.6M,
which may be used for research only.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from movenet import keypoints as coco
from movenet.errors import WeightsError
from movenet.lifting.joints import HUMAN36M, HUMAN36M_16, INDEX, NAMES

Floats = NDArray[np.float32]

JOINTS = tuple(name for name in HUMAN36M if name != "nose")  # 16, the pelvis first
WIDTH, BLOCKS = 1024, 4
# The crown, on the line from the shoulders' middle to the ears' and on by this part of it: of the
# stature, shoulders are at 0.818 and the eyes, with which the ears are level, at 0.936 (Drillis
# and Contini 1966, as in Winter, figure 4.1).
CROWN = (1 - 0.936) / (0.936 - 0.818)
# Where a checkpoint has the tensors: PoseAug's two, else they are the whole file.
WRAPPINGS = ("state_dict", "model_pos")
_SHOWN = 3  # tensors that a message names before it says how many more there are


class VideoPose(nn.Module):
    """(N, 16, 2) -> (N, 15, 3): keypoints as `normalised`, and all joints but the pelvis.

    Joints are from the pelvis, in camera axes, in metres of Human3.6M's people. The names of the
    tensors are those of the checkpoints.
    """

    def __init__(self) -> None:
        """Of random weights; `load` is for those of a file."""
        super().__init__()
        self.expand_conv = nn.Conv1d(len(JOINTS) * 2, WIDTH, 1, bias=False)
        self.expand_bn = nn.BatchNorm1d(WIDTH)
        self.layers_conv = nn.ModuleList(
            nn.Conv1d(WIDTH, WIDTH, 1, bias=False) for _ in range(2 * BLOCKS)
        )
        self.layers_bn = nn.ModuleList(nn.BatchNorm1d(WIDTH) for _ in range(2 * BLOCKS))
        self.shrink = nn.Conv1d(WIDTH, (len(JOINTS) - 1) * 3, 1)

    def receptive_field(self) -> int:
        """Frames that the network sees."""
        return 1

    def forward(self, keypoints: Tensor) -> Tensor:
        """keypoints: (N, 16, 2)."""
        x = keypoints.flatten(1)[..., None]  # (N, 32, 1)
        x = F.relu(self.expand_bn(self.expand_conv(x)))  # (N, 1024, 1)
        layers = list(zip(self.layers_conv, self.layers_bn, strict=True))
        for (conv, norm), (second_conv, second_norm) in zip(layers[::2], layers[1::2], strict=True):
            y = F.relu(norm(conv(x)))
            x = x + F.relu(second_norm(second_conv(y)))
        joints: Tensor = self.shrink(x)  # (N, 45, 1)
        return joints.reshape(-1, len(JOINTS) - 1, 3)


def load(path: str | Path) -> VideoPose:
    """A `.pth` of that layout -> the network in eval mode, float32.

    It is read without running any code in it. WeightsError says what cannot be read, or what is
    missing, unknown or misshapen.
    """
    path = Path(path)
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror})") from error
    except Exception as error:  # a damaged pickle raises whatever its steps then do
        raise WeightsError(
            f"{path}: no checkpoint of plain tensors; save the network's state_dict() and pass that"
        ) from error
    return build(_tensors(found, path), str(path))


def build(tensors: Mapping[str, Tensor], origin: str) -> VideoPose:
    """The network with exactly these tensors, in eval mode, float32; `origin` names the file.

    WeightsError says what is missing, unknown, misshapen or not finite.
    """
    with torch.device("meta"):  # no time is spent on random weights
        model = VideoPose()
    wanted = model.state_dict()
    problems = {
        "missing": [key for key in wanted if key not in tensors],
        "unknown": [key for key in tensors if key not in wanted],
        "of another shape": [
            f"{key} {tuple(tensors[key].shape)}, not {tuple(value.shape)}"
            for key, value in wanted.items()
            if key in tensors and tensors[key].shape != value.shape
        ],
        "not finite": [key for key, value in tensors.items() if not value.isfinite().all()],
    }
    found = "; ".join(f"{what}: {_some(keys)}" for what, keys in problems.items() if keys)
    if found:
        raise WeightsError(f"{origin}: not the weights of a VideoPose of 16 joints ({found})")
    model.load_state_dict(
        {key: tensors[key].to(value.dtype) for key, value in wanted.items()}, assign=True
    )
    return model.eval()


def human36m(keypoints: Floats) -> Floats:
    """MoveNet's keypoints -> Human3.6M's 16: (N, 17, 2) -> (N, 16, 2), of `JOINTS`.

    The pelvis is the middle of the hips, the neck (their thorax) that of the shoulders, the spine
    halfway between. The head is the crown, from shoulders and ears: whichever way a head is
    turned, the middle of its ears is in its middle, while eyes and nose go with the face.
    """
    points = np.full((len(keypoints), len(NAMES), 2), np.nan, np.float32)
    points[:, : len(coco.NAMES)] = keypoints
    for joint, side in (("pelvis", "hip"), ("neck", "shoulder")):
        points[:, INDEX[joint]] = _middle(keypoints, side)
    points[:, INDEX["spine"]] = (points[:, INDEX["pelvis"]] + points[:, INDEX["neck"]]) / 2
    ears, neck = _middle(keypoints, "ear"), points[:, INDEX["neck"]]
    points[:, INDEX["head"]] = ears + CROWN * (ears - neck)
    chosen: Floats = points[:, HUMAN36M_16]
    return chosen


def normalised(keypoints: Floats, image_size: tuple[int, int]) -> Floats:
    """Picture pixels (..., 2) -> VideoPose3D's: x in -1..1, y in the same unit, 0 in the middle.

    `image_size` is (height, width), as in Poses.
    """
    height, width = image_size
    return np.asarray((2 * keypoints - (width, height)) / width, np.float32)


def lift(model: VideoPose, keypoints: Floats, image_size: tuple[int, int]) -> Floats:
    """Keypoints in pixels, (N, 17, 2) -> joints (N, 21, 3) as in `Bodies`, in metres.

    The metres are those of Human3.6M's people: from one picture nobody's size is known. The
    face, which such a network does not have, is NaN, and all of a person with a NaN in any keypoint
    that it needs: shoulders, ears and limbs. It has no scores as input, so that keypoints which
    were not seen mislead it, and no uncertainty.
    """
    joints = np.full((len(keypoints), len(NAMES), 3), np.nan, np.float32)
    points = normalised(human36m(keypoints), image_size)
    known = np.isfinite(points).all((1, 2))
    with torch.inference_mode():
        lifted = model(torch.from_numpy(points[known])).numpy()
    joints[np.ix_(known, HUMAN36M_16[:1])] = 0
    joints[np.ix_(known, HUMAN36M_16[1:])] = lifted
    return joints


def _middle(keypoints: Floats, joint: str) -> Floats:
    left, right = (keypoints[:, coco.INDEX[f"{side}_{joint}"]] for side in ("left", "right"))
    middle: Floats = (left + right) / np.float32(2)
    return middle


def _tensors(found: Any, path: Path) -> dict[str, Tensor]:
    """The tensors of what was in a file."""
    for wrapping in WRAPPINGS:
        if isinstance(found, Mapping) and isinstance(found.get(wrapping), Mapping):
            found = found[wrapping]
    if not isinstance(found, Mapping) or not all(isinstance(v, Tensor) for v in found.values()):
        raise WeightsError(f"{path}: holds no table of tensors; pass a network's state_dict()")
    return {str(key): value for key, value in found.items()}


def _some(keys: list[str]) -> str:
    more = f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
    return ", ".join(keys[:_SHOWN]) + more
