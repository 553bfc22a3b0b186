"""Tables on Spark: staging as Parquet, and handing them over to this process in the order of their rows.

All paths must be the same on this machine and on those of the cluster.
"""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from util_services.engine_batches import Counts
from util_services.engine_rows import ROW, TALLY, counts_of, hide, is_hidden, shown
from util_services.frames import Origins

SPARK = ".spark"
_SCANS = Origins[Path]()
_ROWS_A_FILE = 500_000  # so that several tasks can read what one has written


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
    whole.write.option("maxRecordsPerFile", _ROWS_A_FILE).parquet(folder.as_uri(), compression="zstd")


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
    return _scan(_sorted(session, folder))


def in_slices(frame: Any, place: Path, function: Callable[[pl.LazyFrame, int], None], rows_a_slice: int) -> None:
    """Evaluate a Spark table, and have its cluster call a function for each slice of its rows in their order.

    Args:
        frame: The table.
        place: A private path that nothing else uses.
        function: Takes the whole table, lazily, and the place of a slice's first row; of an empty table, 0. It is sent
            to the machines of the cluster, and may be called twice for a slice.
        rows_a_slice: Rows of each slice but the last.
    """
    session, folder = frame.sparkSession, stage(frame, place)
    ordered, height = _sorted(session, folder), max(rows(folder), 1)

    def call(places: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in places:
            for first in batch.column(0).to_pylist():
                function(_scan(ordered), first)
            yield batch

    slices = session.range(0, height, rows_a_slice, -(-height // rows_a_slice))
    slices.mapInArrow(call, "id long").toArrow()


def _sorted(session: Any, folder: Path) -> Path:
    ordered = folder.with_name(f"sorted-{folder.name}")
    if not (ordered / "_SUCCESS").exists():
        _write(load(session, folder).in_order(), ordered)
    return ordered


def _scan(folder: Path) -> pl.LazyFrame:
    return pl.scan_parquet(_parts(folder), glob=False)


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
