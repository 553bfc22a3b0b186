"""Parsing a CSV file in pieces, by several threads or several machines."""

import codecs
import mmap
import secrets
import threading
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, partial
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv

from util_services.ahead import computed_ahead
from util_services.direct_io import aligned_memory
from util_services.file_source import File, Read

_LINE_FEED = 0x0A
_ROW_BYTES = 64 << 10  # longer than nearly every row


class CutWithinARowError(Exception):
    """A piece does not end where a row ends, or holds a fault."""


class Pieces:
    """An uncompressed UTF-8 file of CSV, cut at line feeds into pieces that are parsed in parallel and given in order.

    Whether a line feed is inside quotes is not known where the file is cut. Each piece is therefore parsed with a row
    of our own at its end: if that row comes out as it is, the piece ended where a row ends, and so the next one begins
    where a row begins. The first piece begins rightly, hence all do up to the first that fails the test. A copy on
    another machine can parse some of the pieces.

    Args:
        file: The file.
        header: Index of the line with the column names; ``None`` if there is none.
        columns: The column names, in order.
        parse: How cells are laid out; quoted line feeds are allowed.
        convert: What cells become; the first column must become text. It need not check UTF-8: pieces are checked as a
            whole, which takes a quarter of the time.
        block_bytes: Length of a piece, up to the next line feed.
    """

    def __init__(
        self,
        file: File,
        header: int | None,
        columns: Sequence[str],
        parse: pacsv.ParseOptions,
        convert: pacsv.ConvertOptions,
        block_bytes: int,
    ) -> None:
        self._file = file
        self._header = header
        self._columns = list(columns)
        self._parse = parse
        self._convert = convert
        self._block_bytes = block_bytes
        self._mark = secrets.token_hex(16)
        self._last_row = f'"{self._mark}"{parse.delimiter * (len(columns) - 1)}\n'.encode()
        self._windows = threading.local()

    def __reduce__(self) -> tuple[Any, ...]:
        return Pieces, (self._file, self._header, self._columns, self._parse, self._convert, self._block_bytes)

    def starts(self) -> range:
        """Give the place of each piece: it begins after the first line feed from that byte on."""
        return range(0, self._file.size(), self._block_bytes)

    def batches(self, starts: Iterable[int] | None = None, *, threads: int | None = None) -> Iterator[pa.RecordBatch]:
        """Parse the pieces, a few ahead of the consumer.

        Args:
            starts: The places of some pieces; default all.
            threads: How many at a time; default as many as there are processors.

        Raises:
            CutWithinARowError: At the first piece that cannot be trusted; all rows before it were given.
        """
        workers = threads or max(pa.cpu_count(), 1)
        with self._file.opened() as read:
            parsed = partial(self._parsed, read)
            yield from computed_ahead(
                parsed, self.starts() if starts is None else starts, threads=workers, ahead=2 * workers
            )

    def _parsed(self, read_file: Read, start: int) -> pa.RecordBatch:
        piece = self._read(read_file, start)
        in_file = start == 0 and self._header is not None
        read = pacsv.ReadOptions(
            use_threads=False,
            block_size=len(piece) + 1,
            skip_rows=(self._header or 0) if in_file else 0,
            column_names=None if in_file else self._columns,
        )
        try:
            _check_utf8(piece)
            source = pa.BufferReader(piece)
            rows = pacsv.read_csv(source, read, self._parse, self._convert, memory_pool=memory_pool())
        except pa.ArrowException:
            raise CutWithinARowError from None
        last = rows.num_rows - 1
        if last < 0 or rows.column(0)[last].as_py() != self._mark:
            raise CutWithinARowError
        (batch,) = rows.combine_chunks().to_batches()
        return batch.slice(0, last)

    def _read(self, read_file: Read, start: int) -> pa.Buffer:
        """Read from after the first line feed at or after ``start`` to after the first one a block further on."""
        window = self._window()
        expected = min(self._block_bytes + _ROW_BYTES, 2 * self._block_bytes)
        filled = read_file(memoryview(window)[:expected], start)
        if filled == expected and window.find(b"\n", self._block_bytes, filled) < 0:  # a long row
            rest = memoryview(window)[filled : 2 * self._block_bytes]
            filled += read_file(rest, start + filled)

        def after_line_feed(position: int) -> int:
            if found := window.find(b"\n", position, filled) + 1:
                return found
            if filled == 2 * self._block_bytes:  # a row that is longer than a piece
                raise CutWithinARowError
            return filled

        last = after_line_feed(self._block_bytes) if filled > self._block_bytes else filled
        first = min(after_line_feed(0), last) if start else 0
        if start and window[first : first + len(codecs.BOM_UTF8)] == codecs.BOM_UTF8:
            raise CutWithinARowError  # Arrow would take it for the mark at the start of a file
        ending = self._last_row if first == last or window[last - 1] == _LINE_FEED else b"\n" + self._last_row
        window[last : last + len(ending)] = ending
        return pa.py_buffer(memoryview(window)[first : last + len(ending)])

    def _window(self) -> mmap.mmap:
        """Give this thread's buffer, as zeroing a new one for each piece would cost more than reading it."""
        window: mmap.mmap | None = getattr(self._windows, "window", None)
        if window is None:
            window = self._windows.window = aligned_memory(2 * self._block_bytes + len(self._last_row) + 1)
        return window


def _check_utf8(piece: pa.Buffer) -> None:
    """Raise ``pyarrow.ArrowInvalid`` unless a piece is UTF-8: then its cells are, as they end at ASCII characters."""
    offsets = pa.array([0, len(piece)], pa.int64()).buffers()[1]
    pa.Array.from_buffers(pa.large_string(), 1, [None, offsets, piece]).validate(full=True)


@cache
def memory_pool() -> pa.MemoryPool:
    """Give the memory for parsed cells: jemalloc's, where Arrow was built with it.

    Arrow's default takes huge pages, which a virtual machine whose host provides memory on demand may take longer to
    get than to parse what goes into them.
    """
    try:
        return pa.jemalloc_memory_pool()
    except NotImplementedError:
        return pa.default_memory_pool()
