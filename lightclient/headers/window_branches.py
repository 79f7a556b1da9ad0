"""How headers get into files, and a branch beside the chain until it has won.

A branch that goes back behind the record's tip is written beside the chain, into .new files that
begin with a copy of what both have in common. Only when it has more work than what was committed
does one record name the new tip and the switch; then the files are renamed. A cut before that
record leaves the old chain whole, a cut after it the new one. Where there is no room for both, a
record first takes the tip back to the base of the fork's epoch (what was promised stays: nothing is
acted on until there is as much work again), the files above are deleted, and StoreFull is raised:
when the branch is sent again there is room for it.
"""

from lightclient.compat import const
from lightclient.errors import CorruptStore, StoreFull
from lightclient.headers.checkpoint import decode_checkpoint
from lightclient.headers.epoch_files import epoch_file, read_base
from lightclient.headers.pair import CONTENT
from lightclient.headers.state import ChainState
from lightclient.headers.window_files import NO_BRANCH, NO_SWITCH, WindowFiles
from lightclient.serialize import read_uint32_le

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from collections.abc import Callable

    from lightclient.headers.store import Files

_PIECE = const(1280)  # bytes copied at a time


class WindowBranches(WindowFiles):
    """What WindowStore is built on, after WindowFiles."""

    def _append(self, view: memoryview, count: int) -> None:
        if count == 0:
            return
        self._in_room_for_both(self._append_once, view)
        self._is_exact = True
        self._written += count

    def _append_once(self, view: memoryview) -> None:
        if not self._is_exact:
            self._cut_to_known()  # what an append left that did not fit, or a cut
        self._is_exact = False
        self.files.append(self._name_of((self._written + 1) // self.interval), view)

    def _make_branch(self) -> None:
        """Begin the .new file of the fork's epoch: what it has in common with the chain."""
        if read_uint32_le(self._pair.buffer, CONTENT + 4) != NO_SWITCH:
            self._write_record(NO_SWITCH)  # else a cut would take the new file for one of the last switch
        name = epoch_file(self._branch)
        new = epoch_file(self._branch, True)
        end = self._size_up_to(self._branch, self._fork)
        self._in_room_for_both(copy_file, self.files, name, new, end)
        self._branch_made = True

    def _drop_branch(self) -> None:
        for name in self.files.names():
            if name[-4:] == ".new":
                self.files.remove(name)
        self._branch = NO_BRANCH
        self._branch_made = False
        self._is_exact = False

    def _in_room_for_both(self, write: "Callable[..., None]", *args: object) -> None:
        """Call `write`. When it runs out of room, make room for the next try."""
        try:
            write(*args)
            self.files.sync()  # here too the room may end
        except StoreFull:
            if self._branch != NO_BRANCH:
                self._yield()
            raise

    def _yield(self) -> None:
        """No room for both: take the record's tip back to the base of the fork's epoch, and delete from the end.

        Headers of that epoch stay behind the record's tip, where opening finds them. The branch
        then comes again as what simply goes on from there.
        """
        epoch = self._branch
        last = (self.committed_height + 1) // self.interval
        self._drop_branch()
        if last <= epoch:
            return
        checkpoint = read_base(self.files, epoch_file(epoch), self._id)
        state = ChainState()
        decode_checkpoint(self.network, checkpoint, state)
        self._record_state(checkpoint)
        self._write_record(NO_SWITCH)
        self.committed_height = state.height
        while last > epoch:
            self.files.remove(epoch_file(last))
            self.files.sync()
            last -= 1

    def _cut_to_known(self) -> None:
        """Drop what stands behind the last header we know of: the remains of a write that failed."""
        name = self._name_of((self._written + 1) // self.interval)
        known = self._size_up_to((self._written + 1) // self.interval, self._written)
        size = self.files.size(name)
        if size < known:
            raise CorruptStore(name + " has become shorter")
        if size > known:
            self.files.cut(name, known)
            self.files.sync()


def copy_file(files: "Files", name: str, new_name: str, size: int) -> None:
    """Copy the first `size` bytes; not yet synced."""
    try:
        piece = bytearray(_PIECE)
    except MemoryError:  # in one piece; it only takes longer
        piece = bytearray(_PIECE // 8)
    done = 0
    while done < size:
        view = memoryview(piece)[: min(len(piece), size - done)]
        if files.read_into(name, done, view) != len(view):
            raise CorruptStore(name + ": ends early")
        if done:
            files.append(new_name, view)
        else:
            files.write(new_name, view)
        done += len(view)
