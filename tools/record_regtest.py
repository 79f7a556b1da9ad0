"""record_regtest.py OUT.lcrec: record a regtest chain from a real node, for `lightclient demo`.

The format is that of host_bridge/demo/recording.py. The node mines about 2,130 blocks at natural times, and a
wallet pays a shop three times: to a P2PKH address, to a P2WPKH address in a block of over 100
transactions, and to a P2TR address in a block that a reorg of depth 2 throws away, after which the
payment is mined again on the other branch.
Keys are the node's own and are thrown away with it, so two recordings are never alike.
"""

import random
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from regtest_node import NodeUnavailable, RegtestNode

from host_bridge.demo.recording import RecordedPayment, Recording
from lightclient.hashes import hash_from_hex

RECORDED_AT = 1_790_856_000  # 2026-10-01 12:00 UTC: the end of the recording, whenever it is made
HEADERS = 2132  # heights 0 to 2131: over the epoch boundary at 2016, and room for the payments after it
TRANSACTIONS = 120  # payments to others in the large block
# Blocks from the tip downwards to: the P2PKH payment, the large block, the last block before the reorg.
P2PKH_DEPTH, LARGE_DEPTH, FORK_DEPTH = 16, 12, 8
STALE = 2  # blocks that the reorg throws away
MATURITY = 100  # a coinbase can be spent this many blocks later
SATOSHIS = 100_000_000
P2PKH_AMOUNT, P2WPKH_AMOUNT, P2TR_AMOUNT = 150_000, 42_000, 210_000


class Recorder:
    """Mines and pays on a node that is at genesis."""

    def __init__(self, node: RegtestNode, blocks: int) -> None:
        self.node = node
        self.random = random.Random("lightclient recording")
        # Ten minutes apart on average, as a Poisson process has it; and a miner's clock is some seconds off.
        gaps = [min(max(self.random.expovariate(1 / 600), 5), 5400) for _ in range(blocks)]
        now = RECORDED_AT - sum(gaps)
        self.clock: list[int] = []
        for gap in gaps:
            self.clock.append(int(now + self.random.gauss(0, 30)))
            now += gap
        self.clock.reverse()  # pop() takes the earliest
        # A wallet looks at no block that is older than itself.
        node.rpc("setmocktime", self.clock[-1] - 3600)
        for wallet in ("miner", "shop"):
            node.rpc("createwallet", wallet)
        self.miner: str = node.rpc("getnewaddress", "", "bech32", wallet="miner")

    def mine(self, count: int) -> None:
        for _ in range(count):
            self.node.rpc("setmocktime", self.clock.pop())
            self.node.rpc("generatetoaddress", 1, self.miner)

    def mine_empty(self) -> None:
        """A block that leaves the waiting transactions where they are."""
        self.node.rpc("setmocktime", self.clock.pop())
        self.node.rpc("generateblock", self.miner, [])

    def pay(self, address: str, satoshis: int) -> str:
        txid: str = self.node.rpc("sendtoaddress", address, f"{satoshis / SATOSHIS:.8f}", wallet="miner")
        return txid

    def pay_shop(self, address_type: str, satoshis: int) -> dict[str, Any]:
        address = self.node.rpc("getnewaddress", "", address_type, wallet="shop")
        script = self.node.rpc("getaddressinfo", address, wallet="shop")["scriptPubKey"]
        return {
            "address": address,
            "script_pubkey": bytes.fromhex(script),
            "amount": satoshis,
            "txid": hash_from_hex(self.pay(address, satoshis)),
        }

    def pay_others(self, count: int) -> None:
        for _ in range(count):
            address = self.node.rpc("getnewaddress", "", self.random.choice(("bech32", "bech32m")), wallet="miner")
            self.pay(address, self.random.randrange(10_000, 50_000_000))

    def header(self, block_hash_hex: str) -> bytes:
        return bytes.fromhex(self.node.rpc("getblockheader", block_hash_hex, False))

    def block(self, block_hash_hex: str) -> bytes:
        return bytes.fromhex(self.node.rpc("getblock", block_hash_hex, 0))

    def hash_at(self, height: int) -> str:
        block_hash_hex: str = self.node.rpc("getblockhash", height)
        return block_hash_hex


def record(node: RegtestNode, headers: int = HEADERS, transactions: int = TRANSACTIONS) -> Recording:
    """Make the chain of `headers` headers on `node` and read it back."""
    tip = headers - 1
    if tip - P2PKH_DEPTH <= MATURITY:
        raise ValueError(f"at least {MATURITY + P2PKH_DEPTH + 2} headers: before that no coin can be spent")
    fork_height = tip - FORK_DEPTH
    recorder = Recorder(node, tip + STALE)

    recorder.mine(tip - P2PKH_DEPTH - 1)
    p2pkh = recorder.pay_shop("legacy", P2PKH_AMOUNT)
    recorder.mine(P2PKH_DEPTH - LARGE_DEPTH)
    recorder.pay_others(transactions // 2)
    p2wpkh = recorder.pay_shop("bech32", P2WPKH_AMOUNT)
    recorder.pay_others(transactions - transactions // 2)
    recorder.mine(LARGE_DEPTH - FORK_DEPTH + 1)

    # The branch that loses: the payment in its first block, and one confirmation more.
    p2tr = recorder.pay_shop("bech32m", P2TR_AMOUNT)
    recorder.mine(STALE)
    stale_hashes = [recorder.hash_at(fork_height + 1 + i) for i in range(STALE)]
    stale_headers = b"".join(recorder.header(h) for h in stale_hashes)
    stale_block = recorder.block(stale_hashes[0])
    node.rpc("invalidateblock", stale_hashes[0])
    # The branch that wins has the payment in its second block.
    recorder.mine_empty()
    recorder.mine(FORK_DEPTH - 1)

    hashes = [recorder.hash_at(height) for height in range(headers)]
    recording = Recording(
        "regtest",
        RECORDED_AT,
        b"".join(recorder.header(h) for h in hashes),
        fork_height,
        stale_headers,
        {},
        [],
    )
    for kind, payment, height, stale_hash in (
        ("p2pkh", p2pkh, tip - P2PKH_DEPTH, None),
        ("p2wpkh", p2wpkh, tip - LARGE_DEPTH, None),
        ("p2tr", p2tr, fork_height + 2, hash_from_hex(stale_hashes[0])),
    ):
        block_hash = hash_from_hex(hashes[height])
        recording.blocks[block_hash] = recorder.block(hashes[height])
        recording.payments.append(
            RecordedPayment(kind=kind, height=height, block_hash=block_hash, stale_block_hash=stale_hash, **payment)
        )
    recording.blocks[hash_from_hex(stale_hashes[0])] = stale_block
    return recording


def main() -> None:
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit("usage: record_regtest.py OUT.lcrec")
    try:
        with RegtestNode() as node:
            recording = record(node)
    except NodeUnavailable as error:
        sys.exit(f"record_regtest: {error}")
    recording.save(sys.argv[1])
    print(f"{sys.argv[1]}: {Path(sys.argv[1]).stat().st_size} bytes, {recording.tip_height + 1} headers")


if __name__ == "__main__":
    main()
