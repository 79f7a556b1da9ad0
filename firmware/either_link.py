"""A network, or a UART, as the way to the bridge, and a cable for whoever comes with one.

Whoever talks over the cable (a frame's delimiter is enough) has the device for as long as they do: so a
device whose network or bridge has changed can be paired anew. Otherwise the network it is.
"""

from lightclient.compat import const

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from firmware.links import StreamLink
    from firmware.tcp_link import TcpLink
    from firmware.uart import UartLink
    from firmware.wifi import WifiLink
    from hardware.board import Board

_DELIMITER = b"\x7e"  # of frames
_CABLE_MS = const(20_000)  # without a byte, until the network has its turn again


class EitherLink:
    """One of the two at a time. The calls are those of StreamLink; between the two it is not connected."""

    closed = False  # without a cable it goes on

    def __init__(self, network: "TcpLink | WifiLink | UartLink", cable: "StreamLink", board: "Board") -> None:
        self._network = network
        self._cable = cable
        self._board = board
        self._on_cable = False
        self._heard = 0
        self.connected = False

    @property
    def buffer(self) -> bytearray:
        return self._cable.buffer if self._on_cable else self._network.buffer

    @property
    def point_to_point(self) -> bool:
        return self._on_cable or self._network.point_to_point

    @property
    def failures(self) -> int:
        return self._network.failures

    @failures.setter
    def failures(self, count: int) -> None:
        self._network.failures = count

    @property
    def problem(self) -> str:
        return self._network.problem

    def read(self, timeout_ms: int) -> int:
        now = self._board.milliseconds()
        count = 0
        if not self._cable.closed:
            count = self._cable.read(timeout_ms if self._on_cable else 0)
            if count < 0:
                self._cable.closed = True
        if self._on_cable:
            if count > 0:
                self._heard = now
            elif self._cable.closed or now - self._heard > _CABLE_MS:
                self._on_cable = self.connected = False
                return 0
            self.connected = True
            return max(count, 0)
        if count > 0 and self._cable.buffer.find(_DELIMITER, 0, count) >= 0:
            self._network.close()
            self._on_cable = True
            self._heard = now
            self.connected = False
            return 0
        count = self._network.read(timeout_ms)
        self.connected = self._network.connected
        return count

    def write(self, data: bytes) -> None:
        (self._cable if self._on_cable else self._network).write(data)

    def flush(self) -> bool:
        return (self._cable if self._on_cable else self._network).flush()
