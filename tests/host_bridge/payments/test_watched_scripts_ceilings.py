"""The scripts that devices watch, at their ceiling."""

import time

from host_bridge.limits import MAX_SCRIPTS
from host_bridge.payments.watched_scripts import WatchedScripts
from host_bridge.sessions.source import Watch


def watch(script: bytes, request_id: int = 1) -> Watch:
    return Watch(request_id, script, 0, 1, 0)


def test_ever_new_scripts_of_one_device_cost_the_others_no_time() -> None:
    scripts = WatchedScripts()
    started = time.monotonic()
    for i in range(3 * MAX_SCRIPTS):
        scripts.watch("a", watch(i.to_bytes(4, "big"), request_id=i), 0)
        scripts.unwatch("a", i)
        if i == 0:
            scripts.watch("b", watch(bytes(4)), 0)
    assert time.monotonic() - started < 3.0  # looking through all of them for each took a millisecond a script
    assert len(scripts) == MAX_SCRIPTS and scripts.get(bytes(4)) is not None
    scripts.unwatch("b", 1)
    scripts.watch("c", watch(b"new"), 0)  # who has been idle for longest makes room
    assert scripts.get(bytes(4)) is not None and scripts.get((2 * MAX_SCRIPTS + 1).to_bytes(4, "big")) is None
