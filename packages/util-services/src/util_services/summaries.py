"""Tables in figures: rows, missing and distinct values, ranges."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import narwhals as nw
import polars as pl

from util_services.engine_rows import estimated_distinct, is_spark
from util_services.levels import Levels

_EXACT_UP_TO_ROWS = 100_000
_RELATIVE_ERROR = 0.02  # standard deviation of Spark's estimates
_NEGLIGIBLE_SHARE = 0.01  # of the rows: an estimate of distinct values is off by more


@dataclass(frozen=True)
class ColumnSummary:
    """One column in figures.

    Attributes:
        name: Column name.
        dtype: Data type, in Narwhals' words.
        nulls: Number of missing cells.
        distinct: Number of distinct values, a missing one counted as a value.
        minimum: Smallest value of a numeric column, else ``None``.
        maximum: Largest value of a numeric column, else ``None``.
    """

    name: str
    dtype: str
    nulls: int
    distinct: int
    minimum: float | int | None
    maximum: float | int | None


@dataclass(frozen=True)
class Summary:
    """A frame in figures.

    Attributes:
        rows: Number of rows.
        exact: Whether the distinct counts are exact; on large frames they are estimates (HyperLogLog++, Heule et al.
            2013; with the few registers of Polars' streaming engine 6 % off as a rule and 16 % at worst in 40 trials),
            since exact ones need memory in proportion to the rows.
        columns: One summary a column, in order.
    """

    rows: int
    exact: bool
    columns: tuple[ColumnSummary, ...]


def summarise(frame: nw.LazyFrame[Any], levels: Mapping[str, Levels] = MappingProxyType({})) -> Summary:
    """Count rows, missing and distinct values; one pass over the frame, only the figures reach memory.

    Args:
        frame: A table.
        levels: Those of its columns, as far as they are known; these columns are not read.

    Examples:
        >>> frame = nw.from_native(pl.LazyFrame({"age": [25, 26, None]}))
        >>> summarise(frame).columns[0]
        ColumnSummary(name='age', dtype='Int64', nulls=1, distinct=3, minimum=25, maximum=26)
    """
    schema = frame.collect_schema()
    nested = [name for name, dtype in schema.items() if dtype.is_nested()]
    if nested and (frame.implementation.is_pyarrow() or frame.implementation.is_pandas_like()):
        frame = frame.collect("polars").lazy()  # the others cannot compare lists and records
    native = nw.to_native(frame)
    figures: dict[str, Any]
    if levels and levels.keys() == schema.keys():
        figures = {"": max(int(each.counts.sum()) for each in levels.values())}
        exact = figures[""] <= _EXACT_UP_TO_ROWS
        figures |= _of_levels(levels)
    elif isinstance(native, pl.LazyFrame):  # the same expressions, but only Polars streams and can estimate
        read = native.drop(levels.keys())
        others = nw.Schema({name: dtype for name, dtype in schema.items() if name not in levels})
        estimates = [pl.all().exclude(nested).approx_n_unique(), pl.col(nested).hash().approx_n_unique()]
        figures = _aggregate_on_polars(read, _aggregates(pl, others, estimates))
        if exact := figures[""] <= _EXACT_UP_TO_ROWS:
            figures = _aggregate_on_polars(read, _aggregates(pl, others, [pl.all().n_unique()]))
        figures |= _of_levels(levels)
    elif is_spark(native):  # which has no cheap exact counts either
        figures = _only_row(frame.select(*_aggregates(nw, schema, [])))
        exact = figures[""] <= _EXACT_UP_TO_ROWS
        figures |= _distinct_on_spark(frame, figures, exact=exact) if len(schema) else {}
    else:
        exact = True
        figures = _only_row(frame.select(*_aggregates(nw, schema, [nw.all().n_unique()])))
    columns = tuple(
        ColumnSummary(
            name=name,
            dtype=str(dtype),
            nulls=int(figures[f"{name}/nulls"]),
            distinct=int(figures[f"{name}/distinct"]),
            minimum=figures.get(f"{name}/min"),
            maximum=figures.get(f"{name}/max"),
        )
        for name, dtype in schema.items()
    )
    return Summary(rows=int(figures[""]), exact=exact, columns=columns)


def summarise_amended(
    frame: nw.LazyFrame[Any],
    rows: int,
    before: Summary,
    changed: Collection[str],
    constants: Collection[str],
    one_to_one: Collection[str] = (),
    levels: Callable[[Sequence[str]], Mapping[str, Levels]] = lambda _: {},
) -> Summary:
    """Summarise a table of which only some columns changed, and of which rows may have been left out.

    Of the other columns no figure is computed anew that is known: all of them if no row was left out, and if no more
    than 1 % were, the estimate of distinct values, which is further off than that.

    Args:
        frame: The table as it is now, with the columns of the one before.
        rows: How many rows it has now.
        before: Figures of the table before.
        changed: Names of the changed columns.
        constants: Names of columns that hold the same text in every row now.
        one_to_one: Names of changed columns of text that had as many different and missing cells before.
        levels: Finds the levels of its columns, as :func:`util_services.revisions.levels_of` does.
    """
    left_out = before.rows - rows
    if left_out and (before.exact or left_out > before.rows * _NEGLIGIBLE_SHARE):
        return summarise(frame)
    other = {
        column.name: column
        for column in before.columns
        if (column.name not in changed or (column.name in one_to_one and not left_out))
        and not (left_out and (column.nulls or column.minimum is not None))
    }
    other |= {name: ColumnSummary(name, str(nw.String()), 0, min(rows, 1), None, None) for name in constants}
    anew = [column.name for column in before.columns if column.name not in other]
    known = other | {
        column.name: column for column in (summarise(frame.select(*anew), levels(anew)).columns if anew else ())
    }
    return Summary(rows, before.exact, tuple(known[column.name] for column in before.columns))


def _of_levels(levels: Mapping[str, Levels]) -> dict[str, int]:
    figures = {f"{name}/nulls": each.rows(each.cells.is_null()) for name, each in levels.items()}
    return figures | {f"{name}/distinct": each.cells.n_unique() for name, each in levels.items()}


def _aggregates(engine: Any, schema: nw.Schema, distinct: list[Any]) -> list[Any]:
    """Name the row count ``""`` and each figure of a column ``COLUMN/FIGURE``."""
    aggregates = [engine.len().alias("")]
    if len(schema):
        aggregates += [engine.all().null_count().name.suffix("/nulls")]
        aggregates += [counted.name.suffix("/distinct") for counted in distinct]
    for name, dtype in schema.items():
        if dtype.is_numeric():
            aggregates += [engine.col(name).min().alias(f"{name}/min"), engine.col(name).max().alias(f"{name}/max")]
    return aggregates


def _only_row(frame: nw.LazyFrame[Any]) -> dict[str, Any]:
    return frame.collect().rows(named=True)[0]


def _distinct_on_spark(frame: nw.LazyFrame[Any], figures: Mapping[str, Any], *, exact: bool) -> dict[str, int]:
    """Count distinct values, a missing one as a value."""
    if exact:
        counts = _only_row(frame.select(nw.all().n_unique()))
        return {f"{name}/distinct": count or 0 for name, count in counts.items()}
    estimates = estimated_distinct(nw.to_native(frame), _RELATIVE_ERROR)
    return {f"{name}/distinct": count + bool(figures[f"{name}/nulls"]) for name, count in estimates.items()}


def _aggregate_on_polars(frame: pl.LazyFrame, aggregates: list[Any]) -> dict[str, Any]:
    return frame.select(aggregates).collect(engine="streaming").row(0, named=True)
