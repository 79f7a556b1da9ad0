"""Forged proofs, made from a genuine block: what a liar could send. The demo shows that they are refused."""

from dataclasses import dataclass

from host_bridge.payments.raw_block import list_outputs, merkle_branch, parse_block, walk_transaction
from lightclient.hashes import hash256
from lightclient.headers.header import read_bits
from lightclient.headers.target import bits_to_target
from lightclient.limits import HEADER_SIZE
from lightclient.params import Network
from lightclient.spv.container import encode_proof

_TRIES = 1000  # nonces: enough for regtest, nothing for any other network


@dataclass(frozen=True)
class Forgery:
    """A story for people, and the container that tells it to the device."""

    story: str
    proof: bytes


def forge(network: Network, height: int, block: bytes, txid: bytes, script_pubkey: bytes) -> list[Forgery]:
    """Proofs that pretend to pay `script_pubkey` with transaction `txid` of a genuine block."""
    header = block[:HEADER_SIZE]
    places = parse_block(block)
    transactions = [block[start:end] for start, end, _ in places]
    row = [found for _, _, found in places]
    index = row.index(txid)
    depth = len(merkle_branch(row, 0)) // 32
    coinbase = (transactions[0], merkle_branch(row, 0))
    branch = merkle_branch(row, index)
    edited = _pay_instead(transactions[index], script_pubkey)
    edited_txid = walk_transaction(edited).txid
    forgeries = [
        Forgery(
            "a real transaction of this block, edited to pay this invoice",
            encode_proof(network.name, height, header, edited_txid, index, depth, edited, branch, *coinbase),
        ),
        Forgery(
            "the same, in a block made up for it",
            encode_proof(
                network.name,
                height,
                _invented_header(network, header, hash256(row[0] + edited_txid)),
                edited_txid,
                1,
                1,
                edited,
                row[0],
                transactions[0],
                edited_txid,
            ),
        ),
        Forgery(
            "a real payment to somebody else",
            encode_proof(
                network.name,
                height,
                header,
                txid,
                index,
                depth,
                transactions[index],
                merkle_branch(row, index),
                *coinbase,
            ),
        ),
    ]
    if depth >= 2:
        inner = row[0] + row[1]  # two txids side by side: 64 bytes that hash to an inner node
        above = [hash256(row[i] + row[min(i + 1, len(row) - 1)]) for i in range(0, len(row), 2)]
        forgeries.append(
            Forgery(
                "an inner node of the Merkle tree dressed up as a transaction (CVE-2017-12842)",
                encode_proof(
                    network.name, height, header, hash256(inner), 0, depth, inner, merkle_branch(above, 0), *coinbase
                ),
            )
        )
    return forgeries


def _pay_instead(transaction: bytes, script_pubkey: bytes) -> bytes:
    """The transaction with the script of its largest output replaced."""
    output = max(list_outputs(transaction), key=lambda o: o.amount)
    changed = transaction[output.start : output.start + 8] + bytes([len(script_pubkey)]) + script_pubkey
    return transaction[: output.start] + changed + transaction[output.end :]


def _invented_header(network: Network, header: bytes, merkle_root: bytes) -> bytes:
    """The header with another merkle_root, mined as far as anyone can on this computer."""
    target = bits_to_target(read_bits(header, 0), network)
    for nonce in range(_TRIES):
        invented = header[:36] + merkle_root + header[68:76] + nonce.to_bytes(4, "little")
        if int.from_bytes(hash256(invented), "little") <= target:
            break
    return invented
