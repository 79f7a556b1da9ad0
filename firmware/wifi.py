"""A Pico W's way into the network: joins an access point, notices when it is gone, and joins again.

Never waits. An attempt has `_JOIN_MS`; between two lies a pause that doubles up to `_LONGEST_PAUSE`, so an access
point that is gone for an hour, or a wrong password, costs neither power nor the cable's attention. The radio's
power saving delays each answer by up to 200 ms: it is off while much comes, and on again after `_QUIET_MS`.
"""

from lightclient.compat import const

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from typing import Any

    from firmware.tcp_link import TcpLink
    from hardware.board import Board

_JOIN_MS = const(20_000)  # for finding it, the password and an address
_LOOK_MS = const(1_000)  # between looks whether it is still there
_FIRST_PAUSE = const(1_000)
_LONGEST_PAUSE = const(60_000)
_QUIET_MS = const(5_000)
_MUCH = const(1024)  # bytes within _QUIET_MS: a sync or a proof, not a sign of life

_PAUSING = const(0)
_JOINING = const(1)
_JOINED = const(2)

# What the radio's driver says (cyw43; network.STAT_...).
_GOT_IP = const(3)
_PROBLEMS = {-1: "no connection", -2: "no such access point", -3: "wrong password"}
_POWER_SAVING = (("PM_NONE", 0x10), ("PM_PERFORMANCE", 0xA11142))  # off, on


class Wifi:
    """The access point `ssid`. `network` is MicroPython's module of that name; `problem`: why it is not joined."""

    def __init__(self, ssid: str, password: str, board: "Board", network: "Any") -> None:
        self.problem = ""
        self._name = (ssid, password)
        self._board = board
        self._wlan = network.WLAN(getattr(network, "STA_IF", 0))
        self._modes = [getattr(network.WLAN, name, value) for name, value in _POWER_SAVING]
        self._state = _PAUSING
        self._since = board.milliseconds()
        self._pause = 0
        self._failures = 0
        self._saves_power = False

    def is_joined(self) -> bool:
        """Do what is due, and say whether there is a network now."""
        now = self._board.milliseconds()
        try:
            if self._state == _PAUSING:
                if now - self._since >= self._pause:
                    self._join(now)
            elif self._state == _JOINING or now - self._since >= _LOOK_MS:
                self._look(now)
        except (OSError, RuntimeError) as error:  # the driver, or the radio
            self._fail("radio: " + " ".join(str(error).split()), now)
        return self._state == _JOINED

    def save_power(self, wanted: bool) -> None:
        """Let the radio sleep between beacons, or not."""
        if wanted != self._saves_power and self._state == _JOINED:
            self._saves_power = wanted
            try:
                self._wlan.config(pm=self._modes[1 if wanted else 0])
            except (OSError, ValueError):  # another radio: it stays as it is
                pass

    def _join(self, now: int) -> None:
        self._wlan.active(True)
        self._wlan.connect(self._name[0], self._name[1])
        self._state = _JOINING
        self._since = now

    def _look(self, now: int) -> None:
        if self._wlan.isconnected():
            if self._state == _JOINING:
                self._saves_power = True  # as the driver begins
                self._state = _JOINED
                self.save_power(False)
            self._since = now
            self._failures = 0
            self.problem = ""
            return
        status = self._wlan.status()
        if self._state == _JOINED:
            self._fail("the access point is gone", now)
        elif status in _PROBLEMS:
            self._fail(_PROBLEMS[status], now)
        elif now - self._since > _JOIN_MS:
            self._fail("no answer", now)

    def _fail(self, problem: str, now: int) -> None:
        self.problem = "wifi: " + problem
        try:
            self._wlan.disconnect()
        except (OSError, RuntimeError):
            pass
        pause = min(_FIRST_PAUSE << min(self._failures, 8), _LONGEST_PAUSE)
        self._failures += 1
        self._pause = pause // 2 + pause * self._board.random(1)[0] // 512  # half by chance, as in tcp_link.py
        self._state = _PAUSING
        self._since = now


class WifiLink:
    """`tcp` over `wifi`; the calls are those of TcpLink."""

    point_to_point = False
    closed = False  # never for good

    def __init__(self, wifi: Wifi, tcp: "TcpLink", board: "Board") -> None:
        self.buffer = tcp.buffer
        self.connected = False
        self._wifi = wifi
        self._tcp = tcp
        self._board = board
        self._came = 0  # bytes since `_counted`
        self._counted = board.milliseconds()

    @property
    def failures(self) -> int:
        return self._tcp.failures

    @failures.setter
    def failures(self, count: int) -> None:
        self._tcp.failures = count

    @property
    def problem(self) -> str:
        return self._wifi.problem or self._tcp.problem

    def read(self, timeout_ms: int) -> int:
        wifi = self._wifi
        if not wifi.is_joined():
            if self.connected:
                self._tcp.close()
                self.connected = False
            self._tcp.rest(timeout_ms)
            return 0
        count = self._tcp.read(timeout_ms)
        self.connected = self._tcp.connected
        self._came += count
        now = self._board.milliseconds()
        if self._came > _MUCH:
            wifi.save_power(False)
        if now - self._counted > _QUIET_MS:
            if self._came <= _MUCH and self.connected:
                wifi.save_power(True)
            self._came = 0
            self._counted = now
        return count

    def write(self, data: bytes) -> None:
        self._tcp.write(data)

    def flush(self) -> bool:
        return self._tcp.flush()

    def close(self) -> None:
        self._tcp.close()
        self.connected = False


def over_wifi(name: "tuple[str, str]", tcp: "TcpLink", board: "Board") -> "TcpLink | WifiLink":
    """`tcp` as it is where there is no Wi-Fi to join: no name is set, or the system sees to it (a computer)."""
    if not name[0]:
        return tcp
    try:
        import network  # noqa: PLC0415 - a Pico W has it, a Pico and a computer have not
    except ImportError:
        return tcp
    return WifiLink(Wifi(name[0], name[1], board, network), tcp, board)
