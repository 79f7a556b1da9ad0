"""Another real node behind the same address: of another chain, of another network. Nothing of it is served."""

import asyncio
import secrets
import time
from contextlib import ExitStack

import pytest
from bridge_runs import best_hash, pay, wanted_payments
from bridge_scene import Scene
from fleet import pair_fleet, trusting
from regtest_node import NodeUnavailable, RegtestNode, rpcauth
from support import require

from lightclient.messages import EVENT_CONFIRMED, EVENT_PAYMENT_SEEN
from lightclient.spv.payment import PaymentRequest

BLOCKS = 2_016  # of the first node
PASSWORD = secrets.token_hex(16)


class SignetNode(RegtestNode):
    """It is not connected to anybody: all it has is the genesis block."""

    def __init__(self):
        super().__init__("-regtest=0", "-signet", rpcauth("bridge", PASSWORD))

    @property
    def cookie_file(self):
        return self.datadir / "signet" / ".cookie"


def old_enough(node):
    """Blocks of some hours ago: so many at once would be ahead of the time else."""
    node.rpc("setmocktime", int(time.time()) - 3 * 3600)
    node.make_wallet()


def take_the_place(new, old):
    """Stop `old`; `new` comes where it was."""
    old.stop()
    new.stop()
    new.port = old.port
    new.start()


def asked_for(client, one):
    client.client.wait_for(PaymentRequest(1, one.script_pubkey, one.amount, one.confirmations, 0))


# (a chain that is longer has as much more work on regtest, and is rightly followed)
@pytest.mark.parametrize("kind", ["shorter", "as long", "signet"])
def test_another_node_in_the_place_of_the_bridges_own(kind, tmp_path):
    with ExitStack() as stack:
        try:
            login = rpcauth("bridge", PASSWORD)
            ours = stack.enter_context(RegtestNode(login))
            theirs = stack.enter_context(SignetNode() if kind == "signet" else RegtestNode(login))
        except NodeUnavailable as error:
            require(False, str(error))
            raise
        old_enough(ours)
        ours.mine(BLOCKS - 121)
        ours.rpc("setmocktime", 0)
        ours.mine(1)
        (one,) = wanted_payments(ours, 1, (1,))
        if kind != "signet":
            old_enough(theirs)
            pay(theirs, one)
            theirs.mine(BLOCKS - 120 if kind == "as long" else 1_000)
        url = f"core://bridge:{PASSWORD}@127.0.0.1:{ours.port}/?network=regtest"
        scene = Scene(stack, tmp_path, url, ["good"])
        scene.start()
        (good,) = scene.good
        asked_for(good, one)

        async def main():
            async with scene.running():
                await scene.all_at(best_hash(ours))
                before, since = best_hash(ours), len(scene.bridge.now.lines)
                await asyncio.to_thread(take_the_place, theirs, ours)
                await scene.said(*("NodeLied", "is on signet") if kind == "signet" else ("not followed",), since=since)
                # one that comes now is served from the headers of the chain with the most work
                (late,) = pair_fleet(scene.devices, ["late"])
                asked_for(late, one)
                task = asyncio.create_task(late.run(scene.bridge.port, trusting(scene.bridge.certificate)))
                async with asyncio.timeout(30):
                    while late.height < BLOCKS:
                        await asyncio.sleep(0.05)
                await asyncio.sleep(5)  # for searches of the other node's blocks
                for client in (good, late):
                    assert client.client.chain.rules.state.block_hash == before
                    assert not any(event[0] in (EVENT_PAYMENT_SEEN, EVENT_CONFIRMED) for event in client.events)
                # ... and the node of old is back
                await asyncio.to_thread(take_the_place, ours, theirs)
                ours.rpc("loadwallet", "miner")
                txid = pay(ours, one)
                ours.mine(1)
                await scene.all_at(best_hash(ours))
                async with asyncio.timeout(30):
                    for client in (good, late):
                        while not any(event[0] == EVENT_CONFIRMED for event in client.events):
                            await asyncio.sleep(0.05)
                for name in ("good", "late"):
                    await scene.said('"event": "confirmed"', f'"device": "{name} ', since=since)
                assert {e["txid"] for e in scene.bridge.events if e.get("event") == "confirmed"} == {txid}
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

        asyncio.run(main())
        scene.end()
