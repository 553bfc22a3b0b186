"""Public API: anonymise a frame and verify the result."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np

from dataframe_level_anonymisation import hierarchies as built_in
from dataframe_level_anonymisation.classes import Classes, Counts, Histogram, histogram
from dataframe_level_anonymisation.hierarchies import SUPPRESSED, Hierarchy
from dataframe_level_anonymisation.privacy_models import PrivacyModel
from dataframe_level_anonymisation.quality_models import Loss, QualityModel
from dataframe_level_anonymisation.roles import check_roles
from dataframe_level_anonymisation.search import Solution, Task, search
from util_services.errors import DataServiceError, nearest

_PRIME = 576460752303423433  # below 2**59: sums of a few dozen residues fit into 64 bits


@dataclass(frozen=True)
class Result:
    """An anonymised frame and what is known of it.

    Attributes:
        frame: The anonymised frame, of the type that was given; lazy frames stay lazy.
        rows: Rows of the input.
        rows_suppressed: Rows left out.
        levels: Level chosen for each quasi-identifier, and of how many: ``{column: (level, highest)}``.
        loss: Mean loss over the quasi-identifier cells of the input, from 0 to 1.
        achieved: Parameters reached, recomputed from the output, such as ``{"k": 4}``; empty if no row is left.
        classes_before: Sizes of the equivalence classes of the input, ascending.
        classes_after: Sizes of the equivalence classes of the output, ascending.
        optimal: Whether no other node has less loss; always true for the exact search.
        nodes: Nodes of the generalisation lattice.
        nodes_checked: Nodes whose classes were computed.
        seconds: Duration by phase: ``histogram``, ``search``, ``verify``.
    """

    frame: Any
    rows: int
    rows_suppressed: int
    levels: dict[str, tuple[int, int]]
    loss: float
    achieved: dict[str, Any]
    classes_before: np.ndarray[Any, np.dtype[np.int64]]
    classes_after: np.ndarray[Any, np.dtype[np.int64]]
    optimal: bool
    nodes: int
    nodes_checked: int
    seconds: dict[str, float]


def anonymise(
    frame: Any,
    *,
    quasi_identifiers: Sequence[str],
    hierarchies: Mapping[str, str],
    models: Sequence[PrivacyModel],
    identifiers: Sequence[str] = (),
    sensitive_attributes: Sequence[str] = (),
    suppression_limit: float = 0.0,
    quality: QualityModel | None = None,
) -> Result:
    """Generalise a frame so that it meets every privacy model with the least loss, and prove it.

    Quasi-identifiers are recoded globally (full domain), identifiers become ``*``, rows that cannot meet the models
    within the limit are left out, and all else stays as it was, row order included. The models are verified on the
    output, independently of the search.

    Args:
        frame: pandas, Polars (eager or lazy) or PyArrow table.
        quasi_identifiers: At least one column name.
        hierarchies: Name of a built-in hierarchy for each quasi-identifier.
        models: At least one requirement.
        identifiers: Columns that identify a person directly.
        sensitive_attributes: Columns to protect; they stay as they are.
        suppression_limit: Largest share of rows that may be left out, in per cent, 0 to 100.
        quality: What to minimise; default :class:`Loss`.

    Raises:
        DataServiceError: If a column or hierarchy is unknown, roles overlap, a parameter is out of range, the
            requirement cannot be met, or the output fails the verification.
    """
    started = time.perf_counter()
    data = nw.from_native(frame)
    lazy = data.lazy()
    check_roles(lazy.collect_schema().names(), identifiers, quasi_identifiers, sensitive_attributes)
    if not 0 <= suppression_limit <= 100:  # noqa: PLR2004 - per cent
        raise DataServiceError(f"The supp_level {suppression_limit:g} is not a percentage: give 0 to 100.")
    _check_hierarchies(quasi_identifiers, hierarchies)
    tuples = histogram(lazy, quasi_identifiers)
    counted = time.perf_counter()
    built = [
        built_in.build(column, hierarchies[column], values)
        for column, values in zip(tuples.columns, tuples.values, strict=True)
    ]
    solution = search(Task(tuples, built, models, quality or Loss(), suppression_limit))
    searched = time.perf_counter()
    output = _apply(lazy, tuples, built, solution).with_columns(
        nw.lit(SUPPRESSED).alias(column) for column in identifiers
    )
    achieved, after = _verify(output, tuples, solution, models, suppression_limit)
    native = output if isinstance(data, nw.LazyFrame) else output.collect(backend=data.implementation)
    return Result(
        frame=native.to_native(),
        rows=tuples.rows,
        rows_suppressed=int(solution.classes.sizes[~solution.kept].sum()),
        levels={
            column: (level, hierarchy.levels - 1)
            for column, level, hierarchy in zip(tuples.columns, solution.levels, built, strict=True)
        },
        loss=solution.loss,
        achieved=achieved,
        classes_before=np.sort(tuples.counts),
        classes_after=np.sort(after.sizes),
        optimal=True,
        nodes=solution.nodes,
        nodes_checked=solution.nodes_checked,
        seconds={
            "histogram": counted - started,
            "search": searched - counted,
            "verify": time.perf_counter() - searched,
        },
    )


def _check_hierarchies(quasi_identifiers: Sequence[str], hierarchies: Mapping[str, str]) -> None:
    for column in quasi_identifiers:
        if column not in hierarchies:
            raise DataServiceError(
                f"The quasi-identifier {column!r} has no hierarchy: name one in generalisation_hierarchies, such as "
                f"{' or '.join(map(repr, built_in.BUILT_IN))}."
            )
    for column in hierarchies:
        if column not in quasi_identifiers:
            raise DataServiceError(
                f"The generalisation_hierarchies name the column {column!r}, which is no quasi-identifier: "
                f"{nearest(column, quasi_identifiers)}"
            )


def _apply(
    frame: nw.LazyFrame[Any], tuples: Histogram, hierarchies: list[Hierarchy], solution: Solution
) -> nw.LazyFrame[Any]:
    """Replace values by their groups' labels; leave out the classes that are not kept. All of it stays lazy."""
    if not solution.kept.all():
        frame = _without(frame, tuples, solution)
    generalised = [
        _mapped(column, values, hierarchy.labels[level - 1], nw.String(), default=None)
        for column, values, hierarchy, level in zip(
            tuples.columns, tuples.values, hierarchies, solution.levels, strict=True
        )
        if level and values
    ]
    return frame.with_columns(*generalised) if generalised else frame


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


def _without(frame: nw.LazyFrame[Any], tuples: Histogram, solution: Solution) -> nw.LazyFrame[Any]:
    """Leave out the rows of suppressed tuples, in place, since joins do not keep the order of rows on every engine.

    Each value gets a random residue, a tuple the sum of its values' residues. All tuples are known, so that the sums
    are checked to be distinct (and drawn again if they are not): the test by sum is exact, not probable.
    """
    suppressed = ~solution.kept[solution.classes.members]
    residues, keys = _distinct_keys(tuples)
    key = nw.lit(0, nw.Int64())
    for column, values, of_values in zip(tuples.columns, tuples.values, residues, strict=True):
        key = (key + _mapped(column, values, of_values.tolist(), nw.Int64(), default=0)) % _PRIME
    return frame.filter(~key.is_in(keys[suppressed].tolist()))


def _distinct_keys(tuples: Histogram) -> tuple[list[Counts], Counts]:
    """Draw a residue for each value, for each column an array (values,), and add them up: array (tuples,)."""
    random = np.random.default_rng(0)
    while True:
        residues = [random.integers(0, _PRIME, len(values)) for values in tuples.values]
        keys = np.zeros(len(tuples.counts), dtype=np.int64)
        for position, of_values in enumerate(residues):
            keys = (keys + of_values[tuples.codes[:, position]]) % _PRIME
        if len(np.unique(keys)) == len(keys):
            return residues, keys


def _verify(
    output: nw.LazyFrame[Any],
    tuples: Histogram,
    solution: Solution,
    models: Sequence[PrivacyModel],
    suppression_limit: float,
) -> tuple[dict[str, Any], Classes]:
    """Recompute classes, guarantees and suppression from the output alone."""
    released = histogram(output, tuples.columns)
    classes = Classes(np.arange(len(released.counts)), released.counts)
    suppressed = tuples.rows - released.rows
    within_limit = suppressed <= math.floor(tuples.rows * suppression_limit / 100 + 1e-9)
    if not (all(model.holds(classes).all() for model in models) and within_limit):
        raise DataServiceError(
            "The output does not meet the requirement although the search found that it would, so nothing is written: "
            "please report this as a defect."
        )
    if released.rows != int(solution.classes.sizes[solution.kept].sum()):
        raise DataServiceError("The output has lost rows, so nothing is written: please report this as a defect.")
    return {name: value for model in models for name, value in model.achieved(classes).items()}, classes
