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

# --- files of people ---
MAX_ADDRESS_FILE = 1 << 20  # bytes: 2,000 addresses of 90 characters, with comments

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
MAX_PAUSE_SECONDS = 10.0  # between two tries: after a long outage, too, devices are served within 15
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
MAX_MISSING_BLOCKS = 1_000  # that the node can't give, and is asked for again
MAX_SEARCHED_BLOCKS = 20_000  # in one piece of a search of old blocks
SEARCH_PIECE_SECONDS = 2.0  # what a piece should take: new blocks and new scripts come between two

# --- links ---
READ_SIZE = 4096  # bytes that are taken from a line at once
RECEIVE_PIECE = 512  # bytes that a session is given between two turns of the others: ten GET_HEADERS at most
MAX_CONNECTIONS = 256  # over the network, in all: an SSL connection takes about 50 KB
MAX_CONNECTIONS_PER_ADDRESS = 128  # devices behind one router, or emulated on one computer
MAX_STRANGERS = 128  # connections that have not shown that they are a paired device (yet)
MAX_STRANGERS_PER_ADDRESS = 112  # a whole fleet behind one address may come back at once
HANDSHAKES_BURST = 128  # TLS handshakes that one address may begin at once: the curve costs a millisecond of ours
HANDSHAKES_PER_SECOND = 5.0  # ... and from then on
MAX_ADDRESSES = 4_096  # whose handshakes are counted
ACCEPTS_PER_SECOND = 500  # connections taken from the system: more wait in its own queue
LISTEN_BACKLOG = 128
FIRST_BYTES_SECONDS = 5.0  # from connecting to the first bytes, which tell TLS from anything else
HANDSHAKE_SECONDS = 20.0  # a Pico takes some seconds for the curve
AUTHENTICATION_SECONDS = 30.0  # from the handshake to an open session
WRITE_SECONDS = 60.0  # that a line may take for one frame; a device that writes its flash reads nothing meanwhile
GARBAGE_SIZE = 65_536  # bytes without one whole frame among them; the longest frame is 8,210
SILENCE_SECONDS = 3600.0  # docs/PROTOCOL.md, "Silence"
MAX_PORTS = 32  # serial ports at a time
STOP_SECONDS = 0.7  # for the last words to all devices: all of the end takes two seconds at most

# --- what the log takes of one device ---
LOG_LINES_BURST = 60
LOG_LINES_PER_SECOND = 1.0
MAX_LOG_QUEUE = 10_000  # lines that wait for a slow reader of the log

# --- configuration ---
MAX_CONFIG_SIZE = 64 << 10
