"""Every ceiling of the bridge, each with its reason. (What both ends of the link share is in lightclient/limits.py.)"""

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
STOP_SECONDS = 1.0  # for the last words to all devices

# --- what the log takes of one device ---
LOG_LINES_BURST = 60
LOG_LINES_PER_SECOND = 1.0
MAX_LOG_QUEUE = 10_000  # lines that wait for a slow reader of the log

# --- configuration ---
MAX_CONFIG_SIZE = 64 << 10
