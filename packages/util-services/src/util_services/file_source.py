"""Where the bytes of a file come from that several machines read."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from util_services.direct_io import bypass_cache, read
from util_services.memory import memory_bytes

Read = Callable[[memoryview, int], int]
"""Fills memory with the bytes of a file from a place on, and tells how many there were; may be called in threads."""

_CACHED_SHARE = 4  # one part in so many of the memory


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

        From a quarter of the memory on, a file is read past the page cache, where the file system can do so.
        """
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            bypass_cache(descriptor, bypass=self.size() >= memory_bytes() // _CACHED_SHARE)
            yield partial(read, descriptor)
        finally:
            os.close(descriptor)

    @contextmanager
    def whole(self) -> Iterator[Path]:
        """Give its path."""
        yield self.path
