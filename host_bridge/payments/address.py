"""Addresses and scripts, both ways: a thin layer over embit.

embit's own `address_to_scriptpubkey` knows neither upper case nor witness versions above 1, and takes
an address of any network; its bech32 and base58 decoders are used here instead.
"""

from embit import base58, bech32
from embit.networks import NETWORKS as EMBIT_NETWORKS
from embit.script import Script

from lightclient.limits import MAX_SCRIPT_PUBKEY
from lightclient.params import NETWORKS, Network

_OP_1 = 0x51
_BECH32_PREFIXES = {network.bech32_prefix for network in NETWORKS.values()}


class BadAddress(ValueError):
    """Not an address of this network, nor a script in hex; the text is one line."""


def _base58_versions(network: Network) -> tuple[bytes, bytes]:
    """The version bytes of P2PKH and P2SH: mainnet has its own, all test networks share theirs."""
    known = EMBIT_NETWORKS["main" if network.bech32_prefix == "bc" else "test"]
    return known["p2pkh"], known["p2sh"]


def script_from_text(text: str, network: Network) -> bytes:
    """The script_pubkey of an address of `network`, or of a script given in hex. Raises BadAddress."""
    text = text.strip()
    try:
        script = bytes.fromhex(text)
    except ValueError:
        return script_from_address(text, network, "neither an", " nor a script in hex")
    if not 1 <= len(script) <= MAX_SCRIPT_PUBKEY:
        raise BadAddress(f"a script of {len(script)} bytes; 1 to {MAX_SCRIPT_PUBKEY} can be asked for")
    return script


def scripts_from_text(text: str, networks: list[Network]) -> dict[str, bytes]:
    """The scripts by network name, for those networks that know the address. Raises BadAddress when none does."""
    scripts = {}
    for network in networks:
        try:
            scripts[network.name] = script_from_text(text, network)
        except BadAddress as error:
            refusal = error
    if not scripts:
        raise refusal
    return scripts


def script_from_address(text: str, network: Network, no: str = "no", nor: str = "") -> bytes:
    """The script_pubkey of an address of `network`. Raises BadAddress, with `no` and `nor` in its words."""
    shown = ascii(text[:100])
    elsewhere = f"{shown} is an address of another network than {network.name}"
    version, program = bech32.decode(network.bech32_prefix, text)
    if version is not None:
        return bytes([version and version + _OP_1 - 1, len(program), *program])
    if any(bech32.decode(prefix, text)[0] is not None for prefix in _BECH32_PREFIXES):
        raise BadAddress(elsewhere)
    try:
        data = bytes(base58.decode_check(text))
    except Exception:  # embit raises several
        raise BadAddress(f"{shown} is {no} address of {network.name}{nor}") from None
    p2pkh, p2sh = _base58_versions(network)
    if len(data) == 21 and data[:1] == p2pkh:
        return b"\x76\xa9\x14" + data[1:] + b"\x88\xac"
    if len(data) == 21 and data[:1] == p2sh:
        return b"\xa9\x14" + data[1:] + b"\x87"
    raise BadAddress(elsewhere)


def address_of(script_pubkey: bytes, network: Network) -> str:
    """The address of a script, or its hex when it has none."""
    p2pkh, p2sh = _base58_versions(network)
    names = {"p2pkh": p2pkh, "p2sh": p2sh, "bech32": network.bech32_prefix}
    try:
        return str(Script(script_pubkey).address(names))
    except (ValueError, TypeError):
        return script_pubkey.hex()


def kind_of(script_pubkey: bytes) -> str:
    """P2PKH, P2SH, P2WPKH, P2WSH, P2TR, or just "script"."""
    kind = Script(script_pubkey).script_type()
    return str(kind).upper() if kind else "script"
