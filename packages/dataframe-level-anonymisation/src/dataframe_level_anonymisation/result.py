"""What an anonymisation gives: the frame and all that is known of it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ColumnOutcome:
    """What became of a quasi-identifier.

    Attributes:
        name: Column name.
        level: Level chosen, 0 for the raw values.
        highest: Highest level of its hierarchy.
        loss: Mean cost of the column's cells, from 0 to 1; a suppressed cell costs 1.
        examples: Generalised labels and how many distinct input values each covers; only labels that are no raw cell
            value, so none at level 0.
    """

    name: str
    level: int
    highest: int
    loss: float
    examples: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Pass:
    """One search: there is one for global recoding, there can be more for local recoding.

    Attributes:
        levels: Level chosen for each quasi-identifier.
        rows: Rows that got these levels.
        optimal: Whether no other node costs less.
        nodes: Nodes of the generalisation lattice.
        nodes_checked: Nodes whose classes were computed.
    """

    levels: dict[str, int]
    rows: int
    optimal: bool
    nodes: int
    nodes_checked: int


@dataclass(frozen=True)
class SensitiveDistribution:
    """How often each value of a sensitive attribute occurs.

    Attributes:
        name: Column name.
        values: Distinct values of the input as text, ``None`` for a missing one.
        before: Array (values,): rows of the input that have the value.
        after: Array (values,): rows of the output that have the value.
    """

    name: str
    values: tuple[str | None, ...]
    before: IntArray
    after: IntArray


@dataclass(frozen=True)
class Result:
    """An anonymised frame and what is known of it.

    Attributes:
        frame: The anonymised frame, of the type that was given; lazy frames stay lazy.
        rows: Rows of the input.
        rows_suppressed: Rows left out.
        requirements: What was asked and met, such as ``{"name": "k-anonymity", "k": 5}`` or ``{"name": "t-closeness",
            "t": 0.2, "distance": "equal", "sensitive_attribute": "disease"}``.
        columns: One outcome a quasi-identifier.
        passes: One search a pass.
        loss: Generalised loss, the mean over all quasi-identifier cells of the input; a suppressed cell costs 1.
        quality: Name and value of the quality model that was minimised.
        achieved: Parameters reached, recomputed from the output, such as ``{"k": 5, "l": 3}``.
        achieved_by_attribute: The same for each sensitive attribute: ``{"disease": {"l": 3}}``.
        classes_before: Sizes of the equivalence classes of the input, ascending.
        classes_after: Sizes of the equivalence classes of the output, ascending.
        population_before: Rows of the population table in each class of ``classes_before``; ``None`` without one.
        population_after: Rows of the population table in each class of ``classes_after``; ``None`` without one.
        sensitive: One distribution a sensitive attribute.
        suppression_limit: Largest share of rows that may be left out, in per cent, 0 to 100.
        recoding: ``global`` or ``local``.
        optimal: Whether no other node costs less.
        lower_bound: What the quality value cannot fall below; equal to it if ``optimal``.
        nodes: Nodes of the generalisation lattice.
        nodes_checked: Nodes whose classes were computed.
        seconds: Duration by phase: ``histogram``, ``search``, ``apply``.
    """

    frame: Any
    rows: int
    rows_suppressed: int
    requirements: tuple[dict[str, Any], ...]
    columns: tuple[ColumnOutcome, ...]
    passes: tuple[Pass, ...]
    loss: float
    quality: tuple[str, float]
    achieved: dict[str, float | int]
    achieved_by_attribute: dict[str, dict[str, float]]
    classes_before: IntArray
    classes_after: IntArray
    population_before: IntArray | None
    population_after: IntArray | None
    sensitive: tuple[SensitiveDistribution, ...]
    suppression_limit: float
    recoding: str
    optimal: bool
    lower_bound: float
    nodes: int
    nodes_checked: int
    seconds: dict[str, float]
