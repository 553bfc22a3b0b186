"""Reading the text of cells as something else, and what happens to cells that it cannot be read from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

import narwhals as nw
import polars as pl

from data_processing.evaluation import aggregated, how_many
from data_processing.steps.step import REASON, Step
from util_services.errors import DataServiceError
from util_services.frames import Store, computed_beside, spare
from util_services.revisions import settle

ON_FAILURE = ("reject", "fail", "missing")
FAILURE = (
    "A cell that cannot be read: reject (its row is left out), fail (nothing is written) or missing (it becomes so)."
)


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How the cells of a column are read.

    Attributes:
        column: The column.
        dtype: Type of what is read.
        what: What a cell shall be, for messages: ``a date``.
        read: Gives what texts without surrounding space say, missing where one says nothing of the kind.
    """

    column: str
    dtype: Any
    what: str
    read: Callable[[pl.Expr], pl.Expr]


@dataclass(frozen=True)
class Read:
    """Cells that were read.

    Attributes:
        both: The table with the new cells beside the old ones, without the rows that are left out.
        new: For each column the name of the one with what was read.
        rejects: The rows left out, if any may be.
    """

    both: nw.LazyFrame[Any]
    new: Mapping[str, str]
    rejects: nw.LazyFrame[Any] | None


def read_cells(step: Step, frame: nw.LazyFrame[Any], readings: list[Reading], on_failure: str, store: Store) -> Read:
    """Read columns, and deal with cells that cannot be read as the step says.

    Raises:
        DataServiceError: If there are such cells and ``on_failure`` is ``fail``.
    """
    columns = [reading.column for reading in readings]
    names = frame.collect_schema().names()
    new = dict(zip(columns, spare(frame, len(columns)), strict=True))

    def batch(rows: pl.DataFrame) -> pl.DataFrame:
        return rows.select(
            reading.read(pl.col(reading.column).cast(pl.String).str.strip_chars()).alias(new[reading.column])
            for reading in readings
        )

    outputs = {new[reading.column]: reading.dtype for reading in readings}
    both = computed_beside(frame, batch, columns, outputs, store)
    failed = {
        reading.column: ~nw.col(reading.column).is_null() & nw.col(new[reading.column]).is_null()
        for reading in readings
    }
    if on_failure == "missing":
        return Read(both, new, None)
    if on_failure == "fail":
        _refuse(step, readings, aggregated(both, *(how_many(cells).alias(column) for column, cells in failed.items())))
        return Read(both, new, None)
    any_failed = nw.any_horizontal(*failed.values(), ignore_nulls=False)
    if not aggregated(both, how_many(any_failed).alias("rows"))["rows"]:
        return Read(both, new, None)
    none = nw.lit(None, nw.String)
    reason = reduce(
        lambda otherwise, reading: (
            nw.when(failed[reading.column]).then(nw.lit(f"{reading.column} is not {reading.what}")).otherwise(otherwise)
        ),
        reversed(readings),
        none,
    )
    rejects = both.filter(any_failed).with_columns(reason.alias(REASON)).select(*names, REASON)
    return Read(settle(both.filter(~any_failed), both), new, rejects)


def _refuse(step: Step, readings: list[Reading], failures: Mapping[str, int]) -> None:
    for reading in readings:
        if count := failures[reading.column]:
            raise DataServiceError(
                f"{count:,} cell{'' if count == 1 else 's'} of the column {reading.column!r} of the step {step.name} "
                f"{'is' if count == 1 else 'are'} not {reading.what}: correct the data, or set on_failure to reject "
                "or missing."
            )
