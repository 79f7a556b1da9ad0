"""The networks. A `Network` is passed to whatever needs one; there is no current network.

Source of every number: Bitcoin Core `src/kernel/chainparams.cpp`; testnet4: BIP94. The minimum
chainworks are those of Core 30 (mainnet: block 912,683).
"""

from binascii import unhexlify

DEFAULT_MAX_TIP_AGE = 24 * 60 * 60  # seconds; Core: DEFAULT_MAX_TIP_AGE


class Network:
    """What differs between chains. Treat it as constant; `replay` makes a changed copy.

    `pow_limit_bits` is the easiest allowed target in compact form. `minimum_chainwork` and
    `max_tip_age` (seconds) are conditions for acting on a payment, not for accepting headers.
    `bip34_height` and its like are the first heights at which those rules hold.
    """

    def __init__(
        self,
        name: str,
        genesis_hex: str,
        pow_limit_bits: int,
        minimum_chainwork: int,
        bip34_height: int = 1,
        bip66_height: int = 1,
        bip65_height: int = 1,
        allow_min_difficulty: bool = False,
        bip94: bool = False,
        retargets: bool = True,
        bech32_prefix: str = "tb",
    ) -> None:
        self.name = name
        self.genesis_header = unhexlify(genesis_hex)
        self.pow_limit_bits = pow_limit_bits
        # compact form to number: 256^(exponent - 3) * mantissa
        self.pow_limit = (pow_limit_bits & 0x7FFFFF) << 8 * ((pow_limit_bits >> 24) - 3)
        self.minimum_chainwork = minimum_chainwork
        self.bip34_height = bip34_height
        self.bip66_height = bip66_height
        self.bip65_height = bip65_height
        self.allow_min_difficulty = allow_min_difficulty
        self.bip94 = bip94
        self.retargets = retargets
        self.bech32_prefix = bech32_prefix
        self.target_spacing = 600  # seconds
        self.target_timespan = 14 * 24 * 60 * 60  # seconds
        self.max_tip_age = DEFAULT_MAX_TIP_AGE
        self.is_replay = False

    def replay(self, minimum_chainwork: int) -> "Network":
        """A copy for showing recorded headers: its own minimum work, and it says that it is a replay.

        The clock of a replay is an argument like any clock: the caller passes the recorded time.
        """
        copy = Network(
            self.name,
            "",
            self.pow_limit_bits,
            minimum_chainwork,
            self.bip34_height,
            self.bip66_height,
            self.bip65_height,
            self.allow_min_difficulty,
            self.bip94,
            self.retargets,
            self.bech32_prefix,
        )
        copy.genesis_header = self.genesis_header
        copy.is_replay = True
        return copy

    def minimum_version(self, height: int) -> int:
        """The lowest header version allowed at `height` (BIP34, BIP66, BIP65)."""
        if height >= self.bip65_height:
            return 4
        if height >= self.bip66_height:
            return 3
        if height >= self.bip34_height:
            return 2
        return -0x80000000


# Genesis headers differ in merkle_root (testnet4), time, bits and nonce only.
_HEAD = "01000000" + "00" * 32
_ROOT = "3ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a"
_ROOT_TESTNET4 = "4e7b2b9128fe0291db0693af2ae418b767e657cd407e80cb1434221eaea7a07a"

MAINNET = Network(
    "mainnet",
    _HEAD + _ROOT + "29ab5f49ffff001d1dac2b7c",
    0x1D00FFFF,
    0xDEE8E2A309AD8A9820433C68,
    bip34_height=227931,
    bip66_height=363725,
    bip65_height=388381,
    bech32_prefix="bc",
)
TESTNET3 = Network(
    "testnet3",
    _HEAD + _ROOT + "dae5494dffff001d1aa4ae18",
    0x1D00FFFF,
    0x16DD270DD94FAC1D7632,
    bip34_height=21111,
    bip66_height=330776,
    bip65_height=581885,
    allow_min_difficulty=True,
)
TESTNET4 = Network(
    "testnet4",
    _HEAD + _ROOT_TESTNET4 + "046f3566ffff001dbb0c7817",
    0x1D00FFFF,
    0x34A4690FE592DC49C7C,
    allow_min_difficulty=True,
    bip94=True,
)
SIGNET = Network("signet", _HEAD + _ROOT + "008f4d5fae77031e8ad22203", 0x1E0377AE, 0x67D328E681A)
REGTEST = Network(
    "regtest",
    _HEAD + _ROOT + "dae5494dffff7f2002000000",
    0x207FFFFF,
    0,
    allow_min_difficulty=True,
    retargets=False,
    bech32_prefix="bcrt",
)

NETWORKS = {network.name: network for network in (MAINNET, TESTNET3, TESTNET4, SIGNET, REGTEST)}
