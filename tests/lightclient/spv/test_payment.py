from known_blocks import BLOCK_170_TRANSACTIONS
from proof_cases import CHAIN_170, proof_170, verify
from support import raises

from lightclient.errors import (
    AmountTooLow,
    LimitExceeded,
    NotEnoughConfirmations,
    NotThePayment,
)
from lightclient.limits import MAX_COUNT, MAX_HEIGHT, MAX_MONEY, MAX_SCRIPT_PUBKEY
from lightclient.params import MAINNET
from lightclient.spv.payment import NOT_GIVEN, PaymentRequest

TO_FINNEY = BLOCK_170_TRANSACTIONS[1][-4 - 76 - 67 : -4 - 76]
BACK = BLOCK_170_TRANSACTIONS[1][-71:-4]


def request(script_pubkey=TO_FINNEY, min_amount=1000000000, min_confirmations=6):
    return PaymentRequest(1, script_pubkey, min_amount, min_confirmations)


def proof_for(wanted):
    return verify(proof_170(), MAINNET, CHAIN_170, wanted.script_pubkey)


def test_ten_coins_for_hal_finney():
    wanted = request()
    wanted.check_output(proof_for(wanted))
    wanted = request(BACK, 4000000000)
    wanted.check_output(proof_for(wanted))


def test_another_script():
    wanted = request(b"\x51")
    raises(NotThePayment, wanted.check_output, proof_for(wanted))
    # a proof that was verified for no script pays nobody
    raises(NotThePayment, wanted.check_output, verify(proof_170(), MAINNET, CHAIN_170))


def test_too_little():
    wanted = request(min_amount=1000000001)
    error = raises(AmountTooLow, wanted.check_output, proof_for(wanted))
    assert "1000000000 of 1000000001" in str(error)


class Proof:
    matches = 3
    output_index = 2
    output_value = 7
    height = 170


def test_outputs_are_not_added_up():
    request(min_amount=7).check_output(Proof())
    raises(AmountTooLow, request(min_amount=8).check_output, Proof())


def test_blocks_before_the_request():
    for from_height in (NOT_GIVEN, 0, 169, 170):
        PaymentRequest(1, b"a", 7, 1, from_height).check_output(Proof())
    error = raises(NotThePayment, PaymentRequest(1, b"a", 7, 1, 171).check_output, Proof())
    assert str(error) == "an old payment: block 170, only blocks from 171 on count"


def test_confirmations():
    wanted = request()
    wanted.check_confirmations(6)
    wanted.check_confirmations(7)
    for confirmations in (5, 1, 0, -3):
        raises(NotEnoughConfirmations, wanted.check_confirmations, confirmations)


def test_ceilings():
    PaymentRequest(0, b"a", 0, 1)
    PaymentRequest(MAX_COUNT, b"a" * MAX_SCRIPT_PUBKEY, MAX_MONEY, MAX_HEIGHT, MAX_HEIGHT)
    for arguments in (
        (-1, b"a", 1, 1),
        (MAX_COUNT + 1, b"a", 1, 1),
        (1, b"", 1, 1),
        (1, b"a" * (MAX_SCRIPT_PUBKEY + 1), 1, 1),
        (1, b"a", -1, 1),
        (1, b"a", MAX_MONEY + 1, 1),
        (1, b"a", 1, 0),
        (1, b"a", 1, MAX_HEIGHT + 1),
        (1, b"a", 1, 1, -2),
        (1, b"a", 1, 1, MAX_HEIGHT + 1),
    ):
        raises(LimitExceeded, PaymentRequest, *arguments)
