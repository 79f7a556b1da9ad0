"""`lightclient flash`."""

from pathlib import Path
from typing import Annotated

import typer

from host_bridge.commands.common import UNUSABLE, errors_end_the_command, examples, fail, file_option, say
from host_bridge.files import Unusable, read_file
from host_bridge.flashing.drive import Drive, copy_image, find_drives, kept_images, remember
from host_bridge.flashing.files_on_board import (
    BEFORE,
    BoardFiles,
    bring_back,
    contents,
    install,
    is_up_to_date,
    kept_names,
)
from host_bridge.flashing.uf2 import MOST_BYTES, check_uf2
from host_bridge.links.serial_ports import find_boards
from host_bridge.places import state_folder
from host_bridge.printable import printable
from host_bridge.progress import progress_bar

SHORT_HELP = "Put the device program on a Pico: an image on its BOOTSEL drive, or files beside its MicroPython."
EXAMPLES = examples(
    "lightclient flash --uf2 lightclient-pico.uf2       # plugged in with BOOTSEL held",
    "lightclient flash --dry-run",
    "lightclient flash --port /dev/ttyACM0              # MicroPython runs on it already",
    "lightclient flash --previous",
)


def flash(
    uf2: Annotated[Path | None, file_option("The image to copy onto the drive (make firmware).", "--uf2")] = None,
    drive: Annotated[
        Path | None, file_option("The drive, where it is not found by itself.", "--drive", metavar="DIR")
    ] = None,
    port: Annotated[
        str, typer.Option("--port", metavar="PATH", help="The serial port of a board that runs MicroPython.")
    ] = "",
    previous: Annotated[
        bool, typer.Option("--previous", help="Bring back the version from before the last one.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    state_dir: Annotated[Path | None, file_option("Where images given to boards are kept.", metavar="DIR")] = None,
) -> None:
    """Put the device program on a board that is plugged in.

    With BOOTSEL held while it is plugged in, a board shows a drive: the image goes there. A board that runs
    MicroPython gets the program as files. Its settings and store stay either way.
    """
    if port and (uf2 or drive):
        fail(UNUSABLE, "--port goes without --uf2 and --drive")
    if uf2 and previous:
        fail(UNUSABLE, "--previous goes without --uf2")
    with errors_end_the_command():
        drives = [] if port else find_drives(drive)
        if len(drives) > 1:
            raise Unusable(
                f"several boards show a drive: choose by --drive, of {', '.join(str(d.path) for d in drives)}"
            )
        if drives:
            _flash_image(drives[0], uf2, previous, dry_run, state_folder(state_dir) / "firmware")
            return
        if uf2 is not None:
            check_uf2(read_file(uf2, MOST_BYTES))
            raise Unusable("no board shows its drive: plug it in with BOOTSEL held (--drive DIR where it is mounted)")
        _flash_files(port or _find_port(), previous, dry_run)


def _flash_image(drive: Drive, uf2: Path | None, previous: bool, dry_run: bool, kept: Path) -> None:
    if previous:
        uf2 = kept_images(kept, drive.board_id)[1]
        if not uf2.exists():
            raise Unusable(f"{uf2}: no image from before is kept")
    if uf2 is None:
        raise Unusable(f"{drive.path}: a board with BOOTSEL held takes an image: --uf2 FILE")
    data = read_file(uf2, MOST_BYTES)
    chip = check_uf2(data)
    say(printable(f"board     {drive.board_id} ({drive.chip}) at {drive.path}"))
    say(printable(f"image     {uf2}: {len(data):,} bytes, for {chip}, whole"))
    if chip != drive.chip:
        raise Unusable(f"the image is for an {chip}, the board has an {drive.chip}")
    say("will      copy it onto the drive; the board then restarts, and its files stay")
    if dry_run:
        return
    with progress_bar("copying", len(data)) as advance:
        verified = copy_image(drive, data, advance)
    remember(kept, drive.board_id, data)
    say(f"verified  {verified}")
    say("          lightclient flash --previous brings back the one before, if it was copied from here")


def _find_port() -> str:
    found = find_boards()
    if len(found) > 1:
        raise Unusable(f"several boards are plugged in: choose by --port, of {', '.join(found)}")
    if not found:
        raise Unusable(
            "no board was found: neither a drive (plugged in with BOOTSEL held) nor MicroPython on USB (2e8a:0005);"
            " --drive DIR or --port PATH name one"
        )
    return found[0]


def _flash_files(port: str, previous: bool, dry_run: bool) -> None:
    board = BoardFiles(port)
    try:
        files = contents()
        size = sum(map(len, files.values()))
        say(printable(f"board     {board.describe()} at {port}, {board.room():,} bytes free"))
        if previous:
            kept_names(board)
            say(f"will      put what lies in {BEFORE}/ on it in its place again")
            if not dry_run:
                bring_back(board)
                say("verified  it is in its place")
            return
        if is_up_to_date(board, files):
            say(f"verified  it has just these {len(files)} files ({size:,} bytes) already")
            return
        say(f"will      copy {len(files)} files, {size:,} bytes; the old ones go to {BEFORE}/; settings and store stay")
        if dry_run:
            return
        with progress_bar("copying", size) as advance:
            install(board, files, advance)
        say(f"verified  SHA-256 of each of {len(files)} files; the board restarts")
    finally:
        board.close()
