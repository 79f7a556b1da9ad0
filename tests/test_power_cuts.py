"""Power is cut after each write of each scenario, and what was not synced survives in many ways."""

from collections.abc import Callable

import pytest
from faulty_files import Chance, MemoryFiles, PowerCut
from store_model import Device, check, picture
from store_scenarios import Scenario, all_scenarios

VARIANTS = 12  # of what survives of the writes that were not synced
LEAST = {  # different cut points of each scenario: 10,000 in all
    "first sync": 800,
    "daily blocks": 700,
    "reorg in one batch over a file border": 300,
    "reorg in two passes over file borders": 1000,
    "reorg down to the window's base": 1000,
    "reorg in little room": 1500,
    "reorg right after a reorg": 500,
    "prune": 1500,
    "payments": 1200,
    "migration": 1500,
}


def _image(files: MemoryFiles) -> int:
    return hash(tuple((name, files.content(name)) for name in files.names()))


def _open_through_cuts(
    files: MemoryFiles, relay: list[bytes], scenario: Scenario, chance: Chance, step: int, points: set[tuple[int, int]]
) -> Device:
    """Open a store while the power is cut again, after one write more each time."""
    cuts = 0
    while True:
        files.cut_after = files.steps + cuts
        files.chance = chance
        try:
            device = Device(files, relay, scenario.network)
        except PowerCut:
            cuts += 1
            points.add((-1 - step, _image(files)))
            continue
        files.cut_after = -1
        return device


@pytest.mark.parametrize("scenario", all_scenarios(), ids=lambda s: s.name)
def test_cut_everywhere(scenario: Scenario, record_property: Callable[[str, object], None]) -> None:
    before = MemoryFiles()
    scenario.prepare(Device(before, [], scenario.network))
    files = before.copy(scenario.room)
    device = Device(files, [], scenario.network)
    scenario.run(device)
    steps = files.steps
    scenario.finish(device)
    device.store.commit(device.chain.state)
    goal = picture(device)
    points: set[tuple[int, int]] = set()
    for step in range(steps):
        for variant in range(VARIANTS):
            files = before.copy(scenario.room)
            files.cut_after = step
            files.chance = chance = Chance(step * 1000 + variant)
            relay: list[bytes] = []
            work = 0
            device = None
            with pytest.raises(PowerCut):
                device = Device(files, relay, scenario.network)
                scenario.run(device)
            if device is not None:
                work = device.store.committed_work
            points.add((step, _image(files)))
            device = _open_through_cuts(files, relay, scenario, chance, step, points)
            check(device, scenario.branches, work, relay)
            scenario.finish(device)
            device.store.commit(device.chain.state)
            check(device, scenario.branches, work, relay)
            assert picture(device) == goal
    assert len(points) >= LEAST[scenario.name], (len(points), steps)
    record_property("power cuts", len(points))
