"""One URL chooses the node; what can't be used is said in one line, never with a password."""

import asyncio

import pytest

from host_bridge.nodes.core import NETWORK_OF_CHAIN, CoreNode
from host_bridge.nodes.core_login import PASSWORD_VARIABLE, RPC_PORTS, CookieLogin, default_cookies
from host_bridge.nodes.url import open_node
from lightclient.params import NETWORKS


def opened(url):
    async def run():
        node = open_node(url)
        await node.close()
        return node

    return asyncio.run(run())


def login(url):
    node = opened(url)
    assert isinstance(node, CoreNode)
    return node._rpc._login


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv(PASSWORD_VARIABLE, raising=False)
    return tmp_path


def test_every_network_has_a_port_and_a_name_in_core():
    assert set(NETWORK_OF_CHAIN.values()) == set(NETWORKS) == set(RPC_PORTS)


def test_hosts_and_ports():
    assert opened("core://").name == "core://127.0.0.1:8332"
    assert opened("core://10.0.0.5").name == "core://10.0.0.5:8332"
    assert opened("core://node.local/?network=signet").name == "core://node.local:38332"
    assert opened("core://[::1]:18443/").name == "core://[::1]:18443"
    assert opened("CORE://x:y@node:1/").name == "core://node:1"


def test_the_other_servers():
    assert opened("electrum://h").name == "electrum://h:50001"
    assert opened("electrums://[::1]/").name == "electrums://[::1]:50002"
    assert opened("esplora+https://me:secret@h/api/").name == "esplora+https://h/api"
    assert opened("esplora+http://127.0.0.1:3000").name.startswith("esplora+http://127.0.0.1:3000")


def test_core_alone_is_this_computers_node(home):
    cookie = home / ".bitcoin" / "regtest" / ".cookie"
    cookie.parent.mkdir(parents=True)
    cookie.write_text("__cookie__:abc")
    assert opened("core://").name == "core://127.0.0.1:18443"
    assert login("core://").places[0] == cookie
    (home / ".bitcoin" / ".cookie").write_text("__cookie__:def")
    assert opened("core://").name == "core://127.0.0.1:8332"
    assert login("core://127.0.0.1:18443").places == default_cookies("regtest")
    assert cookie in login("core://127.0.0.1:9999").places


def test_passwords_and_where_they_stand(home, monkeypatch):
    assert login("core://me:a%3Ab@h").text == b"me:a:b"
    assert login("core://me:@h").text == b"me:"
    word = home / "word"
    word.write_text("from file\n")
    assert login(f"core://me@h/?password_file={word}").text == b"me:from file"
    monkeypatch.setenv(PASSWORD_VARIABLE, "from outside")
    assert login("core://me@h").text == b"me:from outside"
    assert login(f"core://me@h/?password_file={word}").text == b"me:from file"
    chosen = login("core://h/?cookie=/a%20b/.cookie")
    assert isinstance(chosen, CookieLogin) and str(chosen.places[0]) == "/a b/.cookie"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "core",
        "core:",
        "core:/x",
        "http://secret@x/",
        "secret:secret",
        "x" * 3000,
        "core://a\nb",
        "core://h/path",
        "core://h:0",
        "core://h:99999",
        "core://h:port",
        "core://[::1",
        "core://h/?network=liquid",
        "core://h/?nosuch=1",
        "core://h/?cookie=",
        "core://h/?cookie=a&cookie=b",
        "core://me:secret@h/?cookie=a",
        "core://me:secret@h:secret",
        "core://me:secret#x@h",
        "core://me@h",
        "core://me@h/?password_file=/no/such/secretfile",
        "core://h/?password_file=/etc/hostname",
        "archive:",
        "archive:x?from=y",
        "archive:x?network=",
        "electrum://",
        "electrum://h/path",
        "electrum://me:secret@h",
        "electrums://h/?nosuch=1",
        "esplora+https://",
        "esplora+http://example.org",
        "esplora+http://127.0.0.1.example.org/api",
        "esplora+https://me:secret@h/?x=secret",
        "esplora://h",
    ],
)
def test_urls_that_can_not_be_used(url):
    with pytest.raises(ValueError) as caught:
        opened(url)
    text = str(caught.value)
    assert text and "\n" not in text and len(text) < 300
    assert "secret" not in text.replace("/no/such/secretfile", "")


def test_a_password_file_of_no_use(home):
    for content in (b"", b"\n", b"a\nb", b"x" * 5000, b"\xff\xfe"):
        (home / "word").write_bytes(content)
        with pytest.raises(ValueError, match="a line with a password"):
            opened(f"core://me@h/?password_file={home / 'word'}")
