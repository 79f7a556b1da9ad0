"""The error tree: each rule that can be broken has its own class and its own one-byte code.

The class tells a program which rule it was, `str(error)` is one line for a person, and `code` is
what goes over the link (docs/PROTOCOL.md). Codes are never used twice.
"""


class LightClientError(Exception):
    """Base of all. `height` is set where the fault lies in a header of known height."""

    code = 1
    height = -1

    def __init__(self, detail: str = "", height: int = -1) -> None:
        super().__init__(detail)
        self.detail = detail
        if height >= 0:
            self.height = height

    def __str__(self) -> str:
        return self.detail


def describe(error: LightClientError) -> str:
    """One line: the class, which is the rule that was broken, and the detail."""
    return type(error).__name__ + ": " + str(error)


# --- encoding: the bytes are not what they claim to be ---
class EncodingError(LightClientError):
    code = 0x10


class TruncatedInput(EncodingError):
    code = 0x11


class TrailingData(EncodingError):
    code = 0x12


class NonCanonicalEncoding(EncodingError):
    code = 0x13


class LimitExceeded(EncodingError):
    code = 0x14


# --- headers ---
class HeaderError(LightClientError):
    code = 0x20


class BadGenesis(HeaderError):
    code = 0x21


class BadLink(HeaderError):
    code = 0x22


class BadProofOfWork(HeaderError):
    code = 0x23


class MalformedBits(HeaderError):
    code = 0x24


class WrongBits(HeaderError):
    code = 0x25


class TimeTooOld(HeaderError):
    code = 0x26


class TimeTooNew(HeaderError):
    code = 0x27


class TimeWarp(HeaderError):
    code = 0x28


class BadVersion(HeaderError):
    code = 0x29


class CheckpointMismatch(HeaderError):
    code = 0x2A


class ReorgTooDeep(HeaderError):
    code = 0x2B


class NotEnoughWork(HeaderError):
    code = 0x2C


# --- proofs ---
class ProofError(LightClientError):
    code = 0x40


class MerkleRootMismatch(ProofError):
    code = 0x41


class LeftSiblingDuplicate(ProofError):
    code = 0x42


class IndexOutOfRange(ProofError):
    code = 0x43


class DepthMismatch(ProofError):
    code = 0x44


class MissingCoinbaseProof(ProofError):
    code = 0x45


class NotACoinbase(ProofError):
    code = 0x46


class HeightMismatch(ProofError):
    code = 0x47


class SixtyFourByteTransaction(ProofError):
    code = 0x48


class TxidMismatch(ProofError):
    code = 0x49


class WrongNetwork(ProofError):
    code = 0x4A


class HeaderNotInChain(ProofError):
    code = 0x4B


class PathMismatch(ProofError):
    code = 0x4C


# --- payments ---
class PaymentError(LightClientError):
    code = 0x60


class NotThePayment(PaymentError):
    code = 0x61


class AmountTooLow(PaymentError):
    code = 0x62


class NotEnoughConfirmations(PaymentError):
    code = 0x63


class StaleTip(PaymentError):
    code = 0x64


class AlreadyActed(PaymentError):
    code = 0x65


class NotSynced(PaymentError):
    code = 0x66


# --- store ---
class StoreError(LightClientError):
    code = 0x80


class CorruptStore(StoreError):
    code = 0x81


class StoreRolledBack(StoreError):
    code = 0x82


class StoreLocked(StoreError):
    code = 0x83


class StoreFull(StoreError):
    code = 0x84


class WrongStoreVersion(StoreError):
    code = 0x85


# --- link ---
class LinkError(LightClientError):
    code = 0xA0


class BadFrame(LinkError):
    code = 0xA1


class BadMessage(LinkError):
    code = 0xA2


class NotPaired(LinkError):
    code = 0xA3


class AuthenticationFailed(LinkError):
    code = 0xA4


class NotConfirmed(LinkError):
    code = 0xA5
