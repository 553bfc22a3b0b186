"""Searching a lattice in parts where the tuples at the lowest levels are too many for one histogram.

A part is a node with all coarser ones. One histogram, of the tuples at the node's levels, is enough to search it, see
:mod:`pregeneralisation`. Parts are opened from the lowest levels that the columns can have one by one, the ones of the
least possible loss first:

- A node with few enough tuples is a part, and is searched.
- A node of which the engine counts more rows in too small classes than may be left out is hopeless, and all finer ones
  are. From it, levels are raised as long as that is so, to a hopeless node that none of its parents is any more. All
  nodes of the part that are not finer than this one have some column at a higher level than it: they are in as many
  smaller parts as there are columns, which are opened in turn.
- A part that cannot lose less than the best node found is left out.

So every node that meets the requirements is in a part that was searched, or loses more than the one that is returned.
Where classes need k rows, and some number of rows may be left out, no node that meets the requirement has more classes
than rows / k and that number: with as many tuples allowed, no node is too large and not hopeless.

References:
    K. LeFevre, D. DeWitt and R. Ramakrishnan, Incognito: Efficient Full-Domain K-Anonymity, SIGMOD 2005, section 3
    (the properties of generalisation and roll-up).
    D. Gunopulos et al., Discovering All Most Specific Sentences, ACM TODS 28(2), 2003 (the border of a monotone
    property by maximal elements, and where to go on from them).
"""

import heapq
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

from dataframe_level_anonymisation.classes import Histogram, TooManyTuples
from dataframe_level_anonymisation.evaluation import DIGITS, Node, Task, limit_of
from dataframe_level_anonymisation.hierarchies import Hierarchy
from dataframe_level_anonymisation.pregeneralisation import HISTOGRAM_TUPLES, Coarse, Counting
from dataframe_level_anonymisation.recoding import Recoded, recode
from dataframe_level_anonymisation.search import Rank
from util_services.errors import DataServiceError

_MOST_COUNTS = 300  # each a pass over the data


@dataclass(frozen=True, eq=False)
class Found:
    """What a search found.

    Attributes:
        task: What was searched for, with the histogram of the part that has the result.
        recoded: The result, or ``None`` if the requirements cannot be met.
        parts: How many parts of the lattice were searched.
        seconds: Duration by phase: ``histogram``, ``search``.
    """

    task: Task
    recoded: Recoded | None
    parts: int
    seconds: dict[str, float]


def found(given: Counting, budget_seconds: float) -> Found:
    """Count tuples and search, in parts if they are too many.

    Args:
        given: What is counted, and for what.
        budget_seconds: For each lattice of more than 20 million nodes.

    Raises:
        DataServiceError: If the tuples are too many even so, or a hierarchy does not fit its column.
    """
    started = time.perf_counter()
    try:
        tuples, hierarchies = given.all_tuples()
    except TooManyTuples:
        pass
    else:
        counted = time.perf_counter()
        task = _task(given, tuples, hierarchies)
        recoded = recode(task, given.recoding, budget_seconds)
        return Found(task, recoded, 1, {"histogram": counted - started, "search": time.perf_counter() - counted})
    if given.recoding == "local":
        raise DataServiceError(
            f"The table has more than the {given.most:,} distinct combinations of quasi-identifiers and protected "
            f"attributes that {HISTOGRAM_TUPLES} allows, and recoding local needs all of them: choose recoding "
            f"global, or give more memory and a higher {HISTOGRAM_TUPLES}."
        )
    return _Parts(Coarse(given), budget_seconds).found()


def _task(given: Counting, tuples: Histogram, hierarchies: list[Hierarchy]) -> Task:
    tests = [test for model in given.models for test in model.tests(tuples)]
    return Task(tuples, hierarchies, tests, given.quality, limit_of(tuples.rows, given.suppression_limit))


class _Parts:
    """The parts of a lattice."""

    def __init__(self, coarse: Coarse, budget_seconds: float) -> None:
        self._coarse = coarse
        self._budget = budget_seconds
        self._highest = tuple(hierarchy.highest for hierarchy in coarse.hierarchies)
        self._hopeless: list[Node] = []
        self._hopeful: list[Node] = []
        self._searched: list[Node] = []
        self._counts = 0
        self._best: tuple[Rank, Task, Recoded] | None = None

    def found(self) -> Found:
        """Search all parts that may have the best node."""
        parts, checks, lower_bound, searching, started = 0, 0, float("inf"), 0.0, time.perf_counter()
        for tuples in self._histograms():
            parts += 1
            counted = time.perf_counter()
            task = _task(self._coarse.given, tuples, self._coarse.hierarchies)
            recoded = recode(task, self._coarse.given.recoding, self._budget)
            searching += time.perf_counter() - counted
            if recoded is None:
                continue
            checks += recoded.nodes_checked
            (step,) = recoded.steps
            lower_bound = min(lower_bound, step.solution.lower_bound)
            rank = step.solution.loss, sum(step.levels), step.levels
            if self._best is None or rank < self._best[0]:
                self._best = rank, task, recoded
        seconds = {"histogram": time.perf_counter() - started - searching, "search": searching}
        if self._best is None:
            return Found(task, None, parts, seconds)
        _, task, recoded = self._best
        (step,) = recoded.steps
        step = replace(step, solution=replace(step.solution, lower_bound=lower_bound))
        return Found(task, replace(recoded, steps=(step,), nodes_checked=checks), parts, seconds)

    def _histograms(self) -> Iterator[Histogram]:
        """Give histograms whose parts have all nodes that can be the best, at least one."""
        levels: Node = (0,) * len(self._highest)
        for raised in (self._coarse.raised_by_sizes, self._coarse.raised_by_all):
            higher = raised(levels)
            if higher != levels and (tuples := self._collected(higher)):
                yield tuples
                return
            levels = higher
        yield from self._divided(levels)

    def _divided(self, levels: Node) -> Iterator[Histogram]:
        """Give histograms of parts that a part with too many tuples is divided into."""
        opened = [self._ranked(levels)]
        while opened and not self._is_beaten(opened[0]):
            _, _, levels = heapq.heappop(opened)
            if any(_is_finer(part, levels) for part in self._searched):
                continue
            if not self._known_hopeless(levels) and (tuples := self._collected(levels)):
                self._searched.append(levels)
                yield tuples
                continue
            for child in map(self._ranked, self._children(levels)):
                if child not in opened:
                    heapq.heappush(opened, child)
        if not self._searched:  # nothing meets the requirement; the highest levels tell how close the data come
            if not (tuples := self._collected(self._highest)):
                raise self._coarse.too_many(self._highest)
            yield tuples

    def _is_beaten(self, part: Rank) -> bool:
        """Whether all nodes of a part lose more than the best one found."""
        return self._best is not None and round(part[0], DIGITS) > self._best[0][0] + 10.0**-DIGITS

    def _known_hopeless(self, levels: Node) -> Node | None:
        return next((node for node in self._hopeless if _is_finer(levels, node)), None)

    def _children(self, levels: Node) -> Iterator[Node]:
        """Give the smaller parts that have all nodes of a part but hopeless ones."""
        hopeless = self._known_hopeless(levels) or self._climbed(levels)
        for column, level in enumerate(hopeless):
            if level < self._highest[column]:
                yield (*levels[:column], level + 1, *levels[column + 1 :])

    def _ranked(self, levels: Node) -> Rank:
        return self._coarse.bound(levels), sum(levels), levels

    def _collected(self, levels: Node) -> Histogram | None:
        try:
            return self._coarse.tuples(levels)
        except TooManyTuples:
            return None

    def _climbed(self, levels: Node) -> Node:
        """From a node with too many tuples, raise levels as far as it is hopeless.

        Raises:
            DataServiceError: If it is not.
        """
        if not self._is_hopeless(levels):
            raise self._coarse.too_many(levels)
        for column, highest in enumerate(self._highest):
            for level in range(levels[column] + 1, highest + 1):
                higher = (*levels[:column], level, *levels[column + 1 :])
                if not self._is_hopeless(higher):
                    break
                levels = higher
        self._hopeless.append(levels)
        return levels

    def _is_hopeless(self, levels: Node) -> bool:
        if self._known_hopeless(levels):
            return True
        if any(_is_finer(node, levels) for node in self._hopeful) or self._counts == _MOST_COUNTS:
            return False
        self._counts += 1
        if self._coarse.is_hopeless(levels):
            return True
        self._hopeful.append(levels)
        return False


def _is_finer(levels: Node, others: Node) -> bool:
    """Whether a node has no level higher than another."""
    return all(level <= other for level, other in zip(levels, others, strict=True))
