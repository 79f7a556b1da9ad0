# ruff: noqa: E402 - the path comes first
"""The firmware on an emulated RP2040 (125 MHz): heap, cycles a header with the link, proofs, start-up, flash.

    bench_device.py [--json] [--headers FILE] [--until N]

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
from device_store import store_figures, stored
from emulated_pico import FILES_SIZE, EmulatedPico
from littlefs_image import make_image, read_image
from measure import DATA, FOLDER, Figure, report

from host_bridge.demo.recording import Recording
from host_bridge.sessions.archive import ArchiveChain
from lightclient.limits import EPOCH, HEADER_SIZE, MAX_BATCH_HEADERS
from lightclient.messages import STATE_READY
from lightclient.spv.proof import ACCEPTED

MAINNET = DATA / "headers" / "mainnet_000000_010236.bin"
MHZ = 125
STOCK = 'freeze("$(PORT_DIR)/modules")\ninclude("$(MPY_DIR)/extmod/asyncio")\n'
LINE_SIZE = 8192
FORMS = {
    "link": "CDC: buffers full of stdin, ended by a Ctrl-C of our own (what the firmware does)",
    "block": "CDC: stdin.buffer.readinto, when it is known how many come",
    "single": "CDC: poll, and one byte at a time",
}


def script(name: str, **values: object) -> str:
    """A script for the board with its constants in front."""
    return "".join(f"{key} = {value!r}\n" for key, value in values.items()) + (FOLDER / name).read_text()


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


def sync_figures(network: str, headers: bytes, until: int) -> list[Figure]:
    times = sync(network, headers, until, False)
    heap = sync(network, headers, 4 * MAX_BATCH_HEADERS, True)
    each = MHZ / times["headers"]
    took = times["took"]
    return [
        Figure("heap free after boot, all loaded", times["free"] / 1024, "KiB", at_least=150),
        Figure("heap that a sync takes more at its peak", heap["most"] / 1024, "KiB", 24),
        Figure("cycles a header: hash and rules", took["extend"] * each, "cycles", 50_000),
        Figure("cycles a header: all, with accumulator, store and link", times["total"] * each, "cycles", 110_000),
        Figure("  of it accepting: rules, accumulator, store", took["accept"] * each, "cycles"),
        Figure("  of it reading from USB", times["reading"] * each, "cycles"),
        Figure("bytes a header on the line", times["bytes"], "bytes"),
    ]


# --- proofs ---


def proof_figures() -> list[Figure]:
    proofs = {
        "small": make_proof(transaction([SIGNATURE], [PAY_TO] * 3)),  # 251 bytes
        "large": make_proof(transaction([SIGNATURE] * (MEGABYTE // 10 // 148), [PAY_TO])),
    }
    board = EmulatedPico(firmware_image(), make_image(dict(proofs), FILES_SIZE))
    found = json.loads(board.execute(script("board_proof.py", NAMES=list(proofs), ACCEPTED=ACCEPTED), 60))
    if not all(result["accepted"] for result in found.values()):
        raise SystemExit("a proof was not accepted")
    return [
        Figure("12-level proof with coinbase, transaction of 251 bytes", found["small"]["us"] / 1000, "ms", 15),
        Figure("heap that it takes at its peak", found["small"]["most"] / 1024, "KiB", 8),
        Figure("heap for a transaction of 100 kB", found["large"]["most"] / 1024, "KiB", 8),
    ]


# --- start-up ---


def start_figures(network: str, headers: bytes) -> list[Figure]:
    count = min(len(headers) // HEADER_SIZE, 3 * EPOCH)  # three files, the last one full but for one
    chosen = settings(network)
    files = stored(chosen, headers, count)
    archive = ArchiveChain(network, headers[: count * HEADER_SIZE], 0)
    run = BoardAndBridge(make_image(files, FILES_SIZE), archive)
    run.run(lambda: bool(run.reports), 30)
    said_hello = run.board.seconds
    run.run(lambda: run.state == STATE_READY, 30)
    epochs = sum(name.endswith(".hdr") for name in files)
    return [
        Figure(f"cold boot to ready, {epochs} epochs stored", run.board.seconds, "s", 3),
        Figure("  of it to the first word on the line", said_hello, "s"),
    ]


# --- reading ---


def line_figures() -> list[Figure]:
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
    return [Figure(f"cycles a byte, {FORMS[name]}", float(value), "cycles") for name, value in answers.items()]


# --- flash ---


def flash_figures() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="lightclient-") as folder:
        manifest = Path(folder) / "manifest.py"
        manifest.write_text(STOCK)
        stock = Path(folder) / "stock.uf2"
        subprocess.run([ROOT / "tools" / "build-firmware.sh", stock, manifest], check=True)
        frozen = (firmware_image().stat().st_size - stock.stat().st_size) / 2  # a UF2 block holds 256 of 512 bytes
    return [Figure("flash that our frozen code takes", frozen / 1024, "KiB", 120)]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--headers", type=Path, metavar="FILE", help="Mainnet headers from genesis on.")
    parser.add_argument("--until", type=int, default=672, metavar="N", help="Height to sync to.")
    parser.add_argument("--json", action="store_true", help="Write JSON for programs.")
    options = parser.parse_args()
    path = options.headers or (MAINNET if MAINNET.is_file() else None)
    network, headers = ("mainnet", path.read_bytes()) if path else ("regtest", Recording.load_default().headers)
    figures = [
        *sync_figures(network, headers, options.until),
        *proof_figures(),
        *start_figures(network, headers),
        *store_figures(settings(network), headers),
        *line_figures(),
        *flash_figures(),
    ]
    report(f"device: emulated RP2040, {network} headers", figures, options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
