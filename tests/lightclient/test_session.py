"""Greeting, silence and end of a session, against a bridge that says what it likes."""

from mining import START_TIME
from scripted_bridge import NETWORK, ScriptedBridge, make_client, opened, request

from lightclient.limits import MAX_EVENTS, MAX_QUEUE
from lightclient.messages import (
    AUTHENTICATE,
    CHALLENGE,
    CREDIT,
    EVENT_REFUSED,
    GET_HEADERS,
    GONE,
    GOODBYE,
    HEADERS,
    HELLO,
    PING,
    PONG,
    PROOF,
    PROOF_DATA,
    STATUS,
    TIP,
    WATCH,
    WELCOME,
    authentication_mac,
)
from lightclient.session import ANSWER_TIMEOUT, PAUSE, QUIET_TIMEOUT
from lightclient.wire import encode_frame

HASH = b"\x11" * 32
# One good message of every type that a bridge can send in a session.
IN_SESSION = (
    (HEADERS, (0, NETWORK.genesis_header[4:36], 0, 0, b"")),
    (TIP, (5, HASH, START_TIME)),
    (PROOF, (1, 1, 100)),
    (PROOF_DATA, (1, 0, b"data")),
    (GONE, (1, 1)),
    (PING, (3,)),
    (PONG, (3,)),
    (CREDIT, (9,)),
)


def refusals(client):
    found = []
    event = client.next_event()
    while event:
        if event[0] == EVENT_REFUSED:
            found.append(event[5])
        event = client.next_event()
    return found


def frames(client):
    """Types of the frames that the client sends."""
    found = []
    data = client.next_output()
    while data:
        found.append(data[1])
        data = client.next_output()
    return found


def test_a_session_opens():
    client = make_client()
    client.wait_for(request(1))
    client.wait_for(request(2))
    bridge = ScriptedBridge(client)
    bridge.greet()
    assert client.is_open
    assert [kind for kind, _ in bridge.heard] == [HELLO, WATCH, WATCH, GET_HEADERS, STATUS]
    locator, count = bridge.take(GET_HEADERS)[0]
    assert locator == bytes(4) + client.chain.state.block_hash and count == 96


def test_before_the_welcome_everything_else_is_ignored():
    client = make_client()
    for kind, values in IN_SESSION:  # not even begun
        ScriptedBridge(client).raw(kind, values, 5)
    ScriptedBridge(client).raw(WELCOME, (1, NETWORK.name, bytes(16), 0, 4, "", 0))
    ScriptedBridge(client).raw(CHALLENGE, (HASH,))
    assert frames(client) == [] and not client.is_open
    client.tick(0)
    assert frames(client) == [HELLO]
    for kind, values in IN_SESSION:
        ScriptedBridge(client).raw(kind, values, 77)
    assert frames(client) == [] and not client.is_open and client.best_height == 0
    assert refusals(client) == []


def test_a_welcome_to_another_hello_is_ignored():
    client = make_client()
    bridge = ScriptedBridge(client)
    bridge.greet(nonce=b"\x99" * 16)
    assert not client.is_open
    first = bridge.hello[7]
    bridge.turn(ANSWER_TIMEOUT + 1)  # nothing came that counts: it begins anew, with a fresh nonce
    assert bridge.hello[7] != first
    bridge.raw(WELCOME, (1, NETWORK.name, first, 0, 4, "", 0))
    assert not client.is_open
    bridge.greet()
    assert client.is_open


def test_a_replayed_welcome_ends_the_session_and_opens_none():
    client, bridge, _ = opened(10)
    welcome = (1, NETWORK.name, bridge.hello[7], START_TIME, 4, "", 0)
    bridge.raw(WELCOME, welcome, bridge.endpoint._sequence - 1)  # not even as a repetition
    assert not client.is_open
    bridge.raw(WELCOME, welcome)  # its HELLO is gone, and no other has been sent
    assert not client.is_open and frames(client) == []
    assert "second greeting" in refusals(client)[-1]
    bridge.turn(PAUSE)
    bridge.greet()
    assert client.is_open and client.chain.tip_height == 10


def test_a_challenge_in_a_session_ends_it():
    client, bridge, _ = opened()
    bridge.say(CHALLENGE, HASH)
    assert not client.is_open


def test_the_pairing_key_is_proved():
    client = make_client(pairing_key=b"k" * 32)
    bridge = ScriptedBridge(client)
    bridge.turn()
    bridge.say(CHALLENGE, HASH)
    (mac,) = bridge.take(AUTHENTICATE)[0]
    assert mac == authentication_mac(b"k" * 32, HASH, bridge.hello[7], b"device")
    bridge.greet()
    assert client.is_open


def test_another_network_or_version_is_refused():
    for options, word in (({"network": "signet"}, "WrongNetwork"), ({"version": 2}, "version 2")):
        client = make_client()
        ScriptedBridge(client).greet(**options)
        assert not client.is_open and word in refusals(client)[0]


def test_goodbye_ends_a_session_and_the_next_begins_after_a_pause():
    client, bridge, _ = opened()
    bridge.say(GOODBYE, 0xA3, "NotPaired: go away")
    assert not client.is_open and refusals(client) == ["bridge: NotPaired: go away"]
    bridge.turn(PAUSE - 1)
    assert bridge.take(HELLO) == []
    bridge.turn(1)
    assert len(bridge.take(HELLO)) == 1
    # a bridge that refuses us for ever is asked once in a pause
    hellos = 0
    for _ in range(100):
        bridge.say(GOODBYE, 0xA3, "")
        bridge.turn(PAUSE // 10)
        hellos += len(bridge.take(HELLO))
    assert hellos <= 10


def test_everything_out_of_place_ends_the_session():
    bad = (
        (HELLO, (1, NETWORK.name, 256, 1, b"", "", 0, b"n" * 16)),
        (WATCH, (1, b"\x51", 0, 1, 0)),
        (STATUS, (0, 0, HASH, 0, 0, "")),
    )
    for kind, values in bad:
        client, bridge, _ = opened()
        bridge.say(kind, *values)
        assert not client.is_open, kind
        assert "wrong end" in refusals(client)[0]
    for payload in (b"", b"\x80", b"\x81\x00", b"\xff" * 40, b"\x9f\xff", b"\x86" + b"\x00" * 6):
        for kind in (HEADERS, PROOF, 0, 23, 255):
            client, bridge, _ = opened()
            line = encode_frame(kind, 1, payload)
            client.receive(line, 0, len(line))
            assert not client.is_open


def test_a_gap_ends_the_session_and_a_repetition_does_nothing():
    client, bridge, _ = opened()
    bridge.say(PING, 1)
    bridge.take(PONG)
    bridge.raw(PING, (1,), bridge.endpoint._sequence - 1)
    assert client.is_open and frames(client) == []
    bridge.raw(PING, (1,), bridge.endpoint._sequence + 1)
    assert not client.is_open and "missing" in refusals(client)[0]


def test_silence():
    client, bridge, _ = opened(3)
    bridge.turn(QUIET_TIMEOUT)
    assert bridge.take(PING) == []
    bridge.turn(1)
    assert len(bridge.take(PING)) == 1
    bridge.turn(ANSWER_TIMEOUT)
    bridge.say(PONG, 0)
    bridge.turn(1)
    assert client.is_open and bridge.take(HELLO) == []
    bridge.turn(QUIET_TIMEOUT + 1)
    bridge.turn(ANSWER_TIMEOUT + 1)  # no PONG
    assert not client.is_open and len(bridge.take(HELLO)) == 1
    for _ in range(5):  # nor a WELCOME
        bridge.turn(ANSWER_TIMEOUT + 1)
        assert len(bridge.take(HELLO)) == 1
    bridge.greet()
    assert client.is_open and client.chain.tip_height == 3


def test_headers_that_do_not_come_end_the_session_whatever_else_comes():
    client, bridge, _ = opened()
    assert client._awaited == HEADERS
    for _ in range(ANSWER_TIMEOUT // 1000):
        bridge.turn(1000)
        bridge.say(PONG, 0)  # the answer to nothing
        bridge.say(PING, 0)
    assert client.is_open
    bridge.turn(1000)
    assert not client.is_open


def test_a_bridge_that_grants_nothing_is_left():
    client = make_client()
    bridge = ScriptedBridge(client, credit=1, deaf=True)
    bridge.greet()
    assert client.is_open
    for _ in range(MAX_QUEUE + 2):
        bridge.say(PING, 1)
    assert not client.is_open
    assert len(client.endpoint._waiting) == 0


def test_a_request_for_which_there_is_no_room_waits_for_the_next_session():
    client = make_client()
    bridge = ScriptedBridge(client, credit=1, deaf=True)
    bridge.greet()
    while client.endpoint.has_places(1):
        bridge.say(PING, 1)
    client.wait_for(request(5))
    assert not client.is_open and 5 in client.book.requests
    bridge.credit = 100
    bridge.turn(PAUSE)
    bridge.greet()
    assert [values[0] for values in bridge.take(WATCH)] == [5]


def test_more_frames_than_were_granted_end_the_session():
    client, bridge, _ = opened()
    sent = 0
    while client.is_open and sent < 1000:
        # never read what the device answers, its CREDIT above all
        bridge.endpoint._allowed = 1 << 20
        bridge.endpoint.send(PING, (sent,))
        data = bridge.endpoint.next_output()
        client.receive(data, 0, len(data))
        sent += 1
    assert sent < 100 and not client.is_open


def test_a_lost_session_is_not_opened_by_what_is_left_of_it():
    client, bridge, _ = opened(5)
    bridge.endpoint._allowed = 1000
    bridge.endpoint.send(PING, (1,))
    bridge.endpoint.send(TIP, (9, HASH, START_TIME))
    late = [bridge.endpoint.next_output(), bridge.endpoint.next_output()]
    client.end_session()
    for line in late:
        client.receive(line, 0, len(line))
    bridge.turn(PAUSE)
    for line in late:
        client.receive(line, 0, len(line))
    assert not client.is_open and client.best_height == 5
    bridge.greet()
    assert client.is_open


def test_events_are_bounded():
    client = make_client()
    client.tick(0)
    for _ in range(3 * MAX_EVENTS):
        client.tick(client.clock.now_ms + PAUSE)
        ScriptedBridge(client).raw(GOODBYE, (1, "x" * 100))
    assert len(refusals(client)) == MAX_EVENTS
