"""What `lightclient demo` writes on the terminal."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from host_bridge.demo_script import DemoPayment, DemoScript
from host_bridge.emulator import DEVICE_HEAP
from host_bridge.rom import code_is_in_rom
from lightclient.hashes import hash_to_hex

_GOOD = "[green]✓[/]"
_BAD = "[red]✗[/]"
_WIDTH = 80


class _Output(Console):
    def on_broken_pipe(self) -> None:
        raise BrokenPipeError  # rich would end the program with a code of its own


class DemoScreen:
    """Lines on standard output, a progress bar on standard error while headers come."""

    def __init__(self) -> None:
        self._out = _Output(highlight=False)
        self._error = Console(stderr=True)

    @property
    def is_terminal(self) -> bool:
        return self._out.is_terminal

    def _line(self, text: str = "") -> None:
        self._out.print(text, soft_wrap=True)

    def _items(self, start: str, items: Iterable[str], between: str) -> None:
        """`start`, then the items, over as many lines as it takes, none of them broken."""
        indent = " " * Text.from_markup(start).cell_len
        line, room = start, _WIDTH - len(indent)
        for item in items:
            size = Text.from_markup(item).cell_len
            if room < _WIDTH - len(indent) and room < len(between) + size:
                self._line(line)
                line, room = indent, _WIDTH - len(indent)
            elif room < _WIDTH - len(indent):
                line, room = line + between, room - len(between)
            line, room = line + item, room - size
        self._line(line)

    def _text(self, start: str, text: str) -> None:
        """`start` in markup, then plain text."""
        self._items(start, escape(text).split(" "), " ")

    def _proof(self, stages: list[str]) -> None:
        self._items("  proof  ", (f"{_GOOD} {escape(stage)}" for stage in stages), "  ")

    def opening(self, script: DemoScript) -> None:
        heap = DEVICE_HEAP.replace("k", " KB")
        archive = script.archive
        self._line("[bold]lightclient demo[/]: a device that checks payments itself")
        where = "its code in ROM as on a board" if code_is_in_rom() else "its code loaded from source"
        self._text(
            "  device   ", f"real MicroPython with a {heap} heap, {where}; a process of its own on a serial line"
        )
        self._line("  bridge   this program; the device believes nothing it says without proof")
        self._line(f"  chain    {script.network.name}, {script.source}")
        self._line("  [yellow]This is a replay[/]: clock and minimum work come from what was recorded,")
        self._line("  so it says nothing about today's chain.")
        start = "the genesis header" if not script.checkpoint else "an anchor, trusted for its place"
        self._line(f"  start    height {archive.first_height:,}: {start}")
        self._line()

    @contextmanager
    def syncing(self, text: str, total: int) -> Iterator[Callable[[int, int], None]]:
        progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[heap]}"),
            console=self._error,
            transient=True,
            disable=not self._error.is_terminal,
        )
        with progress:
            task = progress.add_task(text, total=total, heap="")

            def show(done: int, heap_free: int) -> None:
                heap = f"device heap free {heap_free // 1024} KB" if heap_free < 1 << 60 else ""
                progress.update(task, completed=done, heap=heap)

            yield show

    def synced(self, tip: int, headers: int, seconds: float, heap_free: int) -> None:
        rate = headers / seconds if seconds else 0.0
        self._text(
            f"{_GOOD} ",
            f"{headers:,} headers validated, tip {tip:,}: {rate:,.0f} a second, "
            f"device heap free {heap_free // 1024} KB",
        )

    def invoices(self, payments: list[DemoPayment], confirmations: int) -> None:
        self._line(f"\nThe device waits for {len(payments)} payments, {confirmations} confirmations each:")
        for payment in payments:
            self._line(f"  #{payment.request_id}  {payment.amount:>13,} sat  {payment.kind}")
            self._line(f"      {payment.address}")
        self._line()

    def block(self, height: int, block_hash: bytes) -> None:
        self._line(f"[bold]block {height:,}[/]  [dim]{hash_to_hex(block_hash)}[/]")

    def reorg(self, fork_height: int, depth: int, height: int) -> None:
        blocks = f"{depth} {'block' if depth == 1 else 'blocks'} above {fork_height:,}"
        self._text("[bold yellow]reorg[/]: ", f"{blocks} replaced by a branch with more work, up to {height:,}")

    def proof_accepted(self, stages: list[str]) -> None:
        self._proof(stages)

    def seen(self, payment: DemoPayment, txid: bytes, amount: int, count: int, wanted: int) -> None:
        if count == 1:
            self._text(f"  [bold]#{payment.request_id}[/] ", f"{amount:,} sat in transaction {hash_to_hex(txid)}")
        self._line(f"  #{payment.request_id} confirmations {min(count, wanted)} of {wanted}")

    def confirmed(self, payment: DemoPayment) -> None:
        self._line(f"  [bold green]#{payment.request_id} paid[/]")

    def taken_back(self, payment: DemoPayment, detail: str) -> None:
        self._text(f"  [yellow]#{payment.request_id} taken back[/]: ", detail)

    def relay(self, payment: DemoPayment, on: bool) -> None:
        state = "[bold reverse green] RELAY ON [/]" if on else "[dim]relay off[/]"
        self._line(f"  {state} for #{payment.request_id}")

    def forgery(self, story: str, payment: DemoPayment) -> None:
        self._line()
        self._text(f"[bold]forged proof[/] for #{payment.request_id}: ", story)

    def refused(self, stages: list[str], detail: str) -> None:
        self._proof(stages)
        self._text(f"  {_BAD} [bold red]refused[/]  ", detail)

    def relay_rested(self) -> None:
        self._line("\nThe relay did not move for any of them.")

    def the_rest(self) -> None:
        self._line("\nThe headers after the last payment:")

    def ending(self, headers: int, heap_free: int, pulses: int, forgeries: int) -> None:
        self._line()
        self._text(
            f"{_GOOD} ",
            f"In all: {headers:,} headers validated, the relay closed {pulses} "
            f"{'time' if pulses == 1 else 'times'}, {forgeries} forged proofs refused, "
            f"device heap never below {heap_free // 1024} KB free",
        )
