"""Steps that choose and order rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import narwhals as nw

from data_processing.steps.cells import left_out
from data_processing.steps.numerals import numbers
from data_processing.steps.selection import existing, existing_or_all
from data_processing.steps.step import Inputs, Outcome, Step, parameter, refuse
from util_services.frames import numbered, spare
from util_services.groups import chosen, sample


@dataclass(frozen=True, kw_only=True)
class SampleRows(Step):
    """Draws rows at random without replacement. The order of the rows stays.

    Every row gets a random number of 64 bits from PCG64, whose stream NumPy keeps the same on every machine and in
    every version; the rows with the smallest stay. So the same rows in the same order (that of the input, unless
    ``sort_rows`` came before) and the same seed give the same sample.

    Examples:
        >>> import pandas as pd
        >>> from data_processing import sample_rows
        >>> frame = pd.DataFrame({"sex": ["F", "M", "F", "M"], "age": [1, 2, 3, 4]})
        >>> sorted(sample_rows(frame, share=0.5, stratify_by=["sex"], seed=1).frame["sex"])
        ['F', 'M']
    """

    name: ClassVar[str] = "sample_rows"
    size: int | None = parameter("How many rows to draw, of each stratum; all if there are fewer.", default=None)
    share: float | None = parameter(
        "Which share to draw, of each stratum, 0 to 1; rounded to whole rows.", default=None
    )
    stratify_by: Sequence[str] = parameter("Columns whose combinations are strata.", default=())
    seed: int = parameter("Another whole number from 0 gives another sample.", default=0)

    def __post_init__(self) -> None:
        if (self.size is None) == (self.share is None):
            raise refuse(self, "needs either size or share: give one of them.")
        if self.size is not None and self.size < 0:
            raise refuse(self, f"cannot draw size = {self.size} rows: give 0 or more.")
        if self.share is not None and not 0 <= self.share <= 1:
            raise refuse(self, f"cannot draw the share {self.share:g}: give a number from 0 to 1.")
        if self.seed < 0:
            raise refuse(self, f"cannot use the seed {self.seed}: give a whole number from 0.")

    def apply(self, frame: nw.LazyFrame[Any], inputs: Inputs) -> Outcome:
        """Draw; the number of rows, or the fingerprints of their strata, are evaluated."""
        strata = existing(self, frame, self.stratify_by, "stratify_by")
        choice = sample(self.seed, share=self.share) if self.share is not None else sample(self.seed, size=self.size)
        drawn, _ = chosen(frame, dict.fromkeys(strata), choice, inputs.store)
        return Outcome(drawn, keeps_rows=False)


@dataclass(frozen=True, kw_only=True)
class SortRows(Step):
    """Sorts rows; equal rows stay in their order, missing values go last.

    Examples:
        >>> import pandas as pd
        >>> from data_processing import sort_rows
        >>> sort_rows(pd.DataFrame({"age": ["9", "10"]}), by=["age"], as_numbers=["age"]).frame["age"].tolist()
        ['9', '10']
    """

    name: ClassVar[str] = "sort_rows"
    by: Sequence[str] = parameter("Columns to sort by, the most important first.")
    descending: Sequence[str] = parameter("Those of them to sort from large to small.", default=())
    as_numbers: Sequence[str] = parameter(
        "Those of them whose text is to be sorted as numbers; other text goes by code point.", default=()
    )

    def __post_init__(self) -> None:
        if not self.by:
            raise refuse(self, "has nothing to sort by: name at least one column in by.")
        for key, columns in (("descending", self.descending), ("as_numbers", self.as_numbers)):
            for column in columns:
                if column not in self.by:
                    raise refuse(self, f"names the column {column!r} in {key} but not in by: add it there.")

    def apply(self, frame: nw.LazyFrame[Any], inputs: Inputs) -> Outcome:
        """Sort, the position breaking ties."""
        names = frame.collect_schema().names()
        by = existing(self, frame, self.by, "by")
        cells = numbers(self, frame, list(self.as_numbers))
        row, *keys = spare(frame, 1 + len(by))
        sorted_by = [cells.get(column, nw.col(column)).alias(key) for column, key in zip(by, keys, strict=True)]
        descending = [column in self.descending for column in by]
        ordered = numbered(frame, row).with_columns(*sorted_by)
        ordered = ordered.sort(*keys, row, descending=[*descending, False], nulls_last=True)
        return Outcome(inputs.store(ordered.select(*names)))


@dataclass(frozen=True, kw_only=True)
class DropIncompleteRows(Step):
    """Leaves out rows in which too many cells are missing.

    Examples:
        >>> import pandas as pd
        >>> from data_processing import drop_incomplete_rows
        >>> frame = pd.DataFrame({"a": ["x", None, None], "b": ["y", "z", None]})
        >>> len(drop_incomplete_rows(frame).frame), len(drop_incomplete_rows(frame, above=0.5).frame)
        (1, 2)
    """

    name: ClassVar[str] = "drop_incomplete_rows"
    columns: Sequence[str] = parameter("Columns whose cells count; none named: all.", default=())
    above: float = parameter("Largest share of missing cells that a row may have, 0 to 1.", default=0.0)

    def __post_init__(self) -> None:
        check_share(self, "above", self.above)

    def apply(self, frame: nw.LazyFrame[Any], inputs: Inputs) -> Outcome:
        """Count each row's missing cells."""
        del inputs
        columns = existing_or_all(self, frame, self.columns)
        if not columns:
            return Outcome(frame)
        missing = nw.sum_horizontal(*(nw.col(column).is_null().cast(nw.Int32) for column in columns))
        return left_out(frame, missing > self.above * len(columns), "has too many missing cells")


def check_share(step: Step, key: str, value: float) -> None:
    """Refuse what is no share.

    Raises:
        DataServiceError: If it is not from 0 to 1.
    """
    if not 0 <= value <= 1:
        raise refuse(step, f"cannot use {key} = {value:g}: give a share from 0 to 1.")
