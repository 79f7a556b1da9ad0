"""`lightclient flash`: onto a folder that looks like a board's drive, and onto real MicroPython by mpremote."""

import os
import subprocess
import sys
import tty
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import complaint, put, run
from support import require
from uf2_images import RP2350, make_drive, make_uf2

from host_bridge.device_files import device_files
from host_bridge.emulator.micropython import MicroPythonNotFound, micropython_command
from host_bridge.flashing import files_on_board

IMAGE = make_uf2()
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def _no_other_board(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIGHTCLIENT_DRIVES", "")
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda *_: [])


# --- the drive ---


def test_an_image_goes_onto_the_drive_and_the_one_before_is_kept(tmp_path: Path) -> None:
    drive = make_drive(tmp_path / "RPI-RP2")
    keep = ("--drive", drive, "--state-dir", tmp_path / "state")
    first, second = put(tmp_path / "1.uf2", IMAGE), put(tmp_path / "2.uf2", make_uf2(fill=9))
    assert "no image from before is kept" in complaint("flash", "--previous", *keep, code=2)
    said = run("flash", "--uf2", first, "--dry-run", *keep).stdout
    assert "RPI-RP2 (RP2040)" in said and "2,048 bytes, for RP2040, whole" in said and "verified" not in said
    assert sorted(path.name for path in drive.iterdir()) == ["INDEX.HTM", "INFO_UF2.TXT"]
    assert not (tmp_path / "state" / "firmware").exists()
    assert "verified  SHA-256" in run("flash", "--uf2", first, *keep).stdout
    assert (drive / "lightclient.uf2").read_bytes() == IMAGE
    run("flash", "--uf2", second, *keep)
    assert (drive / "lightclient.uf2").read_bytes() == make_uf2(fill=9)
    run("flash", "--previous", *keep)
    assert (drive / "lightclient.uf2").read_bytes() == IMAGE


def test_drives_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drive, image = make_drive(tmp_path / "a"), put(tmp_path / "1.uf2", IMAGE)
    (tmp_path / "stick").mkdir()
    monkeypatch.setenv("LIGHTCLIENT_DRIVES", os.pathsep.join([str(drive), str(tmp_path / "stick")]))
    state = ("--state-dir", tmp_path / "state")
    run("flash", "--uf2", image, *state)
    assert (drive / "lightclient.uf2").exists()
    other = make_drive(tmp_path / "b", "RP2350")
    monkeypatch.setenv("LIGHTCLIENT_DRIVES", os.pathsep.join([str(drive), str(other)]))
    assert "several boards" in complaint("flash", "--uf2", image, *state, code=2)
    words = run("flash", "--uf2", image, "--drive", other, *state, code=2).stderr
    assert "for an RP2040, the board has an RP2350" in words and not (other / "lightclient.uf2").exists()
    run("flash", "--uf2", put(tmp_path / "2.uf2", make_uf2(family=RP2350)), "--drive", other, *state)


BROKEN: dict[str, tuple[bytes, str]] = {
    "empty block": (bytes(512), "no magic"),
    "half a block": (IMAGE[:-1], "no blocks of 512"),
    "a block is missing at the end": (IMAGE[:-512], "not whole"),
    "a block is missing": (IMAGE[:512] + IMAGE[1024:], "not whole"),
    "a block comes twice": (IMAGE[:512] + IMAGE, "not whole"),
    "the end's magic": (IMAGE[:-1] + b"\x00", "no magic"),
    "another chip": (make_uf2(family=0x12345678), "family 0x12345678"),
    "two chips": (IMAGE + make_uf2(family=RP2350), "several kinds"),
    "not for flash": (IMAGE[:8] + b"\x01" + IMAGE[9:], "not for the flash"),
    "too long a payload": (IMAGE[:17] + b"\x02" + IMAGE[18:], "not for the flash"),
    "blocks that disagree": (IMAGE[:24] + b"\x05" + IMAGE[25:], "others"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_image_is_not_copied(name: str, tmp_path: Path) -> None:
    data, words = BROKEN[name]
    drive, image = make_drive(tmp_path / "drive"), put(tmp_path / "x.uf2", data)
    said = run("flash", "--uf2", image, "--drive", drive, "--state-dir", tmp_path / "state", code=2).stderr
    assert words in said and not (drive / "lightclient.uf2").exists()


def test_what_cannot_be_used(tmp_path: Path) -> None:
    image = put(tmp_path / "x.uf2", IMAGE)
    (tmp_path / "stick").mkdir()
    assert "no board was found" in complaint("flash", code=2)
    assert "no board shows its drive" in complaint("flash", "--uf2", image, code=2)
    assert "not the drive of a board" in complaint("flash", "--uf2", image, "--drive", tmp_path / "stick", code=2)
    assert "takes an image" in complaint("flash", "--drive", make_drive(tmp_path / "d"), code=2)
    assert "goes without" in complaint("flash", "--uf2", image, "--port", "/dev/x", code=2)
    assert "goes without" in complaint("flash", "--uf2", image, "--previous", code=2)
    assert "no MicroPython at its prompt" in complaint("flash", "--port", tmp_path / "x", code=2)


# --- the files ---


class Prompt:
    """MicroPython's prompt on a terminal, as a board's on USB; `folder` is its flash."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        board_end, self._user_end = os.openpty()
        tty.setraw(self._user_end)
        self.port = os.ttyname(self._user_end)
        self._process = subprocess.Popen(
            micropython_command("2m"),
            stdin=board_end,
            stdout=board_end,
            stderr=board_end,
            cwd=folder,
            start_new_session=True,
        )
        os.close(board_end)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._user_end)

    def files(self, under: str = ".") -> dict[str, bytes]:
        root = self.folder / under
        return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.fixture
def prompt(tmp_path: Path) -> Iterator[Prompt]:
    folder = tmp_path / "flash"
    folder.mkdir()
    (folder / "settings.json").write_text("{}")
    try:
        board = Prompt(folder)
    except MicroPythonNotFound as error:
        require(False, str(error))
        raise
    yield board
    board.close()


FEW = {
    "main.py": b"print(1)\n",
    "lightclient/__init__.py": b"",
    "lightclient/a.py": b"a = 1\n" * 300,
    "firmware/b/c.py": b"c",
}
SETTINGS = {"settings.json": b"{}"}


def few(monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes]) -> None:
    monkeypatch.setattr("host_bridge.commands.flash.contents", lambda: files)


def test_files_go_onto_a_board_and_those_before_are_kept(prompt: Prompt, monkeypatch: pytest.MonkeyPatch) -> None:
    few(monkeypatch, FEW)
    assert "will      copy 4 files" in run("flash", "--port", prompt.port, "--dry-run").stdout
    assert prompt.files() == SETTINGS
    assert "SHA-256 of each of 4 files" in run("flash", "--port", prompt.port).stdout
    assert prompt.files() == {**FEW, **SETTINGS}
    assert "already" in run("flash", "--port", prompt.port).stdout
    newer = {
        "main.py": b"print(2)\n",
        "lightclient/__init__.py": b"2",
        "hardware/new.py": b"2",
        "firmware/b/c.py": b"2",
    }
    few(monkeypatch, newer)
    run("flash", "--port", prompt.port)
    assert prompt.files("before") == FEW
    kept = {f"before/{name}": data for name, data in FEW.items()}
    assert prompt.files() == {**newer, **SETTINGS, **kept}  # what is no more is gone with its folder
    run("flash", "--port", prompt.port, "--previous")
    assert prompt.files() == {**FEW, **SETTINGS, "hardware/new.py": b"2"}
    for options in ([], ["--dry-run"]):
        again = run("flash", "--port", prompt.port, "--previous", *options, code=2)
        assert "no version from before is on the board" in again.stderr


def test_a_file_that_arrives_otherwise_counts_for_nothing(prompt: Prompt, monkeypatch: pytest.MonkeyPatch) -> None:
    few(monkeypatch, FEW)
    run("flash", "--port", prompt.port)
    few(monkeypatch, {**FEW, "lightclient/a.py": b"new"})
    real: Any = files_on_board.BoardFiles.put

    def spoil(board: files_on_board.BoardFiles, path: str, data: bytes) -> None:
        board._transport.fs_writefile(path, data)
        if path.endswith("a.py"):
            board._transport.fs_writefile(path, b"other")
            monkeypatch.setattr(board._transport, "fs_writefile", lambda *_, **__: None)
        real(board, path, data)

    monkeypatch.setattr(files_on_board.BoardFiles, "put", spoil)
    assert "another SHA-256" in run("flash", "--port", prompt.port, code=2).stderr
    new = prompt.files("new")
    assert {name: data for name, data in prompt.files().items() if not name.startswith("new/")} == {**FEW, **SETTINGS}
    assert new["lightclient/a.py"] == b"other"


def test_the_whole_program_fits_and_is_what_is_here(prompt: Prompt) -> None:
    run("flash", "--port", prompt.port)
    assert prompt.files() == {**files_on_board.contents(), **SETTINGS}
    assert set(prompt.files()) - set(SETTINGS) == set(device_files())


def test_mip_puts_the_same_files_there(prompt: Prompt) -> None:
    """`mpremote mip install` of package.json, as docs/FIRMWARE.md says, but into the folder that is the flash here."""
    command = [sys.executable, "-m", "mpremote", "connect", prompt.port, "resume"]  # no soft reset: see BoardFiles

    def mpremote(*words: str) -> str:
        done = subprocess.run([*command, *words], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    mpremote("mip", "install", "--target", ".", "./package.json")
    assert prompt.files() == {**files_on_board.contents(), **SETTINGS}
    said = mpremote("exec", "import firmware.main; print(firmware.main.__file__)")
    assert said.split() == ["firmware/main.py"]
