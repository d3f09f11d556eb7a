"""Times of frames: they rise, and stay true where they can."""

from fractions import Fraction
from itertools import pairwise

import av
import clips
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from movenet.sources import open_source
from movenet.sources.clock import Clock

MS = Fraction(1, 1000)


def times_of(ticks, *, rate=25.0, tick_s=MS, origin=0):
    clock = Clock(tick_s, rate, origin)
    return [clock.seconds(*pair) for pair in pairwise([*ticks, None])]


@pytest.mark.parametrize(
    ("ticks", "times"),
    [
        ([0, 40, 80, 500, 501, 9000], [0, 0.04, 0.08, 0.5, 0.501, 9]),
        # repeated
        ([0, 40, 40, 80, 120, 160], [0, 0.04, 0.041, 0.08, 0.12, 0.16]),
        ([0, 40, 40, 40, 41, 80, 80, 120], [0, 0.04, 0.041, 0.042, 0.043, 0.08, 0.081, 0.12]),
        # in a wrong order
        ([0, 80, 40, 120, 160], [0, 0.08, 0.081, 0.12, 0.16]),
        ([0, 600, 100, 640], [0, 0.6, 0.601, 0.64]),
        # begun anew
        ([0, 4000, 4040, 0, 40, 100, 140], [0, 4, 4.04, 4.08, 4.12, 4.18, 4.22]),
        ([0, 960, 0, 30, 960, 0, 50], [0, 0.96, 1, 1.03, 1.96, 2, 2.05]),
        ([0, 900, -7000, -6960, -6960, -6920], [0, 0.9, 0.94, 0.98, 0.981, 1.02]),
        ([0, 4000, 3000, 3040], [0, 4, 4.04, 4.08]),
        # damaged, one of them
        ([0, 40, 9_999_999, 120, 160, 200], [0, 0.04, 0.08, 0.12, 0.16, 0.2]),
        ([0, 960, 1000, 3, 1080, 1120], [0, 0.96, 1, 1.04, 1.08, 1.12]),
        ([0, 40, 80, 9_999_999], [0, 0.04, 0.08, 9999.999]),  # nothing says so
        # missing
        ([0, None, 80, None, None, 200], [0, 0.04, 0.08, 0.12, 0.16, 0.2]),
        ([None, None, 80], [0, 0.04, 0.08]),
    ],
)
def test_only_the_odd_frames_are_moved(ticks, times):
    assert times_of(ticks) == pytest.approx(times, abs=1e-9)
    shifted = [None if tick is None else tick + 700 for tick in ticks]
    assert times_of(shifted, origin=700) == pytest.approx(times, abs=1e-9)


def test_without_an_origin_times_are_counted():
    assert times_of([7, 900, 3], origin=None) == pytest.approx([0, 0.04, 0.08])
    assert times_of([None, None], rate=None) == pytest.approx([0, 1 / 30])


def test_fast_frames_catch_up_after_a_repeated_one():
    times = times_of([0, 0, 1, 2, 3], rate=4000.0, tick_s=Fraction(1, 4000))
    assert times[2:] == [0.00025, 0.0005, 0.00075]
    assert 0 < times[1] < times[2]


@given(st.lists(st.integers(0, 40), min_size=1, max_size=10))
def test_times_rise_and_a_frame_later_than_all_before_keeps_its_own(ticks):
    latest, before = 0, -1.0
    for tick, time in zip(ticks, times_of(ticks, tick_s=Fraction(1, 100)), strict=True):
        assert time > before
        if tick > latest:
            assert time == tick / 100
        assert max(tick, latest) / 100 <= time < max(tick, latest) / 100 + 0.01
        latest, before = max(tick, latest), time


RISING = st.lists(st.integers(1, 3000), min_size=1, max_size=8)


# Further back than two frames are apart, or it might be one damaged time.
@given(RISING, RISING, st.integers(3001, 10**7), st.sampled_from([5.0, 30.0, 60.0]))
def test_after_a_break_times_go_on_and_keep_their_distances(first, second, back, rate):
    before = np.cumsum([0, *first])
    after = np.cumsum([before[-1] - back, *second])
    times = times_of([int(tick) for tick in [*before, *after]], rate=rate)
    there = len(before)
    np.testing.assert_allclose(times[:there], before / 1000, atol=1e-9)
    assert times[there] - times[there - 1] == pytest.approx(1 / rate)
    np.testing.assert_allclose(np.diff(times[there:]), np.asarray(second) / 1000, atol=1e-9)


def test_a_file_with_a_repeated_time_is_true_behind_it(tmp_path):
    ticks = [0, 40, 40, 80, 120, 160]
    with av.open(str(tmp_path / "a.mkv"), "w") as file:
        video = file.add_stream("mjpeg", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuvj420p"
        for tick, picture in zip(ticks, clips.greys(len(ticks)), strict=True):
            for packet in video.encode(av.VideoFrame.from_ndarray(picture, "rgb24")):
                packet.pts = packet.dts = tick
                packet.time_base = MS
                file.mux(packet)
    with open_source(tmp_path / "a.mkv") as source:
        frames = [(clips.place_of(f.image), f.timestamp_s) for f in source]
    true = [0, 0.04, 0.041, 0.08, 0.12, 0.16]
    assert frames == [(i, pytest.approx(time)) for i, time in enumerate(true)]


def test_recordings_put_together_play_one_after_the_other(tmp_path):
    parts = [clips.greys(40)[:30], clips.greys(40)[30:]]
    names = [clips.write(tmp_path / f"{i}.ts", part) for i, part in enumerate(parts)]
    (tmp_path / "a.ts").write_bytes(b"".join(name.read_bytes() for name in names))
    with open_source(tmp_path / "a.ts") as source:
        frames = [(clips.place_of(f.image), f.timestamp_s) for f in source]
    assert frames == [(i, pytest.approx(i / 25)) for i in range(40)]
