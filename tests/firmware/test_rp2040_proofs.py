"""The catalogue of bad proofs, and good ones beside them, judged by the frozen machine code of an RP2040."""

import json

from board_and_bridge import firmware_image
from emulated_pico import FILES_SIZE, EmulatedPico
from littlefs_image import make_image
from proof_cases import parts_of
from support import cases, data_path

from lightclient.errors import LightClientError
from lightclient.params import NETWORKS
from lightclient.spv.proof import ProofVerifier

VALID = 30  # of the 112: the others take the same ways

JUDGE = """
import firmware.main
import json
from lightclient.errors import LightClientError
from lightclient.params import NETWORKS
from lightclient.spv.proof import ProofVerifier
verifier = ProofVerifier()
piece = bytearray(4096)
with open("index.json") as file:
    index = json.load(file)
with open("proofs.bin", "rb") as file:
    for network, size in index:
        error_name = ""
        try:
            verifier.begin(NETWORKS[network], None)
        except LightClientError as error:
            error_name = type(error).__name__
        while size:
            count = file.readinto(memoryview(piece)[:min(size, len(piece))])
            size -= count
            if not error_name:
                try:
                    verifier.feed(piece, 0, count)
                except LightClientError as error:
                    error_name = type(error).__name__
        try:
            if not error_name:
                verifier.close()
        except LightClientError as error:
            error_name = type(error).__name__
        print(error_name or "accepted", verifier.txid.hex() if not error_name else "")
"""


def judged(network: str, container: bytes) -> str:
    """What this computer says, in the board's words."""
    verifier = ProofVerifier()
    try:
        verifier.begin(NETWORKS[network], None)
        verifier.feed(container, 0, len(container))
        verifier.close()
    except LightClientError as error:
        return type(error).__name__
    return "accepted " + verifier.txid.hex()


def test_the_chip_judges_as_a_computer_does() -> None:
    data_path("proofs/proofs_adversarial.json")  # skips where the data is absent
    found: list[tuple[str, bytes]] = []
    for name in ("mutated", "adversarial"):
        file = "proofs_invalid_mutated" if name == "mutated" else "proofs_adversarial"
        found += [(case["network"], b"".join(parts_of(case))) for case in cases(f"proofs/{file}.json")]
    bad = len(found)
    valid = [(case["network"], b"".join(parts_of(case))) for case in cases("proofs/proofs_valid_from_blocks.json")]
    found += valid[:: len(valid) // VALID]
    index = json.dumps([(network, len(container)) for network, container in found]).encode()
    files = {"index.json": index, "proofs.bin": b"".join(container for _, container in found)}
    said = EmulatedPico(firmware_image(), make_image(files, FILES_SIZE)).execute(JUDGE, 60).split("\r\n")
    expected = [judged(network, container) for network, container in found]
    assert [line.strip() for line in said if line] == expected
    assert bad == 55 and not any(word.startswith("accepted") for word in expected[:bad])
    assert all(word.startswith("accepted") for word in expected[bad:])
