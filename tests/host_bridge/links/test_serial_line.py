"""Serial lines over pseudo-terminals: opened alone, unplugged and plugged in again, what keeps them from opening."""

import asyncio
import os
import termios
import tty
from contextlib import asynccontextmanager, contextmanager

import pytest
import serial
from bridge_lines import Said, until

from host_bridge.links import serial_ports
from host_bridge.links.serial_line import PortUnusable, open_serial
from host_bridge.links.serial_ports import AUTO, SerialPorts


@contextmanager
def terminal():
    """(our end, path of the other)."""
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    path = os.ttyname(theirs)
    os.close(theirs)
    os.set_blocking(ours, False)
    try:
        yield ours, path
    finally:
        try:
            os.close(ours)
        except OSError:
            pass


def read_all(fd):
    try:
        return os.read(fd, 1 << 20)
    except BlockingIOError:
        return b""


def test_bytes_go_both_ways_whatever_they_are():
    async def main():
        with terminal() as (ours, path):
            line = open_serial(path, "port")
            everything = bytes(range(256)) * 64  # more than a terminal holds
            os.write(ours, everything[:2048])
            heard = b""
            while len(heard) < 2048:
                heard += await line.read()
            assert heard == everything[:2048]
            writing = asyncio.create_task(line.write(everything))
            taken = b""
            while len(taken) < len(everything):
                taken += read_all(ours)
                await asyncio.sleep(0.001)
            await writing
            assert taken == everything
            line.close()
            line.close()
            assert await line.read() == b""
            await line.wait_closed()

    asyncio.run(main())


def test_a_write_waits_while_nothing_is_taken_and_can_be_given_up():
    async def main():
        with terminal() as (_, path):
            line = open_serial(path, "port")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await line.write(bytes(1 << 20))
            reading = asyncio.create_task(line.read())
            await asyncio.sleep(0.05)
            line.close()
            assert await reading == b""
            with pytest.raises(ConnectionError):
                await line.write(b"x")

    asyncio.run(main())


def test_unplugging_ends_read_and_write():
    async def main():
        with terminal() as (ours, path):
            line = open_serial(path, "port")
            reading = asyncio.create_task(line.read())
            await asyncio.sleep(0.05)
            os.close(ours)
            async with asyncio.timeout(2):
                assert await reading == b""
            with pytest.raises(ConnectionError):
                await line.write(b"x")

    asyncio.run(main())


def test_a_port_is_opened_once():
    async def main():
        with terminal() as (_, path):
            line = open_serial(path, "port")
            with pytest.raises(PortUnusable, match="busy"):
                open_serial(path, "again")
            line.close()
            open_serial(path, "again").close()

    asyncio.run(main())


def test_what_is_no_port_is_told_in_words(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"")
    for path, words in ((file, "not a serial port"), (tmp_path / "none", "not plugged in")):
        with pytest.raises(PortUnusable, match=words):
            open_serial(str(path), "port")
    with pytest.raises(PortUnusable, match="boot loader"):
        open_serial("/dev/null", "port", 1200)


def test_permission_denied_says_what_helps(monkeypatch):
    def denied(self):
        raise serial.SerialException(13, "could not open port: Permission denied")

    monkeypatch.setattr(serial.Serial, "open", denied)
    with pytest.raises(PortUnusable, match="dialout"):
        open_serial("/dev/ttyACM0", "port")


def test_the_port_is_set_up_for_a_board(monkeypatch):
    opened = []
    real = serial.Serial.open
    monkeypatch.setattr(serial.Serial, "open", lambda self: (opened.append(self), real(self)))

    async def main():
        with terminal() as (_, path):
            line = open_serial(path, "port")
            (port,) = opened
            assert port.dtr and port.rts and port.exclusive
            assert termios.tcgetattr(port.fileno())[4] == termios.B115200
            line.close()

    asyncio.run(main())


@asynccontextmanager
async def ports(chosen, **options):
    """Running SerialPorts; the lines that are being served."""
    said = Said()
    lines = []

    async def serve(line):
        lines.append(line)
        while await line.read():
            pass

    task = asyncio.create_task(SerialPorts(chosen, serve, said.log, **options).run())
    try:
        yield lines, said
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        said.log.close()
        assert all(line._closed.is_set() for line in lines)


def test_a_named_port_is_opened_when_it_comes_and_again_after_each_unplugging(monkeypatch, tmp_path):
    monkeypatch.setattr(serial_ports, "_LOOK_SECONDS", 0.05)
    link = tmp_path / "ttyTEST"

    async def main():
        async with ports([str(link)]) as (lines, said):
            await asyncio.sleep(0.3)
            for _ in range(3):
                with terminal() as (ours, path):
                    before = len(lines)
                    link.unlink(missing_ok=True)
                    link.symlink_to(path)
                    while len(lines) == before:
                        await asyncio.sleep(0.01)
                    os.write(ours, b"hello")
                    await asyncio.sleep(0.05)
                await until(lines[-1]._closed.is_set)
            texts = said.texts
            assert texts[0] == "ttyTEST: not plugged in"  # once, however often it was tried
            assert [t for t in texts if "opened" in t] == ["ttyTEST: port opened"] * 3
            assert len([t for t in texts if "unplugged" in t or "closed" in t]) == 3
            assert len(texts) <= 8

    asyncio.run(main())


def test_a_port_that_is_busy_is_named_once_and_taken_when_it_is_free(monkeypatch):
    monkeypatch.setattr(serial_ports, "_LOOK_SECONDS", 0.02)

    async def main():
        with terminal() as (_, path):
            holder = open_serial(path, "holder")
            async with ports([path]) as (lines, said):
                await asyncio.sleep(0.3)
                assert [line["level"] for line in said.lines] == ["warning"] and "busy" in said.texts[0]
                holder.close()
                await until(lambda: len(lines) == 1)

    asyncio.run(main())


def test_boards_are_found_by_themselves_several_at_once(monkeypatch):
    monkeypatch.setattr(serial_ports, "_LOOK_SECONDS", 0.05)
    there = set()

    async def main():
        with terminal() as (first, one), terminal() as (_, two):
            async with ports([AUTO, two], find=lambda: sorted(there)) as (lines, said):
                there.update((one, two))
                await until(lambda: len(lines) == 2)
                await asyncio.sleep(0.2)
                assert len(lines) == 2  # the one that was named is not served twice
                there.discard(one)
                os.close(first)
                await until(lambda: any("unplugged" in t or "closed" in t for t in said.texts))
                with terminal() as (_, three):
                    there.add(three)
                    await until(lambda: len(lines) == 3)

    asyncio.run(main())


def test_only_boards_are_found(monkeypatch):
    class Port:
        def __init__(self, device, vid, pid):
            self.device, self.vid, self.pid = device, vid, pid

    every = [Port("/dev/ttyACM1", 0x2E8A, 5), Port("/dev/ttyUSB0", 0x403, 0x6001), Port("/dev/ttyS0", None, None)]
    every.append(Port("/dev/ttyACM0", 0x2E8A, 5))
    monkeypatch.setattr(serial_ports.list_ports, "comports", lambda: every)
    assert serial_ports.find_boards() == ["/dev/ttyACM0", "/dev/ttyACM1"]
