"""A device's store in a folder of this computer, read without changing it."""

from pathlib import Path

from firmware.files import BESIDE, FolderFiles
from host_bridge.files import Unusable
from lightclient.errors import CorruptStore, HeaderNotInChain
from lightclient.headers.accumulator import Accumulator
from lightclient.headers.chain import HeaderChain
from lightclient.headers.envelope import network_id
from lightclient.headers.state import ChainState
from lightclient.headers.window_store import WindowStore
from lightclient.limits import HEADER_SIZE
from lightclient.params import NETWORKS, Network
from lightclient.spv.stored_payments import StoredPayments

MOST_PAYMENTS = 65_536  # entries that a store of any device may hold
RECORD_FILES = ("chain.a", "chain.b", "paid.a", "paid.b")


def path_beside(folder: Path) -> Path:
    """The file of the store in `folder` that is not in it."""
    return folder.parent / (folder.name + ".paid")


class FilesInMemory:
    """The files of a folder as they were when it was read; what is written stays in memory."""

    def __init__(self, folder: Path) -> None:
        self._files: dict[str, bytearray] = {}
        for path in sorted(folder.iterdir()):
            if path.is_file() and path.name != BESIDE:
                self._files[path.name] = bytearray(path.read_bytes())
        beside = path_beside(folder)
        if beside.is_file():
            self._files[BESIDE] = bytearray(beside.read_bytes())

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
    if not any(name in RECORD_FILES or name.endswith(".hdr") for name in files.names()):
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
        try:
            self.chain.require_header(height, header)
        except HeaderNotInChain as error:
            if self.accumulator is None or height >= self.store.first_height:
                raise
            wanted = f"the proof needs a path (prove --for-size {self.accumulator.count})"
            raise HeaderNotInChain(f"{error}: {wanted}", height) from None

    def headers(self, first: int, last: int) -> bytes:
        """Raw headers of the window, from file to file."""
        buffer = bytearray(HEADER_SIZE * (last - first + 1))
        for height in range(first, last + 1):
            self.store.read_into(height, buffer, HEADER_SIZE * (height - first))
        return bytes(buffer)
