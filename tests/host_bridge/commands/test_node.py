"""`--node URL`: headers sync, prove and checkpoint make against a real node."""

import json
import os
import signal
import subprocess
import time

import pytest
from command_line import PROCESS, ROOT, complaint, put, run
from node_calls import core_url, new_script
from regtest_node import RegtestNode
from support import data_path

from host_bridge.payments.proofs import verify
from lightclient.hashes import hash256, hash_to_hex
from lightclient.limits import HEADER_SIZE
from lightclient.params import REGTEST


def sync(node, path):
    return json.loads(run("headers", "sync", "--node", core_url(node), "-o", path, "--json").stdout)


def header_hash(path, height):
    data = path.read_bytes()
    return hash_to_hex(hash256(data[height * HEADER_SIZE : (height + 1) * HEADER_SIZE]))


def checked(path):
    return json.loads(run("headers", "check", path, "--network=regtest", "--json").stdout)


@pytest.fixture
def own_node():
    with RegtestNode() as node:
        node.mine(30)
        yield node


# --- headers sync ---


def test_sync_from_nothing_and_then_what_is_new(own_node, tmp_path):
    path = tmp_path / "regtest.bin"
    first = sync(own_node, path)
    assert (first["network"], first["headers"], first["added"], first["removed"]) == ("regtest", 31, 31, 0)
    assert first["tip_hash"] == own_node.rpc("getbestblockhash") == header_hash(path, 30)
    of_file = checked(path)
    assert {name: first[name] for name in of_file if name != "seconds"} == {
        name: value for name, value in of_file.items() if name != "seconds"
    }
    before = path.stat().st_mtime_ns
    assert sync(own_node, path)["added"] == 0 and path.stat().st_mtime_ns == before
    own_node.mine(5)
    text = run("headers", "sync", "--node", core_url(own_node), "-o", path).stdout
    assert "36 headers of regtest, 5 new" in text and own_node.rpc("getbestblockhash") in text
    assert list(tmp_path.iterdir()) == [path]


def test_sync_follows_a_reorg_to_more_work_only(own_node, tmp_path):
    path = tmp_path / "regtest.bin"
    sync(own_node, path)
    before = path.read_bytes()
    own_node.rpc("invalidateblock", own_node.rpc("getblockhash", 28))
    own_node.mine(1, "bcrt1qqyqszqgpqyqszqgpqyqszqgpqyqszqgpvxat9t")
    error = json.loads(run("headers", "sync", "--node", core_url(own_node), "-o", path, "--json", code=1).stdout)
    assert error["error"] == "NotEnoughWork" and path.read_bytes() == before
    own_node.mine(2)
    assert sync(own_node, path)["added"] == 0 == sync(own_node, path)["removed"] == 0  # no less and no more: kept
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]
    own_node.mine(3)
    done = sync(own_node, path)
    assert (done["tip_height"], done["added"], done["removed"]) == (33, 6, 3)
    assert path.read_bytes()[: 28 * HEADER_SIZE] == before[: 28 * HEADER_SIZE]
    assert done["tip_hash"] == own_node.rpc("getbestblockhash") == checked(path)["tip_hash"]


def test_sync_goes_on_from_what_was_left(own_node, tmp_path):
    path, part = tmp_path / "regtest.bin", tmp_path / "regtest.bin.part"
    sync(own_node, path)
    whole = path.read_bytes()
    # cut off in the middle of a header; of a chain that has gone meanwhile; and what no header is
    stale = bytearray(whole)
    stale[20 * HEADER_SIZE + 70] ^= 1
    for left in (whole[: 25 * HEADER_SIZE + 33], bytes(stale), b"x" * 5, bytes(800), b""):
        path.unlink()
        put(part, left)
        assert sync(own_node, path)["headers"] == 31
        assert path.read_bytes() == whole and not part.exists()
    put(part, whole[: 10 * HEADER_SIZE])
    own_node.mine(1)
    assert sync(own_node, path)["added"] == 1 and len(path.read_bytes()) == 32 * HEADER_SIZE


def test_a_file_that_is_not_this_chain_is_not_touched(own_node, tmp_path):
    path = tmp_path / "regtest.bin"
    sync(own_node, path)
    whole = path.read_bytes()
    broken = bytearray(whole)
    broken[10 * HEADER_SIZE + 40] ^= 1
    for content, code, words in (
        (broken, 1, "at height 1"),
        (whole[:-1], 2, "TruncatedInput"),
        (b"", 2, "empty"),
        (open(data_path("headers/signet_000000_002015.bin"), "rb").read(), 1, "BadGenesis"),
    ):
        put(path, content)
        text = complaint("headers", "sync", "--node", core_url(own_node), "-o", path, code=code)
        assert words in text and path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


def test_an_archive_gives_its_headers_from_an_anchor_on(tmp_path):
    folder = os.path.dirname(data_path("headers/mainnet_822528_830592.bin"))
    path = tmp_path / "late.bin"
    url = f"archive:{folder}?network=mainnet"
    done = json.loads(run("headers", "sync", "--node", url, "-o", path, "--json").stdout)
    assert (done["first_height"], done["tip_height"], done["headers"]) == (822528, 830592, 8065)
    assert done["chainwork_of_run"] and done["unverified"]["link"] == 1
    with open(os.path.join(folder, "mainnet_822528_830592.bin"), "rb") as file:
        assert path.read_bytes() == file.read()
    assert json.loads(run("headers", "sync", "--node", url, "-o", path, "--json").stdout)["added"] == 0


def test_a_run_that_is_killed_leaves_no_half_header(tmp_path):
    with RegtestNode() as node:
        node.mine(2500)
        path = tmp_path / "regtest.bin"
        for patience in (0.4, 0.8, 1.2):
            process = subprocess.Popen(
                [*PROCESS, "headers", "sync", "--node", core_url(node), "-o", str(path)],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            time.sleep(patience)
            process.send_signal(signal.SIGKILL)
            process.wait()
            assert not path.exists() or len(path.read_bytes()) == 2501 * HEADER_SIZE
        assert sync(node, path)["headers"] == 2501 == checked(path)["headers"]
        assert list(tmp_path.iterdir()) == [path]


# --- what can be wrong with a node ---


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("core://127.0.0.1:1", "can't be reached"),
        ("core://user:secret@127.0.0.1:1", "can't be reached"),
        ("bitcoin.example.org", "--node: a node URL begins with one of"),
        ("archive:/no/such/folder", "No such file"),
    ],
)
def test_a_node_that_can_not_be_used(tmp_path, url, words):
    for command in (
        ["headers", "sync", "-o", tmp_path / "x.bin"],
        ["checkpoint", "make", "-o", tmp_path / "x.checkpoint"],
        ["prove", "11" * 32, "-o", tmp_path / "x.lcproof"],
    ):
        text = complaint(*command, "--node", url, code=2)
        assert words in text and "secret" not in text
        error = json.loads(run(*command, "--node", url, "--json", code=2).stdout)
        assert error["error"] in ("NodeUnreachable", "Unusable")
    assert not list(tmp_path.iterdir())


# --- checkpoint make ---


def test_a_checkpoint_from_a_node_is_that_from_its_headers(own_node, tmp_path):
    headers, ours, theirs = tmp_path / "regtest.bin", tmp_path / "ours", tmp_path / "theirs"
    sync(own_node, headers)
    for more in ([], ["--height=17"]):
        run("checkpoint", "make", "--node", core_url(own_node), "-o", ours, *more)
        run("checkpoint", "make", "--headers", headers, "--network=regtest", "-o", theirs, *more)
        assert ours.read_bytes() == theirs.read_bytes()
    run("checkpoint", "make", "--node", core_url(own_node), "--from", theirs, "-o", ours, "--height=25")
    run("checkpoint", "verify", ours, "--headers", headers)
    made = json.loads(
        run("checkpoint", "make", "--node", core_url(own_node), "--start-height=9", "-o", ours, "--json").stdout
    )
    assert (made["network"], made["height"], made["computed_from"], made["from_height"]) == ("regtest", 30, "anchor", 9)
    for more, words in (
        (["--height=31"], "31 is wanted"),
        (["--network=signet"], "is on regtest, not on signet"),
        (["--headers", headers], "either --headers or --node"),
        (["--start-height=31"], "no header at height 31"),
        (["--from", theirs, "--height=16"], "below"),
    ):
        command = ["checkpoint", "make", "--node", core_url(own_node), "-o", tmp_path / "no", *more]
        assert words in complaint(*command, code=2)
    assert not (tmp_path / "no").exists()


# --- prove ---


def test_prove_by_the_index_by_height_and_by_hash(regtest_node, tmp_path):
    address, script = new_script(regtest_node)
    txid = regtest_node.pay(address, 40_000)
    (block,) = regtest_node.mine()
    height = regtest_node.rpc("getblockcount")
    path = tmp_path / "paid.lcproof"
    url = core_url(regtest_node)
    for more in ([], [f"--height={height}"], ["--block", block], ["--network=regtest"]):
        done = json.loads(run("prove", txid, "--node", url, "-o", path, "--json", *more).stdout)
        assert (done["txid"], done["height"], done["block_hash"]) == (txid, height, block)
        assert verify(path.read_bytes(), REGTEST, script_pubkey=script).height == height
        path.unlink()
    for more, words in (
        (["--network=mainnet"], "is on regtest, not on mainnet"),
        ([f"--height={height + 50}"], "no block at height"),
        ([f"--height={height - 1}"], "is not in block"),
        (["--block", "22" * 32], "Block not found"),
        (["--block", "x"], "64 hex digits"),
        (["--block", block, "--height=1"], f"is at height {height}, not 1"),
        (["--tx", path], "--node excludes"),
        (["--for-size=9"], "not among 9 blocks"),
    ):
        assert words in complaint("prove", txid, "--node", url, "-o", path, *more, code=2)
    assert "has no transaction" in complaint("prove", "11" * 32, "--node", url, "-o", path, code=2)
    assert not path.exists()


def test_prove_with_a_path(regtest_node, tmp_path):
    address, _ = new_script(regtest_node)
    txid = regtest_node.pay(address, 40_000)
    regtest_node.mine(3)
    size = regtest_node.rpc("getblockcount") + 1
    ours, theirs, headers = tmp_path / "ours.lcproof", tmp_path / "theirs.lcproof", tmp_path / "regtest.bin"
    url = core_url(regtest_node)
    run("prove", txid, "--node", url, "-o", ours, "--for-size", size)
    sync(regtest_node, headers)
    run("prove", txid, "--node", url, "-o", theirs, "--for-size", size, "--headers", headers)
    assert ours.read_bytes() == theirs.read_bytes()
    run("checkpoint", "make", "--node", url, "-o", tmp_path / "checkpoint")
    text = run("verify", ours, "--checkpoint", tmp_path / "checkpoint", "--min-confirmations=3").stdout
    assert txid in text


def test_without_an_index_it_says_what_to_give(tmp_path):
    with RegtestNode("-txindex=0") as node:
        node.make_wallet()
        address, _ = new_script(node)
        txid = node.pay(address, 40_000)
        node.mine()
        path = tmp_path / "paid.lcproof"
        run("prove", txid, "--node", core_url(node), "-o", path)  # by its outputs, which are unspent
        node.rpc("sendall", ["bcrt1qqyqszqgpqyqszqgpqyqszqgpqyqszqgpvxat9t"], wallet="miner")
        node.mine()
        text = complaint("prove", txid, "--node", core_url(node), "-o", path, code=2)
        assert "txindex=1" in text and "--height N" in text and "--block HASH" in text
        run("prove", txid, "--node", core_url(node), "-o", path, "--height=121")
