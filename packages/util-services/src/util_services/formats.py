"""Reading and writing tables and texts by file ending: lazily, in bounded memory, cells untouched."""

import codecs
import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, cast

import pandas as pd
import polars as pl
import pyarrow as pa

from util_services.csv_files import COMMA_SEPARATED, Compression, CsvDialect, CsvFile, codec_of
from util_services.errors import DataServiceError
from util_services.origins import Origins
from util_services.output_file import open_output
from util_services.row_source import from_batches
from util_services.texts import Text, decoded, encoded

Kind = Literal["csv", "parquet", "jsonl"]

_KINDS: dict[str, Kind] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".parquet": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}
_TEXT_BLOCK_BYTES = 1 << 20
_CSV_SCANS = Origins[CsvFile]()
_COMPRESSIONS: dict[str, Compression] = {".gz": "gzip", ".zst": "zstd"}


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


def ending_of(name: str) -> str:
    """Give the ending that tells the format, and the compression if there is one.

    Raises:
        DataServiceError: As :func:`format_of`.

    Examples:
        >>> ending_of("visits.2026.csv.gz")
        '.csv.gz'
    """
    return "".join(Path(name).suffixes[-2 if format_of(name).compression else -1 :])


def scan(path: Path, dialect: CsvDialect = COMMA_SEPARATED, *, limit_rows: int | None = None) -> pl.LazyFrame:
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
    names = CsvFile(path, dialect, layout.compression).check()
    with pa.input_stream(path, compression=layout.compression) as stream:  # pandas itself knows no .zst without help
        frame: pd.DataFrame = pd.read_csv(
            stream,
            sep=dialect.delimiter,
            encoding=dialect.encoding,
            header=None,
            names=names,
            skiprows=0 if dialect.header is None else dialect.header + 1,
            nrows=limit_rows,
            index_col=False,
            low_memory=False,
            skip_blank_lines=len(names) > 1,
        )
    return frame


def sink(
    frame: pl.LazyFrame,
    path: Path,
    name: str,
    dialect: CsvDialect = COMMA_SEPARATED,
    *,
    index: bool = False,
    first_row: int = 0,
    quoted: bool = False,
    expected_bytes: int | None = None,
) -> None:
    """Evaluate a lazy frame into a file, in row order and bounded memory.

    Args:
        frame: The table.
        path: The local file to write.
        name: The name whose ending tells the format, where it differs from that of ``path`` (a partial file).
        dialect: Layout of a CSV file; ``header=None`` writes no column names.
        index: Put the row number in front, in a column without a name, as pandas does (CSV only).
        first_row: Number of the first row.
        quoted: Cells of a CSV file have the quotes that they need.
        expected_bytes: How large a CSV file will be, roughly, if that is known.

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
        how: Literal["never", "necessary"] = "never" if quoted else "necessary"
        _sink_csv(frame, path, layout.compression, dialect, first_row if index else None, how, expected_bytes)


def _sink_csv(
    frame: pl.LazyFrame,
    path: Path,
    compression: Compression | None,
    dialect: CsvDialect,
    first_row: int | None,
    quote_style: Literal["never", "necessary"],
    expected_bytes: int | None,
) -> None:
    schema = frame.collect_schema()
    if nested := [column for column, dtype in schema.items() if dtype.is_nested()]:
        raise DataServiceError(
            f"The column {nested[0]!r} holds lists or records, which CSV cannot: write .parquet or .jsonl."
        )
    booleans = [pl.col(column) for column, dtype in schema.items() if dtype == pl.Boolean]
    frame = frame.with_columns(_as_pandas_writes(column) for column in booleans)
    names = list(schema)
    if first_row is not None:
        unnamed = "index"
        while unnamed in names:
            unnamed += "_"
        frame, names = frame.with_row_index(unnamed, first_row), ["", *names]
    encodes = codec_of(dialect.encoding) != "utf-8"  # in Python, so that all goes through it anyway
    with _compressed(path, compression, None if encodes else expected_bytes) as file:
        encoder = _Encoder(file, dialect.encoding) if encodes else None
        target = cast("IO[bytes]", encoder or file)  # Polars needs no more than write and flush
        if dialect.header is not None:
            target.write(_header_line(names, dialect.delimiter))
        try:
            frame.sink_csv(
                target,
                include_header=False,
                separator=dialect.delimiter,
                quote_style=quote_style,
                engine="streaming",
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


def _compressed(path: Path, compression: Compression | None, expected_bytes: int | None = None) -> IO[bytes]:
    if compression is None:
        return cast("IO[bytes]", open_output(path, expected_bytes))
    return cast("IO[bytes]", pa.output_stream(path, compression="gzip" if compression == "gzip" else "zstd"))


def _scan_jsonl(path: Path, compression: Compression | None) -> pl.LazyFrame:
    if path.stat().st_size == 0:
        raise DataServiceError("The input file is empty: give a file with at least one JSON record.")
    source: Path | bytes = path
    if compression:
        with pa.input_stream(path, compression=compression) as stream:
            source = stream.read()
    frame = pl.scan_ndjson(source, infer_schema_length=None)
    try:
        frame.collect_schema()
    except pl.exceptions.PolarsError:
        raise DataServiceError("The input file is not valid JSON lines: give one JSON object a line.") from None
    return frame


def _scan_csv(path: Path, dialect: CsvDialect, compression: Compression | None) -> pl.LazyFrame:
    file = CsvFile(path, dialect, compression)
    names = file.column_names()

    def batches(wanted: Sequence[str]) -> Iterator[pl.DataFrame]:
        return (as_frame([batch], names).select(wanted) for batch in file.batches(names))

    frame = from_batches(pl.Schema(dict.fromkeys(names, pl.String())), batches)
    _CSV_SCANS.remember(frame, file)
    return frame


@dataclass(frozen=True)
class CsvBatches:
    """The rows of a CSV file as Arrow parses them.

    Attributes:
        names: The columns.
        delimiter: What stood between cells.
        size: Bytes of the file if it is not compressed, else ``None``.
        batches: Text columns, to be gone through once.
    """

    names: Sequence[str]
    delimiter: str
    size: int | None
    batches: Iterator[pa.RecordBatch]


def batches_of(frame: pl.LazyFrame) -> CsvBatches | None:
    """Parse a CSV file whose scan is untouched: straight from Arrow, without going through Polars' engine.

    Returns:
        ``None`` for any other frame.
    """
    if (file := _CSV_SCANS.of(frame)) is None:
        return None
    names = frame.collect_schema().names()
    size = None if file.compression else file.path.stat().st_size
    return CsvBatches(names, file.dialect.delimiter, size, file.batches(names))


def as_frame(batches: Iterable[pa.RecordBatch], names: Sequence[str]) -> pl.DataFrame:
    """Take batches of text columns over into Polars, without copying the texts."""
    frame = pl.DataFrame(pa.Table.from_batches(batches, pa.schema([(name, pa.string()) for name in names])))
    frame.columns = list(names)  # Polars renames a column without a name
    return frame


def read_text(path: Path, encoding: str) -> Iterator[str]:
    """Decode a text file (also .gz and .zst) a block at a time; line ends stay as they are.

    Args:
        path: The file.
        encoding: Any Python text codec.

    Returns:
        The text, cut anywhere.

    Raises:
        DataServiceError: If the bytes are not valid in the encoding, or not compressed as the ending says.
    """
    codec_of(encoding)
    compression = _COMPRESSIONS.get(path.suffix.lower())
    try:
        with pa.input_stream(path, compression=compression) as stream:
            yield from decoded(iter(lambda: cast("bytes", stream.read(_TEXT_BLOCK_BYTES)), b""), encoding)
    except UnicodeError:
        raise DataServiceError(
            f"The input file is not valid {encoding}: give its true encoding, such as cp1252."
        ) from None
    except (pa.ArrowException, OSError):
        if compression is None:
            raise
        raise DataServiceError("The input file cannot be decompressed: check that its ending is right.") from None


def write_text(text: Text | str, path: Path, name: str, encoding: str) -> None:
    """Write a text file in bounded memory; the ending of ``name`` tells whether it is compressed.

    Raises:
        DataServiceError: If a character cannot be written in the encoding.
    """
    codec_of(encoding)
    blocks = [text] if isinstance(text, str) else text.blocks()
    try:
        with _compressed(path, _COMPRESSIONS.get(Path(name).suffix.lower())) as file:
            for block in encoded(blocks, encoding):
                file.write(block)
    except UnicodeError:
        raise DataServiceError(
            f"The text has a character that the encoding {encoding!r} cannot express: write utf-8."
        ) from None
