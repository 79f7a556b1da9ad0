"""What the owner asks over a cable: who may ask, when, and what becomes of the greeting."""

from scripted_bridge import ScriptedBridge, make_client, opened

from lightclient.errors import LimitExceeded
from lightclient.limits import MAX_TOLD
from lightclient.messages import (
    ASK,
    ASK_IDENTIFY,
    ASK_INFO,
    EVENT_REFUSED,
    GOODBYE,
    HELLO,
    QUESTIONS,
    TOLD,
    encode,
)
from lightclient.pairing import asking_mac, pairing_mac
from lightclient.session import ANSWER_TIMEOUT, PAUSE

KEY = b"k" * 32
NOT_ALLOWED = 0xA4


def greeted(pairing_key=b"", asked=None):
    """A client on a cable that has said HELLO, and its bridge; what is asked comes into `asked`."""
    client = make_client(pairing_key=pairing_key)

    def answer(question, argument):
        asked.append((question, bytes(argument)))
        return b"x" * MAX_TOLD, 7

    client.on_ask = None if asked is None else answer
    bridge = ScriptedBridge(client)
    bridge.turn()
    if bridge.hello is None:
        bridge.turn(PAUSE)
    bridge.heard = []
    return client, bridge


def mac_for(question, argument, key, nonce, make=asking_mac):
    buffer = bytearray(600)
    length = encode(ASK, (question, argument, b""), buffer)
    return make(key, nonce, memoryview(buffer)[: length - 1])


def codes(bridge):
    return [values[0] for values in bridge.take(TOLD)]


def test_a_device_without_a_key_answers_any():
    for question in range(len(QUESTIONS)):
        for mac in (b"", b"m" * 32):
            asked = []
            client, bridge = greeted(b"", asked)
            bridge.say(ASK, question, b"about", mac)
            (told,) = bridge.take(TOLD)
            assert (told[0], told[1], bytes(told[2])) == (0, 7, b"x" * MAX_TOLD)
            assert asked == [(question, b"about")] and not client.is_open
            bridge.greet()  # it has not disturbed the greeting
            assert client.is_open


def test_only_who_knows_the_key_is_answered():
    asked = []
    client, bridge = greeted(KEY, asked)
    nonce = bridge.hello[7]
    right = mac_for(ASK_INFO, b"0000", KEY, nonce)
    for mac in (
        b"",
        b"m" * 32,
        bytes([right[0] ^ 1]) + right[1:],
        mac_for(ASK_INFO, b"0000", b"K" * 32, nonce),
        mac_for(ASK_INFO, b"0001", KEY, nonce),
        mac_for(ASK_IDENTIFY, b"0000", KEY, nonce),
        mac_for(ASK_INFO, b"0000", KEY, bytes(16)),
        mac_for(ASK_INFO, b"0000", KEY, nonce, pairing_mac),  # that of PAIR is none of ASK
    ):
        bridge.say(ASK, ASK_INFO, b"0000", mac)
        assert codes(bridge) == [NOT_ALLOWED] and asked == []
    while client._events:
        assert client.next_event()[0] == EVENT_REFUSED
    bridge.say(ASK, ASK_INFO, b"0000", right)
    assert codes(bridge) == [0] and asked == [(ASK_INFO, b"0000")]


def test_nobody_asks_over_a_network():
    _, bridge = greeted(KEY)
    bridge.say(ASK, ASK_INFO, b"", mac_for(ASK_INFO, b"", KEY, bridge.hello[7]))
    assert codes(bridge) == [NOT_ALLOWED]
    _, bridge = greeted()
    bridge.say(ASK, ASK_INFO, b"", b"")
    assert codes(bridge) == [NOT_ALLOWED]


def test_nobody_asks_in_a_session():
    asked = []
    client, bridge, _ = opened()
    client.on_ask = lambda question, argument: asked.append(question)
    bridge.say(ASK, ASK_INFO, b"", b"")
    assert not client.is_open and not asked and bridge.take(TOLD) == []
    client.on_ask = None


def test_a_refusal_is_told_and_changes_nothing():
    client, bridge = greeted()

    def refuse(question, argument):
        raise LimitExceeded("too much")

    client.on_ask = refuse
    bridge.say(ASK, ASK_INFO, b"", b"")
    (told,) = bridge.take(TOLD)
    assert told[0] == LimitExceeded.code and bytes(told[2]) == b"LimitExceeded: too much"
    bridge.greet()
    assert client.is_open
    client.on_ask = None


def test_who_asks_has_the_greeting_for_as_long():
    asked = []
    _, bridge = greeted(b"", asked)
    hello = bridge.hello
    for _ in range(5):
        bridge.turn(ANSWER_TIMEOUT - 1)
        bridge.say(ASK, ASK_INFO, b"", b"")
    assert len(asked) == 5 and bridge.hello is hello
    bridge.heard = []
    bridge.turn(ANSWER_TIMEOUT + 1)
    assert bridge.hello is not hello
    # the same frame number again, after a HELLO, is no repetition
    bridge.say(ASK, ASK_INFO, b"", b"")
    assert len(asked) == 6


def test_after_the_greeting_nothing_is_answered():
    asked = []
    _, bridge = greeted(b"", asked)
    bridge.say(GOODBYE, 0, "")
    bridge.heard = []
    bridge.say(ASK, ASK_INFO, b"", b"")
    assert not asked and bridge.heard == []
    bridge.turn(PAUSE)
    assert [kind for kind, _ in bridge.heard] == [HELLO]
