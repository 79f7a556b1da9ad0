"""Blocks that can't be searched: when they are tried again, and how many."""

import pytest

from host_bridge.payments import missing_blocks
from host_bridge.payments.missing_blocks import MissingBlocks


def test_pauses_grow_and_are_bounded() -> None:
    now = [0.0]
    missing = MissingBlocks(lambda: now[0])
    assert missing.due() == [] and missing.seconds_left(30) == 30
    tried = []
    missing.add(7, ValueError("no"))
    while now[0] < 2000:
        now[0] += missing.seconds_left(10_000)
        tried.append(now[0])
        assert missing.due() == [7]
        missing.add(7, ValueError("no"))
    assert tried == [5, 15, 35, 75, 155, 315, 615, 915, 1215, 1515, 1815, 2115]
    missing.found(7)
    assert len(missing) == 0 and missing.seconds_left(30) == 30


def test_there_is_a_ceiling_and_a_chain(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(missing_blocks, "MAX_MISSING_BLOCKS", 3)
    missing = MissingBlocks(lambda: 0.0)
    for height in range(5):
        missing.add(height, ValueError("no"))
    assert len(missing) == 3 and caplog.text.count("one too many") == 2
    missing.forget(1, 1)
    missing.add(0, ValueError("no"))
    assert len(missing) == 2
