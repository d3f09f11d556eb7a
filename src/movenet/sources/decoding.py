"""A file's packets -> decoded frames, from a given moment on, past what is damaged.

What is unusual here:
- A decoder with several threads tells an error late and drops good frames with it. So after the
  first error the file is read once more from there on with one thread, where an error is its own
  packet's and costs nothing else.
- To begin in the middle, packets are counted up to the last keyframe before it and not decoded.
  So frames keep their index at the cost of reading, and no container's own seeking is trusted.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from typing import Any, TypeAlias

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from movenet.sources.container import Opened

# Codecs in which every packet is a frame. Others hide frames (VP8's alternate references) or pack
# two into one packet (MPEG-4 in AVI), so that their packets cannot be counted as frames.
_A_PACKET_IS_A_FRAME = {"h264", "hevc", "av1", "libdav1d", "vp9", "mjpeg", "prores", "ffv1"}
# Formats whose header gives the length; that of others is estimated from what is there.
_MP4, _MATROSKA = "mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"
_SLACK_S = 0.5  # Matroska gives one length for all tracks

VideoPacket: TypeAlias = "Packet[Any]"  # not subscriptable when it runs
Step: TypeAlias = "tuple[Packet[Any] | None, list[av.VideoFrame]]"


@dataclass(frozen=True, slots=True)
class Decoded:
    """A frame, its place in the file, and its timestamp in ticks of the stream."""

    index: int
    pts: int | None
    frame: av.VideoFrame


@dataclass(frozen=True, slots=True)
class _Keyframe:
    """Where to begin: how many packets come before it, and when it is shown, in ticks."""

    packets: int
    pts: int


class _DamagedError(Exception):
    """A packet could not be decoded, or frames are missing, and threads hide which."""


class Decoding:
    """One reading of the frames of a file, in the order in which they are shown."""

    def __init__(self, opened: Callable[[], Opened], *, start_s: float) -> None:
        """`opened` opens the file, each time anew. start_s counts from the file's first frame."""
        self._opened = opened
        self._start_s = start_s
        self._received = 0  # frames of the present pass
        self._ends = [Fraction(0), Fraction(0)]  # seconds, of the packets: the video's, all
        self.origin: int | None = None  # when the file's first frame is shown, in ticks
        self.tick_s = Fraction(1)  # of the file's timestamps
        self.damaged = 0  # packets that could not be decoded
        self.broken_off = False  # whether the file ends before it should

    def __iter__(self) -> Iterator[Decoded]:
        """The frames from the last keyframe at or before the start on, or all of them."""
        keyframe = (
            self._find(lambda tick_s: round(self._start_s / tick_s)) if self._start_s else None
        )
        last: Decoded | None = None
        try:
            for decoded in self._pass(keyframe, threads=0):
                last = decoded
                yield decoded
        except _DamagedError:
            if last is not None and last.pts is not None and self.origin is not None:
                given = last.pts - self.origin
                keyframe = self._find(lambda _: given)
            for decoded in self._pass(keyframe, threads=1):
                if last is None or decoded.index > last.index:
                    yield decoded

    def _find(self, start: Callable[[Fraction], int]) -> _Keyframe | None:
        """The last keyframe at or before the start; None to begin with the first packet.

        start: seconds a tick -> ticks from the file's first frame.
        """
        container, stream = self._opened()
        with container:
            if stream.codec_context.name not in _A_PACKET_IS_A_FRAME:
                return None
            self.tick_s = stream.time_base or self.tick_s
            ticks = start(self.tick_s)
            keyframes: list[_Keyframe] = []
            for read, packet in enumerate(self._packets(container, stream)):
                if packet.pts is None:
                    return None
                if packet.is_keyframe:
                    keyframes.append(_Keyframe(read, packet.pts))
                if self.origin is None:
                    self.origin = _first_pts(packet)
                if self.origin is not None and packet.pts > self.origin + ticks:
                    break
        origin = self.origin or 0
        return next((key for key in keyframes[::-1] if key.pts <= origin + ticks), None)

    def _pass(self, keyframe: _Keyframe | None, *, threads: int) -> Iterator[Decoded]:
        """The frames from `keyframe` on; raises _DamagedError unless `threads` is 1."""
        self._received, self._ends = 0, [Fraction(0), Fraction(0)]
        container, stream = self._opened()
        with container:
            stream.thread_type = "AUTO"
            stream.thread_count = threads
            self.tick_s = stream.time_base or self.tick_s
            packets = self._packets(container, stream)
            index = 0
            if keyframe is not None:
                left_out = islice(packets, keyframe.packets)
                index = sum(self._is_before(packet, keyframe) for packet in left_out)
            for packet, frames in self._decode(packets, stream, threads):
                # behind the keyframe in the file may be frames that are shown before it
                if packet is not None and keyframe is not None:
                    index += self._is_before(packet, keyframe)
                for frame in frames:
                    if keyframe is None or (frame.pts is not None and frame.pts >= keyframe.pts):
                        self.origin = frame.pts if self.origin is None else self.origin
                        yield Decoded(index, frame.pts, frame)
                        index += 1
            self.broken_off |= self._ends_early(container, stream)

    def _packets(self, container: InputContainer, stream: VideoStream) -> Iterator[VideoPacket]:
        """The packets of the video; where all packets end is noted."""
        try:
            for packet in container.demux():
                if packet.size == 0:  # so PyAV says that it is over; a decoder would believe it
                    continue
                end = Fraction(0)
                if packet.pts is not None:
                    end = (packet.pts + (packet.duration or 0)) * packet.time_base
                self._ends[1] = max(self._ends[1], end)
                if packet.stream_index == stream.index:
                    self._ends[0] = max(self._ends[0], end)
                    yield packet
        except av.FFmpegError:
            self.broken_off = True

    def _decode(
        self, packets: Iterable[VideoPacket], stream: VideoStream, threads: int
    ) -> Iterator[Step]:
        """Each packet with the frames that come out when it goes in; at last those that wait."""
        sent = 0
        for packet in self._without_stump(packets):
            sent += 1
            frames: list[av.VideoFrame] = []
            try:
                frames = stream.decode(packet)
            except av.FFmpegError:
                self._note_damage(threads)
            self._received += len(frames)
            yield packet, frames
        try:
            frames = stream.decode(None)
        except av.FFmpegError:
            self._note_damage(threads)
            frames = []
        self._received += len(frames)
        yield None, frames
        exact = stream.codec_context.name in _A_PACKET_IS_A_FRAME
        if exact and self._received < sent and threads != 1:
            raise _DamagedError  # PyAV drops what comes after an error at the end

    def _without_stump(self, packets: Iterable[VideoPacket]) -> Iterator[VideoPacket]:
        """All packets but a last one of which a part is missing."""
        held: VideoPacket | None = None
        for packet in packets:
            if held is not None:  # not the last; how MPEG-TS marks packets says little about them
                yield held
            held = packet if packet.is_corrupt else None
            if held is None:
                yield packet
        self.broken_off |= held is not None

    def _note_damage(self, threads: int) -> None:
        if threads != 1:
            raise _DamagedError
        self.damaged += 1

    def _is_before(self, packet: VideoPacket, keyframe: _Keyframe) -> bool:
        """Whether this packet's frame is shown, and before the keyframe."""
        pts, origin = packet.pts, self.origin
        shown = pts is not None and origin is not None and pts >= origin and not packet.is_discard
        return shown and pts is not None and pts < keyframe.pts

    def _ends_early(self, container: InputContainer, stream: VideoStream) -> bool:
        """Whether less was read than the header promises."""
        if container.format.name == _MP4 and stream.duration:
            end = ((stream.start_time or 0) + stream.duration) * self.tick_s
            frame_s = 1 / (stream.average_rate or 30)
            return end - self._ends[0] > frame_s / 2
        if container.format.name == _MATROSKA and container.duration:
            return container.duration / av.time_base - self._ends[1] > _SLACK_S
        return False


def _first_pts(packet: VideoPacket) -> int | None:
    """When the first frame is shown, once a packet brings it out of the decoder."""
    try:
        frames = packet.decode()
    except av.FFmpegError:
        return None
    return frames[0].pts if frames else None
