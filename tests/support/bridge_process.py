"""`lightclient bridge` and `lightclient emulate` as processes of their own (CPython)."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from host_bridge.demo.recording import Recording
from lightclient.limits import HEADER_SIZE

ROOT = Path(__file__).resolve().parents[2]
LIGHTCLIENT = [sys.executable, "-m", "host_bridge"]
RECORDING = Recording.load_default()


def write_archive(folder, last=RECORDING.tip_height):
    """The recorded chain as an archive for `--node archive:DIR`."""
    folder.mkdir()
    (folder / f"regtest_0_{last}.bin").write_bytes(RECORDING.headers[: (last + 1) * HEADER_SIZE])
    for i, block in enumerate(RECORDING.blocks.values()):
        (folder / f"{i}.blk").write_bytes(block)
    return f"archive:{folder}"


class Process:
    """A command; its lines of standard output are kept. Ends with the `with` block, whatever happens."""

    def __init__(self, *arguments, **environment):
        self._process = subprocess.Popen(
            [*LIGHTCLIENT, *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
        )
        self.lines = []
        self.complaints = []
        self._readers = [
            threading.Thread(target=lambda: self.lines.extend(iter(self._process.stdout.readline, ""))),
            threading.Thread(target=lambda: self.complaints.extend(iter(self._process.stderr.readline, ""))),
        ]
        for reader in self._readers:
            reader.start()

    @property
    def pid(self):
        return self._process.pid

    def wait_for(self, condition, seconds=60.0):
        """The first line that meets the condition."""
        end = time.monotonic() + seconds
        while True:
            ended = self._process.poll() is not None
            for line in list(self.lines):
                if condition(line):
                    return line
            said = "".join([*self.lines, *self.complaints])[-3000:]
            assert not ended, f"the command ended with {self._process.returncode}:\n{said}"
            assert time.monotonic() < end, f"it did not come in {seconds} s:\n{said}"
            time.sleep(0.02)

    def end(self, number=signal.SIGTERM, seconds=20.0):
        """Send a signal; (exit code, seconds that it took)."""
        started = time.monotonic()
        self._process.send_signal(number)
        code = self._process.wait(seconds)
        return code, time.monotonic() - started

    def wait(self, seconds=30.0):
        return self._process.wait(seconds)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        for reader in self._readers:
            reader.join(5)
        self._process.stdout.close()
        self._process.stderr.close()


class BridgeProcess(Process):
    """`lightclient bridge` with a JSON log."""

    def __init__(self, *arguments, **environment):
        super().__init__("bridge", "--log-json", *arguments, **environment)

    @property
    def events(self):
        return [json.loads(line) for line in list(self.lines)]

    def event(self, seconds=60.0, **fields):
        """The first line of the log with these fields."""
        return json.loads(self.wait_for(lambda line: fields.items() <= json.loads(line).items(), seconds))

    def memory(self):
        """Resident bytes now."""
        pages = Path(f"/proc/{self.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
