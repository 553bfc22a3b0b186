"""Files as Spark tables, parsed on the cluster by the parsers of this package, their rows numbered.

They read a file under the path that it has here, or a copy of it in object storage.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from util_services.csv_files import CsvDialect, CsvFile
from util_services.csv_pieces import CutWithinARowError, Pieces
from util_services.engine_rows import ROW, hide, is_hidden
from util_services.errors import DataServiceError
from util_services.file_source import File, LocalFile
from util_services.formats import format_of, scan
from util_services.stored_files import StoredFile

_SPECIAL = frozenset(".`")
_HEAD_BYTES = 1 << 20
_SMALL_BYTES = 8 << 20
_PIECES_A_TASK = 4  # which take some seconds


def read(
    session: Any,
    path: Path,
    dialect: CsvDialect,
    limit_rows: int | None,
    share: Callable[[Path], File] = LocalFile,
) -> Any:
    """Give a file as a Spark table whose rows are numbered, parsed there as this process would parse it.

    A large CSV file is cut into pieces, for which see :class:`util_services.csv_pieces.Pieces`: they are parsed twice,
    first to see whether all can be trusted and how many rows each has. If one cannot be, and for files of all other
    kinds, one machine parses the whole.

    Args:
        session: The Spark session.
        path: The file.
        dialect: Layout of a CSV file.
        limit_rows: Read only the first so many rows.
        share: Gives the file to the machines of the cluster.

    Raises:
        DataServiceError: As :func:`util_services.formats.scan`, and if a column has a name that Spark cannot take.
    """
    layout, path = format_of(path.name), path.absolute()
    if layout.kind != "csv":
        kinds = _plain(scan(path, dialect).collect_schema())
        _check_names(kinds.names)
        return hide(_parsed(session, share(path), partial(_batches, dialect=dialect), kinds, limit_rows))
    file = CsvFile(path, dialect, layout.compression)
    names = file.column_names()
    return _csv(session, file, names, share(path), limit_rows)


def read_stored(session: Any, stored: StoredFile, dialect: CsvDialect, limit_rows: int | None) -> Any | None:
    """Give an object as a Spark table whose machines read it themselves; see :func:`read`.

    Returns:
        ``None`` for a file of which more than the beginning has to be known first: a small one, and any but
        uncompressed CSV.
    """
    layout = format_of(stored.key)
    if layout.kind != "csv" or layout.compression or stored.size() <= _SMALL_BYTES:
        return None
    with stored.beginning(_HEAD_BYTES) as head:
        file = CsvFile(head, dialect, None)
        try:
            names = file.column_names()
        except DataServiceError:
            return None
    if sum(len(name.encode()) for name in names) > _HEAD_BYTES // 2:  # there may be more
        return None
    return _csv(session, file, names, stored, limit_rows)


def _csv(session: Any, file: CsvFile, names: list[str], shared: File, limit_rows: int | None) -> Any:
    _check_names(names)
    kinds = pa.schema([(name, pa.string()) for name in names])
    pieces = file.pieces(names, shared)
    if pieces and (counts := _rows_of(session, pieces)):
        return hide(_parsed_in_pieces(session, pieces, counts, kinds, limit_rows))

    def batches(copy: Path) -> Iterator[pa.RecordBatch]:
        return replace(file, path=copy).batches(names)

    return hide(_parsed(session, shared, batches, kinds, limit_rows))


def _plain(schema: pl.Schema) -> pa.Schema:
    """Give the types in which Spark and Arrow agree."""
    arrow = pl.DataFrame(schema=schema).to_arrow(compat_level=pl.CompatLevel.oldest()).schema
    return pa.schema(
        [(entry.name, pa.string() if pa.types.is_large_string(entry.type) else entry.type) for entry in arrow]
    )


def _batches(path: Path, dialect: CsvDialect) -> Iterator[pa.RecordBatch]:
    for frame in scan(path, dialect).collect_batches():
        yield from frame.to_arrow(compat_level=pl.CompatLevel.oldest()).to_batches()


def _parsed(
    session: Any,
    file: File,
    batches: Callable[[Path], Iterator[pa.RecordBatch]],
    kinds: pa.Schema,
    limit_rows: int | None,
) -> Any:
    types, schema = _numbered_types(kinds)

    def parse(starts: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        deque(starts, maxlen=0)  # a Python worker that has not read its input to the end is not used again
        row = 0
        with file.whole() as path:
            for batch in batches(path):
                part = batch if limit_rows is None else batch.slice(0, limit_rows - row)
                yield _numbered(part, row, schema)
                row += part.num_rows
                if row == limit_rows:
                    return

    return session.range(0, 1, 1, 1).mapInArrow(parse, types)


def _rows_of(session: Any, pieces: Pieces) -> dict[int, int] | None:
    """Count the rows of each piece by its place, on the cluster; ``None`` if one cannot be trusted."""

    def count(places: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in places:
            starts = batch.column(0).to_pylist()
            rows: list[int | None] = []
            with suppress(CutWithinARowError):
                rows += (part.num_rows for part in pieces.batches(starts, threads=1))
            rows += [None] * (len(starts) - len(rows))
            yield pa.record_batch([batch.column(0), pa.array(rows, pa.int64())], ["place", "rows"])

    counted = _places(session, pieces.starts()).mapInArrow(count, "place long, rows long").toArrow()
    if counted["rows"].null_count:
        return None
    return dict(sorted(zip(counted["place"].to_pylist(), counted["rows"].to_pylist(), strict=True)))


def _parsed_in_pieces(
    session: Any, pieces: Pieces, counts: Mapping[int, int], kinds: pa.Schema, limit_rows: int | None
) -> Any:
    types, schema = _numbered_types(kinds)
    first = dict(zip(counts, accumulate(counts.values(), initial=0), strict=False))
    starts = pieces.starts()
    if limit_rows is not None:
        starts = starts[: max(sum(row < limit_rows for row in first.values()), 1)]

    def parse(places: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in places:
            some = batch.column(0).to_pylist()
            for start, part in zip(some, pieces.batches(some, threads=1), strict=True):
                row = first[start]
                yield _numbered(part if limit_rows is None else part.slice(0, limit_rows - row), row, schema)

    return _places(session, starts).mapInArrow(parse, types)


def _places(session: Any, starts: range) -> Any:
    """Give the places of pieces as a table, neighbours together in a part of it."""
    return session.range(starts.start, starts.stop, starts.step, -(-len(starts) // _PIECES_A_TASK))


def _numbered_types(kinds: pa.Schema) -> tuple[Any, pa.Schema]:
    """Give the types of a table and its numbers, for Spark and as Spark takes them from Arrow."""
    from pyspark.sql.pandas.types import from_arrow_schema, to_arrow_schema

    types = from_arrow_schema(kinds.append(pa.field(ROW, pa.int64())), prefer_timestamp_ntz=True)
    return types, to_arrow_schema(types)


def _numbered(batch: pa.RecordBatch, row: int, schema: pa.Schema) -> pa.RecordBatch:
    """Number the rows of a batch, the first of which is ``row``."""
    numbers = pa.array(range(row, row + batch.num_rows), pa.int64())
    columns = [*(column.cast(entry.type) for column, entry in zip(batch.columns, schema, strict=False)), numbers]
    return pa.record_batch(columns, schema=schema)


def _check_names(names: list[str]) -> None:
    for name in names:
        if not name or is_hidden(name) or _SPECIAL & set(name):
            raise DataServiceError(
                f"The column {name!r} has a name that Spark cannot take (none, one with . or `, or {ROW}): rename it."
            )
