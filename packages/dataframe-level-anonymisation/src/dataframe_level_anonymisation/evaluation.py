"""What one node of the lattice is worth: its classes, which of them must go, and the loss.

A node is one level for each quasi-identifier. Its classes are computed from those of a finer node (the base), which is
cheaper than from all tuples.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property

import numpy as np
import numpy.typing as npt

from dataframe_level_anonymisation.classes import Classes, Histogram, Mask, weighted_sum
from dataframe_level_anonymisation.hierarchies import Hierarchy
from dataframe_level_anonymisation.privacy_models import ClassTest, TableTest, Test
from dataframe_level_anonymisation.quality_models import (
    CellQuality,
    ClassQuality,
    QualityModel,
    level_bounds,
    weighted_costs,
)

Node = tuple[int, ...]

DIGITS = 12  # losses that agree so far are equal


@dataclass(frozen=True)
class Task:
    """What is searched for.

    Attributes:
        data: Histogram of the rows to generalise.
        hierarchies: One for each column of the histogram.
        tests: Requirements, all to be met by what is kept.
        quality: What to minimise.
        limit: How many rows may be left out.
        reference: Histogram of the whole input, if the rows are only some of it: costs are shares of it.
        final_limit: If given, more rows than these may only be left out if they meet the tests as one class, so that
            another search can keep them.
    """

    data: Histogram
    hierarchies: Sequence[Hierarchy]
    tests: Sequence[Test]
    quality: QualityModel
    limit: int
    reference: Histogram | None = None
    final_limit: int | None = None

    @property
    def whole(self) -> Histogram:
        """Histogram of the whole input."""
        return self.reference or self.data


def limit_of(rows: int, per_cent: float) -> int:
    """Rows that may be left out.

    Args:
        rows: Rows of the table.
        per_cent: Largest share of them, 0 to 100.

    Examples:
        >>> limit_of(1000, 0.1)
        1
    """
    return int(Fraction(str(per_cent)) * rows // 100)


@dataclass(frozen=True, eq=False)
class Base:
    """The classes of a node to compute coarser nodes from.

    Attributes:
        node: The node.
        classes: Its classes.
        codes: For each column an array (classes,): the value of one tuple of each class.
    """

    node: Node
    classes: Classes
    codes: Sequence[npt.NDArray[np.int32]]
    _groups: dict[tuple[int, int], npt.NDArray[np.int32]] = field(default_factory=dict, repr=False)

    def groups(self, column: int, level: int, hierarchy: Hierarchy) -> npt.NDArray[np.int32]:
        """Group of each class in a column at a level: array (classes,); computed once."""
        key = column, level
        if key not in self._groups:
            self._groups[key] = hierarchy.groups[level].astype(np.int32)[self.codes[column]]
        return self._groups[key]


@dataclass(frozen=True, eq=False)
class Checked:
    """What a node is worth.

    Attributes:
        node: The node.
        classes: Equivalence classes before suppression.
        kept: Array (classes,): which of them stay. Classes without rows count as kept.
        suppressed: Rows of the others.
        feasible: Whether they are within the limit.
        hopeless: Whether every finer node is infeasible too.
        loss: Value of the quality model, if feasible.
        doomed_cost: What the rows cost at least, beyond their generalisation, that every finer node must suppress too.
    """

    node: Node
    classes: Classes
    kept: Mask
    suppressed: int
    feasible: bool
    hopeless: bool = False
    loss: float = np.inf
    doomed_cost: float = 0.0


def most_costs(hierarchies: Sequence[Hierarchy], limit: int) -> list[float]:
    """What a cell of each column costs at most: with suppression its weight, whatever its generalisation would cost."""
    total = sum(hierarchy.weight for hierarchy in hierarchies)
    return [hierarchy.weight / total if limit else np.inf for hierarchy in hierarchies]


class Evaluator:
    """Checks nodes of a task and counts how many."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.checks = 0
        # The cheap tests, which need no sensitive values, first; most nodes fail them.
        class_tests = [test for test in task.tests if isinstance(test, ClassTest)]
        self._inherited = [test for test in class_tests if test.inherited]
        self._others = [test for test in class_tests if not test.inherited]
        self._table = [test for test in task.tests if isinstance(test, TableTest)]
        self._of_classes = task.quality if isinstance(task.quality, ClassQuality) else None
        self._rows = max(task.whole.rows, 1)
        columns = range(len(task.hierarchies))
        self._costs = (
            weighted_costs(task.quality, [task.whole.value_counts(column) for column in columns], task.hierarchies)
            if isinstance(task.quality, CellQuality)
            else []
        )

    @cached_property
    def root(self) -> Base:
        """The tuples themselves."""
        data = self.task.data
        codes = [np.ascontiguousarray(data.codes[:, column]) for column in range(len(data.columns))]
        return Base(data.levels, data.classes, codes)

    @cached_property
    def level_costs(self) -> list[npt.NDArray[np.float64]] | None:
        """Lower bounds that add up to a node's: for each column an array (levels,); none for costs of classes."""
        if not self._costs:
            return None
        counts = [self.task.data.value_counts(column) for column in range(len(self._costs))]
        return level_bounds(self._costs, counts, most_costs(self.task.hierarchies, self.task.limit), self._rows)

    def base(self, node: Node, finer: Base) -> Base:
        """Roll up to a node that coarser ones can be computed from."""
        if node == finer.node:
            return finer
        classes = self._merged(node, finer)
        return Base(node, classes, [codes[classes.first] for codes in self.root.codes])

    def _merged(self, node: Node, base: Base) -> Classes:
        codes, domains = [], []
        for column, (hierarchy, level) in enumerate(zip(self.task.hierarchies, node, strict=True)):
            if hierarchy.sizes[level] > 1:
                codes.append(base.groups(column, level, hierarchy))
                domains.append(hierarchy.sizes[level])
        return base.classes.merged(codes, domains)

    def check(self, node: Node, base: Base, to_beat: float = np.inf) -> Checked:
        """Check a node.

        Args:
            node: The node.
            base: The classes of the same or a finer node.
            to_beat: Loss above which a node is of no interest; one that is sure to exceed it may be called infeasible.
        """
        self.checks += 1
        limit = self.task.limit
        classes = self._merged(node, base)
        sizes = classes.sizes
        kept = np.ones(len(sizes), dtype=np.bool_)
        lost = 0
        for test in self._inherited:
            kept &= test.passes(test.figures(classes)) | (sizes == 0)
            lost = int(sizes[~kept].sum())
            if lost > limit:
                return Checked(node, classes, kept, lost, feasible=False, hopeless=True)
        doomed = ~kept
        doomed_cost = self._extra_cost(node, doomed[classes.members]) if lost and self._costs else 0.0
        if self._others and self._costs and round(self._generalisation(node) + doomed_cost, DIGITS) > to_beat:
            return Checked(node, classes, kept, lost, feasible=False, doomed_cost=doomed_cost)
        least = float(lost)
        for other in self._others:
            figures = other.figures(classes)
            passed = other.passes(figures) | (sizes == 0)
            kept &= passed
            if not limit and not passed.all():  # without suppression every test is monotone
                return Checked(node, classes, kept, int(sizes[~kept].sum()), feasible=False, hopeless=True)
            if limit:
                least = max(least, _sum_of_largest(other.least_suppressed(classes, figures), doomed, sizes))
        if self._table:
            least = max(least, float(sizes.sum() - sizes[self._enough(sizes, sizes > 0)].sum()))
            kept &= self._enough(sizes, kept & (sizes > 0)) | (sizes == 0)
        lost = int(sizes[~kept].sum())
        if lost > limit:
            return Checked(node, classes, kept, lost, feasible=False, hopeless=least > limit + 1e-6)
        if self.task.final_limit is not None and lost > self.task.final_limit and not self._one_class(classes, ~kept):
            return Checked(node, classes, kept, lost, feasible=False)
        loss = round(self._loss(node, classes, kept, lost), DIGITS)
        return Checked(node, classes, kept, lost, feasible=True, loss=loss, doomed_cost=doomed_cost)

    def _one_class(self, classes: Classes, some: Mask) -> bool:
        """Tell whether some classes would meet all tests as one."""
        merged = classes.merged([some.astype(np.int64)], [2])
        one = np.arange(len(merged)) == len(merged) - 1
        of_classes = all(bool(test.passes(test.figures(merged))[one].all()) for test in self._inherited + self._others)
        return of_classes and all(bool(test.passes(test.figures(merged.sizes[one]))[0]) for test in self._table)

    def _enough(self, sizes: npt.NDArray[np.int64], kept: Mask) -> Mask:
        """Leave out the smallest of some classes until the tests of the table as a whole are met."""
        some = np.flatnonzero(kept)
        order = some[np.argsort(sizes[some], kind="stable")]
        passed = np.ones(len(order) + 1, dtype=np.bool_)
        for test in self._table:
            passed &= test.passes(test.figures(sizes[order]))
        result = np.zeros(len(sizes), dtype=np.bool_)
        result[order[int(np.argmax(passed)) :]] = True
        return result

    def _loss(self, node: Node, classes: Classes, kept: Mask, suppressed: int) -> float:
        if self._of_classes:
            sizes = classes.sizes[kept & (classes.sizes > 0)]
            return self._of_classes.class_cost(sizes, suppressed, self._rows)
        loss = self._generalisation(node)
        return loss + self._extra_cost(node, ~kept[classes.members]) if suppressed else loss

    def reached(self, node: Node) -> tuple[dict[str, float], int]:
        """Tell the best figures by parameter within the limit at a node, each by itself, and the rows that must go."""
        classes = self._merged(node, self.root)
        sizes, kept = classes.sizes, np.ones(len(classes), dtype=np.bool_)
        reached: dict[str, float] = {}
        for test in [*self._inherited, *self._others]:
            figures = test.figures(classes)
            kept &= test.passes(figures) | (sizes == 0)
            present = np.flatnonzero(sizes > 0)
            order = present[np.argsort(figures[present] * (1 if test.worst == "smallest" else -1), kind="stable")]
            within = np.cumsum(sizes[order]) <= self.task.limit
            if int(within.sum()) < len(order):
                reached[test.parameter] = float(figures[order[int(within.sum())]])
        for table in self._table:
            ascending = np.sort(sizes[sizes > 0])
            within = np.concatenate([[True], np.cumsum(ascending) <= self.task.limit])
            reached[table.parameter] = float(table.figures(ascending)[within].min())
        kept &= self._enough(sizes, kept & (sizes > 0)) | (sizes == 0)
        return reached, int(sizes[~kept].sum())

    def floor(self, checked: Checked) -> float:
        """Cost of a node without suppression, which no coarser one is below: for costs of classes."""
        everything = np.ones(len(checked.classes), dtype=np.bool_)
        return round(self._loss(checked.node, checked.classes, everything, 0), DIGITS)

    @cached_property
    def _level_sums(self) -> list[list[float]]:
        return [
            [weighted_sum(cells, self.task.data.value_counts(column)) / self._rows for cells in of_levels]
            for column, of_levels in enumerate(self._costs)
        ]

    def _generalisation(self, node: Node) -> float:
        return sum(sums[level] for sums, level in zip(self._level_sums, node, strict=True))

    def _extra_cost(self, node: Node, tuples: Mask) -> float:
        """Cost of suppressing tuples beyond that of generalising them."""
        numbers = np.flatnonzero(tuples)
        counts = self.task.data.counts[numbers]
        rest = np.ones(len(numbers))
        for costs, level, codes in zip(self._costs, node, self.root.codes, strict=True):
            if level:
                rest -= costs[level][codes[numbers]]
        extra = weighted_sum(rest, counts)
        if self.task.data.pregeneralised is not None:
            extra -= float(self.task.data.pregeneralised.surplus[numbers].sum())
        return extra / self._rows


def _sum_of_largest(bound: npt.NDArray[np.float64], doomed: Mask, sizes: npt.NDArray[np.int64]) -> float:
    """Rows that must go by one test, or all of a class that must go by another."""
    return float(np.where(doomed, sizes, bound).sum())
