"""A folder of files as a node: real headers and blocks, and what is missing in it."""

import asyncio
import time
from pathlib import Path

import pytest
from node_calls import all_payments, failure, with_opened
from support import data_path

from host_bridge.demo.recording import Recording
from host_bridge.nodes.node import NodeLied, NodeUnreachable, NotThere, Tip
from host_bridge.payments.proofs import verify
from host_bridge.payments.raw_block import list_outputs, parse_block
from lightclient.hashes import hash256
from lightclient.limits import HEADER_SIZE
from lightclient.params import MAINNET, TESTNET3

LATE = "mainnet_822528_830592.bin"


def data_folder():
    return Path(data_path("headers/" + LATE)).parent.parent


def test_real_headers_and_blocks():
    block = (data_folder() / "blocks" / "mainnet_830000.blk").read_bytes()
    start, end, txid = parse_block(block)[1000]
    script = list_outputs(block[start:end])[0].script_pubkey

    async def look(node):
        info = await node.info()
        assert (info.network, info.synced, node.first_height) == ("testnet3", True, 0)
        assert info.tip.height == 9999
        await node.close()

    with_opened(f"archive:{data_folder()}?network=testnet3", look)

    async def prove(node):
        assert node.first_height == 822528
        tip = await node.tip()
        assert tip.height == 830592 and hash256(await node.headers(830592, 5)) == tip.block_hash
        assert await node.headers(822527, 1) == b"" == await node.headers(830593, 9)
        assert len(await node.headers(822528, 9000)) == 2000 * HEADER_SIZE
        found = await node.locate(txid)
        assert found == Tip(830000, hash256(block[:HEADER_SIZE])) == await node.locate_block(found.block_hash)
        proof = await node.prove(txid, found)
        assert verify(proof, MAINNET, script_pubkey=script).height == 830000
        payments = await all_payments(node, [script])
        assert proof in [payment.payment.proof for payment in payments]
        started = time.monotonic()
        await node.wait_for_news(0.05)
        assert time.monotonic() - started < 2

    with_opened(f"archive:{data_folder()}", prove)  # the chain that reaches highest


def test_what_is_missing_is_named():
    url = f"archive:{data_folder()}"
    error = failure(url, lambda node: node.locate(bytes(32)))
    assert isinstance(error, NotThere) and "is in none of its" in str(error)

    async def prove(node):
        await node.prove(bytes(32), Tip(830001, hash256(await node.headers(830001, 1))))

    error = failure(url, prove)
    assert isinstance(error, NotThere) and "has no file of block 830001" in str(error)
    assert isinstance(failure(url + "?from=5", lambda node: node.info()), NotThere)
    assert isinstance(failure(url + "/nowhere", lambda node: node.info()), NodeUnreachable)
    assert isinstance(failure(f"archive:{data_folder() / 'blocks'}", lambda node: node.info()), NotThere)
    assert TESTNET3.name in str(failure(url + "?network=testnet3&from=77", lambda node: node.info()))


def test_files_that_join_up_are_one_chain(tmp_path):
    headers = Recording.load_default().headers
    (tmp_path / "regtest_0_9.bin").write_bytes(headers[: 10 * HEADER_SIZE])
    (tmp_path / "regtest_000010_000019.bin").write_bytes(headers[10 * HEADER_SIZE : 20 * HEADER_SIZE])
    (tmp_path / "notes.bin").write_bytes(b"something else")
    assert with_opened(f"archive:{tmp_path}", lambda node: node.headers(0, 100)) == headers[: 20 * HEADER_SIZE]
    (tmp_path / "regtest_30_30.bin").write_bytes(headers[30 * HEADER_SIZE : 31 * HEADER_SIZE])
    assert with_opened(f"archive:{tmp_path}", lambda node: node.tip()).height == 30
    assert with_opened(f"archive:{tmp_path}?from=0", lambda node: node.tip()).height == 19


@pytest.mark.parametrize("name", ["regtest_0_10.bin", "regtest_5_2.bin", "regtest_0_1.bin"])
def test_files_that_are_not_what_their_name_says(tmp_path, name):
    (tmp_path / name).write_bytes(bytes(3 * HEADER_SIZE))
    error = failure(f"archive:{tmp_path}", lambda node: node.info())
    assert isinstance(error, NodeLied) and name in str(error)


def test_headers_that_do_not_follow_each_other(tmp_path):
    headers = Recording.load_default().headers
    (tmp_path / "regtest_0_2.bin").write_bytes(headers[: 2 * HEADER_SIZE] + headers[:HEADER_SIZE])
    error = failure(f"archive:{tmp_path}", lambda node: node.info())
    assert isinstance(error, NodeLied) and "header 2 does not follow" in str(error)


def test_a_damaged_block(tmp_path):
    block = bytearray((data_folder() / "blocks" / "mainnet_830000.blk").read_bytes())
    block[83] ^= 1  # the version of its coinbase
    (tmp_path / LATE).symlink_to(data_folder() / "headers" / LATE)
    (tmp_path / "830000.blk").write_bytes(block)
    error = failure(f"archive:{tmp_path}", lambda node: node.locate(bytes(32)))
    assert isinstance(error, NodeLied) and "MerkleRootMismatch" in str(error)


def test_waiting_ends_when_it_is_cancelled():
    async def wait(node):
        task = asyncio.create_task(node.wait_for_news(1000))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()

    with_opened(f"archive:{data_folder()}", wait)
