"""The sound of a file, for the movie that is made of its frames."""

import math
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from movenet.errors import MoveNetError, VideoError

try:
    import av
    from av.audio.stream import AudioStream
except ImportError as error:
    raise MoveNetError(
        'movies: PyAV is not installed here; pip install "movenet-pytorch[video]"'
    ) from error

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet

    Packets = Generator[Packet[AudioStream], None, None]
    Opened = Callable[[], InputContainer]

# Of what MP4 takes, the kinds that every browser and phone plays, as FFmpeg's decoders are named.
COPIED = ("aac", "mp3", "mp3float")
MP3_RATE = 16_000  # Hz; an MP4 takes no slower MP3 (FFmpeg, libavformat/movenc.c)
AAC_RATE = 48_000  # Hz, for sound of a rate that AAC does not know
# What is kept from before the start: a packet of AAC or MP3 is decoded with those before it.
# Players pass over it, since its times are below 0.
PREROLL_S = 0.1
SLIP_S = 0.5  # times that go back further began anew, as `movenet.sources.clock` takes it


class Soundtrack:
    """The sound of a file, or none, as packets of a new stream of `movie`."""

    def __init__(self, opened: "Opened | None", movie: "OutputContainer", start_s: float) -> None:
        """opened: opens the file, more than once; what it raises is not caught.

        start_s: where the movie begins, in seconds since the file's first frame.

        AAC and MP3 are copied, other sound becomes AAC. `movie` gets a stream for it if there is
        any. The sound ends where the file cannot be read any further, changes its format, or has
        times that go back, as where recordings were joined.
        """
        self._packets = _packets(opened, movie, start_s)
        self._next = next(self._packets, None)

    def until(self, end_s: float) -> "Iterator[Packet[AudioStream]]":
        """The next packets, up to `end_s`, in seconds of the movie."""
        while self._next is not None and _seconds(self._next) < end_s:
            yield self._next
            self._next = next(self._packets, None)

    def close(self) -> None:
        """Let go of the file."""
        self._packets.close()


def _packets(opened: "Opened | None", movie: "OutputContainer", start_s: float) -> "Packets":
    if opened is None:
        return
    with opened() as source:
        stream = source.streams.best("audio")
        if not isinstance(stream, AudioStream) or stream.codec_context is None:
            return  # no sound, or of an unknown kind
        origin_s = start_s + _first_s(opened)
        read = _read(source, stream, origin_s)
        make = _copied if _can_be_copied(stream) else _encoded
        last: int | None = None
        for packet in make(read, stream, movie, origin_s):
            # Times may go back a little, which a movie does not take.
            if packet.dts is not None and (last is None or packet.dts > last):
                last = packet.dts
                yield packet


def _seconds(packet: "Packet[AudioStream]") -> float:
    assert packet.pts is not None  # see _copied; encoders give one
    return float(packet.pts * packet.time_base)


def open_sound(path: str | Path) -> "InputContainer":
    """A file, for its sound; VideoError says why not."""
    try:
        return av.open(f"file:{path}", metadata_errors="replace")
    except av.FFmpegError as error:
        raise VideoError(
            f"{path}: its sound cannot be read ({error.strerror}); check the file"
        ) from error


def _first_s(opened: "Opened") -> float:
    """Where the first frame is on the clock of the packets; what cannot be decoded is no frame."""
    with opened() as source:
        video = source.streams.best("video")
        packets = () if video is None else source.demux(video)
        frame = next(_decoded(packets), None)
        if frame is None or frame.time is None:
            return (source.start_time or 0) / av.time_base
        return float(frame.time)


def _read(source: "InputContainer", stream: AudioStream, origin_s: float) -> "Packets":
    """The packets that end later than PREROLL_S before the origin, and the empty one at the end.

    All are read up to there: not every container finds a place when it is asked to.
    """
    latest_s = -math.inf
    try:
        for packet in source.demux(stream):
            end_s = math.inf
            if packet.pts is not None:
                end_s = float((packet.pts + (packet.duration or 0)) * packet.time_base)
                if end_s < latest_s - SLIP_S:
                    return
                latest_s = max(latest_s, end_s)
            if end_s > origin_s - PREROLL_S:
                yield packet
    except av.FFmpegError:
        return


def _can_be_copied(stream: AudioStream) -> bool:
    codec = stream.codec_context
    if codec.name == "aac":  # where each packet has its own header (MPEG-TS), an MP4 has none
        return bool(codec.extradata)
    return codec.name in COPIED and codec.sample_rate >= MP3_RATE


def _copied(
    read: "Packets", stream: AudioStream, movie: "OutputContainer", origin_s: float
) -> "Packets":
    out: AudioStream | None = None
    for packet in read:
        if packet.pts is None or packet.dts is None:  # the last one is empty
            continue
        if out is None:
            out = movie.add_stream_from_template(stream)
        shift = round(origin_s / packet.time_base)
        packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
        packet.stream = out
        yield packet


def _encoded(
    read: "Packets", stream: AudioStream, movie: "OutputContainer", origin_s: float
) -> "Packets":
    out: AudioStream | None = None
    known: tuple[str, str, int] | None = None
    for frame in _decoded(read):
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        if out is None:
            known = kind
            out = _aac(movie, frame)
        if kind != known or frame.pts is None or frame.time_base is None:
            break
        frame.pts -= round(origin_s / frame.time_base)
        yield from out.encode(frame)
    if out is not None:
        yield from out.encode(None)


def _aac(movie: "OutputContainer", frame: "AudioFrame") -> AudioStream:
    rate = frame.sample_rate
    if rate not in (av.Codec("aac", "w").audio_rates or ()):
        rate = AAC_RATE
    layout = "mono" if frame.layout.nb_channels == 1 else "stereo"
    return movie.add_stream("aac", rate=rate, layout=layout)


def _decoded(read: "Iterable[Packet[Any]]") -> Iterator[Any]:
    """The frames; damaged packets are passed over."""
    for packet in read:
        try:
            frames = packet.decode()
        except av.FFmpegError:
            continue
        yield from frames
