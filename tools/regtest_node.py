"""A real full node on a private regtest chain, for recordings and tests. Usable as a program and as a context manager.

    with RegtestNode() as node:
        node.rpc("getblockcount")

bitcoind is $BITCOIND, else the one on PATH, else Debian's bitcoin-knots, which tools/get-knots.sh
unpacks into .cache/ without root. The node talks to nobody: no P2P port, no DNS, RPC and REST on
127.0.0.1 alone. Its files lie in a temporary folder that goes when it ends.
"""

import base64
import hmac
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parent.parent
KNOTS = ROOT / ".cache" / "knots"
START_SECONDS = 60
STOP_SECONDS = 60
REST_SECONDS = 20  # that a connection is kept without a call
BURN = "bcrt1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqdku202"  # P2WPKH of 20 zero bytes: nobody's


class NodeUnavailable(Exception):
    """There is no bitcoind here and none could be fetched, or it does not start; one line says why."""


class RpcError(Exception):
    """The node refused a call; `code` is its JSON-RPC error code."""

    def __init__(self, method: str, code: int, message: str) -> None:
        super().__init__(f"{method}: {message} ({code})")
        self.code = code


def find_bitcoind(fetch: bool = True) -> str:
    """Path of a bitcoind; unpacks one where there is none and `fetch` allows it. Raises NodeUnavailable."""
    chosen = os.environ.get("BITCOIND")
    if chosen:
        found = shutil.which(chosen)
        if found is None:
            raise NodeUnavailable(f"$BITCOIND is {chosen!r}, which is not a program that can be run")
        return found
    found = shutil.which("bitcoind") or shutil.which("bitcoind", path=str(KNOTS / "bin"))
    if found is not None:
        return found
    if not fetch:
        raise NodeUnavailable("bitcoind was not found: set BITCOIND, or run tools/get-knots.sh .cache/knots")
    try:
        run = subprocess.run(
            ["bash", str(ROOT / "tools" / "get-knots.sh"), str(KNOTS)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=600,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NodeUnavailable(f"bitcoind was not found, and tools/get-knots.sh failed: {error}") from error
    if run.returncode != 0:
        reason = run.stderr.decode(errors="replace").strip().splitlines() or [f"exit code {run.returncode}"]
        raise NodeUnavailable(f"bitcoind was not found, and tools/get-knots.sh failed: {reason[-1]}")
    return str(KNOTS / "bin" / "bitcoind")


def free_port() -> int:
    """A port on 127.0.0.1 that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class RegtestNode:
    """A running node between `with` and its end. `url` is the base of RPC and REST, `datadir` its folder.

    `options` come after the usual ones, and the last one of a name counts: "-rest=0", "-txindex=0", "-prune=1".
    """

    def __init__(self, *options: str, bitcoind: str | None = None) -> None:
        self.options = options
        self._program = bitcoind
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: http.client.HTTPConnection | None = None
        self._last_call = 0.0
        self.datadir = Path()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def cookie_file(self) -> Path:
        return self.datadir / "regtest" / ".cookie"

    @property
    def running(self) -> bool:
        return self._process is not None

    def __enter__(self) -> Self:
        self._program = self._program or find_bitcoind()
        self.datadir = Path(tempfile.mkdtemp(prefix="regtest-node-"))
        self.port = free_port()
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    # --- the process ---

    def start(self) -> None:
        """Start it on its folder and port, and wait until it answers. Raises NodeUnavailable."""
        program = self._program or find_bitcoind()
        with (self.datadir / "stderr").open("wb") as stderr:
            try:
                self._process = subprocess.Popen(
                    [
                        program,
                        "-regtest",
                        f"-datadir={self.datadir}",
                        "-listen=0",
                        "-listenonion=0",
                        "-dnsseed=0",
                        "-fixedseeds=0",
                        "-discover=0",
                        "-server=1",
                        "-rpcbind=127.0.0.1",
                        "-rpcallowip=127.0.0.1",
                        f"-rpcport={self.port}",
                        "-rest=1",
                        "-txindex=1",
                        "-fallbackfee=0.0002",
                        *self.options,
                    ],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=stderr,
                )
            except OSError as error:
                raise NodeUnavailable(f"{program} does not start: {error}") from error
        self._wait_until_ready(self._process)

    def stop(self) -> None:
        """End its own process in an orderly way; its folder stays."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End its own process as a power cut would."""
        self._end(signal.SIGKILL)

    def restart(self, *options: str) -> None:
        """Stop it and start it again on the same folder and port: a new cookie. `options`, if any, replace the old."""
        self.stop()
        if options:
            self.options = options
        self.start()

    def close(self) -> None:
        """End this node's own process and remove its folder."""
        self.stop()
        shutil.rmtree(self.datadir, ignore_errors=True)

    def _end(self, how: int) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _wait_until_ready(self, process: "subprocess.Popen[bytes]") -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                self._process = None
                said = (self.datadir / "stderr").read_text(errors="replace").strip().splitlines()
                word = said[-1] if said else "no word"
                raise NodeUnavailable(f"bitcoind ended with code {process.returncode}: {word}")
            try:
                self.rpc("getblockcount")
                return
            except (OSError, http.client.HTTPException, ValueError, RpcError):
                pass  # not listening yet, a cookie of the run before, or still warming up (-28)
            time.sleep(0.05)
        raise NodeUnavailable(f"bitcoind was not ready after {START_SECONDS} seconds")

    # --- calls ---

    def rpc(self, method: str, *params: Any, wallet: str = "") -> Any:
        """One JSON-RPC call. Raises RpcError when the node refuses it, OSError when it is gone."""
        if self._connection is not None and time.monotonic() - self._last_call > REST_SECONDS:
            self._connection.close()  # the node does so after 30 (-rpcservertimeout)
            self._connection = None
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        login = base64.b64encode(self.cookie_file.read_bytes()).decode()
        try:
            self._connection.request(
                "POST",
                f"/wallet/{wallet}" if wallet else "/",
                json.dumps({"jsonrpc": "1.0", "id": 0, "method": method, "params": params}),
                {"Authorization": f"Basic {login}", "Content-Type": "application/json"},
            )
            answer = json.loads(self._connection.getresponse().read())
        except (OSError, http.client.HTTPException, ValueError):
            self._connection.close()
            self._connection = None
            raise
        self._last_call = time.monotonic()
        if answer["error"] is not None:
            raise RpcError(method, answer["error"]["code"], answer["error"]["message"])
        return answer["result"]

    def make_wallet(self, name: str = "miner", blocks: int = 120) -> str:
        """A wallet with `blocks` blocks mined for it (coins mature after 100); returns an address of it."""
        self.rpc("createwallet", name)
        address: str = self.rpc("getnewaddress", "", "bech32", wallet=name)
        self.mine(blocks, address)
        return address

    def mine(self, count: int = 1, address: str = BURN) -> list[str]:
        """Mine blocks on the tip, with what waits in the mempool; returns their hashes as people see them."""
        hashes: list[str] = self.rpc("generatetoaddress", count, address)
        return hashes

    def pay(self, address: str, satoshis: int, wallet: str = "miner") -> str:
        """Send a payment from a wallet; returns its txid as people see it. It is in the next block mined."""
        txid: str = self.rpc("sendtoaddress", address, f"{satoshis / 100_000_000:.8f}", wallet=wallet)
        return txid


def rpcauth(user: str, password: str) -> str:
    """The option that lets `user` in with `password`, beside the cookie (Core: share/rpcauth/rpcauth.py)."""
    salt = "5eed" * 8
    return f"-rpcauth={user}:{salt}${hmac.new(salt.encode(), password.encode(), 'sha256').hexdigest()}"


if __name__ == "__main__":
    # Run a node until Ctrl-C, for trying things out.
    try:
        with RegtestNode(*sys.argv[1:]) as running:
            print(f"regtest node on {running.url}, cookie in {running.cookie_file}; Ctrl-C ends it")
            while True:
                time.sleep(3600)
    except KeyboardInterrupt:
        pass
    except NodeUnavailable as unavailable:
        sys.exit(f"regtest_node: {unavailable}")
