"""Tables on Spark: reading, staging as Parquet, and handing them over to this process in the order of their rows.

All paths must be the same on this machine and on those of the cluster.
"""

import shutil
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from util_services.csv_files import CsvDialect, CsvFile
from util_services.engine_batches import Counts
from util_services.engine_rows import ROW, TALLY, counts_of, hide, is_hidden, shown
from util_services.errors import DataServiceError
from util_services.formats import format_of, scan
from util_services.frames import Origins

SPARK = ".spark"
_SCANS = Origins[Path]()
_SPECIAL = frozenset(".`")


def read(session: Any, path: Path, dialect: CsvDialect, limit_rows: int | None) -> Any:
    """Give a file as a Spark table whose rows are numbered; one of its machines parses it as this process would.

    Raises:
        DataServiceError: As :func:`util_services.formats.scan`, and if a column has a name that Spark cannot take.
    """
    layout, path = format_of(path.name), path.absolute()
    if layout.kind == "csv":
        file = CsvFile(path, dialect, layout.compression)
        names = file.column_names()
        kinds = pa.schema([(name, pa.string()) for name in names])
        batches = lambda: file.batches(names)  # noqa: E731 - one of two
    else:
        kinds = _plain(scan(path, dialect).collect_schema())
        batches = lambda: _batches(path, dialect)  # noqa: E731 - one of two
    _check_names(kinds.names)
    return hide(_parsed(session, batches, kinds, limit_rows))


def _plain(schema: pl.Schema) -> pa.Schema:
    """Give the types in which Spark and Arrow agree."""
    arrow = pl.DataFrame(schema=schema).to_arrow(compat_level=pl.CompatLevel.oldest()).schema
    return pa.schema(
        [(entry.name, pa.string() if pa.types.is_large_string(entry.type) else entry.type) for entry in arrow]
    )


def _batches(path: Path, dialect: CsvDialect) -> Iterator[pa.RecordBatch]:
    for frame in scan(path, dialect).collect_batches():
        yield from frame.to_arrow(compat_level=pl.CompatLevel.oldest()).to_batches()


def _parsed(session: Any, batches: Any, kinds: pa.Schema, limit_rows: int | None) -> Any:
    from pyspark.sql.pandas.types import from_arrow_schema, to_arrow_schema

    types = from_arrow_schema(kinds.append(pa.field(ROW, pa.int64())), prefer_timestamp_ntz=True)
    schema = to_arrow_schema(types)

    def parse(starts: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        deque(starts, maxlen=0)  # a Python worker that has not read its input to the end is not used again
        row = 0
        for batch in batches():
            part = batch if limit_rows is None else batch.slice(0, limit_rows - row)
            numbers = pa.array(range(row, row + part.num_rows), pa.int64())
            row += part.num_rows
            columns = [*(column.cast(entry.type) for column, entry in zip(part.columns, schema, strict=False)), numbers]
            yield pa.record_batch(columns, schema=schema)
            if row == limit_rows:
                return

    return session.range(0, 1, 1, 1).mapInArrow(parse, types)


def _check_names(names: list[str]) -> None:
    for name in names:
        if not name or is_hidden(name) or _SPECIAL & set(name):
            raise DataServiceError(
                f"The column {name!r} has a name that Spark cannot take (none, one with . or `, or {ROW}): rename it."
            )


def stage(frame: Any, path: Path) -> Path:
    """Evaluate a Spark table once, into a folder of Parquet files; one that was staged already costs a link.

    Args:
        frame: The table.
        path: The folder, without its ending.

    Returns:
        The folder.
    """
    from pyspark.sql import functions

    folder = path.with_name(path.name + SPARK)
    if staged := _SCANS.of(frame):
        remove(folder)
        folder.symlink_to(staged.resolve())
        return folder
    whole = shown(frame)
    if ROW not in whole.columns:
        whole = whole.withColumn(ROW, functions.monotonically_increasing_id())
    _write(whole, folder)
    for number, counts in enumerate(counts_of(frame)):
        _add_counts(whole.sparkSession, folder, f"{TALLY}{number}", counts)
    return folder


def _write(whole: Any, folder: Path) -> None:
    remove(folder)
    whole.write.parquet(folder.as_uri(), compression="zstd")


def _add_counts(session: Any, folder: Path, column: str, counts: Counts) -> None:
    """Take up what functions counted, once a batch; what was computed twice, as after a fault, is in the rows once."""
    for row in session.read.parquet(folder.as_uri()).select(column).dropna().toLocalIterator():
        counts.add_taken(row[column])


def load(session: Any, folder: Path) -> Any:
    """Give a staged table lazily, as it was."""
    whole = session.read.parquet(folder.as_uri())
    frame = hide(whole.drop(*(name for name in whole.columns if name.startswith(TALLY))))
    _SCANS.remember(frame, folder)
    return frame


def rows(folder: Path) -> int:
    """Count the rows of a staged table."""
    return sum(int(pq.read_metadata(part).num_rows) for part in _parts(folder))


def columns(folder: Path) -> int:
    """Count the columns of a staged table."""
    return sum(not is_hidden(name) for name in pq.read_schema(_parts(folder)[0]).names)


def in_order(session: Any, folder: Path) -> pl.LazyFrame:
    """Give a staged table to this process, lazily, in the order of its rows; Spark sorts it once."""
    ordered = folder.with_name(f"sorted-{folder.name}")
    if not (ordered / "_SUCCESS").exists():
        _write(load(session, folder).in_order(), ordered)
    return pl.scan_parquet(_parts(ordered), glob=False)


def fetched(frame: Any, place: Path) -> pl.LazyFrame:
    """Evaluate a Spark table and give it to this process, lazily, in the order of its rows.

    Args:
        frame: The table.
        place: A private path that nothing else uses.
    """
    return in_order(frame.sparkSession, stage(frame, place))


def _parts(folder: Path) -> list[Path]:
    return sorted(folder.glob("part-*.parquet"))


def remove(folder: Path) -> None:
    """Give up a staged table; where it is linked to, it is gone, too."""
    if folder.is_symlink():
        folder.unlink()
    else:
        shutil.rmtree(folder, ignore_errors=True)
