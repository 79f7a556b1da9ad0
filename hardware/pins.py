"""The GPIO numbers of a Pico (RP2040, RP2350) that something is wired to. Change them here."""

from lightclient.compat import const

RELAY = const(15)  # high closes the relay; a pull-down keeps it open while the board starts
BUTTON = const(14)  # to ground, pulled up
LED = "LED"  # the light on the board: GPIO25, on a Pico W the radio's
