"""The lifting networks: keypoints of one frame, or of 27, in; the joints of one frame out.

A residual perceptron (Martinez et al., "A simple yet effective baseline for 3D human pose
estimation", ICCV 2017) reads each frame; over time, strided convolutions of three frames join 27
into one (Pavllo et al., "3D human pose estimation in video with temporal convolutions and
semi-supervised training", CVPR 2019). Beside the keypoints it sees how long limbs are in the
picture, which tells how far they point out of it. What comes out is not the joints themselves but
the depths of the joints, a scale and how strong the perspective is: with the keypoints, a pinhole
camera makes the joints of them. So what the picture shows stays, and only what it does not show is
learnt.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from movenet.lifting.joints import INDEX, NAMES
from movenet.lifting.specs import FLATTEST, FRAMES, PAIRS, SMALLEST, STEEPEST

_KEYPOINTS, _JOINTS = 17, len(NAMES)
_PELVIS = INDEX["pelvis"]
_LEARNT = [place for place in range(_JOINTS) if place != _PELVIS]  # it is between the hips
_FROM, _TO = [pair[0] for pair in PAIRS], [pair[1] for pair in PAIRS]
# x, y, score, whether it is there; the pairs' distances; middle and size of the person.
_FEATURES = _KEYPOINTS * 4 + len(PAIRS) + 3


class Lifted(NamedTuple):
    """What a network gives for N people."""

    joints: Tensor  # (N, 21, 3) body heights, camera axes, the pelvis at 0
    uncertainty: Tensor  # (N, 21) body heights: the error that half of the joints exceed


class LiftingNetwork(nn.Module):
    """Lifts one frame of those it sees: `reference`, the last for live use, the middle for files.

    Input: keypoints (N, T, 17, 2) x, y from the picture's middle, in parts of its longer side, and
    scores (N, T, 17), 0 for a keypoint that is missing; T is `receptive_field()`, 1 or 27 frames.
    """

    mean: Tensor
    deviation: Tensor
    spread: Tensor

    def __init__(
        self, frames: int, reference: int, *, width: int, blocks: int, after: int = 0
    ) -> None:
        """`blocks` before time is joined and `after`; ValueError for frames other than 1 and 27."""
        super().__init__()
        if frames not in (1, FRAMES) or not 0 <= reference < frames:
            raise ValueError(f"frames must be 1 or {FRAMES}, not {frames}, the reference in them")
        self.frames, self.reference = frames, reference
        self.embed = nn.Linear(_FEATURES, width)
        self.blocks = nn.Sequential(*(Residual(width) for _ in range(blocks)))
        joins = 0 if frames == 1 else 3
        self.joins = nn.ModuleList(Join(width, last=reference == frames - 1) for _ in range(joins))
        self.after = nn.Sequential(*(Residual(width) for _ in range(after)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, len(_LEARNT) * 4 + 2)
        # The features' mean and deviation, with which they come to about 0 and 1: set by training.
        self.register_buffer("mean", torch.zeros(_FEATURES))
        self.register_buffer("deviation", torch.ones(_FEATURES))
        # How far the errors of each joint were from what the network expected: set by calibration.
        self.register_buffer("spread", torch.ones(_JOINTS))

    def receptive_field(self) -> int:
        """How many frames the network sees."""
        return self.frames

    def forward(self, keypoints: Tensor, scores: Tensor) -> Lifted:
        """Lift the reference frame."""
        relative, middle, size = boxed(keypoints, scores, self.reference)
        features = self.features(relative, scores, middle, size)
        state = self.blocks(self.embed((features - self.mean) / self.deviation))
        for join in self.joins:
            state = join(state)
        raw = self.head(self.norm(self.after(state[:, 0]))).float()
        return self._lifted(raw, relative[:, self.reference].float(), middle, size)

    def features(self, relative: Tensor, scores: Tensor, middle: Tensor, size: Tensor) -> Tensor:
        """What is known of every frame: keypoints in the person's box, and the box -> (N, T, F)."""
        there = (scores > 0).to(scores.dtype)
        lengths = (relative[:, :, _FROM] - relative[:, :, _TO]).norm(dim=-1)
        lengths = lengths * there[:, :, _FROM] * there[:, :, _TO]
        place = torch.cat((middle, size.log()[:, None]), 1)[:, None].expand(-1, self.frames, 3)
        return torch.cat((relative.flatten(2), scores, there, lengths, place), 2)

    def _lifted(self, raw: Tensor, relative: Tensor, middle: Tensor, size: Tensor) -> Lifted:
        count = len(_LEARNT)
        depth, shift, spread, camera = raw.split((count, count * 2, count, 2), 1)
        scale = camera[:, :1, None].exp()  # body heights in the person's extent
        slope = FLATTEST + (STEEPEST - FLATTEST) * camera[:, 1:, None].sigmoid()
        seen = with_middle(relative)
        rays = middle[:, None] + size[:, None, None] * seen
        across = scale * seen + slope * depth[..., None] * rays + shift.unflatten(1, (count, 2))
        joints = torch.cat((across, depth[..., None]), 2)
        hips = joints[:, INDEX["left_hip"] : INDEX["right_hip"] + 1].mean(1, keepdim=True)
        joints, spread = joints - hips, spread.exp()
        zero = torch.zeros_like(joints[:, :1])
        joints = torch.cat((joints[:, :_PELVIS], zero, joints[:, _PELVIS:]), 1)
        spread = torch.cat((spread[:, :_PELVIS], zero[..., 0], spread[:, _PELVIS:]), 1)
        return Lifted(joints, spread * self.spread)


class Residual(nn.Module):
    """Two linear layers beside an identity, normalised before."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.inner = nn.Linear(width, width)
        self.outer = nn.Linear(width, width)

    def forward(self, state: Tensor) -> Tensor:
        """(..., width) -> the same."""
        moved: Tensor = state + self.outer(torch.relu(self.inner(self.norm(state))))
        return moved


class Join(nn.Module):
    """Three frames into one: beside the one that counts, what a convolution makes of the three."""

    def __init__(self, width: int, *, last: bool) -> None:
        super().__init__()
        self.kept = 2 if last else 1
        self.norm = nn.LayerNorm(width)
        self.join = nn.Linear(3 * width, width)

    def forward(self, state: Tensor) -> Tensor:
        """(N, T, width) -> (N, T / 3, width)."""
        threes = self.norm(state).unflatten(1, (-1, 3))
        kept = state.unflatten(1, (-1, 3))[:, :, self.kept]
        joined: Tensor = kept + self.join(torch.relu(threes.flatten(2)))
        return joined


def boxed(keypoints: Tensor, scores: Tensor, reference: int) -> tuple[Tensor, Tensor, Tensor]:
    """Keypoints in the reference frame's box, 0 where missing; that box's `extent`."""
    there = scores > 0
    middle, size = extent(keypoints[:, reference], there[:, reference])
    relative = (keypoints - middle[:, None, None]) / size[:, None, None, None]
    return torch.where(there[..., None], relative, torch.zeros_like(relative)), middle, size


def extent(keypoints: Tensor, there: Tensor) -> tuple[Tensor, Tensor]:
    """The middle (N, 2) and the longer side (N,) of the box of (N, 17, 2) keypoints.

    Nobody's is the whole picture.
    """
    far = torch.full_like(keypoints, torch.finfo(keypoints.dtype).max)
    low = torch.where(there[..., None], keypoints, far).amin(1)
    high = torch.where(there[..., None], keypoints, -far).amax(1)
    someone = there.any(1)
    middle = torch.where(someone[:, None], (low + high) / 2, torch.zeros_like(low))
    size = torch.where(someone, (high - low).amax(1), torch.ones_like(low[:, 0]))
    return middle, size.clamp_min(SMALLEST)


def with_middle(keypoints: Tensor) -> Tensor:
    """Where the learnt joints are seen: the 17 keypoints, then spine, neck and head, (N, 20, 2).

    The head is taken to be at the neck; what is missing there is learnt.
    """
    hips = keypoints[:, INDEX["left_hip"] : INDEX["right_hip"] + 1].mean(1, keepdim=True)
    neck = keypoints[:, INDEX["left_shoulder"] : INDEX["right_shoulder"] + 1].mean(1, keepdim=True)
    return torch.cat((keypoints, (hips + neck) / 2, neck, neck), 1)
