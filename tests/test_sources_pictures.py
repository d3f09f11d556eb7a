"""Pictures as frames."""

import errno
import os

import cv2
import numpy as np
import pytest

from movenet import images
from movenet.errors import VideoError
from movenet.sources import open_source


def frames(source, **options):
    with open_source(source, **options) as opened:
        return [(f.index, f.timestamp_s, int(f.image[0, 0, 0])) for f in opened]


@pytest.fixture
def folder(tmp_path):
    """frame8.png ... frame12.png, each of the grey of its number, and a text that is no picture."""
    for number in range(8, 13):
        images.save(np.full((4, 6, 3), number, np.uint8), tmp_path / f"frame{number}.png")
    (tmp_path / "notes.txt").write_text("frames")
    return tmp_path


@pytest.mark.parametrize("pattern", ["", "*.png"])
def test_numbered_frames_come_in_natural_order_thirty_a_second(folder, pattern):
    expected = [(i, pytest.approx(i / 30), 8 + i) for i in range(5)]
    assert frames(folder / pattern) == expected
    assert frames(str(folder / pattern)) == expected
    with open_source(folder / pattern) as source:
        assert (source.live, source.rate, source.count) == (False, 30, 5)
        assert len(list(source)) == len(list(source)) == 5


def test_another_rate_makes_other_times_and_a_span_selects(folder):
    assert frames(folder, rate=2.0, start_s=0.5, end_s=2.0, stride=2) == [(1, 0.5, 9), (3, 1.5, 11)]
    with open_source(folder, rate=2.0, start_s=0.5, end_s=2.0, stride=2) as source:
        assert source.count == 2


def test_a_picture_is_one_frame_at_0(folder):
    assert frames(folder / "frame8.png") == [(0, 0.0, 8)]


def test_a_picture_is_read_as_pictures_are_with_alpha_over_white(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((4, 4, 4), np.uint8))
    assert frames(tmp_path / "a.png") == [(0, 0.0, 255)]


def failing(source, **options):
    found = []
    with pytest.raises(VideoError) as caught, open_source(source, **options) as opened:
        found.extend((f.index, f.timestamp_s) for f in opened)
    assert "\n" not in str(caught.value)
    return found, str(caught.value)


def test_broken_pictures_are_left_out_and_told_at_the_end(folder):
    broken = folder / "frame9.png"
    broken.write_bytes(b"")
    why = f"{broken}: empty, 0 bytes; copy or download it again"
    assert failing(folder) == ([(i, pytest.approx(i / 30)) for i in (0, 2, 3, 4)], why)
    (folder / "frame11.png").write_bytes(b"")
    two = f"{folder}: 2 of 5 pictures cannot be read, the first is {why}"
    assert failing(folder) == ([(i, pytest.approx(i / 30)) for i in (0, 2, 4)], two)


def test_a_start_after_the_last_picture_is_one_line(folder):
    problem = "its last picture is at 0.13 s, before the start at 7 s; choose an earlier start"
    assert failing(folder, start_s=7) == ([], f"{folder}: {problem}")


def test_a_pattern_of_videos_is_one_line(folder):
    problem = "no picture matches this pattern; check it, and name videos one by one"
    assert failing(folder / "*.txt") == ([], f"{folder}/*.txt: {problem}")


def test_a_folder_that_may_not_be_searched_is_not_called_empty(folder, monkeypatch):
    def refuse(path):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    monkeypatch.setattr(os, "scandir", refuse)
    message = f"{folder}: cannot be searched (Permission denied)"
    assert failing(folder) == ([], message)


def test_closing_ends_the_reading(folder):
    with open_source(folder) as source:
        reading = iter(source)
        next(reading)
        source.close()
        assert list(reading) == []
