"""The levels of columns of text: their distinct values, which are far fewer than rows where values repeat.

What depends on a cell's own value alone need be computed only once for each level. Parquet stores such columns as
dictionaries with a number for each row, so that neither counting levels nor giving them other cells touches the texts
of the rows.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from util_services.ahead import computed_ahead
from util_services.parquet_files import row_groups

_MOST_LEVELS = 10_000
_COUNTED_ROWS, _WRITTEN_ROWS = 1 << 17, 1 << 16  # at a time
_THREADS = 2
_TEXTS = (pa.string(), pa.large_string(), pa.string_view())
_CODED = pa.dictionary(pa.int32(), pa.string())


@dataclass(frozen=True)
class Levels:
    """The distinct values of a stored column of text, how many rows have each, and what their cells are by now.

    Attributes:
        stored: The values, a missing one included if there is any, each once, shape (levels,).
        counts: How many rows have each, from 1, shape (levels,).
        cells: What the cells of these rows are by now; may repeat, shape (levels,).
    """

    stored: pl.Series
    counts: pl.Series
    cells: pl.Series

    def recoded(self, cells: pl.Series) -> "Levels":
        """Give the rows other cells: one for each level, in order."""
        return replace(self, cells=cells.alias(self.cells.name))

    def named(self, name: str) -> "Levels":
        """Give them as the levels of a column of that name."""
        return replace(self, cells=self.cells.alias(name))

    def settled(self) -> "Levels":
        """Give the levels that the column has once it is stored as it is now."""
        counts = Counter[str | None]()
        for cell, count in zip(self.cells, self.counts, strict=True):
            counts[cell] += count
        return _levels(self.cells.name, counts)

    def rows(self, where: pl.Series) -> int:
        """Count the rows of the levels for which a condition holds.

        Args:
            where: A truth value for each level; a missing one counts as false.
        """
        return int(self.counts.filter(where).sum())


def count_levels(path: Path, columns: Sequence[str]) -> dict[str, Levels]:
    """Find the levels of columns in a Parquet file.

    Args:
        path: The file.
        columns: Some of its columns.

    Returns:
        Of those columns the ones with text that has a dictionary in all row groups, and no more than 10,000 levels.
    """
    try:
        with pq.ParquetFile(path) as file:
            counted: dict[str, Counter[str | None]] = {name: Counter() for name in _coded(file, columns)}
    except pa.ArrowException:  # types of Polars that Arrow does not know
        return {}

    def counts(part: _Part) -> dict[str, dict[str | None, int]]:
        return {name: _counts(column) for name, column in part.read().items()}

    groups = row_groups(file.metadata, _COUNTED_ROWS)
    parts = (_Part(path, file.metadata, some, list(counted)) for some in groups if counted)
    for found in computed_ahead(counts, parts, threads=_THREADS, ahead=_THREADS):
        for name in counted.keys() & found.keys():
            counted[name].update(found[name])
            if len(counted[name]) > _MOST_LEVELS:
                del counted[name]
    return {name: _levels(name, each) for name, each in counted.items()}


def write_recoded(source: Path, levels: Mapping[str, Levels], path: Path) -> None:
    """Write columns of a Parquet file with other cells.

    Args:
        source: The file whose columns have these levels.
        levels: For each column to write its levels, with the cells that they are to have.
        path: The file to write.
    """
    metadata = pq.read_metadata(source)
    cells = {name: dict(zip(each.stored, each.cells, strict=True)) for name, each in levels.items()}
    schema = pa.schema([(name, _CODED) for name in levels])

    def recoded(part: _Part) -> pa.Table:
        return pa.table({name: _recoded(column, cells[name]) for name, column in part.read().items()}, schema)

    parts = (_Part(source, metadata, some, list(levels)) for some in row_groups(metadata, _WRITTEN_ROWS))
    with pq.ParquetWriter(
        path, schema, compression="none", use_dictionary=True, write_statistics=False, store_schema=False
    ) as writer:
        for table in computed_ahead(recoded, parts, threads=_THREADS, ahead=_THREADS):
            writer.write_table(table)


@dataclass(frozen=True)
class _Part:
    """Columns of some row groups of a file."""

    path: Path
    metadata: pq.FileMetaData
    groups: list[int]
    columns: list[str]

    def read(self) -> dict[str, pa.DictionaryArray]:
        """Read them, each as one array; by a reader of its own, as several threads do so."""
        how: dict[str, Any] = {"metadata": self.metadata, "read_dictionary": self.columns, "pre_buffer": False}
        with pq.ParquetFile(self.path, **how) as file:
            rows = file.read_row_groups(self.groups, columns=self.columns, use_threads=False).unify_dictionaries()
        return {name: _joined(rows[name]) for name in self.columns}


def _coded(file: pq.ParquetFile, columns: Sequence[str]) -> list[str]:
    """Name those columns of text that have a dictionary in all row groups."""
    metadata, schema = file.metadata, file.schema_arrow
    leaves = {file.schema.column(place).path: place for place in range(len(file.schema))}

    def is_coded(name: str) -> bool:
        place = leaves[name]
        groups = (metadata.row_group(group).column(place) for group in range(metadata.num_row_groups))
        return metadata.num_row_groups > 0 and all(group.has_dictionary_page for group in groups)

    return [name for name in columns if schema.field(name).type in _TEXTS and is_coded(name)]


def _joined(column: pa.ChunkedArray) -> pa.DictionaryArray:
    """Put chunks that have the same dictionary together."""
    codes = pa.concat_arrays([chunk.indices for chunk in column.chunks])
    return pa.DictionaryArray.from_arrays(codes, column.chunk(0).dictionary, safe=False)  # read by Arrow itself


def _counts(column: pa.DictionaryArray) -> dict[str | None, int]:
    """Count the rows of each value that occurs, a missing one included."""
    codes = column.indices.fill_null(len(column.dictionary)).to_numpy()
    counts = np.bincount(codes, minlength=len(column.dictionary) + 1).tolist()
    return {value: count for value, count in zip([*column.dictionary.to_pylist(), None], counts, strict=True) if count}


def _levels(name: str, counts: Counter[str | None]) -> Levels:
    stored = pl.Series(name, list(counts), pl.String)
    return Levels(stored, pl.Series(list(counts.values()), dtype=pl.Int64), stored)


def _recoded(column: pa.DictionaryArray, cells: Mapping[str | None, str | None]) -> pa.DictionaryArray:
    """Give each row the cell of its value."""
    values = column.dictionary.to_pylist()
    if not cells.keys() >= set(values):
        raise RuntimeError("The levels are not those of this file.")
    new = pa.array([*map(cells.get, values), cells.get(None)], pa.string()).dictionary_encode()
    codes = new.indices.take(column.indices.fill_null(len(values)))
    return pa.DictionaryArray.from_arrays(codes, new.dictionary, safe=False)
