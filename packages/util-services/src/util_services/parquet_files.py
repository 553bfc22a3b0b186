"""Parquet that is quick to write and to read, for tables that are soon read again."""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

_GROUP_ROWS = 16_384  # few enough to be read in small steps, for which there is memory from the step before
_SAMPLE_ROWS = 10_000  # tell how a column is best stored
_REPEATS = 10  # a value occurs at least so often on average: worth a dictionary
_TEXTS = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
_SHRINKS = 2  # so many times smaller when compressed: worth the time

# How much of a file Polars reads ahead; as much as it likes takes 100 MB more, and no less time.
os.environ.setdefault("POLARS_ROW_GROUP_PREFETCH_KBYTES_BUDGET", str(32 << 10))


def write_lazy(frame: pl.LazyFrame, path: Path, notes: Mapping[str, str] | None = None) -> None:
    """Evaluate a lazy frame of any types into a file, in row order and bounded memory."""
    frame.sink_parquet(
        path,
        compression="lz4",
        statistics=False,
        row_group_size=4 * _GROUP_ROWS,
        metadata=dict(notes or {}),
        engine="streaming",
    )


def write_tables(tables: Iterable[pa.Table], path: Path, notes: Mapping[str, str] | None = None) -> None:
    """Write tables one after the other into a file with Arrow's writer, which is the quicker one for texts.

    Args:
        tables: At least one, all with the same columns.
        path: The file.
        notes: What else is to be known of them.
    """
    writer: pq.ParquetWriter | None = None
    try:
        for table in tables:
            if not table.num_rows:
                empty = table  # which does not tell how to store the others
                continue
            writer = writer or _writer(path, table, notes)
            writer.write_table(table, row_group_size=_GROUP_ROWS if table.num_rows > 2 * _GROUP_ROWS else None)
        writer = writer or _writer(path, empty, notes)
    finally:
        if writer:
            writer.close()


def repeating(first: pa.Table) -> list[str]:
    """Name the columns of text whose values repeat in the first rows, so that they are stored as dictionaries."""
    return _repeating(_texts(first))


def row_groups(metadata: pq.FileMetaData, rows: int) -> Iterator[list[int]]:
    """Put row groups of a file together that have at least so many rows, save the last.

    Args:
        metadata: That of the file.
        rows: How many at least.
    """
    some: list[int] = []
    size = 0
    for group in range(metadata.num_row_groups):
        some.append(group)
        size += metadata.row_group(group).num_rows
        if size >= rows:
            yield some
            some, size = [], 0
    if some:
        yield some


def _writer(path: Path, first: pa.Table, notes: Mapping[str, str] | None) -> pq.ParquetWriter:
    """Open a writer: dictionaries for texts whose first rows repeat, compression for others whose first shrink."""
    texts = _texts(first)
    coded = _repeating(texts)
    plain = {*coded, *(name for name, cells in texts.items() if not _shrinks(cells))}
    writer = pq.ParquetWriter(
        path,
        first.schema,
        compression={name: "none" if name in plain else "lz4" for name in first.column_names},
        use_dictionary=coded,
        write_statistics=False,
    )
    writer.add_key_value_metadata(dict(notes or {}))
    return writer


def _repeating(texts: Mapping[str, pa.Array]) -> list[str]:
    return [name for name, cells in texts.items() if len(cells) and len(cells.unique()) * _REPEATS <= len(cells)]


def _texts(rows: pa.Table) -> dict[str, pa.Array]:
    """Give the first cells of the columns of text."""
    first = rows.slice(0, _SAMPLE_ROWS)
    return {
        name: pa.concat_arrays([chunk.cast(pa.string()) for chunk in column.chunks] or [pa.array([], pa.string())])
        for name, column in zip(first.column_names, first.columns, strict=True)
        if any(kind(column.type) for kind in _TEXTS)
    }


def _shrinks(cells: pa.Array) -> bool:
    text = cells.buffers()[-1]
    return text is not None and len(pa.compress(text, "lz4", asbytes=True)) * _SHRINKS <= text.size
