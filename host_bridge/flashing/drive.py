"""The drive that a board shows when it is plugged in with BOOTSEL held: what is copied there becomes its firmware."""

import hashlib
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from host_bridge.files import Unusable, write_file
from host_bridge.flashing.uf2 import BOARDS, check_uf2

INFO_FILE = "INFO_UF2.TXT"
_MAX_INFO = 4096
_PLACES = ("/media/*/*", "/media/*", "/run/media/*/*", "/mnt/*", "/Volumes/*")
_PIECE = 64 << 10
_GONE_SECONDS = 10.0


@dataclass(frozen=True)
class Drive:
    path: Path
    board_id: str
    chip: str


def find_drives(chosen: Path | None = None) -> list[Drive]:
    """The drives of boards; `chosen`, else those of $LIGHTCLIENT_DRIVES, else where systems mount them.

    Raises Unusable when the chosen one is none.
    """
    if chosen is not None:
        drive = _drive_at(chosen)
        if drive is None:
            raise Unusable(f"{chosen}: not the drive of a board with BOOTSEL held: no {INFO_FILE} of one is there")
        return [drive]
    named = os.environ.get("LIGHTCLIENT_DRIVES")
    places: Iterable[Path]
    if named is not None:
        places = [Path(place) for place in named.split(os.pathsep) if place]
    elif os.name == "nt":
        places = [Path(f"{letter}:/") for letter in "DEFGHIJKLMNOPQRSTUVWXYZ"]
    else:
        places = [path for pattern in _PLACES for path in sorted(Path("/").glob(pattern[1:]))]
    found = [drive for drive in map(_drive_at, places) if drive is not None]
    return list({drive.path.resolve(): drive for drive in found}.values())


def _drive_at(path: Path) -> Drive | None:
    try:
        with (path / INFO_FILE).open("rb") as file:
            text = file.read(_MAX_INFO).decode("ascii", "replace")
    except OSError:
        return None
    values = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    board_id = values.get("Board-ID", "").strip()
    return Drive(path, board_id, BOARDS[board_id]) if board_id in BOARDS else None


def copy_image(drive: Drive, data: bytes, advance: Callable[[int], None] = lambda count: None) -> str:
    """Copy the image; says how it was verified. Raises Unusable for one that is not for this chip, or did not arrive.

    The board restarts when it has every block, and its drive is gone then.
    """
    chip = check_uf2(data)
    if chip != drive.chip:
        raise Unusable(f"the image is for an {chip}, the board at {drive.path} has an {drive.chip}")
    target = drive.path / "lightclient.uf2"
    done = 0
    try:
        with target.open("wb", buffering=0) as file:
            while done < len(data):
                count = file.write(data[done : done + _PIECE])
                advance(count)
                done += count
            os.fsync(file.fileno())
    except OSError as error:
        if done < len(data):
            raise Unusable(f"{target}: {error.strerror or error}, after {done:,} of {len(data):,} bytes") from None
    end = time.monotonic() + _GONE_SECONDS
    while time.monotonic() < end:
        if not (drive.path / INFO_FILE).exists():
            return "the board has taken every block, and restarted"
        try:
            if hashlib.sha256(target.read_bytes()).digest() == hashlib.sha256(data).digest():
                return f"SHA-256 {hashlib.sha256(data).hexdigest()} on the drive"
        except OSError:
            pass
        time.sleep(0.2)
    raise Unusable(f"{target}: what is on the drive is not what was copied")


def remember(folder: Path, board_id: str, data: bytes) -> None:
    """Keep the image that a board is given, and the one that it had from here before."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    current, previous = kept_images(folder, board_id)
    if current.exists():
        had = current.read_bytes()
        if had != data:
            write_file(previous, had)
    write_file(current, data)


def kept_images(folder: Path, board_id: str) -> tuple[Path, Path]:
    """Where the present image and the previous one are kept."""
    return folder / f"{board_id}-present.uf2", folder / f"{board_id}-previous.uf2"
