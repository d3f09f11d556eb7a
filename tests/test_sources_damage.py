"""Damaged files and what is no video: the good part is given, and one line says the rest."""

import os

import av
import clips
import numpy as np
import pytest
from av.stream import Disposition
from clips import SHORT_GOPS, expected, failing, read
from PIL import Image

IN_FRONT = {"movflags": "faststart"}  # the index of an MP4


def test_a_cut_mp4_with_its_index_in_front_gives_what_is_there(tmp_path):
    whole = clips.write(
        tmp_path / "a.mp4",
        clips.greys(50),
        options={"bf": "0", "g": "10"},
        container_options=IN_FRONT,
    )
    data = whole.read_bytes()
    with av.open(str(whole)) as file:  # where each frame's bytes end
        ends = [p.pos + p.size for p in file.demux(video=0) if p.size]
    for cut, frames in ((ends[30], 31), (ends[30] + 5, 31), (ends[48], 49), (len(data) - 1, 49)):
        whole.write_bytes(data[:cut])
        last = f"after frame {frames - 1} at {(frames - 1) / 25:.2f} s"
        assert failing(whole) == (
            expected(range(frames)),
            f"{whole}: it breaks off {last}; the rest is done, copy or download it again",
        )


def test_a_cut_matroska_says_where_it_breaks_off(tmp_path):
    path = clips.write(tmp_path / "a.mkv", clips.greys(50), options={"bf": "0"})
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    frames, message = failing(path)
    assert frames == expected(range(len(frames)))
    last = f"after frame {len(frames) - 1} at {(len(frames) - 1) / 25:.2f} s"
    assert message == f"{path}: it breaks off {last}; the rest is done, copy or download it again"


@pytest.mark.parametrize("broken", [[0], [20], [47], [49], [3, 30, 31]])
def test_damaged_packets_cost_their_own_frames_and_are_counted(tmp_path, broken):
    path = clips.write(tmp_path / "a.mp4", clips.greys(50), options={"g": "1"})  # keyframes all
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as file:
        packets = [(p.pos, p.size) for p in file.demux(video=0) if p.size]
    for place in broken:
        start, size = packets[place]
        data[start : start + size] = b"\xff" * size
    path.write_bytes(data)
    frames, message = failing(path)
    good = [i for i in range(50) if i not in broken]
    assert [place for _, _, place in frames] == good
    assert [t for _, t, _ in frames] == pytest.approx([(i - good[0]) / 25 for i in good])
    count = "1 damaged packet was" if len(broken) == 1 else f"{len(broken)} damaged packets were"
    assert message == f"{path}: {count} left out; the rest is done, copy or download it again"


def test_damage_behind_the_place_where_recordings_were_joined_costs_its_own_frame(tmp_path):
    path, data = tmp_path / "a.mkv", b""
    for part in (clips.greys(50)[:25], clips.greys(50)[25:]):
        data += clips.write(path, part, options={"g": "1"}).read_bytes()
    path.write_bytes(data)
    with av.open(str(path)) as file:
        packet = [bytes(p) for p in file.demux(video=0) if p.size][35]
    path.write_bytes(data.replace(packet, b"\xff" * len(packet)))
    good = [i for i in range(50) if i != 35]
    for first in (0, 5, 20, 30):
        frames, message = failing(path, start_s=max(0, (first - 0.5) / 25))
        assert [place for _, _, place in frames] == good[first:]
        assert [t for _, t, _ in frames] == pytest.approx([i / 25 for i in good[first:]])
        problem = "1 damaged packet was left out; the rest is done, copy or download it again"
        assert message == f"{path}: {problem}"


@pytest.mark.parametrize("byte", [9, 10])
@pytest.mark.parametrize("place", [12, 20, 28])
def test_a_damaged_time_moves_nothing(tmp_path, byte, place):
    path = clips.write(tmp_path / "a.ts", clips.greys(30), options={**SHORT_GOPS, "bf": "0"})
    data = bytearray(path.read_bytes())
    begins = [i for i in range(len(data)) if data[i : i + 4] == b"\0\0\1\xe0"]
    data[begins[place] + byte] ^= 0x0E  # of the time: ISO/IEC 13818-1, 2.4.3.6
    path.write_bytes(data)
    for first in (0, 5, 15, 24):
        start = max(0, (first - 0.5) / 25)
        assert read(path, start_s=start) == expected(range(first, 30))


def test_a_file_of_damage_only_is_one_line(tmp_path):
    path = clips.write(tmp_path / "a.mp4", clips.greys(5), container_options=IN_FRONT)
    data = path.read_bytes()
    start = data.index(b"mdat") + 4
    path.write_bytes(data[:start] + b"\xff" * (len(data) - start))
    assert failing(path) == (
        [],
        f"{path}: no frame in it can be decoded; copy or download it again",
    )


AGAIN = "copy or download it again"
DONE = "the rest is done, copy or download it again"
PATCHED_12 = f"1 damaged frame was patched up (at 0.48 s); {DONE}"


def patched(path, *places):
    """30 frames, in the middle of some of which a byte is changed."""
    noise = np.random.default_rng(0).integers(-15, 16, (48, 64, 3))
    pictures = [(grey + noise).astype(np.uint8) for grey in clips.greys(30)]
    clips.write(path, pictures, options={"g": "1", "crf": "10"})
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as file:
        packets = [(p.pos, p.size) for p in file.demux(video=0) if p.size]
    for place in places:
        start, size = packets[place]
        data[start + size // 2] ^= 0xFF
    path.write_bytes(data)
    return path


def test_frames_that_the_decoder_patches_up_are_given_and_counted(tmp_path):
    frames, message = failing(patched(tmp_path / "a.mp4", 12))
    assert [(i, t) for i, t, _ in frames] == [(i, t) for i, t, _ in expected(range(30))]
    assert message == f"{tmp_path}/a.mp4: {PATCHED_12}"
    frames, message = failing(patched(tmp_path / "b.mp4", 3, 20, 29))
    assert len(frames) == 30
    several = "3 damaged frames were patched up (the first at 0.12 s)"
    assert message == f"{tmp_path}/b.mp4: {several}; {DONE}"


def test_what_is_patched_up_and_what_is_left_out_are_counted_once(tmp_path):
    path = patched(tmp_path / "a.mp4", 3, 20)
    with av.open(str(path)) as file:
        (start, size) = [(p.pos, p.size) for p in file.demux(video=0) if p.size][12]
    data = bytearray(path.read_bytes())
    data[start : start + size] = b"\xff" * size
    path.write_bytes(data)
    frames, message = failing(path)
    assert len(frames) == 29
    left_out = "1 damaged packet was left out"
    several = "2 damaged frames were patched up (the first at 0.12 s)"
    assert message == f"{path}: {left_out} and {several}; {DONE}"


@pytest.mark.parametrize(("bframes", "broken"), [("0", 39), ("3", 31)])
def test_damage_before_an_end_is_named_and_damage_behind_it_is_not(tmp_path, bframes, broken):
    """A frame that no other one needs, with frames between others or without."""
    path = clips.write(tmp_path / "a.mp4", clips.greys(50), options={"g": "10", "bf": bframes})
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as file:
        packets = [(p.pts // p.duration, p.pos, p.size) for p in file.demux(video=0) if p.size]
    (start, size) = next((start, size) for place, start, size in packets if place == broken)
    data[start : start + size] = b"\xff" * size
    path.write_bytes(data)
    for end in range(broken - 4, broken + 1):
        assert read(path, end_s=(end - 0.5) / 25) == expected(range(end))
    for end in (broken + 1, broken + 2, 48):
        frames, message = failing(path, end_s=(end - 0.5) / 25)
        assert [place for _, _, place in frames] == [i for i in range(end) if i != broken]
        assert message == f"{path}: 1 damaged packet was left out; {DONE}"


def test_patched_frames_and_breaks_are_named_before_an_end_only(tmp_path):
    path = patched(tmp_path / "a.mp4", 12)
    assert len(read(path, end_s=0.47)) == 12
    for end_s in (0.49, 1.0):
        assert failing(path, end_s=end_s)[1] == f"{path}: {PATCHED_12}"
    path = clips.write(tmp_path / "b.mp4", clips.greys(50), container_options=IN_FRONT)
    path.write_bytes(path.read_bytes()[:-1])
    assert len(read(path, end_s=1.8)) == 45
    assert "breaks off" in failing(path, end_s=10.0)[1]


def gif(path):
    clips.write(path, clips.greys(12), codec="gif", pixels="gray")
    with av.open(str(path)) as file:
        return path.read_bytes(), [p.size for p in file.demux(video=0) if p.size]


def test_a_gif_without_its_end_is_broken_off(tmp_path):
    path = tmp_path / "a.gif"
    data, sizes = gif(path)
    assert data.endswith(b"\0;")
    fifth = sum(sizes[:5])
    for cut, frames in ((fifth, 5), (fifth + sizes[5] // 2, 5), (len(data) - 1, 12)):
        path.write_bytes(data[:cut])
        last = f"after frame {frames - 1} at {(frames - 1) / 25:.2f} s"
        assert failing(path) == (
            expected(range(frames)),
            f"{path}: it breaks off {last}; {DONE}",
        )
    path.write_bytes(data + b"\0\n")  # as some programs end it
    assert read(path) == expected(range(12))


def test_a_webp_that_is_cut_off_is_one_line(tmp_path):
    path = tmp_path / "a.webp"
    pictures = [Image.fromarray(picture) for picture in clips.greys(5)]
    pictures[0].save(path, save_all=True, append_images=pictures[1:])
    path.write_bytes(path.read_bytes()[:-20])
    problem = "damaged or cut off, no frame in it can be decoded"
    assert failing(path) == ([], f"{path}: {problem}; {AGAIN}")


def test_a_transport_stream_that_lost_a_packet_has_its_frames_all_the_same(tmp_path):
    noise = np.random.default_rng(0).integers(-15, 16, (48, 64, 3))
    pictures = [(grey + noise).astype(np.uint8) for grey in clips.greys(30)]
    path = clips.write(tmp_path / "a.ts", pictures, options={"g": "1", "crf": "10"})
    data = path.read_bytes()
    packets = [data[i : i + 188] for i in range(0, len(data), 188)]
    begins = [  # ISO/IEC 13818-1, 2.4.3.2: a video frame's first packet has this bit
        i for i, p in enumerate(packets) if p[1] & 0x40 and p[1] << 8 & 0x1F00 | p[2] == 0x100
    ]
    del packets[begins[12] + 2]  # of several
    path.write_bytes(b"".join(packets))
    frames, message = failing(path)
    assert [(i, t) for i, t, _ in frames] == [(i, t) for i, t, _ in expected(range(30))]
    assert [i for i, _, place in frames if i != place] == [12]
    assert message == f"{path}: {PATCHED_12}"


def test_a_recording_that_begins_between_keyframes_is_not_damaged(tmp_path):
    path = clips.write(tmp_path / "a.ts", clips.greys(40), options={**SHORT_GOPS, "bf": "0"})
    data = path.read_bytes()
    path.write_bytes(data[(len(data) // 3 // 188) * 188 :])
    frames = read(path)
    assert [place for _, _, place in frames] == list(range(40 - len(frames), 40))
    assert [(i, t) for i, t, _ in frames] == [(i, pytest.approx(i / 25)) for i, _, _ in frames]
    assert [i for i, _, _ in frames] == list(range(len(frames)))


def only_sound(path):
    with av.open(str(path), "w") as file:
        sound = file.add_stream("aac", rate=16000, layout="mono")
        samples = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        samples.sample_rate = 16000
        file.mux(sound.encode(samples))
        file.mux(sound.encode(None))


def music_with_a_cover(path):
    with av.open(str(path), "w", format="mp4") as file:
        sound = file.add_stream("aac", rate=16000, layout="mono")
        cover = file.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
        cover.disposition = Disposition.attached_pic
        file.start_encoding()
        samples = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        samples.sample_rate = 16000
        picture = av.VideoFrame.from_ndarray(clips.greys(1)[0], "rgb24")
        file.mux(sound.encode(samples) + sound.encode(None))
        file.mux(cover.encode(picture) + cover.encode(None))


def no_frames(path):
    with av.open(str(path), "w", format="mp4", options={"movflags": "empty_moov"}) as file:
        video = file.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        file.start_encoding()


def no_tracks(path):
    with av.open(str(path), "w", format="mp4") as file:
        video = file.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        file.start_encoding()


def cut_in_the_index(path):
    clips.write(path, clips.greys(10), container_options=IN_FRONT)
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"trak") - 20])


def without_index(path):
    clips.write(path, clips.greys(10))
    path.write_bytes(path.read_bytes().partition(b"moov")[0])


def unknown_codec(path):
    clips.write(path, clips.greys(2))
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzzz"))


@pytest.mark.parametrize(
    ("name", "make", "problem"),
    [
        ("empty.mp4", lambda path: path.write_bytes(b""), f"empty, 0 bytes; {AGAIN}"),
        (
            "text.mp4",
            lambda path: path.write_text("hello\n" * 100),
            f"not a video that can be read (Invalid data found when processing input); {AGAIN}",
        ),
        (
            "notes.txt",
            lambda path: path.write_text("hello\n" * 100),
            "a text, not a video; check the file",
        ),
        ("sound.mp4", only_sound, "there is only sound in it; check the file"),
        ("cover.m4a", music_with_a_cover, "there is only sound in it; check the file"),
        ("none.mp4", no_frames, f"no frames in it; {AGAIN}"),
        ("tracks.mp4", no_tracks, f"no frames in it; {AGAIN}"),
        (
            "index.mp4",
            cut_in_the_index,
            f"its index (moov) is missing or broken, as when a recording is cut off; {AGAIN}",
        ),
        (
            "cut.mp4",
            without_index,
            f"its index (moov) is missing or broken, as when a recording is cut off; {AGAIN}",
        ),
        (
            "codec.mp4",
            unknown_codec,
            "its video codec is unknown here; convert it to H.264 (ffmpeg -i IN OUT.mp4)",
        ),
        ("missing.mp4", lambda path: None, "no such file; check the path"),
        ("nul\0.mp4", lambda path: None, "no such file; check the path"),
        (
            "folder",
            lambda path: path.mkdir(),
            "no pictures in this folder; name a folder of pictures, or a video",
        ),
        (
            "*.png",
            lambda path: None,
            "no picture matches this pattern; check it, and name videos one by one",
        ),
    ],
)
def test_what_cannot_be_read_is_one_line(tmp_path, capfd, name, make, problem):
    path = tmp_path / name
    make(path)
    assert failing(str(path)) == ([], f"{tmp_path}/{name}: {problem}".replace("\0", "\\x00"))
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_one_line(tmp_path):
    path = clips.write(tmp_path / "a.mp4", clips.greys(2))
    path.chmod(0)
    assert failing(path)[1] == f"{path}: cannot be opened (Permission denied); check the file"
