"""Pairing on the device's side: who may give it a key, and what it does with one."""

from hashlib import sha256

from scripted_bridge import ScriptedBridge, make_client, opened

from lightclient.errors import StoreFull
from lightclient.limits import MAX_CERTIFICATE, MAX_HOST, MAX_NAME, MAX_SSID, MAX_WIFI_PASSWORD
from lightclient.messages import (
    AUTHENTICATE,
    CHALLENGE,
    EVENT_REFUSED,
    GOODBYE,
    HELLO,
    PAIR,
    PAIRED,
    authentication_mac,
    encode,
)
from lightclient.pairing import pairing_mac, short_fingerprint
from lightclient.session import PAUSE

OLD = b"k" * 32
NEW = b"n" * 32
CERTIFICATE = bytes(range(200)) * 2
FIELDS = (NEW, CERTIFICATE, "192.168.1.20", 8433, b"K\xc3\xbcche", "pass word", "signet")
WIFI = (b"s" * MAX_SSID, "p" * MAX_WIFI_PASSWORD)
LARGEST = (NEW, bytes(MAX_CERTIFICATE), "h" * MAX_HOST, 0xFFFF) + WIFI + ("n" * MAX_NAME,)


def mac_for(fields, key, nonce):
    buffer = bytearray(1600)
    length = encode(PAIR, fields + (b"",), buffer)
    return pairing_mac(key, nonce, memoryview(buffer)[: length - 1])


def greeted(pairing_key=b"", taken=None):
    """A client on a cable that has said HELLO, and its bridge; what is paired comes into `taken`."""
    client = make_client(pairing_key=pairing_key)
    client.on_pair = None if taken is None else taken.append
    bridge = ScriptedBridge(client)
    bridge.turn()
    if bridge.hello is None:
        bridge.turn(PAUSE)
    bridge.heard = []
    return client, bridge


def pair(bridge, fields, mac):
    if len(bridge.endpoint._scratch) < 1600:
        bridge.endpoint._scratch = bytearray(1600)
        bridge.endpoint._view = memoryview(bridge.endpoint._scratch)
    bridge.say(PAIR, *(fields + (mac,)))


def refused(bridge):
    """Whether the device said GOODBYE with AuthenticationFailed, and nothing else."""
    return [(kind, values[0]) for kind, values in bridge.heard] == [(GOODBYE, 0xA4)]


def proves(client, bridge, key):
    """Whether the client's next session proves to know `key`."""
    bridge.heard = []
    bridge.turn(PAUSE)
    challenge = b"\x11" * 32
    bridge.say(CHALLENGE, challenge)
    return bridge.take(AUTHENTICATE) == [[authentication_mac(key, challenge, bridge.hello[7], b"device")]]


def test_a_device_without_a_key_takes_any():
    for fields in (FIELDS, LARGEST, (NEW, b"", "", 0, b"", "", "")):
        for mac in (b"", b"m" * 32):
            taken = []
            client, bridge = greeted(b"", taken)
            pair(bridge, fields, mac)
            fingerprint = sha256(fields[1]).digest() if fields[1] else b""
            assert bridge.heard == [(PAIRED, [b"device", fingerprint])]
            (got,) = taken
            assert (got.pairing_key, got.certificate, got.host) == fields[:3]
            assert (got.port, got.wifi_ssid, got.wifi_password, got.network) == fields[3:]
            assert not client.is_open and proves(client, bridge, NEW)


def test_a_paired_device_takes_another_key_from_who_knows_the_present_one():
    for fields in (FIELDS, LARGEST):
        taken = []
        client, bridge = greeted(OLD, taken)
        pair(bridge, fields, mac_for(fields, OLD, bridge.hello[7]))
        assert len(taken) == 1 and bridge.heard[0][0] == PAIRED
        assert proves(client, bridge, NEW)


def test_a_stranger_takes_no_paired_device_over():
    nonce = None
    for case in range(5 + len(FIELDS)):
        taken = []
        client, bridge = greeted(OLD, taken)
        fields = FIELDS
        mac = mac_for(FIELDS, OLD, bridge.hello[7])
        if case == 0:
            mac = b""
        elif case == 1:
            mac = mac_for(FIELDS, NEW, bridge.hello[7])
        elif case == 2:  # of a HELLO before
            mac = mac_for(FIELDS, OLD, nonce or bytes(16))
        elif case == 3:
            mac = bytes([mac[0] ^ 1]) + mac[1:]
        elif case == 4:
            mac = authentication_mac(OLD, bytes(32), bridge.hello[7], b"device")
        else:  # it speaks for these fields alone
            other = (b"x" * 32, b"", "192.168.1.21", 8434, b"Kueche", "pass word!", "regtest")
            i = case - 5
            fields = FIELDS[:i] + (other[i],) + FIELDS[i + 1 :]
        nonce = bridge.hello[7]
        pair(bridge, fields, mac)
        assert refused(bridge) and taken == [], case
        assert not client.is_open and "AuthenticationFailed" in client.next_event()[5]
        assert proves(client, bridge, OLD), case


def test_bytes_do_not_move_from_one_field_to_the_next():
    taken = []
    _, bridge = greeted(OLD, taken)
    mac = mac_for(FIELDS, OLD, bridge.hello[7])
    pair(bridge, (NEW, CERTIFICATE, "192.168.1.20", 8433, b"K\xc3\xbcchep", "ass word", "signet"), mac)
    assert refused(bridge) and taken == []


def test_nobody_pairs_a_device_over_a_network():
    for key in (b"", OLD):
        client, bridge = greeted(key)
        pair(bridge, FIELDS, mac_for(FIELDS, key, bridge.hello[7]))
        assert refused(bridge) and "cable" in client.next_event()[5]


def test_what_cannot_be_stored_changes_nothing():
    def full(_):
        raise StoreFull("settings.json: no room")

    client, bridge = greeted(OLD, [])
    client.on_pair = full
    pair(bridge, FIELDS, mac_for(FIELDS, OLD, bridge.hello[7]))
    assert [(kind, values[0]) for kind, values in bridge.heard] == [(GOODBYE, 0x84)]
    assert proves(client, bridge, OLD)


def test_pairing_is_no_part_of_a_session():
    client, bridge, _ = opened()
    taken = []
    client.on_pair = taken.append
    pair(bridge, FIELDS, b"")
    assert not client.is_open and taken == []
    events = []
    event = client.next_event()
    while event:
        events.append(event)
        event = client.next_event()
    assert [e[5] for e in events if e[0] == EVENT_REFUSED][-1:] == ["BadMessage: a second greeting"]
    # nor of the pause between two
    pair(bridge, FIELDS, b"")
    assert taken == [] and bridge.take(PAIRED) == []
    bridge.turn(PAUSE)
    assert len(bridge.take(HELLO)) == 1


def test_after_the_answer_nothing_of_the_greeting_is_left():
    taken = []
    client, bridge = greeted(b"", taken)
    pair(bridge, FIELDS, b"")
    pair(bridge, FIELDS, b"")
    assert len(taken) == 1
    bridge.turn(PAUSE)
    bridge.greet()
    assert client.is_open


def test_what_people_compare():
    assert short_fingerprint(bytes(range(0xA0, 0xC0))) == "A0A1 A2A3 A4A5"
    assert short_fingerprint(b"") == "without a certificate"
