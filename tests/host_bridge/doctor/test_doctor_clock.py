"""The clock, by a node's chain and by what the system says."""

import pytest

from host_bridge.doctor.clock import judge_clock
from host_bridge.doctor.finding import NodeSeen, Seen

NOW = 1_800_000_000.0
HOUR = 3600


@pytest.mark.parametrize(
    ("network", "synced", "tip", "ntp", "result"),
    [
        ("mainnet", True, NOW - 600, True, "good"),
        ("mainnet", True, NOW - 600, None, "good"),
        ("mainnet", True, NOW - 600, False, "warning"),
        ("mainnet", True, NOW + 2 * HOUR - 1, None, "good"),
        ("mainnet", True, NOW + 2 * HOUR + 1, None, "broken"),
        ("regtest", True, NOW + 2 * HOUR + 1, True, "broken"),
        ("mainnet", True, NOW - 2 * HOUR - 1, None, "broken"),
        ("signet", True, NOW - 300 * HOUR, False, "broken"),
        ("mainnet", True, NOW - 5 * HOUR, True, "warning"),
        ("mainnet", False, NOW - 5000 * HOUR, None, "good"),
        ("regtest", True, NOW - 5000 * HOUR, None, "good"),
    ],
)
def test_by_the_newest_block(network, synced, tip, ntp, result):
    seen = Seen(NodeSeen(network, 1, synced, int(tip), int(tip) - HOUR), clock_synced=ntp)
    finding = judge_clock(seen, NOW)
    assert finding.result == result, finding
    assert bool(finding.fix) == (result != "good")


def test_without_a_node():
    assert judge_clock(Seen(), NOW).result == judge_clock(Seen(clock_synced=True), NOW).result == "good"
    assert judge_clock(Seen(clock_synced=False), NOW).result == "warning"
    assert judge_clock(Seen()).result == "good"


def test_an_older_tip_below_a_median_that_is_ahead():
    seen = Seen(NodeSeen("mainnet", 1, True, int(NOW), int(NOW) + 3 * HOUR))
    assert judge_clock(seen, NOW).result == "broken"
