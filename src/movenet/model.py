"""MoveNet in PyTorch, in one file, to be read beside Google's graph.

What is unusual here:
- Batch norms are folded into the convolutions, as in Google's files.
- Padding at stride 2 is TensorFlow's: one row and column after the picture, none before it.
- The pyramid and the heads use depthwise convolutions without a bias.
- `forward` runs every head everywhere; `detect` runs two of them only at the cells that the
  decoding asks for, and gives the same numbers.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from movenet.decode import Heads, Reader, Readers, decode_at
from movenet.specs import MULTIPLE, TRUE_CONSTANTS, Constants, ModelSpec

# MobileNetV2 (Sandler et al. 2018, table 2): expansion, channels, blocks, stride of the first.
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
STEM = 32
LAST = 1280  # at every width
TAPPED = (1, 2, 3)  # the stages whose ends feed the pyramid, beside the last convolution
LATERALS = (24, 32, 64, 64)  # channels at strides 4, 8, 16, 32
PYRAMID = (24, 24, 32)  # channels of the pyramid at strides 4, 8, 16
HIDDEN = 96  # channels inside a head


def channels(base: int, width: float) -> int:
    """`base * width` rounded to a multiple of 8, by no more than 10 % down (Keras MobileNetV2)."""
    rounded = max(8, int(base * width + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * base * width else rounded + 8


class Convolution(nn.Conv2d):
    """A 3x3 convolution with TensorFlow's SAME padding for even sides.

    (N, C, H, W) -> (N, D, H / stride, W / stride).
    """

    def __init__(self, c: int, d: int, *, stride: int = 1, groups: int = 1, bias: bool = True):
        padding = 1 if stride == 1 else 0
        super().__init__(c, d, 3, stride, padding, groups=groups, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, C, H, W)."""
        # padding=1 would put the odd row before the picture; TensorFlow puts it after.
        return super().forward(x if self.padding[0] else F.pad(x, (0, 1, 0, 1)))


class InvertedResidual(nn.Module):
    """Widen, filter each channel, narrow (Sandler et al. 2018, table 1).

    (N, C, H, W) -> (N, D, H / stride, W / stride). Without `expansion` there is no widening.
    """

    def __init__(self, c: int, d: int, *, stride: int, expansion: int):
        super().__init__()
        e = c * expansion
        self.expand = nn.Conv2d(c, e, 1) if expansion > 1 else None
        self.depthwise = Convolution(e, e, stride=stride, groups=e)
        self.project = nn.Conv2d(e, d, 1)
        self.adds_input = stride == 1 and c == d

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, C, H, W)."""
        y: Tensor = x if self.expand is None else F.relu6(self.expand(x))
        y = self.project(F.relu6(self.depthwise(y)))
        return x + y if self.adds_input else y


class Backbone(nn.Module):
    """MobileNetV2: (N, 3, H, W) in -1..1 -> features at strides 4, 8, 16 and 32."""

    def __init__(self, width: float):
        super().__init__()
        c = channels(STEM, width)
        self.stem = Convolution(3, c, stride=2)
        self.stages = nn.ModuleList()
        self.widths: list[int] = []  # of the tapped features
        for index, (expansion, base, blocks, stride) in enumerate(STAGES):
            d = channels(base, width)
            stage = nn.Sequential()
            for block in range(blocks):
                first = block == 0
                stage.append(
                    InvertedResidual(
                        c if first else d, d, stride=stride if first else 1, expansion=expansion
                    )
                )
            self.stages.append(stage)
            c = d
            if index in TAPPED:
                self.widths.append(d)
        self.last = nn.Conv2d(c, LAST, 1)
        self.widths.append(LAST)

    def forward(self, x: Tensor) -> list[Tensor]:
        """x: (N, 3, H, W)."""
        taps = []
        x = F.relu6(self.stem(x))
        for index, stage in enumerate(self.stages):
            x = stage(x)
            if index in TAPPED:
                taps.append(x)
        return [*taps, F.relu6(self.last(x))]


class Smoothing(nn.Module):
    """A separable convolution: 3x3 per channel without bias, then 1x1, ReLU. (N, C, H, W) -> D."""

    def __init__(self, c: int, d: int):
        super().__init__()
        self.depthwise = Convolution(c, c, groups=c, bias=False)
        self.pointwise = nn.Conv2d(c, d, 1)

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, C, H, W)."""
        return F.relu(self.pointwise(self.depthwise(x)))


class Pyramid(nn.Module):
    """Feature pyramid: features at strides 4, 8, 16, 32 -> (N, 24, H / 4, W / 4)."""

    def __init__(self, widths: list[int]):
        super().__init__()
        self.laterals = nn.ModuleList(
            nn.Conv2d(c, d, 1) for c, d in zip(widths, LATERALS, strict=True)
        )
        # The narrowing to the next level's width happens here, before the upsampling.
        self.smoothings = nn.ModuleList(
            Smoothing(c, d) for c, d in zip(LATERALS, PYRAMID, strict=False)
        )

    def forward(self, features: list[Tensor]) -> Tensor:
        """features: finest first."""
        x: Tensor = self.laterals[-1](features[-1])
        for level in reversed(range(len(self.smoothings))):
            up = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
            x = self.smoothings[level](up + self.laterals[level](features[level]))
        return x


class Head(nn.Module):
    """One head: 3x3 per channel without bias, 1x1 to 96, ReLU, 1x1.

    (N, 24, h, w) -> (N, D, h, w).
    """

    def __init__(self, d: int):
        super().__init__()
        self.depthwise = Convolution(PYRAMID[0], PYRAMID[0], groups=PYRAMID[0], bias=False)
        self.hidden = nn.Conv2d(PYRAMID[0], HIDDEN, 1)
        self.output = nn.Conv2d(HIDDEN, d, 1)

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, 24, h, w)."""
        y: Tensor = self.output(F.relu(self.hidden(self.depthwise(x))))
        return y

    def at(self, x: Tensor) -> Reader:
        """A reader of this head over features x (N, 24, h, w) that runs it only at the cells."""
        w = x.shape[-1]
        flat = F.pad(x, (1, 1, 1, 1)).flatten(2)  # (N, 24, (h + 2) * (w + 2))

        def read(cells: Tensor) -> Tensor:
            near = torch.arange(3, device=x.device)
            window = (near[:, None] * (w + 2) + near).flatten()  # (9,)
            corners = cells + cells // w * 2  # (N, M), of the windows in `flat`
            index = (corners[..., None] + window).flatten(1)  # (N, M * 9)
            windows = flat.gather(2, index[:, None].expand(-1, flat.shape[1], -1))
            windows = windows.unflatten(2, (-1, 9))  # (N, 24, M, 9)
            y = (windows * self.depthwise.weight.flatten(2)).sum(3)[..., None]  # (N, 24, M, 1)
            values: Tensor = self.output(F.relu(self.hidden(y)))  # (N, D, M, 1)
            return values[..., 0].transpose(1, 2)

        return read


class MoveNet(nn.Module):
    """One of Google's MoveNet networks; the row of `specs` says which.

    The network takes any H and W that divide by 32. `constants` are the numbers of the
    normalisation and the decoding, the true ones unless parity with a file of Google's is wanted.
    """

    def __init__(self, spec: ModelSpec, constants: Constants = TRUE_CONSTANTS):
        super().__init__()
        self.spec = spec
        self.constants = constants
        self.backbone = Backbone(spec.width)
        self.pyramid = Pyramid(self.backbone.widths)
        self.centre = Head(1)
        self.keypoint_regression = Head(34)
        self.keypoint_heatmaps = Head(17)
        self.keypoint_offsets = Head(34)
        self.box_scale = Head(2) if spec.people > 1 else None
        self.box_offset = Head(2) if spec.people > 1 else None

    def forward(self, images: Tensor) -> Heads:
        """Every head everywhere: (N, 3, H, W) RGB 0..255, uint8 or float -> Heads.

        H and W must divide by 32 (ValueError). Gradients flow to the weights and the images.
        """
        x = self.features(images)
        return Heads(
            centre_logits=self.centre(x),
            keypoint_regression=self.keypoint_regression(x),
            keypoint_logits=self.keypoint_heatmaps(x),
            keypoint_offsets=self.keypoint_offsets(x),
            box_scale=None if self.box_scale is None else self.box_scale(x),
            box_offset=None if self.box_offset is None else self.box_offset(x),
        )

    def detect(self, images: Tensor) -> Tensor:
        """Google's tensor: (N, 3, H, W) RGB 0..255 -> (N, 1, 17, 3) or (N, 6, 56) float32.

        The same as `decode(model(images))`, in float32 to 1e-6, without running every head
        everywhere. In the half types the two round differently, and a near-tie may fall otherwise.
        """
        x = self.features(images)
        readers = Readers(
            self.keypoint_regression.at(x),
            self.keypoint_offsets.at(x),
            None if self.box_scale is None else self.box_scale.at(x),
            None if self.box_offset is None else self.box_offset.at(x),
        )
        return decode_at(self.centre(x), self.keypoint_heatmaps(x), readers, self.constants)

    def features(self, images: Tensor) -> Tensor:
        """What every head sees: (N, 3, H, W) RGB 0..255 -> (N, 24, H / 4, W / 4)."""
        x: Tensor = self.pyramid(self.backbone(self.normalise(images)))
        return x

    def normalise(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) RGB 0..255, uint8 or float -> the weights' type, -1..1."""
        check_images(images)
        # In float32 whatever the weights are: half the types cannot tell 1 - 1/127.5 from 1.
        x = images.float() * self.constants.input_scale - 1
        return x.to(self.backbone.stem.weight.dtype)


def check_images(images: Tensor) -> None:
    """ValueError unless images are (N, 3, H, W) with H and W that divide by 32."""
    if images.ndim != 4 or images.shape[1] != 3:
        raise ValueError(f"images must be (N, 3, H, W), RGB, not {tuple(images.shape)}")
    if images.dtype != torch.uint8 and not images.is_floating_point():
        raise ValueError(f"images must be uint8 or floating, 0..255, not {images.dtype}")
    h, w = images.shape[-2:]
    if h % MULTIPLE or w % MULTIPLE or not h or not w:
        raise ValueError(f"H and W of images must be multiples of {MULTIPLE}, not {h} x {w}")
