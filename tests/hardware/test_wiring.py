"""The diagrams are those of the pins as they are now."""

from xml.etree import ElementTree

import draw_wiring as draw
import pytest

from hardware import pins

FOLDER = draw.FOLDER


@pytest.mark.parametrize("name", sorted(draw.DIAGRAMS))
def test_a_diagram_is_up_to_date(name: str) -> None:
    drawn = draw.DIAGRAMS[name]()
    assert (FOLDER / name).read_text() == drawn, "run: python tools/draw_wiring.py"
    ElementTree.fromstring(drawn)


def test_every_pin_is_drawn_and_none_is_used_twice() -> None:
    assert {path.name for path in FOLDER.glob("*.svg")} == set(draw.DIAGRAMS)
    for diagram, prefix, numbers in (
        (draw.pico(), "GP", (pins.RELAY, pins.BUTTON, pins.LIGHT, pins.BUZZER, pins.DISPLAY_SDA, pins.DISPLAY_SCL)),
        (
            draw.raspberry_pi(),
            "GPIO",
            (pins.PI_RELAY, pins.PI_BUTTON, pins.PI_LIGHT, pins.PI_BUZZER, pins.PI_DISPLAY_SDA, pins.PI_DISPLAY_SCL),
        ),
    ):
        assert len(set(numbers)) == len(numbers)
        for number in numbers:
            assert diagram.count(f"{prefix}{number}, pin ") == 1
