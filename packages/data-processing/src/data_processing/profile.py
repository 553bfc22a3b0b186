"""Profile a table: what its columns hold, and which role each probably has in an anonymisation.

Nothing is collected but aggregates: one or two passes for counts, one for shapes and lengths, one group-by a column for
frequencies, one for the combinations.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
import numpy.typing as npt

from data_processing.evaluation import how_many
from data_processing.expressions.values import Kind, Value, column, to_date, to_number
from data_processing.looks import LOOKS
from data_processing.role_rules import Figures, Hierarchy, Proposal, Role, hierarchy, proposed
from util_services.charts import round_ticks
from util_services.frames import collected
from util_services.summaries import summarise

MEASURED_ROWS = 1_000_000
"""Frequencies and combinations are measured on so many rows from the top: a sample of a longer table."""

MOST_COMBINED = 6
"""So many quasi-identifiers are combined with each other."""

_SHAPED_ROWS = 10_000  # tell which shape is counted over all rows
_MOSTLY = 0.9
_FREQUENT = 5
_ROWS = "__rows__"


@dataclass(frozen=True)
class Distribution:
    """How numbers are spread.

    Attributes:
        mean: Arithmetic mean.
        deviation: Standard deviation of the sample; 0 for one number.
        edges: Round numbers that bound the bins, ascending.
        counts: Cells of each bin, the lower edge included.
    """

    mean: float
    deviation: float
    edges: tuple[float, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True)
class ColumnProfile:
    """A column in figures.

    Attributes:
        name: Column name.
        dtype: Data type, in Narwhals' words.
        looks: What the cells look like: a name of ``LOOKS``, ``texts``, or the data type's own.
        looks_share: Share of the cells that are there that look so, 0 to 1, over all rows.
        missing: Number of missing cells.
        distinct: Number of distinct values, missing ones not counted; an estimate if the profile says so.
        unique_share: Share of the measured cells that are there whose value occurs once, 0 to 1.
        frequent: The most frequent values of the measured rows, each with its count.
        lengths: Least, mean and largest number of characters; ``None`` of numbers and dates.
        distribution: Of numbers, or of the years of dates; ``None`` of other columns.
        role: Proposed role and why.
        hierarchy: Proposed generalisation hierarchy.
    """

    name: str
    dtype: str
    looks: str
    looks_share: float
    missing: int
    distinct: int
    unique_share: float
    frequent: tuple[tuple[Any, int], ...]
    lengths: tuple[int, float, int] | None
    distribution: Distribution | None
    role: Proposal
    hierarchy: Hierarchy


@dataclass(frozen=True)
class Combination:
    """How many rows stand alone in several columns.

    Attributes:
        columns: Their names.
        unique_share: Share of the measured rows whose combination of values occurs once, 0 to 1.
    """

    columns: tuple[str, ...]
    unique_share: float


@dataclass(frozen=True)
class Profile:
    """A table in figures.

    Attributes:
        rows: Number of rows.
        measured_rows: Of how many rows, from the top, frequencies and combinations were measured.
        distinct_exact: Whether the numbers of distinct values are exact.
        columns: One profile a column, in order.
        combinations: Of the proposed quasi-identifiers, the most identifying first.
        combined: Which quasi-identifiers were combined.
    """

    rows: int
    measured_rows: int
    distinct_exact: bool
    columns: tuple[ColumnProfile, ...]
    combinations: tuple[Combination, ...]
    combined: tuple[str, ...]

    def named(self, role: Role) -> list[str]:
        """Name the columns that are proposed for a role."""
        return [each.name for each in self.columns if each.role.role is role]


def profile(frame: Any) -> Profile:
    """Profile a table.

    Args:
        frame: pandas, Polars (eager or lazy) or PyArrow table.

    Examples:
        >>> import polars as pl
        >>> table = pl.DataFrame({"id": ["a", "b", "c"], "age": ["25", "25", "31"]})
        >>> found = profile(table)
        >>> [(each.name, each.looks, each.role.role.value) for each in found.columns]
        [('id', 'texts', 'identifier'), ('age', 'whole numbers', 'quasi-identifier')]
    """
    data = nw.from_native(frame).lazy()
    schema = data.collect_schema()
    summary = summarise(data)
    measured = data if summary.rows <= MEASURED_ROWS else data.head(MEASURED_ROWS)
    values = {name: column(name, dtype) for name, dtype in schema.items() if _usable(dtype)}
    looks = _looks(data, values)
    shapes = _shapes(data, values, looks)
    distributions = _distributions(data, values, looks)
    columns = []
    for counted in summary.columns:
        name = counted.name
        present = summary.rows - counted.nulls
        distinct = counted.distinct - (counted.nulls > 0)
        unique, frequent = _frequencies(measured, name) if name in values else (0.0, ())
        share, lengths = shapes.get(name, (1.0, None))
        figures = Figures(
            name, looks.get(name, counted.dtype), distinct, unique, lengths[1] if lengths else 0.0, present
        )
        columns.append(
            ColumnProfile(
                name=name,
                dtype=counted.dtype,
                looks=figures.looks,
                looks_share=share,
                missing=counted.nulls,
                distinct=distinct,
                unique_share=unique,
                frequent=frequent,
                lengths=lengths,
                distribution=distributions.get(name),
                role=proposed(figures),
                hierarchy=hierarchy(figures),
            )
        )
    combined = _to_combine([each for each in columns if not schema[each.name].is_nested()])
    measured_rows = min(summary.rows, MEASURED_ROWS)
    return Profile(
        rows=summary.rows,
        measured_rows=measured_rows,
        distinct_exact=summary.exact,
        columns=tuple(columns),
        combinations=_combinations(measured, combined, measured_rows),
        combined=tuple(combined),
    )


def _usable(dtype: Any) -> bool:
    return not (dtype.is_nested() or dtype in {nw.Binary, nw.Time, nw.Duration})


_KIND_LOOKS = {Kind.BOOLEAN: "truth values", Kind.DATE: "dates", Kind.TEXT: "texts"}


def _looks(frame: nw.LazyFrame[Any], values: Mapping[str, Value]) -> dict[str, str]:
    """Tell for each column the first look that nearly all cells of the first rows have."""
    texts = {name: value for name, value in values.items() if value.kind is Kind.TEXT}
    found = {
        name: _KIND_LOOKS.get(value.kind) or ("whole numbers" if value.whole else "decimal numbers")
        for name, value in values.items()
    }
    if not texts:
        return found
    counts = [
        value.where(value.cells.str.contains(rf"\A(?:{look.pattern})\z"))
        .cast(nw.Int64)
        .sum()
        .alias(f"{name}/{look.name}")
        for name, value in texts.items()
        for look in LOOKS.values()
    ]
    counts += [how_many(value.present).alias(f"{name}/") for name, value in texts.items()]
    figures = collected(frame.head(_SHAPED_ROWS).select(*counts)).rows(named=True)[0]
    for name in texts:
        enough = max((figures[f"{name}/"] or 0) * _MOSTLY, 1)
        found[name] = next((look for look in LOOKS if (figures[f"{name}/{look}"] or 0) >= enough), "texts")
    return found


def _shapes(
    frame: nw.LazyFrame[Any], values: Mapping[str, Value], looks: Mapping[str, str]
) -> dict[str, tuple[float, tuple[int, float, int] | None]]:
    """Measure for each column of texts the share of cells that look so, and their lengths; one pass over all rows."""
    texts = {name: value for name, value in values.items() if value.kind is Kind.TEXT}
    if not texts:
        return {}
    aggregates = []
    for name, value in texts.items():
        length = nw.when(value.present).then(value.cells.str.len_chars())
        looks_so = value.present
        if look := LOOKS.get(looks[name]):
            looks_so = value.where(value.cells.str.contains(rf"\A(?:{look.pattern})\z"))
        aggregates += [
            how_many(looks_so).alias(f"{name}/so"),
            how_many(value.present).alias(f"{name}/present"),
            length.min().alias(f"{name}/least"),
            length.mean().alias(f"{name}/mean"),
            length.max().alias(f"{name}/most"),
        ]
    figures = collected(frame.select(*aggregates)).rows(named=True)[0]
    return {
        name: (
            (figures[f"{name}/so"] or 0) / max(figures[f"{name}/present"] or 0, 1),
            (
                int(figures[f"{name}/least"] or 0),
                float(figures[f"{name}/mean"] or 0),
                int(figures[f"{name}/most"] or 0),
            ),
        )
        for name in texts
    }


def _frequencies(frame: nw.LazyFrame[Any], name: str) -> tuple[float, tuple[tuple[Any, int], ...]]:
    """Give the share of cells whose value is unique, and the most frequent values with their counts."""
    counted = frame.select(name).filter(~nw.col(name).is_null()).group_by(name).agg(nw.len().alias(_ROWS))
    rows = nw.col(_ROWS)
    totals = collected(counted.select(how_many(rows == 1).alias("unique"), rows.sum().alias("all")))
    unique, all_ = totals.rows()[0]
    frequent = collected(counted.sort(_ROWS, name, descending=[True, False]).head(_FREQUENT))
    return (unique or 0) / max(all_ or 0, 1), tuple((value, int(count)) for value, count in frequent.iter_rows())


# Distributions


def _number_of(value: Value, look: str) -> Value | None:
    """Read a column as what its distribution is drawn of: its numbers, or the years of its dates."""
    described = LOOKS.get(look)
    if value.kind is Kind.NUMBER:
        return value
    if value.kind is Kind.TEXT and described and described.numeric:
        return to_number(value)
    if value.kind is Kind.TEXT and described and described.date_format:
        value = to_date(value, described.date_format)
    if value.kind is Kind.DATE:
        return Value(Kind.NUMBER, value.cells // 10_000, value.known, value.name)
    return None


def _distributions(
    frame: nw.LazyFrame[Any], values: Mapping[str, Value], looks: Mapping[str, str]
) -> dict[str, Distribution]:
    numbers = {name: number for name, value in values.items() if (number := _number_of(value, looks[name]))}
    if not numbers:
        return {}
    # Read once, then aggregate: an engine would read a text anew for each of the bins.
    read = frame.select(
        *(nw.when(each.present).then(each.cells.cast(nw.Float64)).alias(name) for name, each in numbers.items())
    )
    aggregates = []
    for name in numbers:
        cells = nw.col(name)
        aggregates += [
            cells.min().alias(f"{name}/least"),
            cells.max().alias(f"{name}/most"),
            cells.mean().alias(f"{name}/mean"),
            cells.std().alias(f"{name}/deviation"),
        ]
    figures = collected(read.select(*aggregates)).rows(named=True)[0]
    known = [name for name in numbers if figures[f"{name}/least"] is not None]
    edges = {
        name: _edges(figures[f"{name}/least"], figures[f"{name}/most"], years=_are_dates(values[name], looks[name]))
        for name in known
    }
    bins = [
        how_many((nw.col(name) >= low) & (nw.col(name) < high)).alias(f"{name}/{place}")
        for name in known
        for place, (low, high) in enumerate(itertools.pairwise(edges[name]))
    ]
    if not bins:
        return {}
    counts = collected(read.select(*bins)).rows(named=True)[0]
    return {
        name: Distribution(
            mean=float(figures[f"{name}/mean"]),
            deviation=float(figures[f"{name}/deviation"] or 0.0),
            edges=tuple(edges[name]),
            counts=tuple(int(counts[f"{name}/{place}"] or 0) for place in range(len(edges[name]) - 1)),
        )
        for name in known
    }


def _are_dates(value: Value, look: str) -> bool:
    described = LOOKS.get(look)
    return value.kind is Kind.DATE or (described is not None and described.date_format is not None)


def _edges(least: float, most: float, *, years: bool = False) -> list[float]:
    """Give round edges of one to eleven bins, wide enough that they do not tell a cell's own value.

    Examples:
        >>> _edges(17, 63), _edges(80331, 80331)
        ([10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0], [80000.0, 81000.0])
    """
    widest = max(most - least, 1.0 if years else 0.05 * max(abs(least), abs(most)))
    step = round_ticks(max(widest, 1e-9))[1]  # ticks are rounded to twelve digits

    def edge(place: int) -> float:
        return round(place * step, 12)

    first, last = math.floor(least / step), math.floor(most / step) + 1
    first += (edge(first + 1) <= least) - (edge(first) > least)  # quotients and edges are rounded, too
    last += edge(last) <= most
    return [edge(place) for place in range(first, last + 1)]


# Combinations


def _to_combine(columns: Sequence[ColumnProfile]) -> list[str]:
    """Choose the quasi-identifiers with the most values, in the order of the table."""
    asked = [each for each in columns if each.role.role is Role.QUASI_IDENTIFIER]
    most = {each.name for each in sorted(asked, key=lambda each: -each.distinct)[:MOST_COMBINED]}
    return [each.name for each in asked if each.name in most]


def _combinations(frame: nw.LazyFrame[Any], names: Sequence[str], rows: int) -> tuple[Combination, ...]:
    """Measure every pair and triple on the distinct tuples of all of them."""
    if len(names) < 2 or not rows:  # noqa: PLR2004 - a pair
        return ()
    tuples = collected(frame.select(*names).group_by(*names).agg(nw.len().alias(_ROWS)))
    counts = tuples[_ROWS].to_numpy().astype(np.int64)
    codes = [_codes(tuples[name]) for name in names]
    found = []
    for size in (2, 3):
        for places in itertools.combinations(range(len(names)), size):
            unique = _unique_rows([codes[place] for place in places], counts)
            found.append(Combination(tuple(names[place] for place in places), unique / rows))
    return tuple(sorted(found, key=lambda each: (-each.unique_share, len(each.columns))))


def _codes(cells: nw.Series[Any]) -> npt.NDArray[np.int64]:
    encoded = cells.to_arrow()
    if hasattr(encoded, "combine_chunks"):
        encoded = encoded.combine_chunks()
    indices = encoded.dictionary_encode(null_encoding="encode").indices
    return np.asarray(indices.to_numpy(zero_copy_only=False), dtype=np.int64)


def _unique_rows(codes: Sequence[npt.NDArray[np.int64]], counts: npt.NDArray[np.int64]) -> int:
    keys = np.zeros(len(counts), dtype=np.int64)
    for column_codes in codes:  # three columns of a million values each fit into 63 bits
        keys = keys * (int(column_codes.max(initial=0)) + 1) + column_codes
    keys = np.sort(np.concatenate((keys, keys[counts > 1])))  # a tuple of several rows is its own double
    new = np.concatenate(([True], keys[1:] != keys[:-1], [True]))
    return int((new[1:] & new[:-1]).sum())
