"""Power is cut after each write of each scenario, and what was not synced survives in many ways."""

import pytest
from faulty_files import Chance, MemoryFiles, PowerCut
from store_model import Device, check, picture
from store_scenarios import Scenario, all_scenarios

VARIANTS = 12
LEAST = 10  # different cut points for each write: what survives of those before it


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
def test_cut_everywhere(scenario: Scenario) -> None:
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
    assert steps >= 16 and len(points) >= LEAST * steps
    print(f"{scenario.name}: power cut at {len(points)} different points of {steps} writes, nothing lost")
