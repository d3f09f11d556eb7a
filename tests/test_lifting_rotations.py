"""Rotations: against SciPy, and at the places where formulas break."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from movenet.lifting.rotations import across, angle_between, cross, euler, swing, turn, unit

SEEDS = st.integers(0, 2**32 - 1)
ORDERS = ("XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX")


def vectors(seed: int, count: int = 2) -> np.ndarray:
    """(count, 20, 3) of length 1."""
    return unit(np.random.default_rng(seed).normal(size=(count, 20, 3)))


@given(SEEDS)
def test_a_cross_product_is_numpys(seed: int) -> None:
    first, second = vectors(seed)
    np.testing.assert_array_equal(cross(first, second), np.cross(first, second))


@given(SEEDS)
def test_a_swing_is_the_smallest_rotation_between_two_directions(seed: int) -> None:
    start, end, aside = vectors(seed, 3)
    rotation = swing(start, end, aside)
    np.testing.assert_allclose(np.linalg.det(rotation), 1, atol=1e-9)
    np.testing.assert_allclose((rotation @ start[..., None])[..., 0], end, atol=1e-9)
    angles = Rotation.from_matrix(rotation).magnitude()
    np.testing.assert_allclose(angles, angle_between(start, end), atol=1e-6)


@pytest.mark.parametrize("off", [0, 1e-9, 1e-7, 1e-5])
def test_a_swing_between_opposite_directions_is_a_half_turn(off: float) -> None:
    start, aside = np.array([[1.0, 0, 0]]), np.array([[0, 0.6, 0.8]])
    end = unit(np.array([[-1.0, off, -off]]))
    rotation = swing(start, end, aside)
    np.testing.assert_allclose((rotation @ start[..., None])[..., 0], end, atol=3e-7)
    np.testing.assert_allclose(np.linalg.det(rotation), 1)
    if off == 0:
        np.testing.assert_allclose((rotation @ aside[..., None])[..., 0], aside, atol=1e-12)


@given(SEEDS)
def test_a_turn_is_scipys(seed: int) -> None:
    (axis,) = vectors(seed, 1)
    angle = np.random.default_rng(seed).uniform(-4, 4, 20)
    expected = Rotation.from_rotvec(axis * angle[:, None]).as_matrix()
    np.testing.assert_allclose(turn(axis, angle), expected, atol=1e-12)


@pytest.mark.parametrize("order", ORDERS)
@given(seed=SEEDS)
def test_angles_are_scipys_in_every_order(order: str, seed: int) -> None:
    rotation = Rotation.random(20, rng=seed)
    expected = rotation.as_euler(order, degrees=True)
    difference = euler(rotation.as_matrix(), order) - expected
    np.testing.assert_allclose((difference + 180) % 360 - 180, 0, atol=1e-6)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("middle", [-90, 90])
@pytest.mark.parametrize("off", [0, 1e-10, 1e-6, 0.01, 0.1, 0.5])
def test_angles_give_the_rotation_back_where_two_axes_are_one(
    order: str, middle: float, off: float
) -> None:
    degrees = [[first, middle + off, last] for first in range(-180, 180, 45) for last in (0, 60)]
    rotation = Rotation.from_euler(order, degrees, degrees=True).as_matrix()
    found = euler(rotation, order)
    back = Rotation.from_euler(order, found, degrees=True).as_matrix()
    np.testing.assert_allclose(back, rotation, atol=1e-6)


@given(SEEDS)
def test_what_is_across_an_axis_is_at_right_angles_to_it(seed: int) -> None:
    line, axis = vectors(seed)
    found = across(line, axis)
    np.testing.assert_allclose((found * axis).sum(-1), 0, atol=1e-9)
    np.testing.assert_allclose(np.linalg.det(np.stack([found, line, axis], -1)), 0, atol=1e-9)
    assert ((found * line).sum(-1) >= 0).all()


def test_what_has_no_direction_is_nan() -> None:
    assert np.isnan(unit(np.zeros((2, 3)))).all()
    assert np.isnan(across(np.array([0, 2.0, 0]), np.array([0, 1.0, 0]))).all()
