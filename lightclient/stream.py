"""Parsing input that comes in pieces of any size, in constant memory.

Theory of operation: a parser asks either to *gather* a few bytes into its scratch buffer or to
*pass* a run of bytes on as they come (to a hash, say). When all of them are there, `_step(state)`
is called with the state that was named, looks at the scratch, and asks for the next bytes. Nothing
is kept but the scratch, so memory does not grow with the input. States are small integers because
bound methods would be objects on the heap.
"""

from lightclient.compat import const
from lightclient.errors import LightClientError, TrailingData, TruncatedInput

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lightclient.serialize import Buffer

_GATHER = const(0)
_PASS = const(1)
_DONE = const(2)


class StreamParser:
    """Base of the transaction walk and of the proof reader. `position` counts the bytes taken."""

    def __init__(self, scratch_size: int) -> None:
        self.scratch = bytearray(scratch_size)
        self.position = 0
        self._mode = _DONE
        self._have = 0
        self._want = 0
        self._state = 0

    def _restart(self) -> None:
        self.position = 0
        self._have = 0

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

    def _finish(self) -> None:
        self._mode = _DONE

    def _step(self, state: int) -> None:
        raise LightClientError("a parser says what its states do")

    def _passed(self, data: "Buffer", start: int, end: int) -> None:
        """Take `data[start:end]`, a piece of the run that `_pass` asked for."""

    @property
    def done(self) -> bool:
        """Whether the whole structure has been read."""
        return bool(self._mode == _DONE)

    def feed(self, data: "Buffer", start: int, end: int) -> None:
        """Take `data[start:end]`. Raises TrailingData for bytes after the end, and what the rules say."""
        while True:
            while self._want == 0 and self._mode != _DONE:
                self._step(self._state)
            if start >= end:
                return
            if self._mode == _DONE:
                raise TrailingData(str(end - start) + " bytes after the end, at byte " + str(self.position))
            count = min(self._want, end - start)
            if self._mode == _PASS:
                self._passed(data, start, start + count)
            else:
                have = self._have
                self.scratch[have : have + count] = data[start : start + count]
                self._have = have + count
            self._want -= count
            self.position += count
            start += count

    def close(self) -> None:
        """No more bytes come. Raises TruncatedInput unless the structure is whole."""
        if self._mode != _DONE:
            raise TruncatedInput("ends early, at byte " + str(self.position))
