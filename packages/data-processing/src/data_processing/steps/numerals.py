"""Numbers in cells of text: which cells are numbers, and how a number is written into a column of text."""

from collections.abc import Mapping
from typing import Any

import narwhals as nw

from data_processing.evaluation import aggregated, how_many
from data_processing.steps.selection import is_text
from data_processing.steps.step import Step
from util_services.errors import DataServiceError

_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?$"
_UNREAD = "/unread"


def number(column: str, dtype: Any) -> nw.Expr:
    """Give the cells of a column as numbers; a cell of text that is none becomes missing.

    A number is written with digits, an optional sign, at most one decimal point and an optional exponent; space around
    it does not matter.

    Examples:
        >>> import polars as pl
        >>> frame = nw.from_native(pl.LazyFrame({"age": [" 25", "1e2", "about 30", None]}))
        >>> frame.select(number("age", nw.String)).collect()["age"].to_list()
        [25.0, 100.0, None, None]
    """
    if not is_text(dtype):
        return nw.col(column).cast(nw.Float64)
    text = nw.col(column).str.strip_chars()
    return nw.when(text.str.contains(_NUMBER)).then(text).otherwise(nw.lit(None, nw.String)).cast(nw.Float64)


def numbers(step: Step, frame: nw.LazyFrame[Any], columns: list[str]) -> dict[str, nw.Expr]:
    """Give columns as numbers, after checking that all their cells are.

    Raises:
        DataServiceError: If a cell that is not missing is no number, or a column holds neither text nor numbers.
    """
    found = as_numbers(step, frame, columns)
    check_numbers(step, aggregated(frame, *unread(found)))
    return found


def as_numbers(step: Step, frame: nw.LazyFrame[Any], columns: list[str]) -> dict[str, nw.Expr]:
    """Give columns as numbers, unchecked.

    Raises:
        DataServiceError: If a column holds neither text nor numbers.
    """
    schema = frame.collect_schema()
    for column in columns:
        if not (is_text(schema[column]) or schema[column].is_numeric()):
            raise DataServiceError(
                f"The column {column!r} of the step {step.name} holds {schema[column]}, not numbers: choose another."
            )
    return {column: number(column, schema[column]) for column in columns}


def unread(found: Mapping[str, nw.Expr]) -> list[nw.Expr]:
    """Count the cells of each column that are there and are no number; for :func:`check_numbers`."""
    return [
        how_many(cells.is_null() & ~nw.col(column).is_null()).alias(f"{column}{_UNREAD}")
        for column, cells in found.items()
    ]


def check_numbers(step: Step, figures: Mapping[str, Any]) -> None:
    """Refuse columns that have cells that are no numbers.

    Args:
        step: Who needs numbers, for messages.
        figures: What :func:`unread` counted, among other figures.

    Raises:
        DataServiceError: If there are such cells.
    """
    for figure, count in figures.items():
        if figure.endswith(_UNREAD) and count:
            raise DataServiceError(
                f"The step {step.name} needs numbers, but {count:,} cell{'' if count == 1 else 's'} of the column "
                f"{figure.removesuffix(_UNREAD)!r} {'is' if count == 1 else 'are'} none: run convert_types on it "
                "first, or normalise_missing_markers if they stand for missing ones."
            )


def written(value: nw.Expr, dtype: Any, decimals: int | None = None) -> nw.Expr:
    """Write numbers as cells of a column.

    Into a column of text: as few digits as tell the number apart (41.5, 1e-7), whole ones without a point (42). Into a
    column of whole numbers, one with a fraction makes the column one of decimals.

    Args:
        value: The numbers (Float64).
        dtype: Type of the column they go into.
        decimals: Digits after the point to round to; ``None`` for all.

    Examples:
        >>> import polars as pl
        >>> frame = nw.from_native(pl.LazyFrame({"mean": [41.0, 41.5]}))
        >>> frame.select(written(nw.col("mean"), nw.String)).collect()["mean"].to_list()
        ['41', '41.5']
    """
    rounded = value if decimals is None else value.round(decimals)
    if not is_text(dtype):
        return rounded
    return rounded.cast(nw.String).str.replace_all(r"\.0$", "")
