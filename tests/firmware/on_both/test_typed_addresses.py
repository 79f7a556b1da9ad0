"""An address that somebody has typed into settings.json where a script belongs is told in one line, with a way out."""

from support import raises

from firmware.settings import check_settings

ADDRESSES = (
    "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
    "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
    "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t",  # an odd number of letters
)
ROOM = 5 * 21  # letters on the display


def test_in_requests():
    for address in ADDRESSES:
        request = {"request_id": 1, "script_pubkey": address, "min_amount": 1, "min_confirmations": 1}
        text = str(raises(ValueError, check_settings, {"requests": [request]}))
        assert address[:8] in text and "validateaddress" in text and len(text) <= ROOM and "\n" not in text


def test_in_a_till():
    for address in ADDRESSES:
        till = {"items": [{"name": "Coffee", "amount": 1}], "addresses": [address]}
        text = str(raises(ValueError, check_settings, {"till": till}))
        assert address[:8] in text and "lightclient device till" in text and len(text) <= ROOM and "\n" not in text
