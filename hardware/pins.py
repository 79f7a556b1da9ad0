"""Where everything is wired. Change it here, and let `tools/draw_wiring.py` draw the diagrams anew.

GPIO numbers: of the RP2040 or RP2350 on a Pico, of the BCM on a Raspberry Pi. All outputs are high for on.
The button connects its pin to ground; the board's own resistor pulls it up.
"""

from lightclient.compat import const

# Raspberry Pi Pico, Pico W, Pico 2, Pico 2 W
RELAY = const(15)  # a pull-down keeps the relay open while the board starts
BUTTON = const(14)
LIGHT = const(13)  # through 330 ohm; the light on the board shows the same
LED = "LED"  # the light on the board: GPIO25, on a Pico W the radio's
BUZZER = const(12)  # an active one: it sounds by itself
DISPLAY_SDA = const(4)  # I2C0
DISPLAY_SCL = const(5)

# Raspberry Pi; I2C1 is the one that `raspi-config` switches on
PI_RELAY = const(17)
PI_BUTTON = const(27)
PI_LIGHT = const(22)
PI_BUZZER = const(23)
PI_DISPLAY_SDA = const(2)
PI_DISPLAY_SCL = const(3)

DISPLAY_ADDRESS = const(0x3C)  # of an SSD1306 with 128 x 64 pixels; a few have 0x3D
