"""A device's store checked whole: every byte of every file, by the specification and by every rule for headers."""

from dataclasses import dataclass, field

from host_bridge.stores.store_folder import MOST_PAYMENTS, RECORD_FILES, FilesInMemory, OpenedStore
from lightclient.errors import CorruptStore
from lightclient.headers.checkpoint import MAX_CHECKPOINT_SIZE, decode_checkpoint, encode_checkpoint
from lightclient.headers.envelope import BASE_SIZE, ENVELOPE_SIZE, PAYMENTS, RECORD, network_id
from lightclient.headers.epoch_files import epoch_file, epoch_of, read_base
from lightclient.headers.pair import Pair
from lightclient.headers.rules import HeaderRules
from lightclient.headers.state import ChainState
from lightclient.limits import EPOCH, HEADER_SIZE
from lightclient.params import Network


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
        elif name not in (*RECORD_FILES, "lock") and not (name.endswith(".hdr") and epoch_of(name) >= 0):
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
