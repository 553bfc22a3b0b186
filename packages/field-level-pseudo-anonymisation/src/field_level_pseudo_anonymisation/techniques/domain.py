"""Whether the values of a column are so few that all of them can be tried."""

import math
from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import polars as pl

from field_level_pseudo_anonymisation.techniques.technique import Technique
from util_services.summaries import summarise

_SAMPLE_ROWS = 10_000
_TRIED_QUICKLY = 10**12  # one graphics card tries more SHA-256 hashes than that in a few minutes
_FEW, _REPEATED = 1000, 10  # a category rather than an identifier
# The shape of a value: what it is made of, place by place.
_CLASSES = {r"\p{Nd}": ("9", 10), r"\p{Ll}": ("a", 26), r"\p{Lu}": ("A", 26), r"[^9aA\x00-\x7f]": ("x", 1000)}
_SIZES = dict(_CLASSES.values())


@dataclass(frozen=True)
class Domain:
    """What can be told of a column's values without telling one.

    Attributes:
        rows: Number of rows looked at.
        distinct: Number of distinct values in them, an estimate for large tables.
        shaped: How many values have one of the shapes seen, such as 10 ** 8 for dates ``9999-99-99``.
    """

    rows: int
    distinct: int
    shaped: float

    @property
    def enumerable(self) -> str | None:
        """Why all values can be tried, if they can.

        Examples:
            >>> Domain(rows=1_000, distinct=41, shaped=1e40).enumerable
            'it has about 41 distinct values in 1,000 rows'
            >>> Domain(rows=100, distinct=100, shaped=1e8).enumerable
            'there are at most 1e+08 values of such a shape'
            >>> Domain(rows=100, distinct=100, shaped=1e40).enumerable
        """
        if self.distinct <= _FEW and self.distinct * _REPEATED <= self.rows:
            return f"it has about {self.distinct:,} distinct values in {self.rows:,} rows"
        if self.shaped <= _TRIED_QUICKLY:
            return f"there are at most {self.shaped:.0e} values of such a shape"
        return None


def domains(frame: nw.LazyFrame[Any], columns: list[str]) -> dict[str, Domain]:
    """Count distinct values of columns, and look at the shape of their first ones; only figures reach memory.

    The rest of a column whose first values are many different ones is not looked at.

    Examples:
        >>> import polars as pl
        >>> domains(nw.from_native(pl.LazyFrame({"born": ["1966-01-03", "1982-01-19"]})), ["born"])
        {'born': Domain(rows=2, distinct=2, shaped=100000000.0)}
    """
    if not columns:
        return {}
    first = _distinct(frame.head(_SAMPLE_ROWS), columns)
    repeating = [column for column, (_, distinct) in first.items() if distinct <= _FEW]
    counts = first | _distinct(frame, repeating)
    return {column: Domain(*counts[column], _shaped(frame, column)) for column in columns}


def _distinct(frame: nw.LazyFrame[Any], columns: list[str]) -> dict[str, tuple[int, int]]:
    """Count rows and distinct values, a missing one not counted."""
    if not columns:
        return {}
    summary = summarise(frame.select(*columns))
    return {column.name: (summary.rows, column.distinct - bool(column.nulls)) for column in summary.columns}


def _shaped(frame: nw.LazyFrame[Any], column: str) -> float:
    head = frame.select(column).head(_SAMPLE_ROWS).select(_shape(column)).unique()
    return values_shaped(head.collect()[column].drop_nulls().to_list())


def shapes(values: pl.Series) -> list[str]:
    """Give the shapes of texts without missing ones, each once.

    Examples:
        >>> shapes(pl.Series(["1966-01-03", "1982-01-19"]))
        ['9999-99-99']
    """
    found: list[str] = nw.from_native(values.alias("").to_frame()).select(_shape(""))[""].unique().to_list()
    return found


def values_shaped(shapes: Iterable[str]) -> float:
    """Tell how many values have one of some shapes."""
    return math.fsum(map(_values_of, shapes))


def _shape(column: str) -> nw.Expr:
    shape = nw.col(column).cast(nw.String())
    for pattern, (letter, _) in _CLASSES.items():
        shape = shape.str.replace_all(pattern, letter)
    return shape


def _values_of(shape: str) -> float:
    digits = sum(math.log10(_SIZES.get(letter, 1)) for letter in shape)
    return 10.0 ** min(digits, 300)


class InspectingTechnique(Technique):
    """A technique that is as good as the values allow, and tells when they do not."""

    @abstractmethod
    def caution(self, column: str, domain: Domain) -> str | None:
        """Give a sentence for the report if the values are not protected, without naming one."""
