"""Public API: anonymise a frame and verify the result."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import narwhals as nw
import numpy as np

from dataframe_level_anonymisation.class_sizes import class_sizes, sizes_of
from dataframe_level_anonymisation.classes import Histogram, histogram, weighted_sum
from dataframe_level_anonymisation.evaluation import Task
from dataframe_level_anonymisation.hierarchies import BUILT_IN, Hierarchy, Spec, parse
from dataframe_level_anonymisation.partition import Found, found
from dataframe_level_anonymisation.pregeneralisation import Counting, histogram_tuples
from dataframe_level_anonymisation.privacy_models import PrivacyModel, title
from dataframe_level_anonymisation.quality_models import QUALITY_MODELS, Loss, QualityModel
from dataframe_level_anonymisation.recoding import Recoded
from dataframe_level_anonymisation.release import generalised, released
from dataframe_level_anonymisation.result import (
    ColumnOutcome,
    Pass,
    Pregeneralisation,
    Result,
    SensitiveDistribution,
)
from dataframe_level_anonymisation.roles import check_roles
from dataframe_level_anonymisation.search import infeasible
from dataframe_level_anonymisation.verification import verify
from util_services.errors import DataServiceError, nearest
from util_services.frames import as_given

_EXAMPLES = 3


def anonymise(  # noqa: PLR0913 - the parameters of a release
    frame: Any,
    *,
    quasi_identifiers: Sequence[str],
    hierarchies: Mapping[str, str | Mapping[str, Any] | Spec],
    models: Sequence[PrivacyModel],
    identifiers: Sequence[str] = (),
    sensitive_attributes: Sequence[str] = (),
    suppression_limit: float = 0.0,
    quality: str | QualityModel = "loss",
    recoding: str = "global",
    search_budget_seconds: float = 60.0,
    population: Any = None,
    store: Callable[[nw.LazyFrame[Any]], nw.LazyFrame[Any]] | None = None,
) -> Result:
    """Generalise a frame so that it meets every privacy model with the least loss, and prove it.

    Quasi-identifiers are recoded, identifiers become ``*``, rows that cannot meet the models within the limit are left
    out, and all else stays as it was, row order included. The models are verified on the output, independently of the
    search. Only histograms are collected, of no more tuples than the environment variable ``HISTOGRAM_TUPLES`` allows
    (see :mod:`pregeneralisation`); a lazy frame stays lazy.

    Args:
        frame: pandas, Polars (eager or lazy) or PyArrow table.
        quasi_identifiers: At least one column name.
        hierarchies: For each quasi-identifier a name, a specification (see :func:`hierarchies.parse`) or a parsed one.
        models: At least one requirement; all must be met at once.
        identifiers: Columns that identify a person directly.
        sensitive_attributes: Columns to protect; they stay as they are. Those of the models need not be repeated.
        suppression_limit: Largest share of rows that may be left out, in per cent, 0 to 100.
        quality: What to minimise: a name of ``QUALITY_MODELS`` or a quality model.
        recoding: ``global`` generalises all rows alike; ``local`` searches again for the rows left out, and never loses
            more.
        search_budget_seconds: How long a lattice of more than 20 million nodes is searched; smaller ones are always
            searched to the end. Above 0.
        population: A table with the same quasi-identifiers that the frame is a sample of, for k-map and for the
            journalist's risk.
        store: Stores the output and gives it back to be verified as stored, where it would be evaluated again for
            every use.

    Raises:
        DataServiceError: If a column, hierarchy or name is unknown, roles overlap, a parameter is out of range, the
            requirement cannot be met, there are too many distinct tuples, or the output fails the verification.
    """
    data = nw.from_native(frame)
    lazy = data.lazy()
    own = [model.attribute for model in models if model.attribute is not None]
    sensitive = list(dict.fromkeys([*sensitive_attributes, *own]))
    check_roles(lazy.collect_schema().names(), identifiers, quasi_identifiers, sensitive)
    measure = _checked(models, suppression_limit, quality, recoding, search_budget_seconds)
    specs = _specs(quasi_identifiers, hierarchies)
    people = None if population is None else nw.from_native(population).lazy()
    most = histogram_tuples()
    protected = list(dict.fromkeys(own))
    given = Counting(lazy, specs, protected, people, models, measure, suppression_limit, recoding, most)
    outcome = found(given, search_budget_seconds)
    task, recoded = outcome.task, outcome.recoded
    if recoded is None:
        raise DataServiceError(_infeasible(task, models, suppression_limit))
    tuples, built = task.data, list(task.hierarchies)
    searched = time.perf_counter()
    before, population_before = (
        sizes_of(tuples) if tuples.pregeneralised is None else class_sizes(lazy, quasi_identifiers, people)
    )
    output = released(lazy, tuples, built, recoded, identifiers)
    if store is not None:
        output = store(output)
    # A lazy frame stays lazy; any other is evaluated once, and verified as it is released.
    native = as_given(output, data)
    output = nw.from_native(native).lazy()
    populations = [] if people is None else [generalised(people, tuples, built, step.levels) for step in recoded.steps]
    verified = verify(output, tuples, models, populations, task.limit)
    losses = _losses(tuples, built, recoded)
    return Result(
        frame=native,
        rows=tuples.rows,
        rows_suppressed=tuples.rows - verified.rows,
        requirements=tuple(_requirement(model) for model in models),
        columns=_columns(tuples, built, recoded, losses),
        passes=_passes(tuples, recoded),
        loss=sum(losses) / len(losses),
        quality=(measure.name, recoded.cost),
        achieved=verified.achieved,
        achieved_by_attribute=verified.by_attribute,
        classes_before=before,
        classes_after=verified.sizes,
        population_before=population_before,
        population_after=verified.population,
        sensitive=tuple(_distribution(name, lazy, output if recoded.suppressed else None) for name in sensitive),
        suppression_limit=suppression_limit,
        recoding=recoding,
        optimal=all(step.solution.optimal for step in recoded.steps),
        lower_bound=recoded.steps[0].solution.lower_bound if len(recoded.steps) == 1 else recoded.cost,
        nodes=recoded.steps[0].solution.nodes,
        nodes_checked=recoded.nodes_checked,
        seconds={**outcome.seconds, "apply": time.perf_counter() - searched},
        pregeneralisation=_pregeneralisation(outcome, most),
    )


def _checked(
    models: Sequence[PrivacyModel],
    suppression_limit: float,
    quality: str | QualityModel,
    recoding: str,
    search_budget_seconds: float,
) -> QualityModel:
    """Check the parameters that need no data; give the quality model."""
    if not models:
        raise DataServiceError("The models are empty: give at least one requirement.")
    if not 0 <= suppression_limit <= 100:  # noqa: PLR2004 - per cent
        raise DataServiceError(f"The supp_level {suppression_limit:g} is not a percentage: give 0 to 100.")
    if recoding not in {"global", "local"}:
        raise DataServiceError(f"The recoding {recoding!r} is unknown: choose global or local.")
    if not search_budget_seconds > 0:
        raise DataServiceError(
            f"The search_budget_seconds {search_budget_seconds:g} are not above 0: give at least a second."
        )
    if isinstance(quality, str):
        if quality not in QUALITY_MODELS:
            raise DataServiceError(f"The quality model {quality!r} is unknown: {nearest(quality, QUALITY_MODELS)}")
        return QUALITY_MODELS[quality]
    return quality


def _specs(
    quasi_identifiers: Sequence[str], hierarchies: Mapping[str, str | Mapping[str, Any] | Spec]
) -> dict[str, Spec]:
    for column in quasi_identifiers:
        if column not in hierarchies:
            raise DataServiceError(
                f"The quasi-identifier {column!r} has no hierarchy: name one in generalisation_hierarchies, such as "
                f"{' or '.join(map(repr, BUILT_IN))}."
            )
    for column in hierarchies:
        if column not in quasi_identifiers:
            raise DataServiceError(
                f"The generalisation_hierarchies name the column {column!r}, which is no quasi-identifier: "
                f"{nearest(column, quasi_identifiers)}"
            )
    given = {column: hierarchies[column] for column in quasi_identifiers}
    return {column: spec if isinstance(spec, Spec) else parse(column, spec) for column, spec in given.items()}


def _infeasible(task: Task, models: Sequence[PrivacyModel], suppression_limit: float) -> str:
    """Tell how close the data come."""
    reached, suppressed = infeasible(task)
    wanted = " and ".join(title(model) for model in models)
    best = ", ".join(f"{name} = {value:.4g}" for name, value in reached.items()) or "none"
    rows = task.data.rows
    return (
        f"The requirement {wanted} cannot be met: even at the highest levels, {suppressed:,} of {rows:,} rows "
        f"({suppressed / max(rows, 1):.2%}) would have to be left out where supp_level allows {suppression_limit:g} %; "
        f"the best reachable within it, each by itself, is {best}: lower the requirement, raise supp_level or give "
        "more rows."
    )


def _pregeneralisation(outcome: Found, most: int) -> Pregeneralisation | None:
    tuples = outcome.task.data
    if tuples.pregeneralised is None:
        return None
    levels = zip(tuples.columns, tuples.levels, strict=True)
    return Pregeneralisation({column: level for column, level in levels if level}, outcome.parts, most)


def _requirement(model: PrivacyModel) -> dict[str, Any]:
    protected = {} if model.attribute is None else {"sensitive_attribute": model.attribute}
    return {"name": model.name, "meaning": model.meaning, **model.parameters, **protected}


def _losses(tuples: Histogram, hierarchies: Sequence[Hierarchy], recoded: Recoded) -> list[float]:
    """Mean generalised loss of each column's cells, suppressed ones 1."""
    losses = []
    for column, hierarchy in enumerate(hierarchies):
        costs = Loss().cell_costs(hierarchy, tuples.value_counts(column))
        total = float(recoded.suppressed)
        for step in recoded.steps:
            own = step.tuples
            total += weighted_sum(costs[step.levels[column]][tuples.codes[own, column]], tuples.counts[own])
        losses.append(total / max(tuples.rows, 1))
    return losses


def _columns(
    tuples: Histogram, hierarchies: Sequence[Hierarchy], recoded: Recoded, losses: Sequence[float]
) -> tuple[ColumnOutcome, ...]:
    first = recoded.steps[0]
    outcomes = []
    for column, (name, hierarchy) in enumerate(zip(tuples.columns, hierarchies, strict=True)):
        level = first.levels[column]
        own = first.tuples
        counts = np.bincount(
            tuples.codes[own, column], weights=tuples.counts[own], minlength=len(tuples.values[column])
        )
        examples = _examples(tuples.values[column], hierarchy, level, counts)
        outcomes.append(ColumnOutcome(name, level, hierarchy.levels - 1, losses[column], examples))
    return tuple(outcomes)


def _examples(
    values: Sequence[Any], hierarchy: Hierarchy, level: int, counts: np.ndarray[Any, Any]
) -> tuple[tuple[str, int], ...]:
    """Labels of the most frequent groups that are released, unless they are values themselves."""
    if not level:
        return ()
    rows: dict[str, float] = {}
    covered: dict[str, int] = {}
    for label, count in zip(hierarchy.labels[level - 1], counts.tolist(), strict=True):
        if label is not None:
            rows[label] = rows.get(label, 0) + count
            covered[label] = covered.get(label, 0) + 1
    own = {str(value) for value in values}
    shown = [label for label in sorted(rows, key=lambda label: -rows[label]) if rows[label] and label not in own]
    return tuple((label, covered[label]) for label in shown[:_EXAMPLES])


def _passes(tuples: Histogram, recoded: Recoded) -> tuple[Pass, ...]:
    return tuple(
        Pass(
            levels=dict(zip(tuples.columns, step.levels, strict=True)),
            rows=int(step.sizes.sum()),
            optimal=step.solution.optimal,
            nodes=step.solution.nodes,
            nodes_checked=step.solution.nodes_checked,
        )
        for step in recoded.steps
    )


def _distribution(name: str, before: nw.LazyFrame[Any], after: nw.LazyFrame[Any] | None) -> SensitiveDistribution:
    """Count each value of a sensitive attribute in the input, and in the release if that is another set of rows."""
    counts = [histogram(frame, [name]) for frame in ((before,) if after is None else (before, after))]
    released_rows = dict(zip(counts[-1].values[0], counts[-1].value_counts(0).tolist(), strict=True))
    values = counts[0].values[0]
    return SensitiveDistribution(
        name=name,
        values=tuple(None if value is None else str(value) for value in values),
        before=counts[0].value_counts(0),
        after=np.array([released_rows.get(value, 0) for value in values], dtype=np.int64),
    )
