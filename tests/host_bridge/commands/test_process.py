"""The commands as real processes: terminals, pipes, signals, closed streams, rights."""

import ctypes
import json
import os
import pty
import re
import resource
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command_line import BLOCK_170, MAINNET_LATE, MERKLEBLOCK_170, PROCESS, ROOT, one_complaint, run, run_process
from known_blocks import BLOCK_170_TRANSACTIONS, BLOCK_170_TXIDS_HEX
from mining import mine
from proof_cases import proof_170
from support import data_path

from host_bridge.progress import PROGRESS_AFTER_BYTES
from lightclient.params import REGTEST

VALID = "proofs/proofs_valid_from_blocks.json"
COMMANDS = ["headers check", "headers info", "prove", "verify"]
CHECKPOINT_COMMANDS = ["checkpoint make", "checkpoint show", "checkpoint verify"]


@pytest.fixture(scope="module")
def long_chain(tmp_path_factory):
    """More regtest headers than are checked without a bar."""
    count = PROGRESS_AFTER_BYTES // 80 + 100
    headers = bytearray(80 * count)
    headers[:80] = REGTEST.genesis_header
    previous, time_ = bytes.fromhex("06226e46111a0b59caaf126043eb5bbf28c34f3a5e332a1fc7b2b73cf188910f"), 1296688602
    for i in range(1, count):
        previous = mine(headers, 80 * i, previous, time_ + i, 0x207FFFFF, REGTEST)
    path = tmp_path_factory.mktemp("long") / "regtest.bin"
    path.write_bytes(headers)
    return path


class Terminal:
    """A process whose stderr, and stdout unless given, are a terminal."""

    def __init__(self, *arguments, **options):
        self._ours, theirs = pty.openpty()
        options = {"stdin": theirs, "stdout": theirs, "stderr": theirs, **options}
        arguments = [*PROCESS, *map(str, arguments)]
        before = signal.signal(signal.SIGINT, signal.default_int_handler)  # tests in the background inherit SIG_IGN
        self.process = subprocess.Popen(arguments, cwd=ROOT, start_new_session=True, **options)
        signal.signal(signal.SIGINT, before)
        os.close(theirs)
        self.seen = b""

    def read(self, until=None):
        """What is shown, up to the end or to what is looked for."""
        while until is None or until not in self.seen:
            try:
                piece = os.read(self._ours, 65536)
            except OSError:  # Linux: the other end is closed
                break
            if not piece:
                break
            self.seen += piece
        return self.seen.decode()

    def end(self):
        self.read()
        os.close(self._ours)
        return self.process.wait(30)


def test_the_installed_command():
    """What pyproject.toml calls `lightclient`."""
    assert run_process("--version").stdout.startswith("lightclient 0.")
    assert 'lightclient = "host_bridge.__main__:main"' in (ROOT / "pyproject.toml").read_text()
    result = run_process("headers", "check", data_path(MAINNET_LATE), "--network=mainnet", "--start-height=822528")
    assert result.stdout.startswith("good        8,065 headers of mainnet") and result.stderr == ""
    line = json.loads(run_process("verify", data_path(VALID), "--unanchored", "--json").stdout.splitlines()[0])
    assert line["result"] == "valid"


# --- help ---


@pytest.mark.parametrize("command", ["", "headers", "headers sync", "checkpoint", *COMMANDS, *CHECKPOINT_COMMANDS])
def test_help_fits_80_columns(command):
    text = run(*command.split(), "--help").stdout
    assert text == run(*command.split(), "-h").stdout
    assert max(len(line) for line in text.splitlines()) <= 80
    assert text.startswith(f"Usage: lightclient {command}".rstrip())
    assert "..." not in text.partition("Commands:")[2]
    assert not re.search(r"<=|\bNone\b|<[\w\[\]]+>", text)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_examples_of_the_help_work(tmp_path, command):
    text = run(*command.split(), "--help").stdout
    block, txid = "blocks/mainnet_830000.blk", "2bc71c20dfffddd8ceff89f7ab53650dd60e67cb9c6d06811167f4e7047f6fc9"
    (tmp_path / "mainnet.bin").symlink_to(data_path(MAINNET_LATE))
    (tmp_path / "830000.blk").symlink_to(data_path(block))
    run("prove", txid, "--block", data_path(block), "-o", tmp_path / "paid.lcproof")
    (tmp_path / "proof.hex").write_text(MERKLEBLOCK_170.hex())
    (tmp_path / "tx.hex").write_text(BLOCK_170_TRANSACTIONS[1].hex())
    (tmp_path / "coinbase.hex").write_text(BLOCK_170_TRANSACTIONS[0].hex())
    examples = re.findall(r"^ +(lightclient .*)$", text.split("Example")[1].replace("\\\n", ""), re.MULTILINE)
    assert len(examples) == {"prove": 4, "verify": 3}.get(command, 1)
    for example in examples:
        words = shlex.split(example)[1:]
        if "--for-size" in words or "--checkpoint" in words or "--node" in words:
            continue  # they need all headers since genesis, or a node: test_cli_checkpoint.py, test_cli_node.py
        if "--merkleblock" in words:
            words += ["--height=170"]
        known = BLOCK_170_TXIDS_HEX[1] if "--merkleblock" in words else txid
        words = [known if word == "TXID" else word for word in words]
        assert run_process(*words, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}).stdout


# --- progress ---


@pytest.mark.parametrize(("command", "says"), [("check", "checking headers"), ("info", "reading headers")])
def test_a_bar_on_a_terminal_only(long_chain, command, says):
    arguments = ["headers", command, long_chain, "--network=regtest"]
    terminal = Terminal(*arguments)
    shown = terminal.read()
    assert terminal.end() == 0
    assert says in shown and "52,528 headers" in shown.replace("headers     52,528", "52,528 headers")
    assert shown.index(says) < shown.index("52,528")
    result = run_process(*arguments, env={**os.environ, "FORCE_COLOR": "1", "TERM": "xterm"})
    assert result.stderr == "" and "52,528" in result.stdout


def test_the_bar_does_not_take_the_output(tmp_path):
    """stdout is a file, stderr a terminal: the lines go to the file, the bar to the terminal."""
    proofs = json.loads(Path(data_path(VALID)).read_text())[:40] * 6
    (tmp_path / "proofs.json").write_text(json.dumps(proofs))
    for where in ("file", "terminal"):
        with (tmp_path / "out").open("wb") as out:
            options = {"stdout": out} if where == "file" else {}
            terminal = Terminal("verify", tmp_path / "proofs.json", "--unanchored", "--json", **options)
            shown = terminal.read()
            assert terminal.end() == 0
        lines = (tmp_path / "out").read_text() if where == "file" else shown
        assert [json.loads(line)["n"] for line in lines.splitlines()] == list(range(240))
        assert ("verifying proofs" in shown) is (where == "file")


# --- ends ---


def test_ctrl_c_while_it_loads():
    interrupted = (
        "import sys\n"
        "class Impatient:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'host_bridge.commands':\n"
        "            raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Impatient())\n"
        "from host_bridge.__main__ import main\n"
        "main()\n"
    )
    process = subprocess.run([sys.executable, "-c", interrupted], cwd=ROOT, capture_output=True, check=False)
    assert (process.returncode, process.stdout, process.stderr) == (130, b"", b"")


def test_ctrl_c(tmp_path):
    big = tmp_path / "big"
    big.write_bytes(b"")
    os.truncate(big, 80 << 30)
    terminal = Terminal("headers", "info", big, "--network=regtest")
    terminal.read(b"reading headers")
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.end() == 130, terminal.seen
    assert b"Traceback" not in terminal.seen
    assert b"\x1b[?25h" in terminal.seen  # the cursor is back
    assert b"lightclient:" not in terminal.seen


def test_broken_pipe():
    for command in (
        f"verify {data_path(VALID)} --unanchored --json",
        f"verify {data_path(VALID)} --unanchored",
        f"headers check {data_path(MAINNET_LATE)} --network mainnet --start-height 822528",
    ):
        script = f"{shlex.join(PROCESS)} {command} | head -1 ; echo ${{PIPESTATUS[0]}}"
        result = subprocess.run(["bash", "-c", script], capture_output=True, text=True, cwd=ROOT, check=True)
        assert result.stderr == ""
        assert len(result.stdout.splitlines()) == 2
    for command in (["verify", data_path(VALID), "--unanchored"], ["demo"]):
        process = subprocess.Popen([*PROCESS, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT)
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 141


def test_streams_that_are_closed_or_full():
    program = shlex.join(PROCESS)
    good = f"{shlex.join(PROCESS)} verify {data_path(VALID)} --unanchored"
    bad = f"{shlex.join(PROCESS)} headers check /dev/null --network mainnet"
    for command, code, said in (
        (f"{good} <&- | wc -l", 0, "112"),
        (f"{good} >&-", 0, ""),
        (f"{good} --json >&-", 0, ""),
        (f"{good} 2>&- | wc -l", 0, "112"),
        (f"{bad} 2>&-", 2, ""),
        (f"{bad} --json 2>&-", 2, '"Unusable"'),
        (f"{bad} 2>/dev/full", 2, ""),
        (f"{bad} <&- >&- 2>&-", 2, ""),
        (f"{good} >/dev/full", 2, "lightclient: standard output: No space left on device\n"),
        (f"{good} --json >/dev/full", 2, "lightclient: standard output: No space left on device\n"),
        (f"{program} --help >/dev/full", 2, "lightclient: standard output: No space left on device\n"),
        (f"{program} verify --help >/dev/full", 2, "lightclient: standard output: No space left on device\n"),
        (f"{program} --version >/dev/full", 2, "lightclient: standard output: No space left on device\n"),
        (f"{program} demo >/dev/full", 2, ": No space left on device\n"),
        (f"{shlex.quote(sys.executable)} -m host_bridge --version", 0, "lightclient 0."),
    ):
        result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=ROOT, check=False)
        assert result.returncode == code, (command, result)
        assert said in result.stdout + result.stderr
        assert "Traceback" not in result.stderr and "Exception ignored" not in result.stderr, (command, result)


# --- files ---


def test_file_names_of_any_bytes(tmp_path):
    """Bytes that are no UTF-8, and control characters, come out escaped on one line."""
    for name in (b"\xff\xfe", b"a\nb\x1b[2J", "grün".encode()):
        path = os.fsencode(tmp_path) + b"/" + name
        block, proof = path + b".blk", path + b".lcproof"
        Path(os.fsdecode(block)).write_bytes(BLOCK_170)
        env = {**os.environ, "PYTHONUTF8": "1"}
        made = run_process("prove", BLOCK_170_TXIDS_HEX[1], "--block", block, "-o", proof, "--height=170", env=env)
        checked = run_process("verify", proof, "--unanchored", env=env)
        missing = run_process("verify", proof + b"x", "--unanchored", env=env, code=2)
        as_json = run_process("verify", proof + b"x", "--unanchored", "--json", env=env, code=2)
        for text in (made.stdout, checked.stdout, missing.stderr, as_json.stdout):
            assert text.count("\n") == 1 and "\x1b" not in text
        one_complaint(missing.stderr)


def root_without_its_powers():
    """Linux: a program started now has no CAP_DAC_OVERRIDE and no CAP_DAC_READ_SEARCH, so rights hold for root too."""
    for capability in (1, 2):
        ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


def test_no_right_to_read_or_write(tmp_path):
    secret, block, locked = (tmp_path / name for name in ("secret", "block", "locked"))
    secret.write_bytes(proof_170())
    secret.chmod(0)
    block.write_bytes(BLOCK_170)
    locked.mkdir(mode=0o555)
    out = locked / "out.lcproof"
    prove = ["prove", BLOCK_170_TXIDS_HEX[1], "--height=170", "-o", out, "--block"]
    options = {} if os.geteuid() else {"preexec_fn": root_without_its_powers}
    for arguments, said in (
        (["verify", secret, "--unanchored"], f"{secret}: unreadable: Permission denied"),
        (["headers", "check", secret, "--network=mainnet"], f"{secret}: Permission denied"),
        ([*prove, secret], f"{secret}: Permission denied"),
        ([*prove, block], f"{out}: Permission denied"),
    ):
        assert one_complaint(run_process(*arguments, code=2, **options).stderr) == said
    assert list(locked.iterdir()) == []


def test_big_files_take_no_memory(tmp_path):
    """Two gigabytes, with an address space of less than one."""
    big = tmp_path / "big"
    big.write_bytes(b"")
    os.truncate(big, (2 << 30) // 80 * 80)
    smaller = tmp_path / "smaller"  # this one is read to its end
    smaller.write_bytes(b"")
    os.truncate(smaller, 80 * 10_000_001)
    limit = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_AS, (800 << 20, 800 << 20))}
    for code, *arguments in (
        (1, "headers", "check", big, "--network=mainnet"),
        (1, "headers", "check", big, "--network=mainnet", "--start-height=5"),
        (2, "verify", big, "--unanchored"),
        (1, "verify", big, "--headers", big),
        (2, "prove", "00" * 32, "--block", big, "-o", tmp_path / "out"),
        (1, "headers", "info", smaller, "--network=mainnet"),
    ):
        started = time.perf_counter()
        one_complaint(run_process(*arguments, code=code, **limit).stderr)
        assert time.perf_counter() - started < 30
