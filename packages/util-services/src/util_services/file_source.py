"""Where the bytes of a file come from that several machines read."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

Read = Callable[[memoryview, int], int]
"""Fills memory with the bytes of a file from a place on, and tells how many there were; may be called in threads."""

_LARGE_BYTES = 1 << 30
_BEHIND_BYTES, _DROPPED_BYTES = 128 << 20, 16 << 20  # threads are some blocks apart


class File(Protocol):
    """A file that other machines can read, too."""

    def size(self) -> int:
        """Tell its length in bytes."""

    def opened(self) -> AbstractContextManager[Read]:
        """Read any part of it, for as long as the block lasts."""

    def whole(self) -> AbstractContextManager[Path]:
        """Give it as a local file, for as long as the block lasts."""


@dataclass(frozen=True)
class LocalFile:
    """A file that other machines see under the same path."""

    path: Path

    def size(self) -> int:
        """Tell its length in bytes."""
        return self.path.stat().st_size

    @contextmanager
    def opened(self) -> Iterator[Read]:
        """Read any part of it, for as long as the block lasts.

        A large file is not kept in the page cache behind the reader: within a memory limit it would take the place of
        the tables between steps, which are read several times.
        """
        descriptor = os.open(self.path, os.O_RDONLY)
        large = self.size() >= _LARGE_BYTES

        def read(memory: memoryview, start: int) -> int:
            filled = os.preadv(descriptor, [memory], start)
            if large and start >= _BEHIND_BYTES and sys.platform == "linux":
                os.posix_fadvise(descriptor, start - _BEHIND_BYTES, _DROPPED_BYTES, os.POSIX_FADV_DONTNEED)
            return filled

        try:
            yield read
        finally:
            os.close(descriptor)

    @contextmanager
    def whole(self) -> Iterator[Path]:
        """Give its path."""
        yield self.path
