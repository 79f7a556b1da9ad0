"""`lightclient bridge`."""

import asyncio
from typing import Annotated

import typer

from host_bridge.commands.bridge_options import (
    ConfigOption,
    ListenOption,
    NetworkOption,
    NodeOption,
    SerialOption,
    StateDirOption,
)
from host_bridge.commands.common import REFUSED, errors_end_the_command, examples
from host_bridge.service.config import BridgeConfig, load_config, with_flags
from host_bridge.service.log import LEVELS, Log
from host_bridge.service.main import BridgeFailed, run_service

EXAMPLES = examples(
    "lightclient bridge --serial auto",
    "lightclient bridge --node core://127.0.0.1:8332 --listen 0.0.0.0:8433",
    "lightclient bridge --node archive:DIR --serial /dev/ttyACM0 --serial-unpaired",
    "lightclient bridge --config /etc/lightclient/bridge.toml --log-json",
)
SHORT_HELP = "Serve devices from a full node, over serial lines and Wi-Fi."


def bridge(
    node: NodeOption = None,
    serial: SerialOption = None,
    listen: ListenOption = None,
    config: ConfigOption = None,
    state_dir: StateDirOption = None,
    network: NetworkOption = None,
    serial_unpaired: Annotated[
        bool, typer.Option("--serial-unpaired", help="Serve whoever is on a serial line, paired or not.")
    ] = False,
    log_json: Annotated[bool, typer.Option("--log-json", help="The log as JSON, an object a line, on stdout.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more in the log.")] = False,
) -> None:
    """Serve devices from a full node, day and night, until it is told to end (Ctrl-C, SIGTERM).

    Only paired devices are served (lightclient pair). A node that is away is waited for.
    """
    with errors_end_the_command():
        told = load_config(config) if config else BridgeConfig()
        told = with_flags(
            told,
            node=node,
            serial=serial,
            listen=listen,
            state_dir=state_dir,
            network=network,
            serial_unpaired=serial_unpaired or None,
            log_json=log_json or None,
            log_level="debug" if verbose else None,
        ).checked()
        log = Log(LEVELS.index(told.log_level), told.log_json)
        try:
            asyncio.run(run_service(told, log))
        except BridgeFailed as error:
            log.error(str(error), event="failed")
            raise typer.Exit(REFUSED) from None
        finally:
            log.close()
