"""The source files of the device program, as a board without a firmware image of ours needs them."""

from pathlib import Path

from lightclient import __version__

SOURCES = Path(__file__).resolve().parent.parent
_PACKAGES = ("lightclient", "firmware", "hardware")
_NOT_FOR_A_BOARD = (
    "firmware/boot.py",  # of no content; a board has its own
    "firmware/manifest.py",
    "hardware/raspberry_pi.py",
    "hardware/simulated.py",
    "hardware/terminal.py",
)
MAIN = "main.py"  # what MicroPython runs after a reset
MAIN_SOURCE = "firmware/start.py"


def device_files(root: Path = SOURCES) -> dict[str, str]:
    """Where a file comes to lie on the board → where it is, both with slashes, from the root."""
    files = {MAIN: MAIN_SOURCE}
    for package in _PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            name = path.relative_to(root).as_posix()
            if name not in (*_NOT_FOR_A_BOARD, MAIN_SOURCE):
                files[name] = name
    return files


def package_json(root: Path = SOURCES) -> dict[str, object]:
    """What `mpremote mip install` reads. The addresses are relative to where it is itself."""
    urls = [[target, source] for target, source in device_files(root).items()]
    return {"urls": urls, "deps": [], "version": __version__}
