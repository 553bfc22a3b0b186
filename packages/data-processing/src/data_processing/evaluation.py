"""Aggregates of lazy tables, as many as possible in one pass."""

from collections.abc import Sequence
from typing import Any

import narwhals as nw
import polars as pl


def figures(frames: Sequence[nw.LazyFrame[Any]]) -> list[dict[str, Any]]:
    """Evaluate tables of one row each; those that share an origin share the pass over it.

    Examples:
        >>> table = nw.from_native(pl.LazyFrame({"age": [25, None]}))
        >>> figures([table.select(nw.len()), table.select(nw.col("age").max())])
        [{'len': 2}, {'age': 25}]
    """
    natives = [frame.to_native() for frame in frames]
    if all(isinstance(native, pl.LazyFrame) for native in natives):  # only Polars evaluates several plans at once
        return [frame.row(0, named=True) for frame in pl.collect_all(natives, engine="streaming")]
    return [frame.collect().rows(named=True)[0] for frame in frames]


def how_many(condition: nw.Expr) -> nw.Expr:
    """Count the rows for which a condition holds; not every engine adds up truth values.

    Examples:
        >>> table = nw.from_native(pl.LazyFrame({"age": [25, None]}))
        >>> aggregated(table, how_many(nw.col("age").is_null()))
        {'age': 1}
    """
    return condition.cast(nw.Int8).sum()


def aggregated(frame: nw.LazyFrame[Any], *aggregates: nw.Expr) -> dict[str, Any]:
    """Evaluate aggregates of one table.

    Examples:
        >>> aggregated(nw.from_native(pl.LazyFrame({"age": [25, 26]})), nw.col("age").mean())
        {'age': 25.5}
    """
    return figures([frame.select(*aggregates)])[0] if aggregates else {}
