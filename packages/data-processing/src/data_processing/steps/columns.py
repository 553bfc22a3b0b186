"""Steps that choose, name, split and join columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import narwhals as nw
import polars as pl

from data_processing.evaluation import aggregated
from data_processing.steps.rows import check_share
from data_processing.steps.selection import absent, existing, existing_or_all, texts
from data_processing.steps.step import Inputs, Outcome, Step, parameter, refuse
from util_services.frames import map_batches, selected


@dataclass(frozen=True, kw_only=True)
class RenameColumns(Step):
    """Gives columns other names; their order stays.

    Examples:
        >>> import pandas as pd
        >>> from data_processing import rename_columns
        >>> rename_columns(pd.DataFrame({"dob": ["x"]}), names={"dob": "birth_date"}).frame.columns.tolist()
        ['birth_date']
    """

    name: ClassVar[str] = "rename_columns"
    names: Mapping[str, str] = parameter("New name of each column.")

    def apply(self, frame: nw.LazyFrame[Any], inputs: Inputs) -> Outcome:
        """Rename."""
        del inputs
        existing(self, frame, self.names, "names")
        result = [self.names.get(name, name) for name in frame.collect_schema().names()]
        for name in result:
            if not name or result.count(name) > 1:
                raise refuse(self, f"would give the name {name!r} to no or to several columns: choose another name.")
        return Outcome(frame.rename(dict(self.names)), written=tuple(self.names.values()))


@dataclass(frozen=True, kw_only=True)
class SelectColumns(Step):
    """Keeps the named columns alone, in the order given.

    Examples:
        >>> import pandas as pd
        >>> from data_processing import select_columns
        >>> select_columns(pd.DataFrame({"a": [1], "b": [2], "c": [3]}), columns=["c", "a"]).frame.columns.tolist()
        ['c', 'a']
    """

    name: ClassVar[str] = "select_columns"
    columns: Sequence[str] = parameter("Columns that stay.")

    def apply(self, frame: nw.LazyFrame[Any], inputs: Inputs) -> Outcome:
        """Select."""
        del inputs
        columns = existing(self, frame, self.columns)
        if not columns:
            raise refuse(self, "would leave no column: name at least one.")
        return Outcome(selected(frame, columns))


@dataclass(frozen=True, kw_only=True)
class ReorderColumns(Step):
    """Puts the named columns first, in the order given; the others follow in theirs.

    Examples:
        >>> import pandas as pd
        >>> from data_processing import reorder_columns
        >>> reorder_columns(pd.DataFrame({"a": [1], "b": [2], "c": [3]}), columns=["c"]).frame.columns.tolist()
        ['c', 'a', 'b']
    """

    name: ClassVar[str] = "reorder_columns"
    columns: Sequence[str] = parameter("Columns that come first.")

    def apply(self, frame: nw.LazyFrame[Any], inputs: Inputs) -> Outcome:
        """Reorder."""
        del inputs
        first = existing(self, frame, self.columns)
        return Outcome(
            selected(frame, [*first, *(name for name in frame.collect_schema().names() if name not in first)])
        )


@dataclass(frozen=True, kw_only=True)
class DropColumns(Step):
    """Leaves out the named columns.

    Examples:
        >>> import pandas as pd
        >>> from data_processing import drop_columns
        >>> drop_columns(pd.DataFrame({"a": [1], "b": [2]}), columns=["a"]).frame.columns.tolist()
        ['b']
    """

    name: ClassVar[str] = "drop_columns"
    columns: Sequence[str] = parameter("Columns that go.")

    def apply(self, frame: nw.LazyFrame[Any], inputs: Inputs) -> Outcome:
        """Drop."""
        del inputs
        return without(self, frame, existing(self, frame, self.columns))


@dataclass(frozen=True, kw_only=True)
class DropIncompleteColumns(Step):
    """Leaves out columns in which too many cells are missing.

    Examples:
        >>> import pandas as pd
        >>> from data_processing import drop_incomplete_columns
        >>> frame = pd.DataFrame({"a": ["x", "y"], "b": [None, None]})
        >>> drop_incomplete_columns(frame, above=0.5).frame.columns.tolist()
        ['a']
    """

    name: ClassVar[str] = "drop_incomplete_columns"
    columns: Sequence[str] = parameter("Columns that may go; none named: all.", default=())
    above: float = parameter("Largest share of missing cells that a column may have, 0 to 1.")

    def __post_init__(self) -> None:
        check_share(self, "above", self.above)

    def apply(self, frame: nw.LazyFrame[Any], inputs: Inputs) -> Outcome:
        """Drop; the missing cells of each column are counted."""
        del inputs
        columns = existing_or_all(self, frame, self.columns)
        counts = aggregated(frame, nw.len().alias("/rows"), *(nw.col(column).null_count() for column in columns))
        allowed = self.above * counts["/rows"]
        return without(self, frame, [column for column in columns if counts[column] > allowed])


def without(step: Step, frame: nw.LazyFrame[Any], columns: Sequence[str]) -> Outcome:
    """Drop columns, but not the last one.

    Raises:
        DataServiceError: If none would be left.
    """
    left = [name for name in frame.collect_schema().names() if name not in columns]
    if not left:
        raise refuse(step, "would leave no column: let at least one stay.")
    return Outcome(selected(frame, left) if columns else frame)


@dataclass(frozen=True, kw_only=True)
class SplitColumn(Step):
    """Splits the cells of a column at a separator into new columns, which follow it.

    With more parts than new columns, the last gets the rest, separators included; with fewer, the last are missing.

    Examples:
        >>> import pandas as pd
        >>> from data_processing import split_column
        >>> frame = pd.DataFrame({"name": ["Ann van Dyk", "Bo"]})
        >>> split_column(frame, column="name", separator=" ", into=["first", "last"]).frame["last"].tolist()
        ['van Dyk', nan]
    """

    name: ClassVar[str] = "split_column"
    column: str = parameter("Column of text.")
    separator: str = parameter("Text between the parts.")
    into: Sequence[str] = parameter("Names of the new columns.")
    drop: bool = parameter("Leave the split column out.", default=False)

    def __post_init__(self) -> None:
        if not self.separator or not self.into:
            raise refuse(self, "needs a separator that is not empty and at least one name in into.")

    def apply(self, frame: nw.LazyFrame[Any], inputs: Inputs) -> Outcome:
        """Split each cell."""
        del inputs
        (column,) = texts(self, frame, [self.column])
        new = absent(self, frame, self.into)

        def split(rows: pl.DataFrame) -> pl.DataFrame:
            parts = rows.to_series().str.splitn(self.separator, len(new)).struct.unnest()
            return parts.rename(dict(zip(parts.columns, new, strict=True)))

        result = map_batches(frame, split, [column], dict.fromkeys(new, nw.String))
        return Outcome(result.select(*placed(frame, column, new, keep=not self.drop)), written=tuple(new))


@dataclass(frozen=True, kw_only=True)
class JoinColumns(Step):
    """Joins the cells of columns into a new one, which follows the last of them; missing cells are passed over.

    Examples:
        >>> import pandas as pd
        >>> from data_processing import join_columns
        >>> frame = pd.DataFrame({"first": ["Ann", "Bo"], "last": ["Dyk", None]})
        >>> join_columns(frame, columns=["first", "last"], into="name").frame["name"].tolist()
        ['Ann Dyk', 'Bo']
    """

    name: ClassVar[str] = "join_columns"
    columns: Sequence[str] = parameter("Columns to join, in order.")
    into: str = parameter("Name of the new column.")
    separator: str = parameter("Text between the parts.", default=" ")
    drop: bool = parameter("Leave the joined columns out.", default=False)

    def __post_init__(self) -> None:
        if not self.columns:
            raise refuse(self, "has nothing to join: name at least one column.")

    def apply(self, frame: nw.LazyFrame[Any], inputs: Inputs) -> Outcome:
        """Join the cells of each row; where all are missing, so is the result."""
        del inputs
        columns = existing(self, frame, self.columns)
        (into,) = absent(self, frame, [self.into])
        parts = [nw.col(column).cast(nw.String) for column in columns]
        joined = nw.concat_str(*parts, separator=self.separator, ignore_nulls=True)
        whole = nw.when(~nw.all_horizontal(*(part.is_null() for part in parts), ignore_nulls=False)).then(joined)
        names = frame.collect_schema().names()
        order = placed(frame, max(columns, key=names.index), [into])
        kept = [name for name in order if not (self.drop and name in columns)]
        return Outcome(frame.with_columns(whole.alias(into)).select(*kept), written=(into,))


def placed(frame: nw.LazyFrame[Any], column: str, new: Sequence[str], *, keep: bool = True) -> list[str]:
    """Give the names of all columns, new ones behind the one that they come from.

    Examples:
        >>> placed(nw.from_native(pl.LazyFrame({"a": [1], "b": [2]})), "a", ["a1", "a2"])
        ['a', 'a1', 'a2', 'b']
    """
    names = frame.collect_schema().names()
    position = names.index(column)
    return [*names[: position + keep], *new, *names[position + 1 :]]
