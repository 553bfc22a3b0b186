"""Expectations of a table: one small definition each, measured together in as few passes as possible.

An expectation is met or not, with the figure that decided; no cell value is ever part of that.
"""

import datetime as dt
import math
import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import narwhals as nw

from data_processing.evaluation import how_many
from data_processing.expressions import check_pattern, parse
from data_processing.expressions.nodes import together
from data_processing.expressions.values import Kind, Value, column, constant, converted, to_date
from util_services.errors import DataServiceError, nearest
from util_services.frames import collected
from util_services.wording import percent

SEVERITIES = ("error", "warn")
_ROUNDING = 1e-12  # a share that equals what is asked for is enough


@dataclass(frozen=True)
class Table:
    """What expectations are measured on.

    Attributes:
        frame: The table.
        schema: Narwhals data type of each column.
        references: Other tables by the place that an expectation names.
    """

    frame: nw.LazyFrame[Any]
    schema: Mapping[str, Any]
    references: Mapping[str, nw.LazyFrame[Any]] = field(default_factory=dict)

    def column(self, name: str, key: str = "column") -> Value:
        """Give a column.

        Raises:
            DataServiceError: If it does not exist.
        """
        if name not in self.schema:
            raise DataServiceError(f"The {key} {name!r} of an expectation does not exist: {nearest(name, self.schema)}")
        return column(name, self.schema[name])


@dataclass(frozen=True)
class Outcome:
    """What became of an expectation.

    Attributes:
        name: Name of the expectation.
        expected: What was expected, as a phrase.
        found: The figure, as a phrase.
        met: Whether it is enough.
        severity: ``error`` fails the run, ``warn`` does not.
    """

    name: str
    expected: str
    found: str
    met: bool
    severity: str


@dataclass(frozen=True, kw_only=True)
class Expectation(ABC):
    """Something that a table shall meet.

    Attributes:
        severity: ``error`` or ``warn``.
    """

    name: ClassVar[str]
    severity: str = "error"

    def __post_init__(self) -> None:
        if self.severity not in SEVERITIES:
            raise DataServiceError(f"The severity {self.severity!r} is unknown: {nearest(self.severity, SEVERITIES)}")
        self.check()

    def check(self) -> None:  # noqa: B027 - not every expectation has parameters to check
        """Refuse parameters that make no sense, before there are data."""

    def aggregates(self, table: Table) -> list[nw.Expr]:
        """Give the aggregates it needs; those of all expectations are computed in one pass."""
        del table
        return []

    def further(self, table: Table) -> list[Any]:
        """Compute figures that need a pass of their own."""
        del table
        return []

    @property
    @abstractmethod
    def expected(self) -> str:
        """What is expected, as a phrase."""

    @abstractmethod
    def judged(self, figures: Sequence[Any]) -> tuple[bool, str]:
        """Tell from its figures, those of ``aggregates`` first, whether it is met, and which figure decided."""


def assess(
    frame: Any, expectations: Sequence[Expectation], references: Mapping[str, Any] | None = None
) -> tuple[Outcome, ...]:
    """Measure expectations of a table.

    Args:
        frame: pandas, Polars (eager or lazy) or PyArrow table.
        expectations: At least one.
        references: Other tables that expectations name, of the same library.

    Raises:
        DataServiceError: If there is none, or a column does not exist or does not fit.

    Examples:
        >>> import polars as pl
        >>> table = pl.DataFrame({"age": ["25", None, "x"]})
        >>> for outcome in assess(table, [NotNull(column="age"), InRange(column="age", minimum=0)]):
        ...     print(outcome.expected, "-", outcome.found, "-", outcome.met)
        age is not missing - 66.7% (2 of 3) - False
        age is from 0 - 50.0% (1 of 2) - False
    """
    if not expectations:
        raise DataServiceError("The expectations are empty: give at least one.")
    data = nw.from_native(frame).lazy()
    others = {place: nw.from_native(other).lazy() for place, other in (references or {}).items()}
    table = Table(data, data.collect_schema(), others)
    aggregates = [each.aggregates(table) for each in expectations]
    named = [
        aggregate.alias(f"{place}/{number}")
        for place, own in enumerate(aggregates)
        for number, aggregate in enumerate(own)
    ]
    figures = collected(data.select(*named)).rows(named=True)[0] if named else {}
    outcomes = []
    for place, expectation in enumerate(expectations):
        own = [_figure(figures[f"{place}/{number}"]) for number in range(len(aggregates[place]))]
        met, found = expectation.judged([*own, *expectation.further(table)])
        outcomes.append(Outcome(expectation.name, expectation.expected, found, met, expectation.severity))
    return tuple(outcomes)


def _figure(figure: Any) -> Any:
    return None if isinstance(figure, float) and math.isnan(figure) else figure  # pandas' mean of nothing


def unmet(outcomes: Sequence[Outcome], severity: str = "error") -> list[Outcome]:
    """Give the expectations of a severity that are not met."""
    return [each for each in outcomes if not each.met and each.severity == severity]


# Of the table as a whole


@dataclass(frozen=True, kw_only=True)
class RowCount(Expectation):
    """The table has so many rows."""

    name = "row_count"
    minimum: int | None = None
    maximum: int | None = None

    def check(self) -> None:
        """Refuse missing or crossed bounds."""
        _check_bounds(self.name, self.minimum, self.maximum)

    def aggregates(self, table: Table) -> list[nw.Expr]:
        """Count the rows."""
        del table
        return [nw.len()]

    @property
    def expected(self) -> str:
        """What is expected."""
        return f"the number of rows is {_bounds(self.minimum, self.maximum)}"

    def judged(self, figures: Sequence[Any]) -> tuple[bool, str]:
        """Compare it."""
        return _within(figures[0], self.minimum, self.maximum), f"{figures[0]:,}"


@dataclass(frozen=True, kw_only=True)
class ColumnsPresent(Expectation):
    """The table has these columns."""

    name = "columns_present"
    columns: Sequence[str]

    def further(self, table: Table) -> list[Any]:
        """Name the columns that are missing."""
        return [[name for name in self.columns if name not in table.schema]]

    @property
    def expected(self) -> str:
        """What is expected."""
        return f"there are the columns {', '.join(self.columns)}"

    def judged(self, figures: Sequence[Any]) -> tuple[bool, str]:
        """Tell which are missing."""
        (missing,) = figures
        return not missing, f"missing: {', '.join(missing)}" if missing else "all are there"


@dataclass(frozen=True, kw_only=True)
class Unique(Expectation):
    """No two rows have the same values in these columns; rows where one is missing are not compared."""

    name = "unique"
    columns: Sequence[str]

    def check(self) -> None:
        """Refuse an empty list."""
        if not self.columns:
            raise DataServiceError("The expectation unique names no columns: give at least one.")

    def further(self, table: Table) -> list[Any]:
        """Count the rows that others equal; takes memory in proportion to the distinct values."""
        for name in self.columns:
            table.column(name)
        complete = nw.all_horizontal(*(~nw.col(name).is_null() for name in self.columns), ignore_nulls=False)
        rows = nw.col("__rows__")
        counted = table.frame.filter(complete).group_by(*self.columns).agg(nw.len().alias("__rows__"))
        total = counted.filter(rows > 1).select(rows.sum(), nw.len().alias("__groups__"))
        return list(collected(total).rows()[0])

    @property
    def expected(self) -> str:
        """What is expected."""
        return f"{' + '.join(self.columns)} is unique"

    def judged(self, figures: Sequence[Any]) -> tuple[bool, str]:
        """Tell how many are not."""
        rows, values = (int(figure or 0) for figure in figures)
        return not values, f"{rows:,} rows share {values:,} values" if values else "no value occurs twice"


# Of a share of the rows


@dataclass(frozen=True, kw_only=True)
class ShareExpectation(Expectation):
    """Base of expectations that at least a share of the rows shall meet.

    Attributes:
        share: Least share of the rows that count, 0 to 1.
    """

    share: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise DataServiceError(f"The share {self.share:g} of an expectation is out of range: give 0 to 1.")
        super().__post_init__()

    @abstractmethod
    def holds(self, table: Table) -> tuple[nw.Expr, nw.Expr]:
        """Tell which rows meet it, and which count; neither is ever null."""

    @property
    @abstractmethod
    def phrase(self) -> str:
        """What is expected of a row."""

    def aggregates(self, table: Table) -> list[nw.Expr]:
        """Count the rows that meet it and those that count."""
        return [how_many(each) for each in self.holds(table)]

    @property
    def expected(self) -> str:
        """What is expected."""
        return self.phrase if self.share == 1 else f"{self.phrase}, in at least {percent(self.share)} of the rows"

    def judged(self, figures: Sequence[Any]) -> tuple[bool, str]:
        """Compare the share; of no rows, all meet it."""
        held, counted = (int(figure or 0) for figure in figures)
        share = held / counted if counted else 1.0
        return share >= self.share - _ROUNDING, f"{percent(share)} ({held:,} of {counted:,})"


@dataclass(frozen=True, kw_only=True)
class NotNull(ShareExpectation):
    """Cells of a column are not missing."""

    name = "not_null"
    column: str

    def holds(self, table: Table) -> tuple[nw.Expr, nw.Expr]:
        """All rows count."""
        present = table.column(self.column).present
        return present, present | ~present

    @property
    def phrase(self) -> str:
        """What is expected of a row."""
        return f"{self.column} is not missing"


@dataclass(frozen=True, kw_only=True)
class InSet(ShareExpectation):
    """Cells of a column are among these; missing ones do not count."""

    name = "in_set"
    column: str
    values: Sequence[str]

    def holds(self, table: Table) -> tuple[nw.Expr, nw.Expr]:
        """Cells are compared as what they are; texts as texts."""
        cells = table.column(self.column)
        choices = [converted(constant(value, "a value"), cells.kind).constant_cell for value in self.values]
        compared = cells.cells
        if cells.kind is Kind.NUMBER:
            compared, choices = compared.cast(nw.Float64), [float(each) for each in choices]
        return cells.where(compared.is_in(choices)), cells.present

    @property
    def phrase(self) -> str:
        """What is expected of a row."""
        return f"{self.column} is one of {len(self.values):,} values"


@dataclass(frozen=True, kw_only=True)
class InRange(ShareExpectation):
    """Cells of a column lie between two numbers or dates; missing ones do not count, what is neither fails."""

    name = "in_range"
    column: str
    minimum: float | str | None = None
    maximum: float | str | None = None

    def check(self) -> None:
        """Refuse missing bounds, and texts that are no dates."""
        if self.minimum is None and self.maximum is None:
            raise DataServiceError(f"The expectation {self.name} has no bound: give minimum or maximum.")
        for bound in (self.minimum, self.maximum):
            if bound is not None:
                _bound(bound)

    def holds(self, table: Table) -> tuple[nw.Expr, nw.Expr]:
        """Cells are read as what the bounds are."""
        cells = table.column(self.column)
        bounds = {"minimum": self.minimum, "maximum": self.maximum}
        given = {name: _bound(bound) for name, bound in bounds.items() if bound is not None}
        read, *limits = together([cells, *given.values()])
        within = [_KEEPS[name](read.cells, limit.cells) for name, limit in zip(given, limits, strict=True)]
        return read.where(nw.all_horizontal(*within, ignore_nulls=False)), cells.present

    @property
    def phrase(self) -> str:
        """What is expected of a row."""
        return f"{self.column} is {_bounds(self.minimum, self.maximum)}"


_KEEPS: Mapping[str, Callable[[Any, Any], nw.Expr]] = {"minimum": operator.ge, "maximum": operator.le}


@dataclass(frozen=True, kw_only=True)
class Matches(ShareExpectation):
    """Cells of a column match a regular expression as a whole; missing ones do not count."""

    name = "matches"
    column: str
    pattern: str

    def check(self) -> None:
        """Refuse a malformed pattern."""
        check_pattern(self.pattern)

    def holds(self, table: Table) -> tuple[nw.Expr, nw.Expr]:
        """Missing cells do not count."""
        cells = converted(table.column(self.column), Kind.TEXT)
        return cells.where(cells.cells.str.contains(rf"\A(?:{self.pattern})\z")), cells.present

    @property
    def phrase(self) -> str:
        """What is expected of a row."""
        return f"{self.column} matches the pattern"


@dataclass(frozen=True, kw_only=True)
class Holds(ShareExpectation):
    """Rows meet a condition; all count, and one that a missing cell leaves open is not met."""

    name = "expression"
    expression: str

    def check(self) -> None:
        """Refuse a malformed expression."""
        parse(self.expression)

    def holds(self, table: Table) -> tuple[nw.Expr, nw.Expr]:
        """All rows count."""
        met = parse(self.expression).over(table.schema).met
        return met, met | ~met

    @property
    def phrase(self) -> str:
        """What is expected of a row; the texts of an expression may be cell values, so it names the columns."""
        return f"the expression over {', '.join(parse(self.expression).columns)} is met"


@dataclass(frozen=True, kw_only=True)
class Referential(ShareExpectation):
    """Cells of a column occur in a column of another table; missing ones do not count. Both are compared as texts."""

    name = "referential"
    column: str
    reference: str
    reference_column: str

    def holds(self, table: Table) -> tuple[nw.Expr, nw.Expr]:
        """Count the cells that are there; which occur elsewhere takes a join."""
        present = table.column(self.column).present
        return present, present

    def further(self, table: Table) -> list[Any]:
        """Count the cells that do not occur in the other table."""
        other = table.references[self.reference]
        schema = other.collect_schema()
        if self.reference_column not in schema:
            raise DataServiceError(
                f"The reference_column {self.reference_column!r} of an expectation does not exist in its table: "
                f"{nearest(self.reference_column, schema)}"
            )
        own = table.frame.select(nw.col(self.column).cast(nw.String).alias("__key__")).filter(
            ~nw.col("__key__").is_null()
        )
        keys = other.select(nw.col(self.reference_column).cast(nw.String).alias("__key__")).unique()
        lost = own.join(keys, on="__key__", how="anti")
        return [collected(lost.select(nw.len())).item()]

    @property
    def phrase(self) -> str:
        """What is expected of a row."""
        return f"{self.column} occurs as {self.reference_column} in the other table"

    def judged(self, figures: Sequence[Any]) -> tuple[bool, str]:
        """Compare the share of cells that do."""
        present, _, lost = (int(figure or 0) for figure in figures)
        return super().judged([present - lost, present])


# Of a column as a whole


@dataclass(frozen=True, kw_only=True)
class FigureExpectation(Expectation):
    """Base of expectations that a figure of a column shall lie between two bounds."""

    noun: ClassVar[str]
    column: str
    minimum: float | None = None
    maximum: float | None = None

    def check(self) -> None:
        """Refuse missing or crossed bounds."""
        _check_bounds(self.name, self.minimum, self.maximum)

    @property
    def expected(self) -> str:
        """What is expected."""
        return f"{self.noun} of {self.column} is {_bounds(self.minimum, self.maximum)}"

    def judged(self, figures: Sequence[Any]) -> tuple[bool, str]:
        """Compare it."""
        figure = figures[0]
        if figure is None:
            return False, "there is none"
        return _within(figure, self.minimum, self.maximum), f"{figure:,.6g}"


@dataclass(frozen=True, kw_only=True)
class DistinctCount(FigureExpectation):
    """A column has so many distinct values, missing ones not counted."""

    name = "distinct_count"
    noun = "the number of distinct values"

    def further(self, table: Table) -> list[Any]:
        """Count them; takes memory in proportion to them."""
        table.column(self.column)
        cells = table.frame.select(self.column).filter(~nw.col(self.column).is_null())
        return [collected(cells.select(nw.col(self.column).n_unique())).item()]

    def judged(self, figures: Sequence[Any]) -> tuple[bool, str]:
        """Compare it."""
        return _within(figures[0], self.minimum, self.maximum), f"{figures[0]:,}"


@dataclass(frozen=True, kw_only=True)
class Sum(FigureExpectation):
    """The sum of a column's numbers lies between two bounds."""

    name = "sum"
    noun = "the sum"

    def aggregates(self, table: Table) -> list[nw.Expr]:
        """Add up the cells that are numbers."""
        return [_numbers(table, self.column).sum()]


@dataclass(frozen=True, kw_only=True)
class Mean(FigureExpectation):
    """The mean of a column's numbers lies between two bounds."""

    name = "mean"
    noun = "the mean"

    def aggregates(self, table: Table) -> list[nw.Expr]:
        """Average the cells that are numbers."""
        return [_numbers(table, self.column).mean()]


@dataclass(frozen=True, kw_only=True)
class Fresh(Expectation):
    """The latest date of a column is at most so many days old."""

    name = "fresh"
    column: str
    days: int
    as_of: str | None = None
    date_format: str = "%Y-%m-%d"

    def check(self) -> None:
        """Refuse negative ages, and a day that is none."""
        if self.days < 0:
            raise DataServiceError(f"The days {self.days} of the expectation fresh are negative: give 0 or more.")
        if self.as_of is not None:
            _date_bound(self.as_of)

    def aggregates(self, table: Table) -> list[nw.Expr]:
        """Find the latest."""
        cells = table.column(self.column)
        dates = to_date(cells, self.date_format) if cells.kind is Kind.TEXT else converted(cells, Kind.DATE)
        return [nw.when(dates.present).then(dates.cells).max()]

    @property
    def expected(self) -> str:
        """What is expected."""
        return f"the latest {self.column} is at most {self.days:,} days old"

    def judged(self, figures: Sequence[Any]) -> tuple[bool, str]:
        """Tell how old it is; a date to come is fresh."""
        if figures[0] is None:
            return False, "there is no date"
        latest = dt.datetime.strptime(f"{int(figures[0]):08}", "%Y%m%d").replace(tzinfo=dt.UTC).date()
        today = dt.date.fromisoformat(self.as_of) if self.as_of else dt.datetime.now(tz=dt.UTC).date()
        age = (today - latest).days
        return age <= self.days, f"{age:,} days"


EXPECTATIONS: Mapping[str, type[Expectation]] = {
    each.name: each
    for each in (
        RowCount,
        ColumnsPresent,
        NotNull,
        Unique,
        InSet,
        InRange,
        Matches,
        Holds,
        Fresh,
        DistinctCount,
        Sum,
        Mean,
        Referential,
    )
}
"""By name."""


def _numbers(table: Table, name: str) -> nw.Expr:
    cells = converted(table.column(name), Kind.NUMBER)
    return nw.when(cells.present).then(cells.cells.cast(nw.Float64))


def _bound(bound: float | str) -> Value:
    """Read a bound: a number, or a date written 2026-01-31."""
    try:
        number = float(bound)
    except ValueError:
        return _date_bound(str(bound))
    if not math.isfinite(number):
        raise DataServiceError("A bound of an expectation is no finite number: leave it out instead.")
    return constant(number, "the bound")


def _date_bound(bound: str) -> Value:
    try:
        return constant(dt.date.fromisoformat(bound), "the bound")
    except ValueError:
        raise DataServiceError(
            f"The bound {bound!r} of an expectation is neither a number nor a date: write 18 or '2026-01-31'."
        ) from None


def _check_bounds(name: str, minimum: float | None, maximum: float | None) -> None:
    if minimum is None and maximum is None:
        raise DataServiceError(f"The expectation {name} has no bound: give minimum or maximum.")
    if minimum is not None and maximum is not None and minimum > maximum:
        raise DataServiceError(
            f"The expectation {name} has the minimum {minimum:g} above the maximum {maximum:g}: exchange them."
        )


def _within(figure: float, minimum: float | None, maximum: float | None) -> bool:
    return (minimum is None or figure >= minimum) and (maximum is None or figure <= maximum)


def _bounds(minimum: float | str | None, maximum: float | str | None) -> str:
    parts = [] if minimum is None else [f"from {minimum}"]
    return " ".join(parts if maximum is None else [*parts, f"to {maximum}"])
