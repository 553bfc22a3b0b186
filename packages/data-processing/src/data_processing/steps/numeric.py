"""Steps for numbers, which may be written as text."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import narwhals as nw

from data_processing.evaluation import aggregated
from data_processing.steps.cells import left_out, replaced
from data_processing.steps.columns import placed
from data_processing.steps.numerals import numbers, written
from data_processing.steps.selection import absent, existing, is_text
from data_processing.steps.step import Inputs, Outcome, Step, choose, parameter, refuse

_LEAST_EDGES = 2


@dataclass(frozen=True, kw_only=True)
class BinNumbers(Step):
    """Puts numbers into bins, half-open intervals ``[a, b)``; the new column follows that of the numbers.

    Bins are told by their edges, or by a width: then 0 is an edge. Numbers outside the edges, and missing ones, get
    no bin.

    Examples:
        >>> import pandas as pd
        >>> from data_processing import bin_numbers
        >>> frame = pd.DataFrame({"age": ["25", "30"]})
        >>> bin_numbers(frame, column="age", width=10, into="group").frame["group"].tolist()
        ['[20, 30)', '[30, 40)']
        >>> result = bin_numbers(frame, column="age", into="group", edges=[0, 30, 120], labels=["young", "old"])
        >>> result.frame["group"].tolist()
        ['young', 'old']
    """

    name: ClassVar[str] = "bin_numbers"
    column: str = parameter("Column of numbers.")
    into: str = parameter("Name of the new column.")
    edges: Sequence[float] = parameter("Edges of the bins, ascending.", default=())
    width: float | None = parameter("Width of the bins, above 0, in place of edges.", default=None)
    labels: Sequence[str] = parameter("Names of the bins between the edges, in place of [a, b).", default=())
    drop: bool = parameter("Leave the column of numbers out.", default=False)

    def __post_init__(self) -> None:
        if (self.width is None) == (not self.edges):
            raise refuse(self, "needs either edges or width: give one of them.")
        if self.width is not None and not self.width > 0:
            raise refuse(self, f"cannot use the width {self.width:g}: give a number above 0.")
        if self.edges and (len(self.edges) < _LEAST_EDGES or sorted(set(self.edges)) != list(self.edges)):
            raise refuse(self, "needs at least two edges, each above the one before.")
        if self.labels and len(self.labels) != len(self.edges) - 1:
            raise refuse(self, f"has {len(self.labels)} labels: give one for each bin between edges.")

    def apply(self, frame: nw.LazyFrame[Any], inputs: Inputs) -> Outcome:
        """Find each number's bin."""
        del inputs
        (column,) = existing(self, frame, [self.column], "column")
        (into,) = absent(self, frame, [self.into])
        cells = numbers(self, frame, [column])[column]
        bins = self._by_edges(cells) if self.width is None else self._by_width(cells, self.width)
        names = placed(frame, column, [into], keep=not self.drop)
        return Outcome(frame.with_columns(bins.alias(into)).select(*names), written=(into,))

    def _by_edges(self, cells: nw.Expr) -> nw.Expr:
        starts, ends = self.edges[:-1], self.edges[1:]
        labels = self.labels or [f"[{start:g}, {end:g})" for start, end in zip(starts, ends, strict=True)]
        bins = nw.lit(None, nw.String)
        for start, end, label in zip(starts, ends, labels, strict=True):
            bins = nw.when((cells >= start) & (cells < end)).then(nw.lit(label)).otherwise(bins)
        return bins

    def _by_width(self, cells: nw.Expr, width: float) -> nw.Expr:
        number = (cells / width).floor()
        start, end = (written(edge, nw.String, 10) for edge in (number * width, (number + 1) * width))
        return nw.concat_str(nw.lit("["), start, nw.lit(", "), end, nw.lit(")"))


Bounds = tuple[nw.Expr, nw.Expr]


def _iqr(cells: nw.Expr, factor: float) -> Bounds:
    low, high = (cells.quantile(share, interpolation="linear") for share in (0.25, 0.75))
    return low - factor * (high - low), high + factor * (high - low)


def _z_score(cells: nw.Expr, factor: float) -> Bounds:
    return cells.mean() - factor * cells.std(ddof=0), cells.mean() + factor * cells.std(ddof=0)


def _percentile(cells: nw.Expr, factor: float) -> Bounds:
    low, high = (cells.quantile(share / 100, interpolation="linear") for share in (factor, 100 - factor))
    return low, high


@dataclass(frozen=True)
class Method:
    """How the bounds of a column are found.

    Attributes:
        bounds: Gives them as aggregates of the column's numbers.
        factor: What is used if the user gives none.
        below: The factor must be below this.
    """

    bounds: Callable[[nw.Expr, float], Bounds]
    factor: float
    below: float = math.inf


_METHODS: Mapping[str, Method] = {
    "iqr": Method(_iqr, 1.5),
    "z_score": Method(_z_score, 3.0),
    "percentile": Method(_percentile, 1.0, below=50.0),
}
_RANGE = "range"


@dataclass(frozen=True, kw_only=True)
class TreatOutliers(Step):
    """Flags, clips or drops numbers that lie far from the others of their column.

    Bounds by method: ``iqr``, factor times the interquartile range below the first and above the third quartile (Tukey
    1977); ``z_score``, factor standard deviations (of the population) around the mean; ``percentile``, the percentile
    given by factor and its counterpart; ``range``, the numbers low and high themselves. Quantiles are interpolated
    linearly. Numbers on a bound are not beyond it, and missing ones never are. Except for ``range``, what was clipped
    or dropped no longer counts when the step is run again, so that another run can find more.

    Examples:
        >>> import pandas as pd
        >>> from data_processing import treat_outliers
        >>> frame = pd.DataFrame({"age": ["20", "21", "22", "23", "220"]})
        >>> treat_outliers(frame, columns=["age"], action="clip").frame["age"].tolist()
        ['20', '21', '22', '23', '26']
    """

    name: ClassVar[str] = "treat_outliers"
    columns: Sequence[str] = parameter("Columns of numbers.")
    method: str = parameter("How bounds are found: iqr, z_score, percentile or range.", default="iqr")
    factor: float | None = parameter(
        "How far the bounds lie; default 1.5 for iqr, 3 for z_score, 1 (the 1st and 99th) for percentile.", default=None
    )
    low: float | None = parameter("For range: the lower bound, if there is one.", default=None)
    high: float | None = parameter("For range: the upper bound, if there is one.", default=None)
    action: str = parameter(
        "flag (a column COLUMN_outlier with true or false follows), clip (to the bound) or drop (the row)."
    )

    def __post_init__(self) -> None:
        choose(self, "method", self.method, (*_METHODS, _RANGE))
        choose(self, "action", self.action, tuple(_ACTIONS))
        if not self.columns:
            raise refuse(self, "has no column: name at least one in columns.")
        if (self.method == _RANGE) != (self.low is not None or self.high is not None):
            raise refuse(self, "needs low, high or both for the method range, and for no other: give them with it.")
        if self.method == _RANGE and self.factor is not None:
            raise refuse(self, "knows no factor for the method range: leave it out.")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise refuse(self, f"has the bounds {self.low:g} and {self.high:g}: give low and a high above it.")
        method = _METHODS.get(self.method)
        if method and self.factor is not None and not 0 <= self.factor < method.below:
            raise refuse(self, f"cannot use the factor {self.factor:g}: give 0 or more, for percentile below 50.")

    def apply(self, frame: nw.LazyFrame[Any], inputs: Inputs) -> Outcome:
        """Find the bounds of each column, which are evaluated, and act on what lies beyond."""
        del inputs
        schema = frame.collect_schema()
        cells = numbers(self, frame, existing(self, frame, self.columns))
        bounds = self._bounds(frame, cells)
        ranges = [Range(column, schema[column], expression, *bounds[column]) for column, expression in cells.items()]
        return _ACTIONS[self.action](self, frame, ranges)

    def _bounds(self, frame: nw.LazyFrame[Any], cells: Mapping[str, nw.Expr]) -> dict[str, tuple[float, float]]:
        """Give the bounds of each column."""
        if self.method == _RANGE:
            return dict.fromkeys(cells, _known(self.low, self.high))
        method = _METHODS[self.method]
        factor = method.factor if self.factor is None else self.factor
        found = aggregated(
            frame,
            *(
                bound.alias(f"{column}/{side}")
                for column, expression in cells.items()
                for side, bound in enumerate(method.bounds(expression, factor))
            ),
        )
        return {column: _known(found[f"{column}/0"], found[f"{column}/1"]) for column in cells}


def _known(low: float | None, high: float | None) -> tuple[float, float]:
    """Give bounds; where there is none, no number can be beyond it."""
    return -math.inf if low is None else low, math.inf if high is None else high


@dataclass(frozen=True)
class Range:
    """A column of numbers, and the bounds beyond which they are outliers."""

    column: str
    dtype: Any
    cells: nw.Expr
    low: float
    high: float

    @property
    def beyond(self) -> nw.Expr:
        """Which numbers are outliers."""
        return (self.cells < self.low) | (self.cells > self.high)


def _flag(step: Step, frame: nw.LazyFrame[Any], ranges: Sequence[Range]) -> Outcome:
    flags = absent(step, frame, [f"{each.column}_outlier" for each in ranges], "columns")
    result = frame
    for each, flag in zip(ranges, flags, strict=True):
        names = placed(result, each.column, [flag])
        result = result.with_columns(each.beyond.fill_null(value=False).alias(flag)).select(*names)
    return Outcome(result, written=tuple(flags))


def _clip(step: Step, frame: nw.LazyFrame[Any], ranges: Sequence[Range]) -> Outcome:
    del step
    return replaced(frame, {each.column: _clipped(each) for each in ranges})


def _clipped(each: Range) -> nw.Expr:
    old = nw.col(each.column) if is_text(each.dtype) else each.cells
    low, high = (written(nw.lit(bound), each.dtype) for bound in (each.low, each.high))
    return nw.when(each.cells < each.low).then(low).otherwise(nw.when(each.cells > each.high).then(high).otherwise(old))


def _drop(step: Step, frame: nw.LazyFrame[Any], ranges: Sequence[Range]) -> Outcome:
    beyond = nw.any_horizontal(*(each.beyond.fill_null(value=False) for each in ranges), ignore_nulls=False)
    return left_out(frame, beyond, f"is an outlier of {' or '.join(step.columns)}")  # type: ignore[attr-defined]


_ACTIONS: Mapping[str, Callable[[TreatOutliers, nw.LazyFrame[Any], Sequence[Range]], Outcome]] = {
    "flag": _flag,
    "clip": _clip,
    "drop": _drop,
}
