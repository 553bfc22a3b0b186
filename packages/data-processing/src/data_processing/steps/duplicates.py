"""Removing duplicate rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import narwhals as nw
import polars as pl

from data_processing.fingerprints import fingerprints
from data_processing.positions import kept
from data_processing.steps.selection import existing_or_all, is_text, spare
from data_processing.steps.step import REASON, Inputs, Outcome, Step, choose, parameter
from util_services.frames import is_distributed, numbered

_FIRST: dict[str, Callable[[pl.Series], pl.Series]] = {
    "first": pl.Series.is_first_distinct,
    "last": pl.Series.is_last_distinct,
    "none": pl.Series.is_unique,
}


@dataclass(frozen=True, kw_only=True)
class RemoveDuplicates(Step):
    """Keeps one row, or none, of those that are equal in some columns. The order of the rows stays.

    A missing cell equals a missing one, and differs from an empty text. Rows are compared by fingerprints of 128 bits,
    16 bytes of memory a row; see :func:`data_processing.fingerprints.fingerprints`.

    Examples:
        >>> import pandas as pd
        >>> from data_processing import remove_duplicates
        >>> frame = pd.DataFrame({"name": ["Ann", "ann ", "Bo"]})
        >>> remove_duplicates(frame, ignore_case=True, ignore_space=True).frame["name"].tolist()
        ['Ann', 'Bo']
    """

    name: ClassVar[str] = "remove_duplicates"
    columns: Sequence[str] = parameter("Columns that tell rows apart; none named: all.", default=())
    keep: str = parameter("Which of equal rows stays: first, last or none.", default="first")
    ignore_case: bool = parameter("Take texts for equal that differ in case alone.", default=False)
    ignore_space: bool = parameter("Take texts for equal that differ in surrounding space alone.", default=False)

    def __post_init__(self) -> None:
        choose(self, "keep", self.keep, tuple(_FIRST))

    def apply(self, frame: nw.LazyFrame[Any], inputs: Inputs) -> Outcome:
        """Find the rows that stay; the fingerprints of all rows are evaluated."""
        columns = existing_or_all(self, frame, self.columns)
        if not columns:
            return Outcome(frame)
        schema = frame.collect_schema()
        keys = [self._key(column) for column in columns if is_text(schema[column])]
        if is_distributed(frame):
            return self._compared(frame, columns, keys, inputs)
        mask = _FIRST[self.keep](fingerprints(frame.with_columns(*keys) if keys else frame, columns))
        return Outcome(
            kept(frame, mask),
            rejects=kept(frame, ~mask).with_columns(nw.lit("is a duplicate").alias(REASON)),
            keeps_rows=False,
        )

    def _compared(
        self, frame: nw.LazyFrame[Any], columns: Sequence[str], keys: Sequence[nw.Expr], inputs: Inputs
    ) -> Outcome:
        """Compare the cells of rows, which are too many to hold a fingerprint of each here."""
        names = frame.collect_schema().names()
        row, stays, *copies = spare(frame, 2 + len(columns))
        both = numbered(frame, row).with_columns(
            *(nw.col(c).alias(copy) for c, copy in zip(columns, copies, strict=True))
        )
        both = both.with_columns(*keys)
        equal = {
            "first": nw.col(row) == nw.col(row).min().over(*columns),
            "last": nw.col(row) == nw.col(row).max().over(*columns),
            "none": nw.len().over(*columns) == 1,
        }
        restored = [nw.col(copy).alias(column) for column, copy in zip(columns, copies, strict=True)]
        both = inputs.store(both.with_columns(equal[self.keep].alias(stays)).with_columns(*restored))
        rejects = both.filter(~nw.col(stays)).select(*names).with_columns(nw.lit("is a duplicate").alias(REASON))
        return Outcome(both.filter(nw.col(stays)).select(*names), rejects=rejects, keeps_rows=False)

    def _key(self, column: str) -> nw.Expr:
        key = nw.col(column)
        if self.ignore_space:
            key = key.str.strip_chars()
        return key.str.to_lowercase() if self.ignore_case else key
