"""The address of a script_pubkey, as people see it: base58 (P2PKH, P2SH), bech32 (BIP173), bech32m (BIP350)."""

from lightclient.compat import const
from lightclient.hashes import hash256

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from lightclient.params import Network

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32_CONSTANT = const(1)
_BECH32M_CONSTANT = const(0x2BC830A3)
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_OP_1 = const(0x51)
_OP_16 = const(0x60)


def address_of(script_pubkey: bytes, network: "Network") -> str:
    """The address of `script_pubkey` on `network`, in lower case where case does not matter; empty if it has none."""
    size = len(script_pubkey)
    on_mainnet = network.bech32_prefix == "bc"
    if size == 25 and script_pubkey[:3] == b"\x76\xa9\x14" and script_pubkey[23:] == b"\x88\xac":
        return _base58check((b"\x00" if on_mainnet else b"\x6f") + script_pubkey[3:23])
    if size == 23 and script_pubkey[:2] == b"\xa9\x14" and script_pubkey[22:] == b"\x87":
        return _base58check((b"\x05" if on_mainnet else b"\xc4") + script_pubkey[2:22])
    # BIP141: a version opcode, then one push of 2 to 40 bytes, which is the whole script
    if not 4 <= size <= 42 or script_pubkey[1] != size - 2:
        return ""
    opcode = script_pubkey[0]
    if opcode == 0:
        return _bech32(network.bech32_prefix, 0, script_pubkey[2:]) if size in (22, 34) else ""
    if _OP_1 <= opcode <= _OP_16:
        return _bech32(network.bech32_prefix, opcode - _OP_1 + 1, script_pubkey[2:])
    return ""


def _base58check(payload: bytes) -> str:
    data = payload + hash256(payload)[:4]
    number = int.from_bytes(data, "big")
    digits = []
    while number:
        digits.append(_BASE58[number % 58])
        number //= 58
    for byte in data:
        if byte:
            break
        digits.append(_BASE58[0])
    digits.reverse()
    return "".join(digits)


def _bech32(prefix: str, version: int, program: bytes) -> str:
    values = [version]
    bits = 0
    held = 0
    for byte in program:
        held = (held << 8 | byte) & 0xFFF
        bits += 8
        while bits >= 5:
            bits -= 5
            values.append(held >> bits & 31)
    if bits:
        values.append(held << 5 - bits & 31)
    checksum = 1
    for letter in prefix:
        checksum = _step(checksum, ord(letter) >> 5)
    checksum = _step(checksum, 0)
    for letter in prefix:
        checksum = _step(checksum, ord(letter) & 31)
    for value in values:
        checksum = _step(checksum, value)
    for _ in range(6):
        checksum = _step(checksum, 0)
    checksum ^= _BECH32M_CONSTANT if version else _BECH32_CONSTANT  # BIP350: bech32m from version 1 on
    for i in range(6):
        values.append(checksum >> 5 * (5 - i) & 31)
    return prefix + "1" + "".join([_BECH32[value] for value in values])


def _step(checksum: int, value: int) -> int:
    """The checksum of BIP173 over one more value; 30 bits, a small integer on a 32-bit MicroPython."""
    top = checksum >> 25
    checksum = (checksum & 0x1FFFFFF) << 5 ^ value
    for i in range(5):
        if top >> i & 1:
            checksum ^= _GENERATOR[i]
    return checksum
