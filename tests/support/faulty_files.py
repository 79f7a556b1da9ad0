"""Files in memory that can lose power: what a folder may look like after a cut between two syncs.

Each call that writes is a step. `cut_after = n` lets n steps happen and raises PowerCut in the next
one, which is torn. What had not been synced is then settled by `chance`: of each file on its own,
so that writes come out reordered, an append may survive whole, in part, in part with zeros behind
it, or not; a whole-file write as the old content, none, or part of the new; a rename or removal
happened or not. The power is off then: what a handler of the program still writes is lost, until
`cut_after` is set again. Runs on both Pythons.
"""

from lightclient.errors import StoreFull, StoreLocked


class PowerCut(Exception):
    pass


class Chance:
    """Small, the same on both Pythons: xorshift32."""

    def __init__(self, seed):
        self.value = (seed * 2654435761 + 97) & 0xFFFFFFFF or 1

    def below(self, n):
        x = self.value
        x ^= (x << 13) & 0xFFFFFFFF
        x ^= x >> 17
        x ^= (x << 5) & 0xFFFFFFFF
        self.value = x
        return (x >> 3) % n


class MemoryFiles:
    """The same interface as firmware.files; `room` in bytes, -1: no end."""

    def __init__(self, room=-1):
        self.room = room
        self.steps = 0
        self.cut_after = -1
        self.chance = None
        self.locked = False
        self._files = {}  # name: bytes, as the running program sees it
        self._safe = {}  # name: bytes, as of the last sync
        self._moved = []  # (old name, new name) since then; new name "" for a removal

    @property
    def cut_after(self):
        return self._cut_after

    @cut_after.setter
    def cut_after(self, steps):
        self._cut_after = steps
        self._off = False

    def content(self, name):
        return self._files[name]

    def copy(self, room=-1):
        """The same files, synced, on a chip of their own."""
        other = MemoryFiles(room)
        other._files = dict(self._files)
        other._safe = dict(self._files)
        return other

    def names(self):
        return sorted(self._files)

    def size(self, name):
        return len(self._files[name]) if name in self._files else -1

    def read_into(self, name, position, buffer):
        if self._off:
            raise PowerCut
        data = memoryview(self._files[name])[position : position + len(buffer)]
        memoryview(buffer)[: len(data)] = data
        return len(data)

    def _step(self, settle):
        if self._off:
            raise PowerCut
        if self.steps == self.cut_after:
            settle()
            self._lose_power()
            self._off = True
            raise PowerCut
        self.steps += 1

    def _need(self, size):
        if size > 0 and self.room >= 0 and sum([len(data) for data in self._files.values()]) + size > self.room:
            raise StoreFull("no room for %d bytes" % size)

    def append(self, name, data):
        data = bytes(data)
        taken = data
        try:
            self._need(len(data))
        except StoreFull:
            taken = data[: len(data) // 3]

        def settle():
            self._files[name] = self._files.get(name, b"") + taken

        self._step(settle)
        settle()
        self._need(len(data) - len(taken))

    def write(self, name, data):
        data = bytes(data)
        self._need(len(data) - max(self.size(name), 0))

        def settle():
            self._files[name] = data

        self._step(settle)
        settle()

    def cut(self, name, size):
        def settle():
            self._files[name] = self._files[name][:size]

        self._step(settle)
        settle()

    def rename(self, name, new_name):
        def settle():
            self._moved.append((name, new_name))
            self._files[new_name] = self._files.pop(name)

        self._step(settle)
        settle()

    def remove(self, name):
        def settle():
            self._moved.append((name, ""))
            del self._files[name]

        self._step(settle)
        settle()

    def sync(self):
        self._step(lambda: None)
        self._safe = dict(self._files)
        self._moved = []

    def release(self):
        pass

    def lock(self):
        if self.locked:
            raise StoreLocked("another program has it open")
        self.locked = True

    def close(self):
        self.locked = False

    def _lose_power(self):
        chance = self.chance or Chance(1)
        after = {}
        names = dict(self._safe)
        moved = []  # names that change whole: what they hold has been synced before
        for old, new in self._moved:
            moved += [old, new]
            if chance.below(2) and old in names:
                data = names.pop(old)
                if new:
                    names[new] = data
        for name in set(list(names) + list(self._files)):
            old = names.get(name)
            new = self._files.get(name)
            if new is None or new == old or name in moved:
                if old is not None:
                    after[name] = old
                continue
            kind = chance.below(5)
            if kind == 0:
                if old is not None:
                    after[name] = old
            elif kind == 1:
                after[name] = bytes(new)
            elif old is not None and new[: len(old)] == old:
                after[name] = _part(bytes(new), len(old), kind, chance)
            elif old is not None and len(new) < len(old) and old[: len(new)] == new:
                after[name] = old if kind & 1 else bytes(new)  # a cut happens or not
            else:
                after[name] = _part(bytes(new), 0, kind, chance)
        self._files = after
        self._safe = dict(after)
        self._moved = []
        self.locked = False
        self.cut_after = -1


def _part(data, start, kind, chance):
    """`data` up to somewhere behind `start`; of kind 3 with zeros to its full length."""
    end = start + chance.below(len(data) - start + 1)
    if kind == 4:
        end -= (end - start) % 80  # between two headers
    return data[:end] + (bytes(len(data) - end) if kind == 3 else b"")
