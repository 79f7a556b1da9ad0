"""The line: bytes that a header takes on it, and how fast frames and batches are read on both Pythons."""

import sys
from argparse import Namespace
from typing import Any

from measure import Figure, arguments, on_cpython, on_micropython, report

from lightclient.headers.compact import pack_headers
from lightclient.limits import HEADER_SIZE, MAX_BATCH_HEADERS, MAX_HEIGHT, MAX_PAYLOAD
from lightclient.messages import HEADERS, encode, view_room
from lightclient.wire import encode_frame

PROCESSES = 4


def on_the_line(options: Namespace) -> list[Figure]:
    """All headers of the file in batches as full as a bridge makes them (host_bridge/sessions/session.py)."""
    headers = options.headers.read_bytes()
    total = len(headers) // HEADER_SIZE
    room = view_room(HEADERS, MAX_PAYLOAD)
    packed = bytearray(room)
    payload = bytearray(MAX_PAYLOAD)
    done = packed_bytes = frames = frame_bytes = 0
    while done < total:
        count, length = pack_headers(headers, done * HEADER_SIZE, min(total - done, MAX_BATCH_HEADERS), packed, 0, room)
        parent = headers[done * HEADER_SIZE + 4 : done * HEADER_SIZE + 36]
        height = min(options.start_height + done, MAX_HEIGHT)
        size = encode(HEADERS, (max(height - 1, 0), parent, height, count, memoryview(packed)[:length]), payload)
        frame_bytes += len(encode_frame(HEADERS, frames, bytes(payload[:size])))
        packed_bytes += length
        frames += 1
        done += count
    return [
        Figure("a header, packed", packed_bytes / total, "bytes/header"),
        Figure("a header on the line, with message, frame and escapes", frame_bytes / total, "bytes/header"),
        Figure("headers in a frame", total / frames, "headers/frame"),
    ]


def speeds(python: str, runs: list[dict[str, Any]]) -> list[Figure]:
    def best(key: str) -> float:
        return float(min(run[key] for run in runs))

    return [
        Figure(f"{python}: FrameReader", 1e6 * runs[0]["frame"] / best("feed_us"), "bytes/s"),
        Figure(f"{python}: decoding a HEADERS message", best("decode_us"), "us"),
        Figure(f"{python}: unpacking", best("unpack_us") / runs[0]["count"], "us/header"),
        Figure(f"{python}: packing", best("pack_us") / runs[0]["count"], "us/header"),
        Figure(f"{python}: making the frame", best("make_us"), "us"),
    ]


def main() -> int:
    options = arguments(__doc__ or "")
    figures = on_the_line(options)
    rounds = max(options.rounds // PROCESSES, 1)
    for python, run in (("CPython", on_cpython), ("MicroPython", on_micropython)):
        runs = [run("both_link.py", options.headers, rounds) for _ in range(PROCESSES)]
        if None not in runs:
            figures += speeds(python, runs)
    report("link", figures, options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
