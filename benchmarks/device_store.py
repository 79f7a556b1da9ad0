"""What a device's store costs on the emulated RP2040: memory, the time to open it, cycles to append a header."""

import json
import tempfile
from pathlib import Path
from typing import Any

from board_and_bridge import firmware_image
from emulated_pico import FILES_SIZE, EmulatedPico
from littlefs_image import make_image
from measure import FOLDER

from firmware.device import open_chain
from firmware.settings import check_settings
from lightclient.hashes import hash256
from lightclient.headers.chain import EXTENDED
from lightclient.limits import EPOCH, HEADER_SIZE, MAX_BATCH_HEADERS

MHZ = 125
TAIL = 383  # headers behind the record: one more, and the store commits them
APPENDED = 480
FAR = 900_000  # a tip that is not soon reached


def stored(settings: dict[str, Any], headers: bytes, count: int, tail: int = 0) -> dict[str, bytes | None]:
    """The files of a store of `count` headers, and `tail` more that its record does not count yet."""
    with tempfile.TemporaryDirectory(prefix="lightclient-") as folder:
        chain, _ = open_chain(check_settings({**settings, "store": folder}))
        for end in (count, count + tail):
            for height in range(chain.tip_height + 1, end, MAX_BATCH_HEADERS):
                batch = bytearray(headers[height * HEADER_SIZE : min(height + MAX_BATCH_HEADERS, end) * HEADER_SIZE])
                before = hash256(headers[(height - 1) * HEADER_SIZE : height * HEADER_SIZE])
                if chain.accept(batch, 0, len(batch) // HEADER_SIZE, height - 1, before, 0, True) != EXTENDED:
                    raise SystemExit("the headers were not taken")
            if end == count:
                chain.commit()
                chain.store.best_height = FAR  # the record is written now and then
        if chain.store.committed_height != count - 1:
            raise SystemExit("the record counts the tail already")
        chain.store.close()
        files = {f"store/{path.name}": path.read_bytes() for path in Path(folder).iterdir() if path.name != "lock"}
    return {"settings.json": json.dumps(settings).encode(), "store": None, **files}


def store_figures(settings: dict[str, Any], headers: bytes) -> dict[str, float]:
    count = min(len(headers) // HEADER_SIZE - APPENDED, 3 * EPOCH)
    following = headers[count * HEADER_SIZE : (count + APPENDED) * HEADER_SIZE]
    found = _measure(settings, {**stored(settings, headers, count), "next": following}, count - 1, "next")
    tail = _measure(settings, stored(settings, headers, count, TAIL), count - 1 + TAIL)
    return {
        "store": found["opened"],
        "store after": found["after"],
        "opening": found["opening"] / 1000,
        "tail": tail["opening"] / 1000,
        "append": found["took"] * MHZ / found["count"],
        "garbage": found["collections"] * MHZ / found["count"],
    }


def _measure(settings: dict[str, Any], files: dict[str, bytes | None], tip: int, following: str = "") -> dict[str, Any]:
    board = EmulatedPico(firmware_image(), make_image(files, FILES_SIZE))
    constants = f"SETTINGS = {settings!r}\nNEXT = {following!r}\nSTEP = {MAX_BATCH_HEADERS}\n"
    found = json.loads(board.execute(constants + (FOLDER / "board_store.py").read_text(), 120))
    if found.pop("tip") != tip:
        raise SystemExit("the store did not open at its tip")

    return dict(found)
