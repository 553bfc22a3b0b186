"""Columns that a step is told to work on: they must exist, and hold text where text is needed."""

from collections.abc import Iterable, Sequence
from typing import Any

import narwhals as nw

from data_processing.steps.step import Step
from util_services.errors import DataServiceError, nearest


def existing(step: Step, frame: nw.LazyFrame[Any], columns: Iterable[str], key: str = "columns") -> list[str]:
    """Give the named columns, each once.

    Args:
        step: Who asks, for messages.
        frame: The table.
        columns: Names as the user wrote them.
        key: Name of the parameter, for messages.

    Raises:
        DataServiceError: If one does not exist.
    """
    names = frame.collect_schema().names()
    wanted = list(dict.fromkeys(columns))
    for column in wanted:
        if column not in names:
            raise DataServiceError(
                f"The column {column!r} in {key} of the step {step.name} does not exist: {nearest(column, names)}"
            )
    return wanted


def existing_or_all(step: Step, frame: nw.LazyFrame[Any], columns: Sequence[str]) -> list[str]:
    """Give the named columns, or all if none is named.

    Raises:
        DataServiceError: If one does not exist.
    """
    return existing(step, frame, columns) if columns else frame.collect_schema().names()


def texts(step: Step, frame: nw.LazyFrame[Any], columns: Sequence[str]) -> list[str]:
    """Give the named columns, which must hold text, or all that do if none is named.

    Raises:
        DataServiceError: If one does not exist or holds something else.
    """
    schema = frame.collect_schema()
    if not columns:
        return [name for name, dtype in schema.items() if is_text(dtype)]
    wanted = existing(step, frame, columns)
    for column in wanted:
        if not is_text(schema[column]):
            raise DataServiceError(
                f"The column {column!r} of the step {step.name} holds {schema[column]}, not text: leave it out."
            )
    return wanted


def absent(step: Step, frame: nw.LazyFrame[Any], columns: Iterable[str], key: str = "into") -> list[str]:
    """Give names for new columns.

    Raises:
        DataServiceError: If one exists already, is empty or given twice.
    """
    names = frame.collect_schema().names()
    wanted = list(columns)
    for column in wanted:
        if not column:
            raise DataServiceError(f"A name in {key} of the step {step.name} is empty: give the new column a name.")
        if column in names or wanted.count(column) > 1:
            raise DataServiceError(
                f"The column {column!r} in {key} of the step {step.name} exists already: choose another name."
            )
    return wanted


def is_text(dtype: Any) -> bool:
    """Tell whether cells of a type are text (categories and enumerations are not)."""
    return bool(dtype == nw.String)
