"""What `bridge` and `doctor` are both told: the doctor looks at the bridge that the same words would start."""

from pathlib import Path
from typing import Annotated

import typer

from host_bridge.commands.common import file_option
from lightclient.params import NETWORKS

NodeOption = Annotated[
    str | None,
    typer.Option(
        "--node",
        metavar="URL",
        help="core://, electrum(s)://, esplora+https:// or archive:DIR; else this computer's Bitcoin Core.",
    ),
]
SerialOption = Annotated[
    list[str] | None,
    typer.Option(
        "--serial", metavar="auto|PATH", help="A serial port, or every board that is plugged in. May be repeated."
    ),
]
ListenOption = Annotated[
    list[str] | None,
    typer.Option("--listen", metavar="ADDR:PORT", help="Paired devices are served over TLS here. May be repeated."),
]
ConfigOption = Annotated[Path | None, file_option("A TOML file with all of this; flags go over it.")]
StateDirOption = Annotated[
    str | None,
    typer.Option("--state-dir", metavar="DIR", help="Where certificate, paired devices and headers are kept."),
]
NetworkOption = Annotated[
    str | None,
    typer.Option("--network", metavar="NAME", help=f"One of {', '.join(NETWORKS)}; else the node's."),
]
