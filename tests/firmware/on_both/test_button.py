"""Short and long presses."""

from firmware.button import LONG, NOTHING, SHORT, Button
from hardware.simulated import SimulatedBoard


def presses(*moves):
    """What comes of a button that is moved at these milliseconds: down, up, and so on."""
    board = SimulatedBoard()
    button = Button(board)
    came = []
    for now in range(0, 4000, 10):
        board.button_down = bool(len([move for move in moves if move <= now]) % 2)
        press = button.press(now)
        if press != NOTHING:
            came.append((press, now))
    return came


def test_short_and_long():
    assert presses(100, 300) == [(SHORT, 300)]
    assert presses(100, 1500) == [(LONG, 1100)]
    assert presses(100, 300, 500, 1600, 2000, 2100) == [(SHORT, 300), (LONG, 1500), (SHORT, 2100)]


def test_a_contact_that_bounces():
    assert presses(100, 110, 120, 130) == []


def test_one_that_is_down_from_the_start_counts_when_it_has_been_up():
    assert presses(0, 2000) == []
    assert presses(0, 2000, 2100, 2300) == [(SHORT, 2300)]
