import importlib.util
import sys
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import features
from screen import on_screen, screen

from movenet import window
from movenet.errors import MoveNetError
from movenet.window import Window, fitted, scaled

SCREEN = (800, 600)
RED = np.full((60, 80, 3), (255, 0, 0), np.uint8)
BLUE = np.full((60, 80, 3), (0, 0, 255), np.uint8)


@pytest.fixture(scope="module")
def display():
    with screen(SCREEN) as name:
        yield name


@pytest.fixture
def opened(display, monkeypatch):
    monkeypatch.setenv("DISPLAY", display)
    with Window("a title") as it:
        yield it


def press(it: Window, *keys: str, after_ms: int = 0) -> None:
    for key in keys:
        if after_ms:
            it._root.after(after_ms, lambda key=key: press(it, key))
        else:
            it._root.event_generate("<Key>", keysym=key)


@pytest.mark.skipif(not features.check("xcb"), reason="Pillow without xcb cannot see the screen")
def test_the_picture_is_on_the_screen_in_its_colours(opened, display):
    left = np.array([[(250, 10, 20)]], np.uint8).repeat(60, 0).repeat(40, 1)
    right = np.array([[(10, 20, 250)]], np.uint8).repeat(60, 0).repeat(40, 1)
    opened.show(np.hstack([left, right]), wait_s=0.1)
    seen = on_screen(display)
    assert (seen == (250, 10, 20)).all(-1).sum() == 60 * 40
    assert (seen == (10, 20, 250)).all(-1).sum() == 60 * 40
    opened.show(BLUE[:30], wait_s=0.1)  # of another size
    assert (on_screen(display) == (0, 0, 255)).all(-1).sum() == 30 * 80
    opened.show(RED[:30], wait_s=0.1)  # of the same size
    assert (on_screen(display) == (255, 0, 0)).all(-1).sum() == 30 * 80


@pytest.mark.skipif(not features.check("xcb"), reason="Pillow without xcb cannot see the screen")
def test_it_is_not_there_before_its_first_picture(opened, display):
    for _ in range(20):
        opened._root.update()
        time.sleep(0.01)
    opened.show(None, wait_s=0.1)
    assert not on_screen(display).any()
    assert opened._root.state() == "withdrawn"
    opened.show(RED, wait_s=0.1)
    assert (on_screen(display) == (255, 0, 0)).all(-1).sum() == 60 * 80


@pytest.mark.parametrize("size", [(80, 60), (60, 45), (30, 20)])
def test_a_scaled_picture_has_its_colours_where_they_were(size):
    picture = np.zeros((60, 80, 3), np.uint8)
    picture[:, :40] = 10, 100, 200
    found = scaled(picture, size)
    assert found.shape == (size[1], size[0], 3)
    half = size[0] // 2
    assert (found[:, : half - 1] == (10, 100, 200)).all()
    assert not found[:, half + 1 :].any()
    assert (found is picture) == (size == (80, 60))


def test_a_small_picture_is_made_of_every_pixel():
    picture = np.zeros((60, 60, 3), np.uint8)
    picture[1::3, 1::3] = 90  # all that a sample of every third would see
    np.testing.assert_allclose(scaled(picture, (20, 20)), 10, atol=1)


@pytest.mark.skipif(not features.check("xcb"), reason="Pillow without xcb cannot see the screen")
def test_a_picture_larger_than_the_screen_is_shown_whole(opened, display):
    opened.show(RED.repeat(50, 0).repeat(50, 1), wait_s=0.1)  # 4000 x 3000
    assert (on_screen(display) == (255, 0, 0)).all(-1).sum() == 720 * 540


def test_the_key_that_was_pressed_is_returned_in_lower_case(opened):
    opened.show(RED, wait_s=0.05)
    press(opened, "q", "Q", "space", "Escape", "Left", "Return")
    keys = [opened.show(RED, wait_s=5) for _ in range(6)]
    assert keys == ["q", "q", "space", "escape", "left", "return"]


def test_none_leaves_the_picture_and_a_click_is_an_answer(opened):
    opened.show(RED, wait_s=0.05)
    opened._root.event_generate("<Button-3>", x=5, y=5)
    opened._root.event_generate("<Button-1>", x=5, y=5)
    assert opened.show(None, wait_s=5) == "click"
    assert (opened._photo.width(), opened._photo.height()) == (80, 60)


def test_shift_alone_is_no_answer(opened):
    opened.show(RED, wait_s=0.05)
    press(opened, "Shift_L", "Control_R", "Caps_Lock")
    assert opened.show(RED, wait_s=0.05) is None
    press(opened, "l", "r")
    assert [opened.show(RED, wait_s=5) for _ in range(2)] == ["l", "r"]


def test_without_a_key_none_is_returned_when_the_time_is_over(opened):
    opened.show(RED, wait_s=0)
    started = time.monotonic()
    assert opened.show(RED, wait_s=0.2) is None
    assert 0.2 <= time.monotonic() - started < 2
    assert not opened.closed


def test_without_a_limit_it_waits_for_a_key(opened):
    opened.show(RED, wait_s=0.05)
    press(opened, "n", after_ms=200)
    assert opened.show(RED, wait_s=None) == "n"


def test_it_notices_that_the_user_closed_the_window(opened):
    button = opened._root.protocol("WM_DELETE_WINDOW")
    opened._root.after(100, lambda: opened._root.tk.call(button))
    assert opened.show(RED, wait_s=None) is None
    assert opened.closed
    assert opened.show(RED, wait_s=None) is None


def test_it_notices_that_the_window_is_gone(opened):
    opened._root.after(100, opened._root.destroy)
    assert opened.show(RED, wait_s=None) is None
    assert opened.closed


def test_leaving_the_with_closes_it_and_closing_again_is_no_error(display, monkeypatch):
    monkeypatch.setenv("DISPLAY", display)
    with Window("a title") as it:
        assert not it.closed
    assert it.closed
    it.close()


def test_a_window_after_a_window_works(display, monkeypatch):
    monkeypatch.setenv("DISPLAY", display)
    for _ in range(2):
        with Window("a title") as it:
            it.show(RED, wait_s=0.05)
            press(it, "a")
            assert it.show(RED, wait_s=5) == "a"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is always a display")
@pytest.mark.skipif(not window.HAS_TKINTER, reason="no tkinter")
def test_without_a_display_it_says_what_to_do(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(MoveNetError) as caught:
        Window("a title")
    assert str(caught.value) == (
        "--show: no window can be opened (no display name and no $DISPLAY environment variable);"
        " run it on a desktop, or use --save"
    )


def test_without_tkinter_it_imports_and_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "tkinter", None)
    spec = importlib.util.spec_from_file_location("window_without_tkinter", window.__file__)
    fresh = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fresh)
    with pytest.raises(MoveNetError) as caught:
        fresh.Window("a title")
    assert str(caught.value) == (
        "--show: this Python has no tkinter; install it (Debian, Ubuntu: apt install python3-tk),"
        " or use --save"
    )


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((640, 480), (640, 480)),
        ((1, 1), (1, 1)),
        ((1000, 100), (720, 72)),
        ((100, 1200), (45, 540)),
        ((8000, 6000), (720, 540)),
        ((100_000, 1), (720, 1)),
    ],
)
def test_pictures_are_scaled_down_to_nine_tenths_of_the_screen(size, expected):
    assert fitted(size, SCREEN) == expected


sides = st.integers(1, 10_000)


@given(st.tuples(sides, sides), st.tuples(sides, sides))
def test_a_fitted_picture_is_on_the_screen_and_never_larger_than_it_was(size, screen):
    width, height = fitted(size, screen)
    assert 1 <= width <= min(size[0], max(1, screen[0]))
    assert 1 <= height <= min(size[1], max(1, screen[1]))
