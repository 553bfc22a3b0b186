"""Applying the levels found to a lazy frame: generalise, and leave out what is not kept."""

from collections.abc import Sequence
from typing import Any

import narwhals as nw
import numpy as np
import numpy.typing as npt

from dataframe_level_anonymisation.classes import Counts, Histogram
from dataframe_level_anonymisation.evaluation import Node
from dataframe_level_anonymisation.hierarchies import SUPPRESSED, Hierarchy
from dataframe_level_anonymisation.recoding import Recoded
from util_services.frames import amended, spare

_LARGEST_SUM = 2**63 - 1


def released(
    frame: nw.LazyFrame[Any],
    tuples: Histogram,
    hierarchies: Sequence[Hierarchy],
    recoded: Recoded,
    identifiers: Sequence[str],
) -> nw.LazyFrame[Any]:
    """Generalise a frame and hide its identifiers; row order and other columns stay. All of it is lazy."""
    hidden = dict.fromkeys(identifiers, SUPPRESSED)
    keeps_all = not recoded.suppressed
    if len(recoded.steps) == 1 and keeps_all:
        labels = _labels(tuples, hierarchies, recoded.steps[0].levels)
        return amended(frame, {**labels, **hidden}, inputs=tuples.columns)
    key, keys = _key(tuples)
    if len(recoded.steps) == 1:
        (step,) = recoded.steps
        keep = ~key.is_in(keys[~step.tuples].tolist())
        labels = _labels(tuples, hierarchies, step.levels)
        return amended(frame, {**labels, **hidden}, keep, inputs=tuples.columns)
    (number,) = spare(frame)
    # The step of each row, the last one by exclusion; rows without any go first.
    kept_rows: nw.Expr | None = None
    if not keeps_all:
        kept = np.logical_or.reduce([step.tuples for step in recoded.steps])
        kept_rows = ~key.is_in(keys[~kept & (tuples.counts > 0)].tolist())
    step_of = nw.lit(len(recoded.steps) - 1)
    for position in reversed(range(len(recoded.steps) - 1)):
        own = keys[recoded.steps[position].tuples].tolist()
        step_of = nw.when(key.is_in(own)).then(nw.lit(position)).otherwise(step_of)
    frame = amended(frame, {number: step_of}, kept_rows, inputs=tuples.columns)
    changed: dict[str, nw.Expr | str] = {}
    for column, (name, hierarchy) in enumerate(zip(tuples.columns, hierarchies, strict=True)):
        levels = [step.levels[column] for step in recoded.steps]
        if not any(levels):
            continue
        expression = _label(name, tuples.values[column], hierarchy, levels[-1])
        for position in reversed(range(len(levels) - 1)):
            own_label = _label(name, tuples.values[column], hierarchy, levels[position])
            expression = nw.when(nw.col(number) == position).then(own_label).otherwise(expression)
        changed[name] = expression
    return amended(frame, {**changed, **hidden}, inputs=[*tuples.columns, number]).drop(number)


def generalised(
    frame: nw.LazyFrame[Any], tuples: Histogram, hierarchies: Sequence[Hierarchy], levels: Node
) -> nw.LazyFrame[Any]:
    """Replace values by their groups' labels at one node, as :func:`released` does for a single step."""
    return amended(frame, _labels(tuples, hierarchies, levels), inputs=tuples.columns)


def with_figures(
    frame: nw.LazyFrame[Any], name: str, columns: Sequence[Histogram], figures: Sequence[npt.NDArray[np.float64]]
) -> nw.LazyFrame[Any]:
    """Add a column of sums of figures of each row's values.

    Args:
        frame: The table.
        name: Name of the new column.
        columns: Histograms of one column each.
        figures: For each of them an array (values,).
    """
    total = nw.lit(0.0, nw.Float64())
    for column, of_values in zip(columns, figures, strict=True):
        total = total + _mapped(column.columns[0], column.values[0], of_values.tolist(), nw.Float64(), default=0.0)
    return amended(frame, {name: total}, inputs=[column.columns[0] for column in columns])


def _labels(tuples: Histogram, hierarchies: Sequence[Hierarchy], levels: Node) -> dict[str, nw.Expr]:
    return {
        column: _mapped(column, values, hierarchy.labels[level - 1], nw.String(), default=None)
        for column, values, hierarchy, level in zip(tuples.columns, tuples.values, hierarchies, levels, strict=True)
        if level and values
    }


def _label(column: str, values: Sequence[Any], hierarchy: Hierarchy, level: int) -> nw.Expr:
    if not level:
        return nw.col(column).cast(nw.String())
    return _mapped(column, values, hierarchy.labels[level - 1], nw.String(), default=None)


def _mapped(column: str, values: Sequence[Any], new: Sequence[Any], dtype: nw.dtypes.DType, default: Any) -> nw.Expr:
    """Map every value of a column; a missing one by hand, since not every engine takes it as a key.

    The default is met by missing values only, and tells engines without typed nulls which type to use meanwhile.
    """
    mapping = dict(zip(values, new, strict=True))
    missing = mapping.pop(None, None)
    is_missing = nw.col(column).is_null()
    if not mapping:
        return nw.when(is_missing).then(nw.lit(missing, dtype)).alias(column)
    mapped = nw.col(column).replace_strict(list(mapping), list(mapping.values()), default=default, return_dtype=dtype)
    return (
        mapped if missing is None else nw.when(is_missing).then(nw.lit(missing, dtype)).otherwise(mapped).alias(column)
    )


def _key(tuples: Histogram) -> tuple[nw.Expr, Counts]:
    """Give a number to each tuple, as an expression on rows and as an array (tuples,).

    Rows are recognised in place, since joins do not keep the order of rows on every engine. Each value gets a random
    number, a tuple the sum of its values' numbers. All tuples are known, so that the sums are checked to be distinct
    (and drawn again if they are not): a test by sum is exact, not probable.
    """
    numbers, keys = _distinct_keys(tuples)
    key = nw.lit(0, nw.Int64())
    for column, values, of_values in zip(tuples.columns, tuples.values, numbers, strict=True):
        key = key + _mapped(column, values, of_values.tolist(), nw.Int64(), default=0)
    return key, keys


def _distinct_keys(tuples: Histogram) -> tuple[list[Counts], Counts]:
    """Draw a number for each value, for each column an array (values,), and add them up: array (tuples,).

    Values that were pre-generalised to one group share a number.
    """
    random = np.random.default_rng(0)
    below = _LARGEST_SUM // len(tuples.columns)
    while True:
        numbers = [random.integers(0, below, len(values)) for values in tuples.values]
        if tuples.pregeneralised is not None:
            shared = tuples.pregeneralised.representatives
            numbers = [of_values[group] for of_values, group in zip(numbers, shared, strict=True)]
        keys = np.zeros(len(tuples.counts), dtype=np.int64)
        for position, of_values in enumerate(numbers):
            keys += of_values[tuples.codes[:, position]]
        if len(np.unique(keys)) == len(keys):
            return numbers, keys
