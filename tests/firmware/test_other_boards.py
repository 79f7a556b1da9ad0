"""What a Pico goes through, on MicroPython unix with littlefs, and on CPython with a Raspberry Pi's pins."""

from pathlib import Path

import pytest
from board_scenario import cut_around_the_pulse, pay_and_forge, sync_with_power_cuts
from process_board import ProcessBoards
from real_boards import needs_micropython


@pytest.mark.parametrize(("kind", "board"), [("littlefs", "simulated"), ("blinka", "raspberry-pi")])
def test_the_same_program(kind: str, board: str, tmp_path: Path) -> None:
    needs_micropython()
    with ProcessBoards(kind, tmp_path) as boards:
        synced = sync_with_power_cuts(boards, board)
        pay_and_forge(boards, synced)
        cut_around_the_pulse(boards, synced)
