"""A bridge process with good devices on it, for tests that put something bad beside them (CPython)."""

import asyncio
import secrets
import time
from contextlib import asynccontextmanager

from bridge_runs import BridgeRuns
from fleet import pair_fleet, trusting
from hostile_device import HostileDevice

from host_bridge.pairing.paired_devices import PairedDevices

MEMORY = 200e6  # bytes: of the bridge's process, whatever happens


class Scene:
    """A bridge on `url`, and `good` devices on it, while the block runs. What is bad is made with `hostile`."""

    def __init__(self, stack, folder, url, names):
        self.bridge = stack.enter_context(BridgeRuns(folder, url))
        self.devices = PairedDevices(self.bridge.state)
        self.good = pair_fleet(self.devices, names)

    def hostile(self, name):
        key = secrets.token_bytes(32)
        self.devices.add(name.encode(), key, name)
        return HostileDevice(name, key)

    def start(self):
        self.bridge.start()
        self.bridge.wait(lambda: any(e.get("event") == "index" for e in self.bridge.events))

    @asynccontextmanager
    async def running(self):
        context = trusting(self.bridge.certificate)
        tasks = [asyncio.create_task(one.run(self.bridge.port, context)) for one in self.good]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def all_at(self, block_hash, seconds=60):
        async with asyncio.timeout(seconds):
            while not all(one.is_ready and one.client.chain.rules.state.block_hash == block_hash for one in self.good):
                await asyncio.sleep(0.02)

    async def said(self, *words, seconds=60.0, since=0):
        """The first line of the log, from number `since` on, that has all these words."""
        end = time.monotonic() + seconds
        while True:
            lines = self.bridge.now.lines[since:]
            for line in lines:
                if all(word in line for word in words):
                    return line
            assert time.monotonic() < end, f"not said in {seconds:g} s: {words}, but:\n{''.join(lines[-20:])}"
            await asyncio.sleep(0.05)

    def end(self):
        assert self.bridge.peak_memory() < MEMORY, self.bridge.peak_memory()
        assert all(one.sessions == 1 for one in self.good), [one.sessions for one in self.good]
        self.bridge.stop()
