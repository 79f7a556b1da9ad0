"""A real full node on a private regtest chain, for recordings and tests. Usable as a program and as a context manager.

    with RegtestNode() as node:
        node.rpc("getblockcount")

bitcoind is $BITCOIND, else the one on PATH, else Debian's bitcoin-knots, which tools/get-knots.sh
unpacks into .cache/ without root. The node talks to nobody: no P2P port, no DNS, RPC and REST on
127.0.0.1 alone. Its files lie in a temporary folder that goes when it ends.
"""

import base64
import http.client
import json
import os
import shutil
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


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class RegtestNode:
    """A running node between `with` and its end. `url` is the base of RPC and REST, `datadir` its folder."""

    def __init__(self, *options: str, bitcoind: str | None = None) -> None:
        self._options = options
        self._bitcoind = bitcoind
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: http.client.HTTPConnection | None = None
        self.datadir = Path()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def cookie_file(self) -> Path:
        return self.datadir / "regtest" / ".cookie"

    def __enter__(self) -> Self:
        program = self._bitcoind or find_bitcoind()
        self.datadir = Path(tempfile.mkdtemp(prefix="regtest-node-"))
        self.port = _free_port()
        try:
            stderr = (self.datadir / "stderr").open("wb")
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
                    *self._options,
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
            )
            stderr.close()
            self._wait_until_ready(self._process)
        except BaseException as error:
            self.close()
            if isinstance(error, OSError):
                raise NodeUnavailable(f"{program} does not start: {error}") from error
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _wait_until_ready(self, process: "subprocess.Popen[bytes]") -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                said = (self.datadir / "stderr").read_text(errors="replace").strip().splitlines()
                word = said[-1] if said else "no word"
                raise NodeUnavailable(f"bitcoind ended with code {process.returncode}: {word}")
            try:
                if self.cookie_file.exists():
                    self.rpc("getblockcount")
                    return
            except (OSError, http.client.HTTPException, RpcError):
                pass  # not listening yet, or still warming up (-28)
            time.sleep(0.05)
        raise NodeUnavailable(f"bitcoind was not ready after {START_SECONDS} seconds")

    def rpc(self, method: str, *params: Any, wallet: str = "") -> Any:
        """One JSON-RPC call. Raises RpcError when the node refuses it, OSError when it is gone."""
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
        if answer["error"] is not None:
            raise RpcError(method, answer["error"]["code"], answer["error"]["message"])
        return answer["result"]

    def close(self) -> None:
        """End this node's own process and remove its folder."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        shutil.rmtree(self.datadir, ignore_errors=True)


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
