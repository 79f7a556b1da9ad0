"""A real Electrum server (e-x) in front of a regtest node. A context manager.

    with ElectrumServer(node) as server:
        ElectrumNode("127.0.0.1", server.tcp_port, tls=False)
        ElectrumNode("127.0.0.1", server.tls_port, tls=True, certificate=server.certificate)

The program is the one beside this Python, else $ELECTRUMX_SERVER or the one on PATH. Its files lie in a
temporary folder that goes when it ends. It knows the node's cookie of when it was started.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from regtest_node import RegtestNode, free_port
from self_signed import write_certificate

START_SECONDS = 30
STOP_SECONDS = 15


class ServerUnavailable(Exception):
    """It is not installed or does not start; one line says why."""


def find_electrum_server() -> str:
    beside = Path(sys.executable).parent / "electrumx_server"
    found = os.environ.get("ELECTRUMX_SERVER") or shutil.which(str(beside)) or shutil.which("electrumx_server")
    if not found:
        raise ServerUnavailable("electrumx_server was not found: pip install e-x==1.20.0")
    return found


class ElectrumServer:
    """Running between `with` and its end: `tcp_port`, `tls_port`, `certificate` (PEM file) on 127.0.0.1."""

    def __init__(self, node: RegtestNode) -> None:
        self._node = node
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = Path()
        self.tcp_port = 0
        self.tls_port = 0

    @property
    def certificate(self) -> Path:
        return self._folder / "server.crt"

    def __enter__(self) -> "ElectrumServer":
        self._folder = Path(tempfile.mkdtemp(prefix="electrum-server-"))
        try:
            key = self._folder / "server.key"
            write_certificate(self.certificate, key)
            self.tcp_port, self.tls_port, self._rpc_port = free_port(), free_port(), free_port()
            self._settings = {
                "COIN": "Bitcoin",
                "NET": "regtest",
                "DB_DIRECTORY": str(self._folder),
                "SSL_CERTFILE": str(self.certificate),
                "SSL_KEYFILE": str(key),
                "ALLOW_ROOT": "true",
                "PEER_DISCOVERY": "off",
                "PEER_ANNOUNCE": "",
                "COST_SOFT_LIMIT": "0",
                "COST_HARD_LIMIT": "0",
                "DAEMON_POLL_INTERVAL_BLOCKS": "200",  # ms
                "DAEMON_POLL_INTERVAL_MEMPOOL": "1000",
                "SERVICES": f"tcp://127.0.0.1:{self.tcp_port},ssl://127.0.0.1:{self.tls_port}"
                f",rpc://127.0.0.1:{self._rpc_port}",
            }
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Start it, and wait until it has read all blocks and listens: it does not before."""
        cookie = self._node.cookie_file.read_text().strip()
        daemon = f"http://{cookie}@127.0.0.1:{self._node.port}/"
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                find_electrum_server(),
                env={**os.environ, **self._settings, "DAEMON_URL": daemon},
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                lines = (self._folder / "log").read_text(errors="replace").strip().splitlines() or ["no word"]
                raise ServerUnavailable(f"electrumx_server ended with code {self._process.returncode}: {lines[-1]}")
            try:
                for port in (self.tcp_port, self.tls_port):
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.1)
        raise ServerUnavailable(f"electrumx_server was not ready after {START_SECONDS} seconds")

    def stop(self) -> None:
        """End its own process in an orderly way, so that it can be started again; its folder stays."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()  # what it would write now goes with its folder
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)
