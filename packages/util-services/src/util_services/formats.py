"""Reading and writing tables by file ending: lazily, in bounded memory, cells untouched.

CSV is parsed by Arrow rather than by Polars because Arrow refuses ragged rows, takes any Python codec, streams
compressed files and tells an empty cell (null) from a quoted empty one (empty text).
"""

import codecs
import csv
import io
import queue
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, cast

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv as pacsv
from polars.io.plugins import register_io_source

from util_services.errors import DataServiceError

Kind = Literal["csv", "parquet", "jsonl"]
Compression = Literal["gzip", "zstd"]

_KINDS: dict[str, Kind] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".parquet": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}
_COMPRESSIONS: dict[str, Compression] = {".gz": "gzip", ".zst": "zstd"}
_BLOCK_BYTES = 4 << 20  # large enough to amortise a block's cost, small enough for a few to be in flight
_READ_AHEAD_BLOCKS = 4


@dataclass(frozen=True)
class Format:
    """How a file is laid out, told by its ending."""

    kind: Kind
    compression: Compression | None


def format_of(name: str) -> Format:
    """Tell the format of a file or object from its ending.

    Args:
        name: A file name, path or object key.

    Raises:
        DataServiceError: If the ending is none of the supported ones.

    Examples:
        >>> format_of("visits.csv.gz")
        Format(kind='csv', compression='gzip')
    """
    path = Path(name)
    compression = _COMPRESSIONS.get(path.suffix.lower())
    ending = Path(path.stem).suffix.lower() if compression else path.suffix.lower()
    kind = _KINDS.get(ending)
    if kind is None or (kind == "parquet" and compression):
        raise DataServiceError(
            f"The file name {name!r} does not end in a supported format: use .csv, .tsv, .txt, .jsonl or .ndjson "
            "(each also with .gz or .zst), or .parquet."
        )
    return Format(kind, compression)


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


def scan(path: Path, dialect: CsvDialect = CsvDialect(), *, limit_rows: int | None = None) -> pl.LazyFrame:  # noqa: B008 - frozen
    """Scan a table lazily; the rows are read when the frame is collected or sunk.

    CSV cells are text: an empty cell is null, a quoted empty one is ``""``. JSON lines and Parquet keep their types.

    Args:
        path: A local file whose ending tells the format.
        dialect: Layout of a CSV file; ignored for other formats.
        limit_rows: Read only the first so many rows.

    Raises:
        DataServiceError: If the file is empty, its header repeats a name, or its ending is unknown. Faults in the
            rows (ragged row, wrong encoding) are raised when the frame is evaluated.
    """
    layout = format_of(path.name)
    if layout.kind == "parquet":
        frame = pl.scan_parquet(path, glob=False)
    elif layout.kind == "jsonl":
        frame = _scan_jsonl(path, layout.compression)
    else:
        frame = _scan_csv(path, dialect, layout.compression)
    return frame if limit_rows is None else frame.head(limit_rows)


def read_inferred(path: Path, dialect: CsvDialect, *, limit_rows: int | None = None) -> pd.DataFrame:
    """Read a CSV file with the types that pandas infers, for ops written against pandas.

    The rows are checked as in :func:`scan` first. The whole table is held in memory.

    Raises:
        DataServiceError: As :func:`scan`, rows included.
    """
    layout = format_of(path.name)
    if layout.kind != "csv":
        return scan(path, dialect, limit_rows=limit_rows).collect().to_pandas()
    names = _CsvFile(path, dialect, layout.compression).check()
    return pd.read_csv(
        path,
        sep=dialect.delimiter,
        encoding=dialect.encoding,
        header=None,
        names=names,
        skiprows=0 if dialect.header is None else dialect.header + 1,
        nrows=limit_rows,
        index_col=False,
        low_memory=False,
        compression=layout.compression,
        skip_blank_lines=len(names) > 1,
    )


def sink(
    frame: pl.LazyFrame, path: Path, name: str, dialect: CsvDialect = CsvDialect(), *, index: bool = False  # noqa: B008
) -> None:
    """Evaluate a lazy frame into a file, in row order and bounded memory.

    Args:
        frame: The table.
        path: The local file to write.
        name: The name whose ending tells the format, where it differs from that of ``path`` (a partial file).
        dialect: Layout of a CSV file; ``header=None`` writes no column names.
        index: Put the row number in front, in a column without a name, as pandas does (CSV only).

    Raises:
        DataServiceError: If a character cannot be written in the encoding, or a nested column not as CSV.
    """
    layout = format_of(name)
    if layout.kind == "parquet":
        frame.sink_parquet(path, compression="zstd", engine="streaming")
    elif layout.kind == "jsonl":
        with _compressed(path, layout.compression) as file:
            frame.sink_ndjson(file, engine="streaming")
    else:
        _sink_csv(frame, path, layout.compression, dialect, index=index)


def _sink_csv(
    frame: pl.LazyFrame, path: Path, compression: Compression | None, dialect: CsvDialect, *, index: bool
) -> None:
    schema = frame.collect_schema()
    if nested := [column for column, dtype in schema.items() if dtype.is_nested()]:
        raise DataServiceError(f"The column {nested[0]!r} holds lists or records, which CSV cannot: write .jsonl.")
    booleans = [pl.col(column) for column, dtype in schema.items() if dtype == pl.Boolean]
    frame = frame.with_columns(_as_pandas_writes(column) for column in booleans)
    names = list(schema)
    if index:
        unnamed = "index"
        while unnamed in names:
            unnamed += "_"
        frame, names = frame.with_row_index(unnamed), ["", *names]
    with _compressed(path, compression) as file:
        encoder = _Encoder(file, dialect.encoding) if codec_of(dialect.encoding) != "utf-8" else None
        target = cast(IO[bytes], encoder or file)  # Polars needs no more than write and flush
        if dialect.header is not None:
            target.write(_header_line(names, dialect.delimiter))
        try:
            frame.sink_csv(
                target, include_header=False, separator=dialect.delimiter, batch_size=8192, engine="streaming"
            )
            if encoder:
                encoder.finish()
        except Exception:
            if encoder and encoder.failed:
                raise DataServiceError(
                    f"The table has a character that the encoding {dialect.encoding!r} cannot express: write utf-8."
                ) from None
            raise


def _as_pandas_writes(column: pl.Expr) -> pl.Expr:
    return pl.when(column).then(pl.lit("True")).when(~column).then(pl.lit("False")).name.keep()


def _header_line(names: list[str], delimiter: str) -> bytes:
    line = io.StringIO()
    csv.writer(line, delimiter=delimiter, lineterminator="\n").writerow(names)
    return line.getvalue().encode()


class _Encoder:
    """A binary sink that takes UTF-8 and writes another encoding."""

    def __init__(self, file: IO[bytes], encoding: str) -> None:
        self.failed = False
        self._file = file
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._encoder = codecs.getincrementalencoder(encoding)()

    def write(self, data: bytes) -> int:
        try:
            self._file.write(self._encoder.encode(self._decoder.decode(data)))
        except UnicodeError:
            self.failed = True
            raise
        return len(data)

    def finish(self) -> None:
        self._file.write(self._encoder.encode("", final=True))

    def flush(self) -> None:
        self._file.flush()


def _compressed(path: Path, compression: Compression | None) -> IO[bytes]:
    if compression is None:
        return path.open("wb")
    return cast(IO[bytes], pa.output_stream(path, compression="gzip" if compression == "gzip" else "zstd"))


def _scan_jsonl(path: Path, compression: Compression | None) -> pl.LazyFrame:
    if path.stat().st_size == 0:
        raise DataServiceError("The input file is empty: give a file with at least one JSON record.")
    source: Path | bytes = path
    if compression:
        with pa.input_stream(path, compression=compression) as stream:
            source = stream.read()
    return pl.scan_ndjson(source, infer_schema_length=None)


def _scan_csv(path: Path, dialect: CsvDialect, compression: Compression | None) -> pl.LazyFrame:
    file = _CsvFile(path, dialect, compression)
    names = file.column_names()
    schema = pl.Schema(dict.fromkeys(names, pl.String()))

    def batches(
        with_columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, _batch_size: int | None
    ) -> Iterator[pl.DataFrame]:
        wanted = names if with_columns is None else with_columns
        left = n_rows
        for batch in file.batches(names):
            frame = batch.select(wanted)
            if left is not None:
                frame = frame.head(left)
                left -= frame.height
            yield frame if predicate is None else frame.filter(predicate)
            if left == 0:
                return

    return register_io_source(batches, schema=schema)


@dataclass(frozen=True)
class _CsvFile:
    """A CSV file on disk and how it is laid out."""

    path: Path
    dialect: CsvDialect
    compression: Compression | None

    def column_names(self) -> list[str]:
        """Read the header: column names, in order, each once."""
        try:
            names = self._open().schema.names
        except pa.ArrowInvalid as error:
            names = self._only_line(error)
        except UnicodeError:
            raise self._wrong_encoding() from None
        if self.dialect.header is None:
            return [f"column_{position}" for position in range(len(names))]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise DataServiceError(
                f"The header names the column {repeated[0]!r} more than once: give every column a name of its own."
            )
        return cast(list[str], names)

    def check(self) -> list[str]:
        """Read every row and keep none.

        Returns:
            The column names.
        """
        names = self.column_names()
        for _ in self.batches(names):
            pass
        return names

    def batches(self, names: list[str]) -> Iterator[pl.DataFrame]:
        """Parse the rows into frames of text columns, a few blocks ahead of the consumer."""
        return _read_ahead(self._batches(names))

    def _batches(self, names: list[str]) -> Iterator[pl.DataFrame]:
        ragged: list[pacsv.InvalidRow] = []

        def stop_at(row: pacsv.InvalidRow) -> str:
            ragged.append(row)
            return "error"

        try:
            for batch in self._open(names, stop_at):
                yield pl.DataFrame(pa.Table.from_batches([batch]).rename_columns(names))
        except pa.ArrowInvalid as error:
            if ragged:
                raise self._ragged(ragged[-1]) from None
            raise self._invalid(error) from None
        except UnicodeError:
            raise self._wrong_encoding() from None

    def _open(self, names: list[str] | None = None, handler: Any = None) -> pacsv.CSVStreamingReader:
        single_column = names is not None and len(names) == 1
        header = self.dialect.header
        codec = codec_of(self.dialect.encoding)
        read = pacsv.ReadOptions(
            use_threads=False,  # row numbers are known only when rows are parsed in order
            block_size=_BLOCK_BYTES,
            encoding="utf8" if codec == "utf-8" else self.dialect.encoding,
            skip_rows=header or 0,
            autogenerate_column_names=header is None,
        )
        parse = pacsv.ParseOptions(
            delimiter=self.dialect.delimiter,
            newlines_in_values=True,
            ignore_empty_lines=not single_column,  # there an empty line is a row with an empty cell
            invalid_row_handler=handler,
        )
        columns = [f"f{position}" for position in range(len(names))] if names and header is None else names
        convert = pacsv.ConvertOptions(
            column_types=dict.fromkeys(columns or [], pa.large_string()),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        )
        stream = pa.input_stream(self.path, compression=self.compression)
        return pacsv.open_csv(stream, read, parse, convert)

    def _only_line(self, error: pa.ArrowInvalid) -> list[str]:
        """Read the header of a file that Arrow calls empty because it ends within its first line."""
        if "mpty" not in str(error):
            raise self._invalid(error) from None
        with pa.input_stream(self.path, compression=self.compression) as stream:
            try:
                text = stream.read(_BLOCK_BYTES).decode(self.dialect.encoding).removeprefix("\ufeff")
            except UnicodeError:
                raise self._wrong_encoding() from None
        lines = list(csv.reader(io.StringIO(text), delimiter=self.dialect.delimiter))
        if self.dialect.header is None or len(lines) <= self.dialect.header or not lines[self.dialect.header]:
            raise DataServiceError("The input file is empty: give a file with at least a header line.") from None
        return lines[self.dialect.header]

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
        return DataServiceError("The input file cannot be parsed as CSV: check the delimiter, the quotes and the format.")

    def _wrong_encoding(self, row: re.Match[str] | None = None) -> DataServiceError:
        place = f" in row {row[1]}" if row else ""
        return DataServiceError(
            f"The input file is not valid {self.dialect.encoding}{place}: give its true encoding, such as cp1252."
        )


def _read_ahead(batches: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Run an iterator in a thread, at most a few items ahead, so that parsing overlaps with what is done with them."""
    items: queue.Queue[pl.DataFrame | BaseException | None] = queue.Queue(_READ_AHEAD_BLOCKS)
    stopped = threading.Event()

    def put(item: pl.DataFrame | BaseException | None) -> None:
        while not stopped.is_set():
            try:
                return items.put(item, timeout=0.2)
            except queue.Full:
                continue

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


def read_text(path: Path, encoding: str) -> str:
    """Read a text file (also .gz and .zst) byte for byte: line ends stay as they are.

    Raises:
        DataServiceError: If the bytes are not valid in the encoding.
    """
    codec_of(encoding)
    compression = _COMPRESSIONS.get(path.suffix.lower())
    with pa.input_stream(path, compression=compression) as stream:
        data = stream.read()
    try:
        return cast(bytes, data).decode(encoding)
    except UnicodeError:
        raise DataServiceError(
            f"The input file is not valid {encoding}: give its true encoding, such as cp1252."
        ) from None


def write_text(text: str, path: Path, name: str, encoding: str) -> None:
    """Write a text file; the ending of ``name`` tells whether it is compressed.

    Raises:
        DataServiceError: If a character cannot be written in the encoding.
    """
    codec_of(encoding)
    try:
        data = text.encode(encoding)
    except UnicodeError:
        raise DataServiceError(
            f"The text has a character that the encoding {encoding!r} cannot express: write utf-8."
        ) from None
    with _compressed(path, _COMPRESSIONS.get(Path(name).suffix.lower())) as file:
        file.write(data)
