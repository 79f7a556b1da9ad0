"""`lightclient doctor` as a command: what people see, exit codes, a part that hangs or fails."""

import os
import subprocess
import threading
import time

import pytest
from bridge_process import write_archive
from command_line import PROCESS, ROOT, complaint, run, run_process
from doctor_calls import HOST_ONLY, diagnose, only, write_config

from host_bridge.doctor import examine
from host_bridge.doctor.examine import Job, run_together
from host_bridge.doctor.finding import good
from host_bridge.pairing.certificate import KEY_FILE, load_or_make


def test_what_people_see(tmp_path):
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    load_or_make(state)
    (state / KEY_FILE).chmod(0o644)
    result = run_process(
        "doctor", "--node", write_archive(tmp_path / "a"), "--state-dir", state, *HOST_ONLY, code=1, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    lines = result.stdout.splitlines()
    assert result.stderr == ""
    assert lines[0].startswith("✓ node        archive:") and "\x1b" not in result.stdout
    i = next(i for i, line in enumerate(lines) if line.startswith("✗ certificate "))
    assert lines[i + 1] == f"      chmod 600 {state}/{KEY_FILE}"
    assert lines[-1].startswith("1 broken, 2 warnings. ")


def test_a_terminal_without_the_marks(tmp_path):
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1", "PYTHONPATH": str(ROOT)}
    arguments = ["--node", "archive:none", "--state-dir", str(tmp_path / "s"), *HOST_ONLY]
    said = run_process("doctor", *arguments, code=1, env=environment).stdout
    assert "NO node" in said and "ok listen" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--node", "http://x"], "node: a node URL begins with"),
        (["--node", "core://h:99999999"], "node: core://: the host or its port"),
        (["--listen", "8433"], "ADDR:PORT"),
        (["--network", "moon"], "unknown network"),
        (["--config", "no/such/file"], "no/such/file"),
    ],
)
def test_arguments_that_cannot_be_used(arguments, words):
    assert words in complaint("doctor", *arguments, code=2)


def test_a_configuration_that_cannot_be_used(tmp_path):
    assert "unknown key" in complaint("doctor", "--config", write_config(tmp_path / "b", nose=1), code=2)


def test_the_configuration_says_what_is_looked_at(tmp_path):
    values = {"node": write_archive(tmp_path / "a"), "state_dir": str(tmp_path / "s")}
    config = write_config(tmp_path / "b.toml", listen=["127.0.0.1:0", "[::1]:0"], **values)
    found = diagnose("--config", config)
    assert not any(finding["check"] in ("serial", "udev", "device") for finding in found)
    assert [finding["check"] for finding in found].count("listen") == 2
    found = diagnose("--config", config, "--listen", "127.0.0.1:0", "--node", "archive:elsewhere", code=1)
    assert [finding["check"] for finding in found].count("listen") == 1
    assert "elsewhere" in only(found, "node")["detail"]
    # what was told by flags stands in the commands
    headers = only(found, "headers")["fix"]
    assert headers == f"lightclient bridge --config {config} --node archive:elsewhere --listen 127.0.0.1:0"


def test_a_part_that_fails_and_one_that_hangs():
    def fail():
        raise RuntimeError("\x1b[2J")

    started = time.monotonic()
    end = threading.Event()
    jobs = [
        Job("a", fail, "echo a", 0.3),
        Job("b", lambda: [good("b", str(end.wait(30)))], "echo b", 0.3),
        Job("c", lambda: [good("c", "well")], "echo c", 0.3),
    ]
    found = run_together(jobs)
    assert time.monotonic() - started < 1.5
    assert [(finding.check, finding.result) for finding in found] == [("a", "broken"), ("b", "broken"), ("c", "good")]
    assert "RuntimeError" in found[0].detail and "\x1b" not in found[0].detail and found[0].fix == "echo a"
    assert "something hangs" in found[1].detail and examine.is_stuck()
    end.set()
    while examine.is_stuck():  # the next test's doctor would end the process for it
        time.sleep(0.01)


def test_the_command_ends_though_a_part_hangs(tmp_path):
    hang = (
        "import asyncio, time; from host_bridge.doctor import examine; examine.CHECK_SECONDS = 1.0;"
        "examine.Job.__init__.__defaults__ = (1.0,);"
        "examine.look_at_node = lambda *a: asyncio.run(asyncio.to_thread(time.sleep, 100));"
    )
    arguments = [*PROCESS[:2], hang + PROCESS[2], "doctor", "--state-dir", str(tmp_path), *HOST_ONLY]
    started = time.monotonic()
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=50, check=False, cwd=ROOT)
    assert done.returncode == 1, done.stderr
    assert "✗ node        not done in 1 s: something hangs" in done.stdout and time.monotonic() - started < 10


def test_help_has_an_example():
    assert "lightclient doctor --config" in run("doctor", "--help").stdout
