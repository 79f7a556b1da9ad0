"""Proofs with a path: block 170 in the real chain, whose accumulator is that of the test vectors."""

from binascii import unhexlify

from accumulators import vectors
from known_blocks import BLOCK_170_HEADER
from proof_cases import OneHeaderChain, proof_170, verify
from support import heap_used, raises

from lightclient.errors import (
    HeaderNotInChain,
    LimitExceeded,
    MissingCoinbaseProof,
    NonCanonicalEncoding,
    PathMismatch,
    TrailingData,
    TruncatedInput,
)
from lightclient.headers.accumulator import Accumulator
from lightclient.params import MAINNET
from lightclient.spv.proof import ACCEPTED, STAGES, ProofVerifier

TIP_HEADER = bytes(80)


def accumulators():
    result = {}
    for state in vectors("mainnet", "states"):
        accumulator = Accumulator()
        peaks = unhexlify("".join(state["peaks"]))
        accumulator.restore(state["size"], peaks, unhexlify("".join(state["unfinished"])))
        result[state["size"]] = accumulator
    return result


ACCUMULATORS = accumulators()
PATHS = {(path["size"], path["height"]): unhexlify(path["path"]) for path in vectors("mainnet", "paths")}
PATH = PATHS[10237, 170]


def chain(size=10237, height=10236, header=TIP_HEADER):
    """A chain of so many blocks, whose window holds one header."""
    return OneHeaderChain(height, header, ACCUMULATORS[size])


def test_a_header_that_the_window_no_longer_has():
    for index in (0, 1):
        for piece in (0, 1, 7, 61):
            verifier = verify(proof_170(index, PATH), MAINNET, chain(), None, piece)
            assert verifier.anchored and verifier.anchor.needs_path and verifier.stage == ACCEPTED
            assert verifier.height == 170


def test_without_a_path_or_an_accumulator_it_is_not_in_the_chain():
    raises(HeaderNotInChain, verify, proof_170(), MAINNET, chain())
    raises(HeaderNotInChain, verify, proof_170(1, PATH), MAINNET, OneHeaderChain(10236, TIP_HEADER))
    # above the tip: refused before the transaction is looked at
    verifier = ProofVerifier()
    verifier.begin(MAINNET, chain(1, 0))
    container = proof_170(1, PATH)
    raises(HeaderNotInChain, verifier.feed, container, 0, len(container))
    assert STAGES[verifier.stage] == "chain"


def test_an_unanchored_proof_may_have_a_path_and_stays_unanchored():
    assert not verify(proof_170(1, PATH), MAINNET).anchored
    raises(PathMismatch, verify, proof_170(1, PATH[:-32]), MAINNET)


def test_false_paths():
    for bad in (
        PATHS[10237, 0],
        PATHS[10237, 8191],
        PATHS[8192, 170][:-32] + bytes(32),
        PATH[:-32],
        PATH + bytes(32),
        PATH[:-1],
        b"",
        PATH[:4],
        PATH[:50] + b"\0" + PATH[51:],
        bytes(4) + PATH[4:],
        b"\xff\xff\xff\xff" + PATH[4:],
    ):
        verifier = ProofVerifier()
        verifier.begin(MAINNET, chain())
        container = proof_170(1, bad)
        error = raises(PathMismatch, feed_and_close, verifier, container)
        assert error.height == 170 and STAGES[verifier.stage] == "path"
        assert not verifier.anchored


def feed_and_close(verifier, container):
    verifier.feed(container, 0, len(container))
    verifier.close()


def test_a_path_for_another_size():
    # made for 8,192 blocks; its peak stands at 10,237
    assert verify(proof_170(1, PATHS[8192, 170]), MAINNET, chain()).anchored
    # made for more blocks than the chain has
    error = raises(PathMismatch, verify, proof_170(1, PATH), MAINNET, chain(10000, 9999))
    assert "made for 10237" in str(error) and "has 10000" in str(error)
    # out of date: block 170 was in the unfinished leaf
    error = raises(PathMismatch, verify, proof_170(1, PATHS[171, 170]), MAINNET, chain())
    assert "make one for 10237" in str(error)
    assert verify(proof_170(1, PATHS[171, 170]), MAINNET, chain(171, 0)).anchored


def test_in_the_window_the_window_decides_and_a_false_path_is_still_refused():
    here = chain(10237, 170, BLOCK_170_HEADER)
    for path in (None, PATH, PATHS[8192, 170], PATHS[171, 170]):
        verifier = verify(proof_170(1, path), MAINNET, here)
        assert verifier.anchored and not verifier.anchor.needs_path
    # made for more blocks: not needed, so no harm
    assert verify(proof_170(1, PATH), MAINNET, chain(10000, 170, BLOCK_170_HEADER)).anchored
    raises(PathMismatch, verify, proof_170(1, PATH[:-32] + bytes(32)), MAINNET, here)
    raises(PathMismatch, verify, proof_170(1, PATH[:-32]), MAINNET, here)
    # without an accumulator only the form of a path can be looked at
    assert verify(proof_170(1, PATH[:-32] + bytes(32)), MAINNET, OneHeaderChain(170, BLOCK_170_HEADER)).anchored


def test_encoding():
    whole = proof_170(1, PATH)
    assert whole[0] == 0xAC and proof_170(0, PATH)[0] == 0xAA
    assert whole[1 : len(proof_170())] == proof_170()[1:]
    assert whole[len(proof_170()) :] == b"\x0b\x59" + len(PATH).to_bytes(2, "big") + PATH
    here = chain()
    for size in range(len(proof_170()) - 1, len(whole)):
        raises(TruncatedInput, verify, whole[:size], MAINNET, here)
    raises(TrailingData, verify, whole + b"\0", MAINNET, here)
    raises(MissingCoinbaseProof, verify, b"\xaa" + whole[1:], MAINNET, here)
    raises(LimitExceeded, verify, proof_170(1, bytes(4 + 35 * 32)), MAINNET, here)
    start = len(proof_170())
    raises(NonCanonicalEncoding, verify, whole[:start] + b"\x0c" + whole[start + 1 :], MAINNET, here)
    raises(NonCanonicalEncoding, verify, whole[:start] + b"\x0b\x78" + whole[start + 2 :], MAINNET, here)


def test_memory_does_not_grow_with_the_path():
    container = proof_170(1, PATH)
    verifier = ProofVerifier()
    verifier.begin(MAINNET, chain())
    start = len(proof_170()) + 8
    verifier.feed(container, 0, start + 32)
    used = heap_used()
    for at in range(start + 32, len(container) - 32, 32):
        verifier.feed(container, at, at + 32)
        assert heap_used() - used < 160
