"""What the services need to know about a frame, whatever engine holds it."""

from dataclasses import dataclass
from typing import Any

import narwhals as nw
import polars as pl

_EXACT_UP_TO_ROWS = 100_000


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
            2013, about 2 % off), since exact ones need memory in proportion to the rows.
        columns: One summary a column, in order.
    """

    rows: int
    exact: bool
    columns: tuple[ColumnSummary, ...]


def summarise(frame: nw.LazyFrame[Any]) -> Summary:
    """Count rows, missing and distinct values; one pass over the frame, only the figures reach memory.

    Examples:
        >>> frame = nw.from_native(pl.LazyFrame({"age": [25, 26, None]}))
        >>> summarise(frame).columns[0]
        ColumnSummary(name='age', dtype='Int64', nulls=1, distinct=3, minimum=25, maximum=26)
    """
    schema = frame.collect_schema()
    rows = int(frame.select(nw.len()).collect().item())
    native = nw.to_native(frame)
    on_polars = isinstance(native, pl.LazyFrame)
    estimate = on_polars and rows > _EXACT_UP_TO_ROWS
    engine: Any = pl if on_polars else nw  # the same expressions, but only Polars can estimate
    distinct = engine.all().approx_n_unique() if estimate else engine.all().n_unique()
    aggregates = [engine.all().null_count().name.suffix("/nulls"), distinct.name.suffix("/distinct")]
    for name, dtype in schema.items():
        if dtype.is_numeric():
            aggregates += [engine.col(name).min().alias(f"{name}/min"), engine.col(name).max().alias(f"{name}/max")]
    figures: dict[str, Any] = {}
    if on_polars and len(schema):
        figures = native.select(aggregates).collect(engine="streaming").row(0, named=True)
    elif len(schema):
        figures = frame.select(*aggregates).collect().rows(named=True)[0]
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
    return Summary(rows=rows, exact=not estimate, columns=columns)
