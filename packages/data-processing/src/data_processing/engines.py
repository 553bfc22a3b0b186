"""The caller's kind of table in, the same kind out.

Steps are described on lazy tables. A table in memory (pandas, Polars, PyArrow) is handed to the embedded engine,
Polars, and back, so that every kind of table gets the same result; a lazy one stays with its own engine.
"""

from collections.abc import Callable, Collection
from typing import Any, cast

import narwhals as nw
import pandas as pd
import pyarrow as pa

from util_services.errors import DataServiceError

Back = Callable[[nw.LazyFrame[Any], Collection[str]], Any]
"""Takes a lazy table and the names of its columns that hold what they held; gives the caller's kind of table."""


def lazily(frame: Any) -> tuple[nw.LazyFrame[Any], Back]:
    """Give a table as a lazy one, and the way back.

    Args:
        frame: pandas, Polars (eager or lazy), PyArrow or any lazy table that Narwhals knows.

    Raises:
        DataServiceError: If a column of a pandas table holds values of several types.

    Examples:
        >>> lazy, back = lazily(pd.DataFrame({"a": [1, 2]}))
        >>> back(lazy.filter(nw.col("a") > 1), ["a"])
           a
        0  2
    """
    data = nw.from_native(frame)
    if isinstance(data, nw.LazyFrame):
        return data, lambda result, _: result.to_native()
    try:
        lazy = data.lazy("polars")
    except (pa.ArrowException, TypeError):
        raise DataServiceError(
            "A column of the table holds values of several types: make them of one type, such as text."
        ) from None
    return lazy, lambda result, unwritten: _back(result, unwritten, data)


def _back(result: nw.LazyFrame[Any], unwritten: Collection[str], source: nw.DataFrame[Any]) -> Any:
    if source.implementation.is_polars():
        return result.collect("polars").to_native()
    table: pa.Table = result.collect("pyarrow").to_native()
    if source.implementation.is_pyarrow():
        types = source.to_native().schema
        return table.cast(pa.schema([types.field(f.name) if f.name in unwritten else f for f in table.schema]))
    if not source.implementation.is_pandas():
        return result.collect(source.implementation).to_native()
    original: pd.DataFrame = source.to_native()
    return pd.DataFrame(
        {name: _series(table, name, original[name].dtype if name in unwritten else None) for name in table.column_names}
    )


def _series(table: pa.Table, name: str, dtype: Any) -> "pd.Series[Any]":
    """Give a column as pandas holds it, in the type it came in where its cells are still the same."""
    column = table[name]
    plain = column.to_pandas()
    if dtype is not None and plain.dtype != dtype:
        plain = pd.Series(pd.arrays.ArrowExtensionArray(column)).astype(dtype)
    return cast("pd.Series[Any]", plain)
