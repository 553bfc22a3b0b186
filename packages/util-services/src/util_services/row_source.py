"""Lazy frames of Polars whose rows come from Python, some at a time."""

from collections.abc import Callable, Iterator, Sequence

import polars as pl
from polars.io.plugins import register_io_source


def from_batches(schema: pl.Schema, batches: Callable[[Sequence[str]], Iterator[pl.DataFrame]]) -> pl.LazyFrame:
    """Make a lazy frame of what an iterator gives; it goes no further than rows are needed.

    Args:
        schema: All columns, in order.
        batches: Takes the names of the columns that are needed and gives them, row by row, whenever the frame is
            evaluated.

    Examples:
        >>> numbers = lambda names: iter([pl.DataFrame({"a": [1, 2], "b": [3, 4]}).select(names)])
        >>> from_batches(pl.Schema({"a": pl.Int64, "b": pl.Int64}), numbers).filter(pl.col("a") > 1).collect().rows()
        [(2, 4)]
    """

    def rows(
        with_columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, _batch_size: int | None
    ) -> Iterator[pl.DataFrame]:
        left = n_rows
        for batch in batches(schema.names() if with_columns is None else with_columns):
            some = batch if left is None else batch.head(left)
            yield some if predicate is None else some.filter(predicate)
            left = None if left is None else left - some.height
            if left == 0:
                return

    return register_io_source(rows, schema=schema)
