"""Parsing input that comes in pieces of any size, in constant memory.

Theory of operation: a parser asks to *gather* a few bytes into its scratch buffer, to *pass* a run of
bytes on as they come (to a hash, say), or to take *records* of one size, as many at a time as have come.
When all of them are there, `_step(state)` is called with the state that was named, looks at the
scratch, and asks for the next bytes. Nothing is kept but the scratch, so memory does not grow with the
input. States are small integers because bound methods would be objects on the heap.
"""

from lightclient.compat import const, micropython, ptr8
from lightclient.errors import LightClientError, TrailingData, TruncatedInput

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from lightclient.serialize import Buffer

_GATHER = const(0)
GATHER = _GATHER
_PASS = const(1)
_DONE = const(2)
_RECORDS = const(3)


@micropython.viper
def _copy(data, start: int, count: int, target, at: int) -> int:  # type: ignore[no-untyped-def]
    """Copy `data[start:start + count]` to `target[at:]`, which has room; returns the offset after it."""
    source = ptr8(data)
    out = ptr8(target)
    end = at + count
    while at < end:
        out[at] = source[start]
        at += 1
        start += 1
    return at


class StreamParser:
    """Base of the transaction walk and of the proof reader. `position` counts the bytes taken.

    Neither it nor what is built on it has a property: MicroPython then looks each attribute that is set up in
    the classes first, which makes all of them three times slower.
    """

    def __init__(self, scratch_size: int) -> None:
        self.scratch = bytearray(scratch_size)
        self.position = 0
        self._mode = _DONE
        self._have = 0
        self._want = 0
        self._size = 0
        self._state = 0

    def _restart(self) -> None:
        self.position = 0
        self._have = 0

    @micropython.native
    def _gather(self, count: int, state: int, keep: int = 0) -> None:
        """Collect `count` bytes in `scratch[keep:]`, then `_step(state)`."""
        if keep + count > len(self.scratch):
            raise LightClientError("scratch buffer is too small")
        self._mode = _GATHER
        self._have = keep
        self._want = count
        self._state = state

    def _pass(self, count: int, state: int) -> None:
        """Hand the next `count` bytes (0 is allowed) to `_passed` as they come, then `_step(state)`."""
        self._mode = _PASS
        self._want = count
        self._state = state

    def _records(self, count: int, size: int, state: int) -> None:
        """Hand the next `count` (0 is allowed) records of `size` bytes to `_recorded`, then `_step(state)`."""
        self._mode = _RECORDS
        self._have = 0
        self._want = count * size
        self._size = size
        self._state = state

    def _finish(self) -> None:
        self._mode = _DONE

    def _step(self, state: int) -> None:
        raise LightClientError("a parser says what its states do")

    def _passed(self, data: "Buffer", start: int, end: int) -> None:
        """Take `data[start:end]`, a piece of the run that `_pass` asked for."""

    def _recorded(self, data: "Buffer", start: int, count: int) -> None:
        """Take the `count` records at `data[start:]`."""

    @micropython.native
    def feed(self, data: "Buffer", start: int, end: int) -> None:
        """Take `data[start:end]`. Raises TrailingData for bytes after the end, and what the rules say."""
        while True:
            want = self._want
            if want == 0:
                if self._mode != _DONE:
                    self._step(self._state)
                    continue
                if start < end:
                    raise TrailingData(str(end - start) + " bytes after the end, at byte " + str(self.position))
            if start >= end:
                return
            count = end - start
            if count > want:  # noqa: PLR1730 - a call costs more
                count = want
            mode = self._mode
            if mode == _GATHER:
                self._have = _copy(data, start, count, self.scratch, self._have)
            elif mode == _PASS:
                self._passed(data, start, start + count)
            else:
                count = self._take_records(data, start, count)
            self.position += count
            start += count
            self._want = want - count
            if want == count:
                self._step(self._state)

    def _take_records(self, data: "Buffer", start: int, count: int) -> int:
        """Take whole records where they lie, and one that comes in pieces in the scratch."""
        size = self._size
        have = self._have
        if not have and count >= size:
            count //= size
            self._recorded(data, start, count)
            return count * size
        count = min(count, size - have)
        self._have = _copy(data, start, count, self.scratch, have)
        if have + count == size:
            self._have = 0
            self._recorded(self.scratch, 0, 1)
        return count

    def close(self) -> None:
        """No more bytes come. Raises TruncatedInput unless the structure is whole."""
        if self._mode != _DONE:
            raise TruncatedInput("ends early, at byte " + str(self.position))
