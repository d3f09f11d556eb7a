"""Bodies: one person or several out of many, plain records there and back, tables."""

import json
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from movenet.lifting.bodies import HEIGHTS, Bodies
from movenet.lifting.joints import NAMES

NUMBERS = (7, 5, 9)


def three(**change: Any) -> Bodies:
    """Three people, the second of whom could not be lifted."""
    random = np.random.default_rng(0)
    joints = random.normal(size=(3, 21, 3)).astype(np.float32)
    uncertainty = random.uniform(0.01, 0.1, (3, 21)).astype(np.float32)
    joints[1], uncertainty[1] = np.nan, np.inf
    fields = {"unit": "m", "ids": np.array(NUMBERS), "frame_index": 4, "timestamp_s": 0.25}
    return Bodies(joints, uncertainty, **(fields | change))


def none() -> Bodies:
    return three()[:0]


def same(one: Bodies, other: Bodies) -> None:
    assert_array_equal(one.joints, other.joints)
    assert_array_equal(one.uncertainty, other.uncertainty)
    assert_array_equal(one.ids, other.ids)
    assert (one.unit, one.frame_index) == (other.unit, other.frame_index)
    assert one.timestamp_s == other.timestamp_s


# One of them, and some


@pytest.mark.parametrize("index", [0, 2, -1, np.int64(1)])
def test_one_person_is_bodies_of_one(index: int) -> None:
    one = three()[index]
    assert len(one) == 1
    assert_array_equal(one.joints[0], three().joints[index])
    assert_array_equal(one.uncertainty[0], three().uncertainty[index])
    assert_array_equal(one.ids, [NUMBERS[index]])
    assert (one.unit, one.frame_index, one.timestamp_s) == ("m", 4, 0.25)


def test_a_slice_a_mask_and_indices_are_some_of_them() -> None:
    for index in (slice(0, 3, 2), np.array([True, False, True]), np.array([0, 2])):
        some = three()[index]
        assert_array_equal(some.ids, [7, 9])
        assert_array_equal(some.joints, three().joints[[0, 2]])
    assert three(ids=None)[1:].ids is None
    assert [int(one.ids[0]) for one in three() if one.ids is not None] == list(NUMBERS)


@pytest.mark.parametrize("index", [3, -4])
def test_a_person_who_is_not_there_is_an_index_error(index: int) -> None:
    with pytest.raises(IndexError, match=f"person {index} of 3"):
        three()[index]


def test_they_are_told_in_one_line() -> None:
    assert repr(three()) == "Bodies(3 people, in m)"
    assert repr(three(unit=HEIGHTS)[0]) == "Bodies(1 person, in body heights)"
    assert repr(none()) == "Bodies(0 people, in m)"


# Records


def test_a_record_is_plain_and_reads_back() -> None:
    for bodies in (three(), three(ids=None, frame_index=None, timestamp_s=None), three()[1]):
        text = json.dumps(bodies.to_dict(), allow_nan=False)
        same(Bodies.from_dict(json.loads(text)), bodies)
    same(Bodies.from_dict(none().to_dict()), three(ids=None)[:0])


def test_nobody_reads_back_as_nobody_without_ids() -> None:
    assert Bodies.from_dict(three(ids=None)[:0].to_dict()).ids is None


def test_an_uncertainty_that_no_network_tells_reads_back_as_such() -> None:
    untold = three(ids=None)
    untold.uncertainty[0] = np.nan
    same(Bodies.from_dict(untold.to_dict()), untold)


def changed(**change: object) -> dict[str, Any]:
    """A record whose first person is changed."""
    record = three().to_dict()
    record["people"][0] |= change
    return record


def without(name: str) -> dict[str, Any]:
    record = three().to_dict()
    (record if name in record else record["people"][0]).pop(name)
    return record


@pytest.mark.parametrize("name", ["people", "unit", "joints", "uncertainty", "id"])
def test_what_a_record_lacks_is_named(name: str) -> None:
    with pytest.raises(ValueError, match=f"not a record of bodies: '{name}' is missing"):
        Bodies.from_dict(without(name))


@pytest.mark.parametrize(
    "record",
    [
        changed(joints=[[0, 0, 0]] * 20),
        changed(joints=[[0, 0]] * 21),
        changed(joints="none"),
        changed(uncertainty=[0.1] * 20),
        changed(uncertainty=None),
        changed(id="somebody"),
        {"people": None, "unit": "m"},
        # One person who has as many numbers as two.
        {"people": [{"id": 1, "joints": [[0, 0, 0]] * 42, "uncertainty": [0] * 42}], "unit": "m"},
    ],
)
def test_what_is_no_record_is_refused(record: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not a record of bodies: "):
        Bodies.from_dict(record)


# Tables


def test_a_table_has_a_row_a_person_and_joint() -> None:
    pytest.importorskip("pandas")
    table = three().to_dataframe()
    assert len(table) == 3 * 21
    assert_array_equal(table["joint"], list(NAMES) * 3)
    assert_array_equal(table["id"], np.repeat(NUMBERS, 21))
    assert_array_equal(table["person"], np.repeat([0, 1, 2], 21))
    assert_array_equal(table[["x", "y", "z"]], three().joints.reshape(-1, 3))
    assert_array_equal(table["uncertainty"], three().uncertainty.ravel())
    for name, value in (("unit", "m"), ("frame_index", 4), ("timestamp_s", 0.25)):
        assert (table[name] == value).all()
    bare = three(ids=None, frame_index=None, timestamp_s=None).to_dataframe()
    assert bare[["id", "frame_index", "timestamp_s"]].isna().all(axis=None)
    assert len(none().to_dataframe()) == 0
    assert list(none().to_dataframe().columns) == list(table.columns)
