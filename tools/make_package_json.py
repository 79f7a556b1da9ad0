"""Writes package.json, by which `mpremote mip install` puts the device program on a board, as source."""

import json

from host_bridge.device_files import SOURCES, package_json


def text() -> str:
    """The file's content."""
    return json.dumps(package_json(), indent=1) + "\n"


if __name__ == "__main__":
    (SOURCES / "package.json").write_text(text())
