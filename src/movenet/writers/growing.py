"""A file that is whole after every piece that it is given."""

import contextlib
import os
from pathlib import Path

from movenet.errors import MoveNetError


class GrowingFile:
    """Grows by pieces: each is in the file whole when `append` returns, or not at all.

    With `part` it is FILE.part until it is closed, and what FILE held stays there as long.
    Whoever kills the process loses no piece: they are with the system, not in a buffer.
    Raises MoveNetError, one line, where the file cannot be made or written.
    """

    def __init__(
        self, path: str | Path, *, part: bool = False, head: bytes = b"", tail: bytes = b""
    ) -> None:
        """Make the file. It holds the head, the pieces, and (only with `part`) a tail."""
        self.path = Path(path)  # where it lies when it is closed
        self.part = Path(f"{path}.part") if part else None  # where it lies until then
        self._whole, self._tail = 0, tail  # bytes before the tail
        try:
            if self.part and self.path.exists():
                if not (self.path.is_file() or self.path.is_dir()):  # a rename would replace it
                    raise MoveNetError(f"{self.path}: is a device or pipe; name a file")
                self.path.open("r+b").close()  # a folder, or protected: say so before the work
            self._file = (self.part or self.path).open("wb", buffering=0)
        except OSError as error:
            raise unwritable(self.path, error) from error
        try:
            self.append(head)
        except BaseException:
            self.drop()
            raise

    def append(self, piece: bytes) -> None:
        """Add a piece."""
        try:
            if self.part:  # others may be pipes, where nothing can be sought
                self._reopen()
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

    def close(self) -> None:
        """Finish the file under its name; again is no error."""
        try:
            self._file.close()
            if self.part:
                self.part.replace(self.path)
        except OSError as error:
            raise unwritable(self.path, error) from error
        self.part = None

    def drop(self) -> None:
        """Close the file, and take FILE.part away: FILE stays as it was."""
        self._file.close()
        if self.part:
            self.part.unlink(missing_ok=True)
        self.part = None

    def _reopen(self) -> None:
        if self.part and self._file.closed:
            self._file = self.part.open("r+b", buffering=0)

    def _put(self, data: bytes) -> None:
        left = memoryview(data)
        while left:  # a nearly full disk takes a part
            left = left[self._file.write(left) :]


def unwritable(path: Path, error: OSError) -> MoveNetError:
    """The line for a place that cannot be written."""
    reason = os.strerror(error.errno) if error.errno else error  # pyarrow has texts of its own
    return MoveNetError(f"{path}: cannot be written ({reason}); name another file")
