"""A device's store against a plain list of headers: appends, reorgs, prunes, payments, restarts, power cuts."""

from faulty_files import Chance, MemoryFiles, PowerCut
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from store_model import EPOCHS, LENGTH, Branch, Device

from lightclient.errors import AlreadyActed, StoreFull


class StoreMachine(RuleBasedStateMachine):
    """`branch` is the plain list; `relay` what moved."""

    def __init__(self) -> None:
        super().__init__()
        self.branch = Branch()
        self.files = MemoryFiles()
        self.relay: list[bytes] = []
        self.salt = 0
        self.lowest = 0
        self.paid_in: dict[bytes, tuple[int, bytes]] = {}
        self.device = Device(self.files, self.relay)

    @rule(count=st.integers(1, 40), batch=st.integers(1, 30))
    def extend(self, count: int, batch: int) -> None:
        self.salt += 1
        self.branch.grow(count, self.salt)
        self.device.sync(self.branch, batch)

    @rule(data=st.data(), more=st.integers(1, 12), batch=st.integers(1, 30))
    def reorganise(self, data: st.DataObject, more: int, batch: int) -> None:
        tip = self.branch.height
        fork = data.draw(st.integers(self.device.chain.lowest_fork, tip), label="fork")
        self.salt += 1
        self.branch = self.branch.fork(fork).grow(tip - fork + more, self.salt)
        self.device.sync(self.branch, batch)

    @rule()
    def restart(self) -> None:
        self.device.store.commit(self.device.chain.state)
        self.device.store.close()
        self.device = Device(self.files, self.relay)

    @rule(seed=st.integers(0, 1 << 30), steps=st.integers(0, 12), count=st.integers(1, 30))
    def lose_power(self, seed: int, steps: int, count: int) -> None:
        self.salt += 1
        self.branch.grow(count, self.salt)
        self.files.chance = Chance(seed)
        self.files.cut_after = self.files.steps + steps
        try:
            self.device.sync(self.branch, 9)
            self.files.cut_after = -1
            self.files._lose_power()
        except PowerCut:
            self.files.cut_after = -1  # the power is back
        work = self.device.store.committed_work
        self.device = Device(self.files, self.relay)
        assert self.device.chain.state.chainwork >= work
        self.device.sync(self.branch)

    @precondition(lambda self: self.branch.height > 2)
    @rule(number=st.integers(1, 5), depth=st.integers(0, 5))
    def pay(self, number: int, depth: int) -> None:
        txid = bytes([number]) * 32
        height = max(self.branch.height - depth, 1)
        if self.is_where_it_was(txid):
            height = self.paid_in[txid][0]  # a transaction is in one block only
        try:
            self.device.pay(txid, height)
        except StoreFull:
            assert self.device.acted.count == 4
            return
        if not self.is_where_it_was(txid):  # paid now, or mined again after a reorg and proved there
            self.paid_in[txid] = (height, self.branch.hash_at(height))

    def is_where_it_was(self, txid: bytes) -> bool:
        height, block_hash = self.paid_in.get(txid, (0, b""))
        return height <= self.branch.height and self.branch.hash_at(height) == block_hash

    @invariant()
    def is_the_plain_list(self) -> None:
        chain, store = self.device.chain, self.device.store
        assert chain.tip_height == store.tip_height == self.branch.height
        assert chain.state.block_hash == self.branch.hash_at(self.branch.height)
        assert chain.state.chainwork == self.branch.miner.state.chainwork
        assert store.first_height >= self.lowest
        self.lowest = store.first_height
        assert (store.tip_height + 1) // LENGTH - store.first_height // LENGTH < EPOCHS or store._branch >= 0
        record = bytearray(80)
        for height in range(store.first_height, store.tip_height + 1):
            store.read_into(height, record, 0)
            assert record == self.branch.header(height)

    @invariant()
    def nothing_is_paid_twice(self) -> None:
        assert len(set(self.relay)) == len(self.relay)
        acted = self.device.acted
        for txid in self.relay:
            try:
                acted.require_new(txid, 0, 1 << 20, self.branch.height)
            except (AlreadyActed, StoreFull):
                continue
            # forgotten: its block is final, and whatever is said to be in a final block is refused
            height = self.paid_in[txid][0]
            assert height < acted.floor == self.device.chain.floor and self.is_where_it_was(txid)


StoreMachine.TestCase.settings = settings(
    max_examples=40, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
test_store_is_a_plain_list = StoreMachine.TestCase
