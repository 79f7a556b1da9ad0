from support import raises

from lightclient.endpoint import Endpoint
from lightclient.errors import BadFrame, BadMessage, LimitExceeded
from lightclient.limits import MAX_OUTPUT, MAX_QUEUE
from lightclient.messages import (
    BRIDGE,
    CREDIT,
    DEVICE,
    GOODBYE,
    HELLO,
    PING,
    PONG,
    TIP,
    WELCOME,
    encode,
)
from lightclient.wire import encode_frame


def frame(kind, values, sequence):
    buffer = bytearray(300)
    return encode_frame(kind, sequence, bytes(memoryview(buffer)[: encode(kind, values, buffer)]))


def give(endpoint, line):
    assert endpoint.receive(line, 0, len(line)) == len(line)
    return endpoint.message_ready


def drained(endpoint):
    count = 0
    while endpoint.next_output():
        count += 1
    return count


def test_two_ends_talk_and_credit_flows():
    device, bridge = Endpoint(BRIDGE, 4, 600), Endpoint(DEVICE, 4, 600)
    device.begin(4)
    bridge.begin(4)
    for i in range(600):  # over the end of the sequence numbers
        bridge.send(PING, (i,))
        line = bridge.next_output()
        assert line and give(device, line)
        assert device.read_message(True) == PING and device.values == [i]
        device.taken(PING)
        back = device.next_output()
        while back:
            assert give(bridge, back) and bridge.read_message(True) == CREDIT
            bridge.taken(CREDIT)
            back = device.next_output()


def test_without_credit_messages_wait_in_a_bounded_queue():
    endpoint = Endpoint(BRIDGE, 4, 600)
    endpoint.begin(2)
    for i in range(2 + MAX_QUEUE):
        assert endpoint.has_places(1)
        endpoint.send(PING, (i,))
    assert not endpoint.has_places(1) and not endpoint.may_send()
    raises(LimitExceeded, endpoint.send, PING, (99,))
    assert drained(endpoint) == 2
    endpoint.send(GOODBYE, (0, ""))  # is not counted
    assert drained(endpoint) == 1
    endpoint.grant(1)  # less than there was: nothing changes
    assert drained(endpoint) == 0
    endpoint.grant(5)
    assert drained(endpoint) == 3
    endpoint.grant(1000)
    assert drained(endpoint) == MAX_QUEUE - 3 and endpoint.may_send()


def test_what_the_line_does_not_take_is_bounded():
    endpoint = Endpoint(BRIDGE, 4, 600)
    endpoint.begin(1 << 29)
    for i in range(MAX_OUTPUT):
        endpoint.send(PING, (i,))
    raises(LimitExceeded, endpoint.send, PING, (0,))
    raises(LimitExceeded, endpoint.send, GOODBYE, (0, ""))
    endpoint.make_room()
    endpoint.send(GOODBYE, (0, ""))
    assert drained(endpoint) == 1


def test_a_frame_without_credit_is_refused():
    endpoint = Endpoint(BRIDGE, 4, 600)
    for i in range(4):
        assert give(endpoint, frame(PONG, (i,), i))
        endpoint.read_message(True)  # not `taken`: nothing more is granted
        endpoint._received += 1
    give(endpoint, frame(PONG, (4,), 4))
    raises(LimitExceeded, endpoint.read_message, True)
    give(endpoint, frame(CREDIT, (9,), 5))  # is not counted
    assert endpoint.read_message(True) == CREDIT


def test_gaps_and_repetitions():
    endpoint = Endpoint(BRIDGE, 4, 600)
    assert give(endpoint, frame(PONG, (0,), 0))
    endpoint.read_message(True)
    assert not give(endpoint, frame(PONG, (0,), 0))
    assert give(endpoint, frame(PONG, (1,), 3))
    error = raises(BadFrame, endpoint.read_message, True)
    assert "2 frames are missing" in str(error)
    assert give(endpoint, frame(PONG, (1,), 9))
    assert endpoint.read_message(False) == PONG  # before the session nothing can be missed
    # the opening messages are never repetitions: the other end may have begun anew
    welcome = (1, "trivial", b"n" * 16, 0, 4, "", 0)
    for _ in range(2):
        assert give(endpoint, frame(WELCOME, welcome, 9))


def test_credit_before_the_session_grants_nothing():
    endpoint = Endpoint(BRIDGE, 4, 600)
    give(endpoint, frame(CREDIT, (1000,), 0))
    endpoint.read_message(False)
    assert not endpoint.may_send()
    give(endpoint, frame(CREDIT, (1000,), 1))
    endpoint.read_message(True)
    assert endpoint.may_send()


def test_messages_of_the_wrong_end_are_refused():
    endpoint = Endpoint(BRIDGE, 4, 600)
    give(endpoint, frame(HELLO, (1, "x", 256, 1, b"", "", 0, b"n" * 16), 0))
    raises(BadMessage, endpoint.read_message, False)
    give(endpoint, encode_frame(200, 1, b"\x80"))
    raises(BadMessage, endpoint.read_message, False)


def test_beginning_anew_forgets_everything():
    endpoint = Endpoint(BRIDGE, 4, 600)
    endpoint.begin(1)
    for i in range(5):
        endpoint.send(TIP, (i, b"h" * 32, 0))
    endpoint.begin(0)
    endpoint.grant(100)
    assert drained(endpoint) == 0
    endpoint.send(PING, (7,))
    assert endpoint.next_output()[2] == 0  # counted from 0 again
