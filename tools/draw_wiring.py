"""Draws the wiring diagrams in hardware/wiring from the pin numbers in hardware/pins.py.

    python tools/draw_wiring.py

A test draws them too, and compares.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from hardware import pins

FOLDER = Path(__file__).resolve().parents[1] / "hardware" / "wiring"
_TITLE_FONT = 'font-family="sans-serif" font-size="17" font-weight="bold"'
_FONT = 'font-family="sans-serif" font-size="12"'
_SMALL = 'font-family="sans-serif" font-size="10" fill="#444"'
_RED, _BLACK, _ORANGE, _GREEN, _BLUE, _PURPLE, _BROWN = (
    "#d62828", "#222222", "#e07a00", "#2a9d3a", "#1d5fbf", "#7b2cbf", "#8b5a2b",
)  # fmt: skip
_PITCH = 26  # between pins of the board
_WIDTH, _HEIGHT = 860, 700

# Physical pins, from the data sheets: the number of a header's pin by the name of its signal.
PICO = {
    "GP4": 6, "GP5": 7, "GND a": 8, "GP12": 16, "GP13": 17, "GND b": 18, "GP14": 19, "GP15": 20,
    "VBUS 5 V": 40, "GND c": 38, "3V3": 36,
}  # fmt: skip
PI = {
    "3V3": 1, "5 V": 2, "GPIO2": 3, "GPIO3": 5, "GND a": 6, "GND b": 9, "GPIO17": 11, "GPIO27": 13,
    "GND c": 14, "GPIO22": 15, "GPIO23": 16,
}  # fmt: skip


class Drawing:
    """An SVG that grows from the back to the front."""

    def __init__(self, title: str) -> None:
        self._parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">',
            f"<title>{title}</title>",
            f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
            f'<text x="24" y="34" {_TITLE_FONT}>{title}</text>',
        ]

    def box(self, x: int, y: int, width: int, height: int, fill: str, text: str, below: str = "") -> None:
        self._parts.append(
            f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="8" fill="{fill}" stroke="#333"/>'
        )
        self._parts.append(f'<text x="{x + width // 2}" y="{y + 20}" text-anchor="middle" {_FONT}>{text}</text>')
        if below:
            self._parts.append(f'<text x="{x + width // 2}" y="{y + 35}" text-anchor="middle" {_SMALL}>{below}</text>')

    def pin(self, x: int, y: int, text: str, on_left: bool) -> None:
        """A terminal with its name inside the box that it belongs to."""
        self._parts.append(f'<circle cx="{x}" cy="{y}" r="5" fill="#d9b44a" stroke="#333"/>')
        anchor, shift = ("start", 11) if on_left else ("end", -11)
        self._parts.append(f'<text x="{x + shift}" y="{y + 4}" text-anchor="{anchor}" {_FONT}>{text}</text>')

    def wire(self, colour: str, *points: tuple[int, int]) -> None:
        path = " ".join(f"{x},{y}" for x, y in points)
        self._parts.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="3" stroke-linejoin="round"/>'
        )

    def joint(self, x: int, y: int) -> None:
        """Where wires that meet are connected; elsewhere they only cross."""
        self._parts.append(f'<circle cx="{x}" cy="{y}" r="5" fill="{_BLACK}"/>')

    def note(self, x: int, y: int, text: str) -> None:
        self._parts.append(f'<text x="{x}" y="{y}" {_SMALL}>{text}</text>')

    def resistor(self, x: int, y: int, text: str) -> None:
        self._parts.append(f'<rect x="{x - 18}" y="{y - 7}" width="36" height="14" fill="#f2e3c6" stroke="#333"/>')
        self._parts.append(f'<text x="{x}" y="{y - 12}" text-anchor="middle" {_SMALL}>{text}</text>')

    def svg(self) -> str:
        return "\n".join([*self._parts, "</svg>", ""])


def _diagram(title: str, board: str, below: str, rows: list[tuple[str, str]], notes: list[str]) -> str:
    """`rows` are the board's terminals from top to bottom: (what it goes to, text)."""
    drawing = Drawing(title)
    top = 96
    height = _PITCH * len(rows) + 60
    drawing.box(40, top - 36, 230, height, "#e6f2e6", board, below)
    at = {}
    for i, (name, _) in enumerate(rows):
        at[name] = top + 24 + i * _PITCH
    x = 270
    parts = 560

    def to(name: str, colour: str, y: int, lane: int) -> None:
        """A wire from the board's terminal to a part's, bent in a lane of its own."""
        drawing.wire(colour, (x, at[name]), (300 + 20 * lane, at[name]), (300 + 20 * lane, y), (parts, y))

    display, light, button, buzzer, relay = 60, 206, 300, 394, 488
    to("display vcc", _RED, display + 50, 8)
    to("display gnd", _BLACK, display + 72, 7)
    to("scl", _BLUE, display + 94, 6)
    to("sda", _PURPLE, display + 116, 5)
    to("light", _GREEN, light + 50, 4)
    to("button", _BROWN, button + 50, 3)
    to("buzzer", _ORANGE, buzzer + 50, 2)
    to("relay", _PURPLE, relay + 50, 1)
    # one ground and one 5 V line for the other parts
    drawing.wire(_BLACK, (x, at["gnd"]), (500, at["gnd"]))
    drawing.wire(_BLACK, (parts, light + 72), (500, light + 72), (500, relay + 94), (parts, relay + 94))
    for y in (button + 72, buzzer + 72):
        drawing.wire(_BLACK, (500, y), (parts, y))
    for y in (at["gnd"], button + 72, buzzer + 72):
        drawing.joint(500, y)
    drawing.wire(_RED, (x, at["5v"]), (286, at["5v"]), (286, relay + 72), (parts, relay + 72))

    drawing.box(parts, display, 260, 128, "#dfe9f7", "OLED display SSD1306", "128 x 64, I2C, address 0x3C")
    for name, y in (("VCC", 50), ("GND", 72), ("SCL", 94), ("SDA", 116)):
        drawing.pin(parts, display + y, name, True)
    drawing.box(parts, light, 260, 84, "#e4f5df", "Status light", "any LED")
    drawing.pin(parts, light + 50, "anode (long leg)", True)
    drawing.pin(parts, light + 72, "cathode", True)
    drawing.resistor(445, light + 50, "330 ohm")
    drawing.box(parts, button, 260, 84, "#f3ece2", "Button", "closes while it is pressed")
    drawing.pin(parts, button + 50, "one side", True)
    drawing.pin(parts, button + 72, "other side", True)
    drawing.box(parts, buzzer, 260, 84, "#fbeeda", "Buzzer (optional)", "active, 3.3 V, at most 10 mA")
    drawing.pin(parts, buzzer + 50, "+", True)
    drawing.pin(parts, buzzer + 72, "-", True)
    drawing.box(parts, relay, 260, 106, "#ece2f5", "Relay module, 5 V coil", "opto-isolated, closes on a HIGH of 3.3 V")
    drawing.pin(parts, relay + 50, "IN", True)
    drawing.pin(parts, relay + 72, "VCC (5 V)", True)
    drawing.pin(parts, relay + 94, "GND", True)
    for name, y in (("COM", 50), ("NO", 72)):
        drawing.pin(parts + 260, relay + y, name, False)
    drawing.note(parts + 80, relay + 122, "COM and NO: the load's own circuit")

    for name, text in rows:
        drawing.pin(x, at[name], text, False)
    for i, text in enumerate(notes):
        drawing.note(24, 636 + 16 * i, text)
    return drawing.svg()


def _label(header: dict[str, int], name: str, text: str = "") -> str:
    return f"{text or name.split(' ', maxsplit=1)[0]}, pin {header[name]}"


def pico() -> str:
    def gpio(number: int) -> str:
        return _label(PICO, f"GP{number}")

    return _diagram(
        "Raspberry Pi Pico, Pico W, Pico 2, Pico 2 W",
        "Pico",
        "power and bridge: USB",
        [
            ("display vcc", _label(PICO, "3V3")),
            ("display gnd", _label(PICO, "GND a")),
            ("scl", gpio(pins.DISPLAY_SCL)),
            ("sda", gpio(pins.DISPLAY_SDA)),
            ("light", gpio(pins.LIGHT)),
            ("button", gpio(pins.BUTTON)),
            ("buzzer", gpio(pins.BUZZER)),
            ("relay", gpio(pins.RELAY)),
            ("gnd", _label(PICO, "GND b")),
            ("5v", _label(PICO, "VBUS 5 V", "VBUS (5 V)")),
        ],
        [
            "A resistor of 10 kilohm from the relay's IN to GND keeps it open while the board starts or is flashed.",
            "Mains voltage on the relay's contacts: only for people who are qualified for it; see docs/HARDWARE.md.",
        ],
    )


def raspberry_pi() -> str:
    def gpio(number: int) -> str:
        return _label(PI, f"GPIO{number}")

    return _diagram(
        "Raspberry Pi with a 40-pin header",
        "Raspberry Pi",
        "power: its own supply",
        [
            ("display vcc", _label(PI, "3V3")),
            ("display gnd", _label(PI, "GND b")),
            ("scl", gpio(pins.PI_DISPLAY_SCL)),
            ("sda", gpio(pins.PI_DISPLAY_SDA)),
            ("light", gpio(pins.PI_LIGHT)),
            ("button", gpio(pins.PI_BUTTON)),
            ("buzzer", gpio(pins.PI_BUZZER)),
            ("relay", gpio(pins.PI_RELAY)),
            ("gnd", _label(PI, "GND c")),
            ("5v", _label(PI, "5 V", "5 V")),
        ],
        [
            "A resistor of 10 kilohm from the relay's IN to GND keeps it open while the computer starts.",
            "Mains voltage on the relay's contacts: only for people who are qualified for it; see docs/HARDWARE.md.",
        ],
    )


DIAGRAMS = {"pico.svg": pico, "raspberry-pi.svg": raspberry_pi}


def main() -> None:
    for name, draw in DIAGRAMS.items():
        (FOLDER / name).write_text(draw())


if __name__ == "__main__":
    main()
