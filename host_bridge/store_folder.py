"""A device's store in a folder of this computer: read without changing it, checked whole, carried over as one file."""

from dataclasses import dataclass, field
from pathlib import Path

import cbor2

from firmware.files import FolderFiles
from host_bridge.cli_common import Unusable
from lightclient.errors import CorruptStore, NotEnoughWork
from lightclient.headers.accumulator import Accumulator
from lightclient.headers.chain import HeaderChain
from lightclient.headers.checkpoint import MAX_CHECKPOINT_SIZE, decode_checkpoint, encode_checkpoint
from lightclient.headers.envelope import BASE_SIZE, ENVELOPE_SIZE, PAYMENTS, RECORD, network_id
from lightclient.headers.pair import Pair
from lightclient.headers.rules import HeaderRules
from lightclient.headers.state import ChainState
from lightclient.headers.window_files import epoch_file, epoch_of, read_base
from lightclient.headers.window_store import WindowStore
from lightclient.limits import EPOCH, HEADER_SIZE
from lightclient.params import NETWORKS, Network
from lightclient.spv.stored_payments import StoredPayments

MOST_PAYMENTS = 65_536  # entries that a store of any device may hold
_BATCH = EPOCH
_EXPORT_FORMAT = 1
_OURS = ("chain.a", "chain.b", "paid.a", "paid.b", "lock")


class FilesInMemory:
    """The files of a folder as they were when it was read; what is written stays in memory."""

    def __init__(self, folder: Path) -> None:
        self._files: dict[str, bytearray] = {}
        for path in sorted(folder.iterdir()):
            if path.is_file():
                self._files[path.name] = bytearray(path.read_bytes())

    def names(self) -> list[str]:
        return sorted(self._files)

    def size(self, name: str) -> int:
        return len(self._files[name]) if name in self._files else -1

    def content(self, name: str) -> bytes:
        return bytes(self._files[name])

    def read_into(self, name: str, position: int, buffer: bytearray | memoryview) -> int:
        data = self._files[name][position : position + len(buffer)]
        memoryview(buffer)[: len(data)] = data
        return len(data)

    def append(self, name: str, data: bytes | bytearray | memoryview) -> None:
        self._files.setdefault(name, bytearray()).extend(data)

    def write(self, name: str, data: bytes | bytearray | memoryview) -> None:
        self._files[name] = bytearray(data)

    def cut(self, name: str, size: int) -> None:
        del self._files[name][size:]

    def rename(self, name: str, new_name: str) -> None:
        self._files[new_name] = self._files.pop(name)

    def remove(self, name: str) -> None:
        del self._files[name]

    def sync(self) -> None:
        pass

    def release(self) -> None:
        pass

    def lock(self) -> None:
        pass

    def close(self) -> None:
        pass


def read_folder(folder: Path) -> FilesInMemory:
    """Raises Unusable for what is no store, StoreLocked while another program has it open, OSError."""
    if not folder.is_dir():
        raise Unusable(f"{folder}: no such folder")
    if (folder / "lock").exists():
        real = FolderFiles(str(folder))
        real.lock()
        try:
            files = FilesInMemory(folder)
        finally:
            real.close()
    else:
        files = FilesInMemory(folder)
    if not any(name in _OURS[:4] or name.endswith(".hdr") for name in files.names()):
        raise Unusable(f"{folder}: not a store: no chain.a, paid.a or .hdr file is there")
    return files


def network_of(files: FilesInMemory) -> Network:
    """The network that the files say they are of. Raises CorruptStore."""
    found = {files.content(name)[10:14] for name in files.names() if files.content(name)[:4] == b"LCst"}
    for network in NETWORKS.values():
        if network_id(network) in found:
            return network
    raise CorruptStore("no file is of a network that is known")


class OpenedStore:
    """A store opened as a device would, on files in memory. Raises what opening raises."""

    def __init__(self, files: FilesInMemory, network: Network) -> None:
        self.network = network
        self.files = files
        if files.size("chain.a") < 0 and files.size("chain.b") < 0:
            raise CorruptStore("chain.a and chain.b: missing")
        self.acted = StoredPayments(files, network, MOST_PAYMENTS)
        self.store = WindowStore(network, files, self.acted, 0)
        self.chain = HeaderChain(network, self.store, ChainState())

    @property
    def tip_height(self) -> int:
        return self.chain.tip_height

    @property
    def accumulator(self) -> Accumulator | None:
        return self.chain.accumulator

    def require_header(self, height: int, header: bytes | bytearray | memoryview) -> None:
        self.chain.require_header(height, header)

    def headers(self, first: int, last: int) -> bytes:
        """Raw headers of the window, from file to file."""
        buffer = bytearray(HEADER_SIZE * (last - first + 1))
        for height in range(first, last + 1):
            self.store.read_into(height, buffer, HEADER_SIZE * (height - first))
        return bytes(buffer)


@dataclass
class Checked:
    """What checking a store has shown; `notes` are no faults."""

    network: Network
    first_height: int = 0
    tip: ChainState = field(default_factory=ChainState)
    headers: int = 0
    payments: int = 0
    notes: list[str] = field(default_factory=list)


def check_store(files: FilesInMemory, network: Network, now: int) -> Checked:
    """Check every byte: each copy of each record, each base, each header by every rule, that they fit together.

    Raises the error of the first fault.
    """
    checked = Checked(network)
    for name in files.names():
        if name.endswith((".new", ".part")):
            checked.notes.append(f"{name}: left over from a power cut")
        elif name not in _OURS and not (name.endswith(".hdr") and epoch_of(name) >= 0):
            raise CorruptStore(f"{name}: not a file of a store")
    for name, kind, most in (
        ("chain", RECORD, 44 + MAX_CHECKPOINT_SIZE),
        ("paid", PAYMENTS, 12 + 24 * MOST_PAYMENTS),
    ):
        _check_pair(files, Pair(files, name, kind, network_id(network), most, name == "paid"), name, checked)
    before = {name: files.size(name) for name in files.names()}
    opened = OpenedStore(files, network)
    state = opened.chain.state
    last = (state.height + 1) // EPOCH
    behind = before.get(epoch_file(last), 0) - BASE_SIZE
    behind -= HEADER_SIZE * (state.height + 1 - max(last * EPOCH, opened.store.first_height))
    if behind > 0:
        checked.notes.append(f"{epoch_file(last)}: {behind} bytes behind the last header, left over from a power cut")
    checked.first_height = opened.store.first_height
    checked.payments = opened.acted.count
    checked.tip = state
    if opened.acted.unfinished():
        checked.notes.append(f"{len(opened.acted.unfinished())} payments whose pulse was cut short")
    checked.headers = _check_headers(opened, now)
    return checked


def _check_pair(files: FilesInMemory, pair: Pair, name: str, checked: Checked) -> None:
    for copy in (f"{name}.a", f"{name}.b"):
        if files.size(copy) < 0:
            checked.notes.append(f"{copy}: not there (yet)")
            continue
        content = files.content(copy)
        length = int.from_bytes(content[6:10], "little")
        if len(content) != ENVELOPE_SIZE + length:
            raise CorruptStore(f"{copy}: {len(content)} bytes, {ENVELOPE_SIZE + length} belong there")
    pair.load()
    if pair.broken:
        raise CorruptStore(f"{pair.broken}: cannot be read (the other copy can)")


def _check_headers(opened: OpenedStore, now: int) -> int:
    """Every header of the window from its first base on; at each end of an epoch the next base must say the same."""
    store, network = opened.store, opened.network
    if store.tip_height < store.first_height and opened.files.size(epoch_file(store.first_height // EPOCH)) < 0:
        return 0  # a first sync that is far from its end
    rules = HeaderRules(network)
    first = store.first_height
    decode_checkpoint(network, store.state_before(first - 1), rules.state)
    if rules.state.height != first - 1:
        raise CorruptStore(f"{epoch_file(first // EPOCH)}: its base is of height {rules.state.height}", first)
    for epoch in range(first // EPOCH, (store.tip_height + 1) // EPOCH + 1):
        name = epoch_file(epoch)
        base = read_base(opened.files, name, network_id(network))
        if encode_checkpoint(network, rules.state) != base:
            raise CorruptStore(f"{name}: its base is not what the headers before it give", rules.state.height)
        if any(opened.files.content(name)[ENVELOPE_SIZE + len(base) : BASE_SIZE]):
            raise CorruptStore(f"{name}: something stands behind its base")
        last = min((epoch + 1) * EPOCH - 1, store.tip_height)
        count = last - rules.state.height
        raw = bytearray(opened.files.content(name)[BASE_SIZE : BASE_SIZE + HEADER_SIZE * count])
        rules.extend(raw, 0, count, now)
    if encode_checkpoint(network, rules.state) != encode_checkpoint(network, opened.chain.state):
        raise CorruptStore("the record is not what the headers give", rules.state.height)
    return rules.state.height - first + 1


# --- carried over as one file ---


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
    for name in files.names():
        if name.startswith("chain.") or name.endswith((".hdr", ".new", ".part")):
            files.remove(name)
    files.sync()
    acted.open(True)
    store.start_over(exported.base.height, exported.checkpoint)
