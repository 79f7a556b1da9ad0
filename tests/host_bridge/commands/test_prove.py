"""`lightclient prove` on the real blocks and merkleblocks of the shared data."""

import json
from pathlib import Path

import pytest
from command_line import BLOCK_170, MERKLEBLOCK_170, complaint, early, late, one_complaint, put, run, verdicts
from known_blocks import BLOCK_170_TRANSACTIONS, BLOCK_170_TXIDS_HEX, BLOCK_100000_TRANSACTIONS, BLOCK_100000_TXIDS_HEX
from proof_cases import proof_170
from support import cases, data_path

from host_bridge.payments.raw_block import parse_block
from lightclient.hashes import hash_to_hex
from lightclient.params import MAINNET, NETWORKS

ENCODING = ("TruncatedInput", "TrailingData", "NonCanonicalEncoding", "LimitExceeded")


def blocks():
    return json.loads(Path(data_path("blocks/index.json")).read_text())


@pytest.mark.parametrize("entry", blocks(), ids=lambda entry: f"{entry['network']}-{entry['height']}")
def test_prove_from_every_block(tmp_path, entry):
    path = data_path(entry["file"])
    raw = Path(path).read_bytes()
    network = NETWORKS[entry["network"]]
    transactions = parse_block(raw)
    told = entry["height"] >= network.bip34_height or entry["height"] == 0
    options = ["--network", network.name, *([] if told else ["--height", entry["height"]])]
    for index in sorted({0, 1, len(transactions) // 2, len(transactions) - 1} & set(range(len(transactions)))):
        txid = hash_to_hex(transactions[index][2])
        proof = tmp_path / "proof.lcproof"
        said = run("prove", txid, "--block", path, "-o", proof, *options)
        place = f"transaction {index} of block {entry['height']:,} on {network.name}"
        assert said.stdout == f"{proof}: {proof.stat().st_size:,} bytes; {place}\n" and said.stderr == ""
        line = verdicts(proof, "--unanchored", "--network", network.name)[0]
        assert (line["result"], line["txid"], line["height"]) == ("valid", txid, entry["height"])
        if network is MAINNET and (entry["height"] in (0, 170) or entry["height"] == 830000):
            assert verdicts(proof, *(late() if entry["height"] > 170 else early()))[0]["anchored"] is True
    if not told:
        assert "must be given" in complaint("prove", txid, "--block", path, "-o", proof, *options[:2], code=2)
    elif entry["height"]:
        said = complaint("prove", txid, "--block", path, "-o", proof, "--height", entry["height"] + 1, *options, code=1)
        assert said.startswith(f"{path}: HeightMismatch at height {entry['height'] + 1}: ")


def test_prove_from_hex(tmp_path):
    block = tmp_path / "block.hex"
    proof = tmp_path / "proof"
    for text in (BLOCK_170.hex() + "\n", BLOCK_170.hex().upper() + "\r\n"):
        block.write_text(text)
        run("prove", BLOCK_170_TXIDS_HEX[1].upper(), "--block", block, "-o", proof, "--height=170")
        assert proof.read_bytes() == proof_170()
    for text in ("hello\n", BLOCK_170.hex()[:-1], BLOCK_170.hex() + " x", "{}"):
        block.write_text(text)
        assert "text that is not hex" in complaint(
            "prove", BLOCK_170_TXIDS_HEX[1], "--block", block, "-o", proof, "--height=170", code=2
        )


def test_prove_from_the_real_merkleblocks(tmp_path):
    """Those that match the coinbase, and whose block is here; the others lack it and are refused."""
    here = {entry["block_hash"]: entry for entry in blocks()}
    made = refused = 0
    for case in cases("proofs/merkleblocks_bip37.json"):
        entry = here.get(case["block_hash"])
        if entry is None:
            continue
        raw = Path(data_path(entry["file"])).read_bytes()
        transactions = [raw[start:end] for start, end, _ in parse_block(raw)]
        merkleblock = tmp_path / "merkleblock.hex"
        merkleblock.write_text(case["merkleblock_hex"] + "\n")
        coinbase = put(tmp_path / "coinbase", transactions[0])
        matches = case["matches"] if case["expected"] == "valid" else [{"index": 1, "txid": "55" * 32}]
        for match in matches[:: max(1, len(matches) // 4)]:
            tx = tmp_path / "tx.hex"
            tx.write_text(transactions[match["index"]].hex())
            proof = tmp_path / "proof.lcproof"
            proof.unlink(missing_ok=True)
            arguments = ["prove", match["txid"], "--merkleblock", merkleblock, "--tx", tx, "--coinbase", coinbase]
            arguments += ["-o", proof, "--height", entry["height"], "--network", entry["network"]]
            if case["expected"] == "valid" and case["matches"][0]["index"] == 0:
                run(*arguments)
                direct = tmp_path / "direct"
                run("prove", match["txid"], "--block", data_path(entry["file"]), "-o", direct, *arguments[-4:])
                assert proof.read_bytes() == direct.read_bytes()
                assert verdicts(proof, "--unanchored")[0]["result"] == "valid"
                made += 1
                continue
            refused += 1
            result = run(*arguments, code=None)
            said = one_complaint(result.stderr)
            unusable = said.startswith(ENCODING)  # no merkleblock, then; else it breaks a rule
            assert result.stdout == "" and result.exit_code == (2 if unusable else 1), said
            assert not proof.exists()
            if case["expected"] == "valid":
                assert said.startswith("MissingCoinbaseProof: ")
    assert (made, refused) >= (5, 10)


def test_prove_from_a_merkleblock(tmp_path):
    files = tmp_path / "merkleblock", tmp_path / "tx", tmp_path / "coinbase"
    put(files[0], MERKLEBLOCK_170)
    put(files[1], BLOCK_170_TRANSACTIONS[1])
    put(files[2], BLOCK_170_TRANSACTIONS[0])
    proof = tmp_path / "proof"
    options = ["--merkleblock", files[0], "--height=170", "-o", proof]
    run("prove", BLOCK_170_TXIDS_HEX[1], *options, "--tx", files[1], "--coinbase", files[2])
    assert proof.read_bytes() == proof_170(1)
    for coinbase in ([], ["--coinbase", files[2]]):
        run("prove", BLOCK_170_TXIDS_HEX[0], *options, "--tx", files[2], *coinbase)
        assert proof.read_bytes() == proof_170(0)
    proof.unlink()
    # the transaction is not that of TXID, or the coinbase is missing, or is none
    said = complaint("prove", BLOCK_170_TXIDS_HEX[0], *options, "--tx", files[1], "--coinbase", files[2], code=2)
    assert said == f"the transaction given is {BLOCK_170_TXIDS_HEX[1]}"
    said = complaint("prove", BLOCK_170_TXIDS_HEX[1], *options, "--tx", files[1], code=2)
    assert said.startswith("the coinbase is needed too")
    said = complaint("prove", BLOCK_170_TXIDS_HEX[1], *options, "--tx", files[1], "--coinbase", files[1], code=1)
    assert said.startswith("TxidMismatch: ")
    put(files[1], BLOCK_100000_TRANSACTIONS[1])
    said = complaint("prove", BLOCK_170_TXIDS_HEX[1], *options, "--tx", files[1], "--coinbase", files[2], code=2)
    assert said == f"the merkleblock does not match transaction {BLOCK_100000_TXIDS_HEX[1]}"
    for i in range(3):
        whole = files[i].read_bytes()
        put(files[i], whole[:-1])
        said = complaint("prove", BLOCK_170_TXIDS_HEX[1], *options, "--tx", files[1], "--coinbase", files[2], code=2)
        assert said.startswith("TruncatedInput: ")
        put(files[i], whole)
        if i == 0:
            put(files[1], BLOCK_170_TRANSACTIONS[1])
    assert sorted(tmp_path.iterdir()) == sorted(files)


def test_arguments_of_prove(tmp_path):
    block = put(tmp_path / "block", BLOCK_170)
    out = ["-o", tmp_path / "proof", "--height=170"]
    txid = BLOCK_170_TXIDS_HEX[1]
    for bad in ("", "x", txid[:-1], txid + "0", "g" * 64, "é" * 64, "\ud800" * 64):
        assert complaint("prove", bad, "--block", block, *out, code=2) == "TXID: 64 hex digits belong there"
    for options in (
        [],
        ["--block", block, "--merkleblock", block],
        ["--block", block, "--tx", block],
        ["--block", block, "--coinbase", block],
        ["--merkleblock", block],
        ["--merkleblock", block, "--coinbase", block],
        ["--tx", block],
    ):
        assert complaint("prove", txid, *options, *out, code=2).startswith("either --block is needed")
    assert "Error: " in run("prove", txid, "--block", block, code=2).stderr
    for height in (-1, 1 << 30, "x"):
        assert "Error: " in run("prove", txid, "--block", block, *out, f"--height={height}", code=2).stderr
    said = complaint("prove", "00" * 32, "--block", block, *out, code=2)
    assert said.startswith(f"transaction {'00' * 32} is not in block 00000000d1145790")
    said = complaint("prove", txid, "--block", block, *out, "--network=regtest", code=1)
    assert said.startswith(f"{block}: WrongNetwork: on regtest all bits are 207fffff")
    assert not (tmp_path / "proof").exists()


def test_a_height_that_the_coinbase_contradicts(tmp_path):
    """Also below the height from which BIP34 holds on the network: what stands there is above it."""
    block = Path(data_path("blocks/mainnet_830000.blk"))
    txid = hash_to_hex(parse_block(block.read_bytes())[1][2])
    proving = ("prove", txid, "--block", block, "-o", tmp_path / "proof")
    for height in (0, 170, 829999, 830001):
        said = complaint(*proving, "--height", height, code=1)
        assert said == f"{block}: HeightMismatch at height {height}: the coinbase tells height 830000 (BIP34)"
    assert "WrongNetwork" in complaint(*proving, "--network=regtest", code=1)
    made = json.loads(run(*proving, "--json").stdout)
    assert (made["height"], made["txid"], made["for_size"]) == (830000, txid, None)
    assert made["bytes"] == (tmp_path / "proof").stat().st_size
