"""The index of all headers: whatever happens to it or its node, what it serves is a chain that keeps every rule."""

import random
import subprocess
import sys
from pathlib import Path

import pytest
from mining import Miner
from support import data_path

from host_bridge.chain import headers_on_disk
from host_bridge.chain.header_file import check_header_file
from host_bridge.chain.header_index import HeaderIndex, index_file
from host_bridge.chain.path_index import PathIndex
from lightclient.errors import BadLink, BadProofOfWork, CorruptStore, LimitExceeded, StoreFull, StoreLocked
from lightclient.headers.chain import BRANCH, EXTENDED, KNOWN, REFETCH, REORGANISED
from lightclient.headers.compact import unpack_headers
from lightclient.headers.header import block_hash
from lightclient.headers.path import verify_path
from lightclient.params import MAINNET, REGTEST

MINER = Miner(REGTEST)
CHAIN = REGTEST.genesis_header + bytes(MINER.batch(5000))
HASHES = [block_hash(CHAIN, i) for i in range(0, len(CHAIN), 80)]
FORK = 4000
BRANCHER = Miner(REGTEST)
for _at in range(80, 80 * (FORK + 1), 80):
    BRANCHER.state.absorb(REGTEST, CHAIN, _at, HASHES[_at // 80])
BRANCH_HEADERS = bytes(BRANCHER.batch(4500, salt=3))


def feed(index: HeaderIndex, headers: bytes = CHAIN, parent: int = 0, until: int = 5000) -> list[int]:
    """Headers above `parent`, which `headers` begins with, in batches as they come from a node."""
    outcomes = []
    for first in range(parent + 1, until + 1, 2000):
        start = 80 * (first - parent)
        raw = headers[start : 80 * (min(first + 1999, until) - parent + 1)]
        outcomes.append(index.accept(raw, first - 1, 0))
    return outcomes


def require_chain(index: HeaderIndex, headers: bytes, hashes: list[bytes]) -> None:
    count = index.best_height + 1
    assert index.headers(0, count) == headers[: 80 * count]
    assert [index.block_hash(h) for h in range(count)] == hashes[:count]
    assert index.block_hash(count) is None and index.block_hash(-1) is None
    assert index.state.height == index.best_height and index.state.block_hash == hashes[count - 1]
    assert index_file(index.path_of_file.parent, 0).read_bytes() == headers[: 80 * count]


def test_mainnet_is_written_and_read_again(tmp_path: Path) -> None:
    raw = Path(data_path("headers/mainnet_000000_010236.bin")).read_bytes()
    hashes = [block_hash(raw, i) for i in range(0, len(raw), 80)]
    index = HeaderIndex(tmp_path, MAINNET)
    assert set(feed(index, raw, 0, 10236)) == {EXTENDED}
    work = index.state.chainwork
    index.close()
    seen: list[tuple[int, int]] = []
    index = HeaderIndex(tmp_path, MAINNET, progress=lambda done, total: seen.append((done, total)))
    assert index.state.chainwork == work and seen[-1] == (10237, 10237)
    require_chain(index, raw, hashes)
    paths = PathIndex()
    paths.append(b"".join(hashes))
    assert index.path(500, 10000) == paths.path(500, 10000)
    accumulator = index.accumulator(10000)
    path = index.path(500, 10000)
    assert accumulator is not None and path is not None
    verify_path(accumulator, 500, hashes[500], path)
    assert index.path(500, 10238) is None and index.path(10000, 10000) is None
    index.close()
    assert check_header_file(index.path_of_file, MAINNET, 0).tip_height == 10236  # a file for every command


def test_batches_are_packed_once(tmp_path: Path) -> None:
    index = HeaderIndex(tmp_path, REGTEST)
    feed(index)
    count, packed = index.packed_headers(1, 96, 4000)
    assert index.packed_headers(1, 96, 4000)[1] is packed
    unpacked = bytearray(CHAIN[80 : 80 * (count + 1)])
    unpack_headers(packed, 0, len(packed), count, unpacked, 0)
    assert unpacked == CHAIN[80 : 80 * (count + 1)] and count == 96
    assert index.packed_headers(4999, 96, 4000)[0] == 2
    index.accept(BRANCH_HEADERS[:80], FORK, 0)
    assert index.packed_headers(4999, 96, 4000)[0] == 2 and index.packed_headers(5001, 96, 4000) == (0, b"")
    for first in range(0, 4 * 2000, 3):
        index.packed_headers(1 + first % 3000, 96, 300)
    assert len(index._packed) <= 2048
    index.close()


def test_reorgs_of_one_batch_and_of_several(tmp_path: Path) -> None:
    index = HeaderIndex(tmp_path, REGTEST)
    feed(index)
    forks: list[int] = []
    index.on_reorg = forks.append
    own = CHAIN[80 * (FORK - 99) : 80 * (FORK + 1)]  # the fork was guessed too low
    assert index.accept(own + BRANCH_HEADERS[: 80 * 1000], FORK - 100, 0) == BRANCH
    assert index.accept(BRANCH_HEADERS[: 80 * 1001], FORK, 0) == REORGANISED and forks == [FORK]
    chain = CHAIN[: 80 * (FORK + 1)] + BRANCH_HEADERS
    hashes = [block_hash(chain, i) for i in range(0, len(chain), 80)]
    require_chain(index, chain, hashes)
    index.close()
    index = HeaderIndex(tmp_path, REGTEST)
    require_chain(index, chain, hashes)
    index.accept(BRANCH_HEADERS[80 * 1001 : 80 * 1400], FORK + 1001, 0)

    index.on_reorg = forks.append
    miner = MINER.fork()
    longer = CHAIN + bytes(miner.batch(1000))  # and back again, in batches
    outcomes = [
        index.accept(longer[80 * (FORK + 1) : 80 * (FORK + 801)], FORK, 0),
        index.accept(longer[80 * (FORK + 801) : 80 * (FORK + 1601)], FORK + 800, 0),
    ]
    assert outcomes == [BRANCH, REFETCH] and index.best_height == FORK and forks == [FORK, FORK]
    feed(index, longer[80 * FORK :], FORK, 6000)
    require_chain(index, longer, [block_hash(longer, i) for i in range(0, len(longer), 80)])
    assert index.accept(longer[80:160], 0, 0) == KNOWN
    index.close()


def test_a_node_that_lies_is_named_and_changes_nothing(tmp_path: Path) -> None:
    index = HeaderIndex(tmp_path, REGTEST)
    feed(index, until=3000)
    spoilt = bytearray(CHAIN[80 * 3001 : 80 * 5001])
    spoilt[80 * 1500 + 36 : 80 * 1500 + 68] = b"x" * 32
    with pytest.raises((BadProofOfWork, BadLink)):
        index.accept(bytes(spoilt), 3000, 0)
    with pytest.raises(BadLink):
        index.accept(CHAIN[80 * 3002 : 80 * 4000], 3000, 0)
    with pytest.raises(BadLink):
        index.accept(CHAIN[80 * 4000 : 80 * 4100], 3999, 0)
    require_chain(index, CHAIN, HASHES)
    assert index.best_height == 3000
    feed(index, CHAIN[80 * 3000 :], 3000)
    require_chain(index, CHAIN, HASHES)
    index.close()


def test_every_torn_length_is_read(tmp_path: Path) -> None:
    path = index_file(tmp_path, 0)
    whole = CHAIN[: 80 * 6]
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        index = HeaderIndex(tmp_path, REGTEST)
        assert index.best_height == max(length // 80 - 1, 0)
        require_chain(index, CHAIN, HASHES)
        index.accept(CHAIN[80 * (index.best_height + 1) : 80 * 10], index.best_height, 0)
        require_chain(index, CHAIN, HASHES)
        index.close()


@pytest.mark.parametrize(
    "rubbish", [bytes(80 * 700), b"\xff" * 80, BRANCH_HEADERS[: 80 * 50], random.Random(1).randbytes(999)]
)
def test_what_a_power_cut_leaves_at_the_end_is_cut_off(
    rubbish: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    index_file(tmp_path, 0).write_bytes(CHAIN[: 80 * 4501] + rubbish + CHAIN[80 * 4600 : 80 * 4700])
    index = HeaderIndex(tmp_path, REGTEST)
    assert index.best_height == 4500 and "fetched again" in caplog.text
    feed(index, CHAIN[80 * 4500 :], 4500)
    require_chain(index, CHAIN, HASHES)
    index.close()


def test_damage_further_down_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(headers_on_disk, "TORN", 1000)
    path = index_file(tmp_path, 0)
    for place in (0, 79, 80 * 2000 + 40, 80 * 3999):
        spoilt = bytearray(CHAIN)
        spoilt[place] ^= 1
        path.write_bytes(spoilt)
        with pytest.raises(CorruptStore, match="delete the file"):
            HeaderIndex(tmp_path, REGTEST)
        assert path.read_bytes() == spoilt
    path.unlink()
    HeaderIndex(tmp_path, REGTEST).close()


def test_a_header_that_changes_under_our_hands_is_not_served(tmp_path: Path) -> None:
    index = HeaderIndex(tmp_path, REGTEST)
    feed(index)
    with index.path_of_file.open("r+b") as file:
        file.seek(80 * 77 + 3)
        file.write(b"\xee")
    with pytest.raises(CorruptStore, match="header 77"):
        index.packed_headers(1, 96, 4000)
    assert index.packed_headers(97, 96, 4000)[0] == 96
    index.close()


def test_two_bridges_on_one_folder(tmp_path: Path) -> None:
    index = HeaderIndex(tmp_path, REGTEST)
    with pytest.raises(StoreLocked, match="another bridge"):
        HeaderIndex(tmp_path, REGTEST)
    index.close()
    HeaderIndex(tmp_path, REGTEST).close()


def test_another_network(tmp_path: Path) -> None:
    HeaderIndex(tmp_path, REGTEST).close()
    with pytest.raises(CorruptStore, match="begins with another header"):
        HeaderIndex(tmp_path, MAINNET)


def test_an_archive_that_starts_above_genesis(tmp_path: Path) -> None:
    raw = Path(data_path("headers/mainnet_822528_830592.bin")).read_bytes()
    index = HeaderIndex(tmp_path, MAINNET, 822_528, raw[:80])
    assert set(feed(index, raw, 0 + 822_528, 830_592)) == {EXTENDED}
    assert index.block_hash(822_528) == block_hash(raw, 0) and index.block_hash(822_527) is None
    assert index.headers(822_528, 10_000) == raw and index.headers(0, 10) == b""
    assert index.path(822_600, 822_700) is None and index.accumulator(822_700) is None
    index.close()
    index = HeaderIndex(tmp_path, MAINNET, 822_528)
    assert index.best_height == 830_592
    index.close()
    with pytest.raises(CorruptStore, match="another header"):
        HeaderIndex(tmp_path, MAINNET, 822_528, raw[80:160])
    with pytest.raises(ValueError, match="first header"):
        HeaderIndex(tmp_path, MAINNET, 300_000)


def test_no_room_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = HeaderIndex(tmp_path, REGTEST)
    feed(index, until=1000)
    written = headers_on_disk.os.pwrite

    def full(file: int, data: bytes, position: int) -> int:
        if position > 80 * 1500:
            raise OSError(28, "No space left on device")
        return written(file, bytes(data[: 80 * 1501 - position + 33]), position)

    monkeypatch.setattr(headers_on_disk.os, "pwrite", full)
    with pytest.raises(StoreFull):
        index.accept(CHAIN[80 * 1001 : 80 * 3001], 1000, 0)
    require_chain(index, CHAIN, HASHES)
    monkeypatch.undo()
    index.accept(CHAIN[80 * 1001 : 80 * 3001], 1000, 0)
    require_chain(index, CHAIN, HASHES)
    index.close()


def test_a_chain_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("host_bridge.chain.header_index.MAX_INDEXED_HEADERS", 1000)
    index = HeaderIndex(tmp_path, REGTEST)
    with pytest.raises(LimitExceeded):
        feed(index)
    index.close()


def test_killed_at_any_moment(tmp_path: Path) -> None:
    headers = tmp_path / "headers"
    headers.write_bytes(CHAIN)
    source = random.Random(7)
    for seed in range(12):
        program = Path(__file__).parents[2] / "support" / "header_writer.py"
        writer = subprocess.Popen(
            [sys.executable, str(program), str(tmp_path), str(headers), str(seed)], stdout=subprocess.PIPE
        )
        assert writer.stdout is not None
        for _ in range(source.randint(1, 40)):
            writer.stdout.readline()
        writer.kill()
        said = [line for line in writer.stdout.read().split() if line.isdigit()]
        writer.wait()
        writer.stdout.close()
        index = HeaderIndex(tmp_path, REGTEST)
        require_chain(index, CHAIN, HASHES)
        assert not said or index.best_height >= 0
        index.close()
