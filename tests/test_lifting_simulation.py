"""Simulated sights: windows, other people, markers, pinhole cameras, what is seen of them."""

import itertools
import json
import math
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.transform import Rotation
from torch import Tensor

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "training"))
from lifting import bodies, cameras, markers, rotations, sightings, windows  # noqa: E402
from lifting.bodies import BONES, MIRROR, PARENTS, Bodies, bones_of, joints_of, stature  # noqa: E402
from lifting.cameras import ANYWHERE, ROOM, Cameras, Scene, Views  # noqa: E402
from lifting.markers import HIPS, POINTS, points_of  # noqa: E402
from lifting.recordings import JOINTS, PLACE, Recording  # noqa: E402
from lifting.simulation import Batch, Simulation  # noqa: E402
from lifting.windows import Windows  # noqa: E402

LEFT = [place for name, place in BONES.items() if name.startswith("left_")]
RIGHT = [BONES[name.replace("left_", "right_")] for name in BONES if name.startswith("left_")]
MIDDLE = [place for name, place in BONES.items() if "_" not in name]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def t_pose() -> Tensor:
    """Arms out, facing +z, left towards +x, y up, m: (21, 3)."""
    half = {
        "hip": (0.09, 0.93, 0), "knee": (0.09, 0.51, 0), "ankle": (0.09, 0.08, 0),
        "toe": (0.09, 0.02, 0.15), "shoulder": (0.17, 1.42, 0), "elbow": (0.45, 1.42, 0),
        "wrist": (0.71, 1.42, 0),
    }  # fmt: skip
    levels = 0.95, 1.07, 1.2, 1.43, 1.5, 1.58, 1.67
    places = {name: (0, level, 0) for name, level in zip(JOINTS[:7], levels, strict=True)}
    for joint, (x, y, z) in half.items():
        places |= {f"left_{joint}": (x, y, z), f"right_{joint}": (-x, y, z)}
    return torch.tensor([places[name] for name in JOINTS], dtype=torch.float32)


def people(count: int = 40, frames: int = 3, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Limbs bent at random, bones of a T-pose stretched at random, (B, T, 21, 3); and heads."""
    random = generator(seed)
    bones = bones_of(t_pose()).expand(count, frames, -1, -1)
    bones = bones * (torch.randn(count, 1, 20, 1, generator=random) * 0.1).exp()
    turns = rotations.about(torch.randn(count, frames, 20, 3, generator=random) * 0.3)
    pelvis = torch.randn(count, frames, 3, generator=random)
    heads = rotations.about(torch.randn(count, frames, 3, generator=random))
    return joints_of(pelvis, rotations.turned(turns, bones)), heads


def take(length: int = 60, seed: int = 0, name: str = "a") -> Recording:
    """A person who moves at random but smoothly, at 30 frames/s."""
    joints, heads = people(1, 4, seed)
    knots = np.linspace(0, length - 1, 4)
    flat = joints[0].reshape(4, -1).numpy()
    path = np.stack([np.interp(np.arange(length), knots, column) for column in flat.T], -1)
    head = heads[0, :1].expand(length, 3, 3).double().numpy()
    return Recording(name, "01", False, path.reshape(length, 21, 3).astype(np.float64), head)


def lengths(joints: Tensor) -> Tensor:
    return bones_of(joints).norm(dim=-1)


def apart(points: Tensor) -> Tensor:
    """Distances, (..., J, 3) -> (..., J, J)."""
    return (points[..., :, None, :] - points[..., None, :, :]).norm(dim=-1)


def close(one: Tensor, other: Tensor, atol: float = 1e-5) -> None:
    assert_allclose(one, other.expand_as(one), atol=atol)


class Fixed:
    """Everybody's keypoints are to the right by 0.01 body heights; the nose is not seen."""

    def draw(self, count: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        scores = torch.full((count, 17), 0.8)
        scores[:, 0] = 0
        return scores, torch.tensor([0.01, 0]).expand(count, 17, 2)

    def alike(self, scores: Tensor, random: torch.Generator) -> Tensor:
        return self.draw(len(scores), random)[1]


class Measured:
    """As Errors: drawn from a generator."""

    def draw(self, count: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        scores = torch.rand(count, 17, generator=random)
        return scores, torch.randn(count, 17, 2, generator=random) * 0.02

    def alike(self, scores: Tensor, random: torch.Generator) -> Tensor:
        return self.draw(len(scores), random)[1]


# Turns


@given(st.lists(st.floats(-4, 4), min_size=3, max_size=3))
@settings(max_examples=40, deadline=None)
def test_a_turn_about_an_axis_is_that_of_scipy(axis: list[float]) -> None:
    rotation = pytest.importorskip("scipy.spatial.transform").Rotation
    expected = rotation.from_rotvec(axis).as_matrix()
    assert_allclose(rotations.about(torch.tensor(axis)), expected, atol=1e-5)


def test_the_least_turn_towards_a_direction_goes_there_across() -> None:
    random = generator()
    start, goal = torch.randn(50, 3, generator=random), torch.randn(50, 3, generator=random)
    way = rotations.towards(start, goal)
    close(rotations.unit(rotations.turned(rotations.about(way), start)), rotations.unit(goal))
    for each in (start, goal):
        close((way * each).sum(-1), torch.zeros(50))
    assert way.norm(dim=-1).max() <= math.pi + 1e-5
    close(rotations.towards(start, 2 * start), torch.zeros(50, 3))


def test_a_frame_keeps_its_first_axis_and_is_right_handed() -> None:
    found = rotations.frame(torch.tensor([2.0, 0, 0]), torch.tensor([1.0, 3, 0]))
    assert_allclose(found, torch.eye(3), atol=1e-6)
    left, up = torch.randn(2, 50, 3, generator=generator())
    axes = rotations.frame(left, up)
    close(axes.mT @ axes, torch.eye(3))
    assert_allclose(torch.linalg.det(axes), np.ones(50), atol=1e-5)
    close(axes[..., 0], rotations.unit(left))
    assert ((axes[..., 1] * up).sum(-1) > 0).all()


# Windows


def counting(length: int, first: float) -> Recording:
    """Every joint of frame k is at first + k."""
    joints = np.broadcast_to(first + np.arange(length)[:, None, None], (length, 21, 3))
    heads = np.broadcast_to(joints[:, :1, :1], (length, 3, 3))
    return Recording("a", "01", False, joints.astype(float), heads.astype(float))


def test_windows_are_frames_in_a_row_that_stand_at_the_ends() -> None:
    """By hand: of a recording of 5 frames, three that end with the one that counts."""
    made = Windows([counting(5, 0.0), counting(4, 100.0)], 3, 2)
    joints, heads = made.draw(400, np.random.default_rng(0), vary=False)
    assert joints.shape == (400, 3, 21, 3)
    assert heads.shape == (400, 3, 3, 3)
    rows = {tuple(row) for row in joints[:, :, 0, 0].tolist()}
    wanted = {(max(k - 2, 0), max(k - 1, 0), k) for k in range(5)}
    wanted |= {(100 + max(k - 2, 0), 100 + max(k - 1, 0), 100 + k) for k in range(4)}
    assert rows == wanted
    assert_array_equal(heads[..., 0, 0], joints[..., 0, 0])


def test_every_frame_counts_as_often_as_any_other() -> None:
    made = Windows([counting(5, 0.0), counting(15, 100.0)], 1, 0)
    joints, _ = made.draw(20000, np.random.default_rng(0), vary=False)
    counts = np.unique_counts(joints[:, 0, 0, 0]).counts
    assert_allclose(counts, np.full(20, 1000), rtol=0.12)


def test_varied_windows_are_played_evenly_within_their_recording() -> None:
    made = Windows([counting(400, 0.0), counting(400, 1000.0)], 9, 4)
    joints, heads = made.draw(300, np.random.default_rng(0), vary=True)
    at = joints[:, :, 0, 0]
    assert (((at >= 0) & (at <= 399)) | ((at >= 1000) & (at <= 1399))).all()
    assert (joints == at[..., None, None]).all()
    steps = at.diff(dim=1)
    inside = (at[:, 0] % 1000 > 0) & (at[:, -1] % 1000 < 399)
    assert_allclose(steps[inside], steps[inside][:, :1].expand(-1, 8), atol=2e-4)
    speeds = steps[inside][:, 0].log()
    assert abs(float(speeds.mean())) < 0.05
    assert float(speeds.std()) == pytest.approx(windows.SPEEDS, rel=0.15)
    assert (heads[..., 0, 0] - at).abs().max() <= 0.5 + 1e-3  # the nearer frame's


def test_one_frame_is_a_recording_and_none_are_an_error() -> None:
    joints, _ = Windows([counting(1, 7.0)], 3, 1).draw(5, np.random.default_rng(0), vary=True)
    assert (joints == 7).all()
    with pytest.raises(ValueError, match="no recordings"):
        Windows([], 1, 0)


# Bodies


def test_parents_come_first_and_joints_are_what_their_bones_make() -> None:
    seen = {"pelvis"}
    for joint, parent in PARENTS.items():
        assert parent in seen
        seen.add(joint)
    assert seen == set(JOINTS)
    joints, _ = people()
    close(joints_of(joints[:, :, PLACE["pelvis"]], bones_of(joints)), joints, 1e-6)


def test_the_axes_of_a_person_at_rest_are_those_of_the_room() -> None:
    assert_allclose(bodies.pelvis_axes(t_pose()), torch.eye(3), atol=1e-6)
    assert_allclose(bodies.chest_axes(t_pose()), torch.eye(3), atol=1e-6)


def test_the_stature_is_that_of_the_bones_however_they_are_bent() -> None:
    """By hand: thigh and shank 0.42 + 0.43, trunk 0.12 + 0.13 + 0.23, head 0.07 + 0.08 + 0.09."""
    assert float(stature(t_pose())) == pytest.approx(bodies.STATURE * 1.57, rel=1e-5)
    turns = rotations.about(torch.randn(9, 20, 3, generator=generator()))
    bent = joints_of(torch.zeros(9, 3), rotations.turned(turns, bones_of(t_pose())))
    assert_allclose(stature(bent), np.full(9, bodies.STATURE * 1.57), rtol=1e-5)
    assert float(stature(t_pose() * 2)) == pytest.approx(2 * float(stature(t_pose())), rel=1e-5)
    assert 1.7 < float(stature(t_pose())) < 2  # of somebody whose crown is at about 1.77 m


def test_grown_people_keep_their_pose_and_both_sides_grow_alike() -> None:
    joints, _ = people(2000, 2)
    grown = Bodies(generator())._grown(joints)
    close(rotations.unit(bones_of(grown)), rotations.unit(bones_of(joints)), 1e-4)
    factor = lengths(grown) / lengths(joints)
    close(factor, factor[:, :1], 1e-4)  # the same over the window
    ratio = (factor[:, 0, LEFT] / factor[:, 0, RIGHT]).log()
    assert ratio.abs().max() < 6 * 2**0.5 * bodies.SIDE
    assert float(ratio.std()) == pytest.approx(2**0.5 * bodies.SIDE, rel=0.05)
    whole = factor[:, 0].log()
    assert (whole.std(0) > bodies.WHOLE).all()
    assert whole.std(0)[BONES["left_hip"]] > bodies.BROAD
    joined = torch.corrcoef(whole.T)
    assert joined[BONES["left_knee"], BONES["left_ankle"]] > 0.3  # legs are long or short
    assert joined[BONES["left_knee"], BONES["left_ankle"]] > joined[BONES["left_knee"], MIDDLE[0]]


def test_people_with_other_legs_take_other_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """By hand, of children alone, whose legs are shorter and heads larger by known factors."""
    for name in ("WHOLE", "PART", "BONE", "SIDE", "BROAD"):
        monkeypatch.setattr(bodies, name, 0.0)
    monkeypatch.setattr(bodies, "CHILD_SHARE", 1.0)
    joints, _ = people()
    grown = Bodies(generator())._grown(joints)
    pelvis = PLACE["pelvis"]
    close(grown[:, :, pelvis], joints[:, :, pelvis] * bodies.CHILD_LEGS)
    factor = lengths(grown) / lengths(joints)
    for joint, place in BONES.items():
        leg, head = joint[-4:] in ("knee", "nkle", "_toe"), joint in bodies.HEAD
        expected = bodies.CHILD_LEGS if leg else bodies.CHILD_HEAD if head else 1.0
        assert_allclose(factor[..., place], np.full((40, 3), expected), rtol=1e-4)


def test_a_mirror_swaps_left_and_right_of_every_other_person() -> None:
    joints, heads = people(400)
    made, turned = Bodies(generator())._mirrored(joints, heads)
    same = (made == joints).flatten(1).all(1)
    assert 150 < int(same.sum()) < 250
    assert torch.equal(turned[same], heads[same])
    flip = torch.tensor([-1.0, 1, 1])
    one, other = joints[~same], made[~same]
    for name, place in PLACE.items():
        side, _, joint = name.partition("_")
        swapped = PLACE[f"{'right' if side == 'left' else 'left'}_{joint}"] if joint else place
        assert torch.equal(other[:, :, place], one[:, :, swapped] * flip)
    assert_allclose(lengths(other)[..., LEFT], lengths(one)[..., RIGHT], atol=1e-6)
    assert_allclose(lengths(other)[..., RIGHT], lengths(one)[..., LEFT], atol=1e-6)
    assert_allclose(lengths(other)[..., MIDDLE], lengths(one)[..., MIDDLE], atol=1e-6)
    # A head that looks somewhere looks where its mirror image does, and stays a turn.
    close(turned[~same][..., 2], heads[~same][..., 2] * flip)
    assert_allclose(torch.linalg.det(turned), np.ones((400, 3)), atol=1e-5)


def test_half_of_the_people_are_mirror_images(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("UPPER_SHARE", "ARM_SHARE", "LEG_SHARE", "RELAXED_SHARE", "TURN_SHARE",
                 "CHILD_SHARE", "WHOLE", "PART", "BONE", "SIDE", "BROAD"):  # fmt: skip
        monkeypatch.setattr(bodies, name, 0.0)
    joints, heads = people(200)
    made, _ = Bodies(generator()).varied(joints, heads)
    flip = torch.tensor([-1.0, 1, 1])
    off, mirrored = ((made - each).abs().amax((1, 2, 3))
                     for each in (joints, (joints * flip)[:, :, MIRROR]))  # fmt: skip
    assert torch.minimum(off, mirrored).max() < 1e-5
    assert 60 < int((mirrored < 1e-5).sum()) < 140


def test_a_mirror_image_s_mirror_image_is_the_person() -> None:
    assert [MIRROR[place] for place in MIRROR] == list(range(21))
    assert all(MIRROR[PLACE[name]] == PLACE[name] for name in JOINTS if "_" not in name)


def test_a_graft_brings_another_s_bones_in_their_own_pose(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "UPPER_SHARE", 1.0)
    monkeypatch.setattr(bodies, "ARM_SHARE", 0.0)
    monkeypatch.setattr(bodies, "LEG_SHARE", 0.0)
    joints, heads = people()
    made, turned = Bodies(generator())._mixed(joints, heads)
    mine, found = lengths(joints), lengths(made)
    upper = [BONES[name] for name in bodies.UPPER]
    lower = [place for place in BONES.values() if place not in upper]
    assert_allclose(bones_of(made)[..., lower, :], bones_of(joints)[..., lower, :], atol=1e-5)
    whose = torch.cdist(found[:, 0, upper], mine[:, 0, upper]).argmin(1)
    assert_allclose(found[:, :, upper], mine[whose][:, :, upper], atol=1e-5)
    assert len(whose.unique()) == 40
    # In the pelvis' own axes the upper body is theirs, and so is the head's turn.
    own = bodies.pelvis_axes(made).mT
    theirs = bodies.pelvis_axes(joints[whose]).mT
    for name in ("spine", "top", "left_wrist"):
        way, other = (each[:, :, PLACE[name]] - each[:, :, PLACE["pelvis"]]
                      for each in (made, joints[whose]))  # fmt: skip
        assert_allclose(rotations.turned(own, way), rotations.turned(theirs, other), atol=1e-5)
    assert_allclose(own @ turned, theirs @ heads[whose], atol=1e-5)


@pytest.mark.parametrize(
    ("share", "limb", "axes"),
    [
        ("ARM_SHARE", ("elbow", "wrist"), bodies.chest_axes),
        ("LEG_SHARE", ("knee", "ankle", "toe"), bodies.pelvis_axes),
    ],
)
def test_limbs_stand_as_another_s_on_their_own_body_and_keep_their_lengths(
    share: str,
    limb: tuple[str, ...],
    axes: Callable[[Tensor], Tensor],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("UPPER_SHARE", "ARM_SHARE", "LEG_SHARE"):
        monkeypatch.setattr(bodies, name, 0.5 if name == share else 0.0)
    joints, heads = people(200)
    made, turned = Bodies(generator())._mixed(joints, heads)
    assert torch.equal(turned, heads)
    moved = (bones_of(made) - bones_of(joints)).norm(dim=-1).amax((1,)) > 1e-4
    names = {f"{side}_{joint}" for side in ("left", "right") for joint in limb}
    assert {name for name, place in BONES.items() if moved[:, place].any()} == names
    assert_allclose(lengths(made), lengths(joints), rtol=1e-4)
    ways = [
        rotations.turned(axes(each).mT[:, :, None], rotations.unit(bones_of(each)))
        for each in (made, joints)
    ]
    for side in ("left", "right"):
        places = [BONES[f"{side}_{joint}"] for joint in limb]
        taken = moved[:, places].any(1)
        assert torch.equal(moved[:, places], taken[:, None].expand(-1, len(places)))
        assert 60 < int(taken.sum()) < 140
        found, theirs = (each[:, :, places].flatten(1) for each in ways)
        apart = torch.cdist(found, theirs, compute_mode="donot_use_mm_for_euclid_dist")
        assert apart.min(1).values.max() < 1e-4


def straightness(joints: Tensor) -> dict[str, Tensor]:
    """Degrees by which limbs are bent, and hang askew from the pelvis or chest, (B, T, 2 sides)."""
    bones, found = bones_of(joints), {}
    for limb, axes in (
        (("knee", "ankle"), bodies.pelvis_axes(joints)),
        (("elbow", "wrist"), bodies.chest_axes(joints)),
    ):
        upper, lower = (
            torch.stack([bones[:, :, BONES[f"{side}_{joint}"]] for side in ("left", "right")], 2)
            for joint in limb
        )
        down = (-axes[..., 1])[:, :, None].expand_as(upper)
        found[limb[0]], found[f"{limb[0]} askew"] = (
            torch.rad2deg(rotations.towards(one, other).norm(dim=-1))
            for one, other in ((lower, upper), (upper, down))
        )
    return found


def test_some_hang_their_limbs_straighter_than_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """By hand: who does so by a part of the way has less of every angle by it, on both sides."""
    joints, _ = people(400)
    made = Bodies(generator())._relaxed(joints)
    assert_allclose(lengths(made), lengths(joints), rtol=1e-4)
    before, after = straightness(joints), straightness(made)
    for limb in ("knee", "elbow"):
        kept = after[limb] / before[limb]
        moved = kept[:, 0, 0] < 0.999
        assert float(moved.float().mean()) == pytest.approx(bodies.RELAXED_SHARE, abs=0.07)
        assert_allclose(kept, kept[:, :1, :1].expand_as(kept), atol=0.01)
        assert_allclose(after[f"{limb} askew"] / before[f"{limb} askew"], kept, atol=0.01)
        assert 0.4 < float(kept[moved].mean()) < 0.6
    monkeypatch.setattr(bodies, "RELAXED_SHARE", 0.0)
    assert_allclose(Bodies(generator())._relaxed(joints), joints, atol=1e-5)


def test_bends_keep_the_lengths_and_turn_a_part_as_one() -> None:
    joints, heads = people(300)
    made, turned = Bodies(generator())._bent(joints, heads)
    assert_allclose(lengths(made), lengths(joints), rtol=1e-4)
    one, other = bones_of(joints), bones_of(made)
    for joint in ("left_hip", "right_hip"):
        close(other[:, :, BONES[joint]], one[:, :, BONES[joint]])
    head = [BONES[name] for name in bodies.HEAD]
    for places in (head, [BONES["left_shoulder"], BONES["chest"], BONES["neck"]]):
        before, after = (
            torch.einsum("btik,btjk->btij", each[:, :, places], each[:, :, places])
            for each in (one, other)
        )
        assert_allclose(after, before, atol=1e-5)
    # The head turns with its bones.
    before, after = (rotations.turned(turn.mT, each[:, :, BONES["top"]])
                     for turn, each in ((heads, one), (turned, other)))  # fmt: skip
    assert_allclose(after, before, atol=1e-5)
    moved = rotations.unit(other[:, 0]) - rotations.unit(one[:, 0])
    assert (moved[:, BONES["left_elbow"]].norm(dim=-1) > 0.05).float().mean() > 0.5


@pytest.mark.parametrize("seed", range(3))
def test_people_who_were_never_recorded_are_people(seed: int) -> None:
    joints, heads = people(200, 4, seed)
    made, turned = Bodies(generator(seed)).varied(joints, heads)
    assert made.shape == joints.shape
    assert made.isfinite().all()
    close(turned.mT @ turned, torch.eye(3), 1e-4)
    steady = lengths(made)
    close(steady, steady[:, :1], 1e-4)
    again, _ = Bodies(generator(seed)).varied(joints, heads)
    assert torch.equal(made, again)


@pytest.mark.parametrize(
    ("part", "moved"),
    [
        ("leg", ("knee", "ankle", "toe")),
        ("shank", ("ankle", "toe")),
        ("arm", ("elbow", "wrist")),
        ("forearm", ("wrist",)),
    ],
)
def test_a_bend_moves_the_bones_of_its_part_and_no_others(
    part: str, moved: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bodies.TURNS[part] > 0
    monkeypatch.setattr(bodies, "TURN_SHARE", 1.0)
    monkeypatch.setattr(bodies, "TURNS", dict.fromkeys(bodies.TURNS, 0.0) | {part: 10.0})
    joints, heads = people()
    made, _ = Bodies(generator())._bent(joints, heads)
    way = (bones_of(made) - bones_of(joints)).norm(dim=-1).amax((0, 1))
    found = {name for name, place in BONES.items() if way[place] > 1e-4}
    assert found == {f"{side}_{name}" for side in ("left", "right") for name in moved}


def test_an_arm_is_bent_alike_in_all_frames_as_the_chest_has_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bodies, "TURN_SHARE", 1.0)
    monkeypatch.setattr(bodies, "TURNS", dict.fromkeys(bodies.TURNS, 0.0) | {"arm": 20.0})
    joints, heads = people(10, 6)
    made, _ = Bodies(generator())._bent(joints, heads)
    chest = bodies.chest_axes(joints).mT[:, :, None]
    arm = [BONES["left_elbow"], BONES["left_wrist"]]
    ways = [rotations.turned(chest, bones_of(each))[:, :, arm] for each in (joints, made)]
    for before, after in zip(*(way.flatten(1, 2).double().numpy() for way in ways), strict=True):
        assert Rotation.align_vectors(after, before)[1] < 1e-3


def test_the_chest_s_forward_is_across_the_upper_trunk() -> None:
    joints, _ = people()
    trunk = joints[:, :, PLACE["neck"]] - joints[:, :, PLACE["spine"]]
    assert_allclose((bodies.chest_axes(joints)[..., 2] * trunk).sum(-1), 0, atol=1e-5)


# Markers


def test_without_variation_points_are_joints_and_the_head_s_features() -> None:
    joints = t_pose()[None, None]
    points = points_of(joints, torch.eye(3)[None, None])[0, 0]
    for name, point in zip(POINTS[5:17], points[5:17], strict=True):
        assert torch.equal(point, joints[0, 0, PLACE[name]])
    nose, left_eye, right_eye, left_ear, right_ear = points[:5]
    top = joints[0, 0, PLACE["top"]]
    crown = points[POINTS.index("head")]
    assert_allclose(crown - top, (0, markers.CROWN, 0), atol=1e-6)
    assert nose[2] > left_eye[2] > left_ear[2]  # they face +z
    assert nose[1] < left_eye[1] < crown[1]
    flip = torch.tensor([-1.0, 1, 1])
    assert_allclose(left_eye * flip, right_eye, atol=1e-6)
    assert_allclose(left_ear * flip, right_ear, atol=1e-6)
    assert left_ear[0] > left_eye[0] > 0


def test_the_face_turns_with_the_head() -> None:
    """By hand: a head that is turned to its left by a quarter has its nose at +x."""
    joints = t_pose()[None, None]
    quarter = rotations.about(torch.tensor([0, torch.pi / 2, 0]))[None, None]
    straight, turned = (
        points_of(joints, head)[0, 0] for head in (torch.eye(3)[None, None], quarter)
    )
    top = joints[0, 0, PLACE["top"]]
    x, y, z = (straight - top)[0]
    assert_allclose(turned[0] - top, (z, y, -x), atol=1e-6)
    assert torch.equal(turned[5:17], straight[5:17])


def in_part(joints: Tensor, points: Tensor, joint: str, along: str) -> Tensor:
    """How far a marker is along its limb from its joint, (B, T)."""
    limb = rotations.unit(joints[:, :, PLACE[along]] - joints[:, :, PLACE[joint]])
    return ((points[:, :, POINTS.index(joint)] - joints[:, :, PLACE[joint]]) * limb).sum(-1)


def test_a_marker_stays_where_it_is_on_its_part_of_the_body() -> None:
    joints, heads = people(300, 5)
    marked = points_of(joints, heads, generator())
    ways = {
        joint: marked[:, :, POINTS.index(joint)] - joints[:, :, PLACE[joint]]
        for joint in POINTS[5:17]
    }
    for joint, way in ways.items():
        close(way.norm(dim=-1), way.norm(dim=-1)[:, :1], 1e-4)
        assert 0.001 < way.norm(dim=-1).mean() < 0.1, joint
    for joint, along in (("left_wrist", "left_elbow"), ("right_elbow", "right_shoulder"),
                         ("left_knee", "left_hip"), ("right_ankle", "right_knee")):  # fmt: skip
        way = in_part(joints, marked, joint, along)
        close(way, way[:, :1], 1e-4)


def test_a_marker_along_a_limb_is_along_it_wherever_the_limb_points(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Arms out to the sides, of a T-pose: markers towards the elbow, and nowhere else."""
    monkeypatch.setattr(markers, "MARKERS", {"wrist": (0.0, 0.0, 0.0)})
    monkeypatch.setattr(markers, "MIDDLE_MARKERS", 0.0)
    monkeypatch.setattr(markers, "MOVENET", {"wrist": (0.0, 0.02, 0.0)})
    monkeypatch.setattr(markers, "MOVENET_SHARE", 1.0)
    for joints, heads in ((t_pose()[None, None], torch.eye(3)[None, None]), people()):
        moved = points_of(joints, heads, generator())
        for side in ("left", "right"):
            wrist, elbow = (
                joints[:, :, PLACE[f"{side}_wrist"]],
                joints[:, :, PLACE[f"{side}_elbow"]],
            )
            expected = wrist + 0.02 * rotations.unit(elbow - wrist)
            assert_allclose(moved[:, :, POINTS.index(f"{side}_wrist")], expected, atol=1e-5)


def test_a_marker_s_way_is_outwards_up_the_limb_and_forward(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By hand, of a person who stands straight: to the left of the left knee, up, and +z."""
    monkeypatch.setattr(markers, "MARKERS", {"knee": (0.0, 0.0, 0.0), "shoulder": (0.0, 0.0, 0.0)})
    monkeypatch.setattr(markers, "MOVENET", dict.fromkeys(("knee", "shoulder"), (0.01, 0.02, 0.03)))
    monkeypatch.setattr(markers, "MOVENET_SHARE", 1.0)
    joints = t_pose()[None, None]
    points = points_of(joints, torch.eye(3)[None, None], generator())[0, 0]
    for side, sign in (("left", 1), ("right", -1)):
        for joint in ("knee", "shoulder"):
            way = points[POINTS.index(f"{side}_{joint}")] - joints[0, 0, PLACE[f"{side}_{joint}"]]
            assert_allclose(way, (sign * 0.01, 0.02, 0.03), atol=1e-5)


def test_movenet_s_joints_are_where_they_were_measured() -> None:
    """`offsets.py` measured them; the man of the clip is 1.71 m tall."""
    rows = json.loads((ROOT / "training/lifting/results/offsets.json").read_text())
    found = {row["joint"]: row["offset"] for row in rows if row["model"] == "multipose"}
    hip, knee, wrist = (np.array(markers.MOVENET[name]) / 1.71 for name in ("hip", "knee", "wrist"))
    measured = [found[f"hip {way}"] for way in ("outward", "up")]
    measured += [found["knee up"], -found["wrist along the arm"]]
    assert_allclose([hip[0], hip[1], knee[1], wrist[1]], measured, atol=0.002)


def test_markers_of_the_legs_know_nothing_of_the_trunk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(markers, "MARKERS", dict.fromkeys(markers.MARKERS, (0.0, 0.0, 0.0)))
    monkeypatch.setattr(markers, "MOVENET", dict.fromkeys(markers.MARKERS, (0.01, 0.02, 0.03)))
    monkeypatch.setattr(markers, "MOVENET_SHARE", 1.0)
    monkeypatch.setattr(markers, "MIDDLE_MARKERS", 0.0)
    straight = t_pose()
    bent = straight.clone()
    upper = ["spine", "chest", "neck"]
    upper += [
        f"{side}_{name}" for side in ("left", "right") for name in ("shoulder", "elbow", "wrist")
    ]
    places = [PLACE[name] for name in upper]
    bent[places] = rotations.turned(rotations.about(torch.tensor([0, 0.8, 0])), straight[places])
    head = torch.eye(3)[None, None]
    one, other = (points_of(each[None, None], head, generator()) for each in (straight, bent))
    for name in ("left_knee", "right_knee", "left_ankle", "right_ankle"):
        assert_allclose(
            one[..., POINTS.index(name), :], other[..., POINTS.index(name), :], atol=1e-5
        )


def test_markers_are_elsewhere_on_both_sides_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(markers, "ONE_SIDED", 0.0)
    joints, heads = t_pose()[None, None].expand(50, 1, -1, -1), torch.eye(3).expand(50, 1, 3, 3)
    points = points_of(joints, heads, generator())
    flip = torch.tensor([-1.0, 1, 1])
    for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle"):
        left, right = (points[:, :, POINTS.index(f"{side}_{joint}")] for side in ("left", "right"))
        assert_allclose(left * flip, right, atol=1e-5)
        assert (left - joints[:, :, PLACE[f"left_{joint}"]]).norm(dim=-1).std() > 0.001


def test_where_movenet_puts_a_hip_is_outwards_for_its_share(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(markers, "MARKERS", {"hip": (0.0, 0.0, 0.0)})
    monkeypatch.setattr(markers, "MOVENET", {"hip": (0.05, -0.03, 0.01)})
    joints, heads = t_pose()[None, None].expand(500, 1, -1, -1), torch.eye(3).expand(500, 1, 3, 3)
    points = points_of(joints, heads, generator())
    for side, sign in (("left", 1), ("right", -1)):
        way = points[:, 0, POINTS.index(f"{side}_hip")] - joints[:, 0, PLACE[f"{side}_hip"]]
        moved = way.norm(dim=-1) > 1e-6
        close(way[moved], torch.tensor([sign * 0.05, -0.03, 0.01]), 1e-6)
        assert float(moved.float().mean()) == pytest.approx(markers.MOVENET_SHARE, abs=0.1)


# Cameras


def standing(count: int = 300, frames: int = 2, seed: int = 0) -> Tensor:
    """People in a T-pose who are somewhere, in body heights, (B, T, 20, 3)."""
    joints = t_pose()[None, None].expand(count, frames, -1, -1)
    points = points_of(joints, torch.eye(3).expand(count, frames, 3, 3)) / stature(t_pose())
    shift = torch.randn(count, frames, 1, 3, generator=generator(seed)) * 0.02
    return points + shift + torch.randn(count, 1, 1, 3, generator=generator(seed + 1))


def pinholes(views: Views) -> tuple[np.ndarray, np.ndarray]:
    """Focal lengths (B,) and where the pelvis is before the camera (B, 3), from what is seen.

    u (z + Z) = f (x + X) is linear in Z, f, f X and f Y.
    """
    found = []
    for body, picture in zip(views.body.double(), views.picture.double(), strict=True):
        (x, y, z), (u, v) = body.reshape(-1, 3).T.numpy(), picture.reshape(-1, 2).T.numpy()
        zero, one = np.zeros_like(x), np.ones_like(x)
        rows = np.concatenate([np.stack([-u, x, one, zero], 1), np.stack([-v, y, zero, one], 1)])
        found.append(np.linalg.lstsq(rows, np.concatenate([u * z, v * z]), rcond=None)[0])
    depth, focal, across, down = np.array(found).T
    return focal, np.stack([across / focal, down / focal, depth], 1)


@pytest.mark.parametrize("scene", [ANYWHERE, ROOM])
def test_every_point_is_on_the_ray_that_a_pinhole_gives_it(scene: Scene) -> None:
    views = Cameras(generator(), scene).seen(standing(), 1, lean=True)
    focal, pelvis = pinholes(views)
    before = views.body.double().numpy() + pelvis[:, None, None]
    projected = before[..., :2] / before[..., 2:] * focal[:, None, None, None]
    assert_allclose(projected, views.picture, atol=2e-5)
    # What was recovered is a camera: its focal length, the distance, and the size in the picture.
    low, high = scene.focal
    assert ((focal > low * 0.98) & (focal < high * 1.02)).all()
    assert focal.max() / focal.min() > 0.8 * high / low
    away = np.linalg.norm(pelvis, axis=1)
    assert (away > scene.nearest * 0.98).all()
    assert_allclose(focal / away, views.height, rtol=0.01)
    low, high = scene.extent
    assert (views.height < high * 1.001).all()
    near = away < scene.nearest * 1.02
    assert ((views.height.numpy() > low * 0.999) | near).all()


def test_the_person_stays_as_they_are_and_the_pelvis_is_the_origin() -> None:
    points = standing()
    views = Cameras(generator()).seen(points, 1, lean=True)
    assert_allclose(views.body[:, 1, HIPS].mean(1), np.zeros((300, 3)), atol=1e-5)
    one, other = points.flatten(1, 2), views.body.flatten(1, 2)
    assert_allclose(apart(one), apart(other), atol=1e-5)
    turn = torch.linalg.lstsq(one - one.mean(1, keepdim=True), other - other.mean(1, keepdim=True))
    assert_allclose(torch.linalg.det(turn.solution), np.ones(300), atol=1e-3)  # no mirror


@pytest.mark.parametrize("scene", [ANYWHERE, ROOM])
def test_the_pelvis_is_within_the_picture(scene: Scene) -> None:
    views = Cameras(generator(), scene).seen(standing(), 1, lean=True)
    pelvis = views.picture[:, 1, HIPS].mean(1)
    assert (pelvis.abs() < views.size / 2 * scene.spread + 0.05).all()
    assert (pelvis.abs() / views.size).max() > 0.4 * scene.spread
    assert {tuple(size) for size in views.size.tolist()} == {
        tuple(torch.tensor(size).tolist()) for size in cameras.ASPECTS
    }
    assert views.size.max(1).values.tolist() == [1.0] * 300


def plain(elevation: float = 0.0, spread: float = 0.0) -> Cameras:
    """Cameras that look straight at people, from this high."""
    straight = {"spread": spread, "rare": 0.0, "roll": 0.0, "askew": (0.0, 0.0)}
    return Cameras(generator(), Scene(elevation=(elevation, 0.0), **straight))


def test_the_left_hand_of_who_faces_the_camera_is_on_the_picture_s_right() -> None:
    views = plain().seen(standing(), 1, lean=False)
    name = {name: views.body[:, 1, place] for place, name in enumerate(POINTS)}
    facing = name["left_ear"][:, 2] + name["right_ear"][:, 2] - 2 * name["nose"][:, 2]
    towards, off = facing > 0.05, facing < -0.05
    assert 60 < int(towards.sum()) < 240
    assert 60 < int(off.sum()) < 240
    x = {name: views.picture[:, 1, place, 0] for place, name in enumerate(POINTS)}
    assert (x["left_wrist"] > x["right_wrist"])[towards].all()
    assert (x["left_wrist"] < x["right_wrist"])[off].all()
    y = {name: views.picture[:, 1, place, 1] for place, name in enumerate(POINTS)}
    assert (y["head"] < y["left_hip"]).all()  # y is down
    assert (y["left_hip"] < y["left_ankle"]).all()


@pytest.mark.parametrize("elevation", [30.0, -20.0])
def test_a_camera_that_stands_high_looks_down(elevation: float) -> None:
    """By hand: the upright is foreshortened by the cosine, its upper end nearer by the sine."""
    points = standing()
    views = plain(elevation).seen(points, 1, lean=False)
    middle = [POINTS.index("spine"), POINTS.index("head")]
    tall = float((points[0, 1, middle[1]] - points[0, 1, middle[0]]).norm())
    _, y, z = (views.body[:, 1, middle[1]] - views.body[:, 1, middle[0]]).T
    assert_allclose(z, np.full(300, -tall * np.sin(np.radians(elevation))), atol=1e-5)
    assert_allclose(y, np.full(300, -tall * np.cos(np.radians(elevation))), atol=1e-5)


def test_the_elevation_is_that_of_the_line_of_sight_wherever_people_stand() -> None:
    """By hand: along the ray to the pelvis, an upright of 1 goes back by the sine."""
    views = plain(30.0, spread=0.9).seen(standing(), 1, lean=False)
    ray = rotations.unit(torch.tensor(pinholes(views)[1], dtype=torch.float32))
    assert ray[:, :2].norm(dim=-1).max() > 0.3
    trunk = views.body[:, 1, POINTS.index("head")] - views.body[:, 1, POINTS.index("spine")]
    along = (rotations.unit(trunk) * ray).sum(-1)
    assert_allclose(along, np.full(300, -0.5), atol=2e-3)


def test_people_are_seen_from_all_around() -> None:
    views = plain().seen(standing(2000, 1), 0, lean=False)
    x, _, z = (views.body[:, 0, HIPS[0]] - views.body[:, 0, HIPS[1]]).T
    quarters = np.histogram(torch.atan2(z, x).numpy(), bins=4, range=(-np.pi, np.pi))[0]
    assert_allclose(quarters, np.full(4, 500), rtol=0.15)


def test_rolled_cameras_tip_the_upright_in_the_picture() -> None:
    """By hand: the roll's deviation is that of the angle in the picture; a share is rolled more."""
    straight = {"spread": 0.0, "rare": 0.0, "elevation": (0.0, 0.0)}
    for roll, askew, expected in ((4.0, (0.0, 30.0), 4.0), (0.0, (1.0, 9.0), 9.0)):
        made = Cameras(generator(), Scene(roll=roll, askew=askew, **straight))
        body = made.seen(standing(3000, 1), 0, lean=False).body[:, 0]
        x, y, _ = (body[:, POINTS.index("head")] - body[:, POINTS.index("spine")]).T
        degrees = torch.rad2deg(torch.atan2(x, -y))
        assert float(degrees.std()) == pytest.approx(expected, rel=0.05)
        assert abs(float(degrees.mean())) < 0.5


LEVEL = Scene(elevation=(0.0, 0.0), spread=0.0, rare=0.0, roll=0.0, askew=(0.0, 0.0))


def upright_way(body: Tensor) -> Tensor:
    """(B, 3), in the camera's axes."""
    return rotations.unit(body[:, POINTS.index("head")] - body[:, POINTS.index("spine")])


def test_a_camera_is_rolled_about_the_line_of_sight() -> None:
    """So the upright is tipped towards it by the elevation alone."""
    scene = replace(LEVEL, elevation=(30.0, 0.0), roll=25.0)
    views = Cameras(generator(), scene).seen(standing(), 1, lean=False)
    assert_allclose(upright_way(views.body[:, 1])[:, 2], -0.5, atol=1e-4)


def test_some_cameras_look_steeply_down_and_some_up() -> None:
    views = Cameras(generator(), replace(LEVEL, rare=0.5)).seen(standing(2000, 1), 0, lean=False)
    down = torch.rad2deg(torch.asin(-upright_way(views.body[:, 0])[:, 2]))
    steep = down[down.abs() > 0.01]
    assert len(steep) / 2000 == pytest.approx(0.5, abs=0.05)
    assert [float(steep.min()), float(steep.max())] == pytest.approx([-25, 65], abs=1)


def test_focal_lengths_are_as_often_below_their_geometric_mean_as_above() -> None:
    focal, _ = pinholes(Cameras(generator()).seen(standing(600), 1, lean=True))
    assert np.median(focal) == pytest.approx(math.sqrt(0.5 * 3), rel=0.12)


def test_what_comes_near_the_lens_stays_in_the_picture_s_reach() -> None:
    giants = standing() * 5
    views = Cameras(generator()).seen(giants, 1, lean=True)
    assert views.picture.abs().max() < 5 * 3 / cameras.CLOSEST


def test_nobody_is_upright_who_leans() -> None:
    ways = []
    for lean in (False, True):
        body = plain().seen(standing(), 1, lean=lean).body[:, 1]
        trunk = body[:, POINTS.index("head")] - body[:, POINTS.index("spine")]
        ways.append(-rotations.unit(trunk)[:, 1])
    assert_allclose(ways[0], np.ones(300), atol=1e-5)
    degrees = torch.rad2deg(ways[1].clamp(-1, 1).acos())
    assert 1 < float(degrees.median()) < 20
    assert float(degrees.max()) > 45  # and some have fallen


def test_a_limb_at_the_lens_is_in_the_picture_s_plane_somewhere() -> None:
    views = Cameras(generator()).seen(standing() * 5, 1, lean=True)
    assert views.picture.isfinite().all()


# Sightings


def views_of(count: int = 2000, frames: int = 3) -> Views:
    return Cameras(generator()).seen(standing(count, frames), frames - 1, lean=True)


def test_exact_sightings_are_the_projection_without_a_face() -> None:
    views = views_of(20)
    seen = sightings.exact(views.picture)
    assert torch.equal(seen.keypoints, views.picture[:, :, :17])
    assert (seen.scores[..., :5] == 0).all()
    assert (seen.scores[..., 5:] == 1).all()


def test_some_windows_are_exact_and_of_these_some_have_a_face() -> None:
    views = views_of()
    seen = sightings.sighted(views, Fixed(), generator())
    exact = (seen.scores[..., 5:] == 1).flatten(1).all(1)
    assert float(exact.float().mean()) == pytest.approx(sightings.EXACT_SHARE, abs=0.05)
    assert torch.equal(seen.keypoints[exact], views.picture[exact][:, :, :17])
    faces = seen.scores[exact][..., :5]
    with_face = (faces == 1).flatten(1).all(1)
    assert torch.equal(with_face, ~(faces == 0).flatten(1).all(1))
    share = 1 - float(with_face.float().mean())
    assert share == pytest.approx(sightings.FACELESS_SHARE, abs=0.05)


def test_the_others_have_the_errors_in_parts_of_the_body_s_height() -> None:
    views = views_of()
    seen = sightings.sighted(views, Fixed(), generator())
    noisy = (seen.scores[..., 5:] < 1).flatten(1).any(1)
    way = (seen.keypoints - views.picture[:, :, :17])[noisy] / views.height[noisy, None, None, None]
    assert_allclose(way[..., 1], np.zeros(way.shape[:-1]), atol=1e-6)
    assert_allclose(way[..., 0], np.full(way.shape[:-1], 0.01), atol=2e-5)


class ByScore(Measured):
    """Errors of which the score tells the size, and every tenth is ten times as large."""

    def draw(self, count: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        scores = 0.2 + 0.6 * (torch.rand(count, 17, generator=random) < 0.5)
        return scores, self.alike(scores, random)

    def alike(self, scores: Tensor, random: torch.Generator) -> Tensor:
        sizes = torch.where(torch.rand(scores.shape, generator=random) < 0.1, 10.0, 1.0)
        return (sizes * (1 - scores))[..., None] * torch.tensor([0.01, 0.0])


def test_every_frame_s_errors_are_of_those_measured_at_its_score() -> None:
    """Of the sizes that there are and of no other, and the large ones as often."""
    views = views_of()
    seen = sightings.sighted(views, ByScore(), generator())
    noisy = (seen.scores[..., 5:] < 1).flatten(1).any(1)
    way = (seen.keypoints - views.picture[:, :, :17])[noisy] / views.height[noisy, None, None, None]
    scores = seen.scores[noisy]
    sizes = (way[..., 0] / 0.01 / (1 - scores))[scores > 0].double()
    small, large = (sizes - 1).abs() < 0.02, (sizes - 10).abs() < 0.2
    assert (small | large).all()
    assert float(large.double().mean()) == pytest.approx(0.1, abs=0.01)


class Noise(Measured):
    def draw(self, count: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        return torch.full((count, 17), 0.5), torch.randn(count, 17, 2, generator=random)


def test_errors_have_the_same_size_in_every_frame_and_go_on() -> None:
    """By hand: the correlation of frames k apart is STEADY + (1 - STEADY) GOES_ON^k."""
    views = views_of(3000, 4)
    seen = sightings.sighted(views, Noise(), generator())
    noisy = (seen.scores[..., 5:] < 1).flatten(1).any(1)
    way = (seen.keypoints - views.picture[:, :, :17])[noisy] / views.height[noisy, None, None, None]
    columns = way.movedim(1, 0).flatten(1).double()
    assert_allclose(columns.std(1), np.ones(4), rtol=0.03)
    found = torch.corrcoef(columns)
    for one, other in itertools.combinations(range(4), 2):
        steady, goes_on = sightings.STEADY, sightings.GOES_ON ** (other - one)
        assert float(found[one, other]) == pytest.approx(steady + (1 - steady) * goes_on, abs=0.03)


def test_what_is_lost_has_the_score_zero() -> None:
    """Outside the picture, cut off from the hips or knees down, all the time, in one frame."""
    views = views_of()
    seen = sightings.sighted(views, Fixed(), generator())
    noisy = (seen.scores[..., 5:] < 1).flatten(1).any(1)
    scores, points = seen.scores[noisy], views.picture[noisy][:, :, :17]
    assert set(scores.unique().tolist()) == {0.0, float(torch.tensor(0.8))}
    outside = (points.abs() > views.size[noisy, None, None] / 2 + sightings.RIM).any(-1)
    assert 500 < int(outside.sum())
    assert (scores[outside] == 0).all()
    assert (scores[..., 0] == 0).all()  # not seen by MoveNet
    whole = ~outside.flatten(1).any(1)
    legs, arms = scores[whole][..., 11:] == 0, scores[whole][..., 1:11] == 0
    cut = legs[..., 2:].flatten(1).all(1)
    assert float(cut.float().mean()) == pytest.approx(sightings.CUT_SHARE, abs=0.05)
    at_hips = legs[cut].flatten(1).all(1)
    assert 0.25 < float(at_hips.float().mean()) < 0.75
    always = arms.all(1)
    assert float(always.float().mean()) == pytest.approx(sightings.LOST_SHARE, abs=0.02)
    blinks = arms & ~always[:, None]
    assert float(blinks.float().mean()) == pytest.approx(sightings.BLINK_SHARE, abs=0.01)


def test_what_is_just_beyond_the_rim_is_still_seen() -> None:
    size = torch.tensor([[1.0, 0.5]])
    points = torch.tensor([[0.5, 0.0], [0.0, 0.25]]).repeat(9, 1)[:17].expand(1, 1, 17, 2)
    low = sightings._lost(points + 0.5 * sightings.RIM, size, generator(1))
    high = sightings._lost(points + 1.5 * sightings.RIM, size, generator(1))
    assert high.all()
    assert not low.all()


# All of it


def simulation(seed: int = 0, frames: int = 3, *, errors: object = True) -> Simulation:
    made = Windows([take(seed=1), take(seed=2, name="b")], frames, frames - 1)
    return Simulation(made, seed=seed, errors=Measured() if errors else None)


def equal(one: Batch, other: Batch) -> bool:
    return all(torch.equal(*pair) for pair in zip(one, other, strict=True))


@pytest.mark.parametrize("errors", [True, False])
def test_a_batch_is_what_it_says_it_is(errors: bool) -> None:
    batch = simulation(errors=errors).batch(64)
    assert batch.keypoints.shape == (64, 3, 17, 2)
    assert batch.scores.shape == (64, 3, 17)
    assert batch.points.shape == (64, 20, 3)
    assert all(values.isfinite().all() and values.dtype == torch.float32 for values in batch)
    assert_allclose(batch.points[:, HIPS].mean(1), np.zeros((64, 3)), atol=1e-6)
    assert ((batch.height_m > 0.8) & (batch.height_m < 3)).all()
    assert ((batch.scores >= 0) & (batch.scores <= 1)).all()


def test_without_errors_people_are_as_recorded_and_as_tall() -> None:
    takes = [take(seed=1), take(seed=2)]
    batch = Simulation(Windows(takes, 1, 0), seed=0, errors=None).batch(64)
    joints = torch.tensor(np.concatenate([each.joints for each in takes]), dtype=torch.float32)
    limbs = [PLACE[name] for name in POINTS[5:17]]
    recorded = apart(joints[:, limbs]).flatten(1)
    metres = batch.points[:, 5:17] * batch.height_m[:, None, None]
    found = apart(metres).flatten(1)
    nearest = torch.cdist(found, recorded, p=float("inf")).min(1)
    assert nearest.values.max() < 1e-3
    assert_allclose(batch.height_m, stature(joints)[nearest.indices], rtol=1e-3)


def test_the_keypoints_are_the_projection_of_the_truth() -> None:
    batch = simulation(frames=1, errors=False).batch(200)
    size = torch.ones(200, 2)
    views = Views(batch.points[:, None], batch.keypoints, size, batch.height_m)
    limbs = Views(views.body[:, :, 5:17], views.picture[:, :, 5:17], size, batch.height_m)
    focal, pelvis = pinholes(limbs)
    before = limbs.body.double().numpy() + pelvis[:, None, None]
    projected = before[..., :2] / before[..., 2:] * focal[:, None, None, None]
    good = np.abs(projected - limbs.picture.numpy()).max((1, 2, 3)) < 1e-4
    assert good.mean() > 0.95  # the others have a limb at the lens


@pytest.mark.parametrize("errors", [True, False])
def test_the_same_seed_gives_the_same_batches(errors: bool) -> None:
    one, other = simulation(3, errors=errors), simulation(3, errors=errors)
    for _ in range(2):
        assert equal(one.batch(16), other.batch(16))
    assert not equal(simulation(3).batch(16), simulation(4).batch(16))
    assert not equal(one.batch(16), one.batch(16))


def test_a_simulation_that_is_seeded_anew_is_a_new_one() -> None:
    used = simulation(3)
    used.batch(16)
    used.reseed(9)
    assert equal(used.batch(16), simulation(9).batch(16))


def test_without_errors_nobody_leans() -> None:
    one = take()
    pose = np.broadcast_to(t_pose().double().numpy(), one.joints.shape).copy()
    windows = Windows([replace(one, joints=pose)], 1, 0)
    points = Simulation(windows, seed=0, errors=None, scene=LEVEL).batch(50).points
    trunk = rotations.unit(points[:, POINTS.index("neck")] - points[:, POINTS.index("spine")])
    assert_allclose(trunk[:, 1], -1, atol=1e-5)


def test_a_restored_state_goes_on_the_same_way(tmp_path: Path) -> None:
    one, other = simulation(3), simulation(9)
    one.batch(16)
    torch.save(one.state(), tmp_path / "state")
    expected = [one.batch(16) for _ in range(2)]
    other.batch(5)
    other.restore(torch.load(tmp_path / "state", weights_only=True))
    assert all(equal(batch, other.batch(16)) for batch in expected)
