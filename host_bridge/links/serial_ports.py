"""The serial ports that the bridge serves: opened whenever they are there, again after each unplugging.

A port that is named is served for ever; `auto` serves every board that has the VID:PID of a Pico with
MicroPython. What keeps a port from being opened is said once, and again when it changes.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterable
from functools import partial

from serial.tools import list_ports

from host_bridge.limits import MAX_PORTS
from host_bridge.links.line import Line
from host_bridge.links.serial_line import BAUD_RATE, PortUnusable, open_serial
from host_bridge.service.log import Log

AUTO = "auto"
PICO_VID_PID = (0x2E8A, 0x0005)  # Raspberry Pi, MicroPython's USB

_LOOK_SECONDS = 1.0  # between two looks for boards
_MOST_SECONDS = 15.0  # between two tries to open a port that can't be
_STEADY_SECONDS = 10.0  # a port that was open for so long is opened again without a pause

Serve = Callable[[Line], Awaitable[None]]


def find_boards() -> list[str]:
    """Paths of the ports with a board behind them."""
    return sorted(port.device for port in list_ports.comports() if (port.vid, port.pid) == PICO_VID_PID)


class SerialPorts:
    """Serves the ports `chosen`: paths, and `auto`. `serve` is called with each line, and returns when it is closed."""

    def __init__(
        self,
        chosen: Iterable[str],
        serve: Serve,
        log: Log,
        baud_rate: int = BAUD_RATE,
        find: Callable[[], list[str]] = find_boards,
        open_port: Callable[[str, str, int], Line] = open_serial,
    ) -> None:
        self._chosen = list(dict.fromkeys(chosen))
        self._serve = serve
        self._log = log
        self._baud_rate = baud_rate
        self._find = find
        self._open_port = open_port
        self._keepers: dict[str, asyncio.Task[None]] = {}
        self._there: set[str] = set()  # boards, at the last look

    async def run(self) -> None:
        """For ever; cancel it to close all ports."""
        async with asyncio.TaskGroup() as tasks:
            for path in self._chosen:
                if path != AUTO:
                    self._keepers[path] = tasks.create_task(self._keep(path, lambda: True))
            if AUTO in self._chosen:
                await self._look_for_boards(tasks)

    async def _look_for_boards(self, tasks: asyncio.TaskGroup) -> None:
        trouble = ""
        while True:
            try:
                # (in a thread: it reads some hundred small files)
                found = set(await asyncio.to_thread(self._find))
                trouble = ""
            except OSError as error:
                if str(error) != trouble:
                    trouble = str(error)
                    self._log.warning(f"can't look for boards: {error.strerror or error}")
                found = set()
            named = {os.path.realpath(path) for path in self._chosen if path != AUTO}
            self._there = found
            for path in sorted(found):
                keeper = self._keepers.get(path)
                if keeper is not None and not keeper.done():
                    continue
                if os.path.realpath(path) in named:
                    continue  # it is served by its other name
                if sum(not task.done() for task in self._keepers.values()) >= MAX_PORTS:
                    break
                self._keepers[path] = tasks.create_task(self._keep(path, partial(self._is_there, path)))
            await asyncio.sleep(_LOOK_SECONDS)

    def _is_there(self, path: str) -> bool:
        return path in self._there

    async def _keep(self, path: str, is_wanted: Callable[[], bool]) -> None:
        """Open the port and serve it, again and again."""
        name = os.path.basename(path)
        trouble = ""
        pause = _LOOK_SECONDS
        while is_wanted():
            try:
                line = self._open_port(path, name, self._baud_rate)
            except PortUnusable as error:
                if str(error) != trouble:
                    trouble = str(error)
                    self._log.warning(trouble, device=name)
                there = os.path.exists(path)
                pause = min(2 * pause, _MOST_SECONDS) if there else _LOOK_SECONDS
            else:
                trouble = "not plugged in"  # what comes next, when it goes: said below
                opened = time.monotonic()
                self._log.info("port opened", device=name)
                try:
                    await self._serve(line)
                finally:
                    line.close()
                self._log.info("port closed" if os.path.exists(path) else "unplugged", device=name)
                steady = time.monotonic() - opened > _STEADY_SECONDS
                again_at_once = steady or not os.path.exists(path)
                pause = _LOOK_SECONDS if again_at_once else min(2 * pause, _MOST_SECONDS)
            await asyncio.sleep(pause)
