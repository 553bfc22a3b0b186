"""Counting tuples of higher levels, where the tuples themselves are too many for memory.

A histogram has one entry for each distinct tuple, and the search needs a multiple of its memory. Where a table has more
of them than :data:`HISTOGRAM_TUPLES`, each column is generalised to the lowest level that a node can have in it and
still meet the requirements, and the tuples of these levels are counted instead. No such node is lost:

Call a column's level *hopeless* if the requirements cannot be met within the suppression limit although the column is
the only quasi-identifier. Take a node with this level, or a lower one, in the column. Its classes split the groups of
the level further, so that what it keeps of a group is a union of classes that pass. A test that bounds the rows of a
group which can be kept bounds every such union: of fewer than k rows every part has fewer than k, and
:mod:`privacy_models.requirements` tells the bounds of the other models. So this node is infeasible, too. Hence every
feasible node is, in all columns at once, at or above the lowest level that is not hopeless. Larger sets of columns
cannot raise that level: for one column, the others being at the top is the easiest case. Where the tuples are too many
even so, the lattice is searched in parts, see :mod:`partition`.

All figures are those of all tuples: classes of coarser nodes are unions of the ones counted, costs of cells come from
the counts of the values themselves, a column at a time, and where costs differ within a group, the engine adds up their
differences by tuple.

References:
    K. LeFevre, D. DeWitt and R. Ramakrishnan, Incognito: Efficient Full-Domain K-Anonymity, SIGMOD 2005, section 3
    (the properties of generalisation, roll-up and subsets: a table that is not k-anonymous with respect to some
    quasi-identifiers is not with respect to more).
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import narwhals as nw
import numpy as np

from dataframe_level_anonymisation.classes import (
    Counts,
    Histogram,
    Pregeneralised,
    TooManyTuples,
    histogram,
)
from dataframe_level_anonymisation.evaluation import Evaluator, Node, Task, limit_of, most_costs
from dataframe_level_anonymisation.hierarchies import Hierarchy, Spec
from dataframe_level_anonymisation.privacy_models import PrivacyModel, SizeTest
from dataframe_level_anonymisation.quality_models import (
    CellQuality,
    Costs,
    QualityModel,
    level_bounds,
    weighted_costs,
)
from dataframe_level_anonymisation.release import generalised, with_figures
from dataframe_level_anonymisation.search import possible_levels
from util_services.errors import DataServiceError
from util_services.frames import collected, spare
from util_services.settings import whole_number

HISTOGRAM_TUPLES = "HISTOGRAM_TUPLES"
_TUPLES = 5_000_000  # 200 bytes each with three quasi-identifiers, 640 with nine, the search included


def histogram_tuples(environment: Mapping[str, str] = os.environ) -> int:
    """Give how many distinct tuples may be collected: 5 million, about 1 GB, unless the environment tells otherwise.

    Raises:
        DataServiceError: If it does not tell a whole number from 1.

    Examples:
        >>> histogram_tuples({"HISTOGRAM_TUPLES": "20000000"})
        20000000
    """
    setting, what = environment.get(HISTOGRAM_TUPLES) or None, f"a whole number from 1, such as {_TUPLES}"
    return whole_number(HISTOGRAM_TUPLES, setting, _TUPLES, what=what)


@dataclass(frozen=True, eq=False)
class Counting:
    """What is counted, and what it is counted for.

    Attributes:
        frame: The data.
        specs: For each quasi-identifier what its hierarchy is built from.
        sensitive: The sensitive attributes that the models protect.
        population: The population table, if there is one.
        models: The requirements.
        quality: What is minimised.
        suppression_limit: Largest share of rows that may be left out, in per cent.
        recoding: ``global`` or ``local``.
        most: How many distinct tuples may be collected.
    """

    frame: nw.LazyFrame[Any]
    specs: Mapping[str, Spec]
    sensitive: Sequence[str]
    population: nw.LazyFrame[Any] | None
    models: Sequence[PrivacyModel]
    quality: QualityModel
    suppression_limit: float
    recoding: str
    most: int

    def all_tuples(self) -> tuple[Histogram, list[Hierarchy]]:
        """Count the tuples as they are, and build a hierarchy for each column.

        Raises:
            TooManyTuples: If they are too many.
            DataServiceError: If a hierarchy does not fit its column.
        """
        columns = list(self.specs)
        tuples = histogram(self.frame, columns, self.sensitive, self.population, most=self.most)
        values = zip(columns, tuples.values, strict=True)
        return tuples, [self.specs[column].build(known) for column, known in values]


class Coarse:
    """Counts tuples of higher levels.

    Attributes:
        given: What is counted.
        hierarchies: One for each column.
        limit: How many rows may be left out.

    Raises:
        DataServiceError: If a column alone has too many values, or a hierarchy does not fit its column.
    """

    def __init__(self, given: Counting) -> None:
        self.given = given
        self._columns = [self._single(column) for column in given.specs]
        self.hierarchies = [
            spec.build(column.values[0]) for spec, column in zip(given.specs.values(), self._columns, strict=True)
        ]
        self.limit = limit_of(self._columns[0].rows, given.suppression_limit)

    def _single(self, column: str) -> Histogram:
        """Count the values of one column."""
        given = self.given
        try:
            return histogram(given.frame, [column], (), given.population, most=given.most)
        except TooManyTuples:
            raise DataServiceError(
                f"The column {column!r} alone has more than the {given.most:,} distinct values that {HISTOGRAM_TUPLES} "
                "allows: round or shorten its values before, leave it out of the quasi_identifiers, or give more "
                f"memory and a higher {HISTOGRAM_TUPLES}."
            ) from None

    def raised_by_sizes(self, levels: Node) -> Node:
        """Leave out the levels that are hopeless by the models that look at no sensitive attribute."""
        models = [model for model in self.given.models if model.attribute is None]
        return tuple(self._lowest(own, column, levels[column], models) for column, own in enumerate(self._columns))

    def raised_by_all(self, levels: Node) -> Node:
        """Leave out the levels that are hopeless by any model; a column with too many tuples to tell stays."""
        raised = list(levels)
        for column in range(len(levels)) if self.given.sensitive else ():
            try:
                own = self._counted([column], levels, self.given.sensitive)
            except TooManyTuples:
                continue
            raised[column] = self._lowest(own, column, levels[column], self.given.models)
        return tuple(raised)

    def _lowest(self, own: Histogram, column: int, level: int, models: Sequence[PrivacyModel]) -> int:
        """Lowest level of a column, from a given one on, at which the column alone can meet some models."""
        hierarchy = self.hierarchies[column]
        tests = [test for model in models for test in model.tests(own)]
        task = Task(own, [hierarchy], tests, self.given.quality, self.limit)
        lowest = max(level, hierarchy.lowest)
        return possible_levels(Evaluator(task), [range(lowest, hierarchy.highest + 1)])[0].start

    def tuples(self, levels: Node) -> Histogram:
        """Count the tuples at some levels.

        Raises:
            TooManyTuples: If they are too many.
        """
        return self._counted(range(len(levels)), levels, self.given.sensitive)

    def _counted(self, columns: Sequence[int], levels: Node, sensitive: Sequence[str]) -> Histogram:
        """Count the tuples of some columns at their levels."""
        frame, population = self.given.frame, self.given.population
        summed = None
        deviations = [self._deviations(column, levels[column]) for column in columns]
        if any(each.any() for each in deviations):
            (summed,) = spare(frame)
            frame = with_figures(frame, summed, [self._columns[column] for column in columns], deviations)
        frame = self._generalised(frame, columns, levels)
        if population is not None:
            population = self._generalised(population, columns, levels)
        names = [self._columns[column].columns[0] for column in columns]
        found = histogram(frame, names, sensitive, population, most=self.given.most, summed=summed)
        return self._of_values(found, columns, levels)

    def _generalised(self, frame: nw.LazyFrame[Any], columns: Sequence[int], levels: Node) -> nw.LazyFrame[Any]:
        for column in columns:
            frame = generalised(frame, self._columns[column], [self.hierarchies[column]], (levels[column],))
        return frame

    def _of_values(self, found: Histogram, columns: Sequence[int], levels: Node) -> Histogram:
        """Name groups by one of their values, so that they belong to the hierarchies of the values."""
        codes = np.empty_like(found.codes)
        values, shared = [], []
        for position, column in enumerate(columns):
            level, own, hierarchy = levels[column], self._columns[column].values[0], self.hierarchies[column]
            values.append(own)
            shared.append(_representatives(hierarchy, level))
            # Level 0 has the same values in the same order.
            first = np.arange(len(own))
            if level:
                of_label = dict(zip(hierarchy.labels[level - 1], shared[-1].tolist(), strict=True))
                first = np.array([of_label[label] for label in found.values[position]], dtype=np.int64)
            codes[:, position] = first[found.codes[:, position]]
        surplus = np.zeros(len(found.counts)) if found.sums is None else found.sums
        counts = tuple(self._columns[column].value_counts(0) for column in columns)
        known = Pregeneralised(tuple(levels[column] for column in columns), tuple(shared), counts, surplus)
        return replace(found, values=tuple(values), codes=codes, sums=None, pregeneralised=known)

    def _deviations(self, column: int, level: int) -> Costs:
        """What a cell costs more than one with the value that stands for its own: array (values,).

        All 0 where it is not needed tuple by tuple, as it is where some may be left out.
        """
        if not (self._costs and self.limit):
            return np.zeros(len(self._columns[column].values[0]))
        costs = self._costs[column][level]
        return costs - costs[_representatives(self.hierarchies[column], level)]

    @cached_property
    def _value_counts(self) -> list[Counts]:
        return [column.value_counts(0) for column in self._columns]

    @cached_property
    def _costs(self) -> list[list[Costs]]:
        quality = self.given.quality
        if not isinstance(quality, CellQuality):
            return []
        return weighted_costs(quality, self._value_counts, self.hierarchies)

    @cached_property
    def _level_bounds(self) -> list[Costs]:
        rows = max(self._columns[0].rows, 1)
        return level_bounds(self._costs, self._value_counts, most_costs(self.hierarchies, self.limit), rows)

    def bound(self, levels: Node) -> float:
        """Lower bound of the cost of a node and of all coarser ones; 0 for costs of classes."""
        if not self._costs:
            return 0.0
        return sum(float(bounds[level]) for bounds, level in zip(self._level_bounds, levels, strict=True))

    def is_hopeless(self, levels: Node) -> bool:
        """Let the engine count whether more rows are in too small classes than may be left out.

        Then that is so in every finer node, too.
        """
        columns = list(self.given.specs)
        frame = self._generalised(self.given.frame, range(len(levels)), levels)
        (rows,) = spare(frame)
        classes = frame.group_by(*columns).agg(nw.len().alias(rows)).filter(nw.col(rows) < self._least_rows)
        return int(collected(classes.select(nw.col(rows).sum())).item() or 0) > self.limit

    @cached_property
    def _least_rows(self) -> int:
        """How many rows a class needs at least, by the models that look at no sensitive attribute."""
        models = [model for model in self.given.models if model.attribute is None]
        tests = [test for model in models for test in model.tests(self._columns[0])]
        sizes = [test.least for test in tests if isinstance(test, SizeTest) and not test.of_population]
        return max(sizes, default=1)

    def too_many(self, levels: Node) -> DataServiceError:
        """Make the sentence about levels that cannot be counted."""
        tables = [("table", self.given.frame, [*self.given.specs, *self.given.sensitive])]
        if self.given.population is not None:
            tables.append(("population table", self.given.population, list(self.given.specs)))
        counts = []
        for table, frame, columns in tables:
            distinct = self._generalised(frame, range(len(levels)), levels).select(*columns).unique()
            counts.append((int(collected(distinct.select(nw.len())).item()), table))
        tuples, larger = max(counts)
        named = ", ".join(f"{name} {level}" for name, level in zip(self.given.specs, levels, strict=True))
        return DataServiceError(
            f"The {larger} has {tuples:,} distinct combinations of quasi-identifiers and protected attributes at "
            f"levels that could meet the requirement ({named}), where {HISTOGRAM_TUPLES} allows {self.given.most:,}: "
            "give a higher min_level in generalisation_hierarchies, fewer quasi_identifiers, or more memory and a "
            f"higher {HISTOGRAM_TUPLES}."
        )


def _representatives(hierarchy: Hierarchy, level: int) -> Counts:
    """Give for each value the first one of its group: array (values,)."""
    groups = hierarchy.groups[level]
    _, first = np.unique(groups, return_index=True)
    return first[groups]
