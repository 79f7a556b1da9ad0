"""All checks at once, each in a thread of its own: one that hangs (a dead network folder, a port) is left behind.

The threads are daemons, so that the program ends without them.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from host_bridge.doctor.certificate import look_at_certificate
from host_bridge.doctor.clock import ask_system, judge_clock
from host_bridge.doctor.finding import DeviceSeen, Finding, Seen, broken
from host_bridge.doctor.headers import look_at_headers
from host_bridge.doctor.listen import look_at_addresses
from host_bridge.doctor.node import look_at_node
from host_bridge.doctor.serial_port import chosen_ports, look_at_port, look_at_rule, look_for_boards
from host_bridge.doctor.setup import Setup
from host_bridge.doctor.shell import command
from host_bridge.doctor.state import look_at_devices, look_at_folder
from host_bridge.limits import MAX_PORTS

CHECK_SECONDS = 25.0  # longer than every part takes by its own limits
_PORTS_SECONDS = 5.0  # to look which there are

_THREAD = "doctor"

Look = Callable[[], Sequence[Finding]]


@dataclass
class Job:
    """A part of the examination; `by_hand` shows, in a shell, what it waits for."""

    check: str
    look: Look
    by_hand: str
    seconds: float = CHECK_SECONDS


def examine(setup: Setup, part_done: Callable[[int], None] = lambda count: None) -> list[Finding]:
    """Every finding, in an order for people. `part_done` is told how many more parts are done."""
    seen = Seen()
    ports = run_together([Job("serial", partial(_ports, setup), "ls -l /dev/tty*", _PORTS_SECONDS)])
    paths = [finding.detail for finding in ports if not finding.result]
    stuck = [finding for finding in ports if finding.result]
    folder = command("ls", "-l", setup.folder)
    jobs = [
        Job("node", partial(look_at_node, setup, seen), setup.bridge_command("doctor")),
        *(Job("serial", partial(look_at_port, setup, seen, path), command("ls", "-l", path)) for path in paths),
        Job("serial", partial(look_for_boards, setup, paths), "lsusb"),
        Job("udev", partial(look_at_rule, setup), "ls -l /etc/udev/rules.d"),
        Job("clock", partial(_clock, seen), "timedatectl"),
        Job("state", partial(look_at_folder, setup), folder),
        Job("certificate", partial(look_at_certificate, setup), folder),
        Job("devices", partial(look_at_devices, setup), folder),
        Job("headers", partial(look_at_headers, setup), command("ls", "-l", setup.folder / "headers")),
        Job("listen", partial(look_at_addresses, setup), "ss -ltn"),
    ]
    found = stuck + run_together(jobs, part_done)
    clock = judge_clock(seen)
    place = next((i for i, finding in enumerate(found) if finding.check == "state"), len(found))
    return [*found[:place], *_of_other_networks(setup, seen), clock, *found[place:]]


def _ports(setup: Setup) -> list[Finding]:
    return [Finding("port", "", path) for path in chosen_ports(setup)[:MAX_PORTS]]


def _clock(seen: Seen) -> list[Finding]:
    ask_system(seen)
    return []


def _of_other_networks(setup: Setup, seen: Seen) -> list[Finding]:
    """Devices of another network than the one that is served."""
    served = setup.config.network or (seen.node.network if seen.node else "")
    return [_other_network(setup, device, served) for device in seen.devices if served not in ("", device.network)]


def _other_network(setup: Setup, device: DeviceSeen, served: str) -> Finding:
    text = f"{device.name} is on {device.network}, but this bridge serves {served}: it is refused"
    return broken("device", text, setup.with_changed("network", device.network))


def run_together(jobs: Sequence[Job], part_done: Callable[[int], None] = lambda count: None) -> list[Finding]:
    """What all of them find, in their order; nothing is waited for longer than its time."""
    results: list[Sequence[Finding] | None] = [None] * len(jobs)
    done = threading.Semaphore(0)

    def run(i: int) -> None:
        try:
            results[i] = list(jobs[i].look())
        except Exception as error:  # the others' findings are told all the same
            results[i] = [broken(jobs[i].check, f"an error of this program: {error!r}", jobs[i].by_hand)]
        finally:
            done.release()

    started = time.monotonic()
    for i in range(len(jobs)):
        threading.Thread(target=run, args=(i,), name=f"{_THREAD} {jobs[i].check}", daemon=True).start()
    end = started + max((job.seconds for job in jobs), default=0)
    for _ in jobs:
        if not done.acquire(timeout=max(end - time.monotonic(), 0)):
            break
        part_done(1)
    found: list[Finding] = []
    for job, result in zip(jobs, results, strict=True):
        if result is None:
            found.append(broken(job.check, f"not done in {job.seconds:.0f} s: something hangs", job.by_hand))
        else:
            found += result
    return found


def is_stuck() -> bool:
    """Whether a part was left behind, and still runs."""
    return any(thread.name.startswith(_THREAD) for thread in threading.enumerate())
