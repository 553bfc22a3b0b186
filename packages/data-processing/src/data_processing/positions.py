"""Rows by their position: for steps whose result depends on the order of rows or on other rows.

Expressions see a row alone, and a lazy table has no positions of its own. Polars' tables keep the order of rows, so
positions can be given to them; see :func:`util_services.frames.numbered` for others.
"""

from typing import Any

import narwhals as nw
import polars as pl

from util_services.frames import evaluated_here


def kept(frame: nw.LazyFrame[Any], mask: pl.Series) -> nw.LazyFrame[Any]:
    """Leave out the rows where a mask, one truth value a row, is false.

    Raises:
        DataServiceError: If the table is one of Spark.

    Examples:
        >>> kept(nw.from_native(pl.LazyFrame({"a": ["x", "y"]})), pl.Series([False, True])).collect().rows()
        [('y',)]
    """
    evaluated_here(frame, "A step that tells rows by their position, such as sample_rows,")
    native: pl.LazyFrame = frame.to_native()
    names = native.collect_schema().names()
    beside = "mask"
    while beside in names:
        beside += "_"
    both = pl.concat([native, pl.LazyFrame({beside: mask})], how="horizontal")
    return nw.from_native(both.filter(pl.col(beside)).drop(beside))
