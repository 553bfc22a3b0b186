"""Tables on Spark: staging as Parquet, and handing them over to this process in the order of their rows.

A table has a path in the run's folder. Either it lies there, and the path must be the same on this machine and on those
of the cluster; or it lies in object storage, and in its place is a file with its URI, of which a copy is there, too.
"""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pyarrow as pa

from util_services.access import STAGING_URI
from util_services.engine_batches import Counts
from util_services.engine_rows import ROW, TALLY, counts_of, hide, is_hidden, shown
from util_services.errors import DataServiceError
from util_services.object_staging import ObjectStaging, object_staging
from util_services.origins import Origins

SPARK = ".spark"
_SCANS = Origins[Path]()
_NO_S3A = ("S3AFileSystem not found", 'No FileSystem for scheme "s3a"')
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
        _link(staged, folder)
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
    storage = object_staging()
    uri = storage.uri(folder) if storage else folder.as_uri()
    writer = whole.write.mode("overwrite").option("maxRecordsPerFile", _ROWS_A_FILE)  # what an attempt before has left
    try:
        writer.parquet(uri, compression="zstd")
    except Exception as error:
        if storage and any(sign in str(error) for sign in _NO_S3A):
            raise DataServiceError(
                f"Spark cannot reach {STAGING_URI}, as it has no S3A: add hadoop-aws, of the version of its Hadoop, to "
                "driver and executors, or give a folder that all machines share."
            ) from None
        raise
    if storage:
        _point(folder, uri, storage)


def _point(folder: Path, uri: str, storage: ObjectStaging) -> None:
    folder.touch(mode=0o600)
    folder.write_text(uri)
    storage.keep(folder)


def _link(staged: Path, folder: Path) -> None:
    remove(folder)
    if staged.is_file():
        folder.hardlink_to(staged)
        _storage().keep(folder)
    else:
        folder.symlink_to(staged.resolve())


def _storage() -> ObjectStaging:
    if (storage := object_staging()) is None:
        raise DataServiceError(
            f"The run's tables are in object storage, which {STAGING_URI} does not name any more: set it as it was."
        )
    return storage


def _uri(folder: Path) -> str:
    return folder.read_text() if folder.is_file() else folder.as_uri()


def _add_counts(session: Any, folder: Path, column: str, counts: Counts) -> None:
    """Take up what functions counted, once a batch; what was computed twice, as after a fault, is in the rows once."""
    for row in session.read.parquet(_uri(folder)).select(column).dropna().toLocalIterator():
        counts.add_taken(row[column])


def load(session: Any, folder: Path) -> Any:
    """Give a staged table lazily, as it was."""
    whole = session.read.parquet(_uri(folder))
    frame = hide(whole.drop(*(name for name in whole.columns if name.startswith(TALLY))))
    _SCANS.remember(frame, folder)
    return frame


def rows(folder: Path) -> int:
    """Count the rows of a staged table."""
    count: int = _Table.of(folder).scan().select(pl.len()).collect().item()
    return count


def columns(folder: Path) -> int:
    """Count the columns of a staged table."""
    return sum(not is_hidden(name) for name in _Table.of(folder).scan().collect_schema().names())


def in_order(session: Any, folder: Path) -> pl.LazyFrame:
    """Give a staged table to this process, lazily, in the order of its rows; Spark sorts it once."""
    return _Table.of(_sorted(session, folder)).scan()


def in_slices(
    frame: Any, place: Path, function: Callable[[pl.LazyFrame, int, Path], None], rows_a_slice: int, folder: Path
) -> None:
    """Evaluate a Spark table, and have its cluster call a function for each slice of its rows in their order.

    Args:
        frame: The table.
        place: A private path that nothing else uses.
        function: Takes the whole table, lazily, the place of a slice's first row (of an empty table, 0), and a folder
            for the files that it makes of the slice. It is sent to the machines of the cluster, and may be called twice
            for a slice; then it makes the same files.
        rows_a_slice: Rows of each slice but the last.
        folder: Where the files shall be. Machines that do not share it send them by object storage.
    """
    session, staged = frame.sparkSession, stage(frame, place)
    ordered, height = _sorted(session, staged), max(rows(staged), 1)
    table, storage = _Table.of(ordered), object_staging()

    def call(places: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in places:
            for first in batch.column(0).to_pylist():
                if storage is None:
                    function(table.scan(), first, folder)
                    continue
                with TemporaryDirectory(prefix="simpl-") as own:
                    function(table.scan(), first, Path(own))
                    storage.put(Path(own), folder)
            yield batch

    slices = session.range(0, height, rows_a_slice, -(-height // rows_a_slice))
    slices.mapInArrow(call, "id long").toArrow()
    if storage:
        storage.take(folder)


def _sorted(session: Any, folder: Path) -> Path:
    ordered = folder.with_name(f"sorted-{folder.name}")
    if not ordered.is_file() and not (ordered / "_SUCCESS").exists():
        _write(load(session, folder).in_order(), ordered)
    return ordered


@dataclass(frozen=True)
class _Table:
    """Where the files of a staged table are; can be sent to the machines of a cluster."""

    folder: Path
    uri: str
    storage: ObjectStaging | None

    @classmethod
    def of(cls, folder: Path) -> "_Table":
        """Find a table by its path."""
        return cls(folder, _uri(folder), _storage() if folder.is_file() else None)

    def scan(self) -> pl.LazyFrame:
        """Give the table lazily, its files in the order of their names."""
        if self.storage:
            return self.storage.scan(self.uri)
        return pl.scan_parquet(sorted(self.folder.glob("part-*.parquet")), glob=False)


def fetched(frame: Any, place: Path) -> pl.LazyFrame:
    """Evaluate a Spark table and give it to this process, lazily, in the order of its rows.

    Args:
        frame: The table.
        place: A private path that nothing else uses.
    """
    return in_order(frame.sparkSession, stage(frame, place))


def remove(folder: Path) -> None:
    """Give up a staged table; where it is linked to in a folder, it is gone, too."""
    if folder.is_symlink():
        folder.unlink()
    elif folder.is_file():
        if folder.stat().st_nlink == 1:
            storage = _storage()
            storage.remove(f"{storage.key_of(_uri(folder))}/")
        folder.unlink()
    else:
        shutil.rmtree(folder, ignore_errors=True)
