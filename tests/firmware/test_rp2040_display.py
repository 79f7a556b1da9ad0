"""The firmware image on an emulated RP2040 with an emulated SSD1306 on its I2C: what a person sees there."""

from board_and_bridge import BoardAndBridge, files_with, firmware_image
from emulated_display import EmulatedDisplay
from emulated_pico import FILES_SIZE, EmulatedPico
from littlefs_image import make_image, read_image

from firmware.screen import INVOICE, NO_PROGRESS, NOT_PAIRED, READY, SYNCING, Screen
from firmware.views import thousands
from hardware import pins
from hardware.board import NO_DISPLAY
from hardware.simulated import SimulatedBoard
from host_bridge.demo.recording import Recording
from host_bridge.sessions.archive import ArchiveChain

HEIGHT = 96  # what the board syncs to: one batch
RECORDING = Recording.load_default()
PAYMENT = RECORDING.payments[0]
AMOUNT = thousands(PAYMENT.amount)
REQUEST = {
    "request_id": 1,
    "script_pubkey": PAYMENT.script_pubkey.hex(),
    "min_amount": PAYMENT.amount,
    "min_confirmations": 2,
}
SETTINGS = {
    "network": "regtest",
    "replay": {"minimum_chainwork": "1"},
    "board": "pico",
    "store": "store",
    "button": True,
    "requests": [REQUEST],
}
INVOICE_TEXT = "REPLAY\n" + AMOUNT + "\nsat\nto ...\n" + PAYMENT.address[-8:]
VIEWS = {
    "not paired": (NOT_PAIRED, "NOT PAIRED", "Plug me in and run\nlightclient pair", NO_PROGRESS, None),
    "ready": (READY, "READY", f"tip {HEIGHT}\n0 min old\nreplay, not for money", NO_PROGRESS, None),
    "invoice": (INVOICE, AMOUNT, INVOICE_TEXT, NO_PROGRESS, (PAYMENT.address, PAYMENT.amount, INVOICE_TEXT)),
    "half": (SYNCING, "SYNCING", "50 %\n1,000 of 2,000", 50, None),
}


def drawn(name: str) -> bytes:
    """What this computer draws."""
    board = SimulatedBoard(has_display=True)
    Screen(board).show(VIEWS[name], 0)
    assert board.picture is not None
    return bytes(board.picture)


def test_the_display_holds_what_is_drawn_on_a_computer() -> None:
    """The image as it starts by itself: without settings, and synced with an invoice, which the button hides."""
    board = EmulatedPico(firmware_image(), make_image({}, FILES_SIZE))
    display = EmulatedDisplay(board)
    assert board.run(lambda: display.picture == drawn("not paired"), 10), display.picture
    assert NO_DISPLAY.encode() not in (read_image(board.files).get("log.txt") or b"")

    chain = ArchiveChain("regtest", RECORDING.headers, 0)
    chain.best_height = HEIGHT
    run = BoardAndBridge(files_with(SETTINGS), chain)
    display = EmulatedDisplay(run.board)
    run.run(lambda: display.picture == drawn("invoice"))
    button = run.board.mcu.gpio[pins.BUTTON]
    for level in (False, True):
        button.set_input_value(level)
        run.board.run_for(0.2)
    run.run(lambda: display.picture == drawn("ready"))


SCREEN = """
from firmware.screen import Screen
from hardware.pico import PicoBoard
import time
board = PicoBoard()
screen = Screen(board)
def show(view, now):
    started = time.ticks_us()
    screen.show(view, now)
    print(time.ticks_diff(time.ticks_us(), started))
print(board.problems)
"""


def test_a_display_that_comes_goes_and_comes_again() -> None:
    """Wherever the plug is pulled, also between two pictures: half a minute later all is as it should be."""
    board = EmulatedPico(firmware_image())
    display = EmulatedDisplay(board, is_plugged=False)

    def show(name: str, seconds: float) -> int:
        """The microseconds that it took."""
        return int(board.execute(f"show({VIEWS[name]!r}, {int(seconds * 1000)})"))

    assert NO_DISPLAY in board.execute(SCREEN)
    assert show("ready", 0) < 3_000  # nothing is drawn for nobody
    assert display.pictures == 0
    display.plug()
    show("ready", 29)
    assert display.picture is None
    show("ready", 31)
    assert display.picture == drawn("ready")

    # while a picture comes
    for i, byte in enumerate((1, 20, 40, 500, 1030)):
        now = 100 + 100 * i
        display.unplug_at = display.bytes + byte
        show("half", now)
        assert not display.is_plugged
        show("ready", now + 20)
        display.plug()
        show("ready", now + 31)
        assert display.picture == drawn("ready"), byte

    # nothing was sent while it was away: the chip has forgotten how it was set up
    display.unplug()
    display.plug()
    show("ready", 1000)
    assert display.picture == drawn("ready")
    before = display.pictures
    show("ready", 1029)
    assert display.pictures == before and display.memory == drawn("ready")

    # docs/HARDWARE.md, with room to spare
    for i, (name, milliseconds) in enumerate((("half", 45), ("invoice", 400))):
        assert show(name, 1100 + i) < 1000 * milliseconds
        assert display.picture == drawn(name)
