"""Recordings of a real chain: what `lightclient demo` replays without a node.

A recording is one CBOR map (`.lcrec`) with text keys:

    "format"       "lightclient recording"
    "version"      1
    "network"      text, a name of lightclient.params
    "recorded_at"  uint, UNIX time at the end of the recording: the clock of the replay
    "headers"      bytes, zlib: the final chain from height 0, each header without its
                   prev_block_hash (48 bytes: version, merkle_root, time, bits, nonce)
    "tip_hash"     32 bytes, internal order: what hashing the headers one after the other must end in
    "fork_height"  uint, height of the last header that the stale branch shares with the final chain
    "stale"        bytes, the whole 80-byte headers of the stale branch, from fork_height + 1 on
    "blocks"       array of bytes: raw blocks, all that hold a payment, stale ones included
    "payments"     array of maps: "kind" ("p2pkh", "p2wpkh", "p2tr"), "address", "script_pubkey" (bytes),
                   "amount" (uint, satoshis), "txid" (32 bytes), "height" (uint), "block_hash"
                   (32 bytes), "stale_block_hash" (32 bytes, or null if no reorg moved it)

tools/record_regtest.py makes one from a real regtest node (`make record`).
"""

import importlib.resources
import io
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import cbor2

from lightclient.hashes import ZERO_HASH, hash256, hash_to_hex
from lightclient.limits import HEADER_SIZE, MAX_BLOCK_WEIGHT, MAX_MONEY, MAX_SCRIPT_PUBKEY

T = TypeVar("T")

FORMAT = "lightclient recording"
VERSION = 1
DEFAULT = "regtest.lcrec"
MAX_FILE_SIZE = 8 << 20
MAX_HEADERS = 200_000
MAX_STALE_HEADERS = 2016
MAX_BLOCKS = 1000
MAX_PAYMENTS = 1000
_PACKED = HEADER_SIZE - 32


class BadRecording(ValueError):
    """A file is no recording, or not a whole one; the text is one line."""


@dataclass(frozen=True)
class RecordedPayment:
    """A payment in the recording. Hashes are 32 bytes in internal order, the amount is in satoshis."""

    kind: str
    address: str
    script_pubkey: bytes
    amount: int
    txid: bytes
    height: int
    block_hash: bytes
    stale_block_hash: bytes | None


@dataclass(frozen=True)
class Recording:
    """`headers` and `stale_headers` are 80-byte records in a row; `blocks` maps block_hash to the raw block.

    The final chain starts at height 0, the stale branch at `fork_height + 1`.
    """

    network: str
    recorded_at: int
    headers: bytes
    fork_height: int
    stale_headers: bytes
    blocks: dict[bytes, bytes]
    payments: list[RecordedPayment]

    @property
    def tip_height(self) -> int:
        return len(self.headers) // HEADER_SIZE - 1

    def header(self, height: int) -> bytes:
        """The 80 bytes of the final chain's header at `height`."""
        return self.headers[height * HEADER_SIZE : (height + 1) * HEADER_SIZE]

    def stale_chain(self) -> bytes:
        """The chain from height 0 as it was seen before the reorg: shared headers, then the stale branch."""
        return self.headers[: (self.fork_height + 1) * HEADER_SIZE] + self.stale_headers

    @classmethod
    def load_default(cls) -> "Recording":
        """The recording that comes with the package. Raises BadRecording."""
        file = importlib.resources.files("host_bridge").joinpath("recordings", DEFAULT)
        try:
            return cls.from_bytes(file.read_bytes())
        except OSError as error:
            raise BadRecording(f"the recording is missing from this installation: {error}") from error

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Recording":
        """Read a recording. Raises BadRecording for one that is broken, OSError for one that can't be read."""
        with Path(path).open("rb") as file:
            return cls.from_bytes(file.read(MAX_FILE_SIZE + 1))

    @classmethod
    def from_bytes(cls, data: bytes) -> "Recording":
        """Decode and check. Whether the headers keep the network's rules is for the device to find out."""
        if len(data) > MAX_FILE_SIZE:
            raise BadRecording(f"longer than {MAX_FILE_SIZE} bytes")
        stream = io.BytesIO(data)
        try:
            item = cbor2.load(stream)
        except (cbor2.CBORDecodeError, ValueError, RecursionError) as error:
            raise BadRecording(f"not CBOR: {error}") from error
        if not isinstance(item, dict) or item.get("format") != FORMAT:
            raise BadRecording("not a recording of lightclient")
        if item.get("version") != VERSION:
            raise BadRecording(f"version {item.get('version')!r}; this program reads version {VERSION}")
        if stream.read(1):
            raise BadRecording("bytes left over at the end")
        headers = _unpack_headers(_field(item, "headers", bytes), _hash(item, "tip_hash"))
        recording = cls(
            _field(item, "network", str),
            _uint(item, "recorded_at", 0xFFFFFFFF),
            headers,
            _uint(item, "fork_height", len(headers) // HEADER_SIZE - 1),
            _field(item, "stale", bytes),
            {},
            [],
        )
        _check_stale(recording)
        for raw in _list(item, "blocks", MAX_BLOCKS):
            if not isinstance(raw, bytes) or not HEADER_SIZE < len(raw) <= MAX_BLOCK_WEIGHT:
                raise BadRecording("a block is not a byte string of a block's size")
            recording.blocks[hash256(raw[:HEADER_SIZE])] = raw
        for entry in _list(item, "payments", MAX_PAYMENTS):
            recording.payments.append(_payment(recording, entry))
        return recording

    def to_bytes(self) -> bytes:
        """The file's bytes."""
        count = len(self.headers) // HEADER_SIZE
        packed = b"".join(self.header(h)[:4] + self.header(h)[36:] for h in range(count))
        return cbor2.dumps(
            {
                "format": FORMAT,
                "version": VERSION,
                "network": self.network,
                "recorded_at": self.recorded_at,
                "headers": zlib.compress(packed, 9),
                "tip_hash": hash256(self.header(count - 1)),
                "fork_height": self.fork_height,
                "stale": self.stale_headers,
                "blocks": list(self.blocks.values()),
                "payments": [vars(payment) for payment in self.payments],
            }
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file whole or not at all."""
        target = Path(path)
        partial = target.with_name(target.name + ".part")
        try:
            partial.write_bytes(self.to_bytes())
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)


def _unpack_headers(packed: bytes, tip_hash: bytes) -> bytes:
    """Give each header the hash of the one before; the last hash shows that all are whole and in order."""
    inflater = zlib.decompressobj()
    try:
        rest = inflater.decompress(packed, MAX_HEADERS * _PACKED + 1)
    except zlib.error as error:
        raise BadRecording(f"headers: {error}") from error
    if not inflater.eof or inflater.unused_data or not rest or len(rest) % _PACKED or len(rest) > MAX_HEADERS * _PACKED:
        raise BadRecording(f"headers: not 1 to {MAX_HEADERS} records of {_PACKED} bytes")
    headers = bytearray()
    block_hash = ZERO_HASH
    for start in range(0, len(rest), _PACKED):
        header = rest[start : start + 4] + block_hash + rest[start + 4 : start + _PACKED]
        headers += header
        block_hash = hash256(header)
    if block_hash != tip_hash:
        raise BadRecording("headers: they do not end in the recorded tip")
    return bytes(headers)


def _check_stale(recording: Recording) -> None:
    stale = recording.stale_headers
    if len(stale) % HEADER_SIZE or len(stale) > MAX_STALE_HEADERS * HEADER_SIZE:
        raise BadRecording(f"stale: not at most {MAX_STALE_HEADERS} records of {HEADER_SIZE} bytes")
    expected = hash256(recording.header(recording.fork_height))
    for start in range(0, len(stale), HEADER_SIZE):
        header = stale[start : start + HEADER_SIZE]
        if header[4:36] != expected:
            raise BadRecording(f"stale: record {start // HEADER_SIZE} does not link to the header before it")
        expected = hash256(header)


def _payment(recording: Recording, entry: Any) -> RecordedPayment:
    if not isinstance(entry, dict):
        raise BadRecording("a payment is not a map")
    height = _uint(entry, "height", recording.tip_height)
    block_hash = _hash(entry, "block_hash")
    stale_block_hash = None if entry.get("stale_block_hash") is None else _hash(entry, "stale_block_hash")
    script_pubkey = _field(entry, "script_pubkey", bytes)
    if not 0 < len(script_pubkey) <= MAX_SCRIPT_PUBKEY:
        raise BadRecording(f"script_pubkey: not 1 to {MAX_SCRIPT_PUBKEY} bytes")
    if hash256(recording.header(height)) != block_hash:
        raise BadRecording(f"payment: block {hash_to_hex(block_hash)} is not at height {height}")
    for wanted in (block_hash, stale_block_hash):
        if wanted is not None and wanted not in recording.blocks:
            raise BadRecording(f"payment: block {hash_to_hex(wanted)} is missing")
    return RecordedPayment(
        _field(entry, "kind", str),
        _field(entry, "address", str),
        script_pubkey,
        _uint(entry, "amount", MAX_MONEY),
        _hash(entry, "txid"),
        height,
        block_hash,
        stale_block_hash,
    )


def _field(item: dict[Any, Any], name: str, kind: type[T]) -> T:
    value = item.get(name)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise BadRecording(f"{name}: missing or not {kind.__name__}")
    return value


def _uint(item: dict[Any, Any], name: str, maximum: int) -> int:
    value = _field(item, name, int)
    if not 0 <= value <= maximum:
        raise BadRecording(f"{name}: {value} is not in 0 to {maximum}")
    return value


def _hash(item: dict[Any, Any], name: str) -> bytes:
    value = _field(item, name, bytes)
    if len(value) != 32:
        raise BadRecording(f"{name}: {len(value)} bytes, a hash has 32")
    return value


def _list(item: dict[Any, Any], name: str, maximum: int) -> list[Any]:
    value = _field(item, name, list)
    if len(value) > maximum:
        raise BadRecording(f"{name}: {len(value)} entries, at most {maximum}")
    return value
