"""A real node, `lightclient bridge`, devices on real MicroPython: payments confirmed, whatever happens in between."""

import os
import random
import threading
import time
from contextlib import ExitStack, contextmanager

import pytest
from bridge_runs import WALLET, BridgeRuns, best_hash, core_url, pay, reorg, wanted_payments
from electrum_server import ElectrumServer, ServerUnavailable
from esplora_server import EsploraServer
from faults import Faults
from real_boards import Board, needs_micropython
from regtest_node import NodeUnavailable, RegtestNode
from support import require
from unsteady_lines import Cable, Relay

from lightclient.hashes import hash_from_hex

HEADERS = 2_100
CHAOS_SECONDS = float(os.environ.get("CHAOS_SECONDS", "60"))


@pytest.fixture(scope="module")
def node():
    """A node of 2,100 headers, whose blocks these tests may throw away."""
    needs_micropython()
    with ExitStack() as stack:
        try:
            node = stack.enter_context(RegtestNode())
        except NodeUnavailable as error:
            require(False, str(error))
            raise
        # Blocks mined at once take times ahead of the clock, six a second. A device takes no clock from a bridge whose
        # clock is behind its tip's blocks, and acts on nothing then: so the chain begins three hours ago.
        node.rpc("setmocktime", int(time.time()) - 3 * 3600)
        node.make_wallet()
        node.mine(HEADERS - 120)
        node.rpc("setmocktime", 0)
        node.mine(11)  # as many as the median-time-past looks at
        yield node


@contextmanager
def cable(board, path):
    line = Cable(board.line, path)
    try:
        yield line
    finally:
        line.close()


@contextmanager
def relay(port):
    line = Relay(port)
    try:
        yield line
    finally:
        line.close()


def paid(board, wanted):
    return [board.paid(one.request_id) for one in wanted]


def test_three_kinds_of_payment_at_their_depths_and_a_reorg_of_three_blocks(node, tmp_path):
    names = ["cable", "wifi"]
    port = tmp_path / "ttyUSB"
    with ExitStack() as stack:
        bridge = stack.enter_context(BridgeRuns(tmp_path, core_url(node), "--serial", port))
        lists = [wanted_payments(node, 6, (2, 1, 3, 6, 1, 1)) for _ in names]
        dials = [None, (bridge.port, bridge.certificate.der)]
        boards = [
            stack.enter_context(Board(tmp_path, name, bridge.state, wanted, dial))
            for name, wanted, dial in zip(names, lists, dials, strict=True)
        ]
        stack.enter_context(cable(boards[0], port)).plug_in()
        bridge.boards = boards
        bridge.start()
        for board in boards:
            board.start()
        bridge.wait_for_tip(node, names)
        assert all(board.count("ready, tip ") == 1 for board in boards)

        txids = [[pay(node, one) for one in wanted[:3]] for wanted in lists]
        for depth in (1, 2, 3):
            node.mine(1)
            bridge.wait_for_tip(node, names)
            for name, board, wanted in zip(names, boards, lists, strict=True):
                due = [one for one in wanted[:3] if one.confirmations <= depth]
                bridge.wait(lambda n=name, d=due: len(bridge.of_device(n, "relay_off")) == len(d))
                assert paid(board, wanted[:3]) == [int(one in due) for one in wanted[:3]], (depth, board.shown)
        for name, paid_by in zip(names, txids, strict=True):
            bridge.wait(lambda n=name: len(bridge.of_device(n, "confirmed")) == 3)
            told = bridge.of_device(name, "confirmed")
            assert {e["request_id"]: (e["txid"], e["confirmations"]) for e in told} == {
                i + 1: (txid, depth) for i, (txid, depth) in enumerate(zip(paid_by, (2, 1, 3), strict=True))
            }

        # request 4 wants six confirmations, 5 has been acted on when its block goes
        for wanted in lists:
            for one in wanted[3:5]:
                pay(node, one)
        node.mine(3)
        for name, board in zip(names, boards, strict=True):
            bridge.wait(lambda n=name: bridge.of_device(n, "payment_seen", request_id=4, confirmations=3))
            bridge.wait(lambda b=board: b.paid(5) == 1)
        reorg(node, 3)
        for name in names:
            bridge.wait(lambda n=name: bridge.of_device(n, "taken_back", request_id=4))
            bridge.wait(lambda n=name: bridge.of_device(n, "taken_back", request_id=5))
        bridge.wait_for_tip(node, names)
        node.mine(2)
        for name, board in zip(names, boards, strict=True):
            bridge.wait(lambda b=board: b.paid(4) == 1)
            bridge.wait(lambda n=name: bridge.of_device(n, "confirmed", request_id=4))  # the device told it first
            (confirmed,) = bridge.of_device(name, "confirmed", request_id=4)
            assert confirmed["confirmations"] == 6
            # (no word of 5: it is not waited for any more)
            bridge.wait(lambda n=name: len(bridge.of_device(n, "relay_off")) == 5)
            assert len(bridge.of_device(name, "relay_on")) == 5
            assert paid(board, lists[0]) == [1, 1, 1, 1, 1, 0]
        bridge.wait_for_tip(node, names)
        bridge.stop()
        for board in boards:
            board.end()
            tip, acted = board.stored()
            assert tip == best_hash(node) and len(acted) == 5


@pytest.mark.parametrize("kind", ["electrum", "esplora"])
def test_through_other_servers(kind, node, tmp_path):
    with ExitStack() as stack:
        if kind == "electrum":
            try:
                server = stack.enter_context(ElectrumServer(node))
            except ServerUnavailable as error:
                require(False, str(error))
                raise
            url = f"electrums://127.0.0.1:{server.tls_port}/?certificate={server.certificate}"
        else:
            url = f"esplora+{stack.enter_context(EsploraServer(node)).url}"
        bridge = stack.enter_context(BridgeRuns(tmp_path, url))
        wanted = wanted_payments(node, 3)
        board = stack.enter_context(
            Board(tmp_path, "door", bridge.state, wanted, (bridge.port, bridge.certificate.der))
        )
        bridge.boards = [board]
        bridge.start()
        board.start()
        bridge.wait_for_tip(node, ["door"])
        txids = [pay(node, one) for one in wanted]
        node.mine(2)
        bridge.wait(lambda: paid(board, wanted) == [1, 1, 0])
        reorg(node, 1)
        bridge.wait(lambda: paid(board, wanted) == [1, 1, 1])
        bridge.wait(lambda: {e["txid"] for e in bridge.of_device("door", "confirmed")} == set(txids))
        bridge.wait_for_tip(node, ["door"])
        bridge.stop()


# --- everything at once ---


def test_a_minute_of_everything_that_can_happen(node, tmp_path):
    """Restarts of the node, bridges and devices killed, lines cut in the middle of frames, reorgs, and payments."""
    seed = os.environ.get("CHAOS_SEED") or str(time.time_ns())
    print(f"CHAOS_SEED={seed} CHAOS_SECONDS={CHAOS_SECONDS}")
    names = ["cable", "wifi-1", "wifi-2"]
    port = tmp_path / "ttyUSB"
    on_node = threading.Lock()  # one call at a time, and none while it starts
    with ExitStack() as stack:
        bridge = stack.enter_context(BridgeRuns(tmp_path, core_url(node), "--serial", port))
        lists = [wanted_payments(node, 8) for _ in names]
        relays = [stack.enter_context(relay(bridge.port)) for _ in names[1:]]
        dials = [None, *((one.port, bridge.certificate.der) for one in relays)]
        boards = [
            stack.enter_context(Board(tmp_path, name, bridge.state, wanted, dial))
            for name, wanted, dial in zip(names, lists, dials, strict=True)
        ]
        line = stack.enter_context(cable(boards[0], port))
        line.plug_in()
        bridge.boards = boards
        bridge.start()
        for board in boards:
            board.start()

        def restart_node(chance):
            with on_node:
                node.stop()
                time.sleep(chance.uniform(0, 2))
                node.start()  # with a new cookie
                node.rpc("loadwallet", WALLET)

        def kill_bridge(chance):
            bridge.kill()
            time.sleep(chance.uniform(0, 2))
            bridge.start()

        def kill_device(board):
            def kill(chance):
                board.kill()
                time.sleep(chance.uniform(0, 1))
                board.start()

            return kill

        def cut_cable(chance):
            if chance.random() < 0.5:
                line.cut(chance.randrange(2_000), chance.randrange(1, 500))
            else:
                line.pull_out(chance.randrange(2_000))
                time.sleep(chance.uniform(0, 1))
                line.plug_in()

        def cut_network(one):
            return lambda chance: one.cut(chance.randrange(3_000))

        to_pay = [(board, one) for board, wanted in zip(boards, lists, strict=True) for one in wanted]
        random.Random(seed).shuffle(to_pay)
        txids = {}

        def live(chance):
            with on_node:
                if to_pay and chance.random() < 0.8:
                    board, one = to_pay.pop()
                    txids[board.name, one.request_id] = pay(node, one)
                what = chance.random()
                if what < 0.7:
                    node.mine(chance.choice((1, 1, 2)))
                elif what < 0.85:
                    reorg(node, chance.randint(1, 3))

        faults = Faults(seed)
        try:
            faults.repeat("life", CHAOS_SECONDS / 40, live)
            faults.repeat("node restarted", 11, restart_node)
            faults.repeat("bridge killed", 9, kill_bridge)
            for board in boards:
                faults.repeat(f"{board.name} killed", 12, kill_device(board))
            faults.repeat("cable cut", 5, cut_cable)
            for one, name in zip(relays, names[1:], strict=True):
                faults.repeat(f"{name} cut", 5, cut_network(one))
            faults.ended.wait(CHAOS_SECONDS)
        finally:
            faults.end()
        line.mend()
        print(faults.done)
        assert not faults.errors, (seed, faults.errors)
        for board, one in to_pay:
            txids[board.name, one.request_id] = pay(node, one)
        while node.rpc("getmempoolinfo")["size"]:
            node.mine(1)
        node.mine(6)

        started = time.monotonic()
        bridge.wait_for_tip(node, names, 90)
        print(f"all on the tip after {time.monotonic() - started:.1f} s")
        for name, board, wanted in zip(names, boards, lists, strict=True):
            judge(seed, bridge, name, board, wanted, txids)
        bridge.stop()
        for name, board, wanted in zip(names, boards, lists, strict=True):
            board.end()
            tip, acted = board.stored()
            assert tip == best_hash(node), (seed, name)
            expected = sorted(hash_from_hex(txids[name, one.request_id])[: len(acted[0])] for one in wanted)
            assert sorted(acted) == expected, (seed, name)


def judge(seed, bridge, name, board, wanted, txids):
    """Each payment acted on, and none twice. (Which have been, the store says in the end.)"""
    about = (seed, name, board.shown[-30:])

    def told(one):
        """Shown; or cut short by a kill, and known as acted on when its proof came again."""
        txid = txids[name, one.request_id]
        return board.paid(one.request_id) or bridge.of_device(name, "refused", request_id=one.request_id, txid=txid)

    bridge.wait(lambda: all(told(one) for one in wanted), 30, f"{about}: every payment")
    for one in wanted:
        assert board.paid(one.request_id) <= 1, (about, one)
        assert len(bridge.of_device(name, "relay_on", request_id=one.request_id)) <= 1, (about, one)
        confirmed = bridge.of_device(name, "confirmed", request_id=one.request_id)
        assert len(confirmed) <= 1, (about, one)
        assert all(e["txid"] == txids[name, one.request_id] for e in confirmed), (about, one)
