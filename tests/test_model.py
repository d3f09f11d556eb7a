"""The networks as modules: shapes, types, sizes, gradients, compilation."""

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.export import Dim

import movenet
from movenet.decode import Heads, decode
from movenet.model import MoveNet, channels
from movenet.specs import ROWS, SPECS, ModelSpec

PARAMETERS = {"lightning": 2_317_974, "thunder": 6_226_046, "multipose": 4_723_346}  # graphs.md, 9


@pytest.fixture(scope="module", params=[row.name for row in ROWS])
def model(request: pytest.FixtureRequest) -> MoveNet:
    return movenet.load(request.param)


def pictures(count: int, h: int, w: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 3, h, w), dtype=torch.uint8, generator=generator)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_network_has_as_many_parameters_as_google_s_graph(row: ModelSpec) -> None:
    with torch.device("meta"):
        assert sum(p.numel() for p in MoveNet(row).parameters()) == PARAMETERS[row.name]


@pytest.mark.parametrize(
    ("base", "width", "expected"),
    [
        (16, 1.5, 24),
        (24, 1.5, 40),
        (32, 1.75, 56),
        (16, 1.75, 32),
        (24, 1.75, 40),
        (320, 1.75, 560),
    ],
)
def test_channels_are_rounded_to_eights_as_in_the_graphs(
    base: int, width: float, expected: int
) -> None:
    assert channels(base, width) == expected


@pytest.mark.parametrize(("h", "w"), [(32, 32), (96, 64), (64, 160)])
@torch.inference_mode()
def test_heads_have_a_cell_for_every_four_pixels(model: MoveNet, h: int, w: int) -> None:
    heads = model(pictures(2, h, w))
    widths = (1, 34, 17, 34) if model.spec.people == 1 else (1, 34, 17, 34, 2, 2)
    shapes = [tuple(head.shape) for head in heads if head is not None]
    assert shapes == [(2, width, h // 4, w // 4) for width in widths]


@torch.inference_mode()
def test_the_output_has_the_shape_of_google_s_tensor(model: MoveNet) -> None:
    output = model.detect(pictures(2, 64, 96))
    assert tuple(output.shape) == (2, *model.spec.output_shape)
    assert output.dtype == torch.float32


@torch.inference_mode()
def test_bytes_and_floats_are_the_same_picture(model: MoveNet) -> None:
    images = pictures(1, 64, 64)
    assert torch.equal(model.detect(images), model.detect(images.float()))


@torch.inference_mode()
def test_the_order_of_memory_does_not_matter(model: MoveNet) -> None:
    images = pictures(1, 64, 96)
    last = images.to(memory_format=torch.channels_last)
    torch.testing.assert_close(model.detect(images), model.detect(last), atol=1e-5, rtol=0)


@pytest.mark.parametrize(("h", "w"), [(192, 192), (96, 224)])
@torch.inference_mode()
def test_the_sparse_path_gives_what_the_dense_one_does(model: MoveNet, h: int, w: int) -> None:
    images = pictures(3, h, w)
    torch.testing.assert_close(model.detect(images), decode(model(images)), atol=1e-6, rtol=0)


@torch.inference_mode()
def test_a_batch_gives_what_its_pictures_give_alone(model: MoveNet) -> None:
    images = pictures(3, 64, 96)
    alone = torch.cat([model.detect(image[None]) for image in images])
    torch.testing.assert_close(model.detect(images), alone, atol=2e-6, rtol=0)


@torch.inference_mode()
def test_no_pictures_give_no_poses(model: MoveNet) -> None:
    assert model.detect(pictures(0, 64, 64)).shape == (0, *model.spec.output_shape)


@torch.inference_mode()
def test_features_are_what_the_heads_see(model: MoveNet) -> None:
    images = pictures(1, 64, 96)
    features = model.features(images)
    assert tuple(features.shape) == (1, 24, 16, 24)
    assert torch.equal(model.centre(features), model(images).centre_logits)


def test_gradients_reach_every_weight_and_the_picture() -> None:
    model = movenet.load("multipose")
    images = pictures(1, 64, 64).float().requires_grad_()
    heads = model(images)
    sum(head.square().mean() for head in heads if head is not None).backward()  # type: ignore[union-attr]
    assert images.grad is not None
    assert images.grad.abs().sum() > 0
    silent = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert silent == []


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@torch.inference_mode()
def test_half_precision_decodes_in_float32(dtype: torch.dtype) -> None:
    model = movenet.load("lightning").to(dtype)
    output = model.detect(pictures(2, 64, 64))
    assert output.dtype == torch.float32
    assert output.isfinite().all()
    assert model(pictures(1, 64, 64)).centre_logits.dtype == dtype


@pytest.mark.parametrize(("h", "w"), [(200, 192), (192, 16), (0, 32)])
def test_a_side_that_32_does_not_divide_is_refused(h: int, w: int) -> None:
    model = MoveNet(SPECS["lightning"])
    with pytest.raises(
        ValueError, match=f"^H and W of images must be multiples of 32, not {h} x {w}$"
    ):
        model(torch.zeros(1, 3, h, w))


@pytest.mark.parametrize("shape", [(3, 64, 64), (1, 64, 64, 3), (1, 1, 64, 64)])
def test_another_layout_is_refused(shape: tuple[int, ...]) -> None:
    model = MoveNet(SPECS["lightning"])
    with pytest.raises(ValueError, match=r"^images must be \(N, 3, H, W\), RGB, not \(.*\)$"):
        model.detect(torch.zeros(shape))


@pytest.mark.parametrize("dtype", [torch.int8, torch.int64, torch.bool])
def test_another_type_of_pixel_is_refused(dtype: torch.dtype) -> None:
    model = MoveNet(SPECS["lightning"])
    with pytest.raises(
        ValueError, match=f"^images must be uint8 or floating, 0..255, not {dtype}$"
    ):
        model(torch.zeros(1, 3, 32, 32, dtype=dtype))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_no_value_is_asked_for_on_the_way(row: ModelSpec) -> None:
    """On the meta device tensors have no values: what would wait for the device fails."""
    model = MoveNet(row).to("meta")
    images = torch.zeros(2, 3, 64, 96, dtype=torch.uint8, device="meta")
    assert tuple(model.detect(images).shape) == (2, *row.output_shape)
    assert tuple(decode(model(images)).shape) == (2, *row.output_shape)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@torch.inference_mode()
def test_on_cuda_nothing_waits_for_the_device(model: MoveNet) -> None:
    images = pictures(2, 64, 96).cuda()
    on_device = model.cuda()
    on_device.detect(images)  # the first call may set things up
    torch.cuda.set_sync_debug_mode("error")
    try:
        output, dense = on_device.detect(images), decode(on_device(images))
    finally:
        torch.cuda.set_sync_debug_mode("default")
        model.cpu()
    torch.testing.assert_close(output, dense, atol=1e-5, rtol=0)


class Detect(torch.nn.Module):
    """`detect` as a module, for torch.export."""

    def __init__(self, model: MoveNet) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        return self.model.detect(images)


@pytest.mark.slow
@torch.inference_mode()
def test_export_takes_any_batch_and_size(model: MoveNet) -> None:
    # From 64 pixels on: torch.export takes sizes of 1, here 32 / 32, for constants.
    h, w = Dim("h", min=2, max=40), Dim("w", min=2, max=40)
    sizes = {0: Dim("n", max=64), 2: 32 * h, 3: 32 * w}
    for module in (model, Detect(model)):
        program = torch.export.export(
            module, (pictures(2, 96, 64),), dynamic_shapes=(sizes,), strict=False
        )
        for other in (pictures(1, 64, 192), pictures(3, 128, 64)):
            got, want = program.module()(other), module(other)
            for one, two in (
                zip(got, want, strict=True) if isinstance(want, Heads) else [(got, want)]
            ):
                assert (one is None) == (two is None)
                if one is not None:
                    torch.testing.assert_close(one, two, atol=1e-6, rtol=0)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lightning", "multipose"])
@torch.inference_mode()
def test_compilation_needs_no_graph_break(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A cache of its own: one that a killed run left behind holds half a library.
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    torch.compiler.reset()
    model = movenet.load(name)
    compiled = torch.compile(model.detect, fullgraph=True)
    images = pictures(1, 64, 96)
    torch.testing.assert_close(compiled(images), model.detect(images), atol=1e-5, rtol=0)
