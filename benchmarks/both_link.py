"""both_link.py FILE ROUNDS: one HEADERS frame packed, framed, read, decoded and unpacked; runs on both Pythons."""

import json
import sys

from stopwatch import best_of

from lightclient.headers.compact import pack_headers, unpack_headers
from lightclient.limits import HEADER_SIZE, MAX_BATCH_HEADERS, MAX_PAYLOAD
from lightclient.messages import BRIDGE, HEADERS, decode, encode, view_room
from lightclient.wire import FrameReader, encode_frame

PIECE = 512  # bytes that a device reads at a time (firmware/links.py)
TIMES = 10


def feed(reader, frame):
    end = len(frame)
    for start in range(0, end, PIECE):
        reader.feed(frame, start, min(start + PIECE, end))


def main(path, rounds):
    with open(path, "rb") as file:
        headers = file.read(MAX_BATCH_HEADERS * HEADER_SIZE)
    present = len(headers) // HEADER_SIZE
    room = view_room(HEADERS, MAX_PAYLOAD)
    packed = bytearray(room)
    count, length = pack_headers(headers, 0, present, packed, 0, room)
    payload = bytearray(MAX_PAYLOAD)
    size = encode(HEADERS, (1, bytes(32), 1, count, memoryview(packed)[:length]), payload)
    payload = bytes(payload[:size])
    frame = encode_frame(HEADERS, 0, payload)
    reader = FrameReader()
    batch = bytearray(MAX_BATCH_HEADERS * HEADER_SIZE)
    result = {"count": count, "frame": len(frame)}
    result["pack_us"] = best_of(rounds, 1, pack_headers, headers, 0, present, packed, 0, room)
    result["make_us"] = best_of(rounds, TIMES, encode_frame, HEADERS, 0, payload)
    result["feed_us"] = best_of(rounds, TIMES, feed, reader, frame)
    if not reader.ready or reader.payload_end - reader.payload_start != size:
        raise SystemExit("the frame did not arrive")
    view = reader.view
    start = reader.payload_start
    end = reader.payload_end
    result["decode_us"] = best_of(rounds, TIMES, decode, HEADERS, view, start, end, BRIDGE)
    result["unpack_us"] = best_of(rounds, TIMES, unpack_headers, packed, 0, length, count, batch, 0)
    for i in range(count):  # all but prev_block_hash has come back
        at = i * HEADER_SIZE
        if batch[at + 36 : at + 80] != headers[at + 36 : at + 80] or batch[at : at + 4] != headers[at : at + 4]:
            raise SystemExit("header %d changed on the way" % i)
    print(json.dumps(result))


main(sys.argv[1], int(sys.argv[2]))
