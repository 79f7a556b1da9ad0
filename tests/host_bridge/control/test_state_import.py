"""Taking a state over, on the device's side: power cuts at every write, and what is refused."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from faulty_files import Chance, MemoryFiles, PowerCut

from firmware.hand import Hand
from firmware.state_import import StateImport
from hardware.simulated import SimulatedBoard
from host_bridge.control.control import ControlFailed
from host_bridge.control.state_transfer import send_state
from host_bridge.demo.recording import Recording
from host_bridge.stores.state_file import Exported
from lightclient.errors import (
    BadLink,
    BadMessage,
    CheckpointMismatch,
    EncodingError,
    LightClientError,
    NotConfirmed,
    NotEnoughWork,
    PathMismatch,
    StoreError,
    StoreFull,
    WrongNetwork,
)
from lightclient.headers.accumulator import Accumulator
from lightclient.headers.chain import HeaderChain
from lightclient.headers.checkpoint import encode_checkpoint
from lightclient.headers.rules import HeaderRules
from lightclient.headers.state import ChainState
from lightclient.headers.store import RamStore
from lightclient.headers.window_store import WindowStore
from lightclient.messages import ASK_ADD, ASK_END, ASK_JUDGE, ASK_STATE, ASK_TAKE
from lightclient.params import MAINNET, REGTEST
from lightclient.spv.stored_payments import StoredPayments

HEADERS = Recording.load_default().headers


def state_at(height: int, accumulate: bool = True) -> ChainState:
    rules = HeaderRules(REGTEST)
    rules.begin_at_genesis(REGTEST.genesis_header, 0, Accumulator() if accumulate else None)
    rules.extend(bytearray(HEADERS[80 : 80 * (height + 1)]), 0, height, 0)
    return rules.state


STATES = {height: state_at(height) for height in (0, 40, 60, 80, 100, 130, 150)}


def exported(base: int, tip: int) -> Exported:
    checkpoint = encode_checkpoint(REGTEST, STATES[base])
    return Exported(REGTEST, STATES[base], checkpoint, HEADERS[80 * (base + 1) : 80 * (tip + 1)], STATES[tip])


class Box:
    """As much of a device as an import needs, and of the cable."""

    network = REGTEST.name
    is_paired = False
    face = None

    def __init__(self, files: MemoryFiles | None, start: ChainState = STATES[0]) -> None:
        self.start = start
        self.acted = StoredPayments(files, REGTEST) if files else None
        store = WindowStore(REGTEST, files, self.acted, 3) if files and self.acted else RamStore(256)
        self.chain = HeaderChain(REGTEST, store, start)
        self.restarts = 0
        self.board = SimulatedBoard()
        self.hand = Hand(self)  # type: ignore[arg-type]
        self._import: StateImport | None = None
        self.fault = ""
        self.client = self.settings = self

    def now(self) -> int:
        return 0

    def restart_soon(self, why: str) -> None:
        self.restarts += 1

    def payments_acted_on(self) -> int:
        return self.acted.count if self.acted else 0

    def take(self, question: int, argument: bytes) -> bytes:
        if question == ASK_STATE:
            self._import = StateImport(self, memoryview(argument), self.hand)  # type: ignore[arg-type]
        assert self._import is not None
        return self._import.take(question, memoryview(argument))

    def ask(self, question: int, argument: bytes = b"") -> tuple[bytes, int]:
        try:
            return self.take(question, argument), 0
        except LightClientError as error:
            raise ControlFailed(str(error), type(error).__name__) from None

    def ask_with_hand(self, question: int, argument: bytes) -> bytes:
        return self.ask(question, argument)[0]

    def send(self, values: Exported) -> bool:
        return send_state(self, values)  # type: ignore[arg-type]

    @property
    def tip(self) -> tuple[int, bytes]:
        return self.chain.tip_height, self.chain.state.block_hash


def at(height: int) -> tuple[int, bytes]:
    return height, STATES[height].block_hash


def cuts(prepare: Callable[[Box], object], run: Callable[[Box], object]) -> Iterator[MemoryFiles]:
    """The files after a power cut at each write of `run`, as they may then be; ends with those of a whole run."""
    files = MemoryFiles()
    prepare(Box(files))
    first = files.steps
    step = 0
    while True:
        for seed in range(4):
            files = MemoryFiles()
            prepare(Box(files))
            files.close()
            assert files.steps == first
            box = Box(files)
            files.chance = Chance(seed + 100 * step)
            files.cut_after = files.steps + step
            try:
                run(box)
            except PowerCut:
                files.cut_after = -1
                yield files
                continue
            files.cut_after = -1
            files.close()
            yield files
            return
        step += 1


def nothing(box: Box) -> None:
    pass


def test_a_power_cut_leaves_a_new_store_new_or_on_the_new_chain() -> None:
    found = set()
    count = 0
    for files in cuts(nothing, lambda box: box.send(exported(100, 150))):
        box = Box(files)
        count += 1
        height = box.chain.tip_height
        found.add(height)
        assert height == 0 or 100 <= height <= 150
        assert box.chain.state.block_hash == state_at(height).block_hash
        assert box.chain.accumulator is not None and box.chain.accumulator.count == height + 1
        box.send(exported(100, 150))  # it goes on from there
        assert box.tip == at(150)
    assert {0, 100, 150} <= found and count > 20


def test_a_power_cut_while_headers_are_added_leaves_a_chain_of_both() -> None:
    def prepare(box: Box) -> None:
        box.send(exported(40, 80))

    found = set()
    for files in cuts(prepare, lambda box: box.send(exported(60, 150))):
        box = Box(files)
        height = box.chain.tip_height
        found.add(height)
        assert 80 <= height <= 150 and box.chain.state.block_hash == state_at(height).block_hash
        box.send(exported(60, 150))
        assert box.tip == at(150)
    assert {80, 150} <= found


class FailingFiles(MemoryFiles):
    """Of which write or append number `fails_at` raises `error`, and with StoreFull all that follow; 0: none."""

    fails_at = 0
    error: type[Exception] = StoreFull

    def _fail(self) -> None:
        if self.fails_at:
            self.fails_at -= 1
            if not self.fails_at:
                self.fails_at = int(self.error is StoreFull)
                raise self.error("no room")

    def write(self, name: str, data: bytes) -> None:
        self._fail()
        super().write(name, data)

    def append(self, name: str, data: bytes) -> None:
        self._fail()
        super().append(name, data)


@pytest.mark.parametrize("error", [StoreFull, MemoryError])
def test_a_write_that_fails_while_a_state_is_taken_needs_a_new_start_and_no_more(error: type[Exception]) -> None:
    good = exported(100, 150)
    (batch,) = batches(good)
    found = set()
    failing = 1
    while True:
        files = FailingFiles()
        box = Box(files)
        box.take(ASK_STATE, good.checkpoint)
        box.take(ASK_JUDGE, batch)
        files.error, files.fails_at = error, failing
        try:
            box.take(ASK_TAKE, good.tip.block_hash)
        except (StoreFull, MemoryError):
            pass
        else:
            break
        files.fails_at = 0
        assert box.restarts == 1 and box.fault
        files_then = files.copy()
        for step in ((ASK_STATE, good.checkpoint), (ASK_JUDGE, batch), (ASK_ADD, batch), (ASK_END, bytes(32))):
            with pytest.raises(StoreError, match="starts anew"):
                box.take(*step)
        box.chain.commit()  # as when the program ends
        files.close()
        assert {name: files.content(name) for name in files.names()} == {
            name: files_then.content(name) for name in files_then.names()
        }
        again = Box(files)
        found.add(again.chain.tip_height)
        assert again.tip in (at(0), at(100))
        again.send(good)
        assert again.tip == at(150)
        failing += 1
    assert failing > 3 and 100 in found


def test_headers_without_a_parent_say_nothing_of_the_best_height() -> None:
    box = Box(MemoryFiles())
    box.take(ASK_STATE, exported(100, 150).checkpoint)
    (batch,) = batches(exported(100, 150))
    refused(BadLink, box, (ASK_ADD, b"\xff\xff\xff\x3f" + batch[4:]))
    assert box.chain.store.best_height == 0


def refused(error: type[LightClientError], box: Box, *steps: tuple[int, bytes]) -> None:
    """The last of these steps is refused; nothing has changed."""
    before = box.tip
    for step in steps[:-1]:
        box.take(*step)
    with pytest.raises(error):
        box.take(*steps[-1])
    assert box.tip == before and box.restarts == 0


def batches(values: Exported) -> list[bytes]:
    """What is sent to a new device in the first pass."""
    sent: list[bytes] = []

    class Listener:
        network = REGTEST.name

        def ask(self, question: int, argument: bytes = b"") -> tuple[bytes, int]:
            if question == ASK_JUDGE:
                sent.append(argument)
            return b"\x01", 0

        def ask_with_hand(self, question: int, argument: bytes) -> bytes:
            return b""

    listener: Any = Listener()
    send_state(listener, values)
    return sent


def test_what_a_device_refuses() -> None:
    good = exported(100, 150)
    begin = (ASK_STATE, good.checkpoint)
    (batch,) = batches(good)
    take = (ASK_TAKE, good.tip.block_hash)
    refused(StoreError, Box(None), begin)  # it would be gone with the power
    refused(EncodingError, Box(MemoryFiles()), (ASK_STATE, good.checkpoint[:-1]))
    refused(BadMessage, Box(MemoryFiles()), (ASK_STATE, good.checkpoint + bytes(2000)))
    other = HeaderRules(MAINNET)
    other.begin_at_genesis(MAINNET.genesis_header, 0)
    refused(WrongNetwork, Box(MemoryFiles()), (ASK_STATE, encode_checkpoint(MAINNET, other.state)))
    # not one header unjudged
    refused(BadLink, Box(MemoryFiles()), begin, take)
    refused(BadLink, Box(MemoryFiles()), begin, (ASK_JUDGE, batch), (ASK_TAKE, bytes(32)))
    refused(BadLink, Box(MemoryFiles()), begin, (ASK_JUDGE, batch), (ASK_JUDGE, batch))
    refused(BadLink, Box(MemoryFiles()), begin, (ASK_JUDGE, batch), begin, take)
    for at_byte in (60, 80, 800):
        spoilt = batch[:at_byte] + bytes([batch[at_byte] ^ 0x40]) + batch[at_byte + 1 :]
        refused(LightClientError, Box(MemoryFiles()), begin, (ASK_JUDGE, spoilt))
    refused(BadMessage, Box(MemoryFiles()), begin, (ASK_JUDGE, batch[:37]))
    refused(BadMessage, Box(MemoryFiles()), begin, (ASK_JUDGE, batch[:36] + b"\xff" + batch[37:]))
    refused(LightClientError, Box(MemoryFiles()), begin, (ASK_ADD, batch))  # not before the state is taken
    refused(NotEnoughWork, Box(MemoryFiles()), begin, (ASK_END, good.tip.block_hash))
    without = state_at(100, False)
    refused(PathMismatch, Box(MemoryFiles()), (ASK_STATE, encode_checkpoint(REGTEST, without)), (ASK_JUDGE, batch))
    refused(NotEnoughWork, Box(MemoryFiles(), STATES[150]), begin, (ASK_JUDGE, batch), take)


def test_a_paired_device_takes_a_state_with_a_hand_at_its_button() -> None:
    good = exported(100, 150)
    (batch,) = batches(good)
    box = Box(MemoryFiles())
    box.is_paired = True
    steps = ((ASK_STATE, good.checkpoint), (ASK_JUDGE, batch), (ASK_TAKE, good.tip.block_hash))
    refused(NotConfirmed, box, *steps)
    assert box.board.shown == ["NEW STATE? hold the button"]
    refused(NotConfirmed, box, steps[2])
    box.board.button_down = True
    box.take(*steps[2])
    assert box.tip == at(100)
    box.board.button_down = False
    box.take(ASK_ADD, batch)  # what has work needs nobody
    box.take(ASK_END, good.tip.block_hash)
    assert box.tip == at(150)


def test_a_store_that_has_begun_takes_no_state() -> None:
    good = exported(100, 150)
    (batch,) = batches(good)
    files = MemoryFiles()
    box = Box(files)
    box.chain.accept(bytearray(HEADERS[80:160]), 0, 1, 0, STATES[0].block_hash, 0)
    refused(CheckpointMismatch, box, (ASK_STATE, good.checkpoint), (ASK_JUDGE, batch))
    with pytest.raises(ControlFailed, match="only a new store"):
        box.send(good)
    paid = Box(MemoryFiles())
    assert paid.acted is not None
    paid.acted.add(b"t" * 32, 0, 0, 1, 0)
    refused(CheckpointMismatch, paid, (ASK_STATE, good.checkpoint), (ASK_JUDGE, batch))
    # but a state that it has come past brings headers
    assert box.send(exported(0, 130)) is False and box.tip == at(130)
