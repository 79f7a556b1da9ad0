"""What `lightclient doctor` finds, and what its parts have seen and share."""

from dataclasses import dataclass, field

from host_bridge.service.log import one_line

GOOD = "good"
WARNING = "warning"  # it works, but not for ever, or not all of it
BROKEN = "broken"


@dataclass(frozen=True)
class Finding:
    """`detail` is one line for people; `fix` the command that repairs what is not good, as a shell takes it."""

    check: str
    result: str
    detail: str
    fix: str = ""


def good(check: str, detail: str) -> Finding:
    return Finding(check, GOOD, one_line(detail))


def warning(check: str, detail: str, fix: str) -> Finding:
    return Finding(check, WARNING, one_line(detail), fix)


def broken(check: str, detail: str, fix: str) -> Finding:
    return Finding(check, BROKEN, one_line(detail), fix)


@dataclass(frozen=True)
class NodeSeen:
    """Times in Unix seconds: of the node's newest block, and the median of its last eleven."""

    network: str
    height: int
    synced: bool
    tip_time: int
    median_time: int


@dataclass(frozen=True)
class DeviceSeen:
    name: str
    network: str


@dataclass
class Seen:
    """What one part has seen and another is compared with. Each part sets its own, from its own thread."""

    node: NodeSeen | None = None
    devices: list[DeviceSeen] = field(default_factory=list)
    clock_synced: bool | None = None  # None: the system does not say
