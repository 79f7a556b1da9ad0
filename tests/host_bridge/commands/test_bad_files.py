"""Files that are none, or not what they should be: one line, the right exit code, nothing half written."""

import os
import time
from pathlib import Path

import pytest
from command_line import BLOCK_170, MAINNET_EARLY, MERKLEBLOCK_170, complaint, one_complaint, put, run, verdicts
from known_blocks import BLOCK_170_HEADER, BLOCK_170_TRANSACTIONS, BLOCK_170_TXIDS_HEX
from proof_cases import proof_170
from support import data_path

from lightclient.limits import MAX_PROOF_SIZE

TXID = BLOCK_170_TXIDS_HEX[1]
PLACES = ["check", "info", "checkpoint", "verify", "headers", "block", "merkleblock", "tx", "coinbase"]
GIGABYTES = (2 << 30) // 80 * 80


def sparse(path, size, beginning=b""):
    """A file that takes no room on the disk."""
    path.write_bytes(beginning)
    os.truncate(path, size)
    return path


def everywhere(bad, tmp_path):
    """Every place of the commands where a file is read, with `bad` in it."""
    tree = put(tmp_path / "tree", MERKLEBLOCK_170)
    coinbase, tx = (
        put(tmp_path / "coinbase", BLOCK_170_TRANSACTIONS[0]),
        put(tmp_path / "tx", BLOCK_170_TRANSACTIONS[1]),
    )
    out = ["-o", tmp_path / "out.lcproof", "--height=170"]
    headers = data_path(MAINNET_EARLY)
    return {
        "check": ["headers", "check", bad, "--network=mainnet"],
        "info": ["headers", "info", bad, "--network=mainnet"],
        "checkpoint": ["headers", "check", headers, "--network=mainnet", "--checkpoint", bad],
        "verify": ["verify", bad, "--unanchored"],
        "headers": ["verify", tree, "--headers", bad],
        "block": ["prove", TXID, "--block", bad, *out],
        "merkleblock": ["prove", TXID, "--merkleblock", bad, "--tx", tx, "--coinbase", coinbase, *out],
        "tx": ["prove", TXID, "--merkleblock", tree, "--tx", bad, "--coinbase", coinbase, *out],
        "coinbase": ["prove", TXID, "--merkleblock", tree, "--tx", tx, "--coinbase", bad, *out],
    }


@pytest.mark.parametrize("place", PLACES)
def test_no_regular_file(tmp_path, place):
    fifo, loop, file = tmp_path / "fifo", tmp_path / "loop", put(tmp_path / "file", b"x")
    os.mkfifo(fifo)
    loop.symlink_to(loop)
    for bad, said in (
        (tmp_path, "directory"),
        (tmp_path / "absent", "No such file"),
        (file / "below", "Not a directory"),
        (loop, "symbolic links"),
        (tmp_path / ("x" * 300), "too long"),
        (fifo, "not a regular file"),
        (Path("/dev/zero"), "not a regular file"),
        (Path("/dev/stdin"), ""),
        (put(tmp_path / "empty", b""), "the file is empty"),
    ):
        text = complaint(*everywhere(bad, tmp_path)[place], code=2)
        assert said in text and str(bad) in text
        assert text.count(str(bad)) == 1
    assert not (tmp_path / "out.lcproof").exists()


@pytest.mark.parametrize("place", PLACES)
def test_two_gigabytes(tmp_path, place):
    """Neither read into memory nor, but for `info`, read to the end."""
    for size in (2 << 30, GIGABYTES):
        if place == "info" and size == GIGABYTES:
            continue  # that is what it is for: see test_info_of_a_big_file
        bad = sparse(tmp_path / "big", size)
        started = time.perf_counter()
        refused = size == GIGABYTES and place in ("check", "headers")  # zeros are no genesis header
        said = complaint(*everywhere(bad, tmp_path)[place], code=1 if refused else 2)
        assert time.perf_counter() - started < 2
        assert str(bad) in said
        assert ("BadGenesis at height 0" if refused else str(size)) in said
    assert not (tmp_path / "out.lcproof").exists()


def test_info_of_a_big_file(tmp_path):
    """The last header of this one tells no difficulty."""
    bad = sparse(tmp_path / "big", 80 * 1_000_000, BLOCK_170_HEADER)
    assert "MalformedBits at height 999999" in complaint("headers", "info", bad, "--network=mainnet", code=1)


def test_a_proof_that_is_too_long(tmp_path):
    """It begins as a container: so it is refused. What begins otherwise can't be read."""
    for size in (MAX_PROOF_SIZE + 1, 2 << 30):
        bad = sparse(tmp_path / "proof", size, proof_170())
        line = verdicts(bad, "--unanchored", code=1)[0]
        assert (line["result"], line["error"]) == ("refused", "LimitExceeded")
    bad = sparse(tmp_path / "proof", MAX_PROOF_SIZE, proof_170())
    assert verdicts(bad, "--unanchored", code=1)[0]["error"] == "TrailingData"


def test_text(tmp_path):
    for text in (b"hello, world\n", b'{"no": "proof"}', b"00" * 200 + b"0\n"):
        bad = put(tmp_path / "text", text)
        for arguments in everywhere(bad, tmp_path).values():
            assert str(bad) in complaint(*arguments, code=2)
    # what is no text may be a block, a merkleblock or a transaction that ends early
    bad = put(tmp_path / "picture", b"GIF89a\x00\x01")
    for arguments in everywhere(bad, tmp_path).values():
        said = complaint(*arguments, code=2)
        assert "TruncatedInput" in said or str(bad) in said


# --- blocks ---


def test_a_broken_block(tmp_path):
    path, out = tmp_path / "block", tmp_path / "out"
    for code, bad, error in (
        *((2, BLOCK_170[:size], "TruncatedInput") for size in (1, 79, 80, 81, 200, 489)),
        (2, BLOCK_170 + b"\x00", "TrailingData"),
        (2, BLOCK_170[:80] + b"\x00" + BLOCK_170[81:], "LimitExceeded"),
        (1, BLOCK_170[:76] + b"\x00" + BLOCK_170[77:], "BadProofOfWork"),
        (1, BLOCK_170[:75] + b"\xff" + BLOCK_170[76:], "MalformedBits"),
        (1, BLOCK_170[:200] + b"\x00" + BLOCK_170[201:], "MerkleRootMismatch"),
    ):
        said = complaint("prove", TXID, "--block", put(path, bad), "-o", out, "--height=170", code=code)
        assert said.startswith(f"{path}: {error}")
    assert list(tmp_path.iterdir()) == [path]


# --- where the proof goes ---


def prove(tmp_path, out, code=0):
    block = put(tmp_path / "block", BLOCK_170)
    return run("prove", TXID, "--block", block, "--height=170", "-o", out, code=code)


def test_output_is_overwritten(tmp_path):
    out = put(tmp_path / "out", b"old")
    link = tmp_path / "link"
    link.symlink_to(out)
    prove(tmp_path, out)
    assert out.read_bytes() == proof_170()
    put(out, b"old")
    prove(tmp_path, link)
    assert link.is_symlink() and out.read_bytes() == proof_170()
    # what fails leaves the old one
    put(out, b"old")
    run("prove", "00" * 32, "--block", tmp_path / "block", "--height=170", "-o", out, code=2)
    assert out.read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["block", "link", "out"]
    prove(tmp_path, tmp_path / ("x" * 255))  # as long as a name may be


def test_output_that_can_not_be_written(tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    file = put(tmp_path / "file", b"")
    for out, said in (
        (tmp_path / "absent" / "out", "No such file or directory"),
        (file / "out", "Not a directory"),
        (tmp_path, "not a regular file"),
        ("/", "not a regular file"),
        ("", "not a regular file"),
        (fifo, "not a regular file"),
        ("/dev/null", "not a regular file"),
        (tmp_path / ("x" * 256), "name too long"),
        ("/proc/out.lcproof", ""),
    ):
        text = one_complaint(prove(tmp_path, out, code=2).stderr)
        assert said in text and text.startswith(f"{out or '.'}: ") and ".part" not in text
    assert Path("/dev/null").is_char_device()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["block", "fifo", "file"]


def test_an_output_that_is_an_input(tmp_path):
    block = put(tmp_path / "in.blk", BLOCK_170)
    (tmp_path / "link").symlink_to(block)
    os.link(block, tmp_path / "hard")
    headers = put(tmp_path / "headers", Path(data_path(MAINNET_EARLY)).read_bytes()[:800])
    checkpoint = tmp_path / "checkpoint"
    making = ["checkpoint", "make", "--headers", headers, "--network=mainnet", "-o"]
    run(*making, checkpoint)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    proving = ["prove", TXID, "--block", block, "--height=170", "-o"]
    for arguments in (
        [*proving, block],
        [*proving, tmp_path / "link"],
        [*proving, tmp_path / "hard"],
        [*proving, headers, "--headers", headers, "--for-size=10"],
        [*making, headers],
        [*making, checkpoint, "--from", checkpoint],
    ):
        assert "the output is an input too" in complaint(*arguments, code=2)
    for arguments in ([*proving, "-"], [*making, "-"]):
        assert complaint(*arguments, code=2).startswith("-: standard output is not written to")
    (tmp_path / "other").mkdir()
    for arguments in everywhere(Path("-"), tmp_path / "other").values():
        assert "-: " in complaint(*arguments, code=2)
    assert {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


def test_headers_as_hex(tmp_path):
    text = Path(data_path(MAINNET_EARLY)).read_bytes()[:800].hex().encode()
    for size in (1600, 1599):
        bad = put(tmp_path / "hex", text[:size])
        assert "headers as hex text" in complaint("headers", "check", bad, "--network=mainnet", code=2)


def test_a_full_disk(tmp_path, monkeypatch):
    def no_room(_):
        raise OSError(28, "No space left on device")

    out = put(tmp_path / "out", b"old")
    monkeypatch.setattr(os, "fsync", no_room)
    assert one_complaint(prove(tmp_path, out, code=2).stderr) == f"{out}: No space left on device"
    assert out.read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["block", "out"]
