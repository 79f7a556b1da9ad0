"""What stands on the display, and when it is drawn."""

from firmware.screen import FAULT, INVOICE, NO_PROGRESS, NOT_PAIRED, READY, SYNCING, Screen, wrapped
from firmware.views import age, thousands
from hardware.canvas import Canvas
from hardware.simulated import SimulatedBoard

ADDRESS = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"


class Board(SimulatedBoard):
    drawn = 0

    def show_picture(self, buffer):
        self.drawn += 1
        return SimulatedBoard.show_picture(self, buffer)


def board_and_screen():
    board = Board(True)
    return board, Screen(board)


def test_a_view_is_drawn_once():
    board, screen = board_and_screen()
    for text in ("tip 1", "tip 1", "tip 2"):
        screen.show((READY, "READY", text, NO_PROGRESS, None), 0)
    assert board.drawn == 2
    canvas = Canvas()
    canvas.large(0, 0, "READY")
    canvas.text(0, 3, "tip 2")
    assert board.picture == canvas.buffer


def test_progress():
    board, screen = board_and_screen()
    screen.show((SYNCING, "SYNCING", "50 %", 50, None), 0)
    bar = board.picture[7 * 128 :]
    assert bar[0] == bar[127] == bar[40] == 0x7E and bar[100] == 0x42
    assert 62 <= sum([byte == 0x7E for byte in bar]) <= 66


def test_an_invoice_is_a_code_with_text_beside_it():
    board, screen = board_and_screen()
    screen.show((INVOICE, "1", "1 sat", NO_PROGRESS, (ADDRESS, 1, "1\nsat")), 0)
    assert board.picture[0] == 0xFF and board.picture[7 * 128 + 63] == 0xFF and board.picture[66] == 0
    assert board.picture[67:128] != bytes(61)
    taproot = "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0"
    screen.show((INVOICE, "1", "1 sat", NO_PROGRESS, (taproot, 1, "1\nsat")), 0)
    assert board.picture[0] == 0xFF  # the amount stands beside it only
    screen.show((INVOICE, "1", "1 sat", NO_PROGRESS, ("x" * 80, 1, "1\nsat")), 0)
    canvas = Canvas()
    canvas.large(0, 0, "1")
    canvas.text(0, 3, "1 sat")
    assert board.picture == canvas.buffer


def test_a_display_that_does_not_answer_is_asked_again():
    board, screen = board_and_screen()
    board.display_works = False
    for now in (0, 1000, 2000):
        screen.show((READY, "READY", str(now), NO_PROGRESS, None), now)
    assert board.drawn == 0 and board.picture is None
    board.display_works = True
    screen.show((READY, "READY", "again", NO_PROGRESS, None), 30_000)
    assert board.picture is None
    screen.show((READY, "READY", "again", NO_PROGRESS, None), 31_000)
    assert board.drawn == 1 and board.picture is not None


def test_a_display_that_was_away_between_two_pictures_is_set_up_anew():
    board, screen = board_and_screen()
    view = (READY, "READY", "tip 1", NO_PROGRESS, None)
    for now in range(0, 70_000, 250):
        screen.show(view, now)
    assert board.drawn == 3


def test_a_board_without_a_display_has_its_light():
    board = Board()
    screen = Screen(board)
    for view, flashes in (
        ((NOT_PAIRED, "NOT PAIRED", "", NO_PROGRESS, None), 2),
        ((FAULT, "", "", NO_PROGRESS, None), 5),
    ):
        screen.show(view, 0)
        seen = []
        for step in range(16):
            screen.tick(step * 128)
            seen.append(board.light_is_on)
        assert sum(seen) == flashes and seen[:2] == [True, False] and not any(seen[10:])
    assert board.drawn == 0


def test_a_beep_sounds_once():
    board, screen = board_and_screen()
    screen.beep(0b1011)
    heard = []
    for step in range(8):
        screen.tick(step * 128)
        heard.append(board.buzzer_is_on)
    assert heard == [True, True, False, True, False, False, False, False]


def test_lines_are_broken_between_words():
    assert wrapped("below the minimum of mainnet", 21) == ["below the minimum of", "mainnet"]
    assert wrapped("a\n\nb", 21) == ["a", "", "b"]
    assert wrapped("x" * 45, 21) == ["x" * 21, "x" * 21, "x" * 3]
    assert wrapped("", 21) == [""]


def test_numbers():
    assert [thousands(n) for n in (0, 12, 999, 1000, 905_123, 21_000_000)] == [
        "0", "12", "999", "1,000", "905,123", "21,000,000",
    ]  # fmt: skip
    assert [age(n) for n in (-5, 59, 720, 7199, 7200, 172_799, 172_800)] == [
        "0 min", "0 min", "12 min", "119 min", "2 h", "47 h", "2 days",
    ]  # fmt: skip
