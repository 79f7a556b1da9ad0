"""Stores of real mainnet headers in folders of this computer."""

import shutil
from pathlib import Path

from command_line import MAINNET_EARLY
from support import data_path

from firmware.files import FolderFiles
from host_bridge.stores.store_folder import path_beside
from lightclient.headers.accumulator import Accumulator
from lightclient.headers.chain import HeaderChain
from lightclient.headers.rules import HeaderRules
from lightclient.headers.state import ChainState
from lightclient.headers.window_store import WindowStore
from lightclient.params import MAINNET
from lightclient.spv.stored_payments import StoredPayments

TXID = b"\x07" * 32


def make_store(folder: Path, tip: int, epochs: int = 3, paid: bool = True) -> Path:
    """A device's store of mainnet up to `tip`, and one payment acted on whose pulse was cut short."""
    rules = HeaderRules(MAINNET)
    rules.begin_at_genesis(MAINNET.genesis_header, 0, Accumulator())
    return fill_store(
        folder, rules.state, Path(data_path(MAINNET_EARLY)).read_bytes()[80 : 80 * (tip + 1)], epochs, paid
    )


def fill_store(folder: Path, start: ChainState, headers: bytes, epochs: int = 3, paid: bool = True) -> Path:
    files = FolderFiles(str(folder))
    acted = StoredPayments(files, MAINNET, 64)
    chain = HeaderChain(MAINNET, WindowStore(MAINNET, files, acted, epochs), start)
    for at in range(0, len(headers), 80 * 1000):
        batch = bytearray(headers[at : at + 80 * 1000])
        chain.accept(batch, 0, len(batch) // 80, chain.tip_height, chain.state.block_hash, 0)
    chain.commit()
    if paid:
        acted.add(TXID, 0, 1000, 5, chain.tip_height)
    chain.store.close()
    return folder


def copied(store: Path, folder: Path) -> Path:
    shutil.copytree(store, folder)
    shutil.copy(path_beside(store), path_beside(folder))
    return folder


def path_of(store: Path, name: str) -> Path:
    return path_beside(store) if name == "paid.b" else store / name


def picture(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (*folder.iterdir(), path_beside(folder))}
