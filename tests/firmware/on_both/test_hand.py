"""What a paired device takes only with a hand at its button."""

from support import raises

from firmware.hand import Hand
from hardware.simulated import SimulatedBoard
from lightclient.errors import NotConfirmed


class Board(SimulatedBoard):
    now = 0

    def milliseconds(self):
        return self.now


class Device:
    face = None

    def __init__(self, is_paired=True):
        self.board = Board()
        self.is_paired = is_paired


def asked(hand, device, seconds, down, title="NEW TILL?"):
    """Ask every half second; whether it was taken."""
    device.board.button_down = down
    for _ in range(int(seconds * 2)):
        device.board.now += 500
        try:
            hand.require(title)
            return True
        except NotConfirmed:
            pass
    return False


def test_a_device_that_is_set_up_asks_for_no_hand():
    device = Device(False)
    Hand(device).require("NEW TILL?")
    assert device.board.shown == []


def test_a_press_after_the_question_is_a_hand_and_good_for_one_thing():
    device = Device()
    hand = Hand(device)
    error = raises(NotConfirmed, hand.require, "NEW TILL?")
    assert error.code == 0xA5 and str(error) == "NEW TILL? hold the device's button"
    assert device.board.shown == ["NEW TILL? hold the button"]
    assert not asked(hand, device, 30, False) and asked(hand, device, 1, True)
    assert device.board.shown[1:] == ["NEW TILL? let go of the button"]
    assert not asked(hand, device, 30, True)


def test_a_button_that_is_stuck_or_held_for_something_else_is_none():
    device = Device()
    hand = Hand(device)
    assert not asked(hand, device, 60, True)
    assert not asked(hand, device, 0.5, False)
    device.board.now += 6_000  # nobody sees any more what it is asked for
    assert not asked(hand, device, 60, True)
    assert not asked(hand, device, 0.5, False) and not asked(hand, device, 5, True, "NEW STATE?")
