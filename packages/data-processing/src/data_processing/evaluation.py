"""Aggregates of lazy tables, as many as possible in one pass."""

from typing import Any

import narwhals as nw

from util_services.frames import figures


def how_many(condition: nw.Expr) -> nw.Expr:
    """Count the rows for which a condition holds; not every engine adds up truth values.

    Examples:
        >>> import polars as pl
        >>> table = nw.from_native(pl.LazyFrame({"age": [25, None]}))
        >>> aggregated(table, how_many(nw.col("age").is_null()))
        {'age': 1}
    """
    return condition.cast(nw.Int8).sum()


def aggregated(frame: nw.LazyFrame[Any], *aggregates: nw.Expr) -> dict[str, Any]:
    """Evaluate aggregates of one table.

    Examples:
        >>> import polars as pl
        >>> aggregated(nw.from_native(pl.LazyFrame({"age": [25, 26]})), nw.col("age").mean())
        {'age': 25.5}
    """
    return figures([frame.select(*aggregates)])[0] if aggregates else {}
