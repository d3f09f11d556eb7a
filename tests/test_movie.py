"""Movies, their sound, and frames as pictures."""

import contextlib
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import clips
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from movenet import images
from movenet.errors import ImageError, VideoError
from movenet.frame_folder import FrameFolder

av = pytest.importorskip("av", reason="needs PyAV, the extra `video`")
from movenet.movie import Movie, even, fitted  # noqa: E402
from movenet.sources import Source, open_source  # noqa: E402
from movenet.sources.video import Video  # noqa: E402

Pixels = NDArray[np.uint8]
VIDEOS = Path(__file__).parents[2] / "shared" / "data" / "videos"
RATE = 25


def noise(count: int, size: tuple[int, int] = (48, 64)) -> list[Pixels]:
    """Pictures that do not compress."""
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (*size, 3), np.uint8) for _ in range(count)]


def times_of(path: Path) -> list[float]:
    """When a player shows the frames."""
    with av.open(str(path)) as file:
        return [frame.time for frame in file.decode(video=0)]


def frames_of(path: Path) -> list[Pixels]:
    with av.open(str(path)) as file:
        frames = file.decode(video=0)
        return [frame.to_ndarray(format="rgb24", src_colorspace="ITU709") for frame in frames]


def opencv_count(path: Path) -> int:
    shown, count = cv2.VideoCapture(str(path)), 0
    while shown.read()[0]:
        count += 1
    return count


def boxes_of(path: Path) -> list[str]:
    """The names of an MP4's parts: ISO/IEC 14496-12, 4.2."""
    data, names, at = path.read_bytes(), [], 0
    while at < len(data):
        names.append(data[at + 4 : at + 8].decode())
        at += int.from_bytes(data[at : at + 4], "big")
    assert at == len(data)
    return names


def write(path: Path, frames: Iterable[Pixels], times: Iterable[float], rate: float = RATE) -> Path:
    with Movie(path, rate=rate) as movie:
        for frame, time in zip(frames, times, strict=True):
            movie.write(frame, time)
    return path


# Times


@pytest.mark.parametrize("start", [0.0, 2.5])
@pytest.mark.parametrize("rate", [24.0, 30000 / 1001, 240.0])
def test_times_are_kept_and_begin_at_zero(tmp_path: Path, start: float, rate: float) -> None:
    rng = np.random.default_rng(1)
    times = np.cumsum(rng.choice([1, 1, 1, 4, 25], 60)) / rate  # lost frames and long stills
    path = write(tmp_path / "a.mp4", noise(60), times + start, rate)
    np.testing.assert_allclose(times_of(path), times - times[0], atol=1e-4, rtol=0)


@pytest.mark.parametrize(("rate", "last"), [(10.0, 0.1), (None, 0.5)])
def test_the_last_frame_has_a_nominal_length_or_that_of_the_one_before(
    tmp_path: Path, rate: float | None, last: float
) -> None:
    path = tmp_path / "a.mp4"
    with Movie(path, rate=rate) as movie:
        for frame, time in zip(noise(3), (0, 0.25, 0.75), strict=True):
            movie.write(frame, time)
    with av.open(str(path)) as file:
        video = file.streams.video[0]
        assert video.duration * video.time_base == Fraction(0.75 + last).limit_denominator(100)


def test_one_frame_is_a_movie(tmp_path: Path) -> None:
    assert times_of(write(tmp_path / "a.mp4", noise(1), [3.0])) == [0]


def gradients(count: int) -> list[Pixels]:
    """Pictures that move slowly: what an encoder would put frames between frames for."""
    y, x = np.mgrid[:48, :64]
    waves = [(x + 3 * i, y + 2 * i, x + y - 4 * i) for i in range(count)]
    return [(127 + 110 * np.sin(np.stack(wave, 2) / 20)).astype(np.uint8) for wave in waves]


def irregular(count: int) -> list[float]:
    steps = np.random.default_rng(count).choice([0.02, 0.04, 0.3], count - 1)
    return [0.0, *np.cumsum(steps).tolist()]


WHOLE = [
    *([i / 25 for i in range(count)] for count in (1, 2, 3, 25, 26, 27, 51, 52, 53, 77, 101, 102)),
    *([i / 10 for i in range(count)] for count in (10, 11, 12, 13, 22, 32, 33)),
    *(irregular(count) for count in (7, 9, 12, 14, 15, 23, 31, 40)),
]


@pytest.mark.parametrize("has_sound", [False, True])
def test_movies_of_any_length_are_whole_to_the_end_of_the_last_frame(
    tmp_path: Path, has_sound: bool
) -> None:
    frames = gradients(max(map(len, WHOLE)))
    sound = clip(tmp_path / "sound.mkv", "aac", seconds=15.0) if has_sound else None
    for times in WHOLE:
        path, rate = tmp_path / "a.mp4", 10.0 if times[1:2] == [0.1] else 25.0
        with Movie(path, rate=rate, sound=sound) as movie:
            for frame, time in zip(frames, times, strict=False):
                movie.write(frame, time)
        np.testing.assert_allclose(times_of(path), times, atol=1e-4)
        end = times[-1] + 1 / rate
        with av.open(str(path)) as file:
            video = file.streams.video[0]
            assert float(video.duration * video.time_base) == pytest.approx(end, abs=1e-4)
            longer = file.duration / av.time_base - end
            assert -1e-4 < longer < (1024 / 48_000 if has_sound else 1e-4)  # a packet of AAC
        assert opencv_count(path) == len(times)


@pytest.mark.parametrize("second", [1.0, 0.9, 1 - 1e-6, float("nan")])
def test_times_must_rise(tmp_path: Path, second: float) -> None:
    with Movie(tmp_path / "a.mp4") as movie:
        movie.write(noise(1)[0], 1.0)
        with pytest.raises(ValueError, match="timestamp_s: expected more than the one before"):
            movie.write(noise(1)[0], second)
    assert times_of(tmp_path / "a.mp4") == [0]


# in s: one pair 2 microseconds apart; a burst within a tick of 11 microseconds
NEAR = [[0, 0.033333, 0.033335, 0.066666], [0, 1e-6, 2e-6, 3e-6, 0.04, 0.08]]


@pytest.mark.parametrize("start", [0.0, 2.5])
@pytest.mark.parametrize("times", NEAR)
def test_rising_times_may_be_nearer_than_a_tick(
    tmp_path: Path, times: list[float], start: float
) -> None:
    path = write(tmp_path / "a.mp4", noise(len(times)), [time + start for time in times])
    kept = times_of(path)
    assert (np.diff(kept) > 0).all()
    np.testing.assert_allclose(kept, times, atol=3.1 / 90_000, rtol=0)
    assert kept[-1] == pytest.approx(times[-1], abs=0.51 / 90_000)  # nothing is shifted for ever


# Pictures

COLOURS = [
    *((0, 0, 0), (255, 255, 255), (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)),
    *((0, 255, 255), (255, 0, 255), (200, 30, 90), (17, 99, 180)),
]


def test_colours_are_those_of_bt709(tmp_path: Path) -> None:
    """Against ITU-R BT.709-6, items 3.2 to 3.5: E'Y, E'CB, E'CR and their 8 bit levels."""
    picture = np.zeros((64, 32 * len(COLOURS), 3), np.uint8)
    for i, colour in enumerate(COLOURS):
        picture[:, 32 * i : 32 * i + 32] = colour
    path = write(tmp_path / "a.mp4", [picture] * 3, [0, 1, 2])
    with av.open(str(path)) as file:
        codec = file.streams.video[0].codec_context
        assert (codec.name, codec.pix_fmt) == ("h264", "yuv420p")
        assert (codec.color_primaries, codec.color_trc, codec.colorspace) == (1, 1, 1)
        assert codec.color_range == 1  # 16..235
        planes = list(file.decode(video=0))[-1].to_ndarray()  # (96, 320) luma over chroma
    luma, chroma = planes[:64], planes[64:].reshape(2, 32, -1)
    for i, colour in enumerate(COLOURS):
        red, green, blue = np.array(colour) / 255
        y = 0.2126 * red + 0.7152 * green + 0.0722 * blue
        cb, cr = (blue - y) / 1.8556, (red - y) / 1.5748
        got = [luma[32, 32 * i + 16], *chroma[:, 16, 16 * i + 8]]
        np.testing.assert_allclose(got, [219 * y + 16, 224 * cb + 128, 224 * cr + 128], atol=3)


def test_thin_coloured_lines_stay(tmp_path: Path) -> None:
    """A line of two pixels is still told from the ground, in the colour it was drawn in."""
    picture = np.full((128, 128, 3), 90, np.uint8)
    picture[40:42] = (255, 128, 0)
    shown = frames_of(write(tmp_path / "a.mp4", [picture] * 3, [0, 1, 2]))[-1]
    line = shown[40:42].reshape(-1, 3).mean(0)
    np.testing.assert_allclose(line, (255, 128, 0), atol=40)


@pytest.mark.parametrize("size", [(1, 1), (383, 497), (30, 41), (48, 64)])
def test_odd_sizes_become_even_and_nothing_is_scaled(tmp_path: Path, size: tuple[int, int]) -> None:
    height, width = size
    rows, columns = np.mgrid[:height, :width]
    picture = np.stack([rows * 255 // height, columns * 255 // width, rows * 0], 2).astype(np.uint8)
    shown = frames_of(write(tmp_path / "a.mp4", [picture] * 2, [0, 1]))[-1].astype(int)
    assert shown.shape == (height + height % 2, width + width % 2, 3)
    assert np.abs(shown[:height, :width] - picture).mean() < 4
    if height % 2 and width % 2:
        assert np.abs(shown[-1, :width] - picture[-1]).mean() < 6
        assert np.abs(shown[:height, -1] - picture[:, -1]).mean() < 6


@given(st.integers(1, 9), st.integers(1, 9))
def test_even_repeats_the_last_row_and_column(height: int, width: int) -> None:
    picture = noise(1, (height, width))[0]
    made = even(picture)
    assert made.shape == (height + height % 2, width + width % 2, 3)
    rows, columns = np.arange(made.shape[0]), np.arange(made.shape[1])
    expected = picture[np.minimum(rows, height - 1)][:, np.minimum(columns, width - 1)]
    np.testing.assert_array_equal(made, expected)


sides = st.integers(1, 60)


@given(sides, sides, sides, sides)
def test_a_fitted_picture_keeps_its_aspect_between_black_bars(
    height: int, width: int, high: int, wide: int
) -> None:
    made = fitted(np.full((height, width, 3), 200, np.uint8), (high, wide))
    assert made.shape == (high, wide, 3)
    rows, columns = np.any(made[..., 0] > 0, 1), np.any(made[..., 0] > 0, 0)
    assert (made[rows][:, columns] == 200).all()
    h, w = rows.sum(), columns.sum()
    assert h == high or w == wide
    scale = min(high / height, wide / width)
    assert abs(h - height * scale) <= 0.5 + (h == 1)
    assert abs(w - width * scale) <= 0.5 + (w == 1)
    for taken in (rows, columns):  # in the middle
        first, last = np.flatnonzero(taken)[[0, -1]]
        assert abs(first - (len(taken) - 1 - last)) <= 1


def test_later_frames_of_another_size_are_letterboxed(tmp_path: Path) -> None:
    first, tall = np.full((60, 80, 3), 128, np.uint8), np.full((100, 50, 3), 255, np.uint8)
    shown = frames_of(write(tmp_path / "a.mp4", [first, tall, first], [0, 1, 2]))
    assert [picture.shape for picture in shown] == [(60, 80, 3)] * 3
    assert shown[1][:, 28:52].min() > 225  # 60 x 30 in the middle
    assert shown[1][:, :22].max() < 30
    assert shown[1][:, 58:].max() < 30
    assert abs(shown[2].astype(int) - 128).max() < 12


def test_frames_may_be_views_and_are_copied(tmp_path: Path) -> None:
    wide = np.zeros((64, 128, 3), np.uint8)
    with Movie(tmp_path / "a.mp4") as movie:
        for i in range(40):
            wide[:] = 5 * i
            movie.write(wide[:, ::2], i / RATE)
            wide[:] = 0
    levels = [picture.mean() for picture in frames_of(tmp_path / "a.mp4")]
    np.testing.assert_allclose(levels, 5 * np.arange(40), atol=4)


def test_what_is_no_picture_is_the_caller_s_mistake(tmp_path: Path) -> None:
    with Movie(tmp_path / "a.mp4") as movie:
        with pytest.raises(ValueError, match="uint8"):
            movie.write(np.zeros((8, 8, 3), np.float32), 0.0)
        movie.write(noise(1)[0], 0.0)
    with pytest.raises(ValueError, match="closed"):
        movie.write(noise(1)[0], 1.0)


@pytest.mark.parametrize("rate", [0, -1, float("nan"), float("inf")])
def test_a_rate_is_over_zero(tmp_path: Path, rate: float) -> None:
    with pytest.raises(ValueError, match="rate: expected frames a second"):
        Movie(tmp_path / "a.mp4", rate=rate)


# Files


@pytest.mark.parametrize("suffix", [".mp4", ".M4V", ".mov"])
def test_a_closed_movie_is_a_plain_one(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"a{suffix}", noise(60), np.arange(60) / RATE)
    assert "moof" not in boxes_of(path)
    assert boxes_of(path)[-1] == "moov"
    with av.open(str(path)) as file:
        assert file.streams.video[0].frames == 60
        assert file.duration == 60 / RATE * av.time_base


def test_without_a_frame_nothing_is_made_or_changed(tmp_path: Path) -> None:
    mine = tmp_path / "mine.mp4"
    mine.write_bytes(b"precious")
    empty = tmp_path / "empty.mp4"
    empty.touch()
    for path in (mine, empty, tmp_path / "new.mp4"):
        with Movie(path):
            pass
    assert sorted(os.listdir(tmp_path)) == ["empty.mp4", "mine.mp4"]
    assert mine.read_bytes() == b"precious"


def test_closing_again_is_no_error(tmp_path: Path) -> None:
    movie = Movie(tmp_path / "a.mp4")
    movie.write(noise(1)[0], 0.0)
    movie.close()
    movie.close()


def test_an_existing_file_is_written_over(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(bytes(10_000_000))
    write(path, noise(2), [0, 1])
    assert path.stat().st_size < 100_000
    assert times_of(path) == [0, 1]


def test_a_name_may_hold_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "http: 100% é #?.mp4"
    assert times_of(write(path, noise(2), [0, 1])) == [0, 1]
    monkeypatch.chdir(tmp_path)
    assert write(Path("a:b.mp4"), noise(2), [0, 1]).exists()


def refusal(path: Path, **options: Path) -> str:
    with pytest.raises(VideoError) as error:
        Movie(path, **options)  # type: ignore[arg-type]
    return str(error.value)


def test_places_that_cannot_be_written_are_named(tmp_path: Path) -> None:
    missing, folder = tmp_path / "none" / "a.mp4", tmp_path / "folder.mp4"
    folder.mkdir()
    assert refusal(missing) == (
        f"{missing}: cannot be written (No such file or directory); name another file"
    )
    assert refusal(folder) == f"{folder}: cannot be written (Is a directory); name another file"
    assert refusal(tmp_path / "a.avi") == (
        f"{tmp_path / 'a.avi'}: movies are saved as .mp4, .m4v, .mov; choose one"
    )


def test_a_movie_is_not_written_over_its_source(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", noise(2), [0, 1])
    before = path.read_bytes()
    link = tmp_path / "link.mp4"
    link.symlink_to(path)
    assert refusal(link, sound=path) == f"{link}: is the video that is read; name another file"
    assert path.read_bytes() == before


def test_frames_that_are_too_large_are_named(tmp_path: Path) -> None:
    with pytest.raises(VideoError) as error:
        write(tmp_path / "a.mp4", [np.zeros((2, 16386, 3), np.uint8)], [0])
    assert str(error.value) == (
        f"{tmp_path / 'a.mp4'}: H.264 takes at most 16384 pixels a side, and the frames have "
        "16386 x 2; scale the source down"
    )
    assert os.listdir(tmp_path) == []


# Cut off

ENDLESS = """
import sys, numpy as np
from movenet.movie import Movie
rng = np.random.default_rng(0)
with Movie(sys.argv[1], rate=25) as movie:
    for i in range(100000):
        movie.write(rng.integers(0, 256, (48, 64, 3), np.uint8), i / 25)
        print(i, flush=True)
"""


def test_a_killed_movie_plays_up_to_the_last_seconds(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    command = [sys.executable, "-c", ENDLESS, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) == 150:
                process.kill()
                break
        written = int((process.stdout.read() or line).split()[-1])
    times = times_of(path)
    assert len(times) >= written - 2.2 * RATE
    np.testing.assert_allclose(np.array(times[:-3]) * RATE, np.arange(len(times) - 3), atol=1e-3)


def test_an_error_in_the_body_leaves_a_whole_movie(tmp_path: Path) -> None:
    def work() -> None:
        with Movie(tmp_path / "a.mp4") as movie:
            for i, frame in enumerate(noise(10)):
                movie.write(frame, i / RATE)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert len(times_of(tmp_path / "a.mp4")) == 10


def fill(path: Path) -> str:
    """Write until it fails -> the message."""
    with pytest.raises(VideoError) as error:
        write(path, noise(200, (96, 128)), np.arange(200) / RATE)
    return str(error.value)


def assert_plays(path: Path) -> None:
    places = np.array(times_of(path)) * RATE
    np.testing.assert_allclose(places, np.round(places), atol=1e-3)
    assert len(places) >= RATE
    assert (np.diff(places) > 0).all()
    assert boxes_of(path)[-1] == "mdat"  # nothing is cut off in the middle


def test_a_full_disk_is_named_and_what_was_written_plays(full_disk: Path) -> None:
    path = full_disk / "a.mp4"
    assert fill(path) == (f"{path}: cannot be written (No space left on device); name another file")
    assert_plays(path)


@contextlib.contextmanager
def limited(size: int) -> Iterator[None]:
    """No file may grow over so many bytes; not pytest's own output either, so not for long."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_wherever_the_space_ends_what_was_written_plays(tmp_path: Path) -> None:
    path = write(tmp_path / "whole.mp4", noise(60), np.arange(60) / RATE)
    whole = path.stat().st_size
    # The last two of the first: in the index.
    for limit in (whole * 3 // 4, whole - 2000, whole - 1, 0, 100, 1000):
        path = tmp_path / f"{limit}.mp4"
        refused = pytest.raises(VideoError, match=r"cannot be written \(File too large\)")
        with limited(limit), refused:
            write(path, noise(60), np.arange(60) / RATE)
        if limit > 1000:
            assert_plays(path)
        else:
            assert not path.exists()


# Sound

FLASHES = (1.0, 2.4)  # seconds: a white frame, and the middle of a beep
BEEP_S = 0.05


def beeps(rate: int, seconds: float, start_s: float) -> NDArray[np.float32]:
    time = np.arange(round(seconds * rate)) / rate + start_s
    loud = sum(np.clip(1 - np.abs(time - flash) / BEEP_S, 0, 1) for flash in FLASHES)
    return (0.8 * loud * np.sin(2 * np.pi * 1000 * time)).astype(np.float32)


def clip(
    path: Path, sound: str, *, rate: int = 48_000, layout: str = "mono", seconds: float = 3.4
) -> Path:
    """A video of 3.4 s whose frames flash as its sound beeps; the sound begins 0.12 s earlier."""
    early_s = 0.12
    with av.open(str(path), "w") as file:
        video = file.add_stream("libx264", rate=RATE, options={"preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio = file.add_stream(sound, rate=rate, layout=layout)
        for i in range(round(3.4 * RATE)):
            level = 255 if round(i / RATE, 3) in FLASHES else 20
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), level, np.uint8))
            frame.pts, frame.time_base = i + round(early_s * RATE), Fraction(1, RATE)
            file.mux(video.encode(frame))
        samples = beeps(rate, seconds + early_s, -early_s)
        for at in range(0, len(samples), 1024):
            part = av.AudioFrame.from_ndarray(samples[None, at : at + 1024], "fltp", "mono")
            part.sample_rate, part.pts, part.time_base = rate, at, Fraction(1, rate)
            file.mux(audio.encode(part))
        file.mux(video.encode(None))
        file.mux(audio.encode(None))
    return path


def copied(source: Path, path: Path, start_s: float = 0.0, end_s: float = 9.0) -> Path:
    """The frames and the sound of a clip as a movie, from `start_s` to before `end_s`."""
    with av.open(str(source)) as file, Movie(path, rate=RATE, sound=source) as movie:
        first = None
        for frame in file.decode(video=0):
            first = frame.time if first is None else first
            if start_s <= frame.time - first < end_s:
                movie.write(frame.to_ndarray(format="rgb24"), frame.time - first)
    return path


def sound_of(path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """When each sample is heard, and the sample."""
    with av.open(str(path)) as file:
        frames = list(file.decode(audio=0))
    times = [frame.time + np.arange(frame.samples) / frame.sample_rate for frame in frames]
    return np.concatenate(times), np.concatenate([frame.to_ndarray()[0] for frame in frames])


def assert_aligned(path: Path, flashes: Sequence[float]) -> None:
    shown = [
        time
        for time, frame in zip(times_of(path), frames_of(path), strict=True)
        if frame.mean() > 200
    ]
    np.testing.assert_allclose(shown, flashes, atol=1e-4)
    times, samples = sound_of(path)
    for flash in flashes:
        near = np.abs(times - flash) < 3 * BEEP_S
        energy = samples[near] ** 2
        assert energy.sum() > 10
        assert abs((times[near] * energy).sum() / energy.sum() - flash) < 0.002
    far = np.min([np.abs(times - flash) for flash in flashes], 0) > 3 * BEEP_S
    assert np.abs(samples[far]).max() < 0.05


SOURCES = [
    ("a.mp4", "aac", "aac"),
    ("a.mkv", "libmp3lame", "mp3float"),
    ("a.mov", "pcm_s16le", "aac"),
    ("a.ts", "aac", "aac"),
    ("a.mkv", "flac", "aac"),
]


@pytest.mark.parametrize(("name", "codec", "kept"), SOURCES)
@pytest.mark.parametrize("start", [0.0, 0.76])
def test_sound_and_picture_stay_aligned(
    tmp_path: Path, name: str, codec: str, kept: str, start: float
) -> None:
    source = clip(tmp_path / name, codec)
    path = copied(source, tmp_path / "made.mp4", start)
    with av.open(str(path)) as file:
        assert file.streams.audio[0].codec_context.name == kept
    assert_aligned(path, [flash - start for flash in FLASHES])


def test_sound_goes_from_the_first_frame_to_the_end_of_the_last(tmp_path: Path) -> None:
    source = clip(tmp_path / "a.mp4", "aac")
    path = copied(source, tmp_path / "made.mp4", 0.76, 2.0)
    assert_aligned(path, [FLASHES[0] - 0.76])
    times, _ = sound_of(path)
    packet_s = 1024 / 48_000
    assert 0 <= times[0] < 1 / 48_000
    assert 2.0 - 0.76 - 1e-3 <= times[-1] < 2.0 - 0.76 + packet_s


@pytest.mark.parametrize("codec", ["aac", "flac"])
def test_sound_may_end_before_the_movie(tmp_path: Path, codec: str) -> None:
    source = clip(tmp_path / "a.mkv", codec, seconds=1.3)
    path = copied(source, tmp_path / "made.mp4")
    assert len(times_of(path)) == 3.4 * RATE
    assert 1.299 < sound_of(path)[0][-1] < 1.4
    path = copied(source, tmp_path / "after.mp4", 2.0)
    assert len(times_of(path)) == 1.4 * RATE
    with av.open(str(path)) as file:
        assert not file.streams.audio


def test_a_source_without_sound_gives_a_movie_without(tmp_path: Path) -> None:
    source = write(tmp_path / "a.mp4", noise(3), [0, 1, 2])
    with av.open(str(copied(source, tmp_path / "made.mp4"))) as file:
        assert [stream.type for stream in file.streams] == ["video"]


def test_sound_comes_while_the_frames_come(tmp_path: Path) -> None:
    source, path = clip(tmp_path / "a.mp4", "aac"), tmp_path / "made.mp4"
    with Movie(path, rate=RATE, sound=source) as movie:
        for i, frame in enumerate(noise(80)):
            movie.write(frame, i / RATE)
        assert times_of(path)[-1] > 1
        assert abs(sound_of(path)[0][-1] - times_of(path)[-1]) < 0.5


def test_frames_do_not_wait_for_sound_that_is_over(tmp_path: Path) -> None:
    source, path = clip(tmp_path / "a.mp4", "aac", seconds=0.5), tmp_path / "made.mp4"
    with Movie(path, rate=RATE, sound=source) as movie:
        for i, frame in enumerate(noise(100)):
            movie.write(frame, i / RATE)
        assert times_of(path)[-1] > 1


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "aac"), ("a.mkv", "libmp3lame")])
def test_copied_sound_is_the_source_s_from_the_first_sample_on(
    tmp_path: Path, name: str, codec: str
) -> None:
    source = clip(tmp_path / name, codec)
    start = 0.96  # in the middle of a beep
    _, made = sound_of(copied(source, tmp_path / "made.mp4", start))
    times, samples = sound_of(source)
    expected = samples[np.searchsorted(times, start + 0.12 - 0.001) :]
    shift = np.argmin([np.abs(made[:2000] - expected[i : i + 2000]).max() for i in range(100)])
    assert abs(shift - 48) <= 25  # Matroska's times are in milliseconds
    np.testing.assert_allclose(made[:9000], expected[shift : shift + 9000], atol=1e-4)


@pytest.mark.parametrize(
    ("codec", "rate", "layout", "kept"),
    [
        ("libmp3lame", 8_000, "mono", ("aac", 8_000, 1)),  # too slow for an MP4
        ("libmp3lame", 44_100, "stereo", ("mp3float", 44_100, 2)),
        ("pcm_s16le", 31_000, "mono", ("aac", 48_000, 1)),  # no rate of AAC
        ("pcm_s16le", 44_100, "stereo", ("aac", 44_100, 2)),
        ("pcm_s16le", 48_000, "5.1", ("aac", 48_000, 2)),
    ],
)
def test_rate_and_channels_are_kept_where_aac_has_them(
    tmp_path: Path, codec: str, rate: int, layout: str, kept: tuple[str, int, int]
) -> None:
    source = clip(tmp_path / "a.mkv", codec, rate=rate, layout=layout)
    with av.open(str(copied(source, tmp_path / "made.mp4"))) as file:
        sound = file.streams.audio[0]
        assert (sound.codec_context.name, sound.rate, sound.layout.nb_channels) == kept
    assert 3.3 < sound_of(tmp_path / "made.mp4")[0][-1] < 3.5


@pytest.mark.parametrize(("start", "end"), [(0.0, 3.4), (1.0, 2.4)])
def test_sound_ends_where_recordings_were_joined(tmp_path: Path, start: float, end: float) -> None:
    """The second is longer: its times go back, and then on to where the first did not come."""
    source = clip(tmp_path / "a.ts", "aac")
    second = clip(tmp_path / "b.ts", "aac", seconds=8.0)
    source.write_bytes(source.read_bytes() + second.read_bytes())
    path = tmp_path / "made.mp4"
    with Movie(path, rate=RATE, sound=source) as movie:
        for i, frame in enumerate(noise(170)):
            movie.write(frame, start + i / RATE)
    assert len(times_of(path)) == 170
    assert end - 0.1 < sound_of(path)[0][-1] < end + 0.1


def test_sound_whose_times_go_back_a_little_is_left_out_there(tmp_path: Path) -> None:
    source = clip(tmp_path / "a.ts", "aac", seconds=0.2)
    second = clip(tmp_path / "b.ts", "aac")
    source.write_bytes(source.read_bytes() + second.read_bytes())
    path = tmp_path / "made.mp4"
    with Movie(path, rate=RATE, sound=source) as movie:
        for i, frame in enumerate(noise(100)):
            movie.write(frame, i / RATE)
    assert len(times_of(path)) == 100
    times, _ = sound_of(path)
    assert (np.diff(times) > 0).all()
    assert 3.3 < times[-1] < 3.5


def test_behind_the_place_where_recordings_were_joined_there_is_no_sound(tmp_path: Path) -> None:
    source = clip(tmp_path / "a.ts", "aac")
    second = clip(tmp_path / "b.ts", "aac", seconds=8.0)
    source.write_bytes(source.read_bytes() + second.read_bytes())
    with Movie(tmp_path / "made.mp4", rate=RATE, sound=source) as movie:
        movie.write(noise(1)[0], 4.0)
    with av.open(str(tmp_path / "made.mp4")) as file:
        assert not file.streams.audio


def reopening(source: Source) -> Callable[[], Any]:
    assert isinstance(source, Video)
    return source.reopen


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_the_sound_of_a_file_on_a_server_is_that_of_the_file(tmp_path: Path, name: str) -> None:
    clip(tmp_path / name, "aac")
    made: list[Path] = []
    with clips.served(tmp_path) as address:
        for at in (str(tmp_path / name), address + name):
            made.append(tmp_path / f"made{len(made)}.mp4")
            with (
                open_source(at, start_s=0.76, end_s=2.8) as source,
                Movie(made[-1], rate=RATE, sound=reopening(source)) as movie,
            ):
                for frame in source:
                    movie.write(frame.image, frame.timestamp_s)
    assert_aligned(made[1], [flash - 0.76 for flash in FLASHES])
    (here, heard), (there, got) = map(sound_of, made)
    np.testing.assert_array_equal(there, here)
    np.testing.assert_array_equal(got, heard)


def test_sound_of_a_file_that_is_gone_from_its_server_is_named(tmp_path: Path) -> None:
    clip(tmp_path / "a.mp4", "aac")
    with clips.served(tmp_path) as address, open_source(address + "a.mp4") as source:
        (tmp_path / "a.mp4").unlink()
        with (
            pytest.raises(VideoError) as error,
            Movie(tmp_path / "made.mp4", sound=reopening(source)) as movie,
        ):
            movie.write(noise(1)[0], 0.0)
    why = "cannot be opened (Server returned 404 Not Found)"
    assert str(error.value) == f"{source.name}: {why}; check the address, and that it is sent"


def test_damaged_sound_is_passed_over(tmp_path: Path) -> None:
    source = clip(tmp_path / "a.mkv", "flac")
    damaged = bytearray(source.read_bytes())
    for place in range(len(damaged) // 4, len(damaged) // 2, 997):
        damaged[place] ^= 255
    source.write_bytes(damaged)
    path = tmp_path / "made.mp4"
    with Movie(path, rate=RATE, sound=source) as movie:
        for i, frame in enumerate(noise(85)):
            movie.write(frame, i / RATE)
    assert len(times_of(path)) == 85
    times, samples = sound_of(path)
    near = np.abs(times - FLASHES[1]) < BEEP_S
    assert np.abs(samples[near]).max() > 0.5


def test_sound_that_is_not_there_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "missing.mp4"
    with pytest.raises(VideoError) as error, Movie(tmp_path / "a.mp4", sound=missing) as movie:
        movie.write(noise(1)[0], 0.0)
    assert str(error.value) == (
        f"{missing}: its sound cannot be read (No such file or directory); check the file"
    )
    assert os.listdir(tmp_path) == []


def test_sound_that_breaks_off_ends_there(tmp_path: Path) -> None:
    source = clip(tmp_path / "a.ts", "aac")
    broken = tmp_path / "broken.ts"
    broken.write_bytes(source.read_bytes()[: source.stat().st_size * 2 // 3])
    path = tmp_path / "made.mp4"
    with Movie(path, rate=RATE, sound=broken) as movie:
        for i, frame in enumerate(noise(80)):
            movie.write(frame, i / RATE)
    assert len(times_of(path)) == 80
    assert 1 < sound_of(path)[0][-1] < 3


@pytest.mark.skipif(not VIDEOS.is_dir(), reason="needs shared/data/videos")
@pytest.mark.parametrize("name", ["pose2sim_single_cam02.mp4", "sports2d_demo.mp4"])
def test_the_sound_of_a_phone_s_clip_is_copied(tmp_path: Path, name: str) -> None:
    with av.open(str(VIDEOS / name)) as file:
        expected = [bytes(packet) for packet in file.demux(audio=0)]
    path = tmp_path / "a.mp4"
    with Movie(path, sound=VIDEOS / name) as movie:
        for i in range(40):
            movie.write(np.zeros((8, 8, 3), np.uint8), i / RATE)
    with av.open(str(path)) as file:
        got = [bytes(packet) for packet in file.demux(audio=0) if packet.size]
    assert got == expected[: len(got)]
    assert len(got) == pytest.approx(40 / RATE * 44_100 / 1024, abs=1)


# Frames as pictures


def test_frames_become_pictures_that_are_named_by_index(tmp_path: Path) -> None:
    pictures = FrameFolder(tmp_path / "new" / "frames", "clip")
    frame = np.full((20, 30, 3), (255, 128, 0), np.uint8)
    path = pictures.write(frame, 123)
    assert path == tmp_path / "new" / "frames" / "clip_000123.jpg"
    assert np.abs(images.read(path).astype(int) - frame).max() < 8


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(VideoError) as error:
        FrameFolder(tmp_path / "file", "clip")
    assert str(error.value) == (
        f"{tmp_path / 'file'}: cannot be made (File exists); name another folder"
    )


def test_a_picture_that_cannot_be_saved_is_named(tmp_path: Path) -> None:
    (tmp_path / "clip_000000.jpg").mkdir()
    with pytest.raises(ImageError, match=r"clip_000000.jpg: cannot be saved \(Is a directory\)"):
        FrameFolder(tmp_path, "clip").write(noise(1)[0], 0)
