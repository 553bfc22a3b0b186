"""Rows by their position: for steps whose result depends on the order of rows or on other rows.

Expressions see a row alone, and a lazy table has no positions of its own. Polars' tables keep the order of rows, so
positions can be given to them; a distributed table, when Spark comes behind this seam, needs a column that orders it.
"""

from typing import Any

import narwhals as nw
import polars as pl

from util_services.errors import DataServiceError


def numbered(frame: nw.LazyFrame[Any], name: str) -> nw.LazyFrame[Any]:
    """Add the position of each row, from 0, as the first column.

    Examples:
        >>> numbered(nw.from_native(pl.LazyFrame({"a": ["x", "y"]})), "row").collect().rows()
        [(0, 'x'), (1, 'y')]
    """
    return nw.from_native(_ordered(frame).with_row_index(name))


def kept(frame: nw.LazyFrame[Any], mask: pl.Series) -> nw.LazyFrame[Any]:
    """Leave out the rows where a mask, one truth value a row, is false.

    Examples:
        >>> kept(nw.from_native(pl.LazyFrame({"a": ["x", "y"]})), pl.Series([False, True])).collect().rows()
        [('y',)]
    """
    native = _ordered(frame)
    names = native.collect_schema().names()
    beside = "mask"
    while beside in names:
        beside += "_"
    both = pl.concat([native, pl.LazyFrame({beside: mask})], how="horizontal")
    return nw.from_native(both.filter(pl.col(beside)).drop(beside))


def _ordered(frame: nw.LazyFrame[Any]) -> pl.LazyFrame:
    native = frame.to_native()
    if not isinstance(native, pl.LazyFrame):
        raise DataServiceError(
            f"Steps that need the order of rows cannot work on a table of {frame.implementation}: give one of Polars, "
            "pandas or PyArrow."
        )
    return native
