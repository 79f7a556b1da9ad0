"""A device's chain as one file (.lcstate): exported from a store, imported into the store of a device."""

from dataclasses import dataclass
from pathlib import Path

import cbor2

from firmware.files import FolderFiles
from host_bridge.files import Unusable
from host_bridge.stores.store_folder import OpenedStore
from lightclient.errors import NotEnoughWork
from lightclient.headers.chain import HeaderChain
from lightclient.headers.checkpoint import decode_checkpoint
from lightclient.headers.rules import HeaderRules
from lightclient.headers.state import ChainState
from lightclient.headers.window_store import WindowStore
from lightclient.limits import EPOCH, HEADER_SIZE
from lightclient.params import NETWORKS, Network
from lightclient.spv.stored_payments import StoredPayments

_BATCH = EPOCH
_EXPORT_FORMAT = 1


def export_store(opened: OpenedStore) -> bytes:
    """CBOR {0: 1, 1: network, 2: checkpoint of the window's base, 3: its headers}. Payments stay with their device."""
    first, last = opened.store.first_height, opened.store.tip_height
    base = opened.store.state_before(first - 1)
    values = {0: _EXPORT_FORMAT, 1: opened.network.name, 2: base, 3: opened.headers(first, last)}
    return cbor2.dumps(values, canonical=True)


@dataclass
class Exported:
    """An exported chain, every header of it checked from its base on."""

    network: Network
    base: ChainState
    checkpoint: bytes
    headers: bytes
    tip: ChainState


def read_export(data: bytes, now: int) -> Exported:
    """Raises Unusable for what is no export, the error of the first rule broken."""
    try:
        values = cbor2.loads(data)
        name, checkpoint, headers = values[1], values[2], values[3]
    except (cbor2.CBORDecodeError, KeyError, TypeError, IndexError) as error:
        raise Unusable(f"not an exported store: {error}") from None
    if values.get(0) != _EXPORT_FORMAT or name not in NETWORKS or not isinstance(checkpoint, bytes):
        raise Unusable("not an exported store that this version knows")
    if not isinstance(headers, bytes) or len(headers) % HEADER_SIZE:
        raise Unusable("an exported store without whole headers")
    network = NETWORKS[name]
    base = ChainState()
    decode_checkpoint(network, checkpoint, base)
    rules = HeaderRules(network)
    rules.state.copy_from(base)
    for start in range(0, len(headers), HEADER_SIZE * _BATCH):
        batch = bytearray(headers[start : start + HEADER_SIZE * _BATCH])
        rules.extend(batch, 0, len(batch) // HEADER_SIZE, now)
    return Exported(network, base, checkpoint, headers, rules.state)


def import_store(folder: Path, exported: Exported, epochs: int, start_over: bool, now: int) -> ChainState:
    """Bring the store in `folder` (a new one where there is none) to the exported chain; returns its tip.

    Raises NotEnoughWork unless that chain has more work than the store has seen, an error of the store.
    With `start_over` the store's chain, which may be damaged, is left; its payments stay.
    """
    files = FolderFiles(str(folder))
    try:
        acted = StoredPayments(files, exported.network, _capacity(folder))
        store = WindowStore(exported.network, files, acted, epochs)
        if start_over:
            _leave(files, acted, store, exported)
            files.close()
            acted = StoredPayments(files, exported.network, _capacity(folder))
            store = WindowStore(exported.network, files, acted, epochs)
        chain = HeaderChain(exported.network, store, exported.base)
        if chain.tip_height == exported.base.height and chain.state.block_hash == exported.base.block_hash:
            parent = exported.base.height
        else:
            if exported.tip.chainwork <= max(store.work, chain.state.chainwork):
                raise NotEnoughWork("the store has seen a chain of as much work", chain.tip_height)
            parent = _common_height(chain, exported)
            if parent < 0:
                store.start_over(exported.base.height, exported.checkpoint)
                files.close()
                return import_store(folder, exported, epochs, False, now)
        store.best_height = exported.tip.height
        chain.before_reorg = acted.forget_above
        _feed(chain, exported, parent, now)
        chain.commit()
        return chain.state
    finally:
        files.close()


def _feed(chain: HeaderChain, exported: Exported, parent: int, now: int) -> None:
    """All headers above `parent`; a second time when a branch has to be fetched again."""
    for _ in range(2):
        height = parent
        while height < exported.tip.height:
            start = (height - exported.base.height) * HEADER_SIZE
            batch = bytearray(exported.headers[start : start + HEADER_SIZE * _BATCH])
            chain.accept(batch, 0, len(batch) // HEADER_SIZE, height, batch[4:36], now)
            height += len(batch) // HEADER_SIZE
        if chain.state.block_hash == exported.tip.block_hash:
            return
    raise NotEnoughWork("the store's own chain has as much work", chain.tip_height)


def _common_height(chain: HeaderChain, exported: Exported) -> int:
    """The highest block of both; -1: none that both still know."""
    top = min(chain.tip_height, exported.tip.height)
    for height in range(top, max(chain.lowest_fork, exported.base.height) - 1, -1):
        start = (height + 1 - exported.base.height - 1) * HEADER_SIZE
        link = exported.headers[start + 4 : start + 36] if start < len(exported.headers) else exported.tip.block_hash
        if chain.has_block(height, link):
            return height
    return -1


def _capacity(folder: Path) -> int:
    """Room for what a device has there, at least its own default."""
    path = folder / "paid.a"
    return max(64, (path.stat().st_size // 24) if path.exists() else 0)


def _leave(files: FolderFiles, acted: StoredPayments, store: WindowStore, exported: Exported) -> None:
    files.lock()
    acted.open(True)  # before anything goes: they may be of another network, or damaged as well
    for name in files.names():
        if name.startswith("chain.") or name.endswith((".hdr", ".new", ".part")):
            files.remove(name)
    files.sync()
    store.start_over(exported.base.height, exported.checkpoint)
