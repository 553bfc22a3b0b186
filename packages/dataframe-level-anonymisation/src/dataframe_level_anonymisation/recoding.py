"""Global and local recoding: one search, or several on what the searches before left out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from dataframe_level_anonymisation.classes import Counts, Mask
from dataframe_level_anonymisation.evaluation import Node, Task
from dataframe_level_anonymisation.quality_models import CellQuality, ClassQuality
from dataframe_level_anonymisation.search import Solution, search

_MOST_PASSES = 10


@dataclass(frozen=True, eq=False)
class Step:
    """One search, whose levels apply to the tuples that it keeps.

    Attributes:
        levels: Level of each quasi-identifier.
        tuples: Array (tuples of the whole input,): which of them it keeps.
        sizes: Array (classes,): rows of the classes that it keeps.
        solution: The search's outcome.
    """

    levels: Node
    tuples: Mask
    sizes: Counts
    solution: Solution


@dataclass(frozen=True, eq=False)
class Recoded:
    """How each tuple is generalised.

    Attributes:
        steps: The searches, in order; each on the rows that the ones before left out.
        suppressed: Rows that no step keeps.
        cost: Value of the quality model.
        nodes_checked: Nodes whose classes were computed, for steps that were thrown away, too.
    """

    steps: tuple[Step, ...]
    suppressed: int
    cost: float
    nodes_checked: int


def recode(task: Task, recoding: str, budget_seconds: float) -> Recoded | None:
    """Search, and with local recoding search again for what was left out.

    Local recoding tries, after each search that may leave out any rows that could still be kept as one class, to finish
    within the limit, and returns the best of these combinations. The first of them is global recoding's search, so that
    its cost is never exceeded.

    Args:
        task: What is searched for, on the whole input.
        recoding: ``global`` or ``local``.
        budget_seconds: For each lattice of more than 20 million nodes.

    Returns:
        The best outcome, or ``None`` if the requirements cannot be met.
    """
    planner = _Planner(task, budget_seconds)
    everything = task.data.counts > 0
    if recoding == "global":
        step = planner.step(everything, task.limit)
        return None if step is None else planner.recoded([step])
    prefix: list[Step] = []
    outcomes = []
    rest = everything
    for _ in range(_MOST_PASSES):
        if (finish := planner.step(rest, task.limit)) is not None:
            outcomes.append(planner.recoded(planner.exhausted([*prefix, finish])))
        free = planner.step(rest, task.data.rows, task.limit)
        if free is None or not free.tuples.any():
            break
        prefix.append(free)
        rest = rest & ~free.tuples
        if not rest.any():
            outcomes.append(planner.recoded(prefix))
            break
    if not outcomes:
        return None
    best = min(outcomes, key=lambda outcome: (outcome.cost, len(outcome.steps)))
    return replace(best, nodes_checked=planner.checks)


class _Planner:
    """Runs searches on parts of the input and adds up what they cost."""

    def __init__(self, task: Task, budget_seconds: float) -> None:
        self._task = task
        self._budget = budget_seconds
        self.checks = 0

    def step(self, rest: Mask, limit: int, final_limit: int | None = None) -> Step | None:
        """Search on some tuples."""
        whole = self._task.data
        all_rows = not whole.counts[~rest].any()
        data, positions = (whole, np.arange(len(rest))) if all_rows else whole.restricted(rest)
        task = replace(self._task, data=data, limit=min(limit, data.rows), reference=whole, final_limit=final_limit)
        solution = search(task, self._budget)
        if solution is None:
            return None
        self.checks += solution.nodes_checked
        tuples = np.zeros(len(rest), dtype=np.bool_)
        tuples[positions[solution.kept[solution.classes.members]]] = True
        sizes = solution.classes.sizes[solution.kept]
        return Step(solution.levels, tuples & rest, sizes[sizes > 0], solution)

    def exhausted(self, steps: list[Step]) -> list[Step]:
        """Go on with what is left out, until nothing more can be kept."""
        while len(steps) < _MOST_PASSES:
            rest = (self._task.data.counts > 0) & ~np.logical_or.reduce([step.tuples for step in steps])
            further = self.step(rest, self._task.data.rows) if rest.any() else None
            if further is None or not further.tuples.any():
                break
            steps = [*steps, further]
        return steps

    def recoded(self, steps: Sequence[Step]) -> Recoded:
        """Sum up: a step's cost counts what it left out as lost, which the next step may keep."""
        rows = max(self._task.data.rows, 1)
        kept = sum(int(step.sizes.sum()) for step in steps)
        suppressed = self._task.data.rows - kept
        quality = self._task.quality
        if isinstance(quality, ClassQuality) and self._task.data.rows:
            cost = quality.class_cost(np.concatenate([step.sizes for step in steps]), suppressed, rows)
        elif isinstance(quality, CellQuality):
            left = self._task.data.rows
            cost = suppressed / rows
            for step in steps:
                left -= int(step.sizes.sum())
                cost += step.solution.loss - left / rows
        else:
            cost = 0.0
        return Recoded(tuple(steps), suppressed, cost, self.checks)
