"""Broken proofs: one line that names the rule and the place; refused or unreadable as docs/COMMANDS.md says."""

import json
from pathlib import Path

import pytest
from command_line import MAINNET_EARLY, complaint, put, run, verdicts
from proof_cases import proof_170
from support import cases, data_path

from lightclient import errors


def test_every_cut_of_a_container(tmp_path):
    proof = proof_170()
    path = tmp_path / "proof"
    for size in [*range(1, 160), *range(160, len(proof), 13), len(proof) - 1]:
        said = complaint("verify", put(path, proof[:size]), "--unanchored", code=1)
        assert said.startswith(f"{path}: refused: TruncatedInput"), (size, said)
        assert "byte" in said or "CBOR: " in said, said


@pytest.mark.parametrize("change", ["flipped", "missing", "added"])
def test_every_byte_of_a_container(tmp_path, change):
    proof = proof_170()
    path = tmp_path / "proof"
    chain = put(tmp_path / "headers", Path(data_path(MAINNET_EARLY)).read_bytes()[: 171 * 80])
    for at in [*range(160), *range(160, len(proof), 11)]:
        bad = {
            "flipped": proof[:at] + bytes([proof[at] ^ (1 << at % 8)]) + proof[at + 1 :],
            "missing": proof[:at] + proof[at + 1 :],
            "added": proof[:at] + b"\x5a" + proof[at:],
        }[change]
        container = 0xA0 <= bad[0] <= 0xBF
        line = verdicts(put(path, bad), "--headers", chain, code=1 if container else 2)[0]
        assert line["result"] == ("refused" if container else "unreadable")
        if container:  # a leaf of the error tree
            assert getattr(errors, line["error"]).__subclasses__() == []
        assert line["detail"] and "\n" not in line["detail"]
    assert verdicts(put(path, proof + b"\x00"), "--unanchored", code=1)[0]["error"] == "TrailingData"


def test_every_first_byte(tmp_path):
    """Major type 5 is a map, and a container; all else is JSON or nothing."""
    path = tmp_path / "proof"
    for first in range(256):
        is_map = first >> 5 == 5
        line = verdicts(put(path, bytes([first]) + proof_170()[1:]), "--unanchored", code=None)[0]
        if first == proof_170()[0]:
            assert line["result"] == "valid"
        else:
            assert line["result"] == ("refused" if is_map else "unreadable")


def one():
    return next(case for case in cases("proofs/proofs_valid_from_blocks.json") if case["height"] == 170)


def changed(**fields):
    return json.dumps({**one(), **fields}).encode()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"[]", "no proofs"),
        (b"[" * 100_000, "recursion"),
        (b'{"a":' * 100_000, "recursion"),
        (b'[{"network": "mainnet", "height": NaN}]', "NaN is no JSON number"),
        (b"-Infinity", "-Infinity is no JSON number"),
        (b'[{"network": "mainnet\xff"}]', "utf-8"),
        (b'{"network": "mainnet", "network": "mainnet"}', "twice"),
        (b'{"network": "mainnet"', "line 1 column"),
        (b"[{}, {}] x", "Extra data: line 1 column 10"),
        (b"{}\n{}", "Extra data: line 2"),
        (b'{"height": ' + b"9" * 5000 + b"}", "4300 digits"),
        (b"\x00" * 100, "neither"),
        (b"\xff\xfe", "neither"),
    ],
    ids=range(13),
)
def test_no_json(tmp_path, text, said):
    """The file as a whole is unreadable: one verdict."""
    path = put(tmp_path / "proof.json", text)
    (line,) = verdicts(path, "--unanchored", code=2)
    assert (line["result"], line["error"]) == ("unreadable", "UnreadableProof")
    assert line["detail"].startswith(f"{path}: ") and said in line["detail"]
    assert said in complaint("verify", path, "--unanchored", code=2)


@pytest.mark.parametrize("value", ["null", "5", '"text"', "true", "[]", "{}", "1e400", '{"": {}}'])
def test_json_that_is_no_proof(tmp_path, value):
    line = verdicts(put(tmp_path / "one", value.encode()), "--unanchored", code=2)[0]
    assert line["result"] == "unreadable"
    assert verdicts(put(tmp_path / "two", f"[{value}]".encode()), "--unanchored", code=2)[0]["result"] == "unreadable"


def test_fields_of_the_wrong_type(tmp_path):
    path = tmp_path / "proof.json"
    assert verdicts(put(path, changed()), "--unanchored")[0]["result"] == "valid"
    for key in ("network", "height", "block_header_hex", "tx_hex", "index", "merkle_branch"):
        case = one()
        del case[key]
        line = verdicts(put(path, json.dumps(case).encode()), "--unanchored", code=2)[0]
        assert (line["result"], line["detail"]) == ("unreadable", f"{key} is missing")
        for wrong in (None, True, 1.5, -1, {}, [5], 1e400):
            text = changed(**{key: wrong}).replace(b"Infinity", b"1e400")
            line = verdicts(put(path, text), "--unanchored", code=2)[0]
            assert line["result"] == "unreadable" and line["detail"].startswith(f"{key}: ")
    for key in ("txid", "block_hash", "coinbase_txid", "coinbase_tx_hex", "coinbase_merkle_branch"):
        for wrong in (False, 0, "", {}, "zz"):
            if (key, wrong) == ("coinbase_tx_hex", ""):
                continue  # good hex of no transaction: refused
            line = verdicts(put(path, changed(**{key: wrong})), "--unanchored", code=2)[0]
            assert line["result"] == "unreadable" and line["detail"].startswith(f"{key}: ")
    for fields, error in (
        ({"height": 1 << 200}, "LimitExceeded"),
        ({"index": 1 << 200}, "IndexOutOfRange"),
        ({"network": "main\x1b[2J\nnet"}, "WrongNetwork"),
        ({"coinbase_tx_hex": ""}, "TruncatedInput"),
        ({"tx_hex": one()["tx_hex"][:-2]}, "TruncatedInput"),
        ({"tx_hex": one()["tx_hex"] + "00"}, "TrailingData"),
        ({"coinbase_merkle_branch": ["00" * 32] * 2}, "DepthMismatch"),
    ):
        said = complaint("verify", put(path, changed(**fields)), "--unanchored", code=1)
        assert said.startswith(f"{path}: refused: {error}") and said.isprintable()


def test_one_bad_proof_does_not_hide_the_others(tmp_path):
    path = put(tmp_path / "proofs.json", json.dumps([one(), 5, {**one(), "index": 0}, one()]).encode())
    results = [line["result"] for line in verdicts(path, "--unanchored", code=2)]
    assert results == ["valid", "unreadable", "refused", "valid"]
    said = run("verify", path, "--unanchored", code=2)
    assert [line.split(": ")[:2] for line in said.stdout.splitlines()] == [
        [f"{path}[0]", "valid"],
        [f"{path}[3]", "valid"],
    ]
    assert [line.split(": ")[:3] for line in said.stderr.splitlines()] == [
        ["lightclient", f"{path}[1]", "unreadable"],
        ["lightclient", f"{path}[2]", "refused"],
    ]
