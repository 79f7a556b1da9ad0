"""The UART link with a UART that the test plays; it is chosen by the settings."""

import sys
import types
from typing import Any

import pytest

from firmware.settings import check_settings


class Uart:
    made: "list[tuple[tuple[Any, ...], dict[str, Any]]]" = []

    def __init__(self, *values: Any, **more: Any) -> None:
        Uart.made.append((values, more))
        self.came = b""
        self.sent = b""

    def any(self) -> int:
        return len(self.came)

    def readinto(self, buffer: bytearray, count: int) -> int | None:
        assert count <= min(len(buffer), len(self.came)), "it would wait"
        buffer[:count] = self.came[:count]
        self.came = self.came[count:]
        return count or None

    def write(self, data: bytes) -> int:
        self.sent += data[:40]
        return min(len(data), 40)


class Poll:
    def register(self, stream: object, flags: int) -> None: ...

    def poll(self, timeout: int) -> "list[int]":
        return [1]


def test_it_takes_what_is_there_and_writes_what_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    machine: Any = types.ModuleType("machine")
    machine.UART = Uart
    machine.Pin = int
    monkeypatch.setitem(sys.modules, "machine", machine)
    monkeypatch.setattr("select.poll", Poll)
    from firmware.uart import UartLink  # noqa: PLC0415 - it imports machine

    link = UartLink(460_800)
    assert Uart.made[0][0] == (0, 460_800) and Uart.made[0][1]["rxbuf"] >= 4096
    uart: Any = link._reader
    assert link.read(10) == 0 and link.point_to_point and not link.closed
    uart.came = bytes(range(256)) * 5
    assert link.read(10) == len(link.buffer) and link.buffer[:256] == bytes(range(256))
    link.write(b"x" * 100)
    assert uart.sent == b"x" * 100 and link.flush()


def test_settings() -> None:
    assert check_settings({"link": "uart"}).baud_rate == 115_200
    assert check_settings({"link": "uart", "baud_rate": 921_600}).baud_rate == 921_600
    for wrong in (0, 10**7, True, "fast"):
        with pytest.raises(ValueError, match="baud_rate"):
            check_settings({"link": "uart", "baud_rate": wrong})
