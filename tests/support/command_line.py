"""Runs `lightclient` for tests: in this process (fast), or as a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

from known_blocks import BLOCK_170_HEADER, BLOCK_170_TRANSACTIONS, BLOCK_170_TXIDS_HEX
from support import data_path
from typer.testing import CliRunner

from host_bridge.cli import app
from lightclient.hashes import hash_from_hex

ROOT = Path(__file__).resolve().parents[2]
PROCESS = [sys.executable, "-c", "from host_bridge.cli import app; app(prog_name='lightclient')"]
MAINNET_LATE = "headers/mainnet_822528_830592.bin"
MAINNET_EARLY = "headers/mainnet_000000_010236.bin"
BLOCK_170 = BLOCK_170_HEADER + b"\x02" + b"".join(BLOCK_170_TRANSACTIONS)
# what gettxoutproof gives for the txids of both transactions
MERKLEBLOCK_170 = b"".join(
    [BLOCK_170_HEADER, b"\x02\x00\x00\x00\x02", *(hash_from_hex(txid) for txid in BLOCK_170_TXIDS_HEX), b"\x01\x07"]
)


def run(*arguments, code=0):
    """The result (stdout, stderr) of a command, which has to end in `code` (None: any) without a traceback."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "80"})
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert code in (None, result.exit_code), (arguments, result.exit_code, result.stdout[-500:], result.stderr[-500:])
    return result


def complaint(*arguments, code):
    """What a command that prints nothing on stdout says on its one line on stderr."""
    result = run(*arguments, code=code)
    assert result.stdout == ""
    return one_complaint(result.stderr)


def one_complaint(stderr):
    assert stderr.startswith("lightclient: ") and stderr.endswith("\n") and stderr.count("\n") == 1, stderr
    return stderr[len("lightclient: ") : -1]


def verdicts(*arguments, code=0):
    """The JSON lines of `verify`."""
    lines = [json.loads(line) for line in run("verify", *arguments, "--json", code=code).stdout.splitlines()]
    assert [line["n"] for line in lines] == list(range(len(lines)))
    return lines


def run_process(*arguments, code=0, **options):
    """As `run`, in a real process. Its stdin is closed unless given."""
    options = {"stdin": subprocess.DEVNULL, "timeout": 60, "cwd": ROOT, **options}
    arguments = [*PROCESS, *(os.fsencode(argument) for argument in arguments)]
    result = subprocess.run(arguments, capture_output=True, text=True, check=False, **options)
    assert result.returncode == code, (arguments, result)
    assert "Traceback" not in result.stderr
    return result


def put(path, data):
    """Write a file; returns its path."""
    path.write_bytes(data)
    return path


def late():
    """Options of `verify`: mainnet from 822,528 to 830,592."""
    return "--headers", data_path(MAINNET_LATE), "--start-height", 822528


def early():
    """Options of `verify`: mainnet from genesis to 10,236."""
    return "--headers", data_path(MAINNET_EARLY)
