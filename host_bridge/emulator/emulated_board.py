"""A device for `lightclient emulate`: a folder with its settings and store, a terminal, and its program in it.

The program reads and writes the terminal's far end itself; this process only keeps the terminal open,
so that its path outlives the program and whoever uses it. So no byte passes through here.
"""

import asyncio
import json
import os
import secrets
import signal
import termios
import tty
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hardware.simulated import RESTART
from host_bridge.emulator.rom import SOURCES, device_command
from host_bridge.files import Unusable, write_file

SETTINGS_FILE = "settings.json"
_STOP_SECONDS = 5.0
_LINE_LIMIT = 4096  # bytes of a line on its console
_MAX_SETTINGS = 65_536


def make_folder(folder: Path, network: str | None) -> dict[str, Any]:
    """The settings in `folder`, made where there are none (for `network`, else mainnet). Raises Unusable, OSError."""
    path = folder / SETTINGS_FILE
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.exists():
        settings = read_settings(path)
        if network is not None and settings.get("network", "mainnet") != network:
            raise Unusable(f"{path}: that device is on {settings.get('network', 'mainnet')}, not {network}")
        return settings
    settings = {
        "network": network or "mainnet",
        "store": str((folder / "store").absolute()),
        "old_payments": True,
        "device_id": secrets.token_hex(8),
        "board": "simulated",
    }
    (folder / "store").mkdir(mode=0o700, exist_ok=True)  # set up once: a device whose store has gone says so
    write_settings(path, settings)
    return settings


def read_settings(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MAX_SETTINGS:
            raise Unusable(f"{path}: too long for settings")
        settings = json.loads(path.read_text())
    except (ValueError, RecursionError) as error:
        raise Unusable(f"{path}: {error}") from None
    if not isinstance(settings, dict):
        raise Unusable(f"{path}: not an object")
    return settings


def write_settings(path: Path, settings: dict[str, Any]) -> None:
    write_file(path, json.dumps(settings, indent=1).encode())
    path.chmod(0o600)


class EmulatedBoard:
    """`speak` is called with each line of its console, and with what becomes of it.

    `path` is the terminal that a bridge, or `pair`, opens as a serial line. Close it in the end.
    """

    def __init__(self, folder: Path, heap: str, speak: Callable[[str], None], link: Path | None = None) -> None:
        self.folder = folder
        self._heap = heap
        self.speak = speak
        self._link = link
        self._process: Process | None = None
        self._device_end, self._user_end = os.openpty()
        try:
            # As USB: no echo, and what there is no room for is not taken. The device has the end without settings
            # of its own; that this process keeps the other end open keeps the settings, and the path.
            tty.setraw(self._user_end)
            attributes = termios.tcgetattr(self._user_end)
            attributes[6][termios.VMIN] = 0
            attributes[6][termios.VTIME] = 0
            termios.tcsetattr(self._user_end, termios.TCSANOW, attributes)
            os.set_blocking(self._device_end, False)
            self.path = Path(os.ttyname(self._user_end))
            if link is not None:
                _point(link, self.path)
                self.path = link
        except BaseException:
            self.close()
            raise

    def settings(self) -> dict[str, Any]:
        """What stands in its settings.json now."""
        return read_settings(self.folder / SETTINGS_FILE)

    async def run(self) -> None:
        """Run its program, again when it asks for a restart; until it ends otherwise, or for ever.

        When this is cancelled, the program is ended first.
        """
        while await self._run_once() == RESTART:
            self.speak("starts anew")

    async def _run_once(self) -> int:
        command, environment = device_command(self._heap)
        self._process = process = await asyncio.create_subprocess_exec(
            *command,
            str(SOURCES / "firmware" / "main.py"),
            str(self.folder / SETTINGS_FILE),
            stdin=self._device_end,
            stdout=self._device_end,
            stderr=PIPE,
            env={**os.environ, **environment},
            umask=0o077,  # settings and store hold secrets
            start_new_session=True,  # Ctrl-C is for this process, which ends the others
            limit=_LINE_LIMIT,
        )
        try:
            await self._listen(process)
            code = await process.wait()
        finally:
            await _end(process)
        if code != RESTART:
            self.speak(f"ended with exit code {code}")
        return code

    async def _listen(self, process: Process) -> None:
        """Pass its console on, line by line."""
        console = process.stderr
        while console is not None:
            try:
                line = await console.readline()
            except ValueError:  # longer than a line may be
                continue
            if not line:
                return
            text = line.decode(errors="replace").rstrip()
            if text:
                self.speak(text)

    def close(self) -> None:
        """Let go of the terminal."""
        for end in (self._device_end, self._user_end):
            try:
                os.close(end)
            except OSError:
                pass
        if self._link is not None and self._link.is_symlink():
            self._link.unlink()


async def _end(process: Process) -> None:
    """End it as Ctrl-C on its console does, so that it closes its store; else as a power cut does."""
    if process.returncode is not None:
        return
    process.send_signal(signal.SIGINT)
    try:
        # its last words are not read: they would be about the interrupt
        async with asyncio.timeout(_STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def _point(link: Path, target: Path) -> None:
    """Make `link` a symbolic link to `target`. Raises Unusable when it is something else."""
    if link.is_symlink():
        link.unlink()
    elif link.exists():
        raise Unusable(f"{link}: there is a file of that name, and no symbolic link")
    link.symlink_to(target)
