"""What is installed beside the bridge: the systemd unit, the udev rule, the example of a configuration."""

import configparser
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from host_bridge.service.config import BridgeConfig, load_config

FOLDER = Path(__file__).resolve().parents[3] / "host_bridge"
UNIT = FOLDER / "systemd" / "lightclient-bridge.service"
DEVICE_UNIT = FOLDER.parent / "firmware" / "systemd" / "lightclient-device.service"
RULES = FOLDER / "udev" / "60-lightclient.rules"
EXAMPLE = FOLDER / "bridge.example.toml"


@pytest.mark.parametrize(
    ("unit", "command", "differs"),
    [
        (
            UNIT,
            "bridge --config ",
            {"StateDirectory": "lightclient", "SupplementaryGroups": "dialout", "Type": "notify"},
        ),
        (DEVICE_UNIT, "run --board ", {"SupplementaryGroups": "gpio i2c dialout", "UMask": "0077", "Type": "exec"}),
    ],
    ids=["bridge", "device"],
)
def test_the_unit_is_one_for_systemd(unit, command, differs, tmp_path):
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    parser.read_string(unit.read_text())
    service = parser["Service"]
    assert service["ExecStart"].startswith("/usr/local/bin/lightclient " + command)
    common = {"DynamicUser": "yes", "ProtectSystem": "strict", "Restart": "on-failure"}
    for key, value in {**common, **differs}.items():
        assert service[key] == value, key
    if shutil.which("systemd-analyze"):
        copy = tmp_path / unit.name
        copy.write_text(unit.read_text().replace("/usr/local/bin/lightclient", sys.executable))
        result = subprocess.run(
            ["systemd-analyze", "verify", str(copy)], capture_output=True, text=True, check=False, timeout=60
        )
        assert result.returncode == 0 and unit.name not in result.stderr, result.stderr


def test_the_rule_is_one_for_udev():
    rules = [line for line in RULES.read_text().splitlines() if line and not line.startswith("#")]
    token = re.compile(r'[A-Z]+(\{[\w$]+\})?(==|!=|\+=|:=|=)"[^"]*"')
    for rule in rules:
        for part in rule.split(", "):
            assert token.fullmatch(part), part
        assert 'idVendor}=="2e8a"' in rule and 'idProduct}=="0005"' in rule
    text = "\n".join(rules)
    for part in ('ENV{ID_MM_DEVICE_IGNORE}="1"', 'GROUP="dialout"', 'TAG+="uaccess"', 'SYMLINK+="lightclient-'):
        assert part in text
    if shutil.which("udevadm"):
        result = subprocess.run(
            ["udevadm", "verify", str(RULES)], capture_output=True, text=True, check=False, timeout=60
        )
        # before systemd 254 udevadm could not
        assert result.returncode == 0 or "Unknown command" in result.stderr, result.stderr


def test_the_example_is_what_the_bridge_reads_and_says_every_default():
    given = tomllib.loads(EXAMPLE.read_text())
    load_config(EXAMPLE).checked()
    said = tomllib.loads(re.sub(r"(?m)^# (\w+ = )", r"\1", EXAMPLE.read_text()))
    default = BridgeConfig()
    assert list(said) == list(BridgeConfig.__dataclass_fields__)
    for key, value in said.items():
        if key not in given:
            assert value == getattr(default, key), key


def test_they_are_shipped():
    pyproject = tomllib.loads((FOLDER.parent / "pyproject.toml").read_text())
    data = pyproject["tool"]["setuptools"]["package-data"]
    patterns = data["host_bridge"]
    assert any(DEVICE_UNIT.relative_to(FOLDER.parent / "firmware").match(pattern) for pattern in data["firmware"])
    for path in (UNIT, RULES, EXAMPLE):
        assert any(path.relative_to(FOLDER).match(pattern) for pattern in patterns), path
