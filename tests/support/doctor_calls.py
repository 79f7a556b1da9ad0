"""Runs `lightclient doctor`, and in a shell the commands that it shows (CPython)."""

import json
import os
import subprocess
import sys
from pathlib import Path

from command_line import ROOT, run

from host_bridge.printable import printable

RESULTS = ("good", "warning", "broken")
HOST_ONLY = ("--listen", "127.0.0.1:0")  # no serial port is looked at


def diagnose(*arguments, code=0):
    """The findings, of which each that is not good has a command."""
    lines = run("doctor", *arguments, "--json", code=code).stdout.splitlines()
    found = [json.loads(line) for line in lines]
    for finding in found:
        assert list(finding) == ["check", "result", "detail", "fix"] and finding["result"] in RESULTS
        assert (finding["fix"] is None) == (finding["result"] == "good"), finding
        assert "\n" not in finding["detail"] and printable(finding["detail"]) == finding["detail"]
    assert (code == 1) == any(finding["result"] == "broken" for finding in found)
    return found


def only(found, check):
    """The one finding of that check."""
    matching = [finding for finding in found if finding["check"] == check]
    assert len(matching) == 1, found
    return matching[0]


def results(found):
    """check: result."""
    return {finding["check"]: finding["result"] for finding in found}


def repair(finding):
    """Run its command as a person would."""
    programs = Path(sys.executable).parent
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PATH": f"{programs}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", finding["fix"]],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, (finding["fix"], done.stderr)


def write_config(path, **values):
    """A bridge's configuration."""
    lines = [f"{key} = {json.dumps(value)}\n" for key, value in values.items()]
    path.write_text("".join(lines))
    return path
