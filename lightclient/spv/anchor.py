"""Whether a proof's header is in the chain: in its window, or shown by a path to the accumulator.

The window decides first. A header that it no longer has needs the path, which is the last of a proof's
values. A path that comes although the window has the header must be true as well, if it fits the chain's
present size: a false one is refused wherever it can be seen.
"""

from lightclient.compat import const
from lightclient.errors import HeaderNotInChain
from lightclient.headers.path import PathVerifier

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from typing import Protocol

    from lightclient.headers.accumulator import Accumulator
    from lightclient.serialize import Buffer

    class Chain(Protocol):
        @property
        def accumulator(self) -> "Accumulator | None": ...

        def require_header(self, height: int, header: "Buffer") -> None: ...


class Anchor:
    """Made once; for each proof `begin`, `check_header`, and where there is a path `begin_path`, `add`, `finish`.

    `anchored`: the header is in the chain; `needs_path`: only its path can show that.
    """

    def __init__(self) -> None:
        self._path = PathVerifier()
        self.begin(None)

    def begin(self, chain: "Chain | None") -> None:
        self._chain = chain
        self.anchored = False
        self.needs_path = False

    def check_header(self, height: int, header: "Buffer", has_path: bool) -> None:
        """Raises HeaderNotInChain when the header is neither in the window nor could have a good path."""
        chain = self._chain
        if chain is None:
            return
        try:
            chain.require_header(height, header)
            self.anchored = True
        except HeaderNotInChain:
            if not has_path or chain.accumulator is None or height >= chain.accumulator.count:
                raise
            self.needs_path = True

    def begin_path(self, height: int, block_hash: "Buffer", size: int, count: int) -> None:
        """`count` hashes come, made for `size` blocks. Raises PathMismatch."""
        self._path.begin(height, block_hash, size, count)
        accumulator = self._accumulator()
        if accumulator is not None and self.needs_path:
            self._path.require_fit(accumulator)

    def add(self, buffer: "Buffer", offset: int) -> None:
        """Take the next hash of the path."""
        self._path.add(buffer, offset)

    def finish(self) -> None:
        """The path is whole. Raises PathMismatch."""
        accumulator = self._accumulator()
        if accumulator is not None and (self.needs_path or self._path.fits(accumulator)):
            self._path.finish(accumulator)
            self.anchored = True

    def _accumulator(self) -> "Accumulator | None":
        return self._chain.accumulator if self._chain is not None else None
