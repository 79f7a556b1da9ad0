"""Blocks of one coinbase and one payment, mined into a chain, with the proof of the payment. Runs on both Pythons."""

from struct import pack, pack_into

from scripted_bridge import opened

from lightclient.hashes import hash256
from lightclient.headers.difficulty import expected_bits
from lightclient.headers.header import block_hash
from lightclient.headers.target import bits_to_target
from lightclient.messages import EVENT_CONFIRMED, VERDICT
from lightclient.spv.coinbase import height_script
from lightclient.spv.container import encode_proof

SCRIPT = b"\x00\x14" + b"\x42" * 20  # pay to this
OTHER_SCRIPT = b"\x00\x14" + b"\x43" * 20
AMOUNT = 50_000


def _transaction(prevout, input_script, script_pubkey, amount):
    return (
        pack("<iB", 2, 1)
        + prevout
        + bytes([len(input_script)])
        + input_script
        + pack("<IBQB", 0xFFFFFFFF, 1, amount, len(script_pubkey))
        + script_pubkey
        + pack("<I", 0)
    )


def coinbase(height, salt=0):
    script = height_script(height) + bytes([salt, 7])
    return _transaction(bytes(32) + b"\xff\xff\xff\xff", script, OTHER_SCRIPT, 5_000_000_000)


def payment(script_pubkey=SCRIPT, amount=AMOUNT, salt=0):
    return _transaction(bytes([salt]) * 32 + bytes(4), b"", script_pubkey, amount)


class Block:
    """`header` (80 bytes), `height`, `block_hash`, `txid` of the payment, `proof` of it (a container)."""

    def __init__(self, miner, transaction, step=600, salt=0):
        first = coinbase(miner.state.height + 1, salt)
        self.txid = hash256(transaction)
        self.coinbase_txid = hash256(first)
        self.height = miner.state.height + 1
        self.header = mine_root(miner, hash256(self.coinbase_txid + self.txid), step)
        self.block_hash = miner.state.block_hash
        self.proof = encode_proof(
            miner.network.name,
            self.height,
            self.header,
            self.txid,
            1,
            1,
            transaction,
            self.coinbase_txid,
            first,
            self.txid,
        )


def mine_root(miner, merkle_root, step=600):
    """The next header of `miner`, with this merkle_root."""
    state = miner.state
    time = state.time + step
    bits = expected_bits(miner.network, state, time)
    header = bytearray(80)
    pack_into("<i", header, 0, 4)
    header[4:36] = state.block_hash
    header[36:68] = merkle_root
    pack_into("<III", header, 68, time, bits, 0)
    target = bits_to_target(bits, miner.network)
    nonce = 0
    while int.from_bytes(block_hash(header, 0), "little") > target:
        nonce += 1
        pack_into("<I", header, 76, nonce)
    state.absorb(miner.network, header, 0, block_hash(header, 0))
    return bytes(header)


def block_with(miner, script_pubkey=SCRIPT, amount=AMOUNT, salt=0, step=600):
    """Mine a block with one payment at the tip of `miner`."""
    return Block(miner, payment(script_pubkey, amount, salt), step, salt)


def verdict(bridge):
    """The code of the last VERDICT heard, None when there was none."""
    found = bridge.take(VERDICT)
    return found[-1][1] if found else None


def confirmed(client, bridge):
    """Request ids of the payments confirmed so far, by what the program is told and by what the bridge hears."""
    told = [e[1] for e in client._events if e[0] == EVENT_CONFIRMED]
    assert told == [e[1] for e in bridge.kinds(EVENT_CONFIRMED)]
    return told


def paid(requests, headers=6):
    """A session with a payment in the tip, and a fork from before it."""
    client, bridge, miner = opened(headers, requests)
    fork = miner.fork()
    block = block_with(miner)
    bridge.block(block)
    bridge.heard = []
    return client, bridge, miner, block, fork
