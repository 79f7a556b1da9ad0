"""Containers with bytes changed, missing or added; and a proof that holds a transaction of a megabyte."""

from hashlib import sha256

from known_blocks import feed
from proof_cases import CHAIN_170, CHAIN_100000, proof_170, proof_100000, verify
from support import IS_MICROPYTHON, heap_used

from lightclient.errors import BadProofOfWork, LightClientError
from lightclient.hashes import hash256
from lightclient.headers.target import bits_to_target, check_proof_of_work
from lightclient.params import MAINNET, REGTEST
from lightclient.spv.coinbase import height_script
from lightclient.spv.container import encode_proof
from lightclient.spv.proof import ACCEPTED, ProofVerifier


def is_refused(container, chain):
    """Refused as it should be; any other exception goes through."""
    try:
        verify(container, MAINNET, chain)
    except LightClientError as error:
        assert type(error) is not LightClientError
        assert "\n" not in str(error) and 0 < len(str(error)) <= 110, str(error)
        return True
    return False


def proofs():
    """None has witness, so every byte counts."""
    return (proof_170(), CHAIN_170), (proof_170(0), CHAIN_170), (proof_100000(2), CHAIN_100000)


def places(container):
    """Each place on CPython; on a device the first 140 and then every seventh."""
    for i in range(len(container)):
        if not IS_MICROPYTHON or i < 140 or i % 7 == 0:
            yield i


def test_a_flipped_byte():
    for container, chain in proofs():
        data = bytearray(container)
        for i in places(container):
            for flip in (0x01, 0x80, 0xFF, 0x20):
                data[i] ^= flip
                assert is_refused(data, chain), (i, flip)
                data[i] ^= flip
        assert not is_refused(data, chain)


def test_a_missing_byte():
    for container, chain in proofs():
        for i in places(container):
            assert is_refused(container[:i] + container[i + 1 :], chain), i


def test_an_added_byte():
    for container, chain in proofs():
        for i in places(container):
            for added in (b"\x00", b"\xff", container[i : i + 1]):
                assert is_refused(container[:i] + added + container[i:], chain), i


def test_two_swapped_bytes():
    for container, chain in proofs():
        for i in places(container):
            if i and container[i - 1] != container[i]:
                swapped = container[: i - 1] + container[i : i + 1] + container[i - 1 : i] + container[i + 1 :]
                assert is_refused(swapped, chain), i


def test_every_cut():
    for container, chain in proofs():
        for i in places(container):
            assert is_refused(container[:i], chain), i


def test_text_and_noise():
    noise = sha256(b"noise").digest()
    for data in (b"", b"\n", b'{"network": "mainnet"}', b"\x7fELF", bytes(100), b"\xff" * 100, b"\xab" * 100, noise):
        assert is_refused(data, None)
    for _ in range(300):
        noise = sha256(noise).digest()
        assert is_refused(b"\xab\x00\x01\x01\x67mainnet\x02" + noise, None)
        assert is_refused(b"\xab\x00\x01" + noise, None)


def mined(merkle_root):
    """A regtest header."""
    header = bytearray(
        b"\x00\x00\x00\x20" + bytes(32) + merkle_root + b"\x00\x00\x00\x60" + b"\xff\xff\x7f\x20" + bytes(4)
    )
    target = bits_to_target(0x207FFFFF, REGTEST)
    for nonce in range(256):
        header[76] = nonce
        try:
            check_proof_of_work(hash256(header), target)
            return bytes(header)
        except BadProofOfWork:
            pass
    raise ValueError("no nonce")


def test_a_megabyte_through_512_bytes():
    """A proof of a transaction of 1,000,073 bytes on a device with 192 KB: what stands before and after it is small."""
    output = bytes(8) + b"\x06\x51" + b"\x00" * 5
    coinbase = (
        b"\x01\x00\x00\x00\x01" + bytes(32) + b"\xff" * 4 + b"\x03" + height_script(7) + b"\x00\x00" + b"\xff" * 4
    )
    coinbase += b"\x01" + output + bytes(4)
    start = b"\x01\x00\x00\x00\x01" + b"\x09" * 36 + b"\x00" + b"\xff" * 4 + b"\x02" + output
    start += (77).to_bytes(8, "little") + b"\xfe" + (1000000).to_bytes(4, "little")
    block = bytes(range(250)) * 2
    inner = sha256(start)
    for _ in range(2000):
        inner.update(block)
    inner.update(bytes(4))
    txid = sha256(inner.digest()).digest()
    coinbase_txid = hash256(coinbase)
    header = mined(hash256(coinbase_txid + txid))
    size = len(start) + 1000004
    # a container around an empty transaction, cut in two where it belongs
    empty = encode_proof("regtest", 7, header, txid, 1, 1, b"", coinbase_txid, coinbase, txid)
    cut = len(empty) - (3 + 32 + 3 + len(coinbase) + 3 + 32)
    before_it = empty[: cut - 1] + b"\x5a" + size.to_bytes(4, "big")
    after_it = bytes(4) + empty[cut:]

    verifier = ProofVerifier()
    used = heap_used()
    peak = used
    verifier.begin(REGTEST, None, output[9:])
    feed(verifier, before_it, 512)
    feed(verifier, start, 512)
    for i in range(2000):
        verifier.feed(block, 0, 500)
        if i % 32 == 0:
            peak = max(peak, heap_used())
    feed(verifier, after_it, 512)
    peak = max(peak, heap_used())
    verifier.close()
    assert verifier.stage == ACCEPTED
    assert verifier.txid == txid
    assert peak - used < 4096
    if IS_MICROPYTHON:
        print("proof of", verifier.position, "bytes: heap grew by", peak - used)
