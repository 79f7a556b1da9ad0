"""One bridge, a real node, a hundred protocol clients over TLS and four devices on real MicroPython, all at once.

The clients are in this process and the bridge in one of its own, on the same two cores as the node and the devices:
what a client waits for a frame is measured here, and has the time in it that the others take.
"""

import asyncio
import contextlib
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "support"))

from bridge_runs import BridgeRuns, core_url
from fleet import FleetClient, pair_fleet, trusting
from measure import Figure, arguments, report
from real_boards import Board
from regtest_node import NodeUnavailable, RegtestNode

from host_bridge.emulator.micropython import MicroPythonNotFound, find_micropython
from host_bridge.pairing.paired_devices import PairedDevices
from lightclient.hashes import hash_from_hex

HEADERS = 10_000
CLIENTS = 100
DEVICES = 4
BLOCKS = 10  # for the time that a new one takes
FEW_ROUNDS = 10  # below, everything is a tenth or less: to see that it runs
PATIENCE = 600.0  # seconds
WAIT_GOAL, NEWS_GOAL, MEMORY_GOAL = 5.0, 2.0, 200.0


async def until(condition: Callable[[], bool]) -> float:
    """Seconds until the condition holds."""
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > PATIENCE:
            raise TimeoutError("the fleet does not arrive")
        await asyncio.sleep(0.01)
    return time.monotonic() - started


class Fleet:
    """All devices on the bridge: `clients` here, `boards` on MicroPython."""

    def __init__(self, node: RegtestNode, bridge: BridgeRuns, clients: list[FleetClient], boards: list[Board]) -> None:
        self._node = node
        self._bridge = bridge
        self.clients = clients
        self.boards = boards
        self._tip_of: dict[str, str] = {}
        self._seen = 0

    def _read_log(self) -> None:
        """What the boards have told of themselves since the last look."""
        lines = self._bridge.now.lines
        new, self._seen = lines[self._seen :], len(lines)
        for event in (json.loads(line) for line in new if '"status"' in line):
            if event["state"] == "ready":
                self._tip_of[event["device"].split(" ")[0]] = event["tip_hash"]

    def all_at(self, best: str) -> bool:
        wanted = hash_from_hex(best)
        if any(not c.is_ready or c.client.chain.rules.state.block_hash != wanted for c in self.clients):
            return False
        self._read_log()
        return all(self._tip_of.get(board.name) == best for board in self.boards)

    async def sync(self) -> tuple[float, float]:
        """(seconds until all are on the node's tip, the longest that a client has waited for a frame)."""
        best = await asyncio.to_thread(self._node.rpc, "getbestblockhash")
        seconds = await until(lambda: self.all_at(best))
        return seconds, max(client.longest_wait for client in self.clients)

    async def news(self) -> float:
        """Seconds from the node having a new block until the last device has it."""
        (best,) = await asyncio.to_thread(self._node.mine)
        return await until(lambda: self.all_at(best))


async def measured(node: RegtestNode, folder: Path, clients: int, devices: int, blocks: int) -> list[Figure]:
    height = node.rpc("getblockcount")
    who = f"MicroPython: {devices} devices, beside {clients} clients" if devices else f"{clients} clients"
    with contextlib.ExitStack() as stack:
        bridge = stack.enter_context(BridgeRuns(folder, core_url(node)))
        dials = bridge.port, bridge.certificate.der
        boards = [stack.enter_context(Board(folder, f"board-{i}", bridge.state, (), dials)) for i in range(devices)]
        members = pair_fleet(PairedDevices(bridge.state), [f"client-{i}" for i in range(clients)])
        fleet = Fleet(node, bridge, members, boards)
        bridge.start()
        await asyncio.to_thread(bridge.now.event, event="block", height=height)
        context = trusting(bridge.certificate)
        tasks = [asyncio.create_task(client.run(bridge.port, context)) for client in members]
        try:
            for board in boards:
                board.start()
            seconds, wait = await fleet.sync()
            took = [await fleet.news() for _ in range(blocks)]
            sessions = sum(client.sessions for client in members)
            figures = [
                Figure(f"{who}: {height:,} headers each", seconds, "s"),
                Figure("longest wait of a client for a frame", wait, "s", WAIT_GOAL),
                Figure("a new block reaches all: slowest", max(took), "s", NEWS_GOAL),
                Figure("a new block reaches all: median", statistics.median(took), "s"),
                Figure("sessions that a client has had", sessions / clients, "each", 1.0),
                Figure("the bridge's memory at its peak", bridge.peak_memory() / 1e6, "MB", MEMORY_GOAL),
                Figure("the bridge's processor time", bridge.processor_seconds(), "s"),
            ]
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for board in boards:
            board.require_running()
        return figures


def main() -> int:
    options = arguments(__doc__ or "")
    small = options.rounds < FEW_ROUNDS
    headers, clients, devices, blocks = (300, 4, 1, 2) if small else (HEADERS, CLIENTS, DEVICES, BLOCKS)
    try:
        find_micropython()
    except MicroPythonNotFound as error:
        print(f"bench_fleet: {error}", file=sys.stderr)
        devices = 0
    try:
        with RegtestNode() as node, tempfile.TemporaryDirectory(prefix="lightclient-") as folder:
            # blocks mined at once take times ahead of the clock, six a second: begin in the past
            node.rpc("setmocktime", int(time.time()) - 3 * 3600)
            while (left := headers - node.rpc("getblockcount")) > 0:
                node.mine(min(left, 1_000))
            node.rpc("setmocktime", 0)
            node.mine(11)  # as many as the median-time-past looks at
            figures = asyncio.run(measured(node, Path(folder), clients, devices, blocks))
    except NodeUnavailable as error:
        sys.exit(f"bench_fleet: {error}")
    report("fleet", figures, options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
