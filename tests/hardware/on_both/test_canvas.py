"""Letters, bars and pixels; and how a terminal shows them."""

from hardware.canvas import COLUMNS, LARGE_COLUMNS, Canvas
from hardware.font import FONT
from hardware.terminal import TerminalBoard, block_lines, braille_lines


def test_letters_lie_where_they_should():
    canvas = Canvas()
    canvas.text(0, 0, "A")
    canvas.text(6, 2, "~")
    assert canvas.buffer[:5] == b"\x7e\x11\x11\x11\x7e"
    assert canvas.buffer[2 * 128 + 6 : 2 * 128 + 11] == FONT[-5:]
    canvas.clear()
    assert canvas.buffer == bytearray(1024)


def test_what_does_not_fit_is_left_out():
    canvas = Canvas()
    canvas.text(0, 7, "#" * 100)
    assert len(canvas.buffer) == 1024 and canvas.buffer[7 * 128 + 6 * (COLUMNS - 1)] != 0
    assert canvas.buffer[7 * 128 + 6 * COLUMNS :] == bytes(2)
    canvas.clear()
    canvas.large(0, 6, "#" * 100)
    assert len(canvas.buffer) == 1024 and canvas.buffer[7 * 128 + 12 * (LARGE_COLUMNS - 1)] != 0
    canvas.text(67, 0, "x" * 11)
    assert canvas.buffer[128] == 0


def test_what_is_no_letter_is_a_question_mark():
    one, other = Canvas(), Canvas()
    one.text(0, 0, "\x00\xe4\u20bf\x7f")
    other.text(0, 0, "????")
    assert one.buffer == other.buffer


def test_large_letters_are_the_small_ones_doubled():
    small, large = Canvas(), Canvas()
    small.text(0, 0, "g7")
    large.large(0, 0, "g7")
    for y in range(16):
        for x in range(24):
            wanted = small.buffer[x // 2] >> y // 2 & 1
            assert large.buffer[(y >> 3) * 128 + x] >> (y & 7) & 1 == wanted


def test_dark_pixels_on_light():
    canvas = Canvas()
    canvas.light(0, 64)
    canvas.darken(3, 7)  # over two pages
    assert canvas.buffer[3] == canvas.buffer[4] == 0x7F and canvas.buffer[131] == canvas.buffer[132] == 0xFE
    assert canvas.buffer[2] == canvas.buffer[5] == 0xFF and canvas.buffer[64] == 0


def test_on_a_terminal():
    canvas = Canvas()
    canvas.buffer[0] = 0b11  # two rows of the first column
    canvas.buffer[1] = 0b10
    canvas.buffer[1023] = 0x80
    blocks = block_lines(canvas.buffer)
    assert len(blocks) == 32 and len(blocks[0]) == 128
    assert blocks[0][:3] == "\u2588\u2584 " and blocks[31][127] == "\u2584"
    dots = braille_lines(canvas.buffer)
    assert len(dots) == 16 and len(dots[0]) == 64
    assert ord(dots[0][0]) == 0x2800 + 1 + 2 + 16 and ord(dots[15][63]) == 0x2800 + 0x80


def test_a_board_that_draws_itself():
    board = TerminalBoard()
    board._screen = None  # whatever the test runs in
    canvas = Canvas()
    canvas.text(0, 0, "READY")
    assert board.display.show_picture(canvas.buffer)
    board.set_light(True)
    lines = board.lines()
    assert lines[0][0] == "+" and lines[1][0] == "|" and "relay open" in lines[-1]
    board.set_relay(True)
    assert "relay closed" in board.lines()[-1]
