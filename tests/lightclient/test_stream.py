"""StreamParser: the same result for pieces of any size, and an end that is neither early nor late."""

from support import raises

from lightclient.errors import LightClientError, TrailingData, TruncatedInput
from lightclient.stream import StreamParser

HEAD = 1
NAME = 2
RUN = 3
EMPTY = 4
END = 5


class Records(StreamParser):
    """Records of: length of the name, length of the run, the name (gathered), the run (passed on); 0, 0 ends."""

    def __init__(self):
        StreamParser.__init__(self, 2 + 9)
        self.start()

    def start(self):
        self._restart()
        self.found = []
        self.run = b""
        self._gather(2, HEAD)

    def _step(self, state):
        if state == HEAD:
            if self.scratch[0] == self.scratch[1] == 0:
                self._pass(0, EMPTY)
            else:
                self._gather(self.scratch[0], NAME, 2)
        elif state == NAME:
            self._pass(self.scratch[1], RUN)
        elif state == RUN:
            self.found.append((bytes(self.scratch[2 : 2 + self.scratch[0]]), self.run))
            self.run = b""
            self._gather(2, HEAD)
        elif state == EMPTY:  # an empty run goes on at once
            self._gather(1, END)
        else:
            self._finish()

    def _passed(self, data, start, end):
        assert start < end
        self.run += bytes(data[start:end])


INPUT = b"\x03\x05abcdefgh" + b"\x00\x02xy" + b"\x02\x00zz" + b"\x09\xc8" + b"n" * 9 + b"r" * 200 + b"\x00\x00" + b"!"
FOUND = [(b"abc", b"defgh"), (b"", b"xy"), (b"zz", b""), (b"n" * 9, b"r" * 200)]


def test_pieces_of_any_size():
    parser = Records()
    for step in (1, 2, 3, 5, 7, 50, len(INPUT)):
        parser.start()
        for i in range(0, len(INPUT), step):
            end = min(i + step, len(INPUT))
            parser.feed(INPUT, i, end)
            assert parser.position == end
        parser.close()
        assert parser.found == FOUND


def test_feeding_nothing():
    parser = Records()
    parser.feed(INPUT, 5, 5)
    parser.feed(INPUT, 0, len(INPUT))
    parser.feed(b"", 0, 0)
    assert parser.found == FOUND


def test_ends_early():
    for cut in range(len(INPUT)):
        parser = Records()
        parser.feed(INPUT, 0, cut)
        error = raises(TruncatedInput, parser.close)
        assert str(cut) in str(error)


def test_bytes_after_the_end():
    longer = INPUT + b"??"
    error = raises(TrailingData, Records().feed, longer, 0, len(longer))
    assert "2 bytes" in str(error)
    parser = Records()
    parser.feed(INPUT, 0, len(INPUT))
    raises(TrailingData, parser.feed, b"?", 0, 1)


def test_scratch_is_never_overrun():
    data = b"\x0a\x00"  # a name of 10 bytes: 2 + 10 are more than the scratch has
    raises(LightClientError, Records().feed, data, 0, 2)
    assert len(Records().scratch) == 11


def test_a_parser_must_say_what_it_does():
    class Nothing(StreamParser):
        def start(self):
            self._gather(1, 1)

    parser = Nothing(1)
    parser.start()
    raises(LightClientError, parser.feed, b"x", 0, 1)
