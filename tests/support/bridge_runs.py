"""The bridge process, started again and again on one port and state folder, and what a node does for it (CPython)."""

import os
import signal
import time
from pathlib import Path

from bridge_process import BridgeProcess
from real_boards import Wanted
from regtest_node import free_port

from host_bridge.pairing.certificate import load_or_make
from host_bridge.payments.address import script_from_text
from lightclient.hashes import hash_from_hex
from lightclient.params import REGTEST

KINDS = ("bech32", "bech32m", "legacy")  # P2WPKH, P2TR, P2PKH
WALLET = "miner"


class BridgeRuns:
    """`port` is where it listens; `events` are those of all its runs. Use it in a `with` block; `start` it."""

    def __init__(self, folder, node_url, *options):
        self.state = Path(folder) / "state"
        self.state.mkdir(mode=0o700)
        self.certificate = load_or_make(self.state)
        self.port = free_port()
        self._options = ["--node", node_url, "--listen", f"127.0.0.1:{self.port}", "--state-dir", self.state, *options]
        self.runs = []
        self.boards = []  # that must not end by themselves while something is waited for

    @property
    def now(self):
        """The process of the newest run."""
        return self.runs[-1]

    @property
    def events(self):
        return [event for run in self.runs for event in run.events]

    def start(self):
        self.runs.append(BridgeProcess(*self._options))
        return self.now

    def kill(self):
        """As `kill -9` does."""
        self.now.end(signal.SIGKILL)
        self.now.__exit__()

    def stop(self):
        """As systemd does; it must end well within two seconds, and say nothing on standard error."""
        code, seconds = self.now.end()
        assert code == 0 and seconds < 2, (code, seconds, self.now.complaints)
        assert not self.now.complaints, self.now.complaints

    def of_device(self, name, event=None, **fields):
        """What the log has of this device, newest last."""
        wanted = fields if event is None else {"event": event, **fields}
        about = [e for e in self.events if e.get("device", "").startswith(f"{name} (")]
        return [e for e in about if wanted.items() <= e.items()]

    def wait(self, condition, seconds=60.0, what="it"):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"{what} did not come in {seconds} s:\n" + self._last_words()
            code = self.now._process.poll()
            assert code is None, f"the bridge ended with {code}: {self.now.complaints}"
            for board in self.boards:
                board.require_running()
            time.sleep(0.02)

    def _last_words(self):
        """Of each device what it has shown and what is said of it, and what was said last."""
        parts = [f"{board.name} shows {board.shown[-8:]}" for board in self.boards]
        for board in self.boards:
            parts += [str(event) for event in self.events if event.get("device", "").startswith(board.name)][-8:]
        return "\n".join([*parts, *self.now.lines[-20:]])

    def wait_for_tip(self, node, names, seconds=60.0):
        """Until each of these devices has said that it is ready on the node's tip."""
        best = node.rpc("getbestblockhash")
        for name in names:
            self.wait(lambda name=name: self._at(name) == best, seconds, f"{name} on the node's tip {best}")

    def _at(self, name):
        told = self.of_device(name, "status", state="ready")
        return told[-1]["tip_hash"] if told else ""

    def peak_memory(self):
        """Bytes that the process has had in memory at most."""
        return 1024 * int(Path(f"/proc/{self.now.pid}/status").read_text().split("VmHWM:")[1].split()[0])

    def processor_seconds(self):
        """That the process has taken so far."""
        fields = Path(f"/proc/{self.now.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for run in self.runs:
            run.__exit__()
        (self.state.parent / "bridge.log").write_text("".join(line for run in self.runs for line in run.lines))


def core_url(node, port=None):
    return f"core://127.0.0.1:{port or node.port}/?cookie={node.cookie_file}&network=regtest"


def wanted_payments(node, count, confirmations=(2, 1, 3), amount=50_000):
    """So many requests, each of an address of its own, of the three kinds in turn.

    Blocks a little below the tip count as well: a reorg may put a payment there.
    """
    height = node.rpc("getblockcount") - 10
    wanted = []
    for i in range(count):
        address = node.rpc("getnewaddress", "", KINDS[i % len(KINDS)], wallet=WALLET)
        script = script_from_text(address, REGTEST)
        depth = confirmations[i % len(confirmations)]
        wanted.append(Wanted(i + 1, address, script, amount + i, depth, height))
    return wanted


def pay(node, one):
    """Pay what is wanted; its txid. May be mined at any height: a reorg must not throw it out of the mempool."""
    paid = {one.address: f"{one.amount / 100_000_000:.8f}"}
    # (a transaction of `sendtoaddress` is not valid below the tip that there was)
    return node.rpc("send", paid, None, "unset", None, {"locktime": 0}, wallet=WALLET)["txid"]


def reorg(node, depth, growth=1):
    """Throw `depth` blocks away and mine `growth` more in their place, with what they had in them."""
    node.rpc("invalidateblock", node.rpc("getblockhash", node.rpc("getblockcount") - depth + 1))
    elsewhere = node.rpc("getnewaddress", "", "bech32", wallet=WALLET)  # else they would be the same blocks
    return node.mine(depth + growth, elsewhere)


def best_hash(node):
    return hash_from_hex(node.rpc("getbestblockhash"))
