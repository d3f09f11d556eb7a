"""Whom to follow: how it is said, and who that is."""

import numpy as np
import pytest

from movenet import Poses
from movenet.target import Aim, Target, nearest, parse
from movenet.tracker import Event

# x1, y1, x2, y2 of three people in a picture of 300 x 100 px, and their ids.
BOXES = [[10, 10, 40, 90], [130, 40, 150, 80], [220, 5, 290, 95]]
IDS = [7, 8, 9]


def people(*rows: int) -> Poses:
    """Some of the three."""
    return Poses.from_arrays(
        np.zeros((len(rows), 17, 2)),
        np.ones((len(rows), 17)),
        image_size=(100, 300),
        boxes=[BOXES[row] for row in rows],
        ids=[IDS[row] for row in rows],
    )


@pytest.mark.parametrize(
    ("text", "target", "row"),
    [
        ("center", Target("center"), 1),
        ("largest", Target("largest"), 2),
        ("id:7", Target("id", id=7), 0),
        ("id:3", Target("id", id=3), None),
        ("box:0,0,50,100", Target("box", box=(0, 0, 50, 100)), 0),
        ("box:160,0,210,100", Target("box", box=(160, 0, 210, 100)), None),
        ("longest", Target("longest"), None),
    ],
)
def test_a_target_is_said_in_a_word(text: str, target: Target, row: int | None) -> None:
    assert parse(text) == parse(target) == target
    if text != "longest":
        assert nearest(target, people(0, 1, 2)) == row
        assert nearest(target, people()) is None


@pytest.mark.parametrize(
    "text", ["", "left", "id", "id:", "id:0", "id:-1", "center:1", "box:1,2,3", "box:a,b,c,d"]
)
def test_another_word_is_refused_with_those_there_are(text: str) -> None:
    with pytest.raises(ValueError, match=r"target must be center, largest, longest, id:N or box:"):
        parse(text)


@pytest.mark.parametrize("other", [None, 2, b"center", ("id", 2)])
def test_neither_a_word_nor_a_target_is_refused(other: object) -> None:
    with pytest.raises(ValueError, match=r"target must be center, largest, longest, id:N or box:"):
        parse(other)  # type: ignore[arg-type]


def test_a_target_that_is_nobody_is_refused() -> None:
    with pytest.raises(ValueError, match=r"target must be center, .* not 'middle'"):
        Target("middle")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="ids begin at 1, this is 0"):
        Target("id")
    with pytest.raises(ValueError, match="'box:9,0,1,5': x1 must be below x2"):
        Target("box", box=(9, 0, 1, 5))


@pytest.mark.parametrize("text", ["box:50,0,10,100", "box:0,0,inf,inf", "box:0,0,nan,9"])
def test_a_box_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="x1 must be below x2, and y1 below y2, in pixels"):
        parse(text)


def test_it_keeps_to_one_until_they_are_gone() -> None:
    aim = Aim(Target("largest"))

    def seen(*rows: int, gone: int = 0) -> list[int]:
        ids = aim(people(*rows), [Event("gone", gone)] if gone else []).ids
        assert ids is not None
        return ids.tolist()

    assert seen(0, 1) == [7]
    assert seen(0, 1, 2) == [7]  # a larger one comes
    assert seen(1, 2) == []  # they are lost, and may come back
    assert seen(0, 1, 2) == [7]
    assert seen(1, 2, gone=7) == [9]


def test_after_who_was_in_the_box_comes_the_nearest_to_them() -> None:
    aim = Aim(parse("box:0,0,50,100"))
    assert aim(people(0, 2), []).ids == [7]
    assert aim(people(1, 2), [Event("gone", 7)]).ids == [8]  # nobody is in the box now
    assert aim(people(0, 1, 2), []).ids == [8]


def test_only_what_happened_to_the_target_is_told() -> None:
    aim = Aim(Target("largest"))
    aim(people(0, 1), [Event("new", 7), Event("new", 8)])
    assert aim.events == [Event("new", 7)]
    aim(people(0), [Event("lost", 8)])
    assert aim.events == []
    aim(people(2), [Event("gone", 7), Event("new", 9)])
    assert aim.events == [Event("gone", 7), Event("new", 9)]


def test_without_a_target_everybody_is_wanted() -> None:
    assert len(Aim(None)(people(0, 1, 2), [])) == 3
