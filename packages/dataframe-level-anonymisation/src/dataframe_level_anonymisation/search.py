"""Exact search over the full-domain generalisation lattice.

A node is one level for each quasi-identifier; a finer one has no level higher. Every node has a lower bound of its
loss, for costs of cells as one broadcast array. Nodes are dropped when their bound cannot beat the best node found, or
when a coarser node was found that proves them infeasible; when none is left, the best one is proven.

References:
    K. LeFevre, D. DeWitt, R. Ramakrishnan, Incognito: Efficient Full-Domain K-Anonymity, SIGMOD 2005 (monotonicity);
    F. Kohlmayer et al., Flash: Efficient, Stable and Optimal K-Anonymity, PASSAT 2012 (roll-up, traversal).
"""

import functools
import heapq
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dataframe_level_anonymisation.classes import Classes, Mask
from dataframe_level_anonymisation.evaluation import DIGITS, Base, Checked, Evaluator, Node, Task
from util_services.errors import DataServiceError

Rank = tuple[float, int, Node]

MAX_NODES = 20_000_000
_CHUNK = 4096
_PIVOTS = 3  # columns whose levels are fixed one after the other, so that the classes to roll up from get few


@dataclass(frozen=True)
class Solution:
    """The best node found.

    Attributes:
        levels: Level of each quasi-identifier.
        loss: Value of the quality model.
        classes: Equivalence classes at this node, before suppression.
        kept: Array (classes,): which of them stay.
        nodes: Nodes of the lattice.
        nodes_checked: Nodes whose classes were computed.
        lower_bound: No node has less loss than this; equal to ``loss`` if the optimum is proven.
    """

    levels: Node
    loss: float
    classes: Classes
    kept: Mask
    nodes: int
    nodes_checked: int
    lower_bound: float

    @property
    def optimal(self) -> bool:
        """Whether it is proven that no node has less loss."""
        return self.lower_bound >= self.loss


def search(task: Task, budget_seconds: float = 60.0) -> Solution | None:
    """Find the node with the least loss that meets the requirements, and prove it.

    Among nodes of equal loss the one with the least sum of levels wins, then the lexicographically first, so that the
    result is the same everywhere.

    Args:
        task: What is searched for.
        budget_seconds: How long a lattice of more than 20 million nodes is searched; smaller ones are always searched
            to the end.

    Returns:
        The solution, or ``None`` if no node meets the requirements.
    """
    evaluator = Evaluator(task)
    nodes = math.prod(hierarchy.highest - hierarchy.lowest + 1 for hierarchy in task.hierarchies)
    ranges = [
        range(max(hierarchy.lowest, level), hierarchy.highest + 1)
        for hierarchy, level in zip(task.hierarchies, task.data.levels, strict=True)
    ]
    if math.prod(map(len, ranges)) > MAX_NODES:
        deadline = time.monotonic() + budget_seconds
        ranges = possible_levels(evaluator, ranges)
        if math.prod(map(len, ranges)) > MAX_NODES:
            return _best_first(evaluator, ranges, nodes, deadline)
    lattice = _Lattice(evaluator, ranges)
    lattice.walk_down()
    for node, base in lattice.remaining():
        lattice.consider(node, base)
    if lattice.best is None:
        return None
    return _solution(evaluator, lattice.best, nodes, lattice.best.loss)


def _solution(evaluator: Evaluator, best: Checked, nodes: int, lower_bound: float) -> Solution:
    return Solution(best.node, best.loss, best.classes, best.kept, nodes, evaluator.checks, lower_bound)


def _rank(node: Node, loss: float) -> Rank:
    return loss, sum(node), node


def infeasible(task: Task) -> tuple[dict[str, float], int]:
    """Tell how close the data come at the highest levels.

    Returns:
        The best figure of each parameter within the limit, and how many rows would have to be left out.
    """
    return Evaluator(task).reached(tuple(hierarchy.highest for hierarchy in task.hierarchies))


class _Lattice:
    """Every node's bound and level sum as flat arrays, and which nodes may still beat the best one found."""

    def __init__(self, evaluator: Evaluator, ranges: Sequence[range]) -> None:
        self._evaluator = evaluator
        self._lowest = tuple(levels.start for levels in ranges)
        self._shape = tuple(len(levels) for levels in ranges)
        parts = evaluator.level_costs
        self._by_cells = parts is not None
        self._generalisation = (
            _outer_sum([costs[levels.start : levels.stop] for costs, levels in zip(parts, ranges, strict=True)])
            if parts is not None
            else np.zeros(self._shape)
        )
        np.round(self._generalisation, DIGITS, out=self._generalisation)
        # The bounds stay equal to the generalisation's cost unless suppression or a cost of classes raises them.
        self._bound = self._generalisation.copy() if evaluator.task.limit and self._by_cells else self._generalisation
        self._level_sum = _outer_sum([np.arange(levels.start, levels.stop, dtype=np.int16) for levels in ranges])
        self._alive = np.ones(self._shape, dtype=np.bool_)
        values = [len(codes) for codes in evaluator.task.data.values]
        self._pivots = sorted(range(len(values)), key=lambda column: -values[column])[:_PIVOTS]
        self._strides = [math.prod(self._shape[column + 1 :]) for column in range(len(self._shape))]
        self.best: Checked | None = None

    def walk_down(self) -> None:
        """Go from the top to a node none of whose children is feasible, the cheapest feasible child first."""
        top = tuple(low + levels - 1 for low, levels in zip(self._lowest, self._shape, strict=True))
        node: Node | None = top if self.consider(top, self._evaluator.root) else None
        while node is not None:
            children = [_lowered(node, column) for column, low in enumerate(self._lowest) if node[column] > low]
            children.sort(key=lambda child: _rank(child, float(self._bound[self._index(child)])))
            node = self._first_feasible(node, [child for child in children if self._alive[self._index(child)]])

    def _first_feasible(self, node: Node, children: Sequence[Node]) -> Node | None:
        base = self._evaluator.root
        for number, child in enumerate(children):
            if number == 1:  # worth it for several
                base = self._evaluator.base(
                    tuple(max(level - 1, low) for level, low in zip(node, self._lowest, strict=True)), base
                )
            if self.consider(child, base):
                return child
        return None

    def remaining(self) -> Iterator[tuple[Node, Base]]:
        """Give the nodes that may still beat the best one, and classes to compute them from; they shrink as it goes.

        Costs of cells go from the most general node down: most are infeasible and settle all below them. Costs of
        classes take the middle of what is left, since a feasible node settles those above it, too.
        """
        if self._by_cells:
            yield from self._descend(self._evaluator.root, {})
            return
        from_top = self._positions({})
        while (from_top := from_top[self._open(from_top)]).size:
            yield self._node(from_top[len(from_top) // 2]), self._evaluator.root

    def _descend(self, base: Base, fixed: dict[int, int]) -> Iterator[tuple[Node, Base]]:
        """Fix the levels of the pivots, coarse ones first, and roll up to what the nodes left have in common.

        A node is settled by coarser ones only, and these come first in this order, too.
        """
        positions = self._positions(fixed)
        left = positions[self._open(positions)]
        if not left.size:
            return
        base = self._evaluator.base(self._finest(left), base)
        if len(fixed) < len(self._pivots):
            pivot = self._pivots[len(fixed)]
            for level in reversed(range(self._shape[pivot])):
                yield from self._descend(base, {**fixed, pivot: level})
            return
        for start in range(0, len(left), _CHUNK):
            chunk = left[start : start + _CHUNK]
            while (chunk := chunk[self._open(chunk)]).size:
                yield self._node(chunk[0]), base

    def _positions(self, fixed: dict[int, int]) -> npt.NDArray[np.int64]:
        """Flat positions of the nodes with the given levels in some columns, the most general first."""
        axes = [
            np.array([fixed[column]]) if column in fixed else np.arange(levels)
            for column, levels in enumerate(self._shape)
        ]
        positions = _outer_sum([axis * stride for axis, stride in zip(axes, self._strides, strict=True)]).ravel()
        return positions[np.argsort(-self._level_sum.ravel()[positions], kind="stable")]

    def _finest(self, positions: npt.NDArray[np.int64]) -> Node:
        """Lowest level of each column among some nodes."""
        lowest = [int(levels.min()) for levels in np.unravel_index(positions, self._shape)]
        return tuple(level + low for level, low in zip(lowest, self._lowest, strict=True))

    def _open(self, positions: npt.NDArray[np.int64]) -> Mask:
        """Which nodes are neither settled nor bound to lose against the best one."""
        alive: Mask = self._alive.ravel()[positions]
        if self.best is None:
            return alive
        loss, level_sum, node = _rank(self.best.node, self.best.loss)
        bounds, sums = self._bound.ravel()[positions], self._level_sum.ravel()[positions]
        position = np.ravel_multi_index(self._index(node), self._shape)
        shorter = (sums < level_sum) | ((sums == level_sum) & (positions < position))
        still: Mask = alive & ((bounds < loss) | ((bounds == loss) & shorter))
        return still

    def consider(self, node: Node, base: Base) -> bool:
        """Check a node; settle every node that the outcome decides. Tells whether it is feasible."""
        checked = self._evaluator.check(node, base, np.inf if self.best is None else self.best.loss)
        index = self._index(node)
        below = tuple(slice(level + 1) for level in index)
        self._alive[index] = False
        if checked.hopeless:
            self._alive[below] = False
        elif checked.doomed_cost > 0:
            raised = np.round(self._generalisation[below] + checked.doomed_cost, DIGITS)
            # One digit less, since the sum is rounded once more than the loss it bounds; rounded to compare as equal.
            np.maximum(self._bound[below], np.round(raised - 10.0**-DIGITS, DIGITS), out=self._bound[below])
        if not self._by_cells:
            above = tuple(slice(level, None) for level in index)
            np.maximum(self._bound[above], self._evaluator.floor(checked), out=self._bound[above])
        if checked.feasible and (
            self.best is None or _rank(node, checked.loss) < _rank(self.best.node, self.best.loss)
        ):
            self.best = checked
        return checked.feasible

    def _index(self, node: Node) -> Node:
        return tuple(level - low for level, low in zip(node, self._lowest, strict=True))

    def _node(self, position: np.int64) -> Node:
        index = np.unravel_index(position, self._shape)
        return tuple(int(level) + low for level, low in zip(index, self._lowest, strict=True))


def _outer_sum(parts: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Add arrays (n_1,), (n_2,), … to one array (n_1, n_2, …) by broadcasting."""
    return np.ascontiguousarray(functools.reduce(np.add, np.ix_(*parts)))


def _lowered(node: Node, column: int) -> Node:
    return (*node[:column], node[column] - 1, *node[column + 1 :])


def possible_levels(evaluator: Evaluator, ranges: Sequence[range]) -> list[range]:
    """Leave out the levels that are hopeless although all other columns are generalised as far as they may be."""
    top = tuple(levels[-1] for levels in ranges)
    possible = []
    for column, levels in enumerate(ranges):
        lowest = levels[-1]
        while lowest > levels[0]:
            node = (*top[:column], lowest - 1, *top[column + 1 :])
            if evaluator.check(node, evaluator.root).hopeless:
                break
            lowest -= 1
        possible.append(range(lowest, levels.stop))
    return possible


def _best_first(evaluator: Evaluator, ranges: Sequence[range], nodes: int, deadline: float) -> Solution | None:
    """Search a lattice that is too large to list, from the top and the cheapest node first, until the deadline.

    Only parts of the lattice whose coarser nodes are not hopeless are entered, so that the search is complete if it
    ends by itself.
    """
    bottom = tuple(levels[0] for levels in ranges)
    top = tuple(levels[-1] for levels in ranges)
    parts = evaluator.level_costs
    lower_bound = (
        round(sum(float(costs[level]) for costs, level in zip(parts, bottom, strict=True)), DIGITS)
        if parts is not None
        else evaluator.floor(evaluator.check(bottom, evaluator.root))
    )
    best: Checked | None = None
    seen, hopeless = {top}, np.zeros((0, len(top)), dtype=np.int64)
    frontier: list[tuple[float, Node]] = [(0.0, top)]
    while frontier and time.monotonic() < deadline:
        _, node = heapq.heappop(frontier)
        if (hopeless >= np.array(node)).all(axis=1).any():
            continue
        checked = evaluator.check(node, evaluator.root)
        if checked.hopeless:
            hopeless = np.vstack([hopeless, node])
            continue
        if checked.feasible and (best is None or _rank(node, checked.loss) < _rank(best.node, best.loss)):
            best = checked
        for column, low in enumerate(bottom):
            child = _lowered(node, column)
            if child[column] >= low and child not in seen:
                seen.add(child)
                cost = (
                    sum(float(costs[level]) for costs, level in zip(parts, child, strict=True))
                    if parts is not None
                    else float(sum(child))
                )
                heapq.heappush(frontier, (cost, child))
    if best is None:
        if not frontier:
            return None
        raise DataServiceError(
            f"Of {nodes:,} combinations of levels {evaluator.checks:,} were tried within search_budget_seconds, and "
            "none meets the requirement: give more seconds, fewer quasi-identifiers or a higher supp_level."
        )
    return _solution(evaluator, best, nodes, best.loss if not frontier else min(lower_bound, best.loss))
