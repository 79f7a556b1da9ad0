"""docs/ACCUMULATOR.md and its vectors say what the code does, and the tool still makes them."""

import json
import subprocess
import sys
from pathlib import Path

from support import data_path, repository_path

from lightclient.headers.accumulator import Accumulator
from lightclient.headers.checkpoint import encode_checkpoint
from lightclient.headers.path import MAX_PATH_HASHES, MAX_PEAKS_SIZE, path_hashes
from lightclient.headers.rules import HeaderRules
from lightclient.params import MAINNET

DOCUMENT = Path(repository_path("docs/ACCUMULATOR.md")).read_text()
VECTORS = Path(repository_path("docs/accumulator-vectors.json"))


def test_the_tool_makes_these_vectors(tmp_path: Path) -> None:
    out = tmp_path / "vectors.json"
    tool = repository_path("tools/make_accumulator_vectors.py")
    subprocess.run([sys.executable, tool, data_path("headers/mainnet_000000_010236.bin"), out], check=True)
    assert json.loads(out.read_text()) == json.loads(VECTORS.read_text())


def test_the_numbers_it_names() -> None:
    assert f"at most {MAX_PEAKS_SIZE} bytes" in DOCUMENT
    assert f"at most {MAX_PATH_HASHES} hashes" in DOCUMENT
    longest = max(path_hashes(height, 1_000_000) for height in (0, 524_287, 524_288, 999_999))
    assert f"({longest} or fewer below a million blocks)" in DOCUMENT
    assert max(bin(size // 8).count("1") for size in range(0, 1_000_000, 8)) * 32 <= 544


def test_the_hashes_it_shows() -> None:
    vectors = json.loads(VECTORS.read_text())
    made = {state["size"]: state["peaks"] for state in vectors["made"]["states"]}
    mainnet = {state["size"]: state["peaks"] for state in vectors["mainnet"]["states"]}
    assert made[8][0] in DOCUMENT
    assert made[16][0] in DOCUMENT
    assert "```text\n" + "\n".join(mainnet[2016]) + "\n```" in DOCUMENT


def test_a_checkpoint_holds_them() -> None:
    rules = HeaderRules(MAINNET)
    rules.begin_at_genesis(MAINNET.genesis_header, 0, Accumulator())
    data = encode_checkpoint(MAINNET, rules.state)
    assert data.endswith(b"\x0b\x40\x0c\x58\x20" + rules.state.block_hash)  # no peaks, one hash
