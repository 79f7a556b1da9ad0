"""Where the bridge keeps what must outlive it: its certificate and key, the list of devices, the header index."""

import os
from pathlib import Path

import platformdirs

LOCK_FILE = "bridge.lock"  # in the state folder; the bridge that runs on it holds its lock


def find_state_folder(chosen: Path | None = None) -> Path:
    """Where the folder is, or would be: `chosen`, else systemd's, else the user's own."""
    named = os.environ.get("STATE_DIRECTORY", "").split(":")[0]  # systemd: StateDirectory=
    return chosen or (Path(named) if named else platformdirs.user_data_path("lightclient"))


def state_folder(chosen: Path | None = None) -> Path:
    """`find_state_folder`, made for its owner alone where there is none."""
    folder = find_state_folder(chosen)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
