"""The node: reachable, of the right network, with all blocks, and what it can't do."""

import asyncio
import re
from contextlib import suppress

from host_bridge.doctor.cookie import look_at_cookie
from host_bridge.doctor.core_program import add_option, call_core, find_core, is_local
from host_bridge.doctor.finding import Finding, NodeSeen, Seen, broken, good, warning
from host_bridge.doctor.node_trouble import explain, way_there, write_password
from host_bridge.doctor.setup import Setup
from host_bridge.nodes.node import Node, NodeError, NodeInfo, Tip
from host_bridge.nodes.url import CoreUrl, NoPassword, open_node, read_core_url
from host_bridge.trouble import answer
from lightclient.headers.header import read_time
from lightclient.limits import HEADER_SIZE

_ANSWER_SECONDS = 8.0
_MEDIAN_SPAN = 11  # Core: CBlockIndex::nMedianTimeSpan
_OLDEST_CORE = 22  # nobody has tried older ones


def look_at_node(setup: Setup, seen: Seen) -> list[Finding]:
    url = setup.config.node
    try:
        core = read_core_url(url) if url.lower().startswith("core:") else None
        return asyncio.run(_look(setup, seen, core))
    except NoPassword as error:
        return [broken("node", str(error), write_password(setup, error.path))]
    except (ValueError, NodeError) as error:  # (a folder that can't be used)
        return [broken("node", str(error), way_there(url))]


async def _look(setup: Setup, seen: Seen, core: CoreUrl | None) -> list[Finding]:
    found = await asyncio.to_thread(look_at_cookie, setup, core) if core else []
    node = open_node(setup.config.node)
    try:
        info = await answer(node.info(), _ANSWER_SECONDS)
        found.append(good("node", f"{node.name} answers: {info.software}, height {info.tip.height:,}"))
        found += [_network(setup, info), *_version(node, info, core), _synced(node, info, core)]
        found += _blocks(info, core)
        headers = await answer(_newest_headers(node, info.tip), _ANSWER_SECONDS)
        times = [read_time(headers, i) for i in range(0, len(headers), HEADER_SIZE)]
        if times:
            seen.node = NodeSeen(info.network, info.tip.height, info.synced, times[-1], sorted(times)[len(times) // 2])
    except NodeError as error:
        found.append(explain(setup, core, node.name, error))
    finally:
        with suppress(Exception):
            async with asyncio.timeout(1):
                await node.close()
    return found


async def _newest_headers(node: Node, tip: Tip) -> bytes:
    first = max(tip.height - _MEDIAN_SPAN + 1, node.first_height)
    return await node.headers(first, tip.height - first + 1)


def _network(setup: Setup, info: NodeInfo) -> Finding:
    wanted = setup.config.network
    if wanted and wanted != info.network:
        text = f"the node is on {info.network}, not on {wanted}, which the bridge is told to serve"
        return broken("network", text, setup.with_changed("network", info.network))
    return good("network", info.network)


def _version(node: Node, info: NodeInfo, core: CoreUrl | None) -> list[Finding]:
    told = re.match(r"Satoshi:(\d{1,4})\.", info.software)
    if core is None or told is None:
        return []
    if int(told[1]) < _OLDEST_CORE:
        text = f"{info.software}: nobody has tried this bridge with a Bitcoin Core older than {_OLDEST_CORE}.0"
        return [warning("version", text, "sudo apt-get install --only-upgrade bitcoind")]
    return [good("version", info.software)]


def _synced(node: Node, info: NodeInfo, core: CoreUrl | None) -> Finding:
    if info.synced:
        return good("synced", f"it has all blocks up to height {info.tip.height:,}")
    text = f"the node is still catching up, at height {info.tip.height:,}: payments are seen as far as it has come"
    return warning("synced", text, call_core(core, "-getinfo") if core else way_there(node.name))


def _blocks(info: NodeInfo, core: CoreUrl | None) -> list[Finding]:
    """Pruned, and without an index of transactions: both cost something, and neither keeps the bridge from working."""
    if core is None:
        return []
    if info.lowest_block:
        text = f"pruned: payments in blocks below height {info.lowest_block:,} can't be found or proved"
        found = [warning("pruned", text, _restart(core, "prune=0", "reindex"))]
        return [*found, good("txindex", "none: a pruned node has no index of transactions")]
    found = [good("pruned", "not pruned: it has the blocks of its whole chain")]
    if info.has_txindex is False:
        text = "no txindex: the bridge needs none, but lightclient prove does where all outputs are spent"
        return [*found, warning("txindex", text, _restart(core, "txindex=1"))]
    told = {True: "it has one", None: "the node does not say whether it has one; the bridge needs none"}
    return [*found, good("txindex", told[info.has_txindex])]


def _restart(core: CoreUrl, option: str, *more: str) -> str:
    program = find_core(core.port) if is_local(core.host) else None
    return program.restart_with(option, *more) if program else add_option(core.host, option)
