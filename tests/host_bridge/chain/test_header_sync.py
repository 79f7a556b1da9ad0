"""A file brought up to a node's tip while the node's chain changes, or breaks a rule."""

import asyncio

import pytest

from host_bridge.chain.header_sync import sync_headers
from host_bridge.chain.node_headers import fork_with, index_of_node, state_from_node
from host_bridge.chain.path_index import PathIndex
from host_bridge.demo.recording import Recording
from host_bridge.files import Unusable
from host_bridge.nodes.node import NodeInfo, NodeLied, NodeUnreachable, Tip
from lightclient.errors import HeaderError
from lightclient.hashes import hash256
from lightclient.limits import HEADER_SIZE
from lightclient.params import REGTEST

RECORDED = Recording.load_default()
BEST = RECORDED.headers
FORK = RECORDED.fork_height
STALE = BEST[: (FORK + 1) * HEADER_SIZE] + RECORDED.stale_headers


class Chains:
    """A node whose best chain is the next one of `chains` after so many calls for headers, 100 at a time."""

    name = "test://chains"
    first_height = 0

    def __init__(self, *chains, after=5, network="regtest"):
        self.chains = list(chains)
        self.after = after
        self.network = network
        self.calls = 0

    @property
    def chain(self):
        return self.chains[min(self.calls // self.after, len(self.chains) - 1)]

    async def info(self):
        return NodeInfo(self.network, "test", await self.tip(), synced=True)

    async def tip(self):
        return Tip(len(self.chain) // HEADER_SIZE - 1, hash256(self.chain[-HEADER_SIZE:]))

    async def headers(self, height, count):
        raw = self.chain[height * HEADER_SIZE : (height + min(count, 100)) * HEADER_SIZE]
        self.calls += 1
        return raw


def sync(node, path):
    return asyncio.run(sync_headers(node, path))


def test_a_reorg_in_the_middle_of_a_run(tmp_path):
    path = tmp_path / "regtest.bin"
    for after in (22, 23):  # before it comes to the fork, and just behind it
        synced = sync(Chains(STALE, BEST, after=after), path)
        assert path.read_bytes() == BEST and synced.count == len(BEST) // HEADER_SIZE
        path.unlink()


def test_a_chain_that_never_holds_still(tmp_path):
    other = BEST[:HEADER_SIZE] + bytes(len(BEST) - HEADER_SIZE)  # no link holds behind genesis
    node = Chains(*[BEST, other] * 1000, after=1)
    with pytest.raises((Unusable, HeaderError)):
        sync(node, tmp_path / "regtest.bin")
    assert node.calls < 1000


@pytest.mark.parametrize("byte", [0, 4, 36, 68, 72, 76])
def test_a_header_that_breaks_a_rule_is_not_written(tmp_path, byte):
    path = tmp_path / "regtest.bin"
    sync(Chains(BEST[: 300 * HEADER_SIZE]), path)
    broken = bytearray(BEST)
    broken[950 * HEADER_SIZE + byte] ^= 0x40
    with pytest.raises(HeaderError) as caught:
        sync(Chains(bytes(broken)), path)
    assert caught.value.height in (950, 951)
    assert path.read_bytes() == BEST[: 300 * HEADER_SIZE]
    sync(Chains(BEST), path)  # on from what was left, which holds good headers only
    assert path.read_bytes() == BEST and list(tmp_path.iterdir()) == [path]


def test_a_node_that_goes_away_leaves_what_it_gave(tmp_path):
    class Leaving(Chains):
        async def headers(self, height, count):
            if self.calls > 8:
                raise NodeUnreachable("gone")
            return await super().headers(height, count)

    path, part = tmp_path / "regtest.bin", tmp_path / "regtest.bin.part"
    with pytest.raises(NodeUnreachable):
        sync(Leaving(BEST), path)
    left = len(part.read_bytes()) // HEADER_SIZE
    assert left > 500 and not path.exists()
    again = Chains(BEST)
    sync(again, path)
    assert again.calls < len(BEST) // HEADER_SIZE // 100 - left // 100 + 6
    assert path.read_bytes() == BEST


def test_answers_of_another_length(tmp_path):
    class Odd(Chains):
        async def headers(self, height, count):
            raw = await super().headers(height, count)
            return raw if count == 1 else raw[:-3]

    with pytest.raises(NodeLied):
        sync(Odd(BEST), tmp_path / "regtest.bin")


def test_two_at_the_same_file(tmp_path):
    path = tmp_path / "regtest.bin"

    async def both():
        return await asyncio.gather(
            sync_headers(Chains(BEST), path), sync_headers(Chains(BEST), path), return_exceptions=True
        )

    results = asyncio.run(both())
    assert sum(isinstance(result, Unusable) for result in results) <= 1
    assert path.read_bytes() == BEST


def test_the_fork_is_found_with_few_questions(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(BEST)
    count = len(BEST) // HEADER_SIZE
    for same in (1, 2, 500, count - 3, count - 1, count):
        node = Chains(BEST[: same * HEADER_SIZE])
        assert asyncio.run(fork_with(node, path, 0, count)) == same - 1
        assert node.calls < 25
    assert asyncio.run(fork_with(Chains(b""), path, 0, count)) == -1
    assert asyncio.run(fork_with(Chains(BEST[:HEADER_SIZE]), path, 0, 1)) == 0


def test_state_and_index_of_a_node_whose_chain_changes():
    state = asyncio.run(state_from_node(Chains(STALE, BEST, after=23), REGTEST, 0, None, None))
    assert state.block_hash == hash256(BEST[-HEADER_SIZE:])
    size = len(BEST) // HEADER_SIZE
    index = asyncio.run(index_of_node(Chains(STALE, BEST, after=23), REGTEST, size))
    expected = PathIndex()
    expected.append(b"".join(hash256(BEST[i : i + HEADER_SIZE]) for i in range(0, len(BEST), HEADER_SIZE)))
    assert index.count == size and index.path(FORK, size) == expected.path(FORK, size)
    assert state.accumulator is not None and state.accumulator.peaks() == expected.accumulator(size).peaks()
