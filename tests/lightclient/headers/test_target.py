from mining import trivial_network
from support import cases, raises

from lightclient.errors import BadProofOfWork, LightClientError, MalformedBits
from lightclient.headers.target import bits_to_target, check_proof_of_work, target_to_bits, work
from lightclient.params import MAINNET, NETWORKS, Network

# every target of 256 bits is allowed here, so that only the form is judged
ANY = Network("any", "", 0x2100FFFF, 0)


def test_compact_bits_vectors_of_core():
    seen = 0
    for case in cases("vectors/compact_bits.json", "cases"):
        seen += 1
        if "compact" not in case:
            assert target_to_bits(int(case["value_hex"], 16)) == int(case["reencoded"], 16)
            continue
        bits = int(case["compact"], 16)
        if case["overflow"] or case["negative"] or int(case["target_hex"], 16) == 0:
            raises(MalformedBits, bits_to_target, bits, ANY)
        else:
            target = int(case["target_hex"], 16)
            assert bits_to_target(bits, ANY) == target
            assert target_to_bits(target) == int(case["reencoded"], 16)
    assert seen == 21


def test_proof_of_work_vectors():
    seen = 0
    for case in cases("vectors/retarget_and_pow.json", "proof_of_work_cases"):
        seen += 1
        bits = int(case["bits"], 16)
        number = int(case["hash_hex"], 16) if "hash_hex" in case else case["hash_value"]
        block_hash = number.to_bytes(32, "little")
        try:
            check_proof_of_work(block_hash, bits_to_target(bits, MAINNET))
            verdict = "valid"
        except LightClientError as error:
            verdict = "invalid"
            assert type(error) is (BadProofOfWork if case["name"] == "hash above target" else MalformedBits)
        assert verdict == case["expected"], case["name"]
    assert seen == 6


def test_a_sign_an_overflow_zero_and_a_target_above_the_limit_are_malformed():
    for bits in (0x1D80FFFF, 0x04923456, 0xFF7FFFFF, 0x23000001, 0, 0x01003456, 0x1D010000, 0x1E00FFFF):
        error = raises(MalformedBits, bits_to_target, bits, MAINNET, 7)
        assert error.height == 7 and "%08x" % bits in str(error)


def test_limits_are_the_networks_own():
    for network in NETWORKS.values():
        assert bits_to_target(network.pow_limit_bits, network) == network.pow_limit
        assert target_to_bits(network.pow_limit) == network.pow_limit_bits


def test_work_of_difficulty_one():
    assert work(bits_to_target(0x1D00FFFF, MAINNET)) == 0x100010001
    assert work(bits_to_target(0x207FFFFF, trivial_network())) == 2
