"""Video files: which frames come, when they are shown, and what is said about damage."""

import gc
import os
import threading
from itertools import islice, pairwise
from pathlib import Path

import av
import clips
import cv2
import numpy as np
import pytest
from clips import SHORT_GOPS, expected, failing, read
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from movenet.sources import open_source
from movenet.sources.span import Span

CLIPS = Path(__file__).parents[2] / "shared" / "data" / "videos"
needs_clips = pytest.mark.skipif(not CLIPS.is_dir(), reason="needs the clips in ../shared/data")

CODECS = {
    "h264.mp4": {"options": SHORT_GOPS},
    "open-gop.mkv": {"options": {**SHORT_GOPS, "x264-params": "open-gop=1"}},
    "h264.ts": {"options": SHORT_GOPS},
    "fragmented.mp4": {"container_options": {"movflags": "frag_keyframe+empty_moov"}},
    "hevc.mp4": {"codec": "libx265", "options": {"x265-params": "log-level=none:keyint=10"}},
    "vp9.webm": {"codec": "libvpx-vp9", "options": {**SHORT_GOPS, "deadline": "realtime"}},
    "vp8.webm": {
        "codec": "libvpx",
        "options": {"b": "4M", "auto-alt-ref": "1", "lag-in-frames": "16"},
    },
    "mpeg4.avi": {"codec": "mpeg4", "options": {"qmin": "2", "qmax": "2"}},
    "mjpeg.avi": {"codec": "mjpeg", "pixels": "yuvj420p"},
    "sound.mp4": {"sound_s": 2.0},
}


@pytest.mark.parametrize("name", CODECS)
def test_every_frame_comes_once_at_its_time_and_a_start_changes_nothing_else(tmp_path, name):
    path = clips.write(tmp_path / name, clips.greys(45), **CODECS[name])
    assert read(path) == expected(range(45))
    for start in (0.04, 0.4, 0.81, 1.76):
        first = -int(-start * 25 // 1)
        assert read(path, start_s=start) == expected(range(first, 45))
    assert read(path, start_s=0.9, end_s=1.2, stride=3) == expected([23, 26, 29])


def test_a_source_of_a_file_begins_anew_each_time_and_says_what_comes(tmp_path):
    path = clips.write(tmp_path / "a.mp4", clips.greys(12))
    with open_source(path) as source:
        assert (source.name, source.live, source.rate, source.count) == (str(path), False, 25, 12)
        assert [f.index for f in source] == [f.index for f in source] == list(range(12))
    with open_source(path, start_s=0.1, end_s=0.4, stride=2) as source:
        assert source.count == len(list(source)) == 4


def test_images_are_contiguous_and_no_later_frame_is_written_into_them(tmp_path):
    path = clips.write(tmp_path / "a.mp4", clips.greys(20, (70, 50)))
    with open_source(path) as source:
        images = [f.image for f in source]
    assert [clips.place_of(image) for image in images] == list(range(20))
    for image in images:
        assert image.shape == (50, 70, 3)
        assert image.dtype == np.uint8
        assert image.flags.c_contiguous
    assert not any(np.shares_memory(a, b) for a, b in pairwise(images))


def frames_alive():
    return sum(type(thing) is av.VideoFrame for thing in gc.get_objects())


def test_frames_do_not_pile_up_until_garbage_collection(tmp_path):
    path = clips.write(tmp_path / "a.mp4", clips.greys(40))
    gc.collect()
    gc.disable()
    try:
        before = frames_alive()
        with open_source(path) as source:
            for _ in source:
                pass
        assert frames_alive() - before <= 3
    finally:
        gc.enable()


def test_variable_frame_rate_is_kept(tmp_path):
    times = [0.0, 0.04, 0.5, 0.52, 1.7, 1.75]
    path = clips.write(tmp_path / "a.mp4", clips.greys(6), times=times)
    assert [t for _, t, _ in read(path)] == pytest.approx(times)
    assert read(path, start_s=0.51) == [(i, pytest.approx(times[i]), i) for i in (3, 4, 5)]


def test_time_begins_with_the_files_first_frame(tmp_path):
    path = clips.write(tmp_path / "a.mkv", clips.greys(3), times=[5.0, 5.1, 5.2])
    assert [t for _, t, _ in read(path)] == pytest.approx([0.0, 0.1, 0.2])
    assert [t for _, t, _ in read(path, start_s=0.05)] == pytest.approx([0.1, 0.2])


def joined(path, *pieces, **options):
    """Recordings of one grey after the other, each of which begins at time 0, put into one file."""
    pictures = iter(clips.greys(sum(pieces)))
    parts = (clips.write(path, islice(pictures, frames), **options) for frames in pieces)
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


@pytest.mark.parametrize(
    ("name", "pieces"),
    [("a.ts", (25, 30)), ("a.ts", (30, 20)), ("a.ts", (16, 16, 23)), ("a.mkv", (21, 24))],
)
def test_where_recordings_were_joined_a_start_changes_nothing_else(tmp_path, name, pieces):
    path = joined(tmp_path / name, *pieces, options={"g": "5"})
    frames = sum(pieces)
    assert read(path) == expected(range(frames))
    for first in range(1, frames, 4):
        assert read(path, start_s=(first - 0.5) / 25) == expected(range(first, frames))
    assert read(path, start_s=0.58, end_s=1.58, stride=3) == expected(range(15, 40, 3))


def test_one_frame_is_a_video(tmp_path):
    assert read(clips.write(tmp_path / "a.mp4", clips.greys(1))) == expected([0])


def test_a_gif_keeps_its_durations_and_shows_white_where_it_is_transparent(tmp_path):
    path = tmp_path / "a.gif"
    pictures = [Image.new("RGBA", (40, 30)) for _ in range(3)]  # transparent
    for picture, colour in zip(pictures, ("red", "lime", "blue"), strict=True):
        picture.paste(colour, (0, 0, 20, 30))
    pictures[0].save(
        path, save_all=True, append_images=pictures[1:], duration=[100, 300, 50], disposal=2
    )
    with open_source(path) as source:
        frames = list(source)
    assert [f.timestamp_s for f in frames] == pytest.approx([0.0, 0.1, 0.4])
    assert [f.image[9, 10].tolist() for f in frames] == (np.eye(3) * 255).tolist()
    assert all((f.image[:, 20:] == 255).all() for f in frames)


DURATIONS_MS = [100, 300, 50, 250]


def webp(path):
    """Four frames, whose left half is of a colour and whose right half is black, half covered."""
    pictures = [Image.new("RGBA", (40, 30), (0, 0, 0, 128)) for _ in DURATIONS_MS]
    for picture, colour in zip(pictures, ("red", "lime", "blue", "black"), strict=True):
        picture.paste(colour, (0, 0, 20, 30))
    pictures[0].save(
        path, save_all=True, append_images=pictures[1:], duration=DURATIONS_MS, lossless=True
    )
    return path


def test_an_animated_webp_is_a_video(tmp_path):
    path = webp(tmp_path / "a.webp")
    with open_source(path) as source:
        assert (source.name, source.live, source.rate, source.count) == (str(path), False, 10, 4)
        for _ in range(2):
            frames = list(source)
            assert [f.index for f in frames] == [0, 1, 2, 3]
            assert [f.timestamp_s for f in frames] == pytest.approx([0.0, 0.1, 0.4, 0.45])
            assert [f.image[9, 10].tolist() for f in frames] == [
                *(np.eye(3) * 255).tolist(),
                [0, 0, 0],
            ]
            assert all((f.image[:, 20:] == 127).all() for f in frames)
            assert not any(np.shares_memory(a.image, b.image) for a, b in pairwise(frames))
    with open_source(str(path), start_s=0.1, end_s=0.45) as source:
        assert [(f.index, f.image[9, 10].argmax()) for f in source] == [(1, 1), (2, 2)]
    with open_source(path) as source:
        reading = iter(source)
        next(reading)
        source.close()
        assert list(reading) == []


def test_a_webp_of_one_picture_is_a_picture(tmp_path):
    for mode in ("RGB", "RGBA"):  # which has the extended header that animations have, too
        Image.new(mode, (40, 30)).save(tmp_path / "a.webp")
        with open_source(tmp_path / "a.webp", rate=5) as source:
            assert (source.rate, len(list(source))) == (5, 1)


def test_transparent_video_is_laid_over_white(tmp_path):
    with av.open(str(tmp_path / "a.mov"), "w") as file:
        video = file.add_stream("qtrle", rate=25)
        video.width, video.height, video.pix_fmt = 32, 16, "argb"
        half = np.zeros((16, 32, 4), np.uint8)
        half[..., 0] = 128
        file.mux(video.encode(av.VideoFrame.from_ndarray(half, "argb")))
        file.mux(video.encode(None))
    with open_source(tmp_path / "a.mov") as source:
        (frame,) = source
    np.testing.assert_allclose(frame.image, 127, atol=1)  # black, half covered


def test_frames_that_change_size_come_in_their_own(tmp_path):
    sizes = [(64, 48), (96, 32), (64, 48)]
    jpegs = [cv2.imencode(".jpg", np.zeros((h, w, 3), np.uint8))[1].tobytes() for w, h in sizes]
    (tmp_path / "a.mjpeg").write_bytes(b"".join(jpegs))
    with open_source(tmp_path / "a.mjpeg") as source:
        assert [f.image.shape for f in source] == [(h, w, 3) for w, h in sizes]


# ------------------------------------------------------------------------------------------- times


@given(st.integers(0, 40), st.integers(1, 40), st.integers(1, 7))
def test_a_span_selects_what_slicing_selects(start, length, stride):
    frames = [(i, i / 8, None) for i in range(30)]
    span = Span(start / 8, (start + length) / 8, stride)
    assert list(span.select(frames)) == frames[start : start + length : stride]
    assert span.count(30, 8.0) == len(frames[start : start + length : stride])


def test_nothing_is_read_after_the_end():
    drawn = []
    times = ((i, float(i), drawn.append(i)) for i in range(100))
    assert [i for i, _, _ in Span(0, 3).select(times)] == [0, 1, 2]
    assert drawn == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start_s": -1.0}, "start_s: expected seconds from 0 on, got -1.0"),
        ({"start_s": float("nan")}, "start_s: expected seconds from 0 on, got nan"),
        ({"start_s": 2.0, "end_s": 2.0}, "end_s: expected more than start_s (2.0), got 2.0"),
        ({"start_s": "2"}, "start_s: expected seconds from 0 on, got '2'"),
        ({"end_s": "3"}, "end_s: expected more than start_s (0.0), got '3'"),
        ({"stride": 0}, "stride: expected a whole number from 1 on, got 0"),
        ({"stride": 1.5}, "stride: expected a whole number from 1 on, got 1.5"),
        ({"stride": "2"}, "stride: expected a whole number from 1 on, got '2'"),
        ({"rate": 0.0}, "rate: expected frames a second over 0, got 0.0"),
        ({"rate": float("inf")}, "rate: expected frames a second over 0, got inf"),
        ({"rate": "5"}, "rate: expected frames a second over 0, got '5'"),
        *(
            (
                {"camera_size": size},
                f"camera_size: expected width and height from 1 on, got {size!r}",
            )
            for size in ((0, 5), "1280x720", (1, 2, 3), (1280.0, 720.0), 640)
        ),
    ],
)
def test_numbers_that_cannot_be_are_refused(options, message):
    with pytest.raises(ValueError, match="expected") as caught:
        open_source("a.mp4", **options)
    assert str(caught.value) == message


def test_numbers_of_numpy_are_numbers(tmp_path):
    path = clips.write(tmp_path / "a.mp4", clips.greys(20))
    options = {"start_s": np.float32(0.2), "end_s": np.float64(0.5), "stride": np.int64(3)}
    assert read(path, **options) == expected([5, 8, 11])


@pytest.mark.parametrize("source", [True, np.True_, b"a.mp4", 1.0, None, ["a.mp4"]])
def test_what_names_no_source_is_the_callers_mistake(source):
    with pytest.raises(ValueError, match="source must be") as caught:
        open_source(source)
    assert str(caught.value) == (
        f"source must be a path, an address or the number of a camera, not {source!r}"
    )


def test_a_start_after_the_end_of_the_clip_is_one_line(tmp_path):
    path = clips.write(tmp_path / "a.mp4", clips.greys(10))
    assert failing(path, start_s=3.0) == (
        [],
        f"{path}: its last frame is at 0.36 s, before the start at 3 s; choose an earlier start",
    )


# ----------------------------------------------------------------------------- names, closing


@pytest.mark.parametrize("name", ["rtsp:x.mp4", "a[1].mp4", "007", "no suffix"])
def test_any_name_may_be_a_files(tmp_path, monkeypatch, name):
    clips.write(tmp_path / "a.mp4", clips.greys(2)).rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert read(Path(name)) == read(tmp_path / name) == expected([0, 1])


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi"])
def test_a_title_may_be_of_any_encoding(tmp_path, suffix):
    path = clips.write(tmp_path / f"a.{suffix}", clips.greys(2), title="a ~~~~ film")
    path.write_bytes(path.read_bytes().replace(b"~~~~", "caf\xe9".encode("latin-1")))
    assert read(path) == expected([0, 1])


def test_a_reading_that_is_left_closes_its_file(tmp_path):
    path = clips.write(tmp_path / "a.mp4", clips.greys(40))
    before, threads = len(os.listdir("/proc/self/fd")), threading.active_count()
    with open_source(path) as source:
        frames = iter(source)
        next(frames)
        source.close()
        assert list(frames) == []
    assert len(os.listdir("/proc/self/fd")) == before
    frames = iter(open_source(path))
    next(frames)
    del frames
    assert len(os.listdir("/proc/self/fd")) == before
    assert threading.active_count() == threads


# ------------------------------------------------------------------------------ the shared clips

FRAMES = {  # as the clips' own page counts them
    "pose2sim_single_cam01.mp4": (100, 1080, 1920),
    "pose2sim_single_cam03.mp4": (100, 1088, 1920),
    "pose2sim_multi_cam04.mp4": (100, 1088, 1920),
    "sports2d_demo.mp4": (230, 1768, 994),
    "talmolab_dance.mp4": (545, 384, 496),
    "tfjs_pose_squats.mp4": (65, 720, 1280),
    "derived_rotation90.mp4": (545, 496, 384),
    "derived_vfr.mp4": (65, 720, 1280),
    "opencv_vtest.avi": (795, 768, 576),
    "intel_one_by_one_person.mp4": (1394, 768, 432),
}
QUICK = {"tfjs_pose_squats.mp4", "derived_vfr.mp4"}


@needs_clips
@pytest.mark.parametrize(
    "name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in FRAMES]
)
def test_the_clips_have_their_frames_and_sizes(name):
    count, width, height = FRAMES[name]
    with open_source(CLIPS / name) as source:
        frames = [(f.index, f.timestamp_s, f.image.shape) for f in source]
    assert [i for i, _, _ in frames] == list(range(count))
    assert {shape for _, _, shape in frames} == {(height, width, 3)}
    assert source.count == count
    assert all(b[1] > a[1] for a, b in pairwise(frames))


@needs_clips
def test_the_variable_clip_waits_before_frames_20_40_and_60():
    with open_source(CLIPS / "derived_vfr.mp4") as source:
        times = [f.timestamp_s for f in source]
    steps = [0.8 if i in (20, 40, 60) else 0.2 for i in range(1, 65)]
    assert np.diff(times) == pytest.approx(steps)
    assert times[0] == 0


@needs_clips
def test_the_turned_clip_is_the_other_one_turned():
    with open_source(CLIPS / "talmolab_dance.mp4", end_s=0.01) as source:
        (plain,) = source
    with open_source(CLIPS / "derived_rotation90.mp4", end_s=0.01) as source:
        (turned,) = source
    with av.open(str(CLIPS / "derived_rotation90.mp4")) as file:
        quarters = next(file.decode(video=0)).rotation // 90  # counterclockwise
    np.testing.assert_array_equal(turned.image, np.rot90(plain.image, quarters))
