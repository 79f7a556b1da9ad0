"""The shared proofs: 112 real ones, 36 mutated, 19 adversarial, those of summa; and summa's bad headers."""

import gc
from binascii import unhexlify

from known_blocks import feed
from proof_cases import expected_error, joined, parts_of, verify
from support import IS_MICROPYTHON, cases, heap_used, hex_field, raises

from lightclient.errors import (
    MerkleRootMismatch,
    MissingCoinbaseProof,
    NonCanonicalEncoding,
    TruncatedInput,
    TxidMismatch,
)
from lightclient.hashes import hash256, hash_from_hex, hash_to_hex
from lightclient.params import NETWORKS
from lightclient.spv.merkle import MerkleFold
from lightclient.spv.proof import ACCEPTED, ProofVerifier
from lightclient.spv.transaction import TransactionWalk


def test_valid():
    count = itself = 0
    for case in cases("proofs/proofs_valid_from_blocks.json"):
        container = parts_of(case)
        for piece in (0, 1, 61):
            proof = verify(container, NETWORKS[case["network"]], None, None, piece)
            assert proof.stage == ACCEPTED
            assert hash_to_hex(proof.txid) == case["txid"]
            assert hash_to_hex(proof.block_hash) == case["block_hash"]
            assert (proof.height, proof.index) == (case["height"], case["index"])
        count += 1
        if case["coinbase_tx_hex"] is None:
            itself += 1
    assert (count, itself) == (112, 14)


def genuine_coinbase(network, height):
    """(coinbase, its branch) of a valid proof of that block."""
    for case in cases("proofs/proofs_valid_from_blocks.json"):
        if case["network"] == network and case["height"] == height and case["coinbase_tx_hex"] is not None:
            return hex_field(case, "coinbase_tx_hex"), joined(case["coinbase_merkle_branch"])
    raise ValueError("no proof of that block has a coinbase")


def check_bad(case):
    network = NETWORKS[case["network"]]
    for piece in (0, 1):
        raises(expected_error(case, False), verify, parts_of(case), network, None, None, piece)
    if case.get("coinbase_tx_hex") is None:
        coinbase, branch = genuine_coinbase(case["network"], case["height"])
        raises(expected_error(case, True), verify, parts_of(case, coinbase, branch), network)
        return 1
    return 0


def test_mutated():
    count = without = 0
    for case in cases("proofs/proofs_invalid_mutated.json"):
        without += check_bad(case)
        count += 1
    assert (count, without) == (36, 0)


def test_adversarial():
    count = without = 0
    for case in cases("proofs/proofs_adversarial.json"):
        without += check_bad(case)
        count += 1
    assert (count, without) == (19, 11)


def test_summa_proofs():
    """They carry no coinbase, so none of them is a payment proof; what they have is judged part by part."""
    errors = {
        "summa-tx valid SPV proof": None,
        "Bad Vin": TruncatedInput,
        "Bad Vout": NonCanonicalEncoding,  # no outputs
        "Bad TxID": TxidMismatch,
        "Bad Header -- Merkle Proof": MerkleRootMismatch,
    }
    count = 0
    for case in cases("proofs/summa_bitcoin_spv.json", "spv_proofs"):
        raises(MissingCoinbaseProof, verify, parts_of(case), NETWORKS[case["network"]])
        expected = errors[case["why"]]
        if expected is None:
            judge_parts(case)
        else:
            raises(expected, judge_parts, case)
        count += 1
    assert count == 5


def judge_parts(case):
    walk = TransactionWalk()
    transaction = hex_field(case, "tx_hex")
    walk.begin(len(transaction))
    feed(walk, transaction)
    walk.close()
    if walk.txid != hash_from_hex(case["txid"]):
        raise TxidMismatch("")
    branch = joined(case["merkle_branch"])
    fold = MerkleFold()
    fold.start(walk.txid, case["index"], len(branch) // 32)
    for offset in range(0, len(branch), 32):
        fold.add(branch, offset)
    fold.finish(hex_field(case, "block_header_hex")[36:68])


def test_summa_headers():
    """Their claims about the 80 bytes are false; we make no such claims, we read the bytes."""
    count = 0
    for case in cases("proofs/summa_bitcoin_spv.json", "bad_headers"):
        claim = case["header"]
        raw = unhexlify(claim["raw"][2:])
        found = (hash256(raw), raw[4:36], raw[36:68])
        stated = tuple([unhexlify(claim[key][2:]) for key in ("hash", "prevhash", "merkle_root")])
        assert found != stated
        count += 1
    assert count == 3


def test_memory_does_not_grow_with_the_proof():
    """From 345 bytes to 8 KB, fed in pieces of 64."""
    verifier = ProofVerifier()
    piece = bytearray(64)
    worst = 0
    for case in cases("proofs/proofs_valid_from_blocks.json"):
        if case["index"] % 4:
            continue
        network = NETWORKS[case["network"]]
        container = parts_of(case)
        case = None  # noqa: PLW2901 - give its memory back before measuring
        gc.collect()
        before = heap_used()
        verifier.begin(network, None)
        for part in container:
            for start in range(0, len(part), 64):
                count = min(64, len(part) - start)
                piece[:count] = part[start : start + count]
                verifier.feed(piece, 0, count)
                if start % 1024 == 0:
                    worst = max(worst, heap_used() - before)
        verifier.close()
    assert worst < 1024
    if IS_MICROPYTHON:
        print("proofs: heap grew by", worst)
