"""`python -m host_bridge` is the command `lightclient`."""

from host_bridge.cli import app

app(prog_name="lightclient")
