"""The store on real littlefs (VfsLfs2 in real MicroPython) over simulated flash: power cuts, and what it costs."""

import json
import os
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from store_scenarios import all_scenarios
from support import data_path, data_root, require

from host_bridge.emulator.micropython import MicroPythonNotFound, micropython_command

ROOT = Path(__file__).resolve().parent.parent
TIMEOUT = 300  # seconds
LEAST_OF_LIST = 20
LEAST = 1000  # programs and erases that were cut, over all scenarios


def on_micropython(script: str, *arguments: str) -> str:
    """What a script of tests/support prints; the heap holds the simulated flash beside the device."""
    try:
        command = micropython_command("6m")
    except MicroPythonNotFound as error:
        require(False, str(error))
        raise
    environment = {
        **os.environ,
        "MICROPYPATH": f".frozen:{ROOT}:{ROOT / 'tests' / 'support'}",
        "LIGHTCLIENT_DATA": os.path.realpath(data_root()),
    }
    run = subprocess.run(
        [*command, str(ROOT / "tests" / "support" / script), *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert run.returncode == 0, run.stdout
    return run.stdout


def test_power_cut_after_every_program_and_erase(record_property: Callable[[str, object], None]) -> None:
    names = [scenario.name for scenario in all_scenarios()]
    with ThreadPoolExecutor(2) as pool:
        outputs = list(pool.map(lambda name: on_micropython("littlefs_cuts.py", name), names))
    points = sum(int(output.rsplit(":", 1)[1]) for output in outputs)
    assert points >= LEAST, "".join(outputs)
    record_property("power cuts under littlefs", points)


def test_power_cut_while_a_till_gets_a_new_list() -> None:
    points = int(on_micropython("littlefs_till.py").rsplit(":", 1)[1])
    print(f"littlefs: power cut at {points} programs and erases; the old list or the new one, no address twice")
    assert points >= LEAST_OF_LIST


def test_what_three_epochs_of_mainnet_cost() -> None:
    """At the fullest moment, with the accumulator and all payments that are kept."""
    figures = json.loads(
        on_micropython("littlefs_figures.py", data_path("headers/mainnet_822528_830592.bin")).splitlines()[-1]
    )
    print(figures)
    assert figures["mistakes"] == []
    assert figures["window"] == [409 * 2016, 412 * 2016 - 2]
    assert figures["bytes_used"] < 512 * 1024
    assert figures["daily"]["programs"] < 500 and figures["daily"]["erases"] < 100
    assert figures["daily_with_prune"]["programs"] < 500 and figures["daily_with_prune"]["erases"] < 100


def test_a_flipped_bit_is_named_or_does_no_harm() -> None:
    """Anywhere on flash, in littlefs's own blocks too: no headers but the chain's, no payment a second time."""
    for counts in json.loads(on_micropython("littlefs_faults.py", "flips")):
        print(counts)
        assert set(counts) == {"harmless", "CorruptStore", "StoreRolledBack"}
        assert counts["CorruptStore"] >= 10 and counts["StoreRolledBack"] >= 5


def test_a_full_flash_is_named_and_loses_nothing() -> None:
    full = json.loads(on_micropython("littlefs_faults.py", "room"))
    print(full)
    assert full["headers"] >= 2
    assert full["payments"] == 0  # they need no block that is not the store's already


def test_an_old_payment_after_restarts() -> None:
    on_micropython("littlefs_faults.py", "old")


def test_power_cut_while_a_pairing_is_stored() -> None:
    points = int(on_micropython("littlefs_pairing.py").rsplit(":", 1)[1])
    assert points >= 5
