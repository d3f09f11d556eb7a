"""A screen without a monitor: what is on it, and a keyboard for it."""

import os
import shutil
import socket
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

import numpy as np
import pytest
from PIL import ImageGrab

from movenet import window


@contextmanager
def screen(size: tuple[int, int] = (800, 600)) -> Iterator[str]:
    """The display of a screen of its own, so that tests run alike with and without a desktop."""
    with serving(size) as (_, display):
        yield display


@contextmanager
def serving(
    size: tuple[int, int] = (800, 600),
) -> Iterator[tuple["subprocess.Popen[bytes]", str]]:
    """An X server, and its display."""
    if shutil.which("Xvfb") is None:
        pytest.skip("no Xvfb (apt install xvfb)")
    if not window.HAS_TKINTER:
        pytest.skip("no tkinter (apt install python3-tk)")
    reading, writing = os.pipe()
    command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", "{}x{}x24".format(*size)]
    server = subprocess.Popen(
        [*command, "-nolisten", "tcp", "-noreset"],
        pass_fds=[writing],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    with open(reading) as pipe:
        number = pipe.readline().strip()
    try:
        if not number:
            pytest.skip("Xvfb does not start")
        yield server, f":{number}"
    finally:
        server.terminate()
        server.wait(10)


def on_screen(display: str) -> np.ndarray:
    """(H, W, 3) uint8 RGB."""
    return np.asarray(ImageGrab.grab(xdisplay=display).convert("RGB"))


class Keyboard:
    """Types as a real one does: the server hands the keys to the window that has the focus.

    With a mouse, and a button that asks a window to close, as window managers draw it. X11's
    protocol and its extension XTEST, whose requests are these (X.Org, X11 Protocol, appendix B;
    XTEST Extension Protocol; ICCCM, 4.2.8).
    """

    QUERY_EXTENSION, GET_KEYBOARD_MAPPING, GET_INPUT_FOCUS = 98, 101, 43
    QUERY_TREE, INTERN_ATOM, SEND_EVENT, CLIENT_MESSAGE = 15, 16, 25, 33
    FAKE_INPUT, PRESS, RELEASE, BUTTON_PRESS, BUTTON_RELEASE, MOTION = 2, 2, 3, 4, 5, 6
    ERROR, REPLY = 0, 1
    # X11 Protocol, appendix A.
    NAMED: ClassVar = {
        "space": 0x20, "left": 0xFF51, "up": 0xFF52, "right": 0xFF53, "down": 0xFF54
    }  # fmt: skip

    def __init__(self, display: str, corner: tuple[int, int] = (799, 599)) -> None:
        """`corner`: a place beside the windows."""
        self._server = socket.socket(socket.AF_UNIX)
        self._server.connect(f"/tmp/.X11-unix/X{display[1:]}")
        self._server.sendall(struct.pack("<BxHHHH2x", ord("l"), 11, 0, 0, 0))
        welcome, more = struct.unpack("<B5xH", self._read(8))
        assert welcome == 1, "the server does not let us in"
        setup = self._read(4 * more)
        first, last = setup[26:28]
        vendor, formats = struct.unpack("<H", setup[16:18])[0], setup[21]
        screens = 32 + (vendor + 3) // 4 * 4 + 8 * formats
        self._root = struct.unpack("<I", setup[screens : screens + 4])[0]
        self._codes = self._mapping(first, last - first + 1)
        name = b"XTEST"
        reply = self._ask(struct.pack("<BxHH2x5s3x", self.QUERY_EXTENSION, 4, len(name), name))
        self._xtest = reply[9]
        # Nobody has the focus at first, and keys go to the window under the pointer.
        self._fake(self.MOTION, at=corner)

    def press(self, *keysyms: str) -> None:
        """Letters, "space" and arrows, one after the other."""
        for keysym in keysyms:
            code = self._codes[self.NAMED.get(keysym) or ord(keysym)]
            for kind in (self.PRESS, self.RELEASE):
                self._fake(kind, code)
        self._focus()  # answered when all is done

    def click(self, x: int, y: int) -> None:
        """The left button, at a place of the screen."""
        self._fake(self.MOTION, at=(x, y))
        for kind in (self.BUTTON_PRESS, self.BUTTON_RELEASE):
            self._fake(kind, 1)
        self._focus()

    def ask_to_close(self) -> None:
        """Tell the window that has the focus that its button was clicked."""
        window = self._focus()
        while (parent := self._parent(window)) != self._root:
            window = parent
        protocols, delete = self._atom(b"WM_PROTOCOLS"), self._atom(b"WM_DELETE_WINDOW")
        event = struct.pack("<BBHIIII12x", self.CLIENT_MESSAGE, 32, 0, window, protocols, delete, 0)
        self._server.sendall(struct.pack("<BBHII", self.SEND_EVENT, 0, 11, window, 0) + event)
        self._focus()

    def is_heard(self) -> bool:
        """Whether a window has the focus; keys that come before are lost."""
        return self._focus() not in {0, 1, self._root}

    def close(self) -> None:
        self._server.close()

    def _focus(self) -> int:
        reply = self._ask(struct.pack("<BxH", self.GET_INPUT_FOCUS, 1))
        return int(struct.unpack("<I", reply[8:12])[0])

    def _parent(self, window: int) -> int:
        reply = self._ask(struct.pack("<BxHI", self.QUERY_TREE, 2, window))
        return int(struct.unpack("<I", reply[12:16])[0])

    def _atom(self, name: bytes) -> int:
        padded = name + bytes(-len(name) % 4)
        request = struct.pack("<BBHH2x", self.INTERN_ATOM, 0, 2 + len(padded) // 4, len(name))
        return int(struct.unpack("<I", self._ask(request + padded)[8:12])[0])

    def _fake(self, kind: int, detail: int = 0, at: tuple[int, int] = (0, 0)) -> None:
        request = (self._xtest, self.FAKE_INPUT, 9, kind, detail, *at)
        self._server.sendall(struct.pack("<BBHBB18xhh8x", *request))

    def _mapping(self, first: int, count: int) -> dict[int, int]:
        """From keysyms, which are ASCII for letters, to the codes of keys."""
        reply = self._ask(struct.pack("<BxHBB2x", self.GET_KEYBOARD_MAPPING, 2, first, count))
        keysyms = np.frombuffer(reply[32:], "<u4").reshape(count, -1)
        return {int(row[0]): first + place for place, row in enumerate(keysyms)}

    def _ask(self, request: bytes) -> bytes:
        self._server.sendall(request)
        while (head := self._read(32))[0] != self.REPLY:  # events come unasked
            assert head[0] != self.ERROR, head
        return head + self._read(4 * struct.unpack("<I", head[4:8])[0])

    def _read(self, count: int) -> bytes:
        parts = b""
        while len(parts) < count:
            got = self._server.recv(count - len(parts))
            assert got, "the server is gone"
            parts += got
        return parts
