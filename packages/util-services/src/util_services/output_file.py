"""Files that are written from start to end; what is large goes past the page cache.

Within a memory limit the pages of a large output take the place of the tables between steps, which are read from disk
again then, and getting them takes longer than writing the disk directly.
"""

import errno
import fcntl
import io
import mmap
import os
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from util_services.memory import memory_bytes

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_BLOCK_BYTES = 1 << 20  # a multiple of what any disk needs
_BLOCKS = 3  # one is filled while others are written
_CACHED_SHARE = 10  # one part in so many of the memory: what Linux lets stay unwritten in the background
_DIRECT = getattr(os, "O_DIRECT", 0)  # Linux


class OutputFile(io.RawIOBase):
    """A new file, or one that is replaced, for bytes in any portions.

    The first bytes go to the page cache, from which they may soon be read; from a tenth of the memory on, blocks go
    straight to the disk (``O_DIRECT``) in a thread, wherever the file system can do so.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        self._size = 0
        self._cached = -(-memory_bytes() // _CACHED_SHARE // _BLOCK_BYTES) * _BLOCK_BYTES
        self._blocks: _Blocks | None = None

    def writable(self) -> bool:
        """Tell that it can be written."""
        return True

    def write(self, data: "ReadableBuffer", /) -> int:
        """Write all bytes, or keep them until a block is full.

        Raises:
            OSError: If these, or some before, cannot be written.
        """
        rest = memoryview(data).cast("B")
        size = len(rest)
        if self._size < self._cached:
            first = rest[: self._cached - self._size]
            _write(self._descriptor, first, self._size)
            self._size, rest = self._size + len(first), rest[len(first) :]
        if rest:
            self._blocks = self._blocks or _Blocks(self._descriptor, self._size)
            self._blocks.write(rest)
            self._size += len(rest)
        return size

    def close(self) -> None:
        """Write what is left, and close the file.

        Raises:
            OSError: If something cannot be written, unless that was told before.
        """
        if self.closed:
            return
        try:
            if self._blocks:
                self._blocks.close()
        finally:
            os.close(self._descriptor)
            super().close()


class _Blocks:
    """Writes the rest of a file in blocks, directly if possible.

    Args:
        descriptor: The file.
        start: Where the rest begins: at the beginning of a block.
    """

    def __init__(self, descriptor: int, start: int) -> None:
        self._descriptor = descriptor
        self._start = start  # of the block that is filled
        self._filled = 0
        self._buffers = [mmap.mmap(-1, _BLOCK_BYTES) for _ in range(_BLOCKS)]  # begin at pages, as O_DIRECT asks for
        self._written: list[Future[None] | None] = [None] * _BLOCKS
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="output")
        self._failed = False
        self._bypass(bypass=True)

    def write(self, data: memoryview) -> None:
        while data:
            first = data[: _BLOCK_BYTES - self._filled]
            self._buffer[self._filled : self._filled + len(first)] = first
            self._filled, data = self._filled + len(first), data[len(first) :]
            if self._filled == _BLOCK_BYTES:
                self._written[self._place] = self._thread.submit(self._write, self._buffer, self._start)
                self._start, self._filled = self._start + _BLOCK_BYTES, 0
                self._wait(self._place)  # for the block that was written from this buffer before

    def close(self) -> None:
        try:
            for place in range(_BLOCKS):
                self._wait(place)
            if not self._failed:
                self._bypass(bypass=False)  # the end is no whole block
                _write(self._descriptor, memoryview(self._buffer)[: self._filled], self._start)
        finally:
            self._thread.shutdown()

    @property
    def _place(self) -> int:
        return self._start // _BLOCK_BYTES % _BLOCKS

    @property
    def _buffer(self) -> mmap.mmap:
        return self._buffers[self._place]

    def _wait(self, place: int) -> None:
        written, self._written[place] = self._written[place], None
        if written and not self._failed:
            self._failed = True
            written.result()
            self._failed = False

    def _write(self, block: mmap.mmap, start: int) -> None:
        try:
            _write(self._descriptor, memoryview(block), start)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            self._bypass(bypass=False)  # some file systems take the flag and then refuse
            _write(self._descriptor, memoryview(block), start)

    def _bypass(self, *, bypass: bool) -> None:
        flags = fcntl.fcntl(self._descriptor, fcntl.F_GETFL)
        try:
            fcntl.fcntl(self._descriptor, fcntl.F_SETFL, flags | _DIRECT if bypass else flags & ~_DIRECT)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise


def _write(descriptor: int, data: memoryview, start: int) -> None:
    while data:
        done = os.pwrite(descriptor, data, start)
        data, start = data[done:], start + done
