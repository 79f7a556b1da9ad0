# ruff: noqa: E402 - the path comes first
"""The firmware on an emulated RP2040 (125 MHz): heap, cycles a header with the link, proofs, start-up, flash.

    bench_device.py [--json | --markdown] [--headers FILE] [--until N]

The emulator knows no wait states of the flash, so a real board is somewhat slower. Needs what `make firmware` needs.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
for _folder in ("tools", "tests/support"):
    sys.path.insert(0, str(ROOT / _folder))

from bench_proofs import MEGABYTE, PAY_TO, SIGNATURE, make_proof, transaction
from board_and_bridge import BoardAndBridge, firmware_image
from device_lines import script, uart_cycles, usb_device_cycles
from device_store import store_figures, stored
from emulated_pico import FILES_SIZE, EmulatedPico
from littlefs_image import make_image, read_image
from measure import DATA, Figure, report

from host_bridge.demo.recording import Recording
from host_bridge.sessions.archive import ArchiveChain
from lightclient.limits import EPOCH, HEADER_SIZE, MAX_BATCH_HEADERS
from lightclient.messages import STATE_READY
from lightclient.spv.proof import ACCEPTED

MAINNET = DATA / "headers" / "mainnet_000000_010236.bin"
MHZ = 125
STOCK = 'freeze("$(PORT_DIR)/modules")\ninclude("$(MPY_DIR)/extmod/asyncio")\n'
LINE_SIZE = 8192
# what, unit, goal; a goal below zero is what it must at least be. README.md has the same rows.
ROWS: dict[str, tuple[str, str, float | None]] = {
    "free": ("heap free after boot, all loaded", "KiB", -150),
    "sync": ("heap that a sync takes more at its peak", "KiB", 24),
    "rules": ("cycles a header: hash and rules", "cycles", 50_000),
    "header": ("cycles a header: all, with accumulator, store and link", "cycles", 110_000),
    "accumulator": ("of it the accumulator", "cycles", None),
    "flash": ("of it writing to flash", "cycles", None),
    "read": ("of it reading from USB", "cycles", None),
    "bytes": ("bytes a header on the line", "bytes", None),
    "proof": ("12-level proof with coinbase, transaction of 251 bytes", "ms", 15),
    "proof heap": ("heap that it takes at its peak", "KiB", 8),
    "large": ("heap for a transaction of 100 kB", "KiB", 8),
    "boot": ("cold boot to ready, 3 epochs stored", "s", 3),
    "hello": ("of it to the first word on the line", "s", None),
    "store": ("RAM of an open store", "bytes", 6144),
    "store after": ("of it after a long sync, the batch left out", "bytes", 6144),
    "opening": ("opening a store of three epochs", "ms", 500),
    "tail": ("with 383 headers that its record does not count", "ms", 500),
    "append": ("cycles to append a header, flash left out", "cycles", 17_225),
    "garbage": ("cycles to collect a header's garbage", "cycles", None),
    "link": ("cycles a byte, console: buffers full, ended by a Ctrl-C of our own (the firmware)", "cycles", None),
    "block": ("cycles a byte, console: stdin.buffer.readinto of a known length", "cycles", None),
    "single": ("cycles a byte, console: poll, and one byte at a time", "cycles", None),
    "uart": ("cycles a byte, machine.UART: interrupts, and readinto", "cycles", None),
    "device": ("cycles a byte, machine.USBDevice: an interface of our own", "cycles", None),
    "code": ("flash that our frozen code takes", "KiB", 120),
}
Values = dict[str, float]


def settings(network: str, **more: object) -> dict[str, Any]:
    return {
        "network": network,
        "replay": {"minimum_chainwork": "1"},
        "board": "pico",
        "store": "store",
        "old_payments": True,
        "requests": [{"request_id": 1, "script_pubkey": PAY_TO.hex(), "min_amount": 1, "min_confirmations": 6}],
        **more,
    }


def name_in_image(file: str, name: str) -> str:
    """What a private name of the sources is called in the image (docs/FIRMWARE.md)."""
    names = json.loads(firmware_image().with_suffix(".names.json").read_text())[file]
    return next((short for short, long in names.items() if long == name), name)


# --- heap, and cycles a header ---


def sync(network: str, headers: bytes, until: int, memory: bool) -> dict[str, Any]:
    """What board_sync.py measures; with `memory` its times count for nothing."""
    run = BoardAndBridge(make_image({"store": None}, FILES_SIZE), ArchiveChain(network, headers, 0))
    board = run.board
    board.execute("pass")
    started = board.sent
    reading = name_in_image("firmware/usb.py", "_read_what_is_there")
    task = script("board_sync.py", SETTINGS=settings(network), UNTIL=until, FIRST=0, MEMORY=memory, READING=reading)
    board.next_bytes = lambda: b""
    board.begin(task)
    board.next_bytes = run.session.next_output
    run.run(lambda: run.session.device_height >= until, 60)
    board.run_for(2)
    found = json.loads(read_image(run.files)["bench.json"] or b"")
    found["bytes"] = (board.sent - started - len(task)) / (until + 1)
    found["reading"] = found["took"].get(reading, 0)
    return dict(found)


def sync_figures(network: str, headers: bytes, until: int) -> Values:
    times = sync(network, headers, until, False)
    heap = sync(network, headers, 4 * MAX_BATCH_HEADERS, True)
    each = MHZ / times["headers"]
    took = times["took"]
    return {
        "free": times["free"] / 1024,
        "sync": heap["most"] / 1024,
        "rules": (took["extend"] - took["append_links"]) * each,
        "accumulator": took["append_links"] * each,
        "flash": times["flash"] * each,
        "header": times["total"] * each,
        "read": times["reading"] * each,
        "bytes": times["bytes"],
    }


# --- proofs ---


def proof_figures() -> Values:
    proofs = {
        "small": make_proof(transaction([SIGNATURE], [PAY_TO] * 3)),  # 251 bytes
        "large": make_proof(transaction([SIGNATURE] * (MEGABYTE // 10 // 148), [PAY_TO])),
    }
    board = EmulatedPico(firmware_image(), make_image(dict(proofs), FILES_SIZE))
    found = json.loads(board.execute(script("board_proof.py", NAMES=list(proofs), ACCEPTED=ACCEPTED), 60))
    if not all(result["accepted"] for result in found.values()):
        raise SystemExit("a proof was not accepted")
    return {
        "proof": found["small"]["us"] / 1000,
        "proof heap": found["small"]["most"] / 1024,
        "large": found["large"]["most"] / 1024,
    }


# --- start-up ---


def start_figures(network: str, headers: bytes) -> Values:
    count = min(len(headers) // HEADER_SIZE, 3 * EPOCH)  # three files, the last one full but for one
    chosen = settings(network)
    files = stored(chosen, headers, count)
    archive = ArchiveChain(network, headers[: count * HEADER_SIZE], 0)
    run = BoardAndBridge(make_image(files, FILES_SIZE), archive)
    run.run(lambda: bool(run.reports), 30)
    said_hello = run.board.seconds
    run.run(lambda: run.state == STATE_READY, 30)
    return {"boot": run.board.seconds, "hello": said_hello}


# --- reading ---


def line_figures() -> Values:
    board = EmulatedPico(firmware_image())
    board.execute("pass")
    heard = bytearray()
    board.begin(script("board_line.py"))
    board.on_bytes = heard.extend
    noise = bytes(i % 90 + 32 for i in range(LINE_SIZE))
    board.run(lambda: b"READY" in heard, 10)
    board.send(noise)
    board.run(lambda: b"ANSWERS" in heard and heard.endswith(b"\x04>"), 20)
    text = heard.decode(errors="replace")
    answers = dict(pair.split(" ") for pair in text[text.index("ANSWERS ") + 8 :].split("\r\n")[0].split(", "))
    return {
        **{name: float(value) for name, value in answers.items()},
        "uart": sum(uart_cycles()),
        "device": usb_device_cycles(),
    }


# --- flash ---


def code_figures() -> Values:
    with tempfile.TemporaryDirectory(prefix="lightclient-") as folder:
        manifest = Path(folder) / "manifest.py"
        manifest.write_text(STOCK)
        stock = Path(folder) / "stock.uf2"
        subprocess.run([ROOT / "tools" / "build-firmware.sh", stock, manifest], check=True)
        frozen = (firmware_image().stat().st_size - stock.stat().st_size) / 2  # a UF2 block holds 256 of 512 bytes
    return {"code": frozen / 1024}


def as_figure(key: str, value: float) -> Figure:
    what, unit, goal = ROWS[key]
    return (
        Figure(what, value, unit, at_least=-goal) if goal is not None and goal < 0 else Figure(what, value, unit, goal)
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--headers", type=Path, metavar="FILE", help="Mainnet headers from genesis on.")
    parser.add_argument("--until", type=int, default=672, metavar="N", help="Height to sync to.")
    parser.add_argument("--json", action="store_true", help="Write JSON for programs.")
    parser.add_argument("--markdown", action="store_true", help="Write the table of README.md.")
    options = parser.parse_args()
    path = options.headers or (MAINNET if MAINNET.is_file() else None)
    network, headers = ("mainnet", path.read_bytes()) if path else ("regtest", Recording.load_default().headers)
    found = {
        **sync_figures(network, headers, options.until),
        **proof_figures(),
        **start_figures(network, headers),
        **store_figures(settings(network), headers),
        **line_figures(),
        **code_figures(),
    }
    figures = [as_figure(key, found[key]) for key in ROWS]
    if options.markdown:
        print("| what | measured | goal |\n|---|---|---|")
        for figure in figures:
            print(f"| {figure.what} | {figure.value_text()} | {figure.goal_text()} |")
    else:
        report(f"device: emulated RP2040, {network} headers", figures, options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
