"""Where a chain keeps its window of headers.

A store holds the 80-byte records of consecutive heights, `first_height` to `tip_height`
(`tip_height == first_height - 1`: none), and offers `append`, `read_into` and `truncate`.
`RamStore` keeps the newest ones in one ring that is made once.
"""

from lightclient.compat import const
from lightclient.errors import HeaderNotInChain, LimitExceeded
from lightclient.limits import HEADER_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lightclient.serialize import Buffer


_PAGE = const(32)  # headers


class RamStore:
    """The newest `capacity` headers (80 bytes each); older ones are overwritten."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.first_height = 0
        self.tip_height = -1
        # in pages: a small heap that modules have been loaded into has no long stretch left
        self._pages = [memoryview(bytearray(_PAGE * HEADER_SIZE)) for _ in range((capacity + _PAGE - 1) // _PAGE)]

    def begin(self, height: int) -> None:
        """Empty the store; the first header appended has this height."""
        self.first_height = height
        self.tip_height = height - 1

    def append(self, buffer: "Buffer", offset: int, count: int) -> None:
        """Keep `count` records that follow the tip."""
        view = memoryview(buffer)
        while count:
            slot = (self.tip_height + 1) % self.capacity
            run = min(count, _PAGE - slot % _PAGE, self.capacity - slot)  # what lies together
            at = slot % _PAGE * HEADER_SIZE
            end = offset + run * HEADER_SIZE
            self._pages[slot // _PAGE][at : at + run * HEADER_SIZE] = view[offset:end]
            self.tip_height += run
            count -= run
            offset = end
        self.first_height = max(self.first_height, self.tip_height - self.capacity + 1)

    def truncate(self, height: int) -> None:
        """Forget the headers above `height`."""
        if not self.first_height - 1 <= height <= self.tip_height:
            raise LimitExceeded("truncate outside the window", height)
        self.tip_height = height

    def read_into(self, height: int, buffer: "bytearray | memoryview", offset: int) -> None:
        """Copy the record of `height`. Raises HeaderNotInChain when it is not in the window."""
        if not self.first_height <= height <= self.tip_height:
            raise HeaderNotInChain(
                "height %d is not in the window %d to %d" % (height, self.first_height, self.tip_height), height
            )
        slot = height % self.capacity
        at = slot % _PAGE * HEADER_SIZE
        buffer[offset : offset + HEADER_SIZE] = self._pages[slot // _PAGE][at : at + HEADER_SIZE]
