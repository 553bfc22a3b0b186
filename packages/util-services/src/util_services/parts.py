"""A table as several files of so many rows each, which follow each other in the order of their names."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import narwhals as nw
import polars as pl

from util_services import engine_tables
from util_services.csv_files import CsvDialect
from util_services.engine_rows import is_spark
from util_services.formats import ending_of, sink

_ROWS_A_PART = 500_000


@dataclass(frozen=True)
class Parts:
    """How the files are written; the same whatever engine holds the table.

    Attributes:
        folder: An empty folder, in the run's private one.
        name: A file name whose ending tells the format, and becomes the parts'.
        dialect: Layout of CSV files; each has a header, or none has.
        index: Put the row number of the table in front, in a column without a name (CSV only).
        rows: Rows of each part but the last.
    """

    folder: Path
    name: str
    dialect: CsvDialect
    index: bool
    rows: int = field(default_factory=lambda: _ROWS_A_PART)

    def write(self, frame: nw.LazyFrame[Any], place: Path) -> None:
        """Write all parts, at least one; those of a Spark table are written by its cluster.

        Args:
            frame: The table.
            place: A private path that nothing else uses, for a Spark table's sorted rows.

        Raises:
            DataServiceError: As :func:`util_services.formats.sink`.
        """
        native = nw.to_native(frame)
        if is_spark(native):
            engine_tables.in_slices(native, place, self._write_part, self.rows, self.folder)
            return
        height = native.select(pl.len()).collect(engine="streaming").item()
        for first in range(0, max(height, 1), self.rows):
            self._write_part(native, first, self.folder)

    def _write_part(self, table: pl.LazyFrame, first: int, folder: Path) -> None:
        path = folder / f"part-{first // self.rows:05}{ending_of(self.name)}"
        partial = path.with_name(f".{uuid4().hex}")  # as Spark may start a task twice
        rows = table.slice(first, self.rows)
        sink(rows, partial, path.name, self.dialect, index=self.index, first_row=first)
        partial.replace(path)
