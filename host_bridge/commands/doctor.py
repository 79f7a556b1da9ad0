"""`lightclient doctor`."""

import asyncio
import os
import shutil
import sys
import textwrap
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from host_bridge.commands.common import (
    REFUSED,
    JsonOption,
    end_if_output_failed,
    errors_end_the_command,
    examples,
    file_option,
    print_json,
    say,
)
from host_bridge.doctor.examine import Job, examine, is_stuck, run_together
from host_bridge.doctor.finding import BROKEN, GOOD, WARNING, Finding
from host_bridge.doctor.setup import Setup
from host_bridge.files import Unusable
from host_bridge.links.serial_ports import AUTO
from host_bridge.nodes.node import NodeError
from host_bridge.nodes.url import NoPassword, open_node
from host_bridge.printable import printable
from host_bridge.progress import progress_bar
from host_bridge.service.config import BridgeConfig, load_config, with_flags
from lightclient.params import NETWORKS

EXAMPLES = examples(
    "lightclient doctor",
    "lightclient doctor --config /etc/lightclient/bridge.toml",
    "lightclient doctor --node core://127.0.0.1:8332 --serial /dev/ttyACM0 --json",
)
SHORT_HELP = "Find out what keeps the bridge from working, and how to repair it."
_MARKS = {GOOD: "✓", WARNING: "!", BROKEN: "✗"}
_COLOURS = {GOOD: typer.colors.GREEN, WARNING: typer.colors.YELLOW, BROKEN: typer.colors.RED}
_ABOUT_PARTS = 10
_URL_SECONDS = 5.0
_INDENT = 14


def doctor(
    node: Annotated[
        str | None,
        typer.Option(metavar="URL", help="core://, electrum(s)://, esplora+https:// or archive:DIR; else core://."),
    ] = None,
    serial: Annotated[
        list[str] | None,
        typer.Option(metavar="auto|PATH", help="A serial port, or every board that is plugged in. May be repeated."),
    ] = None,
    listen: Annotated[
        list[str] | None,
        typer.Option(metavar="ADDR:PORT", help="Where the bridge is to listen. May be repeated."),
    ] = None,
    config: Annotated[Path | None, file_option("The bridge's TOML file; flags go over it.")] = None,
    state_dir: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Where certificate, paired devices and headers are kept."),
    ] = None,
    network: Annotated[
        str | None, typer.Option(metavar="NAME", help=f"One of {', '.join(NETWORKS)}; else the node's.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check all that the bridge uses: node, serial ports, devices, clock, certificate, state folder, addresses.

    Takes what lightclient bridge takes. Under each finding that is not good stands the command that repairs it.
    Nothing is changed; a device on a cable is asked to greet. Exit code 1: something is broken.
    """
    with errors_end_the_command(as_json):
        flags = {"node": node, "serial": serial, "listen": listen, "state_dir": state_dir, "network": network}
        told = with_flags(load_config(config) if config else BridgeConfig(), **flags)
        if config is None and not told.serial and not told.listen:
            told = with_flags(told, serial=[AUTO])
        told = told.checked()
        _check_url(told.node)
        setup = Setup(
            told,
            config and config.absolute(),
            frozenset(name for name, value in flags.items() if value not in (None, [])),
        )
        with progress_bar("Examining", _ABOUT_PARTS, not as_json) as done:
            found = examine(setup, done)
    for finding in found:
        if as_json:
            print_json({**asdict(finding), "fix": finding.fix or None})
        else:
            _show(finding)
    broken = sum(finding.result == BROKEN for finding in found)
    if not as_json:
        _sum_up(broken, sum(finding.result == WARNING for finding in found))
    if is_stuck():
        end_if_output_failed()
        os._exit(REFUSED)  # Python would wait for what hangs
    if broken:
        raise typer.Exit(REFUSED)


def _check_url(url: str) -> None:
    """Raises Unusable. What is wrong with files that it names is a finding."""

    trouble: list[ValueError] = []

    async def check() -> None:
        await open_node(url).close()

    def look() -> list[Finding]:
        try:
            asyncio.run(check())
        except (NoPassword, NodeError):
            pass
        except ValueError as error:
            trouble.append(error)
        return []

    run_together([Job("node", look, "", _URL_SECONDS)])  # (it looks for cookies: a folder may hang)
    if trouble:
        raise Unusable(f"node: {trouble[0]}") from None


def _show(finding: Finding) -> None:
    mark = _MARKS[finding.result]
    if sys.stdout.isatty() and "NO_COLOR" not in os.environ:
        mark = typer.style(mark, fg=_COLOURS[finding.result], bold=True)
    lines = [finding.detail]
    if sys.stdout.isatty():
        lines = textwrap.wrap(finding.detail, max(shutil.get_terminal_size().columns - _INDENT, 40)) or [""]
    say(f"{mark} {finding.check:<12}{lines[0]}")
    for line in lines[1:]:
        say(" " * _INDENT + line)
    if finding.fix:
        say(f"      {printable(finding.fix)}")


def _sum_up(broken: int, warnings: int) -> None:
    if not broken and not warnings:
        say("All is well.")
        return
    parts = [f"{broken} broken"] if broken else ["nothing is broken"]
    parts += [f"{warnings} warning{'s' * (warnings > 1)}"] if warnings else []
    say(f"{', '.join(parts)}. Under each stands the command that repairs it, or shows more.")
