"""The tests' own node: what they rely on."""

import pytest
from regtest_node import RegtestNode, RpcError, rpcauth


def test_the_shared_node_pays_and_mines(regtest_node: RegtestNode) -> None:
    height = regtest_node.rpc("getblockcount")
    assert height >= 120
    txid = regtest_node.pay(regtest_node.rpc("getnewaddress", wallet="miner"), 50_000)
    (block,) = regtest_node.mine()
    assert txid in regtest_node.rpc("getblock", block)["tx"]


def test_a_restart_keeps_the_chain_and_changes_the_cookie() -> None:
    with RegtestNode(rpcauth("till", "secret")) as node:
        node.mine(3)
        cookie, port = node.cookie_file.read_bytes(), node.port
        node.restart("-rest=0")
        assert node.options == ("-rest=0",) and node.port == port
        assert node.cookie_file.read_bytes() != cookie
        assert node.rpc("getblockcount") == 3
        node.kill()
        assert not node.running
        node.start()  # over what the killed one left behind
        with pytest.raises(RpcError, match="Block height out of range"):
            node.rpc("getblockhash", 9)
        folder = node.datadir
    assert not folder.exists() and not node.running
