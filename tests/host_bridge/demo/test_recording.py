import io
import statistics
import zlib
from pathlib import Path

import cbor2
import pytest
from embit.transaction import Transaction
from record_regtest import record
from regtest_node import NodeUnavailable, RegtestNode, RpcError
from support import require

from host_bridge.demo.recording import BadRecording, Recording
from lightclient.hashes import hash256
from lightclient.limits import EPOCH, HEADER_SIZE
from lightclient.params import REGTEST
from lightclient.serialize import compact_size_length, read_compact_size, read_uint32_le

KINDS = {"p2pkh": (25, b"\x76\xa9\x14"), "p2wpkh": (22, b"\x00\x14"), "p2tr": (34, b"\x51\x20")}


@pytest.fixture(scope="module")
def recording() -> Recording:
    return Recording.load_default()


def transactions_of(raw: bytes) -> list[Transaction]:
    """Every transaction of a raw block, read by embit; checks that the block's Merkle root is theirs."""
    count = read_compact_size(raw, HEADER_SIZE, len(raw))
    stream = io.BytesIO(raw[HEADER_SIZE + compact_size_length(raw[HEADER_SIZE]) :])
    transactions = [Transaction.read_from(stream) for _ in range(count)]
    assert stream.read(1) == b""
    row = [bytes(reversed(t.txid())) for t in transactions]
    while len(row) > 1:
        if len(row) % 2:
            row.append(row[-1])
        row = [hash256(row[i] + row[i + 1]) for i in range(0, len(row), 2)]
    assert row[0] == raw[36:68]
    return transactions


def check(recording: Recording) -> None:
    """What holds for every recording, whatever its size."""
    assert recording.network == "regtest"
    assert recording.header(0) == REGTEST.genesis_header
    times = []
    for height in range(1, recording.tip_height + 1):
        header = recording.header(height)
        assert header[4:36] == hash256(recording.header(height - 1)), height
        times.append(read_uint32_le(header, 68))
    assert len(times) == recording.tip_height
    # Natural times: ten minutes apart, each above the median of the eleven before, the last at the recording's end.
    assert 450 < (times[-1] - times[0]) / (len(times) - 1) < 750
    for i in range(11, len(times)):
        assert times[i] > statistics.median(times[i - 11 : i]), i
    assert 0 <= recording.recorded_at - times[-1] < 7200

    assert len(recording.stale_headers) == 2 * HEADER_SIZE
    assert recording.stale_headers[4:36] == hash256(recording.header(recording.fork_height))
    assert recording.stale_headers[84:116] == hash256(recording.stale_headers[:80])
    assert len(recording.stale_chain()) == (recording.fork_height + 3) * HEADER_SIZE
    assert recording.stale_headers[:80] != recording.header(recording.fork_height + 1)

    assert [p.kind for p in recording.payments] == list(KINDS)
    assert len({p.amount for p in recording.payments}) == len(KINDS)
    for payment in recording.payments:
        length, start = KINDS[payment.kind]
        assert len(payment.script_pubkey) == length
        assert payment.script_pubkey.startswith(start)
        assert hash256(recording.header(payment.height)) == payment.block_hash
        for block_hash in {payment.block_hash, payment.stale_block_hash} - {None}:
            assert block_hash is not None
            raw = recording.blocks[block_hash]
            assert hash256(raw[:HEADER_SIZE]) == block_hash
            found = [t for t in transactions_of(raw) if bytes(reversed(t.txid())) == payment.txid]
            assert len(found) == 1
            outputs = [(o.script_pubkey.data, o.value) for o in found[0].vout]
            assert outputs.count((payment.script_pubkey, payment.amount)) == 1
    moved = [p for p in recording.payments if p.stale_block_hash is not None]
    assert [p.kind for p in moved] == ["p2tr"]
    assert moved[0].stale_block_hash == hash256(recording.stale_headers[:HEADER_SIZE])
    assert moved[0].height == recording.fork_height + 2
    # Nothing is carried that no payment needs.
    assert len(recording.blocks) == len(recording.payments) + len(moved)


def test_the_recording_of_the_package(recording: Recording) -> None:
    check(recording)
    assert recording.tip_height + 1 >= 2100
    assert all(payment.height > EPOCH for payment in recording.payments)
    assert max(len(transactions_of(raw)) for raw in recording.blocks.values()) > 100
    assert len(recording.to_bytes()) < 150_000


def test_save_and_load(recording: Recording, tmp_path: Path) -> None:
    recording.save(tmp_path / "copy.lcrec")
    assert Recording.load(tmp_path / "copy.lcrec") == recording
    assert [p.name for p in tmp_path.iterdir()] == ["copy.lcrec"]


def test_the_tool_makes_a_recording_from_a_real_node() -> None:
    try:
        with RegtestNode() as node:
            made = record(node, headers=126, transactions=5)
            with pytest.raises(RpcError):
                node.rpc("getblockhash", 126)
            folder = node.datadir
            assert folder.exists()
    except NodeUnavailable as error:
        require(False, str(error))
        raise
    assert not folder.exists()
    check(made)
    assert made.tip_height == 125
    assert Recording.from_bytes(made.to_bytes()) == made
    assert max(len(transactions_of(raw)) for raw in made.blocks.values()) == 7


# --- files that are no recording ---


def changed(recording: Recording, **changes: object) -> bytes:
    return cbor2.dumps({**cbor2.loads(recording.to_bytes()), **changes})


def refused(data: bytes) -> str:
    with pytest.raises(BadRecording) as caught:
        Recording.from_bytes(data)
    text = str(caught.value)
    assert text and "\n" not in text
    return text


def test_not_a_recording(recording: Recording) -> None:
    good = recording.to_bytes()
    for data in (b"", b"hello, this is text\n", good[:-1], good[:1000], b"\x80", b"\xff" * 100, b"\x81" * 100_000):
        refused(data)
    assert "left over" in refused(good + b"\x00")
    assert "version" in refused(changed(recording, version=2))
    assert "lightclient" in refused(changed(recording, format="other"))
    assert "longer" in refused(bytes(9 << 20))


def test_fields_are_checked(recording: Recording) -> None:
    packed = zlib.decompress(cbor2.loads(recording.to_bytes())["headers"])
    payment = vars(recording.payments[0])
    for changes in (
        {"headers": b"no zlib"},
        {"headers": zlib.compress(packed[:-1])},
        {"headers": zlib.compress(packed[:-48])},
        {"headers": zlib.compress(b"")},
        {"headers": zlib.compress(packed) + b"x"},
        {"headers": zlib.compress(bytes(48 * 200_001))},
        {"tip_hash": bytes(32)},
        {"tip_hash": bytes(31)},
        {"network": None},
        {"recorded_at": -1},
        {"recorded_at": 1 << 32},
        {"recorded_at": True},
        {"fork_height": recording.tip_height + 1},
        {"fork_height": recording.fork_height - 1},
        {"stale": recording.stale_headers[:-1]},
        {"blocks": [b"short"]},
        {"blocks": 7},
        {"blocks": []},
        {"payments": [payment] * 1001},
        {"payments": [None]},
        {"payments": [{}]},
        {"payments": [{**payment, "height": payment["height"] + 1}]},
        {"payments": [{**payment, "amount": 21_000_000 * 100_000_000 + 1}]},
        {"payments": [{**payment, "script_pubkey": b""}]},
        {"payments": [{**payment, "stale_block_hash": bytes(32)}]},
    ):
        refused(changed(recording, **changes))
