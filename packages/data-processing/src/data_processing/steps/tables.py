"""Steps that bring in a second table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import narwhals as nw

from data_processing.engines import lazily
from data_processing.evaluation import aggregated
from data_processing.steps.selection import absent, existing
from data_processing.steps.step import REASON, Inputs, Outcome, Step, choose, parameter, refuse
from util_services.errors import DataServiceError, nearest
from util_services.frames import numbered, spare

_HOW = ("left", "inner", "anti")
_REPEATED = ("refuse", "first", "repeat")


@dataclass(frozen=True, kw_only=True)
class JoinTable(Step):
    """Joins a second table by key columns. The order of the rows stays.

    ``left`` keeps every row and brings the second table's columns where its key matches; ``inner`` leaves out rows
    without a match; ``anti`` keeps those alone and brings nothing. A key with a missing cell matches nothing.

    Examples:
        >>> import pandas as pd
        >>> from data_processing import join_table
        >>> visits = pd.DataFrame({"ward": ["7", "9"]})
        >>> wards = pd.DataFrame({"ward": ["7"], "clinic": ["Surgery"]})
        >>> join_table(visits, table=wards, keys=["ward"]).frame["clinic"].tolist()
        ['Surgery', nan]
    """

    name: ClassVar[str] = "join_table"
    table: str | Any = parameter(  # noqa: RUF009 - declares a field, like all others
        "The second table: a path or s3://bucket/key, read with the defaults of the reading step."
    )
    keys: Sequence[str] = parameter("Key columns, named alike in both tables.")
    how: str = parameter("left, inner or anti.", default="left")
    columns: Sequence[str] = parameter("Columns to bring; none named: all but the key.", default=())
    prefix: str = parameter("Put before the names of the columns brought.", default="")
    repeated_keys: str = parameter(
        "Where a key occurs several times in the second table: refuse, first (its first row counts) or repeat (the "
        "row is repeated for each, in the order of that table).",
        default="refuse",
    )

    def __post_init__(self) -> None:
        choose(self, "how", self.how, _HOW)
        choose(self, "repeated_keys", self.repeated_keys, _REPEATED)
        if not self.keys:
            raise refuse(self, "has no key: name at least one column in keys.")

    def apply(self, frame: nw.LazyFrame[Any], inputs: Inputs) -> Outcome:
        """Join; the second table's repeated keys are counted."""
        on = existing(self, frame, self.keys, "keys")
        other = _opened(self.table, inputs)
        brought = self._brought(other)
        self._check_types(frame, other)
        row, match = spare(frame, 2)
        left = numbered(frame, row)
        keys = other.select(*on).unique(keep="any").with_columns(nw.lit(value=True).alias(match))
        known = left.join(keys, on=on, how="left")
        rejects = known.filter(nw.col(match).is_null()).sort(row).drop(row, match)
        if self.how == "anti":
            return Outcome(inputs.store(rejects), keeps_rows=False)
        new = absent(self, frame, [f"{self.prefix}{column}" for column in brought], "columns")
        second, position = self._second(other, on, dict(zip(brought, new, strict=True)))
        joined = left.join(second, on=on, how="left" if self.how == "left" else "inner")
        joined = joined.sort(row, position, nulls_last=True).drop(row, position)
        because = nw.lit("has no match in the second table").alias(REASON)
        return Outcome(
            inputs.store(joined),
            written=tuple(new),
            rejects=rejects.with_columns(because) if self.how == "inner" else None,
            keeps_rows=self.how == "left" and self.repeated_keys != "repeat",
        )

    def _brought(self, other: nw.LazyFrame[Any]) -> list[str]:
        names = other.collect_schema().names()
        for key, columns in (("keys", self.keys), ("columns", self.columns)):
            for column in columns:
                if column not in names:
                    raise DataServiceError(
                        f"The column {column!r} in {key} of the step {self.name} does not exist in the second table: "
                        f"{nearest(column, names)}"
                    )
        return [name for name in (self.columns or names) if name not in self.keys]

    def _check_types(self, frame: nw.LazyFrame[Any], other: nw.LazyFrame[Any]) -> None:
        first, second = frame.collect_schema(), other.collect_schema()
        for column in self.keys:
            if first[column] != second[column]:
                raise refuse(
                    self,
                    f"cannot compare the key {column!r}: it holds {first[column]} here and {second[column]} in the "
                    "second table; run convert_types on it first.",
                )

    def _second(
        self, other: nw.LazyFrame[Any], on: Sequence[str], names: Mapping[str, str]
    ) -> tuple[nw.LazyFrame[Any], str]:
        """Give the second table's keys and columns, with the position of each row, without rows that do not count."""
        if self.repeated_keys == "refuse":
            complete = other.select(*on).filter(
                ~nw.any_horizontal(*(nw.col(key).is_null() for key in on), ignore_nulls=False)
            )
            counts = complete.group_by(*on).agg(nw.len().alias("/rows")).filter(nw.col("/rows") > 1)
            if repeated := aggregated(counts, nw.len())["len"]:
                raise refuse(
                    self,
                    f"finds {repeated:,} key{'' if repeated == 1 else 's'} several times in the second table: mend it, "
                    "or set repeated_keys to first or repeat.",
                )
        position = "/position"
        second = numbered(other.select(*on, *names), position).rename(dict(names))
        if self.repeated_keys == "first":
            second = second.unique(list(on), keep="first", order_by=position)
        return second, position


def _opened(table: Any, inputs: Inputs) -> nw.LazyFrame[Any]:
    opened = inputs.table(table) if isinstance(table, str) else table
    return lazily(opened)[0]
