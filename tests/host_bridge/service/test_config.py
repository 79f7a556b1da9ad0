"""The bridge's configuration: what is wrong is told in one line with the key."""

import pytest

from host_bridge.files import Unusable
from host_bridge.service.config import BridgeConfig, load_config, with_flags


def config(tmp_path, text):
    path = tmp_path / "bridge.toml"
    path.write_text(text)
    return load_config(path)


def test_flags_go_over_the_file(tmp_path):
    told = config(tmp_path, 'node = "core://a"\nserial = "auto"\nlisten = ["[::1]:1", "127.0.0.1:2"]\nlog_json = true')
    assert told.serial == ["auto"] and told.addresses() == [("::1", 1), ("127.0.0.1", 2)]
    over = with_flags(told, node="core://b", serial=[], listen=["localhost:3"], network=None, log_json=None).checked()
    assert (over.node, over.serial, over.listen, over.log_json) == ("core://b", ["auto"], ["localhost:3"], True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nodes = 1", "unknown key 'nodes'"),
        ("node = 1", "node: a text"),
        ("serial = [1]", "serial: a list of texts"),
        ("serial = true", "serial: a list of texts"),
        ("serial_baud = true", "serial_baud: a whole number"),
        ("serial_unpaired = 1", "serial_unpaired: true or false"),
        ("listen = 8433", "listen: a list of texts"),
        ("listen", "not TOML"),
        ("[limits]\nx = 1", "unknown key 'limits'"),
        ('"a\\u001bb" = 1', r"unknown key 'a\x1bb'"),
        ("\xff", "not TOML"),
    ],
)
def test_a_wrong_file_is_told_with_its_key(tmp_path, text, words):
    path = tmp_path / "bridge.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(Unusable) as error:
        load_config(path)
    assert words in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "no device could reach"),
        ({"serial": ["auto"], "network": "moon"}, "unknown network 'moon'"),
        ({"serial": [""]}, "serial: "),
        ({"serial": ["auto"], "serial_baud": 1200}, "boot loader"),
        ({"serial": ["auto"], "serial_baud": -1}, "serial_baud"),
        ({"serial": ["auto"], "log_level": "loud"}, "log_level"),
        ({"listen": ["8433"]}, "ADDR:PORT"),
        ({"listen": [":8433"]}, "ADDR:PORT"),
        ({"listen": ["::1:8433"]}, "ADDR:PORT"),
        ({"listen": ["1.2.3.4:99999"]}, "65535"),
        ({"listen": ["1.2.3.4:\u0661"]}, "ADDR:PORT"),
        ({"listen": ["a:1"], "max_connections": 0}, "max_connections"),
        ({"listen": ["a:1"] * 17}, "listen: up to"),
    ],
)
def test_values_that_cannot_be_are_told_with_their_key(values, words):
    with pytest.raises(Unusable) as error:
        BridgeConfig(**values).checked()
    assert words in str(error.value)
