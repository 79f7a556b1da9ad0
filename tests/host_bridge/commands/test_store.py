"""`lightclient store ...` and `verify --state`, on a store of real mainnet headers and on damaged ones."""

import json
import subprocess
import sys
from pathlib import Path

import cbor2
import pytest
from command_line import (
    BLOCK_170,
    BLOCK_170_TXIDS_HEX,
    MAINNET_LATE,
    ROOT,
    complaint,
    early,
    put,
    run,
    verdicts,
)
from mainnet_store import copied, fill_store, make_store, path_of, picture
from support import data_path

from host_bridge.stores.store_folder import path_beside
from lightclient.headers.checkpoint import encode_checkpoint
from lightclient.headers.envelope import network_id, seal
from lightclient.headers.rules import HeaderRules
from lightclient.params import MAINNET, TESTNET3, TESTNET4


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_store(tmp_path_factory.mktemp("made") / "store", 8200)


@pytest.fixture
def store(made: Path, tmp_path: Path) -> Path:
    return copied(made, tmp_path / "store")


def test_info_and_check(store: Path) -> None:
    before = picture(store)
    info = json.loads(run("store", "info", store, "--json").stdout)
    assert (info["network"], info["first_height"], info["tip_height"]) == ("mainnet", 4032, 8200)
    assert info["payments"] == 1 and info["cut_short"] == ["request 5: txid ends in " + "07" * 12]
    assert info["files"]["000004.hdr"] == 1600 + 80 * (8200 - 8064 + 1)
    checked = json.loads(run("store", "check", store, "--json").stdout)
    assert checked["headers"] == 8200 - 4032 + 1 and checked["tip_hash"] == info["tip_hash"]
    assert "pulse was cut short" in run("store", "check", store).stdout
    assert picture(store) == before


@pytest.mark.parametrize("name", ["000002.hdr", "000003.hdr", "000004.hdr", "chain.a", "chain.b", "paid.a", "paid.b"])
def test_check_finds_every_flipped_byte(store: Path, name: str) -> None:
    path = path_of(store, name)
    whole = path.read_bytes()
    places = [*range(0, min(len(whole), 1700), 97), *range(1700, len(whole), 19_997), len(whole) - 1]
    for place in places:
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        result = run("store", "check", store, "--json", code=1)
        assert json.loads(result.stdout)["error"].startswith(("Corrupt", "Bad", "Wrong", "Malformed", "Time", "Store"))
    path.write_bytes(whole)
    run("store", "check", store)


def test_check_of_files_cut_missing_or_strange(store: Path) -> None:
    for name in ("000002.hdr", "000004.hdr", "chain.a", "paid.b"):
        path = path_of(store, name)
        whole = path.read_bytes()
        for damaged in (b"", whole[:-1], whole[:-80], whole + b"\0"):
            path.write_bytes(damaged)
            if name == "000004.hdr" and len(damaged) > len(whole):  # as a power cut leaves it
                assert "1 bytes behind the last header" in run("store", "check", store).stdout
                continue
            assert "lightclient: " in run("store", "check", store, code=1).stderr
        path.write_bytes(whole)
    (store / "000003.hdr").unlink()
    assert "CorruptStore" in complaint("store", "check", store, code=1)
    assert "000003.hdr: missing" in complaint("store", "info", store, code=1)


def of_another_network(data: bytes) -> bytes:
    """The same file as one of testnet4 has it, checksum and all."""
    sealed = bytearray(data)
    length, sequence = int.from_bytes(data[6:10], "little"), int.from_bytes(data[14:18], "little")
    seal(sealed, data[5], length, network_id(TESTNET4), sequence)
    return bytes(sealed)


# what `store check` says of each file: missing, and as it was 1,700 headers and a payment before
FAULTS = {
    "000002.hdr": ("CorruptStore", None),  # was the same then
    "000003.hdr": ("CorruptStore", "StoreRolledBack"),
    "000004.hdr": ("CorruptStore", None),  # was not there then
    "chain.a": (None, "StoreRolledBack"),
    "chain.b": ("StoreRolledBack", "StoreRolledBack"),
    "paid.a": (None, "StoreRolledBack"),
    "paid.b": (None, None),  # as a power cut leaves it: paid.a is written first
}


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_store(tmp_path_factory.mktemp("before") / "store", 6500, paid=False)


@pytest.mark.parametrize("name", FAULTS)
def test_check_of_each_file_emptied_foreign_missing_or_older(store: Path, before: Path, name: str) -> None:
    def check(fault: str | None) -> None:
        if fault is None:
            run("store", "check", store)
        else:
            assert complaint("store", "check", store, code=1).startswith(f"{store}: {fault}")

    path = path_of(store, name)
    whole = path.read_bytes()
    path.write_bytes(b"")
    check("CorruptStore")
    path.write_bytes(of_another_network(whole))
    check("WrongNetwork")
    path.unlink()
    check(FAULTS[name][0])
    older = path_of(before, name)
    path.write_bytes(older.read_bytes() if older.exists() else whole)
    check(FAULTS[name][1])


def test_what_is_no_store(tmp_path: Path) -> None:
    assert "no such folder" in complaint("store", "info", tmp_path / "nowhere", code=2)
    assert "not a store" in complaint("store", "check", tmp_path, code=2)
    (tmp_path / "a file").write_bytes(b"x")
    assert complaint("store", "check", tmp_path / "a file", code=2)
    assert "not an exported store" in complaint("store", "import", tmp_path / "a file", tmp_path / "s", code=2)


def test_a_store_in_use_is_locked(store: Path, tmp_path: Path) -> None:
    exported = tmp_path / "desk.lcstate"
    run("store", "export", make_store(tmp_path / "ahead", 9000), "-o", exported)
    before = picture(store)
    program = f"""
from firmware.files import FolderFiles
from host_bridge.stores.store_folder import path_beside
files = FolderFiles({str(store)!r}); files.lock(); print("locked", flush=True); input()
"""
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdin=-1, stdout=-1, text=True) as other:
        assert other.stdout is not None and other.stdout.readline() == "locked\n"
        assert "StoreLocked" in complaint("store", "info", store, code=1)
        for more in ([], ["--start-over"]):
            assert "StoreLocked" in complaint("store", "import", exported, store, *more, code=1)
        assert picture(store) == before
        other.communicate("\n")
    run("store", "import", exported, store)


def test_export_and_import(store: Path, tmp_path: Path) -> None:
    exported = tmp_path / "desk.lcstate"
    run("store", "export", store, "-o", exported)
    new = tmp_path / "new"
    run("store", "import", exported, new, "--epochs", 2)
    info = json.loads(run("store", "info", new, "--json").stdout)
    assert (info["first_height"], info["tip_height"], info["payments"]) == (3 * 2016, 8200, 0)
    run("store", "check", new)
    # one that is behind catches up, and keeps its payments
    behind = make_store(tmp_path / "behind", 5000)
    run("store", "import", exported, behind)
    info = json.loads(run("store", "check", behind, "--json").stdout)
    assert (info["tip_height"], info["payments"]) == (8200, 1)
    # one that is further behind than the export reaches begins anew above its base
    far = make_store(tmp_path / "far", 3000)
    run("store", "import", exported, far)
    info = json.loads(run("store", "check", far, "--json").stdout)
    assert (info["first_height"], info["tip_height"], info["payments"]) == (4032, 8200, 1)
    # one that knows more is not taken back
    ahead = make_store(tmp_path / "ahead", 9000)
    before = picture(ahead)
    assert "NotEnoughWork" in complaint("store", "import", exported, ahead, code=1)
    assert picture(ahead) == before


def test_a_damaged_store_starts_over_and_keeps_its_payments(store: Path, tmp_path: Path) -> None:
    exported = tmp_path / "desk.lcstate"
    run("store", "export", store, "-o", exported)
    (store / "chain.a").write_bytes(b"x")
    (store / "chain.b").write_bytes(b"y")
    assert "CorruptStore" in complaint("store", "import", exported, store, code=1)
    run("store", "import", exported, store, "--start-over")
    checked = json.loads(run("store", "check", store, "--json").stdout)
    assert (checked["tip_height"], checked["payments"]) == (8200, 1)


def test_an_import_that_does_not_fit_changes_nothing(store: Path, tmp_path: Path) -> None:
    """It is of another network, or the store that it is for is damaged."""
    exported = tmp_path / "desk.lcstate"
    testnet = tmp_path / "testnet.lcstate"
    run("store", "export", make_store(tmp_path / "ahead", 9000), "-o", exported)
    headers = Path(data_path("headers/testnet3_000000_009999.bin")).read_bytes()
    rules = HeaderRules(TESTNET3)
    rules.begin_at_genesis(TESTNET3.genesis_header, 0)
    values = {0: 1, 1: "testnet3", 2: encode_checkpoint(TESTNET3, rules.state), 3: headers[80:]}
    testnet.write_bytes(cbor2.dumps(values))
    before = picture(store)
    for more in ([], ["--start-over"]):
        assert "WrongNetwork" in complaint("store", "import", testnet, store, *more, code=1)
        assert picture(store) == before
    damaged = store / "000004.hdr"
    whole = damaged.read_bytes()
    for data, fault in ((whole[:-80], "StoreRolledBack"), (whole[:-1] + b"\1", "CorruptStore")):
        damaged.write_bytes(data)
        before = picture(store)
        assert fault in complaint("store", "import", exported, store, code=1)
        assert picture(store) == before


def test_a_broken_export_is_refused(store: Path, tmp_path: Path) -> None:
    exported = tmp_path / "desk.lcstate"
    run("store", "export", store, "-o", exported)
    data = bytearray(exported.read_bytes())
    data[-100] ^= 1
    exported.write_bytes(data)
    complaint("store", "import", exported, tmp_path / "new", code=1)
    assert not (tmp_path / "new").exists()


def test_verify_with_a_state(tmp_path: Path) -> None:
    headers = Path(data_path(MAINNET_LATE)).read_bytes()
    rules = HeaderRules(MAINNET)
    rules.begin_at_anchor(headers[:80], 0, 822528, 0)
    store = fill_store(tmp_path / "store", rules.state, headers[80:], 4)
    block = data_path("blocks/mainnet_830000.blk")
    index = json.loads(Path(data_path("proofs/proofs_valid_from_blocks.json")).read_text())
    txid = next(case["txid"] for case in index if case["height"] == 830000)
    proof = tmp_path / "paid.lcproof"
    run("prove", txid, "--block", block, "-o", proof)
    (line,) = verdicts(proof, "--state", store)
    assert line["result"] == "valid" and line["confirmations"] == 830592 - 830000 + 1
    early = make_store(tmp_path / "early", 3000)
    (line,) = verdicts(proof, "--state", early, code=1)
    assert line["error"] == "HeaderNotInChain"
    assert "exclude" in complaint("verify", proof, "--state", store, "--unanchored", code=2)
    assert "no such folder" in complaint("verify", proof, "--state", tmp_path / "no", code=2)


def test_verify_an_old_payment_with_a_state(store: Path, tmp_path: Path) -> None:
    """Its header was let go of long ago: the path shows it to the store's accumulator."""
    plain, old = tmp_path / "plain.lcproof", tmp_path / "old.lcproof"
    proving = ["prove", BLOCK_170_TXIDS_HEX[1], "--block", put(tmp_path / "170", BLOCK_170), "--height", 170]

    def judged(size: int, code: int) -> dict:
        run(*proving, "-o", old, *early(), "--for-size", size)
        (line,) = verdicts(old, "--state", store, code=code)
        return line

    good = judged(8201, 0)
    assert (good["result"], good["height"], good["confirmations"]) == ("valid", 170, 8201 - 170)
    run("verify", old, "--state", store, "--min-confirmations", 8031)
    for size, what in ((8202, "sync on, or make one for 8201"), (8000, "out of date: make one for 8201")):
        line = judged(size, 1)
        assert line["error"] == "PathMismatch"
        assert what in line["detail"]
    run(*proving, "-o", plain)
    (line,) = verdicts(plain, "--state", store, code=1)
    assert line["error"] == "HeaderNotInChain"
    assert "--for-size 8201" in line["detail"]


def test_an_export_does_not_go_into_the_store(store: Path) -> None:
    before = picture(store)
    for name in ("chain.a", "new"):
        said = complaint("store", "export", store, "-o", store / name, code=2)
        assert "the output lies in the folder that is read" in said
    assert "the output is an input too" in complaint("store", "export", store, "-o", path_beside(store), code=2)
    assert picture(store) == before
