"""Reading the text of cells as something else, and what happens to cells that it cannot be read from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import narwhals as nw
import polars as pl

from data_processing.evaluation import aggregated, how_many
from data_processing.steps.cells import changes, exchanged
from data_processing.steps.step import REASON, Outcome, Step
from util_services.distinct import put_back
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
        as_it_is: Whether ``read`` may also get texts with surrounding space, of which it says the same or nothing: then
            space is removed only where it said nothing, which takes less time.
    """

    column: str
    dtype: Any
    what: str
    read: Callable[[pl.Expr], pl.Expr]
    as_it_is: bool = False

    def cells(self, texts: pl.Series) -> pl.Series:
        """Read texts, missing ones among them."""
        if not self.as_it_is:
            return self._read(texts.str.strip_chars())
        found = self._read(texts)
        unread = texts.is_not_null() & found.is_null()
        if not unread.any():
            return found
        bare = self._read(texts.filter(unread).str.strip_chars())
        return put_back(unread, bare).zip_with(unread, found)

    def _read(self, texts: pl.Series) -> pl.Series:
        return texts.to_frame().select(self.read(pl.first())).to_series()


@dataclass(frozen=True)
class Read:
    """Cells that were read.

    Attributes:
        both: The table with the new cells beside the old ones, without the rows that are left out.
        new: For each column the name of the one with what was read.
        rejects: The rows left out, if any may be.
        changed: How many cells of each column differ from what was read, where that is known.
    """

    both: nw.LazyFrame[Any]
    new: Mapping[str, str]
    rejects: nw.LazyFrame[Any] | None
    changed: Mapping[str, int] | None = None


def converted(step: Step, frame: nw.LazyFrame[Any], readings: list[Reading], on_failure: str, store: Store) -> Outcome:
    """Replace columns by what is read from them.

    Args:
        step: The step.
        frame: The table.
        readings: How the columns are read.
        on_failure: As for :func:`read_cells`, whose errors may be raised.
        store: Keeps what was read.
    """
    read = read_cells(step, frame, readings, on_failure, store, replaces=True)
    outcome = exchanged(read.both, read.new, frame.collect_schema().names(), read.changed)
    return replace(outcome, rejects=read.rejects, keeps_rows=read.rejects is None)


def read_cells(
    step: Step,
    frame: nw.LazyFrame[Any],
    readings: list[Reading],
    on_failure: str,
    store: Store,
    *,
    replaces: bool = False,
) -> Read:
    """Read columns, and deal with cells that cannot be read as the step says.

    Args:
        step: The step.
        frame: The table.
        readings: How the columns are read.
        on_failure: What to do with rows that have such cells.
        store: Keeps what was read.
        replaces: Whether it replaces the columns, so that it is to be known how many cells change.

    Raises:
        DataServiceError: If there are such cells and ``on_failure`` is ``fail``.
    """
    columns = [reading.column for reading in readings]
    names = frame.collect_schema().names()
    new = dict(zip(columns, spare(frame, len(columns)), strict=True))

    def batch(rows: pl.DataFrame) -> pl.DataFrame:
        return pl.DataFrame(
            {new[reading.column]: reading.cells(rows[reading.column].cast(pl.String)) for reading in readings}
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
    (rows,) = spare(both)
    figures = aggregated(both, how_many(any_failed).alias(rows), *(changes(both, new) if replaces else ()))
    if not figures.pop(rows):
        return Read(both, new, None, figures if replaces else None)
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
