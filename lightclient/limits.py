"""Every ceiling of the project, each with its source.

A length that comes from outside is compared with one of these before it is used.
"""

from lightclient.compat import const

# --- headers ---
HEADER_SIZE = const(80)  # CBlockHeader: 4 + 32 + 32 + 4 + 4 + 4 bytes
EPOCH = const(2016)  # blocks between retargets: two weeks of ten minutes
MEDIAN_TIME_SPAN = const(11)  # CBlockIndex::nMedianTimeSpan
MAX_FUTURE_SECONDS = const(7200)  # MAX_FUTURE_BLOCK_TIME
MAX_TIMEWARP_SECONDS = const(600)  # BIP94: MAX_TIMEWARP
MAX_HEIGHT = const(0x3FFFFFFF)  # 20,000 years of blocks; a small integer on a 32-bit MicroPython

# --- transactions and proofs ---
MAX_BLOCK_WEIGHT = const(4_000_000)  # BIP141
MAX_TRANSACTION_SIZE = const(4_000_000)  # bytes with witness: no block holds more (BIP141)
MIN_TRANSACTION_SIZE = const(60)  # Core: MIN_TRANSACTION_WEIGHT / WITNESS_SCALE_FACTOR
MAX_BLOCK_TRANSACTIONS = const(16_666)  # 4,000,000 weight / (4 x 60), as Core bounds BIP37
MIN_INPUT_SIZE = const(41)  # outpoint 36, empty script 1, sequence 4
MIN_OUTPUT_SIZE = const(9)  # value 8, empty script 1
MAX_INPUTS = const(24_390)  # 4,000,000 weight / (4 x 41)
MAX_OUTPUTS = const(111_111)  # 4,000,000 weight / (4 x 9)
MAX_SCRIPT_SIZE = const(4_000_000)  # a script is only as long as its transaction
MAX_WITNESS_ITEMS = const(4_000_000)
MAX_MONEY = const(21_000_000 * 100_000_000)  # satoshis: Core's MAX_MONEY
MAX_SCRIPT_PUBKEY = const(520)  # bytes that a payment can ask for: our own choice, no standard output has more than 201
MIN_COINBASE_SCRIPT = const(2)  # CheckTransaction: bad-cb-length
MAX_COINBASE_SCRIPT = const(100)
MAX_MERKLE_DEPTH = const(15)  # 2^15 > 16,666 transactions
MAX_PROOF_SIZE = const(8_100_000)  # two transactions, two branches, a header, an accumulator path

# --- link ---
MAX_PAYLOAD = const(4096)  # bytes of a frame's payload: the device's one receive buffer
MAX_BATCH_HEADERS = const(96)  # 96 x 80 bytes: the device's one batch buffer
LOCATOR_ENTRY = const(36)  # bytes: height (uint32, little-endian), block_hash
MAX_LOCATOR = const(12)  # (height, hash) pairs: 1 + 10 steps doubling + the window's base
MAX_DETAIL = const(120)  # bytes of a text for people
MAX_NAME = const(40)  # bytes of a name: network, device, version
MAX_CERTIFICATE = const(1024)  # bytes in DER: one of a P-256 key and one name has some 400
MAX_HOST = const(253)  # characters of a host name (RFC 1035)
MAX_SSID = const(32)  # bytes (IEEE 802.11)
MAX_WIFI_PASSWORD = const(64)  # WPA2: 8 to 63 characters, or a key as 64 hex digits
MAX_TOLD = const(512)  # bytes of an answer that a device gives in one piece
MAX_TILL_PIECE = const(1024)  # bytes of a till's list of addresses that a device takes at once
MAX_INVOICE_ADDRESSES = const(2000)  # in one list: 138 KB of a Pico's flash when all are taproot
MAX_COUNT = const(0x3FFFFFFF)  # of ids, counters and the like: a small integer on a 32-bit MicroPython
MAX_QUEUE = const(16)  # messages of an end that wait for credit
MAX_OUTPUT = const(48)  # frames of an end that wait for the line
MAX_REQUESTS = const(8)  # payments that a device waits for at a time
MAX_ACTED_WATCHED = const(8)  # payments acted on whose blocks a device still looks after
MAX_EVENTS = const(32)  # events that the program around a client has not read yet
