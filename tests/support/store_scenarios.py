"""What a device does to its store, as scenarios that can be cut anywhere. Runs on both Pythons."""

from store_model import NETWORK, Branch, make_older

from lightclient.errors import StoreFull


class Scenario:
    """`prepare(device)` is not cut, `run(device)` is; `finish(device)` brings any of them to the same end."""

    network = NETWORK
    room = -1  # bytes

    def prepare(self, device):
        pass


class FirstSync(Scenario):
    name = "first sync"

    def __init__(self):
        self.branch = Branch().grow(150)
        self.branches = [self.branch]
        self.network = NETWORK.replay(self.branch.miner.state.chainwork * 140 // 150)

    def run(self, device):
        device.sync(self.branch)

    finish = run


class DailyBlocks(Scenario):
    name = "daily blocks"

    def __init__(self):
        self.branch = Branch().grow(90)
        self.branches = [self.branch]

    def prepare(self, device):
        device.sync(self.branch, 24, 70)

    def run(self, device):
        for height in range(71, 91):
            device.sync(self.branch, 1, height)

    def finish(self, device):
        device.sync(self.branch, 1)


class Reorg(Scenario):
    """From `tip` back to `fork`, which another branch of `length` headers leaves, in batches of `batch`."""

    def __init__(self, name, tip, fork, length, batch):
        self.name = name
        self.batch = batch
        self.old = Branch().grow(tip)
        self.new = self.old.fork(fork).grow(length, 7)
        self.branches = [self.new, self.old]

    def prepare(self, device):
        device.sync(self.old)

    def run(self, device):
        device.sync(self.new, self.batch)

    finish = run


class ReorgInLittleRoom(Reorg):
    """There is no room for a second file of the fork's epoch until the files above it are gone."""

    room = 13_600


class Prune(Scenario):
    name = "prune"

    def __init__(self):
        self.branch = Branch().grow(100)
        self.branches = [self.branch]

    def prepare(self, device):
        device.sync(self.branch, 24, 59)

    def run(self, device):
        device.sync(self.branch, 7)

    finish = run


class Migration(Prune):
    """A store of a version before this one (made up: its records had no sequence number of the payments)."""

    name = "migration"

    def prepare(self, device):
        Prune.prepare(self, device)
        for name in device.store.files.names():
            if name[:5] == "chain":
                make_older(device.store.files, name)


class ReorgAfterReorg(Scenario):
    """The second begins while the record still names the switch of the first."""

    name = "reorg right after a reorg"

    def __init__(self):
        old = Branch().grow(70)
        self.first = old.fork(60).grow(14, 7)
        self.second = self.first.fork(62).grow(15, 8)
        self.branches = [self.second, self.first, old]

    def prepare(self, device):
        device.sync(self.branches[2])

    def run(self, device):
        device.sync(self.first)
        device.sync(self.second)

    def finish(self, device):
        device.sync(self.second)


class Payments(Scenario):
    name = "payments"

    def __init__(self):
        self.branch = Branch().grow(80)
        self.branches = [self.branch]

    def prepare(self, device):
        device.sync(self.branch, 24, 40)

    def run(self, device):
        for i in range(4):
            device.sync(self.branch, 5, 45 + 5 * i)
            device.pay(bytes([i + 1]) * 32, 43 + 5 * i)
        try:
            device.pay(b"\x09" * 32, 60)
        except StoreFull:
            pass

    def finish(self, device):
        self.run(device)
        device.sync(self.branch)


def all_scenarios():
    return [
        FirstSync(),
        DailyBlocks(),
        Reorg("reorg in one batch over a file border", 70, 60, 14, 24),
        Reorg("reorg in two passes over file borders", 75, 45, 40, 8),
        Reorg("reorg down to the window's base", 79, 48, 60, 12),
        ReorgInLittleRoom("reorg in little room", 79, 50, 60, 8),
        ReorgAfterReorg(),
        Prune(),
        Payments(),
        Migration(),
    ]
