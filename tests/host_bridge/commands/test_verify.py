"""`lightclient verify` on the real proofs of the shared data."""

import json
from pathlib import Path

import pytest
from command_line import MAINNET_LATE, complaint, early, late, put, run, verdicts
from known_blocks import BLOCK_170_TXIDS_HEX
from proof_cases import expected_error, proof_170, proof_100000
from support import cases, data_path

from host_bridge.payments.address import address_of
from host_bridge.payments.raw_block import list_outputs, parse_block
from lightclient.hashes import hash_to_hex
from lightclient.params import MAINNET

VALID = "proofs/proofs_valid_from_blocks.json"
FIELDS = [
    "n",
    "result",
    "error",
    "detail",
    "txid",
    "height",
    "confirmations",
    "anchored",
    "output_index",
    "amount_sats",
]
TXID = "2bc71c20dfffddd8ceff89f7ab53650dd60e67cb9c6d06811167f4e7047f6fc9"  # in block 830,000, six outputs and more


def write_json(path, value):
    path.write_text(json.dumps(value))
    return path


# --- the shared proofs ---


def test_every_valid_proof_unanchored():
    lines = verdicts(data_path(VALID), "--unanchored")
    assert len(lines) == 112
    for case, line in zip(cases(VALID), lines, strict=True):
        assert list(line) == FIELDS
        assert (line["result"], line["error"], line["detail"]) == ("valid", None, "")
        assert (line["txid"], line["height"]) == (case["txid"], case["height"])
        assert (line["confirmations"], line["anchored"]) == (None, False)
    text = run("verify", data_path(VALID), "--unanchored")
    assert text.stderr == "" and len(text.stdout.splitlines()) == 112
    assert f"{data_path(VALID)}[0]: valid: {lines[0]['txid']} in block 0, not anchored in a chain\n" in text.stdout


@pytest.mark.parametrize("anchor", [early, late])
def test_every_valid_proof_anchored(anchor):
    """Those of other networks or outside the headers given are refused."""
    tip = 830592 if anchor is late else 10236
    first = 822528 if anchor is late else 0
    found = 0
    for case, line in zip(cases(VALID), verdicts(data_path(VALID), *anchor(), code=1), strict=True):
        assert list(line) == FIELDS
        assert (line["txid"], line["height"]) == (case["txid"], case["height"])
        if case["network"] != "mainnet":
            assert (line["result"], line["error"]) == ("refused", "WrongNetwork")
        elif first <= case["height"] <= tip:
            assert (line["result"], line["error"], line["anchored"]) == ("valid", None, True)
            assert line["confirmations"] == tip - case["height"] + 1
            found += 1
        else:
            assert (line["result"], line["error"], line["anchored"]) == ("refused", "HeaderNotInChain", False)
            assert line["confirmations"] is None
    assert found == (5 if anchor is late else 2)


@pytest.mark.parametrize("name", ["proofs/proofs_invalid_mutated.json", "proofs/proofs_adversarial.json"])
def test_every_bad_proof(name):
    lines = verdicts(data_path(name), "--unanchored", code=1)
    for case, line in zip(cases(name), lines, strict=True):
        assert line["result"] == "refused" and line["detail"]
        assert line["error"] == expected_error(case, False).__name__
    text = run("verify", data_path(name), "--unanchored", code=1)
    assert text.stdout == "" and "Traceback" not in text.stderr
    said = text.stderr.splitlines()
    assert len(said) == len(lines)
    for i, line in enumerate(lines):
        assert said[i].startswith(f"lightclient: {data_path(name)}[{i}]: refused: {line['error']} at height ")


def test_json_forms(tmp_path):
    one = next(case for case in cases(VALID) if case["txid"] == TXID)
    proof = tmp_path / "proof.json"
    assert verdicts(write_json(proof, one), *late())[0]["result"] == "valid"
    assert verdicts(write_json(proof, [one, one]), *late())[1]["result"] == "valid"
    proof.write_bytes(b"\xef\xbb\xbf\r\n" + json.dumps(one, indent=2).encode())
    assert verdicts(proof, *late())[0]["result"] == "valid"
    del one["coinbase_tx_hex"]
    line = verdicts(write_json(proof, one), *late(), code=1)[0]
    assert (line["error"], line["txid"], line["height"]) == ("MissingCoinbaseProof", TXID, 830000)
    # a claimed txid is repeated only if it can be one
    for txid, height in (("x" * 64, 1 << 40), (TXID[2:], True), (["x"], 1.5), ("\ud800" * 64, "7"), (None, -1)):
        line = verdicts(write_json(proof, {**one, "txid": txid, "height": height}), *late(), code=None)[0]
        assert (line["txid"], line["height"]) == (None, None)


def test_several_files(tmp_path):
    good = put(tmp_path / "good.lcproof", proof_170())
    refused = put(tmp_path / "refused.lcproof", proof_100000(1))
    junk = put(tmp_path / "junk", b"junk")
    absent = tmp_path / "absent"
    assert [line["result"] for line in verdicts(good, good, *early())] == ["valid", "valid"]
    assert [line["result"] for line in verdicts(good, refused, *early(), code=1)] == ["valid", "refused"]
    lines = verdicts(refused, junk, good, absent, *early(), code=2)
    assert [line["result"] for line in lines] == ["refused", "unreadable", "valid", "unreadable"]
    assert lines[3]["detail"] == f"{absent}: No such file or directory"
    for line in (lines[1], lines[3]):
        assert (line["error"], line["txid"], line["height"]) == ("UnreadableProof", None, None)
    text = run("verify", refused, junk, good, absent, *early(), code=2)
    assert text.stdout == f"{good}: valid: {BLOCK_170_TXIDS_HEX[1]} in block 170, 10,067 confirmations\n"
    said = text.stderr.splitlines()
    assert said[0].startswith(f"lightclient: {refused}: refused: HeaderNotInChain at height 100000: ")
    assert said[1].startswith(f"lightclient: {junk}: unreadable: neither a payment proof (.lcproof) nor good JSON: ")
    assert said[2] == f"lightclient: {absent}: unreadable: No such file or directory"


# --- what is asked for ---


@pytest.fixture(scope="module")
def paid(tmp_path_factory):
    path = tmp_path_factory.mktemp("paid") / "paid.lcproof"
    run("prove", TXID, "--block", data_path("blocks/mainnet_830000.blk"), "-o", path)
    return path


@pytest.mark.parametrize(
    ("address", "sats"),
    [
        ("bc1qjvw3avpxxjmfzwc8nysq5dmuedxcz32a350gesccpufnm27myq8qpr4ngm", 191261),
        ("36TPS3RChaWJdWedV1ADCeG57NpSH2UEiV", 310800),
        ("bc1qmtyef5ag3md2wj4zu3r970y6n9h497yr50qv4a", 4152142),
        ("BC1QMTYEF5AG3MD2WJ4ZU3R970Y6N9H497YR50QV4A", 4152142),
        ("0014dac994d3a88edaa74aa2e4465f3c9a996f52f883", 4152142),
        ("0014DAC994D3A88EDAA74AA2E4465F3C9A996F52F883", 4152142),
    ],
)
def test_pay_to(paid, address, sats):
    line = verdicts(paid, *late(), "--pay-to", address, "--min-sats", sats, "--min-confirmations", 593)[0]
    assert line["detail"].startswith("output ") and line["detail"].endswith(f" pays {sats:,} sat")
    assert (line["confirmations"], line["anchored"], line["txid"]) == (593, True, TXID)
    assert f"593 confirmations, {line['detail']}" in run("verify", paid, *late(), "--pay-to", address).stdout
    line = verdicts(paid, *late(), "--pay-to", address, "--min-sats", sats + 1, code=1)[0]
    assert (line["result"], line["error"], line["txid"], line["height"]) == ("refused", "AmountTooLow", TXID, 830000)
    assert (line["confirmations"], line["amount_sats"]) == (593, sats)
    assert verdicts(paid, *late(), "--min-confirmations", 594, code=1)[0]["error"] == "NotEnoughConfirmations"
    assert "AmountTooLow at height 830000: " in complaint(
        "verify", paid, "--unanchored", "--pay-to", address, "--min-sats", 2_100_000_000_000_000, code=1
    )


def test_every_kind_of_output_of_a_block(tmp_path):
    """P2PKH, P2SH, P2WPKH, P2WSH, P2TR as they stand in block 830,000; each address finds its output."""
    raw = Path(data_path("blocks/mainnet_830000.blk")).read_bytes()
    kinds = {25: "1", 23: "3", 22: "bc1q", 34: "bc1"}
    wanted = {"1", "3", "bc1q", "bc1p", "P2WSH"}
    for start, end, txid in parse_block(raw):
        outputs = [output for output in list_outputs(raw[start:end]) if len(output.script_pubkey) in kinds]
        for output in outputs:
            address = address_of(output.script_pubkey, MAINNET)
            kind = "P2WSH" if len(address) == 62 and address[3] == "q" else address[: 4 if address[0] == "b" else 1]
            if kind not in wanted:
                continue
            wanted.remove(kind)
            proof = tmp_path / kind
            run("prove", hash_to_hex(txid), "--block", data_path("blocks/mainnet_830000.blk"), "-o", proof)
            options = ("--pay-to", address, "--min-sats", output.amount)
            assert verdicts(proof, "--unanchored", *options)[0]["result"] == "valid"
            assert verdicts(proof, "--unanchored", "--pay-to", output.script_pubkey.hex())[0]["result"] == "valid"
        if not wanted:
            return
    raise AssertionError(f"not in the block: {wanted}")


def test_pay_to_something_else(paid):
    other = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"
    assert verdicts(paid, *late(), "--pay-to", other, code=1)[0]["error"] == "NotThePayment"
    for bad, said in (
        ("tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx", "another network than mainnet"),
        ("mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn", "another network than mainnet"),
        ("bc1qmtyef5ag3md2wj4zu3r970y6n9h497yr50qv4b", "neither an address of mainnet nor a script in hex"),
        ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb", "neither"),
        ("", "0 bytes"),
        ("6a" * 521, "521 bytes"),
        ("\x1b[2J\ud800é", "neither"),
    ):
        text = complaint("verify", paid, *late(), "--pay-to", bad, code=2)
        assert text.startswith("--pay-to: ") and said in text and text.isprintable()
    # without a network of its own, an address of any network is one, and proofs of others are refused
    line = verdicts(paid, "--unanchored", "--pay-to", "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx", code=1)[0]
    assert (line["result"], line["error"]) == ("refused", "WrongNetwork")
    assert "neither" in complaint("verify", paid, "--unanchored", "--pay-to", "nonsense", code=2)


def test_network(paid):
    assert verdicts(paid, "--unanchored", "--network", "mainnet")[0]["result"] == "valid"
    line = verdicts(paid, "--unanchored", "--network", "signet", code=1)[0]
    assert (line["result"], line["error"]) == ("refused", "WrongNetwork")
    assert "there are mainnet" in complaint("verify", paid, "--unanchored", "--network", "main", code=2)


def test_arguments_of_verify(paid, tmp_path):
    assert "--unanchored" in complaint("verify", paid, code=2)
    assert "exclude" in complaint("verify", paid, *late(), "--unanchored", code=2)
    for options in (["--min-confirmations", 2], ["--start-height", 5]):
        assert "needs --headers" in complaint("verify", paid, "--unanchored", *options, code=2)
    assert "--pay-to" in complaint("verify", paid, "--unanchored", "--min-sats", 5, code=2)
    for options in ([], [paid, "--min-sats=-1"], [paid, "--min-sats=2100000000000001"], [paid, "--min-sats=1e3"]):
        assert "Error: " in run("verify", "--unanchored", "--pay-to=6a", *options, code=2).stderr
    for number in (0, -1, 1 << 30, "x"):
        assert "Error: " in run("verify", paid, *late(), f"--min-confirmations={number}", code=2).stderr


def test_headers_that_break_a_rule(paid, tmp_path):
    headers = bytearray(Path(data_path(MAINNET_LATE)).read_bytes())
    headers[80 * 7500 + 40] ^= 1
    path = put(tmp_path / "headers", headers)
    options = ("--start-height", 822528, "--headers")
    said = json.loads(run("verify", paid, *options, path, "--json", code=1).stdout)
    assert (said["error"], said["height"]) == ("BadProofOfWork", 830028)
    assert complaint("verify", paid, *options, path, code=1).startswith(f"{path}: BadProofOfWork at height 830028: ")
    assert "multiple of 80" in complaint("verify", paid, *options, put(path, headers[:-1]), code=2)
    assert "BadGenesis at height 0" in complaint("verify", paid, "--headers", data_path(MAINNET_LATE), code=1)
    # a fork: the block at that height is another
    assert (
        verdicts(paid, "--headers", data_path("headers/mainnet_stale_823226.bin"), "--start-height", 830000, code=1)[0][
            "error"
        ]
        == "HeaderNotInChain"
    )
