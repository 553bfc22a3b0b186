"""Steps for missing cells: telling them, filling them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, ClassVar, Literal

import narwhals as nw
import polars as pl

from data_processing.evaluation import aggregated, how_many
from data_processing.steps.cells import exchanged, of_levels, replaced
from data_processing.steps.numerals import as_numbers, check_numbers, unread, written
from data_processing.steps.selection import existing, is_text, texts
from data_processing.steps.step import Inputs, Outcome, Step, parameter, refuse
from util_services.errors import DataServiceError, nearest
from util_services.frames import Store, numbered, spare, with_cells
from util_services.revisions import levels_of

MARKERS = ("", "-", "--", "?", ".", "na", "n/a", "n.a.", "nan", "null", "none", "nil", "unknown", "missing", "#n/a")
_FEW_LETTERS = 8  # can be written in so many ways that all are quickly looked up


@dataclass(frozen=True, kw_only=True)
class NormaliseMissingMarkers(Step):
    """Makes cells missing whose text says that they are, such as ``n/a`` or ``-``.

    Case and surrounding space do not matter.

    Examples:
        >>> import pandas as pd
        >>> from data_processing import normalise_missing_markers
        >>> frame = pd.DataFrame({"age": ["25", "N/A"]})
        >>> normalise_missing_markers(frame).frame["age"].isna().tolist()
        [False, True]
    """

    name: ClassVar[str] = "normalise_missing_markers"
    columns: Sequence[str] = parameter("Columns of text; none named: all.", default=())
    markers: Sequence[str] = parameter("Texts that stand for a missing cell.", default=MARKERS)

    def apply(self, frame: nw.LazyFrame[Any], inputs: Inputs) -> Outcome:
        """Compare each cell with the markers."""
        del inputs
        markers = sorted({marker.strip().lower() for marker in self.markers})
        columns = texts(self, frame, self.columns)
        marked = {column: _is_one_of(markers, nw.col(column)) for column in columns}
        known = levels_of(frame, columns)
        others = [column for column in columns if column not in known]
        marks = dict(zip(others, spare(frame, len(others)), strict=True))
        both = with_cells(frame, {mark: marked[column] for column, mark in marks.items()}, others)
        counts = aggregated(both, *(how_many(nw.col(mark)).alias(column) for column, mark in marks.items()))
        counts |= {column: levels.rows(of_levels(levels, marked[column])) for column, levels in known.items()}
        with_any = [column for column in columns if counts[column]]
        cells = {column: nw.when(~marked[column]).then(nw.col(column)) for column in with_any}
        outcome = replaced(frame, cells, inputs=with_any, alone=True)
        return replace(outcome, changed={column: counts[column] for column in columns})


def _is_one_of(markers: Sequence[str], cells: nw.Expr) -> nw.Expr:
    """Compare texts with lower-case markers, whatever their case and surrounding space.

    To look a cell up among all ways to write the markers takes a third of the time of lower-casing it at most.
    """
    bare = cells.str.strip_chars()
    few = [marker for marker in markers if marker.isascii() and sum(map(str.isalpha, marker)) <= _FEW_LETTERS]
    found = bare.is_in([text for marker in few for text in _spellings(marker)])
    if others := [marker for marker in markers if marker not in few]:
        short = nw.when(bare.str.len_chars() <= max(map(len, others))).then(bare)
        found = found | short.str.to_lowercase().is_in(others).fill_null(value=False)
    return found.fill_null(value=False)


def _spellings(marker: str) -> Iterator[str]:
    """Give all texts that become a marker of ASCII characters when letters become small.

    Examples:
        >>> list(_spellings("n/a"))
        ['n/a', 'n/A', 'N/a', 'N/A']
    """
    kelvin = "\N{KELVIN SIGN}"
    written = (f"{each}{each.upper()}{kelvin if each == 'k' else ''}" if each.isalpha() else each for each in marker)
    return map("".join, product(*written))


@dataclass(frozen=True, kw_only=True)
class Fill:
    """How the missing cells of a column are filled."""

    method: str = parameter("How: constant, mean, median, mode, forward, backward or interpolate.")
    value: str | None = parameter("For constant: what to fill in.", default=None)
    by: Sequence[str] = parameter("Fill from rows alone that are equal in these columns.", default=())
    decimals: int | None = parameter("For mean, median and interpolate: digits after the point.", default=None)

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise DataServiceError(f"The method {self.method!r} of filling is unknown: {nearest(self.method, METHODS)}")
        if (self.method == "constant") != (self.value is not None):
            raise DataServiceError(
                "The method constant and a value go together: give both, or another method without a value."
            )
        if self.by and self.method == "constant":
            raise DataServiceError("The method constant fills all rows alike: leave by out.")


@dataclass(frozen=True, kw_only=True)
class Gap:
    """A column to fill, for a method.

    Attributes:
        column: Its name.
        dtype: Its type.
        fill: What was asked.
        number: Its cells as numbers, for methods that need them.
        row: Column with the position of each row, for methods that depend on it.
    """

    column: str
    dtype: Any
    fill: Fill
    number: nw.Expr
    row: str


def _aggregate(gap: Gap) -> nw.Expr:
    return _AGGREGATES[gap.fill.method](gap.number)


def _mean_or_median(frame: nw.LazyFrame[Any], gap: Gap, into: str) -> nw.LazyFrame[Any]:
    return frame.with_columns(written(_aggregate(gap).over(*gap.fill.by), gap.dtype, gap.fill.decimals).alias(into))


def _mode(frame: nw.LazyFrame[Any], gap: Gap, into: str) -> nw.LazyFrame[Any]:
    count, most = spare(frame, 2)
    cells = nw.col(gap.column)
    return (
        frame.with_columns(nw.len().over(gap.column, *gap.fill.by).alias(count))
        .with_columns(nw.when(~cells.is_null()).then(nw.col(count)).alias(count))
        .with_columns(nw.col(count).max().over(*gap.fill.by).alias(most))
        .with_columns(nw.when(nw.col(count) == nw.col(most)).then(cells).alias(into))
        .with_columns(nw.col(into).min().over(*gap.fill.by).alias(into))
    )


def _forward(frame: nw.LazyFrame[Any], gap: Gap, into: str) -> nw.LazyFrame[Any]:
    return frame.with_columns(_nearest(gap, nw.col(gap.column), "forward").alias(into))


def _backward(frame: nw.LazyFrame[Any], gap: Gap, into: str) -> nw.LazyFrame[Any]:
    return frame.with_columns(_nearest(gap, nw.col(gap.column), "backward").alias(into))


def _interpolate(frame: nw.LazyFrame[Any], gap: Gap, into: str) -> nw.LazyFrame[Any]:
    here, start, end, number, below, above = spare(frame, 6)
    position = nw.col(gap.row).cum_count().over(*gap.fill.by, order_by=gap.row)
    known = frame.with_columns(gap.number.alias(number), position.alias(here)).with_columns(
        nw.when(~nw.col(number).is_null()).then(nw.col(here)).cast(nw.Float64).alias(start)
    )
    around = known.with_columns(
        _nearest(gap, nw.col(number), "forward").alias(below),
        _nearest(gap, nw.col(number), "backward").alias(above),
        _nearest(gap, nw.col(start), "forward").alias(start),
        _nearest(gap, nw.col(start), "backward").alias(end),
    )
    step = (nw.col(above) - nw.col(below)) / (nw.col(end) - nw.col(start))
    value = nw.col(below) + step * (nw.col(here) - nw.col(start))
    return around.with_columns(written(value, gap.dtype, gap.fill.decimals).alias(into))


def _nearest(gap: Gap, cells: nw.Expr, strategy: Literal["forward", "backward"]) -> nw.Expr:
    return cells.fill_null(strategy=strategy).over(*gap.fill.by, order_by=gap.row)


Method = Callable[[nw.LazyFrame[Any], Gap, str], nw.LazyFrame[Any]]
"""Computes in a new column what to fill a gap with; further columns that it needed may stay."""

_AGGREGATES: Mapping[str, Callable[[nw.Expr], nw.Expr]] = {"mean": nw.Expr.mean, "median": nw.Expr.median}
_ORDERED: Mapping[str, Method] = {"forward": _forward, "backward": _backward, "interpolate": _interpolate}
_BY_ROW: Mapping[str, Method] = {"mean": _mean_or_median, "median": _mean_or_median, "mode": _mode, **_ORDERED}
METHODS = ("constant", *_BY_ROW)
_OF_NUMBERS = ("mean", "median", "interpolate")


@dataclass(frozen=True, kw_only=True)
class FillMissingValues(Step):
    """Fills missing cells, each column by a method of its own.

    Methods: ``constant``; ``mean`` and ``median`` of the column's numbers; ``mode``, the most frequent value (of
    several the smallest); ``forward`` and ``backward``, the nearest value above or below; ``interpolate``, on the
    straight line between the nearest numbers above and below (not beyond them). What a method finds no value for stays
    missing. With ``by`` each group of rows is filled from itself; a missing value there makes a group, too.

    Numbers filled into a column of text have as few digits as tell them apart, whole ones no point: 42, 41.5.
    ``forward``, ``backward`` and ``interpolate`` take the rows in the order in which the step gets them: that of the
    input, unless ``sort_rows`` came before; they hold the columns concerned in memory.

    Examples:
        >>> import pandas as pd
        >>> from data_processing import Fill, fill_missing_values
        >>> frame = pd.DataFrame({"age": ["25", None, "26"], "city": ["Rome", "Oslo", None]})
        >>> columns = {"age": Fill(method="mean"), "city": Fill(method="forward")}
        >>> fill_missing_values(frame, columns=columns).frame.values.tolist()
        [['25', 'Rome'], ['25.5', 'Oslo'], ['26', 'Oslo']]
    """

    name: ClassVar[str] = "fill_missing_values"
    columns: Mapping[str, Fill] = parameter("For each column how to fill it: {COLUMN: {method: …}}.")

    def __post_init__(self) -> None:
        if not self.columns:
            raise refuse(self, "has nothing to fill: name at least one column in columns.")

    def apply(self, frame: nw.LazyFrame[Any], inputs: Inputs) -> Outcome:
        """Describe each column's new cells; what is the same for all rows is evaluated."""
        schema = frame.collect_schema()
        columns = existing(self, frame, self.columns)
        for fill in self.columns.values():
            existing(self, frame, fill.by, "by")
        cells = as_numbers(self, frame, [name for name in columns if self.columns[name].method in _OF_NUMBERS])
        (row,) = spare(frame)
        gaps = [
            Gap(
                column=column,
                dtype=schema[column],
                fill=self.columns[column],
                number=cells.get(column, nw.col(column)),
                row=row,
            )
            for column in columns
        ]
        alike = [gap for gap in gaps if gap.fill.method not in _ORDERED and not gap.fill.by]
        filled = self._filled_alike(frame, alike, unread(cells))
        by_row = [gap for gap in gaps if gap not in alike]
        return _filled_by_row(frame, by_row, filled, inputs.store) if by_row else replaced(frame, filled, alone=True)

    def _filled_alike(
        self, frame: nw.LazyFrame[Any], gaps: Sequence[Gap], checks: Sequence[nw.Expr]
    ) -> dict[str, nw.Expr]:
        """Fill columns whose missing cells all get the same value, unless there is none; with checks in one pass."""
        aggregates = {
            gap.column: written(_aggregate(gap), gap.dtype, gap.fill.decimals)
            for gap in gaps
            if gap.fill.method in _AGGREGATES
        }
        figures = aggregated(frame, *checks, *(value.alias(column) for column, value in aggregates.items()))
        check_numbers(self, figures)
        values = {column: figures[column] for column in aggregates}
        values |= {gap.column: _most_frequent(frame, gap.column) for gap in gaps if gap.fill.method == "mode"}
        values |= {gap.column: self._constant(gap) for gap in gaps if gap.fill.method == "constant"}
        return {column: _filled(column, nw.lit(value)) for column, value in values.items() if value is not None}

    def _constant(self, gap: Gap) -> Any:
        if is_text(gap.dtype):
            return gap.fill.value
        read = int if gap.dtype.is_integer() else float if gap.dtype.is_float() else None
        try:
            if read and gap.fill.value is not None:
                return read(gap.fill.value)
        except ValueError:
            pass
        raise refuse(
            self,
            f"cannot fill the column {gap.column!r}, which holds {gap.dtype}, with the value given: give a value of "
            "that type, or run convert_types first.",
        )


def _filled_by_row(
    frame: nw.LazyFrame[Any], gaps: Sequence[Gap], alike: Mapping[str, nw.Expr], store: Store
) -> Outcome:
    """Fill columns whose missing cells depend on other rows, and those that are filled alike."""
    names = frame.collect_schema().names()
    both = numbered(frame, gaps[0].row)
    new = {}
    for column, cells in alike.items():
        (new[column],) = spare(both)
        both = both.with_columns(cells.alias(new[column]))
    for gap in gaps:
        (new[gap.column],) = spare(both)
        both = _BY_ROW[gap.fill.method](both, gap, new[gap.column])
        both = both.with_columns(_filled(gap.column, nw.col(new[gap.column])).alias(new[gap.column]))
    return exchanged(store(both), new, names)


def _filled(column: str, value: nw.Expr) -> nw.Expr:
    return nw.when(nw.col(column).is_null()).then(value).otherwise(nw.col(column))


def _most_frequent(frame: nw.LazyFrame[Any], column: str) -> Any:
    """Give the most frequent value, of several the smallest; ``None`` if all are missing."""
    if levels := levels_of(frame, [column]).get(column):
        now = levels.settled()
        counts = nw.from_native(pl.DataFrame({column: now.stored, "/rows": now.counts}).lazy())
    else:
        counts = frame.select(column).group_by(column).agg(nw.len().alias("/rows"))
    counts = counts.filter(~nw.col(column).is_null())
    top = counts.sort("/rows", column, descending=[True, False]).head(1).collect()
    return top[column].to_list()[0] if len(top) else None
