"""Recomputing from a released frame alone what it achieves, independently of the search."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import narwhals as nw
import numpy as np

from dataframe_level_anonymisation.classes import Attribute, Counts, Entries, Histogram, histogram
from dataframe_level_anonymisation.privacy_models import ClassTest, PrivacyModel, TCloseness, Test, passed, worst
from util_services.errors import DataServiceError


@dataclass(frozen=True)
class Verified:
    """What a release achieves.

    Attributes:
        rows: Rows of the release.
        achieved: Figure of each parameter; with several sensitive attributes the worst.
        by_attribute: The same for each sensitive attribute that a model protects.
        sizes: Sizes of the equivalence classes, ascending.
        population: Rows of the population in each of these classes, if there is a population table.
    """

    rows: int
    achieved: dict[str, float]
    by_attribute: dict[str, dict[str, float]]
    sizes: Counts
    population: Counts | None


def verify(
    output: nw.LazyFrame[Any],
    source: Histogram,
    models: Sequence[PrivacyModel],
    populations: Sequence[nw.LazyFrame[Any]],
    most_suppressed: int,
) -> Verified:
    """Recompute classes, guarantees and suppression.

    Args:
        output: The released frame.
        source: Histogram of the input, whose distributions are the reference.
        models: What was asked.
        populations: The population table, generalised as the rows of each step were; none without a population.
        most_suppressed: How many rows may be left out.

    Raises:
        DataServiceError: If the release does not meet the requirements.
    """
    found = histogram(output, source.columns, list(source.sensitive))
    found = replace(
        found,
        sensitive={
            name: _recoded(attribute, source.sensitive[name].values) for name, attribute in found.sensitive.items()
        },
        population=_population(output, found, populations) if populations else None,
    )
    achieved: dict[str, float] = {"k": int(found.counts.min())} if found.rows else {}
    by_attribute: dict[str, dict[str, float]] = {}
    met = 0 <= source.rows - found.rows <= most_suppressed
    for model in models:
        for test in model.tests(source):
            met &= passed(test, found)
            if found.rows:
                _note(test, model, worst(test, found), achieved, by_attribute)
    if not met:
        raise DataServiceError(
            "The output does not meet the requirement although the search found that it would, so nothing is written: "
            "please report this as a defect."
        )
    if found.rows:
        for model in models:
            if isinstance(model, TCloseness):
                (test,) = model.tests(found)
                figure = worst(test, found)
                by_attribute[model.attribute]["t_released"] = figure
                achieved["t_released"] = max(achieved.get("t_released", 0.0), figure)
    order = np.argsort(found.counts, kind="stable")
    population = None if found.population is None else found.population[order]
    return Verified(found.rows, achieved, by_attribute, found.counts[order], population)


def _note(
    test: Test,
    model: PrivacyModel,
    figure: float,
    achieved: dict[str, float],
    by_attribute: dict[str, dict[str, float]],
) -> None:
    smallest = isinstance(test, ClassTest) and test.worst == "smallest"
    keep = min if smallest else max
    value = int(figure) if smallest and figure == int(figure) and test.parameter != "entropy_l" else figure
    achieved[test.parameter] = keep(achieved.get(test.parameter, value), value)
    if model.attribute is not None:
        own = by_attribute.setdefault(model.attribute, {})
        own[test.parameter] = keep(own.get(test.parameter, value), value)


def _recoded(attribute: Attribute, values: list[Any]) -> Attribute:
    """Number the values as the input does."""
    numbers = {value: number for number, value in enumerate(values)}
    own = np.array([numbers[value] for value in attribute.values], dtype=np.int64)
    entries = attribute.entries
    codes = own[entries.values] if len(own) else entries.values
    return Attribute(values, Entries(entries.owners, codes, entries.counts))


def _population(output: nw.LazyFrame[Any], found: Histogram, populations: Sequence[nw.LazyFrame[Any]]) -> Counts:
    """Rows of the population in each class of the release: array (tuples,).

    Where labels could come from several steps, the step counts that finds the fewest people.
    """
    sizes = np.zeros(len(found.counts), dtype=np.int64)
    for population in populations:
        both = histogram(output, found.columns, population=population)
        people = both.counts if both.population is None else both.population
        own = people[both.counts > 0]
        sizes = np.where((own > 0) & ((sizes == 0) | (own < sizes)), own, sizes)
    return sizes
