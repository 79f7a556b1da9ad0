"""Devices on real MicroPython as a test wants them: killed and started again, on lines that are cut (CPython)."""

import json
import os
import secrets
import signal
import subprocess
import termios
import time
import tty
from dataclasses import dataclass
from pathlib import Path

from support import require

from host_bridge.emulator.emulator import WHOLE_DEVICE_HEAP
from host_bridge.emulator.micropython import MicroPythonNotFound, require_micropython
from host_bridge.emulator.rom import SOURCES, device_command
from host_bridge.pairing.paired_devices import PairedDevices
from host_bridge.stores.store_check import check_store
from host_bridge.stores.store_folder import OpenedStore, read_folder
from lightclient.params import REGTEST
from lightclient.spv.stored_payments import _ENTRY, _FIRST, _TXID


@dataclass(frozen=True)
class Wanted:
    """A payment that a device waits for, from `from_height` on."""

    request_id: int
    address: str
    script_pubkey: bytes
    amount: int
    confirmations: int
    from_height: int

    def settings(self):
        return {
            "request_id": self.request_id,
            "script_pubkey": self.script_pubkey.hex(),
            "min_amount": self.amount,
            "min_confirmations": self.confirmations,
            "from_height": self.from_height,
        }


def needs_micropython():
    try:
        require_micropython()
    except MicroPythonNotFound as error:
        require(False, str(error))


class Board:
    """A device with a folder of its own, paired with the bridge of the state folder. `line` is its USB, our end.

    `dials` is (port, certificate in DER) for a device that reaches its bridge by TLS. What it shows stays in `shown`,
    from all of its lives. Use it in a `with` block; `start` gives it power.
    """

    def __init__(self, folder, name, state, wanted=(), dials=None, store=True):
        self.name = name
        self.device_id = name.encode()
        self._folder = Path(folder) / name
        self._folder.mkdir()
        self.store = self._folder / "store"
        key = secrets.token_bytes(32)
        PairedDevices(state).add(self.device_id, key, name)
        settings = {
            "network": "regtest",
            "old_payments": True,
            "relay_seconds": 1,
            "device_id": self.device_id.hex(),
            "pairing_key": key.hex(),
            "requests": [one.settings() for one in wanted],
        }
        if store:
            self.store.mkdir()
            settings["store"] = str(self.store)
        if dials is not None:
            bridge = {"host": "127.0.0.1", "port": dials[0], "certificate": dials[1].hex()}
            settings |= {"link": "tcp", "bridge": bridge}
        self._settings = self._folder / "settings.json"
        self._settings.write_text(json.dumps(settings))
        self._settings.chmod(0o600)
        self._heap = WHOLE_DEVICE_HEAP
        self._process = None
        self.line, self._far_end = os.openpty()
        tty.setraw(self._far_end)
        attributes = termios.tcgetattr(self._far_end)
        attributes[6][termios.VMIN] = attributes[6][termios.VTIME] = 0
        termios.tcsetattr(self._far_end, termios.TCSANOW, attributes)
        os.set_blocking(self._far_end, False)
        os.set_blocking(self.line, False)

    @property
    def shown(self):
        path = self._folder / "console"
        return path.read_text(errors="replace").splitlines() if path.exists() else []

    def start(self):
        command, environment = device_command(self._heap)
        with (self._folder / "console").open("ab") as console:
            self._process = subprocess.Popen(
                [*command, str(SOURCES / "firmware" / "main.py"), str(self._settings)],
                stdin=self._far_end,
                stdout=self._far_end,
                stderr=console,
                env={**os.environ, **environment},
                start_new_session=True,
            )

    def kill(self):
        """The power is gone, at once."""
        self.end(signal.SIGKILL)

    def end(self, how=signal.SIGINT):
        process, self._process = self._process, None
        if process is None:
            return
        assert process.poll() is None, f"{self.name} ended by itself: {self.shown[-5:]}"
        process.send_signal(how)
        try:
            process.wait(10)
        finally:
            process.kill()
            process.wait()

    def require_running(self):
        process = self._process
        assert process is None or process.poll() is None, f"{self.name} ended by itself: {self.shown[-20:]}"

    def wait(self, words, seconds=60.0, count=1):
        """Until so many of the lines it has shown have these words."""
        end = time.monotonic() + seconds
        while self.count(words) < count:
            assert time.monotonic() < end, (self.name, words, self.shown[-20:])
            self.require_running()
            time.sleep(0.02)

    def count(self, words):
        return sum(words in line for line in self.shown)

    def paid(self, request_id):
        """How often it has said that the payment of this request is confirmed."""
        return sum(line.startswith("paid: ") and line.endswith(f" request {request_id}") for line in self.shown)

    def stored(self):
        """(tip's block_hash, the beginnings of the txids acted on) in its store, checked whole. Only when it is off."""
        files = read_folder(self.store)
        checked = check_store(files, REGTEST, int(time.time()))
        acted = OpenedStore(read_folder(self.store), REGTEST).acted
        starts = range(_FIRST, _FIRST + acted.count * _ENTRY, _ENTRY)
        return checked.tip.block_hash, [bytes(acted._buffer[start : start + _TXID]) for start in starts]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        os.close(self._far_end)
        if self.line >= 0:
            os.close(self.line)
