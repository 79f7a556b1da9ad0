"""The file of addresses that a till is given: what is passed over, and what is refused, with its line."""

from pathlib import Path

import pytest

from host_bridge.files import Unusable
from host_bridge.payments.address_list import AddressList
from lightclient.limits import MAX_INVOICE_ADDRESSES
from lightclient.params import MAINNET, REGTEST

GOOD = (
    "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
    "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
    "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
)


def written(folder: Path, text: str) -> Path:
    path = folder / "addresses.txt"
    path.write_text(text, "utf-8")
    return path


def test_comments_and_blank_lines_are_passed_over(tmp_path: Path) -> None:
    text = "\ufeff# the shop's\r\n\r\n" + "".join(f"  {address}\t# a comment\r\n" for address in GOOD)
    scripts = AddressList(written(tmp_path, text)).scripts(MAINNET)
    assert [script.hex()[:6] for script in scripts] == ["001475", "76a914", "a914b4", "512079"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"{GOOD[0]}\n\n{GOOD[0][:-1]}q\n", "line 3: 'bc1q.*' is no address of mainnet"),
        (f"# x\n{GOOD[0]} {GOOD[1]}\n", "line 2: .* is no address of mainnet"),
        (f"{GOOD[0]}\ntb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx\n", "line 2: .* another network than mainnet"),
        (f"{GOOD[0]}\n{GOOD[1]}\n{GOOD[0].upper()}\n", "line 3: the same address as in line 1"),
        ("0014751e76e8199196d454941c45d1b3a323f1433bd6\n", "line 1: .* is no address"),
        ("x" * 5000 + "\n", "line 1: .* is no address"),
        ("# nothing\n\n", "no address in it"),
        ("x\n" * (MAX_INVOICE_ADDRESSES + 1), f"line {MAX_INVOICE_ADDRESSES + 1}: more than"),
    ],
)
def test_what_cannot_be_used(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(Unusable, match=words) as caught:
        AddressList(written(tmp_path, text)).scripts(MAINNET)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


def test_files_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    (tmp_path / "large").write_bytes(b"\n" * (1 << 21))
    for name in ("bytes", "large"):
        with pytest.raises(Unusable):
            AddressList(tmp_path / name)
    with pytest.raises(OSError, match="No such file"):
        AddressList(tmp_path / "nowhere")


def test_the_network_is_the_devices(tmp_path: Path) -> None:
    addresses = AddressList(written(tmp_path, "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080\n"))
    assert addresses.scripts(REGTEST)[0][:2] == b"\x00\x14"
    with pytest.raises(Unusable, match="line 1"):
        addresses.scripts(MAINNET)
