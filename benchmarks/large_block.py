"""A block of thousands of transactions on a regtest node, made without a wallet: outputs that anyone may spend."""

from regtest_node import RegtestNode

from lightclient.hashes import hash256

ANYONE = b"\x51"  # OP_TRUE: valid in a block, though no node would relay it
PADDING = b"\x6a\x4d\x90\x01" + bytes(400)  # OP_RETURN: the size of an ordinary transaction
MATURITY = 100


def _transaction(txid: bytes, number: int, outputs: list[tuple[int, bytes]]) -> bytes:
    parts = [(2).to_bytes(4, "little"), b"\x01", txid, number.to_bytes(4, "little"), b"\x00\xff\xff\xff\xff"]
    count = len(outputs)
    parts.append(count.to_bytes(1) if count < 0xFD else b"\xfd" + count.to_bytes(2, "little"))
    for amount, script in outputs:
        length = len(script)
        size = length.to_bytes(1) if length < 0xFD else b"\xfd" + length.to_bytes(2, "little")
        parts += [amount.to_bytes(8, "little"), size, script]
    return b"".join([*parts, bytes(4)])


def mine_large_block(node: RegtestNode, transactions: int, scripts: list[bytes]) -> tuple[str, list[bytes]]:
    """A block of so many transactions beside the coinbase; transaction i pays `scripts[i % len(scripts)]`.

    Returns its hash as people see it, and the txids (internal order).
    """
    first = node.rpc("generatetodescriptor", 1, "raw(51)")[0]
    node.mine(MATURITY)
    coinbase = bytes.fromhex(node.rpc("getblock", first, 2)["tx"][0]["txid"])[::-1]
    fan = _transaction(coinbase, 0, [(100_000, ANYONE)] * transactions)
    node.rpc("generateblock", "raw(51)", [fan.hex()])
    spends = [
        _transaction(hash256(fan), i, [(90_000, scripts[i % len(scripts)]), (0, PADDING)]) for i in range(transactions)
    ]
    block = node.rpc("generateblock", "raw(51)", [spend.hex() for spend in spends])["hash"]
    return block, [hash256(spend) for spend in spends]
