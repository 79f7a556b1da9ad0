"""`lightclient headers check` and `headers info`: the contract of their output, on real headers and on broken ones."""

import csv
import json
import struct
from pathlib import Path

import pytest
from command_line import MAINNET_EARLY, MAINNET_LATE, complaint, one_complaint, run
from support import data_path

from lightclient.hashes import hash256, hash_to_hex
from lightclient.headers.checkpoint import encode_checkpoint
from lightclient.headers.rules import HeaderRules
from lightclient.limits import EPOCH
from lightclient.params import MAINNET, NETWORKS, TESTNET3, TESTNET4

FIELDS = ["network", "first_height", "tip_height", "tip_hash", "headers", "chainwork", "unverified", "seconds"]
ANCHOR = {"link": 1, "bits": 1, "median_time_past": 11}
# file, network, first height, what its anchor leaves unverified
FILES = [
    ("mainnet_000000_010236", "mainnet", 0, {}),
    ("mainnet_300000_300499", "mainnet", 300000, {**ANCHOR, "retarget": 1}),
    ("mainnet_822528_830592", "mainnet", 822528, ANCHOR),
    ("mainnet_stale_823226", "mainnet", 823226, {**ANCHOR, "median_time_past": 1}),
    ("regtest_000000_000100", "regtest", 0, {}),
    ("signet_000000_002015", "signet", 0, {}),
    ("testnet3_000000_009999", "testnet3", 0, {}),
    ("testnet4_000000_000100", "testnet4", 0, {}),
]


def check(path, network, *options, code=0):
    result = run("headers", "check", path, "--network", network, "--json", *options, code=code)
    assert result.stdout.count("\n") == 1
    return json.loads(result.stdout)


def refused(path, network, *options, code=1):
    """The JSON of a refusal; its one line on stderr says the same."""
    result = run("headers", "check", path, "--network", network, "--json", *options, code=code)
    error = json.loads(result.stdout)
    assert list(error) == ["error", "height", "detail"]
    height = "" if error["height"] is None else f" at height {error['height']}"
    assert one_complaint(result.stderr).endswith(f": {error['error']}{height}: {error['detail']}")
    return error


def headers_of(name):
    return bytearray(Path(data_path(name)).read_bytes())


@pytest.mark.parametrize(("name", "network", "first", "unverified"), FILES, ids=[file[0] for file in FILES])
def test_every_header_file(name, network, first, unverified):
    path = data_path(f"headers/{name}.bin")
    headers = Path(path).read_bytes()
    result = check(path, network, "--start-height", first)
    assert [key for key in result if key != "chainwork_of_run"] == FIELDS
    assert result["network"] == network
    assert result["first_height"] == first
    assert result["headers"] == len(headers) // 80
    assert result["tip_height"] == first + len(headers) // 80 - 1
    assert result["tip_hash"] == hash_to_hex(hash256(headers[-80:]))
    assert len(result["chainwork"]) == 64
    assert result.get("chainwork_of_run") is (True if first else None)
    assert result["unverified"] == unverified
    assert 0 < result["seconds"] < 30

    text = run("headers", "check", path, "--network", network, "--start-height", first).stdout
    assert text.startswith("good ") and result["tip_hash"] in text and result["chainwork"] in text
    assert ("of these headers alone" in text) is bool(first)
    assert all(f"{rule} {count}" in text for rule, count in unverified.items())

    info = run("headers", "info", path, "--network", network, "--start-height", first).stdout
    assert f"heights {first:,} to {result['tip_height']:,}\n" in info
    assert result["tip_hash"] in info
    bits = {headers[i : i + 4] for i in range(72, len(headers), 80)}
    assert f"bits        {len(bits)} different; of the last {headers[-5:-9:-1].hex()}\n" in info


def test_a_fork_from_genesis():
    path = data_path("headers/testnet3_fork_000001_000002.bin")
    assert check(path, "testnet3", "--start-height", 1)["tip_height"] == 2


def test_chainwork_of_the_epochs(tmp_path):
    """checkpoints/mainnet_epochs.csv counts from genesis."""
    with open(data_path("checkpoints/mainnet_epochs.csv")) as file:
        epochs = list(csv.DictReader(file))
    early = headers_of(MAINNET_EARLY)
    path = tmp_path / "headers"
    for epoch in range(len(early) // 80 // EPOCH):
        path.write_bytes(early[: (epoch + 1) * EPOCH * 80])
        assert check(path, "mainnet")["chainwork"] == epochs[epoch]["chainwork_at_last"]
    of_run = int(check(data_path(MAINNET_LATE), "mainnet", "--start-height", 822528)["chainwork"], 16)
    assert of_run == int(epochs[412]["chainwork_at_first"], 16) - int(epochs[407]["chainwork_at_last"], 16)


def test_info_of_mainnet():
    text = run("headers", "info", data_path(MAINNET_LATE), "--network", "mainnet", "--start-height", 822528).stdout
    assert "headers     8,065, heights 822,528 to 830,592\n" in text
    assert "epochs      408 to 412\n" in text
    assert "of the last 1703" in text and "2024-02-15" in text and "UTC" in text
    assert "difficulty  81,725,299,822,043.22 at the last" in text  # as Core shows it for that epoch
    assert max(len(line) for line in text.splitlines()) <= 110
    text = run("headers", "info", data_path("headers/regtest_000000_000100.bin"), "--network", "regtest").stdout
    assert "difficulty  4.657e-10 at the last\n" in text


# --- starting from a checkpoint ---


def checkpoint_at(tmp_path, count, network=MAINNET, headers=None):
    rules = HeaderRules(network)
    headers = headers or headers_of(MAINNET_EARLY)
    rules.begin_at_genesis(headers, 0)
    rules.extend(headers, 80, count - 1, 0)
    path = tmp_path / f"{count}.checkpoint"
    path.write_bytes(encode_checkpoint(network, rules.state))
    return path


@pytest.mark.parametrize("count", [1, 5, 12, 2016, 3000, 10236])
def test_from_a_checkpoint(tmp_path, count):
    whole = check(data_path(MAINNET_EARLY), "mainnet")
    checkpoint = checkpoint_at(tmp_path, count)
    rest = tmp_path / "rest"
    for first in (count - 1, count):  # with the checkpoint's own header, or from the next one on
        rest.write_bytes(headers_of(MAINNET_EARLY)[first * 80 :])
        result = check(rest, "mainnet", "--checkpoint", checkpoint, "--start-height", first)
        assert result["first_height"] == first
        assert result["headers"] == 10237 - first
        assert {**result, "first_height": 0, "headers": 10237, "seconds": 0} == {**whole, "seconds": 0}
    result = check(rest, "mainnet", "--checkpoint", checkpoint)
    assert (result["first_height"], result["tip_hash"]) == (count, whole["tip_hash"])
    # a whole file: what lies below the checkpoint is skipped
    for options in ([], ["--start-height", 0]):
        result = check(data_path(MAINNET_EARLY), "mainnet", "--checkpoint", checkpoint, *options)
        assert (result["first_height"], result["headers"]) == (count - 1, 10238 - count)
        assert (result["tip_hash"], result["chainwork"]) == (whole["tip_hash"], whole["chainwork"])


def test_a_checkpoint_that_does_not_fit(tmp_path):
    rest = tmp_path / "rest"
    rest.write_bytes(headers_of(MAINNET_EARLY)[101 * 80 :])
    checkpoint = checkpoint_at(tmp_path, 100)
    for first in (99, 100):  # another header stands there
        error = refused(rest, "mainnet", "--checkpoint", checkpoint, "--start-height", first)
        assert (error["error"], error["height"]) == ("CheckpointMismatch", first)
    for first in (0, 98):
        error = refused(rest, "mainnet", "--checkpoint", checkpoint, "--start-height", first)
        assert (error["error"], error["height"]) == ("CheckpointMismatch", 99)
    checking = ("headers", "check", rest, "--network=mainnet", "--checkpoint", checkpoint)
    assert "the checkpoint stands at 99" in complaint(*checking, "--start-height=101", code=2)
    rest.write_bytes(headers_of(MAINNET_EARLY)[: 99 * 80])
    assert "holds heights 0 to 98, the checkpoint stands at 99" in complaint(*checking, code=2)
    rest.write_bytes(headers_of(MAINNET_EARLY)[101 * 80 :])
    assert refused(rest, "testnet3", "--checkpoint", checkpoint)["error"] == "WrongNetwork"
    data = checkpoint.read_bytes()
    tip_hash = hash256(headers_of(MAINNET_EARLY)[99 * 80 : 100 * 80])
    for name, changed in (
        ("TruncatedInput", data[:-1]),
        ("TrailingData", data + b"\x00"),
        ("BadProofOfWork", data.replace(tip_hash, b"\x55" * 32)),
    ):
        checkpoint.write_bytes(changed)
        code = 1 if name == "BadProofOfWork" else 2
        assert refused(rest, "mainnet", "--checkpoint", checkpoint, code=code)["error"] == name
    for junk in (b"hello", b"", b"\x00" * 300, data + bytes(1322)):
        checkpoint.write_bytes(junk)
        said = run("headers", "check", rest, "--network", "mainnet", "--checkpoint", checkpoint, code=2)
        assert str(checkpoint) in one_complaint(said.stderr)


# --- refused ---


def changed(tmp_path, name, height, offset, value):
    headers = headers_of(name)
    headers[height * 80 + offset : height * 80 + offset + len(value)] = value
    path = tmp_path / "changed"
    path.write_bytes(headers)
    return path


def test_wrong_network(tmp_path):
    for name, network in (
        ("mainnet", "testnet3"),
        ("mainnet", "regtest"),
        ("regtest", "mainnet"),
        ("signet", "testnet4"),
    ):
        path = tmp_path / name
        path.write_bytes(NETWORKS[name].genesis_header)
        error = refused(path, network)
        assert (error["error"], error["height"]) == ("BadGenesis", 0)
    # an anchor of another network is seen by its bits or by its work
    error = refused(data_path("headers/regtest_000000_000100.bin"), "mainnet", "--start-height", 5)
    assert (error["error"], error["height"]) == ("MalformedBits", 5)
    error = refused(data_path(MAINNET_LATE), "mainnet")
    assert (error["error"], error["height"]) == ("BadGenesis", 0)


@pytest.mark.parametrize("height", [1, 11, 2016, 2017, 4031, 10236])
def test_each_rule_at_its_place(tmp_path, height):
    for error, offset, value in (
        ("BadLink", 4, b"\x55"),
        ("BadProofOfWork", 36, b"\x55\x55"),
        ("BadProofOfWork", 76, b"\x55\x55"),
        ("MalformedBits", 72, struct.pack("<I", 0x1D80FFFF)),  # a sign
        ("MalformedBits", 72, struct.pack("<I", 0x2300FFFF)),  # an overflow
        ("MalformedBits", 72, struct.pack("<I", 0x1D010000)),  # above the limit
        ("MalformedBits", 72, bytes(4)),
    ):
        said = refused(changed(tmp_path, MAINNET_EARLY, height, offset, value), "mainnet")
        assert (said["error"], said["height"]) == (error, height)


def test_headers_out_of_order(tmp_path):
    headers = headers_of(MAINNET_LATE)
    path = tmp_path / "swapped"
    for at in (1, 100, 2015, 2016, 8063):
        swapped = headers[: at * 80] + headers[(at + 1) * 80 : (at + 2) * 80] + headers[at * 80 : (at + 1) * 80]
        path.write_bytes(swapped + headers[(at + 2) * 80 :])
        said = refused(path, "mainnet", "--start-height", 822528)
        assert (said["error"], said["height"]) == ("BadLink", 822528 + at)
    path.write_bytes(headers[:800] + headers[880:])  # one left out
    assert refused(path, "mainnet", "--start-height", 822528)["height"] == 822538
    path.write_bytes(headers[:800] + headers[720:])  # one twice
    assert refused(path, "mainnet", "--start-height", 822528)["error"] == "BadLink"


def test_a_wrong_start_height():
    """An epoch's first block is expected elsewhere: the real change of bits is a broken rule then."""
    said = refused(data_path(MAINNET_LATE), "mainnet", "--start-height", 822529)
    assert (said["error"], said["height"]) == ("WrongBits", 822529 + 2016)
    said = refused(data_path(MAINNET_EARLY), "testnet3", "--start-height", 600000)
    assert said["error"] == "BadVersion"


@pytest.mark.parametrize("network", [TESTNET3, TESTNET4])
def test_the_genesis_header_twice(tmp_path, network):
    path = tmp_path / "headers"
    path.write_bytes(network.genesis_header * 2)
    said = refused(path, network.name)
    assert (said["error"], said["height"]) == ("BadLink", 1)


# --- unusable ---


def test_no_multiple_of_80(tmp_path):
    path = tmp_path / "headers"
    for size in (1, 79, 81, 159, 161_281):
        path.write_bytes(headers_of(MAINNET_EARLY)[:size])
        for command in ("check", "info"):
            said = complaint("headers", command, path, "--network", "mainnet", code=2)
            assert said.startswith(f"{path}: TruncatedInput: {size} bytes")
    said = run("headers", "check", path, "--network", "mainnet", "--json", code=2)
    assert json.loads(said.stdout) == {"error": "Unusable", "height": None, "detail": one_complaint(said.stderr)}
    path.write_bytes(b"")
    for command in ("check", "info"):
        assert "empty" in complaint("headers", command, path, "--network", "mainnet", code=2)


def test_text_of_the_right_length(tmp_path):
    path = tmp_path / "text"
    path.write_text("The Times 03/Jan/2009 Chancellor on brink of second bailout for banks...........")
    assert path.stat().st_size == 80
    assert refused(path, "mainnet")["error"] == "BadGenesis"
    assert refused(path, "mainnet", "--start-height", 1)["error"] == "MalformedBits"
    assert "MalformedBits at height 0" in complaint("headers", "info", path, "--network", "mainnet", code=1)


def test_arguments(tmp_path):
    path = data_path("headers/regtest_000000_000100.bin")
    assert "mainnet, testnet3, testnet4, signet, regtest" in complaint(
        "headers", "check", path, "--network=main", code=2
    )
    for options in (
        [],
        ["--network"],
        ["--network=regtest", "--start-height=-1"],
        ["--network=regtest", "--start-height=1073741824"],
        ["--network=regtest", "--start-height=x"],
        ["--network=regtest", "--start-height=1.5"],
        ["--network=regtest", "--what"],
    ):
        for command in ("check", "info"):
            result = run("headers", command, path, *options, code=2)
            assert result.stdout == "" and "Error: " in result.stderr
    said = complaint("headers", "check", path, "--network=regtest", "--start-height=1073741823", code=2)
    assert "LimitExceeded" in said
    assert "No such file" in complaint("headers", "check", tmp_path / "nowhere", "--network=regtest", code=2)
    assert "directory" in complaint("headers", "check", tmp_path, "--network=regtest", code=2)
