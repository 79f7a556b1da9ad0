"""`lightclient doctor` and a real node: well, away, another one than asked for, without what it may lack."""

import asyncio
import os
import signal
import time

import pytest
from aiohttp import web
from doctor_calls import HOST_ONLY, diagnose, only, repair, results, write_config
from hostile_node import endless, serving
from node_calls import core_url
from regtest_node import RegtestNode, free_port

from host_bridge.doctor import core_program, processes

NODE_CHECKS = {"node", "network", "version", "synced", "pruned", "txindex", "cookie"}


@pytest.fixture
def state(tmp_path):
    return ["--state-dir", tmp_path / "state", *HOST_ONLY]


def test_a_node_that_is_well(regtest_node, state):
    regtest_node.mine(1)
    found = diagnose("--node", core_url(regtest_node), *state)
    assert {check: results(found)[check] for check in NODE_CHECKS} == dict.fromkeys(NODE_CHECKS, "good")
    assert f"core://127.0.0.1:{regtest_node.port} answers: Satoshi:" in found[1]["detail"]
    assert only(found, "network")["detail"] == "regtest"
    assert "mode 0600" in only(found, "cookie")["detail"]
    assert "newest block agrees" in only(found, "clock")["detail"]


def test_a_node_that_is_away(state, tmp_path):
    port = free_port()
    found = diagnose("--node", f"core://127.0.0.1:{port}/?cookie={tmp_path}/none", *state, code=1)
    assert "can't be reached" in only(found, "node")["detail"]
    assert f"there is no cookie at {tmp_path}/none" in only(found, "cookie")["detail"]
    assert results(found)["state"] == "good"  # the others were checked all the same


def test_a_node_away_while_another_runs_here(regtest_node, tmp_path, monkeypatch):
    ours = processes.program(regtest_node._process.pid)
    monkeypatch.setattr(core_program, "running", lambda *names: [ours] if ours.name in names else [])
    config = write_config(
        tmp_path / "b.toml",
        node=f"core://127.0.0.1:{free_port()}/?cookie={tmp_path}/none",
        listen="127.0.0.1:0",
        state_dir=str(tmp_path / "s"),
    )
    repair(only(diagnose("--config", config, code=1), "node"))
    assert results(diagnose("--config", config))["node"] == "good"


def test_another_nodes_cookie(regtest_node, tmp_path):
    cookie = tmp_path / "it's a cookie"
    cookie.write_text("__cookie__:0000")
    cookie.chmod(0o600)
    config = write_config(
        tmp_path / "b.toml",
        node=f"core://127.0.0.1:{regtest_node.port}/?cookie={cookie}",
        listen=["127.0.0.1:0"],
        state_dir=str(tmp_path / "s"),
    )
    found = diagnose("--config", config, code=1)
    finding = only(found, "node")
    assert "does not let us in" in finding["detail"] and "0000" not in str(found)
    assert finding["fix"].startswith("sed -i ") and str(regtest_node.cookie_file) in finding["fix"]
    repair(finding)
    assert results(diagnose("--config", config))["node"] == "good"


def test_a_cookie_that_is_open_to_all(regtest_node, state):
    regtest_node.cookie_file.chmod(0o644)
    url = core_url(regtest_node)
    finding = only(diagnose("--node", url, *state), "cookie")
    assert finding["result"] == "warning" and "every user" in finding["detail"]
    repair(finding)
    assert results(diagnose("--node", url, *state))["cookie"] == "good"
    regtest_node.cookie_file.chmod(0o600)


def test_a_wrong_password_is_never_shown(regtest_node, state):
    port = regtest_node.port
    found = diagnose("--node", f"core://bob:hunter2@127.0.0.1:{port}/?network=signet", *state, code=1)
    assert "user or password is wrong" in only(found, "node")["detail"]
    found += diagnose("--node", f"core://bob:hunter2@127.0.0.1:{free_port()}", *state, code=1)
    assert "hunter2" not in str(found)


def test_a_password_file_that_is_not_there(regtest_node, state, tmp_path):
    url = f"core://bob@127.0.0.1:{regtest_node.port}/?password_file={tmp_path}/pw"
    finding = only(diagnose("--node", url, *state, code=1), "node")
    assert f"{tmp_path}/pw: No such file" in finding["detail"] and f"> {tmp_path}/pw)" in finding["fix"]


def test_another_network_than_the_bridge_is_told_to_serve(regtest_node, tmp_path):
    url = core_url(regtest_node)
    values = {"listen": ["127.0.0.1:0"], "state_dir": str(tmp_path / "s")}
    for wrong in ({"node": url, "network": "signet"}, {"node": url + "&network=signet"}):
        config = write_config(tmp_path / "b.toml", **wrong, **values)
        finding = only(diagnose("--config", config, code=1), "network")
        assert "is on regtest, not on signet" in finding["detail"]
        repair(finding)
        assert results(diagnose("--config", config))["network"] == "good"


def test_without_an_index_of_transactions_until_it_has_one(state):
    with RegtestNode("-txindex=0") as node:
        node.mine(1)
        finding = only(diagnose("--node", core_url(node), *state), "txindex")
        assert finding["result"] == "warning" and f"kill {node._process.pid};" in finding["fix"]
        started = node._process
        reaper = asyncio.to_thread(started.wait)  # `tail --pid` sees a child that nobody has waited for

        async def both():
            await asyncio.gather(reaper, asyncio.to_thread(repair, finding))

        asyncio.run(both())
        try:
            assert results(diagnose("--node", core_url(node), *state))["txindex"] == "good"
        finally:
            node._process = None
            pid = int((node.datadir / "regtest" / "bitcoind.pid").read_text())
            os.kill(pid, signal.SIGTERM)
            end = time.monotonic() + 30
            while os.path.exists(f"/proc/{pid}") and time.monotonic() < end:
                time.sleep(0.1)


def test_a_pruned_node_and_a_clock_that_is_behind(state):
    with RegtestNode("-txindex=0", "-fastprune", "-prune=1") as node:
        node.mine(800)
        node.rpc("pruneblockchain", 400)
        node.rpc("setmocktime", int(time.time()) + 3 * 3600)
        node.mine(12)
        found = diagnose("--node", core_url(node), *state, code=1)
        lowest = node.rpc("getblockchaininfo")["pruneheight"]
        finding = only(found, "pruned")
        assert finding["result"] == "warning" and f"below height {lowest:,} " in finding["detail"]
        assert finding["fix"].endswith(" -prune=0 -reindex -daemonwait")
        assert only(found, "txindex")["result"] == "good"
        clock = only(found, "clock")
        assert clock["result"] == "broken" and "ahead of this clock" in clock["detail"]


def test_a_node_that_catches_up(state):
    with RegtestNode() as node:  # its only block is of 2011
        finding = only(diagnose("--node", core_url(node), *state), "synced")
        assert finding["result"] == "warning" and f" -rpcport={node.port} " in finding["fix"]
        assert str(node.cookie_file) in finding["fix"]


def test_hostile_nodes(state):
    async def evil(request):
        said = b'{"result":null,"error":{"code":-1,"message":"\\u001b[2J\\u0007"},"id":1}'
        return web.Response(body=said, content_type="application/json")

    async def page(request):
        return web.Response(text="\x1b]0;owned\x07<html>" + "x" * 10_000, content_type="text/html")

    async def silent(request):
        await asyncio.sleep(60)

    async def main(handler):
        async with serving(handler) as port:
            url = f"core://u:secret@127.0.0.1:{port}"
            started = time.monotonic()
            found = await asyncio.to_thread(diagnose, "--node", url, *state, code=1)
            assert time.monotonic() - started < 12
            assert only(found, "node")["result"] == "broken" and "secret" not in str(found)

    for handler in (evil, page, endless, silent):
        asyncio.run(main(handler))


@pytest.mark.parametrize("url", ["electrum://127.0.0.1:{}", "esplora+http://127.0.0.1:{}", "archive:/no/where/{}"])
def test_servers_and_archives_that_are_not_there(url, state):
    finding = only(diagnose("--node", url.format(free_port()), *state, code=1), "node")
    assert finding["fix"].startswith(("nc -vz 127.0.0.1", "ls -l /no/where"))
