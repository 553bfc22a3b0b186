"""Parsing CSV: lazily, in bounded memory, cells untouched, malformed rows refused.

Arrow parses rather than Polars because it refuses ragged rows and tells which, takes any Python codec, streams
compressed files and tells an empty cell (null) from a quoted empty one (empty text).
"""

import codecs
import csv
import io
import queue
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import pyarrow as pa
import pyarrow.csv as pacsv

from util_services.csv_pieces import CutWithinARowError, Pieces, memory_pool
from util_services.errors import DataServiceError
from util_services.file_source import File, LocalFile

Compression = Literal["gzip", "zstd"]

_BLOCK_BYTES = 4 << 20  # large enough to amortise a block's cost, small enough for a few to be in flight
_READ_AHEAD_BLOCKS = 4
_HEADER_BLOCK_BYTES = 256 << 10  # holds nearly every header, and need not be parsed beyond it
_EMPTY = "mpty CSV"  # as Arrow puts it


@dataclass(frozen=True)
class CsvDialect:
    """How cells are laid out in a CSV file.

    Attributes:
        delimiter: One ASCII character between cells.
        encoding: Any Python text codec.
        header: Index of the line with the column names, from 0; ``None`` if there is none (columns are then named
            ``column_0``, ``column_1``, …).
    """

    delimiter: str = ","
    encoding: str = "utf-8"
    header: int | None = 0

    def __post_init__(self) -> None:
        if len(self.delimiter) != 1 or not self.delimiter.isascii() or self.delimiter in '"\r\n':
            raise DataServiceError(
                f"The delimiter {self.delimiter!r} cannot be used: give one ASCII character such as ',' ';' or a tab."
            )
        if self.header is not None and self.header < 0:
            raise DataServiceError(f"The header {self.header} is not a line index: give 0 or more, or null for none.")
        codec_of(self.encoding)


def codec_of(encoding: str) -> str:
    """Look a text codec up.

    Returns:
        Python's name for it.

    Raises:
        DataServiceError: If Python knows no text codec of that name.
    """
    try:
        codec = codecs.lookup(encoding)
        "".encode(encoding)
    except (LookupError, ValueError):
        raise DataServiceError(
            f"The encoding {encoding!r} is unknown: give a Python codec such as utf-8, latin-1 or cp1252."
        ) from None
    return codec.name


COMMA_SEPARATED = CsvDialect()


@dataclass(frozen=True)
class CsvFile:
    """A CSV file on disk and how it is laid out."""

    path: Path
    dialect: CsvDialect
    compression: Compression | None

    def column_names(self) -> list[str]:
        """Read the header: column names, in order, each once."""
        with self._explained():
            try:
                names = self._header_names()
            except pa.ArrowInvalid as error:
                if _EMPTY not in str(error):
                    raise
                names = self._only_line()
        if self.dialect.header is None:
            return [f"column_{position}" for position in range(len(names))]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise DataServiceError(
                f"The header names the column {repeated[0]!r} more than once: give every column a name of its own."
            )
        return names

    def _header_names(self) -> list[str]:
        try:
            return cast("list[str]", self._open(handler=lambda _: "skip", block_bytes=_HEADER_BLOCK_BYTES).schema.names)
        except pa.ArrowInvalid:
            return cast("list[str]", self._open(handler=lambda _: "skip").schema.names)

    def check(self) -> list[str]:
        """Read every row and keep none.

        Returns:
            The column names.
        """
        names = self.column_names()
        for _ in self.batches(names):
            pass
        return names

    def batches(self, names: list[str]) -> Iterator[pa.RecordBatch]:
        """Parse the rows into batches of text columns, a few blocks ahead of the consumer."""
        if pieces := self.pieces(names):
            return self._batches_of(pieces, names)
        return _read_ahead(self._batches(names))

    def pieces(self, names: list[str], copy: File | None = None) -> Pieces | None:
        """Cut a large file into pieces that are parsed in parallel, if a line end can be found without decoding.

        Args:
            names: The column names.
            copy: Another place where its bytes are, for parsing elsewhere.
        """
        file = copy or LocalFile(self.path)
        if (
            self.compression is not None
            or codec_of(self.dialect.encoding) != "utf-8"
            or file.size() <= 2 * _BLOCK_BYTES
        ):
            return None
        columns = self._columns(names)
        return Pieces(
            file,
            self.dialect.header,
            columns,
            self._parse_options(names),
            _texts(columns, check_utf8=False),
            _BLOCK_BYTES,
        )

    def _batches_of(self, pieces: Pieces, names: list[str]) -> Iterator[pa.RecordBatch]:
        """Parse pieces of the file in parallel; should one be cut within quotes or be faulty, go on one by one."""
        done = 0
        try:
            for batch in pieces.batches():
                yield batch.rename_columns(names)
                done += batch.num_rows
        except CutWithinARowError:
            for batch in self._batches(names):  # from the start, as only so faults are told with their rows' numbers
                if done < batch.num_rows:
                    yield batch.slice(done)
                done = max(done - batch.num_rows, 0)

    def _batches(self, names: list[str]) -> Iterator[pa.RecordBatch]:
        ragged: list[pacsv.InvalidRow] = []

        def stop_at(row: pacsv.InvalidRow) -> str:
            ragged.append(row)
            return "error"

        with self._explained():
            try:
                for batch in self._open(names, stop_at):
                    yield batch.rename_columns(names)
            except pa.ArrowInvalid as error:
                if ragged:
                    raise self._ragged(ragged[-1]) from None
                if _EMPTY not in str(error):  # a header without a line end is no fault
                    raise

    def _open(
        self, names: list[str] | None = None, handler: Any = None, block_bytes: int | None = None
    ) -> pacsv.CSVStreamingReader:
        header = self.dialect.header
        codec = codec_of(self.dialect.encoding)
        read = pacsv.ReadOptions(
            use_threads=False,  # row numbers are known only when rows are parsed in order
            block_size=block_bytes or _BLOCK_BYTES,
            encoding="utf8" if codec == "utf-8" else self.dialect.encoding,
            skip_rows=header or 0,
            autogenerate_column_names=header is None,
        )
        stream = pa.input_stream(self.path, compression=self.compression)
        convert = _texts(self._columns(names or []))
        return pacsv.open_csv(stream, read, self._parse_options(names, handler), convert, memory_pool=memory_pool())

    def _columns(self, names: list[str]) -> list[str]:
        """Name the columns as Arrow does."""
        return names if self.dialect.header is not None else [f"f{position}" for position in range(len(names))]

    def _parse_options(self, names: list[str] | None, handler: Any = None) -> pacsv.ParseOptions:
        """Tell Arrow how cells are laid out."""
        single_column = names is not None and len(names) == 1
        return pacsv.ParseOptions(
            delimiter=self.dialect.delimiter,
            newlines_in_values=True,
            ignore_empty_lines=not single_column,  # there an empty line is a row with an empty cell
            invalid_row_handler=handler,
        )

    def _only_line(self) -> list[str]:
        """Read the header of a file that Arrow calls empty because it ends within its first line."""
        with pa.input_stream(self.path, compression=self.compression) as stream:
            text = stream.read(_BLOCK_BYTES).decode(self.dialect.encoding).removeprefix("\ufeff")
        try:
            lines = list(csv.reader(io.StringIO(text), delimiter=self.dialect.delimiter))
        except csv.Error:  # a name of more than 128 KiB
            raise DataServiceError("The header of the input file cannot be read: check that it is CSV.") from None
        if self.dialect.header is None or len(lines) <= self.dialect.header or not lines[self.dialect.header]:
            raise DataServiceError("The input file is empty: give a file with at least a header line.")
        return lines[self.dialect.header]

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except pa.ArrowInvalid as error:
            raise self._invalid(error) from None
        except UnicodeError:
            raise self._wrong_encoding() from None
        except OSError:
            raise DataServiceError("The input file cannot be decompressed: check that its ending is right.") from None

    def _ragged(self, row: pacsv.InvalidRow) -> DataServiceError:
        place = f"Row {row.number}" if row.number else "A row"
        return DataServiceError(
            f"{place} of the input file has {row.actual_columns} cells where the header has {row.expected_columns}: "
            "mend that row, or check the delimiter and the quotes."
        )

    def _invalid(self, error: pa.ArrowInvalid) -> DataServiceError:
        text = str(error)
        if "UTF8" in text:
            return self._wrong_encoding(re.search(r"Row #(\d+)", text))
        if "straddl" in text:
            return DataServiceError(
                f"A row of the input file is longer than {_BLOCK_BYTES >> 20} MiB: most likely a quote is not closed."
            )
        return DataServiceError(
            "The input file cannot be parsed as CSV: check the delimiter, the quotes and the format."
        )

    def _wrong_encoding(self, row: re.Match[str] | None = None) -> DataServiceError:
        place = f" in row {row[1]}" if row else ""
        return DataServiceError(
            f"The input file is not valid {self.dialect.encoding}{place}: give its true encoding, such as cp1252."
        )


def _texts(columns: list[str], *, check_utf8: bool = True) -> pacsv.ConvertOptions:
    """Cells are text; an empty one is missing, a quoted empty one is not."""
    return pacsv.ConvertOptions(
        column_types=dict.fromkeys(columns, pa.string()),
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
        check_utf8=check_utf8,
    )


def _read_ahead(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Run an iterator in a thread, at most a few items ahead, so that parsing overlaps with what is done with them."""
    items: queue.Queue[pa.RecordBatch | BaseException | None] = queue.Queue(_READ_AHEAD_BLOCKS)
    stopped = threading.Event()

    def put(item: pa.RecordBatch | BaseException | None) -> None:
        while not stopped.is_set():
            with suppress(queue.Full):
                items.put(item, timeout=0.2)
                return

    def work() -> None:
        try:
            for batch in batches:
                put(batch)
                if stopped.is_set():
                    return
            put(None)
        except BaseException as error:  # noqa: BLE001 - handed to the consumer's thread
            put(error)

    threading.Thread(target=work, name="read-ahead", daemon=True).start()
    try:
        while (item := items.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()
