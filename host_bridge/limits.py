"""Every ceiling of the bridge. What comes from a node or a device is compared with one of these before it is used."""

# --- of a node ---
MAX_NODE_HEADERS = 2_000  # in one answer, as in the P2P protocol (Core: MAX_HEADERS_RESULTS)
MAX_INDEXED_HEADERS = 8_000_000  # 80 bytes each on disk, 43 in memory; testnet3, the longest, has under 5,000,000
NODE_SECONDS = 60.0  # for an answer
SEARCH_SECONDS = 300.0  # for the next payment of a search, or its end
MAX_PAUSE_SECONDS = 60.0  # between two tries
POLL_SECONDS = 1.0  # a new block reaches every device within 2 s

# --- headers for devices ---
MAX_PACKED_BATCHES = 2_048  # kept, of up to 4 KB; 10,000 headers are 105

# --- payments that devices wait for ---
MAX_WATCHES = 64  # of one device
MAX_OFFERS = 256  # proofs judged for one request: beyond, somebody floods the script
MAX_SCRIPTS = 8_192  # that all devices together watch
MAX_PAYMENTS_OF_SCRIPT = 512  # found and kept
MAX_PAYMENTS = 20_000  # of all scripts together
MAX_PROOF_BYTES = 32_000_000  # of all proofs kept; one is 8,100,000 at most, and 2,000 as a rule
SCRIPT_LINGERS_SECONDS = 600.0  # what was found for a script that nobody watches: a device on Wi-Fi comes back
MAX_SEARCHED_BLOCKS = 20_000  # in one piece of a search of old blocks
SEARCH_PIECE_SECONDS = 2.0  # what a piece should take: new blocks and new scripts come between two
