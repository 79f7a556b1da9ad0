"""Proofs built from blocks, merkleblocks and JSON, judged by the device's verifier."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from known_blocks import (
    BLOCK_170_TRANSACTIONS,
    BLOCK_170_TXIDS_HEX,
    BLOCK_100000_HEADER,
    BLOCK_100000_TRANSACTIONS,
    BLOCK_100000_TXIDS_HEX,
    branch_of,
)
from proof_cases import CHAIN_170, CHAIN_100000, expected_error, parts_of, proof_170, proof_100000
from support import cases, data_path

from host_bridge.payments.proofs import (
    CannotProve,
    UnreadableProof,
    network_of,
    proof_from_block,
    proof_from_json,
    proof_from_merkleblock,
    raw_or_hex,
    verify,
    verify_json,
)
from host_bridge.payments.raw_block import merkle_branch, parse_block
from lightclient.errors import (
    BadProofOfWork,
    DepthMismatch,
    HeaderNotInChain,
    HeightMismatch,
    IndexOutOfRange,
    LightClientError,
    LimitExceeded,
    MerkleRootMismatch,
    MissingCoinbaseProof,
    NotACoinbase,
    SixtyFourByteTransaction,
    TrailingData,
    TruncatedInput,
    TxidMismatch,
    WrongNetwork,
)
from lightclient.hashes import hash256, hash_from_hex, hash_to_hex
from lightclient.params import MAINNET, NETWORKS, TESTNET3
from lightclient.serialize import read_compact_size
from lightclient.spv.container import encode_proof

Case = dict[str, Any]

VALID = "proofs/proofs_valid_from_blocks.json"
MUTATED = "proofs/proofs_invalid_mutated.json"
ADVERSARIAL = "proofs/proofs_adversarial.json"
BLOCK_100000 = BLOCK_100000_HEADER + b"\x04" + b"".join(BLOCK_100000_TRANSACTIONS)


def json_100000(index: int = 3) -> Case:
    return {
        "network": "mainnet",
        "height": 100000,
        "block_header_hex": BLOCK_100000_HEADER.hex(),
        "tx_hex": BLOCK_100000_TRANSACTIONS[index].hex(),
        "txid": BLOCK_100000_TXIDS_HEX[index],
        "index": index,
        "merkle_branch": _display(branch_of(BLOCK_100000_TXIDS_HEX, index)),
        "coinbase_tx_hex": BLOCK_100000_TRANSACTIONS[0].hex(),
        "coinbase_merkle_branch": _display(branch_of(BLOCK_100000_TXIDS_HEX, 0)),
    }


def _display(branch: bytes) -> list[str]:
    return [hash_to_hex(branch[i : i + 32]) for i in range(0, len(branch), 32)]


def blocks() -> Iterator[tuple[Case, bytes]]:
    index = Path(data_path("blocks/index.json"))
    for entry in json.loads(index.read_text()):
        yield entry, Path(data_path(entry["file"])).read_bytes()


# --- the container ---


def test_cbor2_reads_and_writes_the_same() -> None:
    for container in (proof_170(), proof_170(0), proof_100000(2), encode_proof("x", 1 << 20, b"", b"", 0, 0, b"", b"")):
        value = cbor2.loads(container)
        assert list(value) == list(range(11 if value.get(9) else 9))
        assert cbor2.dumps(value, canonical=True) == container
    value = cbor2.loads(proof_170())
    assert (value[0], value[1], value[2], value[5], value[6]) == (1, "mainnet", 170, 1, 1)
    assert (value[7], value[9]) == (BLOCK_170_TRANSACTIONS[1], BLOCK_170_TRANSACTIONS[0])
    assert value[4] == hash_from_hex(BLOCK_170_TXIDS_HEX[1])


def test_other_maps_of_cbor2_are_refused() -> None:
    value = cbor2.loads(proof_170())
    for changed in (
        {**value, 11: b"path"},
        {**value, 12: 0},
        {k: v for k, v in value.items() if k != 10},
        dict(reversed(value.items())),
        {**value, 2: -1},
        {**value, 2: 170.0},
        {**value, 5: True},
        {**value, 1: b"mainnet"},
        {str(k): v for k, v in value.items()},
    ):
        with pytest.raises(LightClientError):
            verify(cbor2.dumps(changed), MAINNET)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_changed_container_is_refused(data: st.DataObject) -> None:
    container = bytearray(proof_100000(2))
    start = data.draw(st.integers(0, len(container)))
    end = data.draw(st.integers(start, min(len(container), start + 40)))
    put = data.draw(st.binary(max_size=40))
    if container[start:end] == put:
        return
    container[start:end] = put
    with pytest.raises(LightClientError) as caught:
        verify(bytes(container), MAINNET, CHAIN_100000)
    assert type(caught.value) is not LightClientError


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_noise_is_refused(noise: bytes) -> None:
    for head in (b"", b"\xab\x00\x01", proof_170()[:14], proof_170()[:141], proof_170()[:145]):
        with pytest.raises(LightClientError):
            verify(head + noise, MAINNET, CHAIN_170)


def test_network_of() -> None:
    assert network_of(proof_170()) is MAINNET
    assert network_of(json_100000()) is MAINNET
    with pytest.raises(WrongNetwork):
        network_of({"network": "litecoin\x1b[2J"})
    for bad in ({}, {"network": 5}, {"network": "\ud800"}, [], None, 7, "mainnet"):
        with pytest.raises(UnreadableProof):
            network_of(bad)
    for size in range(10):
        with pytest.raises(LightClientError):
            network_of(proof_170()[:size])


def test_example_of_the_documentation() -> None:
    text = (Path(__file__).parents[3] / "docs" / "PROOF.md").read_text()
    example = text.split("```text\n")[1].split("```")[0]
    assert bytes.fromhex("".join(line.split("#")[0] for line in example.splitlines())) == proof_170()


# --- JSON ---


def test_json_is_the_same_container() -> None:
    count = 0
    for name in (VALID, MUTATED):
        for case in cases(name):
            if case["coinbase_tx_hex"] is not None or name == VALID:
                assert proof_from_json(case) == b"".join(parts_of(case))
                count += 1
    assert count == 148
    assert proof_from_json(json_100000()) == proof_100000(3)


def test_valid_json() -> None:
    count = 0
    for case in cases(VALID):
        count += 1
        verifier = verify_json(case, network_of(case))
        assert hash_to_hex(verifier.txid) == case["txid"]
        stated = {k: v for k, v in case.items() if k not in ("txid", "block_hash", "coinbase_txid", "number_of_txs")}
        assert verify_json(stated, network_of(case)).txid == verifier.txid
        # with the witness left out it is the same transaction
        if case["tx_stripped_hex"]:
            assert verify_json({**case, "tx_hex": case["tx_stripped_hex"]}, network_of(case)).txid == verifier.txid
    assert count == 112


def genuine_coinbases() -> dict[tuple[str, int], tuple[str, list[str]]]:
    """From the blocks and from the valid proofs, which must agree."""
    found = {}
    for entry, block in blocks():
        transactions = parse_block(block)
        start, end, _ = transactions[0]
        branch = _display(merkle_branch([txid for _, _, txid in transactions], 0))
        found[(entry["network"], entry["height"])] = (block[start:end].hex(), branch)
    for case in cases(VALID):
        if case["coinbase_tx_hex"] is not None:
            proof = (case["coinbase_tx_hex"], case["coinbase_merkle_branch"])
            assert found.setdefault((case["network"], case["height"]), proof) == proof
    return found


@pytest.mark.parametrize("name", [MUTATED, ADVERSARIAL])
def test_bad_json(name: str) -> None:
    genuine = genuine_coinbases()
    count = 0
    for case in cases(name):
        count += 1
        with pytest.raises(expected_error(case, False)):
            verify_json(case, network_of(case))
        coinbase, branch = genuine[(case["network"], case["height"])]
        with pytest.raises(expected_error(case, True)):
            verify_json({**case, "coinbase_tx_hex": coinbase, "coinbase_merkle_branch": branch}, network_of(case))
    assert count == {MUTATED: 36, ADVERSARIAL: 19}[name]


def test_every_field_missing_or_mistyped() -> None:
    needed = {"network", "height", "block_header_hex", "tx_hex", "index", "merkle_branch", "coinbase_merkle_branch"}
    for key in json_100000():
        case = json_100000()
        del case[key]
        if key in needed:
            with pytest.raises(UnreadableProof, match=key):
                verify_json(case, MAINNET)
        elif key == "coinbase_tx_hex":
            with pytest.raises(MissingCoinbaseProof):
                verify_json(case, MAINNET)
        else:
            verify_json(case, MAINNET)
        for wrong in (1.5, True, {}, "zz", "\ud800", "abc", -1, [5], ["ab"], ["é" * 64], b""):
            if wrong in ("zz", "abc") and key == "network":
                continue  # text, but the name of no network
            with pytest.raises(UnreadableProof, match=key):
                verify_json({**json_100000(), key: wrong}, MAINNET)
    for entry in (None, [], "x", 5):
        with pytest.raises(UnreadableProof):
            verify_json(entry, MAINNET)


@pytest.mark.parametrize(
    ("error", "changes"),
    [
        (WrongNetwork, {"network": "signet"}),
        (BadProofOfWork, {"block_header_hex": BLOCK_100000_HEADER.hex()[:-2] + "11"}),
        (LimitExceeded, {"height": 1 << 30}),
        (LimitExceeded, {"height": 1 << 200}),
        (HeaderNotInChain, {"height": 100001}),
        (HeaderNotInChain, {"block_hash": "00" * 32}),
        (TxidMismatch, {"coinbase_txid": "00" * 32}),
        (TxidMismatch, {"txid": BLOCK_100000_TXIDS_HEX[2]}),
        (IndexOutOfRange, {"index": 7}),
        (IndexOutOfRange, {"index": 1 << 64}),
        (IndexOutOfRange, {"index": 1 << 200}),
        (MerkleRootMismatch, {"index": 2}),
        (DepthMismatch, {"merkle_branch": []}),
        (DepthMismatch, {"coinbase_merkle_branch": ["00" * 32] * 3}),
        (DepthMismatch, {"merkle_branch": ["00" * 32] * 70000}),
        (LimitExceeded, {"coinbase_merkle_branch": ["00" * 32] * 18}),
        (MissingCoinbaseProof, {"coinbase_tx_hex": None}),
        (NotACoinbase, {"coinbase_tx_hex": None, "index": 0}),
        (NotACoinbase, {"coinbase_tx_hex": BLOCK_100000_TRANSACTIONS[1].hex()}),
        (MerkleRootMismatch, {"coinbase_tx_hex": BLOCK_170_TRANSACTIONS[0].hex()}),
        (TruncatedInput, {"coinbase_tx_hex": ""}),
        (TruncatedInput, {"tx_hex": ""}),
        (TruncatedInput, {"tx_hex": "", "txid": None}),
        (TruncatedInput, {"tx_hex": BLOCK_100000_TRANSACTIONS[3].hex()[:-2]}),
        (TrailingData, {"tx_hex": BLOCK_100000_TRANSACTIONS[3].hex() + "00"}),
        (TrailingData, {"coinbase_tx_hex": BLOCK_100000_TRANSACTIONS[0].hex() + "00"}),
        (SixtyFourByteTransaction, {"tx_hex": "00" * 64}),
        (LimitExceeded, {"tx_hex": "00" * 4_000_001}),
    ],
)
def test_json_refused(error: type[LightClientError], changes: Case) -> None:
    case = {**json_100000(), **changes}
    if "network" not in changes:
        assert network_of(case) is MAINNET
    with pytest.raises(error) as caught:
        verify_json(case, MAINNET, CHAIN_100000)
    assert type(caught.value) is error
    assert "\n" not in str(caught.value)


def test_json_coinbase_itself() -> None:
    """null says so; a field left out is enough if the transaction shows it."""
    case = json_100000(0)
    branch = case.pop("coinbase_merkle_branch")
    del case["coinbase_tx_hex"]
    assert verify_json(case, MAINNET).index == 0
    assert verify_json({**case, "coinbase_tx_hex": None}, MAINNET).index == 0
    assert verify_json({**case, "coinbase_tx_hex": None, "coinbase_merkle_branch": branch}, MAINNET).index == 0
    assert verify_json({**case, "coinbase_tx_hex": None, "coinbase_merkle_branch": []}, MAINNET).index == 0
    # a second branch for the same transaction is not passed over
    for error, other in ((DepthMismatch, branch[:1]), (MerkleRootMismatch, branch[::-1])):
        with pytest.raises(error):
            verify_json({**case, "coinbase_tx_hex": None, "coinbase_merkle_branch": other}, MAINNET)
    # left out, and the transaction is none
    other_case = json_100000(3)
    del other_case["coinbase_tx_hex"]
    with pytest.raises(MissingCoinbaseProof):
        verify_json({**other_case, "index": 0}, MAINNET)
    with pytest.raises(MissingCoinbaseProof):
        verify_json({**case, "index": 1}, MAINNET)


# --- blocks ---


def test_block_100000() -> None:
    for index in range(4):
        txid = hash_from_hex(BLOCK_100000_TXIDS_HEX[index])
        assert proof_from_block(MAINNET, BLOCK_100000, txid, 100000) == proof_100000(index)
    with pytest.raises(CannotProve, match="not in block 000000000003ba27"):
        proof_from_block(MAINNET, BLOCK_100000, bytes(32), 100000)
    with pytest.raises(CannotProve, match="height"):  # its coinbase begins with the bits, which look like one
        proof_from_block(MAINNET, BLOCK_100000, txid)
    with pytest.raises(HeightMismatch):
        proof_from_block(TESTNET3, BLOCK_100000, txid, 100000)


def test_every_block_of_the_shared_data() -> None:
    told = 0
    for entry, block in blocks():
        network = NETWORKS[entry["network"]]
        transactions = parse_block(block)
        assert len(transactions) == entry["number_of_txs"]
        for index in {0, len(transactions) // 2, len(transactions) - 1}:
            txid = transactions[index][2]
            proof = proof_from_block(network, block, txid, entry["height"])
            assert verify(proof, network).index == index
            try:
                assert proof_from_block(network, block, txid) == proof
                told += 1
            except CannotProve:
                assert entry["height"] < network.bip34_height
        with pytest.raises(LightClientError):
            proof_from_block(network, block + b"\x00", txid, entry["height"])
    assert told > 20


def test_damaged_blocks() -> None:
    txid = hash_from_hex(BLOCK_100000_TXIDS_HEX[3])
    for size in range(0, len(BLOCK_100000), 5):
        with pytest.raises(TruncatedInput):
            proof_from_block(MAINNET, BLOCK_100000[:size], txid, 100000)
    for error, at in ((BadProofOfWork, 0), (BadProofOfWork, 76), (MerkleRootMismatch, 300), (CannotProve, 900)):
        block = bytearray(BLOCK_100000)
        block[at] ^= 1
        with pytest.raises(error):
            proof_from_block(MAINNET, bytes(block), txid, 100000)
    with pytest.raises(LimitExceeded):
        proof_from_block(MAINNET, BLOCK_100000_HEADER + b"\x00" + BLOCK_100000[81:], txid, 100000)
    with pytest.raises(LimitExceeded):
        proof_from_block(MAINNET, BLOCK_100000_HEADER + b"\xfe\xff\xff\xff\xff" + BLOCK_100000[81:], txid, 100000)


# --- merkleblocks ---


def merkleblock_of(block: bytes, matches: set[int]) -> bytes:
    """Core: CPartialMerkleTree::TraverseAndBuild."""
    row = [txid for _, _, txid in parse_block(block)]
    rows = [row]
    while len(row) > 1:
        row = [hash256(row[i] + row[min(i + 1, len(row) - 1)]) for i in range(0, len(row), 2)]
        rows.append(row)
    bits: list[int] = []
    hashes: list[bytes] = []

    def build(level: int, position: int) -> None:
        parent = any(index >> level == position for index in matches)
        bits.append(int(parent))
        if level == 0 or not parent:
            hashes.append(rows[level][position])
            return
        build(level - 1, 2 * position)
        if 2 * position + 1 < len(rows[level - 1]):
            build(level - 1, 2 * position + 1)

    build(len(rows) - 1, 0)
    flags = bytearray((len(bits) + 7) // 8)
    for i, bit in enumerate(bits):
        flags[i // 8] |= bit << i % 8
    assert len(hashes) < 0xFD and len(flags) < 0xFD
    count = len(rows[0]).to_bytes(4, "little")
    return block[:80] + count + bytes([len(hashes)]) + b"".join(hashes) + bytes([len(flags)]) + flags


def test_merkleblock_and_block_make_the_same_proof() -> None:
    for entry, block in blocks():
        network = NETWORKS[entry["network"]]
        transactions = parse_block(block)
        raw = [block[start:end] for start, end, _ in transactions]
        for index in {0, 1, 2 * len(raw) // 3, len(raw) - 1}:
            if index >= len(raw):
                continue
            merkleblock = merkleblock_of(block, {0, index})
            proof = proof_from_block(network, block, transactions[index][2], entry["height"])
            assert proof_from_merkleblock(network, merkleblock, raw[index], raw[0], entry["height"]) == proof
            if index == 0:
                assert proof_from_merkleblock(network, merkleblock, raw[0], None, entry["height"]) == proof


def test_merkleblock_that_lacks_something() -> None:
    raw = BLOCK_100000_TRANSACTIONS
    both = merkleblock_of(BLOCK_100000, {0, 3})
    for error, merkleblock, transaction, coinbase in (
        (CannotProve, both, raw[3], None),
        (MissingCoinbaseProof, merkleblock_of(BLOCK_100000, {3}), raw[3], raw[0]),
        (CannotProve, merkleblock_of(BLOCK_100000, {0}), raw[3], raw[0]),
        (CannotProve, both, raw[2], raw[0]),
        (TxidMismatch, both, raw[3], BLOCK_170_TRANSACTIONS[0]),
        (TxidMismatch, both, raw[3], raw[3]),
        (TruncatedInput, both, raw[3][:-1], raw[0]),
        (TruncatedInput, both[:-1], raw[3], raw[0]),
        (TrailingData, both + b"\x00", raw[3], raw[0]),
    ):
        with pytest.raises(error):
            proof_from_merkleblock(MAINNET, merkleblock, transaction, coinbase, 100000)
    assert proof_from_merkleblock(MAINNET, both, raw[3], raw[0], 100000) == proof_100000(3)


def test_raw_or_hex() -> None:
    for data in (b"abcd\n", b"  ABCD", b"\xab\xcd"):
        assert raw_or_hex(data) == b"\xab\xcd"
    assert raw_or_hex(BLOCK_100000) == BLOCK_100000
    assert raw_or_hex(b"") == b""


def test_input_is_left_as_it_is() -> None:
    case = json_100000()
    before = copy.deepcopy(case)
    verify_json(case, MAINNET)
    assert case == before
    assert read_compact_size(BLOCK_100000, 80, len(BLOCK_100000)) == 4
