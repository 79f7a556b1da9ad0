"""`lightclient emulate`."""

import asyncio
import signal
import threading
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from host_bridge.commands.common import (
    REFUSED,
    UNUSABLE,
    end_if_output_failed,
    errors_end_the_command,
    examples,
    fail,
    file_option,
    network_named,
    say,
    whole_number,
)
from host_bridge.commands.pair import split_address
from host_bridge.emulator.emulated_board import SETTINGS_FILE, EmulatedBoard, make_folder, write_settings
from host_bridge.emulator.micropython import MicroPythonNotFound, require_micropython
from host_bridge.files import Unusable
from host_bridge.pairing.certificate import BadCertificate, load_or_make
from host_bridge.pairing.line import open_cable, pair_over
from host_bridge.pairing.paired_devices import BadDeviceList, PairedDevices
from host_bridge.pairing.pairing import Offer, PairingFailed, PairingSession
from host_bridge.payments.address import BadAddress, script_from_text
from host_bridge.places import state_folder
from host_bridge.printable import printable
from lightclient.limits import MAX_HEIGHT, MAX_MONEY, MAX_REQUESTS
from lightclient.params import NETWORKS, Network

SHORT_HELP = "Run the device program on this computer, as if a board were plugged in, or a whole fleet."
EXAMPLES = examples(
    "lightclient emulate --dir dev1 --network regtest --link /tmp/dev1",
    "lightclient pair --serial /tmp/dev1 --name dev1       # in another terminal",
    "lightclient bridge --serial /tmp/dev1",
    "",
    "lightclient emulate --dir shop --devices 4 --network signet --connect 127.0.0.1:8433",
    "lightclient emulate --dir dev1 --wait-for tb1q...:50000:2:250000       # in block 250,000 or later",
)
_MAX_DEVICES = 64
_PAIRING_SECONDS = 60


def emulate(
    folder: Annotated[
        Path,
        file_option("Where a device keeps settings.json and its store; made when missing.", "--dir", metavar="DIR"),
    ],
    network: Annotated[
        str | None,
        typer.Option(metavar="NAME", help=f"For a new folder, else mainnet: one of {', '.join(NETWORKS)}."),
    ] = None,
    devices: Annotated[
        int,
        typer.Option(metavar="N", parser=whole_number(1, _MAX_DEVICES), help="So many: dev1 to devN in the folder."),
    ] = 1,
    connect: Annotated[
        str,
        typer.Option(
            metavar="HOST:PORT",
            help="Reach the bridge there by TLS. A device that is not paired yet is paired with the bridge"
            " whose folder is --state-dir.",
        ),
    ] = "",
    link: Annotated[
        Path | None,
        file_option("A symbolic link to the serial line; with --devices PATH-1 to PATH-N.", metavar="PATH"),
    ] = None,
    wait_for: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SCRIPTHEX|ADDRESS:SATS[:CONFIRMATIONS[:FROM_HEIGHT]]",
            help="A payment to wait for, instead of those in settings.json; may be repeated. Blocks below FROM_HEIGHT"
            " do not count; left out, an old payment counts as well.",
        ),
    ] = None,
    state_dir: Annotated[Path | None, file_option("The bridge's folder, for --connect.", metavar="DIR")] = None,
    heap: Annotated[
        int,
        typer.Option(
            metavar="KIB",
            parser=whole_number(64, 65_536),
            help="Heap of a device, in KiB: words are twice as long as a board's.",
        ),
    ] = 256,
) -> None:
    """Run the device program on real MicroPython, as a process of its own on a serial line (a pty).

    Its path is shown, for `lightclient pair --serial PATH` and `lightclient bridge --serial PATH`: they see no
    difference to a board. Each line that a device shows stands here. Its button is down while there is a file
    `button` in its folder. Ctrl-C ends all.
    """
    if network is not None:
        network_named(network)
    with errors_end_the_command():
        try:
            require_micropython()
            folders = [folder] if devices == 1 else [folder / f"dev{i}" for i in range(1, devices + 1)]
            for each in folders:
                _prepare(each, network, wait_for or [])
            target = split_address(connect) if connect else None
            fleet = _Fleet(folders, f"{heap}k", link, target, state_dir)
            asyncio.run(fleet.run())
        except (MicroPythonNotFound, BadCertificate, BadDeviceList) as error:
            raise Unusable(str(error)) from None
        except PairingFailed as error:
            fail(REFUSED, str(error))
    if fleet.failed:
        fail(REFUSED, f"ended by themselves: {', '.join(fleet.failed)}")


def _prepare(folder: Path, network: str | None, wait_for: list[str]) -> None:
    settings = make_folder(folder, network)
    if wait_for:
        if len(wait_for) > MAX_REQUESTS:
            fail(UNUSABLE, f"--wait-for: at most {MAX_REQUESTS}")
        on = NETWORKS.get(settings.get("network", "mainnet"))
        if on is None:
            raise Unusable(f"{folder / SETTINGS_FILE}: unknown network")
        requests = [_request(i, text, on) for i, text in enumerate(wait_for, 1)]
        write_settings(folder / SETTINGS_FILE, {**settings, "requests": requests})


def _request(request_id: int, text: str, network: Network) -> dict[str, Any]:
    parts = text.split(":")
    try:
        numbers = [int(part) for part in parts[1:] if part.isascii() and part.isdigit()]
        if not 2 <= len(parts) <= 4 or len(numbers) != len(parts) - 1:
            raise ValueError
        amount, confirmations, from_height = numbers + [0, 1, 0][len(numbers) :]
        if amount > MAX_MONEY or not 1 <= confirmations <= MAX_HEIGHT or from_height > MAX_HEIGHT:
            raise ValueError
        script = script_from_text(parts[0], network)
    except BadAddress as error:
        raise Unusable(f"--wait-for {text!a}: {error}") from None
    except ValueError:
        raise Unusable(f"--wait-for {text!a}: not ADDRESS:SATS[:CONFIRMATIONS[:FROM_HEIGHT]]") from None
    return {
        "request_id": request_id,
        "script_pubkey": script.hex(),
        "min_amount": amount,
        "min_confirmations": confirmations,
        "from_height": from_height,
    }


class _Fleet:
    """The devices in `folders`, until a signal ends them; `failed` have ended by themselves."""

    def __init__(
        self, folders: list[Path], heap: str, link: Path | None, target: tuple[str, int] | None, state: Path | None
    ) -> None:
        self.failed: list[str] = []
        self._target = target
        self._state = state_folder(state) if target else None
        self._names = [folder.name for folder in folders]
        self._width = max(map(len, self._names))
        self._boards: list[EmulatedBoard] = []
        try:
            for i, (folder, name) in enumerate(zip(folders, self._names, strict=True), 1):
                path = link if link is None or len(folders) == 1 else link.with_name(f"{link.name}-{i}")
                self._boards.append(EmulatedBoard(folder, heap, self._speaker(name), path))
        except BaseException:
            self._close()
            raise

    def _speaker(self, name: str) -> Any:
        def speak(text: str) -> None:
            say(printable(f"{name:<{self._width}}  {text}"))
            end_if_output_failed()  # at once: somebody may wait for this line in a pipe

        return speak

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, task.cancel)  # type: ignore[union-attr]
        try:
            with suppress(asyncio.CancelledError):
                async with asyncio.TaskGroup() as group:
                    for name, board in zip(self._names, self._boards, strict=True):
                        group.create_task(self._run_board(name, board))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        finally:
            self._close()

    async def _run_board(self, name: str, board: EmulatedBoard) -> None:
        board.speak(f"serial line {board.path}")
        device = asyncio.create_task(board.run())
        try:
            if self._target is not None and self._state is not None:
                await self._lead_to_bridge(name, board, self._target, self._state)
            await device
            self.failed.append(name)
        finally:
            device.cancel()
            with suppress(asyncio.CancelledError):
                await device

    async def _lead_to_bridge(self, name: str, board: EmulatedBoard, target: tuple[str, int], state: Path) -> None:
        """Pair the device over its own line, unless it is paired and knows the address and the certificate."""
        certificate = load_or_make(state)
        bridge = {"host": target[0], "port": target[1], "certificate": certificate.der.hex()}
        if board.settings().get("pairing_key") and board.settings().get("bridge") == bridge:
            return
        session = PairingSession(PairedDevices(state), Offer(certificate.der, *target), name)

        stopped = threading.Event()

        def pair() -> None:
            with open_cable(str(board.path)) as cable:
                pair_over(cable, session, _PAIRING_SECONDS, stopped.is_set)

        try:
            await asyncio.to_thread(pair)
        finally:
            stopped.set()
        board.speak(f"is paired with the bridge {certificate.fingerprint}")

    def _close(self) -> None:
        for board in self._boards:
            board.close()
