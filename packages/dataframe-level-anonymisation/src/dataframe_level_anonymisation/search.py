"""Exact search over the full-domain generalisation lattice.

A node is one level for each quasi-identifier. The mean cost of generalised cells is additive over the columns and never
exceeds the loss with suppression (a suppressed cell costs 1), so it is a lower bound for every node at once. Size-based
models are monotone: a node that needs too much suppression proves the same for every node below it. Nodes are dropped
when their bound cannot beat the best node found, or when a node above them failed; when none is left, it is proven.

References:
    K. LeFevre, D. DeWitt, R. Ramakrishnan, Incognito: Efficient Full-Domain K-Anonymity, SIGMOD 2005 (monotonicity);
    F. Kohlmayer et al., Flash: Efficient, Stable and Optimal K-Anonymity, PASSAT 2012.
"""

import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from dataframe_level_anonymisation.classes import Classes, Histogram, group
from dataframe_level_anonymisation.hierarchies import Hierarchy
from dataframe_level_anonymisation.privacy_models import PrivacyModel
from dataframe_level_anonymisation.quality_models import QualityModel, level_costs
from util_services.errors import DataServiceError

Node = tuple[int, ...]
Rank = tuple[float, int, int]

MAX_NODES = 20_000_000
_DIGITS = 12  # losses that agree so far are equal, and the less generalised node wins
_CHUNK = 4096


@dataclass(frozen=True)
class Solution:
    """The node with the least loss that meets every model within the suppression limit.

    Attributes:
        levels: Level of each quasi-identifier.
        loss: Mean cost over all quasi-identifier cells, suppressed ones counted as 1.
        classes: Equivalence classes at this node, before suppression.
        kept: Array (classes,): which of them stay.
        nodes: Nodes of the lattice.
        nodes_checked: Nodes whose classes were computed.
    """

    levels: Node
    loss: float
    classes: Classes
    kept: npt.NDArray[np.bool_]
    nodes: int
    nodes_checked: int


@dataclass(frozen=True)
class Task:
    """What is searched for.

    Attributes:
        data: Histogram of the quasi-identifiers.
        hierarchies: One for each column of the histogram.
        models: Requirements, all to be met by every class that is kept.
        quality: What to minimise.
        suppression_limit: Largest share of rows that may be left out, in per cent, 0 to 100.
    """

    data: Histogram
    hierarchies: list[Hierarchy]
    models: Sequence[PrivacyModel]
    quality: QualityModel
    suppression_limit: float


def search(task: Task) -> Solution:
    """Find the optimum and prove it.

    Among nodes of equal loss the one with the least sum of levels wins, then the lexicographically first, so that the
    result is the same everywhere.

    Raises:
        DataServiceError: If no node meets the requirements, or the lattice has more than 20 million nodes.
    """
    lattice = _Lattice(task)
    lattice.walk_down()
    for node in lattice.remaining():
        lattice.consider(node)
    best, found = lattice.best
    return Solution(best, found.loss, found.classes, found.kept, lattice.size, lattice.checks)


@dataclass(frozen=True)
class _Checked:
    feasible: bool
    loss: float
    classes: Classes
    kept: npt.NDArray[np.bool_]


class _Lattice:
    """Every node's bound and level sum as flat arrays, and which nodes may still beat the best one found."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._shape = tuple(hierarchy.levels for hierarchy in task.hierarchies)
        self.size = math.prod(self._shape)
        if self.size > MAX_NODES:
            raise DataServiceError(
                f"The quasi-identifiers span {self.size:,} combinations of levels where at most {MAX_NODES:,} can be "
                "searched: give fewer quasi-identifiers or hierarchies with fewer levels."
            )
        self._limit = int(Fraction(str(task.suppression_limit)) * task.data.rows // 100)
        self._cell_costs = [
            task.quality.cell_costs(hierarchy, task.data.value_counts(column))
            for column, hierarchy in enumerate(task.hierarchies)
        ]
        self._level_costs = level_costs(task.quality, task.data, task.hierarchies)
        self._bound = np.round(_outer_sum(self._level_costs).ravel() / len(self._shape), _DIGITS)
        self._level_sum = _outer_sum([np.arange(levels, dtype=np.int16) for levels in self._shape]).ravel()
        self._monotone = all(model.monotone for model in task.models)
        self._alive = np.ones(self.size, dtype=np.bool_)
        self.checks = 0
        top = tuple(levels - 1 for levels in self._shape)
        checked = self._check(top)
        if not checked.feasible:
            raise DataServiceError(_infeasible(task, checked))
        self._accept(top, checked)
        self._alive[self._position(top)] = False

    def walk_down(self) -> None:
        """Go from the top to a node none of whose children is feasible, the cheapest feasible child first."""
        node: Node | None = self.best[0]
        while node is not None:
            children = [_lowered(node, column) for column, level in enumerate(node) if level]
            children.sort(key=lambda child: self._rank(child, self._bound[self._position(child)]))
            node = next((child for child in children if self._is_alive(child) and self.consider(child)), None)

    def remaining(self) -> Iterator[Node]:
        """Give the nodes that may still beat the best one, most general first; the set shrinks as they are tried."""
        from_top = np.argsort(-self._level_sum, kind="stable")
        for start in range(0, self.size, _CHUNK):
            chunk = from_top[start : start + _CHUNK]
            while (alive := chunk[self._alive[chunk]]).size:
                yield tuple(int(level) for level in np.unravel_index(alive[0], self._shape))

    def consider(self, node: Node) -> bool:
        """Check a node; drop every node that is settled by the outcome. Tells whether it is feasible."""
        checked = self._check(node)
        self._alive[self._position(node)] = False
        if checked.feasible:
            if self._rank(node, checked.loss) < self._rank(self.best[0], self.best[1].loss):
                self._accept(node, checked)
        elif self._monotone:
            self._alive.reshape(self._shape)[tuple(slice(level + 1) for level in node)] = False
        return checked.feasible

    def _accept(self, node: Node, checked: _Checked) -> None:
        self.best = (node, checked)
        loss, level_sum, position = self._rank(node, checked.loss)
        as_short = (self._level_sum < level_sum) | ((self._level_sum == level_sum) & (np.arange(self.size) < position))
        self._alive &= (self._bound < loss) | ((self._bound == loss) & as_short)

    def _check(self, node: Node) -> _Checked:
        """Compute the classes at a node, which of them must go, and the loss."""
        self.checks += 1
        data = self._task.data
        hierarchies = self._task.hierarchies
        codes = [
            hierarchy.groups[level][data.codes[:, column]]
            for column, (hierarchy, level) in enumerate(zip(hierarchies, node, strict=True))
        ]
        domains = [hierarchy.sizes[level] for hierarchy, level in zip(hierarchies, node, strict=True)]
        classes = group(codes, domains, data.counts)
        kept = np.ones(len(classes.sizes), dtype=np.bool_)
        for model in self._task.models:
            kept &= model.holds(classes)
        suppressed = int(classes.sizes[~kept].sum())
        loss = sum(float(costs[level]) for costs, level in zip(self._level_costs, node, strict=True)) / len(node)
        if 0 < suppressed <= self._limit:
            loss += self._cost_of_suppression(node, ~kept[classes.members])
        return _Checked(suppressed <= self._limit, round(loss, _DIGITS), classes, kept)

    def _cost_of_suppression(self, node: Node, suppressed: npt.NDArray[np.bool_]) -> float:
        """Mean extra cost of suppressing tuples that would otherwise be generalised."""
        data, columns = self._task.data, len(node)
        codes = data.codes[suppressed]
        costs = sum(
            (self._cell_costs[column][level][codes[:, column]] for column, level in enumerate(node)),
            start=np.zeros(len(codes)),
        )
        return float((columns - costs) @ data.counts[suppressed]) / (columns * data.rows)

    def _rank(self, node: Node, loss: float) -> Rank:
        return loss, sum(node), self._position(node)

    def _position(self, node: Node) -> int:
        return int(np.ravel_multi_index(node, self._shape))

    def _is_alive(self, node: Node) -> bool:
        return bool(self._alive[self._position(node)])


def _outer_sum(parts: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Add arrays (n_1,), (n_2,), … to one array (n_1, n_2, …) by broadcasting."""
    return functools.reduce(np.add, np.ix_(*parts))


def _lowered(node: Node, column: int) -> Node:
    return (*node[:column], node[column] - 1, *node[column + 1 :])


def _infeasible(task: Task, top: _Checked) -> str:
    """Tell how close the data comes: what the fully generalised table reaches."""
    wanted = " and ".join(model.name for model in task.models)
    reached = {name: value for model in task.models for name, value in model.achieved(top.classes).items()}
    best = ", ".join(f"{name} = {value}" for name, value in reached.items())
    suppressed = int(top.classes.sizes[~top.kept].sum())
    return (
        f"The requirement {wanted} cannot be met: even fully generalised, {suppressed:,} of {task.data.rows:,} rows "
        f"would have to be left out where supp_level allows {task.suppression_limit:g} %; the best reachable is "
        f"{best}, so lower the requirement or give more rows."
    )
