"""Cameras, played by a small fake of OpenCV's capture."""

import glob
import os
import sys
import threading
import time
from itertools import pairwise

import cv2
import numpy as np
import pytest

from movenet.errors import VideoError
from movenet.sources import camera, open_source
from movenet.sources.newest import Newest


class FakeCapture:
    """Gives numbered blue pictures at `rate` a second, and nothing after `pictures` of them."""

    opens, pictures, rate = True, 10**9, 200.0
    blinks: frozenset[int] = frozenset()  # reads that fail in between

    def __init__(self, device, driver):
        self.device, self.driver, self.read_count, self.given = device, driver, 0, 0
        self.properties, self.released = {}, False
        FakeCapture.last = self

    def isOpened(self):  # noqa: N802
        return self.opens

    def set(self, key, value):
        self.properties[key] = value
        return True

    def get(self, key):
        return self.properties.get(key, 0.0)

    def read(self):
        assert not self.released
        time.sleep(1 / self.rate)
        self.read_count += 1
        if self.given >= self.pictures or self.read_count in self.blinks:
            return False, None
        picture = np.zeros((4, 6, 3), np.uint8)
        picture[...] = (255, 0, self.given)  # BGR
        self.given += 1
        return True, picture

    def release(self):
        self.released = True


@pytest.fixture
def fake(monkeypatch):
    made = type("Fake", (FakeCapture,), {})
    monkeypatch.setattr(cv2, "VideoCapture", made)
    return made


def test_a_camera_is_asked_for_size_rate_and_a_short_buffer(fake):
    with open_source("0") as source:
        assert (source.name, source.live, source.rate, source.count) == ("camera 0", True, 30, None)
    capture = FakeCapture.last
    assert list(capture.properties.items()) == [
        (cv2.CAP_PROP_FOURCC, int.from_bytes(b"MJPG", "little")),
        (cv2.CAP_PROP_FRAME_WIDTH, 1280),
        (cv2.CAP_PROP_FRAME_HEIGHT, 720),
        (cv2.CAP_PROP_FPS, 30),
        (cv2.CAP_PROP_BUFFERSIZE, 1),
    ]
    assert capture.released
    open_source(np.int64(1), camera_size=(640, 480), rate=60).close()
    assert type(FakeCapture.last.device) is int
    assert FakeCapture.last.device == 1
    assert FakeCapture.last.properties[cv2.CAP_PROP_FRAME_WIDTH] == 640
    assert FakeCapture.last.properties[cv2.CAP_PROP_FPS] == 60


@pytest.mark.parametrize("given", [0.0, -1.0, float("nan"), float("inf")])
def test_a_rate_that_cannot_be_is_none(fake, monkeypatch, given):
    monkeypatch.setattr(fake, "get", lambda self, key: given)
    with open_source(0) as source:
        assert source.rate is None


def test_only_the_newest_item_is_kept():
    ended = threading.Event()

    def produce(stopped):
        yield from range(5)
        ended.set()

    newest = Newest(produce, "numbers")
    ended.wait()
    assert list(newest) == [4]
    assert newest.close()


@pytest.mark.parametrize("source", ["/dev/video7", "/dev/v4l/by-id/usb-cam"])
def test_a_camera_may_be_named_by_its_path(fake, source):
    with open_source(source) as opened:
        assert (opened.name, FakeCapture.last.device) == (source, source)


def test_windows_opens_cameras_by_directshow(fake, monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    open_source(0).close()
    assert FakeCapture.last.driver == cv2.CAP_DSHOW


def test_pictures_come_once_each_in_rgb_with_rising_times(fake):
    fake.rate = 50.0
    with open_source(0) as source:
        frames = [frame for frame, _ in zip(source, range(6), strict=False)]
    for frame in frames:
        assert frame.image[0, 0].tolist() == [frame.index, 0, 255]
        assert frame.image.flags.c_contiguous
    assert frames[0].timestamp_s >= 0
    for before, frame in pairwise(frames):
        assert frame.index > before.index
        assert frame.timestamp_s > before.timestamp_s


def test_a_slow_reader_gets_the_newest_picture_and_never_one_twice(fake):
    indices, behind = [], []
    with open_source(0) as source:
        for frame, _ in zip(source, range(8), strict=False):
            indices.append(frame.index)
            behind.append(FakeCapture.last.given - 1 - frame.index)
            time.sleep(0.05)  # ten pictures
    assert np.median(np.diff(indices)) > 1
    assert (np.diff(indices) > 0).all()
    assert np.median(behind) <= 2


def test_time_is_that_of_the_grab(fake):
    with open_source(0) as source:
        frames = [frame for frame, _ in zip(source, range(30), strict=False)]
    indices, times = [f.index for f in frames], [f.timestamp_s for f in frames]
    assert times[-1] >= (indices[-1] - indices[0]) / fake.rate


def test_a_span_of_a_camera_counts_from_its_first_picture(fake):
    with open_source(0, start_s=0.05, end_s=0.15) as source:
        times = [f.timestamp_s for f in source]
    assert 0.05 <= min(times) < max(times) < 0.15


def test_reads_that_fail_now_and_then_are_passed_over(fake):
    fake.blinks = frozenset({2, 3, 4, 5, 9})
    with open_source(0) as source:
        assert len([frame for frame, _ in zip(source, range(5), strict=False)]) == 5


def test_a_camera_that_is_unplugged_is_one_line(fake):
    fake.pictures = 3
    threads = threading.active_count()
    with pytest.raises(VideoError) as caught, open_source(0) as source:
        list(source)
    assert str(caught.value) == "camera 0: gives no more pictures; plug it in again"
    assert threading.active_count() == threads
    assert FakeCapture.last.released


def test_a_camera_that_is_left_stops_its_thread(fake):
    threads = threading.active_count()
    with open_source(0) as source:
        next(iter(source))
        assert threading.active_count() == threads
        frames = iter(source)
        next(frames)
        source.close()
        assert list(frames) == list(source) == []
    assert threading.active_count() == threads
    assert FakeCapture.last.released


def refused(monkeypatch, device, *, platform="linux", there=(), allowed=True):
    """The message about a camera that does not open, where /dev has only `there`."""
    monkeypatch.setattr(FakeCapture, "opens", False)
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(glob, "glob", lambda pattern: list(there))
    monkeypatch.setattr(camera, "glob", lambda pattern: list(there))
    monkeypatch.setattr(os.path, "exists", lambda path: path in there)
    monkeypatch.setattr(os, "access", lambda path, mode: allowed)
    with pytest.raises(VideoError) as caught:
        open_source(device)
    return str(caught.value)


def test_a_camera_that_does_not_open_says_what_to_do(fake, monkeypatch):
    both = ["/dev/video2", "/dev/video0"]
    for device, options, message in [
        (9, {}, "camera 9: there is none; plug one in"),
        (9, {"there": both}, "camera 9: there is none; there are /dev/video0, /dev/video2"),
        (
            "/dev/video2",
            {"there": both, "allowed": False},
            "/dev/video2: may not be read by you; join the group video, then log in again",
        ),
        (
            0,
            {"there": both},
            "camera 0: cannot be opened; close the program that uses it, or name another",
        ),
        (
            0,
            {"platform": "darwin"},
            "camera 0: cannot be opened; check its number, close the program that uses it, and"
            " allow cameras to this program in the system's privacy settings",
        ),
    ]:
        assert refused(monkeypatch, device, **options) == message


@pytest.mark.skipif(os.path.exists("/dev/video99"), reason="there is a camera 99")
def test_a_camera_that_is_not_there_is_one_line_on_the_terminal_too(capfd):
    with pytest.raises(VideoError):
        open_source(99)
    assert capfd.readouterr() == ("", "")


def test_a_negative_number_is_no_camera():
    with pytest.raises(ValueError, match="expected the number of a camera from 0 on, got -1"):
        open_source(-1)
