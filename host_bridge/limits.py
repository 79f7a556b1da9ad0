"""Every ceiling of the bridge on what comes from outside, with its reason. The device's own: lightclient/limits.py."""

# --- what nodes and servers answer ---
MAX_JSON_VALUES = 200_000  # objects that a JSON answer may become: 8 MB of "[],[]," would fill a small computer
MAX_SHORT_ANSWER = 4_096  # bytes: a hash, a height, a status
MAX_BRANCH_ANSWER = 16_384  # bytes: a Merkle branch as JSON
MAX_RAW_JSON = 8_200_000  # bytes: a transaction as hex in JSON
MAX_ASKED_HEADERS = 2_000  # headers that a caller asks for at a time
MAX_HEADERS_ANSWER = 400_000  # bytes: as many as hex in JSON
MAX_HISTORY = 10_000  # transactions of one script that are looked through
MAX_HISTORY_ANSWER = 2_000_000  # bytes: as many in JSON, 99 bytes each (ElectrumX), or 25 whole ones (Esplora)
CONNECT_SECONDS = 10
ANSWER_SECONDS = 30

# --- Electrum protocol ---
ELECTRUM_HEADERS = 2_016  # headers that a server hands out at a time
MAX_NOTIFICATION = 4_096  # bytes of a line that nobody has asked for
MAX_UNASKED_LINES = 1_000  # of them one after the other
MAX_OPEN_CALLS = 256
CALLS_AT_ONCE = 16  # ... of one method: servers slow down who asks for more

# --- Esplora ---
ESPLORA_AT_ONCE = 8  # connections to the server
ESPLORA_POLL_SECONDS = 1.0  # REST tells nothing by itself
MAX_BLOCKS_ANSWER = 200_000  # bytes: ten blocks, described
