"""Batches of headers, packed for the link once for all devices that ask for the same."""

from collections import OrderedDict
from collections.abc import Callable

from host_bridge.limits import MAX_PACKED_BATCHES
from lightclient.headers.compact import pack_headers
from lightclient.limits import HEADER_SIZE, MAX_BATCH_HEADERS


def pack(raw: bytes, room: int) -> tuple[int, bytes]:
    """As many of these raw headers as one batch has, in at most `room` bytes: how many, and they packed."""
    packed = bytearray(room)
    count, length = pack_headers(raw, 0, len(raw) // HEADER_SIZE, packed, 0, room)
    return count, bytes(packed[:length])


class PackedBatches:
    """The batches used last. `headers(height, count)` gives raw headers, fewer at the chain's end."""

    def __init__(self, headers: Callable[[int, int], bytes], most: int = MAX_PACKED_BATCHES) -> None:
        self._headers = headers
        self._most = most
        self._batches: OrderedDict[tuple[int, int, int], tuple[int, bytes]] = OrderedDict()

    def get(self, height: int, count: int, room: int) -> tuple[int, bytes]:
        """Up to `count` headers from `height` on in at most `room` bytes."""
        count = min(count, MAX_BATCH_HEADERS)
        key = (height, count, room)
        found = self._batches.get(key)
        if found is not None:
            self._batches.move_to_end(key)
            return found
        raw = self._headers(height, count)
        batch = pack(raw, room)
        if len(raw) == count * HEADER_SIZE:  # else it ends where the chain ends now
            self._batches[key] = batch
            if len(self._batches) > self._most:
                self._batches.popitem(last=False)
        return batch

    def clear(self) -> None:
        """A reorg has replaced headers."""
        self._batches.clear()

    def __len__(self) -> int:
        return len(self._batches)
