"""A window for pictures: the tkinter that comes with Python, so that OpenCV can stay headless."""

import ctypes
import time
from types import TracebackType

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from movenet.errors import MoveNetError

try:
    import _tkinter
    import tkinter

    from PIL import ImageTk
except ImportError:  # Debian and Ubuntu keep it in a package of its own
    HAS_TKINTER = False
else:
    HAS_TKINTER = True

_SCREEN_SHARE = 0.9  # of the screen; the rest is for title and task bar
_TICK_S = 0.01  # how long a key waits at most
# Not answers by themselves: Shift_L, Control_R, Caps_Lock, ISO_Level3_Shift ...
_MODIFIERS = ("_l", "_r", "_lock", "_shift")
_DONT_WAIT = 2  # TCL_DONT_WAIT (tcl.h)

# Of Xlib (Xlib.h: XIOErrorHandler, XIOErrorExitHandler). Alive as long as the process, as displays.
_ON_ERROR = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)
_ON_EXIT = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)
_GONE: set[int] = set()  # displays whose X server has ended
_say_nothing = _ON_ERROR(lambda display: 0)  # Xlib would print a line of its own
_keep_on = _ON_EXIT(lambda display, data: _GONE.add(display))  # Xlib would end the process


class Window:
    """Shows pictures, one after the other. Use it in a `with`, from one thread.

    It comes with the first picture: before that, nobody would answer its keys.
    Raises MoveNetError where no window can be opened, and where its screen goes away.
    """

    def __init__(self, title: str) -> None:
        if not HAS_TKINTER:
            raise MoveNetError(
                "--show: this Python has no tkinter; install it (Debian, Ubuntu: apt install"
                " python3-tk), or use --save"
            )
        try:
            self._root = tkinter.Tk()
        except tkinter.TclError as error:
            raise MoveNetError(
                f"--show: no window can be opened ({error}); run it on a desktop, or use --save"
            ) from error
        self._root.withdraw()
        self._root.title(title)
        self._root.resizable(width=False, height=False)
        self._root.bind("<Destroy>", self._on_destroy)  # by the user's click, or by `close`
        self._root.bind("<Key>", self._on_key)
        self._root.bind("<Button-1>", lambda _: self._keys.append("click"))
        self._label = tkinter.Label(self._root, borderwidth=0, background="black")
        self._label.pack()
        self._photo: ImageTk.PhotoImage | None = None
        self._keys: list[str] = []
        self._closed = False
        self._display = outlived(self._root)

    @property
    def screen(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self._root.winfo_screenwidth(), self._root.winfo_screenheight()

    @property
    def closed(self) -> bool:
        """Whether the user, or `close`, has closed the window."""
        return self._closed

    def show(self, image: NDArray[np.uint8] | None, *, wait_s: float | None) -> str | None:
        """Show (H, W, 3) uint8 RGB, scaled down to the screen where it is larger, and wait.

        None shows what is there. -> the next key, in lower case as X11 names it ("q", "space",
        "escape", "left", "return"), or "click", at once if it was pressed before; None after
        `wait_s` seconds (None: no limit), or when the window is closed, which `closed` tells. In a
        closed window nothing is shown.
        """
        deadline = None if wait_s is None else time.monotonic() + wait_s
        if image is not None and not self._closed:
            self._draw(image)
        while not self._closed:
            self._update()
            if self._keys:
                return self._keys.pop(0)
            left = _TICK_S if deadline is None else deadline - time.monotonic()
            if left <= 0:
                break
            time.sleep(min(left, _TICK_S))
        return None

    def close(self) -> None:
        """Close the window; again is no error."""
        if not self._closed:
            self._root.destroy()  # which tells _on_destroy

    def __enter__(self) -> "Window":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _update(self) -> None:
        """Do what waits to be done, as Tk's `update`, which never ends when the screen is gone."""
        while self._root.tk.dooneevent(_DONT_WAIT) and self._display not in _GONE:
            pass
        if self._display in _GONE:
            raise MoveNetError("--show: the screen is gone (its X server ended); use --save")

    def _draw(self, image: NDArray[np.uint8]) -> None:
        height, width = image.shape[:2]
        size = fitted((width, height), self.screen)
        picture = Image.fromarray(scaled(image, size))
        if self._photo is not None and (self._photo.width(), self._photo.height()) == size:
            self._photo.paste(picture)  # quicker than a new one, and without a flicker
        else:
            self._photo = ImageTk.PhotoImage(picture, master=self._root)
            self._label.configure(image=self._photo)
        if self._root.state() == "withdrawn":
            self._root.deiconify()
            self._root.focus_force()  # or the first keys would go to the terminal

    def _on_destroy(self, event: "tkinter.Event[tkinter.Misc]") -> None:
        self._closed = True

    def _on_key(self, event: "tkinter.Event[tkinter.Misc]") -> None:
        key = event.keysym.lower()
        if not key.endswith(_MODIFIERS):
            self._keys.append(key)


def outlived(root: "tkinter.Tk") -> int | None:
    """A window's X display, whose end is no longer that of the process; None without one.

    Other systems know no such end. Where the Xlib of this Python's Tk is too old (before 1.7) or
    cannot be reached, all stays as it is.
    """
    try:
        libraries = ctypes.CDLL(_tkinter.__file__)
        set_exit, set_error = libraries.XSetIOErrorExitHandler, libraries.XSetIOErrorHandler
        main_window = libraries.Tk_MainWindow
    except (AttributeError, OSError):
        return None
    set_exit.argtypes = [ctypes.c_void_p, _ON_EXIT, ctypes.c_void_p]
    main_window.argtypes = [ctypes.c_void_p]
    main_window.restype = ctypes.POINTER(ctypes.c_void_p)
    display = main_window(root.tk.interpaddr())[0]  # a window's first field (tk.h: Tk_Display)
    set_error(_say_nothing)
    set_exit(display, _keep_on, None)
    return int(display)


def fitted(size: tuple[int, int], screen: tuple[int, int]) -> tuple[int, int]:
    """Width and height scaled down, never up, to fit on the screen; the aspect is kept."""
    scale = min(1.0, *(_SCREEN_SHARE * s / n for n, s in zip(size, screen, strict=True)))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def scaled(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 -> as wide and high as that; the array itself where it is so already."""
    height, width = image.shape[:2]
    if size == (width, height):
        return image
    # Under one half, linear interpolation would leave pixels out.
    method = cv2.INTER_AREA if 2 * size[1] < height else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, size, interpolation=method), np.uint8)
