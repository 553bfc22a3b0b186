"""Steps for dates, and how dates are read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Any, ClassVar

import narwhals as nw
import polars as pl

from data_processing.steps.columns import placed
from data_processing.steps.readings import FAILURE, ON_FAILURE, Reading, converted, read_cells
from data_processing.steps.selection import absent, existing
from data_processing.steps.step import Inputs, Outcome, Step, choose, parameter, refuse

ISO = "%Y-%m-%d"
FORMATS = "Formats of the dates, such as %d.%m.%Y; tried in order."
_MANY = 1000  # cells, for which it pays to write each usual day once
_USUAL = (date(1900, 1, 1), date(2099, 12, 31))
_DAY = datetime(2024, 12, 31, 23, 58, 59)  # noqa: DTZ001 - a day whose parts cannot be taken for each other


@dataclass(frozen=True, kw_only=True)
class FormatDates(Step):
    """Reads dates in any of several formats and writes them in one.

    Examples:
        >>> import pandas as pd
        >>> from data_processing import format_dates
        >>> frame = pd.DataFrame({"born": ["31.12.1999", "2001-05-04"]})
        >>> format_dates(frame, columns=["born"], formats=["%Y-%m-%d", "%d.%m.%Y"]).frame["born"].tolist()
        ['1999-12-31', '2001-05-04']
    """

    name: ClassVar[str] = "format_dates"
    columns: Sequence[str] = parameter("Columns with dates.")
    formats: Sequence[str] = parameter(FORMATS)
    to: str = parameter("Format to write.", default=ISO)
    on_failure: str = parameter(FAILURE, default="reject")

    def __post_init__(self) -> None:
        choose(self, "on_failure", self.on_failure, ON_FAILURE)
        check_formats(self, [*self.formats, self.to])

    def apply(self, frame: nw.LazyFrame[Any], inputs: Inputs) -> Outcome:
        """Read and write each cell."""
        columns = existing(self, frame, self.columns)
        parse = date_reader(self.formats)
        readings = [
            Reading(
                column=column,
                dtype=nw.String,
                what="a date in a known format",
                read=lambda text: parse(text).map_batches(lambda days: _written(days, self.to), pl.String),
                as_it_is=True,
            )
            for column in columns
        ]
        return converted(self, frame, readings, self.on_failure, inputs.store)


@dataclass(frozen=True, kw_only=True)
class DeriveAge(Step):
    """Derives the age in whole years on a day from the date of birth; the new column follows it.

    Who was born on 29 February is a year older on 1 March in other years.

    Examples:
        >>> import pandas as pd
        >>> from data_processing import derive_age
        >>> frame = pd.DataFrame({"born": ["2000-11-25", "2000-11-26"]})
        >>> derive_age(frame, column="born", reference_date="2026-11-25").frame["age"].tolist()
        [26, 25]
    """

    name: ClassVar[str] = "derive_age"
    column: str = parameter("Column with the date of birth.")
    reference_date: str = parameter(
        "Day on which the age is taken, as 2026-12-31; explicit, so that runs can be repeated."
    )
    into: str = parameter("Name of the new column.", default="age")
    formats: Sequence[str] = parameter(FORMATS, default=(ISO,))
    drop: bool = parameter("Leave the date of birth out.", default=False)
    on_failure: str = parameter(FAILURE, default="reject")

    def __post_init__(self) -> None:
        choose(self, "on_failure", self.on_failure, ON_FAILURE)
        check_formats(self, self.formats)
        try:
            date.fromisoformat(self.reference_date)
        except ValueError:
            raise refuse(
                self, f"cannot use the reference_date {self.reference_date!r}: give a day as 2026-12-31."
            ) from None

    def apply(self, frame: nw.LazyFrame[Any], inputs: Inputs) -> Outcome:
        """Compute each row's age; a birth after the day is a cell that cannot be read."""
        (column,) = existing(self, frame, [self.column], "column")
        (into,) = absent(self, frame, [self.into])
        parse = date_reader(self.formats)
        reading = Reading(
            column=column,
            dtype=nw.Int64,
            what="a date of birth up to that day",
            read=lambda text: _age(parse(text), date.fromisoformat(self.reference_date)),
            as_it_is=True,
        )
        read = read_cells(self, frame, [reading], self.on_failure, inputs.store)
        result = read.both.with_columns(nw.col(read.new[column]).alias(into))
        result = result.select(*placed(frame, column, [into], keep=not self.drop))
        return Outcome(result, written=(into,), rejects=read.rejects, keeps_rows=read.rejects is None)


def _age(born: pl.Expr, on: date) -> pl.Expr:
    birthday_to_come = born.dt.month().cast(pl.Int32) * 100 + born.dt.day() > on.month * 100 + on.day
    years = pl.lit(on.year, pl.Int64) - born.dt.year() - birthday_to_come.cast(pl.Int64)
    return pl.when(years >= 0).then(years)


def date_reader(formats: Sequence[str]) -> Callable[[pl.Expr], pl.Expr]:
    """Give a function that reads dates from texts, missing where no format fits.

    Examples:
        >>> frame = pl.DataFrame({"day": ["31.12.1999", "31.02.1999"]})
        >>> frame.select(date_reader(["%d.%m.%Y"])(pl.col("day")))["day"].to_list()
        [datetime.date(1999, 12, 31), None]
    """
    # Polars' cache of texts takes twice as long as reading them, unless there are but hundreds.
    return lambda text: pl.coalesce(text.str.to_date(each, strict=False, cache=False) for each in formats)


def _written(days: pl.Series, to: str) -> pl.Series:
    """Write dates in a format; many from a table of the usual ones, which takes a tenth of the time."""
    first, last = _USUAL
    if len(days) < _MANY or not days.is_between(first, last).all():
        return days.dt.to_string(to)
    return _usual_days(to).gather(days.to_physical() - (first - date(1970, 1, 1)).days).alias(days.name)


@cache
def _usual_days(to: str) -> pl.Series:
    return pl.date_range(*_USUAL, eager=True).dt.to_string(to)


def check_formats(step: Step, formats: Sequence[str], *, with_time: bool = False) -> None:
    """Refuse formats that do not tell a day, or a day and time.

    Raises:
        DataServiceError: If there is none, or one of them does not.
    """
    if not formats:
        raise refuse(step, "has no format of dates: give at least one, such as %Y-%m-%d.")
    wanted = _DAY if with_time else _DAY.date()
    for each in formats:
        try:
            cells = pl.Series([_DAY]).dt.to_string(each).str
            read = (cells.to_datetime(each) if with_time else cells.to_date(each)).to_list()
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
            read = []
        if read != [wanted]:
            example = "%d.%m.%Y %H:%M:%S" if with_time else "%d.%m.%Y"
            kind = "a day and a time without a zone" if with_time else "a day"
            raise refuse(step, f"cannot use the format {each!r}: give one that tells {kind}, such as {example}.")
