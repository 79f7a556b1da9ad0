"""The file system of a board as an image (littlefs, as rp2 MicroPython has it), made and read by MicroPython."""

import base64
import json
import subprocess
import tempfile
from pathlib import Path

from host_bridge.emulator.micropython import micropython_command

_TIMEOUT = 60  # seconds

_SCRIPT = """
import binascii, json, os, sys, vfs

class Blocks:
    def __init__(self, data):
        self.data = data
    def readblocks(self, number, buffer, offset=0):
        start = number * 4096 + offset
        buffer[:] = memoryview(self.data)[start:start + len(buffer)]
    def writeblocks(self, number, buffer, offset=None):
        if offset is None:
            self.ioctl(6, number)
            offset = 0
        start = number * 4096 + offset
        self.data[start:start + len(buffer)] = buffer
    def ioctl(self, operation, argument):
        if operation == 4:
            return len(self.data) // 4096
        if operation == 5:
            return 4096
        if operation == 6:
            self.data[argument * 4096:(argument + 1) * 4096] = b"\\xff" * 4096
            return 0

def walk(folder):
    for name, kind, *_ in os.ilistdir(folder):
        path = folder + "/" + name
        if kind == 0x4000:
            yield path, None
            yield from walk(path)
        else:
            with open(path, "rb") as file:
                yield path, file.read()

task, image, files = sys.argv[1:]
with open(image, "rb") as file:
    blocks = Blocks(bytearray(file.read()))
if task == "make":
    vfs.VfsLfs2.mkfs(blocks, progsize=256)
vfs.mount(vfs.VfsLfs2(blocks, progsize=256), "/board")
if task == "make":
    with open(files) as file:
        wanted = json.load(file)
    for path, data in wanted:
        if data is None:
            os.mkdir("/board/" + path)
        else:
            with open("/board/" + path, "wb") as file:
                file.write(binascii.a2b_base64(data))
    vfs.umount("/board")
    with open(image, "wb") as file:
        file.write(blocks.data)
else:
    found = [(path[7:], None if data is None else binascii.b2a_base64(data).decode()) for path, data in walk("/board")]
    with open(files, "w") as file:
        json.dump(found, file)
"""


def make_image(files: dict[str, bytes | None], size: int) -> bytes:
    """An image of `size` bytes with these files; None makes a folder, which comes before what is in it."""
    entries = [(path, None if data is None else base64.b64encode(data).decode()) for path, data in files.items()]
    with tempfile.TemporaryDirectory(prefix="lightclient-") as name:
        image = Path(name) / "image"
        image.write_bytes(b"\xff" * size)
        (Path(name) / "files").write_text(json.dumps(entries))
        _run("make", image, Path(name) / "files")
        return image.read_bytes()


def read_image(data: bytes) -> dict[str, bytes | None]:
    """The files of an image by path; None for a folder."""
    with tempfile.TemporaryDirectory(prefix="lightclient-") as name:
        image = Path(name) / "image"
        image.write_bytes(data)
        _run("read", image, Path(name) / "files")
        entries = json.loads((Path(name) / "files").read_text())
    return {path: None if text is None else base64.b64decode(text) for path, text in entries}


def _run(task: str, image: Path, files: Path) -> None:
    script = files.with_name("script.py")
    script.write_text(_SCRIPT)
    command = [*micropython_command("24m"), str(script), task, str(image), str(files)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    if run.returncode:
        raise RuntimeError(f"littlefs: {run.stdout}{run.stderr}")
