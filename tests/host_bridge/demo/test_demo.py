"""`lightclient demo`, whole: the command as a user runs it, on real MicroPython."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import data_path, require

from host_bridge.demo.recording import Recording
from host_bridge.demo.script import script_from_files, script_from_recording
from host_bridge.emulator.micropython import MicroPythonNotFound, find_micropython
from host_bridge.payments.proofs import CannotProve, verify
from host_bridge.payments.raw_block import parse_block
from lightclient.errors import HeaderNotInChain, LightClientError
from lightclient.hashes import hash_to_hex
from lightclient.params import MAINNET, REGTEST


def run_demo(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "host_bridge.cli", "demo", *options],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def needs_micropython() -> None:
    try:
        find_micropython()
    except MicroPythonNotFound as error:
        require(False, str(error))


def test_the_default_needs_nothing_and_shows_everything() -> None:
    needs_micropython()
    run = run_demo()
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    shown = run.stdout
    assert "This is a replay" in shown
    assert "2,114 headers validated" in shown and "device heap free" in shown
    for request_id in (1, 2, 3):
        assert f"#{request_id} confirmations 3 of 3" in shown
        assert f"#{request_id} paid" in shown
    assert "#3 taken back" in shown
    assert shown.count("RELAY ON") == 3 and shown.count("relay off") == 3
    for rule in ("MerkleRootMismatch", "HeaderNotInChain", "NotThePayment", "SixtyFourByteTransaction"):
        assert f"refused  {rule}" in shown
    assert "#4 paid" not in shown
    assert max(map(len, shown.splitlines())) <= 80
    assert shown.count("proof  ✓ format") == 4 + 4  # three, one of them moved by the reorg; the forged ones
    assert all(line.count("✓ format") <= 1 for line in shown.splitlines())
    assert_in_order(shown)


def assert_in_order(shown: str) -> None:
    """What a block brings stands under that block: a payment first seen in it has one confirmation there."""
    expected = (["1 of 3", "2 of 3", "3 of 3"], ["1 of 3", "2 of 3", "2 of 3", "3 of 3"])
    for request_id in (1, 2, 3):
        lines = [line for line in shown.splitlines() if line.startswith(("block", "reorg", f"  #{request_id} "))]
        counts = [i for i, line in enumerate(lines) if "confirmations" in line]
        assert [lines[i][-6:] for i in counts] in expected
        for i in counts:  # each under a line of its own
            assert any(line.startswith(("block", "reorg")) for line in lines[max(i - 2, 0) : i])


@pytest.mark.parametrize("index", [0, 925, 1850])
def test_real_mainnet_headers_and_a_real_block(index: int) -> None:
    needs_micropython()
    headers = data_path("headers/mainnet_822528_830592.bin")
    block = data_path("blocks/mainnet_830000.blk")
    txid = hash_to_hex(parse_block(Path(block).read_bytes())[index][2])
    run = run_demo("--headers", headers, "--start-height", "822528", "--block", block, "--txid", txid)
    assert run.returncode == 0, run.stderr
    assert "#1 paid" in run.stdout and "tip 830,592" in run.stdout
    assert run.stdout.count("RELAY ON") == 1
    assert "8,064 headers validated" in run.stdout


def test_what_cannot_be_played_ends_in_one_line() -> None:
    headers = data_path("headers/mainnet_000000_010236.bin")
    block = data_path("blocks/mainnet_383616.blk")
    wrong_block = run_demo("--headers", headers, "--block", block, "--txid", "00" * 32)
    assert wrong_block.returncode == 1 and "HeaderNotInChain" in wrong_block.stderr
    half = run_demo("--headers", headers)
    wrong_network = run_demo("--headers", headers, "--network", "signet", "--block", block, "--txid", "00" * 32)
    assert wrong_network.returncode == 1 and "BadGenesis" in wrong_network.stderr
    no_device = run_demo(MICROPYTHON="no-such-program")
    assert half.returncode == no_device.returncode == 2
    for run in (wrong_block, half, wrong_network, no_device):
        assert len(run.stderr.splitlines()) == 1 and "Traceback" not in run.stderr


def test_every_forgery_is_refused_off_the_device_too() -> None:
    script = script_from_recording(Recording.load_default())
    assert len(script.forgeries) == 4
    chain = Recording.load_default()

    class Held:
        def require_header(self, height: int, header: bytes | bytearray | memoryview) -> None:
            if chain.header(height) != header:
                raise HeaderNotInChain("not it")

    for forgery in script.forgeries:
        try:
            verifier = verify(forgery.proof, REGTEST, Held(), script.unpaid.script_pubkey)
        except LightClientError:
            continue
        assert verifier.matches == 0, forgery.story


def test_the_anchor_itself_cannot_hold_the_payment() -> None:
    headers = Path(data_path("headers/mainnet_000000_010236.bin")).read_bytes()
    block = Path(data_path("blocks/mainnet_000000.blk")).read_bytes()
    with pytest.raises(CannotProve):
        script_from_files(MAINNET, headers, 0, block, parse_block(block)[0][2])
