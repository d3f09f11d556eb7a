"""A keypoint over time: what the lines hold, and what becomes of the file."""

import os
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from movenet import MoveNetError, Poses
from movenet.keypoints import INDEX
from movenet.plot import KeypointPlot

WRIST = INDEX["right_wrist"]


def poses(index: int, places: dict[int, tuple[float, float]], score: float = 0.9) -> Poses:
    """People by id; each has the wrist there, and everything else at 0, 0."""
    points = np.zeros((len(places), 17, 2))
    points[:, WRIST] = np.reshape(list(places.values()), (-1, 2))
    return Poses.from_arrays(
        points,
        np.full((len(places), 17), score),
        image_size=(640, 480),
        ids=list(places),
        frame_index=index,
        timestamp_s=index / 4,
    )


def plotted(path: Path) -> KeypointPlot:
    return KeypointPlot(path, "right_wrist", keypoint_threshold=0.3)


def test_each_person_has_a_line_before_and_one_after_x_above_y(tmp_path: Path) -> None:
    with plotted(tmp_path / "wrist.png") as plot:
        plot.add(poses(0, {3: (10, 100), 7: (20, 200)}), poses(0, {3: (11, 101), 7: (21, 201)}))
        plot.add(poses(1, {7: (30, 300), 3: (12, 120)}), poses(1, {7: (29, 299), 3: (13, 121)}))
        figure = plot.figure()
    above, below = figure.axes
    for axis, wanted in (
        (above, [[10, 12], [20, 30], [11, 13], [21, 29]]),
        (below, [[100, 120], [200, 300], [101, 121], [201, 299]]),
    ):
        assert [list(line.get_ydata()) for line in axis.lines] == wanted
        assert all(list(line.get_xdata()) == [0, 0.25] for line in axis.lines)
        grey, same_grey, *colours = (line.get_color() for line in axis.lines)
        assert grey == same_grey == "0.6"
        assert len({grey, *colours}) == 3
    legend = above.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.texts] == ["before smoothing", "id 3", "id 7"]
    assert (above.get_ylabel(), below.get_ylabel()) == ("right_wrist x (px)", "right_wrist y (px)")


def test_y_grows_downwards_as_in_the_picture(tmp_path: Path) -> None:
    with plotted(tmp_path / "wrist.png") as plot:
        plot.add(poses(0, {1: (10, 100)}), poses(0, {1: (10, 100)}))
        above, below = plot.figure().axes
    assert not above.yaxis_inverted()
    assert below.yaxis_inverted()


def test_lines_are_broken_where_the_keypoint_is_not_over_the_threshold(tmp_path: Path) -> None:
    threshold = float(np.float32(0.3))
    with KeypointPlot(tmp_path / "w.png", "right_wrist", keypoint_threshold=threshold) as plot:
        for index, score in enumerate((0.31, 0.3, 0.9)):
            plot.add(poses(index, {1: (5, 6)}, score), poses(index, {1: (5, 6)}, 0.9))
        above, below = plot.figure().axes
    for axis, side in ((above, 5), (below, 6)):
        before, after = (line.get_ydata() for line in axis.lines)
        np.testing.assert_array_equal(before, [side, np.nan, side])
        np.testing.assert_array_equal(after, [side] * 3)


@pytest.mark.parametrize(
    ("name", "magic"), [("a.PNG", b"\x89PNG"), ("a.svg", b"<?xml"), ("a.pdf", b"%PDF")]
)
def test_the_suffix_says_the_format(tmp_path: Path, name: str, magic: bytes) -> None:
    path = tmp_path / name
    with plotted(path) as plot:
        plot.add(poses(0, {1: (5, 6)}), poses(0, {1: (5, 6)}))
    assert path.read_bytes().startswith(magic)
    assert os.listdir(tmp_path) == [name]


def test_an_old_plot_stays_until_the_new_one_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "wrist.png"
    path.write_text("old")
    with plotted(path) as plot:
        assert path.read_text() == "old"
        plot.add(poses(0, {}), poses(0, {}))  # nobody: empty axes
        assert path.read_text() == "old"
    assert imread(path).shape == (720, 1200, 4)
    plot.close()
    assert os.listdir(tmp_path) == ["wrist.png"]


@pytest.mark.parametrize("old", [None, "old"])
def test_without_any_frame_nothing_is_changed(tmp_path: Path, old: str | None) -> None:
    path = tmp_path / "wrist.png"
    if old:
        path.write_text(old)
    with plotted(path):
        pass
    assert [each.read_text() for each in tmp_path.iterdir()] == ([old] if old else [])


def test_another_suffix_is_refused_and_nothing_made(tmp_path: Path) -> None:
    with pytest.raises(MoveNetError, match=r"a\.txt: plots are saved as \.png, \.svg or \.pdf; "):
        plotted(tmp_path / "a.txt")
    assert os.listdir(tmp_path) == []


def test_a_place_that_cannot_be_written_is_named_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    for name in ("none/a.png", "folder.png"):
        with pytest.raises(MoveNetError, match=rf"{name}: cannot be written \(.+\); name another"):
            plotted(tmp_path / name)
