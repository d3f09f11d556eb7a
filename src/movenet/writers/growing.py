"""A file that is whole after every piece that it is given."""

import contextlib
import os
import stat
from pathlib import Path

from movenet.errors import MoveNetError


class GrowingFile:
    """Grows by pieces: each is in the file whole when `append` returns, or not at all.

    What FILE held before stays until the first piece, and where none comes for good. With `part`
    it is FILE.part until it is closed, and what FILE held stays there as long.
    Whoever kills the process loses no piece: they are with the system, not in a buffer.
    Raises MoveNetError, one line, where the file cannot be made or written.
    """

    def __init__(
        self, path: str | Path, *, part: bool = False, head: bytes = b"", tail: bytes = b""
    ) -> None:
        """Try the place. The file holds the head, the pieces, and (only with `part`) a tail."""
        self.path = Path(path)  # where it lies when it is closed
        self.part = Path(f"{path}.part") if part else None  # where it lies until then
        self._head, self._tail = head, tail
        self._whole = 0  # bytes before the tail
        self._begun = self._closed = False
        try:
            if self.part and self.path.exists():
                if not (self.path.is_file() or self.path.is_dir()):  # a rename would replace it
                    raise MoveNetError(f"{self.path}: is a device or pipe; name a file")
                self.path.open("r+b").close()  # a folder, or protected: say so before the work
            place = self.part or self.path
            self._ours = not place.exists()  # whether it may be taken away
            self._file = open(place, "wb", buffering=0, opener=_as_it_is)  # noqa: SIM115
            self._is_file = stat.S_ISREG(os.fstat(self._file.fileno()).st_mode)
        except OSError as error:
            raise unwritable(self.path, error) from error

    def append(self, piece: bytes) -> None:
        """Add a piece. ValueError when it is closed."""
        if self._closed:
            raise closed()
        try:
            if self.part:  # others may be pipes, where nothing can be sought
                self._reopen()
            if not self._begun:
                self._empty()
                piece = self._head + piece
            if self.part:
                self._file.seek(self._whole)
            self._put(piece + self._tail)
        except BaseException as error:
            with contextlib.suppress(OSError):
                self._file.seek(self._whole)
                self._put(self._tail)
                self._file.truncate()
            if isinstance(error, OSError):
                raise unwritable(self.path, error) from error
            raise
        self._whole += len(piece)
        self._begun = True

    def overwrite(self, head: bytes) -> None:
        """Write over the first bytes."""
        try:
            self._reopen()
            self._file.seek(0)
            self._put(head)
        except OSError as error:
            raise unwritable(self.path, error) from error

    def rest(self) -> None:
        """Hold no handle until the next piece: the system has few. Only with `part`."""
        self._file.close()

    def handed(self) -> Path:
        """FILE.part, which somebody else is going to write from its start."""
        assert self.part
        self.rest()
        self._begun = self._ours = True
        return self.part

    def close(self) -> None:
        """Finish the file under its name; again is no error."""
        if not self._begun:
            self.drop()
        if self._closed:
            return
        self._closed = True
        try:
            self._file.close()
            if self.part:
                self.part.replace(self.path)
        except OSError as error:
            raise unwritable(self.path, error) from error

    def drop(self) -> None:
        """Close the file, and take FILE.part away: FILE stays as it was; again is no error."""
        self._file.close()
        if not self._closed and self._ours and (self.part or not self._begun):
            (self.part or self.path).unlink(missing_ok=True)
        self._closed = True

    def _empty(self) -> None:
        """Take out what an earlier run has left."""
        if self._is_file:
            self._file.seek(0)
            self._file.truncate()
            self._ours = True

    def _reopen(self) -> None:
        if self.part and self._file.closed:
            self._file = self.part.open("r+b", buffering=0)

    def _put(self, data: bytes) -> None:
        left = memoryview(data)
        while left:  # a nearly full disk takes a part
            left = left[self._file.write(left) :]


def _as_it_is(path: str, flags: int) -> int:
    """Open without emptying."""
    return os.open(path, flags & ~os.O_TRUNC, 0o666)


def unwritable(path: Path, error: OSError) -> MoveNetError:
    """The line for a place that cannot be written."""
    reason = os.strerror(error.errno) if error.errno else error  # pyarrow has texts of its own
    return MoveNetError(f"{path}: cannot be written ({reason}); name another file")


def closed() -> ValueError:
    """That somebody writes on."""
    return ValueError("this writer is closed; nothing can be written any more")
