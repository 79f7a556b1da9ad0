"""HeaderChain against a plain list of branches: extensions, forks, reorgs, interruptions, restarts.

A bridge that keeps nothing in mind answers each locator from its own branch, in batches of any size.
Epochs are 12 blocks here, so that branches differ in work per block.
"""

import random
from collections.abc import Iterator

import pytest
from mining import START_TIME, Miner, trivial_network

import lightclient.headers.difficulty as difficulty_module
import lightclient.headers.rules as rules_module
import lightclient.headers.state as state_module
from lightclient.errors import LightClientError, NotSynced
from lightclient.headers.chain import BRANCH, EXTENDED, KNOWN, REFETCH, REORGANISED, HeaderChain
from lightclient.headers.checkpoint import decode_checkpoint, encode_checkpoint
from lightclient.headers.rules import HeaderRules
from lightclient.headers.state import ChainState
from lightclient.headers.store import RamStore
from lightclient.limits import MAX_BATCH_HEADERS, MAX_LOCATOR

NOW = START_TIME + 10 * 365 * 86400
EPOCH = 12
INTERVAL = 8
CAPACITY = INTERVAL + MAX_BATCH_HEADERS + 30
NETWORK = trivial_network("trivial-short", allow_min_difficulty=True)
NETWORK.target_timespan = EPOCH * 600


@pytest.fixture(autouse=True, scope="module")
def _short_epochs() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for module in (rules_module, difficulty_module, state_module):
            patch.setattr(module, "EPOCH", EPOCH)
        yield


class Branch:
    """All headers from genesis on: raw, hashes, and the work up to each."""

    def __init__(self) -> None:
        self.miner = Miner(NETWORK)
        self.miners = [self.miner.fork()]
        self.raw = [NETWORK.genesis_header]
        self.hashes = [self.miner.state.block_hash]
        self.work = [self.miner.state.chainwork]

    def fork(self, height: int) -> "Branch":
        other = Branch()
        other.miners = self.miners[: height + 1]
        other.miner = other.miners[height].fork()
        other.raw, other.hashes, other.work = self.raw[: height + 1], self.hashes[: height + 1], self.work[: height + 1]
        return other

    def extend(self, count: int, step: int, salt: int) -> None:
        for _ in range(count):
            raw = bytearray(80)
            self.miner.next_into(raw, 0, step, salt)
            self.raw.append(bytes(raw))
            self.hashes.append(self.miner.state.block_hash)
            self.work.append(self.miner.state.chainwork)
            self.miners.append(self.miner.fork())

    @property
    def height(self) -> int:
        return len(self.raw) - 1


def genesis_state() -> ChainState:
    rules = HeaderRules(NETWORK)
    rules.begin_at_genesis(NETWORK.genesis_header, 0)
    return rules.state


class Device:
    """A chain, and what must hold of it at any time."""

    def __init__(self) -> None:
        self.chain = HeaderChain(NETWORK, RamStore(CAPACITY, INTERVAL), genesis_state())
        self.most_work = self.chain.state.chainwork
        self.promised = 0

    def restart(self) -> None:
        """Power off and on: it starts from a checkpoint of its tip, and knows no other header."""
        state = ChainState()
        decode_checkpoint(NETWORK, encode_checkpoint(NETWORK, self.chain.state), state)
        self.chain = HeaderChain(NETWORK, RamStore(CAPACITY, INTERVAL), state)
        self.promised = 0
        self.most_work = self.chain.state.chainwork

    def ask(self, branch: Branch, size: int, fill_links: bool) -> bool:
        """One GET_HEADERS and its answer; False when the bridge has nothing more, or nothing in common."""
        chain = self.chain
        out = bytearray(36 * MAX_LOCATOR)
        length = chain.write_locator(out)
        entries = [(int.from_bytes(out[i : i + 4], "little"), bytes(out[i + 4 : i + 36])) for i in range(0, length, 36)]
        for height, found in entries:
            if height <= branch.height and branch.hashes[height] == found:
                break
        else:
            return False
        batch = bytearray(b"".join(branch.raw[height + 1 : height + 1 + size]))
        count = len(batch) // 80
        if fill_links:
            for i in range(0, len(batch), 80):
                batch[i + 4 : i + 36] = bytes(32)
        before = chain.state.chainwork
        tip = chain.state.block_hash
        outcome = chain.accept(batch, 0, count, height, branch.hashes[height], NOW, fill_links)
        after = chain.state.chainwork
        end = height + count
        if outcome in (KNOWN, BRANCH):
            assert chain.state.block_hash == tip
        if outcome == BRANCH:
            assert branch.work[end] <= before
        if outcome in (EXTENDED, REORGANISED):
            assert after > before and chain.state.block_hash == branch.hashes[end]
        if outcome == REORGANISED:
            assert chain.reorg_depth > 0
        if outcome == REFETCH:
            assert after < before < branch.work[end]
            self.promised = max(self.promised, branch.work[end])
        self.check()
        return count > 0

    def check(self) -> None:
        chain = self.chain
        state = chain.state
        assert chain.store.tip_height == state.height == chain.tip_height
        assert chain.store.base_height >= chain.store.first_height - 1
        assert chain.rules.unverified == {}
        if state.chainwork < self.promised:
            with pytest.raises(NotSynced):
                chain.require_ready(state.time)
        else:
            chain.require_ready(state.time)
            assert state.chainwork >= self.most_work
            self.most_work = state.chainwork

    def whole(self, branch: Branch) -> None:
        """Its window is that of `branch`, and its state that of one who saw this branch alone."""
        chain = self.chain
        state = chain.state
        record = bytearray(80)
        for height in range(chain.store.first_height, state.height + 1):
            chain.store.read_into(height, record, 0)
            assert bytes(record) == branch.raw[height]
            assert chain.block_hash_at(height) == branch.hashes[height]
        mined = branch.miners[state.height].state
        for name in ("height", "block_hash", "time", "bits", "times", "normal_bits", "chainwork", "epoch_first_time"):
            assert getattr(state, name) == getattr(mined, name), name
        assert state.epoch_first_bits == mined.epoch_first_bits


ACTIONS = ["extend"] * 4 + ["fork"] * 4 + ["best"] * 6 + ["sync"] * 3 + ["some"] * 3 + ["garbage"] * 2 + ["restart"]


@pytest.mark.parametrize("seed", range(100))
def test_the_branch_with_most_work_wins_whatever_happens(seed: int) -> None:
    chance = random.Random(seed)
    branches = [Branch()]
    branches[0].extend(30, 600, 0)
    device = Device()
    for salt in range(1, 60):
        action = chance.choice(ACTIONS)
        branch = chance.choice(branches)
        size = chance.choice([1, 7, 20, 60, MAX_BATCH_HEADERS, MAX_BATCH_HEADERS])
        step = chance.choice([300, 500, 600, 700, 1300])
        if action == "extend":
            branch.extend(chance.randint(1, 40), step, salt)
        elif action == "fork":
            depth = min(chance.choice([1, 2, 3, 10, 30, 60, 120]), branch.height)
            branches.append(branch.fork(branch.height - depth))
            branches[-1].extend(max(1, depth + chance.randint(-2, 4)), step, salt)
        elif action == "some":  # a bridge that falls silent
            for _ in range(chance.randint(1, 3)):
                device.ask(branch, size, False)
        elif action == "garbage":
            garbage(device, branch, chance)
        elif action == "restart":
            device.restart()
        else:
            if action == "best":
                branch = max(branches, key=lambda b: b.work[-1])
            sync(device, branch, size, chance.random() < 0.5)
        branches = branches[-6:]


def garbage(device: Device, branch: Branch, chance: random.Random) -> None:
    """A batch whose last header is spoilt, in the bits: else half of all hashes are as good as any."""
    chain = device.chain
    height = max(0, branch.height - chance.randint(1, 40))
    batch = bytearray(b"".join(branch.raw[height + 1 :]))
    batch[len(batch) - 8] ^= 0x55
    before = (chain.state.block_hash, chain.state.chainwork, chain.store.tip_height)
    with pytest.raises(LightClientError):
        chain.accept(batch, 0, len(batch) // 80, height, branch.hashes[height], NOW)
    assert before == (chain.state.block_hash, chain.state.chainwork, chain.store.tip_height)
    device.check()


def sync(device: Device, branch: Branch, size: int, fill_links: bool) -> None:
    """An honest bridge with this branch, until it has no more: it must not take for ever, nor stop too early."""
    chain = device.chain
    lowest = chain.store.base_height
    common = 0
    own_tip = chain.state.block_hash
    known = {chain.block_hash_at(h): h for h in range(lowest, chain.tip_height + 1)}
    common = max((h for h in range(branch.height + 1) if branch.hashes[h] in known), default=-1)
    work = chain.state.chainwork
    turns = 0
    while device.ask(branch, size, fill_links):
        turns += 1
        # each header is sent three times at most: known ones, the branch, and the branch again
        assert turns <= 3 * (branch.height - lowest) // size + 20
    if common < 0:
        assert chain.state.block_hash == own_tip  # it starts anew from a checkpoint: nothing in common
    elif branch.work[-1] > work:
        assert chain.state.block_hash == branch.hashes[-1]
        device.whole(branch)
    else:
        assert chain.state.chainwork == work and chain.state.block_hash == own_tip
