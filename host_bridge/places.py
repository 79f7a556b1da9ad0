"""Where the bridge keeps what must outlive it: its certificate and key, the list of devices, the header index."""

import os
from pathlib import Path

import platformdirs


def state_folder(chosen: Path | None = None) -> Path:
    """The folder, made for its owner alone where there is none: `chosen`, else systemd's, else the user's own."""
    named = os.environ.get("STATE_DIRECTORY", "").split(":")[0]  # systemd: StateDirectory=
    folder = chosen or (Path(named) if named else platformdirs.user_data_path("lightclient"))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
