"""How lifting networks are scored and trained: closed forms, SciPy, and a tiny course."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from errors_drawn import Errors
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from torch import Tensor

from movenet.errors import MoveNetError, WeightsError
from movenet.lifting import files
from movenet.lifting.joints import MIRROR, NAMES
from movenet.lifting.network import LiftingNetwork, boxed

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "training"))
from lifting import course, train  # noqa: E402
from lifting.course import Course, begin_as, loss, optimisers, part_of_rate  # noqa: E402
from lifting.evaluation import LEARNT, LIMBS, aligned, lifted, score, score_limbs  # noqa: E402
from lifting.markers import POINTS  # noqa: E402
from lifting.recordings import JOINTS, Recording  # noqa: E402
from lifting.rotations import about, turned  # noqa: E402
from lifting.simulation import Batch, Simulation  # noqa: E402
from lifting.windows import Windows  # noqa: E402


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def batch_of(points: Tensor, height: float = 1.7) -> Batch:
    count = len(points)
    seen = torch.zeros(count, 1, 17, 2), torch.ones(count, 1, 17)
    return Batch(*seen, points, torch.full((count,), height))


# Evaluation


def test_the_limbs_are_the_twelve_and_what_is_learnt_is_what_is_simulated() -> None:
    assert [POINTS[place] for place in LIMBS] == list(NAMES[5:17])
    assert tuple(NAMES[place] for place in LEARNT) == POINTS


@given(st.integers(0, 10**6), st.floats(0.1, 10))
@settings(max_examples=50, deadline=None)
def test_a_turn_a_scale_and_a_shift_are_undone(seed: int, scale: float) -> None:
    true, axis, shift = drawn(4, 12, 3, seed=seed), drawn(4, 3, seed=seed + 1), drawn(4, 1, 3)
    found = scale * turned(about(3 * axis)[:, None], true) + shift
    assert_allclose(aligned(found, true), true, atol=1e-4)


def test_a_mirror_image_is_not_turned_into_the_person() -> None:
    true = drawn(50, 12, 3)
    found = true * torch.tensor([-1.0, 1, 1])
    result = aligned(found, true)
    assert (result - true).norm(dim=-1).mean(1).min() > 0.1
    maps = torch.linalg.lstsq(found - found.mean(1, keepdim=True), result - true.mean(1)[:, None])
    assert (torch.linalg.det(maps.solution) > 0).all()


@pytest.mark.parametrize("noise", [0.01, 0.3, 3.0])
def test_the_fit_is_that_of_scipy(noise: float) -> None:
    """The turn by SciPy, and the scale by least squares along what is turned."""
    rotation = pytest.importorskip("scipy.spatial.transform").Rotation
    true = drawn(30, 12, 3)
    found = 0.5 * turned(about(drawn(30, 1, 3)), true) + noise * drawn(30, 12, 3, seed=1) + 4
    for mine, theirs, result in zip(
        found.double(), true.double(), aligned(found, true), strict=True
    ):
        one, other = ((each - each.mean(0)).numpy() for each in (mine, theirs))
        turn, _ = rotation.align_vectors(other, one)
        placed = turn.apply(one)
        placed *= (placed * other).sum() / (placed**2).sum()
        assert_allclose(result, placed + theirs.mean(0).numpy(), atol=1e-4)


def test_nothing_fits_better_than_the_fit() -> None:
    true, found = drawn(20, 12, 3), drawn(20, 12, 3, seed=1)
    best = aligned(found, true)
    error = (best - true).square().sum((1, 2))
    for seed in range(20):
        scale = 1 + 0.05 * drawn(20, 1, 1, seed=seed)
        other = turned(about(0.05 * drawn(20, 1, 3, seed=seed)), best) * scale
        other = other + 0.02 * drawn(20, 1, 3, seed=seed)
        assert ((other - true).square().sum((1, 2)) >= error - 1e-4).all()


def test_a_body_that_is_a_point_is_brought_to_the_middle() -> None:
    true = drawn(3, 12, 3)
    result = aligned(torch.ones(3, 12, 3), true)
    assert_allclose(result, true.mean(1, keepdim=True).expand(3, 12, 3), atol=1e-5)


def test_the_mean_distance_is_in_millimetres_of_the_person() -> None:
    """By hand: 0.01 of 1.7 m is 17 mm; a shift, a turn and a scale are nothing once aligned."""
    batch = batch_of(drawn(9, 20, 3) * 0.3)
    found = batch.points + torch.tensor([0.006, 0, -0.008])
    assert score(found, batch) == pytest.approx((17, 0), abs=1e-3)
    found = batch.points.clone()
    found[:, POINTS.index("left_knee"), 1] += 0.12
    assert score(found, batch).mpjpe == pytest.approx(0.12 / 12 * 1700, rel=1e-4)
    assert score(found, batch).pa_mpjpe > 1
    assert score(batch.points * 1.2, batch).pa_mpjpe == pytest.approx(0, abs=1e-2)


def test_face_and_trunk_do_not_count() -> None:
    batch = batch_of(drawn(9, 20, 3))
    found = batch.points + 5.0
    found[:, LIMBS] = batch.points[:, LIMBS]
    assert score(found, batch) == pytest.approx((0, 0), abs=1e-3)


def test_everybody_counts_by_their_own_height() -> None:
    true = drawn(2, 12, 3)
    found = true + torch.tensor([0.01, 0, 0])
    found[1] = true[1] + torch.tensor([0, 0.03, 0])
    heights = torch.tensor([1.0, 2.0])
    assert score_limbs(found, true, heights).mpjpe == pytest.approx((10 + 60) / 2, rel=1e-4)


def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks and batches that take no time."""
    for kind, size in files.NETWORKS.items():
        monkeypatch.setitem(files.NETWORKS, kind, {**size, "width": 32})
        monkeypatch.setitem(course.BATCH, kind, 32)


def test_a_network_looks_twice_so_that_mirror_images_are_lifted_alike(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tiny(monkeypatch)
    torch.manual_seed(0)
    network = files.LiftingNetwork(**files.NETWORKS["single"]).eval()
    batch = batch_of(torch.zeros(5, 20, 3))._replace(keypoints=drawn(5, 1, 17, 2) * 0.2)
    flip, sides = torch.tensor([-1.0, 1.0]), list(MIRROR[:17])
    mirrored = batch._replace(keypoints=(batch.keypoints * flip)[:, :, sides])
    other = [POINTS.index(NAMES[MIRROR[place]]) for place in LEARNT]
    expected = lifted(network, batch)[:, other] * torch.tensor([-1.0, 1, 1])
    assert_allclose(lifted(network, mirrored), expected, atol=1e-6)
    once = network(batch.keypoints, batch.scores).joints[:, LEARNT]
    assert (once - lifted(network, batch)).abs().max() > 1e-3


# A course


def take(seed: int = 0, length: int = 90) -> Recording:
    """A person about upright whose joints sway, 30 times a second."""
    random = np.random.default_rng(seed)
    levels = dict(zip(JOINTS[:7], (0.95, 1.07, 1.2, 1.43, 1.5, 1.58, 1.67), strict=True))
    half = {"hip": (0.09, 0.93), "knee": (0.09, 0.51), "ankle": (0.09, 0.08), "toe": (0.09, 0.02)}
    half |= {"shoulder": (0.17, 1.42), "elbow": (0.25, 1.15), "wrist": (0.28, 0.9)}
    places = {name: (0.0, level, 0.0) for name, level in levels.items()}
    for joint, (x, y) in half.items():
        z = 0.15 if joint == "toe" else 0.0
        places |= {f"left_{joint}": (x, y, z), f"right_{joint}": (-x, y, z)}
    rest = np.array([places[name] for name in JOINTS])
    phase = np.arange(length)[:, None, None] / 10 + random.uniform(0, 6, (1, 21, 3))
    joints = rest + 0.05 * np.sin(phase)
    return Recording("a", "01", False, joints, np.tile(np.eye(3), (length, 1, 1)))


def simulation(kind: str, seed: int = 0, *, noisy: bool = True) -> Simulation:
    size = files.NETWORKS[kind]
    windows = Windows([take(0), take(1)], size["frames"], size["reference"])
    return Simulation(windows, seed=seed, errors=Errors() if noisy else None)


def made(kind: str = "single", steps: int = 40, seed: int = 0) -> Course:
    return Course(kind, simulation(kind, seed), steps, seed=seed)


@pytest.mark.parametrize("kind", files.NETWORKS)
def test_a_few_steps_make_the_error_less(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny(monkeypatch)
    monkeypatch.setattr(course, "WARM_UP", 10)
    monkeypatch.setattr(course, "NOTED", 20)
    fixed = simulation(kind, 99, noisy=False).batch(128)
    on_its_way = made(kind, 60)
    before = score(lifted(on_its_way.mean_network(), fixed), fixed)
    while on_its_way.taken < 60:
        on_its_way.advance()
    after = score(lifted(on_its_way.mean_network(), fixed), fixed)
    assert after.mpjpe < 0.3 * before.mpjpe
    assert after.pa_mpjpe < 0.5 * before.pa_mpjpe
    assert len(on_its_way.losses) == 3
    assert on_its_way.losses[-1] < 0.5 * on_its_way.losses[0]


@pytest.mark.parametrize("kind", ["causal", "centred"])
def test_over_time_a_network_begins_as_one_of_a_single_frame(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny(monkeypatch)
    monkeypatch.setattr(course, "WARM_UP", 1)
    single = made().mean_network()
    course_of_it = Course(kind, simulation(kind), 40, start=single)
    batch = simulation(kind, 99).batch(16)
    place = slice(course_of_it.network.reference, course_of_it.network.reference + 1)
    expected = single(batch.keypoints[:, place], batch.scores[:, place]).joints
    assert_allclose(course_of_it.network(*batch[:2]).joints.detach(), expected.detach(), atol=1e-5)
    course_of_it.advance()
    moved = course_of_it.network(*batch[:2]).joints
    changed = batch.keypoints.clone()
    changed[:, place.start - 1] += 0.1
    assert not torch.equal(course_of_it.network(changed, batch.scores).joints, moved)


def test_only_a_network_of_the_same_layers_begins_another(monkeypatch: pytest.MonkeyPatch) -> None:
    tiny(monkeypatch)
    other = files.LiftingNetwork(1, 0, width=32, blocks=20)
    with pytest.raises(ValueError, match="not the same layers: after"):
        begin_as(made("centred").network, other)


def test_features_are_standardised_by_what_is_trained_on(monkeypatch: pytest.MonkeyPatch) -> None:
    tiny(monkeypatch)
    network = made().network
    many = simulation("single", 7).batch(2000)
    seen = network.features(*boxed_of(network, many))
    features = (seen - network.mean) / network.deviation
    assert features.mean((0, 1)).abs().max() < 0.5
    assert features.std((0, 1)).max() < 2


def boxed_of(network: LiftingNetwork, batch: Batch) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    relative, middle, size = boxed(batch.keypoints, batch.scores, network.reference)
    return relative, batch.scores, middle, size


def same(one: Course, other: Course) -> bool:
    pairs = zip(one.network.parameters(), other.network.parameters(), strict=True)
    kept = zip(one.kept, other.kept, strict=True)
    return all(torch.equal(*pair) for pair in [*pairs, *kept])


def test_a_course_that_was_stopped_goes_on_as_if_it_had_not_been(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny(monkeypatch)
    monkeypatch.setattr(course, "NOTED", 2 * course.AT_ONCE)
    whole, stopped = made(), made()
    for _ in range(5):
        whole.advance()
    for _ in range(3):
        stopped.advance()
    stopped.save(tmp_path / "course.pt")
    assert [path.name for path in tmp_path.iterdir()] == ["course.pt"]
    torch.manual_seed(12345)
    resumed = made()
    resumed.resume(tmp_path / "course.pt")
    assert resumed.taken == 3 * course.AT_ONCE
    assert same(resumed, stopped)
    for _ in range(2):
        resumed.advance()
    assert same(resumed, whole)
    assert resumed.losses == whole.losses
    assert len(whole.losses) == 2


def test_the_same_seed_takes_the_same_way_and_another_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tiny(monkeypatch)
    one, again, other = made(), made(), made(seed=1)
    for each in (one, again, other):
        each.advance()
    assert same(one, again)
    assert not same(one, other)


@pytest.mark.parametrize(
    "other", [{"kind": "centred"}, {"steps": 41}, {"seed": 1}], ids=["kind", "steps", "seed"]
)
def test_another_course_s_checkpoint_is_refused(
    other: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny(monkeypatch)
    path = tmp_path / "course.pt"
    made().save(path)
    (name,) = other
    with pytest.raises(MoveNetError, match=f"course.pt: was made with {name} "):
        made(**other).resume(path)


def test_a_checkpoint_that_began_as_another_network_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny(monkeypatch)
    path = tmp_path / "course.pt"
    one, other = (made(seed=seed).mean_network() for seed in (0, 1))
    Course("causal", simulation("causal"), 40, start=one).save(path)
    Course("causal", simulation("causal"), 40, start=one).resume(path)
    with pytest.raises(MoveNetError, match=r"course\.pt: began as another network of one frame"):
        Course("causal", simulation("causal"), 40, start=other).resume(path)


def test_a_damaged_checkpoint_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny(monkeypatch)
    path = tmp_path / "course.pt"
    made().save(path)
    data = path.read_bytes()
    for damaged in (b"", data[:5000], b"words"):
        path.write_bytes(damaged)
        with pytest.raises(MoveNetError, match=r"course\.pt: no whole checkpoint"):
            made().resume(path)


def test_the_kept_weights_are_a_running_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    """By hand, of the n-th step: n of n + FORGETTING parts stay, but never more than MEAN."""
    tiny(monkeypatch)
    monkeypatch.setattr(course, "AT_ONCE", 1)
    monkeypatch.setattr(course, "MEAN", 2 / (2 + course.FORGETTING))
    on_its_way = made()
    expected = [value.detach().clone() for value in on_its_way.network.parameters()]
    for step in range(1, 5):
        on_its_way.advance()
        stays = min(step, 2) / (min(step, 2) + course.FORGETTING)
        for mean, value in zip(expected, on_its_way.network.parameters(), strict=True):
            mean.mul_(stays).add_(value.detach(), alpha=1 - stays)
    network = on_its_way.mean_network()
    assert not network.training
    for mean, value in zip(expected, network.parameters(), strict=True):
        assert_allclose(mean, value.detach(), atol=1e-6)


def test_half_the_arithmetic_goes_about_the_same_way(monkeypatch: pytest.MonkeyPatch) -> None:
    tiny(monkeypatch)
    whole = made()
    half = Course("single", simulation("single"), 40, half=True)
    for each in (whole, half):
        each.advance()
    pairs = zip(whole.network.parameters(), half.network.parameters(), strict=True)
    assert all(value.isfinite().all() for value in half.network.parameters())
    assert (
        max(float((one - other).detach().abs().max()) for one, other in pairs)
        < course.RATES["muon"]
    )


def test_a_network_that_begins_as_another_goes_more_slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    tiny(monkeypatch)
    rates = []
    for start in (None, made().mean_network()):
        on_its_way = Course("causal", simulation("causal"), 40, start=start)
        on_its_way.advance()
        groups = [each.param_groups[0] for each in on_its_way.optimisers.values()]
        rates.append(np.array([group["lr"] for group in groups]))
    assert_allclose(rates[1], rates[0] * course.SLOWER, rtol=1e-6)


def test_steps_go_far_in_the_middle_and_not_at_the_end() -> None:
    steps = 10 * course.WARM_UP
    parts = np.array([part_of_rate(taken, steps) for taken in range(steps)])
    assert parts[0] == pytest.approx(1 / course.WARM_UP, rel=1e-5)
    peak = parts.argmax()
    assert abs(peak - course.WARM_UP) <= 1
    assert (np.diff(parts[:peak]) > 0).all()
    assert (np.diff(parts[peak + 1 :]) < 0).all()
    assert parts[steps // 2] == pytest.approx(0.5, rel=1e-6)
    assert 0 < parts[-1] < 1e-5


@pytest.mark.parametrize("kind", files.NETWORKS)
def test_every_weight_is_moved_by_one_optimiser_and_the_ends_by_adamw(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny(monkeypatch)
    network = files.LiftingNetwork(**files.NETWORKS[kind])
    by_name = {value: name for name, value in network.named_parameters()}
    moved = {
        optimiser: [by_name[value] for group in each.param_groups for value in group["params"]]
        for optimiser, each in optimisers(network).items()
    }
    assert moved.keys() == course.RATES.keys()
    assert sorted(name for names in moved.values() for name in names) == sorted(by_name.values())
    assert {"embed.weight", "head.weight"} <= set(moved["adamw"])
    assert "blocks.0.inner.weight" in moved["muon"]
    assert ("joins.2.join.weight" in moved["muon"]) == (kind != "single")


def test_the_loss_is_the_distance_and_the_limbs_weigh_most() -> None:
    """By hand: one joint off by 0.1, everywhere else right, of an uncertainty of 1."""
    batch = batch_of(drawn(4, 20, 3))
    joints = torch.zeros(4, 21, 3)
    joints[:, LEARNT] = batch.points
    sure = torch.ones(4, 21)
    for name, weight in (("left_wrist", 1.0), ("nose", course.LESSER), ("neck", course.LESSER)):
        moved = joints.clone()
        moved[:, NAMES.index(name), 2] += 0.1
        value, distance = loss(moved, sure, batch)
        expected = weight * 0.1 * (1 + course.UNCERTAINTY) / 20
        assert float(value) == pytest.approx(expected, rel=1e-4)
        assert distance == pytest.approx(0.1 / 12 if weight == 1 else 0, abs=1e-6)


def test_the_uncertainty_goes_to_the_distance_and_does_not_pull_at_the_joints() -> None:
    batch = batch_of(torch.zeros(1, 20, 3))
    joints = torch.zeros(1, 21, 3)
    joints[..., 0] = 0.05
    joints.requires_grad_()
    pulls = []
    for spread, way in ((0.02, -1), (0.05, 0), (0.3, 1)):
        uncertainty = torch.full((1, 21), spread, requires_grad=True)
        value, _ = loss(joints, uncertainty, batch)
        pull, slope = torch.autograd.grad(value, [joints, uncertainty])
        slopes = slope[0, LEARNT]
        assert (slopes.sign() == way).all() if way else slopes.abs().max() < 1e-5
        pulls.append(pull)
    assert torch.equal(pulls[0], pulls[1])
    assert torch.equal(pulls[0], pulls[2])


# The command


def test_the_command_trains_ships_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice: what was trained to its end is not trained again."""
    pytest.importorskip("matplotlib")
    tiny(monkeypatch)
    monkeypatch.setattr(course, "NOTED", course.AT_ONCE)
    monkeypatch.setattr(train, "CALIBRATION", 64)
    monkeypatch.setattr(train, "recordings", lambda folder: [take(0), take(1)])
    monkeypatch.setattr(train.Errors, "read", lambda path: Errors())
    into = tmp_path / "shipped"
    arguments = ["nowhere", str(tmp_path), "--into", str(into), "--steps", "8"]
    assert train.main([*arguments, "--networks", "single", "causal"]) == 0
    assert {path.name for path in into.iterdir()} == {
        "single.safetensors", "causal.safetensors", "manifest.json",
    }  # fmt: skip
    for kind in ("single", "causal"):
        network = files.load(kind, into / f"{kind}.safetensors")
        assert network.spread[LEARNT].ne(1).all()  # calibrated
        assert len(json.loads((tmp_path / f"{kind}-losses.json").read_text())) == 2
    assert (tmp_path / "losses.png").read_bytes().startswith(b"\x89PNG")
    before = {path: path.read_bytes() for path in into.glob("*.safetensors")}
    monkeypatch.setattr(Course, "advance", lambda self: pytest.fail("trained again"))
    assert train.main([*arguments, "--networks", "single", "causal"]) == 0
    assert {path: path.read_bytes() for path in before} == before


def test_over_time_nothing_is_trained_without_the_network_of_one_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "recordings", lambda folder: [take(0)])
    arguments = ["nowhere", str(tmp_path), "--plain", "--networks", "causal"]
    with pytest.raises(WeightsError, match=r"single\.safetensors: cannot be read"):
        train.main([*arguments, "--into", str(tmp_path / "shipped")])
