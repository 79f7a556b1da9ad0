"""Which proofs the bridge sends: every payment of a block gets its own verdict, and none is sent twice for nothing."""

import pytest
from joined_pair import Pair, make_client
from mining import Miner
from payments_on_chain import AMOUNT, SCRIPT, block_with, coinbase, mine_root, payment

from host_bridge.payments.proofs import proof_from_block
from host_bridge.sessions.archive import ArchiveChain
from host_bridge.sessions.session import BridgeSession, FoundPayment
from lightclient.errors import AmountTooLow
from lightclient.hashes import hash256
from lightclient.messages import EVENT_CONFIRMED, GONE, PROOF, STATE_READY, VERDICT
from lightclient.params import REGTEST
from lightclient.session import PAUSE
from lightclient.spv.payment import PaymentRequest


def sent_by(session: BridgeSession) -> list[tuple[int, tuple[object, ...]]]:
    """A list that every message of the bridge is added to."""
    sent: list[tuple[int, tuple[object, ...]]] = []
    send = session.endpoint.send

    def noted(kind: int, values: tuple[object, ...]) -> None:
        sent.append((kind, values))
        send(kind, values)  # type: ignore[arg-type]

    session.endpoint.send = noted  # type: ignore[assignment, method-assign]
    return sent


@pytest.mark.parametrize("dust_first", [True, False])
def test_dust_in_the_same_block_hides_no_payment(dust_first: bool) -> None:
    miner = Miner(REGTEST)
    headers = REGTEST.genesis_header + bytes(miner.batch(3))
    dust, good = payment(amount=1, salt=1), payment(amount=AMOUNT, salt=2)
    raw = [coinbase(4), *((dust, good) if dust_first else (good, dust))]
    row = [hash256(transaction) for transaction in raw]
    root = hash256(hash256(row[0] + row[1]) + hash256(row[2] + row[2]))
    header = mine_root(miner, root)
    block = header + bytes([len(raw)]) + b"".join(raw)
    archive = ArchiveChain("regtest", headers + header + bytes(miner.batch(2)), 0)
    for txid in row[1:]:
        proof = proof_from_block(REGTEST, block, txid)
        archive.add_payment(SCRIPT, FoundPayment(4, hash256(header), txid, proof))
    client = make_client()
    client.wait_for(PaymentRequest(1, SCRIPT, AMOUNT, 3))
    pair = Pair(client, BridgeSession(archive, "test"))
    pair.run()
    assert pair.kinds(EVENT_CONFIRMED) == [(EVENT_CONFIRMED, 1, 3)]
    (paid,) = [event[2] for event in pair.events if event[0] == EVENT_CONFIRMED]
    assert paid == hash256(good)
    if dust_first:
        codes = [values[1] for kind, values in pair.reports if kind == VERDICT]
        assert codes == [AmountTooLow.code, 0]


def reorganised() -> tuple[Pair, list[tuple[int, tuple[object, ...]]]]:
    """A payment proved in one block, and then moved by a reorg to another."""
    miner = Miner(REGTEST)
    headers = REGTEST.genesis_header + bytes(miner.batch(5))
    fork = miner.fork()
    old = block_with(miner)
    new = block_with(fork, salt=0, step=700)
    archive = ArchiveChain("regtest", headers + old.header + bytes(miner.batch(2)), 0)
    for block in (old, new):
        archive.add_payment(SCRIPT, FoundPayment(block.height, block.block_hash, block.txid, block.proof))
    client = make_client()
    client.wait_for(PaymentRequest(1, SCRIPT, AMOUNT, 6))
    session = BridgeSession(archive, "test")
    sent = sent_by(session)
    pair = Pair(client, session)
    pair.run()
    archive.replace(5, new.header + bytes(fork.batch(5)))
    session.announce()
    pair.run()
    return pair, sent


def test_after_a_reorg_each_proof_has_been_sent_once_and_gone_names_the_old_one() -> None:
    pair, sent = reorganised()
    assert pair.client.state == STATE_READY
    assert pair.kinds(EVENT_CONFIRMED) == [(EVENT_CONFIRMED, 1, 6)]
    proofs = [values[1] for kind, values in sent if kind == PROOF]
    assert len(proofs) == 2
    assert [values for kind, values in sent if kind == GONE] == [(1, proofs[0])]
    assert [values[1] for kind, values in pair.reports if kind == VERDICT] == [0, 0]  # none came before its header


def test_a_new_session_knows_nothing_of_the_heights_of_the_one_before() -> None:
    pair, _ = reorganised()
    assert pair.session.device_height == pair.client.chain.tip_height
    pair.client.end_session()
    pair.now_ms += PAUSE
    pair.client.tick(pair.now_ms)
    pair.session.receive(pair.client.next_output())  # HELLO
    assert pair.session.device_height == -1
    pair.run()
    assert pair.session.device_height == pair.client.chain.tip_height


def test_a_request_that_was_replaced_while_its_proof_came_is_proved_anew() -> None:
    miner = Miner(REGTEST)
    headers = REGTEST.genesis_header + bytes(miner.batch(5))
    block = block_with(miner)
    archive = ArchiveChain("regtest", headers + block.header, 0)
    archive.add_payment(SCRIPT, FoundPayment(block.height, block.block_hash, block.txid, block.proof))
    client = make_client()
    client.wait_for(PaymentRequest(1, SCRIPT, AMOUNT, 1, 0))
    session = BridgeSession(archive, "test")
    sent = sent_by(session)
    pair = Pair(client, session)
    begin = client.book.begin_proof

    def begin_and_replace(request_id: int, proof_id: int, size: int) -> None:
        begin(request_id, proof_id, size)
        client.book.begin_proof = begin  # type: ignore[method-assign]
        client.wait_for(PaymentRequest(1, SCRIPT, AMOUNT, 1, 0))

    client.book.begin_proof = begin_and_replace  # type: ignore[method-assign]
    pair.run()
    assert pair.kinds(EVENT_CONFIRMED) == [(EVENT_CONFIRMED, 1, 1)]
    assert [kind for kind, _ in sent].count(PROOF) == 2
