"""Headers mined by the tests themselves, on networks whose limit is trivial and whose other rules are whole."""

from struct import pack_into

from lightclient.headers.difficulty import expected_bits
from lightclient.headers.header import block_hash
from lightclient.headers.rules import HeaderRules
from lightclient.headers.state import ChainState
from lightclient.headers.target import bits_to_target
from lightclient.params import Network

START_TIME = 1_700_000_000
LIMIT_BITS = 0x207FFFFF  # half of all hashes meet it


def mine(buffer, offset, prev_block_hash, time, bits, network, version=4, salt=0):
    """Write a header that meets `bits` at `offset`; returns its block_hash."""
    pack_into("<i", buffer, offset, version)
    buffer[offset + 4 : offset + 36] = prev_block_hash
    for i in range(32):
        buffer[offset + 36 + i] = salt & 0xFF
    pack_into("<III", buffer, offset + 68, time, bits, 0)
    target = bits_to_target(bits, network)
    nonce = 0
    while True:
        found = block_hash(buffer, offset)
        if int.from_bytes(found, "little") <= target:
            return found
        nonce += 1
        pack_into("<I", buffer, offset + 76, nonce)


def trivial_network(name="trivial", limit_bits=LIMIT_BITS, **rules):
    """A network of full rules (retarget, version floors) that a test can mine."""
    # The genesis header is mined with a network that differs only in having none.
    network = Network(name, "", limit_bits, 0, **rules)
    genesis = bytearray(80)
    mine(genesis, 0, bytes(32), START_TIME, limit_bits, network, version=1)
    network.genesis_header = bytes(genesis)
    return network


class Miner:
    """Mines headers that keep every rule, each after the one before."""

    def __init__(self, network, state=None):
        self.network = network
        self.state = ChainState()
        if state is None:
            rules = HeaderRules(network)
            rules.begin_at_genesis(network.genesis_header, 0)
            state = rules.state
        self.state.copy_from(state)

    def fork(self):
        return Miner(self.network, self.state)

    def next_into(self, buffer, offset, step=600, salt=0, version=4, bits=None, time=None):
        """Write the next header; it becomes this miner's tip, whether or not it keeps the rules."""
        time = self.state.time + step if time is None else time
        if bits is None:
            bits = expected_bits(self.network, self.state, time)
        found = mine(buffer, offset, self.state.block_hash, time, bits, self.network, version, salt)
        self.state.absorb(self.network, buffer, offset, found)
        return found

    def batch(self, count, step=600, salt=0):
        """A bytearray of the next `count` headers."""
        buffer = bytearray(80 * count)
        for i in range(count):
            self.next_into(buffer, 80 * i, step, salt)
        return buffer
