"""The ceilings of what all devices together watch, and what has to be searched again."""

import pytest
from followed_node import OTHER, watch
from payments_on_chain import AMOUNT, SCRIPT

from host_bridge.payments import watched_scripts
from host_bridge.payments.watched_scripts import WatchedScripts
from host_bridge.sessions.source import FoundPayment
from lightclient.errors import LimitExceeded


def paid(number: int, size: int) -> FoundPayment:
    return FoundPayment(number, number.to_bytes(32, "little"), bytes(32), bytes(size))


def test_the_script_that_takes_most_loses_what_has_no_room(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(watched_scripts, "MAX_PROOF_BYTES", 100_000)
    scripts = WatchedScripts()
    scripts.watch("greedy", watch(SCRIPT), 0)
    scripts.watch("modest", watch(OTHER), 0)
    greedy, modest = scripts.get(SCRIPT), scripts.get(OTHER)
    assert greedy is not None and modest is not None
    for i in range(300):
        scripts.add(greedy, paid(i, 1000), AMOUNT)
    assert scripts.add(modest, paid(1000, 900), AMOUNT) and scripts.proof_bytes <= 100_000
    assert [p.height for p in scripts.find(watch(OTHER))] == [1000] and len(greedy.found) == 99
    assert len(caplog.records) == 1 and "no room" in caplog.text
    scripts.went_back(0)
    assert (scripts.proof_bytes, scripts.payments) == (1000, 1)  # the payment in block 0


def test_ceilings_of_scripts_and_of_payments(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(watched_scripts, "MAX_SCRIPTS", 10)
    scripts = WatchedScripts(lambda: now[0])
    for i in range(10):
        scripts.watch("a", watch(bytes([i + 1]), request_id=i), 0)
    with pytest.raises(LimitExceeded, match="10 scripts"):
        scripts.watch("b", watch(), 0)
    scripts.unwatch("a", 3)
    scripts.watch("b", watch(), 0)
    assert len(scripts) == 10 and scripts.get(bytes([4])) is None
    script = scripts.get(SCRIPT)
    assert script is not None
    for i in range(2000):
        scripts.add(script, paid(i, 10), AMOUNT)
    assert len(script.found) == 512 and not scripts.add(script, paid(3000, 1), AMOUNT - 1)
    scripts.unwatch("b", 1)
    scripts.drop_idle()
    assert scripts.get(SCRIPT) is script  # a device comes back
    now[0] = 601.0
    scripts.drop_idle()
    assert scripts.get(SCRIPT) is None and (scripts.payments, scripts.proof_bytes) == (0, 0)


def test_what_has_to_be_searched_again_and_what_not() -> None:
    scripts = WatchedScripts()
    assert scripts.watch("a", watch(from_height=50), 100)
    script = scripts.get(SCRIPT)
    assert script is not None and (script.low, script.top) == (50, 100)
    script.top = 49  # searched
    assert not scripts.watch("b", watch(from_height=60), 100)
    assert scripts.watch("b", watch(from_height=20), 100) and (script.low, script.top) == (20, 49)
    script.top = 19
    assert scripts.watch("c", watch(from_height=60, min_amount=1), 100) and (script.low, script.top) == (20, 100)
    assert scripts.watch("c", watch(OTHER, 101), 100) is False
    assert len(script.watchers) == 2  # a request that is replaced watches the other script alone
