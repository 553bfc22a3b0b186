"""Files that are written from start to end; what is large goes past the page cache."""

import io
import mmap
import os
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from util_services.direct_io import aligned_memory, bypass_cache, write
from util_services.memory import memory_bytes

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_BLOCK_BYTES = 1 << 20  # a multiple of what any disk needs
_BLOCKS = 3  # one is filled while others are written
_CACHED_SHARE = 32  # one part in so many of the memory: far less than Linux lets wait for the disk


def open_output(path: Path, expected_bytes: int | None = None) -> io.RawIOBase:
    """Open a new file, or one that is replaced.

    Args:
        path: The file.
        expected_bytes: How large it will be, roughly, if that is known. What surely goes to the page cache, native code
            can write without going through Python.
    """
    if expected_bytes is not None and expected_bytes <= _cached_bytes():
        return io.FileIO(path, "w")
    return OutputFile(path)


def _cached_bytes() -> int:
    return -(-memory_bytes() // _CACHED_SHARE // _BLOCK_BYTES) * _BLOCK_BYTES


class OutputFile(io.RawIOBase):
    """A new file, or one that is replaced, for bytes in any portions.

    The first bytes go to the page cache, from which they may soon be read; what follows the first part in 32 of the
    memory goes straight to the disk in a thread, wherever the file system can do so.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        self._size = 0
        self._cached = _cached_bytes()
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
            write(self._descriptor, first, self._size)
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
        self._buffers = [aligned_memory(_BLOCK_BYTES) for _ in range(_BLOCKS)]
        self._written: list[Future[None] | None] = [None] * _BLOCKS
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="output")
        self._failed = False
        bypass_cache(descriptor, bypass=True)

    def write(self, data: memoryview) -> None:
        while data:
            first = data[: _BLOCK_BYTES - self._filled]
            self._buffer[self._filled : self._filled + len(first)] = first
            self._filled, data = self._filled + len(first), data[len(first) :]
            if self._filled == _BLOCK_BYTES:
                self._written[self._place] = self._thread.submit(
                    write, self._descriptor, memoryview(self._buffer), self._start
                )
                self._start, self._filled = self._start + _BLOCK_BYTES, 0
                self._wait(self._place)  # for the block that was written from this buffer before

    def close(self) -> None:
        try:
            for place in range(_BLOCKS):
                self._wait(place)
            if not self._failed:
                bypass_cache(self._descriptor, bypass=False)  # the end is no whole block
                write(self._descriptor, memoryview(self._buffer)[: self._filled], self._start)
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
