"""main.py of a board whose program is files, not frozen. MicroPython runs it after a reset."""

from firmware.main import run_on_board

run_on_board()
