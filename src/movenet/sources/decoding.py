"""A file's packets -> decoded frames, from a given moment on, past what is damaged.

What is unusual here:
- A decoder with several threads tells an error late and drops good frames with it. So after the
  first error the file is read once more from there on with one thread, where an error is its own
  packet's and costs nothing else.
- To begin in the middle, packets are counted up to the last keyframe before it and not decoded.
  So frames keep their index at the cost of reading, and no container's own seeking is trusted.
- Where recordings were joined, times go back, and a time no longer says where. What lies behind
  such a place is not looked for: everything is decoded up to there.
"""

import math
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
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
_GIF_TRAILER, _GIF_PICTURE_END = b";", b"\0"  # GIF89a, sections 27 and 16

VideoPacket: TypeAlias = "Packet[Any]"  # not subscriptable when it runs


@dataclass(frozen=True, slots=True)
class Decoded:
    """A frame, its place in the file, and its timestamp in ticks of the stream."""

    index: int
    pts: int | None
    frame: av.VideoFrame


@dataclass(frozen=True, slots=True)
class _Keyframe:
    """Where to begin.

    packets: how many come before it. index: how many frames are shown before it. pts: when it is
    shown, in ticks; None where nothing comes before it.
    """

    packets: int
    index: int
    pts: int | None


_FIRST = _Keyframe(0, 0, None)


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
        self.damaged: list[int | None] = []  # pts of packets that could not be decoded
        self.broken_off = False  # whether the file ends before it should
        self.failed = False  # whether that is because it could not be read on

    def __iter__(self) -> Iterator[Decoded]:
        """The frames from the last keyframe at or before the start on, or all of them."""
        keyframe = _FIRST
        if self._start_s:
            keyframe = self._find(lambda tick_s: round(self._start_s / tick_s))
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

    def damaged_before(self, end_s: float) -> int:
        """How many packets of what is shown before `end_s` could not be decoded, so far."""
        if self.origin is None:
            return len(self.damaged)
        shown = (None if pts is None else pts - self.origin for pts in self.damaged)
        return sum(ticks is None or ticks * self.tick_s < end_s for ticks in shown)

    def _find(self, start: Callable[[Fraction], int]) -> _Keyframe:
        """The last keyframe at or before the start; `_FIRST` where it cannot be known.

        start: seconds a tick -> ticks from the file's first frame.
        """
        container, stream = self._opened()
        with container:
            if stream.codec_context.name not in _A_PACKET_IS_A_FRAME:
                return _FIRST
            self.tick_s = stream.time_base or self.tick_s
            ticks = start(self.tick_s)
            keyframes: list[tuple[int, int]] = []  # packets before it, and pts
            shown = array("q")  # pts
            before = -math.inf
            for read, packet in enumerate(self._packets(container, stream)):
                decoded_at = before if packet.dts is None else packet.dts
                if packet.pts is None or decoded_at < before:
                    return _FIRST
                before = decoded_at
                if packet.is_keyframe:
                    keyframes.append((read, packet.pts))
                if not packet.is_discard:
                    shown.append(packet.pts)
                self.origin = _first_pts(packet) if self.origin is None else self.origin
                if self.origin is not None and packet.pts > self.origin + ticks:
                    break
        return _last(keyframes, shown, self.origin, ticks)

    def _pass(self, keyframe: _Keyframe, *, threads: int) -> Iterator[Decoded]:
        """The frames from `keyframe` on; raises _DamagedError unless `threads` is 1."""
        self._received, self._ends = 0, [Fraction(0), Fraction(0)]
        container, stream = self._opened()
        with container:
            stream.thread_type = "AUTO"
            stream.thread_count = threads
            self.tick_s = stream.time_base or self.tick_s
            packets = islice(self._packets(container, stream), keyframe.packets, None)
            index, begun = keyframe.index, keyframe.pts is None
            for frame in self._decode(packets, stream, threads):
                # behind the keyframe in the file may be frames that are shown before it
                begun = begun or _is_from(keyframe, frame)
                if begun:
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
            self.broken_off = self.failed = True

    def _decode(
        self, packets: Iterable[VideoPacket], stream: VideoStream, threads: int
    ) -> Iterator[av.VideoFrame]:
        """The frames as they come out, at last those that wait in the decoder."""
        sent = 0
        for packet in self._without_stump(packets, stream.codec_context.name):
            sent += 1
            yield from self._received_from(stream, packet, threads)
        yield from self._received_from(stream, None, threads)
        exact = stream.codec_context.name in _A_PACKET_IS_A_FRAME
        if exact and self._received < sent and threads != 1:
            raise _DamagedError  # PyAV drops what comes after an error at the end

    def _received_from(
        self, stream: VideoStream, packet: "VideoPacket | None", threads: int
    ) -> list[av.VideoFrame]:
        """What the decoder gives when a packet goes in, or with None at the end."""
        try:
            frames = stream.decode(packet)
        except av.FFmpegError:
            if threads != 1:
                raise _DamagedError from None
            self.damaged.append(None if packet is None else packet.pts)
            return []
        self._received += len(frames)
        return frames

    def _without_stump(self, packets: Iterable[VideoPacket], codec: str) -> Iterator[VideoPacket]:
        """All packets but a last one of which a part is missing."""
        is_cut = _has_no_trailer if codec == "gif" else _is_corrupt
        held: VideoPacket | None = None
        for packet in packets:
            if held is not None:  # not the last; how MPEG-TS marks packets says little about them
                yield held
            held = packet if is_cut(packet) else None
            if held is None:
                yield packet
        if held is not None:
            self.broken_off = True
            if codec == "gif" and bytes(held).endswith(_GIF_PICTURE_END):
                yield held

    def _ends_early(self, container: InputContainer, stream: VideoStream) -> bool:
        """Whether less was read than the header promises."""
        if container.format.name == _MP4 and stream.duration:
            end = ((stream.start_time or 0) + stream.duration) * self.tick_s
            frame_s = 1 / (stream.average_rate or 30)
            return end - self._ends[0] > frame_s / 2
        if container.format.name == _MATROSKA and container.duration:
            return container.duration / av.time_base - self._ends[1] > _SLACK_S
        return False


def _last(
    keyframes: Sequence[tuple[int, int]], shown: Iterable[int], origin: int | None, ticks: int
) -> _Keyframe:
    """The last of `keyframes`, (packets before it, pts), that is shown by `ticks` from the origin.

    shown: pts of the frames, among them all that come before that keyframe.
    """
    if origin is None:
        return _FIRST
    for packets, pts in reversed(keyframes):
        if pts <= origin + ticks:
            return _Keyframe(packets, sum(origin <= other < pts for other in shown), pts)
    return _FIRST


def _is_corrupt(packet: VideoPacket) -> bool:
    return packet.is_corrupt


def _has_no_trailer(packet: VideoPacket) -> bool:
    """Whether it cannot be the last one of a GIF; some have blanks behind their end."""
    return not bytes(packet).rstrip(b"\0\r\n ").endswith(_GIF_TRAILER)


def _is_from(keyframe: _Keyframe, frame: av.VideoFrame) -> bool:
    """Whether this is the keyframe's frame, or a later one."""
    return frame.pts is not None and keyframe.pts is not None and frame.pts >= keyframe.pts


def _first_pts(packet: VideoPacket) -> int | None:
    """When the first frame is shown, once a packet brings it out of the decoder."""
    try:
        frames = packet.decode()
    except av.FFmpegError:
        return None
    return frames[0].pts if frames else None
