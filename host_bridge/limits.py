"""Every ceiling of the bridge on what comes from outside, with its reason. The device's own: lightclient/limits.py."""

from lightclient.limits import MAX_BLOCK_WEIGHT, MAX_TRANSACTION_SIZE

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
ANSWER_SECONDS = 30  # a busy node on a slow disk takes seconds for a block

# --- Bitcoin Core ---
MAX_RAW_BLOCK = MAX_BLOCK_WEIGHT  # bytes of a block as it is stored: BIP141
MAX_RPC_ANSWER = 1 << 20  # bytes of JSON of a plain call: getblockchaininfo and the like take under 4 kB
MAX_RPC_BATCH_ENTRY = 512  # bytes of JSON of one answer in a batch: a header takes 160 hex digits
MAX_RPC_BLOCK = 2 * MAX_RAW_BLOCK + 1024  # bytes: a block as hex, and the JSON around it
MAX_RPC_TRANSACTION = 8 * MAX_TRANSACTION_SIZE  # bytes: as hex, and once more taken apart into scripts and words
MAX_SPENDABLE_TRIED = 16  # outputs of a transaction that are asked for by number, to find it without an index
MAX_TXOUT_ANSWER = 64 * 1024  # bytes of JSON of one output: a spendable script has 10,000 at most, told twice
MAX_NODE_ERROR = 200  # characters of what a node says that are shown to people
MAX_COOKIE = 1024  # bytes of a cookie or password file: Core's cookie has 75
MAX_ZMQ_MESSAGE = 256  # bytes: a topic, a block hash, a sequence number
CORE_POLL_SECONDS = 0.5  # between two looks for a new block: one small call each
MAX_BLOCKS_AT_ONCE = 2  # whole blocks in memory, each with its hex up to 12 MB
MAX_REORG_STEPS = 2016  # times that a chain may change under one scan: more is no chain but a game
FEW_SCRIPTS = 32  # up to so many, looking for each in the raw block is faster than reading every output

# --- archives of files ---
MAX_ARCHIVE_FILES = 10_000  # of headers, or of blocks, in one folder

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

# --- following a node ---
MAX_INDEXED_HEADERS = 8_000_000  # 80 bytes each on disk, 43 in memory; testnet3, the longest, has under 5,000,000
NODE_SECONDS = 60.0  # for an answer
SEARCH_SECONDS = 300.0  # for the next payment of a search, or its end
MAX_PAUSE_SECONDS = 60.0  # between two tries
NEWS_SECONDS = 1.0  # between two looks at the tip: a new block reaches every device within 2 s

# --- headers for devices ---
MAX_PACKED_BATCHES = 2_048  # kept, of up to 4 KB; 10,000 headers are 105

# --- payments that devices wait for ---
MAX_WATCHES = 64  # of one device
MAX_OFFERS = 256  # proofs judged for one request: beyond, somebody floods the script
MAX_PROOFS_UNDER_WAY = 8  # queued for one device, or waiting for its verdict; the others are found again then
MAX_SCRIPTS = 8_192  # that all devices together watch
MAX_PAYMENTS_OF_SCRIPT = 512  # found and kept
MAX_PAYMENTS = 20_000  # of all scripts together
MAX_PROOF_BYTES = 32_000_000  # of all proofs kept; one is 8,100,000 at most, and 2,000 as a rule
SCRIPT_LINGERS_SECONDS = 600.0  # what was found for a script that nobody watches: a device on Wi-Fi comes back
MAX_SEARCHED_BLOCKS = 20_000  # in one piece of a search of old blocks
SEARCH_PIECE_SECONDS = 2.0  # what a piece should take: new blocks and new scripts come between two
