"""`lightclient checkpoint make`, `show`, `verify`; `prove --for-size` and `verify --checkpoint`, on real headers."""

import json
from pathlib import Path

import pytest
from command_line import (
    BLOCK_170,
    BLOCK_170_TXIDS_HEX,
    MAINNET_EARLY,
    MAINNET_LATE,
    complaint,
    early,
    one_complaint,
    put,
    run,
    verdicts,
)
from mining import Miner, trivial_network
from support import data_path, repository_path

from lightclient.hashes import hash256, hash_to_hex
from lightclient.headers.checkpoint import MAX_CHECKPOINT_SIZE

TXID = BLOCK_170_TXIDS_HEX[1]
SIZE = 10237


def make(path: Path, *more: object, headers: object = None, network: str = "mainnet") -> Path:
    run("checkpoint", "make", "--headers", headers or data_path(MAINNET_EARLY), "--network", network, "-o", path, *more)
    return path


def show(path: Path) -> dict:
    return json.loads(run("checkpoint", "show", path, "--json").stdout)


def recomputed(path: Path, *more: object, headers: object = None) -> dict:
    headers = headers or data_path(MAINNET_EARLY)
    return json.loads(run("checkpoint", "verify", path, "--headers", headers, *more, "--json").stdout)


def prove(folder: Path, *more: object) -> Path:
    path = folder / "paid.lcproof"
    run("prove", TXID, "--block", put(folder / "170", BLOCK_170), "--height", 170, "-o", path, *more)
    return path


def prove_for(folder: Path, size: int) -> Path:
    return prove(folder, "--for-size", size, "--headers", data_path(MAINNET_EARLY))


# --- checkpoints ---


def test_make_and_show(tmp_path: Path) -> None:
    vectors = json.loads(Path(repository_path("docs/accumulator-vectors.json")).read_text())["mainnet"]["states"]
    headers = Path(data_path(MAINNET_EARLY)).read_bytes()
    for vector in vectors:
        height = vector["size"] - 1
        shown = show(make(tmp_path / "c", "--height", height))
        assert (shown["format"], shown["network"], shown["height"]) == (2, "mainnet", height)
        assert shown["block_hash"] == hash_to_hex(hash256(headers[80 * height : 80 * height + 80]))
        assert int(shown["chainwork"], 16) == (height + 1) * 0x100010001
        assert shown["chainwork_from_anchor"] is False
        assert len(shown["times"]) == min(11, height + 1)
        unfinished = [hash_to_hex(bytes.fromhex(entry)) for entry in vector["unfinished"]]
        assert shown["accumulator"] == {"size": height + 1, "peaks": vector["peaks"], "unfinished": unfinished}


def test_make_without_a_height_takes_every_header(tmp_path: Path) -> None:
    path = tmp_path / "c"
    text = run("checkpoint", "make", "--headers", data_path(MAINNET_EARLY), "--network", "mainnet", "-o", path).stdout
    assert text == f"{path}: {path.stat().st_size} bytes; mainnet at height 10,236, computed from genesis\n"
    assert path.stat().st_size <= MAX_CHECKPOINT_SIZE


def test_in_steps_equals_at_once(tmp_path: Path) -> None:
    at_once = make(tmp_path / "at_once").read_bytes()
    first = make(tmp_path / "first", "--height", 4000)
    second = make(tmp_path / "second", "--from", first, "--start-height", 0, "--height", 7000)
    rest = put(tmp_path / "rest", Path(data_path(MAINNET_EARLY)).read_bytes()[80 * 7001 :])
    assert make(tmp_path / "third", "--from", second, headers=rest).read_bytes() == at_once
    own = put(tmp_path / "own", Path(data_path(MAINNET_EARLY)).read_bytes()[80 * 7000 :])
    assert make(tmp_path / "third", "--from", second, "--start-height", 7000, headers=own).read_bytes() == at_once
    middle = put(tmp_path / "middle", Path(data_path(MAINNET_EARLY)).read_bytes()[80 * 2016 :])
    assert make(tmp_path / "third", "--from", second, "--start-height", 2016, headers=middle).read_bytes() == at_once


def test_an_anchor_has_no_accumulator_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "c"
    options = "--start-height", 822528
    text = run(
        "checkpoint", "make", "--headers", data_path(MAINNET_LATE), "--network", "mainnet", "-o", path, *options
    ).stdout
    assert "from the anchor at height 822,528, which is trusted" in text
    assert "no accumulator" in text
    assert show(path)["accumulator"] is None
    assert show(path)["chainwork_from_anchor"] is True
    assert "none: " in run("checkpoint", "show", path).stdout
    result = recomputed(path, *options, headers=data_path(MAINNET_LATE))
    assert result == {
        "network": "mainnet",
        "height": 830592,
        "computed_from": "anchor",
        "from_height": 822528,
        "left_open": ["accumulator"],
    }


def test_verify(tmp_path: Path) -> None:
    first = make(tmp_path / "first", "--height", 4000)
    last = make(tmp_path / "last")
    assert recomputed(last) == {
        "network": "mainnet",
        "height": 10236,
        "computed_from": "genesis",
        "from_height": 0,
        "left_open": [],
    }
    result = recomputed(last, "--from", first, "--start-height", 0)
    assert (result["computed_from"], result["from_height"], result["left_open"]) == ("checkpoint", 4000, [])
    text = run("checkpoint", "verify", last, "--headers", data_path(MAINNET_EARLY)).stdout
    assert "computed    from genesis\n" in text


def test_an_anchor_is_compared_in_what_it_states(tmp_path: Path) -> None:
    headers = Path(data_path(MAINNET_EARLY)).read_bytes()
    part = put(tmp_path / "part", headers[80 * 5000 : 80 * 5006])
    path = make(tmp_path / "c", "--start-height", 5000, headers=part)
    result = recomputed(path)
    assert result["left_open"] == ["times", "epoch_first_time", "epoch_first_bits", "chainwork", "accumulator"]
    assert result["computed_from"] == "genesis"


def test_every_byte_of_a_checkpoint_counts(tmp_path: Path) -> None:
    headers = put(tmp_path / "headers", Path(data_path(MAINNET_EARLY)).read_bytes()[: 80 * 30])
    good = make(tmp_path / "good", headers=headers).read_bytes()
    path = tmp_path / "bad"
    for i in range(len(good)):
        path.write_bytes(good[:i] + bytes([good[i] ^ 0x04]) + good[i + 1 :])
        result = run("checkpoint", "verify", path, "--headers", headers, code=None)
        assert result.exit_code in (1, 2), i
        assert result.stdout == ""
        one_complaint(result.stderr)
    path.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    assert "CheckpointMismatch" in complaint("checkpoint", "verify", path, "--headers", headers, code=1)


def test_a_checkpoint_that_lies_is_refused(tmp_path: Path) -> None:
    path = make(tmp_path / "c", "--height", 10000)
    data = path.read_bytes()
    peak = bytes.fromhex(show(path)["accumulator"]["peaks"][0])
    work = bytes.fromhex(show(path)["chainwork"])
    for name, lie in (
        ("peaks", data.replace(peak, bytes(32))),
        ("chainwork", data.replace(work, b"\x01" + work[1:])),
    ):
        path.write_bytes(lie)
        said = complaint("checkpoint", "verify", path, "--headers", data_path(MAINNET_EARLY), code=1)
        assert said.startswith(f"{path}: CheckpointMismatch at height 10000: {name} differs")
    # an earlier checkpoint that lies is caught where its header stands in the file
    path.write_bytes(data)
    other = make(tmp_path / "other", "--height", 9000)
    lie = other.read_bytes().replace(hash_from(other), hash_from(path))
    other.write_bytes(lie)
    said = complaint(
        "checkpoint", "verify", path, "--headers", data_path(MAINNET_EARLY), "--from", other, "--start-height=0", code=1
    )
    assert "CheckpointMismatch at height 9000" in said


def hash_from(path: Path) -> bytes:
    return bytes.fromhex(show(path)["block_hash"])[::-1]


def test_headers_that_break_a_rule(tmp_path: Path) -> None:
    headers = bytearray(Path(data_path(MAINNET_EARLY)).read_bytes()[: 80 * 3000])
    headers[80 * 2500 + 70] ^= 1
    bad = put(tmp_path / "bad", bytes(headers))
    out = tmp_path / "c"
    said = complaint("checkpoint", "make", "--headers", bad, "--network", "mainnet", "-o", out, code=1)
    assert said.startswith(f"{bad}: BadProofOfWork at height 2500") or "height 2500" in said
    assert not out.exists()
    path = make(tmp_path / "good", "--height", 2999)
    assert "height 2500" in complaint("checkpoint", "verify", path, "--headers", bad, code=1)


def test_what_cannot_be_used(tmp_path: Path) -> None:
    early_headers, late_headers = data_path(MAINNET_EARLY), data_path(MAINNET_LATE)
    path = make(tmp_path / "c", "--height", 9000)
    out = tmp_path / "out"

    def unusable(*arguments: object) -> str:
        said = complaint("checkpoint", *arguments, code=2)
        assert not out.exists()
        return said

    made = ("make", "--network", "mainnet", "-o", out, "--headers")
    assert "10240 is wanted" in unusable(*made, early_headers, "--height", 10240)
    assert "begins at 9500" in unusable(*made, early_headers, "--from", path, "--start-height", 9500)
    assert "stands at 9000" in unusable(*made, early_headers, "--from", path, "--start-height", 0, "--height", 8000)
    assert "begins at 822528" in unusable("verify", path, "--headers", late_headers, "--start-height", 822528)
    assert "must begin there" in unusable("verify", path, "--headers", early_headers, "--start-height", 5)
    short = put(tmp_path / "short", Path(early_headers).read_bytes()[: 80 * 5000])
    assert "9000 is wanted" in unusable("verify", path, "--headers", short)
    for junk in (b"", b"hello", bytes(MAX_CHECKPOINT_SIZE + 1)):
        path.write_bytes(junk)
        unusable("show", path)
        unusable("verify", path, "--headers", early_headers)
        unusable(*made, early_headers, "--from", path)
    unusable("show", tmp_path)
    unusable("show", tmp_path / "none")


def test_networks(tmp_path: Path) -> None:
    for name in ("signet_000000_002015", "testnet3_000000_009999", "testnet4_000000_000100", "regtest_000000_000100"):
        network = name.split("_", maxsplit=1)[0]
        headers = data_path(f"headers/{name}.bin")
        path = make(tmp_path / network, headers=headers, network=network)
        assert recomputed(path, headers=headers)["network"] == network
        assert "WrongNetwork" in complaint(
            *("checkpoint", "make", "--network", "mainnet", "--headers", data_path(MAINNET_EARLY)),
            *("-o", tmp_path / "out", "--from", path),
            code=1,
        )
    miner = Miner(trivial_network())
    other = put(tmp_path / "other", bytes(miner.batch(3)))
    assert "BadGenesis" in complaint(
        "checkpoint", "make", "--headers", other, "--network", "regtest", "-o", tmp_path / "out", code=1
    )


# --- old payments ---


@pytest.mark.parametrize("size", [171, 176, 2000, 8192, SIZE])
def test_an_old_payment(tmp_path: Path, size: int) -> None:
    checkpoint = make(tmp_path / "c", "--height", size - 1)
    (line,) = verdicts(prove_for(tmp_path, size), "--checkpoint", checkpoint)
    assert (line["result"], line["height"], line["confirmations"]) == ("valid", 170, size - 170)
    assert line["anchored"] is True


def test_an_old_payment_as_text(tmp_path: Path) -> None:
    checkpoint = make(tmp_path / "c")
    proof = prove_for(tmp_path, SIZE)
    text = run("verify", proof, "--checkpoint", checkpoint).stdout
    assert text == f"{proof}: valid: {TXID} in block 170, 10,067 confirmations\n"
    text = run("verify", proof, *early()).stdout
    assert "10,067 confirmations" in text
    assert "not anchored" in run("verify", proof, "--unanchored").stdout


def test_a_path_for_another_size(tmp_path: Path) -> None:
    checkpoint = make(tmp_path / "c", "--height", 8999)

    def line(size: int, code: int) -> dict:
        (verdict,) = verdicts(prove_for(tmp_path, size), "--checkpoint", checkpoint, code=code)
        return verdict

    assert line(8192, 0)["result"] == "valid"
    newer = line(9001, 1)
    assert newer["error"] == "PathMismatch"
    assert "made for 9001 blocks, this chain has 9000" in newer["detail"]
    older = line(4000, 1)
    assert older["error"] == "PathMismatch"
    assert "make one for 9000" in older["detail"]


def test_without_what_it_takes(tmp_path: Path) -> None:
    checkpoint = make(tmp_path / "c")
    plain = prove(tmp_path)
    (line,) = verdicts(plain, "--checkpoint", checkpoint, code=1)
    assert line["error"] == "HeaderNotInChain"
    assert f"--for-size {SIZE}" in line["detail"]
    # the blocks of the unfinished leaf, and the checkpoint's own, are known without a path
    for height in (170, 172, 174):
        near = make(tmp_path / "near", "--height", height)
        assert verdicts(plain, "--checkpoint", near)[0]["confirmations"] == height - 169
    below = make(tmp_path / "near", "--height", 169)
    (line,) = verdicts(plain, "--checkpoint", below, code=1)
    assert line["error"] == "HeaderNotInChain"
    anchor = make(tmp_path / "anchor", "--start-height", 822528, headers=data_path(MAINNET_LATE))
    (line,) = verdicts(prove_for(tmp_path, SIZE), "--checkpoint", anchor, code=1)
    assert line["error"] == "HeaderNotInChain"
    assert "no accumulator" in line["detail"]


def test_confirmations(tmp_path: Path) -> None:
    checkpoint = make(tmp_path / "c")
    proof = prove_for(tmp_path, SIZE)
    verdicts(proof, "--checkpoint", checkpoint, "--min-confirmations", 10067)
    (line,) = verdicts(proof, "--checkpoint", checkpoint, "--min-confirmations", 10068, code=1)
    assert line["error"] == "NotEnoughConfirmations"


def test_arguments(tmp_path: Path) -> None:
    checkpoint = make(tmp_path / "c", "--height", 200)
    proof = prove_for(tmp_path, SIZE)
    block = tmp_path / "170"
    proving = ("prove", TXID, "--block", block, "--height", 170, "-o", tmp_path / "out")
    assert "go together" in complaint(*proving, "--for-size", 200, code=2)
    assert "go together" in complaint(*proving, *early(), code=2)
    assert "10237 are given" in complaint(*proving, *early(), "--for-size", SIZE + 1, code=2)
    assert "not among 170 blocks" in complaint(*proving, *early(), "--for-size", 170, code=2)
    elsewhere = [*proving, *early(), "--for-size", SIZE]
    elsewhere[5] = 171
    assert "another block at height 171" in complaint(*elsewhere, code=2)
    testnet = data_path("headers/testnet3_000000_009999.bin")
    assert "BadGenesis" in complaint(*proving, "--headers", testnet, "--for-size", SIZE, code=1)
    broken = bytearray(Path(data_path(MAINNET_EARLY)).read_bytes()[:80000])
    broken[80 * 500 + 10] ^= 1
    broken_path = put(tmp_path / "broken", bytes(broken))
    assert "BadLink at height 500" in complaint(*proving, "--headers", broken_path, "--for-size", 999, code=1)
    assert not (tmp_path / "out").exists()
    assert "exclude" in complaint("verify", proof, "--checkpoint", checkpoint, *early(), code=2)
    assert "exclude" in complaint("verify", proof, "--checkpoint", checkpoint, "--unanchored", code=2)
    assert "--start-height" in complaint("verify", proof, "--checkpoint", checkpoint, "--start-height", 5, code=2)
    said = complaint("verify", proof, "--checkpoint", checkpoint, "--network", "testnet3", code=1)
    assert "WrongNetwork" in said
    assert "not a checkpoint" in complaint("verify", proof, "--checkpoint", put(tmp_path / "junk", b"hello"), code=2)
