"""Device and bridge joined in memory, on chains that are mined here: deep reorgs, equal work, forks, dead ends."""

import pytest
from joined_pair import Pair, make_client
from mining import Miner
from payments_on_chain import SCRIPT, block_with

from host_bridge.sessions.archive import ArchiveChain
from host_bridge.sessions.session import BridgeSession, FoundPayment
from lightclient.client import Client
from lightclient.headers.chain import BRANCH, REFETCH
from lightclient.messages import EVENT_CONFIRMED, EVENT_PAYMENT_SEEN, EVENT_TAKEN_BACK, HELLO, STATE_READY
from lightclient.params import REGTEST
from lightclient.session import PAUSE, QUIET_TIMEOUT
from lightclient.spv.payment import PaymentRequest

TRUNK = 300
BASE = Miner(REGTEST)
HEAD = REGTEST.genesis_header + bytes(BASE.batch(TRUNK))


def paired(headers: bytes, client: Client | None = None) -> tuple[Pair, ArchiveChain]:
    archive = ArchiveChain("regtest", headers, 0)
    return Pair(client or make_client(), BridgeSession(archive, "test")), archive


def same_tip(pair: Pair, archive: ArchiveChain) -> bool:
    return pair.client.chain.state.block_hash == archive.block_hash(archive.best_height)


@pytest.mark.parametrize("depth", [1, 2, 5, 33, 64, 65, 95, 96, 97, 130, 180])
def test_a_reorg_of_any_depth_in_the_window(depth: int) -> None:
    pair, archive = paired(HEAD + bytes(BASE.fork().batch(depth, salt=1)))
    pair.run()
    archive.replace(TRUNK, bytes(BASE.fork().batch(depth + 3, salt=2)))
    pair.session.announce()
    pair.run()
    assert same_tip(pair, archive) and pair.client.state == STATE_READY


@pytest.mark.parametrize("depth", [1, 50, 120])
def test_a_bridge_whose_branch_has_no_more_work_is_heard_once(depth: int) -> None:
    pair, archive = paired(HEAD + bytes(BASE.fork().batch(depth, salt=1)))
    pair.run()
    own = pair.client.chain.state.block_hash
    branch = BASE.fork()
    archive.replace(TRUNK, bytes(branch.batch(depth, salt=2)))
    pair.session.announce()
    pair.run(2000)
    assert pair.client.chain.state.block_hash == own and pair.client.state == STATE_READY
    # a bridge that comes back with it is heard again, and when it has more work it wins
    pair.client.end_session()
    pair.now_ms += PAUSE
    pair.run(2000)
    assert pair.client.chain.state.block_hash == own
    archive.replace(archive.last_height, bytes(branch.batch(1, salt=3)))
    pair.session.announce()
    pair.run(2000)
    assert same_tip(pair, archive)


def test_a_bridge_that_is_behind_is_caught_up_with_by_nothing() -> None:
    pair, _ = paired(HEAD)
    pair.run()
    behind = BridgeSession(ArchiveChain("regtest", HEAD[: 80 * 280], 0), "test")
    pair.session = behind
    pair.client.end_session()
    pair.now_ms += PAUSE
    pair.run(2000)
    assert pair.client.chain.tip_height == TRUNK and pair.client.state == STATE_READY


def test_a_bridge_with_nothing_in_common_is_asked_once_in_a_pause() -> None:
    client = make_client()
    pair, _ = paired(HEAD + bytes(BASE.fork().batch(300, salt=1)), client)
    pair.run()
    other = Miner(REGTEST)
    pair.session = BridgeSession(
        ArchiveChain("regtest", REGTEST.genesis_header + bytes(other.batch(700, salt=9)), 0), "test"
    )
    client.end_session()
    hellos = 0
    for _ in range(20):
        pair.now_ms += PAUSE // 2
        before = len(pair.reports)
        pair.run(50)
        hellos += sum(kind == HELLO for kind, _ in pair.reports[before:])
    assert 5 <= hellos <= 11
    assert any("ReorgTooDeep" in event[5] for event in pair.events)


def test_a_payment_below_a_fork_survives_a_reorg_in_two_passes() -> None:
    """The bridge guesses the fork too low; what lies between is in both chains, and is not taken back."""
    miner = BASE.fork()
    block = block_with(miner)
    between = bytes(block.header) + bytes(miner.batch(20))
    fork = miner.state.height
    pair, archive = paired(HEAD + between + bytes(miner.fork().batch(100, salt=1)))
    archive.add_payment(SCRIPT, FoundPayment(block.height, block.block_hash, block.txid, block.proof))
    pair.client.wait_for(PaymentRequest(1, SCRIPT, 1, 200))
    pair.run()
    archive.replace(fork, bytes(miner.fork().batch(110, salt=2)))
    pair.session.announce()
    pair.run()
    assert same_tip(pair, archive)
    assert pair.kinds(EVENT_TAKEN_BACK) == []
    assert pair.kinds(EVENT_PAYMENT_SEEN)[-1] == (EVENT_PAYMENT_SEEN, 1, archive.best_height - block.height + 1)


def test_a_payment_comes_back_with_its_block() -> None:
    """The device goes back to the fork for a branch that is never sent again; the bridge has the old chain still."""
    miner = BASE.fork()
    block = block_with(miner)
    old = bytes(block.header) + bytes(miner.batch(100, salt=1))
    pair, archive = paired(HEAD + old)
    archive.add_payment(SCRIPT, FoundPayment(block.height, block.block_hash, block.txid, block.proof))
    pair.client.wait_for(PaymentRequest(1, SCRIPT, 1, 120))
    pair.run()
    liar = BASE.fork()
    branch = bytes(liar.batch(104, salt=2))
    chain = pair.client.chain
    now = liar.state.time
    assert chain.accept(bytearray(branch[:7600]), 0, 95, TRUNK, BASE.state.block_hash, now) == BRANCH
    tail = bytearray(branch[7600:])
    assert chain.accept(tail, 0, 9, TRUNK + 95, bytes(tail[4:36]), now) == REFETCH
    pair.run()
    assert pair.kinds(EVENT_TAKEN_BACK) == [(EVENT_TAKEN_BACK, 1, 0)]
    for _ in range(3):  # the same bridge, with the same chain, is asked now and then
        pair.now_ms += QUIET_TIMEOUT + 1
        pair.run()
    assert same_tip(pair, archive) and pair.client.state != STATE_READY  # 104 blocks were promised
    assert pair.kinds(EVENT_CONFIRMED) == []
    archive.replace(archive.last_height, bytes(miner.batch(25, salt=1)))
    pair.session.announce()
    pair.run()
    assert pair.client.state == STATE_READY and same_tip(pair, archive)
    assert pair.kinds(EVENT_CONFIRMED) == [(EVENT_CONFIRMED, 1, 126)]
