"""Streams, from servers on this machine that are killed and come back."""

import contextlib
import http.server
import itertools
import logging
import socket
import threading
import time

import av
import clips
import numpy as np
import pytest

from movenet.errors import VideoError
from movenet.sources import open_source, stream

RATE = 50  # frames a second
IN_FRONT = {"movflags": "faststart"}  # the index of an MP4


class Server:
    """Streams MPEG-TS over HTTP in real time: greys that begin anew with each connection."""

    def __init__(self, port=0, *, frames=10**9, hold=False):
        """frames: of each connection, which then ends, or with `hold` stays open and silent."""
        self.listener = socket.create_server(("127.0.0.1", port))
        self.port = self.listener.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}/live.ts"
        self.frames, self.hold, self.connections, self.alive = frames, hold, [], True
        self.threads = [threading.Thread(target=self.accept)]
        self.threads[0].start()

    def accept(self):
        with contextlib.suppress(OSError):  # the listener is closed
            while True:
                connection, _ = self.listener.accept()
                self.connections.append(connection)
                self.threads.append(threading.Thread(target=self.send, args=(connection,)))
                self.threads[-1].start()

    def send(self, connection):
        with contextlib.suppress(OSError), connection:
            connection.recv(4096)
            connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: video/mp2t\r\n\r\n")
            options = {"tune": "zerolatency", "g": "5"}
            pipe = _Pipe(connection)
            with av.open(pipe, "w", format="mpegts") as file:
                video = file.add_stream("libx264", rate=RATE, options=options)
                video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
                start = time.monotonic()
                for i, picture in zip(
                    range(self.frames), itertools.cycle(clips.greys(50)), strict=False
                ):
                    if not (self.alive and pipe.open):
                        break
                    frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                    frame.pts = i
                    file.mux(video.encode(frame))
                    time.sleep(max(0.0, start + i / RATE - time.monotonic()))
                while self.hold and self.alive:
                    time.sleep(0.01)

    def kill(self):
        self.alive = False
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join()


class _Pipe:
    """What PyAV writes to; it has no errors, which PyAV would raise anew when it closes."""

    def __init__(self, connection):
        self.connection, self.open = connection, True

    def write(self, data):
        try:
            self.connection.sendall(data)
        except OSError:
            self.open = False
        return len(data)


@pytest.fixture
def server():
    made = Server()
    yield made
    if made.alive:
        made.kill()


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    monkeypatch.setattr(stream, "FIRST_WAIT_S", 0.05)
    monkeypatch.setattr(stream, "GIVE_UP_S", 0.4)
    monkeypatch.setattr(stream, "TIMEOUT_S", 3.0)


def wait_for(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "10 s are over"
        time.sleep(0.01)


def soon(frames):
    """The frames that come within 10 s."""
    deadline = time.monotonic() + 10
    for frame in frames:
        assert time.monotonic() < deadline, "10 s are over"
        yield frame


def test_a_stream_is_live_and_its_newest_frame_is_taken(server):
    threads = threading.active_count()
    with open_source(server.address) as source:
        assert (source.name, source.live, source.count) == (server.address, True, None)
        frames, places = [], []
        for frame, _ in zip(source, range(12), strict=False):
            frames.append(frame)
            places.append(clips.place_of(frame.image))
            time.sleep(0.06)  # three frames
    indices, times = [f.index for f in frames], [f.timestamp_s for f in frames]
    assert np.median(np.diff(indices)) > 1
    assert places == [(i + places[0] - indices[0]) % 50 for i in indices]
    assert 0 <= times[0] < 0.5
    assert (np.diff(times) > 0).all()
    server.kill()
    assert threading.active_count() < threads + 1


def test_a_stream_that_breaks_comes_back_and_its_time_goes_on(server, caplog, monkeypatch):
    monkeypatch.setattr(stream, "GIVE_UP_S", 10.0)
    caplog.set_level(logging.INFO, "movenet")
    with open_source(server.address) as source:
        frames = iter(source)
        before = [next(frames) for _ in range(3)][-1]
        begin = time.monotonic()
        server.kill()
        wait_for(lambda: caplog.messages)
        time.sleep(0.3)
        again = Server(server.port)
        back = f"{source.name}: the stream is back after "
        after = next(f for f in soon(frames) if caplog.messages[-1].startswith(back))
        took = time.monotonic() - begin
        again.kill()
        wait_for(lambda: not caplog.messages[-1].startswith(back))
    assert after.index > before.index
    assert after.timestamp_s - before.timestamp_s == pytest.approx(took, abs=0.25)
    lost = f"{source.name}: the stream is lost, trying again in"
    assert caplog.messages[:2] == [f"{lost} 0.05 s", f"{lost} 0.1 s"]
    place = next(i for i, text in enumerate(caplog.messages) if text.startswith(back))
    assert caplog.messages[place + 1] == f"{lost} 0.05 s"


def test_a_frame_does_not_wait_in_the_decoder_for_those_that_follow(monkeypatch):
    monkeypatch.setattr(stream, "TIMEOUT_S", 0.5)
    monkeypatch.setattr(stream, "FIRST_WAIT_S", 60.0)  # so that it gives up at once
    server = Server(frames=40, hold=True)
    places = []
    with open_source(server.address) as source, pytest.raises(VideoError, match="given up"):
        places.extend(clips.place_of(frame.image) for frame in source)
    server.kill()
    assert places[-1] == 39


def test_the_waits_double_up_to_the_longest_and_then_it_gives_up(server, caplog, monkeypatch):
    monkeypatch.setattr(stream, "LONGEST_WAIT_S", 0.15)
    monkeypatch.setattr(stream, "GIVE_UP_S", 0.8)
    with open_source(server.address) as source:
        frames = iter(source)
        next(frames)
        server.kill()
        with pytest.raises(VideoError, match="given up") as caught:
            list(frames)
    message = f"{source.name}: no frame for 1 s, given up; check that the stream is sent"
    assert str(caught.value) == message
    waits = [float(text.split()[-2]) for text in caplog.messages]
    assert waits[:4] == [0.05, 0.1, 0.15, 0.15]
    assert set(waits[4:]) <= {0.15}
    assert sum(waits) < 0.8


def test_a_server_that_opens_and_gives_nothing_is_not_back(server, monkeypatch):
    with open_source(server.address) as source:
        frames = iter(source)
        next(frames)
        server.kill()
        silent = Server(server.port, frames=0)
        with pytest.raises(VideoError, match="given up"):
            list(frames)
    silent.kill()


def test_closing_ends_the_wait_for_a_stream(server, monkeypatch, caplog):
    monkeypatch.setattr(stream, "FIRST_WAIT_S", 60.0)
    monkeypatch.setattr(stream, "GIVE_UP_S", 600.0)
    threads = threading.active_count()
    with open_source(server.address) as source:
        frames = iter(source)
        next(frames)
        server.kill()
        wait_for(lambda: caplog.messages)
        begin = time.monotonic()
    assert time.monotonic() - begin < 1
    assert threading.active_count() < threads
    assert list(source) == []


def test_a_stream_that_is_opened_and_not_read_is_closed(server):
    threads = threading.active_count()
    open_source(server.address).close()
    server.kill()
    assert threading.active_count() < threads


def test_a_video_file_on_a_server_is_a_video(tmp_path):
    clips.write(tmp_path / "a.mp4", clips.greys(20), container_options=IN_FRONT)
    with clips.served(tmp_path) as address:
        with open_source(address + "a.mp4", start_s=0.2) as source:
            assert (source.live, source.rate, source.count) == (False, 25, 15)
            for _ in range(2):
                places = [(f.index, f.timestamp_s, clips.place_of(f.image)) for f in source]
                assert places == clips.expected(range(5, 20))
        with pytest.raises(VideoError) as caught:
            open_source(address + "b.mp4")
    why = "cannot be opened (Server returned 404 Not Found)"
    assert str(caught.value) == f"{address}b.mp4: {why}; check the address, and that it is sent"


LIVE_WEBM = {"codec": "libvpx-vp9", "container_options": {"live": "1"}}


@pytest.mark.parametrize(
    ("name", "options"), [("a.ts", {}), ("a.h264", {}), ("a.webm", LIVE_WEBM), ("a.gif", {})]
)
def test_a_file_on_a_server_that_names_no_length_is_read_once(tmp_path, name, options):
    if name == "a.gif":
        options = {"codec": "gif", "pixels": "gray"}
    clips.write(tmp_path / name, clips.greys(20), **options)
    with clips.served(tmp_path) as address:
        with open_source(address + name) as source:
            assert not source.live  # or it would be read for ever
        frames = clips.read(address + name)
        assert [place for _, _, place in frames] == list(range(20))
        assert clips.read(address + name, start_s=0.5) == frames[13:]


@pytest.mark.parametrize(("end", "live"), [("", True), ("#EXT-X-ENDLIST\n", False)])
def test_a_playlist_is_live_until_it_has_an_end(tmp_path, end, live):
    clips.write(tmp_path / "a.ts", clips.greys(20))
    parts = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:0.8,\na.ts\n"
    (tmp_path / "a.m3u8").write_text(parts + end)  # RFC 8216
    with clips.served(tmp_path) as address, open_source(address + "a.m3u8") as source:
        assert source.live == live


def test_a_server_that_breaks_off_in_a_file_is_named(tmp_path, monkeypatch):
    clips.write(tmp_path / "a.ts", clips.greys(20), options={"bf": "0"})
    data = (tmp_path / "a.ts").read_bytes()

    def half(self, source, outgoing):
        outgoing.write(data[: len(data) // 2])

    monkeypatch.setattr(http.server.SimpleHTTPRequestHandler, "copyfile", half)
    with clips.served(tmp_path) as address:
        frames, message = clips.failing(address + "a.ts")
    assert frames == clips.expected(range(len(frames)))
    assert 5 < len(frames) < 15
    last = f"after frame {len(frames) - 1} at {frames[-1][1]:.2f} s"
    problem = f"it breaks off {last}; the rest is done, copy or download it again"
    assert message == f"{address}a.ts: {problem}"


def test_a_server_that_cannot_seek_in_a_file_is_named(tmp_path):
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 256, (240, 320, 3), np.uint8) for _ in range(10)]
    clips.write(tmp_path / "a.mp4", noise, options={"crf": "5"})  # more than FFmpeg keeps
    with clips.served(tmp_path) as address:
        assert clips.failing(address + "a.mp4") == (
            [],
            f"{address}a.mp4: no frame in it can be read, as where the server cannot seek and the"
            " index is at the end; download it and name the file",
        )


def test_a_file_on_a_server_that_breaks_off_before_its_first_frame_has_none(tmp_path):
    path = clips.write(tmp_path / "a.mp4", clips.greys(9), container_options=IN_FRONT)
    path.write_bytes(path.read_bytes().partition(b"mdat")[0] + b"mdat")
    with clips.served(tmp_path) as address:
        problem = "no frames in it; copy or download it again"
        assert clips.failing(address + "a.mp4") == ([], f"{address}a.mp4: {problem}")


def test_an_address_that_cannot_be_opened_is_one_line_without_the_password(capfd):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for scheme in ("rtsp", "http", "tcp", "rtmp"):
        with pytest.raises(VideoError) as caught:
            open_source(f"{scheme}://me:secret@127.0.0.1:{port}/live")
        assert str(caught.value) == (
            f"{scheme}://127.0.0.1:{port}/live: cannot be opened (Connection refused); check the"
            " address, and that it is sent"
        )
    with pytest.raises(VideoError) as caught:
        open_source("nonsense://here")
    assert str(caught.value) == (
        "nonsense://here: cannot be opened (Protocol not found); check the address, and that it is"
        " sent"
    )
    assert capfd.readouterr() == ("", "")


def test_a_server_that_does_not_answer_is_one_line(monkeypatch):
    monkeypatch.setattr(stream, "TIMEOUT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        address = f"http://127.0.0.1:{mute.getsockname()[1]}/live"
        with pytest.raises(VideoError) as caught:
            open_source(address)
    why = "cannot be opened (no answer in 0.2 s)"
    assert str(caught.value) == f"{address}: {why}; check the address, and that it is sent"
