"""The lifting networks: what a pinhole shows stays, what is missing says nothing; their files."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from safetensors.torch import load_file, save_file
from torch import Tensor

from movenet.errors import WeightsError
from movenet.lifting import files, network
from movenet.lifting.files import NETWORKS, Entry
from movenet.lifting.joints import INDEX, MIRROR, NAMES
from movenet.lifting.network import (
    FRAMES,
    PAIRS,
    Join,
    LiftingNetwork,
    Residual,
    boxed,
    extent,
    with_middle,
)

KINDS = tuple(NETWORKS)
LEARNT = [place for place, name in enumerate(NAMES) if name != "pelvis"]
HIPS = [INDEX["left_hip"], INDEX["right_hip"]]


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def made(kind: str = "single", seed: int = 0) -> LiftingNetwork:
    """With random weights, small."""
    torch.manual_seed(seed)
    return LiftingNetwork(**{**NETWORKS[kind], "width": 48}).eval()


def seen(kind: str, count: int = 4, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Keypoints within a picture, and scores."""
    frames = NETWORKS[kind]["frames"]
    random = torch.Generator().manual_seed(seed)
    keypoints = torch.rand(count, frames, 17, 2, generator=random) * 0.6 - 0.3
    return keypoints, torch.rand(count, frames, 17, generator=random) * 0.9 + 0.1


def close(one: Tensor, other: Tensor, atol: float = 1e-5) -> None:
    assert_allclose(one.detach(), other.detach(), atol=atol)


# Shapes


@pytest.mark.parametrize("kind", KINDS)
def test_a_network_lifts_one_frame_of_those_it_sees(kind: str) -> None:
    lifting = made(kind)
    frames = 1 if kind == "single" else 27
    assert lifting.receptive_field() == frames == NETWORKS[kind]["frames"]
    assert lifting.reference == {"single": 0, "causal": 26, "centred": 13}[kind]
    joints, uncertainty = lifting(*seen(kind))
    assert joints.shape == (4, 21, 3)
    assert uncertainty.shape == (4, 21)
    assert joints.dtype == uncertainty.dtype == torch.float32
    assert torch.equal(joints[:, INDEX["pelvis"]], torch.zeros(4, 3))
    close(joints[:, HIPS].mean(1), torch.zeros(4, 3))
    assert torch.equal(uncertainty[:, INDEX["pelvis"]], torch.zeros(4))
    assert (uncertainty[:, LEARNT] > 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_networks_are_under_five_million_parameters(kind: str) -> None:
    lifting = LiftingNetwork(**NETWORKS[kind])
    assert sum(value.numel() for value in lifting.parameters()) < 5e6


@pytest.mark.parametrize(("frames", "reference"), [(9, 0), (0, 0), (27, 27), (1, 1), (27, -1)])
def test_other_numbers_of_frames_are_refused(frames: int, reference: int) -> None:
    with pytest.raises(ValueError, match=f"1 or {FRAMES}"):
        LiftingNetwork(frames, reference, width=8, blocks=1)


def test_no_frame_is_left_unread() -> None:
    """Every frame of 27 has a say, the one that is lifted most; and the causal one sees no more."""
    for kind in ("causal", "centred"):
        lifting = made(kind)
        keypoints, scores = seen(kind, 1)
        keypoints.requires_grad_()
        lifting(keypoints, scores).joints[:, LEARNT].square().sum().backward()
        pull = keypoints.grad.square().sum((0, 2, 3))  # type: ignore[union-attr]
        assert (pull > 0).all()
        assert int(pull.argmax()) == lifting.reference


def test_three_frames_are_joined_around_the_one_that_counts() -> None:
    """By hand: a join whose layers are nothing passes the kept frame of each three."""
    states = drawn(2, 27, 6)
    for last, kept in ((True, 2), (False, 1)):
        join = Join(6, last=last)
        for parameter in join.join.parameters():
            torch.nn.init.zeros_(parameter)
        assert torch.equal(join(states), states[:, kept::3])


@pytest.mark.parametrize("kind", ["causal", "centred"])
def test_beside_the_joins_stands_the_frame_that_counts(kind: str) -> None:
    """Where the joins say nothing, no other frame has a say."""
    lifting = made(kind)
    for join in lifting.joins:
        for parameter in join.join.parameters():
            torch.nn.init.zeros_(parameter)
    keypoints, scores = seen(kind)
    other, _ = seen(kind, seed=1)
    other[:, lifting.reference] = keypoints[:, lifting.reference]
    close(lifting(other, scores).joints, lifting(keypoints, scores).joints, 1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_a_network_sees_how_long_limbs_are_in_the_picture(kind: str) -> None:
    """By hand: 0 where one end is missing, the distance in the person's box elsewhere."""
    lifting = made(kind)
    keypoints, scores = seen(kind)
    scores[1, :, NAMES.index("left_elbow")] = 0
    relative, middle, size = boxed(keypoints, scores, lifting.reference)
    features = lifting.features(relative, scores, middle, size)
    lengths = features[..., 4 * 17 : 4 * 17 + len(PAIRS)]
    assert features.shape[2] == 4 * 17 + len(PAIRS) + 3
    for column, (first, second) in enumerate(PAIRS):
        expected = (keypoints[:, :, first] - keypoints[:, :, second]).norm(dim=-1)
        expected = expected / size[:, None]
        if NAMES.index("left_elbow") in (first, second):
            expected[1] = 0
        close(lengths[..., column], expected, 1e-5)


def test_pairs_are_the_same_for_left_and_right() -> None:
    """A mirror changes places only."""
    mirrored = {frozenset((MIRROR[first], MIRROR[second])) for first, second in PAIRS}
    assert mirrored == {frozenset(pair) for pair in PAIRS}
    assert len(mirrored) == len(PAIRS)


def test_features_are_brought_to_about_nothing_by_their_mean_and_deviation() -> None:
    """An affine layer after another: the same network with both put into its first layer."""
    lifting, inputs = made(), seen("single")
    width = len(lifting.mean)
    lifting.mean, lifting.deviation = drawn(width), drawn(width, seed=1).abs() + 0.5
    other = made()
    with torch.no_grad():
        other.embed.weight.copy_(lifting.embed.weight / lifting.deviation)
        other.embed.bias.copy_(lifting.embed.bias - other.embed.weight @ lifting.mean)
    close(lifting(*inputs).joints, other(*inputs).joints, 1e-4)
    assert not torch.allclose(lifting(*inputs).joints, made()(*inputs).joints, atol=1e-3)


def test_a_residual_is_beside_the_identity() -> None:
    block, state = Residual(6), drawn(2, 5, 6)
    expected = state + block.outer(torch.relu(block.inner(block.norm(state))))
    close(block(state), expected)
    torch.nn.init.zeros_(block.outer.weight)
    torch.nn.init.zeros_(block.outer.bias)
    assert torch.equal(block(state), state)


# The pinhole


def camera(seed: int, count: int = 5) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Bodies (N, 20, 3) before pinholes, their places, the focal lengths, and the keypoints."""
    random = torch.Generator().manual_seed(seed)
    bodies = torch.rand(count, 20, 3, generator=random, dtype=torch.float64) - 0.5
    place = torch.rand(count, 1, 3, generator=random, dtype=torch.float64) - 0.5
    place[..., 2] = 2 + 4 * torch.rand(count, 1, generator=random, dtype=torch.float64)
    focal = 0.6 + 2 * torch.rand(count, 1, 1, generator=random, dtype=torch.float64)
    before = bodies + place
    picture = focal * before[..., :2] / before[..., 2:]
    return before, place, focal, picture[:, :17]


def raw_of(depth: Tensor, shift: Tensor, scale: Tensor, steepness: Tensor) -> Tensor:
    """What the head would have to say: (N, 20 + 40 + 20 + 2)."""
    low, high = network.FLATTEST, network.STEEPEST
    share = (steepness - low) / (high - low)
    camera = torch.cat((scale.log(), share.logit()), 1)
    return torch.cat((depth, shift.flatten(1), torch.zeros_like(depth), camera), 1)


@given(st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_the_true_depths_scale_and_perspective_give_the_true_body(seed: int) -> None:
    """A closed form: with the pelvis' plane at Z, X = (Z + depth) u / focal for a seen u."""
    before, place, focal, picture = camera(seed)
    there = torch.ones(len(picture), 17, dtype=torch.bool)
    middle, size = extent(picture, there)
    relative = (picture - middle[:, None]) / size[:, None, None]
    plane, depth = place[..., 2], before[..., 2] - place[..., 2]
    raw = raw_of(depth, torch.zeros(5, 20, 2), plane * size[:, None] / focal[:, 0], 1 / focal[:, 0])
    joints = made()._lifted(raw, relative, middle, size).joints
    expected = before[:, :17] - before[:, HIPS].mean(1, keepdim=True)
    close(joints[:, :17], expected, 1e-6)
    assert torch.equal(joints[:, INDEX["pelvis"]], torch.zeros(5, 3, dtype=torch.float64))


def test_without_depth_a_body_is_the_picture_in_another_size() -> None:
    """A closed form: zero depths, so every joint is where its keypoint is, times the scale."""
    picture = drawn(6, 17, 2) * 0.2
    middle, size = extent(picture, torch.ones(6, 17, dtype=torch.bool))
    relative = (picture - middle[:, None]) / size[:, None, None]
    scale = torch.linspace(0.5, 3, 6)[:, None]
    zero = torch.zeros(6, 20)
    raw = raw_of(zero, torch.zeros(6, 20, 2), scale, torch.full((6, 1), 1.0))
    joints = made()._lifted(raw, relative, middle, size).joints
    flat = (scale / size[:, None])[..., None] * picture
    close(joints[:, :17, :2], flat - flat[:, HIPS].mean(1, keepdim=True))
    assert torch.equal(joints[..., 2], torch.zeros(6, 21))
    # The middle is halfway: the neck between the shoulders, the spine between neck and hips.
    names = {name: joints[:, place] for name, place in INDEX.items()}
    neck = (names["left_shoulder"] + names["right_shoulder"]) / 2
    for name, expected in (("neck", neck), ("head", neck), ("spine", neck / 2)):
        close(names[name], expected)


def test_a_shift_moves_a_joint_alone_unless_it_is_a_hip() -> None:
    picture = drawn(1, 17, 2) * 0.2
    middle, size = extent(picture, torch.ones(1, 17, dtype=torch.bool))
    relative = (picture - middle[:, None]) / size[:, None, None]
    shift = torch.zeros(1, 20, 2)
    lifted = []
    for name in (None, "left_wrist", "left_hip"):
        moved = shift.clone()
        if name:
            moved[0, INDEX[name], 0] = 0.1
        raw = raw_of(torch.zeros(1, 20), moved, torch.ones(1, 1), torch.ones(1, 1))
        lifted.append(made()._lifted(raw, relative, middle, size).joints[0])
    still, wrist, hip = lifted
    expected = torch.zeros(21, 3)
    expected[INDEX["left_wrist"], 0] = 0.1
    close(wrist - still, expected)
    expected = torch.full((21, 3), 0.0)
    expected[LEARNT, 0] = -0.05  # of the pelvis, which is between the hips
    expected[INDEX["left_hip"], 0] = 0.05
    close(hip - still, expected)


def test_a_calibrated_spread_multiplies_the_uncertainty() -> None:
    lifting, inputs = made(), seen("single")
    before = lifting(*inputs)
    lifting.spread = torch.arange(21.0)
    after = lifting(*inputs)
    close(after.uncertainty, before.uncertainty * torch.arange(21.0))
    assert torch.equal(after.joints, before.joints)


def test_the_middle_of_what_is_seen() -> None:
    """By hand: hips at -1 and 1, shoulders at 2 and 4."""
    keypoints = torch.zeros(1, 17, 2)
    for name, x in (
        ("left_hip", -1),
        ("right_hip", 1),
        ("left_shoulder", 2),
        ("right_shoulder", 4),
    ):
        keypoints[0, INDEX[name], 0] = x
    found = with_middle(keypoints)
    assert torch.equal(found[:, :17], keypoints)
    assert found[0, 17:, 0].tolist() == [1.5, 3, 3]


# What is missing, and what makes no difference


def test_an_extent_is_of_the_keypoints_that_are_there() -> None:
    keypoints = torch.zeros(3, 17, 2)
    keypoints[:, 0] = torch.tensor([-0.2, 0.1])
    keypoints[:, 1] = torch.tensor([0.4, 0.3])
    keypoints[:, 2] = torch.tensor([torch.nan, 5.0])
    there = torch.zeros(3, 17, dtype=torch.bool)
    there[0, :2] = True
    there[1, 0] = True
    middle, size = extent(keypoints, there)
    close(middle, torch.tensor([[0.1, 0.2], [-0.2, 0.1], [0, 0]]), 1e-6)
    assert float(size[0]) == pytest.approx(0.6)
    assert 0 < float(size[1]) < 0.01
    assert float(size[2]) == 1  # nobody is the whole picture


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [7.0, torch.nan, torch.inf, -torch.inf])
def test_where_a_missing_keypoint_would_be_makes_no_difference(kind: str, value: float) -> None:
    lifting = made(kind)
    keypoints, scores = seen(kind)
    random = torch.Generator().manual_seed(5)
    scores = torch.where(torch.rand(scores.shape, generator=random) < 0.4, 0.0, scores)
    expected = lifting(keypoints, scores)
    other = torch.where((scores > 0)[..., None], keypoints, torch.tensor(value))
    assert not torch.equal(keypoints, other)
    for one, same in zip(expected, lifting(other, scores), strict=True):
        assert one.isfinite().all()
        assert torch.equal(one, same)
    with_it = torch.where(scores > 0, scores, 0.01)
    assert not torch.equal(expected.joints, lifting(keypoints, with_it).joints)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("there", [0, 1, 2])
def test_hardly_anybody_gives_finite_joints(kind: str, there: int) -> None:
    keypoints, scores = seen(kind)
    scores[..., there:] = 0
    joints, uncertainty = made(kind)(keypoints, scores)
    assert joints.isfinite().all()
    assert uncertainty.isfinite().all()


def test_the_parts_of_the_picture_are_the_unit_of_everything() -> None:
    """Nearer the middle and smaller is another camera: only what is relative stays."""
    lifting = made()
    keypoints, scores = seen("single", 1)
    assert not torch.equal(
        lifting(keypoints, scores).joints, lifting(keypoints * 0.5, scores).joints
    )


@pytest.mark.parametrize("kind", KINDS)
def test_everybody_is_lifted_by_themselves(kind: str) -> None:
    lifting, (keypoints, scores) = made(kind), seen(kind, 6)
    together = lifting(keypoints, scores)
    alone = [lifting(keypoints[row : row + 1], scores[row : row + 1]) for row in range(6)]
    close(together.joints, torch.cat([each.joints for each in alone]))
    close(together.uncertainty, torch.cat([each.uncertainty for each in alone]))


# Files


def shipped(kind: str, folder: Path, seed: int = 0) -> tuple[LiftingNetwork, Entry]:
    torch.manual_seed(seed)
    lifting = LiftingNetwork(**NETWORKS[kind])
    lifting.spread = 1 + torch.arange(21.0)
    return lifting, files.ship(kind, lifting, source="made up", command="none", folder=folder)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_shipped_is_read_back_as_float16(kind: str, tmp_path: Path) -> None:
    lifting, entry = shipped(kind, tmp_path)
    back = files.load(kind, tmp_path / f"{kind}.safetensors")
    assert not back.training
    pairs = zip(lifting.state_dict().values(), back.state_dict().values(), strict=True)
    assert all(torch.equal(one.half().float(), other) for one, other in pairs)
    assert {value.dtype for value in back.state_dict().values()} == {torch.float32}
    data = (tmp_path / entry.file).read_bytes()
    assert entry.sha256 == hashlib.sha256(data).hexdigest()
    assert entry.parameters == sum(value.numel() for value in back.parameters())
    assert len(data) == pytest.approx(2 * entry.parameters, rel=0.01)
    assert entry.receptive_field == back.receptive_field()


def test_the_manifest_has_a_row_for_each_that_is_shipped(tmp_path: Path) -> None:
    _, first = shipped("single", tmp_path)
    _, second = shipped("causal", tmp_path)
    _, third = shipped("single", tmp_path, seed=1)
    assert files.manifest(tmp_path) == {"single": third, "causal": second}
    assert third.sha256 != first.sha256
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"manifest.json", "single.safetensors", "causal.safetensors"}


@pytest.mark.parametrize("kind", KINDS)
def test_the_package_ships_it(kind: str) -> None:
    entry = files.manifest()[kind]
    lifting = files.load(kind)
    assert entry.receptive_field == lifting.receptive_field() == NETWORKS[kind]["frames"]
    assert entry.parameters == sum(value.numel() for value in lifting.parameters()) < 5e6
    assert hashlib.sha256((files.FOLDER / entry.file).read_bytes()).hexdigest() == entry.sha256
    assert all(value.isfinite().all() for value in lifting(*seen(kind)))


def test_all_that_ships_is_under_ten_megabytes() -> None:
    assert sum(path.stat().st_size for path in files.FOLDER.iterdir()) < 10e6
    assert json.loads((files.FOLDER / "manifest.json").read_text()).keys() == NETWORKS.keys()


def test_a_shipped_file_that_was_changed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = files.manifest()
    rows["single"] = replace(rows["single"], sha256="0" * 64)
    monkeypatch.setattr(files, "manifest", lambda: rows)
    with pytest.raises(WeightsError, match=r"single.safetensors: not the file that was shipped"):
        files.load("single")


def test_a_file_says_which_of_two_networks_of_one_shape_it_holds(tmp_path: Path) -> None:
    shipped("causal", tmp_path)
    path = tmp_path / "causal.safetensors"
    with pytest.raises(WeightsError, match="holds lift-causal, and lift-centred is needed here"):
        files.load("centred", path)
    save_file(load_file(path), path)  # of somebody else, without a name
    assert files.load("centred", path).reference == 13


def test_another_name_is_refused() -> None:
    with pytest.raises(ValueError, match="single, causal, centred, not 'triple'"):
        files.load("triple")


def test_a_file_that_is_missing_or_damaged_is_refused(tmp_path: Path) -> None:
    shipped("single", tmp_path)
    path = tmp_path / "single.safetensors"
    data = path.read_bytes()
    with pytest.raises(WeightsError, match=r"nowhere.safetensors: cannot be read"):
        files.load("single", tmp_path / "nowhere.safetensors")
    with pytest.raises(WeightsError, match="cannot be read"):
        files.load("single", tmp_path)
    for damaged in (b"", data[:7], data[:200], data[:-1], b"PK" + data, bytes(99)):
        path.write_bytes(damaged)
        with pytest.raises(WeightsError, match="not a whole safetensors file") as error:
            files.load("single", path)
        assert "\n" not in str(error.value)


def refused(kind: str, tensors: dict[str, Tensor], path: Path, match: str) -> None:
    save_file(tensors, path)
    with pytest.raises(WeightsError, match=match) as error:
        files.load(kind, path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def test_weights_that_are_not_the_network_s_are_refused_by_name(tmp_path: Path) -> None:
    shipped("single", tmp_path)
    path = tmp_path / "single.safetensors"
    good = load_file(path)
    lost = {name: value for name, value in good.items() if name != "head.bias"}
    refused("single", lost, path, "not the weights of 'single'.*: head.bias")
    refused("single", good | {"tail": torch.ones(1)}, path, ": tail")
    refused("single", good | {"spread": torch.ones(20)}, path, ": spread")
    refused("single", good | {"head.bias": good["head.bias"] * torch.nan}, path, "not finite")
    refused("causal", good, path, "not the weights of 'causal'.*[.][.][.]")
